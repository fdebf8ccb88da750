"""Statistics of an objective that is a log-likelihood plus a term of the params alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from emlib.em import Statistics

Stats = TypeVar("Stats", bound=Statistics)


@dataclass(frozen=True)
class Penalised(Generic[Stats]):
    """The statistics of a model, and what is added to its log-likelihood, however many data there are."""

    stats: Stats
    """Those of the model itself: `stats.log_likelihood` is the log-likelihood without the penalty."""
    penalty: float
    """The term of the params, in nats: a log-prior density, or minus a divergence from a prior."""

    @property
    def observations(self) -> float:
        """How many observations were summed."""
        return self.stats.observations

    @property
    def log_likelihood(self) -> float:
        """The objective: log-likelihood plus penalty."""
        return self.stats.log_likelihood + self.penalty

    @property
    def rounding(self) -> float:
        """What rounding may move, in nats, beyond a sum's."""
        return float(getattr(self.stats, "rounding", 0.0)) + 1e-12 * abs(self.penalty)

    def __add__(self, other: Penalised[Stats]) -> Penalised[Stats]:
        # Of two parts of one data set, at the same params: the data add, the penalty is one and the same.
        return Penalised(self.stats + other.stats, self.penalty)
