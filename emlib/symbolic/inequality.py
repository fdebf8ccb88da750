"""Expressions that were proved to be at least zero, and what may be done to them without losing that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from emlib.symbolic.notation import meanings_expanded
from emlib.symbolic.reduce import residue


class ProofError(ArithmeticError):
    """A claim that does not hold, or that could not be shown to hold."""


@dataclass(frozen=True)
class NonNegative:
    """An expression that is at least zero wherever its symbols keep their assumptions.

    Made by `minimum` and `square`, and by `Derivation.lemma`; never by hand.
    """

    expression: sp.Expr
    equality: tuple[sp.Eq, ...]
    """The expression is zero exactly where all of these hold."""
    label: str | None = None
    """The equation in the book that states it."""
    needs: tuple[sp.Eq, ...] = ()
    """Equations that must hold for it: who uses the inequality has to prove them."""

    def at(self, values: Mapping[sp.Symbol, Any]) -> NonNegative:
        """The same inequality with other expressions in place of its symbols.

        Raises:
            ProofError: a new value does not keep an assumption (such as positive) of the symbol it replaces.
        """
        for symbol, value in values.items():
            plain = meanings_expanded(sp.sympify(value))
            for fact in ("positive", "real"):
                if getattr(symbol, f"is_{fact}") and not getattr(plain, f"is_{fact}"):
                    raise ProofError(
                        f"{symbol} is {fact} in the inequality, but {value} is not known to be"
                    )
        new = {symbol: sp.sympify(value) for symbol, value in values.items()}
        return NonNegative(
            meanings_expanded(self.expression).xreplace(new),
            tuple(_exchanged(equation, new) for equation in self.equality),
            self.label,
            tuple(_exchanged(equation, new) for equation in self.needs),
        )

    def times(self, factor: Any) -> NonNegative:
        """Multiplied by something positive."""
        if not meanings_expanded(sp.sympify(factor)).is_positive:
            raise ProofError(
                f"an inequality may be multiplied by {factor} only if that is positive"
            )
        return replace(self, expression=factor * self.expression)

    def summed(self, index: sp.Symbol, low: Any, high: Any) -> NonNegative:
        """Added over a range of an index; equality must then hold for every value of it."""
        return replace(self, expression=sp.Sum(self.expression, (index, low, high)))

    def __add__(self, other: NonNegative) -> NonNegative:
        return NonNegative(
            self.expression + other.expression,
            self.equality + other.equality,
            self.label or other.label,
            self.needs + other.needs,
        )


def _exchanged(equation: sp.Eq, values: Mapping[sp.Basic, sp.Basic]) -> sp.Eq:
    """Both sides with new values; SymPy must not decide the equation on the way."""
    sides = (meanings_expanded(side).xreplace(values) for side in equation.args)
    return sp.Eq(*sides, evaluate=False)


def minimum(
    expression: sp.Expr, variable: sp.Symbol, at: Any, label: str | None = None
) -> NonNegative:
    """Prove f >= 0: f vanishes at a point, falls before it and rises after it.

    The derivative must be (variable - at) times a factor that SymPy knows to be positive.

    Raises:
        ProofError: f does not vanish there, or the factor is not known to be positive.
    """
    plain = meanings_expanded(expression)
    value = residue(plain.subs(variable, at))
    if value != 0:
        raise ProofError(f"{expression} is {value}, not 0, at {variable} = {at}")
    slope = sp.factor(sp.together(sp.diff(plain, variable) / (variable - at)))
    if not slope.is_positive:
        raise ProofError(
            f"the slope of {expression} is ({variable} - {at}) times {slope}, which is not known to be positive"
        )
    return NonNegative(expression, (sp.Eq(variable, at, evaluate=False),), label)


def square(expression: sp.Expr) -> NonNegative:
    """The square of a real expression.

    Raises:
        ProofError: the expression is not known to be real.
    """
    if not meanings_expanded(expression).is_real:
        raise ProofError(f"{expression} is not known to be real")
    return NonNegative(expression**2, (sp.Eq(expression, 0, evaluate=False),))
