"""Poisson counts: T(x) = x, eta = log(rate), A = rate, h(x) = 1 / x!."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Flags, Labels, log_or_zero, real, rows
from emlib.families.family import ExponentialFamily, Sums, refuse_empty

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Poissons:
    """k Poisson distributions."""

    rates: Float[Array, " k"]
    """Expected count of each component."""

    def __post_init__(self) -> None:
        rates = real(self.rates, "rates")
        if rates.ndim != 1 or (rates < 0).any():
            raise ValueError(f"rates: expected k numbers, none below 0, got {self.rates}")
        object.__setattr__(self, "rates", rates)


class Poisson(ExponentialFamily[Poissons]):
    """Counts of events, one column.

    Source: Johnson, Kemp & Kotz (2005), "Univariate Discrete Distributions", chapter 4.
    """

    def observations(self, data: ArrayLike) -> Float[Array, "n 1"]:
        """Counts, shape (n,) or (n, 1)."""
        x = rows(data, "data")
        if x.shape[1] != 1:
            raise ValueError(f"data: expected counts of shape (n,) or (n, 1), got {np.shape(data)}")
        if (x < 0).any() or (x != np.floor(x)).any():
            raise ValueError(
                "data: expected counts 0, 1, 2, ..., found a negative or fractional value"
            )
        return x

    def statistics(self, x: Float[Array, "n 1"]) -> Float[Array, "n 1"]:
        """T(x) = x."""
        return x

    def natural(self, params: Poissons) -> Float[Array, "k 1"]:
        """Eta = log(rate)."""
        return log_or_zero(params.rates)[:, None]

    def never(self, params: Poissons) -> Bool[Flags, "k 1"]:
        """A count above 0, at rate 0."""
        result: Flags = params.rates[:, None] == 0
        return result

    def log_partition(self, params: Poissons) -> Float[Array, " k"]:
        """A = rate."""
        return params.rates

    def log_base(self, x: Float[Array, "n 1"]) -> Float[Array, " n"]:
        """Log h(x) = -log(x!)."""
        counts, where = np.unique(x[:, 0], return_inverse=True)
        log_factorials = np.array([math.lgamma(count + 1) for count in counts])
        return -log_factorials[where]

    def from_mean(self, stats: Sums) -> Poissons:
        """The rate is the weighted mean count."""
        refuse_empty(stats.counts)
        return Poissons(stats.totals[:, 0] / stats.counts)

    def free_parameters(self, params: Poissons) -> int:
        """A rate each."""
        return len(params.rates)

    def sample(
        self, params: Poissons, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n 1"]:
        """One count from component hidden_n, for each n."""
        counts: Array = rng.poisson(params.rates[hidden]).astype(float)
        return counts[:, None]
