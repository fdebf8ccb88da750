"""The font of the site's mathematics: of STIX Two Math, the characters that the book uses.

It is small then (some 55 KB), and asked for before all else: it is there when the page is first painted, so that
nothing shifts. Pages without mathematics do not load it.
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

from docutils import nodes
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

FONT = Path(__file__).parent.parent / "_fonts" / "STIXTwoMath.woff2"
FILE = "_static/mathematics.woff2"  # mathematics.css names it
# Browsers show <mi>x</mi> by the letter U+1D465; the source holds the plain one.
ITALICS = [*range(0x1D434, 0x1D468), 0x210E, *range(0x1D6A4, 0x1D6A6), *range(0x1D6E2, 0x1D71C)]
# Of a root, the source holds only what stands under it.
RADICAL = 0x221A
FEATURES = ["ccmp", "dtls", "flac", "kern", "mark", "mkmk", "ssty"]
_MATH = re.compile(r"<math[ >].*?</math>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_INVISIBLE = set("\n\t \u2061\u2062\u2063\u2064\u200b\ufe00\ufe01")


def characters(html: str) -> set[str]:
    """Return the characters that the formulas of a page show."""
    return {letter for formula in _MATH.findall(html) for letter in unescape(_TAG.sub("", formula))}


def unknown_characters(mathml: str) -> list[str]:
    """Return those that the font has not."""
    return sorted(characters(mathml) - _INVISIBLE - _coverage())


@cache
def _coverage() -> frozenset[str]:
    with TTFont(FONT) as font:
        return frozenset(map(chr, font.getBestCmap()))


def subset(shown: set[str]) -> bytes:
    """Return the font (WOFF2) with these characters, the italics, the radical, and their larger and smaller forms."""
    options = Options(
        flavor="woff2",
        layout_features=FEATURES,
        hinting=False,
        notdef_outline=True,
        ignore_missing_unicodes=True,
    )
    with TTFont(FONT, recalcTimestamp=False) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(sorted(shown)), unicodes=[*ITALICS, RADICAL])
        subsetter.subset(font)
        font.flavor = "woff2"
        packed = BytesIO()
        font.save(packed)
    return packed.getvalue()


def link_font(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Have a page ask for the font at once if it shows mathematics."""
    if app.builder.name == "html" and "<math" in context.get("body", ""):
        address = context["pathto"](FILE, 1)
        link = f'<link rel="preload" as="font" type="font/woff2" href="{address}" crossorigin/>'
        context["metatags"] = context.get("metatags", "") + "\n    " + link


def write_font(app: Sphinx, exception: Exception | None) -> None:
    """Write the font for all pages that stand there now."""
    if exception is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    shown: set[str] = set()
    for page in out.rglob("*.html"):
        shown |= characters(page.read_text(encoding="utf-8"))
    (out / FILE).write_bytes(subset(shown))
