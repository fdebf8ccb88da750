"""Hard and annealed EM: one number between guessing softly and deciding.

The posterior is raised to the power beta: q_nk is proportional to (w_k p(x_n | theta_k))^beta. At beta = 1 this is EM.
Below it, the responsibilities are evened out, and the objective has fewer hills to be caught on; at infinity each
observation belongs wholly to its most probable component, as in k-means.

Source: Ueda & Nakano (1998), "Deterministic annealing EM algorithm", Neural Networks 11(2), eqs. (10), (13); Celeux &
Govaert (1992), "A classification EM algorithm for clustering and two stochastic versions", Computational Statistics &
Data Analysis 14(3), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.arrays import Array, log_sum_exp, softmax
from emlib.data import Block, Prepared
from emlib.em import Trace, em
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics

if TYPE_CHECKING:
    from jaxtyping import Float

STAGE_TOL = 1e-6
"""Nats per observation: a stage of annealing need not come nearer to a place that the next one leaves."""

Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Any)


@dataclass(frozen=True)
class Tempered(Generic[Params, Stats]):
    """A mixture at inverse temperature beta. Its `log_likelihood` is sum_n log(sum_k joint_nk^beta) / beta.

    That is the log-likelihood at beta = 1, and at infinity the log-joint of data and best assignment: the
    classification likelihood.
    """

    mixture: Mixture[Params, Stats]
    beta: float

    def __post_init__(self) -> None:
        if not self.beta > 0:
            raise ValueError(f"beta: expected a number above 0, or infinity, got {self.beta}")

    def prepare(self, data: Any) -> Prepared:
        """The data set, checked, as the E-step reads it."""
        return self.mixture.prepare(data)

    def e_step(self, data: Any, params: MixtureParams[Params]) -> MixtureStatistics[Stats]:
        """The sums of the data, weighted by the tempered responsibilities."""
        return self.prepare(data).sum(lambda block: self._block(block, params))

    def _block(self, block: Block, params: MixtureParams[Params]) -> MixtureStatistics[Stats]:
        joint = self.mixture.log_joint(block.x, params)
        objective, responsibilities = _soften(joint, self.beta)
        return MixtureStatistics(
            log_likelihood=block.total(objective),
            components=self.mixture.family.expected_statistics(
                block.x, block.weighted(responsibilities), params.components
            ),
        )

    def m_step(self, stats: MixtureStatistics[Stats]) -> MixtureParams[Params]:
        """That of the mixture."""
        return self.mixture.m_step(stats)

    def expected_log_joint(
        self, stats: MixtureStatistics[Stats], params: MixtureParams[Params]
    ) -> float:
        """That of the mixture; the objective is it plus the entropy divided by beta."""
        return self.mixture.expected_log_joint(stats, params)


def hard(mixture: Mixture[Params, Stats]) -> Tempered[Params, Stats]:
    """Classification EM: every observation counts for its most probable component alone, the first of equals."""
    return Tempered(mixture, np.inf)


def anneal(
    mixture: Mixture[Params, Stats],
    data: Any,
    start: MixtureParams[Params],
    *,
    schedule: Sequence[float] = (0.5, 0.7, 0.85),
    blend: float = 0.2,
    tol: float = 1e-10,
    max_steps: int = 10_000,
) -> Trace[MixtureParams[Params], MixtureStatistics[Stats]]:
    """Run EM at each beta of the schedule, from where the one before ended, and then at 1; the last run is returned.

    Below 1, components that coincide stay together, and rounding alone would have to part them. So at each stage a
    share `blend` of the statistics is that of the start: its grouping is not forgotten, though it no longer decides.
    The run may still end on the wrong hill.

    Raises:
        ValueError: the schedule does not rise from above 0 to below 1, or the blend is no share.
    """
    rising = all(low < high for low, high in pairwise([0.0, *schedule, 1.0]))
    if not rising:
        raise ValueError(f"schedule: expected rising numbers above 0 and below 1, got {schedule}")
    if not 0 <= blend < 1:
        raise ValueError(f"blend: expected a share, 0 or more and below 1, got {blend}")
    prepared = mixture.prepare(data)
    first = mixture.e_step(prepared, start) * blend
    params = start
    for beta in schedule:
        stage = Tempered(mixture, beta)
        params = em(stage, prepared, params, tol=STAGE_TOL, max_steps=max_steps).params
        params = mixture.m_step(mixture.e_step(prepared, params) * (1 - blend) + first)
    return em(mixture, prepared, params, tol=tol, max_steps=max_steps)


def _soften(
    joint: Float[Array, "n k"], beta: float
) -> tuple[Float[Array, " n"], Float[Array, "n k"]]:
    """log(sum_k joint^beta) / beta for each row, and the shares that maximise its bound."""
    if np.isinf(beta):
        best = joint.argmax(axis=1)
        return joint.max(axis=1), np.eye(joint.shape[1])[best]
    powers = beta * joint
    return log_sum_exp(powers) / beta, softmax(powers)
