"""Gaussians with missing entries: against closed forms, quadrature, SciPy's marginals, and the laws of EM."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from test_laws import LAWS, Plain, StretchedMStep, bound_touches
from zoo import Case, around_gaussians, three_columns

from emlib import AscentError, Mixture, MixtureParams, em, em_steps, entropy
from emlib.data import Chunks, Weighted
from emlib.em import rounding
from emlib.families import Gaussian, Gaussians, maximum_likelihood
from emlib.families.missing import MissingGaussian
from emlib.families.moments import weighted_moments
from emlib.families.parsimonious import MODELS
from emlib.numbers.failure import TWELVE

NAN = np.nan


def with_holes(x: np.ndarray, share: float = 0.25, seed: int = 1) -> np.ndarray:
    """Some entries lost at random, among them all of one row."""
    holed = x.copy()
    holed[np.random.default_rng(seed).random(x.shape) < share] = NAN
    holed[len(x) // 2] = NAN
    return holed


COMPLETE, HOLED = three_columns(), with_holes(three_columns())
TRUTH = MixtureParams(
    [0.4, 0.6],
    Gaussians(
        [[0.0, 0.0, 0.0], [2.0, 1.0, -1.0]],
        [np.diag([1.0, 0.4, 0.2]) + 0.1, np.diag([0.5, 1.0, 0.7]) - 0.2],
    ),
)


def density(x: np.ndarray, params: Gaussians, k: int) -> np.ndarray:
    """Log-densities of the entries that are there, by SciPy, row by row."""
    logs = np.zeros(len(x))
    for n, row in enumerate(x):
        there = ~np.isnan(row)
        if there.any():
            covariance = params.covariances[k][np.ix_(there, there)]
            marginal = stats.multivariate_normal(params.means[k, there], covariance)
            logs[n] = marginal.logpdf(row[there])
    return logs


# ---- at the boundary -------------------------------------------------------------------------------


def test_nan_stands_for_a_missing_entry_and_the_data_stay_as_they_were():
    data = [[1, NAN], [NAN, 2]]
    array = np.array(data)
    seen = MissingGaussian().observations(array)
    assert np.array_equal(seen, array, equal_nan=True)
    assert np.isnan(array).sum() == 2
    assert np.array_equal(
        MissingGaussian().observations([1.0, NAN]), [[1.0], [NAN]], equal_nan=True
    )
    assert MissingGaussian().observations([[1, 2]]).tolist() == [[1.0, 2.0]]


def test_what_is_no_number_is_refused(refuses):
    with refuses(ValueError, "data: 1 of 2 values are not finite", "inf"):
        MissingGaussian().observations([NAN, np.inf])
    with refuses(ValueError, "data: expected real numbers"):
        MissingGaussian().observations(["a", "b"])
    with refuses(ValueError, "data: expected shape (n,) or (n, d)"):
        MissingGaussian().observations([[[NAN]]])
    for data in ([1.0, 1e200], [NAN, 1e200]):
        with refuses(ValueError, "data: the largest value is 1e+200", "divide the columns"):
            MissingGaussian().observations(data)


def test_a_column_without_any_value_is_refused(refuses):
    with refuses(ValueError, "data: column 1 has no value at all; drop it"):
        maximum_likelihood(MissingGaussian(), [[1.0, NAN], [2.0, NAN]])


def test_the_gaussian_without_missing_entries_still_refuses_them(refuses):
    with refuses(ValueError, "data: 1 of 2 values are not finite"):
        Gaussian().observations([1.0, NAN])


# ---- densities ---------------------------------------------------------------------------------------


def test_log_density_is_that_of_the_marginal_of_scipy():
    theirs = np.column_stack([density(HOLED, TRUTH.components, k) for k in (0, 1)])
    assert MissingGaussian().log_density(HOLED, TRUTH.components) == pytest.approx(
        theirs, rel=1e-11, abs=1e-13
    )


@pytest.mark.parametrize("model", MODELS)
def test_complete_data_are_fitted_as_the_gaussian_fits_them(model):
    ours, theirs = Mixture(MissingGaussian(model)), Mixture(Gaussian(model))
    shares = np.random.default_rng(3).dirichlet([1.0, 1.0], len(COMPLETE))
    left = em(ours, COMPLETE, ours.from_responsibilities(COMPLETE, shares), max_steps=5)
    right = em(theirs, COMPLETE, theirs.from_responsibilities(COMPLETE, shares), max_steps=5)
    assert left.log_likelihoods == pytest.approx(right.log_likelihoods, rel=1e-12)
    assert left.params.components.covariances == pytest.approx(
        right.params.components.covariances, rel=1e-7, abs=1e-9
    )


@pytest.mark.parametrize("model", ["VVV", "VVI"])
def test_the_kernel_gives_what_densities_and_statistics_give(model):
    mixture, params = Mixture(MissingGaussian(model)), TRUTH
    if model == "VVI":
        diagonal = params.components.covariances * np.eye(3)
        params = replace(params, components=replace(params.components, covariances=diagonal))
    fast = mixture.e_step(HOLED, params)
    plain = mixture.block_step(next(iter(mixture.prepare(HOLED))), params)
    assert fast.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    left, right = (s.components.about(TRUTH.components.means) for s in (fast, plain))
    for name in ("counts", "first", "second"):
        assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-10, abs=1e-10)


def test_weighted_chunks_in_threads_give_what_one_block_gives():
    mixture, weights = Mixture(MissingGaussian()), np.arange(len(HOLED)) % 3
    whole = mixture.e_step(Weighted(HOLED, weights), TRUTH)
    pieces = [Weighted(HOLED[cut::4], weights[cut::4]) for cut in range(4)]
    parts = mixture.e_step(Chunks(pieces, threads=2), TRUTH)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    left, right = mixture.m_step(parts).components, mixture.m_step(whole).components
    assert left.covariances == pytest.approx(right.covariances, rel=1e-10)


# ---- what is filled in -------------------------------------------------------------------------------


def test_expected_moments_are_those_of_quadrature():
    params = Gaussians([[1.0, -1.0]], [[[2.0, 0.9], [0.9, 1.0]]])
    shown = 2.5
    joint = stats.multivariate_normal(params.means[0], params.covariances[0])

    def expected(power: int) -> float:
        return integrate.quad(lambda y: y**power * joint.pdf([shown, y]), -12, 12, epsabs=1e-13)[0]

    scale = expected(0)
    mean, square = expected(1) / scale, expected(2) / scale
    found = MissingGaussian().expected_statistics(np.array([[shown, NAN]]), np.ones((1, 1)), params)
    at_origin = found.about(np.zeros((1, 2)))
    assert at_origin.first[0] == pytest.approx([shown, mean], rel=1e-9)
    second = [[shown**2, shown * mean], [shown * mean, square]]
    assert at_origin.second[0] == pytest.approx(np.array(second), rel=1e-9)


def test_without_params_each_column_is_taken_as_it_is_there():
    x = np.array([[0.0, 10.0], [2.0, NAN], [4.0, 30.0], [NAN, NAN]])
    fitted = maximum_likelihood(MissingGaussian(), x)
    assert fitted.means[0] == pytest.approx([2.0, 20.0])
    assert fitted.variances[0] == pytest.approx([8 / 3, 100.0])
    # A component that sees nothing of a column has that of all the data.
    shares = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    moments = MissingGaussian("VVI").expected_statistics(x, shares)
    assert moments.anchors == pytest.approx(np.array([[2.0, 20.0], [2.0, 20.0]]))
    assert moments.second == pytest.approx(np.array([[8.0, 200.0], [0.0, 200.0]]))


def test_a_row_without_entries_counts_for_the_weights_and_says_nothing():
    mixture = Mixture(MissingGaussian())
    empty = mixture.e_step(np.full((5, 3), NAN), TRUTH)
    assert empty.log_likelihood == pytest.approx(0.0, abs=1e-14)
    assert empty.components.counts == pytest.approx([2.0, 3.0])
    again = mixture.m_step(empty)
    assert again.weights == pytest.approx(TRUTH.weights)
    assert again.components.means == pytest.approx(TRUTH.components.means)
    assert again.components.covariances == pytest.approx(TRUTH.components.covariances)


# ---- closed forms ------------------------------------------------------------------------------------


def monotone(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal([3.0, -1.0], [[2.0, 1.2], [1.2, 1.5]], size=40)
    # Missing at random: what is lost in the second column depends on the first.
    x[x[:, 0] > 3.5, 1] = NAN
    return x


def anderson(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Anderson (1957), "Maximum likelihood estimates for a multivariate normal distribution when some observations are
    missing", JASA 52(278): the second column by its regression on the first, over the complete rows."""
    both = x[~np.isnan(x[:, 1])]
    mean, variance = x[:, 0].mean(), x[:, 0].var()
    covariance = np.cov(both.T, bias=True)
    slope = covariance[0, 1] / covariance[0, 0]
    residual = covariance[1, 1] - slope * covariance[0, 1]
    means = np.array([mean, both[:, 1].mean() + slope * (mean - both[:, 0].mean())])
    cross = slope * variance
    return means, np.array([[variance, cross], [cross, residual + slope * cross]])


def fitted(family: MissingGaussian, x: np.ndarray) -> Gaussians:
    mixture = Plain(family)
    start = MixtureParams([1.0], Gaussians([[0.0, 0.0]], [np.eye(2)]))
    *_, last = islice(em_steps(mixture, x, start), 400)
    return last.params.components


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_monotone_pattern_ends_at_the_closed_form(seed):
    x = monotone(seed)
    means, covariance = anderson(x)
    found = fitted(MissingGaussian(), x)
    assert found.means[0] == pytest.approx(means, rel=1e-8)
    assert found.covariances[0] == pytest.approx(covariance, rel=1e-8)


def test_the_correlation_of_murray_has_two_maxima_and_a_saddle_between():
    """The whole covariances; Murray's numbers are those of emlib.numbers.failure."""
    mixture = Mixture(MissingGaussian())
    ends = {}
    for correlation in (-0.1, 0.0, 0.1):
        covariance = [[[1.0, correlation], [correlation, 1.0]]]
        start = MixtureParams([1.0], Gaussians([[0.0, 0.0]], covariance))
        ends[correlation] = em(mixture, TWELVE, start, tol=1e-15).params.components.covariances[0]
    assert ends[0.0] == pytest.approx(np.diag([5 / 2, 5 / 2]), abs=1e-6)
    assert ends[0.1] == pytest.approx(np.array([[8, 4], [4, 8]]) / 3, abs=1e-5)
    assert ends[-0.1] == pytest.approx(np.array([[8, -4], [-4, 8]]) / 3, abs=1e-5)


# ---- a twin without the conditional variance ---------------------------------------------------------


class FilledIn(MissingGaussian):
    """Missing entries are filled in with their expectations and then taken for known."""

    def expected_statistics(self, x, responsibilities, near=None):
        right = super().expected_statistics(x, responsibilities, near)
        if near is None:
            return right
        second = np.empty_like(right.second)
        for k, (mean, covariance) in enumerate(zip(near.means, near.covariances, strict=True)):
            full = x.copy()
            for row in full:
                gone = np.isnan(row)
                slope = covariance[np.ix_(gone, ~gone)] @ np.linalg.pinv(covariance[np.ix_(~gone, ~gone)])  # fmt: skip
                row[gone] = mean[gone] + slope @ (row[~gone] - mean[~gone])
            second[k] = weighted_moments(full, responsibilities[:, [k]], mean[None]).second[0]
        return replace(right.about(near.means), second=second)


def test_the_twin_misses_the_closed_form_and_breaks_the_bound():
    x = monotone(1)
    with pytest.raises(AscentError):
        fitted(FilledIn(), x)


# ---- the laws ----------------------------------------------------------------------------------------

CASE = Case(
    "gaussian with missing entries",
    Mixture(MissingGaussian()),
    HOLED,
    2,
    around_gaussians("VVV"),
    density,
    lambda c: replace(c, covariances=1.5 * c.covariances),
)


def hidden_entropy(params: MixtureParams, x: np.ndarray) -> float:
    """Of component and missing entries, given what is there: by SciPy, row by row."""
    shares = Mixture(MissingGaussian()).responsibilities(x, params)
    total = entropy(shares)
    for row, share in zip(x, shares, strict=True):
        gone = np.isnan(row)
        for k, covariance in enumerate(params.components.covariances):
            precision = np.linalg.inv(covariance)[np.ix_(gone, gone)]
            if gone.any():
                own = stats.multivariate_normal(cov=np.linalg.inv(precision)).entropy()
                total += share[k] * float(own)
    return total


def bound_touches_with_the_entropy_of_missing_entries(case: Case, seed: int) -> None:
    here, there = case.start(seed), case.start(seed + 1)
    collected, h = case.model.e_step(case.data, here), hidden_entropy(here, case.data)
    own = case.model.expected_log_joint(collected, here) + h
    assert np.isclose(own, collected.log_likelihood, rtol=1e-10, atol=0)
    elsewhere = case.model.e_step(case.data, there).log_likelihood
    assert case.model.expected_log_joint(collected, there) + h < elsewhere


LAWS_HERE = {law: twin for law, twin in LAWS.items() if law is not bound_touches}
LAWS_HERE[bound_touches_with_the_entropy_of_missing_entries] = LAWS[bound_touches]


class Stretched(Mixture):
    """The M-step is off by a factor."""

    def m_step(self, stats):
        params = super().m_step(stats)
        return replace(params, components=CASE.spoilt(params.components))


@pytest.mark.parametrize("law", LAWS_HERE, ids=lambda law: law.__name__)
@settings(max_examples=1)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law, seed):
    law(CASE, seed)


@pytest.mark.parametrize(("law", "twin"), LAWS_HERE.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law, twin):
    broken = (Stretched if twin is StretchedMStep else twin)(CASE.model.family)
    with pytest.raises((AssertionError, AscentError)):
        law(replace(CASE, model=broken), 2)


@pytest.mark.parametrize(
    "law",
    [law for law in LAWS_HERE if law.__name__ in ("never_falls", "score_is_slope_of_surrogate")]
    + [bound_touches_with_the_entropy_of_missing_entries],
    ids=lambda law: law.__name__,
)
def test_law_rejects_the_twin_that_takes_expectations_for_known(law):
    with pytest.raises((AssertionError, AscentError)):
        law(replace(CASE, model=Plain(FilledIn())), 2)


@pytest.mark.parametrize("model", MODELS)
def test_every_step_splits_the_log_likelihood_and_the_gap_closes(model):
    mixture = Mixture(MissingGaussian(model))
    start = mixture.from_responsibilities(HOLED, np.eye(2)[(np.arange(len(HOLED)) >= 50) * 1])
    steps = list(islice(em_steps(mixture, HOLED, start), 60))
    for step in steps:
        assert step.split.gap >= -2 * rounding(step.stats)
        assert step.split.log_likelihood == pytest.approx(step.log_likelihood, rel=1e-12)
    assert steps[1].split.gap > 1e-3
    assert steps[-1].split.gap < 1e-4 * steps[1].split.gap


def test_many_columns_have_many_patterns():
    rng = np.random.default_rng(8)
    x = with_holes(rng.standard_normal((60, 20)), share=0.5)
    factor = rng.standard_normal((20, 20))
    params = Gaussians(rng.standard_normal((1, 20)), [factor @ factor.T + np.eye(20)])
    ours = MissingGaussian().log_density(x, params)
    assert ours[:, 0] == pytest.approx(density(x, params, 0), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("shift", "unit"), [(1e9, 1.0), (0.0, 1e-100), (-3e105, 1e100)])
def test_far_away_and_in_any_unit_the_fit_is_the_same(shift, unit):
    mixture, shares = Mixture(MissingGaussian()), np.eye(2)[(np.arange(len(HOLED)) >= 50) * 1]
    here = em(mixture, HOLED, mixture.from_responsibilities(HOLED, shares), tol=1e-8)
    moved = HOLED * unit + shift
    there = em(mixture, moved, mixture.from_responsibilities(moved, shares), tol=1e-8)
    entries = np.isfinite(HOLED).sum() * np.log(unit)
    assert there.log_likelihood + entries == pytest.approx(here.log_likelihood, abs=1e-3)
