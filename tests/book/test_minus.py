"""Glued numbers get minus signs; nothing else does."""

from __future__ import annotations

from typing import cast

from docutils import nodes
from docutils.utils import new_document
from minus import with_minus_signs
from sphinx.application import Sphinx


def test_only_numbers_that_were_glued_are_changed() -> None:
    tree = new_document("page")
    paragraph = nodes.paragraph("", "")
    paragraph += nodes.inline("", "-1034.316 and 1e-8, a well-known pair", classes=["pasted-text"])
    paragraph += nodes.inline("", "-1 in another place", classes=["other"])
    paragraph += nodes.literal("", "x = -1")
    tree += paragraph
    with_minus_signs(cast(Sphinx, None), tree, "page")
    glued, other, code = (child.astext() for child in paragraph.children)
    assert glued == "−1034.316 and 1e−8, a well-known pair"
    assert other == "-1 in another place"
    assert code == "x = -1"
