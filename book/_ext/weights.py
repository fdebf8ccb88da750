"""What each page of a built site weighs, and where it loads from: `python book/_ext/weights.py _build/html`.

Weights are bytes as they travel, gzipped. A page counts with its styles, scripts, fonts and modules, whether or not a
reader's browser has kept them from the page before; its pictures count for themselves.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mathfont
from bs4 import BeautifulSoup

LIMIT = 200_000
LIMIT_WITH_MATHEMATICS = 350_000
LIMIT_OF_PICTURES = 300_000
_LOADING_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "prefetch"}
_URL = re.compile(r"""(?:@import\s+|url\(\s*)["']?([^"')\s;]+)""")
_IMPORT = re.compile(r"""\b(?:import|from)\s*\(?\s*["']([^"']+)["']""")
_PACKED = {".woff2", ".png", ".jpg", ".jpeg", ".webp", ".pdf"}
# A browser asks for a font when a page shows a letter of it.
_UNASKED = re.compile(r"fa-(brands|regular)-400|\.ttf$")


@dataclass(frozen=True)
class Weight:
    """What a page loads, in bytes."""

    page: str
    mathematics: bool
    text: int
    styles: int
    scripts: int
    fonts: int
    pictures: int

    @property
    def total(self) -> int:
        """All but the pictures."""
        return self.text + self.styles + self.scripts + self.fonts

    def faults(self) -> Iterator[str]:
        """What is too heavy."""
        limit = LIMIT_WITH_MATHEMATICS if self.mathematics else LIMIT
        if self.total > limit:
            yield f"{self.page} weighs {self.total} bytes, more than {limit}"
        if self.pictures > LIMIT_OF_PICTURES:
            yield f"the pictures of {self.page} weigh {self.pictures} bytes, more than {LIMIT_OF_PICTURES}"


@cache
def weight(file: Path) -> int:
    """Return the bytes that travel."""
    data = file.read_bytes()
    return len(data) if file.suffix in _PACKED else len(gzip.compress(data, mtime=0))


def resources(page: BeautifulSoup) -> Iterator[str]:
    """The addresses that a browser asks for by itself."""
    for tag in page.select("[src]"):
        yield str(tag["src"])
    for tag in page.select("[srcset]"):
        yield from (part.split()[0] for part in str(tag["srcset"]).split(","))
    for link in page.select("link[href]"):
        if _LOADING_LINKS & set(link.get_attribute_list("rel")):
            yield str(link["href"])
    for tag in page.select("[style]"):
        yield from _URL.findall(str(tag["style"]))
    for style in page.select("style"):
        yield from _URL.findall(style.get_text())


def loaded(file: Path) -> tuple[set[Path], list[str]]:
    """Return the files that a page loads, and what it would ask of other sites."""
    page = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
    asked = [(address, file.parent) for address in resources(page)]
    files: set[Path] = set()
    foreign: list[str] = []
    while asked:
        address, folder = asked.pop()
        parts = urlsplit(address)
        if parts.scheme == "data":
            continue
        if parts.scheme or parts.netloc:
            foreign.append(address)
            continue
        found = (folder / unquote(parts.path)).resolve()
        if found in files or not parts.path:
            continue
        if _UNASKED.search(found.name):
            continue
        files.add(found)
        if found.suffix == ".css":
            within = _URL.findall(found.read_text(encoding="utf-8"))
        elif found.suffix in (".js", ".mjs"):
            within = [
                name
                for name in _IMPORT.findall(found.read_text(encoding="utf-8"))
                if name.startswith((".", "/", "http"))
            ]
        else:
            within = []
        asked += [(name, found.parent) for name in within]
    return files, foreign


def weigh(file: Path) -> tuple[Weight, list[str]]:
    """Return the weight of a page, and what it would ask of other sites."""
    files, foreign = loaded(file)
    kinds = {"css": "styles", "js": "scripts", "mjs": "scripts", "woff2": "fonts", "woff": "fonts"}
    sums = dict.fromkeys(["styles", "scripts", "fonts", "pictures"], 0)
    for one in files:
        kind = (
            "fonts"
            if one.name == Path(mathfont.SHEET).name
            else kinds.get(one.suffix[1:], "pictures")
        )
        sums[kind] += weight(one)
    mathematics = "<math" in file.read_text(encoding="utf-8")
    return Weight(file.stem, mathematics, weight(file), **sums), foreign


def main() -> None:
    """Print a table, heaviest page first; fail when a page is too heavy or not on its own."""
    parser = argparse.ArgumentParser(description="Weigh the pages of a built site.")
    parser.add_argument("site", type=Path)
    weighed = [weigh(file) for file in sorted(parser.parse_args().site.glob("*.html"))]
    columns = ("text", "styles", "scripts", "fonts", "total", "pictures")
    print("KB gzipped" + " " * 16 + "".join(f"{name:>9}" for name in columns))
    for page, _ in sorted(weighed, key=lambda pair: -pair[0].total):
        cells = "".join(f"{getattr(page, name) / 1000:9.1f}" for name in columns)
        print(f"{page.page:26}{cells}{'  with mathematics' if page.mathematics else ''}")
    faults = [fault for page, _ in weighed for fault in page.faults()]
    faults += [f"{page.page} loads {address}" for page, foreign in weighed for address in foreign]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
