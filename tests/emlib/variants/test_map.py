"""Priors: data never seen, what mclust makes of them, and the collapse that they forbid."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy.special import logsumexp

from emlib import Mixture, MixtureParams, Stopped, em, em_steps
from emlib.datasets import load
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons
from emlib.numbers import selection
from emlib.variants.incremental import incremental_steps
from emlib.variants.map import MaximumPosterior, PseudoData
from emlib.variants.priors import (
    MixturePrior,
    NormalInverseWishart,
    beta,
    fraley_raftery,
    gamma,
    normal_inverse_wishart,
    ridge,
)

FAITHFUL = load("faithful").matrix()
WAITING = load("faithful")["waiting"]
WAITING_START = MixtureParams([0.5, 0.5], Gaussians.univariate([50.0, 80.0], [25.0, 25.0]))
START = MixtureParams([0.5, 0.5], Gaussians([[2.0, 55.0], [4.3, 80.0]], [np.diag([0.1, 30.0])] * 2))


# Against mclust 6.0.0: Mclust(..., prior=priorControl(), control=emControl(tol=1e-14)). One column: emlib.numbers.


def test_what_em_climbs_is_not_what_mclust_reports():
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(fraley_raftery(WAITING, 2)))
    trace = em(model, WAITING, WAITING_START, tol=1e-14)
    *_, without_prior = selection.prior()
    without_prior.published.check(trace.last.stats.stats.log_likelihood)
    assert trace.log_likelihood < trace.last.stats.stats.log_likelihood - 10


def test_the_prior_of_mclust_in_two_dimensions():
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(fraley_raftery(FAITHFUL, 2)))
    trace = em(model, FAITHFUL, START, tol=1e-14)
    params = trace.params
    assert params.weights == pytest.approx([0.35607572948321, 0.64392427051679], abs=1e-7)
    assert params.components.means == pytest.approx(
        np.array([[2.0370341, 54.4852651], [4.2900519, 79.9728328]]), rel=1e-6
    )
    assert params.components.covariances == pytest.approx(
        np.array(
            [
                [[0.07066892, 0.47476864], [0.47476864, 32.06048447]],
                [[0.16560853, 0.93141121], [0.93141121, 34.90636429]],
            ]
        ),
        rel=1e-6,
    )
    assert trace.last.stats.stats.log_likelihood == pytest.approx(-1130.5092637, abs=1e-6)


def test_without_its_prior_mclust_has_other_numbers():
    trace = em(Mixture(Gaussian()), WAITING, WAITING_START, tol=1e-14)
    *_, variance, _, _ = selection.prior()
    assert abs(trace.params.components.variances[0, 0] - variance.published.value) > 1.0


# Data never seen


def test_pseudo_data_are_data():
    # A prior of five rows seen before is a fit to all rows together: one component has no labels to guess.
    seen, before = np.array([3.0, 0.0, 7.0, 2.0]), np.array([1.0, 1.0, 4.0, 0.0, 2.0])
    plain, start = Mixture(Poisson()), MixtureParams([1.0], Poissons([1.0]))
    model = MaximumPosterior(plain, PseudoData(plain.e_step(before, start)))
    trace = em(model, seen, start)
    both = em(plain, np.concatenate([seen, before]), start)
    assert trace.params.components.rates == pytest.approx(both.params.components.rates, rel=1e-14)
    # Up to the log-density of the rows before, this is the log-likelihood of all.
    assert trace.log_likelihood == pytest.approx(both.log_likelihood, rel=1e-12)


def test_conjugate_modes_have_their_textbook_form():
    # Gelman et al. (2013), sections 2.4 and 2.6: the modes of gamma(a + sum x, b + n) and beta(a + ones, b + zeros).
    counts = np.array([3.0, 0.0, 7.0, 2.0])
    model = MaximumPosterior(Mixture(Poisson()), MixturePrior(gamma(2.5, 0.5)))
    one = em(model, counts, MixtureParams([1.0], Poissons([1.0])))
    assert one.params.components.rates == pytest.approx([(2.5 + 12 - 1) / (0.5 + 4)], rel=1e-14)
    ones = np.array([[1.0, 0], [1, 0], [1, 1]])
    coins = MaximumPosterior(Mixture(Bernoulli()), MixturePrior(beta(2.0, 3.0, 2)))
    two = em(coins, ones, MixtureParams([1.0], Bernoullis([[0.5, 0.5]])))
    expected = [(2 + 3 - 1) / (5 + 3 - 2), (2 + 1 - 1) / (5 + 3 - 2)]
    assert two.params.components.probabilities[0] == pytest.approx(expected, rel=1e-14)


def test_a_dirichlet_adds_to_the_counts_of_the_weights_alone():
    plain = Mixture(Gaussian())
    seen = plain.e_step(WAITING, WAITING_START)
    flat = normal_inverse_wishart([70.0], 1.0, [[100.0]], 3)
    shares = [
        MaximumPosterior(plain, MixturePrior(flat, concentration=c)).m_step(
            MaximumPosterior(plain, MixturePrior(flat)).e_step(WAITING, WAITING_START)
        )
        for c in (1.0, 11.0)
    ]
    counts = seen.components.counts
    assert shares[0].weights == pytest.approx(counts / 272, rel=1e-12)
    assert shares[1].weights == pytest.approx((counts + 10) / 292, rel=1e-12)
    assert np.array_equal(shares[0].components.covariances, shares[1].components.covariances)


def test_a_component_without_data_is_what_the_prior_believes():
    belief = normal_inverse_wishart([3.0, 70.0], 0.5, [[0.4, 2.0], [2.0, 60.0]], 5)
    far = MixtureParams(
        [0.5, 0.5], Gaussians([[3.5, 70.0], [1e6, 1e6]], [np.diag([1.0, 200.0])] * 2)
    )
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(belief, concentration=2))
    params = model.m_step(model.e_step(FAITHFUL, far))
    assert params.weights[1] == pytest.approx(1 / 274, rel=1e-12)
    assert params.components.means[1] == pytest.approx([3.0, 70.0], rel=1e-9)
    # Murphy (2012), eq. (4.215): the mode of the covariance is scatter / (nu + d + 2).
    assert params.components.covariances[1] == pytest.approx(
        np.array([[0.4, 2.0], [2.0, 60.0]]) / 9, rel=1e-6
    )


@pytest.mark.parametrize("name", ["EII", "VII", "EEI", "VVI", "EEE", "VVV", "VEV", "EVE"])
def test_the_same_prior_holds_for_every_covariance_model(name):
    plain = Mixture(Gaussian(name))
    model = MaximumPosterior(
        plain, MixturePrior(normal_inverse_wishart([3.0, 70.0], 0.5, [[0.4, 2.0], [2.0, 60.0]], 5))
    )
    # An iteration of EM is checked against the ascent theorem, prior included.
    start = plain.m_step(plain.e_step(FAITHFUL, START))
    trace = em(model, FAITHFUL, start, tol=1e-9)
    assert trace.log_likelihood > trace.steps[0].log_likelihood + 0.1
    best = trace.params.components
    objective = model.e_step(FAITHFUL, trace.params).log_likelihood
    # Means are free in every model, and scale is: no other is better.
    for factor in (0.98, 1.02):
        wider = replace(trace.params, components=Gaussians(best.means, factor * best.covariances))
        assert model.e_step(FAITHFUL, wider).log_likelihood < objective
    for nudge in ([0.02, 0.0], [-0.02, 0.0], [0.0, 0.5], [0.0, -0.5]):
        moved = replace(trace.params, components=Gaussians(best.means + nudge, best.covariances))
        assert model.e_step(FAITHFUL, moved).log_likelihood < objective


# Collapse


COPIES = np.concatenate([np.tile([[2.0, 50.5]], (20, 1)), FAITHFUL[::4]])
COPIES_START = MixtureParams(
    [0.7, 0.3],
    Gaussians([[4.0, 75.0], [2.0, 50.5]], [np.diag([1.0, 150.0]), np.diag([1e-3, 1e-2])]),
)


def test_without_a_prior_copies_of_a_row_have_no_fit():
    with pytest.raises(ArithmeticError):
        em(Mixture(Gaussian()), COPIES, COPIES_START)


def test_with_a_ridge_copies_of_a_row_do_not_collapse():
    variances = COPIES.var(axis=0)
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(ridge(variances)))
    trace = em(model, COPIES, COPIES_START)
    assert trace.stopped is not Stopped.MAX_STEPS
    assert trace.params.components.means[1] == pytest.approx([2.0, 50.5], rel=1e-6)
    count = trace.params.weights[1] * len(COPIES)
    assert count == pytest.approx(20, abs=1e-4)
    # Nothing but the ridge is left of the scatter.
    assert trace.params.components.covariances[1] == pytest.approx(
        np.diag(1e-6 * variances / 20), rel=1e-4, abs=1e-12
    )


def test_as_many_components_as_rows_have_a_fit():
    rows = FAITHFUL[:6]
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(ridge(rows.var(axis=0), 1e-4)))
    start = MixtureParams(np.full(6, 1 / 6), Gaussians(rows, [np.diag([0.01, 1.0])] * 6))
    trace = em(model, rows, start)
    assert trace.stopped is not Stopped.MAX_STEPS
    assert np.isfinite(trace.log_likelihood)
    with pytest.raises(ArithmeticError, match="collapsed"):
        em(Mixture(Gaussian()), rows, start)


def test_the_units_do_not_matter_to_a_ridge():
    units = np.array([1e-6, 1e5])
    fits = []
    for scale in (np.ones(2), units):
        rows = COPIES * scale
        start = MixtureParams(
            COPIES_START.weights,
            Gaussians(
                COPIES_START.components.means * scale,
                COPIES_START.components.covariances * np.outer(scale, scale),
            ),
        )
        model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(ridge(rows.var(axis=0))))
        fits.append(em(model, rows, start, max_steps=50, tol=1e-9).params)
    assert fits[1].weights == pytest.approx(fits[0].weights, rel=1e-6)
    assert fits[1].components.covariances / np.outer(units, units) == pytest.approx(
        fits[0].components.covariances, rel=1e-5, abs=1e-10
    )


# With the rest of the house


def test_the_log_likelihood_without_the_prior_is_kept():
    model = MaximumPosterior(Mixture(Poisson()), MixturePrior(gamma(2.0, 1.0), concentration=4))
    data = np.array([0.0, 1, 1, 2, 9, 12, 10])
    params = MixtureParams([0.4, 0.6], Poissons([1.0, 10.0]))
    seen = model.e_step(data, params)
    joint = Mixture(Poisson()).log_joint(data, params)
    assert seen.stats.log_likelihood == pytest.approx(logsumexp(joint, axis=1).sum(), rel=1e-12)
    prior = (2 - 1) * np.log([1.0, 10.0]).sum() - 11.0 + 3 * np.log([0.4, 0.6]).sum()
    assert seen.log_likelihood - seen.stats.log_likelihood == pytest.approx(prior, rel=1e-12)


def test_incremental_steps_take_a_prior():
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(fraley_raftery(FAITHFUL, 2)))
    plain = em(model, FAITHFUL, START, tol=1e-13)
    swept = em(model, FAITHFUL, START, tol=1e-13, steps=incremental_steps)
    assert swept.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-11)


def test_a_prior_that_is_no_density_of_the_model_is_found_out():
    class Forgetful(MixturePrior):
        def m_step(self, model, stats):
            return model.m_step(stats)

    model = MaximumPosterior(Mixture(Poisson()), Forgetful(gamma(30.0, 5.0)))
    data, start = (
        np.array([0.0, 1, 1, 2, 9, 12, 10]),
        MixtureParams([0.4, 0.6], Poissons([5.0, 6.0])),
    )
    with pytest.raises(ArithmeticError, match="the M-step lowered the bound"):
        list(islice(em_steps(model, data, start), 20))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: gamma(0.5, 1.0), ("shape", "1 or more", "0.5")),
        (lambda: gamma(2.0, -1.0), ("rate", "0 or more", "-1.0")),
        (lambda: beta(1.0, float("nan"), 2), ("b:", "1 or more", "nan")),
        (lambda: MixturePrior(gamma(1.0, 1.0), concentration=0.2), ("concentration", "1 or more")),
        (lambda: ridge([1.0, 0.0]), ("variances", "above 0", "drop it")),
        (lambda: ridge([1.0], relative=0.0), ("relative", "above 0")),
        (lambda: ridge([[1.0]]), ("variances", "d numbers")),
        (
            lambda: normal_inverse_wishart([0.0, 0.0], 1.0, np.eye(2), 1),
            ("degrees_of_freedom", "above 1", "got 1"),
        ),
        (lambda: normal_inverse_wishart([0.0], 0.0, [[1.0]], 1), ("mean_count", "above 0")),
        (
            lambda: normal_inverse_wishart([0.0, 0.0], 1.0, [[1.0, 2.0], [2.0, 1.0]], 4),
            ("scatter", "positive definite"),
        ),
        (lambda: NormalInverseWishart([0.0, 1.0], 1.0, [[1.0]], 4), ("(2,)", "(1, 1)")),
    ],
)
def test_a_prior_that_is_none_is_refused(build, words, refuses):
    with refuses(ValueError, *words):
        build()
