"""The book for e-readers: Sphinx's EPUB 3 with pages of our own, mathematics as MathML, and no script.

Run it with `jupyter-book build --builder custom --custom-builder epub`.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from typstbook import OUTPUTS

from .builder import Builder


def _configure(_app: Sphinx, config: Config) -> None:
    """Of what a cell puts out take the same as the print: of an explorable, its static twin."""
    config.version = config.version or config.release  # Sphinx's builder asks for it
    if "nb_mime_priority_overrides" in config:
        ours = [("epub", kind, rank) for rank, kind in enumerate(OUTPUTS)]
        config.nb_mime_priority_overrides = [*ours, *config.nb_mime_priority_overrides]


def setup(app: Sphinx) -> dict[str, Any]:
    """Put our builder in the place of Sphinx's."""
    app.setup_extension("typstbook")  # title, description and colophon are the print's
    app.add_builder(Builder, override=True)
    app.connect("config-inited", _configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
