"""Chapters, sections, paragraphs, lists, displayed formulas and code."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

from .inline import InlineVisitor
from .links import destination
from .source import array, call, content, escape, optional, string
from .visitor import INVISIBLE

_COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")
_LANGUAGES = {"ipython3": "python", "ipython": "python", "python3": "python"}
_UNHIGHLIGHTED = frozenset({"default", "none", "text", "myst-ansi", "ipythontb"})


# What a formula rests on: its entry in the ledger, its source.
_GROUND = frozenset({"ledger-mark", "equation-source"})


def _ground(formula: nodes.Element) -> nodes.Element | None:
    """The paragraph right after a formula that says what it rests on."""
    below = formula.next_node(descend=False, siblings=True)
    if isinstance(below, nodes.paragraph) and _GROUND & set(below["classes"]):
        return below
    return None


def _is_printed(node: nodes.Node) -> bool:
    return not isinstance(node, nodes.target) and type(node).__name__ not in INVISIBLE


class BlockVisitor(InlineVisitor):
    """The running text."""

    def visit_section(self, node: nodes.Element) -> str:
        self.level += 1
        try:
            return self.blocks(node)
        finally:
            self.level -= 1

    def visit_title(self, node: nodes.Element) -> str:
        section = node.parent
        number = self._section_number(section["ids"][0])
        title = self.book.titles.get(self.docname) if self.level == 1 else None
        return call(
            "section",
            str(self.level),
            self.label(section),
            optional(number),
            content(escape(title) if title else self.inline(node)),
        )

    def _section_number(self, name: str) -> str | None:
        """The number as the site shows it, found the way Sphinx's HTML writer finds it."""
        numbers = self.book.section_numbers.get(self.docname, {})
        number = numbers["#" + name] if "#" + name in numbers else numbers.get("")
        return ".".join(map(str, number)) if number else None

    def visit_paragraph(self, node: nodes.Element) -> str:
        if _GROUND & set(node["classes"]):
            return ""  # printed with its formula
        below = node.next_node(_is_printed, descend=False, siblings=True)
        entry = isinstance(below, nodes.container) and "ledger-entry" in below["classes"]
        if entry or isinstance(below, nodes.table):
            return call("held", content(self.mark(node) + self.inline(node)))
        return self.mark(node) + self.inline(node)

    def visit_compound(self, node: nodes.Element) -> str:
        return self.blocks(node)

    def visit_block_quote(self, node: nodes.Element) -> str:
        by = next((child for child in node.children if isinstance(child, nodes.attribution)), None)
        source = "none" if by is None else content(self.inline(by))
        return call("quotation", source, content(self.blocks(node, by)))

    def visit_rubric(self, node: nodes.Element) -> str:
        return call("subheading", content(self.inline(node)))

    def visit_transition(self, node: nodes.Element) -> str:
        # The rule above the site's footnotes: print sets them at the foot of the page.
        return "" if "footnotes" in node["classes"] else call("divider")

    # Lists

    def _items(self, node: nodes.Element) -> str:
        paragraphs = (
            sum(isinstance(block, nodes.paragraph) for block in item.children)
            for item in node.children
            if isinstance(item, nodes.Element)
        )
        tight = "true" if max(paragraphs) < 2 else "false"
        return f"tight: {tight}, " + ", ".join(map(self.visit, node.children))

    def visit_bullet_list(self, node: nodes.Element) -> str:
        marker = "marker: none, " if "contains-task-list" in node["classes"] else ""
        return call("list", marker + self._items(node))

    def visit_enumerated_list(self, node: nodes.Element) -> str:
        forms = {
            "arabic": "1",
            "loweralpha": "a",
            "upperalpha": "A",
            "lowerroman": "i",
            "upperroman": "I",
        }
        pattern = forms[node.get("enumtype", "arabic")] + node.get("suffix", ".")
        return call(
            "enum",
            f"start: {node.get('start', 1)}, numbering: {string(pattern)}, {self._items(node)}",
        )

    def visit_list_item(self, node: nodes.Element) -> str:
        return content(self.mark(node) + self.blocks(node))

    def visit_definition_list(self, node: nodes.Element) -> str:
        return call("terms", "".join(f"{self.visit(item)}, " for item in node.children))

    def visit_definition_list_item(self, node: nodes.Element) -> str:
        terms = ", ".join(
            self.visit(child) for child in node.children if isinstance(child, nodes.term)
        )
        bodies = [
            self.blocks(child) for child in node.children if isinstance(child, nodes.definition)
        ]
        return f"terms.item({content(terms)}, {content(' '.join(bodies))})"

    def visit_term(self, node: nodes.Element) -> str:
        return self.mark(node) + self.inline(node)

    def visit_glossary(self, node: nodes.Element) -> str:
        return self.blocks(node)

    def visit_field_list(self, node: nodes.Element) -> str:
        items = [
            f"terms.item({content(self.inline(name))}, {content(self.blocks(body))}), "
            for name, body in zip(
                node.findall(nodes.field_name), node.findall(nodes.field_body), strict=True
            )
        ]
        return call("terms", "".join(items))

    # Formulas and code

    def visit_math_block(self, node: nodes.Element) -> str:
        typst, tag = self.formula(node)
        number = self.number("displaymath", node)
        if number is not None:
            number = self.book.equation_separator.join(number.rsplit(".", 1))
            shown = content(f"({number})")
        elif tag is not None:
            shown = call("inline-math", string("tag"), f"${tag}$")[1:-1]
        else:
            shown = "none"
        if number is not None and tag is not None:
            self.problem(node, f"an equation has the number {number} and a \\tag: leave one out")
        ground = _ground(node)
        return call(
            "display-math",
            self.label(node),
            shown,
            self._beside(ground) if ground else "none",
            self.spoken(node),
            f"$ {typst} $",
        )

    def _beside(self, ground: nodes.Element) -> str:
        """What a formula rests on; of an entry of the ledger, its page, too."""
        keys = [destination(self.docname, link) for link in ground.findall(nodes.reference)]
        places = [self.book.labels[key] for key in keys if key and key in self.book.labels]
        marked = "ledger-mark" in ground["classes"]
        pages = [call("on-page", string(place)) for place in places if marked]
        return content(self.inline(ground) + "".join(pages))

    def visit_literal_block(self, node: nodes.Element) -> str:
        named = node.get("language", "none")
        language = None if named in _UNHIGHLIGHTED else _LANGUAGES.get(named, named)
        options: dict[str, Any] = node.get("highlight_args", {})
        first = str(options.get("linenostart", 1)) if node.get("linenos") else "none"
        strong = array([str(line) for line in options.get("hl_lines", ())])
        return call(
            "code",
            self.label(node),
            "true" if "output" in node["classes"] else "false",
            optional(language),
            first,
            strong,
            string(_COLOUR_CODES.sub("", node.astext().rstrip("\n"))),
        )

    # The bibliography

    def visit_citation(self, node: nodes.Element) -> str:
        tag = next(iter(node.findall(nodes.label)))
        return call(
            "source-entry",
            self.label(node),
            content(self.inline(tag)),
            content(self.blocks(node, tag)),
        )
