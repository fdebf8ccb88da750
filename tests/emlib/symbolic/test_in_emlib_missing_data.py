"""What is derived of missing data in a normal is what emlib computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Gaussians, MissingGaussian
from emlib.symbolic import likelihood
from emlib.symbolic import missing_data as derived
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(12)
EXACT = {"rtol": 1e-12, "atol": 0.0}
FAMILY = MissingGaussian()
MODEL = Mixture(FAMILY)
GONE = np.nan

# Column 1 seen, column 2 missing; v_2 is what the regression explains and what it leaves.
V_1, C, W = 1.7, -0.6, 0.9
V_2 = C**2 / V_1 + W
AT: dict[sp.Basic, Any] = {
    derived.x_1: 2.3,
    derived.x_2: -0.8,
    derived.mu_1: 0.5,
    derived.mu_2: -1.2,
    derived.v_1: V_1,
    derived.c: C,
    derived.w: W,
}
WRONG = {**AT, derived.c: C * (1 + 1e-9)}


def number(expression: sp.Expr, values: dict[sp.Basic, Any]) -> float:
    plain = meanings_expanded(expression)
    return float(sp.N(plain.subs({s: sp.sympify(x) for s, x in values.items()}).doit(), 30))


def single(means: Any, covariance: Any) -> MixtureParams[Gaussians]:
    return MixtureParams([1.0], Gaussians([means], [covariance]))


PAIR = single([0.5, -1.2], [[V_1, C], [C, V_2]])


def log_density(row: list[float]) -> float:
    return float(FAMILY.log_density(FAMILY.observations(np.array([row])), PAIR.components)[0, 0])


def expected(row: np.ndarray, params: MixtureParams[Gaussians]) -> tuple[np.ndarray, np.ndarray]:
    """E[x] and E[(x - mu)(x - mu)'] of one row."""
    moments = MODEL.e_step(row[None, :], params).components.about(params.components.means)
    return params.components.means[0] + moments.first[0], moments.second[0]


def test_the_densities_are_the_derived_ones() -> None:
    whole, seen = log_density([2.3, -0.8]), log_density([2.3, GONE])
    pairs = (
        (whole, derived.completed_square().claims[0].right),
        (whole, derived.completed_square().end),
        (seen, sp.log(derived.marginal().end)),
        (whole - seen, sp.log(derived.posterior().end)),
    )
    for ours, formula in pairs:
        assert np.isclose(ours, number(formula, AT), **EXACT)
        wrong = {**AT, derived.v_1: V_1 * (1 + 1e-6)}
        assert not np.isclose(ours, number(formula, wrong), **EXACT)


def test_the_e_step_is_the_derived_one() -> None:
    mean, second = expected(np.array([2.3, GONE]), PAIR)
    filled = number(derived.filled, AT)
    about_mean = number(
        derived.second_moment().end, {derived.guess: sp.Float(filled, 30) + 1.2, derived.w: W}
    )
    assert np.isclose(mean[1], filled, **EXACT)
    assert not np.isclose(mean[1], number(derived.filled, WRONG), **EXACT)
    assert np.isclose(second[1, 1], about_mean, **EXACT)
    assert not np.isclose(second[1, 1], about_mean - W, **EXACT)


def a_column() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of which some lack their second entry; filled-in values, and the variances left."""
    data = RNG.normal(size=(6, 2)) * 2
    data[[1, 4], 1] = GONE
    filled = [expected(row, PAIR)[0][1] for row in data]
    return data, np.array(filled), np.where(np.isnan(data[:, 1]), W, 0.0)


def test_the_m_step_is_the_derived_one() -> None:
    data, filled, spread = a_column()
    best = MODEL.m_step(MODEL.e_step(data, PAIR)).components
    derived_variance = derived.bias().end
    at = {likelihood.s2: filled.var(), derived.mean_spread: spread.mean()}
    assert np.isclose(best.means[0, 1], filled.mean(), **EXACT)
    assert np.isclose(best.variances[0, 1], number(derived_variance, at), **EXACT)
    at[derived.mean_spread] = 0
    assert not np.isclose(best.variances[0, 1], number(derived_variance, at), rtol=0.01)


def test_the_m_step_gains_what_is_derived() -> None:
    # With no correlation the surrogate of the second column is that of a column on its own.
    data = np.array([[0.3], [1.9], [-0.7], [2.2]])
    before = single([0.4], [[1.1]])
    rows = np.vstack([data, [[GONE], [GONE]]])
    stats = MODEL.e_step(rows, before)
    best = MODEL.m_step(stats)
    other = single([0.1], [[2.0]])
    lost = MODEL.expected_log_joint(stats, best) - MODEL.expected_log_joint(stats, other)
    filled = np.array([*data[:, 0], 0.4, 0.4])
    at = {
        likelihood.N: 6,
        derived.mean_hat: filled.mean(),
        likelihood.s2: filled.var(),
        derived.mean_spread: 1.1 * 2 / 6,
        likelihood.mu: 0.1,
        likelihood.v: 2,
    }
    formula = derived.m_step().claims[0].right
    assert np.isclose(lost, number(formula, at), **EXACT)
    at[derived.mean_spread] *= 1 + 1e-6
    assert not np.isclose(lost, number(formula, at), **EXACT)


def test_a_column_on_its_own_steps_as_derived() -> None:
    seen = RNG.normal(size=7) * 1.5
    rows = np.concatenate([seen, np.full(3, GONE)])[:, None]
    before = single([seen.mean()], [[4.2]])
    after = MODEL.m_step(MODEL.e_step(rows, before)).components.variances[0, 0]
    at = {likelihood.N: 7, derived.missing: 3, likelihood.s2: seen.var(), likelihood.v: 4.2}
    change = number(derived.converges().end, at)
    assert np.isclose(after - seen.var(), change, rtol=1e-12)
    too_narrow = number(derived.shrinks().end, at)
    assert np.isclose(after - 3 * 4.2 / 10 - seen.var(), too_narrow, rtol=1e-12)
    assert not np.isclose(after - seen.var(), change * (1 + 1e-9), **EXACT)


# ---- blocks ------------------------------------------------------------------------------------------


def in_numbers(expression: sp.MatrixExpr, values: dict[sp.Basic, np.ndarray]) -> np.ndarray:
    explicit = {symbol: sp.ImmutableMatrix(value) for symbol, value in values.items()}
    sizes = {derived.p: len(values[derived.of_seen]), derived.q: len(values[derived.left_over])}
    plain = expression.xreplace(explicit).xreplace(sizes).doit()
    return np.array(plain.as_explicit() if hasattr(plain, "as_explicit") else plain, dtype=float)


def covariance(size: int) -> np.ndarray:
    root = RNG.normal(size=(size, size))
    return root @ root.T + np.eye(size)


@pytest.mark.parametrize(("p", "q"), [(2, 1), (1, 3), (2, 2)])
def test_blocks_are_filled_in_as_derived(p: int, q: int) -> None:
    values = {
        derived.of_seen: covariance(p),
        derived.left_over: covariance(q),
        derived.regression: RNG.normal(size=(q, p)),
    }
    blocks = [
        [values[derived.of_seen], in_numbers(derived.S_om, values)],
        [in_numbers(derived.S_mo, values), in_numbers(derived.S_mm, values)],
    ]
    precision = [
        [in_numbers(derived.L_oo, values), in_numbers(derived.L_om, values)],
        [in_numbers(derived.L_mo, values), in_numbers(derived.L_mm, values)],
    ]
    params = single(np.zeros(p + q), np.block(blocks))
    assert np.allclose(params.components.precisions[0], np.block(precision), rtol=1e-10)
    assert np.allclose(np.block(blocks) @ np.block(precision), np.eye(p + q), atol=1e-12)
    delta = RNG.normal(size=p)
    mean, second = expected(np.concatenate([delta, np.full(q, GONE)]), params)
    filled = values[derived.regression] @ delta
    assert np.allclose(mean[p:], filled, rtol=1e-11)
    naive = np.outer(filled, filled)
    assert np.allclose(second[p:, p:], naive + values[derived.left_over], rtol=1e-11)
    assert not np.allclose(second[p:, p:], naive, rtol=1e-11)


def test_filled_in_rows_scatter_as_derived() -> None:
    p, q = 2, 2
    values = {
        derived.of_seen: covariance(p),
        derived.left_over: covariance(q),
        derived.regression: RNG.normal(size=(q, p)),
    }
    blocks = [
        [values[derived.of_seen], in_numbers(derived.S_om, values)],
        [in_numbers(derived.S_mo, values), in_numbers(derived.S_mm, values)],
    ]
    params = single(np.zeros(p + q), np.block(blocks))
    # Rows whose seen columns have the scatter N Sigma_oo, to the digit.
    deltas = np.linalg.cholesky(values[derived.of_seen]).T * np.sqrt(p)
    rows = np.column_stack([deltas, np.full((p, q), GONE)])
    filled = np.array([expected(row, params)[0][p:] for row in rows])
    lacking = in_numbers(derived.S_mm, values) - filled.T @ filled / p
    assert np.allclose(lacking, values[derived.left_over], rtol=1e-10)
    assert not np.allclose(lacking, values[derived.left_over] * (1 + 1e-6), rtol=1e-10)
