"""Pieces of Typst source: strings, escaped text, calls."""

from __future__ import annotations

import re

# Whatever markup reads as more than itself: `1.` and `-` open lists, `//` a comment, `"` curls.
_MARKUP = re.compile(r"[\\#$*_`<>@~\[\]'\"/=+-]|(?<=\d)\.|\.(?=\.)")


def string(text: str) -> str:
    """Return `text` as a Typst string literal."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    )
    return f'"{escaped}"'


def escape(text: str) -> str:
    """Return `text` as Typst markup that shows it unchanged, white space folded."""
    return _MARKUP.sub(lambda match: "\\" + match[0], re.sub(r"[ \t\n]+", " ", text))


def content(markup: str) -> str:
    """Return `markup` as a content block."""
    return f"[{markup}]"


def optional(value: str | None) -> str:
    """Return a string literal, or `none`."""
    return "none" if value is None else string(value)


def array(items: list[str]) -> str:
    """Return a Typst array of code expressions."""
    return "(" + "".join(item + ", " for item in items) + ")"


def call(function: str, *arguments: str) -> str:
    """Return a call that stands in markup; the semicolon keeps what follows from joining it."""
    return f"#{function}({', '.join(arguments)});"
