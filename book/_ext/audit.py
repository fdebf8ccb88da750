"""Every displayed equation is proved, a definition, or somebody's: any other fails the build.

- *Proved*: its formula is, letter by letter, one of the ledger's. It gets a mark that leads there.
- *A definition*: it stands in a `{prf:definition}`, or is written as `{math}` with the option `:definition:`.
- *Somebody's*: `{math}` with the option `:source:`, such as ``:source: {cite:t}`louis1982`, section 3``.

A sentence that leans on a result ("never negative") must link to what proves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from ledger import mark
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.directives.patches import MathDirective
from sphinx.util import logging

logger = logging.getLogger(__name__)

LEANS = re.compile(
    r"\bnever (?:\w+ )?(?:negative|fall|falls|exceed|exceeds|above|below|rise|rises|decreases?|lowers?)\b"
    r"|\bcan(?:not| never) (?:fall|exceed|rise|be negative|decrease)\b"
    r"|\bnowhere else\b|\bonly where\b"
)
LINKS = {"eq", "ref", "numref", "prf:ref"}


class Equation(MathDirective):
    """A displayed formula that says where it comes from."""

    option_spec: ClassVar[dict[str, Any]] = {
        **MathDirective.option_spec,
        "definition": directives.flag,
        "source": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """The formula, and a small line that names its source."""
        made: list[nodes.Node] = super().run()
        (formula,) = (node for node in made if isinstance(node, nodes.math_block))
        formula["definition"] = "definition" in self.options
        formula["cited"] = "source" in self.options
        if formula["definition"] and formula["cited"]:
            raise self.error("a definition is nobody else's: give :definition: or :source:")
        text = "definition" if formula["definition"] else self.options.get("source")
        if text:
            content, _ = self.state.inline_text(text, self.lineno)
            made.append(nodes.paragraph("", "", *content, classes=["equation-source"]))
        return made


def audit(app: Sphinx, tree: nodes.document) -> None:
    """Warn of each formula and each sentence of a page that nothing stands behind."""
    for formula in list(tree.findall(nodes.math_block)):
        fault = "" if mark(formula, app.env) else unfounded(formula, app)
        if fault:
            first = formula.astext().strip().split("\n")[0]
            logger.warning("%s", fault, location=place(formula, first, app), type="audit")
    for paragraph in tree.findall(nodes.paragraph):
        leaning = LEANS.search(paragraph.astext().replace("\n", " "))
        if leaning and not _linked(paragraph) and not _is_reason(paragraph):
            logger.warning(
                "%r is a result: link the paragraph to what proves it (an equation, a theorem, a source)",
                leaning[0],
                location=place(paragraph, paragraph.astext().split("\n")[0], app),
                type="audit",
            )


def unfounded(formula: nodes.math_block, app: Sphinx) -> str:
    """What is wrong with a formula that was not proved; nothing for a definition or a quotation."""
    label = formula.get("label")
    proved = {entry["label"]: entry for entry in app.env.book_ledger.entries}  # type: ignore[attr-defined]
    if label in proved:
        return (
            f"the equation {label} is not what was proved.\n  the page says\n    {_short(formula.astext())}\n"
            f"  the ledger proved\n    {_short(proved[label]['tex'])}"
        )
    defined = any(box.get("realtype") == "definition" for box in _around(formula))
    if formula.get("definition") or formula.get("cited") or defined:
        return ""
    return (
        f"an equation without ground: {_short(formula.astext())}\n"
        "  Show it by a Derivation of emlib.symbolic; or write it as {math} with the option :definition:, "
        "or with :source: and a citation."
    )


def place(node: nodes.Element, begins: str, app: Sphinx) -> tuple[str, int]:
    """The page and the line that begins so, or the cell; myst-nb's own count is off by a line or two."""
    about = next((known.line for known in (node, *_around(node)) if known.line), 1)
    lines = Path(app.env.doc2path(app.env.docname)).read_text(encoding="utf-8").splitlines()
    found = [n for n, line in enumerate(lines, start=1) if begins[:20] in line]
    cells = [n for n, line in enumerate(lines, start=1) if "{code-cell}" in line and n <= about]
    return app.env.docname, min(found or cells, key=lambda n: abs(n - about), default=about)


def _around(node: nodes.Node) -> Iterator[nodes.Element]:
    while node.parent is not None:
        node = node.parent
        yield node


def _linked(paragraph: nodes.paragraph) -> bool:
    """Whether it refers to an equation, a theorem, a section or a source."""
    for link in paragraph.findall(pending_xref):
        kind = link["reftype"] if link["refdomain"] != "prf" else "prf:ref"
        if kind in LINKS or link["refdomain"] == "cite":
            return True
    return False


def _is_reason(paragraph: nodes.paragraph) -> bool:
    """Whether it stands below a derivation, and tells why one of its lines holds."""
    return any({"derivation", "ledger-entry"} & set(box["classes"]) for box in _around(paragraph))


def _short(formula: str) -> str:
    one_line = " ".join(formula.split())
    return one_line if len(one_line) <= 400 else one_line[:400] + " ..."


def setup(app: Sphinx) -> dict[str, bool]:
    """Give `{math}` its options, and look at each page once it is read."""
    app.setup_extension("ledger")
    app.add_directive("math", Equation, override=True)
    app.connect("doctree-read", audit)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
