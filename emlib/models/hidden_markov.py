"""The hidden Markov model: a chain of states that is not seen, and one observation from each state.

    p(x, z) = p(z_1) p(x_1 | z_1) prod_t p(z_t | z_t-1) p(x_t | z_t)

An E-step counts how often the chain starts in each state, makes each move and emits each observation, given the data;
an M-step divides. The sum over all paths is emlib/models/chain.py's.

Source: Rabiner (1989), "A tutorial on hidden Markov models and selected applications in speech recognition",
sections III and V.A; Zucchini, MacDonald & Langrock (2016), "Hidden Markov Models for Time Series", chapters 2, 4, 5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from emlib.arrays import Array, Labels, distributions, expectation, real, rows
from emlib.charts import Chart, chart, chart_of, joined, log_ratios
from emlib.data import Block, Chunks, Prepared, Streamed, Weighted
from emlib.families.family import Family, Params, Stats
from emlib.kernels import pieces
from emlib.models.chain import Batch, Chain, Path, Smoothed, best_path, smoothed

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

Total = TypeVar("Total")

BATCH_ROWS = 2**17
"""Times in one batch of sequences: enough to keep every step in time busy."""


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

    @property
    def chain(self) -> Chain:
        """The states, without what they emit."""
        return Chain(self.initial, self.transitions)


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
        start, moves = map(expectation, (stats.initial, stats.transitions), params.chain.logs)
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
        found = [self._smoothed(batch, params) for batch in self._batches(data)]
        _refuse_impossible(sum(each.log_likelihood for each in found))
        return np.concatenate([each.states for each in found])

    def viterbi(self, data: ArrayLike | Sequences, params: HiddenMarkovParams[Params]) -> Path:
        """The most probable path; of several sequences, their paths end to end.

        Raises:
            ArithmeticError: the data are impossible under the params.

        Source: Rabiner (1989), section III.B.
        """
        paths = [
            best_path(self._log_densities(batch, params), batch, params.chain)
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
        return smoothed(self._log_densities(batch, params), batch, params.chain)

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


def _chart(
    params: HiddenMarkovParams[Any], emissions: Chart[Any]
) -> Chart[HiddenMarkovParams[Any]]:
    """Log-ratios of the probabilities in each row to its last; what is 0 is fixed there."""

    def parts(params: HiddenMarkovParams[Any]) -> tuple[Array, Any]:
        return np.vstack([params.initial, params.transitions]), params.emissions

    def build(chances: Float[Array, "1+k k"], emissions: Any) -> HiddenMarkovParams[Any]:
        return HiddenMarkovParams(chances[0], chances[1:], emissions)

    chances = log_ratios(parts(params)[0] > 0)
    return joined(params, parts, (chances, emissions), build)


@chart.register
def _(params: HiddenMarkovParams) -> Chart[HiddenMarkovParams[Any]]:  # type: ignore[type-arg]
    return _chart(params, chart(params.emissions))


@chart_of.register
def _(model: HiddenMarkov, params: Any) -> Chart[HiddenMarkovParams[Any]]:  # type: ignore[type-arg]
    return _chart(params, chart_of(model.family, params.emissions))


# ---- data ------------------------------------------------------------------------------------------


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
