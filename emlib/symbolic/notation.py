"""Symbols that stand for expressions: the page shows the symbol, the proof sees what it means."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from emlib.symbolic.matrices import Gradient, MatrixSum, quadratic

INDEXED_OVER = (sp.Sum, sp.Product, MatrixSum)
"""What runs over a range of an index."""


class Named(sp.Symbol):  # type: ignore[misc]
    """A symbol with a meaning. Two of one name and different meanings are different symbols."""

    meaning: sp.Expr

    def __new__(cls, latex: str, meaning: Any) -> Named:
        """A symbol as positive or real as its meaning is known to be.

        Raises:
            ValueError: the meaning depends on an index; that is for `named_entry`.
        """
        expression = sp.sympify(meaning)
        plain = meanings_expanded(expression)
        loose = {i for entry in plain.atoms(sp.Indexed) for i in entry.indices} & plain.free_symbols
        if loose:
            raise ValueError(f"{latex} depends on the index {loose}: name it with named_entry")
        facts = {"positive": True} if plain.is_positive else {"real": True}
        symbol: Named = sp.Symbol.__xnew__(cls, latex, **facts)
        symbol.meaning = expression
        return symbol

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.meaning)

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """Those of the meaning too: a derivative of the name is that of what it stands for."""
        symbols: set[sp.Basic] = self.meaning.free_symbols
        return {self} | symbols

    def _eval_derivative_n_times(self, variable: sp.Symbol, times: int) -> sp.Expr:
        if variable == self:
            return sp.Integer(1 if times == 1 else 0)
        return sp.diff(self.meaning, (variable, times))

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Expr:
        return self if old not in self.meaning.free_symbols else self.meaning.subs(old, new)


class NamedMatrix(sp.MatrixSymbol):  # type: ignore[misc]
    """A matrix symbol with a meaning."""

    def __new__(cls, name: Any, rows: Any, columns: Any, meaning: sp.MatrixExpr) -> NamedMatrix:
        """Its parts, as SymPy wants them."""
        label = name if isinstance(name, Str) else Str(name)
        symbol: NamedMatrix = sp.Basic.__new__(cls, label, rows, columns, meaning)
        return symbol

    meaning = property(lambda self: self.args[3])

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """Those of the meaning too."""
        symbols: set[sp.Basic] = self.meaning.free_symbols
        return {self} | symbols

    def doit(self, **hints: Any) -> NamedMatrix:
        """Stays as it is."""
        return self


class FreeIndex(sp.Symbol):  # type: ignore[misc]
    """An index that stands for any one of a range; made by `any_of`."""

    range: tuple[sp.Expr, sp.Expr]

    def __new__(cls, name: str, low: Any, high: Any) -> FreeIndex:
        """An index between two bounds."""
        symbol: FreeIndex = sp.Symbol.__xnew__(cls, name, integer=True)
        symbol.range = (sp.sympify(low), sp.sympify(high))
        return symbol

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.range)


def any_of(name: str, low: Any, high: Any) -> FreeIndex:
    """An index that is not summed over and may be any from low to high.

    A Kronecker delta with it then picks one term out of a sum over that range: the slope of sum_k f(mu_k) in mu_j.
    """
    return FreeIndex(name, low, high)


def named(latex: str, meaning: Any) -> Any:
    """A symbol, written as this LaTeX, that stands for the expression wherever a proof looks."""
    if isinstance(meaning, sp.MatrixExpr):
        rows, columns = meaning.shape
        return NamedMatrix(latex, rows, columns, meaning)
    return Named(latex, meaning)


class NormalDensity(sp.Function):  # type: ignore[misc]
    """N(x | mu, v), the normal density with mean mu and variance v; for columns, with covariance matrix v."""

    nargs = 3
    is_positive = True
    is_real = True
    is_commutative = True

    @property
    def meaning(self) -> sp.Expr:
        """The density written out."""
        x, mean, variance = self.args
        if isinstance(variance, sp.MatrixExpr):
            root = sp.sqrt((2 * sp.pi) ** variance.shape[0] * sp.Determinant(variance))
            return sp.exp(-quadratic(x - mean, sp.Inverse(variance)) / 2) / root
        return sp.exp(-((x - mean) ** 2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)

    @property
    def log(self) -> sp.Expr:
        """The logarithm of the density, up to what does not depend on its arguments."""
        x, mean, variance = self.args
        if isinstance(variance, sp.MatrixExpr):
            inside = quadratic(x - mean, sp.Inverse(variance))
            return -(sp.log(sp.Determinant(variance)) + inside) / 2
        return -(sp.log(variance) + (x - mean) ** 2 / variance) / 2

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """The slope of a density is the density times the slope of its logarithm."""
        place = sp.Dummy(real=True, positive=self.args[argindex - 1].is_positive)
        arguments = list(self.args)
        arguments[argindex - 1] = place
        slope = sp.diff(NormalDensity(*arguments).log, place)
        return self * slope.subs(place, self.args[argindex - 1])

    def _latex(self, printer: LatexPrinter) -> str:
        x, mean, variance = (printer.doprint(argument) for argument in self.args)
        return rf"\mathcal{{N}}({x} \mid {mean}, {variance})"


class NamedEntry(sp.Function):  # type: ignore[misc]
    """A named quantity at an index, such as the responsibility r_n; made by `named_entry`."""

    name: str
    template: sp.Expr
    indices: tuple[sp.Symbol, ...]
    is_real = True

    @property
    def meaning(self) -> sp.Expr:
        """The template at this index."""
        places = dict(zip(self.indices, self.args, strict=True))
        return with_fresh_indices(self.template).xreplace(places)

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """Those of the meaning: a derivative of the entry is that of what it stands for."""
        symbols: set[sp.Basic] = self.meaning.free_symbols
        return symbols

    def _eval_derivative(self, variable: sp.Symbol) -> sp.Expr:
        return sp.diff(self.meaning, variable)

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Expr:
        return self.meaning.subs(old, new)

    def _latex(self, printer: LatexPrinter) -> str:
        return f"{self.name}_{{{''.join(map(printer.doprint, self.args))}}}"


def named_entry(
    latex: str, index: sp.Symbol | tuple[sp.Symbol, ...], meaning: Any
) -> type[NamedEntry]:
    """A function of an index, or of several, that stands for the expression with those."""
    indices = index if isinstance(index, tuple) else (index,)
    expression = sp.sympify(meaning)
    positive = meanings_expanded(expression).is_positive
    facts = {"name": latex, "template": expression, "indices": indices, "is_positive": positive}
    return type(f"Named_{latex}", (NamedEntry,), facts)


def meanings_expanded(expression: sp.Expr, keep: tuple[type[sp.Basic], ...] = ()) -> sp.Expr:
    """The expression with every named symbol replaced by what it stands for, but for kinds to keep."""
    while True:
        expanded = expression.replace(
            lambda part: hasattr(part, "meaning") and not isinstance(part, keep),
            lambda part: part.meaning,
        )
        if expanded == expression:
            return expression
        expression = expanded


def with_fresh_indices(expression: sp.Expr) -> sp.Expr:
    """The expression with an index of its own for each sum, so that nothing put into a sum is captured by it."""
    seen: dict[sp.Basic, sp.Basic] = {}

    def renamed(total: sp.Basic) -> sp.Basic:
        if total not in seen:  # a sum that occurs twice stays one, and may cancel
            function, *limits = total.args
            fresh = {limit[0]: sp.Dummy(limit[0].name, integer=True) for limit in limits}
            bounds = (limit.xreplace(fresh) for limit in limits)
            seen[total] = total.func(function.xreplace(fresh), *bounds)
        return seen[total]

    return expression.replace(lambda part: isinstance(part, INDEXED_OVER), renamed)


class InOrder(sp.Function):  # type: ignore[misc]
    """Terms to be added, kept in the order in which they should be read; made by `in_order`."""

    precedence = PRECEDENCE["Add"]

    @property
    def meaning(self) -> sp.Expr:
        """The sum."""
        return sp.Add(*self.args)

    def _latex(self, printer: LatexPrinter) -> str:
        return _joined([str(printer.doprint(term)) for term in self.args])


def in_order(*terms: Any) -> sp.Expr:
    """The terms added, and printed in this order."""
    return InOrder(*terms)


class BookPrinter(LatexPrinter):  # type: ignore[misc]
    """LaTeX as a book sets it: products from the plain to the composite, one fraction, few parentheses."""

    def _print_Named(self, symbol: Named) -> str:
        return str(symbol.name)

    def _print_Add(self, expression: sp.Add, order: Any = None) -> str:
        """Positive terms first: x - mu, not -mu + x."""
        terms = expression.as_ordered_terms()
        terms = sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))
        return _joined([self.doprint(term) for term in terms])

    def _print_Mul(self, expression: sp.Mul) -> str:
        """A sign, a fraction of plain factors, and what would make a fraction heavy beside it."""
        if expression.could_extract_minus_sign():
            return "- " + self._bracketed(-expression)
        above, below = _numerator_and_denominator(expression)
        if not below:
            return self._product(above)
        light = [factor for factor in above if not _is_heavy(factor)]
        heavy = [factor for factor in above if _is_heavy(factor)]
        if any(factor.has(sp.Sum) for factor in below):
            light, heavy = above, []
        fraction = rf"\frac{{{self._product(light)}}}{{{self._product(below)}}}"
        return f"{fraction} {self._product(heavy, beside=True)}" if heavy else fraction

    def _product(self, factors: list[sp.Expr], beside: bool = False) -> str:
        """Factors side by side; one alone needs brackets only where something stands beside it."""
        if len(factors) == 1 and not beside:
            return str(self.doprint(factors[0]))
        *first, last = [self._bracketed(factor) for factor in sorted(factors, key=_weight)] or ["1"]
        sums = [factor for factor in factors if isinstance(factor, sp.Sum)]
        if len(sums) > 1:
            first = [rf"\left({factor}\right)" if "sum" in factor else factor for factor in first]
        return " ".join([*first, last])

    def _bracketed(self, factor: sp.Expr) -> str:
        return str(self.parenthesize(factor, PRECEDENCE["Mul"], strict=True))

    def _print_Sum(self, expression: sp.Sum) -> str:
        """A sign for each index, the outer one first."""
        signs = (
            rf"\sum_{{{self.doprint(index)}={self.doprint(low)}}}^{{{self.doprint(high)}}}"
            for index, low, high in reversed(expression.limits)
        )
        return " ".join([*signs, self._bracketed(expression.function)])

    def _print_log(self, expression: sp.log, exp: Any = None) -> str:
        """No parentheses around what is one symbol or fraction: log p, not log(p)."""
        (argument,) = expression.args
        inner = self.doprint(argument)
        atomic = isinstance(
            argument, (sp.Symbol, sp.Indexed, NormalDensity, NamedEntry, sp.Determinant)
        )
        body = rf"\log {inner}" if atomic else rf"\log\left({inner}\right)"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _print_Indexed(self, expression: sp.Indexed) -> str:
        """r_{nk} for two indices that are single letters, not r_{n,k}."""
        indices = [self.doprint(index) for index in expression.indices]
        separator = "" if all(len(index) == 1 for index in indices) else ","
        return f"{self.doprint(expression.base)}_{{{separator.join(indices)}}}"

    def _print_MatMul(self, product: sp.MatMul) -> str:
        """A sign or number first, then the matrices in their order."""
        number, matrices = product.as_coeff_matrices()
        if number.could_extract_minus_sign():
            return "- " + self._bracketed(
                sp.MatMul(-number, *matrices) if number != -1 else sp.MatMul(*matrices)
            )
        factors = [self._matrix_factor(matrix) for matrix in matrices]
        return " ".join(([] if number == 1 else [self._bracketed(number)]) + factors)

    def _matrix_factor(self, matrix: sp.MatrixExpr) -> str:
        """SymPy transposes each term of a sum; a reader wants the sum transposed."""
        if isinstance(matrix, sp.MatAdd) and all(term.has(sp.Transpose) for term in matrix.args):
            upright = sp.Transpose(matrix).doit()
            if not upright.has(sp.Transpose):
                return rf"\left({self.doprint(upright)}\right)^{{\top}}"
        return self._bracketed(matrix)

    def _print_MatAdd(self, expression: sp.MatAdd) -> str:
        """Positive terms first."""
        terms = sorted(expression.args, key=_is_subtracted)
        return _joined([self.doprint(term) for term in terms])

    def _print_Transpose(self, expression: sp.Transpose) -> str:
        inner = self.parenthesize(expression.arg, PRECEDENCE["Pow"], strict=True)
        return rf"{inner}^{{\top}}"

    def _print_Trace(self, expression: sp.Trace) -> str:
        return rf"\operatorname{{tr}}\left({self.doprint(expression.arg)}\right)"

    def _print_Identity(self, expression: sp.Identity) -> str:
        return "I"

    def _print_Subs(self, expression: sp.Subs) -> str:
        body, old, new = expression.args
        points = r" ,\, ".join(
            f"{self.doprint(symbol)} = {self.doprint(value)}"
            for symbol, value in zip(old, new, strict=True)
        )
        return rf"\left.{self.doprint(body)}\right|_{{{points}}}"


def latex(expression: Any) -> str:
    """The expression as this book prints it."""
    return str(BookPrinter().doprint(expression))


class PlainPrinter(StrPrinter):  # type: ignore[misc]
    """Plain text for messages: names as in the book, sums in words."""

    def _print(self, expr: Any, **kwargs: Any) -> str:
        # SymPy asks an indexed symbol first how it wants to be printed, and looks past the parents of a function.
        if isinstance(expr, sp.Indexed):
            return self._print_Indexed(expr)
        if isinstance(expr, NamedEntry):
            return self._print_NamedEntry(expr)
        return str(super()._print(expr, **kwargs))

    def _print_Dummy(self, symbol: sp.Dummy) -> str:
        return str(symbol.name)

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return str(symbol.name)

    def _print_Sum(self, expression: sp.Sum) -> str:
        return self._ranged("sum", expression.function, expression.limits)

    def _print_Product(self, expression: sp.Product) -> str:
        return self._ranged("product", expression.function, expression.limits)

    def _print_MatrixSum(self, expression: MatrixSum) -> str:
        return self._ranged("sum", expression.function, [expression.limit])

    def _ranged(self, word: str, function: sp.Basic, limits: Any) -> str:
        places = [
            f"{word}_({i}={a}..{b})" for i, a, b in (map(self.doprint, lim) for lim in limits)
        ]
        return " ".join([*reversed(places), f"[{self.doprint(function)}]"])

    def _print_Indexed(self, expression: sp.Indexed) -> str:
        indices = [self.doprint(index) for index in expression.indices]
        separator = "" if all(len(index) == 1 for index in indices) else ","
        joined = separator.join(indices)
        return (
            f"{self.doprint(expression.base.label)}_{joined if len(joined) < 3 else f'({joined})'}"
        )

    def _print_Derivative(self, expression: sp.Derivative) -> str:
        variables = "".join(f" d/d{self.doprint(variable)}" for variable in expression.variables)
        return f"{variables.strip()} [{self.doprint(expression.expr)}]"

    def _print_Subs(self, expression: sp.Subs) -> str:
        body, old, new = expression.args
        points = (f"{self.doprint(s)} = {self.doprint(v)}" for s, v in zip(old, new, strict=True))
        return f"({self.doprint(body)} at {', '.join(points)})"

    def _print_Gradient(self, expression: Gradient) -> str:
        body, variable = map(self.doprint, expression.args)
        return f"d/d{variable} [{body}]"

    def _print_InOrder(self, expression: InOrder) -> str:
        return f"{self.doprint(expression.args[0])}" + "".join(
            f" - {self.parenthesize(-t, PRECEDENCE['Mul'])}"
            if t.could_extract_minus_sign()
            else f" + {self.doprint(t)}"
            for t in expression.args[1:]
        )

    def _print_NormalDensity(self, density: NormalDensity) -> str:
        x, mean, variance = map(self.doprint, density.args)
        return f"N({x} | {mean}, {variance})"

    def _print_NamedEntry(self, entry: NamedEntry) -> str:
        return f"{getattr(entry, 'name', type(entry).__name__)}_{''.join(map(self.doprint, entry.args))}"

    def _print_Relational(self, relation: sp.Rel) -> str:
        return f"{self.doprint(relation.lhs)} {relation.rel_op.replace('==', '=')} {self.doprint(relation.rhs)}"


def readable(expression: Any) -> str:
    """The expression as plain text, for a message."""
    return str(PlainPrinter({"order": "none"}).doprint(expression)).replace("**", "^")


def _joined(terms: list[str]) -> str:
    """Terms with a plus between them, but for those that begin with a minus."""
    signed = (f"- {t[1:].lstrip()}" if t.startswith("-") else f"+ {t}" for t in terms[1:])
    return " ".join([terms[0], *signed])


def _is_subtracted(term: sp.MatrixExpr) -> bool:
    return isinstance(term, sp.MatMul) and bool(
        term.as_coeff_matrices()[0].could_extract_minus_sign()
    )


def _numerator_and_denominator(product: sp.Expr) -> tuple[list[sp.Expr], list[sp.Expr]]:
    above, below = [], []
    for factor in sp.Mul.make_args(product):
        base, exponent = factor.as_base_exp()
        if isinstance(factor, sp.Rational):
            above += [sp.Integer(factor.p)] if factor.p != 1 else []
            below += [sp.Integer(factor.q)] if factor.q != 1 else []
        elif exponent.could_extract_minus_sign() and base != sp.E:
            below.append(base if exponent == -1 else sp.Pow(base, -exponent, evaluate=False))
        else:
            above.append(factor)
    return above, below


def _is_heavy(factor: sp.Expr) -> bool:
    """Whether a factor reads better beside a fraction than in its numerator."""
    return bool(
        factor.has(sp.Sum, sp.log, sp.Derivative)
        or (len(factor.args) > 2 and not factor.is_Function)
    )


def _weight(factor: sp.Expr) -> tuple[int, bool, bool, bool]:
    """Numbers, then symbols, then indexed quantities, then brackets, then functions, then sums."""
    base = factor if isinstance(factor, sp.exp) else factor.as_base_exp()[0]
    kinds = (
        (sp.Number, sp.NumberSymbol),
        (sp.Symbol, NamedEntry),
        (sp.Indexed, NormalDensity),
        (sp.Add, InOrder),
        (sp.Function,),
    )
    kind = next((n for n, types in enumerate(kinds) if isinstance(base, types)), len(kinds))
    return kind, not base.is_Number, not base.is_integer, not base.is_positive
