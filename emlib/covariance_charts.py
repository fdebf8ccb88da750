"""Charts of the covariance models: as many coordinates as a model of `emlib.families.parsimonious` has parameters.

Sigma_k = volume_k D_k A_k D_k' becomes the logarithm of the volume, logarithms of the shape, and a rotation away from
the orientation where the chart is made, each once for all components (E), once for each (V), or not at all (I).

Source: Celeux & Govaert (1995), "Gaussian parsimonious clustering models", section 2; Golub & Van Loan (2013), "Matrix
Computations", section 5.1 (Cayley transform).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array
from emlib.charts import Chart, chart
from emlib.families.gaussian import SYNONYMS, Gaussians

if TYPE_CHECKING:
    from jaxtyping import Float


def covariance_chart(model: str, params: Gaussians) -> Chart[Gaussians]:
    """The chart of Gaussians under a covariance model, smooth near these; its name as `Gaussian` takes it."""
    name = SYNONYMS.get(model, model)
    if name == "VVV":
        return chart(params)
    if name == "EEE":
        return _one_for_all(params)
    k, d = params.means.shape
    copies = {"I": 0, "E": 1, "V": k}
    volumes, shapes, orientations = (copies[letter] for letter in name)
    upper = np.triu_indices(d, 1)
    here = _axes(params, orientations)
    ends = np.cumsum([k * d, volumes, shapes * (d - 1)])

    def to_vector(params: Gaussians) -> Float[Array, " p"]:
        axes = _matched(_axes(params, orientations), here)
        logs = np.log(np.einsum("kji,kjl,kli->ki", axes, params.covariances, axes))
        log_volumes = logs.mean(axis=1, keepdims=True)
        turns = _skew(here.transpose(0, 2, 1) @ axes)[:orientations]
        return np.concatenate(
            [
                params.means.ravel(),
                _shared(log_volumes, volumes),
                _shared((logs - log_volumes)[:, :-1], shapes),
                turns[:, *upper].ravel(),
            ]
        )

    def from_vector(vector: Float[Array, " p"]) -> Gaussians:
        means, log_volumes, log_shapes, turns = np.split(vector, ends)
        logs = np.zeros((k, d)) + log_volumes.reshape(volumes, 1)
        if shapes:
            free = log_shapes.reshape(shapes, d - 1)
            logs = logs + np.column_stack([free, -free.sum(axis=1)])
        skew = np.zeros((max(orientations, 1), d, d))
        if orientations:
            skew[:, *upper] = turns.reshape(orientations, -1)
        axes = here @ _rotation(skew - skew.transpose(0, 2, 1))
        covariances = axes * np.exp(logs)[:, None, :] @ axes.transpose(0, 2, 1)
        return Gaussians(means.reshape(k, d), (covariances + covariances.transpose(0, 2, 1)) / 2)

    return Chart(to_vector, from_vector)


def _one_for_all(params: Gaussians) -> Chart[Gaussians]:
    k, d = params.means.shape

    def first(covariances: Float[Array, "k d d"]) -> Gaussians:
        return Gaussians(np.zeros((1, d)), covariances[:1])

    one = chart(first(params.covariances))

    def to_vector(params: Gaussians) -> Float[Array, " p"]:
        return np.concatenate([params.means.ravel(), one.to_vector(first(params.covariances))[d:]])

    def from_vector(vector: Float[Array, " p"]) -> Gaussians:
        shared = one.from_vector(np.concatenate([np.zeros(d), vector[k * d :]])).covariances
        return Gaussians(vector[: k * d].reshape(k, d), np.repeat(shared, k, axis=0))

    return Chart(to_vector, from_vector)


def _shared(values: Float[Array, "k m"], copies: int) -> Float[Array, " c"]:
    """Values that all components share once, or each its own, or none."""
    result: Array = values.mean(axis=0) if copies == 1 else values[:copies].ravel()
    return result


def _axes(params: Gaussians, orientations: int) -> Float[Array, "o d d"]:
    """The orientations D, their columns the principal axes; the coordinate axes where a model has none."""
    k, d = params.means.shape
    if orientations == 0:
        return np.eye(d)[None]
    scaled = (
        params.covariances / np.exp(np.linalg.slogdet(params.covariances)[1] / d)[:, None, None]
    )
    if orientations < k or k == 1:
        # Unequal shares: shapes that mirror each other would add up to a sphere, which has no axes.
        scaled = np.einsum("k,kij->ij", 1 / np.arange(1, k + 1), scaled)[None]
    axes: Array = np.linalg.eigh(scaled).eigenvectors
    return axes


def _matched(axes: Float[Array, "o d d"], here: Float[Array, "o d d"]) -> Float[Array, "o d d"]:
    """The same axes, in the order and with the signs of those near them."""
    overlaps = here.transpose(0, 2, 1) @ axes
    order = abs(overlaps).argmax(axis=2)
    signs = np.sign(np.take_along_axis(overlaps, order[:, :, None], axis=2)[:, :, 0])
    return np.take_along_axis(axes, order[:, None, :], axis=2) * signs[:, None, :]


def _rotation(skew: Float[Array, "o d d"]) -> Float[Array, "o d d"]:
    """(1 - S)^-1 (1 + S), for a skew S."""
    one = np.eye(skew.shape[-1])
    return np.asarray(np.linalg.solve(one - skew, one + skew), dtype=np.float64)


def _skew(rotation: Float[Array, "o d d"]) -> Float[Array, "o d d"]:
    """(Q - 1)(Q + 1)^-1: the S of a rotation Q that turns nothing round."""
    one, turned = np.eye(rotation.shape[-1]), rotation.transpose(0, 2, 1)
    return np.asarray(np.linalg.solve(turned + one, turned - one)).transpose(0, 2, 1)
