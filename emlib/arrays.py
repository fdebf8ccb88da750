"""What an array of real numbers is here, and the logarithm arithmetic that every model shares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from jaxtyping import Float

Array: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]

SMALLEST_LOG = float(np.log(np.finfo(float).tiny))
"""The logarithm of the smallest normal number, about -708."""
UNDERFLOW = 1e-200
"""The share of all counts that underflow may leave of nothing."""


def real(values: ArrayLike, name: str, *, copy: bool = True) -> Array:
    """The values as an array of finite floats; without `copy`, an array of floats is passed on as it is.

    Raises:
        ValueError: something is not a number, not real, or not finite; the message says what and where.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name}: some values are masked; remove their rows, or fill them in")
    raw: NDArray[Any] = np.asarray(values)
    if raw.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: expected real numbers, got dtype {raw.dtype}; convert the values first"
        )
    array = raw.astype(np.float64, copy=copy)
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"{name}: {array.size - int(finite.sum())} of {array.size} values are not finite "
            f"(the first is {array[where]} at index {where}); remove or replace them"
        )
    return array


def rows(values: ArrayLike, name: str) -> Float[Array, "n d"]:
    """The values as rows of finite floats, not copied. Shapes: (n, d), or (n,) for one column; neither may be empty.

    Raises:
        ValueError: the values have another shape, or are not finite real numbers.
    """
    array = real(values, name, copy=False)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name}: expected shape (n,) or (n, d), got {np.shape(values)}")
    return array


def log_sum_exp(values: Float[Array, "n k"]) -> Float[Array, " n"]:
    """Log sum_k exp(a_nk) for each row, without overflow: the largest term is taken out first.

    A row whose terms are all -inf gives -inf.
    """
    largest = values.max(axis=1)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        result: Array = shift + np.log(np.exp(values - shift[:, None]).sum(axis=1))
    return result


def softmax(values: Float[Array, "n k"]) -> Float[Array, "n k"]:
    """exp(a_nk) over its sum in each row: shares that sum to 1, however large the values are.

    Dividing by the sum, and not subtracting its logarithm, keeps the digits: beside a value of 1e17 log 2 is lost.
    """
    largest = values.max(axis=1, keepdims=True)
    powers: Array = np.exp(values - np.where(np.isfinite(largest), largest, 0.0))
    total = powers.sum(axis=1, keepdims=True)
    # Where every value is -inf, none is more likely than another.
    return np.where(total > 0, powers / np.where(total > 0, total, 1.0), 1 / values.shape[1])


def log_probabilities(values: Array) -> Array:
    """log(values), with -inf for log 0, and no warning of it."""
    # A context for warnings costs more than the logarithms of a few numbers.
    if values.all():
        return np.log(values)
    with np.errstate(divide="ignore"):
        return np.log(values)


def log_or_zero(values: Array) -> Array:
    """log(values), with 0 for log 0: a factor of counts that are 0 there, or the whole is impossible anyway."""
    result: Array = np.log(np.where(values > 0, values, 1.0))
    return result


def log_floored(values: Array) -> Array:
    """log(values), with log 0 written as the logarithm of the smallest normal number, where a number must be."""
    result: Array = np.log(np.maximum(values, np.finfo(float).tiny))
    return result


def expectation(counts: Array, logs: Array) -> float:
    """Sum counts * logs: what is impossible costs nothing where it is not counted, and everything where it is."""
    total = float(np.vdot(counts, logs))
    if not math.isfinite(total):
        impossible = np.isneginf(logs)
        if (counts[impossible] > UNDERFLOW * counts.sum()).any():
            return -np.inf
        total = float(np.vdot(counts, np.where(impossible, 0.0, logs)))
    return total


def distributions(values: ArrayLike, name: str) -> Float[Array, "n k"]:
    """The values as rows, each a probability distribution. Shapes: (k,) for one or (n, k) for several.

    Raises:
        ValueError: a row has an entry below 0, or a sum that is not 1 to eight digits.
    """
    table = np.atleast_2d(real(values, name))
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"{name}: expected shape (k,) or (n, k), got {np.shape(values)}")
    totals = table.sum(axis=1)
    if (table < 0).any() or (abs(totals - 1) > 1e-8).any():
        worst = float(totals[abs(totals - 1).argmax()])
        raise ValueError(
            f"{name}: each row must be a distribution (no entry below 0, sum 1); smallest entry {table.min():g}, "
            f"sum farthest from 1 is {worst:g}. Divide each row by its sum"
        )
    return table
