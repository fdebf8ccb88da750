"""What is derived of the discrete families is what emlib computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from m_step_gains import shortfall

from emlib.families import Bernoulli, Bernoullis, Categorical, Categoricals, Poisson, Poissons
from emlib.symbolic import family_members as members
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(11)
EXACT = {"rtol": 1e-12, "atol": 0.0}
RATE, ODDS = 2.7, 0.45
P = ODDS / (1 + ODDS)
COUNTS = RNG.poisson(2.2, size=8)
COINS = np.array([0, 1, 1, 0, 1, 1, 1, 0])
SHARES = RNG.uniform(0.1, 1, size=8)
TOTAL = SHARES.sum()


def number(expression: sp.Expr, values: dict[sp.Basic, Any]) -> float:
    plain = meanings_expanded(expression)
    return float(sp.N(plain.subs({s: sp.sympify(x) for s, x in values.items()}), 30))


def density(family: Any, params: Any, x: Any) -> float:
    return float(family.log_density(family.observations(np.array([x])), params)[0, 0])


@pytest.mark.parametrize("x", [0, 1, 5])
def test_the_poisson_density_is_the_derived_one(x: int) -> None:
    at = {members.rate: RATE, members.count: x}
    ours = density(Poisson(), Poissons([RATE]), x)
    assert np.isclose(ours, number(members.poisson_natural().end, at), **EXACT)
    at[members.rate] = RATE * (1 + 1e-9)
    assert not np.isclose(ours, number(members.poisson_natural().end, at), **EXACT)


@pytest.mark.parametrize("x", [0, 1])
def test_the_bernoulli_density_is_the_derived_one(x: int) -> None:
    at = {members.odds: ODDS, members.count: x}
    ours = density(Bernoulli(), Bernoullis([[P]]), x)
    assert np.isclose(ours, number(members.bernoulli_natural().end, at), **EXACT)
    at[members.odds] = ODDS * (1 + 1e-9)
    assert not np.isclose(ours, number(members.bernoulli_natural().end, at), **EXACT)


def test_natural_params_and_log_partitions_are_the_derived_ones() -> None:
    of_rate, of_odds = {members.rate: RATE}, {members.odds: ODDS}
    poisson, bernoulli = Poissons([RATE]), Bernoullis([[P]])
    eta = members.log_rate(members.rate)
    log_odds = sp.log(members.odds)
    pairs = [
        (Poisson().natural(poisson), number(eta, of_rate)),
        (Poisson().log_partition(poisson), number(sp.exp(eta), of_rate)),
        (Bernoulli().natural(bernoulli), number(log_odds, of_odds)),
        (Bernoulli().log_partition(bernoulli), number(sp.log(1 + sp.exp(log_odds)), of_odds)),
    ]
    for ours, derived in pairs:
        assert np.isclose(ours.item(), derived, **EXACT)
        assert not np.isclose(ours.item(), derived * (1 + 1e-9), **EXACT)
    levels = Categoricals(np.full((1, 1, 3), 1 / 3))
    assert Categorical((3,)).log_partition(levels).item() == 0
    assert members.categorical_log_partition().end == 0


def test_the_poisson_m_step_gains_what_is_derived() -> None:
    lost = shortfall(Poisson(), COUNTS, SHARES, Poissons([RATE]))
    at = {
        members.share_of_k: TOTAL,
        members.mean_of_k: SHARES @ COUNTS / TOTAL,
        members.rate: RATE,
    }
    derived = members.poisson_m_step().claims[0].right
    assert np.isclose(lost, number(derived, at), rtol=1e-12, atol=1e-14 * TOTAL)
    at[members.mean_of_k] *= 1 + 1e-6
    assert not np.isclose(lost, number(derived, at), rtol=1e-9, atol=0.0)


def test_the_bernoulli_m_step_gains_what_is_derived() -> None:
    lost = shortfall(Bernoulli(), COINS, SHARES, Bernoullis([[P]]))
    at = {
        members.ones: SHARES @ COINS,
        members.zeros: SHARES @ (1 - COINS),
        members.odds: ODDS,
    }
    derived = members.bernoulli_m_step().claims[0].right
    assert np.isclose(lost, number(derived, at), rtol=1e-12, atol=1e-14 * TOTAL)
    at[members.ones] *= 1 + 1e-6
    assert not np.isclose(lost, number(derived, at), rtol=1e-9, atol=0.0)


def test_the_categorical_m_step_gains_what_is_derived() -> None:
    codes, other = np.array([0, 1, 1, 2, 2, 0, 2, 1]), np.array([0.2, 0.3, 0.5])
    lost = shortfall(Categorical((3,)), codes, SHARES, Categoricals(other[None, None, :]))
    counts = np.array([SHARES[codes == level].sum() for level in range(3)])
    derived = members.categorical_m_step().claims[0].right.subs(members.L, 3).doit()
    at = {members.share_of_k: TOTAL}
    for level in range(3):
        at[members.level_count[level + 1]] = counts[level]
        at[members.probability[level + 1]] = other[level]
    assert np.isclose(lost, number(derived, at), rtol=1e-12, atol=1e-14 * TOTAL)
    at[members.probability[1]] *= 1 + 1e-6
    assert not np.isclose(lost, number(derived, at), rtol=1e-9, atol=0.0)


def test_the_poisson_divergence_is_the_average_log_ratio() -> None:
    family, counts = Poisson(), np.arange(60)
    x = family.observations(counts)
    old, new = (family.log_density(x, Poissons([rate]))[:, 0] for rate in (RATE, 1.9))
    at = {members.rate: RATE, members.new_rate: 1.9}
    ours = np.exp(old) @ (old - new)
    assert np.isclose(ours, number(members.poisson_kl().claims[0].right, at), rtol=1e-12, atol=0.0)
    at[members.new_rate] = 1.9 * (1 + 1e-6)
    assert not np.isclose(
        ours, number(members.poisson_kl().claims[0].right, at), rtol=1e-9, atol=0.0
    )
