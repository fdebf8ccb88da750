"""The estimators against scikit-learn, and what each says under "Differences from scikit-learn"."""

from __future__ import annotations

import importlib
import pickle
import sys
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import mixture
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emlib import AscentError, Mixture, MixtureParams
from emlib.data import Weighted
from emlib.datasets import load
from emlib.estimators import (
    BayesianGaussianMixture,
    GaussianMixture,
    HiddenMarkov,
    StudentMixture,
)
from emlib.estimators.gaussian import column_variances
from emlib.estimators.mixture import distinct_rows
from emlib.families import Gaussian, Gaussians
from emlib.families.missing import MissingGaussian
from emlib.families.parsimonious import MODELS

TYPES = ["full", "tied", "diag", "spherical"]
FAITHFUL = load("faithful").matrix("eruptions", "waiting")

fits_short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def three_groups(n: int, seed: int = 0) -> np.ndarray:
    """Three Gaussians in three dimensions that overlap."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, 2, (3, 3))
    factors = rng.normal(size=(3, 3, 3))
    hidden = rng.integers(0, 3, n)
    return means[hidden] + np.einsum("nij,nj->ni", factors[hidden], rng.normal(size=(n, 3)))


def start_of(covariance_type: str, k: int, x: np.ndarray) -> dict[str, np.ndarray]:
    """A rough start in the parameters of scikit-learn, the same for both libraries."""
    d = x.shape[1]
    precision = np.linalg.inv(np.cov(x.T))
    precisions = {
        "full": np.stack([precision] * k),
        "tied": precision,
        "diag": np.tile(1 / x.var(axis=0), (k, 1)),
        "spherical": np.full(k, d / x.var(axis=0).sum()),
    }
    return {
        "weights_init": np.arange(1, k + 1) / np.arange(1, k + 1).sum(),
        "means_init": x[:: len(x) // k][:k].copy(),
        "precisions_init": precisions[covariance_type],
    }


def quietly_fitted(estimator, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*args, **kwargs)


# ---- the same numbers as scikit-learn --------------------------------------------------------------


@fits_short
@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("steps", [1, 12])
def test_as_many_iterations_of_both_libraries_reach_the_same_parameters(covariance_type, steps):
    x = three_groups(600)
    options = {
        "covariance_type": covariance_type,
        "reg_covar": 0,
        "tol": 0,
        "max_iter": steps,
        **start_of(covariance_type, 3, x),
    }
    ours, theirs = (
        GaussianMixture(3, **options).fit(x),
        mixture.GaussianMixture(3, **options).fit(x),
    )
    names = ["weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"]
    for name in names:
        expected = getattr(theirs, name)
        assert getattr(ours, name).shape == expected.shape
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-10, atol=1e-12)
    assert ours.score(x) == pytest.approx(theirs.score(x), rel=1e-12)
    assert ours.aic(x) == pytest.approx(theirs.aic(x), rel=1e-12)
    assert ours.bic(x) == pytest.approx(theirs.bic(x), rel=1e-12)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-10)
    np.testing.assert_allclose(ours.score_samples(x), theirs.score_samples(x), rtol=1e-10)
    assert (ours.predict(x) == theirs.predict(x)).all()
    assert ours.n_iter_ == theirs.n_iter_ == steps
    # Of one iteration more, so that a library that returned another step would be found out.
    later = mixture.GaussianMixture(3, **{**options, "max_iter": steps + 1}).fit(x)
    assert abs(later.means_ - ours.means_).max() > 1e-6


@fits_short
@pytest.mark.parametrize("covariance_type", TYPES)
def test_weights_count_as_repeated_rows_do_in_scikit_learn(covariance_type):
    x = three_groups(200)
    weights = np.random.default_rng(5).integers(0, 4, len(x))
    options = {
        "covariance_type": covariance_type,
        "reg_covar": 0,
        "tol": 0,
        "max_iter": 5,
        **start_of(covariance_type, 2, x),
    }
    ours = GaussianMixture(2, **options).fit(x, sample_weight=weights)
    repeated = x.repeat(weights, axis=0)
    theirs = mixture.GaussianMixture(2, **options).fit(repeated)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-10)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-10, atol=1e-12)
    assert ours.score(x, sample_weight=weights) == pytest.approx(theirs.score(repeated), rel=1e-12)
    assert ours.bic(x, sample_weight=weights) == pytest.approx(theirs.bic(repeated), rel=1e-12)
    assert ours.aic(x, sample_weight=weights) == pytest.approx(theirs.aic(repeated), rel=1e-12)
    assert ours.icl(x, sample_weight=weights) == pytest.approx(ours.icl(repeated), rel=1e-12)


def test_from_raw_data_the_fit_is_no_worse_than_that_of_scikit_learn():
    ours = GaussianMixture(2, tol=1e-8, random_state=0, reg_covar=0).fit(FAITHFUL)
    theirs = mixture.GaussianMixture(2, tol=1e-8, random_state=0, reg_covar=0).fit(FAITHFUL)
    assert ours.score(FAITHFUL) == pytest.approx(theirs.score(FAITHFUL), abs=1e-6)
    # mclust 6.1 for VVV and two components: Scrucca et al. (2016), The R Journal 8(1).
    assert ours.score(FAITHFUL) * len(FAITHFUL) == pytest.approx(-1130.264, abs=2e-3)


def test_icl_adds_what_the_assignments_leave_open_to_bic():
    model = GaussianMixture(3, random_state=0).fit(FAITHFUL)
    doubt = -sum(np.log(max(row)) for row in model.predict_proba(FAITHFUL))
    assert model.icl(FAITHFUL) == pytest.approx(model.bic(FAITHFUL) + 2 * doubt, rel=1e-12)
    assert doubt > 1


# ---- documented differences ------------------------------------------------------------------------


@fits_short
def test_lower_bound_belongs_to_the_parameters_returned():
    x = three_groups(300)
    options = {"reg_covar": 0, "max_iter": 4, "tol": 0, **start_of("full", 3, x)}
    ours = GaussianMixture(3, **options).fit(x)
    assert ours.lower_bound_ == pytest.approx(ours.score(x), rel=1e-13)
    assert ours.lower_bounds_[-1] == ours.lower_bound_
    assert len(ours.lower_bounds_) == ours.n_iter_ == 4
    theirs = mixture.GaussianMixture(3, **options).fit(x)
    assert theirs.lower_bound_ < theirs.score(x) - 1e-6


def test_convergence_is_claimed_only_where_the_tolerance_was_met():
    x = three_groups(300)
    with pytest.warns(ConvergenceWarning, match="max_iter=3") as caught:
        model = GaussianMixture(3, max_iter=3, tol=1e-9, random_state=0).fit(x)
    assert not model.converged_
    assert caught[0].filename == __file__
    model.set_params(max_iter=2000).fit(x)
    assert model.converged_
    before, last = model.lower_bounds_[-2:]
    assert 0 <= last - before <= 1e-9


class Falling(GaussianMixture):
    """A twin whose M-step is wrong."""

    def _mixture(self, blocks=()):
        class Wrong(Mixture):
            def m_step(self, stats):
                right = super().m_step(stats)
                shifted = Gaussians(right.components.means + 3, right.components.covariances)
                return MixtureParams(right.weights, shifted)

        return Wrong(Gaussian())


def test_a_fall_raises_and_is_not_taken_for_a_start_that_failed():
    with pytest.raises(AscentError, match="lowered the bound"):
        Falling(2, n_init=3, reg_covar=0, random_state=0).fit(FAITHFUL)


def test_reg_covar_is_a_share_of_the_variance_of_each_column():
    x = three_groups(200)
    model = GaussianMixture(1, reg_covar=0.01).fit(x)
    expected = np.cov(x.T, bias=True) + 0.01 * np.diag(x.var(axis=0))
    np.testing.assert_allclose(model.covariances_[0], expected, rtol=1e-12)


def test_units_change_nothing():
    units = np.array([1e-4, 1.0, 1e5])
    x = three_groups(300)
    options = {"tol": 1e-6, "reg_covar": 1e-3, "max_iter": 1000, "random_state": 3}
    one, other = GaussianMixture(3, **options).fit(x), GaussianMixture(3, **options).fit(x * units)
    np.testing.assert_allclose(other.means_, one.means_ * units, rtol=1e-7)
    np.testing.assert_allclose(other.predict_proba(x * units), one.predict_proba(x), atol=1e-7)
    # In scikit-learn the regularisation has the unit of the data.
    theirs = mixture.GaussianMixture(1, reg_covar=1e-3)
    small = theirs.fit(x * units).covariances_[0] / np.outer(units, units)
    assert abs(small / theirs.fit(x).covariances_[0] - 1).max() > 1


def test_with_reg_covar_a_known_objective_is_climbed():
    x, share = three_groups(150), 0.05
    model = quietly_fitted(
        GaussianMixture(3, reg_covar=share, tol=0, max_iter=30, random_state=0), x
    )
    assert all(after >= before for before, after in pairwise(model.lower_bounds_))
    scatter = share * len(x) / 3 * np.diag(x.var(axis=0))
    penalty = -0.5 * sum(np.trace(precision @ scatter) for precision in model.precisions_)
    assert penalty < -1
    objective = model.score(x) + penalty / len(x)
    assert model.lower_bound_ == pytest.approx(objective, rel=1e-12)


@pytest.mark.parametrize(
    "estimator", [GaussianMixture, StudentMixture, BayesianGaussianMixture, HiddenMarkov]
)
def test_a_constant_column_is_named(estimator):
    x = np.column_stack([FAITHFUL, np.full(len(FAITHFUL), 1e9 / 7)])
    with pytest.raises(ValueError, match=r"column 2 has no two values.*drop it"):
        estimator(2).fit(x)


def test_variances_are_those_of_what_is_there_times_its_weight():
    x = with_gaps(1e3 + three_groups(300), 0.2)
    weights = np.random.default_rng(0).integers(0, 3, len(x)).astype(float)
    for given in (None, weights):
        counts = np.ones(len(x), dtype=int) if given is None else given.astype(int)
        expected = np.nanvar(np.repeat(x, counts, axis=0), axis=0)
        data = Mixture(MissingGaussian()).prepare(x if given is None else Weighted(x, given))
        np.testing.assert_allclose(column_variances(data), expected, rtol=1e-9)


@pytest.mark.parametrize("x", [FAITHFUL, three_groups(300)], ids=["with ties", "without"])
def test_rows_to_start_from_are_distinct_sorted_and_counted(x):
    shuffled = Mixture(Gaussian()).prepare(np.random.default_rng(1).permutation(x))
    rows = distinct_rows(shuffled, 2, np.random.default_rng(0))
    expected, counts = np.unique(x[:, ::-1], axis=0, return_counts=True)
    assert np.array_equal(rows.x, expected[:, ::-1])
    assert np.array_equal(rows.weights, counts)


def with_a_trap(distance: float) -> np.ndarray:
    """Two clouds at a distance, and one row three times: a component on it alone has an unbounded likelihood."""
    x = np.random.default_rng(0).normal(size=(40, 2))
    x[::2] += distance
    return np.vstack([x, np.full((3, 2), -9.0)])


def test_a_start_that_collapses_is_skipped_and_named():
    x = with_a_trap(6)
    for seed in range(40):
        model = GaussianMixture(
            2, n_init=3, reg_covar=0, init_params="random", random_state=seed, max_iter=500
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model.fit(x)
            except ArithmeticError:
                continue
        skipped = [str(w.message) for w in caught if "skipped" in str(w.message)]
        if skipped:
            assert "of 3 was skipped: component" in skipped[0]
            assert "has collapsed" in skipped[0]
            assert np.isfinite(model.score(x))
            return
    pytest.fail("in 40 seeds no start collapsed beside one that did not")


def test_where_all_starts_collapse_the_error_names_component_observations_and_remedy():
    x = with_a_trap(0)
    with pytest.raises(
        ArithmeticError, match=r"each of 2 starts failed; .*component \d has collapsed.*use another"
    ):
        GaussianMixture(2, n_init=2, reg_covar=0, random_state=0, max_iter=500).fit(x)
    assert np.isfinite(GaussianMixture(2, random_state=0).fit(x).score(x))


@pytest.mark.parametrize("estimator", [GaussianMixture, StudentMixture])
def test_the_result_does_not_depend_on_the_number_of_threads(estimator):
    x = three_groups(14_000)
    for n_init in (1, 3):
        options = {"n_init": n_init, "random_state": 1, "max_iter": 500}
        one = estimator(3, n_jobs=1, **options).fit(x)
        two = estimator(3, n_jobs=2, **options).fit(x)
        assert pickle.dumps(one.params_) == pickle.dumps(two.params_)
        assert one.lower_bounds_ == two.lower_bounds_


def test_more_starts_find_a_better_maximum_and_include_the_first():
    x = three_groups(100, seed=4)
    options = {"init_params": "random", "random_state": 0, "tol": 1e-6, "max_iter": 2000}
    scores = [GaussianMixture(4, n_init=n, **options).fit(x).lower_bound_ for n in (1, 4, 8)]
    assert scores[0] <= scores[1] <= scores[2]
    assert scores[0] < scores[2]


@pytest.mark.parametrize(
    "init_params", ["kmeans", "k-means++", "random", "random_from_data", "hierarchical"]
)
def test_every_kind_of_start_leads_to_the_two_groups_of_old_faithful(init_params):
    model = GaussianMixture(2, init_params=init_params, n_init=3, random_state=0, tol=1e-6)
    model.fit(FAITHFUL)
    np.testing.assert_allclose(np.sort(model.means_[:, 1]), [54.48, 79.97], atol=0.02)


def test_means_alone_tell_where_the_components_start():
    far = np.array([[80.0], [54.0]])
    model = GaussianMixture(2, means_init=far, max_iter=0).fit(FAITHFUL[:, 1:])
    np.testing.assert_array_equal(model.means_, far)
    nearer_first = (abs(FAITHFUL[:, 1:] - far.T).argmin(axis=1) == 0).mean()
    assert model.weights_[0] == pytest.approx(nearer_first, abs=0.01)
    # Each covariance is that of the rows near its own mean, not of the other's or of all.
    spreads = [FAITHFUL[abs(FAITHFUL[:, 1:] - far.T).argmin(axis=1) == j, 1].var() for j in (0, 1)]
    assert (model.covariances_[:, 0, 0] < 2 * np.array(spreads)).all()


def test_fitted_attributes_are_views_that_cannot_be_assigned_to():
    model = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    with pytest.raises(AttributeError):
        model.means_ = np.zeros((2, 2))
    assert model.means_ is model.params_.components.means


# ---- missing values ----------------------------------------------------------------------------------


def with_gaps(x: np.ndarray, share: float) -> np.ndarray:
    gaps = np.random.default_rng(1).random(x.shape) < share
    return np.where(gaps, np.nan, x)


def test_missing_values_are_summed_out():
    x = with_gaps(FAITHFUL, 0.2)
    model = GaussianMixture(2, reg_covar=0, tol=1e-9, max_iter=5000, n_init=5, random_state=0).fit(
        x
    )
    complete = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    order, complete_order = model.weights_.argsort(), complete.weights_.argsort()
    np.testing.assert_allclose(model.means_[order], complete.means_[complete_order], rtol=0.02)
    # The density of what is there, by marginals of the components.
    for row, value in zip(x[:40], model.score_samples(x[:40]), strict=True):
        seen = ~np.isnan(row)
        density = (
            sum(
                weight
                * stats.multivariate_normal(mean[seen], cov[np.ix_(seen, seen)]).pdf(row[seen])
                for weight, mean, cov in zip(
                    model.weights_, model.means_, model.covariances_, strict=True
                )
            )
            if seen.any()
            else 1.0
        )
        assert value == pytest.approx(np.log(density), rel=1e-9, abs=1e-12)
    assert model.lower_bound_ == pytest.approx(model.score(x), rel=1e-12)
    # A row of which nothing is known belongs to each component as often as any.
    np.testing.assert_allclose(model.predict_proba([[np.nan, np.nan]])[0], model.weights_)
    assert model.predict([[np.nan, 80.0]])[0] == model.means_[:, 1].argmax()


def test_one_gaussian_with_a_column_partly_missing_is_a_regression():
    # Anderson (1957): maximum likelihood for a monotone pattern, by the regression of the one column on the other.
    x = FAITHFUL.copy()
    x[100:, 0] = np.nan
    model = GaussianMixture(1, reg_covar=0, tol=0, max_iter=3000)
    quietly_fitted(model, x)
    both = FAITHFUL[:100]
    slope = np.cov(both.T, bias=True)[0, 1] / both[:, 1].var()
    mean = both[:, 0].mean() + slope * (x[:, 1].mean() - both[:, 1].mean())
    residual = (both[:, 0] - both[:, 0].mean() - slope * (both[:, 1] - both[:, 1].mean())).var()
    assert model.means_[0, 0] == pytest.approx(mean, rel=1e-8)
    assert model.covariances_[0, 0, 0] == pytest.approx(
        residual + slope**2 * x[:, 1].var(), rel=1e-7
    )


def test_batches_may_have_gaps_or_not():
    model = GaussianMixture(2, random_state=0)
    for batch in (FAITHFUL, with_gaps(FAITHFUL, 0.1), FAITHFUL[:5]):
        model.partial_fit(batch)
    np.testing.assert_allclose(np.sort(model.means_[:, 1]), [54.5, 80.0], rtol=0.05)


def test_a_column_that_is_never_seen_and_infinity_are_refused():
    x = FAITHFUL.copy()
    x[:, 0] = np.nan
    with pytest.raises(ValueError, match="column 0"):
        GaussianMixture(2).fit(x)
    x[:, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        GaussianMixture(2).fit(x)
    with pytest.raises(ValueError, match="NaN"):
        StudentMixture(2).fit(with_gaps(FAITHFUL, 0.1))


# ---- batches, warm starts, standard errors -----------------------------------------------------------


def by_hand(x, weights, means, variances):
    """Responsibilities and sums of a mixture on the line, written out."""
    densities = weights * np.exp(-((x[:, None] - means) ** 2) / (2 * variances))
    densities /= np.sqrt(2 * np.pi * variances)
    shares = densities / densities.sum(axis=1, keepdims=True)
    return np.stack([shares.sum(axis=0), shares.T @ x, shares.T @ x**2]) / len(x)


def test_partial_fit_mixes_the_statistics_of_batches():
    waiting = FAITHFUL[:, 1]
    batches = np.random.default_rng(0).permutation(waiting)[:240].reshape(4, 60)
    options = {
        "weights_init": [0.4, 0.6],
        "means_init": [[55.0], [80.0]],
        "precisions_init": [[[0.03]], [[0.03]]],
        "reg_covar": 0,
    }
    model = GaussianMixture(2, **options)
    params = np.array([0.4, 0.6]), np.array([55.0, 80.0]), np.full(2, 1 / 0.03)
    for number, batch in enumerate(batches):
        model.partial_fit(batch[:, None])
        fresh = by_hand(batch, *params)
        # Cappe & Moulines (2009), eq. (10), with the step sizes of emlib.variants.online.
        size = 1.0 if number == 0 else (number + 2.0) ** -0.7
        known = fresh if number == 0 else size * fresh + (1 - size) * known
        means = known[1] / known[0]
        params = known[0], means, known[2] / known[0] - means**2
        np.testing.assert_allclose(model.weights_, params[0], rtol=1e-9)
        np.testing.assert_allclose(model.means_[:, 0], params[1], rtol=1e-9)
        np.testing.assert_allclose(model.covariances_[:, 0, 0], params[2], rtol=1e-8)
    assert not hasattr(model, "converged_")


def test_partial_fit_goes_on_from_fit_and_learns_what_changes():
    model = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    before = model.means_.copy()
    model.partial_fit(FAITHFUL)
    np.testing.assert_allclose(model.means_, before, rtol=5e-3)
    shift = np.array([1.0, 20.0])
    for _ in range(60):
        model.partial_fit(FAITHFUL + shift)
    np.testing.assert_allclose(model.means_, before + shift, rtol=0.03)
    with pytest.raises(ValueError, match="3 features"):
        model.partial_fit(np.ones((5, 3)))


@fits_short
def test_a_warm_start_goes_on_where_it_stopped():
    options = {"tol": 0, "random_state": 0}
    model = GaussianMixture(2, max_iter=3, warm_start=True, **options).fit(FAITHFUL)
    middle = model.lower_bound_
    model.fit(FAITHFUL)
    at_once = GaussianMixture(2, max_iter=6, **options).fit(FAITHFUL)
    assert middle < model.lower_bound_
    np.testing.assert_allclose(model.means_, at_once.means_, rtol=1e-12)


def test_no_iterations_are_allowed():
    means = [[2.0, 54.0], [4.3, 80.0]]
    model = GaussianMixture(2, means_init=means, max_iter=0).fit(FAITHFUL)
    assert model.n_iter_ == 0
    assert model.lower_bounds_ == []
    assert not model.converged_
    np.testing.assert_array_equal(model.means_, means)


def test_standard_errors_of_one_gaussian_are_those_of_the_textbook():
    x = FAITHFUL[:, 1:]
    model = GaussianMixture(1, reg_covar=0, tol=1e-12).fit(x)
    errors, n = model.standard_errors(x), len(x)
    assert errors["means"][0, 0] == pytest.approx(np.sqrt(x.var() / n), rel=1e-5)
    assert errors["covariances"][0, 0, 0] == pytest.approx(x.var() * np.sqrt(2 / n), rel=1e-5)
    twice = model.standard_errors(x, sample_weight=np.full(n, 2.0))
    assert twice["means"][0, 0] == pytest.approx(np.sqrt(x.var() / (2 * n)), rel=1e-5)


def test_samples_come_from_the_mixture_sorted_and_reproducible():
    model = GaussianMixture(2, random_state=0, covariance_type="tied").fit(FAITHFUL)
    x, labels = model.sample(40_000)
    assert (np.diff(labels) >= 0).all()
    np.testing.assert_allclose(np.bincount(labels) / 40_000, model.weights_, atol=0.01)
    for j in (0, 1):
        np.testing.assert_allclose(x[labels == j].mean(axis=0), model.means_[j], rtol=0.01)
        np.testing.assert_allclose(np.cov(x[labels == j].T), model.covariances_, rtol=0.05)
    np.testing.assert_array_equal(model.sample(5)[0], model.sample(5)[0])


def test_verbose_tells_of_the_run(capsys):
    GaussianMixture(2, random_state=0, verbose=1, verbose_interval=2, tol=1e-6).fit(FAITHFUL)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("start 0, iteration 0: lower bound -")
    assert lines[1].startswith("start 0, iteration 2: lower bound -")
    assert "iterations: the gain fell below the tolerance" in lines[-1]
    GaussianMixture(2, random_state=0).fit(FAITHFUL)
    assert capsys.readouterr().out == ""


# ---- wrong parameters and data -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_components", 0),
        ("n_components", 2.0),
        ("n_components", True),
        ("covariance_type", "round"),
        ("tol", -1e-3),
        ("tol", "small"),
        ("reg_covar", -1),
        ("reg_covar", np.inf),
        ("max_iter", -1),
        ("n_init", 0),
        ("init_params", "guess"),
        ("verbose_interval", 0),
        ("weights_init", [0.5, 0.3, 0.2]),
        ("weights_init", [0.9, 0.9]),
        ("means_init", [[1.0, 2.0]]),
        ("precisions_init", np.zeros((2, 3, 3))),
        ("precisions_init", np.stack([-np.eye(2)] * 2)),
    ],
)
def test_a_wrong_parameter_is_named(parameter, value):
    with pytest.raises(ValueError, match=parameter.split("_init")[0]):
        GaussianMixture(2).set_params(**{parameter: value}).fit(FAITHFUL)


def test_precisions_for_a_name_of_mclust_are_refused():
    model = GaussianMixture(2, covariance_type="VVV", precisions_init=np.stack([np.eye(2)] * 2))
    with pytest.raises(
        ValueError, match="precisions_init: expected None for covariance_type='VVV'"
    ):
        model.fit(FAITHFUL)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"sample_weight: expected shape \(272,\)"),
        (np.full(272, -1.0), "0 or more"),
        (np.full(272, np.nan), "finite"),
        (np.zeros(272), "every weight is zero"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    model = GaussianMixture(2)
    with pytest.raises(ValueError, match=message):
        model.fit(FAITHFUL, sample_weight=weights)
    with pytest.raises(ValueError, match=message):
        model.fit(FAITHFUL).score(FAITHFUL, sample_weight=weights)


def test_more_components_than_rows_are_refused():
    with pytest.raises(ValueError, match="n_components = 5, n_samples = 4"):
        GaussianMixture(5).fit(FAITHFUL[:4])
    with pytest.raises(ValueError, match="no more components than distinct rows"):
        GaussianMixture(3).fit(FAITHFUL[:2].repeat(3, axis=0))


# ---- scikit-learn around it --------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", sorted(MODELS))
def test_the_models_of_mclust_have_matrices_as_covariances(covariance_type):
    model = GaussianMixture(3, covariance_type=covariance_type, random_state=0, max_iter=2000)
    model.fit(three_groups(300))
    assert model.covariances_.shape == model.precisions_.shape == (3, 3, 3)
    identity = model.covariances_ @ model.precisions_
    np.testing.assert_allclose(identity, np.stack([np.eye(3)] * 3), atol=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("VVV", "full"), ("EEE", "tied"), ("VVI", "diag"), ("VII", "spherical")]
)
def test_four_models_of_mclust_are_those_of_scikit_learn(ours, theirs):
    x = three_groups(300)
    options = {"random_state": 0, "max_iter": 500, "reg_covar": 0}
    one = GaussianMixture(3, covariance_type=ours, **options).fit(x)
    other = GaussianMixture(3, covariance_type=theirs, **options).fit(x)
    np.testing.assert_array_equal(one.means_, other.means_)
    equivalent = mixture.GaussianMixture(3, covariance_type=theirs).fit(x)
    assert one.bic(x) + 2 * one.score(x) * 300 == pytest.approx(
        equivalent.bic(x) + 2 * equivalent.score(x) * 300
    )


def test_estimators_are_pickled_cloned_and_set():
    model = GaussianMixture(2, covariance_type="diag", random_state=7).fit(FAITHFUL)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(FAITHFUL), model.predict_proba(FAITHFUL))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(FAITHFUL)
    assert fresh.set_params(n_components=3, tol=1e-5).fit(FAITHFUL).means_.shape == (3, 2)


def test_a_pipeline_and_a_search_choose_the_components_by_bic():
    def minus_bic(pipeline, x, y=None):  # noqa: ARG001
        return -pipeline[-1].bic(pipeline[:-1].transform(x))

    # Two groups: each as round as the other, and far apart.
    x = np.random.default_rng(0).normal(size=(400, 2)) * [3, 0.2]
    x[:200] += [10, 2]
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(random_state=0, n_init=3))
    search = GridSearchCV(
        pipeline, {"gaussianmixture__n_components": [1, 2, 3, 4]}, scoring=minus_bic, cv=3
    )
    search.fit(np.random.default_rng(1).permutation(x))
    assert search.best_params_ == {"gaussianmixture__n_components": 2}


def test_names_of_columns_are_kept_and_compared():
    table = pd.DataFrame(FAITHFUL, columns=["eruptions", "waiting"])
    model = GaussianMixture(2, random_state=0).fit(table)
    assert model.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert model.n_features_in_ == 2
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["waiting", "eruptions"]])


def test_float32_is_computed_in_float64():
    x = FAITHFUL.astype(np.float32)
    model = GaussianMixture(2, random_state=0).fit(x)
    assert model.means_.dtype == model.predict_proba(x).dtype == np.float64
    wide = GaussianMixture(2, random_state=0).fit(x.astype(np.float64))
    np.testing.assert_array_equal(model.means_, wide.means_)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("emlib.estimators")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"pip install exploring-em\[sklearn\]"):
        importlib.import_module("emlib.estimators")


def test_a_warm_start_with_another_number_of_components_is_refused():
    x = np.random.default_rng(0).normal(size=(60, 2))
    fit = GaussianMixture(2, warm_start=True, random_state=0).fit(x)
    with pytest.raises(ValueError, match="warm_start: the last fit has 2 components"):
        fit.set_params(n_components=3).fit(x)


def test_one_component_has_converged_at_once():
    for seed in range(20):
        x = np.random.default_rng(seed).normal(size=(50, 2))
        assert GaussianMixture(1).fit(x).converged_


def test_parameters_set_after_a_fit_change_nothing_of_it():
    x = np.random.default_rng(0).normal(size=(60, 2))
    model = GaussianMixture(2, random_state=0).fit(x)

    def seen():
        return (
            model.bic(x),
            model.aic(x),
            model.icl(x),
            model.covariances_.shape,
            model.score(x),
            model.standard_errors(x)["means"].tolist(),
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        before = seen()
        model.set_params(covariance_type="spherical", reg_covar=0.1)
        assert seen() == before
    fitted = model.fit(x)
    assert fitted.covariances_.shape == (2,)
    # Means, variances and a weight.
    assert (fitted.bic(x) + 2 * fitted.score(x) * 60) / np.log(60) == pytest.approx(4 + 2 + 1)
