"""What the chapter on failures derives is what emlib computes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Gaussian, Gaussians
from emlib.families.missing import MissingGaussian
from emlib.symbolic import failure, likelihood, murray
from emlib.symbolic.bound import K, k
from emlib.symbolic.gaussian_mixtures import weight
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(8)
EXACT = {"rtol": 1e-12, "atol": 0.0}


def number(expression: sp.Expr, values: dict[sp.Basic, float] | None = None) -> float:
    return float(sp.N(meanings_expanded(expression).subs(values or {}).doit(), 30))


# ---- Murray's twelve pairs ---------------------------------------------------------------------------


def twelve_pairs() -> np.ndarray:
    gone = np.nan
    sides = [[x, gone] for x in murray.SIDES] + [[gone, x] for x in murray.SIDES]
    return np.array([*murray.CORNERS, *sides], dtype=float)


def pairs_params(v: float, w: float, covariance: float) -> MixtureParams:
    return MixtureParams([1.0], Gaussians([[0.0, 0.0]], [[[v, covariance], [covariance, w]]]))


MURRAY = Mixture(MissingGaussian())


@pytest.mark.parametrize(("v", "w", "rho"), [(1.3, 2.1, 0.3), (0.7, 3.0, -0.6), (2.5, 2.5, 0.0)])
def test_the_log_likelihood_of_the_pairs_is_the_derived_one(v: float, w: float, rho: float) -> None:
    stats = MURRAY.e_step(twelve_pairs(), pairs_params(v, w, rho * np.sqrt(v * w)))
    at = {murray.first: v, murray.second: w, murray.unexplained: 1 - rho**2}
    derived = number(murray.likelihood_of_the_pairs().end, at)
    assert np.isclose(stats.log_likelihood, derived, **EXACT)
    assert not np.isclose(stats.log_likelihood, derived + 1e-9, **EXACT)


@pytest.mark.parametrize(("v", "w", "gamma"), [(1.3, 2.1, 0.4), (0.7, 3.0, -1.1), (2.0, 5.0, 0.0)])
def test_an_em_step_is_the_derived_one(v: float, w: float, gamma: float) -> None:
    before = pairs_params(v, w, gamma)
    after = MURRAY.m_step(MURRAY.e_step(twelve_pairs(), before)).components
    at = {murray.first: v, murray.second: w, murray.gamma: gamma}
    covariance = number(murray.covariance_step().end, at)
    variance = number(murray.variance_step().end, at)
    assert np.allclose(after.means, 0, atol=1e-15)
    assert np.isclose(after.covariances[0, 0, 1], covariance, rtol=1e-12, atol=1e-15)
    assert np.isclose(after.covariances[0, 0, 0], variance, **EXACT)
    assert not np.isclose(after.covariances[0, 0, 0], variance + (gamma**2 + 1) / 100, **EXACT)


def test_the_maxima_are_fixed_points_and_the_saddle_repels() -> None:
    v, w, rho = (float(value) for value in murray.maximum)
    at_maximum = pairs_params(v, w, rho * v)
    again = MURRAY.m_step(MURRAY.e_step(twelve_pairs(), at_maximum)).components.covariances
    assert np.allclose(again, at_maximum.components.covariances, **EXACT)
    v, w, _ = (float(value) for value in murray.saddle)
    # The step is linear in the covariance, which need not be small.
    near = pairs_params(v, w, 0.25)
    moved = MURRAY.m_step(MURRAY.e_step(twelve_pairs(), near)).components.covariances[0, 0, 1]
    assert np.isclose(moved / 0.25, number(murray.repelling().end), **EXACT)


def test_the_height_of_the_maxima_is_the_derived_one() -> None:
    v, w, rho = (float(value) for value in murray.maximum)
    top = MURRAY.e_step(twelve_pairs(), pairs_params(v, w, rho * v)).log_likelihood
    between = MURRAY.e_step(twelve_pairs(), pairs_params(2.5, 2.5, 0.0)).log_likelihood
    assert abs(top - between - number(murray.height_of_the_maxima().end)) < 1e-12 * abs(top)


# ---- the symmetric point -----------------------------------------------------------------------------


def three_components(delta: float, data: np.ndarray, variance: float) -> MixtureParams:
    shares = np.array([0.2, 0.3, 0.5])
    directions = np.array([1.0, -1.5, 0.5])
    return MixtureParams(
        shares, Gaussians.univariate(data.mean() + delta * directions, [variance] * 3)
    )


def test_at_the_symmetric_point_the_responsibilities_are_the_derived_weights() -> None:
    data = RNG.normal(2, 1.5, size=6)
    params = three_components(0.0, data, 0.9)
    table = Mixture(Gaussian()).responsibilities(data, params)
    derived = failure.equal_responsibilities().end
    for state in range(3):
        share = number(derived.subs(k, state + 1), {weight[state + 1]: params.weights[state]})
        assert np.allclose(table[:, state], share, **EXACT)
    means = Mixture(Gaussian()).m_step(Mixture(Gaussian()).e_step(data, params)).components.means
    centre = number(failure.stays_symmetric().end, {likelihood.x_bar: data.mean()})
    assert np.allclose(means, centre, **EXACT)


def test_near_the_symmetric_point_em_moves_by_the_derived_factor() -> None:
    """A difference of central steps has an error of delta^2: so to eight digits."""
    data = RNG.normal(2, 1.5, size=6)
    mixture, delta = Mixture(Gaussian()), 1e-4
    moved = [
        mixture.m_step(mixture.e_step(data, three_components(sign * delta, data, 0.9)))
        for sign in (1, -1)
    ]
    slopes = (moved[0].components.means - moved[1].components.means)[:, 0] / (2 * delta)
    derived = failure.symmetric_rate().end
    for slope, direction in zip(slopes, (1.0, -1.5, 0.5), strict=True):
        at = {failure.direction[k]: direction, likelihood.s2: data.var(), likelihood.v: 0.9}
        assert np.isclose(slope, number(derived, at), rtol=1e-6)
        assert not np.isclose(slope, number(derived, {**at, likelihood.v: 0.91}), rtol=1e-6)


def test_the_curvature_at_the_symmetric_point_is_the_derived_one() -> None:
    data = RNG.normal(2, 1.5, size=6)
    mixture, delta = Mixture(Gaussian()), 1e-3
    values = [
        mixture.e_step(data, three_components(at, data, 0.9)).log_likelihood
        for at in (-delta, 0.0, delta)
    ]
    bend = (values[0] - 2 * values[1] + values[2]) / delta**2
    spread = float(np.array([0.2, 0.3, 0.5]) @ np.array([1.0, -1.5, 0.5]) ** 2)
    derived = failure.symmetric_curvature().end.xreplace({failure.spread: sp.Float(spread)})
    at = {
        likelihood.N: len(data),
        likelihood.s2: data.var(),
        likelihood.v: 0.9,
    }
    assert np.isclose(bend, number(derived, at), rtol=1e-4)


# ---- peaks and traps ---------------------------------------------------------------------------------


def test_no_mixture_exceeds_the_derived_bound() -> None:
    data = RNG.normal(0, 1, size=8)
    bound = number(failure.floor().end, {likelihood.N: 8, likelihood.v: 0.25})
    density = sp.Sum(
        weight[k]
        * failure.NormalDensity(0, failure.mean_of_k[k], 0.25 * (1 + failure.stretch[k] ** 2)),
        (k, 1, K),
    )
    assert density.has(failure.stretch)
    for _ in range(20):
        params = MixtureParams(
            RNG.dirichlet([1, 1]),
            Gaussians.univariate(RNG.normal(size=2), 0.25 * (1 + RNG.normal(size=2) ** 2)),
        )
        assert Mixture(Gaussian()).e_step(data, params).log_likelihood <= bound


def test_the_trap_is_the_derived_one() -> None:
    """Four corners (+-2, +-1.5), split by height, with means that are a little tilted."""
    a, b, m, v, tilt = 2.0, 1.5, 1.2, 0.8, 1e-7
    corners = np.array([[i * a, j * b] for i in (1, -1) for j in (1, -1)])
    mixture = Mixture(Gaussian("EII"))

    def step(delta: float) -> np.ndarray:
        components = Gaussians([[delta, m], [-delta, -m]], np.tile(v * np.eye(2), (2, 1, 1)))
        stats = mixture.e_step(corners, MixtureParams([0.5, 0.5], components))
        return mixture.m_step(stats).components.means[0]

    at = {failure.wide: a, failure.tall: b, failure.height: m, likelihood.v: v}
    assert abs(step(0.0)[0] - number(failure.trap_step().end)) < 1e-15
    assert np.isclose(step(0.0)[1], number(failure.trap_height().end, at), **EXACT)
    assert np.isclose(step(tilt)[0] / tilt, number(failure.trap_rate().end, at), rtol=1e-12)
    assert number(failure.trap_rate().end, at) < 1


def test_the_logistic_is_the_responsibility() -> None:
    point, means, v = RNG.normal(size=2), np.array([[0.3, 1.1], [-0.3, -1.1]]), 0.7
    params = MixtureParams([0.5, 0.5], Gaussians(means, np.tile(v * np.eye(2), (2, 1, 1))))
    share = Mixture(Gaussian()).responsibilities(point[None], params)[0, 0]
    at = {
        failure.delta: 0.3,
        failure.height: 1.1,
        likelihood.v: v,
        failure.across: point[0],
        failure.up: point[1],
    }
    assert np.isclose(share, number(failure.logistic().end, at), **EXACT)
    assert not np.isclose(
        share, number(failure.logistic().end, {**at, failure.height: 1.2}), **EXACT
    )
