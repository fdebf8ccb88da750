"""The gamma function's relatives, on arrays, with NumPy alone.

Each climbs by its recurrence to an argument of 10 or more, where eight terms of the asymptotic series are exact to
the last digits of a float.

Source: Abramowitz & Stegun (1964), "Handbook of Mathematical Functions", 6.3.5, 6.4.6 (recurrences), 6.3.18, 6.4.12
(series); Anderson (2003), "An Introduction to Multivariate Statistical Analysis", section 7.2 (several dimensions).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, real

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BERNOULLI = np.array([1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510])
"""B_2, B_4, ..., B_16."""
ORDERS = 2.0 * np.arange(1, 9)
LARGE = 10


def log_gamma(x: ArrayLike) -> Array:
    """Log Gamma(x) for x > 0, elementwise."""
    values = _positive(x)
    result: Array = np.vectorize(math.lgamma, otypes=[np.float64])(values)
    return result


def digamma(x: ArrayLike) -> Array:
    """d/dx log Gamma(x) for x > 0, elementwise."""
    low, high = _climb(_positive(x))
    series = (BERNOULLI / ORDERS * high[..., None] ** -ORDERS).sum(axis=-1)
    result: Array = np.log(high) - 0.5 / high - series - (1 / low).sum(axis=-1)
    return result


def trigamma(x: ArrayLike) -> Array:
    """The second derivative of log Gamma(x) for x > 0, elementwise."""
    low, high = _climb(_positive(x))
    series = (BERNOULLI * high[..., None] ** -(ORDERS + 1)).sum(axis=-1)
    result: Array = 1 / high + 0.5 / high**2 + series + (1 / low**2).sum(axis=-1)
    return result


def log_multigamma(x: ArrayLike, d: int) -> Array:
    """Log of the multivariate gamma function of dimension d, for x > (d - 1) / 2, elementwise."""
    constant = 0.25 * d * (d - 1) * math.log(math.pi)
    result: Array = constant + log_gamma(_halves(x, d)).sum(axis=-1)
    return result


def multidigamma(x: ArrayLike, d: int) -> Array:
    """The derivative of `log_multigamma`, for x > (d - 1) / 2, elementwise."""
    result: Array = digamma(_halves(x, d)).sum(axis=-1)
    return result


def _halves(x: ArrayLike, d: int) -> Array:
    result: Array = np.asarray(x, dtype=np.float64)[..., None] - 0.5 * np.arange(d)
    return result


def _positive(x: ArrayLike) -> Array:
    values = real(x, "x")
    if not (values > 0).all():
        raise ValueError(f"x: expected numbers above 0, got one of {values.min():g}")
    return values


def _climb(x: Array) -> tuple[Array, Array]:
    """The arguments that the recurrence passes (infinite where none is needed), and where it arrives."""
    steps = x[..., None] + np.arange(LARGE)
    passed = steps < LARGE
    return np.where(passed, steps, np.inf), x + passed.sum(axis=-1)
