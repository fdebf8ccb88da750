"""A chain of equations and inequalities in which every link was proved.

    Derivation("eq-score", sp.Derivative(log_likelihood, mean)).equals(
        sp.Sum((x[i] - mean) / variance, (i, 1, n)), because="differentiate term by term"
    )

A link that SymPy cannot reduce to zero raises `ProofError` with the residue, and stops the book.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import mpmath
import sympy as sp

from emlib.display import in_the_book
from emlib.symbolic.inequality import NonNegative
from emlib.symbolic.notation import latex, meanings_expanded, readable
from emlib.symbolic.numeric import difference
from emlib.symbolic.reduce import ProofError, evaluated, residue

Relation: TypeAlias = Literal["=", r"\ge", r"\le"]
Point: TypeAlias = dict[sp.Basic, Any]

DIGITS = 50
FEWEST_POINTS = 5
WIDEST = 60
"""About how many characters a row of a formula may show."""
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}()\[\]]| [+-] ")
_REFERENCE = re.compile(r"\{eq\}`([^`]+)`")


@dataclass(frozen=True)
class Claim:
    """One link: left (relation) right."""

    left: sp.Expr
    relation: Relation
    right: sp.Expr
    because: str
    by: NonNegative | None = None
    """The lemma that an inequality rests on."""
    points: tuple[Point, ...] = ()
    """Where the link was compared numerically; empty for a link that was proved."""
    given: tuple[sp.Eq, ...] = ()
    seconds: float = 0.0
    """Processor time that the check took."""

    @property
    def method(self) -> str:
        """How the link was checked, for a reader."""
        if self.points:
            return f"checked numerically at {len(self.points)} random points to {DIGITS} digits"
        if self.by is not None and self.by.label:
            return f"proved with {{eq}}`{self.by.label}`"
        return "proved"

    @property
    def reason(self) -> str:
        """Why the link holds, for a reader, and where an inequality is an equality; as MyST."""
        if self.by is None or not self.by.equality:
            return self.because
        cases = (f"${latex(case.lhs)} = {latex(case.rhs)}$" for case in self.by.equality)
        return f"{self.because}; equality only where {' and '.join(cases)}"

    def check(self) -> None:
        """Prove the link, or compare its sides at its points.

        Raises:
            ProofError: it does not hold; the message gives both sides and what is left of their difference.
        """
        if self.left.has(sp.Float) or self.right.has(sp.Float):
            raise ProofError(f"{self}: rounded numbers prove nothing; write them as fractions")
        if self.points:
            self._check_at_points()
        elif self.left.is_infinite or self.right.is_infinite:
            if self.relation != "=" or evaluated(self.left) != self.right:
                raise ProofError(f"{self}\n  the left side is {readable(evaluated(self.left))}")
        else:
            self._check_difference()

    def _check_difference(self) -> None:
        if (self.by is None) != (self.relation == "="):
            raise ProofError(
                f"{self}: an inequality needs a lemma, given as by=..., and an equation none"
            )
        shapes = [s.shape if isinstance(s, sp.MatrixExpr) else () for s in (self.left, self.right)]
        if shapes[0] != shapes[1]:
            raise ProofError(f"{self}\n  the two sides are not of one shape")
        self._look_for_a_difference()
        self.prove()

    def _gap(self) -> sp.Expr:
        """What must be zero, or be the lemma's expression."""
        return self.right - self.left if self.relation == r"\le" else self.left - self.right

    def _look_for_a_difference(self) -> None:
        """Numbers put in for the symbols find most slips at once, and show them to a reader."""
        found = difference(self.left, self.right, self.given, self.relation)
        if found is not None:
            raise ProofError(f"{self}\n  the two sides differ: {found}")
        if self.by is not None:
            found = difference(self._gap(), self.by.expression, self.given)
            if found is not None:
                raise ProofError(
                    f"{self}\n  the sides differ by something else than the lemma's "
                    f"{readable(self.by.expression)}: {found}"
                )

    def prove(self) -> None:
        """Reduce the difference of the sides to zero.

        Raises:
            ProofError: something is left of it.
        """
        gap = self._gap()
        if self.by is not None:
            gap -= self.by.expression
            for need in self.by.needs:
                unproved = residue(need.lhs - need.rhs, self.given)
                if unproved != 0:
                    raise ProofError(
                        f"{self}\n  the lemma needs {readable(need)}, "
                        f"but there {readable(unproved)} is left"
                    )
        left_over = residue(gap, self.given)
        if left_over != 0:
            raise ProofError(f"{self}\n  the two sides differ by {readable(left_over)}")

    def _check_at_points(self) -> None:
        for point in self.points:
            left, right = (_number(side, point) for side in (self.left, self.right))
            if abs(left - right) > max(abs(left), abs(right)) * mpmath.mpf(10) ** -DIGITS:
                raise ProofError(
                    f"{self}\n  at {point} the sides are {mpmath.nstr(left, 20)} and {mpmath.nstr(right, 20)}"
                )

    def __str__(self) -> str:
        sign = {"=": "=", r"\ge": ">=", r"\le": "<="}[self.relation]
        return f"{readable(self.left)} {sign} {readable(self.right)} ({self.because})"


@dataclass(frozen=True)
class Derivation:
    """A labelled chain of claims that starts at one expression and ends at another.

    Adding a link gives a new, longer chain; this one stays as it is.
    """

    label: str
    """The label of the equation, for {eq}."""
    start: sp.Expr
    given: tuple[sp.Eq, ...] = ()
    """Equations that hold throughout, a sum on the left of each."""
    claims: tuple[Claim, ...] = ()

    @property
    def end(self) -> sp.Expr:
        """Where the chain has come to."""
        return self.claims[-1].right if self.claims else self.start

    def equals(self, expression: Any, because: str) -> Derivation:
        """Add a link: what came before equals this expression."""
        return self._with(Claim(self.end, "=", sp.sympify(expression), because, given=self.given))

    def at_least(self, expression: Any, because: str, by: NonNegative) -> Derivation:
        """Add a link: what came before is at least this, since the difference is the lemma's expression."""
        return self._with(
            Claim(self.end, r"\ge", sp.sympify(expression), because, by, given=self.given)
        )

    def at_most(self, expression: Any, because: str, by: NonNegative) -> Derivation:
        """Add a link: what came before is at most this, since the difference is the lemma's expression."""
        return self._with(
            Claim(self.end, r"\le", sp.sympify(expression), because, by, given=self.given)
        )

    def agrees(
        self,
        expression: Any,
        because: str,
        draw: Callable[[random.Random], Point],
        count: int = 20,
        seed: int = 0,
    ) -> Derivation:
        """Add a link that SymPy cannot decide: both sides compared to 50 digits at points drawn at random.

        `draw` makes a point: an exact number for each symbol, a sequence of them for each indexed one.

        Raises:
            ValueError: fewer than five points.
            ProofError: the sides differ at a point, or are no numbers there.
        """
        if count < FEWEST_POINTS:
            raise ValueError(f"count: expected at least {FEWEST_POINTS} points, got {count}")
        rng = random.Random(seed)
        points = tuple(draw(rng) for _ in range(count))
        return self._with(Claim(self.end, "=", sp.sympify(expression), because, points=points))

    def lemma(self) -> NonNegative:
        """What the chain proved, as a lemma: its start is at least its end, or at most.

        Raises:
            ProofError: the chain holds no inequality, inequalities of both directions, or a numeric check.
        """
        directions = {claim.relation for claim in self.claims} - {"="}
        finite = not (self.start.is_infinite or self.end.is_infinite)
        if len(directions) != 1 or not finite or any(claim.points for claim in self.claims):
            raise ProofError(f"{self.label}: no lemma follows from {self!r}")
        sign = 1 if directions == {r"\ge"} else -1
        equality = tuple(e for claim in self.claims if claim.by for e in claim.by.equality)
        return NonNegative(sign * (self.start - self.end), equality, self.label, self.given)

    def _with(self, claim: Claim) -> Derivation:
        began = time.process_time()
        try:
            claim.check()
        except ProofError as refusal:
            line = chr(ord("a") + len(self.claims))
            raise ProofError(f"{self.label}, line ({line}): {refusal}") from refusal
        timed = replace(claim, seconds=time.process_time() - began)
        return replace(self, claims=(*self.claims, timed))

    def tex(self) -> str:
        """The chain as aligned mathematics, its lines lettered when there are several."""
        letters = self.letters()
        signs = [
            rf"\overset{{\text{{({letter})}}}}{{{claim.relation}}}" if letter else claim.relation
            for letter, claim in zip(letters, self.claims, strict=True)
        ]
        start = latex(self.start)
        # A long left side takes a line of its own, so that the chain fits a phone and a page.
        opening, indent = (
            (f"& {_in_rows(start)} \\\\\n& \\quad", "\\quad ")
            if _width(start) > 24
            else (f"{start} &", "")
        )
        links = (
            f"{sign} {_in_rows(latex(claim.right), indent)}"
            for sign, claim in zip(signs, self.claims, strict=True)
        )
        return "\n".join(
            [r"\begin{aligned}", f"{opening} " + f" \\\\\n& {indent}".join(links), r"\end{aligned}"]
        )

    def letters(self) -> list[str]:
        """What each line is called: a, b, c ...; a single line has no letter."""
        several = len(self.claims) > 1
        return [chr(ord("a") + n) if several else "" for n in range(len(self.claims))]

    def myst(self) -> str:
        """The chain for the book: aligned mathematics with a number, a reason for each line, and what was assumed."""
        return "\n".join(
            [
                "::::{container} derivation",
                ":::{math}",
                f":label: {self.label}",
                self.tex(),
                ":::",
                *self._reasons(),
                *self.assumptions(),
                "::::",
            ]
        )

    def markdown(self) -> str:
        """The same in plain Markdown, as any notebook shows it; other derivations are called by their labels."""
        told = "\n".join([*self._reasons(), *self.assumptions()])
        return f"$$\n{self.tex()}\n$$\n\n" + _REFERENCE.sub(r"`\1`", told)

    def _reasons(self) -> list[str]:
        return [
            # A no-break space keeps the mark with the words before it.
            f"- {f'({letter}) ' * bool(letter)}{claim.reason}\N{NO-BREAK SPACE}— *{claim.method}*"
            for letter, claim in zip(self.letters(), self.claims, strict=True)
        ]

    def assumptions(self) -> list[str]:
        """The given equations, and which symbols are positive, as a last line."""
        shown = [self.start, *(claim.right for claim in self.claims)]
        parts = [f"${latex(equation.lhs)} = {latex(equation.rhs)}$" for equation in self.given]
        positive = sorted(_positive(sp.Tuple(*shown)), key=str.lower)
        if positive:
            parts.append(f"${', '.join(positive)} > 0$")
        return [f"- given {', '.join(parts)}"] if parts else []

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        shown = self.myst() if in_the_book() else self.markdown()
        return {"text/markdown": shown, "text/plain": repr(self)}

    def __repr__(self) -> str:
        chain = " ".join(f"{claim.relation} {claim.right}" for claim in self.claims)
        return f"Derivation({self.label!r}: {self.start} {chain})"


def _positive(expressions: sp.Tuple) -> set[str]:
    """The symbols that are assumed to be positive, as a reader sees them; whole numbers aside."""
    plain = meanings_expanded(expressions)
    inside = {base for entry in plain.atoms(sp.Indexed) for base in entry.base.free_symbols}
    symbols = plain.atoms(sp.Symbol) - inside | plain.atoms(sp.Indexed)
    # One entry stands for all: q_k, not q_j too.
    found: dict[str, str] = {}
    for symbol in sorted(symbols, key=str):
        if symbol.is_positive and not symbol.is_integer:
            found[latex(getattr(symbol, "base", symbol))] = latex(symbol)
    return set(found.values())


def _in_rows(tex: str, indent: str = "") -> str:
    """A long sum in several rows, which begin with its signs."""
    rows: list[str] = []
    for term in _terms(tex) if _width(tex) > WIDEST else [tex]:
        if rows and _width(rows[-1] + term) <= WIDEST:
            rows[-1] += term
        else:
            rows.append(term)
    return f" \\\\\n& {indent}\\qquad {{}}".join(row.strip() for row in rows)


def _terms(tex: str) -> list[str]:
    """The terms of a sum with their signs; what stands in braces or brackets is whole."""
    terms, depth, begun = [], 0, 0
    for token in _TOKEN.finditer(tex):
        match token[0]:
            case "{" | "(" | "[" | r"\{" | r"\left" | r"\begin" | r"\lfloor" | r"\lceil":
                depth += 1
            case "}" | ")" | "]" | r"\}" | r"\right" | r"\end" | r"\rfloor" | r"\rceil":
                depth -= 1
            case " + " | " - " if depth == 0 and token.start() > 0:
                terms.append(tex[begun : token.start()])
                begun = token.start()
    return [*terms, tex[begun:]]


def _width(tex: str) -> int:
    """Roughly how many characters the formula shows."""
    shown = re.sub(r"\\(?:left|right|mathcal|text|frac)", "", tex)
    one_each = re.sub(r"\\[A-Za-z]+", "x", shown)
    return len(re.sub(r"[{}_^\s]", "", one_each))


def _number(expression: sp.Expr, point: Point) -> mpmath.mpf:
    """The expression at a point, to more digits than are compared; sums are written out.

    An indexed symbol's value is a sequence, or nested ones for several indices; index 1 is its first entry.
    """
    scalars = {s: value for s, value in point.items() if not isinstance(s, sp.IndexedBase)}
    written_out = meanings_expanded(expression).subs(scalars).doit()
    entries = {}
    for entry in written_out.atoms(sp.Indexed):
        value = point.get(entry.base)
        for index in entry.indices:
            value = None if value is None else value[int(index) - 1]
        entries[entry] = entry if value is None else sp.sympify(value)
    with mpmath.workdps(DIGITS + 15):
        number = sp.N(written_out.xreplace(entries), DIGITS + 10)
        if not number.is_Float and not number.is_Integer:
            raise ProofError(f"{expression} is no number at {point}: {number}")
        return mpmath.mpf(str(number))
