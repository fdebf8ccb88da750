"""The body of a page, from the HTML that Sphinx writes to the XHTML that an e-reader takes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

_MATHML = "http://www.w3.org/1998/Math/MathML"
_SVG = "http://www.w3.org/2000/svg"
# What MathML 3, which EPUB has, allows on these alone.
_STYLED = {"displaystyle": {"math", "mstyle", "mtable"}, "scriptlevel": {"math", "mstyle"}}
# Buttons and icons do nothing here; code that the site folds away is left out, as in print.
_DROPPED_TAGS = {"script", "style", "link", "button", "svg"}
_DROPPED_CLASSES = ({"headerlink"}, {"hide", "above-input"})


@dataclass(frozen=True)
class Body:
    """What stands in a page."""

    text: str
    mathematics: bool
    """Whether it holds MathML, which the package must announce."""


def convert(html: str) -> Body:
    """Return the body of a page.

    Raises:
        ValueError: it is no XML, or an image has no alternative text.
    """
    try:
        body = ElementTree.fromstring(f"<body>{html}</body>")
    except ElementTree.ParseError as error:
        line = f"<body>{html}".splitlines()[error.position[0] - 1]
        raise ValueError(f"{error}: {line[:200]}") from None
    _drop(body)
    _wrap_tables(body)
    for box in list(body.iter("div")):
        if {"dropdown", "admonition"} <= _classes(box):
            _fold(box)
    for image in body.iter("img"):
        if not (image.get("alt") or "").strip():
            raise ValueError(f"the image {image.get('src')!r} has no alternative text")
    formulas = list(body.iter("math"))
    for formula in formulas:
        _wrap_styled(formula)
        formula.set("xmlns", _MATHML)
    return Body(_inside(body), bool(formulas))


def clean_svg(picture: str) -> str:
    """Return a drawing without the declaration that Matplotlib begins with, and with no path that has no data."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    tree = ElementTree.fromstring(picture)
    for element in list(tree.iter(f"{{{_SVG}}}path")):
        element.set("d", element.get("d", ""))
    return ElementTree.tostring(tree, encoding="unicode", xml_declaration=True)


def _wrap_styled(parent: Element) -> None:
    """Put an element whose style MathML 3 does not allow on it into an `mstyle` that has it."""
    for position, child in enumerate(list(parent)):
        _wrap_styled(child)
        styles = {
            name: child.attrib.pop(name)
            for name, allowed in _STYLED.items()
            if name in child.attrib and child.tag not in allowed
        }
        if styles:
            parent[position] = _wrapped(child, "mstyle", styles)


def _wrap_tables(parent: Element) -> None:
    """Put each table into a box of its own, in which it can scroll."""
    for position, child in enumerate(list(parent)):
        if child.tag == "table":
            parent[position] = _wrapped(child, "div", {"class": "table"})
        else:
            _wrap_tables(child)


def _wrapped(child: Element, tag: str, attributes: dict[str, str]) -> Element:
    wrapper = ElementTree.Element(tag, attributes)
    wrapper.tail, child.tail = child.tail, None
    wrapper.append(child)
    return wrapper


def _classes(element: Element) -> set[str]:
    return set(element.get("class", "").split())


def _drop(parent: Element) -> None:
    """Take out what a reader has no use for, and keep the text after it."""
    for child in list(parent):
        if child.tag in _DROPPED_TAGS or any(kind <= _classes(child) for kind in _DROPPED_CLASSES):
            _remove(parent, child)
        else:
            _drop(child)


def _remove(parent: Element, child: Element) -> None:
    position = list(parent).index(child)
    if position:
        parent[position - 1].tail = (parent[position - 1].tail or "") + (child.tail or "")
    else:
        parent.text = (parent.text or "") + (child.tail or "")
    parent.remove(child)


def _fold(box: Element) -> None:
    """Make a solution one that opens by itself, where the site needs a script; its title may then hold no link."""
    box.tag = "details"
    title = box[0]
    title.tag = "summary"
    for link in title.iter("a"):
        link.tag = "span"
        link.attrib.clear()


def _inside(element: Element) -> str:
    def parts() -> Iterator[str]:
        yield (element.text or "").replace("&", "&amp;").replace("<", "&lt;")
        for child in element:
            yield ElementTree.tostring(child, encoding="unicode")

    return "".join(parts()).strip()
