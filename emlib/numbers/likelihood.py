"""Published numbers of the chapter on maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from emlib.datasets import load
from emlib.families import Gaussian, maximum_likelihood
from emlib.published import Comparison, Source

R = Source("R Core Team (2024), summary(faithful)", "r2024")


@cache
def old_faithful_means() -> tuple[Comparison, ...]:
    """The best mean of one normal curve is the average: that of the eruptions and that of the waits, in minutes.

    Source: R Core Team (2024), what R prints for summary(faithful).
    """
    faithful = load("faithful")
    eruptions, waits = (
        maximum_likelihood(Gaussian(), faithful[column]).means.item()
        for column in ("eruptions", "waiting")
    )
    return (
        R.compare("Old Faithful: mean length of an eruption, in minutes", "3.488", eruptions),
        R.compare("Old Faithful: mean wait between eruptions, in minutes", "70.9", waits),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (old_faithful_means,)
