"""Permanent links on theorems, algorithms and exercises; no id stands twice; the list of sources is a list."""

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
    if app.builder.name != "html":  # an e-reader has no use for them
        return
    for box in tree.findall(_is_box):
        title = box.next_node(nodes.title)
        if title is None or title.parent is not box:
            continue
        if "solution" in box["classes"]:
            # The title opens the solution, which stands right under its exercise: no link in the way.
            for link in list(title.findall(nodes.reference)):
                link.parent.replace(link, link.children)
        if box["ids"]:
            what = box["classes"][1] if "proof" in box["classes"] else box["classes"][0]
            mark = (
                f'<a class="headerlink" href="#{box["ids"][0]}" title="Link to this {what}">#</a>'
            )
            title.append(nodes.raw("", mark, format="html"))


def _is_box(node: nodes.Node) -> bool:
    kinds = {"proof", "exercise", "solution"}
    return isinstance(node, nodes.Element) and bool(kinds & set(node.get("classes", ())))


def list_sources(
    _app: Sphinx, _name: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Docutils gives the entries of its list a role that no longer exists, and that no list may hold."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Act when every reference is resolved, and when a page is written."""
    app.connect("doctree-resolved", link_boxes)
    app.connect("html-page-context", list_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
