r"""TeX mathematics to Typst mathematics.

The grammar, read by recursive descent and written out as it is read:

    row      = { scripted }
    scripted = atom { "^" argument | "_" argument | "'" | "\limits" | "\nolimits" }
    argument = "{" row "}" | atom
    atom     = "{" row "}" | number | character | command

A command or environment that is in no table raises `TexError`: nothing is guessed or dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import texsymbols as tex
from .source import string
from .textokens import TexError, Tokens

__all__ = ["Converter", "Formula", "Macro", "TexError"]

_COMMENT = re.compile(r"(?<!\\)%.*\n?")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_NESTING_LIMIT = 30
_TEXT_CHARACTERS = (("~", "\u00a0"), ("``", "“"), ("''", "”"), ("`", "‘"), ("'", "’"))
_NO_EFFECT = frozenset({"nonumber", "notag"})  # the book numbers whole displays, never their rows
_EMPTY = '""'


@dataclass(frozen=True)
class Formula:
    """A formula in Typst, and its tag if it has one."""

    typst: str
    tag: str | None = None


@dataclass(frozen=True)
class Piece:
    """Typst source of one atom.

    `tight`: spaces beside it would be seen, for it is text. `brace`: its script is a brace's label.
    """

    code: str
    tight: bool = False
    brace: str = ""


@dataclass(frozen=True)
class Macro:
    """A TeX macro as the book's settings give it: body, number of arguments, default of the first."""

    body: str
    arguments: int = 0
    default: str | None = None

    @classmethod
    def from_config(cls, value: str | Sequence[str | int]) -> Macro:
        """Read `"body"` or `["body", arguments, default]`."""
        body, *rest = [value] if isinstance(value, str) else value
        count = int(rest[0]) if rest else 0
        return cls(str(body), count, str(rest[1]) if len(rest) > 1 else None)


def _join(pieces: Sequence[Piece]) -> str:
    """Put pieces side by side, apart by a space except beside text."""
    out = ""
    for before, piece in zip((None, *pieces), pieces, strict=False):
        out += piece.code if before is None or before.tight or piece.tight else " " + piece.code
    return out


class Converter:
    """Convert formulas under a set of macros (the book's `tex_macros`)."""

    def __init__(self, macros: Mapping[str, str | Sequence[str | int]] | None = None) -> None:
        self.macros = {name: Macro.from_config(value) for name, value in (macros or {}).items()}

    def convert(self, source: str) -> Formula:
        """Convert one formula.

        Raises:
            TexError: the formula is malformed or uses a command that is in no table.
        """
        # A blank line starts a new row, as it does on the site.
        text = _BLANK_LINE.sub(r" \\\\ ", _COMMENT.sub("", source).strip())
        try:
            return _Parser(text, self.macros).formula()
        except TexError as error:
            raise TexError(f"{error} in the formula {' '.join(source.split())!r}") from None


class _Parser(Tokens):
    """Reads one list of tokens from front to back."""

    def __init__(self, source: str, macros: Mapping[str, Macro], *, nesting: int = 0) -> None:
        super().__init__(source)
        self._macros = macros
        self._tag: str | None = None
        self._nesting = nesting

    def inner(self, source: str) -> str:
        """Convert a piece of source that was taken aside."""
        return _Parser(source, self._macros, nesting=self._nesting).formula().typst or _EMPTY

    # Grammar

    def formula(self) -> Formula:
        """Read all tokens. A lone aligned environment becomes the lines of the display itself."""
        if self.peek() == r"\begin":
            whole = list(self._ahead)
            self.next()
            name = self.group_text()
            if name.rstrip("*") in tex.ALIGNED:
                rows = self.rows(name)
                if self.peek() is None:
                    return Formula(" \\\n".join(" & ".join(row) for row in rows), self._tag)
            self._ahead, self._tag = whole, None
        row = self.row()
        if (token := self.peek()) is not None:
            raise TexError(f"{token!r} has no beginning")
        return Formula(row, self._tag)

    def row(self, *stops: str) -> str:
        return _join(self.pieces(*stops))

    def pieces(self, *stops: str) -> list[Piece]:
        """Read up to one of `stops` or a closing brace, which is left standing."""
        pieces: list[Piece] = []
        while (token := self.peek()) is not None and token not in stops and token != "}":
            if token in (r"\right", r"\end"):
                break
            if (style := tex.STYLES.get(token[1:])) and token[0] == "\\":
                self._ahead.pop()
                pieces.append(Piece(f"{style}({self.row(*stops)})"))
            else:
                pieces.append(self.scripted())
        return [piece for piece in pieces if piece.code]

    def scripted(self) -> Piece:
        base = Piece(_EMPTY) if self.peek() in ("^", "_", "'") else self.atom()
        lower: str | None = None
        upper: str | None = None
        primes = ""
        code = base.code
        while (token := self.peek()) in ("^", "_", "'", r"\limits", r"\nolimits"):
            self._ahead.pop()
            if token == "^":
                if upper is not None:
                    raise TexError("double superscript")
                upper = self.argument()
            elif token == "_":
                if lower is not None:
                    raise TexError("double subscript")
                lower = self.argument()
            elif token == "'":
                primes += "′"
            else:
                code = f"limits({code})" if token == r"\limits" else f"scripts({code})"
        upper = f"{primes} {upper or ''}".strip() if primes else upper
        if base.brace:
            label = lower if base.brace.startswith("under") else upper
            return Piece(
                f"{base.brace}({code})" if label is None else f"{base.brace}({code}, {label})"
            )
        if lower is None and upper is None:
            return base if code == base.code else Piece(code)
        scripts = (f", b: {lower}" if lower is not None else "") + (
            f", t: {upper}" if upper is not None else ""
        )
        return Piece(f"attach({code or _EMPTY}{scripts})")

    def argument(self) -> str:
        token = self.peek()
        if token is not None and token[0].isdigit() and len(token) > 1:  # \frac12 takes one digit
            self._ahead[-1:] = token[::-1]
        return self.atom().code or _EMPTY

    def atom(self) -> Piece:
        token = self.next()
        if token == "{":
            row = self.row()
            self.expect("}")
            # 1{,}000: braces take the space from a comma.
            return Piece('class("normal", \\,)' if row == r"\," else row or _EMPTY)
        if token == "&":
            return Piece("&")
        if token == r"\\":
            self.option()
            return Piece("\\\n")
        if token[0] == "\\":
            return self.command(token[1:])
        if token in tex.CHARACTERS:
            return Piece(tex.CHARACTERS[token])
        if token in "}^_'":
            raise TexError(f"{token!r} stands where a symbol was expected")
        return Piece(token)

    # Commands

    def command(self, name: str) -> Piece:
        if name in self._macros:
            return self.expand(self._macros[name])
        if name in tex.SYMBOLS:
            return Piece(tex.SYMBOLS[name])
        if name in _NO_EFFECT:
            return Piece("")
        if name in tex.OPERATORS:
            return Piece(f'op("{name}")')
        if name in tex.LIMIT_OPERATORS:
            return Piece(f'op("{tex.LIMIT_OPERATORS[name]}", limits: #true)')
        if name in tex.ACCENTS:
            return Piece(f"{tex.ACCENTS[name]}({self.argument()})")
        if name in tex.FONTS:
            return Piece(tex.FONTS[name].format(self.argument()))
        if name in tex.TEXT_FONTS:
            return self.text(tex.TEXT_FONTS[name])
        if name in tex.CLASSES:
            return Piece(f'class("{tex.CLASSES[name]}", {self.argument()})')
        if name in tex.BRACES:
            return Piece(self.argument(), brace=name)
        if (big := re.fullmatch(r"([bB]igg?)([lrm]?)", name)) is not None:
            size, side = tex.BIG_SIZES[big[1]], tex.BIG_CLASSES[big[2]]
            return Piece(f'class("{side}", lr({self.delimiter()}, size: #{size}))')
        if name in _STRUCTURES:
            return _STRUCTURES[name](self)
        if name.endswith("*") and name[:-1] in tex.SYMBOLS:  # \alpha* is \alpha and an asterisk
            self.push("*")
            return self.command(name[:-1])
        raise TexError(f"unknown command '\\{name}'")

    def expand(self, macro: Macro) -> Piece:
        if self._nesting == _NESTING_LIMIT:
            raise TexError("a macro that expands to itself")
        arguments: list[str] = []
        if macro.default is not None:
            given = self.option()
            arguments.append(macro.default if given is None else given)
        while len(arguments) < macro.arguments:
            arguments.append(self.group_text())
        body = re.sub(r"#(\d)", lambda match: arguments[int(match[1]) - 1], macro.body)
        self.push("{" + body + "}")
        self._nesting += 1
        expanded = self.argument()
        self._nesting -= 1
        return Piece(expanded)

    def delimiter(self) -> str:
        token = self.next()
        if token == ".":
            return ""
        if token not in tex.DELIMITERS:
            raise TexError(f"{token!r} is no delimiter")
        return tex.DELIMITERS[token]

    def text(self, font: str) -> Piece:
        """Text, with mathematics between dollars in it."""
        out = ""
        for index, part in enumerate(re.split(r"(?<!\\)\$", self.group_text())):
            if index % 2:
                out += self.inner(part)
            elif part:
                out += font.format(string(_plain_text(part)))
        return Piece(out or _EMPTY, tight=True)

    def operator(self, limits: bool) -> Piece:
        name = _plain_text(re.sub(r"\\[,;: ]", "\u2009", self.group_text()))
        return Piece(f"op({string(name)}{', limits: #true' if limits else ''})")

    def fraction(self, form: str) -> Piece:
        return Piece(form.format(self.argument(), self.argument()))

    def root(self) -> Piece:
        degree = self.option()
        if degree is None:
            return Piece(f"sqrt({self.argument()})")
        return Piece(f"root({self.inner(degree)}, {self.argument()})")

    def over(self) -> Piece:
        upper = self.argument()
        return Piece(f"attach(limits({self.argument()}), t: {upper})")

    def under(self) -> Piece:
        lower = self.argument()
        return Piece(f"attach(limits({self.argument()}), b: {lower})")

    def arrow(self, arrow: str) -> Piece:
        lower = self.option()
        below = "" if lower is None else f", b: {self.inner(lower)}"
        stretched = f"limits(stretch({arrow}, size: #(100% + 1em)))"
        return Piece(f'class("relation", attach({stretched}, t: {self.argument()}{below}))')

    def left(self) -> Piece:
        opening = self.delimiter()
        body = self.row()
        self.expect(r"\right")
        return Piece(f"lr({' '.join(part for part in (opening, body, self.delimiter()) if part)})")

    def negated(self) -> Piece:
        code = self.argument()
        return Piece(tex.NEGATIONS.get(code, f"cancel({code})"))

    def numbered(self, form: str) -> Piece:
        if self._tag is not None:
            raise TexError("more than one \\tag in a display")
        self._tag = form.format(self.text("{}").code)
        return Piece("")

    # Environments

    def environment(self, name: str) -> Piece:
        kind = name.rstrip("*")
        if kind in tex.ALIGNED:
            return _stack(self.rows(name))
        if kind in tex.CASES:
            cells = ", ".join(" & quad ".join(row) for row in self.cells(name))
            return Piece(f"cases({'reverse: #true, ' if kind == 'rcases' else ''}{cells})")
        if kind not in tex.MATRICES:
            raise TexError(f"unknown environment {name!r}")
        columns = self.group_text() if kind == "array" else ""
        rows = self.cells(name)
        width = max(map(len, rows))
        body = "; ".join(", ".join(row + [_EMPTY] * (width - len(row))) for row in rows)
        return Piece(f"mat(delim: {tex.MATRICES[kind]}, {_array_options(columns)}{body})")

    def cells(self, name: str) -> list[list[str]]:
        """The cells of each row, up to and with the environment's end."""
        rows: list[list[str]] = [[]]
        while True:
            rows[-1].append(self.row("&", r"\\") or _EMPTY)
            token = self.next()
            if token == r"\\":
                self.option()
                rows.append([])
            elif token == r"\end":
                break
            elif token != "&":
                raise TexError(f"{token!r} stands where the environment {name!r} should end")
        if (end := self.group_text()) != name:
            raise TexError(f"the environment {name!r} is ended by {end!r}")
        if len(rows) > 1 and rows[-1] == [_EMPTY]:
            rows.pop()
        return rows

    def rows(self, name: str) -> list[list[str]]:
        """The rows of an aligned environment, cell by cell."""
        if name.rstrip("*") in ("alignat", "alignedat"):
            self.group_text()
        elif name.rstrip("*") in ("aligned", "gathered"):
            self.option()
        # Columns come in pairs, right- and left-aligned; a gap parts the pairs.
        return [
            [("quad " if index and index % 2 == 0 else "") + cell for index, cell in enumerate(row)]
            for row in self.cells(name)
        ]


def _stack(rows: list[list[str]]) -> Piece:
    """Aligned rows inside a formula: a matrix of one column, aligned across its rows."""
    lines = "; ".join(" & ".join(f"display({cell})" for cell in row) for row in rows)
    return Piece(f"mat(delim: #none, row-gap: #0.65em, {lines})")


def _array_options(columns: str) -> str:
    """What Typst is told about an array's column letters and vertical rules."""
    letters = re.sub(r"[\s|]", "", columns)
    if set(letters) - set("lcr"):
        raise TexError(f"array columns {columns!r}: only l, c, r and | are known")
    rules = [
        len(re.sub(r"[\s|]", "", columns[: match.start()])) for match in re.finditer(r"\|", columns)
    ]
    inner = [str(rule) for rule in rules if 0 < rule < len(letters)]
    augment = f"augment: #(vline: ({', '.join(inner)},), stroke: 0.5pt), " if inner else ""
    sides = {"l": "left", "r": "right"}
    align = f"align: #{sides[letters[0]]}, " if set(letters) in ({"l"}, {"r"}) else ""
    return augment + align


def _plain_text(source: str) -> str:
    """Text without commands: escapes undone, TeX quotes and ties set."""
    text = re.sub(r"\\([%&#_${} ])", r"\1", source)
    if (command := re.search(r"\\[a-zA-Z]*", text)) is not None:
        raise TexError(f"unknown command {command[0]!r} in text")
    for written, shown in _TEXT_CHARACTERS:
        text = text.replace(written, shown)
    return text


_STRUCTURES: Mapping[str, Callable[[_Parser], Piece]] = {
    "frac": lambda parser: parser.fraction("frac({}, {})"),
    "cfrac": lambda parser: parser.fraction("display(frac({}, {}))"),
    "dfrac": lambda parser: parser.fraction("display(frac({}, {}))"),
    "tfrac": lambda parser: parser.fraction("inline(frac({}, {}))"),
    "binom": lambda parser: parser.fraction("binom({}, {})"),
    "sqrt": _Parser.root,
    "overset": _Parser.over,
    "stackrel": _Parser.over,
    "underset": _Parser.under,
    "xrightarrow": lambda parser: parser.arrow("→"),
    "xleftarrow": lambda parser: parser.arrow("←"),
    "left": _Parser.left,
    "middle": lambda parser: Piece(f"mid({parser.delimiter()})"),
    "not": _Parser.negated,
    "operatorname": lambda parser: parser.operator(limits=False),
    "operatorname*": lambda parser: parser.operator(limits=True),
    "pmod": lambda parser: Piece(f'quad \\( "mod" thick {parser.argument()} \\)'),
    "cancel": lambda parser: Piece(f"cancel({parser.argument()})"),
    "substack": lambda parser: Piece(
        " \\\n".join(map(parser.inner, parser.group_text().split(r"\\")))
    ),
    "begin": lambda parser: parser.environment(parser.group_text()),
    "tag": lambda parser: parser.numbered(r"\( {} \)"),
    "tag*": lambda parser: parser.numbered("{}"),
}
