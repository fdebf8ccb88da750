"""Permanent links on theorems, definitions, algorithms and exercises; and no id that stands twice on a page."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# sphinx-proof and sphinx-exercise give these to each of their boxes.
COMMON = {"proof", "proof-content", "exercise-content", "solution-content"}


def link_boxes(app: Sphinx, tree: nodes.document, _docname: str) -> None:
    """Put a link to itself on each box that has a label, as Sphinx does on headings and equations."""
    if app.builder.format != "html":
        return
    for node in tree.findall(nodes.Element):
        if COMMON & set(node.get("ids", ())):
            node["ids"] = [name for name in node["ids"] if name not in COMMON]
    for box in tree.findall(_is_box):
        title = box.next_node(nodes.title)
        if title is not None and title.parent is box and box["ids"]:
            what = box["classes"][1] if "proof" in box["classes"] else box["classes"][0]
            link = (
                f'<a class="headerlink" href="#{box["ids"][0]}" title="Link to this {what}">#</a>'
            )
            title.append(nodes.raw("", link, format="html"))


def _is_box(node: nodes.Node) -> bool:
    kinds = {"proof", "exercise", "solution"}
    return isinstance(node, nodes.Element) and bool(kinds & set(node.get("classes", ())))


def setup(app: Sphinx) -> dict[str, Any]:
    """Act when every reference is resolved."""
    app.connect("doctree-resolved", link_boxes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
