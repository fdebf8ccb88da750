"""Formulas for whoever listens: their TeX with the macros of the book written out, and without what only places."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .texmath import Macro

# What a formula is laid out with, and says nothing.
_LAYOUT = re.compile(
    r"\\(?:begin|end)\{(?:aligned|align|split|gathered|subarray)\*?\}(?:\{[lcr]+\})?"
    r"|\\(?:left|middle|right)\.|\\(?:left|middle|right|displaystyle|limits|quad|qquad)(?![A-Za-z])"
    r"|\\[,;:! ]|(?<!\\)&"
)
_LETTERED = re.compile(r"\\overset\{\\text\{(\(\w\))\}\}\{([^{}]*)\}")
_NAMED = re.compile(r"\\(?:operatorname\*?|mathrm|text|mathit)\{([^{}]*)\}")
_TABLE = re.compile(r"\\begin\{(\w*matrix|cases|array)\}.*?\\end\{\1\}", re.DOTALL)
_COLUMN = re.compile(r"(?<!\\)&")


def spoken(formula: str, macros: Mapping[str, Macro]) -> str:
    """Return the alternative text of a formula, on one line; a new row is a semicolon, a column of a matrix a comma."""
    try:
        text = expanded(formula, macros)
    except ValueError:
        text = formula  # who sets it says what is wrong
    text = _TABLE.sub(lambda table: _COLUMN.sub(" , ", table[0]), text)
    text = _LETTERED.sub(r" \1 \2 ", text)
    text = _LAYOUT.sub(" ", text.replace(r"\\", " ; "))
    return " ".join(_NAMED.sub(r" \1", text).split())


def expanded(formula: str, macros: Mapping[str, Macro]) -> str:
    """Return a formula with the macros of the book written out.

    Raises:
        ValueError: a macro lacks an argument in braces.
    """
    for name, macro in macros.items():
        use = re.compile(rf"\\{name}(?![A-Za-z])")
        while (match := use.search(formula)) is not None:
            body, end = macro.body, match.end()
            for number in range(1, macro.arguments + 1):
                argument, end = _argument(formula, end)
                body = body.replace(f"#{number}", argument)
            after = " " if formula[end : end + 1].isalpha() and body[-1].isalpha() else ""
            formula = formula[: match.start()] + body + after + formula[end:]
    return formula


def _argument(formula: str, start: int) -> tuple[str, int]:
    """What stands in the braces that follow, and where they end."""
    begin = start + len(formula[start:]) - len(formula[start:].lstrip())
    depth = 0
    for place in range(begin, len(formula)):
        depth += (formula[place] == "{") - (formula[place] == "}")
        if depth == 0:
            break
    if formula[begin : begin + 1] != "{" or depth:
        raise ValueError(f"a macro lacks an argument in braces: {formula[start:]!r}")
    return formula[begin + 1 : place], place + 1
