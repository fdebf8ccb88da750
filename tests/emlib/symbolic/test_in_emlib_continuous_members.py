"""What is derived of the continuous families is what emlib computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from m_step_gains import shortfall

from emlib.families import Exponential, Exponentials, Gaussian, Gaussians
from emlib.symbolic import continuous_members as members
from emlib.symbolic.family_members import mean_of_k, rate
from emlib.symbolic.gaussian_mixtures import share_of_k
from emlib.symbolic.likelihood import mu, v
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(11)
EXACT = {"rtol": 1e-12, "atol": 0.0}
RATE = 2.7
DURATIONS = RNG.exponential(1.3, size=8)
SHARES = RNG.uniform(0.1, 1, size=8)
TOTAL = SHARES.sum()


def number(expression: sp.Expr, values: dict[sp.Basic, Any]) -> float:
    plain = meanings_expanded(expression)
    return float(sp.N(plain.subs({s: sp.sympify(x) for s, x in values.items()}), 30))


def density(family: Any, params: Any, x: Any) -> float:
    return float(family.log_density(family.observations(np.array([x])), params)[0, 0])


def test_the_exponential_density_is_the_derived_one() -> None:
    at = {rate: RATE, members.duration: 0.8}
    ours = density(Exponential(), Exponentials([RATE]), 0.8)
    assert np.isclose(ours, number(members.exponential_natural().end, at), **EXACT)
    at[rate] = RATE * (1 + 1e-9)
    assert not np.isclose(ours, number(members.exponential_natural().end, at), **EXACT)


def test_the_normal_density_is_the_derived_one() -> None:
    at = {mu: 0.4, v: 1.7, members.real_value: 2.1}
    ours = density(Gaussian(), Gaussians.univariate([0.4], [1.7]), 2.1)
    assert np.isclose(ours, number(members.normal_natural().end, at), **EXACT)
    at[v] = 1.7 * (1 + 1e-9)
    assert not np.isclose(ours, number(members.normal_natural().end, at), **EXACT)


def test_the_natural_param_and_log_partition_are_the_derived_ones() -> None:
    family, params, at = Exponential(), Exponentials([RATE]), {rate: RATE}
    derived = number(members.exponential_log_partition().end, at)
    assert family.natural(params).item() == -RATE
    assert np.isclose(family.log_partition(params).item(), derived, **EXACT)
    assert not np.isclose(family.log_partition(params).item(), derived * (1 + 1e-9), **EXACT)


def test_the_exponential_m_step_gains_what_is_derived() -> None:
    lost = shortfall(Exponential(), DURATIONS, SHARES, Exponentials([RATE]))
    at = {
        share_of_k: TOTAL,
        mean_of_k: SHARES @ DURATIONS / TOTAL,
        rate: RATE,
    }
    derived = members.exponential_m_step().claims[0].right
    assert np.isclose(lost, number(derived, at), **EXACT)
    at[mean_of_k] *= 1 + 1e-6
    assert not np.isclose(lost, number(derived, at), rtol=1e-9, atol=0.0)
