"""The style sheet, and the colours that carry a meaning."""

from __future__ import annotations

from importlib import resources
from types import MappingProxyType

import matplotlib.pyplot as plt

COLOURS = MappingProxyType(
    {
        "first": "#1f5fa8",
        "second": "#b8500a",
        "third": "#2e7d4f",
        "bound": "#2e7d4f",
        "gap": "#b8500a",
        "energy": "#7b3fa0",
        "data": "#767676",
        "ink": "#333333",
    }
)

PALE = "#d9d9d9"
"""A fill that stays in the background; what it fills has a rim in COLOURS["data"]."""


def use_book_style() -> None:
    """Draw every later figure of this process in the book's style."""
    with resources.as_file(resources.files(__package__).joinpath("book.mplstyle")) as sheet:
        plt.style.use(sheet)
