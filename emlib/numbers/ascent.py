"""Published numbers of the chapter on EM as ascent."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from emlib.em import em_steps
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.published import Comparison, Source

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array

DEMPSTER = Source("Dempster, Laird & Rubin (1977), table 1", "dempster1977")
RAO = [125, 18, 20, 34]
"""Offspring of four kinds."""
ROUNDED = "printed one unit of the last digit too high, as if rounding errors had added up"


@cache
def linkage_steps() -> Float[Array, " steps"]:
    """The probability p of the linkage data after 0, 1, 2, ... steps from 1/2, the last of which no step changes."""
    steps = islice(em_steps(GeneticLinkage(), RAO, Linkage(0.5)), 31)
    return np.array([step.params.nonrecombinant for step in steps])


@cache
def linkage() -> tuple[Comparison, ...]:
    """The first eight steps of EM on the genetic linkage data, started at one half.

    Source: Dempster, Laird & Rubin (1977), table 1.
    """
    return DEMPSTER.compare_each(
        "Genetic linkage: estimate of p after step {}",
        "0.608247423 0.624321051 0.626488879 0.626777323 "
        "0.626815632 0.626820719 0.626821395 0.626821484",
        linkage_steps()[1:9],
        because=ROUNDED,
    )


@cache
def linkage_limit() -> tuple[Comparison, ...]:
    """The maximum of the likelihood of the genetic linkage data.

    Source: Dempster, Laird & Rubin (1977), section 1, the root of a quadratic equation.
    """
    section = Source("Dempster, Laird & Rubin (1977), section 1", DEMPSTER.cite)
    limit = linkage_steps()[-1]
    return (
        section.compare(
            "Genetic linkage: estimate of p in the limit", "0.6268214980", limit, because=ROUNDED
        ),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (linkage, linkage_limit)
