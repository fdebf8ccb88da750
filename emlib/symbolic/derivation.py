"""A chain of equations and inequalities in which every link was proved.

    step = Derivation("eq-score", sp.Derivative(log_likelihood, mean))
    step.equals(sp.Sum((x[i] - mean) / variance, (i, 1, n)), because="differentiate term by term")

A link that SymPy cannot reduce to zero raises `ProofError` with the residue, and stops the book.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import mpmath
import sympy as sp

from emlib.symbolic.inequality import NonNegative, ProofError
from emlib.symbolic.notation import latex, meanings_expanded
from emlib.symbolic.reduce import evaluated, residue

Relation: TypeAlias = Literal["=", r"\ge", r"\le"]
Point: TypeAlias = dict[sp.Basic, Any]

DIGITS = 50


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

    @property
    def method(self) -> str:
        """How the link was checked, for a reader."""
        if self.points:
            return f"checked numerically at {len(self.points)} random points to {DIGITS} digits"
        if self.by is not None:
            where = f" with {{eq}}`{self.by.label}`" if self.by.label else ""
            return f"proved{where}"
        return "proved"

    def check(self) -> None:
        """Prove the link, or compare its sides at its points.

        Raises:
            ProofError: it does not hold; the message gives both sides and what is left of their difference.
        """
        if self.points:
            self._check_at_points()
            return
        difference = self.left - self.right
        if self.relation == r"\le":
            difference = -difference
        if self.by is None and self.relation != "=":
            raise ProofError(f"{self}: an inequality needs a lemma, given as by=...")
        if self.by is not None:
            difference -= self.by.expression
            for need in self.by.needs:
                unproved = residue(need.lhs - need.rhs, self.given)
                if unproved != 0:
                    raise ProofError(
                        f"{self}\n  the lemma needs {need}, but there {unproved} is left"
                    )
        if self.left.is_infinite or self.right.is_infinite:
            left_over = sp.Integer(0) if evaluated(self.left) == self.right else self.left
        else:
            left_over = residue(difference, self.given)
        if left_over != 0:
            raise ProofError(f"{self}\n  the two sides differ by {left_over}")

    def _check_at_points(self) -> None:
        for point in self.points:
            left, right = (_number(side, point) for side in (self.left, self.right))
            scale = max(abs(left), abs(right), mpmath.mpf(1))
            if abs(left - right) > scale * mpmath.mpf(10) ** -DIGITS:
                raise ProofError(
                    f"{self}\n  at {point} the sides are {mpmath.nstr(left, 20)} and {mpmath.nstr(right, 20)}"
                )

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right} ({self.because})"


class Derivation:
    """A labelled chain of claims that starts at one expression and ends at another."""

    def __init__(self, label: str, start: sp.Expr, given: Sequence[sp.Eq] = ()) -> None:
        """Label the equation for {eq}; `given` are equations that hold throughout, a sum on the left of each."""
        self.label = label
        self.start = start
        self.given = tuple(given)
        self.claims: list[Claim] = []

    @property
    def end(self) -> sp.Expr:
        """Where the chain has come to."""
        return self.claims[-1].right if self.claims else self.start

    def equals(self, expression: Any, because: str) -> Derivation:
        """Add a link: what came before equals this expression."""
        return self._add(Claim(self.end, "=", sp.sympify(expression), because, given=self.given))

    def at_least(self, expression: Any, because: str, by: NonNegative) -> Derivation:
        """Add a link: what came before is at least this, since the difference is the lemma's expression."""
        return self._add(
            Claim(self.end, r"\ge", sp.sympify(expression), because, by, given=self.given)
        )

    def at_most(self, expression: Any, because: str, by: NonNegative) -> Derivation:
        """Add a link: what came before is at most this, since the difference is the lemma's expression."""
        return self._add(
            Claim(self.end, r"\le", sp.sympify(expression), because, by, given=self.given)
        )

    def agrees(self, expression: Any, because: str, points: Sequence[Point]) -> Derivation:
        """Add a link that SymPy cannot decide: both sides compared at these points to 50 digits."""
        if not points:
            raise ValueError("points: expected at least one assignment of numbers to symbols")
        return self._add(
            Claim(self.end, "=", sp.sympify(expression), because, points=tuple(points))
        )

    def lemma(self) -> NonNegative:
        """What the chain proved, as a lemma: its start is at least its end, or at most.

        Raises:
            ProofError: the chain holds no inequality, or inequalities of both directions.
        """
        directions = {claim.relation for claim in self.claims} - {"="}
        if len(directions) != 1 or any(claim.points for claim in self.claims):
            raise ProofError(f"{self.label}: no lemma follows from {self!r}")
        sign = 1 if directions == {r"\ge"} else -1
        equality = tuple(e for claim in self.claims if claim.by for e in claim.by.equality)
        return NonNegative(sign * (self.start - self.end), equality, self.label, self.given)

    def _add(self, claim: Claim) -> Derivation:
        began = time.perf_counter()
        claim.check()
        seconds = time.perf_counter() - began
        self.claims.append(replace(claim, seconds=seconds))
        return self

    def markdown(self) -> str:
        """The chain as MyST: aligned mathematics with a number, and a reason for each line."""
        letters = [f"({chr(ord('a') + n)})" for n in range(len(self.claims))]
        single = len(self.claims) == 1
        signs = [
            claim.relation if single else rf"\overset{{\text{{{letter}}}}}{{{claim.relation}}}"
            for letter, claim in zip(letters, self.claims, strict=True)
        ]
        links = [
            f"{sign} {latex(claim.right)}" for sign, claim in zip(signs, self.claims, strict=True)
        ]
        start = latex(self.start)
        # A long left side takes a line of its own, so that the chain fits a phone and a page.
        long = _width(start) > 24
        opening = f"& {start} \\\\\n& \\quad" if long else f"{start} &"
        between = " \\\\\n& \\quad " if long else " \\\\\n& "
        body = f"{opening} {between.join(links)}"
        reasons = [
            f"{'' if single else letter + ' '}{claim.because} — *{claim.method}*"
            for letter, claim in zip(letters, self.claims, strict=True)
        ]
        return "\n".join(
            [
                "::::{container} derivation",
                ":::{math}",
                f":label: {self.label}",
                r"\begin{aligned}",
                body,
                r"\end{aligned}",
                ":::",
                *(f"- {reason}" for reason in [*reasons, *self._assumptions()]),
                "::::",
            ]
        )

    def _assumptions(self) -> list[str]:
        if not self.given:
            return []
        equations = ", ".join(f"${latex(e.lhs)} = {latex(e.rhs)}$" for e in self.given)
        return [f"given {equations}"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": self.markdown(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        chain = " ".join(f"{claim.relation} {claim.right}" for claim in self.claims)
        return f"Derivation({self.label!r}: {self.start} {chain})"


def _width(tex: str) -> int:
    """Roughly how many characters the formula shows."""
    return len(re.sub(r"\\(?:left|right|mathcal|text|frac)|\\[A-Za-z]+|[{}_^\s]", "", tex)) + len(
        re.findall(r"\\(?!left|right|mathcal|text|frac)[A-Za-z]+", tex)
    )


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
