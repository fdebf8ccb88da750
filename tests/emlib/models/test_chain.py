"""The recursions along time: in shares against in logarithms, what underflow would break, the best of all paths."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from emlib import em
from emlib.data import Weighted
from emlib.families.family import Sums
from emlib.models import chain
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams, Sequences


class Given:
    """A family whose observations are the log-densities themselves, one a state."""

    def observations(self, data: Any) -> np.ndarray:
        return np.asarray(data, dtype=float)

    def log_density(self, x: np.ndarray, params: Any) -> np.ndarray:
        return x

    def expected_statistics(self, x: np.ndarray, responsibilities: np.ndarray, near: Any) -> Sums:
        return Sums(responsibilities.sum(axis=0), np.zeros((x.shape[1], 0)), 0.0)

    def expected_log_density(self, stats: Any, params: Any) -> float:
        return 0.0

    def from_mean(self, stats: Any) -> None:
        return None


GIVEN: HiddenMarkov[Any, Any] = HiddenMarkov(Given())  # type: ignore[arg-type]


def both_ways(table: np.ndarray, lengths: list[int], params: Any) -> tuple[Any, Any]:
    (batch,) = GIVEN.prepare(Weighted(Sequences(table, lengths), np.arange(1.0, len(lengths) + 1)))
    return (
        chain.smoothed_in_shares(table, batch, params.chain),
        chain.smoothed_in_logs(table, batch, params.chain),
    )


@pytest.mark.parametrize(
    "lengths", [[700], [1, 300, 2, 57, 1000, 1, 4], [3] * 50, [1], [1] * 9, [64, 65, 66, 1]]
)
@pytest.mark.parametrize("k", [1, 2, 5, 30])
@pytest.mark.parametrize("shape", ["any", "left to right"])
def test_segments_in_shares_and_whole_sequences_in_logarithms_agree(
    lengths: list[int], k: int, shape: str
) -> None:
    rng = np.random.default_rng(k)
    table = 3 * rng.standard_normal((sum(lengths), k))
    initial, transitions = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), k)
    if shape == "left to right":
        transitions = np.triu(transitions) / np.triu(transitions).sum(axis=1, keepdims=True)
        transitions = 0.999 * np.eye(k) + 0.001 * transitions
        table += 2 * np.arange(k) * np.linspace(-1, 1, len(table))[:, None]
    scaled, plain = both_ways(table, lengths, HiddenMarkovParams(initial, transitions, None))
    assert np.isclose(scaled.log_likelihood, plain.log_likelihood, rtol=1e-12)
    assert np.allclose(scaled.states, plain.states, rtol=1e-9, atol=1e-12)
    assert np.allclose(scaled.transitions, plain.transitions, rtol=1e-9, atol=1e-11)
    assert ((scaled.transitions > 0) <= (transitions > 0)).all()


def test_a_hundred_thousand_times_of_extreme_density_neither_under_nor_overflow() -> None:
    n = 100_000
    rng = np.random.default_rng(0)
    table = rng.standard_normal((n, 3))
    offsets = np.where(np.arange(n) < n // 2, -690.0, 690.0)
    params = HiddenMarkovParams(
        [0.2, 0.3, 0.5], [[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.3, 0.0, 0.7]], None
    )
    plain, extreme = (GIVEN.e_step(x, params) for x in (table, table + offsets[:, None]))
    assert np.isclose(extreme.log_likelihood, plain.log_likelihood + offsets.sum(), atol=1e-5)
    assert np.allclose(extreme.transitions, plain.transitions, rtol=1e-9)
    assert np.isclose(extreme.transitions.sum(), n - 1)


def disguise(tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Two states that never meet: the ends of the data favour the second, the middle more so the first."""
    nats = np.r_[np.full(300, -5.0), np.full(300, tail), np.full(300, -5.0)]
    table = np.column_stack([nats, np.zeros(900)])
    return table, np.log(0.5) + np.array([nats.sum(), 0.0])


@pytest.mark.parametrize("tail", [9.0, 11.0])
def test_a_path_that_all_but_vanished_at_both_ends_may_still_win(tail: float) -> None:
    """Whoever drops what underflows loses the first state twice, and is never told."""
    table, logs = disguise(tail)
    params = HiddenMarkovParams([0.5, 0.5], np.eye(2), None)
    found = GIVEN.e_step(table, params)
    assert np.isclose(found.log_likelihood, logsumexp(logs), rtol=1e-13)
    assert np.allclose(found.initial, np.exp(logs - logsumexp(logs)), atol=1e-12)
    assert GIVEN.viterbi(table, params).states.tolist() == [int(logs.argmax())] * 900


def test_without_the_question_for_agreement_it_would_be_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, logs = disguise(11.0)
    monkeypatch.setattr(chain, "LEAST_AGREEMENT", 0.0)
    found = GIVEN.e_step(table, HiddenMarkovParams([0.5, 0.5], np.eye(2), None))
    assert not np.isclose(found.log_likelihood, logsumexp(logs), rtol=1e-3)


@pytest.mark.parametrize(
    ("table", "initial", "transitions"),
    [
        ([[0.0, 0.0], [-np.inf, -np.inf], [0.0, 0.0]], [0.5, 0.5], np.full((2, 2), 0.5)),
        ([[0.0, 0.0], [-np.inf, 0.0], [0.0, 0.0]], [1.0, 0.0], np.eye(2)),
        ([[-np.inf, 0.0]], [1.0, 0.0], np.full((2, 2), 0.5)),
    ],
)
def test_impossible_data_are_told(refuses: Any, table: Any, initial: Any, transitions: Any) -> None:
    params = HiddenMarkovParams(initial, transitions, None)
    found = GIVEN.e_step(table, params)
    assert found.log_likelihood == -np.inf
    assert (found.initial == 0).all()
    assert (found.transitions == 0).all()
    with refuses(ArithmeticError, "step 0", "impossible"):
        em(GIVEN, table, params)
    for ask in (GIVEN.posterior, GIVEN.viterbi):
        with refuses(ArithmeticError, "no path is possible"):
            ask(table, params)


def test_one_impossible_sequence_leaves_the_counts_of_the_others() -> None:
    params = HiddenMarkovParams([1.0, 0.0], [[0.5, 0.5], [0.0, 1.0]], None)
    good, bad = np.zeros((3, 2)), np.full((2, 2), -np.inf)
    both = GIVEN.e_step(Sequences(np.concatenate([good, bad]), [3, 2]), params)
    alone = GIVEN.e_step(good, params)
    assert both.log_likelihood == -np.inf
    assert np.allclose(both.transitions, alone.transitions, rtol=1e-12)


# ---- the best path ---------------------------------------------------------------------------------


def log_joint(table: np.ndarray, params: Any, path: Any) -> float:
    """Log p(x, z), term by term."""
    with np.errstate(divide="ignore"):
        start, moves = np.log(params.initial), np.log(params.transitions)
    emitted = sum(row[i] for row, i in zip(table, path, strict=True))
    return float(start[path[0]] + sum(moves[i, j] for i, j in pairwise(path)) + emitted)


def largest_log_joint(table: np.ndarray, params: Any) -> float:
    """Rabiner (1989), eqs. (32)-(34), a time after another; nothing is traced back."""
    with np.errstate(divide="ignore"):
        state, moves = np.log(params.initial), np.log(params.transitions)
    state = state + table[0]
    for row in table[1:]:
        state = (state[:, None] + moves).max(axis=0) + row
    return float(state.max())


def tied(seed: int, n: int, k: int) -> tuple[np.ndarray, Any]:
    """Log-densities 0 and -1, and moves that are equally probable, or impossible: many paths are the best."""
    rng = np.random.default_rng(seed)
    possible = rng.random((k, k)) < 0.6
    possible[np.arange(k), rng.permutation(k)] = True
    moves = possible / possible.sum(axis=1, keepdims=True)
    table = -rng.integers(0, 2, (n, k)).astype(float)
    return table, HiddenMarkovParams(np.full(k, 1 / k), moves, None)


def by_segments(table: np.ndarray, params: Any) -> Any:
    return GIVEN.viterbi(table, params).states


def each_state_by_itself(table: np.ndarray, params: Any) -> Any:
    """The state of a best path at each time, but not of the same: wrong where several paths are as good."""
    paths = np.array(list(product(range(table.shape[1]), repeat=len(table))))
    values = np.array([log_joint(table, params, path) for path in paths])
    best = paths[np.isclose(values, values.max(), atol=1e-9)]
    return np.array([column.min() for column in best.T])


def is_the_best(find: Any, table: np.ndarray, params: Any) -> None:
    n, k = table.shape
    every = (log_joint(table, params, path) for path in product(range(k), repeat=n))
    assert np.isclose(log_joint(table, params, find(table, params)), max(every), atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([(1, 3), (4, 3), (7, 3), (10, 2)]))
@settings(max_examples=40, deadline=None)
def test_of_several_best_paths_one_is_found(seed: int, size: tuple[int, int]) -> None:
    """From 5 times on the sequence is cut, so that the tie is broken in every segment."""
    is_the_best(by_segments, *tied(seed, *size))


def test_the_law_rejects_states_of_several_best_paths() -> None:
    """Two states that take turns: 0101010 and 1010101 are as good, and 0000000 is impossible."""
    table, params = np.zeros((7, 2)), HiddenMarkovParams([0.5, 0.5], [[0, 1], [1, 0]], None)
    is_the_best(by_segments, table, params)
    with pytest.raises(AssertionError):
        is_the_best(each_state_by_itself, table, params)


@pytest.mark.parametrize("lengths", [[1500], [400, 1, 3, 900, 2], [3] * 50, [1]])
@pytest.mark.parametrize("k", [1, 2, 5, 30])
@pytest.mark.parametrize("ties", [True, False])
def test_the_best_path_of_long_sequences_in_segments(
    lengths: list[int], k: int, ties: bool
) -> None:
    table, params = tied(k, sum(lengths), k)
    if not ties:
        table += np.random.default_rng(k).standard_normal(table.shape)
    data = Sequences(table, lengths)
    path = GIVEN.viterbi(data, params)
    parts = np.split(path.states, np.cumsum(lengths)[:-1])
    for rows, states in zip(data, parts, strict=True):
        expected = largest_log_joint(rows, params)
        assert np.isclose(log_joint(rows, params, states), expected, rtol=1e-12)
    total = sum(largest_log_joint(rows, params) for rows in data)
    assert np.isclose(path.log_probability, total, rtol=1e-12)
