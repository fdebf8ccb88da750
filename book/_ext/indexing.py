"""What enters the index by itself: the authors that a page cites, and the names of emlib that it speaks of or lists.

Terms are entered by hand, with the role `index`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ledger
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

DEFINED = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)
OTHERS = {"mclust"}  # emlib has a function of that name, but the text speaks of R's package
UNLISTED = (nodes.title, nodes.caption, nodes.term)  # shown a second time, in contents and lists


@cache
def library_names(library: Path) -> frozenset[str]:
    """Every public name of the library: functions, classes, methods, fields."""
    found = set()
    for file in sorted(library.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(name for name in found if not name.startswith("_") and len(name) > 1)


class Indexed(SphinxTransform):
    """Adds the entries, before Sphinx collects those of a page."""

    default_priority = 840  # Sphinx's domains read the page at 850

    def apply(self, **_: Any) -> None:
        names = library_names(Path(self.env.srcdir).parent / "emlib")
        for code in list(self.document.findall(nodes.literal)):
            if code.astext() in names - OTHERS:
                self._enter(code, [f"{code.astext()}, in emlib"])
        for listing in list(self.document.findall(nodes.literal_block)):
            if isinstance(listing.parent, nodes.container) and listing.parent.get("literal_block"):
                defined = DEFINED.findall(listing.astext())
                self._enter(
                    listing.parent, [f"{name}, in emlib" for name in defined if name in names]
                )
        for citation in list(self.document.findall(addnodes.pending_xref)):
            # The ledger cites a source for each of its numbers; nobody looks for those by name.
            if citation.get("refdomain") == "cite" and not self.env.docname.startswith(ledger.PAGE):
                self._enter(citation, self._authors(citation["reftarget"]))

    def _authors(self, keys: str) -> Iterator[str]:
        entries = self.env.get_domain("cite").bibdata.data.entries  # type: ignore[attr-defined]
        for key in keys.split(","):
            if key.strip() in entries:  # what is not, sphinxcontrib-bibtex reports
                for person in entries[key.strip()].persons.get("author", []):
                    family = " ".join([*person.prelast_names, *person.last_names])
                    if family == "others":  # BibTeX's "and others"
                        continue
                    initials = " ".join(
                        f"{name[0]}." for name in [*person.first_names, *person.middle_names]
                    )
                    yield f"{family}, {initials}" if initials else family

    def _enter(self, node: nodes.Element, terms: Any) -> None:
        """Put an entry of the index, and the place that it leads to, before a node."""
        found = [plain(term) for term in terms]
        if not found or isinstance(node.parent, UNLISTED):
            return
        place = f"index-{self.env.new_serialno('index')}"
        entries = [("single", term, place, "", None) for term in found]
        index = addnodes.index(entries=entries)
        target = nodes.target("", "", ids=[place])
        self.document.note_explicit_target(target)
        parent, position = node.parent, node.parent.index(node)
        parent.insert(position, [index, target])


def plain(term: str) -> str:
    """Return a term without the braces of BibTeX; a semicolon would open a second level."""
    return re.sub(r"[{};]", "", term)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the transform."""
    app.add_transform(Indexed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
