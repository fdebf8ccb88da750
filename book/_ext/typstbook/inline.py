"""Nodes inside a paragraph."""

from __future__ import annotations

import re

from docutils import nodes

from .alternative import spoken
from .links import Key, destination
from .source import call, content, escape, string
from .visitor import Visitor

_EXTERNAL = re.compile(r"(https?|mailto):")
_HTML_COMMENT = re.compile(r"\s*<!--.*-->\s*", re.DOTALL)
_CHECKBOX = re.compile(r'<input class="task-list-item-checkbox"([^>]*)>')


class InlineVisitor(Visitor):
    """Emphasis, links, footnotes, formulas in text."""

    def visit_emphasis(self, node: nodes.Element) -> str:
        return call("emph", content(self.inline(node)))

    def visit_strong(self, node: nodes.Element) -> str:
        return call("strong", content(self.inline(node)))

    def visit_subscript(self, node: nodes.Element) -> str:
        return call("sub", content(self.inline(node)))

    def visit_superscript(self, node: nodes.Element) -> str:
        return call("super", content(self.inline(node)))

    def visit_literal(self, node: nodes.Element) -> str:
        return call("raw", string(node.astext()))

    def visit_inline(self, node: nodes.Element) -> str:
        return self.inline(node)

    visit_PassthroughTextElement = visit_inline  # noqa: N815 (sphinx-design names it so)

    def visit_math(self, node: nodes.Element) -> str:
        typst, tag = self.formula(node)
        if tag is not None:
            self.problem(node, f"\\tag in a formula within text: {node.astext()!r}")
        return call("inline-math", self.spoken(node), f"${typst}$")

    def spoken(self, node: nodes.Element) -> str:
        """What a screen reader is given for a formula, as a string literal."""
        return string(spoken(node.astext(), self.book.mathematics.macros))

    def visit_reference(self, node: nodes.Element) -> str:
        body = content(self.inline(node))
        key = destination(self.docname, node)
        if key is not None:
            if key not in self.book.labels:
                self.problem(
                    node,
                    f"the link {node.astext()!r} leads nowhere: no {'#'.join(key)!r} in the book",
                )
                return body[1:-1]
            return call("to", string(self.book.labels[key]), body) + self._chapter(key)
        uri = node.get("refuri", "")
        if not _EXTERNAL.match(uri):
            self.problem(
                node, f"the link {node.astext()!r} leads nowhere: {uri!r} is no web address"
            )
        return call("link", string(uri), body)

    def _chapter(self, key: Key) -> str:
        """After the title of another chapter, its number: on paper a title alone is no address."""
        document, _ = key
        number = self.book.section_numbers.get(document, {}).get("")
        whole = self.book.labels[key] == self.book.labels.get((document, ""))
        if not number or not whole or document == self.docname:
            return ""
        return escape(f" (chapter\N{NO-BREAK SPACE}{'.'.join(map(str, number))})")

    visit_number_reference = visit_reference

    def visit_target(self, node: nodes.Element) -> str:
        return self.mark(node) + self.inline(node)

    def visit_footnote_reference(self, node: nodes.Element) -> str:
        note = self.footnote(node["refid"])
        if note is None:
            self.problem(node, f"the footnote {node['refid']!r} has no text")
            return ""
        name = string(f"{self.docname}:footnote:{node['refid']}")
        label = next(iter(note.findall(nodes.label)))
        number = string(label.astext())
        if "printed" in note:
            return call("footnote-again", name, number)
        note["printed"] = True
        return call("footnote-first", name, number, content(self.blocks(note, label)))

    def visit_raw(self, node: nodes.Element) -> str:
        text = node.astext()
        if "html" not in node["format"].split():
            return ""  # meant for another format
        if _HTML_COMMENT.fullmatch(text):
            return ""
        if isinstance(node.parent, nodes.document):
            return ""  # scripts that the site's extensions append to every page
        if text.strip() == "<br />":
            return call("linebreak")
        if (checkbox := _CHECKBOX.fullmatch(text.strip())) is not None:
            return "☑" if "checked=" in checkbox[1] else "☐"
        return self.html(node)

    def html(self, node: nodes.Element) -> str:
        """Return the print of an HTML fragment."""
        raise NotImplementedError
