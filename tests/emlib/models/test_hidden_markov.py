"""Hidden Markov models: the laws, all paths by brute force, hmmlearn, and a book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice, pairwise, product
from typing import Any

import dask
import dask.bag
import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM, PoissonHMM
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from emlib import AscentError, Mixture, em, em_steps
from emlib.charts import chart
from emlib.data import Chunks, Weighted
from emlib.datasets import load
from emlib.em import rounding
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons
from emlib.models import hidden_markov
from emlib.models.hidden_markov import (
    HiddenMarkov,
    HiddenMarkovParams,
    HiddenMarkovStatistics,
    Sequences,
)

EARTHQUAKES = load("earthquakes")["count"]

# ---- what the model says, without the library ------------------------------------------------------


@dataclass(frozen=True)
class Case:
    name: str
    model: HiddenMarkov[Any, Any]
    data: Sequences
    states: int
    emissions: Callable[[np.random.Generator], Any]
    density: Callable[[np.ndarray, Any, int], np.ndarray]
    """log p(x_t | z_t = i) of each row, by SciPy."""
    permuted: Callable[[Any, list[int]], Any]

    def start(self, seed: int) -> HiddenMarkovParams[Any]:
        rng = np.random.default_rng(seed)
        initial, *transitions = rng.dirichlet(np.ones(self.states), self.states + 1)
        return HiddenMarkovParams(initial, np.array(transitions), self.emissions(rng))

    def table(self, x: np.ndarray, params: HiddenMarkovParams[Any]) -> np.ndarray:
        columns = [self.density(x, params.emissions, i) for i in range(self.states)]
        return np.column_stack(columns)


def _bits() -> Sequences:
    rng = np.random.default_rng(5)
    truth = HiddenMarkovParams(
        [0.8, 0.2], [[0.9, 0.1], [0.3, 0.7]], Bernoullis([[0.1, 0.8, 0.3], [0.7, 0.2, 0.6]])
    )
    lengths = np.array([30, 1, 45, 7])
    return Sequences(HiddenMarkov(Bernoulli()).sample(truth, lengths, rng)[0], lengths)


def _waves() -> Sequences:
    rng = np.random.default_rng(6)
    x = np.sin(np.arange(90) / 4)[:, None] + 0.3 * rng.standard_normal((90, 2))
    return Sequences(x, np.array([40, 40, 10]))


CASES = [
    Case(
        "poisson",
        HiddenMarkov(Poisson()),
        Sequences(EARTHQUAKES[:, None], np.array([len(EARTHQUAKES)])),
        2,
        lambda rng: Poissons(rng.uniform(5, 35, 2)),
        lambda x, e, i: stats.poisson(e.rates[i]).logpmf(x[:, 0]),
        lambda e, order: Poissons(e.rates[order]),
    ),
    Case(
        "gaussian",
        HiddenMarkov(Gaussian()),
        _waves(),
        3,
        lambda rng: Gaussians(rng.normal(0, 1, (3, 2)), np.stack([np.eye(2)] * 3)),
        lambda x, e, i: (
            stats.multivariate_normal(e.means[i], e.covariances[i]).logpdf(x).reshape(-1)
        ),
        lambda e, order: Gaussians(e.means[order], e.covariances[order]),
    ),
    Case(
        "bernoulli",
        HiddenMarkov(Bernoulli()),
        _bits(),
        2,
        lambda rng: Bernoullis(rng.uniform(0.1, 0.9, (2, 3))),
        lambda x, e, i: stats.bernoulli(e.probabilities[i]).logpmf(x).sum(axis=1),
        lambda e, order: Bernoullis(e.probabilities[order]),
    ),
]


def vector(params: Any) -> np.ndarray:
    return chart(params).to_vector(params)


def moved(params: Any, by: np.ndarray) -> Any:
    return chart(params).from_vector(vector(params) + by)


def all_paths(case: Case, x: np.ndarray, params: HiddenMarkovParams[Any]) -> dict[Any, float]:
    """Log p(x, z) of every path z of one sequence."""
    table = case.table(x, params)
    return {
        path: float(
            np.log(params.initial[path[0]])
            + sum(np.log(params.transitions[i, j]) for i, j in pairwise(path))
            + sum(row[i] for row, i in zip(table, path, strict=True))
        )
        for path in product(range(case.states), repeat=len(x))
    }


def plain_log_likelihood(case: Case, params: HiddenMarkovParams[Any]) -> float:
    """The forward recursion of Rabiner (1989), eqs. (19)-(21), in SciPy's logarithms."""
    total = 0.0
    for x in case.data:
        table = case.table(x, params)
        state = np.log(params.initial) + table[0]
        for row in table[1:]:
            state = logsumexp(state[:, None] + np.log(params.transitions), axis=0) + row
        total += float(logsumexp(state))
    return total


# ---- the laws --------------------------------------------------------------------------------------


def never_falls(case: Case, seed: int) -> None:
    values = []
    for step in islice(em_steps(case.model, case.data, case.start(seed)), 25):
        values.append(step.log_likelihood)
        assert step.split.gap >= -2 * rounding(step.stats)
    assert values[-1] > values[0]
    assert (np.diff(values) >= -2e-12 * (abs(values[0]) + len(case.data.values))).all()


def equals_brute_force(case: Case, seed: int) -> None:
    params, x = case.start(seed), case.data.values[:5]
    paths = all_paths(case, x, params)
    expected = logsumexp(list(paths.values()))
    assert np.isclose(case.model.e_step(x, params).log_likelihood, expected, rtol=1e-12)


def maximiser_resists(case: Case, seed: int) -> None:
    stats = case.model.e_step(case.data, case.start(seed))
    best = case.model.m_step(stats)
    top = case.model.expected_log_joint(stats, best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            other = moved(best, scale * rng.standard_normal(len(vector(best))))
            assert case.model.expected_log_joint(stats, other) <= top + rounding(stats)


def bound_touches(case: Case, seed: int) -> None:
    """Q plus the entropy of all paths is the log-likelihood at the posterior's own params, and less elsewhere."""
    here, there, x = case.start(seed), case.start(seed + 1), case.data.values[:5]
    logs = np.array(list(all_paths(case, x, here).values()))
    posterior = np.exp(logs - logsumexp(logs))
    entropy = float(stats.entropy(posterior))
    found = case.model.e_step(x, here)
    own = case.model.expected_log_joint(found, here) + entropy
    assert np.isclose(own, found.log_likelihood, rtol=1e-11, atol=0)
    elsewhere = logsumexp(list(all_paths(case, x, there).values()))
    assert case.model.expected_log_joint(found, there) + entropy < elsewhere


def score_is_slope_of_surrogate(case: Case, seed: int) -> None:
    params = case.start(seed)
    found = case.model.e_step(case.data, params)
    for direction in np.eye(len(vector(params))) * 1e-5:
        ahead, behind = moved(params, direction), moved(params, -direction)
        of_l = [case.model.e_step(case.data, p).log_likelihood for p in (ahead, behind)]
        of_q = [case.model.expected_log_joint(found, p) for p in (ahead, behind)]
        assert np.isclose(of_l[0] - of_l[1], of_q[0] - of_q[1], rtol=1e-4, atol=1e-6)


def fixed_point_is_stationary(case: Case, seed: int) -> None:
    """Where the steps come to rest, the log-likelihood, taken without the library, is level."""
    params = case.start(seed)
    for _ in range(2):
        params = em(case.model, case.data, params, tol=1e-14, max_steps=1500).params
        # What goes to 0 never comes to rest in logarithms.
        initial, transitions = (
            np.where(table < 1e-5, 0, table) for table in (params.initial, params.transitions)
        )
        transitions /= transitions.sum(axis=1, keepdims=True)
        params = HiddenMarkovParams(initial / initial.sum(), transitions, params.emissions)
    rng = np.random.default_rng(seed)
    with np.errstate(divide="ignore"):
        for _ in range(3):
            direction = 1e-4 * rng.standard_normal(len(vector(params)))
            ahead, behind = (
                plain_log_likelihood(case, moved(params, sign * direction)) for sign in (1, -1)
            )
            assert abs(ahead - behind) / 2e-4 < 5e-3


def names_do_not_matter(case: Case, seed: int) -> None:
    params, order = case.start(seed), list(range(case.states))[::-1]

    def renamed(params: HiddenMarkovParams[Any]) -> HiddenMarkovParams[Any]:
        moves = params.transitions[np.ix_(order, order)]
        return HiddenMarkovParams(
            params.initial[order], moves, case.permuted(params.emissions, order)
        )

    found = case.model.e_step(case.data, params)
    mirrored = case.model.e_step(case.data, renamed(params))
    assert np.isclose(found.log_likelihood, mirrored.log_likelihood, rtol=1e-13)
    expected = vector(renamed(case.model.m_step(found)))
    assert np.allclose(vector(case.model.m_step(mirrored)), expected, rtol=1e-8, atol=1e-8)


def split_adds_up(case: Case, seed: int) -> None:
    params, halves = case.start(seed), np.array_split(case.data.values, 3)
    whole = case.model.e_step(Sequences.joined(halves), params)
    first, second, third = (case.model.e_step(half, params) for half in halves)
    parts = first + second + third
    assert np.isclose(parts.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert np.isclose(parts.observations, len(case.data.values))
    together, apart = (vector(case.model.m_step(found)) for found in (whole, parts))
    assert np.allclose(apart, together, rtol=1e-9, atol=1e-9)
    doubled = whole * 2.0
    assert np.isclose(doubled.log_likelihood, 2 * whole.log_likelihood)
    assert np.allclose(vector(case.model.m_step(doubled)), together, rtol=1e-9, atol=1e-9)


def weight_is_repetition(case: Case, seed: int) -> None:
    params = case.start(seed)
    one, two, three = np.array_split(case.data.values, 3)
    weighted = case.model.e_step(
        Weighted(Sequences.joined([one, two, three]), [2.0, 0.0, 1.0]), params
    )
    repeated = case.model.e_step(Sequences.joined([one, three, one]), params)
    assert np.isclose(weighted.log_likelihood, repeated.log_likelihood, rtol=1e-12)
    assert weighted.observations == repeated.observations
    for found, expected in (
        (weighted.initial, repeated.initial),
        (weighted.transitions, repeated.transitions),
        (vector(case.model.m_step(weighted)), vector(case.model.m_step(repeated))),
    ):
        assert np.allclose(found, expected, rtol=1e-9, atol=1e-9)


# ---- twins that are wrong on purpose ---------------------------------------------------------------


class MistakenMoves(HiddenMarkov[Any, Any]):
    """The M-step takes the moves of one state for those of the next."""

    def m_step(self, stats: HiddenMarkovStatistics[Any]) -> HiddenMarkovParams[Any]:
        names = np.roll(np.arange(len(stats.initial)), 1)
        return super().m_step(replace(stats, transitions=stats.transitions[names]))


class ForgottenStart(HiddenMarkov[Any, Any]):
    """The chain starts anywhere."""

    def e_step(self, data: Any, params: HiddenMarkovParams[Any]) -> HiddenMarkovStatistics[Any]:
        k = len(params.initial)
        return super().e_step(data, replace(params, initial=np.full(k, 1 / k)))


class IndependentNeighbours(HiddenMarkov[Any, Any]):
    """A move is counted as the product of two marginals: the classical mistake."""

    def e_step(self, data: Any, params: HiddenMarkovParams[Any]) -> HiddenMarkovStatistics[Any]:
        right = super().e_step(data, params)
        (block,) = self.prepare(data)
        states = self._smoothed(block, params).states
        later = np.delete(np.arange(len(states)), block.firsts)
        return replace(right, transitions=states[later - 1].T @ states[later])


class FirstStateFavoured(HiddenMarkov[Any, Any]):
    def _log_densities(self, batch: Any, params: HiddenMarkovParams[Any]) -> np.ndarray:
        return super()._log_densities(batch, params) + np.log(1.5) * (
            np.arange(len(params.initial)) == 0
        )


class OneLongSequence(HiddenMarkov[Any, Any]):
    """What is laid end to end is taken for one sequence."""

    def e_step(self, data: Any, params: HiddenMarkovParams[Any]) -> HiddenMarkovStatistics[Any]:
        values = data.values if isinstance(data, Sequences) else data
        return super().e_step(values, params)


class Unweighted(HiddenMarkov[Any, Any]):
    def e_step(self, data: Any, params: HiddenMarkovParams[Any]) -> HiddenMarkovStatistics[Any]:
        return super().e_step(data.values if isinstance(data, Weighted) else data, params)


LAWS: dict[Callable[[Case, int], None], type[HiddenMarkov[Any, Any]]] = {
    never_falls: MistakenMoves,
    equals_brute_force: ForgottenStart,
    maximiser_resists: MistakenMoves,
    bound_touches: IndependentNeighbours,
    score_is_slope_of_surrogate: IndependentNeighbours,
    fixed_point_is_stationary: IndependentNeighbours,
    names_do_not_matter: FirstStateFavoured,
    split_adds_up: OneLongSequence,
    weight_is_repetition: Unweighted,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds(law: Callable[[Case, int], None], case: Case) -> None:
    law(case, 2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(
    law: Callable[[Case, int], None], twin: type[HiddenMarkov[Any, Any]], case: Case
) -> None:
    with pytest.raises((AssertionError, AscentError)):
        law(replace(case, model=twin(case.model.family)), 2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=4)
def test_the_likelihood_never_falls_from_any_start(case: Case, seed: int) -> None:
    never_falls(case, seed)


# ---- all paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("seed", range(3))
def test_posterior_moves_and_best_path_are_those_of_all_paths(case: Case, seed: int) -> None:
    params, k = case.start(seed), case.states
    pieces = [case.data.values[start : start + t] for start, t in ((0, 5), (20, 1), (9, 4))]
    data = Sequences.joined(pieces)
    posterior, moves, best, top = [], np.zeros((k, k)), [], 0.0
    for x in pieces:
        paths = all_paths(case, x, params)
        evidence = logsumexp(list(paths.values()))
        states = np.zeros((len(x), k))
        for path, log_probability in paths.items():
            chance = np.exp(log_probability - evidence)
            states[np.arange(len(x)), path] += chance
            for i, j in pairwise(path):
                moves[i, j] += chance
        posterior.append(states)
        best.extend(max(paths, key=paths.__getitem__))
        top += max(paths.values())
    assert np.allclose(case.model.posterior(data, params), np.concatenate(posterior), atol=1e-12)
    found = case.model.e_step(data, params)
    assert np.allclose(found.transitions, moves, atol=1e-12)
    assert np.allclose(found.initial, sum(states[0] for states in posterior), atol=1e-12)
    path = case.model.viterbi(data, params)
    assert path.states.tolist() == best
    assert np.isclose(path.log_probability, top, rtol=1e-12)
    assert case.model.log_likelihood(data, params) == found.log_likelihood


# ---- zeros -----------------------------------------------------------------------------------------


def test_what_is_zero_at_the_start_stays_zero() -> None:
    model = HiddenMarkov(Poisson())
    left_to_right = HiddenMarkovParams(
        [1, 0, 0], [[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0, 1]], Poissons([13.0, 28.0, 18.0])
    )
    trace = em(model, EARTHQUAKES, left_to_right, tol=1e-9)
    assert trace.converged
    assert (trace.params.initial == [1, 0, 0]).all()
    assert ((trace.params.transitions > 0) == (left_to_right.transitions > 0)).all()
    # Two rates of leaving, three of earthquakes.
    assert model.free_parameters(trace.params) == 5
    assert len(vector(trace.params)) == 5


def test_a_state_that_is_never_left_keeps_to_itself() -> None:
    """Sequences of one time tell nothing of moves: the model is a mixture, each row of moves undecided."""
    model, data = HiddenMarkov(Poisson()), Sequences(EARTHQUAKES, np.ones(107, dtype=int))
    start = HiddenMarkovParams([0.4, 0.6], [[0.2, 0.8], [0.7, 0.3]], Poissons([12.0, 25.0]))
    params = em(model, data, start, max_steps=20).params
    assert (params.transitions == np.eye(2)).all()


# ---- peers -----------------------------------------------------------------------------------------


def _hmmlearn_gaussian(start: Any, steps: int) -> Any:
    # No prior on covariances: the default moves them.
    peer = GaussianHMM(
        3, "full", covars_prior=0, n_iter=steps, tol=-np.inf, init_params="", params="stmc"
    )
    peer.means_, peer.covars_ = start.emissions.means, start.emissions.covariances
    return peer


def _hmmlearn_poisson(start: Any, steps: int) -> Any:
    peer = PoissonHMM(2, n_iter=steps, tol=-np.inf, init_params="", params="stl")
    peer.lambdas_ = start.emissions.rates[:, None]
    return peer


@pytest.mark.parametrize("steps", [1, 12])
@pytest.mark.parametrize(
    ("case", "make"), [(CASES[1], _hmmlearn_gaussian), (CASES[0], _hmmlearn_poisson)]
)
def test_parity_with_hmmlearn(case: Case, make: Callable[[Any, int], Any], steps: int) -> None:
    start = case.start(4)
    peer = make(start, steps)
    peer.startprob_, peer.transmat_ = start.initial, start.transitions
    x, lengths = case.data.values, case.data.lengths
    integers = x.astype(int) if case.name == "poisson" else x
    before = peer.score(integers, lengths)
    peer.fit(integers, lengths)
    *_, first, last = islice(em_steps(case.model, case.data, start), steps + 1)
    assert np.isclose(case.model.log_likelihood(case.data, start), before, rtol=1e-10, atol=0)
    # hmmlearn's history holds the log-likelihood before each M-step.
    assert np.isclose(first.log_likelihood, peer.monitor_.history[-1], rtol=1e-10, atol=0)
    assert np.isclose(last.log_likelihood, peer.score(integers, lengths), rtol=1e-10, atol=0)
    assert np.allclose(last.params.initial, peer.startprob_, atol=1e-8)
    assert np.allclose(last.params.transitions, peer.transmat_, atol=1e-8)
    if case.name == "poisson":
        assert np.allclose(last.params.emissions.rates, peer.lambdas_[:, 0], rtol=1e-8)
    else:
        assert np.allclose(last.params.emissions.means, peer.means_, atol=1e-8)
        assert np.allclose(last.params.emissions.covariances, peer.covars_, atol=1e-8)
    log_probability, states = peer.decode(integers, lengths)
    path = case.model.viterbi(case.data, last.params)
    assert path.states.tolist() == states.tolist()
    assert np.isclose(path.log_probability, log_probability, rtol=1e-9)
    theirs = peer.predict_proba(integers, lengths)
    assert np.allclose(case.model.posterior(case.data, last.params), theirs, atol=1e-8)


# ---- data ------------------------------------------------------------------------------------------


def test_pieces_threads_bags_and_batches_give_the_same_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES[2]
    params, pieces = case.start(1), list(case.data)
    whole = case.model.e_step(case.data, params)

    def same(data: Any) -> bool:
        found = case.model.e_step(data, params)
        close = np.allclose(found.transitions, whole.transitions, rtol=1e-12, atol=1e-12)
        return bool(close) and np.isclose(found.log_likelihood, whole.log_likelihood, rtol=1e-13)

    assert same(Chunks(pieces))
    assert same(Chunks([Sequences.joined(pieces[:2]), Weighted(pieces[2], [1.0]), pieces[3]], 2))
    with dask.config.set(scheduler="synchronous"):
        bag = dask.bag.from_sequence(pieces, npartitions=2)
        assert same(bag)
        assert sum(len(block.x) for block in case.model.prepare(bag)) == len(case.data.values)
    monkeypatch.setattr(hidden_markov, "BATCH_ROWS", 32)
    assert len(list(case.model.prepare(case.data))) == 2
    assert same(case.data)
    assert same(Chunks(case.data, threads=2))
    posterior = case.model.posterior(case.data, params)
    monkeypatch.undo()
    assert np.allclose(posterior, case.model.posterior(case.data, params), atol=1e-14)


def test_a_start_from_a_guess() -> None:
    states = np.array([0, 0, 1, 1, 0, 1, 1])
    x, lengths = np.array([3, 5, 10, 12, 4, 11, 11]), [4, 3]
    params = HiddenMarkov(Poisson()).from_responsibilities(Sequences(x, lengths), np.eye(2)[states])
    assert params.initial.tolist() == [1.0, 0.0]
    # From 0: once to 0, twice to 1; from 1: twice to 1. The border between the sequences is no move.
    assert np.allclose(params.transitions, [[1 / 3, 2 / 3], [0, 1]])
    assert params.emissions.rates.tolist() == [4.0, 11.0]


def test_samples_have_the_moves_of_the_chain() -> None:
    rng = np.random.default_rng(8)
    moves = np.array([[0.7, 0.3, 0.0], [0.0, 0.5, 0.5], [0.25, 0.0, 0.75]])
    params = HiddenMarkovParams([0.0, 0.2, 0.8], moves, Poissons([1.0, 50.0, 200.0]))
    x, hidden = HiddenMarkov(Poisson()).sample(params, np.full(4000, 10), rng)
    assert x.shape == (40_000, 1)
    paths = hidden.reshape(4000, 10)
    starts = np.bincount(paths[:, 0], minlength=3)
    assert starts[0] == 0
    assert abs(starts[1] - 800) < 4 * np.sqrt(4000 * 0.2 * 0.8)
    counts = np.zeros((3, 3))
    np.add.at(counts, (paths[:, :-1].ravel(), paths[:, 1:].ravel()), 1)
    assert (counts[moves == 0] == 0).all()
    total = counts.sum(axis=1, keepdims=True)
    assert (abs(counts - total * moves) < 4 * np.sqrt(total * moves * (1 - moves)) + 1e-9).all()
    means = [x[hidden == i].mean() for i in range(3)]
    assert np.allclose(means, [1, 50, 200], rtol=0.05)
    assert HiddenMarkov(Poisson()).sample(params, 5, rng)[0].shape == (5, 1)


def test_errors_say_what_to_do(refuses: Any) -> None:
    model, params = CASES[0].model, CASES[0].start(0)
    with refuses(ValueError, "lengths", "sum is 3", "(2,)"):
        Sequences(np.zeros(2), [1, 2])
    for lengths in ([0, 2], [1.0, 1.0], [], "ab", [[2]]):
        with refuses(ValueError, "lengths: expected whole numbers, 1 or more"):
            Sequences(np.zeros(2), lengths)
    with refuses(ValueError, "one width", "[1, 2]"):
        Sequences.joined([np.zeros(3), np.zeros((3, 2))])
    with refuses(ValueError, "sequence 1"):
        Sequences.joined([np.zeros(3), np.zeros(0)])
    with refuses(ValueError, "initial of shape (k,)", "(2,)", "(3, 3)"):
        HiddenMarkovParams([0.5, 0.5], np.eye(3), None)
    with refuses(ValueError, "transitions: each row must be a distribution"):
        HiddenMarkovParams([0.5, 0.5], [[0.5, 0.6], [0.5, 0.5]], None)
    with refuses(ValueError, "2 states for 3 emission densities"):
        model.e_step(EARTHQUAKES, replace(params, emissions=Poissons([1.0, 2.0, 3.0])))
    for weights in ([1.0, 1.0], [-1.0], [0.0]):
        with refuses(ValueError, "weights: expected 1 numbers, one a sequence"):
            model.e_step(Weighted(EARTHQUAKES, weights), params)
    with refuses(ValueError, "an array is one sequence"):
        model.e_step(Chunks(EARTHQUAKES), params)
    with refuses(ValueError, "no sequences"):
        model.e_step(Chunks([]), params)
    with refuses(ValueError, "piece 1", "negative"):
        model.e_step(Chunks([EARTHQUAKES, np.array([1, -1])]), params)
    with refuses(ValueError, "prepared by another model"):
        model.e_step(Mixture(Poisson()).prepare(EARTHQUAKES), params)
    with refuses(ValueError, "responsibilities: expected 107 rows, got 3"):
        model.from_responsibilities(EARTHQUAKES, np.eye(3))
    with refuses(ArithmeticError, "component 1 has no data left"):
        model.m_step(
            model.e_step(EARTHQUAKES, replace(params, initial=[1, 0], transitions=np.eye(2)))
        )
