"""Lemmas of the form "this is at least zero", and what may be done to them."""

from __future__ import annotations

import pytest
import sympy as sp

from emlib.symbolic import ProofError, minimum, square
from emlib.symbolic.bound import gibbs
from emlib.symbolic.likelihood import log_tangent, ratio

t = sp.Symbol("t", positive=True)
y = sp.Symbol("y", real=True)
k = sp.Symbol("k", integer=True)
K = sp.Symbol("K", integer=True, positive=True)


def test_a_minimum_is_proved_by_the_sign_of_the_slope() -> None:
    lemma = minimum(t - 1 - sp.log(t), t, at=1)
    assert lemma.expression == t - 1 - sp.log(t)
    assert lemma.equality == (sp.Eq(t, 1, evaluate=False),)


@pytest.mark.parametrize(
    ("expression", "variable", "at", "complaint"),
    [
        pytest.param(1 - t + sp.log(t), t, 1, "not known to be positive", id="a maximum"),
        pytest.param(t - sp.log(t), t, 1, "not 0", id="a minimum above zero"),
        pytest.param((t - 1) ** 3, t, 1, "not known to be positive", id="a saddle"),
        pytest.param(
            (y - 1) ** 2 * (y + 2), y, 1, "not known to be positive", id="only a local minimum"
        ),
        pytest.param(t - 1 - sp.log(t), t, 2, "not 0", id="another point"),
    ],
)
def test_what_is_no_minimum_is_refused(
    expression: sp.Expr, variable: sp.Symbol, at: int, complaint: str
) -> None:
    with pytest.raises(ProofError, match=complaint):
        minimum(expression, variable, at)


def test_squares_of_real_expressions_only() -> None:
    assert square(y - 1).expression == (y - 1) ** 2
    with pytest.raises(ProofError, match="real"):
        square(sp.Symbol("z"))


def test_a_symbol_may_be_replaced_by_what_keeps_its_assumptions() -> None:
    assert log_tangent.at({ratio: 2 * t}).expression == 2 * t - 1 - sp.log(2 * t)
    with pytest.raises(ProofError, match="positive"):
        log_tangent.at({ratio: y})
    with pytest.raises(ProofError, match="positive"):
        log_tangent.at({ratio: -t})


def test_factors_must_be_positive() -> None:
    assert log_tangent.times(t).expression == t * (ratio - 1 - sp.log(ratio))
    for factor in (-1, y, 0):
        with pytest.raises(ProofError, match="positive"):
            log_tangent.times(factor)


def test_what_a_lemma_needs_follows_its_substitutions() -> None:
    """Gibbs' inequality holds for distributions; for other weights its needs are false and stay visible."""
    lemma = gibbs().lemma()
    assert len(lemma.needs) == 2
    q = sp.IndexedBase("q", positive=True)
    moved = lemma.at({q[k]: 2 * q[k]})
    assert moved.needs[0] != lemma.needs[0]
    assert moved.needs[0].lhs.has(2)
