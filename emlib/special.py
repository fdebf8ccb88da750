"""The gamma function's relatives, on arrays, with NumPy alone.

Each climbs by its recurrence to an argument of 10 or more, where some terms of the asymptotic series are exact to
the last digits of a float. What remains of the first two less their leading terms is had without the difference.

Source: Abramowitz & Stegun (1964), "Handbook of Mathematical Functions", 6.3.5, 6.4.6 (recurrences), 6.3.18, 6.4.12
(series); Anderson (2003), "An Introduction to Multivariate Statistical Analysis", section 7.2 (several dimensions).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, real

if TYPE_CHECKING:
    from jaxtyping import Float
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


def log_gamma_remainder(x: Float[Array, " k"]) -> Float[Array, " k"]:
    """Log Gamma(x) less Stirling's (x - 1/2) log x - x + log(2 pi) / 2, precise also where that is huge.

    Source: Abramowitz & Stegun (1964), "Handbook of Mathematical Functions", 6.1.40 and 6.1.41.
    """
    exact = np.array([math.lgamma(value) for value in np.minimum(x, 10.0)])
    stirling = (x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi)
    far = 1 / np.maximum(x, 10.0)
    # fmt: off
    series = far * _power_series(
        far**2, (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360))
    # fmt: on
    return np.where(x < 10, exact - stirling, series)


def log_minus_digamma(
    x: Float[Array, " k"],
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """Log x - digamma(x), between 1 / (2 x) and 1 / x, precise also where that is tiny; and its slope, to six digits.

    Source: Abramowitz & Stegun (1964), 6.3.6 and 6.3.18, 6.4.6 and 6.4.12.
    """
    # The asymptotic series holds ten steps of the recurrence ahead.
    far, steps = 1 / (x + 10), 1 / (x[:, None] + np.arange(10))
    square = far**2
    # fmt: off
    tail = far / 2 + square * _power_series(
        square, (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760))
    # fmt: on
    value = tail + steps.sum(axis=1) - np.log1p(10 / x)
    return value, -square / 2 - far * square / 6 - (steps**2).sum(axis=1) + 10 * far / x


def gamma_shapes(spread: Float[Array, " k"], most: float) -> Float[Array, " k"]:
    """The x at which `log_minus_digamma` is `spread`, at most `most`: the shapes of Gammas fitted to precisions u.

    Raises:
        ArithmeticError: a spread is negative, which that of numbers u > 0 cannot be.

    Source: the first guess is Minka's (2002), "Estimating a Gamma distribution", within 1.5 percent.
    """
    if not (spread >= 0).all():
        raise ArithmeticError(f"the spread of log-precisions is negative: {spread}")
    spread = np.maximum(spread, 0.5 / most)
    shapes = (3 - spread + np.sqrt((3 - spread) ** 2 + 24 * spread)) / (12 * spread)
    # Newton's method on logarithmic axes, where the function is all but straight: its slopes lie between -1.16 and -1.
    for _ in range(6):
        value, slope = log_minus_digamma(shapes)
        change = -np.log(value / spread) * value / (shapes * slope)
        shapes = shapes * np.exp(change)
        if abs(change).max() < 1e-9:
            break
    return np.minimum(shapes, most)


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


def _power_series(x: Float[Array, " k"], coefficients: tuple[float, ...]) -> Float[Array, " k"]:
    """sum_i coefficients_i x^i."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total
