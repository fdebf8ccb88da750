"""What is derived of zero inflation is what emlib computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Poisson, Poissons
from emlib.models.zero_inflated import ZeroInflated
from emlib.symbolic import zero_inflated as derived
from emlib.symbolic.notation import meanings_expanded

EXACT = {"rtol": 1e-12, "atol": 0.0}
POSITIVE = np.array([2, 1, 1, 3, 5])
DATA = np.concatenate([np.zeros(7, dtype=int), POSITIVE])
MODEL = Mixture(ZeroInflated(Poisson()))
WEIGHT, RATE = 0.35, 1.4
PARAMS = MixtureParams([WEIGHT, 1 - WEIGHT], Poissons([RATE]))
AT: dict[sp.Basic, Any] = {
    derived.odds: sp.Float(WEIGHT, 30) / (1 - sp.Float(WEIGHT, 30)),
    derived.rate: RATE,
    derived.zeros: 7,
    derived.M: 5,
    derived.S: 12,
}
WRONG = {**AT, derived.rate: RATE * (1 + 1e-9)}


def number(expression: sp.Expr, values: dict[sp.Basic, Any]) -> float:
    plain = meanings_expanded(expression).subs({s: sp.sympify(x) for s, x in values.items()})
    counts = {derived.x[i + 1]: int(count) for i, count in enumerate(POSITIVE)}
    return float(sp.N(plain.doit().xreplace(counts), 30))


def after_the_e_step() -> dict[sp.Basic, Any]:
    """Expected numbers of certain and other zeros, beside what the data say."""
    certain = MODEL.responsibilities(DATA, PARAMS)[:, 0].sum()
    return {**AT, derived.certain: certain, derived.others: 7 - sp.Float(certain, 30)}


def test_the_posterior_of_a_zero_is_the_derived_one() -> None:
    shares = MODEL.responsibilities(DATA, PARAMS)[:, 0]
    for claim in derived.posterior().claims:
        assert np.allclose(shares[:7], number(claim.right, AT), **EXACT)
        assert not np.allclose(shares[:7], number(claim.right, WRONG), **EXACT)
    assert not shares[7:].any()


def test_the_log_likelihood_is_the_derived_one() -> None:
    ours = MODEL.e_step(DATA, PARAMS).log_likelihood
    assert np.isclose(ours, number(derived.log_likelihood().end, AT), **EXACT)
    wrong = {**AT, derived.rate: RATE * (1 + 1e-6)}
    assert not np.isclose(ours, number(derived.log_likelihood().end, wrong), **EXACT)


def test_the_m_step_is_the_derived_one() -> None:
    best, at = MODEL.m_step(MODEL.e_step(DATA, PARAMS)), after_the_e_step()
    pairs = (
        (best.weights[0], derived.best_weight),
        (best.components.rates[0], derived.best_rate),
        (best.weights[1] * best.components.rates[0], derived.fitted_mean().end),
    )
    for ours, formula in pairs:
        assert np.isclose(ours, number(formula, at), **EXACT)
        assert not np.isclose(ours, number(formula, {**at, derived.S: 13, derived.M: 5.5}), **EXACT)


def test_the_surrogate_is_the_derived_one() -> None:
    ours = MODEL.expected_log_joint(MODEL.e_step(DATA, PARAMS), PARAMS)
    formula, at = derived.surrogate().end, after_the_e_step()
    assert np.isclose(ours, number(formula, at), **EXACT)
    wrong = {**at, derived.rate: RATE * (1 + 1e-6)}
    assert not np.isclose(ours, number(formula, wrong), **EXACT)


def test_the_m_step_gains_what_is_derived() -> None:
    stats = MODEL.e_step(DATA, PARAMS)
    best = MODEL.m_step(stats)
    lost = MODEL.expected_log_joint(stats, best) - MODEL.expected_log_joint(stats, PARAMS)
    at = after_the_e_step()
    formula = derived.m_step_weight().start + derived.m_step_rate().claims[0].right
    assert np.isclose(lost, number(formula, at), rtol=1e-12, atol=1e-13)
    wrong = {**at, derived.rate: RATE * 1.001}
    assert not np.isclose(lost, number(formula, wrong), rtol=1e-6, atol=0.0)


def test_the_weight_changes_as_derived() -> None:
    change = MODEL.m_step(MODEL.e_step(DATA, PARAMS)).weights[0] - WEIGHT
    formula = derived.weight_change().end
    assert np.isclose(change, number(formula, AT), rtol=1e-12, atol=1e-15)
    assert not np.isclose(change, number(formula, WRONG), rtol=1e-12, atol=1e-15)


def test_at_the_fixed_point_the_rate_solves_the_derived_equation() -> None:
    fit = PARAMS
    for _ in range(400):
        fit = MODEL.m_step(MODEL.e_step(DATA, fit))
    formula = derived.mean_of_positives().end
    rate = fit.components.rates[0]
    assert np.isclose(number(formula, {derived.rate: rate}), 12 / 5, rtol=1e-10, atol=0.0)
    assert not np.isclose(
        number(formula, {derived.rate: rate * 1.001}), 12 / 5, rtol=1e-10, atol=0.0
    )
    shown = number(
        derived.of_zero,
        {derived.odds: fit.weights[0] / fit.weights[1], derived.rate: rate},
    )
    assert np.isclose(shown, 7 / 12, rtol=1e-10, atol=0.0)
