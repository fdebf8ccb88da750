"""Vectors and matrices of any size: what is proved of them, and what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
import sympy as sp
from sympy import Determinant, Identity, Inverse, MatrixSymbol, Trace, Transpose

from emlib.symbolic import Derivation, NormalDensity, ProofError, named, quadratic_form, residue
from emlib.symbolic.matrices import (
    gradient,
    inner,
    matrix_sum,
    number,
    outer,
    positive_definite,
    positive_definites,
    quadratic,
    symmetric,
    vector,
    vectors,
)
from emlib.symbolic.notation import latex, readable

n, m = sp.symbols("n m", integer=True)
N, d, q = sp.symbols("N d q", integer=True, positive=True)
s = sp.Symbol("s", positive=True)
data = (n, 1, N)
x, y = vectors("x", d), vectors("y", d)
mu, best = vector("mu", d), vector("b", d)
A, B = MatrixSymbol("A", d, d), MatrixSymbol("B", d, d)
W = MatrixSymbol("W", d, q)
S, T = symmetric("S", d), symmetric("T", d)
precision, covariance = positive_definite("Lambda", d), positive_definite("Sigma", d)
r = sp.IndexedBase("r", positive=True)
small, large = W.T * W + s * Identity(q), W * W.T + s * Identity(d)
distances = sp.Sum(r[n] * quadratic(x[n] - mu, precision), data)
total = sp.Symbol("R", positive=True)
moments = (
    sp.Eq(sp.Sum(r[n], data), total),
    sp.Eq(matrix_sum(r[n] * x[n], data), total * best),
    sp.Eq(matrix_sum(r[n] * outer(x[n] - best), data), total * S),
)


def log_det(matrix: sp.MatrixExpr) -> sp.Expr:
    return sp.log(Determinant(matrix))


TRUE = {
    "inverse beside its matrix": (A * B * Inverse(B), A),
    "inverse of a product": (Inverse(A * B), Inverse(B) * Inverse(A)),
    "transpose of a product": (Transpose(A * W), W.T * A.T),
    "symmetric matrices": (Transpose(S * T), T * S),
    "an inverse is as symmetric as its matrix": (Transpose(Inverse(S)), Inverse(S)),
    "a sum may be symmetric": (Transpose(Inverse(large)), Inverse(large)),
    "trace turned round": (Trace(A * B * S), Trace(S * A * B)),
    "trace read backwards": (Trace(A * B), Trace(B.T * A.T)),
    "trace of products of two shapes": (Trace(W * W.T), Trace(W.T * W)),
    "trace of the identity": (Trace(Identity(d)), d),
    "quadratic form as a trace": (quadratic(mu, S), Trace(S * mu * mu.T)),
    "inner products commute": (inner(mu, best) * mu, mu * best.T * mu),
    "sum moved into a trace": (
        sp.Sum(r[n] * quadratic(x[n], S), data),
        Trace(S * matrix_sum(r[n] * outer(x[n]), data)),
    ),
    "dummy index renamed": (matrix_sum(r[n] * x[n], data), matrix_sum(r[m] * x[m], (m, 1, N))),
    "square of a sum": (
        outer(matrix_sum(x[n], data)),
        matrix_sum(x[n], data) * matrix_sum(x[m].T, (m, 1, N)),
    ),
    "constants out of a sum": (
        matrix_sum(s * A * (x[n] - mu), data),
        s * A * matrix_sum(x[n], data) - s * N * A * mu,
    ),
    "determinant of a product": (Determinant(A * B), Determinant(B) * Determinant(A)),
    "determinant of a multiple": (Determinant(s * A), s**d * Determinant(A)),
    "log-determinant of an inverse": (log_det(Inverse(precision)), -log_det(precision)),
    "Woodbury": (Inverse(large), (Identity(d) - W * Inverse(small) * W.T) / s),
    "pushed through": (Inverse(small) * W.T, W.T * Inverse(large)),
    "trace with the inverse of a sum": (
        Trace(Inverse(small) * W.T * W),
        q - s * Trace(Inverse(small)),
    ),
    "slope of a log-determinant": (gradient(log_det(precision), precision), Inverse(precision)),
    "slope of a trace": (gradient(Trace(A * B), A), B.T),
    "slope of a trace in a symmetric matrix": (gradient(Trace(S * A), S), (A + A.T) / 2),
    "slope of an inverse": (
        gradient(Trace(Inverse(covariance) * S), covariance),
        -Inverse(covariance) * S * Inverse(covariance),
    ),
    "slope of a quadratic form": (gradient(quadratic(mu, A), mu), (A + A.T) * mu),
    "slope through a sum": (
        gradient(distances, mu),
        -2 * precision * matrix_sum(r[n] * (x[n] - mu), data),
    ),
    "slope through the inverse of a sum": (
        gradient(Trace(Inverse(small)), W),
        -2 * W * Inverse(small) * Inverse(small),
    ),
    "chain rule": (
        gradient(sp.log(1 + quadratic(mu, precision) / s), mu),
        2 * precision * mu / (s + quadratic(mu, precision)),
    ),
    "slope of a density": (
        gradient(NormalDensity(mu, best, covariance), mu),
        NormalDensity(mu, best, covariance) * Inverse(covariance) * (best - mu),
    ),
    "slope in a number": (sp.Derivative(log_det(small), s), Trace(Inverse(small))),
    "log-density": (
        sp.log(NormalDensity(mu, best, covariance)),
        -d * sp.log(2 * sp.pi) / 2
        - log_det(covariance) / 2
        - quadratic(mu - best, Inverse(covariance)) / 2,
    ),
    "a name is what it stands for": (named("M", small) * W.T, W.T * W * W.T + s * W.T),
}


@pytest.mark.parametrize("name", TRUE)
def test_equal_matrices_are_proved_equal(name: str) -> None:
    left, right = TRUE[name]
    assert Derivation("eq-true", left).equals(right, because="so it is").claims


@pytest.mark.parametrize("name", TRUE)
def test_and_unequal_ones_are_not(name: str) -> None:
    """By the reduction alone, without numbers put in."""
    left, right = TRUE[name]
    stray = MatrixSymbol("stray", *right.shape) if isinstance(right, sp.MatrixExpr) else s
    for wrong in (2 * right, -right, right + stray):
        assert residue(left - wrong) != 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(A * B, B * A, id="factors that do not commute"),
        pytest.param(S * T, T * S, id="symmetric factors that do not commute"),
        pytest.param(Inverse(A * B), Inverse(A) * Inverse(B), id="inverse in the wrong order"),
        pytest.param(Transpose(A * B), A.T * B.T, id="transpose in the wrong order"),
        pytest.param(Transpose(A), A, id="not symmetric"),
        pytest.param(A * Inverse(B) * B.T, A, id="inverse beside the transpose"),
        pytest.param(Trace(A * B * S), Trace(B * A * S), id="trace of another order"),
        pytest.param(Trace(A * B), Trace(A) * Trace(B), id="trace of a product"),
        pytest.param(Inverse(A + B), Inverse(A) + Inverse(B), id="inverse of a sum"),
        pytest.param(
            Determinant(A + B), Determinant(A) + Determinant(B), id="determinant of a sum"
        ),
        pytest.param(log_det(A * A), 2 * log_det(A), id="log of a negative determinant"),
        pytest.param(
            matrix_sum(outer(x[n]), data), outer(matrix_sum(x[n], data)), id="sum of squares"
        ),
        pytest.param(
            matrix_sum(x[n] * y[n].T, data),
            matrix_sum(y[n] * x[n].T, data),
            id="outer product turned",
        ),
        pytest.param(matrix_sum(x[n], data), matrix_sum(x[n], (n, 2, N)), id="another range"),
        pytest.param(gradient(Trace(A * B), A), B, id="a slope's transpose"),
        pytest.param(
            Inverse(large), (Identity(d) + W * Inverse(small) * W.T) / s, id="Woodbury's sign"
        ),
        pytest.param(Inverse(small) * W.T, W.T * Inverse(small * 2), id="not pushed through"),
        pytest.param(
            gradient(quadratic(mu, A), mu), 2 * A * mu, id="slope of a form that is not symmetric"
        ),
    ],
)
def test_what_is_false_of_matrices_is_refused(left: sp.Expr, right: sp.Expr) -> None:
    with suppress(sp.ShapeError):
        assert residue(left - right) != 0
    with pytest.raises(ProofError):
        Derivation("eq-false", left).equals(right, because="it is not so")


def test_given_sums_of_vectors_are_used_and_only_when_given() -> None:
    spread = total * Trace(precision * S) + total * quadratic(best - mu, precision)
    assert residue(distances - spread, moments) == 0
    assert residue(distances - spread) != 0
    assert residue(distances - spread, moments[:2]) != 0
    wrong = total * Trace(precision * S) + total * quadratic(best + mu, precision)
    assert residue(distances - wrong, moments) != 0


def test_sides_of_two_shapes_are_refused() -> None:
    with pytest.raises(ProofError, match="shape"):
        Derivation("eq-shape", A * mu).equals(A, because="a matrix is no vector")
    with pytest.raises(ProofError, match="shape"):
        Derivation("eq-shape", A * mu).equals(1, because="nor is a number")
    with pytest.raises(ValueError, match="one row"):
        number(A)


def test_a_quadratic_form_is_a_lemma_for_positive_definite_matrices_only() -> None:
    form = quadratic(mu, precision)
    chain = Derivation("eq-form", form).at_least(
        0, because="positive definite", by=quadratic_form(mu, precision)
    )
    assert "equality only where" in chain.markdown()
    with pytest.raises(ProofError, match="positive definite"):
        quadratic_form(mu, S)
    with pytest.raises(ProofError):
        Derivation("eq-form", -form).at_least(0, because="no", by=quadratic_form(mu, precision))


def test_matrices_are_set_as_a_book_sets_them() -> None:
    assert latex(matrix_sum(r[n] * outer(x[n] - mu), data)) == (
        r"\sum_{n=1}^{N} r_{n} \left(x_{n} - \mu\right) \left(x_{n} - \mu\right)^{\top}"
    )
    assert latex(quadratic(x[n] - mu, precision)) == (
        r"\left(x_{n} - \mu\right)^{\top} \Lambda \left(x_{n} - \mu\right)"
    )
    assert latex(log_det(precision)) == r"\log \left|{\Lambda}\right|"
    assert latex(positive_definites("Sigma", d)[n]) == r"\Sigma_{n}"
    assert readable(gradient(Trace(A * B), A)) == "d/dA [Trace(A*B)]"
