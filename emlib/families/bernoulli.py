"""Independent yes/no columns: T(x) = x, eta = log(p / (1 - p)), A = -log(1 - p), h = 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Flags, Labels, log_or_zero, real, rows
from emlib.families.family import ExponentialFamily, Sums, refuse_empty

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import ArrayLike

ROUNDING = 1e-12
"""The share of a sum that rounding may make of nothing."""


@dataclass(frozen=True)
class Bernoullis:
    """k products of d Bernoulli distributions."""

    probabilities: Float[Array, "k d"]
    """Probability of a 1, by component and column."""

    def __post_init__(self) -> None:
        probabilities = real(self.probabilities, "probabilities")
        if probabilities.ndim != 2 or ((probabilities < 0) | (probabilities > 1)).any():
            raise ValueError(
                f"probabilities: expected shape (k, d), each in [0, 1], got {self.probabilities}"
            )
        object.__setattr__(self, "probabilities", probabilities)


class Bernoulli(ExponentialFamily[Bernoullis]):
    """Rows of zeros and ones, the columns independent given the component.

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", section 9.3.3.
    """

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Zeros and ones, shape (n,) or (n, d)."""
        x = rows(data, "data")
        if not np.isin(x, (0.0, 1.0)).all():
            raise ValueError("data: expected zeros and ones only; threshold or recode the values")
        return x

    def statistics(self, x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """T(x) = x."""
        return x

    def natural(self, params: Bernoullis) -> Float[Array, "k d"]:
        """Eta = log(p / (1 - p))."""
        return log_or_zero(params.probabilities) - log_or_zero(1 - params.probabilities)

    def never(self, params: Bernoullis) -> Bool[Flags, "k 2*d"]:
        """A 1 in a column at probability 0; a 0 at probability 1."""
        result: Flags = np.hstack([params.probabilities == 0, params.probabilities == 1])
        return result

    def log_partition(self, params: Bernoullis) -> Float[Array, " k"]:
        """A = -log(1 - p), summed over columns."""
        result: Array = -log_or_zero(1 - params.probabilities).sum(axis=1)
        return result

    def events(
        self, totals: Float[Array, "n d"], counts: Float[Array, " n"]
    ) -> Float[Array, "n 2*d"]:
        """Ones and zeros."""
        zeros = counts[:, None] - totals
        # Where all are ones, both sums are the same but for rounding.
        zeros[zeros < ROUNDING * counts[:, None]] = 0.0
        return np.hstack([totals, zeros])

    def log_base(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Log h(x) = 0."""
        return np.zeros(len(x))

    def from_mean(self, stats: Sums) -> Bernoullis:
        """The probability is the weighted fraction of ones."""
        refuse_empty(stats.counts)
        fractions = stats.totals / stats.counts[:, None]
        return Bernoullis(fractions.clip(0.0, 1.0))

    def free_parameters(self, params: Bernoullis) -> int:
        """A probability for each component and column."""
        return params.probabilities.size

    def sample(
        self, params: Bernoullis, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One row from component hidden_n, for each n."""
        probabilities = params.probabilities[hidden]
        ones: Array = (rng.random(probabilities.shape) < probabilities).astype(float)
        return ones
