"""Numbers put in for the symbols of a claim: what differs there beyond doubt is false, and refused at once.

This only ever refuses. Sums are written out for a few terms, matrices are small, slopes are differences. Symbols keep
their assumptions, and the given equations hold at the point: where they cannot be solved, nothing is said.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import mpmath
import sympy as sp
from sympy.core.function import AppliedUndef

from emlib.symbolic.matrices import (
    Gradient,
    IndexedMatrix,
    MatrixSum,
    Number,
    PositiveDefinite,
    PositiveDefiniteEntry,
    Symmetric,
    SymmetricEntry,
)
from emlib.symbolic.notation import NamedEntry, meanings_expanded, readable

Value: TypeAlias = Any
"""An mpmath number or matrix."""

DIGITS = 30
POINTS = 2
ATTEMPTS = 8


class UndecidedError(ArithmeticError):
    """No number can be given, or none that says anything."""


class OutOfDomainError(UndecidedError):
    """A logarithm or root of a number that has none."""


NO_NUMBER = (ArithmeticError, ValueError, TypeError, LookupError, AttributeError)
"""What may happen on the way to a number, and then says nothing about the claim."""


@dataclass(frozen=True)
class Difference:
    """A point at which two expressions differ, and what they are there."""

    point: str
    left: Value
    right: Value

    def __str__(self) -> str:
        left, right = _short(self.left), _short(self.right)
        if right == "nan":
            return f"at {self.point} the left side is {left} and the right side no real number"
        gap = _short(self.left - self.right)
        return f"at {self.point} the left side is {left} and the right side {right}; the difference is {gap}"


def difference(
    left: sp.Expr, right: sp.Expr, given: Sequence[sp.Eq] = (), relation: str = "="
) -> Difference | None:
    """A point where the relation fails beyond doubt; None if none of a few has been found."""
    compared = without_value = 0
    exact = not any(side.has(sp.Integral) for side in (left, right))
    tolerance = mpmath.mpf(10) ** (-9 if exact else -4)
    for seed in range(ATTEMPTS):
        try:
            with mpmath.workdps(DIGITS if exact else 15):
                start, a = _start(left, tuple(given), seed, mpmath.mp.dps)
                point = start.copy()
                try:
                    b = point.value(right)
                except OutOfDomainError:
                    without_value += 1
                    continue
                gap = a - b
                size = max(_size(a), _size(b), mpmath.mpf(10) ** -3)
                wrong = {"=": _size(gap), r"\ge": -_real(gap), r"\le": _real(gap)}[relation]
                if not mpmath.isfinite(size) or not mpmath.isfinite(wrong):
                    continue
                if wrong > tolerance * size:
                    return Difference(point.shown(), a, b)
        except NO_NUMBER:
            continue
        compared += 1
        if compared == POINTS:
            return None
    if without_value > ATTEMPTS // 4 and not compared:
        return Difference(point.shown(), a, mpmath.nan)
    return None


@lru_cache(maxsize=64)
def _start(left: sp.Expr, given: tuple[sp.Eq, ...], seed: int, digits: int) -> tuple[Point, Value]:
    """A point where the given equations hold, and the left side there: one for all slips of the right side."""
    del digits  # the precision belongs to what is remembered
    point = Point(seed)
    point.satisfy(given)
    return point, point.value(left)


def agree(left: sp.Expr, right: sp.Expr, given: Sequence[sp.Eq] = ()) -> bool:
    """Whether the two are one number at each of a few points, and numbers there at all."""
    agreed = 0
    for seed in range(100, 100 + 4 * ATTEMPTS):
        point = Point(seed)
        try:
            with mpmath.workdps(DIGITS):
                point.satisfy(given)
                a, b = point.value(left), point.value(right)
                if (
                    _size(a - b)
                    > mpmath.mpf(10) ** -9 * (_size(a) + _size(b)) + mpmath.mpf(10) ** -12
                ):
                    return False
        except NO_NUMBER:
            continue
        agreed += 1
    return agreed > POINTS


class Point:
    """Numbers for symbols, drawn when they are asked for."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        # Some symbols are probabilities without saying so: every other point has small numbers only.
        self._largest = 0.95 if seed % 2 else 2.5
        self._values: dict[Any, Value] = {}
        self._indices: dict[sp.Basic, int] = {}
        self._known: dict[Any, Value] = {}
        """Values of parts, as long as no symbol changes its value."""

    def copy(self) -> Point:
        """Another point, the same so far."""
        other = Point(0)
        other._random.setstate(self._random.getstate())
        other._largest = self._largest
        other._values, other._known = dict(self._values), dict(self._known)
        return other

    # ---- drawing ------------------------------------------------------------------------------

    def _number(self, like: sp.Expr) -> Value:
        """A number that keeps the assumptions of a symbol."""
        size = mpmath.mpf(self._random.randint(100, int(1000 * self._largest))) / 1000
        if like.is_integer:
            low = 1 if like.is_positive or like.is_positive is None else 0
            whole = self._random.randint(low if like.is_zero is None else 1, 3)
            return mpmath.mpf(-whole if like.is_negative else whole)
        if like.is_positive or like.is_nonnegative:
            return size
        if like.is_negative or like.is_nonpositive:
            return -size
        return size * self._random.choice((-1, 1))

    def _drawn(self, key: Any, like: sp.Expr) -> Value:
        if key not in self._values:
            low, high = getattr(like, "range", (None, None))
            if low is not None:
                self._values[key] = mpmath.mpf(
                    self._random.randint(self.whole(low), self.whole(high))
                )
            elif like.is_integer and like.is_positive and isinstance(like, sp.Symbol):
                self._values[key] = mpmath.mpf(self._random.randint(2, 3))
            else:
                self._values[key] = self._number(like)
        return self._values[key]

    def _drawn_matrix(self, key: Any, matrix: sp.MatrixExpr) -> Value:
        if key not in self._values:
            rows, columns = map(self.whole, matrix.shape)
            entries = mpmath.matrix(rows, columns)
            for i in range(rows):
                for j in range(columns):
                    entries[i, j] = self._number(sp.Symbol("a", real=True))
            if isinstance(matrix, (PositiveDefinite, PositiveDefiniteEntry)):
                entries = entries * entries.T + mpmath.eye(rows)
            elif isinstance(matrix, (Symmetric, SymmetricEntry)):
                entries = (entries + entries.T) / 2
            self._values[key] = entries
        return self._values[key]

    # ---- evaluating ---------------------------------------------------------------------------

    def whole(self, expression: sp.Expr) -> int:
        """The value of an integer expression."""
        value = self.value(expression)
        if value != int(value):
            raise UndecidedError(f"{expression} is no whole number")
        return int(value)

    def value(self, part: sp.Basic) -> Value:
        """The value of an expression."""
        if part in self._indices:
            return mpmath.mpf(self._indices[part])
        if not part.args and not hasattr(part, "meaning"):
            return self._computed(part)
        places = [(i, at) for i, at in self._indices.items() if i in _symbols(part)]
        key = (part, *places)
        if key not in self._known:
            self._known[key] = self._computed(part)
        return self._known[key]

    def _computed(self, part: sp.Basic) -> Value:
        if isinstance(part, NamedEntry) and hasattr(part, "template"):
            with ExitStack() as together:
                for index, at in zip(part.indices, map(self.whole, part.args), strict=True):
                    together.enter_context(_held(self._indices, index, at))
                return self.value(part.template)
        if hasattr(part, "meaning"):
            return self.value(_meaning(part))
        if isinstance(part, (sp.Rational, sp.Integer)):
            return mpmath.mpf(part.p) / part.q
        if isinstance(part, sp.NumberSymbol):
            return part._to_mpmath(mpmath.mp.prec + 10)
        if isinstance(part, sp.Symbol):
            return self._drawn(part, part)
        if isinstance(part, sp.Indexed):
            return self._drawn(self._entry(part), part)
        if isinstance(part, sp.MatrixExpr):
            return self._matrix(part)
        if isinstance(part, sp.Add):
            return mpmath.fsum(self.value(term) for term in part.args)
        if isinstance(part, sp.Mul):
            return mpmath.fprod(self.value(factor) for factor in part.args)
        if isinstance(part, sp.Pow):
            return self._power(*map(self.value, part.args))
        if isinstance(part, (sp.Sum, sp.Product)):
            total = mpmath.fsum if isinstance(part, sp.Sum) else mpmath.fprod
            return total(self._ranged(part.function, part.limits))
        if isinstance(part, sp.Derivative):
            return self._slope(part.expr, list(part.variables))
        if isinstance(part, sp.Subs):
            return self._at(*part.args)
        if isinstance(part, sp.Integral):
            return self._integral(part.function, part.limits)
        if isinstance(part, Number):
            return self.value(part.args[0])[0, 0]
        if isinstance(part, sp.Trace):
            matrix = self.value(part.arg)
            return mpmath.fsum(matrix[i, i] for i in range(matrix.rows))
        if isinstance(part, sp.Determinant):
            return mpmath.det(self.value(part.arg))
        if isinstance(part, sp.KroneckerDelta):
            left, right = map(self.value, part.args)
            return mpmath.mpf(left == right)
        if isinstance(part, AppliedUndef):
            return self._unknown(part)
        if isinstance(part, sp.Function) and type(part).__name__ in _FUNCTIONS:
            return _FUNCTIONS[type(part).__name__](*map(self.value, part.args))
        if isinstance(part, sp.Function):
            return self._drawn((type(part), *map(self.value, part.args)), _plain_like(part))
        raise UndecidedError(f"{part}: a {type(part).__name__} has no number here")

    @contextmanager
    def _where(self, key: Any, value: Value) -> Iterator[None]:
        """Another value for a symbol, for a while."""
        known, self._known = self._known, {}
        try:
            with _held(self._values, key, value):
                yield
        finally:
            self._known = known

    def _entry(self, entry: sp.Indexed) -> tuple[Any, ...]:
        return (entry.base, *(self.whole(index) for index in entry.indices))

    def _ranged(self, function: sp.Expr, limits: Sequence[sp.Tuple]) -> Iterator[Value]:
        if not limits:
            yield self.value(function)
            return
        *inner, (index, low, high) = limits
        if any(bound.is_infinite for bound in (low, high)):
            raise UndecidedError("a sum without end")
        for i in range(self.whole(low), self.whole(high) + 1):
            with _held(self._indices, index, i):
                yield from self._ranged(function, inner)

    def _power(self, base: Value, exponent: Value) -> Value:
        if exponent == int(exponent):
            return base ** int(exponent)
        if base < 0:
            raise OutOfDomainError("a root of a negative number")
        return base**exponent

    def _key(self, variable: sp.Expr) -> Any:
        return self._entry(variable) if isinstance(variable, sp.Indexed) else variable

    def _slope(self, body: sp.Expr, variables: list[sp.Expr]) -> Value:
        if any(_is_opaque(part) for part in meanings_expanded(body).atoms(sp.Function)):
            # Its slope is a function of its own, known only by the rule for it.
            return self.value(_slope_by_rules(body, tuple(variables)))
        *others, variable = variables
        at, key = self.value(variable), self._key(variable)

        def along(value: Value) -> Value:
            with self._where(key, value):
                return self._slope(body, others) if others else self.value(body)

        return mpmath.diff(along, at)

    def _at(self, body: sp.Expr, old: sp.Tuple, new: sp.Tuple) -> Value:
        keys = [self._key(symbol) for symbol in old]
        values = [self.value(value) for value in new]
        with ExitStack() as together:
            for key, value in zip(keys, values, strict=True):
                together.enter_context(self._where(key, value))
            return self.value(body)

    def _integral(self, function: sp.Expr, limits: Sequence[sp.Tuple]) -> Value:
        *inner, (variable, low, high) = limits

        def along(value: Value) -> Value:
            with self._where(variable, value):
                return self._integral(function, inner) if inner else self.value(function)

        bounds = [_INFINITIES.get(b) or self.value(b) for b in (low, high)]
        if bounds == [-mpmath.inf, mpmath.inf]:
            bounds = [-mpmath.inf, -3, 0, 3, mpmath.inf]
        return mpmath.quad(along, bounds, maxdegree=5)

    def _unknown(self, part: AppliedUndef) -> Value:
        """A smooth function of its arguments that nothing else is like."""
        name = part.func
        shape = [
            self._drawn((name, i), sp.Symbol("a", positive=True)) for i in range(len(part.args) + 1)
        ]
        inside = shape[0] + mpmath.fsum(
            a * self.value(x) for a, x in zip(shape[1:], part.args, strict=True)
        )
        return (
            mpmath.exp(mpmath.sin(inside))
            if part.is_positive
            else mpmath.sin(inside) + inside**2 / 3
        )

    def _matrix(self, part: sp.MatrixExpr) -> Value:
        if isinstance(part, sp.MatrixSymbol):
            return self._drawn_matrix(part, part)
        if isinstance(part, IndexedMatrix):
            return self._drawn_matrix((type(part), part.name, self.whole(part.index)), part)
        if isinstance(part, sp.Identity):
            return mpmath.eye(self.whole(part.shape[0]))
        if isinstance(part, sp.ZeroMatrix):
            return mpmath.zeros(*map(self.whole, part.shape))
        if isinstance(part, sp.MatAdd):
            return _folded([self.value(term) for term in part.args], lambda a, b: a + b)
        if isinstance(part, sp.MatMul):
            number, factors = part.as_coeff_matrices()
            product = _folded([self.value(factor) for factor in factors], lambda a, b: a * b)
            return self.value(number) * product
        if isinstance(part, sp.Transpose):
            return self.value(part.arg).T
        if isinstance(part, sp.Inverse):
            return mpmath.inverse(self.value(part.arg))
        if isinstance(part, sp.MatPow):
            return self.value(part.base) ** self.whole(part.exp)
        if isinstance(part, MatrixSum):
            terms = list(self._ranged(part.function, [part.limit]))
            zero = mpmath.zeros(*map(self.whole, part.shape))
            return _folded([zero, *terms], lambda a, b: a + b)
        if isinstance(part, Gradient):
            return self._gradient(*part.args)
        raise UndecidedError(f"{part}: a {type(part).__name__} has no number here")

    def _gradient(self, function: sp.Expr, variable: sp.MatrixExpr) -> Value:
        at = self.value(variable)
        key = variable
        if isinstance(variable, IndexedMatrix):
            key = (type(variable), variable.name, self.whole(variable.index))
        slopes = mpmath.zeros(at.rows, at.cols)
        for i in range(at.rows):
            for j in range(at.cols):
                step = mpmath.zeros(at.rows, at.cols)
                step[i, j] = 1
                if isinstance(variable, (Symmetric, SymmetricEntry)):
                    step = (step + step.T) / 2

                def along(t: Value, step: Value = step) -> Value:
                    with self._where(key, at + t * step):
                        return self.value(function)

                slopes[i, j] = mpmath.diff(along, 0)
        return slopes

    # ---- given equations ----------------------------------------------------------------------

    def satisfy(self, given: Sequence[sp.Eq]) -> None:
        """Change numbers so that the equations hold.

        Raises:
            UndecidedError: they do not.
        """
        for equation in given:
            self._solve(equation, [e.lhs for e in given])
        for equation in given:
            left, right = self.value(equation.lhs), self.value(equation.rhs)
            if _size(left - right) > mpmath.mpf(10) ** -12 * (1 + _size(left)):
                raise UndecidedError(f"{equation} could not be solved")

    def _solve(self, equation: sp.Eq, lefts: Sequence[sp.Expr]) -> None:
        """By a symbol of the right side, which then is what the left says; else by scaling what is summed."""
        left, right = equation.args
        known = set().union(*(side.free_symbols for side in lefts))
        for symbol in sorted(right.free_symbols - known, key=str):
            if symbol in self._values or symbol.is_integer:
                continue
            start = self.value(symbol)
            zero = start * 0
            one = start * 0 + 1
            with self._where(symbol, zero):
                constant = self.value(right)
            with self._where(symbol, one):
                ones = self.value(right) - constant
            scale = ones[0, 0] if isinstance(ones, mpmath.matrix) else ones
            if scale == 0:
                continue
            solution = (self.value(left) - constant) / scale
            if symbol.is_positive and not solution > 0:
                raise UndecidedError(f"{symbol} would not be positive")
            self._values[symbol] = solution
            self._known.clear()
            return
        total, target = self.value(left), self.value(right)
        if isinstance(total, mpmath.matrix):
            return
        elsewhere = {e.base for side in lefts if side != left for e in side.atoms(sp.Indexed)}
        bases = {entry.base for entry in left.atoms(sp.Indexed)}
        if len(bases) == 1 and total != 0 and target != 0:
            # Every entry of one family scaled: a distribution sums to one.
            for key in [k for k in self._values if isinstance(k, tuple) and k[0] in bases]:
                self._values[key] *= target / total
        else:
            keys = [k for k in self._values if isinstance(k, tuple) and k[0] in bases - elsewhere]
            for key in keys[:1]:
                with self._where(key, mpmath.mpf(0)):
                    constant = self.value(left)
                with self._where(key, mpmath.mpf(1)):
                    scale = self.value(left) - constant
                self._values[key] = (target - constant) / scale
        self._known.clear()

    def shown(self) -> str:
        """The numbers, for a reader."""
        names: list[Any] = []
        for key, value in self._values.items():
            if isinstance(key, tuple):
                head, *indices = key[1:] if isinstance(key[1], str) else key
                name = f"{readable(head)}_{''.join(map(_short, indices))}"
            else:
                name = readable(key)
            names.append((len(names), name, value))
        return ", ".join(f"{name} = {_short(value, 4)}" for _, name, value in names[:12])


@contextmanager
def _held(values: dict[Any, Any], key: Any, value: Any) -> Iterator[None]:
    """A value for a while."""
    before = values.get(key)
    values[key] = value
    try:
        yield
    finally:
        if before is None:
            del values[key]
        else:
            values[key] = before


def _is_opaque(part: sp.Function) -> bool:
    """A function of which nothing is known but its name and its slopes."""
    return not isinstance(part, (AppliedUndef, sp.KroneckerDelta)) and (
        type(part).__name__ not in _FUNCTIONS
    )


def _plain_like(part: sp.Function) -> sp.Symbol:
    """A symbol with the sign of the function."""
    return sp.Symbol("f", positive=True) if part.is_positive else sp.Symbol("f", real=True)


@lru_cache(maxsize=4096)
def _symbols(part: sp.Basic) -> frozenset[sp.Basic]:
    # SymPy does not count the variable of a slope among them, though its index may move.
    return frozenset(part.free_symbols | part.atoms(sp.Symbol))


@lru_cache(maxsize=1024)
def _slope_by_rules(body: sp.Expr, variables: tuple[sp.Expr, ...]) -> sp.Expr:
    return sp.diff(meanings_expanded(body), *variables)


@lru_cache(maxsize=4096)
def _meaning(part: sp.Basic) -> sp.Expr:
    meaning: sp.Expr = part.meaning
    return meaning


def _folded(values: list[Value], combine: Any) -> Value:
    result = values[0]
    for value in values[1:]:
        result = combine(result, value)
    return result


def _size(value: Value) -> Value:
    if isinstance(value, mpmath.matrix):
        return max(abs(entry) for entry in value)
    return abs(_real(value))


def _real(value: Value) -> Value:
    if isinstance(value, mpmath.mpc):
        raise UndecidedError("a number that is not real")
    return value


def _short(value: Value, digits: int = 6) -> str:
    if isinstance(value, mpmath.matrix):
        rows = (
            "[" + ", ".join(_short(entry, digits) for entry in row) + "]" for row in value.tolist()
        )
        return "[" + ", ".join(rows) + "]"
    if mpmath.isint(value):
        return str(int(value))
    return str(mpmath.nstr(value, digits))


def _log(value: Value) -> Value:
    if value <= 0:
        raise OutOfDomainError("a logarithm of a number that is not positive")
    return mpmath.log(value)


_INFINITIES = {sp.oo: mpmath.inf, -sp.oo: -mpmath.inf}
_FUNCTIONS = {
    "log": _log,
    "polygamma": lambda order, x: mpmath.psi(int(order), x),
    "digamma": mpmath.digamma,
    "Abs": abs,
    "Max": max,
    "Min": min,
    **{
        name: getattr(mpmath, name)
        for name in (
            *("exp", "gamma", "loggamma", "factorial", "binomial", "beta", "sin", "cos", "tan"),
            *("sinh", "cosh", "tanh", "atan", "erf", "erfc", "sign", "floor", "lambertw", "zeta"),
        )
    },
}
