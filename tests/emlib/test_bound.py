"""The identity log-likelihood = free energy + gap, and its parts."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr, logsumexp, rel_entr

from emlib import FreeEnergy, entropy, free_energy, kl_divergence


@st.composite
def tables(draw, number: int = 2):
    """`number` tables of one shape (n, k): distributions by row, some with zeros, each at least once nonzero."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, k = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    return [
        rng.dirichlet(np.full(k, draw(st.sampled_from([0.3, 1.0, 20.0]))), n) for _ in range(number)
    ]


# The split itself


def test_a_split_adds_up():
    split = FreeEnergy(expected_log_joint=-5.0, entropy=2.0, gap=0.5)
    assert split.free_energy == -3.0
    assert split.log_likelihood == -2.5


def test_free_energy_of_a_coin_by_hand():
    # p(x, z) = 1/8 and 3/8, so p(x) = 1/2 and the posterior is (1/4, 3/4); q = (1/2, 1/2).
    split = free_energy([0.5, 0.5], np.log([1 / 8, 3 / 8]))
    assert split.expected_log_joint == pytest.approx(log(3 / 64) / 2, rel=1e-14)
    assert split.entropy == pytest.approx(log(2), rel=1e-14)
    assert split.gap == pytest.approx(log(4 / 3) / 2, rel=1e-14)
    assert split.log_likelihood == pytest.approx(log(1 / 2), rel=1e-14)


@given(tables(), st.integers(0, 2**32))
def test_the_split_adds_up_to_the_evidence_for_every_q(pair, seed):
    q = pair[0]
    joint = np.random.default_rng(seed).normal(-3.0, 4.0, q.shape)
    split = free_energy(q, joint)
    evidence = logsumexp(joint, axis=1).sum()
    assert split.log_likelihood == pytest.approx(evidence, rel=1e-12, abs=1e-12)
    assert split.expected_log_joint == pytest.approx((q * joint).sum(), rel=1e-12, abs=1e-12)
    assert split.entropy == pytest.approx(entr(q).sum(), rel=1e-12, abs=1e-12)
    assert split.free_energy <= evidence + 1e-12


@given(st.integers(0, 2**32))
def test_the_bound_touches_at_the_posterior_and_nowhere_near_it(seed):
    joint = np.random.default_rng(seed).normal(-3.0, 2.0, (4, 3))
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    assert free_energy(posterior, joint).gap == pytest.approx(0.0, abs=1e-14)
    assert free_energy((posterior + 1 / 3) / 2, joint).gap > 1e-6


def test_one_row_is_one_observation():
    joint = np.log([[0.1, 0.3], [0.2, 0.1]])
    q = np.array([[0.6, 0.4], [0.2, 0.8]])
    rows = [free_energy(*pair) for pair in zip(q, joint, strict=True)]
    both = free_energy(q, joint)
    for part in ("expected_log_joint", "entropy", "gap"):
        assert getattr(both, part) == pytest.approx(sum(getattr(row, part) for row in rows))


@pytest.mark.parametrize("depth", [720.0, 800.0, 1e6])
def test_the_split_adds_up_where_a_posterior_probability_underflows(depth):
    split = free_energy([0.5, 0.5], [0.0, -depth])
    # KL = log(1/2) + depth / 2, since the posterior is (1, exp(-depth)) to within exp(-depth).
    assert split.gap == pytest.approx(depth / 2 - log(2), rel=1e-12)
    assert split.log_likelihood == pytest.approx(0.0, abs=1e-9)


def test_free_energy_refuses_tables_of_two_shapes(refuses):
    with refuses(ValueError, "q and log_joint", "one shape", "(1, 2)", "(1, 3)"):
        free_energy([0.5, 0.5], [0.0, 0.0, 0.0])


def test_free_energy_refuses_a_log_joint_that_is_not_finite(refuses):
    with refuses(ValueError, "log_joint", "1 of 2", "-inf at index (1,)"):
        free_energy([0.5, 0.5], [0.0, -np.inf])


# Entropy


@given(tables())
def test_entropy_is_that_of_scipy(pair):
    for q in pair:
        assert entropy(q) == pytest.approx(entr(q).sum(), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("k", [1, 2, 10])
def test_entropy_runs_from_certainty_to_the_uniform(k):
    assert entropy(np.eye(k)[0]) == 0.0
    assert entropy(np.full(k, 1 / k)) == pytest.approx(log(k))


def test_entropy_of_rows_is_the_sum_and_not_the_mean():
    assert entropy([[0.5, 0.5]] * 3) == pytest.approx(3 * log(2), rel=1e-15)


# Divergence


@given(tables())
def test_divergence_is_that_of_scipy(pair):
    q, p = pair
    p = (p + 1 / p.shape[1]) / 2
    assert kl_divergence(q, p) == pytest.approx(rel_entr(q, p).sum(), rel=1e-10, abs=1e-13)


@given(tables())
def test_divergence_is_zero_between_equals_and_never_negative(pair):
    q, p = pair
    assert kl_divergence(q, q) == 0.0
    assert kl_divergence(q, p) >= -1e-15


def test_divergence_has_a_direction():
    q, p = [0.5, 0.5], [0.25, 0.75]
    assert kl_divergence(q, p) == pytest.approx(log(4 / 3) / 2)
    assert kl_divergence(p, q) == pytest.approx(log(27 / 16) / 4)


def test_divergence_is_infinite_from_what_p_excludes_and_only_then():
    assert kl_divergence([0.5, 0.5], [1.0, 0.0]) == float("inf")
    assert kl_divergence([1.0, 0.0], [0.5, 0.5]) == pytest.approx(log(2))
    assert kl_divergence([[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]) == float("inf")


def test_divergence_refuses_tables_of_two_shapes(refuses):
    with refuses(ValueError, "q and p", "one shape", "(1, 2)", "(2, 2)"):
        kl_divergence([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]])


# What is a distribution


@pytest.mark.parametrize(
    ("q", "said"),
    [
        ([0.5, 0.6], "1.1"),
        ([[0.5, 0.5], [0.2, 0.2]], "0.4"),
        ([1.5, -0.5], "-0.5"),
        ([[1.0, 0.0], [0.5, 0.5 + 1e-7]], "sum farthest from 1"),
    ],
)
def test_rows_that_are_no_distributions_are_refused(q, said, refuses):
    remedy = "Divide each row by its sum"
    with refuses(ValueError, "q: each row must be a distribution", "sum 1", said, remedy):
        entropy(q)
    with refuses(ValueError, "p: each row must be a distribution", said, remedy):
        kl_divergence(np.full(np.shape(q), 0.5), q)
    with refuses(ValueError, "q: each row", said, remedy):
        free_energy(q, np.zeros(np.shape(q)))


def test_a_sum_within_rounding_of_one_is_one():
    assert entropy([0.5, 0.5 + 1e-9]) == pytest.approx(log(2), abs=1e-8)


def test_a_table_of_tables_is_refused(refuses):
    with refuses(ValueError, "q", "expected shape (k,) or (n, k)", "got (1, 1, 2)"):
        entropy([[[0.5, 0.5]]])


def test_what_is_no_number_is_refused_by_name(refuses):
    with refuses(ValueError, "q: expected real numbers"):
        entropy(["half", "half"])
    with refuses(ValueError, "p: 1 of 2 values are not finite"):
        kl_divergence([0.5, 0.5], [0.5, np.nan])
