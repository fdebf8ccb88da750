"""The models that the laws are tried on, and how to move about in their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from emlib import Mixture, MixtureParams
from emlib.datasets import load
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons


@dataclass(frozen=True)
class Case:
    """A model with data, and a chart: params as a vector without constraints, and back."""

    name: str
    model: Mixture[Any, Any]
    data: np.ndarray
    components: int
    to_vector: Callable[[Any], np.ndarray]
    from_vector: Callable[[np.ndarray], Any]
    density: Callable[[np.ndarray, Any, int], float]
    """log p(x | theta_k) of one observation, by SciPy."""
    permuted: Callable[[Any, list[int]], Any]

    def vector(self, params: MixtureParams[Any]) -> np.ndarray:
        return np.concatenate([np.log(params.weights), self.to_vector(params.components)])

    def params(self, vector: np.ndarray) -> MixtureParams[Any]:
        weights = np.exp(vector[: self.components] - vector[: self.components].max())
        return MixtureParams(weights / weights.sum(), self.from_vector(vector[self.components :]))

    def start(self, seed: int) -> MixtureParams[Any]:
        """Params fitted to a random soft grouping: rough, but on the scale of the data."""
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.full(self.components, 0.5), size=len(self.data))
        return Mixture(self.model.family).from_responsibilities(self.data, shares)

    def relabelled(self, params: MixtureParams[Any], order: list[int]) -> MixtureParams[Any]:
        return MixtureParams(params.weights[order], self.permuted(params.components, order))


def _gaussian_case(name: str, data: np.ndarray, k: int) -> Case:
    d = 1 if data.ndim == 1 else data.shape[1]
    lower = np.tril_indices(d)

    def to_vector(components: Gaussians) -> np.ndarray:
        factors = np.linalg.cholesky(components.covariances)
        diagonal = np.arange(d)
        factors[:, diagonal, diagonal] = np.log(factors[:, diagonal, diagonal])
        return np.concatenate([components.means.ravel(), factors[:, lower[0], lower[1]].ravel()])

    def from_vector(vector: np.ndarray) -> Gaussians:
        factors = np.zeros((k, d, d))
        factors[:, lower[0], lower[1]] = vector[k * d :].reshape(k, -1)
        diagonal = np.arange(d)
        factors[:, diagonal, diagonal] = np.exp(factors[:, diagonal, diagonal])
        return Gaussians(vector[: k * d].reshape(k, d), factors @ factors.transpose(0, 2, 1))

    return Case(
        name,
        Mixture(Gaussian()),
        data,
        k,
        to_vector,
        from_vector,
        lambda x, c, j: float(stats.multivariate_normal(c.means[j], c.covariances[j]).logpdf(x)),
        lambda c, order: Gaussians(c.means[order], c.covariances[order]),
    )


def _ones_and_zeros() -> np.ndarray:
    rng = np.random.default_rng(3)
    truth = MixtureParams(
        np.array([0.4, 0.6]), Bernoullis([[0.1, 0.8, 0.3, 0.9], [0.7, 0.2, 0.6, 0.5]])
    )
    return Mixture(Bernoulli()).sample(truth, 150, rng)[0]


faithful = load("faithful")
CASES = [
    _gaussian_case("gaussian-1d", faithful["waiting"], 2),
    _gaussian_case("gaussian-2d", faithful.matrix("eruptions", "waiting"), 3),
    Case(
        "poisson",
        Mixture(Poisson()),
        load("deaths").repeated("deaths", times="days")[::7],
        2,
        lambda c: np.log(c.rates),
        lambda v: Poissons(np.exp(v)),
        lambda x, c, j: float(stats.poisson(c.rates[j]).logpmf(x).item()),
        lambda c, order: Poissons(c.rates[order]),
    ),
    Case(
        "bernoulli",
        Mixture(Bernoulli()),
        _ones_and_zeros(),
        2,
        lambda c: (np.log(c.probabilities) - np.log1p(-c.probabilities)).ravel(),
        lambda v: Bernoullis(1 / (1 + np.exp(-v.reshape(2, -1)))),
        lambda x, c, j: float(stats.bernoulli(c.probabilities[j]).logpmf(x).sum()),
        lambda c, order: Bernoullis(c.probabilities[order]),
    ),
]
