"""Covariance models (interim: the helper who writes this file replaces it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emlib.arrays import Array


@dataclass(frozen=True)
class CovarianceModel:
    """One model."""

    name: str
    diagonal: bool
    estimate: Callable[[Array, Array], Array]
    parameters: Callable[[int, int], int]


def _vvv(scatter: Array, counts: Array) -> Array:
    result: Array = scatter / counts[:, None, None]
    return result


def _vvi(scatter: Array, counts: Array) -> Array:
    result: Array = scatter / counts[:, None]
    return result


MODELS: Mapping[str, CovarianceModel] = {
    "VVV": CovarianceModel("VVV", False, _vvv, lambda k, d: k * d * (d + 1) // 2),
    "VVI": CovarianceModel("VVI", True, _vvi, lambda k, d: k * d),
}
