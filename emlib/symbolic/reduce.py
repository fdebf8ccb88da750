"""What is left of an expression once SymPy has reduced it: zero, for the difference of two sides that are equal.

SymPy simplifies closed expressions well and sums over a symbolic range poorly. So sums are brought to one form first
(constant factors outside, one term each, dummy indices renamed) and then stand as symbols, which SymPy can cancel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeAlias

import sympy as sp

from emlib.symbolic.notation import NamedEntry, meanings_expanded, with_fresh_indices

OPERATORS = (sp.Derivative, sp.Subs, sp.Limit, sp.Integral)
"""What must see the meaning of a name before it acts."""


class ProofError(ArithmeticError):
    """A claim that does not hold, or that could not be shown to hold."""


def residue(expression: sp.Expr, given: Sequence[sp.Eq] = ()) -> sp.Expr:
    """Zero when the expression is proved to vanish under the given equations, else what could not be reduced.

    It vanishes as a formula: wherever all of its parts are defined. Each given equation has a sum on its left, for
    instance Eq(Sum(q[k], (k, 1, K)), 1).

    Raises:
        ProofError: the expression holds what this reduction is not made for: rounded numbers, infinite sums, a slope
            in an integer.
    """
    # Two sides that agree whatever r_n stands for need not have it written out; a derivative must see inside.
    if not expression.has(*OPERATORS) and _reduced(expression, given, keep=(NamedEntry,)) == 0:
        return sp.Integer(0)
    return _reduced(expression, given)


def _reduced(
    expression: sp.Expr, given: Sequence[sp.Eq], keep: tuple[type[sp.Basic], ...] = ()
) -> sp.Expr:
    def plain(side: sp.Expr) -> sp.Expr:
        return with_fresh_indices(evaluated(meanings_expanded(side, keep)))

    whole = plain(expression)
    _refuse_what_is_not_exact(whole)
    if _simplified(_together(whole), thorough=False) == 0:
        return sp.Integer(0)
    sums = _Sums()
    flat = sp.expand_log(sp.expand(sums.flatten(whole)))
    for equation in given:
        flat = flat.subs(sums.flatten(plain(equation.lhs)), plain(equation.rhs))
    left = _simplified(flat, thorough=not keep)
    return sp.Integer(0) if left == 0 else sums.restored(left)


def _refuse_what_is_not_exact(expression: sp.Expr) -> None:
    if expression.has(sp.Float):
        raise ProofError(f"{expression} holds rounded numbers; write them as fractions")
    for total in expression.atoms(sp.Sum):
        if any(bound.is_infinite for limit in total.limits for bound in limit[1:]):
            raise ProofError(f"{total} has no end; whether it may be split is not decided here")


def evaluated(expression: sp.Expr) -> sp.Expr:
    """Derivatives, substitutions and limits carried out, inner ones first; sums left alone."""
    expression = expression.replace(sp.Derivative, _differentiated)
    expression = expression.replace(
        sp.Subs,
        lambda body, old, new: with_fresh_indices(body).xreplace(dict(zip(old, new, strict=True))),
    )
    return expression.replace(sp.Limit, lambda *arguments: sp.limit(*map(_bare, arguments)))


def _differentiated(body: sp.Expr, *variables: sp.Tuple) -> sp.Expr:
    if any(variable[0].is_integer for variable in variables):
        raise ProofError(f"{body} has no slope in an integer such as {variables[0][0]}")
    return sp.diff(body, *variables)


def _bare(argument: sp.Basic) -> sp.Basic | str:
    return str(argument) if isinstance(argument, sp.Symbol) and str(argument) in "+-" else argument


def _simplified(expression: sp.Expr, thorough: bool = True) -> sp.Expr:
    """The first of a few rewritings that gives zero, else the shortest of them; cheap ones first."""
    expanded = sp.expand_log(sp.expand(expression))
    attempts = _CHEAP + (_THOROUGH if thorough else ())
    results = []
    for attempt in attempts:
        result = attempt(expanded)
        if result == 0:
            return sp.Integer(0)
        results.append(result)
    return min(results, key=sp.count_ops)


def _over_one_denominator(expression: sp.Expr) -> sp.Expr:
    return sp.expand(sp.expand_log(sp.factor(sp.together(sp.powsimp(expression)))))


def _simplify_logs(expression: sp.Expr) -> sp.Expr:
    return sp.expand_log(sp.simplify(expression))


def _simplify_twice(expression: sp.Expr) -> sp.Expr:
    return sp.simplify(sp.expand(_simplify_logs(expression)))


Rewriting: TypeAlias = Callable[[sp.Expr], sp.Expr]
_CHEAP: tuple[Rewriting, ...] = (sp.expand, _over_one_denominator)
_THOROUGH: tuple[Rewriting, ...] = (_simplify_logs, _simplify_twice)


def _together(expression: sp.Expr) -> sp.Expr:
    """Sums over one range gathered into one sum, which is dropped when its summand vanishes."""
    places: dict[tuple[sp.Expr, sp.Expr], sp.Symbol] = {}
    gathered: dict[tuple[sp.Expr, sp.Expr], sp.Expr] = defaultdict(lambda: sp.Integer(0))
    rest = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(expression)):
        factors = sp.Mul.make_args(term)
        sums = [factor for factor in factors if isinstance(factor, sp.Sum)]
        if len(sums) != 1 or len(sums[0].limits) != 1:
            rest += term
            continue
        (total,) = sums
        index, low, high = total.limits[0]
        place = places.setdefault((low, high), sp.Dummy("i", integer=True))
        coefficient = sp.Mul(*(factor for factor in factors if factor is not total))
        gathered[low, high] += coefficient * total.function.xreplace({index: place})
    for (low, high), summand in gathered.items():
        inside = _simplified(_together(summand), thorough=False)
        if inside != 0:
            rest += sp.Sum(inside, (places[low, high], low, high))
    return rest


class _Sums:
    """Sums in one form, each standing as a symbol of its own.

    Every sum must have an index of its own (`with_fresh_indices`): then a dummy that is free in a sum is the index of
    a sum around it, and the symbol is indexed by it.
    """

    def __init__(self) -> None:
        self._bases: dict[tuple[sp.Basic, ...], sp.IndexedBase] = {}
        self._meanings: dict[sp.Basic, sp.Sum] = {}
        self._places: list[sp.Dummy] = []

    def flatten(self, expression: sp.Expr) -> sp.Expr:
        """Every sum of the expression, inner ones first, replaced by a symbol."""
        return expression.replace(lambda part: isinstance(part, sp.Sum), self._split)

    def restored(self, expression: sp.Expr) -> sp.Expr:
        """The sums put back, for a reader."""
        for symbol, total in reversed(self._meanings.items()):
            expression = expression.xreplace({symbol: total})
        return expression.replace(
            lambda part: isinstance(part, sp.Dummy), lambda part: sp.Symbol(part.name, integer=True)
        )

    def _split(self, total: sp.Sum) -> sp.Expr:
        """A sum of terms as a sum of sums, with constant factors outside."""
        (index, low, high), *outer = total.limits
        result = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(sp.expand_log(sp.expand(total.function)))):
            outside, inside = term.as_independent(index, as_Add=False)
            count = high - low + 1
            result += outside * (count if inside == 1 else self._symbol(inside, index, low, high))
        return self._split(sp.Sum(result, *outer)) if outer else result

    def _symbol(self, inside: sp.Expr, index: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Indexed:
        inside = sp.powsimp(sp.factor_terms(inside))
        total = sp.Sum(inside, (index, low, high))
        around = sorted(
            total.free_symbols & total.atoms(sp.Dummy), key=lambda s: (s.name, s.dummy_index)
        )
        while len(self._places) <= len(around):
            self._places.append(sp.Dummy("place", integer=True))
        numbered = dict(zip([index, *around], self._places, strict=False))
        key = (inside.xreplace(numbered), low.xreplace(numbered), high.xreplace(numbered))
        if key not in self._bases:
            facts = {"positive": True} if inside.is_positive else {"real": True}
            self._bases[key] = sp.IndexedBase(sp.Dummy("S", **facts))
        symbol = self._bases[key][tuple(around) or (sp.Integer(0),)]
        self._meanings[symbol] = total
        return symbol
