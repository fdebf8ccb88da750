"""Charts: params as a vector without constraints, and back.

Whoever extrapolates or differentiates in params needs them as plain numbers. Probabilities become log-ratios, rates
logarithms, and covariances Cholesky factors with the logarithms of their diagonals; so every vector is a legal value.

Source: Pinheiro & Bates (1996), "Unconstrained parametrizations for variance-covariance matrices", Statistics and
Computing 6(3), section 2.2 (log-Cholesky); Aitchison (1986), "The Statistical Analysis of Compositional Data",
section 6.2 (log-ratios).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.arrays import Array, Flags, log_floored, softmax
from emlib.families import (
    Bernoullis,
    Categorical,
    Categoricals,
    Exponentials,
    Gaussian,
    Gaussians,
    Multinomials,
    Poissons,
    Product,
    Products,
)
from emlib.mixture import Mixture, MixtureParams

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

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


@singledispatch
def chart_of(_: Any, params: Any) -> Chart[Any]:
    """The chart of params under a model or a family: `chart(params)`, unless the model ties or fixes some of them.

    Raises:
        ValueError: there is none for the kind of params.
    """
    return chart(params)


# ---- charts made of charts -------------------------------------------------------------------------


def joined(
    params: Params,
    parts: Callable[[Params], Sequence[Any]],
    charts: Sequence[Chart[Any]],
    build: Callable[..., Params],
) -> Chart[Params]:
    """The chart of params that are built of parts with a chart each, for params of these shapes."""

    def vectors(params: Params) -> list[Float[Array, " p"]]:
        return [each.to_vector(part) for each, part in zip(charts, parts(params), strict=True)]

    ends = np.cumsum([len(vector) for vector in vectors(params)])[:-1]

    def from_vector(vector: Float[Array, " p"]) -> Params:
        pieces = np.split(vector, ends)
        return build(*(each.from_vector(piece) for each, piece in zip(charts, pieces, strict=True)))

    return Chart(lambda params: np.concatenate(vectors(params)), from_vector)


def log_ratios(possible: Bool[Flags, "r l"]) -> Chart[Float[Array, "r l"]]:
    """Rows of probabilities, as log-ratios to the last of each row that is possible; the others are 0 for good."""
    places = np.arange(len(possible)), possible.shape[1] - 1 - possible[:, ::-1].argmax(axis=1)
    free = possible.copy()
    free[places] = False

    def to_vector(table: Float[Array, "r l"]) -> Float[Array, " p"]:
        logs = log_floored(table)
        ratios: Array = (logs - logs[places][:, None])[free]
        return ratios

    def from_vector(vector: Float[Array, " p"]) -> Float[Array, "r l"]:
        ratios = np.where(possible, 0.0, -np.inf)
        ratios[free] = vector
        return softmax(ratios)

    return Chart(to_vector, from_vector)


def shares(k: int) -> Chart[Float[Array, " k"]]:
    """K probabilities with sum 1."""
    rows = log_ratios(np.ones((1, k), dtype=np.bool_))
    return Chart(
        lambda table: rows.to_vector(table[None]), lambda vector: rows.from_vector(vector)[0]
    )


def _mixed(params: MixtureParams[Any], components: Chart[Any]) -> Chart[MixtureParams[Any]]:
    return joined(
        params,
        lambda params: (params.weights, params.components),
        (shares(len(params.weights)), components),
        MixtureParams,
    )


@chart.register
def _(params: MixtureParams) -> Chart[MixtureParams[Any]]:  # type: ignore[type-arg]
    return _mixed(params, chart(params.components))


@chart_of.register
def _(model: Mixture, params: Any) -> Chart[MixtureParams[Any]]:  # type: ignore[type-arg]
    return _mixed(params, chart_of(model.family, params.components))


def _side_by_side(params: Products, parts: Sequence[Chart[Any]]) -> Chart[Products]:
    return joined(params, lambda params: params.parts, parts, lambda *parts: Products(parts))


@chart.register
def _(params: Products) -> Chart[Products]:
    return _side_by_side(params, [chart(part) for part in params.parts])


@chart_of.register
def _(family: Product, params: Any) -> Chart[Products]:
    pairs = zip(family.families, params.parts, strict=True)
    return _side_by_side(params, [chart_of(*pair) for pair in pairs])


# ---- families --------------------------------------------------------------------------------------


@chart.register
def _(_: Poissons) -> Chart[Poissons]:
    return Chart(lambda params: log_floored(params.rates), lambda vector: Poissons(np.exp(vector)))


@chart.register
def _(_: Exponentials) -> Chart[Exponentials]:
    return Chart(lambda params: np.log(params.rates), lambda vector: Exponentials(np.exp(vector)))


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


def _of_levels(possible: Bool[Flags, "k d l"]) -> Chart[Categoricals]:
    rows = log_ratios(possible.reshape(-1, possible.shape[-1]))
    return Chart(
        lambda params: rows.to_vector(params.probabilities.reshape(-1, possible.shape[-1])),
        lambda vector: Categoricals(rows.from_vector(vector).reshape(possible.shape)),
    )


@chart.register
def _(params: Categoricals) -> Chart[Categoricals]:
    """A level of probability 0 in every component is taken for one that the column does not have."""
    table = params.probabilities
    return _of_levels(np.broadcast_to((table > 0).any(axis=0), table.shape))


@chart_of.register
def _(family: Categorical, params: Any) -> Chart[Categoricals]:
    return _of_levels(np.broadcast_to(family.present, params.probabilities.shape))


@chart.register
def _(params: Multinomials) -> Chart[Multinomials]:
    rows = log_ratios(np.ones(params.probabilities.shape, dtype=np.bool_))
    return Chart(
        lambda params: rows.to_vector(params.probabilities),
        lambda vector: Multinomials(rows.from_vector(vector)),
    )


@chart_of.register
def _(family: Gaussian, params: Any) -> Chart[Gaussians]:
    # Here, because charts of covariance models are made of those in this file.
    from emlib.covariance_charts import covariance_chart

    return covariance_chart(family.model, params)


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
