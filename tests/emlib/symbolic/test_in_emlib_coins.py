"""What the chapter on two coins derives is what emlib computes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Multinomial, Multinomials
from emlib.symbolic import bound, coins, likelihood
from emlib.symbolic.notation import meanings_expanded

TOSSES = 10
RNG = np.random.default_rng(3)
HEADS = RNG.integers(1, TOSSES, size=4)
MIXTURE = Mixture(Multinomial())


def table(heads: np.ndarray) -> np.ndarray:
    return np.column_stack([heads, TOSSES - heads]).astype(float)


def two_coins(chances: tuple[float, float], weights: tuple[float, float]) -> MixtureParams:
    up = np.array(chances)
    return MixtureParams(np.array(weights), Multinomials(np.column_stack([up, 1 - up])))


PARAMS = two_coins((0.62, 0.31), (0.3, 0.7))
PUBLISHED = two_coins((0.6, 0.5), (0.5, 0.5))


def number(expression: sp.Expr, at: dict[sp.Symbol, int] | None = None) -> float:
    """The derived expression at the params, for these sets of tosses."""
    sizes = {likelihood.N: len(HEADS), bound.K: 2, coins.m: TOSSES}
    plain = meanings_expanded(expression).subs({**sizes, **(at or {})}).doit()
    chances = PARAMS.components.probabilities
    tables = {
        coins.h: HEADS,
        coins.weight: PARAMS.weights,
        coins.theta: chances[:, 0],
        coins.phi: chances[:, 1],
        coins.r: MIXTURE.responsibilities(table(HEADS), PARAMS),
    }
    values = {}
    for entry in plain.atoms(sp.Indexed):
        value = tables[entry.base][tuple(int(index) - 1 for index in entry.indices)]
        values[entry] = sp.Integer(int(value)) if entry.base == coins.h else sp.Float(value, 30)
    return float(plain.xreplace(values))


def test_responsibilities_are_the_derived_ones() -> None:
    derived = coins.coin_responsibility().end
    for n, row in enumerate(MIXTURE.responsibilities(table(HEADS), PARAMS), start=1):
        for k, share in enumerate(row, start=1):
            at = {likelihood.n: n, bound.k: k}
            assert number(derived, at) == pytest.approx(share, rel=1e-12)
            assert number(derived * coins.theta[bound.k], at) != pytest.approx(share, rel=1e-3)


def test_the_odds_are_the_derived_product() -> None:
    derived = coins.coin_odds().end
    coin = dict(zip(sp.symbols("A B", integer=True), (1, 2), strict=True))
    for n, (first, second) in enumerate(MIXTURE.responsibilities(table(HEADS), PARAMS), start=1):
        at = {likelihood.n: n, **coin}
        assert number(derived, at) == pytest.approx(first / second, rel=1e-12)


def test_log_likelihood_and_surrogate_are_the_derived_ones() -> None:
    stats = MIXTURE.e_step(table(HEADS), PARAMS)
    derived = coins.coin_log_likelihood().end
    assert number(derived) == pytest.approx(stats.log_likelihood, rel=1e-12)
    assert number(derived + sp.log(2)) != pytest.approx(stats.log_likelihood, rel=1e-6)
    surrogate = MIXTURE.expected_log_joint(stats, PARAMS)
    assert number(coins.coin_surrogate().end) == pytest.approx(surrogate, rel=1e-12)


def test_the_m_step_is_the_derived_one() -> None:
    best = MIXTURE.m_step(MIXTURE.e_step(table(HEADS), PARAMS)).components.probabilities[:, 0]
    up, down = (number_of_coin(entry) for entry in (coins.heads_of, coins.tails_of))
    slope = coins.coin_slope().end
    for k in (1, 2):
        derived = number(coins.coin_expected_heads().end, {bound.k: k})
        assert derived == pytest.approx(best[k - 1], rel=1e-12)
        at = {coins.heads: up[k - 1], coins.tails: down[k - 1]}
        assert abs(meanings_expanded(slope).subs({**at, coins.chance: best[k - 1]})) < 1e-12
        assert abs(meanings_expanded(slope).subs({**at, coins.chance: best[k - 1] * 1.01})) > 1e-3


def number_of_coin(entry: type[sp.Function]) -> list[float]:
    return [number(entry(bound.k), {bound.k: k}) for k in (1, 2)]


def test_the_first_published_step_is_the_exact_fraction() -> None:
    data = table(np.array(coins.HEADS))
    shares = MIXTURE.responsibilities(data, PUBLISHED)[:, 0]
    fractions = coins.first_shares().end.args
    assert np.allclose([float(f) for f in fractions], shares, rtol=1e-12)
    assert np.allclose(shares, [0.449, 0.805, 0.733, 0.352, 0.647], atol=5e-4)
    for seen, share in zip(coins.HEADS, shares, strict=True):
        at = {coins.up: seen, coins.down: TOSSES - seen}
        derived = meanings_expanded(coins.first_responsibility().end).subs(at)
        assert float(derived) == pytest.approx(share, rel=1e-12)
    best = MIXTURE.m_step(MIXTURE.e_step(data, PUBLISHED)).components.probabilities[:, 0]
    exact = [float(d().end) for d in (coins.first_step_of_a, coins.first_step_of_b)]
    assert np.allclose(exact, best, rtol=1e-12)
    assert np.allclose(exact, [0.7130, 0.5813], atol=5e-5)
