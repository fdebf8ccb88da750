"""Variational Bayes: scikit-learn's numbers, exact evidence where it can be had, and components that go away."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp, multigammaln
from sklearn.mixture import BayesianGaussianMixture

from emlib import AscentError, em
from emlib.data import Weighted
from emlib.datasets import load
from emlib.variants.incremental import incremental_steps
from emlib.variants.variational import (
    Beliefs,
    VariationalGaussians,
    common_prior,
    default_prior,
    divergence,
)

FAITHFUL = load("faithful").matrix()
STANDARD = (FAITHFUL - FAITHFUL.mean(axis=0)) / FAITHFUL.std(axis=0)


def shares(n, k, seed, concentration=0.5):
    return np.random.default_rng(seed).dirichlet(np.full(k, concentration), size=n)


# Against scikit-learn


@pytest.mark.parametrize("k", [2, 3])
def test_the_beliefs_of_scikit_learn(k):
    theirs = BayesianGaussianMixture(
        n_components=k,
        weight_concentration_prior_type="dirichlet_distribution",
        reg_covar=0,
        init_params="random",
        random_state=0,
        tol=1e-14,
        max_iter=5000,
    ).fit(FAITHFUL)
    # The same start: scikit-learn draws its responsibilities so.
    start = np.random.RandomState(0).uniform(size=(len(FAITHFUL), k))
    model = VariationalGaussians(default_prior(FAITHFUL, k))
    trace = em(
        model,
        FAITHFUL,
        model.from_responsibilities(FAITHFUL, start / start.sum(axis=1, keepdims=True)),
        tol=1e-16,
    )
    ours = trace.params
    assert ours.concentrations == pytest.approx(theirs.weight_concentration_, rel=1e-6)
    assert ours.mean_counts == pytest.approx(theirs.mean_precision_, rel=1e-6)
    assert ours.degrees_of_freedom == pytest.approx(theirs.degrees_of_freedom_, rel=1e-6)
    assert ours.means == pytest.approx(theirs.means_, rel=1e-6)
    assert ours.expected.weights == pytest.approx(theirs.weights_, rel=1e-6)
    assert ours.expected.components.covariances == pytest.approx(theirs.covariances_, rel=1e-5)


def test_other_priors_give_other_beliefs():
    start = shares(len(FAITHFUL), 2, 0)
    fits = []
    for concentration in (0.5, 5.0):
        belief = replace(default_prior(FAITHFUL, 2), concentrations=np.array([concentration]))
        model = VariationalGaussians(belief)
        fits.append(em(model, FAITHFUL, model.from_responsibilities(FAITHFUL, start)).params)
    assert abs(fits[0].expected.weights - fits[1].expected.weights).max() > 1e-3


# Against exact evidence


BELIEF = common_prior(
    [0.5, -0.2], [[1.0, 0.2], [0.2, 2.0]], concentration=0.8, mean_count=0.6, degrees_of_freedom=3.2
)


def log_marginal(x, belief):
    """Log of the integral over mean and precision; Murphy (2007), "Conjugate Bayesian analysis of the Gaussian
    distribution", eq. (266)."""
    (n, d), kappa, nu = np.shape(x), belief.mean_counts[0], belief.degrees_of_freedom[0]
    if n == 0:
        return 0.0
    centre = x.mean(axis=0)
    offset = centre - belief.means[0]
    scatter = (
        belief.scatters[0]
        + (x - centre).T @ (x - centre)
        + kappa * n / (kappa + n) * np.outer(offset, offset)
    )
    return (
        -0.5 * n * d * np.log(np.pi)
        + multigammaln((nu + n) / 2, d)
        - multigammaln(nu / 2, d)
        + nu / 2 * np.linalg.slogdet(belief.scatters[0])[1]
        - (nu + n) / 2 * np.linalg.slogdet(scatter)[1]
        + d / 2 * np.log(kappa / (kappa + n))
    )


def test_of_one_component_the_bound_is_the_evidence():
    x = np.random.default_rng(0).standard_normal((12, 2))
    model = VariationalGaussians(BELIEF)
    trace = em(model, x, model.from_responsibilities(x, np.ones((12, 1))))
    assert trace.log_likelihood == pytest.approx(log_marginal(x, BELIEF), rel=1e-12)


def test_of_two_components_the_bound_lies_below_the_evidence_summed_over_all_assignments():
    x = np.concatenate([np.random.default_rng(1).standard_normal((4, 2)), [[6.0, 5.0], [7.0, 6.0]]])
    alpha = BELIEF.concentrations[0]
    terms = []
    for hidden in product([0, 1], repeat=len(x)):
        z = np.array(hidden)
        counts = np.bincount(z, minlength=2)
        assigned = (
            gammaln(2 * alpha)
            - gammaln(2 * alpha + len(x))
            + (gammaln(alpha + counts) - gammaln(alpha)).sum()
        )
        terms.append(assigned + sum(log_marginal(x[z == j], BELIEF) for j in (0, 1)))
    evidence = logsumexp(terms)
    model = VariationalGaussians(BELIEF)
    bounds = [
        em(model, x, model.from_responsibilities(x, shares(len(x), 2, seed))).log_likelihood
        for seed in range(5)
    ]
    assert max(bounds) < evidence
    # One of two labellings is missed, which is log 2; the rest is what independence costs.
    assert max(bounds) > evidence - 2.5


# Pruning


@pytest.mark.parametrize("seed", range(3))
def test_four_of_six_components_of_old_faithful_fall_back_to_the_prior(seed):
    # Bishop (2006), figure 10.6: six components, a concentration of 1e-3, two survive.
    belief = common_prior([0.0, 0.0], np.eye(2), concentration=1e-3)
    model = VariationalGaussians(belief)
    start = model.from_responsibilities(STANDARD, shares(len(STANDARD), 6, seed, 0.3))
    assert (start.concentrations > 10).all()
    fit = em(model, STANDARD, start).params
    idle = fit.concentrations < 1e-3 + 1e-6
    assert idle.sum() == 4
    assert fit.means[idle] == pytest.approx(np.zeros((4, 2)), abs=1e-6)
    assert fit.scatters[idle] == pytest.approx(np.stack([np.eye(2)] * 4), abs=1e-6)
    assert np.sort(fit.expected.weights)[-2:] == pytest.approx([0.357, 0.643], abs=2e-3)


def test_with_a_large_concentration_none_falls_back():
    belief = common_prior([0.0, 0.0], np.eye(2), concentration=20.0)
    model = VariationalGaussians(belief)
    fit = em(
        model,
        STANDARD,
        model.from_responsibilities(STANDARD, shares(len(STANDARD), 6, 0, 0.3)),
        tol=1e-8,
    ).params
    assert (fit.concentrations > 21).all()


# The divergence


def test_a_belief_does_not_diverge_from_itself():
    assert divergence(BELIEF, BELIEF) == pytest.approx(0, abs=1e-13)


def test_the_divergence_is_the_mean_of_the_log_ratio():
    # By Monte Carlo, with SciPy's densities, on weights and on one precision and mean.
    from scipy import stats

    q = Beliefs(
        np.array([3.0, 5.0]),
        np.array([4.0, 2.0]),
        np.array([[0.0, 1.0], [2.0, 0.0]]),
        np.stack([np.eye(2) * 3, [[2.0, 0.5], [0.5, 1.0]]]),
        np.array([6.0, 5.0]),
    )
    rng = np.random.default_rng(0)
    draws = 4000
    p_alpha = np.repeat(BELIEF.concentrations, 2)
    weights = stats.dirichlet(q.concentrations).rvs(draws, random_state=rng).T
    ratio = stats.dirichlet(q.concentrations).logpdf(weights) - stats.dirichlet(p_alpha).logpdf(
        weights
    )
    for j in range(2):
        ours = stats.wishart(q.degrees_of_freedom[j], np.linalg.inv(q.scatters[j]))
        theirs = stats.wishart(BELIEF.degrees_of_freedom[0], np.linalg.inv(BELIEF.scatters[0]))
        precisions = ours.rvs(draws, random_state=rng)
        stacked = np.moveaxis(precisions, 0, -1)
        ratio = ratio + ours.logpdf(stacked) - theirs.logpdf(stacked)
        factors = np.linalg.cholesky(np.linalg.inv(precisions))
        noise = np.einsum("nij,nj->ni", factors, rng.standard_normal((draws, 2)))
        means = q.means[j] + noise / np.sqrt(q.mean_counts[j])
        for belief, count, centre, sign in (
            (q, q.mean_counts[j], q.means[j], 1),
            (BELIEF, BELIEF.mean_counts[0], BELIEF.means[0], -1),
        ):
            assert isinstance(belief, Beliefs)
            offset = means - centre
            squares = np.einsum("ni,nij,nj->n", offset, precisions, offset)
            norm = np.linalg.slogdet(precisions).logabsdet + 2 * np.log(count / (2 * np.pi))
            ratio = ratio + sign * 0.5 * (norm - count * squares)
    error = ratio.std() / np.sqrt(draws)
    assert divergence(q, BELIEF) == pytest.approx(ratio.mean(), abs=4 * error)
    assert error < 0.1


# With the rest of the house


def test_weighted_rows_are_repeated_rows():
    model = VariationalGaussians(default_prior(STANDARD, 2))
    start = model.from_responsibilities(STANDARD, shares(len(STANDARD), 2, 0))
    times = np.arange(len(STANDARD)) % 3
    ours = em(model, Weighted(STANDARD, times), start).log_likelihood
    theirs = em(model, np.repeat(STANDARD, times, axis=0), start).log_likelihood
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_incremental_steps_take_beliefs():
    model = VariationalGaussians(default_prior(STANDARD, 2))
    start = model.from_responsibilities(STANDARD, shares(len(STANDARD), 2, 0))
    plain = em(model, STANDARD, start, tol=1e-13)
    swept = em(model, STANDARD, start, tol=1e-13, steps=incremental_steps)
    assert swept.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-11)


def test_a_prior_may_differ_between_components():
    one = VariationalGaussians(BELIEF)
    each = VariationalGaussians(
        Beliefs(
            *(np.repeat(getattr(BELIEF, name), 2, axis=0) for name in BELIEF.__dataclass_fields__)
        )
    )
    start = one.from_responsibilities(STANDARD, shares(len(STANDARD), 2, 0))
    ours, theirs = (model.e_step(STANDARD, start).log_likelihood for model in (one, each))
    assert ours == pytest.approx(theirs, rel=1e-14)


def test_a_wrong_m_step_is_found_out():
    class Doubled(VariationalGaussians):
        def m_step(self, stats):
            params = super().m_step(stats)
            return replace(params, scatters=2 * params.scatters)

    model = Doubled(default_prior(STANDARD, 2))
    right = VariationalGaussians(default_prior(STANDARD, 2))
    start = right.from_responsibilities(STANDARD, shares(len(STANDARD), 2, 0))
    with pytest.raises(AscentError, match="the M-step lowered the bound"):
        em(model, STANDARD, start)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"concentrations": [0.0]}, ("concentrations", "1 numbers above 0")),
        ({"mean_counts": [1.0, 2.0]}, ("mean_counts", "1 numbers above 0")),
        ({"degrees_of_freedom": [1.0]}, ("degrees_of_freedom", "above 1")),
        ({"means": [0.0, 1.0]}, ("means", "(k, d)", "(2,)")),
        ({"scatters": [[1.0, 0.0]]}, ("scatters", "(1, 2, 2)")),
        ({"scatters": [[[1.0, 2.0], [2.0, 1.0]]]}, ("positive definite",)),
    ],
)
def test_beliefs_that_are_none_are_refused(changes, words, refuses):
    with refuses(ValueError, *words):
        replace(BELIEF, **{name: np.array(value) for name, value in changes.items()})


def test_responsibilities_for_other_rows_are_refused(refuses):
    with refuses(ValueError, "responsibilities", "(272, k)", "(5, 2)"):
        VariationalGaussians(BELIEF).from_responsibilities(FAITHFUL, shares(5, 2, 0))
