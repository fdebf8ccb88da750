"""Charts: params as a vector without constraints, and back.

Whoever extrapolates or differentiates in params needs them as plain numbers. Probabilities become log-ratios, rates
logarithms, and covariances Cholesky factors with the logarithms of their diagonals; so every vector is a legal value.

Source: Pinheiro & Bates (1996), "Unconstrained parametrizations for variance-covariance matrices", Statistics and
Computing 6(3), section 2.2 (log-Cholesky); Aitchison (1986), "The Statistical Analysis of Compositional Data",
section 6.2 (log-ratios).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.arrays import Array, log_floored
from emlib.families import Bernoullis, Gaussians, Poissons
from emlib.mixture import MixtureParams

if TYPE_CHECKING:
    from jaxtyping import Float

Params = TypeVar("Params")


@dataclass(frozen=True)
class Chart(Generic[Params]):
    """Two functions, each the inverse of the other: as many coordinates as the params have degrees of freedom."""

    to_vector: Callable[[Params], Float[Array, " p"]]
    from_vector: Callable[[Float[Array, " p"]], Params]


@singledispatch
def chart(params: Any) -> Chart[Any]:
    """The chart of params of this kind and of these shapes. `chart.register` teaches it a new kind.

    A probability or rate of exactly 0 is written as the smallest normal number.

    Raises:
        ValueError: there is none for the kind.
    """
    raise ValueError(
        f"there is no chart for {type(params).__name__}; register one with emlib.charts.chart.register"
    )


@chart.register
def _(params: MixtureParams) -> Chart[MixtureParams[Any]]:  # type: ignore[type-arg]
    free, inner = len(params.weights) - 1, chart(params.components)

    def to_vector(params: MixtureParams[Any]) -> Float[Array, " p"]:
        logs = log_floored(params.weights)
        return np.concatenate([logs[:-1] - logs[-1], inner.to_vector(params.components)])

    def from_vector(vector: Float[Array, " p"]) -> MixtureParams[Any]:
        ratios = np.append(vector[:free], 0.0)
        weights = np.exp(ratios - ratios.max())
        return MixtureParams(weights / weights.sum(), inner.from_vector(vector[free:]))

    return Chart(to_vector, from_vector)


@chart.register
def _(_: Poissons) -> Chart[Poissons]:
    return Chart(lambda params: log_floored(params.rates), lambda vector: Poissons(np.exp(vector)))


@chart.register
def _(params: Bernoullis) -> Chart[Bernoullis]:
    shape = params.probabilities.shape

    def to_vector(params: Bernoullis) -> Float[Array, " p"]:
        ones, zeros = params.probabilities, 1 - params.probabilities
        return (log_floored(ones) - log_floored(zeros)).ravel()

    def from_vector(vector: Float[Array, " p"]) -> Bernoullis:
        # By the tanh, which does not overflow.
        return Bernoullis(0.5 * (1 + np.tanh(0.5 * vector)).reshape(shape))

    return Chart(to_vector, from_vector)


@chart.register
def _(params: Gaussians) -> Chart[Gaussians]:
    k, d = params.means.shape
    lower, diagonal = np.tril_indices(d), np.arange(d)

    def to_vector(params: Gaussians) -> Float[Array, " p"]:
        factors = np.linalg.cholesky(params.covariances)
        factors[:, diagonal, diagonal] = np.log(factors[:, diagonal, diagonal])
        return np.concatenate([params.means.ravel(), factors[:, *lower].ravel()])

    def from_vector(vector: Float[Array, " p"]) -> Gaussians:
        factors = np.zeros((k, d, d))
        factors[:, *lower] = vector[k * d :].reshape(k, -1)
        factors[:, diagonal, diagonal] = np.exp(factors[:, diagonal, diagonal])
        return Gaussians(vector[: k * d].reshape(k, d), factors @ factors.transpose(0, 2, 1))

    return Chart(to_vector, from_vector)
