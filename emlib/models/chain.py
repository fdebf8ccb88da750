"""A chain of states that is not seen, summed over: the recursions along time behind the hidden Markov model.

The sum over all paths is a product of matrices, taken from either end: the forward and the backward recursion; with
the largest in place of the sum it leads to the most probable path. NumPy is slow only where it cannot work side by
side, and time is such a place. So all sequences advance together, and a long sequence is cut into segments that advance
together too: what a segment does to each state that may enter it is a matrix, and the product of these matrices joins
the segments.

Source: Rabiner (1989), "A tutorial on hidden Markov models and selected applications in speech recognition",
section III; Zucchini, MacDonald & Langrock (2016), "Hidden Markov Models for Time Series", chapters 2, 4, 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from emlib.arrays import Array, Labels, log_probabilities
from emlib.data import Block
from emlib.kernels import pieces

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import NDArray

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


class Chain(NamedTuple):
    """Where a Markov chain starts, and how it moves."""

    initial: Float[Array, " k"]
    """p(z_1 = i)."""
    transitions: Float[Array, "k k"]
    """p(z_t = j | z_t-1 = i), a row for each i."""

    @property
    def logs(self) -> tuple[Float[Array, " k"], Float[Array, "k k"]]:
        """The logarithms of both; -inf where a start or a move is impossible."""
        return log_probabilities(self.initial), log_probabilities(self.transitions)


# ---- sequences side by side ------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch(Block):
    """Checked sequences end to end, and a weight a row: that of its sequence."""

    lengths: Int[Labels, " s"] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    @property
    def firsts(self) -> Int[Labels, " s"]:
        """The row that each sequence starts in."""
        return np.cumsum(self.lengths) - self.lengths

    def layout(self, states: int) -> Layout:
        """The faster of the two, for so many states."""
        return self.segments if states < MANY_STATES else self.whole

    @cached_property
    def whole(self) -> Layout:
        """Each sequence in one piece."""
        return laid_out(self.lengths, int(self.lengths.max()))

    @cached_property
    def segments(self) -> Layout:
        """Cut into segments where the sequences are few and long, so that a step in time has work to do."""
        longest = max(1, round(0.5 * len(self.x) ** 0.5))
        return laid_out(self.lengths, longest) if self.lengths.max() > 4 * longest else self.whole


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

    @property
    def cut(self) -> bool:
        """Whether some sequence is in more than one segment."""
        return len(self.heads) < len(self.columns)


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


# ---- both recursions -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Path:
    """One state for each time."""

    states: Int[Labels, " n"]
    log_probability: float
    """Log p(x, z), in nats."""


class Smoothed(NamedTuple):
    """What the recursions find in a batch."""

    log_likelihood: float
    """Weighted, as are the transitions."""
    states: Float[Array, "n k"]
    """p(z_t = i | x)."""
    transitions: Float[Array, "k k"]
    """The expected number of moves from i to j."""


def smoothed(table: Float[Array, "n k"], batch: Batch, chain: Chain) -> Smoothed:
    """The forward and the backward recursion over a table of log-densities."""
    return smoothed_in_shares(table, batch, chain) or smoothed_in_logs(table, batch, chain)


# ---- shares that sum to 1 ------------------------------------------------------------------------


def smoothed_in_shares(table: Float[Array, "n k"], batch: Batch, chain: Chain) -> Smoothed | None:
    """The recursions in shares that sum to 1; None where they might lose a path.

    Densities are relative to the largest of their time, and a floor under every share keeps what would underflow. So no
    path is lost, and what the floor adds at a time is at most k FLOOR of the likelihood over the agreement of past and
    future, sum_i p(z_t = i | past) q_i, where q_i is p(present and future | z_t = i), made to sum to 1.
    """
    with np.errstate(all="ignore"):  # what is impossible becomes NaN, which agrees with nothing
        layout = batch.layout(table.shape[1])
        densities, largest = _relative(table, layout)
        entering, ahead = _joints(densities, chain, layout)
        past = _pasts(entering, densities, chain, layout)
        future = _futures(ahead, densities, chain, layout)
        weights = np.ones(len(table)) if batch.weights is None else batch.weights[layout.order]
        return _agreed(past, future, densities, largest, weights, chain, layout)


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
    chain: Chain,
    layout: Layout,
) -> Float[Array, "k n"]:
    """p(z_t | x_1 ... x_t), up to a factor at each time."""
    past, onward = np.empty_like(densities), np.ascontiguousarray(chain.transitions.T)
    for time, here in enumerate(layout.steps):
        state = np.multiply(entering[:, : _width(here)], densities[:, here], out=past[:, here])
        entering = onward @ (_renewed(state) if time % RENEWAL == 0 else state)
    return past


def _futures(
    ahead: Float[Array, "k b"],
    densities: Float[Array, "k n"],
    chain: Chain,
    layout: Layout,
) -> Float[Array, "k n"]:
    """p(x_t ... | z_t) to the end of the sequence, up to a factor at each time."""
    future = np.empty_like(densities)
    for time, here in reversed(list(enumerate(layout.steps))):
        state = np.multiply(ahead[:, : _width(here)], densities[:, here], out=future[:, here])
        state = _renewed(state) if time % RENEWAL == 0 else state
        np.matmul(chain.transitions, state, out=ahead[:, : _width(here)])
    return future


def _agreed(
    past: Float[Array, "k n"],
    future: Float[Array, "k n"],
    densities: Float[Array, "k n"],
    largest: Float[Array, " n"],
    weights: Float[Array, " n"],
    chain: Chain,
    layout: Layout,
) -> Smoothed | None:
    """The posterior from past and future, piece by piece of the places. It takes the place of `future`."""
    k, n = past.shape
    onward, initial = np.ascontiguousarray(chain.transitions.T), chain.initial[:, None]
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
    return Smoothed(log_likelihood, states, chain.transitions * pairs)


def _width(here: slice) -> int:
    return int(here.stop - here.start)


def _renewed(state: Float[Array, "*from k w"]) -> Float[Array, "*from k w"]:
    """Shares of the sum over the states, none below the floor."""
    shares: Array = state / np.add.reduce(state, axis=-2, keepdims=True)
    return np.maximum(shares, FLOOR, out=shares)


def _joints(
    densities: Float[Array, "k n"], chain: Chain, layout: Layout
) -> tuple[Float[Array, "k b"], Float[Array, "k b"]]:
    """p(z | past) at the first time of each segment, and p(future | z), up to a factor, at its last."""
    (k, _), b = densities.shape, len(layout.columns)
    if not layout.cut:
        return np.repeat(chain.initial[:, None], b, axis=1), np.ones((k, b))
    onward = np.ascontiguousarray(chain.transitions.T)
    logs = np.zeros((k, 1, b))
    shares = np.repeat(chain.transitions[:, :, None], b, axis=2)
    # One chain through all sequences: whatever state it is in where a sequence begins, it forgets.
    shares[:, :, layout.heads] = chain.initial[:, None]
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
    entering[:, layout.heads] = chain.initial[:, None]
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


def _ends(segments: Matrices, start: Matrices, end: Matrices) -> tuple[Matrices, Matrices]:
    """The product of all that stands before each matrix, and of all after it: of pairs first, and of pairs of pairs.

    Source: Blelloch (1990), "Prefix sums and their applications", section 1.2.
    """
    half = len(segments.logs) // 2
    if half == 0:
        return start, end
    odd, even = segments.at(slice(0, None, 2)), segments.at(slice(1, None, 2))
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


# ---- logarithms ----------------------------------------------------------------------------------


def smoothed_in_logs(table: Float[Array, "n k"], batch: Batch, chain: Chain) -> Smoothed:
    """The recursions in logarithms, where nothing can be lost: plain and slow."""
    layout, (start, moves) = batch.whole, chain.logs
    emitted = table.T.take(layout.order, axis=1)
    entering = np.repeat(start[:, None], len(batch.lengths), axis=1)
    past = _forward(emitted, entering, moves, layout.steps, np.logaddexp)
    future, ahead = np.empty_like(past), np.zeros_like(entering)
    for here in reversed(layout.steps):
        future[:, here] = ahead[:, : _width(here)]
        ahead[:, : _width(here)] = _through(emitted[:, here] + future[:, here], moves, np.logaddexp)
    joint = past + future
    evidence: Array = np.logaddexp.reduce(joint, axis=0)
    # The expected counts of an impossible sequence are all 0.
    scale = np.where(np.isfinite(evidence), evidence, 0.0)
    states = np.exp(joint - scale).take(layout.places, axis=1).T
    weights = np.ones(len(table)) if batch.weights is None else batch.weights
    later = np.delete(np.arange(len(table)), batch.firsts)
    before = past[:, layout.places[later - 1]]
    after = (emitted + future - scale)[:, layout.places[later]]
    transitions = [
        np.exp(logs + row[:, None] + after) @ weights[later]
        for logs, row in zip(before, moves, strict=True)
    ]
    total = float(weights[batch.firsts] @ evidence[layout.places[batch.firsts]])
    return Smoothed(total, states, np.stack(transitions))


def best_path(table: Float[Array, "n k"], batch: Batch, chain: Chain) -> Path:
    """Forward with the maximum for the sum, and back along the states that attained it.

    Of a sequence in segments the states between these are found first; then both ends of each segment are known, and
    the paths inside, found side by side, join to one even where several are as good.
    """
    layout, (start, moves) = batch.layout(table.shape[1]), chain.logs
    emitted = table.T.take(layout.order, axis=1)
    entering = np.repeat(start[:, None], len(layout.columns), axis=1)
    ahead = np.zeros_like(entering)
    if layout.cut:
        ends = _ends_of_segments(emitted, start, moves, layout)
        entering[:, layout.columns[1:]] = moves[ends[:-1]].T
        entering[:, layout.heads] = start[:, None]
        ahead[:] = -np.inf
        ahead[ends, layout.columns] = 0.0
    past = _forward(emitted, entering, moves, layout.steps, np.maximum)
    path = np.empty(len(table), dtype=np.intp)
    for here in reversed(layout.steps):
        path[here] = (past[:, here] + ahead[:, : _width(here)]).argmax(axis=0)
        ahead[:, : _width(here)] = moves[:, path[here]]
    states = path[layout.places]
    steps = moves[np.roll(states, 1), states]
    steps[batch.firsts] = start[states[batch.firsts]]
    return Path(states, float((steps + table[np.arange(len(table)), states]).sum()))


def _ends_of_segments(
    emitted: Float[Array, "k n"],
    start: Float[Array, " k"],
    moves: Float[Array, "k k"],
    layout: Layout,
) -> Int[Labels, " b"]:
    """The state of the best path at the last time of each segment, in the order of the data.

    It is a best path too: a segment is a step, from the state that enters it to the state that it ends in.
    """
    lasts = np.roll(layout.previous[layout.columns], -1)
    segments = np.empty((len(lasts), *moves.shape))
    for i, move in enumerate(moves):
        entering = np.repeat(move[:, None], len(lasts), axis=1)
        # One chain through all sequences: whatever state it is in where a sequence begins, it forgets.
        entering[:, layout.heads] = start[:, None]
        past = _forward(emitted, entering, moves, layout.steps, np.maximum)
        segments[:, i] = past[:, lasts].T
    scores = [np.zeros(len(start))]
    for segment in segments:
        scores.append((scores[-1][:, None] + segment).max(axis=0))
    ends = [int(scores[-1].argmax())]
    for score, segment in zip(scores[-2:0:-1], segments[:0:-1], strict=True):
        ends.append(int((score + segment[:, ends[-1]]).argmax()))
    return np.array(ends[::-1])


def _forward(
    emitted: Float[Array, "k n"],
    entering: Float[Array, "k b"],
    moves: Float[Array, "k k"],
    steps: list[slice],
    over: np.ufunc,
) -> Float[Array, "k n"]:
    """The logarithm of the sum (or the largest, as `over` says) of p(x_1 ... x_t, z_t = i) over all earlier states."""
    past = np.empty_like(emitted)
    for here in steps:
        past[:, here] = entering[:, : _width(here)] + emitted[:, here]
        entering = _through(past[:, here], moves.T, over)
    return past


def _through(
    logs: Float[Array, "k w"], moves: Float[Array, "k k"], over: np.ufunc
) -> Float[Array, "k w"]:
    """Over j of moves_ij + logs_j."""
    result: Array = over.reduce(moves[:, :, None] + logs, axis=1)
    return result
