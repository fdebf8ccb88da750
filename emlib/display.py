"""Where a result is shown: on a page of the book, which has references and modules, or in plain Jupyter."""

from __future__ import annotations

import os

VARIABLE = "EMLIB_DISPLAY"
"""The build of the book sets it to "book" for the cells that it runs."""


def in_the_book() -> bool:
    """Whether a page of the book shows what is displayed."""
    return os.environ.get(VARIABLE) == "book"
