"""What the chapter on families derives in general is what emlib computes."""

from __future__ import annotations

import numpy as np
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Categorical, Categoricals, Poisson, Poissons
from emlib.symbolic import families
from emlib.symbolic.bound import K, k
from emlib.symbolic.gaussian_mixtures import r, share_of_k
from emlib.symbolic.likelihood import N
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(10)
EXACT = {"rtol": 1e-12, "atol": 0.0}


def number(expression: sp.Expr, values: dict[sp.Basic, object]) -> float:
    """The value at a point; an indexed symbol's is an array, whose first entry is at index 1."""
    arrays = {base: value for base, value in values.items() if isinstance(base, sp.IndexedBase)}
    plain = meanings_expanded(expression)
    plain = plain.subs({s: sp.sympify(v) for s, v in values.items() if s not in arrays}).doit()
    while entries := [e for e in plain.atoms(sp.Indexed) if not e.indices[0].has(sp.Indexed)]:
        found = {e: arrays[e.base][tuple(int(i) - 1 for i in e.indices)].item() for e in entries}
        plain = plain.xreplace({entry: sp.sympify(value) for entry, value in found.items()}).doit()
    return float(sp.N(plain, 30))


def test_responsibilities_are_the_derived_ones() -> None:
    family, data = Poisson(), np.array([0, 3, 7])
    params = MixtureParams([0.2, 0.5, 0.3], Poissons([0.7, 3.0, 6.5]))
    derived = families.responsibilities().end
    shares = Mixture(family).responsibilities(data, params)
    x = family.observations(data)
    bases = {base.name: base for base in meanings_expanded(derived).atoms(sp.IndexedBase)}
    values = {
        K: 3,
        families.d: 1,
        bases["pi"]: params.weights,
        bases["eta"]: family.natural(params.components),
        bases["A"]: family.log_partition(params.components),
    }
    for row, statistic in enumerate(family.statistics(x)):
        for state in range(3):
            at = {**values, bases["T"]: statistic, k: state + 1}
            assert np.isclose(shares[row, state], number(derived, at), **EXACT)
            at[bases["A"]] = family.log_partition(params.components) * (1 + 1e-9)
            assert not np.isclose(shares[row, state], number(derived, at), **EXACT)


# A categorical family is one with a value for each level: all else about it is in e_s and T_s.
LEVELS = Categorical((4,))
CODES = np.array([0, 1, 1, 3, 2, 0, 3, 3, 1])
SHARES = RNG.uniform(0.1, 1, size=len(CODES))
DIRECTION = RNG.normal(size=4)


def one_component(probabilities: np.ndarray) -> Categoricals:
    return Categoricals(probabilities[None, None, :])


def fitted() -> tuple[np.ndarray, float, dict[sp.Basic, object]]:
    """The M-step's probabilities, Q there less Q in the direction, and the symbols' values."""
    stats = LEVELS.expected_statistics(LEVELS.observations(CODES), SHARES[:, None], None)
    best = LEVELS.from_mean(stats)
    p = best.probabilities[0, 0]
    other = p * np.exp(DIRECTION) / (p @ np.exp(DIRECTION))
    shortfall = LEVELS.expected_log_density(stats, best) - LEVELS.expected_log_density(
        stats, one_component(other)
    )
    values = {
        families.S: 4,
        N: len(CODES),
        families.unscaled: p,
        families.directed: DIRECTION,
        families.x: CODES + 1,
        r: SHARES,
        share_of_k: SHARES.sum(),
        families.t: 0,
    }
    return p, shortfall, values


def test_the_m_step_solves_the_derived_equation() -> None:
    p, _, values = fitted()
    slope = families.surrogate_slope().end
    assert abs(number(slope, values)) < 1e-12
    assert abs(number(slope, {**values, families.unscaled: p * [1.01, 1, 1, 1]})) > 1e-4


def test_the_m_step_gains_what_is_derived() -> None:
    p, shortfall, values = fitted()
    gain = families.m_step().claims[0].right
    derived = number(gain, {**values, families.mean_in_direction: p @ DIRECTION})
    assert derived > 0
    assert np.isclose(shortfall, derived, rtol=1e-12)
    wrong = number(gain, {**values, families.mean_in_direction: p @ DIRECTION + 1e-9})
    assert not np.isclose(shortfall, wrong, **EXACT)


def test_the_surrogate_is_the_derived_one() -> None:
    p, _, values = fitted()
    stats = LEVELS.expected_statistics(LEVELS.observations(CODES), SHARES[:, None], None)
    moved = p * np.exp(0.3 * DIRECTION) / (p @ np.exp(0.3 * DIRECTION))
    derived = number(families.surrogate().end, {**values, families.t: 0.3})
    assert np.isclose(LEVELS.expected_log_density(stats, one_component(moved)), derived, **EXACT)
    wrong = number(families.surrogate().end, {**values, families.t: 0.3 + 1e-6})
    assert not np.isclose(derived, wrong, **EXACT)
