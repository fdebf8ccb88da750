"""Where references lead: a node that something links to gets one label for all of its ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from docutils import nodes

URI = "%"  # how this builder spells the address of a document: %docname#id

Key = tuple[str, str]  # document and id; an empty id means the document itself


def destination(docname: str, reference: nodes.Element) -> Key | None:
    """Return what an internal reference points at, or None for an external one."""
    if "refid" in reference:
        return docname, reference["refid"]
    uri: str = reference.get("refuri", "")
    if uri.startswith(URI):
        document, _, target = uri[1:].partition("#")
        return document, target
    return (docname, uri[1:]) if uri.startswith("#") else None


def label_targets(
    trees: Mapping[str, nodes.document], indexed: Iterable[Key] = ()
) -> dict[Key, str]:
    """Give each node that is linked to, or indexed, a `print_label`; return the labels by document and id."""
    linked = set(indexed) | {
        key
        for docname, tree in trees.items()
        for reference in tree.findall(nodes.reference)
        if (key := destination(docname, reference)) is not None
    }
    labels: dict[Key, str] = {}
    for docname, tree in trees.items():
        for node, keys in _named(docname, tree):
            # The first of two nodes with the same id wins, as it does in a browser.
            fresh = [key for key in keys if key not in labels]
            if any(key in linked for key in fresh):
                node["print_label"] = ":".join(fresh[0])
                labels.update(dict.fromkeys(fresh, node["print_label"]))
    return labels


def _named(docname: str, tree: nodes.document) -> Iterator[tuple[nodes.Element, list[Key]]]:
    """Nodes with ids; the first section also answers to the document's own address."""
    first = next(iter(tree.findall(nodes.section)), None)
    for node in tree.findall(nodes.Element):
        if node["ids"] or node is first:
            own = [(docname, "")] if node is first else []
            yield node, own + [(docname, identifier) for identifier in node["ids"]]
