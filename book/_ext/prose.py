"""Lint of our own prose: words that say nothing, links that lead nowhere. Run by `make check`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
SOURCES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "book").glob("*.md"))]

# What a reader who does not see it yet is not helped by, and what can be left out without loss.
EMPTY = re.compile(
    r"\b(clearly|obviously|trivial(?:ly)?|of course|needless to say|it is easy to see|it should be noted|"
    r"basically|actually|in order to|very|really quite|utilize|leverage|as we all know)\b",
    re.IGNORECASE,
)
# American spellings that codespell lets pass.
AMERICAN = re.compile(
    r"\b(color|favor|behavior|center|neighbor|labeled|modeling|modeled|\w+ization|"
    r"(?:maximi|minimi|optimi|recogni|generali|normali|initiali|summari)z(?:e|es|ed|ing))\b"
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines that a reader reads, numbered: no code, no header, no directive options, no quotations."""
    for token in MarkdownIt("commonmark").parse(
        re.sub(r"\A---\n.*?\n---\n", _blank, text, flags=re.S)
    ):
        if token.type == "inline":
            yield from _lines(token, token.content)
        elif token.type == "fence" and not re.match(
            r"\{code-cell\}|\{literalinclude\}|\w|\{math\}|$", token.info
        ):
            # A directive: its body is prose, its title too.
            body = re.sub(r"(?m)^:\w.*$", "", token.content)
            yield from _lines(token, token.info + "\n" + body)


def _blank(header: re.Match[str]) -> str:
    return "\n" * header[0].count("\n")


def _lines(token: Token, content: str) -> Iterator[tuple[int, str]]:
    first = token.map[0] + 1 if token.map else 0
    for number, line in enumerate(content.splitlines()):
        yield first + number, re.sub(r'`[^`]*`|"[^"]*"|“[^”]*”', "", line)


def faults(path: Path) -> Iterator[str]:
    """What is wrong with one file, as messages with file and line."""
    name = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    for number, line in prose(text):
        for word in EMPTY.findall(line):
            yield f"{name}:{number}: {word!r} says nothing here; leave it out"
        for word in AMERICAN.findall(line):
            yield f"{name}:{number}: {word!r}: this book spells British"
    for number, line in enumerate(text.splitlines(), start=1):
        for target in LINK.findall(line):
            if not (path.parent / target).exists():
                yield f"{name}:{number}: the link to {target!r} leads nowhere"


if __name__ == "__main__":
    found = [fault for path in SOURCES for fault in faults(path)]
    sys.exit("\n".join(found) if found else None)
