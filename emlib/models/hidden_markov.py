"""The hidden Markov model: a chain of states that is not seen, and one observation from each state.

    p(x, z) = p(z_1) p(x_1 | z_1) prod_t p(z_t | z_t-1) p(x_t | z_t)

The sum over all paths is a product of matrices, taken from either end: the forward and the backward recursion. NumPy
is slow only where it cannot work side by side, and time is such a place. So all sequences advance together, and a
long sequence is cut into segments that advance together too: what a segment does to each state that may enter it is a
matrix, and the product of these matrices joins the segments.

Source: Rabiner (1989), "A tutorial on hidden Markov models and selected applications in speech recognition",
sections III and V.A; Zucchini, MacDonald & Langrock (2016), "Hidden Markov Models for Time Series", chapters 2, 4, 5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial, reduce
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from emlib.arrays import Array, Labels, distributions, log_floored, log_sum_exp, real, rows
from emlib.charts import Chart, chart
from emlib.data import Block, Chunks, Prepared, Streamed, Weighted
from emlib.families.family import Family, Params, Stats
from emlib.kernels import pieces

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import ArrayLike, NDArray

Total = TypeVar("Total")

BATCH_ROWS = 2**17
"""Times in one batch of sequences: enough to keep every step in time busy."""
MANY_STATES = 24
"""From so many on, the matrices of segments cost more than steps in time."""
FLOOR = 1e-60
"""The least share of a density or of a state at one time, in the recursions that are scaled."""
RENEWAL = 3
"""Times from one scaling to the next: the sum stays above FLOOR^3, so that what underflows is far below the floor."""
LEAST_AGREEMENT = 1e-35
"""Where past and future agree less, the floor might be felt, and the recursions are done in logarithms."""
NEGLIGIBLE = 1e-20
"""What the floor may have made of nothing, and more: a smaller posterior probability is called 0."""


@dataclass(frozen=True)
class Sequences:
    """Independent sequences, laid end to end as in hmmlearn."""

    values: Any
    """Every time of the first sequence, then of the second, and so on. Shape (n,) or (n, d)."""
    lengths: Int[Labels, " s"]
    """How many times each sequence has; their sum is n."""

    def __post_init__(self) -> None:
        lengths, shape = _lengths(self.lengths), np.shape(self.values)
        if shape[:1] != (lengths.sum(),):
            raise ValueError(
                f"lengths: their sum is {lengths.sum()}, the values have shape {shape}"
            )
        object.__setattr__(self, "lengths", lengths)

    def __iter__(self) -> Iterator[Array]:
        """The sequences, one by one."""
        return iter(np.split(np.asarray(self.values), np.cumsum(self.lengths)[:-1]))

    @classmethod
    def joined(cls, sequences: Iterable[ArrayLike]) -> Sequences:
        """The sequences of a list, each of shape (t,) or (t, d)."""
        tables = [rows(table, f"sequence {number}") for number, table in enumerate(sequences)]
        widths = {table.shape[1] for table in tables}
        if len(widths) != 1:
            raise ValueError(f"sequences: expected some, all of one width, got {sorted(widths)}")
        return cls(np.concatenate(tables), np.array([len(table) for table in tables]))


def _lengths(lengths: ArrayLike) -> Int[Labels, " s"]:
    whole = np.atleast_1d(lengths)
    if whole.ndim != 1 or whole.dtype.kind not in "iu" or not whole.size or whole.min() < 1:
        raise ValueError(f"lengths: expected whole numbers, 1 or more, got {lengths!r}")
    return whole.astype(np.intp)


@dataclass(frozen=True)
class HiddenMarkovParams(Generic[Params]):
    """Where the chain starts, how it moves, and what each state emits."""

    initial: Float[Array, " k"]
    """p(z_1 = i)."""
    transitions: Float[Array, "k k"]
    """p(z_t = j | z_t-1 = i), a row for each i. A zero stays zero in EM."""
    emissions: Params
    """Params of the family, a component a state."""

    def __post_init__(self) -> None:
        initial = distributions(self.initial, "initial")[0]
        transitions = distributions(self.transitions, "transitions")
        k = len(initial)
        if np.ndim(self.initial) != 1 or transitions.shape != (k, k):
            raise ValueError(
                "expected initial of shape (k,) and transitions of shape (k, k), "
                f"got {np.shape(self.initial)} and {np.shape(self.transitions)}"
            )
        object.__setattr__(self, "initial", initial)
        object.__setattr__(self, "transitions", transitions)


@dataclass(frozen=True)
class HiddenMarkovStatistics(Generic[Stats]):
    """Expected counts under the posterior of the paths."""

    observations: float
    """How many times were observed, each with the weight of its sequence."""
    log_likelihood: float
    initial: Float[Array, " k"]
    """How many sequences start in each state."""
    transitions: Float[Array, "k k"]
    """How often j follows i."""
    emissions: Stats
    rounding: float = 0.0
    """How far the rounding of the params may have moved the log-likelihood, in nats, beyond a sum's."""

    def __add__(self, other: HiddenMarkovStatistics[Stats]) -> HiddenMarkovStatistics[Stats]:
        return HiddenMarkovStatistics(
            self.observations + other.observations,
            self.log_likelihood + other.log_likelihood,
            self.initial + other.initial,
            self.transitions + other.transitions,
            self.emissions + other.emissions,
            self.rounding + other.rounding,
        )

    def __mul__(self, factor: float) -> HiddenMarkovStatistics[Stats]:
        return HiddenMarkovStatistics(
            self.observations * factor,
            self.log_likelihood * factor,
            self.initial * factor,
            self.transitions * factor,
            self.emissions * factor,
            self.rounding * factor,
        )


@dataclass(frozen=True)
class Path:
    """One state for each time."""

    states: Int[Labels, " n"]
    log_probability: float
    """Log p(x, z), in nats."""


@dataclass(frozen=True)
class HiddenMarkov(Generic[Params, Stats]):
    """A Markov chain of hidden states that emit from one family.

    Data are one sequence (an array), `Sequences`, `Weighted` sequences with a weight each, `Chunks` of all these, or a
    Dask bag with an array a sequence.
    """

    family: Family[Params, Stats]

    def prepare(self, data: Any) -> Prepared:
        """The data, checked, and laid out for the recursions."""
        if isinstance(data, Prepared):
            return data
        if hasattr(data, "to_delayed") and not hasattr(data, "shape"):
            return _Bag(data, self._batches)
        if not isinstance(data, Chunks):
            return _Pieces(self._batches(data), lambda batch: [batch])
        if isinstance(data.pieces, (Sequences, Weighted)):
            return _Pieces(self._batches(data.pieces), lambda batch: [batch], data.threads)
        if hasattr(data.pieces, "__array__"):
            raise ValueError("pieces: an array is one sequence, which cannot be cut; give a list")
        return _Pieces(data.pieces, self._batches, data.threads)

    def e_step(
        self, data: Any, params: HiddenMarkovParams[Params]
    ) -> HiddenMarkovStatistics[Stats]:
        """Expected counts of starts, moves and emissions; log-likelihood -inf where a sequence is impossible."""
        return self.prepare(data).sum(partial(self._expected_counts, params=params))

    def m_step(self, stats: HiddenMarkovStatistics[Stats]) -> HiddenMarkovParams[Params]:
        """Shares of the expected counts; a state that is never left, of whose moves no data tell, keeps to itself."""
        moves = stats.transitions.sum(axis=1, keepdims=True)
        left = moves > 0
        transitions = np.where(
            left, stats.transitions / np.where(left, moves, 1), np.eye(len(left))
        )
        initial = stats.initial / stats.initial.sum()
        return HiddenMarkovParams(initial, transitions, self.family.from_mean(stats.emissions))

    def expected_log_joint(
        self, stats: HiddenMarkovStatistics[Stats], params: HiddenMarkovParams[Params]
    ) -> float:
        """Q: the expected log-probability of path and observations, from the counts alone."""
        start = float(stats.initial @ log_floored(params.initial))
        moves = float((stats.transitions * log_floored(params.transitions)).sum())
        return start + moves + self.family.expected_log_density(stats.emissions, params.emissions)

    def log_likelihood(self, data: Any, params: HiddenMarkovParams[Params]) -> float:
        """Log p(x | params), in nats; -inf where the data are impossible."""
        return self.e_step(data, params).log_likelihood

    def posterior(
        self, data: ArrayLike | Sequences, params: HiddenMarkovParams[Params]
    ) -> Float[Array, "n k"]:
        """p(z_t = i | x), given the whole sequence; a row a time, in the order of the data.

        Raises:
            ArithmeticError: the data are impossible under the params.
        """
        smoothed = [self._smoothed(batch, params) for batch in self._batches(data)]
        _refuse_impossible(sum(each.log_likelihood for each in smoothed))
        return np.concatenate([each.states for each in smoothed])

    def viterbi(self, data: ArrayLike | Sequences, params: HiddenMarkovParams[Params]) -> Path:
        """The most probable path; of several sequences, their paths end to end.

        Raises:
            ArithmeticError: the data are impossible under the params.

        Source: Rabiner (1989), section III.B.
        """
        paths = [
            _best_path(self._log_densities(batch, params), batch, params)
            for batch in self._batches(data)
        ]
        total = sum(path.log_probability for path in paths)
        _refuse_impossible(total)
        return Path(np.concatenate([path.states for path in paths]), total)

    def from_responsibilities(
        self, data: ArrayLike | Sequences, responsibilities: ArrayLike
    ) -> HiddenMarkovParams[Params]:
        """An M-step on given states, hard or soft, as if independent: a start from a guess. Shape (n, k)."""
        shares = distributions(responsibilities, "responsibilities")
        batches = self._batches(data)
        ends = np.cumsum([len(batch.x) for batch in batches])
        if len(shares) != ends[-1]:
            raise ValueError(f"responsibilities: expected {ends[-1]} rows, got {len(shares)}")
        counts = []
        for batch, states in zip(batches, np.split(shares, ends[:-1]), strict=True):
            later = np.delete(np.arange(len(states)), batch.firsts)
            guess = Smoothed(float("nan"), states, states[later - 1].T @ states[later])
            counts.append(self._counts(batch, guess, None))
        return self.m_step(reduce(add, counts))

    def sample(
        self, params: HiddenMarkovParams[Params], lengths: ArrayLike, rng: np.random.Generator
    ) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        """Observations and states of one sequence, or end to end of several: one length, or one a sequence."""
        rows_of_chances = np.vstack([params.initial, params.transitions]).cumsum(axis=1)
        start, *moves = (rows_of_chances / rows_of_chances[:, -1:]).tolist()
        path: list[int] = []
        for length in _lengths(lengths):
            chances = start
            for uniform in rng.random(length).tolist():
                path.append(bisect_right(chances, uniform))
                chances = moves[path[-1]]
        hidden: Labels = np.array(path, dtype=np.intp)
        return self.family.sample(params.emissions, hidden, rng), hidden

    def free_parameters(self, params: HiddenMarkovParams[Params]) -> int:
        """How many numbers EM may choose; a start or a move of probability 0 is fixed."""
        chances = np.vstack([params.initial, params.transitions])
        chain = int((chances > 0).sum()) - len(chances)
        return chain + self.family.free_parameters(params.emissions)

    def _batches(self, data: Any) -> list[Batch]:
        values, weights = data, None
        if isinstance(data, Weighted):
            values, weights = data.values, data.weights
        if isinstance(values, Sequences):
            x, lengths = self.family.observations(values.values), values.lengths
        else:
            x = self.family.observations(values)
            lengths = np.array([len(x)])
        if weights is not None:
            weights = real(weights, "weights")
            if weights.shape != lengths.shape or (weights < 0).any() or not weights.any():
                raise ValueError(
                    f"weights: expected {len(lengths)} numbers, one a sequence, none below 0 and not all 0, "
                    f"got shape {weights.shape} with smallest {weights.min(initial=np.inf):g}"
                )
            x = x[np.repeat(weights > 0, lengths)]
            lengths, weights = lengths[weights > 0], weights[weights > 0]
        ends = np.cumsum(lengths)
        _, first = np.unique((ends - lengths) // BATCH_ROWS, return_index=True)
        batches = []
        for start, stop in pairwise([*first.tolist(), len(lengths)]):
            here = slice(ends[start] - lengths[start], ends[stop - 1])
            each = None if weights is None else np.repeat(weights, lengths)[here]
            batches.append(Batch(x[here], each, lengths[start:stop]))
        return batches

    def _log_densities(
        self, batch: Batch, params: HiddenMarkovParams[Params]
    ) -> Float[Array, "n k"]:
        cuts = pieces(len(batch.x), 8 * len(params.initial))
        table = np.concatenate(
            [self.family.log_density(batch.x[cut], params.emissions) for cut in cuts]
        )
        if table.shape[1] != len(params.initial):
            raise ValueError(
                f"there are {len(params.initial)} states for {table.shape[1]} emission densities; give one each"
            )
        return table

    def _smoothed(self, batch: Batch, params: HiddenMarkovParams[Params]) -> Smoothed:
        table = self._log_densities(batch, params)
        return smoothed(table, batch, params) or smoothed_in_logs(table, batch, params)

    def _expected_counts(
        self, batch: Block, params: HiddenMarkovParams[Params]
    ) -> HiddenMarkovStatistics[Stats]:
        if not isinstance(batch, Batch):
            raise ValueError("the data were prepared by another model; give them as they are")
        return self._counts(batch, self._smoothed(batch, params), params.emissions)

    def _counts(
        self, batch: Batch, posterior: Smoothed, near: Params | None
    ) -> HiddenMarkovStatistics[Stats]:
        weighted = batch.weighted(posterior.states)
        cuts = pieces(len(batch.x), 8 * weighted.shape[1])
        emissions: Stats = reduce(
            add,
            (self.family.expected_statistics(batch.x[cut], weighted[cut], near) for cut in cuts),
        )
        return HiddenMarkovStatistics(
            batch.observations,
            posterior.log_likelihood,
            weighted[batch.firsts].sum(axis=0),
            posterior.transitions,
            emissions,
            rounding=float((emissions.counts * getattr(near, "rounding", 0.0)).sum()),
        )


@chart.register
def _(params: HiddenMarkovParams) -> Chart[HiddenMarkovParams[Any]]:  # type: ignore[type-arg]
    """Log-ratios of the probabilities in each row to its last; what is 0 is fixed there."""
    k, inner = len(params.initial), chart(params.emissions)
    possible = np.vstack([params.initial, params.transitions]) > 0
    last = (np.arange(k + 1), k - 1 - possible[:, ::-1].argmax(axis=1))
    free = possible.copy()
    free[last] = False

    def to_vector(params: HiddenMarkovParams[Any]) -> Float[Array, " p"]:
        logs = log_floored(np.vstack([params.initial, params.transitions]))
        return np.concatenate(
            [(logs - logs[last][:, None])[free], inner.to_vector(params.emissions)]
        )

    def from_vector(vector: Float[Array, " p"]) -> HiddenMarkovParams[Any]:
        ratios = np.where(possible, 0.0, -np.inf)
        ratios[free] = vector[: free.sum()]
        chances = np.exp(ratios - ratios.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        emissions = inner.from_vector(vector[free.sum() :])
        return HiddenMarkovParams(chances[0], chances[1:], emissions)

    return Chart(to_vector, from_vector)


# ---- data ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch(Block):
    """Checked sequences end to end, and a weight a row: that of its sequence."""

    lengths: Int[Labels, " s"] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    @property
    def firsts(self) -> Int[Labels, " s"]:
        """The row that each sequence starts in."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def whole(self) -> Layout:
        """Each sequence in one piece."""
        return laid_out(self.lengths, int(self.lengths.max()))

    @cached_property
    def segments(self) -> Layout:
        """Cut into segments where the sequences are few and long, so that a step in time has work to do."""
        longest = max(1, round(0.5 * len(self.x) ** 0.5))
        return laid_out(self.lengths, longest) if self.lengths.max() > 4 * longest else self.whole


class _Pieces(Streamed):
    """Batches that arrive one after another."""

    def __init__(
        self, pieces: Iterable[Any], read: Callable[[Any], list[Batch]], threads: int = 1
    ) -> None:
        self.pieces, self.read, self.threads = pieces, read, threads

    def __iter__(self) -> Iterator[Batch]:
        number = -1
        for number, piece in enumerate(self.pieces):
            try:
                batches = self.read(piece)
            except ValueError as error:
                raise ValueError(f"piece {number}: {error}") from error
            yield from batches
        if number < 0:
            raise ValueError(
                "the data set has no sequences; if it had some before, it can be read only once: give a list, "
                "or an object whose __iter__ starts anew"
            )


class _Bag(Prepared):
    """A Dask bag with an array a sequence: each partition is summed where it lies, and only the sums travel."""

    def __init__(self, bag: Any, read: Callable[[Any], list[Batch]]) -> None:
        self.bag, self.read = bag, read

    def __iter__(self) -> Iterator[Batch]:
        for part in self.bag.to_delayed():
            yield from self.read(Sequences.joined(part.compute()))

    def sum(self, step: Callable[[Block], Total]) -> Total:
        """step(batch), added over the batches in their order."""
        import dask

        def total(part: list[Any]) -> Total:
            return reduce(add, map(step, self.read(Sequences.joined(part))))

        result: Total = reduce(add, dask.compute(*map(dask.delayed(total), self.bag.to_delayed())))
        return result


def _refuse_impossible(log_probability: float) -> None:
    if log_probability == -np.inf:
        raise ArithmeticError(
            "no path is possible: under the params some sequence has probability 0"
        )


# ---- recursions along time -------------------------------------------------------------------------


class Layout(NamedTuple):
    """Where the recursions find the rows: by time, and within a time by segment, the longest first.

    So the segments that last to some time are the first columns of it, and no row is padding.
    """

    order: Int[Labels, " n"]
    """The row of the data at each place."""
    places: Int[Labels, " n"]
    """The place of each row: the inverse."""
    previous: Int[Labels, " n"]
    """The place of the row before the one at each place."""
    begins: Bool[NDArray[np.bool_], " n"]
    """Whether a sequence begins at each place, where no row is before."""
    steps: list[slice]
    """The places of each time."""
    columns: Int[Labels, " b"]
    """The column of each segment, in the order of the data."""
    heads: Int[Labels, " s"]
    """The columns of the segments that begin a sequence."""


def laid_out(lengths: Int[Labels, " s"], longest: int) -> Layout:
    """The layout of sequences cut into segments of nearly equal length, none above `longest`."""
    cuts = -(-lengths // longest)
    sequence = np.repeat(np.arange(len(lengths)), cuts)
    number = np.arange(len(sequence)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    start, stop = ((number + end) * lengths[sequence] // cuts[sequence] for end in (0, 1))
    sizes = stop - start
    start += (np.cumsum(lengths) - lengths)[sequence]
    by_size = np.argsort(-sizes, kind="stable")
    widths = len(sizes) - np.cumsum(np.bincount(sizes))[:-1]
    edges = np.concatenate([[0], np.cumsum(widths)])
    time = np.repeat(np.arange(len(widths)), widths)
    order = start[by_size][np.arange(len(time)) - edges[time]] + time
    columns = _inverse(by_size)
    steps = [slice(*edge) for edge in pairwise(edges.tolist())]
    places, begins = _inverse(order), np.isin(order, np.cumsum(lengths) - lengths)
    return Layout(order, places, places[order - 1], begins, steps, columns, columns[number == 0])


def _inverse(permutation: Int[Labels, " n"]) -> Int[Labels, " n"]:
    result = np.empty_like(permutation)
    result[permutation] = np.arange(len(permutation))
    return result


class Smoothed(NamedTuple):
    """What the recursions find in a batch."""

    log_likelihood: float
    """Weighted, as are the transitions."""
    states: Float[Array, "n k"]
    """p(z_t = i | x)."""
    transitions: Float[Array, "k k"]
    """The expected number of moves from i to j."""


def smoothed(
    table: Float[Array, "n k"], batch: Batch, params: HiddenMarkovParams[Any]
) -> Smoothed | None:
    """The recursions in shares that sum to 1, over a table of log-densities; None where they might lose a path.

    Densities are relative to the largest of their time, and a floor under every share keeps what would underflow. So no
    path is lost, and what the floor adds at a time is at most k FLOOR of the likelihood over the agreement of past and
    future, sum_i p(z_t = i | past) q_i, where q_i is p(present and future | z_t = i), made to sum to 1.
    """
    with np.errstate(all="ignore"):  # what is impossible becomes NaN, which agrees with nothing
        layout = batch.segments if table.shape[1] < MANY_STATES else batch.whole
        densities, largest = _relative(table, layout)
        entering, ahead = _joints(densities, params, layout)
        past = _pasts(entering, densities, params, layout)
        future = _futures(ahead, densities, params, layout)
        weights = np.ones(len(table)) if batch.weights is None else batch.weights[layout.order]
        return _agreed(past, future, densities, largest, weights, params, layout)


def _relative(
    table: Float[Array, "n k"], layout: Layout
) -> tuple[Float[Array, "k n"], Float[Array, " n"]]:
    """Densities over the largest at each time, and the logarithm of that, by places."""
    n, k = table.shape
    densities, largest = np.empty((k, n)), np.empty(n)
    for here in pieces(n, 4 * k):
        logs = table.T.take(layout.order[here], axis=1)
        np.maximum.reduce(logs, axis=0, out=largest[here])
        logs -= largest[here]
        np.maximum(np.exp(logs, out=logs), FLOOR, out=densities[:, here])
    return densities, largest


def _pasts(
    entering: Float[Array, "k b"],
    densities: Float[Array, "k n"],
    params: HiddenMarkovParams[Any],
    layout: Layout,
) -> Float[Array, "k n"]:
    """p(z_t | x_1 ... x_t), up to a factor at each time."""
    past, onward = np.empty_like(densities), np.ascontiguousarray(params.transitions.T)
    for time, here in enumerate(layout.steps):
        state = np.multiply(entering[:, : _width(here)], densities[:, here], out=past[:, here])
        entering = onward @ (_renewed(state) if time % RENEWAL == 0 else state)
    return past


def _futures(
    ahead: Float[Array, "k b"],
    densities: Float[Array, "k n"],
    params: HiddenMarkovParams[Any],
    layout: Layout,
) -> Float[Array, "k n"]:
    """p(x_t ... | z_t) to the end of the sequence, up to a factor at each time."""
    future = np.empty_like(densities)
    for time, here in reversed(list(enumerate(layout.steps))):
        state = np.multiply(ahead[:, : _width(here)], densities[:, here], out=future[:, here])
        state = _renewed(state) if time % RENEWAL == 0 else state
        np.matmul(params.transitions, state, out=ahead[:, : _width(here)])
    return future


def _agreed(
    past: Float[Array, "k n"],
    future: Float[Array, "k n"],
    densities: Float[Array, "k n"],
    largest: Float[Array, " n"],
    weights: Float[Array, " n"],
    params: HiddenMarkovParams[Any],
    layout: Layout,
) -> Smoothed | None:
    """The posterior from past and future, piece by piece of the places. It takes the place of `future`."""
    k, n = past.shape
    onward, initial = np.ascontiguousarray(params.transitions.T), params.initial[:, None]
    log_likelihood, pairs = 0.0, np.zeros((k, k))
    for here in pieces(n, 8 * k):
        begins = layout.begins[here]
        before = past.take(layout.previous[here], axis=1)
        before /= before.sum(axis=0)
        predicted = np.where(begins, initial, onward @ before)
        evidence = np.einsum("kn,kn->n", predicted, densities[:, here])
        log_likelihood += float(weights[here] @ (np.log(evidence) + largest[here]))
        after = future[:, here] / future[:, here].sum(axis=0)
        predicted *= after
        agreement = predicted.sum(axis=0)
        if not agreement.min() > LEAST_AGREEMENT:
            return None
        before *= np.where(begins, 0.0, weights[here] / agreement)
        pairs += before @ after.T
        np.divide(predicted, agreement, out=future[:, here])
    future[future < NEGLIGIBLE] = 0.0
    pairs[pairs < NEGLIGIBLE] = 0.0
    states = future.take(layout.places, axis=1).T
    return Smoothed(log_likelihood, states, params.transitions * pairs)


def _width(here: slice) -> int:
    return int(here.stop - here.start)


def _renewed(state: Float[Array, "*from k w"]) -> Float[Array, "*from k w"]:
    """Shares of the sum over the states, none below the floor."""
    shares: Array = state / np.add.reduce(state, axis=-2, keepdims=True)
    return np.maximum(shares, FLOOR, out=shares)


def _joints(
    densities: Float[Array, "k n"], params: HiddenMarkovParams[Any], layout: Layout
) -> tuple[Float[Array, "k b"], Float[Array, "k b"]]:
    """p(z | past) at the first time of each segment, and p(future | z), up to a factor, at its last."""
    (k, _), b = densities.shape, len(layout.columns)
    if len(layout.heads) == b:
        return np.repeat(params.initial[:, None], b, axis=1), np.ones((k, b))
    onward = np.ascontiguousarray(params.transitions.T)
    logs = np.zeros((k, 1, b))
    shares = np.repeat(params.transitions[:, :, None], b, axis=2)
    # One chain through all sequences: whatever state it is in where a sequence begins, it forgets.
    shares[:, :, layout.heads] = params.initial[:, None]
    for time, here in enumerate(layout.steps):
        state = shares[..., : _width(here)]
        np.multiply(onward @ state if time else state, densities[:, here], out=state)
        if time % RENEWAL == 0:
            logs[..., : _width(here)] += np.log(state.sum(axis=-2, keepdims=True))
            state[...] = _renewed(state)
    logs += np.log(shares.sum(axis=1, keepdims=True))
    segments = Matrices(logs[:, 0].T, _renewed(shares).transpose(2, 0, 1)).at(layout.columns)
    start = Matrices(np.zeros((1, 1)), np.full((1, 1, k), 1 / k))
    end = Matrices(np.zeros((1, k)), np.ones((1, k, 1)))
    left, right = _ends(segments, start, end)
    entering, ahead = np.empty((k, b)), np.empty((k, b))
    entering[:, layout.columns] = onward @ left.shares[:, 0].T
    entering[:, layout.heads] = params.initial[:, None]
    ahead[:, layout.columns] = np.maximum(np.exp(right.logs.T), FLOOR)
    return entering, ahead


class Matrices(NamedTuple):
    """Matrices up to a factor each: row i is exp(logs_i) shares_i, so that rows may differ beyond all floats."""

    logs: Float[Array, "b i"]
    shares: Float[Array, "b i j"]

    def at(self, index: Any) -> Matrices:
        """The chosen ones."""
        return Matrices(self.logs[index], self.shares[index])

    def then(self, others: Matrices) -> Matrices:
        """These, and the others after them."""
        return Matrices(*map(np.concatenate, zip(self, others, strict=True)))

    def times(self, others: Matrices) -> Matrices:
        """The products, pair by pair."""
        exponents = np.log(self.shares) + others.logs[:, None, :]
        largest = exponents.max(axis=2, keepdims=True)
        products = np.exp(exponents - largest) @ others.shares
        scale = products.sum(axis=2, keepdims=True)
        logs = self.logs + (largest + np.log(scale))[..., 0]
        logs -= logs.max(axis=1, keepdims=True)
        return Matrices(logs, np.maximum(products / scale, FLOOR))


def _ends(chain: Matrices, start: Matrices, end: Matrices) -> tuple[Matrices, Matrices]:
    """The product of all that stands before each matrix, and of all after it: of pairs first, and of pairs of pairs.

    Source: Blelloch (1990), "Prefix sums and their applications", section 1.2.
    """
    half = len(chain.logs) // 2
    if half == 0:
        return start, end
    odd, even = chain.at(slice(0, None, 2)), chain.at(slice(1, None, 2))
    pairs = odd.at(slice(half)).times(even).then(odd.at(slice(half, None)))
    before, after = _ends(pairs, start, end)
    return (
        _alternating(before, before.at(slice(half)).times(odd.at(slice(half)))),
        _alternating(
            even.times(after.at(slice(half))).then(after.at(slice(half, None))),
            after.at(slice(half)),
        ),
    )


def _alternating(odd: Matrices, even: Matrices) -> Matrices:
    """The first of one, the first of the other, the second of one, and so on."""
    n = len(odd.logs)
    order = np.empty(n + len(even.logs), dtype=np.intp)
    order[::2], order[1::2] = np.arange(n), np.arange(n, len(order))
    return odd.then(even).at(order)


def smoothed_in_logs(
    table: Float[Array, "n k"], batch: Batch, params: HiddenMarkovParams[Any]
) -> Smoothed:
    """The recursions in logarithms, where nothing can be lost: plain and slow."""
    layout, (start, moves) = batch.whole, _logs(params)
    emitted = table[layout.order]
    past = _forward(emitted, start, moves, layout.steps, log_sum_exp)
    future, ahead = np.empty_like(past), np.zeros((len(batch.lengths), len(start)))
    for here in reversed(layout.steps):
        future[here] = ahead[: here.stop - here.start]
        ahead[: here.stop - here.start] = _through(emitted[here] + future[here], moves, log_sum_exp)
    joint = past + future
    evidence = log_sum_exp(joint)
    # The expected counts of an impossible sequence are all 0.
    scale = np.where(np.isfinite(evidence), evidence, 0.0)[:, None]
    states = np.exp(joint - scale)[layout.places]
    weights = np.ones(len(table)) if batch.weights is None else batch.weights
    later = np.delete(np.arange(len(table)), batch.firsts)
    before = past[layout.places[later - 1]]
    after = (emitted + future - scale)[layout.places[later]]
    transitions = [
        weights[later] @ np.exp(before[:, [i]] + row + after) for i, row in enumerate(moves)
    ]
    total = float(weights[batch.firsts] @ evidence[layout.places[batch.firsts]])
    return Smoothed(total, states, np.stack(transitions))


def _best_path(table: Float[Array, "n k"], batch: Batch, params: HiddenMarkovParams[Any]) -> Path:
    """Forward with the maximum for the sum, and back along the states that attained it."""
    layout, (start, moves) = batch.whole, _logs(params)
    past = _forward(table[layout.order], start, moves, layout.steps, lambda rows: rows.max(axis=1))
    path, ahead = np.empty(len(table), dtype=np.intp), np.zeros((len(batch.lengths), len(start)))
    for here in reversed(layout.steps):
        width = here.stop - here.start
        path[here] = (past[here] + ahead[:width]).argmax(axis=1)
        ahead[:width] = moves.T[path[here]]
    states = path[layout.places]
    chain = moves[np.roll(states, 1), states]
    chain[batch.firsts] = start[states[batch.firsts]]
    return Path(states, float((chain + table[np.arange(len(table)), states]).sum()))


def _logs(
    params: HiddenMarkovParams[Any],
) -> tuple[Float[Array, " k"], Float[Array, "k k"]]:
    with np.errstate(divide="ignore"):
        return np.log(params.initial), np.log(params.transitions)


def _forward(
    emitted: Float[Array, "n k"],
    start: Float[Array, " k"],
    moves: Float[Array, "k k"],
    steps: list[slice],
    over: Callable[[Float[Array, "m k"]], Float[Array, " m"]],
) -> Float[Array, "n k"]:
    """The logarithm of the sum (or the largest, as `over` says) of p(x_1 ... x_t, z_t = i) over all earlier states."""
    past = np.empty_like(emitted)
    entering = np.repeat(start[None], steps[0].stop, axis=0)
    for here in steps:
        past[here] = entering[: here.stop - here.start] + emitted[here]
        entering = _through(past[here], moves.T, over)
    return past


def _through(
    logs: Float[Array, "w k"],
    moves: Float[Array, "k k"],
    over: Callable[[Float[Array, "m k"]], Float[Array, " m"]],
) -> Float[Array, "w k"]:
    """Over j of moves_ij + logs_j."""
    k = len(moves)
    return over((logs[:, None, :] + moves).reshape(-1, k)).reshape(-1, k)
