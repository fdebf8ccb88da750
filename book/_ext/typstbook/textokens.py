"""The tokens of a TeX formula, read from front to back."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|\s+|\d+(?:\.\d+)?|.", re.DOTALL)


class TexError(ValueError):
    """A formula that cannot be set; the message holds the formula and the culprit."""


class Tokens:
    """What is still to be read: commands, numbers, runs of white space, single characters."""

    def __init__(self, source: str) -> None:
        self._ahead: list[str] = []
        self.push(source)

    def push(self, source: str) -> None:
        """Put `source` before what is still to be read."""
        self._ahead += _TOKEN.findall(source)[::-1]

    def peek(self) -> str | None:
        """The next token that is no white space, left where it stands."""
        while self._ahead and self._ahead[-1].isspace():
            self._ahead.pop()
        return self._ahead[-1] if self._ahead else None

    def next(self) -> str:
        """Take the next token."""
        if self.peek() is None:
            raise TexError("something is missing at the end")
        return self._ahead.pop()

    def expect(self, token: str) -> None:
        """Take `token`, and refuse any other."""
        if (found := self.peek()) != token:
            raise TexError(
                f"{token!r} was expected, {'the end' if found is None else repr(found)} came"
            )
        self._ahead.pop()

    def group_text(self) -> str:
        """The source of the next argument, unconverted."""
        token = self.next()
        if token != "{":
            return token
        depth, out = 1, ""
        while self._ahead:
            token = self._ahead.pop()
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return out
            out += token
        raise TexError("'{' is never closed")

    def option(self) -> str | None:
        """The source between the square brackets that follow, if any do."""
        if self.peek() != "[":
            return None
        out = ""
        self._ahead.pop()
        while self._ahead:
            if (token := self._ahead.pop()) == "]":
                return out
            out += token
        raise TexError("'[' is never closed")
