"""What stands at the back: the answers, the index, the colophon."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sphinx.builders import Builder
from sphinx.environment.adapters.indexentries import IndexEntries

from .links import URI, Key
from .source import array, call, content, escape, optional, string

# As `IndexEntries.create_index` gives it: letters, and under each the terms with links, terms below, key.
Letters = list[tuple[str, list[tuple[str, Any]]]]
# How Sphinx calls the page of the index, and how print does.
PLACES: dict[Key, str] = {("genindex", ""): "genindex"}
INDEX = "Index"
_CODE = re.compile(r"(\w+)(, in emlib)")


def index_of(builder: Builder) -> Letters:
    """Return the index as Sphinx sorts it, for the site and for print alike."""
    return IndexEntries(builder.env).create_index(builder)


def _key(uri: str) -> Key:
    document, _, target = uri.removeprefix(URI).partition("#")
    return document, target


def indexed_places(letters: Letters) -> Iterator[Key]:
    """Every place that the index leads to."""
    for _, terms in letters:
        for _, (links, below, *_) in terms:
            yield from (_key(uri) for _, uri in links)
            for _, further in below:
                yield from (_key(uri) for _, uri in further)


def index(letters: Letters, labels: Mapping[Key, str]) -> str:
    """Return the printed index; empty if nothing is indexed."""
    lines: list[str] = []
    for letter, terms in letters:
        lines.append(call("index-letter", content(escape(letter))))
        for term, (links, below, *_) in terms:
            lines.append(_term(0, term, links, labels))
            lines += [_term(1, name, further, labels) for name, further in below]
    if not lines:
        return ""
    body = call("index", content("\n".join(lines)))
    return _chapter(INDEX, body, PLACES["genindex", ""], wide=True)


def _term(level: int, name: str, links: list[tuple[str, str]], labels: Mapping[Key, str]) -> str:
    # Sphinx keeps them in the order of reading; what print left out, with an output, has no place in it.
    places = sorted({labels[key] for key in (_key(uri) for _, uri in links) if key in labels})
    code = _CODE.fullmatch(name)
    shown = call("raw", string(code[1])) + escape(code[2]) if code else escape(name)
    return call("index-term", str(level), content(shown), array(list(map(string, places))))


def answers(chapters: Iterable[tuple[str, str | None, str, list[str]]]) -> str:
    """Return the answers under the number and the title of each chapter; empty if there are none."""
    parts = [
        f"// answers to {docname}\n"
        + "\n\n".join([call("section", "2", "none", optional(number), content(title)), *given])
        for docname, number, title, given in chapters
        if given
    ]
    return _chapter("Answers and solutions", "\n\n".join(parts)) if parts else ""


def _chapter(title: str, body: str, label: str | None = None, wide: bool = False) -> str:
    heading = call("section", "1", optional(label), "none", content(title))
    return chapter(f"{heading}\n\n{body}", wide)


def chapter(body: str, wide: bool) -> str:
    """Return a chapter, on pages of its own."""
    return call("chapter", "true" if wide else "false", content(f"\n{body}\n"))


def colophon(title: str, edition: str | None, lines: Iterable[str]) -> str:
    """Return the last page."""
    texts = [content(escape(line)) for line in lines]
    return call(
        "colophon",
        content(escape(title)),
        content(escape(edition)) if edition else "none",
        *texts,
    )
