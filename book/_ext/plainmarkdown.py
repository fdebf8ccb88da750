"""A document as plain Markdown: no directive, no role, no macro of the book, so that any notebook shows it.

It is made of the resolved document tree, and so has the words and numbers of the site. What it does not know is an
error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from docutils import nodes
from mathml import in_rows
from typstbook.alternative import expanded
from typstbook.texmath import Macro
from typstbook.visitor import INVISIBLE

Part = str | int
"""A block of text, or the place of a code cell, by its index in the source."""
Numbers = Mapping[str, Mapping[str, tuple[int, ...]]]

_SPECIAL = re.compile(r"([\\*_$`\[\]<])")
_DISPLAY = re.compile(r"^( *)(\$\$\n.*?^\1\$\$)$", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"\\tag\*?\s*\{[^{}]*\}")
# What a line that ends with two spaces or a backslash leaves in the tree: its end for HTML and that for LaTeX.
_LINE_BREAK = {"<br />": "\\\n", r"\\": ""}
MOVES = "*On the website of the book this figure moves.*"
_WRAPPERS = {"inline", "target", "caption", "PassthroughTextElement"}


@dataclass
class Writer:
    """Turns nodes into Markdown."""

    docname: str
    numbers: Numbers
    """The numbers of figures, equations and boxes, by kind and id."""
    formats: Mapping[str, str] = field(default_factory=dict)
    macros: Mapping[str, Macro] = field(default_factory=dict)
    site: str = ""
    """The address of the site, for links to it; without one, they are words."""
    sections: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The numbers of sections, as Sphinx has them: that of the document under an empty name."""
    proofs: set[int] = field(default_factory=set)
    """The cells that prove what the text after them says, by their index."""
    _level: int = 0

    def blocks(self, parent: nodes.Element, *without: nodes.Node | None) -> Iterator[Part]:
        """The children of a node, one under the other."""
        for child in parent.children:
            if child not in without and not isinstance(child, nodes.Text):
                assert isinstance(child, nodes.Element)
                yield from self.block(child)

    def block(self, node: nodes.Element) -> Iterator[Part]:
        """One node that stands by itself.

        Raises:
            ValueError: there is no Markdown for it.
        """
        name = type(node).__name__
        if name in INVISIBLE or name in ("raw", "target"):
            return
        method = getattr(self, f"_{name}", None)
        if method is None and name.endswith("_node") and "realtype" in node:
            method = self._statement
        if method is None:
            raise ValueError(f"{self.docname}: {name!r} nodes have no Markdown")
        yield from method(node)

    # Blocks

    def _section(self, node: nodes.Element) -> Iterator[Part]:
        self._level += 1
        yield from self.blocks(node)
        self._level -= 1

    def _title(self, node: nodes.Element) -> Iterator[Part]:
        places = ["#" + name for name in node.parent["ids"]] + [""] * (self._level == 1)
        number = next((self.sections[place] for place in places if self.sections.get(place)), ())
        yield " ".join(
            filter(None, ["#" * self._level, ".".join(map(str, number)), self.inline(node)])
        )

    def _paragraph(self, node: nodes.Element) -> Iterator[Part]:
        if "equation-source" in node["classes"]:
            if node.next_node(nodes.reference):  # and not only "definition"
                yield f"({self.inline(node)})"
        elif "ledger-mark" not in node["classes"]:
            yield self.inline(node)

    def _math_block(self, node: nodes.Element) -> Iterator[Part]:
        source = node.astext()
        number, tag = self._number("displaymath", node), _TAG.search(source)
        shown = f"\\tag{{{number}}}" if number else tag[0] if tag else ""
        formula = in_rows(self._expanded(_TAG.sub("", source)))
        yield "\n".join(filter(None, ["$$", formula, shown, "$$"]))

    def _bullet_list(self, node: nodes.Element) -> Iterator[Part]:
        yield "\n".join(self._item("-", item) for item in node.children)

    def _enumerated_list(self, node: nodes.Element) -> Iterator[Part]:
        first = node.get("start", 1)
        yield "\n".join(
            self._item(f"{number}.", item)
            for number, item in zip(count(first), node.children, strict=False)
        )

    def _item(self, mark: str, item: nodes.Node) -> str:
        assert isinstance(item, nodes.Element)
        text = self._text(item)
        return f"{mark} " + text.replace("\n", "\n" + " " * (len(mark) + 1))

    def _literal_block(self, node: nodes.Element) -> Iterator[Part]:
        language = node.get("language", "").replace("ipython3", "python")
        yield f"```{language}\n{node.astext().rstrip()}\n```"

    def _block_quote(self, node: nodes.Element) -> Iterator[Part]:
        yield quoted(self._text(node))

    # Boxes

    def _box(self, title: str, node: nodes.Element, *without: nodes.Node | None) -> Iterator[Part]:
        """A bold line and a quotation; what holds code stays open, for a notebook has none in quotations."""
        parts = [f"**{title}**"] if title else []
        inner = [*parts, *self.blocks(node, *without)]
        texts = [part for part in inner if isinstance(part, str)]
        if len(texts) == len(inner):
            yield quoted("\n\n".join(texts))
        else:
            yield from inner

    def _admonition(self, node: nodes.Element) -> Iterator[Part]:
        title = _child(node, nodes.title)
        yield from self._box(self.inline(title) if title else "", node, title)

    def _statement(self, node: nodes.Element) -> Iterator[Part]:
        title = _child(node, nodes.title)
        number = self._number(node["countertype"], node)
        words = [node["realtype"].capitalize(), number, self.inline(title).strip() if title else ""]
        yield from self._box(" ".join(filter(None, words)), node, title)

    def _proof_node(self, node: nodes.Element) -> Iterator[Part]:
        yield from self.blocks(node)  # an admonition

    def _exercise_enumerable_node(self, node: nodes.Element) -> Iterator[Part]:
        title = _child(node, nodes.title)
        name = self.formats.get("exercise", "Exercise %s") % self._number("exercise", node)
        yield from self._box(name + (self.inline(title) if title else ""), node, title)

    _solution_node = _admonition

    def _container(self, node: nodes.Element) -> Iterator[Part]:
        if node.get("nb_element") == "cell_code":
            yield from self._cell(node)
        elif node.get("design_component") == "dropdown":
            title = _child(node, nodes.rubric)
            yield from self._box(self.inline(title) if title else "", node, title)
        elif node.get("literal_block"):
            caption = _child(node, nodes.caption)
            if caption is not None:
                yield self._captioned("code-block", node, caption)
            yield from self.blocks(node, caption)
        else:
            yield from self.blocks(node)

    def _cell(self, node: nodes.Element) -> Iterator[Part]:
        """The place of a cell, then the captions of its figures, and what it proves."""
        index: int = node["cell_index"]
        yield index
        for figure in node.findall(nodes.figure):
            caption = _child(figure, nodes.caption)
            if caption is not None:
                moves = f" {MOVES}" if figure.get("explorable") else ""
                yield self._captioned("figure", figure, caption) + moves
        for box in node.findall(nodes.container):
            if "derivation" in box["classes"]:
                self.proofs.add(index)
                yield self._text(box)

    def _captioned(self, kind: str, node: nodes.Element, caption: nodes.Element) -> str:
        number = self._number(kind, node)
        name = self.formats.get(kind, "%s") % number if number else ""
        return f"**{name}** {self.inline(caption)}".removeprefix("**** ")

    def _text(self, node: nodes.Element) -> str:
        return "\n\n".join(str(part) for part in self.blocks(node))

    def _number(self, kind: str, node: nodes.Element) -> str | None:
        known = self.numbers.get(kind, {})
        return next(
            (".".join(map(str, known[name])) for name in node["ids"] if name in known), None
        )

    # Within a line

    def inline(self, node: nodes.Node) -> str:
        """The children of a node, side by side."""
        return "".join(map(self._inline, node.children)).strip("\n")

    def _inline(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Text):
            return _SPECIAL.sub(r"\\\1", node.astext())
        assert isinstance(node, nodes.Element)
        name = type(node).__name__
        if name in INVISIBLE:
            return ""
        if isinstance(node, nodes.math):
            return f"${' '.join(self._expanded(node.astext()).split())}$"
        if isinstance(node, nodes.literal):
            return f"`{node.astext()}`"
        if isinstance(node, nodes.reference):
            return self._link(node)
        if isinstance(node, nodes.raw) and node.astext().strip() in _LINE_BREAK:
            return _LINE_BREAK[node.astext().strip()]
        marks = {"emphasis": "*", "strong": "**"}
        if name not in marks and name not in _WRAPPERS:
            raise ValueError(f"{self.docname}: {name!r} nodes have no Markdown within a line")
        return f"{marks.get(name, '')}{self.inline(node)}{marks.get(name, '')}"

    def _link(self, node: nodes.Element) -> str:
        words, address = self.inline(node), node.get("refuri", "")
        if (bare := words.strip()) != words and bare:
            before, _, after = words.partition(bare)  # a link begins and ends with a word
            return f"{before}{self._linked(bare, node, address)}{after}"
        return self._linked(words, node, address)

    def _linked(self, words: str, node: nodes.Element, address: str) -> str:
        if address.startswith(("http://", "https://")):
            return f"[{words}]({address})"
        if not self.site:
            return words
        page, _, place = address.removeprefix("%").partition("#")
        place = node.get("refid", place)
        return f"[{words}]({self.site}{page or self.docname}.html{'#' if place else ''}{place})"

    def _expanded(self, formula: str) -> str:
        return expanded(formula, self.macros)


def _child(node: nodes.Element, kind: type[nodes.Element]) -> nodes.Element | None:
    return next((child for child in node.children if isinstance(child, kind)), None)


def quoted(text: str) -> str:
    """Return a text as a quotation, each display on one line: Jupyter takes displays out before quotations."""
    joined = _DISPLAY.sub(lambda display: display[1] + " ".join(display[2].split()), text)
    return "\n".join(f"> {line}".rstrip() for line in joined.splitlines())
