"""Incremental EM: the free energy climbs with every block, to where EM comes to rest."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emlib import AscentError, Mixture, MixtureParams, em, em_steps
from emlib.data import Chunks, Weighted
from emlib.datasets import load
from emlib.families import Gaussian, Gaussians, Poisson, Poissons
from emlib.variants.incremental import SumTree, incremental_steps

DEATHS = load("deaths").repeated("deaths", "days").astype(float)
SHUFFLED = np.random.default_rng(1).permutation(DEATHS)
PIECES = Chunks(np.array_split(SHUFFLED, 8))
START = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))
MODEL = Mixture(Poisson())


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**31), blocks=st.integers(1, 30))
def test_the_free_energy_never_falls_and_never_exceeds_the_log_likelihood(seed, blocks):
    x = load("faithful").matrix()
    shares = np.random.default_rng(seed).dirichlet([0.5, 0.5], size=len(x))
    model = Mixture(Gaussian())
    data = Chunks(np.array_split(x, blocks))
    steps = list(islice(incremental_steps(model, data, model.from_responsibilities(x, shares)), 12))
    values = [step.log_likelihood for step in steps]
    assert (np.diff(values) >= -1e-9).all()
    assert values[-1] > values[0]
    for step in steps:
        assert step.split.free_energy == step.log_likelihood
        assert step.log_likelihood <= model.e_step(x, step.params).log_likelihood + 1e-9


def test_the_free_energy_is_that_of_the_posteriors_last_visited():
    # Two blocks and two sweeps, by hand: q of the first block is that of the params before its visit.
    first, second = SHUFFLED[:500], SHUFFLED[500:]
    data = Chunks([first, second])
    _, step = islice(incremental_steps(MODEL, data, START), 2)

    def posterior(x, params):
        joint = MODEL.log_joint(x, params)
        return np.exp(joint - np.logaddexp(joint[:, 0], joint[:, 1])[:, None])

    def fit(q):
        rates = (q.T @ SHUFFLED) / q.sum(axis=0)
        return MixtureParams(q.mean(axis=0), Poissons(rates))

    q_first, q_second = posterior(first, START), posterior(second, START)
    between = fit(np.concatenate([q_first, q_second]))
    q_second = posterior(second, between)
    q = np.concatenate([q_first, q_second])
    end = fit(q)
    assert step.params.weights == pytest.approx(end.weights, rel=1e-12)
    assert step.params.components.rates == pytest.approx(end.components.rates, rel=1e-12)
    free_energy = (q * (MODEL.log_joint(SHUFFLED, end) - np.log(q))).sum()
    assert step.log_likelihood == pytest.approx(free_energy, rel=1e-12)


def test_it_rests_where_em_rests():
    blocks = Chunks(np.array_split(load("faithful")["waiting"], 7))
    start = MixtureParams([0.5, 0.5], Gaussians.univariate([50.0, 80.0], [25.0, 25.0]))
    swept = em(Mixture(Gaussian()), blocks, start, tol=1e-14, steps=incremental_steps)
    plain = em(Mixture(Gaussian()), blocks, start, tol=1e-14)
    assert swept.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    assert swept.params.weights == pytest.approx(plain.params.weights, rel=1e-5)
    # At rest nothing lies between the free energy and the log-likelihood.
    own = Mixture(Gaussian()).e_step(blocks, swept.params).log_likelihood
    assert own - swept.log_likelihood == pytest.approx(0, abs=1e-8)


def test_many_blocks_need_fewer_passes():
    swept = em(MODEL, PIECES, START, tol=1e-7, steps=incremental_steps)
    plain = em(MODEL, PIECES, START, tol=1e-7)
    assert swept.converged
    assert len(swept.steps) < 0.8 * len(plain.steps)
    reached = MODEL.e_step(PIECES, swept.params).log_likelihood
    assert reached > plain.log_likelihood


def test_one_block_is_em():
    swept = islice(incremental_steps(MODEL, Chunks([SHUFFLED]), START), 6)
    plain = islice(em_steps(MODEL, SHUFFLED, START), 6)
    for ours, theirs in zip(swept, plain, strict=True):
        assert ours.params.weights == pytest.approx(theirs.params.weights, rel=1e-13)
        # Its bound is F; EM shows it a step later, as the split.
        assert ours.log_likelihood == pytest.approx(theirs.split.free_energy, rel=1e-13)


def test_weights_repeat_rows():
    times = np.array([1, 2, 0, 3])
    x = np.array([1.0, 4.0, 9.0, 0.0])
    weighted = islice(incremental_steps(MODEL, Weighted(x, times), START), 5)
    repeated = islice(incremental_steps(MODEL, np.repeat(x, times), START), 5)
    for ours, theirs in zip(weighted, repeated, strict=True):
        assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-12)


def test_a_wrong_m_step_is_found_out():
    class Trembling(Mixture):
        def m_step(self, stats):
            params = super().m_step(stats)
            factor = 1.5 if params.components.rates[0] < 1 else 0.5
            return MixtureParams(params.weights, Poissons(factor * params.components.rates))

    with pytest.raises(AscentError, match="the free energy went from"):
        list(islice(incremental_steps(Trembling(Poisson()), PIECES, START), 10))


def test_data_that_are_no_blocks_are_refused(refuses):
    scripted = SimpleNamespace(e_step=None, m_step=None, expected_log_joint=None)
    with refuses(ValueError, "incremental EM", "blocks of independent rows"):
        next(incremental_steps(scripted, [1.0, 2.0], None))


# The tree of sums


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_the_root_is_the_sum_of_the_leaves(size):
    leaves = [2.0**i for i in range(size)]
    tree = SumTree(list(leaves))
    assert tree.total == sum(leaves)
    for place in range(size):
        leaves[place] = 1000.0 * (place + 1)
        tree.put(place, leaves[place])
        assert tree.total == sum(leaves)


def test_no_rounding_piles_up_where_subtraction_would_let_it():
    rng = np.random.default_rng(0)
    leaves = rng.standard_normal(64)
    tree, subtracting = SumTree(leaves.tolist()), leaves.sum()
    # A value of 1e16 comes and goes: what it has swallowed, subtraction does not give back.
    for place in range(64):
        for value in (1e16, float(rng.standard_normal())):
            tree.put(place, value)
            subtracting += value - leaves[place]
            leaves[place] = value
    assert tree.total == SumTree(leaves.tolist()).total
    assert abs(tree.total - leaves.sum()) < 1e-12
    assert abs(subtracting - leaves.sum()) > 1.0
