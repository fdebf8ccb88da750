"""Incremental EM: an M-step after every block of the data, not after all of them.

Each block keeps the statistics of its last E-step; a visit swaps them for new ones, and the next block already meets
better params. What climbs is the free energy F(q, params), q made of the posteriors that the blocks last had: it lies
below the log-likelihood, and meets it where EM comes to rest.

Source: Neal & Hinton (1998), "A view of the EM algorithm that justifies incremental, sparse, and other variants",
section 4, eqs. (12)-(14).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from emlib.bound import FreeEnergy
from emlib.data import Prepared
from emlib.em import AscentError, Model, Statistics, Step, prepared, rounding

Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Statistics)


@dataclass(frozen=True)
class Swept(Generic[Stats]):
    """The statistics of all blocks, each at the params of its last visit."""

    stats: Stats
    free_energy: float
    """F(q, params), in nats."""

    @property
    def observations(self) -> float:
        """How many observations were summed."""
        return self.stats.observations

    @property
    def log_likelihood(self) -> float:
        """The free energy, which these steps climb: no more than the log-likelihood of the params."""
        return self.free_energy

    @property
    def rounding(self) -> float:
        """What rounding may move, in nats, beyond a sum's."""
        return float(getattr(self.stats, "rounding", 0.0))

    def __add__(self, other: Swept[Stats]) -> Swept[Stats]:
        return Swept(self.stats + other.stats, self.free_energy + other.free_energy)


def incremental_steps(
    model: Model[Any, Params, Stats], data: Any, params: Params
) -> Iterator[Step[Params, Swept[Stats]]]:
    """Sweeps over the blocks, without end: `em(model, data, start, steps=incremental_steps)`.

    The blocks are those of the data set: 8192 rows each, or the pieces of `Chunks`.

    Raises:
        ValueError: the data are not made of blocks of rows.
        AscentError: the free energy fell: the code of the model contradicts its mathematics.
    """
    blocks = prepared(model, data)
    if not isinstance(blocks, Prepared):
        raise ValueError(
            "incremental EM needs data in blocks of independent rows, and a model whose `prepare` gives them"
        )
    parts = [model.e_step(block, params) for block in blocks]
    entropies = [part.log_likelihood - model.expected_log_joint(part, params) for part in parts]
    tree = SumTree(parts)
    step = _step(model, tree.total, params, entropies)
    for number in count(1):
        yield step
        for place, block in zip(range(len(entropies)), blocks, strict=True):
            stats = model.e_step(block, params)
            entropies[place] = stats.log_likelihood - model.expected_log_joint(stats, params)
            tree.put(place, stats)
            params = model.m_step(tree.total)
        previous, step = step, _step(model, tree.total, params, entropies)
        slack = rounding(previous.stats) + rounding(step.stats)
        if not step.log_likelihood >= previous.log_likelihood - slack:
            raise AscentError(
                f"sweep {number}: the free energy went from {previous.log_likelihood!r} to {step.log_likelihood!r}"
            )


class SumTree(Generic[Stats]):
    """Statistics of blocks as leaves of a binary tree of sums.

    A new leaf costs one addition a level. Nothing is ever subtracted, so rounding does not pile up from sweep to sweep.
    """

    def __init__(self, leaves: list[Stats]) -> None:
        self._size = len(leaves)
        # Node i is the sum of nodes 2i and 2i + 1; node 1 is the root.
        self._nodes = leaves[:1] * self._size + leaves
        for node in range(self._size - 1, 0, -1):
            self._add_up(node)

    @property
    def total(self) -> Stats:
        """The sum of the leaves."""
        return self._nodes[1]

    def put(self, place: int, leaf: Stats) -> None:
        """Change one leaf, and the sums above it."""
        node = self._size + place
        self._nodes[node] = leaf
        while node > 1:
            node //= 2
            self._add_up(node)

    def _add_up(self, node: int) -> None:
        self._nodes[node] = self._nodes[2 * node] + self._nodes[2 * node + 1]


def _step(
    model: Model[Any, Params, Stats], total: Stats, params: Params, entropies: list[float]
) -> Step[Params, Swept[Stats]]:
    split = FreeEnergy(model.expected_log_joint(total, params), sum(entropies), gap=0.0)
    return Step(params, Swept(total, split.free_energy), split)
