"""What every part of the writer shares: the book's facts, dispatch, problems, labels, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from docutils import nodes

from .links import Key
from .source import call, escape, string
from .texmath import Converter
from .textokens import TexError

# Nodes that print leaves out on purpose, and why nothing is lost.
INVISIBLE = MappingProxyType(
    {
        "comment": "a remark to authors",
        "index": "the index stands at the back; a target beside it marks the place",
        "toctree": "the contents stand at the front",
        "meta": "told to search engines",
        "substitution_definition": "its uses are already replaced",
        "colspec": "read by the table it belongs to",
        "footnote": "set at the foot of the page that calls it",
    }
)

Number = tuple[int, ...]


@dataclass(frozen=True)
class Book:
    """What the writer knows beyond the tree, and what it gathers while it writes."""

    labels: Mapping[Key, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    section_numbers: Mapping[str, Mapping[str, Number | None]] = field(default_factory=dict)
    figure_numbers: Mapping[str, Mapping[str, Mapping[str, Number]]] = field(default_factory=dict)
    number_formats: Mapping[str, str] = field(default_factory=dict)
    equation_separator: str = "."
    mathematics: Converter = field(default_factory=Converter)
    titles: Mapping[str, str] = field(default_factory=dict)
    """What documents are called in print, if not as on the site."""
    site: str = ""
    """The address of the site, if it has one."""
    problems: list[str] = field(default_factory=list)
    """What cannot be printed."""
    answers: dict[str, list[str]] = field(default_factory=dict)
    """The answers that each document leaves to the back of the book."""
    codes: dict[str, str] = field(default_factory=dict)
    """The addresses to be drawn as QR codes, by the names of the images."""


class Visitor:
    """Turns nodes into Typst source; `visit_<class name>` handles one class of node."""

    def __init__(self, book: Book, docname: str, level: int = 0) -> None:
        self.book = book
        self.docname = docname
        self.level = level
        self._questions = self._answered = 0
        self._labelled: set[str] = set()
        self._footnotes: dict[str, nodes.footnote] = {}

    def document(self, tree: nodes.document) -> str:
        """Return the Typst source of a whole document."""
        self._footnotes = {
            name: note for note in tree.findall(nodes.footnote) for name in note["ids"]
        }
        return self.blocks(tree)

    def visit(self, node: nodes.Node) -> str:
        """Return the Typst source of one node."""
        if isinstance(node, nodes.Text):
            return escape(node.astext())
        assert isinstance(node, nodes.Element)
        name = type(node).__name__
        if name in INVISIBLE:
            markup = ""
        elif (method := getattr(self, f"visit_{name}", None)) is not None:
            markup = method(node)
        else:
            self.problem(node, f"{name!r} nodes cannot be printed")
            markup = ""
        # A node whose method placed no label gets it in front.
        label = node.get("print_label")
        return markup if label is None or label in self._labelled else self.mark(node) + markup

    def inline(self, node: nodes.Element) -> str:
        """Return the children of `node`, side by side."""
        return "".join(map(self.visit, node.children))

    def blocks(self, parent: nodes.Element, *without: nodes.Node | None) -> str:
        """Return the children of `parent`, one under the other."""
        parts = (self.visit(child).strip() for child in parent.children if child not in without)
        return "\n\n".join(part for part in parts if part)

    def problem(self, node: nodes.Node, what: str) -> None:
        """Note that `node` cannot be printed faithfully; the build will fail and say so."""
        self.book.problems.append(f"{self._place(node)}: {what}")

    def _place(self, node: nodes.Node) -> str:
        """The file and line of the nearest node that knows both."""
        here: nodes.Node | None = node
        while here is not None:
            if here.source and here.line:
                return f"{here.source}:{here.line}"
            here = here.parent
        return self.docname

    def label(self, node: nodes.Element) -> str:
        """Return the label of `node` as a Typst argument, and take it as placed."""
        name = node.get("print_label")
        if name is None:
            return "none"
        self._labelled.add(name)
        return string(name)

    def mark(self, node: nodes.Element) -> str:
        """Return an invisible mark that carries the label of `node`, if it has one."""
        label = self.label(node)
        return "" if label == "none" else call("mark", label)

    def footnote(self, name: str) -> nodes.footnote | None:
        """Return the footnote with the id `name`."""
        return self._footnotes.get(name)

    def number(self, kind: str, node: nodes.Element) -> str | None:
        """Return the number that Sphinx gave to `node` as a figure, table, equation, theorem."""
        numbers = self.book.figure_numbers.get(self.docname, {}).get(kind, {})
        return next(
            (".".join(map(str, numbers[name])) for name in node["ids"] if name in numbers), None
        )

    def numbered_name(self, kind: str, node: nodes.Element) -> str | None:
        """Return for instance "Figure 1.2", worded as on the site."""
        number = self.number(kind, node)
        return None if number is None else self.book.number_formats.get(kind, f"{kind} %s") % number

    def formula(self, node: nodes.Element) -> tuple[str, str | None]:
        """Return the Typst mathematics of a node and of its tag."""
        try:
            formula = self.book.mathematics.convert(node.astext())
        except TexError as error:
            self.problem(node, str(error))
            return '""', None
        return formula.typst, formula.tag
