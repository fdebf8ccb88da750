"""Genetic linkage: the example that opens the paper of Dempster, Laird and Rubin.

Offspring fall into four observed cells with probabilities (1/2 + p/4, (1-p)/4, (1-p)/4, p/4). The first is a merger of
two, with 1/2 and p/4; were they seen apart, p would be a share of a count.

Source: Rao (1965), "Linear Statistical Inference and Its Applications", section 5g; Dempster, Laird & Rubin (1977),
eqs. (1.1)-(1.3). The chapter is book/bound.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels, log_floored, log_probabilities, real
from emlib.charts import Chart, chart
from emlib.models.cells import CellStatistics, MergedCells

if TYPE_CHECKING:
    from jaxtyping import Float, Int

SHOWN: Labels = np.array([0, 0, 1, 2, 3])


@dataclass(frozen=True)
class Linkage:
    """The linkage of two factors."""

    nonrecombinant: float
    """p: the probability that neither of the two gametes is recombinant; 1/4 without linkage."""

    def __post_init__(self) -> None:
        p = real(self.nonrecombinant, "nonrecombinant")
        if p.ndim != 0 or not 0 <= p <= 1:
            raise ValueError(
                f"nonrecombinant: expected one probability, from 0 to 1, got {self.nonrecombinant}"
            )
        object.__setattr__(self, "nonrecombinant", float(p))


class GeneticLinkage(MergedCells[Linkage]):
    """Four kinds of offspring, of which the first is a merger of two."""

    @property
    def shown(self) -> Int[Labels, " 5"]:
        """The first two of the five complete cells are seen as one."""
        return SHOWN

    def log_cells(self, params: Linkage) -> Float[Array, " 5"]:
        """Log (1/2, p/4, (1-p)/4, (1-p)/4, p/4)."""
        p = params.nonrecombinant
        return log_probabilities(np.array([0.5, p / 4, (1 - p) / 4, (1 - p) / 4, p / 4]))

    def m_step(self, stats: CellStatistics) -> Linkage:
        """The share of the two cells with p/4 in the four that depend on p.

        Raises:
            ArithmeticError: no offspring is expected in any of the four.
        """
        _, *informative = stats.counts.tolist()
        # What underflow leaves of a share is no offspring.
        if not sum(informative) > 1e-280:
            raise ArithmeticError(
                "no offspring is expected in a cell that depends on p: the data say nothing about it"
            )
        return Linkage((informative[0] + informative[3]) / sum(informative))


@chart.register
def _(_: Linkage) -> Chart[Linkage]:
    """The log-odds of p."""

    def to_vector(params: Linkage) -> Float[Array, " 1"]:
        p = params.nonrecombinant
        return log_floored(np.array([p])) - log_floored(np.array([1 - p]))

    # By the tanh, which does not overflow.
    return Chart(to_vector, lambda vector: Linkage(0.5 + 0.5 * np.tanh(0.5 * vector.item())))
