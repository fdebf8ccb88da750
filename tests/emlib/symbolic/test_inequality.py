"""Lemmas of the form "this is at least zero", and what may be done to them."""

from __future__ import annotations

import pytest
import sympy as sp

from emlib.symbolic import Derivation, ProofError, in_order, minimum, square
from emlib.symbolic.bound import evidence, free_energy, gibbs, joint, lower_bound
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


def test_every_assumption_of_a_replaced_symbol_is_kept() -> None:
    w = sp.Symbol("w", nonnegative=True)
    lemma = square(w)
    assert lemma.at({w: t}).expression == t**2
    with pytest.raises(ProofError, match="negative"):
        lemma.at({w: y})


def test_the_point_of_a_minimum_lies_in_the_domain_of_its_variable() -> None:
    """For t > 0 the slope of the cubic is (t + 1) times t, but its zero at -1 says nothing about t > 0."""
    with pytest.raises(ProofError, match="positive"):
        minimum(t**3 / 3 + t**2 / 2 - sp.Rational(1, 6), t, at=-1)
    with pytest.raises(ProofError, match="positive"):
        minimum(t**3 / 3 - y * t**2 / 2 + y**3 / 6, t, at=y)


def test_a_range_that_may_run_backwards_is_refused() -> None:
    M, N = sp.symbols("M N", integer=True, positive=True)
    assert square(y).summed(k, 1, N).expression == sp.Sum(y**2, (k, 1, N))
    with pytest.raises(ProofError, match="backwards"):
        square(y).summed(k, 1, M - N)


def test_an_indexed_symbol_is_replaced_at_every_index() -> None:
    """Else the evidence, a sum over j, would keep the old densities while the rest, over k, takes the new ones."""
    doubled = lower_bound().lemma().at({joint[k]: 2 * joint[k]})
    claim = Derivation("eq-false", sp.log(evidence), given=lower_bound().given)
    with pytest.raises(ProofError, match="differ"):
        claim.at_least(
            in_order(free_energy, sp.log(2)), because="doubled on one side only", by=doubled
        )


def test_no_index_is_captured_by_a_sum() -> None:
    c, z = sp.symbols("c z", real=True)
    f, g = sp.IndexedBase("f", real=True), sp.IndexedBase("g", real=True)
    over_k = (k, 1, K)
    zero_and_a_square = c * sp.Sum(f[k], over_k) - sp.Sum(c * f[k], over_k) + z**2
    lemma = (
        Derivation("eq-zero", zero_and_a_square)
        .at_least(0, because="a square", by=square(z))
        .lemma()
    )
    captured = g[k] * sp.Sum(f[k], over_k) - sp.Sum(g[k] * f[k], over_k) + z**2
    with pytest.raises(ProofError, match="differ"):
        Derivation("eq-false", captured).at_least(0, because="captured", by=lemma.at({c: g[k]}))


def test_what_a_lemma_needs_follows_its_substitutions() -> None:
    """Gibbs' inequality holds for distributions; for other weights its needs are false and stay visible."""
    lemma = gibbs().lemma()
    assert len(lemma.needs) == 2
    q = sp.IndexedBase("q", positive=True)
    moved = lemma.at({q[k]: 2 * q[k]})
    assert moved.needs[0] != lemma.needs[0]
    assert moved.needs[0].lhs.has(2)
