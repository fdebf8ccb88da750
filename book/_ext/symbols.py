"""The search finds symbols: Σ by itself or as `sigma`, r_nk as the text shows it.

Formulas are indexed by their source, which names Greek letters and wraps indices in braces. A letter in the query is
turned into its name, and an index joined to its letter.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from unicodedata import name

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.search.en import SearchEnglish

GREEK = "αβγδεζηθικλμνξπρστυφχψω"
NAMES = {letter: name(letter).split()[-1].lower().replace("lamda", "lambda") for letter in GREEK}
NAMES |= {"ℓ": "ell", "∑": "sum", "∞": "infty", "∇": "nabla", "∂": "partial"}
CALL = re.compile(r"(?<=^Search\.setIndex\()|(?=\)$)")
INDEXED = re.compile(r"(?<![A-Za-z])([A-Za-z]+)_\{?([A-Za-z0-9]+)\}?")


class English(SearchEnglish):
    """English words, and the symbols of formulas."""

    # Sphinx looks for a function of this name before it defines its own.
    js_splitter_code = "\n".join(
        [
            f"const SYMBOL_NAMES = {json.dumps(NAMES, ensure_ascii=False)};",
            "var splitQuery = (query) => [...query.toLowerCase()]",
            '  .map((letter) => SYMBOL_NAMES[letter] ?? letter).join("")',
            r'  .replace(/_\{(\w+)\}/g, "_$1")',
            r"  .split(/[^\p{L}\p{N}_]+/u).filter((word) => word);",
        ]
    )

    def split(self, input: str) -> list[str]:
        """The words of a text, and its indexed symbols as one word each."""
        spelt = "".join(NAMES.get(letter.lower(), letter) for letter in input)
        joined = [f"{letter}_{index}" for letter, index in INDEXED.findall(spelt)]
        return [*super().split(spelt), *joined]


def forget_words(app: Sphinx, exception: Exception | None) -> None:
    """Take from the index the words that stand on no page any more: Sphinx keeps them, with no page behind them."""
    file = Path(app.outdir) / "searchindex.js"
    if exception is not None or app.builder.name != "html" or not file.exists():
        return
    parts = CALL.split(file.read_text(encoding="utf-8"))
    if len(parts) != 3:
        raise ExtensionError(
            f"{file.name} should be one call of Search.setIndex; has Sphinx changed it?"
        )
    before, index, after = parts
    found = json.loads(index)
    for words in ("terms", "titleterms"):
        found[words] = {word: pages for word, pages in found[words].items() if pages != []}
    file.write_text(before + json.dumps(found, sort_keys=True) + after, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Take the place of Sphinx's English."""
    app.add_search_language(English)
    app.connect("build-finished", forget_words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
