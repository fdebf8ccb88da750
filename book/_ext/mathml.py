r"""The site's mathematics: MathML, written when the book is built, which browsers show without a script.

math-core does the work. Around it: the book's own macros (`tex_macros`, shared with the print), a few forms of TeX
that it leaves out, a box that scrolls for a display too wide, and a refusal, with file and line, of what cannot be set.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html import escape, unescape
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from mathfont import unknown_characters
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator
from typstbook.alternative import spoken
from typstbook.texmath import Macro
from typstbook.textokens import Tokens

_COMMENT = re.compile(r"(?<!\\)%.*\n?")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_TAG = re.compile(r"\\tag(\*?)\s*\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(align|split|eqnarray|gather|equation)\*?\}")
_NAMED = re.compile(r"&(?!(?:lt|gt|amp|quot);)\w+;")
# The book numbers whole displays, so that an environment with numbered rows is one without.
_UNNUMBERED = {"gather": "gathered", "equation": "gathered"}
_OWN_MACROS = {"substack": r"\begin{subarray}{c}#1\end{subarray}"}
_BRACKETS = frozenset("()[]{}|‖∥⟨⟩")
_TALL = {"mfrac", "mtable", "munder", "munderover", "msqrt", "mroot"}
# What must not begin a line: a browser would break between a formula and its full stop.
_CLOSING = re.compile(r"[,.;:!?)\]}’”'\"–/-]+")
# More characters than a line on a phone has room for.
_WIDE = 24
_logger = logging.getLogger(__name__)


class Mathematics:
    """Turns TeX formulas into MathML, and the nodes that hold them into HTML."""

    def __init__(self) -> None:
        self.configure({})

    def configure(self, macros: dict[str, Any]) -> None:
        """Take the book's macros, as `"body"` or `["body", arguments]`."""
        self._macros = {name: Macro.from_config(value) for name, value in macros.items()}
        bodies = {name: macro.body for name, macro in self._macros.items()}
        self._converter = LatexToMathML(
            macros=_OWN_MACROS | bodies, fancy_error=False, allow_unreliable_rendering=True
        )

    def convert(self, source: str, *, display: bool) -> str:
        """Return the MathML of a formula without its tag.

        Raises:
            LatexError: the formula is malformed, uses what is not known, or a character that the font has not.
        """
        mathml = self._converter.convert_with_local_state(in_rows(source), displaystyle=display)
        if missing := unknown_characters(mathml):
            raise LatexError(f"the mathematics font has no {', '.join(map(repr, missing))}")
        # XML knows no names but its own for characters.
        tree = ElementTree.fromstring(_NAMED.sub(lambda match: unescape(match[0]), mathml))
        tree.set("alttext", spoken(source, self._macros))
        _keep_small(tree)
        for sign in tree.iter("mo"):
            if sign.text and not sign.text.strip("′″‴"):
                sign.set("class", "prime")  # for the style sheet
        return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)

    def html(self, node: nodes.Element, source: str, *, display: bool) -> str:
        """Return the MathML of a node; if there is none, warn, with file and line."""
        try:
            return self.convert(source, display=display)
        except LatexError as error:
            _logger.warning("%s in the formula %r", error, source, location=node, type="mathml")
            return f"<code>{escape(source)}</code>"

    def visit_inline(self, writer: HTML5Translator, node: nodes.math) -> None:
        """Write a formula within text."""
        mathml = self.html(node, node.astext(), display=False)
        wide = " wide" if len(re.sub("<[^>]*>", "", mathml)) > _WIDE else ""
        start = writer.starttag(node, "span", "", CLASS=f"math notranslate{wide}")
        writer.body.append(f"{start}{mathml}</span>")
        raise nodes.SkipNode

    def visit_display(self, writer: HTML5Translator, node: nodes.math_block) -> None:
        """Write a display: the formula in a box that scrolls, then its number."""
        tag = _TAG.search(node.astext())
        mathml = self.html(node, _TAG.sub("", node.astext()), display=True)
        writer.body.append(writer.starttag(node, "div", CLASS="math notranslate"))
        writer.body.append(f'<div class="formula">{mathml}</div>')
        if node["number"]:
            writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
            writer.add_permalink_ref(node, "Link to this equation")
            writer.body.append("</span>")
        elif tag is not None:
            number = escape(tag[2])
            writer.body.append(f'<span class="eqno">{number if tag[1] else f"({number})"}</span>')
        writer.body.append("</div>\n")
        raise nodes.SkipNode


def in_rows(source: str) -> str:
    r"""Return a formula with its rows in one environment.

    As in the print, a blank line or a bare `\\` starts a new row.
    """
    text = _BLANK_LINE.sub(r" \\\\ ", _COMMENT.sub("", source).strip())
    text = _ENVIRONMENT.sub(
        lambda match: f"\\{match[1]}{{{_UNNUMBERED.get(match[2], 'aligned')}}}", text
    )
    return rf"\begin{{aligned}}{text}\end{{aligned}}" if _has_bare_rows(text) else text


def _keep_small(tree: ElementTree.Element) -> None:
    """Leave brackets as they are where nothing between them is tall.

    Chromium gives a bracket that may grow the width of its largest form.
    """
    for row in tree.iter("mrow"):
        brackets = [part for part in row if part.tag == "mo" and part.text in _BRACKETS]
        if len(brackets) > 1 and not _TALL & {part.tag for part in row.iter()}:
            for bracket in brackets:
                bracket.set("stretchy", "false")


def _has_bare_rows(text: str) -> bool:
    tokens, depth = Tokens(text), 0
    while tokens.peek() is not None:
        token = tokens.next()
        depth += (token in ("{", r"\begin")) - (token in ("}", r"\end"))
        if depth == 0 and token in (r"\\", "&"):
            return True
    return False


class Unbroken(SphinxPostTransform):
    """Keeps a formula and the punctuation after it on one line: they become one piece of text."""

    default_priority = 800
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Join them."""
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            if not isinstance(after, nodes.Text) or not (found := _CLOSING.match(after)):
                continue
            joined = nodes.inline(classes=["unbroken"])
            line, place = formula.parent, formula.parent.index(formula)
            # By their places: an equal text may stand before this one.
            line[place], line[place + 1] = joined, nodes.Text(after[found.end() :])
            joined += [formula, nodes.Text(found[0])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it the way in which the site writes mathematics."""
    mathematics = Mathematics()

    def configure(_app: Sphinx, config: Config) -> None:
        config.html_math_renderer = "mathml"
        mathematics.configure(config.tex_macros)

    app.setup_extension("typstbook")  # the print has the same macros
    app.add_html_math_renderer(
        "mathml", (mathematics.visit_inline, None), (mathematics.visit_display, None)
    )
    app.connect("config-inited", configure)
    app.add_post_transform(Unbroken)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
