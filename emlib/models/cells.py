"""A multinomial seen through a merger of its cells: the complete counts are hidden, their sums are seen.

The E-step splits each observed count in proportion to the probabilities of the cells that it merges. A data set is the
count of each observed cell, shape (o,), or the observed cell of each individual as a column, shape (n, 1), with cells
numbered from 0; individuals may be weighted, in chunks or on Dask. Log-likelihoods are those of the individuals: the
multinomial coefficient of a table, which no parameter enters, is left out.

Source: Dempster, Laird & Rubin (1977), section 1, of which the linkage of `emlib.models.linkage` is the example;
`emlib.models.alleles` is another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.arrays import Array, Labels, expectation, log_sum_exp, real, rows, softmax
from emlib.data import Block, Prepared, Weighted, impossible_row, prepare

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

Params = TypeVar("Params")


@dataclass(frozen=True)
class CellStatistics:
    """What an E-step keeps of a data set."""

    log_likelihood: float
    counts: Float[Array, " c"]
    """Expected count of each complete cell."""

    @property
    def observations(self) -> float:
        """How many individuals were counted."""
        return float(self.counts.sum())

    def __add__(self, other: CellStatistics) -> CellStatistics:
        return CellStatistics(
            self.log_likelihood + other.log_likelihood, self.counts + other.counts
        )

    def __mul__(self, factor: float) -> CellStatistics:
        return CellStatistics(self.log_likelihood * factor, self.counts * factor)


class MergedCells(ABC, Generic[Params]):
    """What models of merged cells share. The hidden variable of an individual is its complete cell."""

    @property
    @abstractmethod
    def shown(self) -> Int[Labels, " c"]:
        """The observed cell as which each complete cell is seen."""

    @abstractmethod
    def log_cells(self, params: Params) -> Float[Array, " c"]:
        """The log-probability of each complete cell."""

    @abstractmethod
    def m_step(self, stats: CellStatistics) -> Params:
        """The params that maximise the complete-data likelihood at the expected counts."""

    def prepare(self, data: Any) -> Prepared:
        """The data, checked.

        Raises:
            ValueError: neither a count for each observed cell, nor a column of cells.
        """
        return prepare(self._table(data) if np.ndim(data) == 1 else data, self.cells)

    def cells(self, data: ArrayLike) -> Float[Array, "n 1"]:
        """The observed cells of individuals, checked."""
        observed = int(self.shown.max()) + 1
        if np.ndim(data) != 2:
            raise ValueError(
                f"data: expected the cells of individuals as a column of shape (n, 1), got {np.shape(data)}"
            )
        x = rows(data, "data")
        if x.shape[1] != 1 or not np.isin(x, np.arange(observed)).all():
            raise ValueError(
                f"data: expected one column of cells 0, ..., {observed - 1}, got shape {x.shape} "
                f"with values from {x.min():g} to {x.max():g}"
            )
        return x

    def log_joint(self, data: ArrayLike, params: Params) -> Float[Array, "n c"]:
        """Log p(x_n, z_n = c | params) of each individual; -inf where x_n does not show c. Data of shape (n, 1)."""
        return self._joint(params)[self.cells(data)[:, 0].astype(np.intp)]

    def responsibilities(self, data: ArrayLike, params: Params) -> Float[Array, "n c"]:
        """p(z_n = c | x_n, params) of each individual. Data of shape (n, 1)."""
        joint = self.log_joint(data, params)
        return softmax(joint)

    def why_impossible(self, data: Any, params: Params) -> str:
        """The first individual whose cell has probability 0, in words; "" if there is none."""
        return impossible_row(self.prepare(data), lambda x: log_sum_exp(self.log_joint(x, params)))

    def e_step(self, data: Any, params: Params) -> CellStatistics:
        """Each observed count, split over the cells that it merges."""
        joint = self._joint(params)
        evidence = log_sum_exp(joint)
        shares = softmax(joint)

        def split(block: Block) -> CellStatistics:
            cells = block.x[:, 0].astype(np.intp)
            counts = np.bincount(cells, block.weights, len(joint)).astype(np.float64)
            return CellStatistics(expectation(counts, evidence), counts @ shares)

        return self.prepare(data).sum(split)

    def expected_log_joint(self, stats: CellStatistics, params: Params) -> float:
        """Q: sum_c (expected count of c) log p(c | params)."""
        return expectation(stats.counts, self.log_cells(params))

    def sample(
        self, params: Params, n: int, rng: np.random.Generator
    ) -> tuple[Float[Array, "n 1"], Int[Labels, " n"]]:
        """The observed cells of n individuals, and their complete cells."""
        probabilities = np.exp(self.log_cells(params))
        hidden: Labels = rng.choice(
            len(probabilities), size=n, p=probabilities / probabilities.sum()
        )
        return self.shown[hidden][:, None].astype(np.float64), hidden

    def _joint(self, params: Params) -> Float[Array, "o c"]:
        observed = np.arange(self.shown.max() + 1)
        return np.where(observed[:, None] == self.shown, self.log_cells(params), -np.inf)

    def _table(self, data: Any) -> Weighted:
        counts = real(data, "data")
        observed = int(self.shown.max()) + 1
        if len(counts) != observed or (counts < 0).any() or not counts.any():
            raise ValueError(
                f"data: expected {observed} counts, none below 0 and not all 0, got {np.asarray(data)}; "
                "the cells of individuals are a column of shape (n, 1)"
            )
        return Weighted(np.arange(observed)[:, None], counts)
