"""Online EM: learn from one block of data after another, and keep none.

The statistics are a running mean: each new block is mixed in with a step size that shrinks like t^-exponent, so that
old blocks, seen with worse params, are forgotten. The steps wander; they do not climb, and nothing here claims that
they have converged. What can be watched is how well each block was foretold before it was learned from.

Source: Cappe & Moulines (2009), "On-line expectation-maximization algorithm for latent data models", Journal of the
Royal Statistical Society B 71(3), eqs. (10)-(11); Liang & Klein (2009), "Online EM for unsupervised models", section 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from emlib.data import Prepared
from emlib.em import Model, Statistics, prepared

if TYPE_CHECKING:
    from typing import Self


class Scalable(Statistics, Protocol):
    """Statistics that can be averaged."""

    def __mul__(self, factor: float) -> Self: ...


Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Scalable)


@dataclass(frozen=True)
class OnlineStep(Generic[Params, Stats]):
    """What has been learned so far. It has no log-likelihood: the data are gone."""

    params: Params
    stats: Stats
    """The running mean of the statistics: one observation in all."""
    forecast: float
    """Mean log-density of the last block under the params before it was seen, in nats per observation."""
    blocks: int
    """How many blocks have been seen."""


def online_steps(
    model: Model[Any, Params, Stats], data: Any, params: Params, *, exponent: float = 0.7
) -> Iterator[OnlineStep[Params, Stats]]:
    """A step for each block, pass after pass without end; take as many as you like, with `itertools.islice`.

    The blocks are those of the data set: 8192 rows each, or the pieces of `Chunks`. Block t = 1, 2, ... after the first
    is mixed in with step size (t + 2)^-exponent.

    Raises:
        ValueError: the exponent is not above 1/2 and at most 1, or the data are not made of blocks of rows.
    """
    blocks = prepared(model, data)
    if not isinstance(blocks, Prepared):
        raise ValueError(
            "online EM needs data in blocks of independent rows, and a model whose `prepare` gives them"
        )
    step: OnlineStep[Params, Stats] | None = None
    while True:
        for block in blocks:
            step = learn(model, block, params if step is None else step, exponent=exponent)
            yield step


def learn(
    model: Model[Any, Params, Stats],
    data: Any,
    known: OnlineStep[Params, Stats] | Params,
    *,
    exponent: float = 0.7,
) -> OnlineStep[Params, Stats]:
    """What is known, or the params to start from, and one more block of data.

    Raises:
        ValueError: the exponent is not above 1/2 and at most 1.
    """
    if not 0.5 < exponent <= 1:
        raise ValueError(f"exponent: expected a number above 0.5, at most 1, got {exponent}")
    before = known if isinstance(known, OnlineStep) else None
    params: Params = known.params if isinstance(known, OnlineStep) else known
    fresh = model.e_step(data, params)
    mean = fresh * (1 / fresh.observations)
    forecast = mean.log_likelihood
    if before is None:
        return OnlineStep(model.m_step(mean), mean, forecast, 1)
    size = (before.blocks + 2.0) ** -exponent
    # The new ones first: sums of moments keep the anchors of the first, and these lie at the newest means.
    mean = mean * size + before.stats * (1 - size)
    return OnlineStep(model.m_step(mean), mean, forecast, before.blocks + 1)
