"""The models that the laws are tried on, and how to move about in their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from scipy import stats
from scipy.linalg import expm

from emlib import Mixture, MixtureParams
from emlib.datasets import load
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons
from emlib.families.parsimonious import MODELS

Move: TypeAlias = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Case:
    """A model with data, the density of its components by SciPy, and the ways out of a point of its parameters."""

    name: str
    model: Mixture[Any, Any]
    data: np.ndarray
    components: int
    around: Callable[[Any], tuple[int, Move]]
    """How many directions lead away from the components, and the components a step in them away: a chart."""
    density: Callable[[np.ndarray, Any, int], np.ndarray]
    """log p(x | theta_k) of each row, by SciPy."""
    spoilt: Callable[[Any], Any]
    """Other components of the same model, that no M-step would give."""

    def chart(self, params: MixtureParams[Any]) -> tuple[int, Move]:
        """The same with the weights: directions, and the params a step away. No step is the params themselves."""
        inner, move = self.around(params.components)
        logs = np.log(params.weights)

        def away(step: np.ndarray) -> MixtureParams[Any]:
            weights = np.exp(logs + step[: self.components])
            return MixtureParams(weights / weights.sum(), move(step[self.components :]))

        return self.components + inner, away

    def numbers(self, params: MixtureParams[Any]) -> np.ndarray:
        """Every number of the params."""
        inner = [np.ravel(getattr(params.components, name)) for name in self._names(params)]
        return np.concatenate([params.weights, *inner])

    def start(self, seed: int) -> MixtureParams[Any]:
        """Params fitted to a random soft grouping: rough, but on the scale of the data."""
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.full(self.components, 0.5), size=len(self.data))
        return Mixture(self.model.family).from_responsibilities(self.data, shares)

    def relabelled(self, params: MixtureParams[Any], order: list[int]) -> MixtureParams[Any]:
        changed = {name: getattr(params.components, name)[order] for name in self._names(params)}
        return MixtureParams(params.weights[order], replace(params.components, **changed))

    def _names(self, params: MixtureParams[Any]) -> list[str]:
        return [field.name for field in fields(params.components)]


# ---- Gaussians, with each of the covariance models --------------------------------------------------


def around_gaussians(model: str) -> Callable[[Gaussians], tuple[int, Move]]:
    """Sigma_k = volume_k D_k A_k D_k': what the letters of the model let vary, varies.

    Source: Celeux & Govaert (1995), "Gaussian parsimonious clustering models", section 2.
    """

    def around(params: Gaussians) -> tuple[int, Move]:
        k, d = params.means.shape
        copies = {"I": 0, "E": 1, "V": k}
        volumes, shapes, turns = (copies[letter] for letter in model)
        axes = np.array([_axes(c, model) for c in params.covariances])
        if model[2] == "E":
            axes[:] = axes[0]
        spectra = np.einsum("kji,kjl,kli->ki", axes, params.covariances, axes)
        lower = np.tril_indices(d, -1)
        sizes = [k * d, volumes, shapes * (d - 1), turns * len(lower[0])]

        def move(step: np.ndarray) -> Gaussians:
            mean, volume, shape, turn = np.split(step, np.cumsum(sizes)[:-1])
            logs = np.log(spectra) + (volume[:, None] if volumes else 0.0)
            if shapes:
                free = shape.reshape(shapes, d - 1)
                logs = logs + np.column_stack([free, -free.sum(axis=1)])
            turned = axes
            if turns:
                skew = np.zeros((turns, d, d))
                skew[:, lower[0], lower[1]] = turn.reshape(turns, -1)
                turned = axes @ expm(skew - skew.transpose(0, 2, 1))
            covariances = np.einsum("kij,kj,klj->kil", turned, np.exp(logs), turned)
            covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
            unit = np.sqrt(np.einsum("kii->ki", params.covariances))
            return Gaussians(params.means + mean.reshape(k, d) * unit, covariances)

        return sum(sizes), move

    return around


def _axes(covariance: np.ndarray, model: str) -> np.ndarray:
    return np.eye(len(covariance)) if model[2] == "I" else np.linalg.eigh(covariance)[1]


def gaussian_case(name: str, model: str, data: np.ndarray, k: int) -> Case:
    d = 1 if data.ndim == 1 else data.shape[1]
    letters = {"E": "EII", "V": "VII"}.get(model, model) if d == 1 else model
    return Case(
        name,
        Mixture(Gaussian(model)),
        data,
        k,
        around_gaussians(letters),
        lambda x, c, j: np.reshape(
            stats.multivariate_normal(c.means[j], c.covariances[j]).logpdf(x), len(x)
        ),
        lambda c: replace(c, covariances=1.5 * c.covariances),
    )


def three_groups() -> np.ndarray:
    """Of mixed units, and correlated."""
    x = np.random.default_rng(8).standard_normal((120, 2)) @ np.array([[1.0, 0.6], [0, 0.8]])
    return (x + np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 6.0]], 40, axis=0)) * [1.0, 20.0]


def three_columns() -> np.ndarray:
    """Two groups that differ in size, form and direction."""
    rng = np.random.default_rng(7)
    left = rng.standard_normal((50, 3)) @ np.array([[1.0, 0.3, 0], [0, 0.5, 0.2], [0, 0, 0.3]])
    right = rng.standard_normal((40, 3)) @ np.array([[0.4, 0, 0.2], [0.3, 1.2, 0], [0, 0, 0.8]])
    return np.vstack([left, right + np.array([2.5, 1.0, -1.0])])


# ---- the others ---------------------------------------------------------------------------------------


def around_positive(name: str, kind: Callable[..., Any]) -> Callable[[Any], tuple[int, Move]]:
    """Any positive numbers: a step is one of their logarithms."""

    def around(components: Any) -> tuple[int, Move]:
        values = getattr(components, name)
        return values.size, lambda step: kind(values * np.exp(step.reshape(values.shape)))

    return around


def around_probabilities(components: Bernoullis) -> tuple[int, Move]:
    odds = np.log(components.probabilities) - np.log1p(-components.probabilities)
    return odds.size, lambda step: Bernoullis(1 / (1 + np.exp(-odds - step.reshape(odds.shape))))


def ones_and_zeros() -> np.ndarray:
    truth = MixtureParams([0.4, 0.6], Bernoullis([[0.1, 0.8, 0.1, 0.9], [0.8, 0.2, 0.7, 0.3]]))
    return Mixture(Bernoulli()).sample(truth, 150, np.random.default_rng(3))[0]


faithful = load("faithful")
CASES = [
    gaussian_case("gaussian-1d", "V", faithful["waiting"][::2], 2),
    gaussian_case("gaussian-1d-E", "E", faithful["waiting"][::2], 2),
    gaussian_case("gaussian-2d", "VVV", three_groups(), 3),
    *(gaussian_case(model, model, three_columns(), 2) for model in MODELS),
    Case(
        "poisson",
        Mixture(Poisson()),
        np.concatenate([np.random.default_rng(4).poisson(rate, 60) for rate in (2.0, 11.0)]),
        2,
        around_positive("rates", Poissons),
        lambda x, c, j: stats.poisson(c.rates[j]).logpmf(x.ravel()),
        lambda c: Poissons(0.5 * c.rates),
    ),
    Case(
        "bernoulli",
        Mixture(Bernoulli()),
        ones_and_zeros(),
        2,
        around_probabilities,
        lambda x, c, j: stats.bernoulli(c.probabilities[j]).logpmf(x).sum(axis=1),
        lambda c: Bernoullis(0.5 * c.probabilities),
    ),
]
