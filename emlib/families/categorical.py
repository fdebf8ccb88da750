"""One level out of several, column by column, and counts of levels: T(x) = counts of each level, eta = log p, A = 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Flags, Labels, log_or_zero, real, rows
from emlib.families.family import ExponentialFamily, Sums, refuse_empty

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Categoricals:
    """k products of d categorical distributions."""

    probabilities: Float[Array, "k d l"]
    """Of each level, by component and column; 0 for a level that a column does not have."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", _shares(self.probabilities, "k d levels"))


@dataclass(frozen=True)
class Categorical(ExponentialFamily[Categoricals]):
    """Codes 0, 1, 2, ... of levels, the columns independent given the component: the latent class model.

    Source: Goodman (1974), "Exploratory latent structure analysis using both identifiable and unidentifiable models",
    Biometrika 61(2).
    """

    levels: tuple[int, ...]
    """How many levels each column has."""

    def __post_init__(self) -> None:
        levels = real(self.levels, "levels")
        if levels.ndim != 1 or not levels.size or (levels < 1).any() or (levels % 1 != 0).any():
            raise ValueError(
                f"levels: expected for each column how many it has, at least 1, got {self.levels}"
            )
        object.__setattr__(self, "levels", tuple(int(level) for level in levels))

    @classmethod
    def seen_in(cls, data: ArrayLike) -> Categorical:
        """The family with the levels up to the largest code of each column. Shape (n,) or (n, d)."""
        return cls(tuple(int(code) + 1 for code in _whole(data, "codes").max(axis=0)))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which levels each column has, in a table (d, l) as wide as the longest."""
        return np.arange(max(self.levels)) < np.array(self.levels)[:, None]

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Codes, shape (n,) or (n, d)."""
        x = _whole(data, "codes")
        if x.shape[1] != len(self.levels) or (x >= self.levels).any():
            raise ValueError(
                f"data: expected {len(self.levels)} columns with codes below {self.levels}, got "
                f"{x.shape[1]} columns with codes up to {tuple(x.max(axis=0).astype(int).tolist())}"
            )
        return x

    def statistics(self, x: Float[Array, "n d"]) -> Float[Array, "n p"]:
        """1 for the level that is there and 0 for all others, the columns side by side."""
        column, level = np.nonzero(self.present)
        ones: Array = (x[:, column] == level).astype(np.float64)
        return ones

    def natural(self, params: Categoricals) -> Float[Array, "k p"]:
        """Eta = log p."""
        return log_or_zero(self._checked(params)[:, self.present])

    def never(self, params: Categoricals) -> Bool[Flags, "k p"]:
        """A level of probability 0."""
        result: Flags = self._checked(params)[:, self.present] == 0
        return result

    def log_partition(self, params: Categoricals) -> Float[Array, " k"]:
        """A = 0."""
        return np.zeros(len(params.probabilities))

    def log_base(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Log h(x) = 0."""
        return np.zeros(len(x))

    def from_mean(self, stats: Sums) -> Categoricals:
        """The probability of a level is its weighted fraction."""
        refuse_empty(stats.counts)
        table = np.zeros((len(stats.counts), *self.present.shape))
        table[:, self.present] = stats.totals
        # Not by the counts, so that rounding leaves a sum of 1.
        return Categoricals(table / table.sum(axis=2, keepdims=True))

    def free_parameters(self, params: Categoricals) -> int:
        """All probabilities of a column but one, for each component."""
        return len(params.probabilities) * (sum(self.levels) - len(self.levels))

    def sample(
        self, params: Categoricals, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One row from component hidden_n, for each n."""
        cumulated = self._checked(params).cumsum(axis=2)[hidden]
        uniform = rng.random((len(hidden), len(self.levels), 1))
        # The last level of each column takes what rounding leaves of the sum.
        codes = (uniform >= cumulated).sum(axis=2)
        result: Array = np.minimum(codes, np.array(self.levels) - 1).astype(np.float64)
        return result

    def _checked(self, params: Categoricals) -> Float[Array, "k d l"]:
        present = self.present
        if params.probabilities.shape[1:] != present.shape:
            raise ValueError(
                f"probabilities: expected shape (k, {present.shape[0]}, {present.shape[1]}) for "
                f"levels {self.levels}, got {params.probabilities.shape}"
            )
        if params.probabilities[:, ~present].any():
            raise ValueError(
                f"probabilities: columns have {self.levels} levels, but one beyond them has a "
                "probability above 0"
            )
        return params.probabilities


@dataclass(frozen=True)
class Multinomials:
    """k multinomial distributions over the same levels."""

    probabilities: Float[Array, "k l"]
    """Of each level, by component."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", _shares(self.probabilities, "k levels"))


@dataclass(frozen=True)
class Multinomial(ExponentialFamily[Multinomials]):
    """Counts of each level in a row of draws, such as words in documents; totals may differ from row to row.

    Source: Johnson, Kotz & Balakrishnan (1997), "Discrete Multivariate Distributions", chapter 35.
    """

    draws: int = 1
    """The total of a row that `sample` makes."""

    def observations(self, data: ArrayLike) -> Float[Array, "n l"]:
        """Counts, shape (n, levels)."""
        if np.ndim(data) == 1:
            raise ValueError(
                f"data: expected counts of shape (n, levels), got {np.shape(data)}; the counts of one row are "
                "data[None], and the levels of draws one by one are data for Categorical"
            )
        return _whole(data, "counts")

    def statistics(self, x: Float[Array, "n l"]) -> Float[Array, "n l"]:
        """T(x) = x."""
        return x

    def natural(self, params: Multinomials) -> Float[Array, "k l"]:
        """Eta = log p."""
        return log_or_zero(params.probabilities)

    def never(self, params: Multinomials) -> Bool[Flags, "k l"]:
        """A level of probability 0."""
        result: Flags = params.probabilities == 0
        return result

    def log_partition(self, params: Multinomials) -> Float[Array, " k"]:
        """A = 0."""
        return np.zeros(len(params.probabilities))

    def log_base(self, x: Float[Array, "n l"]) -> Float[Array, " n"]:
        """Log h(x) = log of the multinomial coefficient."""
        counts, where = np.unique(np.column_stack([x.sum(axis=1), x]), return_inverse=True)
        logs = np.array([math.lgamma(count + 1) for count in counts])[where.reshape(len(x), -1)]
        result: Array = logs[:, 0] - logs[:, 1:].sum(axis=1)
        return result

    def from_mean(self, stats: Sums) -> Multinomials:
        """The probability of a level is its weighted share of all draws.

        Raises:
            ArithmeticError: a component has no data, or only rows without draws.
        """
        refuse_empty(stats.counts)
        draws = stats.totals.sum(axis=1, keepdims=True)
        if not (draws > 0).all():
            raise ArithmeticError(
                f"component {int(draws.argmin())} has only rows whose counts are all 0; drop them"
            )
        return Multinomials(stats.totals / draws)

    def free_parameters(self, params: Multinomials) -> int:
        """All probabilities but one, for each component."""
        return params.probabilities[:, 1:].size

    def sample(
        self, params: Multinomials, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n l"]:
        """One row of `draws` from component hidden_n, for each n."""
        counts: Array = rng.multinomial(self.draws, params.probabilities[hidden]).astype(np.float64)
        return counts


def _whole(data: ArrayLike, what: str) -> Float[Array, "n d"]:
    x = rows(data, "data")
    if (x < 0).any() or (x != np.floor(x)).any():
        raise ValueError(
            f"data: expected {what} 0, 1, 2, ..., found a negative or fractional value"
        )
    return x


def _shares(probabilities: ArrayLike, shape: str) -> Array:
    """Checked distributions along the last axis; `shape` names the axes."""
    axes = shape.split()
    checked = real(probabilities, "probabilities")
    if (
        checked.ndim != len(axes)
        or not checked.size
        or (checked < 0).any()
        or (abs(checked.sum(axis=-1) - 1) > 1e-8).any()
    ):
        raise ValueError(
            f"probabilities: expected shape ({', '.join(axes)}), none below 0, with sum 1 over the "
            f"levels, got {checked}"
        )
    return checked
