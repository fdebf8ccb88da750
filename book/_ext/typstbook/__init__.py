"""Print the book: a Sphinx builder that makes PDFs with Typst, numbered exactly as the site.

Run it with `jupyter-book build --builder custom --custom-builder typst`.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

from .builder import TypstBuilder

# Of what a cell puts out, print (and the EPUB) takes the first that is there.
OUTPUTS = (
    "image/svg+xml",
    "application/pdf",
    "image/png",
    "image/jpeg",
    "text/markdown",
    "text/latex",
    "text/html",
    "text/plain",
)


def _choose_outputs(_app: Sphinx, config: Config) -> None:
    """Tell myst-nb which outputs print prefers; what the project configures wins."""
    if "nb_mime_priority_overrides" in config:
        ours = [("typst", kind, 10 * rank) for rank, kind in enumerate(OUTPUTS, start=1)]
        config.nb_mime_priority_overrides = [*ours, *config.nb_mime_priority_overrides]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the builder and its settings."""
    app.add_builder(TypstBuilder)
    app.add_config_value("tex_macros", {}, "env", dict)
    app.add_config_value("typst_pdf_name", "book.pdf", "", str)
    app.add_config_value("typst_pdf_standards", ["ua-1"], "", list)
    app.add_config_value("typst_subtitle", None, "", str)
    app.add_config_value("typst_description", None, "", str)
    app.add_config_value("typst_keywords", [], "", list)
    app.add_config_value(
        "typst_preface", None, "", str
    )  # what the root document is called in print
    app.add_config_value(
        "typst_imprint", [], "", list
    )  # lines behind the title, such as the licence
    app.add_config_value("typst_wide", [], "", list)  # documents without a margin for notes
    app.add_config_value("typst_colophon", [], "", list)  # the last lines of the last page
    app.add_event("typst-colophon")  # handlers return further lines, to stand before these
    app.add_event("typst-resolved")  # the trees of all documents, by their names
    app.connect("config-inited", _choose_outputs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
