"""What is left of an expression once SymPy has reduced it: zero, for the difference of two sides that are equal.

SymPy simplifies closed expressions well and sums over a symbolic range poorly. So sums are brought to one form first
(constant factors outside, one term each, dummy indices renamed) and then stand as symbols, which SymPy can cancel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import sympy as sp

from emlib.symbolic.integrals import integrated
from emlib.symbolic.matrices import Gradient, MatrixSum
from emlib.symbolic.notation import NamedEntry, NormalDensity, meanings_expanded, with_fresh_indices
from emlib.symbolic.words import (
    Det,
    Loop,
    Words,
    added,
    as_matrix,
    exchanged,
    exchanged_words,
    factored,
    multiplied,
    opened,
    scalars,
    scaled,
    sum_letter,
    trace,
    transposed,
    words,
)

OPERATORS = (sp.Derivative, sp.Subs, sp.Limit, sp.Integral, Gradient)
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
    if isinstance(expression, sp.MatrixBase):
        left = expression.applyfunc(lambda entry: residue(entry, given))
        return sp.Integer(0) if left.is_zero_matrix else left
    # Two sides that agree whatever r_n stands for need not have it written out; a derivative must see inside.
    reduced = _reduced_matrix if isinstance(expression, sp.MatrixExpr) else _reduced
    if not expression.has(*OPERATORS) and reduced(expression, given, keep=(NamedEntry,)) == 0:
        return sp.Integer(0)
    # Nor a density, whose slope is a multiple of it.
    if (
        meanings_expanded(expression, (NormalDensity,)).has(NormalDensity)
        and not expression.has(sp.Integral, sp.Subs, sp.Limit)
        and reduced(expression, given, keep=(NormalDensity,)) == 0
    ):
        return sp.Integer(0)
    return reduced(expression, given)


def _reduced(
    expression: sp.Expr, given: Sequence[sp.Eq], keep: tuple[type[sp.Basic], ...] = ()
) -> sp.Expr:
    def plain(side: sp.Expr) -> sp.Expr:
        return _one_term_chosen(scalars(_plain(side, keep)))

    whole = plain(expression)
    _refuse_what_is_not_exact(whole)
    if _simplified(_together(whole), thorough=False) == 0:
        return sp.Integer(0)
    matrices = _matrices_given(given, keep)
    scalar = [(plain(e.lhs), plain(e.rhs)) for e in given if not isinstance(e.lhs, sp.MatrixExpr)]

    def left_of(expression: sp.Expr, thorough: bool) -> sp.Expr:
        sums = _Sums()
        flat = sp.expand_log(sp.expand(sums.flatten(expression)))
        flat = sums.flatten(exchanged(flat, matrices))
        for known, value in scalar:
            left = sp.expand_log(sp.expand(sums.flatten(known)))
            # Solved for one of its terms; most have one only.
            coefficient, pivot = max(left.as_ordered_terms(), key=sp.count_ops).as_coeff_Mul()
            if not pivot.is_number:
                right = sums.flatten(value) - left + coefficient * pivot
                flat = flat.subs(pivot, right / coefficient)
        left = _simplified(flat, thorough)
        # Put back for a reader; what was not zero stays so, however it reads.
        return sp.Integer(0) if left == 0 else sums.restored(left) or left

    other_way = _other_way_round(whole)
    if other_way != whole and left_of(other_way, thorough=False) == 0:
        return sp.Integer(0)
    return left_of(whole, thorough=not keep)


def _one_term_chosen(expression: sp.Expr) -> sp.Expr:
    """Sums with a Kronecker delta are the one term it leaves, if the index it asks for lies in the range."""
    if not expression.has(sp.KroneckerDelta):
        return expression
    limits = {limit[0]: tuple(limit[1:]) for s in expression.atoms(sp.Sum) for limit in s.limits}

    def chosen(term: sp.Expr, index: sp.Symbol, *bounds: sp.Expr) -> sp.Expr:
        for factor in sp.Mul.make_args(term):
            if isinstance(factor, sp.KroneckerDelta) and index in factor.args:
                (other,) = set(factor.args) - {index}
                if limits.get(other, getattr(other, "range", None)) == bounds:
                    return term.xreplace({index: other})
        return sp.Sum(term, (index, *bounds))

    def term_by_term(function: sp.Expr, limit: sp.Tuple, *others: sp.Tuple) -> sp.Expr:
        if not function.has(sp.KroneckerDelta):
            return sp.Sum(function, limit, *others)
        terms = sp.Add.make_args(sp.expand(function))
        total = sp.Add(*(chosen(term, *limit) for term in terms))
        return sp.Sum(total, *others) if others else total

    return expression.replace(sp.Sum, term_by_term)


def _other_way_round(expression: sp.Expr) -> sp.Expr:
    """Sums of sums with the inner one outside, where its range does not depend on the outer index."""

    def turned(total: sp.Expr, limit: sp.Tuple, *limits: sp.Tuple) -> sp.Expr:
        sums = [part for part in sp.Mul.make_args(total) if isinstance(part, sp.Sum)]
        if limits or len(sums) != 1 or len(sums[0].limits) != 1:
            return sp.Sum(total, limit, *limits)
        ((inner, its_limit),) = [sums[0].args]
        if limit[0] in sp.Tuple(*its_limit[1:]).free_symbols or limit[0] not in inner.free_symbols:
            return sp.Sum(total, limit)
        return sp.Sum(sp.Sum(total / sums[0] * inner, limit), its_limit)

    return expression.replace(sp.Sum, turned)


def _plain(side: sp.Expr, keep: tuple[type[sp.Basic], ...]) -> sp.Expr:
    return with_fresh_indices(evaluated(meanings_expanded(side, keep)))


def _reduced_matrix(
    expression: sp.MatrixExpr, given: Sequence[sp.Eq], keep: tuple[type[sp.Basic], ...] = ()
) -> sp.Expr:
    """The same for a matrix: what is left of the coefficients of its words."""
    part = exchanged_words(words(_plain(expression, keep)), _matrices_given(given, keep))
    scalar = [equation for equation in given if not isinstance(equation.lhs, sp.MatrixExpr)]
    for whole in (part, *_times_what_is_inverted(part)):
        left = {word: _reduced(number, scalar, keep) for word, number in whole.items()}
        left = {word: number for word, number in left.items() if number != 0}
        if not left:
            return sp.Integer(0)
    return as_matrix(part, *expression.shape)


def _times_what_is_inverted(part: Words) -> Iterator[Words]:
    """The words times a sum whose inverse stands first or last in one: it vanishes only if they do."""
    for side in (0, -1):
        letters = {word[side] for word in part if word}
        for letter in letters:
            if letter.inverse and isinstance(letter.base, sp.MatAdd):
                inverted = words(sp.Transpose(letter.base) if letter.transposed else letter.base)
                yield multiplied(inverted, part) if side == 0 else multiplied(part, inverted)


def _matrices_given(
    given: Sequence[sp.Eq], keep: tuple[type[sp.Basic], ...]
) -> dict[sp.MatrixExpr, Words]:
    """Given equations between matrices, each solved for a sum that stands alone in it."""
    known: dict[sp.MatrixExpr, Words] = {}
    for equation in given:
        if isinstance(equation.lhs, sp.MatrixExpr):
            left = exchanged_words(words(_plain(equation.lhs, keep)), known)
            sums = [w for w in left if len(w) == 1 and isinstance(w[0].base, MatrixSum)]
            if not sums:
                raise ProofError(f"{equation}: expected a sum on the left")
            pivot = max(sums, key=lambda word: sp.count_ops(word[0].base.function))
            coefficient = left.pop(pivot)
            right = words(_plain(equation.rhs, keep))
            value = scaled(added(right, scaled(left, sp.Integer(-1))), 1 / coefficient)
            letter = pivot[0]
            known[letter.base] = transposed(value) if letter.transposed else value
    return known


def _refuse_what_is_not_exact(expression: sp.Expr) -> None:
    if expression.has(sp.Float):
        raise ProofError(f"{expression} holds rounded numbers; write them as fractions")
    for total in expression.atoms(sp.Sum):
        if any(bound.is_infinite for limit in total.limits for bound in limit[1:]):
            raise ProofError(f"{total} has no end; whether it may be split is not decided here")


def evaluated(expression: sp.Expr) -> sp.Expr:
    """Derivatives, substitutions, limits, integrals and products carried out, inner ones first; sums left alone."""
    actions: dict[type[sp.Basic], Callable[..., sp.Expr]] = {
        sp.Derivative: _differentiated,
        sp.Subs: _substituted,
        sp.Limit: lambda *arguments: sp.limit(*map(_bare, arguments)),
        sp.Integral: integrated,
        sp.Product: _product,
    }
    return expression.replace(
        lambda part: type(part) in actions, lambda part: actions[type(part)](*part.args)
    )


def _substituted(body: sp.Expr, old: sp.Tuple, new: sp.Tuple) -> sp.Expr:
    return with_fresh_indices(body).xreplace(dict(zip(old, new, strict=True)))


def _product(function: sp.Expr, *limits: sp.Tuple) -> sp.Expr:
    """A product of positive factors is the exponential of a sum of logarithms."""
    if not function.is_positive:
        return sp.Product(function, *limits)
    return sp.exp(sp.Sum(sp.log(function), *limits))


def _differentiated(body: sp.Expr, *variables: sp.Tuple) -> sp.Expr:
    if any(variable[0].is_integer for variable in variables):
        raise ProofError(f"{body} has no slope in an integer such as {variables[0][0]}")
    # The index of a sum is not that of the variable, even when both are called k.
    return sp.diff(scalars(with_fresh_indices(body)), *variables)


def _bare(argument: sp.Basic) -> sp.Basic | str:
    return str(argument) if isinstance(argument, sp.Symbol) and str(argument) in "+-" else argument


def _simplified(expression: sp.Expr, thorough: bool = True) -> sp.Expr:
    """The first of a few rewritings that gives zero, else the shortest of them; cheap ones first."""
    expression, names = _named_numbers(_with_gamma(expression))
    expanded = sp.expand_log(sp.expand(expression))
    attempts = _CHEAP + (_THOROUGH if thorough else ())
    results = []
    for attempt in attempts:
        result = attempt(expanded)
        if result == 0:
            return sp.Integer(0)
        results.append(result)
    return min(results, key=sp.count_ops).xreplace(names)


def _with_gamma(expression: sp.Expr) -> sp.Expr:
    """Factorials and their kin through gamma, and gamma(a + 1) = a gamma(a) applied."""
    if not expression.has(*_FACTORIALS, sp.gamma, sp.polygamma):
        return expression
    for kin in _FACTORIALS:
        expression = expression.replace(kin, lambda *a, kin=kin: kin(*a).rewrite(sp.gamma))
    expression = expression.replace(sp.loggamma, lambda argument: sp.log(sp.gamma(argument)))
    return sp.expand_func(expression)


_FACTORIALS = (sp.factorial, sp.binomial, sp.beta, sp.loggamma)


def _named_numbers(expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Numbers made of matrices as symbols, so that SymPy need not know what they are."""
    # Larger ones first: a determinant may hold a loop.
    names = {
        part: sp.Dummy("t", real=True, positive=part.is_positive)
        for part in sorted(
            expression.atoms(Loop, Det, NormalDensity), key=sp.count_ops, reverse=True
        )
    }
    return expression.xreplace(names), {name: part for part, name in names.items()}


def _over_one_denominator(expression: sp.Expr) -> sp.Expr:
    return sp.expand(sp.expand_log(sp.factor(sp.together(sp.powsimp(expression)))))


def _simplify_logs(expression: sp.Expr) -> sp.Expr:
    return sp.expand_log(sp.simplify(expression))


def _simplify_twice(expression: sp.Expr) -> sp.Expr:
    return sp.simplify(sp.expand(_simplify_logs(expression)))


def _settled(expression: sp.Expr) -> sp.Expr:
    """One exponential a term, its exponent over one denominator; powers of sums likewise."""
    if not expression.has(sp.exp, sp.Pow):
        return expression
    expression = expression.replace(
        lambda part: part.is_Pow and part.base.is_Add and not part.exp.is_Integer,
        lambda part: sp.expand_power_base(sp.factor(sp.together(part.base)) ** part.exp),
    )
    terms = sp.Add.make_args(sp.expand(expression, power_exp=False))
    combined = sp.Add(*(sp.powsimp(term, combine="exp") for term in terms))
    settled = combined.replace(sp.exp, lambda exponent: sp.exp(sp.cancel(exponent)))
    return sp.expand(settled, power_exp=False)


Rewriting: TypeAlias = Callable[[sp.Expr], sp.Expr]
_CHEAP: tuple[Rewriting, ...] = (sp.expand, _over_one_denominator, _settled)
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
            outside, inside = factored(term).as_independent(index, as_Add=False)
            loops = [f for f in sp.Mul.make_args(inside) if isinstance(f, Loop)]
            if (
                len(loops) == 1
            ):  # the sum moves into the trace, around the letters that depend on its index
                fixed, moving = opened(loops[0], index)
                letter = sum_letter(moving, inside / loops[0], index, low, high)
                result += outside * trace({(*fixed, letter): sp.Integer(1)}, letter.base.shape[0])
                continue
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
        # Last, so that sums inside it are put back after it.
        self._meanings.pop(symbol, None)
        self._meanings[symbol] = total
        return symbol
