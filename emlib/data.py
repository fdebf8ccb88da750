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
from functools import cached_property, reduce
from itertools import accumulate, chain, pairwise
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from emlib.arrays import Array, real

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

Total = TypeVar("Total")
Check: TypeAlias = "Callable[[Any], Float[Array, 'n d']]"

BLOCK_ROWS = 2**16
"""Rows of one block: so many that threads work longer than they wait for one another."""

PART_ROWS = 2**13
"""Rows of one table of densities, where a block is worked on by tables."""


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
    anew at each E-step: a list, or an object whose `__iter__` opens the file again. A piece may be empty. What lies on
    Dask is not affected: its scheduler has threads of its own.
    """

    pieces: Any
    threads: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.threads, int) or self.threads < 1:
            raise ValueError(f"threads: expected a whole number, 1 or more, got {self.threads!r}")
        if not (isinstance(self.pieces, (Iterable, Weighted)) or _is_array(self.pieces)):
            raise ValueError(
                f"pieces: expected an array or an iterable of arrays, got {type(self.pieces).__name__}"
            )
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

    @cached_property
    def extremes(self) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """The lowest and the highest value of each column."""
        # Down the columns of short rows NumPy compares one number at a time.
        short = self.x.shape[1] < 16
        turned = (part.x.T for part in self.parts())
        columns = map(np.ascontiguousarray, turned) if short else turned
        lowest, highest = zip(
            *((part.min(axis=1), part.max(axis=1)) for part in columns), strict=True
        )
        return np.min(lowest, axis=0), np.max(highest, axis=0)

    def part(self, rows: slice) -> Block:
        """Some of the rows."""
        return Block(self.x[rows], None if self.weights is None else self.weights[rows])

    def parts(self) -> Iterator[Block]:
        """The block in pieces, so small that a table over them stays near the cache."""
        return map(self.part, _cut(len(self.x), PART_ROWS))

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
        if isinstance(data.pieces, Weighted) or _is_array(data.pieces):
            inner = prepare(data.pieces, check)
            if isinstance(inner, InMemory):
                return InMemory(inner.x, inner.weights, data.threads)
            return inner
        return Streamed(data.pieces, check, data.threads)
    values, weights = (data.values, data.weights) if isinstance(data, Weighted) else (data, None)
    if isinstance(values, (Weighted, Chunks)):
        raise ValueError(
            f"values: expected observations to weigh, got {type(values).__name__}; "
            "give Chunks a list of Weighted, or Weighted all the rows"
        )
    if _is_dask(values):
        return Distributed(values, weights, check)
    return InMemory.checked(values, weights, check)


class InMemory(Prepared):
    """Rows of one array, or of a file mapped into memory; no second copy is made of what is an array of floats."""

    def __init__(
        self, x: Float[Array, "n d"], weights: Float[Array, " n"] | None, threads: int = 1
    ) -> None:
        self.x, self.weights, self.threads = x, weights, threads
        self.cuts = [cut for cut in _cut(len(x)) if weights is None or weights[cut].any()]
        self._views: dict[int, Block] = {}

    @classmethod
    def checked(cls, values: ArrayLike, weights: ArrayLike | None, check: Check) -> InMemory:
        """The rows, after a look at every block."""
        if np.ma.is_masked(values):
            raise ValueError("data: some values are masked; remove their rows, or fill them in")
        array = np.asarray(values)
        if array.ndim not in (1, 2) or array.size == 0 or array.dtype.kind not in "biuf":
            array = check(values)  # raises, or knows how to read it
        for cut in _cut(len(array)):
            try:
                check(array[cut])
            except ValueError:
                check(array)  # says which row of all, not of the block
                raise
        columns = array.reshape(len(array), -1)
        return cls(columns, None if weights is None else row_weights(weights, len(array)))

    def __iter__(self) -> Iterator[Block]:
        return map(self._block, self.cuts)

    def _block(self, cut: slice) -> Block:
        """The block, with what is known of it from the E-steps before where it is no copy of the rows."""
        block = self._views.get(cut.start)
        if block is None:
            block = self._weighted(cut)
            if np.may_share_memory(block.x, self.x):
                self._views[cut.start] = block
        return block

    def _weighted(self, cut: slice) -> Block:
        x = np.asarray(self.x[cut], dtype=np.float64)
        if self.weights is None:
            return Block(x)
        # A row of weight 0 is left out: its log-density may be infinite, and 0 times that is no number.
        weights = self.weights[cut]
        kept = weights > 0
        return Block(x, weights) if kept.all() else Block(x[kept], weights[kept])

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(block), added over the blocks in their order, in threads where there is work for them."""
        if self.threads == 1 or len(self.cuts) == 1:
            return super().sum(step)
        with ThreadPoolExecutor(self.threads) as pool:
            return reduce(add, pool.map(lambda cut: step(self._block(cut)), self.cuts))


class Streamed(Prepared):
    """Pieces that arrive one after another; no more are held than threads work on."""

    def __init__(self, pieces: Iterable[Any], check: Check, threads: int = 1) -> None:
        self.pieces, self.check, self.threads = pieces, check, threads

    def __iter__(self) -> Iterator[Block]:
        empty = True
        for number, piece in enumerate(self.pieces):
            for block in _piece(f"piece {number}", piece, self.check):
                empty = False
                yield block
        if empty:
            raise ValueError(
                "the data set has no observations; if it had some before, it can be read only once: give a "
                "list, or an object whose __iter__ starts anew"
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
        parts = _delayed(values)
        if self.weights is None:
            return parts
        weights = _delayed(self.weights) if _is_dask(self.weights) else []
        if len(weights) != len(parts):
            raise ValueError("weights: expected a Dask array with the chunks of the data")
        return [dask.delayed(Weighted)(*pair) for pair in zip(parts, weights, strict=True)]

    def __iter__(self) -> Iterator[Block]:
        for number, part in enumerate(self._parts()):
            yield from _piece(f"partition {number}", part.compute(), self.check)

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(block), added over the blocks in their order."""
        import dask

        parts = enumerate(self._parts())
        sums = [dask.delayed(_sums)(number, part, self.check, step) for number, part in parts]
        totals = list(chain.from_iterable(dask.compute(*sums)))
        if not totals:
            raise ValueError("the data set has no observations: no partition has a row with weight")
        total: Total = reduce(add, totals)
        return total


def impossible_row(data: Prepared, log_density: Callable[[Array], Float[Array, " n"]]) -> str:
    """The first row of density 0, in words; "" if there is none."""
    before, counted = 0, ""
    for block in data:
        if block.weights is not None:
            counted = ", those of weight 0 not counted"
        rows = np.flatnonzero(np.isneginf(log_density(block.x)))
        if rows.size:
            return f"Row {before + rows[0]}{counted}, {block.x[rows[0]]}, is impossible"
        before += len(block.x)
    return ""


def _piece(name: str, piece: Any, check: Check) -> Iterable[Block]:
    """The blocks of one piece of several: none where a filter, or weights of 0, have left nothing."""
    try:
        values, weights = (
            (piece.values, piece.weights) if isinstance(piece, Weighted) else (piece, 1.0)
        )
        if np.shape(values)[:1] == (0,) or not np.any(weights):
            return ()
        return prepare(piece, check)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _sums(number: int, part: Any, check: Check, step: Callable[[Block], Total]) -> Iterable[Total]:
    """step(block), added over the blocks of a partition: one sum, or none if it is empty."""
    return deque(accumulate(map(step, _piece(f"partition {number}", part, check)), add), maxlen=1)


def _delayed(collection: Any) -> list[Any]:
    """The partitions; those of a bag become arrays."""
    import dask

    return [dask.delayed(np.asarray)(part) for part in np.ravel(collection.to_delayed())]


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


def _cut(n: int, size: int | None = None) -> list[slice]:
    """Blocks of equal size, as near to BLOCK_ROWS (or to the given one) as can be."""
    edges = np.linspace(0, n, max(1, round(n / (size or BLOCK_ROWS))) + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]


def row_weights(weights: ArrayLike, n: int) -> Float[Array, " n"]:
    """The weights of n rows as floats.

    Raises:
        ValueError: they are not one finite number, 0 or more, a row, or all are 0.
    """
    checked = real(weights, "weights")
    if checked.shape != (n,) or (checked < 0).any() or not checked.sum() > 0:
        raise ValueError(
            f"weights: expected {n} numbers, one a row, none below 0 and not all 0, got shape {checked.shape} "
            f"with smallest {checked.min(initial=np.inf):g}"
        )
    return checked


def _is_array(values: Any) -> bool:
    return hasattr(values, "__array__") or _is_dask(values)


def _is_dask(values: Any) -> bool:
    # Asked of the object, so that Dask need not be installed.
    return hasattr(values, "__dask_graph__") and hasattr(values, "to_delayed")
