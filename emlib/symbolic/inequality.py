"""Expressions that were proved to be at least zero, and what may be done to them without losing that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from emlib.symbolic.matrices import PositiveDefinite, PositiveDefiniteEntry, quadratic
from emlib.symbolic.notation import meanings_expanded, with_fresh_indices
from emlib.symbolic.reduce import ProofError, residue

FACTS = ("positive", "negative", "nonnegative", "nonpositive", "zero", "nonzero", "real", "integer")


@dataclass(frozen=True)
class NonNegative:
    """An expression that is at least zero wherever its symbols keep their assumptions.

    Made by `minimum`, `square`, `positive` and `quadratic_form`, and by `Derivation.lemma`; never by hand.
    """

    expression: sp.Expr
    equality: tuple[sp.Eq, ...]
    """The expression is zero exactly where all of these hold, for every value of a summed index."""
    label: str | None = None
    """The equation in the book that states it."""
    needs: tuple[sp.Eq, ...] = ()
    """Equations that must hold for it: who uses the inequality has to prove them."""

    def at(self, values: Mapping[sp.Expr, Any]) -> NonNegative:
        """The same inequality with other expressions in place of its symbols.

        An indexed symbol is replaced at every index: {q[k]: f(k)} puts f(j) for q[j] too.

        Raises:
            ProofError: a new value does not keep an assumption (such as positive) of what it replaces.
        """
        shown = {key: sp.sympify(value) for key, value in values.items()}
        new = {key: meanings_expanded(value) for key, value in shown.items()}
        for key, value in new.items():
            _keep_assumptions(key, value)

        def both(equation: sp.Eq, values: Mapping[sp.Expr, sp.Expr]) -> sp.Eq:
            # Not evaluated: SymPy must not decide the equation on the way.
            return sp.Eq(*(_exchanged(side, values) for side in equation.args), evaluate=False)

        return NonNegative(
            _exchanged(meanings_expanded(self.expression), new),
            tuple(both(equation, shown) for equation in self.equality),
            self.label,
            tuple(both(meanings_expanded(equation), new) for equation in self.needs),
        )

    def times(self, factor: Any) -> NonNegative:
        """Multiplied by something positive."""
        if not meanings_expanded(sp.sympify(factor)).is_positive:
            raise ProofError(
                f"an inequality may be multiplied by {factor} only if that is positive"
            )
        return replace(self, expression=factor * self.expression)

    def summed(self, index: sp.Symbol, low: Any, high: Any) -> NonNegative:
        """Added over a range of an index, which must not run backwards."""
        if not (high - low + 1).is_nonnegative:
            raise ProofError(
                f"the range from {low} to {high} may run backwards, and a sum change its sign"
            )
        return replace(self, expression=sp.Sum(self.expression, (index, low, high)))

    def __add__(self, other: NonNegative) -> NonNegative:
        return NonNegative(
            self.expression + other.expression,
            self.equality + other.equality,
            self.label or other.label,
            self.needs + other.needs,
        )


def minimum(
    expression: sp.Expr, variable: sp.Symbol, at: Any, label: str | None = None
) -> NonNegative:
    """Prove f >= 0: f vanishes at a point, falls before it and rises after it.

    The derivative must be (variable - at) times a factor that SymPy knows to be positive. The variable is real, and
    the point keeps its assumptions: so both lie in one interval. (A boundary point, such as 0 for a positive
    variable, is allowed: f then rises from it.)

    Raises:
        ProofError: f does not vanish there, or the factor is not known to be positive.
    """
    point = sp.sympify(at)
    if not variable.is_real or variable.is_integer:
        raise ProofError(f"{variable} must be a real variable for a slope to decide")
    if not (variable.is_positive and point == 0):
        _keep_assumptions(variable, point)
    plain = meanings_expanded(expression)
    value = residue(plain.subs(variable, point))
    if value != 0:
        raise ProofError(f"{expression} is {value}, not 0, at {variable} = {at}")
    slope = sp.factor(sp.together(sp.diff(plain, variable) / (variable - point)))
    if not slope.is_positive:
        raise ProofError(
            f"the slope of {expression} is ({variable} - {at}) times {slope}, which is not known to be positive"
        )
    return NonNegative(expression, (sp.Eq(variable, point, evaluate=False),), label)


def square(expression: sp.Expr) -> NonNegative:
    """The square of a real expression.

    Raises:
        ProofError: the expression is not known to be real.
    """
    # Real wherever it is defined: SymPy alone would ask whether a denominator is zero.
    parts = sp.fraction(sp.together(meanings_expanded(expression)))
    if not all(part.is_real for part in parts):
        raise ProofError(f"{expression} is not known to be real")
    return NonNegative(expression**2, (sp.Eq(expression, 0, evaluate=False),))


def positive(expression: sp.Expr) -> NonNegative:
    """What is positive by the signs of its symbols alone.

    Raises:
        ProofError: the expression is not known to be positive.
    """
    if not meanings_expanded(expression).is_positive:
        raise ProofError(f"{expression} is not known to be positive")
    return NonNegative(expression, ())


def quadratic_form(column: sp.MatrixExpr, matrix: sp.MatrixExpr) -> NonNegative:
    """Column' matrix column, for a positive definite matrix.

    Raises:
        ProofError: the matrix is not known to be positive definite.
    """
    if not isinstance(matrix, (PositiveDefinite, PositiveDefiniteEntry)):
        raise ProofError(f"{matrix} is not known to be positive definite")
    at = sp.Eq(column, sp.ZeroMatrix(*column.shape), evaluate=False)
    return NonNegative(quadratic(column, matrix), (at,))


def _keep_assumptions(symbol: sp.Expr, value: sp.Expr) -> None:
    for fact in FACTS:
        known = getattr(symbol, f"is_{fact}")
        if known is not None and getattr(value, f"is_{fact}") is not known:
            raise ProofError(
                f"{symbol} is {'' if known else 'not '}{fact} in the inequality; "
                f"{value} is not known to be so"
            )


def _exchanged(expression: sp.Expr, values: Mapping[sp.Expr, sp.Expr]) -> sp.Expr:
    """New values put in everywhere at once; no index of theirs is captured by a sum they come to stand in."""
    entries = {
        key.base: (key, value) for key, value in values.items() if isinstance(key, sp.Indexed)
    }

    def exchanged(part: sp.Expr) -> sp.Expr:
        if not isinstance(part, sp.Indexed):
            return with_fresh_indices(values[part])
        key, value = entries[part.base]
        return with_fresh_indices(value).xreplace(dict(zip(key.indices, part.indices, strict=True)))

    return with_fresh_indices(expression).replace(
        lambda part: part in values or (isinstance(part, sp.Indexed) and part.base in entries),
        exchanged,
    )
