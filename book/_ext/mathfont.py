"""The font of the site's mathematics: of STIX Two Math, the characters that the book uses.

It is small then (some 55 KB). A page with mathematics has it in a style sheet: a browser waits for those before it
paints, and for no font file, however early the page asks for it; and formulas that come in another font first move the
text when they change. One line of script has it made ready at once, not when the first formula is laid out.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import unescape
from io import BytesIO
from pathlib import Path

import fontTools
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

FONT = Path(__file__).parent.parent / "_fonts" / "STIXTwoMath.woff2"
FAMILY = "STIX Two Math"
SHEET = "_static/mathematics-font.css"
# Browsers show <mi>x</mi> by the letter U+1D465; the source holds the plain one.
ITALICS = [*range(0x1D434, 0x1D468), 0x210E, *range(0x1D6A4, 0x1D6A6), *range(0x1D6E2, 0x1D71C)]
# Of a root, the source holds only what stands under it.
RADICAL = 0x221A
FEATURES = ["ccmp", "dtls", "flac", "kern", "mark", "mkmk", "ssty"]
_MATH = re.compile(r"<math[ >].*?</math>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_SHEETS = re.compile(r'(?s).*<link rel="stylesheet"[^>]*>')
_READY = f"""<script>document.fonts.load("1em '{FAMILY}'")</script>"""
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


def write(out: Path, pages: list[str]) -> str:
    """Write the sheet with the font that these pages need, and return its version.

    One that an earlier build wrote for the same characters stays: to make it takes seconds.
    """
    shown, file = set().union(*map(characters, pages)), out / SHEET
    made_of = [
        repr((sorted(shown), fontTools.version)).encode(),
        FONT.read_bytes(),
        Path(__file__).read_bytes(),
    ]
    mark = f"/*{sha256(b''.join(made_of)).hexdigest()}*/"
    sheet = file.read_text(encoding="utf-8") if file.exists() else ""
    if not sheet.startswith(mark):
        font = b64encode(subset(shown)).decode()
        sheet = f'{mark}@font-face{{font-family:"{FAMILY}";src:url("data:font/woff2;base64,{font}") format("woff2")}}\n'
        file.write_text(sheet, encoding="utf-8")
    return sha256(sheet.encode()).hexdigest()[:8]


def with_font(page: str, version: str) -> str:
    """Return a page which, if it shows mathematics, waits for the font as it waits for the site's sheet."""
    page = page.replace(_READY, "")
    if "<math" not in page:
        return page
    link = f'\n    <link rel="stylesheet" href="{SHEET}?v={version}" />{_READY}'
    return _SHEETS.sub(lambda before: before[0] + link, page, count=1)
