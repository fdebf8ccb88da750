"""Published numbers of the chapter on two coins."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from emlib.em import Step, em_steps
from emlib.families import Multinomial, Multinomials, Sums
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.published import Comparison, Source

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array

DO_BATZOGLOU = Source("Do & Batzoglou (2008), figure 1", "do2008")
HEADS = np.array([5.0, 9.0, 8.0, 4.0, 7.0])
TOSSES = np.column_stack([HEADS, 10 - HEADS])
"""Heads and tails of five sets of ten tosses."""

Coins = MixtureParams[Multinomials]
CoinStep = Step[Coins, MixtureStatistics[Sums]]


class FairChoice(Mixture[Multinomials, Sums]):
    """Each set is of one of two coins, chosen by a fair toss of a third: the weights are known."""

    def m_step(self, stats: MixtureStatistics[Sums]) -> Coins:
        """The share of heads of each coin."""
        return MixtureParams(np.full(2, 0.5), super().m_step(stats).components)


MODEL = FairChoice(Multinomial())


@cache
def _steps() -> tuple[CoinStep, ...]:
    start: Coins = MixtureParams(np.full(2, 0.5), Multinomials(np.array([[0.6, 0.4], [0.5, 0.5]])))
    return tuple(islice(em_steps(MODEL, TOSSES, start), 61))


def _heads(step: int) -> Float[Array, " 2"]:
    return _steps()[step].params.components.probabilities[:, 0]


@cache
def responsibilities() -> tuple[Comparison, ...]:
    """The share of coin A in each set of ten tosses, if coin A shows heads six times in ten and coin B five times.

    Source: Do & Batzoglou (2008), figure 1b, step 2.
    """
    shares = MODEL.responsibilities(TOSSES, _steps()[0].params)
    what = "Two coins, at the start: probability that set {} is of coin A"
    return DO_BATZOGLOU.compare_each(what, "0.45 0.80 0.73 0.35 0.65", shares[:, 0])


@cache
def expected_tosses() -> tuple[Comparison, ...]:
    """The heads and tails that each coin is expected to have shown, summed over the sets.

    Source: Do & Batzoglou (2008), figure 1b, step 3.
    """
    return tuple(
        comparison
        for coin, printed, expected in zip(
            "AB", ("21.3 8.6", "11.7 8.4"), _steps()[0].stats.components.totals, strict=True
        )
        for comparison in DO_BATZOGLOU.compare_each(
            f"Two coins, at the start: expected number of {{}} of coin {coin}",
            printed,
            expected,
            names=("heads", "tails"),
        )
    )


@cache
def first_step() -> tuple[Comparison, ...]:
    """How often each coin shows heads, after one step.

    Source: Do & Batzoglou (2008), figure 1b, step 3.
    """
    what = "Two coins, after one step: probability of heads of coin {}"
    return DO_BATZOGLOU.compare_each(what, "0.71 0.58", _heads(1), names="AB")


@cache
def tenth_step() -> tuple[Comparison, ...]:
    """How often each coin shows heads, after ten steps, which is where the figure stops.

    Source: Do & Batzoglou (2008), figure 1b, step 4.
    """
    return tuple(
        DO_BATZOGLOU.compare(
            f"Two coins, after ten steps: probability of heads of coin {name}",
            printed,
            ten,
            because=f"the figure stops at step ten; the limit is {limit:.5f}",
        )
        for name, printed, ten, limit in zip(
            "AB", ("0.80", "0.52"), _heads(10), _heads(60), strict=True
        )
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (
    responsibilities,
    expected_tosses,
    first_step,
    tenth_step,
)
