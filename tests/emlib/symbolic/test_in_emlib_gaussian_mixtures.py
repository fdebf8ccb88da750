"""The library's EM step for Gaussian mixtures is the derived one: weights, means, variances and covariances."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Gaussian, Gaussians
from emlib.symbolic import covariances, likelihood, mixtures, preconditioner
from emlib.symbolic.numeric import Point

RNG = np.random.default_rng(17)
DATA = RNG.normal(3, 2, size=6)
PLANE = RNG.normal(size=(7, 2)) @ np.array([[1.5, 0.4], [0.0, 0.8]]) + 1.0


class Numbers(Point):
    """A point whose numbers are given, not drawn."""

    def __init__(self, values: dict[Any, Any]) -> None:
        super().__init__(0)
        for key, value in values.items():
            array = np.asarray(value, dtype=float)
            if isinstance(key, sp.IndexedBase):
                for index, entry in np.ndenumerate(array):
                    self._values[(key, *(i + 1 for i in index))] = mpmath.mpf(float(entry))
            elif isinstance(key, tuple):  # a family of vectors
                for i, row in enumerate(array):
                    self._values[(*key, i + 1)] = mpmath.matrix(row.tolist())
            elif isinstance(key, sp.MatrixSymbol):
                self._values[key] = mpmath.matrix(array.tolist())
            else:
                self._values[key] = mpmath.mpf(float(array))

    def array(self, expression: sp.Expr) -> np.ndarray[Any, Any]:
        """The value in double precision."""
        with mpmath.workdps(30):
            value = self.value(expression)
        rows = value.tolist() if isinstance(value, mpmath.matrix) else value
        return np.array(rows, dtype=float)


PARAMS = MixtureParams(
    np.array([0.2, 0.5, 0.3]), Gaussians.univariate([1.0, 3.5, 5.0], [1.2, 0.8, 2.0])
)


def on_the_line() -> tuple[MixtureParams, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    mixture = Mixture(Gaussian())
    best = mixture.m_step(mixture.e_step(DATA, PARAMS))
    return best, np.exp(mixture.log_joint(DATA, PARAMS)), mixture.responsibilities(DATA, PARAMS)


@pytest.mark.parametrize("component", [1, 2, 3])
def test_the_step_of_a_weight_is_the_derived_one(component: int) -> None:
    best, _, shares = on_the_line()
    numbers = Numbers(
        {
            likelihood.N: 6,
            mixtures.K: 3,
            mixtures.component: component,
            likelihood.x: DATA,
            mixtures.weights: PARAMS.weights,
            mixtures.means: PARAMS.components.means[:, 0],
            mixtures.variances: PARAMS.components.variances[:, 0],
        }
    )
    step = best.weights[component - 1] - PARAMS.weights[component - 1]
    for claim in preconditioner.weight_step().claims:
        assert np.isclose(numbers.array(claim.right), step, rtol=1e-12, atol=1e-14)
        assert not np.isclose(numbers.array(2 * claim.right), step, rtol=1e-12, atol=1e-14)
    share = numbers.array(mixtures.responsibility_of(sp.Integer(2), mixtures.component))
    assert np.isclose(share, shares[1, component - 1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("component", [0, 1, 2])
def test_the_step_of_a_variance_is_the_derived_one(component: int) -> None:
    best, joint, _ = on_the_line()
    numbers = Numbers(
        {
            likelihood.N: 6,
            likelihood.x: DATA,
            mixtures.weight: PARAMS.weights[component],
            mixtures.mean: PARAMS.components.means[component, 0],
            mixtures.variance: PARAMS.components.variances[component, 0],
            mixtures.rest: np.delete(joint, component, axis=1).sum(axis=1),
        }
    )
    step = (best.components.variances - PARAMS.components.variances)[component, 0]
    for claim in preconditioner.variance_step().claims:
        assert np.isclose(numbers.array(claim.right), step, rtol=1e-12, atol=1e-14)
        assert not np.isclose(
            numbers.array(claim.right + sp.Rational(1, 10**9)), step, rtol=1e-12, atol=1e-14
        )


FULL = MixtureParams(
    np.array([0.4, 0.6]),
    Gaussians(
        np.array([[0.5, 1.0], [2.0, 1.5]]),
        np.array([[[1.0, 0.3], [0.3, 0.7]], [[2.0, -0.4], [-0.4, 0.9]]]),
    ),
)


@pytest.mark.parametrize("component", [0, 1])
def test_the_m_step_in_the_plane_lies_where_the_derived_slopes_vanish(component: int) -> None:
    mixture = Mixture(Gaussian())
    best = mixture.m_step(mixture.e_step(PLANE, FULL)).components
    shares = mixture.responsibilities(PLANE, FULL)[:, component]
    deviations = PLANE - best.means[component]
    numbers = {
        likelihood.N: 7,
        covariances.d: 2,
        (type(covariances.x[1]), "x"): PLANE,
        covariances.r: shares,
        covariances.mean_hat: best.means[component],
        covariances.covariance_hat: (shares * deviations.T) @ deviations / shares.sum(),
        covariances.mean: best.means[component],
        covariances.precision: np.linalg.inv(best.covariances[component]),
    }
    slope_in_mean = covariances.mean_slope_in_d().claims[0].right
    share = sp.Sum(covariances.r[likelihood.n], likelihood.data)
    slope_in_precision = (
        covariances.precision_slope().claims[0].right.subs(covariances.share_of_k, share)
    )
    for slope in (slope_in_mean, slope_in_precision):
        assert np.abs(Numbers(numbers).array(slope)).max() < 1e-11
        off = {**numbers, covariances.precision: 1.01 * numbers[covariances.precision]}
        off[covariances.mean] = 1.01 * best.means[component]
        assert np.abs(Numbers(off).array(slope)).max() > 1e-4
