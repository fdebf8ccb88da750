"""Check the pages of a built site: `python book/_ext/sitecheck.py _build/html [--external]`.

Every page must name itself, stand in order, and lead nowhere that does not exist. With `--external` the addresses of
other sites are asked for, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from bs4 import BeautifulSoup, Tag

NEIGHBOURLESS = {"404", "genindex", "search"}
EVERY_PAGE = {
    "description": 'meta[name="description"]',
    "author": 'meta[name="author"]',
    "card title": 'meta[property="og:title"]',
    "card description": 'meta[property="og:description"]',
    "schema.org data": 'script[type="application/ld+json"]',
    "icon": 'link[rel="icon"]',
    "skip link": 'a[href="#main-content"]',
    "main landmark": "main#main-content",
}


class Site:
    """The pages of a folder, read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files = sorted(root.glob("*.html"))
        if not files:
            raise FileNotFoundError(f"{root}: no pages here; make book builds them")
        self.pages = {
            f.stem: BeautifulSoup(f.read_text(encoding="utf-8"), "html.parser") for f in files
        }
        self.anchors = {
            name: {str(tag["id"]) for tag in page.select("[id]")}
            | {str(tag["name"]) for tag in page.select("a[name]")}
            for name, page in self.pages.items()
        }

    def faults(self) -> Iterator[str]:
        """All that is wrong, each with its page."""
        for name, page in self.pages.items():
            for fault in (
                *about_itself(name, page),
                *order_of_headings(page),
                *names_of_controls(page),
                *repeated_ids(page),
                *self.dangling(name, page),
            ):
                yield f"{name}.html: {fault}"
        yield from self.alike("title", {n: p.title for n, p in self.pages.items()})
        descriptions = {n: p.select_one(EVERY_PAGE["description"]) for n, p in self.pages.items()}
        yield from self.alike("description", descriptions)

    def dangling(self, name: str, page: BeautifulSoup) -> Iterator[str]:
        """Links to pages, files and places of the site that do not exist."""
        for attribute in ("href", "src"):
            for tag in page.select(f"[{attribute}]"):
                address = str(tag[attribute])
                parts = urlsplit(address)
                # A link of 404.html starts from the site's root, which is here.
                if parts.scheme or parts.netloc or tag.name == "base":
                    continue
                path = unquote(parts.path)
                target = self.root / path if path else self.root / f"{name}.html"
                if not target.is_file():
                    yield f"leads to {address}, which does not exist"
                elif parts.fragment and target.suffix == ".html" and target.parent == self.root:
                    anchor = unquote(parts.fragment)
                    if anchor not in self.anchors[target.stem]:
                        yield f"leads to {address}, where nothing has the id {anchor!r}"

    def alike(self, what: str, tags: dict[str, Tag | None]) -> Iterator[str]:
        """Pages that a list of results could not tell apart."""
        said = {name: str(tag.get("content") or tag.string) for name, tag in tags.items() if tag}
        for text, times in Counter(said.values()).items():
            if times > 1:
                names = ", ".join(n for n in said if said[n] == text)
                yield f"{names}: the same {what}, {text!r}"

    def foreign(self) -> dict[str, str]:
        """The addresses of other sites, each with a page that links to it."""
        return {
            str(link["href"]).partition("#")[0]: name
            for name, page in self.pages.items()
            for link in page.select("a[href]")
            if urlsplit(str(link["href"])).scheme in ("http", "https")
        }


def about_itself(name: str, page: BeautifulSoup) -> Iterator[str]:
    """What is missing of language, title, description and neighbours."""
    root = page.select_one("html")
    if not (root and str(root.get("lang", "")).startswith("en")):
        yield "no language"
    if not (page.title and page.title.string and page.title.string.strip()):
        yield "no title"
    for what, selector in EVERY_PAGE.items():
        tag = page.select_one(selector)
        if tag is None or tag.get("content") == "":
            yield f"no {what}"
    for data in page.select(EVERY_PAGE["schema.org data"]):
        if json.loads(str(data.string)).get("@context") != "https://schema.org":
            yield "the linked data is none of schema.org's"
    if name not in NEIGHBOURLESS and not page.select(".prev-next-area a .prev-next-title"):
        yield "neither a previous nor a next page, by name"


def order_of_headings(page: BeautifulSoup) -> Iterator[str]:
    """One h1, and no level left out on the way down."""
    found = [(int(h.name[1]), h.get_text().strip()) for h in page.select("h1,h2,h3,h4,h5,h6")]
    if (ones := sum(level == 1 for level, _ in found)) != 1:
        yield f"{ones} headings of the first level"
    for (above, _), (level, text) in pairwise(found):
        if level > above + 1:
            yield f"the heading {text!r} is of level {level}, right below level {above}"


def names_of_controls(page: BeautifulSoup) -> Iterator[str]:
    """Buttons, links and landmarks that a screen reader could not name, and pictures without words."""
    for control in page.select("button, a[href]"):
        pictures = any(picture.get("alt") for picture in control.select("img"))
        named = control.get("aria-label") or control.get("title") or control.get_text().strip()
        if not (named or pictures):
            yield f"a control without a name: {str(control)[:120]}"
    labels = [n.get("aria-label") or n.get("aria-labelledby") for n in page.select("nav")]
    if len(set(labels)) < len(labels) or None in labels:
        yield f"landmarks of one kind need names that differ: {labels}"
    for picture in page.select("img"):
        if picture.get("alt") is None:
            yield f"a picture without words: {picture.get('src')}"


def repeated_ids(page: BeautifulSoup) -> Iterator[str]:
    """Ids of more than one element."""
    for name, times in Counter(str(tag["id"]) for tag in page.select("[id]")).items():
        if times > 1:
            yield f"the id {name!r} stands {times} times"


def unreachable(addresses: Iterable[str]) -> Iterator[str]:
    """Ask for each address; tell of those that do not answer."""

    def ask(address: str) -> str | None:
        request = Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"})
        try:
            with urlopen(request, timeout=20):
                return None
        except HTTPError as error:
            # Publishers refuse programs, but only what exists.
            return None if error.code in (401, 403, 405, 429) else f"{address}: {error.code}"
        except (URLError, TimeoutError) as error:
            return f"{address}: {getattr(error, 'reason', error)}"

    with ThreadPoolExecutor(8) as pool:
        yield from filter(None, pool.map(ask, addresses))


def main() -> None:
    """Check a site, and fail with a list of its faults."""
    parser = argparse.ArgumentParser(description="Check the pages of a built site.")
    parser.add_argument("site", type=Path)
    parser.add_argument("--external", action="store_true", help="ask for other sites, too")
    chosen = parser.parse_args()
    site = Site(chosen.site)
    faults = list(site.faults())
    if chosen.external:
        faults += unreachable(sorted(site.foreign()))
    if faults:
        sys.exit("\n".join([*faults, f"{len(faults)} faults on {len(site.pages)} pages"]))
    print(f"{len(site.pages)} pages: named, in order, and no link leads nowhere.")


if __name__ == "__main__":
    main()
