"""Online EM: a running mean of statistics, by hand; the fixed point of EM; a stream that is never kept."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from emlib import Mixture, MixtureParams, em
from emlib.data import Chunks, Weighted
from emlib.families import Gaussian, Gaussians, Poisson, Poissons
from emlib.variants.online import learn, online_steps

MODEL = Mixture(Poisson())
START = MixtureParams([0.5, 0.5], Poissons([2.0, 8.0]))
TRUTH = MixtureParams([0.3, 0.7], Poissons([1.5, 9.0]))
STREAM = MODEL.sample(TRUTH, 40_000, np.random.default_rng(4))[0][:, 0]


def by_hand(blocks, weights, rates, exponent):
    """Cappe & Moulines (2009), eqs. (10)-(11), for Poisson components, with a mean over each block."""
    for t, x in enumerate(blocks):
        joint = np.log(weights) + stats.poisson.logpmf(x[:, None], rates)
        evidence = logsumexp(joint, axis=1)
        q = np.exp(joint - evidence[:, None])
        new = np.stack([q.mean(axis=0), q.T @ x / len(x)])
        size = 1.0 if t == 0 else (t + 2.0) ** -exponent
        mean = new if t == 0 else (1 - size) * mean + size * new
        weights, rates = mean[0], mean[1] / mean[0]
        yield weights, rates, evidence.mean()


@pytest.mark.parametrize("exponent", [0.6, 1.0])
def test_each_step_is_the_running_mean_by_hand(exponent):
    blocks = [STREAM[:50], STREAM[50:60], STREAM[60:200], STREAM[200:230]]
    ours = islice(online_steps(MODEL, Chunks(blocks), START, exponent=exponent), 8)
    theirs = by_hand(blocks * 2, START.weights, START.components.rates, exponent)
    for number, (step, (weights, rates, forecast)) in enumerate(zip(ours, theirs, strict=True)):
        assert step.blocks == number + 1
        assert step.params.weights == pytest.approx(weights, rel=1e-12)
        assert step.params.components.rates == pytest.approx(rates, rel=1e-12)
        assert step.forecast == pytest.approx(forecast, rel=1e-12)
        assert step.stats.observations == pytest.approx(1, rel=1e-12)


def test_a_block_is_foretold_before_it_is_learned_from():
    far = np.full(20, 40.0)
    first, second = islice(online_steps(MODEL, Chunks([STREAM[:100], far]), START), 2)
    assert second.forecast == pytest.approx(MODEL.log_density(far, first.params).mean(), rel=1e-12)
    assert second.forecast < MODEL.log_density(far, second.params).mean() - 1


def test_where_em_rests_it_rests():
    rest = em(MODEL, STREAM[:1000], START, tol=1e-15).params
    *_, last = islice(online_steps(MODEL, Chunks([STREAM[:1000]]), rest), 5)
    assert last.params.weights == pytest.approx(rest.weights, rel=1e-5)
    assert last.params.components.rates == pytest.approx(rest.components.rates, rel=1e-5)


def test_passes_over_one_block_lead_to_the_limit_of_em():
    limit = em(MODEL, STREAM[:1000], START, tol=1e-15).params
    *_, last = islice(online_steps(MODEL, Chunks([STREAM[:1000]]), START), 400)
    assert last.params.weights == pytest.approx(limit.weights, rel=1e-4)
    assert last.params.components.rates == pytest.approx(limit.components.rates, rel=1e-4)


def test_one_pass_over_a_stream_comes_as_near_the_truth_as_the_data_allow():
    blocks = Chunks(np.array_split(STREAM, 200))
    *_, last = islice(online_steps(MODEL, blocks, START), 200)
    whole = em(MODEL, STREAM, START, tol=1e-9).params
    # A standard error of the weight is .0025 or more; one step of EM from the start is far outside.
    assert last.params.weights == pytest.approx(whole.weights, abs=0.01)
    assert last.params.components.rates == pytest.approx(whole.components.rates, rel=0.03)
    first = MODEL.m_step(MODEL.e_step(STREAM, START))
    assert abs(first.components.rates - whole.components.rates).max() > 0.2


def test_learning_needs_neither_a_data_set_nor_a_loop():
    step = learn(MODEL, STREAM[:50], START)
    step = learn(MODEL, STREAM[50:60], step)
    *_, same = islice(online_steps(MODEL, Chunks([STREAM[:50], STREAM[50:60]]), START), 2)
    assert step.params.components.rates.tolist() == same.params.components.rates.tolist()


def test_it_claims_neither_a_log_likelihood_nor_convergence():
    step = learn(MODEL, STREAM[:50], START)
    assert not hasattr(step, "log_likelihood")
    with pytest.raises(AttributeError):
        em(MODEL, Chunks([STREAM]), START, steps=online_steps)


def test_weights_repeat_rows():
    times = np.array([1, 2, 0, 3])
    x = np.array([1.0, 4.0, 9.0, 0.0])
    ours, theirs = learn(MODEL, Weighted(x, times), START), learn(MODEL, np.repeat(x, times), START)
    assert ours.params.components.rates == pytest.approx(theirs.params.components.rates, rel=1e-12)
    assert ours.forecast == pytest.approx(theirs.forecast, rel=1e-12)


def test_far_from_the_origin_no_digits_are_lost():
    rng = np.random.default_rng(0)
    near = np.concatenate([rng.normal(0, 1, 300), rng.normal(6, 1, 300)])
    rng.shuffle(near)
    fits = []
    for offset in (0.0, 1e7):
        start = MixtureParams(
            [0.5, 0.5], Gaussians.univariate([offset - 1, offset + 7], [4.0, 4.0])
        )
        pieces = Chunks(np.array_split(near + offset, 6))
        *_, last = islice(online_steps(Mixture(Gaussian()), pieces, start), 60)
        fits.append(last.params)
    assert fits[1].components.variances == pytest.approx(fits[0].components.variances, rel=1e-5)


@pytest.mark.parametrize("exponent", [0.5, 1.01, float("nan")])
def test_step_sizes_that_do_not_converge_are_refused(exponent, refuses):
    with refuses(ValueError, "exponent", "above 0.5, at most 1", f"got {exponent}"):
        next(online_steps(MODEL, STREAM, START, exponent=exponent))


def test_data_that_are_no_blocks_are_refused(refuses):
    scripted = SimpleNamespace(e_step=None, m_step=None)
    with refuses(ValueError, "online EM", "blocks of independent rows"):
        next(online_steps(scripted, [1.0, 2.0], None))
