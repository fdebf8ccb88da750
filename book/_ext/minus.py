"""A computed number in the text has a minus sign, not a hyphen."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

HYPHEN = re.compile(r"-(?=\d)")


def with_minus_signs(_app: Sphinx, tree: nodes.document, _docname: str) -> None:
    """Set the numbers that cells have glued into the text."""
    for number in tree.findall(_is_glued):
        for text in list(number.findall(nodes.Text)):
            text.parent.replace(text, nodes.Text(HYPHEN.sub("\N{MINUS SIGN}", text.astext())))


def _is_glued(node: nodes.Node) -> bool:
    return isinstance(node, nodes.inline) and "pasted-text" in node["classes"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Act when every reference is resolved, for the site and for the print."""
    app.connect("doctree-resolved", with_minus_signs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
