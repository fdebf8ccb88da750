"""Exponential durations: T(x) = x, eta = -rate, A = -log(rate), h = 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels, real, rows
from emlib.families.family import ExponentialFamily, Sums, refuse_empty

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Exponentials:
    """k exponential distributions."""

    rates: Float[Array, " k"]
    """Events per unit of time: 1 / mean."""

    def __post_init__(self) -> None:
        rates = real(self.rates, "rates")
        if rates.ndim != 1 or not (rates > 0).all():
            raise ValueError(f"rates: expected k numbers above 0, got {self.rates}")
        object.__setattr__(self, "rates", rates)


class Exponential(ExponentialFamily[Exponentials]):
    """Durations until an event that comes at a constant rate, one column.

    Source: Johnson, Kotz & Balakrishnan (1994), "Continuous Univariate Distributions", volume 1, chapter 19.
    """

    def observations(self, data: ArrayLike) -> Float[Array, "n 1"]:
        """Durations, shape (n,) or (n, 1)."""
        x = rows(data, "data")
        if x.shape[1] != 1:
            raise ValueError(
                f"data: expected durations of shape (n,) or (n, 1), got {np.shape(data)}"
            )
        if (x < 0).any():
            raise ValueError(f"data: expected durations, 0 or more, found {x.min():g}")
        return x

    def statistics(self, x: Float[Array, "n 1"]) -> Float[Array, "n 1"]:
        """T(x) = x."""
        return x

    def natural(self, params: Exponentials) -> Float[Array, "k 1"]:
        """Eta = -rate."""
        return -params.rates[:, None]

    def log_partition(self, params: Exponentials) -> Float[Array, " k"]:
        """A = -log(rate)."""
        return -np.log(params.rates)

    def log_base(self, x: Float[Array, "n 1"]) -> Float[Array, " n"]:
        """Log h(x) = 0."""
        return np.zeros(len(x))

    def from_mean(self, stats: Sums) -> Exponentials:
        """The rate is the inverse of the weighted mean.

        Raises:
            ArithmeticError: a component has no data, or only durations of 0, where the likelihood is unbounded.
        """
        refuse_empty(stats.counts)
        means = stats.totals[:, 0] / stats.counts
        # The inverse of a smaller number is infinite.
        if not (means > 1e-307).all():
            raise ArithmeticError(
                f"component {int(means.argmin())} has collapsed: its mean duration is "
                f"{means.min():g}, from {stats.counts[means.argmin()]:.4g} expected observations"
            )
        return Exponentials(1 / means)

    def free_parameters(self, params: Exponentials) -> int:
        """A rate each."""
        return len(params.rates)

    def sample(
        self, params: Exponentials, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n 1"]:
        """One duration from component hidden_n, for each n."""
        durations: Array = rng.standard_exponential(len(hidden)) / params.rates[hidden]
        return durations[:, None]
