"""The theme's icons, from the few glyphs of its icon font that the pages show.

The theme loads a script of 540 KB on every page, which draws icons as pictures. Its style sheet knows them as
characters of a font, too: that font, cut down, is 3 KB. The script goes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pydata_sphinx_theme
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
FONT = "vendor/fontawesome/webfonts/fa-solid-900.woff2"
SCRIPT = re.compile(r'\s*<script src="[^"]*scripts/fontawesome\.js[^"]*"></script>')
_ICON = re.compile(r'<i class="([^"]*\bfa-[^"]*)"')
# What the theme's own scripts put into a page.
BY_SCRIPT = {"fa-xmark"}
_NAMED = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\(f[0-9a-f]{3}|[0-9a-f]{2})"\}')
_VARIABLE = re.compile(r'--pst-icon-[\w-]+:\s*"(.)"')
_ESCAPED = re.compile(r'content:\s*"\\(f[0-9a-f]{3})"')


def shown(pages: list[str], theme: str, sheets: list[str]) -> set[str]:
    """Return the characters of the icons: those of classes in pages, and those that style sheets insert."""
    used = BY_SCRIPT | {name for page in pages for name in re.findall(r"\bfa-[\w-]+", page)}
    characters = set(_VARIABLE.findall(theme))
    for selectors, code in _NAMED.findall(theme):
        if used & set(re.findall(r"fa-[\w-]+", selectors)):
            characters.add(chr(int(code, 16)))
    codes = [code for sheet in sheets for code in _ESCAPED.findall(sheet)]
    return characters | {chr(int(code, 16)) for code in codes}


def without_script(page: str) -> str:
    """Return a page that does not load the script, and in which no reader speaks an icon's character."""
    return _ICON.sub(r'<i aria-hidden="true" class="\1"', SCRIPT.sub("", page))


def cut_down(source: Path, target: Path, characters: set[str]) -> None:
    """Write a font with these characters alone."""
    with TTFont(source, recalcTimestamp=False) as font:
        subsetter = Subsetter(Options(hinting=False, ignore_missing_unicodes=True))
        subsetter.populate(text="".join(sorted(characters)))
        subsetter.subset(font)
        font.save(target)


def trim(out: Path, pages: list[str]) -> None:
    """Leave of the font what the pages of a site show, and the script out of its files."""
    static = out / "_static"
    theme = static / "styles" / "pydata-sphinx-theme.css"
    others = [f.read_text(encoding="utf-8") for f in static.rglob("*.css") if f != theme]
    cut_down(THEME / FONT, static / FONT, shown(pages, theme.read_text(encoding="utf-8"), others))
    for unused in {*static.glob("scripts/fontawesome.js*"), *static.rglob("*.map")}:
        unused.unlink()
