"""The params of largest posterior density: EM with a prior.

A conjugate prior is data that were never seen. Its logarithm, up to a constant, is an expected log-joint of made-up
statistics, and statistics add: so the E-step stays as it is, and the M-step takes the sum of both. What climbs is the
log-likelihood plus the log-density of the prior.

Source: Dempster, Laird & Rubin (1977), section 2 (p. 6); Diaconis & Ylvisaker (1979), "Conjugate priors for
exponential families", Annals of Statistics 7(2), eq. (2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from emlib.charts import Chart, chart_of
from emlib.em import Model, Statistics, prepared
from emlib.variants.penalised import Penalised

Data = TypeVar("Data")
Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Statistics)
StatsIn = TypeVar("StatsIn", contravariant=True)


class Prior(Protocol[Params, StatsIn]):
    """What is believed of the params of a model before any data are seen."""

    def log_density(self, model: Any, params: Params) -> float:
        """The log-density of the prior up to a constant, in nats."""

    def m_step(self, model: Any, stats: StatsIn) -> Params:
        """The params that maximise the surrogate of `stats` plus `log_density`."""


@dataclass(frozen=True)
class PseudoData(Generic[Stats]):
    """A prior given as statistics of the model itself: those of data that were never seen."""

    stats: Stats

    def log_density(self, model: Model[Any, Params, Stats], params: Params) -> float:
        """The expected log-joint of the data never seen."""
        return model.expected_log_joint(self.stats, params)

    def m_step(self, model: Model[Any, Params, Stats], stats: Stats) -> Params:
        """The M-step on seen and unseen together."""
        return model.m_step(stats + self.stats)


@dataclass(frozen=True)
class MaximumPosterior(Generic[Data, Params, Stats]):
    """A model with a prior. Its `log_likelihood` is log p(x | params) + log prior(params), which EM climbs."""

    model: Model[Data, Params, Stats]
    prior: Prior[Params, Stats]

    def prepare(self, data: Data) -> Data:
        """The data, checked by the model."""
        return prepared(self.model, data)

    def e_step(self, data: Data, params: Params) -> Penalised[Stats]:
        """The model's own; `stats.stats.log_likelihood` is the log-likelihood without the prior."""
        return Penalised(
            self.model.e_step(data, params), self.prior.log_density(self.model, params)
        )

    def m_step(self, stats: Penalised[Stats]) -> Params:
        """The params that maximise the surrogate with the prior."""
        return self.prior.m_step(self.model, stats.stats)

    def expected_log_joint(self, stats: Penalised[Stats], params: Params) -> float:
        """Q(params) + log prior(params)."""
        surrogate = self.model.expected_log_joint(stats.stats, params)
        return surrogate + self.prior.log_density(self.model, params)


@chart_of.register
def _(model: MaximumPosterior, params: Any) -> Chart[Any]:  # type: ignore[type-arg]
    return chart_of(model.model, params)
