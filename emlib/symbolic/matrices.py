"""Vectors and matrices of any size: the symbols, sums, numbers and slopes that a derivation is written with.

    d, N = sp.symbols("d N", integer=True, positive=True)
    x, mu = vectors("x", d), vector("mu", d)
    Lambda = positive_definite("Lambda", d)
    distances = sp.Sum(quadratic(x[n] - mu, Lambda), (n, 1, N))
    Derivation("eq-slope", gradient(distances, mu)).equals(...)

SymPy's own `Inverse`, `Transpose`, `Trace`, `Determinant` and `Identity` are used as they are. What two such
expressions have in common is decided in `emlib.symbolic.words`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.printing.latex import LatexPrinter
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter


class Symmetric(sp.MatrixSymbol):  # type: ignore[misc]
    """A square matrix that is its own transpose; made by `symmetric`."""

    def _eval_transpose(self) -> Symmetric:
        return self


class PositiveDefinite(Symmetric):
    """A symmetric matrix with positive eigenvalues; made by `positive_definite`."""


def vector(name: str, size: Any) -> sp.MatrixSymbol:
    """A column of numbers."""
    return sp.MatrixSymbol(name, size, 1)


def symmetric(name: str, size: Any) -> Symmetric:
    """A symmetric matrix."""
    return Symmetric(name, size, size)


def positive_definite(name: str, size: Any) -> PositiveDefinite:
    """A symmetric, positive definite matrix."""
    return PositiveDefinite(name, size, size)


class IndexedMatrix(sp.MatrixExpr):  # type: ignore[misc]
    """One of a family of matrices, such as the observation x_n; made by `vectors` and `matrices`."""

    def __new__(cls, name: Any, index: Any, rows: Any, columns: Any) -> IndexedMatrix:
        """A new one, its parts as SymPy wants them."""
        label = name if isinstance(name, Str) else Str(str(name))
        matrix: IndexedMatrix = sp.Basic.__new__(
            cls, label, *map(sp.sympify, (index, rows, columns))
        )
        return matrix

    name = property(lambda self: self.args[0].name)
    index = property(lambda self: self.args[1])
    shape = property(lambda self: self.args[2:])

    def _latex(self, printer: LatexPrinter) -> str:
        return f"{printer.doprint(sp.Symbol(self.name))}_{{{printer.doprint(self.index)}}}"

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"{self.name}[{printer.doprint(self.index)}]"


class SymmetricEntry(IndexedMatrix):
    """A symmetric matrix of a family."""

    def _eval_transpose(self) -> SymmetricEntry:
        return self


class PositiveDefiniteEntry(SymmetricEntry):
    """A positive definite matrix of a family."""


class Family:
    """Matrices of one shape, told apart by an index: x[n]."""

    def __init__(self, kind: type[IndexedMatrix], name: str, rows: Any, columns: Any) -> None:
        self._kind, self._name, self._shape = kind, name, (rows, columns)

    def __getitem__(self, index: Any) -> IndexedMatrix:
        return self._kind(self._name, index, *self._shape)


def vectors(name: str, size: Any) -> Family:
    """A family of columns: x[n] is the n-th."""
    return Family(IndexedMatrix, name, size, 1)


def positive_definites(name: str, size: Any) -> Family:
    """A family of positive definite matrices: Sigma[k] is the k-th."""
    return Family(PositiveDefiniteEntry, name, size, size)


class MatrixSum(sp.MatrixExpr):  # type: ignore[misc]
    """Matrices added over a range of an index: sum_n x_n x_n'."""

    precedence = PRECEDENCE["Mul"]

    def __new__(cls, function: Any, limit: Any) -> MatrixSum:
        """Its parts, as SymPy wants them."""
        total: MatrixSum = sp.Basic.__new__(cls, function, sp.Tuple(*limit))
        return total

    function = property(lambda self: self.args[0])
    limit = property(lambda self: self.args[1])
    shape = property(lambda self: self.function.shape)

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """All but the index."""
        index, low, high = self.limit
        symbols: set[sp.Basic] = self.function.free_symbols - {index}
        symbols |= low.free_symbols | high.free_symbols
        return symbols

    def _latex(self, printer: LatexPrinter) -> str:
        index, low, high = map(printer.doprint, self.limit)
        inside = printer.parenthesize(self.function, PRECEDENCE["Mul"], strict=True)
        return rf"\sum_{{{index}={low}}}^{{{high}}} {inside}"

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"Sum({printer.doprint(self.function)}, {printer.doprint(self.limit)})"


def matrix_sum(function: Any, limit: tuple[Any, Any, Any]) -> MatrixSum:
    """The sum of matrices over a range, as in `matrix_sum(r[n] * x[n], (n, 1, N))`."""
    return MatrixSum(function, limit)


class Number(sp.Expr):  # type: ignore[misc]
    """The number in a matrix with one row and one column; made by `number`, `inner` and `quadratic`."""

    is_commutative = True
    is_real = True
    precedence = PRECEDENCE["Mul"]

    def _latex(self, printer: LatexPrinter) -> str:
        return str(printer.doprint(self.args[0]))

    def _sympystr(self, printer: StrPrinter) -> str:
        return str(printer.doprint(self.args[0]))


def number(matrix: sp.MatrixExpr) -> Number:
    """The number that a matrix of one row and one column is."""
    if tuple(matrix.shape) != (1, 1):
        raise ValueError(f"{matrix}: expected one row and one column, got {matrix.shape}")
    return Number(matrix)


def inner(left: sp.MatrixExpr, right: sp.MatrixExpr) -> Number:
    """Left' right, of two columns."""
    return number(sp.MatMul(sp.Transpose(left), right))


def quadratic(column: sp.MatrixExpr, matrix: sp.MatrixExpr) -> Number:
    """Column' matrix column."""
    return number(sp.MatMul(sp.Transpose(column), matrix, column))


def outer(column: sp.MatrixExpr) -> sp.MatrixExpr:
    """Column column'."""
    return sp.MatMul(column, sp.Transpose(column))


class Gradient(sp.MatrixExpr):  # type: ignore[misc]
    """The matrix G of slopes: f changes by tr(G' H) when its variable changes by a small H.

    For a symmetric variable only symmetric changes H count, and G is symmetric.
    """

    precedence = PRECEDENCE["Mul"]
    shape = property(lambda self: self.args[1].shape)

    def _latex(self, printer: LatexPrinter) -> str:
        body, variable = self.args
        inside = printer.parenthesize(body, PRECEDENCE["Mul"], strict=False)
        return rf"\frac{{\partial}}{{\partial {printer.doprint(variable)}}} {inside}"


def gradient(function: sp.Expr, variable: sp.MatrixExpr) -> Gradient:
    """The slopes of a number in the entries of a vector or matrix symbol."""
    return Gradient(sp.sympify(function), variable)
