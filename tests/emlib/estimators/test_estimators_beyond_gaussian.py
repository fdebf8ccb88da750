"""The estimators of Student-t's, ones and zeros, hidden Markov models, factors, and by variational Bayes."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from scipy import stats
from sklearn import decomposition, mixture
from sklearn.exceptions import NotFittedError

from emlib import Mixture, MixtureParams
from emlib.datasets import load
from emlib.estimators import (
    BayesianGaussianMixture,
    BernoulliMixture,
    FactorAnalysis,
    GaussianMixture,
    HiddenMarkov,
    PoissonMixture,
    StudentMixture,
)
from emlib.families import Bernoulli, Bernoullis
from emlib.numbers import rate

FAITHFUL = load("faithful").matrix("eruptions", "waiting")

fits_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# ---- Student-t ---------------------------------------------------------------------------------------


def test_one_student_is_that_of_scipy():
    x = stats.t(3, loc=2, scale=0.5).rvs(500, random_state=0)[:, None]
    model = StudentMixture(1, reg_covar=0, tol=1e-12, max_iter=5000).fit(x)
    degrees, location, scale = stats.t.fit(x[:, 0])
    assert model.degrees_[0] == pytest.approx(degrees, rel=1e-3)
    assert model.locations_[0, 0] == pytest.approx(location, rel=1e-3)
    assert model.scales_[0, 0, 0] == pytest.approx(scale**2, rel=1e-3)
    best = stats.t(degrees, location, scale).logpdf(x[:, 0]).mean()
    assert model.score(x) >= best - 1e-9


def test_outliers_move_a_gaussian_but_not_a_student():
    x = np.vstack([FAITHFUL, [[500.0, -4000.0]]])
    clean = StudentMixture(2, degrees=4, random_state=0).fit(FAITHFUL)
    students = StudentMixture(2, degrees=4, random_state=0).fit(x)
    order, clean_order = students.weights_.argsort(), clean.weights_.argsort()
    np.testing.assert_allclose(students.locations_[order], clean.locations_[clean_order], rtol=0.02)
    gaussians = GaussianMixture(2, random_state=0).fit(x)
    assert abs(gaussians.means_ - clean.locations_).max() > 20


def test_the_prior_of_a_student_is_part_of_its_objective():
    share = 0.1
    model = StudentMixture(1, degrees=5.0, reg_covar=share, tol=1e-13, max_iter=1000).fit(FAITHFUL)
    scatter = share * len(FAITHFUL) * np.diag(FAITHFUL.var(axis=0))
    precision = np.linalg.inv(model.scales_[0])
    objective = model.score(FAITHFUL) - 0.5 * np.trace(precision @ scatter) / len(FAITHFUL)
    assert model.lower_bound_ == pytest.approx(objective, rel=1e-12)
    assert (model.degrees_ == 5).all()
    # At the maximum of the objective: scale = (weighted scatter + prior) / n.
    centred = FAITHFUL - model.locations_[0]
    u = (5 + 2) / (5 + np.einsum("ni,ij,nj->n", centred, precision, centred))
    expected = ((u[:, None] * centred).T @ centred + scatter) / len(FAITHFUL)
    np.testing.assert_allclose(model.scales_[0], expected, rtol=1e-5)


def test_weighted_students_are_repeated_students():
    weights = np.random.default_rng(0).integers(0, 3, len(FAITHFUL))
    options = {"random_state": 0, "degrees": "tied", "tol": 1e-5, "max_iter": 1000}
    weighted = StudentMixture(2, **options).fit(FAITHFUL, sample_weight=weights)
    repeated = StudentMixture(2, **options).fit(FAITHFUL.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.scales_, repeated.scales_, rtol=1e-8)
    np.testing.assert_allclose(weighted.degrees_, repeated.degrees_, rtol=1e-6)


# ---- ones and zeros ----------------------------------------------------------------------------------


def answers(n: int) -> tuple[np.ndarray, MixtureParams]:
    truth = MixtureParams(
        np.array([0.35, 0.65]), Bernoullis([[0.9, 0.8, 0.7, 0.9, 0.8], [0.2, 0.1, 0.3, 0.2, 0.1]])
    )
    return Mixture(Bernoulli()).sample(truth, n, np.random.default_rng(0))[0], truth


def test_latent_classes_are_found():
    x, truth = answers(4000)
    model = BernoulliMixture(2, random_state=0, tol=1e-7, max_iter=500).fit(x)
    order = model.weights_.argsort()
    np.testing.assert_allclose(model.weights_[order], truth.weights, atol=0.03)
    np.testing.assert_allclose(
        model.probabilities_[order], truth.components.probabilities, atol=0.04
    )
    densities = [
        weight * stats.bernoulli.pmf(x[:7], probabilities).prod(axis=1)
        for weight, probabilities in zip(model.weights_, model.probabilities_, strict=True)
    ]
    np.testing.assert_allclose(model.score_samples(x[:7]), np.log(sum(densities)), rtol=1e-10)
    # Five probabilities a class, and one weight.
    assert model.aic(x) == pytest.approx(-2 * 4000 * model.score(x) + 2 * 11, rel=1e-12)


def test_values_are_cut_at_the_threshold_or_refused():
    x, _ = answers(300)
    model = BernoulliMixture(2, random_state=0).fit(x)
    cut = BernoulliMixture(2, binarize=5.0, random_state=0).fit(10 * x)
    np.testing.assert_array_equal(cut.probabilities_, model.probabilities_)
    with pytest.raises(ValueError, match="zeros and ones"):
        BernoulliMixture(2, binarize=None).fit(10 * x)
    with pytest.raises(ValueError, match="binarize"):
        BernoulliMixture(2, binarize="half").fit(x)


def test_weighted_answers_are_repeated_answers():
    x, _ = answers(200)
    weights = np.random.default_rng(1).integers(0, 3, len(x))
    weighted = BernoulliMixture(3, random_state=0).fit(x, sample_weight=weights)
    repeated = BernoulliMixture(3, random_state=0).fit(x.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.probabilities_, repeated.probabilities_, atol=1e-9)
    assert weighted.n_iter_ == repeated.n_iter_


# ---- counts ------------------------------------------------------------------------------------------


def test_a_mixture_of_counts_finds_that_of_the_deaths():
    days = load("deaths").repeated("deaths", times="days")[:, None]
    model = PoissonMixture(2, tol=1e-11, max_iter=20_000, random_state=0).fit(days)
    order = model.rates_[:, 0].argsort()
    weight, second, first, *_, height = (float(one.published.value) for one in rate.deaths())
    np.testing.assert_allclose(model.weights_[order], [1 - weight, weight], atol=2e-3)
    np.testing.assert_allclose(model.rates_[order, 0], [first, second], atol=3e-3)
    assert -model.score(days) * len(days) == pytest.approx(height, abs=1e-4)


def test_columns_of_counts_are_independent_within_a_component():
    rng = np.random.default_rng(0)
    rates = np.array([[1.0, 9.0, 4.0], [6.0, 2.0, 4.0]])
    hidden = rng.integers(0, 2, 3000)
    x = rng.poisson(rates[hidden])
    model = PoissonMixture(2, random_state=0, tol=1e-8).fit(x)
    order = model.rates_[:, 0].argsort()
    np.testing.assert_allclose(model.rates_[order], rates, rtol=0.05)
    densities = [
        weight * stats.poisson.pmf(x[:9], rate).prod(axis=1)
        for weight, rate in zip(model.weights_, model.rates_, strict=True)
    ]
    np.testing.assert_allclose(model.score_samples(x[:9]), np.log(sum(densities)), rtol=1e-10)
    assert model.bic(x) + 2 * model.score(x) * 3000 == pytest.approx(7 * np.log(3000))
    drawn, labels = model.sample(20_000)
    np.testing.assert_allclose(drawn[labels == 1].mean(axis=0), model.rates_[1], rtol=0.03)


def test_standard_errors_of_counts_are_those_of_the_textbook():
    x = np.random.default_rng(0).poisson([2.0, 7.0], size=(500, 2))
    model = PoissonMixture(1, tol=1e-12).fit(x)
    errors = model.standard_errors(x)["rates"]
    np.testing.assert_allclose(errors[0], np.sqrt(x.mean(axis=0) / 500), rtol=1e-5)


def test_weighted_counts_are_repeated_counts():
    rng = np.random.default_rng(3)
    x, weights = rng.poisson([[2, 5], [6, 1]] * 60), rng.integers(0, 3, 120)
    weighted = PoissonMixture(2, random_state=0).fit(x, sample_weight=weights)
    repeated = PoissonMixture(2, random_state=0).fit(x.repeat(weights, axis=0))
    np.testing.assert_allclose(weighted.rates_, repeated.rates_, rtol=1e-9)


def test_fractions_and_negative_numbers_are_no_counts():
    with pytest.raises(ValueError, match="expected counts"):
        PoissonMixture(2).fit([[1.5], [2.0], [3.0]])
    with pytest.raises(ValueError, match="Negative values"):
        PoissonMixture(2).fit([[-1.0], [2.0], [3.0]])


# ---- hidden Markov models ----------------------------------------------------------------------------


def chain(lengths: list[int]) -> np.ndarray:
    truth = GaussianHMM(2, covariance_type="full", random_state=3)
    truth.startprob_, truth.transmat_ = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
    truth.means_, truth.covars_ = np.array([[0.0, 0], [2, 1]]), np.stack([np.eye(2)] * 2)
    return np.vstack([truth.sample(length, random_state=length)[0] for length in lengths])


def test_hidden_markov_ends_where_hmmlearn_ends():
    lengths = [150, 90]
    x = chain(lengths)
    ours = HiddenMarkov(2, reg_covar=0, tol=1e-10, max_iter=2000, random_state=0).fit(
        x, lengths=lengths
    )
    theirs = GaussianHMM(
        2,
        covariance_type="full",
        init_params="",
        tol=1e-8,
        n_iter=2000,
        covars_prior=0,
        covars_weight=0,
    )
    theirs.startprob_, theirs.transmat_ = ours.startprob_, ours.transmat_
    theirs.means_, theirs.covars_ = ours.emissions_.means, ours.emissions_.covariances
    assert ours.score(x, lengths=lengths) == pytest.approx(theirs.score(x, lengths) / 240, rel=1e-9)
    np.testing.assert_allclose(
        ours.predict_proba(x, lengths), theirs.predict_proba(x, lengths), atol=1e-8
    )
    assert (ours.predict(x, lengths) == theirs.predict(x, lengths)).all()
    assert ours.lower_bound_ == pytest.approx(ours.score(x, lengths=lengths), rel=1e-12)
    # Where a sequence ends matters.
    assert ours.score(x) != pytest.approx(ours.score(x, lengths=lengths), rel=1e-6)
    # From where we ended, EM of hmmlearn does not move.
    theirs.n_iter = 1
    with np.errstate(divide="ignore"):
        theirs.fit(x, lengths)
    np.testing.assert_allclose(theirs.means_, ours.emissions_.means, atol=1e-4)
    np.testing.assert_allclose(theirs.transmat_, ours.transmat_, atol=1e-4)


def test_a_chain_starts_with_the_moves_within_sequences():
    levels = np.random.default_rng(0).normal(size=(100, 1)) + np.repeat([[0.0], [20.0]], 50, axis=0)
    start = HiddenMarkov(2, max_iter=0, random_state=0).fit(levels, lengths=[50, 50])
    as_one = HiddenMarkov(2, max_iter=0, random_state=0).fit(levels)
    off = ~np.eye(2, dtype=bool)
    assert start.transmat_[off].max() < 1e-3
    assert as_one.transmat_[off].max() > 1e-2
    assert (start.transmat_ > 0).all()


def test_a_chain_of_counts_is_fitted_and_scored():
    counts = load("earthquakes")["count"][:, None]
    model = HiddenMarkov(2, emission="poisson", tol=1e-9, max_iter=2000, random_state=0).fit(counts)
    # Zucchini, MacDonald & Langrock (2016), section 3.1: -log L = 342.3183 with two states; there the chain starts
    # in its stationary distribution, here anywhere, which can only raise the likelihood.
    total = model.score(counts) * len(counts)
    assert -342.3183 <= total <= -340
    np.testing.assert_allclose(np.sort(model.emissions_.rates[:, 0]), [15.4, 26.0], atol=0.2)
    # Two rates, two moves, and a start in one state, from which the likelihood of EM never returns.
    free = (model.bic(counts) + 2 * total) / np.log(len(counts))
    assert model.aic(counts) + 2 * total == pytest.approx(2 * free)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "tied"])
def test_the_prior_of_a_chain_is_part_of_its_objective(covariance_type):
    x, share = chain([200]), 0.05
    model = HiddenMarkov(
        2, covariance_type=covariance_type, reg_covar=share, random_state=0, max_iter=500
    ).fit(x)
    scatter = share * len(x) / 2 * np.diag(x.var(axis=0))
    penalty = -0.5 * sum(np.trace(p @ scatter) for p in model.emissions_.precisions)
    assert model.lower_bound_ == pytest.approx(model.score(x) + penalty / len(x), rel=1e-12)


def test_wrong_lengths_and_emissions_are_refused():
    x = chain([60])
    with pytest.raises(ValueError, match="lengths: their sum is 50"):
        HiddenMarkov(2).fit(x, lengths=[20, 30])
    with pytest.raises(ValueError, match="emission"):
        HiddenMarkov(2, emission="student").fit(x)
    with pytest.raises(NotFittedError):
        HiddenMarkov(2).sample(3)
    model = HiddenMarkov(2, random_state=0).fit(x)
    drawn, states = model.sample(5000)
    assert drawn.shape == (5000, 2)
    stays = (states[1:] == states[:-1]).mean()
    expected = np.bincount(states) / 5000 @ np.diag(model.transmat_)
    assert stays == pytest.approx(expected, abs=0.03)


# ---- factor analysis ---------------------------------------------------------------------------------


def scores_of_tests(n: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    loadings, noise = rng.normal(size=(6, 2)), rng.uniform(0.3, 1, 6)
    return rng.normal(size=(n, 2)) @ loadings.T + rng.normal(size=(n, 6)) * np.sqrt(noise) + 5


def test_factors_are_those_of_scikit_learn_up_to_rotation():
    x = scores_of_tests()
    ours = FactorAnalysis(2, tol=1e-12, max_iter=50_000, random_state=0).fit(x)
    theirs = decomposition.FactorAnalysis(2, tol=1e-10, max_iter=5000, svd_method="lapack").fit(x)
    np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.noise_variance_, theirs.noise_variance_, rtol=1e-3)
    assert ours.score(x) == pytest.approx(theirs.score(x), abs=1e-8)
    assert ours.lower_bound_ == pytest.approx(ours.score(x), rel=1e-12)
    # Loadings turn freely; the turned factors are the same.
    turn = ours.components_ @ np.linalg.pinv(theirs.components_)
    np.testing.assert_allclose(ours.transform(x), theirs.transform(x) @ turn.T, atol=1e-2)
    np.testing.assert_allclose(ours.get_precision() @ ours.get_covariance(), np.eye(6), atol=1e-10)


def test_isotropic_noise_is_probabilistic_pca():
    x = scores_of_tests()
    ours = FactorAnalysis(2, noise="isotropic", tol=1e-13, max_iter=50_000, random_state=0).fit(x)
    # Tipping & Bishop (1999): the mean of the discarded eigenvalues.
    discarded = np.linalg.eigvalsh(np.cov(x.T, bias=True))[:-2]
    np.testing.assert_allclose(ours.noise_variance_, np.full(6, discarded.mean()), rtol=1e-5)


def test_as_many_factors_as_columns_are_refused():
    with pytest.raises(ValueError, match="n_components=6: expected fewer factors than columns"):
        FactorAnalysis(6).fit(scores_of_tests())
    with pytest.raises(ValueError, match="noise"):
        FactorAnalysis(2, noise="none").fit(scores_of_tests())


# ---- variational Bayes -------------------------------------------------------------------------------


@fits_short
def test_variational_beliefs_are_those_of_scikit_learn():
    x = FAITHFUL
    options = {
        "tol": 1e-12,
        "max_iter": 3000,
        "random_state": 0,
        "weight_concentration_prior": 0.5,
        "mean_precision_prior": 0.7,
        "degrees_of_freedom_prior": 4.0,
        "reg_covar": 0,
    }
    ours = BayesianGaussianMixture(2, **options).fit(x)
    theirs = mixture.BayesianGaussianMixture(
        n_components=2, weight_concentration_prior_type="dirichlet_distribution", **options
    ).fit(x)
    one, other = ours.weights_.argsort(), theirs.weights_.argsort()
    for name in [
        "weights_",
        "means_",
        "covariances_",
        "precisions_",
        "precisions_cholesky_",
        "weight_concentration_",
        "mean_precision_",
        "degrees_of_freedom_",
    ]:
        np.testing.assert_allclose(
            getattr(ours, name)[one], getattr(theirs, name)[other], rtol=1e-4, err_msg=name
        )
    np.testing.assert_allclose(
        ours.predict_proba(x)[:, one], theirs.predict_proba(x)[:, other], atol=1e-5
    )


def test_components_that_explain_nothing_die_out():
    # Bishop (2006), figure 10.6: six components on Old Faithful, of which two keep weight.
    x = (FAITHFUL - FAITHFUL.mean(axis=0)) / FAITHFUL.std(axis=0)
    model = BayesianGaussianMixture(
        6, weight_concentration_prior=1e-3, tol=1e-9, max_iter=5000, random_state=0
    ).fit(x)
    assert (model.weights_ > 0.01).sum() == 2
    assert all(b >= a for a, b in zip(model.lower_bounds_, model.lower_bounds_[1:], strict=False))


def test_the_predictive_density_has_heavier_tails_and_integrates_to_one():
    x = FAITHFUL[::30, 1:]
    model = BayesianGaussianMixture(1, tol=1e-10, max_iter=500).fit(x)
    grid = np.linspace(-2000, 2200, 400_001)[:, None]
    mass = np.exp(model.score_samples(grid)).sum() * (grid[1, 0] - grid[0, 0])
    assert mass == pytest.approx(1, abs=1e-4)
    plugged = stats.norm(model.means_[0, 0], np.sqrt(model.covariances_[0, 0, 0]))
    assert model.score_samples([[180.0]])[0] > plugged.logpdf(180.0) + 1
    drawn, _ = model.sample(20_000)
    assert drawn.mean() == pytest.approx(model.means_[0, 0], abs=0.5)


def test_the_predictive_density_is_a_mixture_of_students():
    model = BayesianGaussianMixture(2, random_state=0).fit(FAITHFUL[::10])
    # Bishop (2006), eqs. (10.81)-(10.82), with d = 2.
    degrees = model.degrees_of_freedom_ + 1 - 2
    counts = model.mean_precision_
    scatters = model.degrees_of_freedom_[:, None, None] * model.covariances_
    scales = scatters * ((1 + counts) / (degrees * counts))[:, None, None]
    densities = [
        weight * stats.multivariate_t(mean, scale, df).pdf(FAITHFUL[:20])
        for weight, mean, scale, df in zip(
            model.weights_, model.means_, scales, degrees, strict=True
        )
    ]
    np.testing.assert_allclose(
        model.score_samples(FAITHFUL[:20]), np.log(sum(densities)), rtol=1e-9
    )


def test_priors_that_are_none_are_refused():
    for wrong, message in (
        (
            {"weight_concentration_prior_type": "dirichlet_process"},
            "weight_concentration_prior_type",
        ),
        ({"covariance_type": "tied"}, "covariance_type"),
        ({"weight_concentration_prior": 0}, "concentrations: expected"),
        ({"mean_precision_prior": -1}, "mean_counts: expected"),
        ({"degrees_of_freedom_prior": 0.5}, "degrees_of_freedom: expected"),
        ({"mean_prior": [1.0]}, "mean_prior: expected shape"),
        ({"covariance_prior": np.zeros((2, 2))}, "not positive definite"),
    ):
        with pytest.raises(ValueError, match=message):
            BayesianGaussianMixture(2, **wrong).fit(FAITHFUL)
    assert not hasattr(BayesianGaussianMixture(2), "bic")
