"""The site's style sheet: the theme's and the extensions' sheets in one file, without the rules that no page needs.

A page waits for its sheets before it shows a word. The theme brings 390 KB of rules in one of fourteen files, most of
them for parts that the book has not. The book's own sheets stay whole: its scripts may make the names of their classes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import tinycss2

SHEET = "_static/site.css"
_LINK = re.compile(r'\s*<link(?=[^>]*rel="stylesheet")[^>]*href="([^"?]+)[^"]*"[^>]*>')
_CLASSES = re.compile(r'class="([^"]*)"')
_WORD = re.compile(r"[\w-]+")
_ADDRESS = re.compile(r"""url\(\s*(["']?)(?!data:|#|[a-z]+:)([^"')]+)\1\s*\)""")
_IMPORT = re.compile(r"""@import\s+(["'])([^"']+)\1\s*;""")
_SOURCES = re.compile(r"/\* (.+) \*/")


class Used:
    """The names of classes that pages bear, or that a script may give: it says the name, or a beginning like `bs-`."""

    def __init__(self, pages: Iterable[str], scripts: Iterable[str]) -> None:
        self.names = {
            name for page in pages for names in _CLASSES.findall(page) for name in names.split()
        }
        said = {word for script in scripts for word in _WORD.findall(script)}
        self.names |= said
        self.beginnings = tuple(word for word in said if re.fullmatch(r"[a-z][\w-]*-", word))

    def __contains__(self, name: str) -> bool:
        return name in self.names or name.startswith(self.beginnings)


def linked(page: str) -> list[str]:
    """Return the sheets that a page names, in their order."""
    return _LINK.findall(page)


def with_one_sheet(page: str, version: str) -> str:
    """Return the page with the site's sheet in the place of the first that it names."""
    links = list(_LINK.finditer(page))
    if not links:
        return page
    before, after = page[: links[0].start()], _LINK.sub("", page[links[0].end() :])
    return f'{before}\n    <link rel="stylesheet" href="{SHEET}?v={version}" />{after}'


def write(out: Path, pages: list[str], scripts: Iterable[str], whole: Collection[str] = ()) -> str:
    """Write the sheet, with every rule of those that stay `whole`, and return its version.

    Raises:
        ValueError: pages name their sheets in orders that no one sheet can keep.
    """
    target = out / SHEET
    lists = [names for page in pages if (names := linked(page)) and SHEET not in names]
    if target.exists():  # pages that are not new name what they named before
        before = _SOURCES.match(target.read_text(encoding="utf-8"))
        lists += [before[1].split()] if before else []
    names = _order(lists)
    used = Used(pages, scripts)
    rules = "\n".join(
        rule
        for name in names
        for rule in _rules(_read(out / name, out), None if name in whole else used)
    )
    target.write_text(f"/* {' '.join(names)} */\n{rules}\n", encoding="utf-8")
    return sha256(target.read_bytes()).hexdigest()[:8]


def _order(lists: list[list[str]]) -> list[str]:
    longest = max(lists, key=len, default=[])
    for names in lists:
        if names != [name for name in longest if name in names]:
            raise ValueError(
                f"style sheets in different orders: {names} and {longest}; `make clean` forgets the last build's"
            )
    return longest


def _read(file: Path, out: Path) -> str:
    """A sheet whose addresses are seen from where the site's sheet lies."""
    place = file.parent.resolve().relative_to(out.resolve()).as_posix()
    folder = posixpath.relpath(place, posixpath.dirname(SHEET))

    def moved(address: re.Match[str]) -> str:
        return f'url("{posixpath.normpath(posixpath.join(folder, address[2]))}")'

    def imported(rule: re.Match[str]) -> str:
        return _read(file.parent / rule[2], out)

    text = _ADDRESS.sub(moved, file.read_text(encoding="utf-8"))
    return _IMPORT.sub(imported, text)


def _rules(text: str, used: Used | None) -> Iterator[str]:
    for rule in tinycss2.parse_rule_list(text, skip_comments=True, skip_whitespace=True):
        if rule.type == "error":
            raise ValueError(f"a style sheet cannot be read: {rule.message} in {text[:200]!r}")
        if rule.type == "qualified-rule":
            selectors = [
                part for part in _split(rule.prelude) if used is None or _needed(part, used)
            ]
            if selectors:
                yield f"{','.join(map(_written, selectors))}{{{_written(rule.content)}}}"
        elif rule.lower_at_keyword in ("media", "supports") and rule.content is not None:
            inside = "".join(_rules(tinycss2.serialize(rule.content), used))
            if inside:
                yield f"@{rule.at_keyword} {_written(rule.prelude)}{{{inside}}}"
        elif rule.lower_at_keyword != "charset":
            yield rule.serialize()


def _split(prelude: list[tinycss2.ast.Node]) -> Iterator[list[tinycss2.ast.Node]]:
    part: list[tinycss2.ast.Node] = []
    for token in prelude:
        if token == ",":
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _needed(selector: list[tinycss2.ast.Node], used: Used) -> bool:
    """Whether each class that it asks for is used. What stands in `:not(...)` or `:is(...)` is not asked for."""
    return all(
        name.value in used
        for dot, name in pairwise(selector)
        if dot == "." and name.type == "ident"
    )


def _written(tokens: list[tinycss2.ast.Node]) -> str:
    text: str = tinycss2.serialize([token for token in tokens if token.type != "comment"])
    return text.strip()
