"""What a data set may be: rows, weighted rows, pieces read one after another or side by side, a Dask collection.

Statistics add, so every E-step over independent observations is a sum over blocks of rows. A model says what one block
gives; where the blocks come from, and who adds them, is said here. Blocks are cut by the number of rows alone and added
in their order, so that the result does not depend on the number of threads, not even in the last bit.

Source: Dempster, Laird & Rubin (1977), section 3 (the E-step is a sum over observations); the chapter is book/bound.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from emlib.arrays import Array, real

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

Total = TypeVar("Total")
Check: TypeAlias = "Callable[[Any], Float[Array, 'n d']]"

BLOCK_ROWS = 8192
"""Rows of one block: few enough for the cache, enough to hide what a call costs."""


@dataclass(frozen=True)
class Weighted:
    """Observations with a weight each: one of weight 2 counts as two, one of weight 0 as none."""

    values: Any
    """Anything that a model takes as data, Chunks excepted."""
    weights: Any
    """A number, 0 or more, for each observation. Shape (n,)."""


@dataclass(frozen=True)
class Chunks:
    """A data set in pieces: more than fits into memory, or for more than one thread.

    `pieces` is an array, cut into blocks of rows here, or an iterable of arrays (or of `Weighted`) that can be read
    anew at each E-step: a list, or an object whose `__iter__` opens the file again.
    """

    pieces: Any
    threads: int = 1

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads: expected at least 1, got {self.threads}")
        if isinstance(self.pieces, Iterator):
            raise ValueError(
                "pieces: an iterator can be read once, but every E-step reads the data again; "
                "give a list, or an object whose __iter__ starts anew"
            )


@dataclass(frozen=True)
class Block:
    """Checked rows, and their weights; None where all are 1."""

    x: Float[Array, "n d"]
    weights: Float[Array, " n"] | None = None

    @property
    def observations(self) -> float:
        """The sum of the weights: how many observations the rows stand for."""
        return float(len(self.x)) if self.weights is None else float(self.weights.sum())

    def weighted(self, values: Float[Array, "n k"]) -> Float[Array, "n k"]:
        """The values, a row an observation, times the weights."""
        return values if self.weights is None else values * self.weights[:, None]

    def total(self, values: Float[Array, " n"]) -> float:
        """The weighted sum of one value an observation."""
        return float(values.sum() if self.weights is None else values @ self.weights)


class Prepared(ABC):
    """A data set as the E-steps of a run see it: checked, and cut into blocks."""

    @abstractmethod
    def __iter__(self) -> Iterator[Block]:
        """The blocks, always in the same order."""

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(block), added over the blocks in their order."""
        return reduce(add, map(step, self))


def prepare(data: Any, check: Check) -> Prepared:
    """The data set, checked by `check` (which raises ValueError), as blocks. Prepared data pass unchanged.

    Rows in memory are checked here, once; what streams is checked as it passes.

    Raises:
        ValueError: the data are none that `check` takes, or the weights are not one number, 0 or more, a row.
    """
    if isinstance(data, Prepared):
        return data
    if isinstance(data, Block):
        return InMemory(data.x, data.weights)
    if isinstance(data, Chunks):
        if isinstance(data.pieces, (np.ndarray, Weighted)) or _is_dask(data.pieces):
            inner = prepare(data.pieces, check)
            if isinstance(inner, InMemory):
                return InMemory(inner.x, inner.weights, data.threads)
            return inner
        return Streamed(data.pieces, check, data.threads)
    values, weights = (data.values, data.weights) if isinstance(data, Weighted) else (data, None)
    if _is_dask(values):
        return Distributed(values, weights, check)
    return InMemory.checked(values, weights, check)


class InMemory(Prepared):
    """Rows of one array, or of a file mapped into memory; no second copy is made of what is an array of floats."""

    def __init__(
        self, x: Float[Array, "n d"], weights: Float[Array, " n"] | None, threads: int = 1
    ) -> None:
        self.x, self.weights, self.threads = x, weights, threads

    @classmethod
    def checked(cls, values: ArrayLike, weights: ArrayLike | None, check: Check) -> InMemory:
        """The rows, after a look at every block."""
        array = np.asarray(values)
        if array.ndim not in (1, 2) or array.size == 0 or array.dtype.kind not in "biuf":
            array = check(values)  # raises, or knows how to read it
        for rows in _cut(len(array)):
            check(array[rows])
        columns = array.reshape(len(array), -1)
        return cls(columns, None if weights is None else _weights(weights, len(array)))

    def __iter__(self) -> Iterator[Block]:
        return map(self._block, _cut(len(self.x)))

    def _block(self, rows: slice) -> Block:
        x = np.asarray(self.x[rows], dtype=np.float64)
        return Block(x, None if self.weights is None else self.weights[rows])

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(block), added over the blocks in their order, in threads where there is work for them."""
        cuts = _cut(len(self.x))
        if self.threads == 1 or len(cuts) == 1:
            return super().sum(step)
        with ThreadPoolExecutor(self.threads) as pool:
            return reduce(add, pool.map(lambda rows: step(self._block(rows)), cuts))


class Streamed(Prepared):
    """Pieces that arrive one after another; no more are held than threads work on."""

    def __init__(self, pieces: Iterable[Any], check: Check, threads: int = 1) -> None:
        self.pieces, self.check, self.threads = pieces, check, threads

    def __iter__(self) -> Iterator[Block]:
        empty = True
        for number, piece in enumerate(self.pieces):
            try:
                inner = prepare(piece, self.check)
            except ValueError as error:
                raise ValueError(f"piece {number}: {error}") from error
            for block in inner:
                empty = False
                yield block
        if empty:
            raise ValueError(
                "the data set has no pieces; if it had some before, it can be read only once: give a list, "
                "or an object whose __iter__ starts anew"
            )

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(block), added over the blocks in their order."""
        if self.threads == 1:
            return super().sum(step)
        with ThreadPoolExecutor(self.threads) as pool:
            return reduce(add, _in_order(pool, step, self, ahead=2 * self.threads))


class Distributed(Prepared):
    """A Dask array or bag: each partition is summed where it lies, and only the sums travel."""

    def __init__(self, values: Any, weights: Any, check: Check) -> None:
        self.values, self.weights, self.check = values, weights, check

    def _parts(self) -> list[Any]:
        import dask

        values = self.values
        if getattr(values, "ndim", 1) == 2:
            values = values.rechunk({1: -1})
        parts = np.ravel(values.to_delayed()).tolist()
        if self.weights is None:
            return [dask.delayed(_rows)(part) for part in parts]
        weights = np.ravel(self.weights.to_delayed()).tolist() if _is_dask(self.weights) else None
        if weights is None or len(weights) != len(parts):
            raise ValueError("weights: expected a Dask array with the chunks of the data")
        pairs = zip(parts, weights, strict=True)
        return [dask.delayed(Weighted)(dask.delayed(_rows)(part), weight) for part, weight in pairs]

    def __iter__(self) -> Iterator[Block]:
        for part in self._parts():
            yield from prepare(part.compute(), self.check)

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(block), added over the blocks in their order."""
        import dask

        sums = [dask.delayed(_sum)(part, self.check, step) for part in self._parts()]
        total: Total = reduce(add, dask.compute(*sums))
        return total


def _sum(part: Any, check: Check, step: Callable[[Block], Total]) -> Total:
    return prepare(part, check).sum(step)


def _rows(part: Any) -> Any:
    return np.asarray(part)


def _in_order(
    pool: ThreadPoolExecutor, step: Callable[[Block], Total], blocks: Iterable[Block], ahead: int
) -> Iterator[Total]:
    # Executor.map would read all blocks before the first result.
    waiting: deque[Future[Total]] = deque()
    for block in blocks:
        waiting.append(pool.submit(step, block))
        if len(waiting) == ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _cut(n: int) -> list[slice]:
    """Blocks of equal size, as near to BLOCK_ROWS as can be."""
    edges = np.linspace(0, n, max(1, round(n / BLOCK_ROWS)) + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _weights(weights: ArrayLike, n: int) -> Float[Array, " n"]:
    checked = real(weights, "weights")
    if checked.shape != (n,) or (checked < 0).any() or not checked.sum() > 0:
        raise ValueError(
            f"weights: expected {n} numbers, one a row, none below 0 and not all 0, got shape {checked.shape} "
            f"with smallest {checked.min(initial=np.inf):g}"
        )
    return checked


def _is_dask(values: Any) -> bool:
    # Asked of the object, so that Dask need not be installed.
    return hasattr(values, "__dask_graph__") and hasattr(values, "to_delayed")
