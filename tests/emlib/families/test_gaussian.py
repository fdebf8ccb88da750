"""The Gaussian against SciPy, against 50 digits where floats run out, and where no maximum exists."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emlib import Mixture, MixtureParams, em
from emlib.datasets import load
from emlib.families import Gaussian, Gaussians, maximum_likelihood

seeds = st.integers(0, 2**32)
dimensions = st.integers(1, 4)


def some_gaussians(rng: np.random.Generator, k: int, d: int) -> Gaussians:
    roots = rng.standard_normal((k, d, d + 2))
    return Gaussians(3 * rng.standard_normal((k, d)), roots @ roots.transpose(0, 2, 1))


def exact_log_density(x, mean, covariance):
    """log N(x | mean, covariance) to 50 digits, of the very floats that are given."""
    difference = mpmath.matrix(
        [mpmath.mpf(a) - mpmath.mpf(b) for a, b in zip(x, mean, strict=True)]
    )
    covariance = mpmath.matrix(
        [[mpmath.mpf(entry) for entry in row] for row in covariance.tolist()]
    )
    square = (difference.T * mpmath.lu_solve(covariance, difference))[0]
    return -(len(x) * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(covariance)) + square) / 2


def exact_moments(x, weights):
    """Weighted mean and variance to 50 digits, of the very floats that are given."""
    x, weights = [mpmath.mpf(v) for v in x.tolist()], [mpmath.mpf(w) for w in weights.tolist()]
    mean = mpmath.fdot(x, weights) / mpmath.fsum(weights)
    square = mpmath.fsum(w * (v - mean) ** 2 for v, w in zip(x, weights, strict=True))
    return mean, square / mpmath.fsum(weights)


def weighted_fit(x, weights):
    return np.average(x, axis=0, weights=weights), np.cov(x.T, bias=True, aweights=weights)


# Params


@pytest.mark.parametrize(
    ("means", "covariances"),
    [
        (np.zeros(2), np.ones((2, 1, 1))),
        (np.zeros((2, 1)), np.ones((2, 1))),
        (np.zeros((2, 1)), np.ones((3, 1, 1))),
        (np.zeros((1, 2)), np.ones((1, 1, 1))),
    ],
)
def test_params_of_shapes_that_do_not_match_are_refused(means, covariances, refuses):
    expected = "expected means of shape (k, d) and covariances of shape (k, d, d)"
    with refuses(ValueError, expected, f"got {means.shape} and {covariances.shape}"):
        Gaussians(means, covariances)


def test_a_covariance_that_is_not_symmetric_is_refused(refuses):
    skew = [np.eye(2), [[1.0, 0.5], [0.5 + 1e-9, 1.0]]]
    with refuses(ValueError, "covariances: the one of component 1 is not symmetric"):
        Gaussians(np.zeros((2, 2)), skew)
    Gaussians(np.zeros((2, 2)), [np.eye(2), [[1.0, 0.5], [0.5 + 1e-12, 1.0]]])


@pytest.mark.parametrize(
    "covariance",
    [
        [[0.0]],
        [[-1.0]],
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 1.0], [1.0, 1.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[-1.0, 0.0], [0.0, -1.0]],
    ],
)
def test_a_covariance_that_is_not_positive_definite_is_refused(covariance, refuses):
    d = len(covariance)
    with refuses(ValueError, "covariances: the one of component 1 is not positive definite"):
        Gaussians(np.zeros((2, d)), [np.eye(d), covariance])


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1.0, 1e300])
def test_a_covariance_is_judged_in_no_particular_unit(scale, refuses):
    fine = np.array([[1.0, 0.9], [0.9, 1.0]]) * scale
    assert Gaussians(np.zeros((1, 2)), [fine]).covariances[0].tolist() == fine.tolist()
    mixed = np.diag([1.0, 1e-200])
    assert Gaussians(np.zeros((1, 2)), [mixed]).covariances[0].tolist() == mixed.tolist()
    with refuses(ValueError, "component 0 is not positive definite"):
        Gaussians(np.zeros((1, 2)), [np.array([[1.0, 1.1], [1.1, 1.0]]) * scale])


def test_params_are_finite_floats_and_copies(refuses):
    means, covariances = np.array([[1]]), np.array([[[2]]])
    params = Gaussians(means, covariances)
    means[0], covariances[0] = 7, 7
    assert params.means.dtype == params.covariances.dtype == np.float64
    assert (params.means.item(), params.covariances.item()) == (1.0, 2.0)
    with refuses(ValueError, "means: 1 of 1 values are not finite"):
        Gaussians([[np.nan]], [[[1.0]]])
    with refuses(ValueError, "covariances: 1 of 1 values are not finite"):
        Gaussians([[0.0]], [[[np.inf]]])


def test_gaussians_on_the_line_are_given_by_variances():
    params = Gaussians.univariate([1.0, 2.0], [4.0, 9.0])
    assert params.means.tolist() == [[1.0], [2.0]]
    assert params.covariances.tolist() == [[[4.0]], [[9.0]]]
    # Variances, not deviations:
    theirs = stats.norm([1.0, 2.0], [2.0, 3.0]).logpdf([[0.0]])
    assert Gaussian().log_density(np.array([[0.0]]), params) == pytest.approx(theirs)


def test_variances_are_the_diagonals():
    params = Gaussians(np.zeros((2, 2)), [[[1.0, 0.5], [0.5, 2.0]], [[3.0, 0.0], [0.0, 4.0]]])
    assert params.variances.tolist() == [[1.0, 2.0], [3.0, 4.0]]


# Data


@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 6))
def test_whiteners_are_triangular_and_whiten(seed, d):
    x = np.random.default_rng(seed).normal(size=(20, d)) @ np.diag(np.logspace(-3, 3, d))
    covariance = x.T @ x
    gaussians = Gaussians(np.zeros((1, d)), covariance[None])
    (whitener,) = gaussians.whiteners
    assert (whitener[np.triu_indices(d, 1)] == 0).all()
    np.testing.assert_allclose(whitener @ covariance @ whitener.T, np.eye(d), atol=1e-8)


def test_numbers_become_one_column_and_vectors_stay():
    assert Gaussian().observations([1, 2]).tolist() == [[1.0], [2.0]]
    assert Gaussian().observations([[1, 2]]).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("data", [[], [[]], 1.0, [[[1.0]]]])
def test_data_of_another_shape_are_refused(data, refuses):
    with refuses(ValueError, "data: expected shape (n,) or (n, d)", f"got {np.shape(data)}"):
        Gaussian().observations(data)


def test_data_and_params_of_different_dimension_are_refused(refuses):
    with refuses(ValueError, "the data have 1 columns", "the params 2 dimensions"):
        Gaussian().log_density(np.zeros((3, 1)), Gaussians(np.zeros((1, 2)), [np.eye(2)]))


# The density


@given(seeds, dimensions)
def test_log_density_is_that_of_scipy(seed, d):
    rng = np.random.default_rng(seed)
    params, x = some_gaussians(rng, 3, d), 4 * rng.standard_normal((5, d))
    theirs = [
        stats.multivariate_normal(mean, covariance).logpdf(x)
        for mean, covariance in zip(params.means, params.covariances, strict=True)
    ]
    ours = Gaussian().log_density(x, params)
    assert ours == pytest.approx(np.column_stack(theirs), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(
    ("offset", "scale"),
    [(1e8, 1.0), (-1e8, 1.0), (0.0, 1e-150), (0.0, 1e150), (1e8, 1e-3), (0.0, 1e-6)],
)
def test_log_density_keeps_its_digits_far_from_the_origin_and_in_any_unit(offset, scale):
    rng = np.random.default_rng(2)
    x = offset + scale * rng.standard_normal((6, 2))
    mean = offset + scale * rng.standard_normal(2)
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]]) * scale**2
    ours = Gaussian().log_density(x, Gaussians([mean], [covariance]))[:, 0]
    with mpmath.workdps(50):
        exact = [float(exact_log_density(row, mean, covariance)) for row in x]
    assert ours == pytest.approx(exact, rel=1e-13)


@given(seeds, dimensions)
def test_expected_log_density_is_the_weighted_sum_of_log_densities(seed, d):
    rng = np.random.default_rng(seed)
    x, shares = rng.standard_normal((8, d)), rng.random((8, 2))
    params, near = some_gaussians(rng, 2, d), some_gaussians(rng, 2, d)
    logs = [
        stats.multivariate_normal(mean, covariance).logpdf(x)
        for mean, covariance in zip(params.means, params.covariances, strict=True)
    ]
    theirs = (shares * np.column_stack(logs)).sum()
    for anchor in (None, near):
        sums = Gaussian().expected_statistics(x, shares, anchor)
        ours = Gaussian().expected_log_density(sums, params)
        assert ours == pytest.approx(theirs, rel=1e-7)


def test_expected_log_density_keeps_its_digits_far_from_the_origin():
    rng = np.random.default_rng(3)
    x, shares = 1e8 + rng.standard_normal(40), rng.random((40, 2))
    params = Gaussians.univariate([1e8 - 0.5, 1e8 + 0.5], [1.0, 0.5])
    sums = Gaussian().expected_statistics(x[:, None], shares, params)
    with mpmath.workdps(50):
        exact = mpmath.fsum(
            mpmath.mpf(share) * exact_log_density([value], params.means[k], params.covariances[k])
            for value, row in zip(x.tolist(), shares.tolist(), strict=True)
            for k, share in enumerate(row)
        )
    assert Gaussian().expected_log_density(sums, params) == pytest.approx(float(exact), rel=1e-12)


# Moments


@given(seeds, dimensions)
def test_moments_about_other_anchors_are_those_of_the_data(seed, d):
    rng = np.random.default_rng(seed)
    x, shares = rng.standard_normal((9, d)), rng.random((9, 2))
    near = some_gaussians(rng, 2, d)
    moments = Gaussian().expected_statistics(x, shares).about(near.means)
    assert (moments.anchors == near.means).all()
    assert moments.counts == pytest.approx(shares.sum(axis=0))
    for k in (0, 1):
        centred = x - near.means[k]
        assert moments.first[k] == pytest.approx(shares[:, k] @ centred, abs=1e-11)
        second = np.einsum("n,ni,nj->ij", shares[:, k], centred, centred)
        assert moments.second[k] == pytest.approx(second, abs=1e-11)


@given(seeds, dimensions)
def test_moments_come_back_from_a_journey(seed, d):
    rng = np.random.default_rng(seed)
    moments = Gaussian().expected_statistics(rng.standard_normal((9, d)), rng.random((9, 2)))
    there = moments.about(3 * rng.standard_normal((2, d)))
    back = there.about(moments.anchors)
    assert back.first == pytest.approx(moments.first, abs=1e-11)
    assert back.second == pytest.approx(moments.second, abs=1e-10)
    assert abs(there.second - moments.second).max() > 1e-3


@given(seeds, dimensions)
def test_moments_of_parts_with_different_anchors_add_up_to_the_whole(seed, d):
    rng = np.random.default_rng(seed)
    x, shares = 2 + rng.standard_normal((12, d)), rng.random((12, 2))
    cut = int(rng.integers(1, 12))
    near = some_gaussians(rng, 2, d)
    left = Gaussian().expected_statistics(x[:cut], shares[:cut])
    right = Gaussian().expected_statistics(x[cut:], shares[cut:], near)
    both, other_way = left + right, right + left
    assert (both.anchors == left.anchors).all()
    assert (other_way.anchors == near.means).all()
    whole = Gaussian().expected_statistics(x, shares)
    for moments in (both, other_way):
        ours = moments.about(whole.anchors)
        assert ours.counts == pytest.approx(whole.counts)
        assert ours.first == pytest.approx(whole.first, abs=1e-10)
        assert ours.second == pytest.approx(whole.second, abs=1e-10)


def test_statistics_are_taken_about_the_current_means_or_the_weighted_means():
    x, shares = np.array([[1.0], [2.0], [6.0]]), np.array([[1.0, 0.5], [0.0, 1.0], [1.0, 1.0]])
    without = Gaussian().expected_statistics(x, shares)
    assert without.anchors == pytest.approx(np.array([[3.5], [3.4]]))
    near = Gaussian().expected_statistics(x, shares, Gaussians.univariate([0.0, 4.0], [1.0, 1.0]))
    assert near.anchors.tolist() == [[0.0], [4.0]]
    assert near.counts.tolist() == [2.0, 2.5]
    assert near.first.tolist() == [[7.0], [-1.5 - 2.0 + 2.0]]
    assert near.second.tolist() == [[[37.0]], [[4.5 + 4.0 + 4.0]]]


# The fit


@given(seeds, dimensions)
def test_the_fit_is_the_weighted_mean_and_covariance(seed, d):
    rng = np.random.default_rng(seed)
    x, shares = 5 + rng.standard_normal((20, d)), rng.random((20, 2))
    for near in (None, some_gaussians(rng, 2, d)):
        fit = Gaussian().from_mean(Gaussian().expected_statistics(x, shares, near))
        for k in (0, 1):
            mean, covariance = weighted_fit(x, shares[:, k])
            assert fit.means[k] == pytest.approx(mean, rel=1e-9)
            assert fit.covariances[k] == pytest.approx(
                np.atleast_2d(covariance), rel=1e-7, abs=1e-9
            )


def test_the_variance_is_that_of_maximum_likelihood():
    # Divided by n: the unbiased estimate, divided by n - 1, would be 5/3.
    fit = maximum_likelihood(Gaussian(), [1.0, 2.0, 3.0, 4.0])
    assert fit.means.item() == pytest.approx(2.5)
    assert fit.covariances.item() == pytest.approx(5 / 4)


@pytest.mark.parametrize(
    ("offset", "scale"),
    [(1e8, 1.0), (-1e8, 1.0), (1e12, 1.0), (0.0, 1e-150), (0.0, 1e150), (1.0, 1e-6)],
)
def test_the_fit_keeps_its_digits_far_from_the_origin_and_in_any_unit(offset, scale):
    x = offset + scale * np.random.default_rng(4).standard_normal(50)
    fit = maximum_likelihood(Gaussian(), x)
    with mpmath.workdps(50):
        mean, variance = exact_moments(x, np.ones(50))
    spread = float(mpmath.sqrt(variance))
    place = np.spacing(abs(offset)) if offset else 0.0
    assert fit.means.item() == pytest.approx(float(mean), abs=1e-13 * spread + place)
    # The mean itself is rounded to the numbers that there are: at 1e12 they lie 1e-4 apart.
    expected = pytest.approx(float(variance), rel=1e-12 + (place / spread) ** 2, abs=0)
    assert fit.covariances.item() == expected


def test_a_run_far_from_the_origin_is_the_run_at_the_origin():
    # Steps of 2^-20 survive an offset of 10^8 exactly, so that both data sets are the same but for it.
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.standard_normal(60), 4 + 0.5 * rng.standard_normal(40)])
    x = np.round(x * 2**20) / 2**20
    model = Mixture(Gaussian())
    runs = [
        em(
            model,
            x + offset,
            MixtureParams([0.5, 0.5], Gaussians.univariate([offset, offset + 3], [1, 1])),
        )
        for offset in (0.0, 1e8)
    ]
    assert runs[0].stopped is runs[1].stopped
    assert runs[1].log_likelihoods == pytest.approx(runs[0].log_likelihoods, rel=1e-7)
    near, far = (run.params.components for run in runs)
    assert far.means - 1e8 == pytest.approx(near.means, abs=1e-6)
    assert far.covariances == pytest.approx(near.covariances, rel=1e-5)


@pytest.mark.parametrize("power", [-498, 498])
def test_a_run_in_another_unit_is_the_run_in_the_first(power):
    # A power of two changes no digit; 2^498 is 8e149, whose squares are near the largest float.
    x, unit = load("faithful")["eruptions"], 2.0**power
    model = Mixture(Gaussian())
    plain = em(model, x, MixtureParams([0.4, 0.6], Gaussians.univariate([2.0, 4.0], [0.2, 0.2])))
    start = Gaussians.univariate([2 * unit, 4 * unit], [0.2 * unit**2, 0.2 * unit**2])
    scaled = em(model, x * unit, MixtureParams([0.4, 0.6], start))
    shift = len(x) * power * np.log(2)
    assert len(scaled.steps) == pytest.approx(len(plain.steps), abs=2)
    assert scaled.log_likelihood + shift == pytest.approx(plain.log_likelihood, rel=1e-8)
    assert scaled.params.components.means / unit == pytest.approx(
        plain.params.components.means, rel=1e-4
    )
    variances = scaled.params.components.variances / unit**2
    assert variances == pytest.approx(plain.params.components.variances, rel=1e-3)


def test_a_mean_that_is_rounded_is_no_fault_of_the_m_step():
    # At 1e8 floats lie 1.5e-8 apart: a ten-thousandth of the deviation of these data.
    for seed in range(12):
        x = 1e8 + 1e-4 * np.random.default_rng(seed).standard_normal((100, 2))
        start = MixtureParams([0.5, 0.5], Gaussians(x[:2], [1e-8 * np.eye(2)] * 2))
        em(Mixture(Gaussian()), x, start, tol=1e-14, max_steps=400)


def test_a_narrow_component_in_wide_data_keeps_its_digits():
    rng = np.random.default_rng(6)
    narrow = 1 + 1e-6 * rng.standard_normal(100)
    x = np.concatenate([rng.standard_normal(100), narrow])
    start = MixtureParams([0.5, 0.5], Gaussians.univariate([0.0, 1.0], [1.0, 1e-10]))
    model = Mixture(Gaussian())
    trace = em(model, x, start, tol=1e-13)
    shares = model.responsibilities(x, trace.steps[-2].params)
    with mpmath.workdps(50):
        mean, variance = exact_moments(x, shares[:, 1])
    assert trace.params.components.means[1].item() == pytest.approx(float(mean), abs=1e-15)
    digits = pytest.approx(float(variance), rel=1e-9, abs=0)
    assert trace.params.components.covariances[1].item() == digits
    assert 0.5e-12 < float(variance) < 1.5e-12


def test_a_grouping_with_a_narrow_group_keeps_its_digits():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.standard_normal(100), 1 + 1e-6 * rng.standard_normal(100)])
    params = Mixture(Gaussian()).from_responsibilities(x, np.repeat(np.eye(2), 100, axis=0))
    with mpmath.workdps(50):
        variance = float(exact_moments(x[100:], np.ones(100))[1])
    assert params.components.covariances[1].item() == pytest.approx(variance, rel=1e-9, abs=0)


# Collapse: the likelihood has no maximum

REMEDY = "use another start, fewer components or a prior, or drop columns that repeat each other"


def test_a_constant_column_is_refused(refuses):
    x = np.column_stack([np.arange(5.0), np.full(5, 0.1)])
    with refuses(
        ArithmeticError,
        "component 0 has collapsed",
        "rank 1 of 2",
        "5 expected observations",
        REMEDY,
    ):
        maximum_likelihood(Gaussian(), x)


def test_a_duplicated_column_is_refused(refuses):
    column = np.random.default_rng(8).standard_normal(30)
    other = np.random.default_rng(9).standard_normal(30)
    with refuses(ArithmeticError, "component 0 has collapsed", "rank 2 of 3", "unbounded", REMEDY):
        maximum_likelihood(Gaussian(), np.column_stack([column, other, 1000 * column]))


@pytest.mark.parametrize("x", [3.7, 0.0, 1e8])
def test_one_point_is_refused(x, refuses):
    with refuses(
        ArithmeticError, "component 0 has collapsed", "rank 0 of 1", "from 1 expected", REMEDY
    ):
        maximum_likelihood(Gaussian(), [x])


def test_as_many_components_as_observations_are_refused(refuses):
    data = [1.0, 2.0, 4.0]
    with refuses(
        ArithmeticError, "component 0 has collapsed", "rank 0 of 1", "from 1 expected", REMEDY
    ):
        Mixture(Gaussian()).from_responsibilities(data, np.eye(3))


def test_equal_observations_are_refused_although_their_sums_are_rounded(refuses):
    with refuses(ArithmeticError, "component 0 has collapsed", "rank 0 of 1", REMEDY):
        maximum_likelihood(Gaussian(), [0.1] * 7)


@pytest.mark.parametrize("place", [1.0, -1e8, 3e-100])
def test_a_spread_below_the_spacing_of_floats_is_none(place, refuses):
    spacing = np.spacing(abs(place))
    with refuses(ArithmeticError, "component 0 has collapsed", "rank 0 of 1", REMEDY):
        maximum_likelihood(Gaussian(), [place, place + spacing])
    fit = maximum_likelihood(Gaussian(), [place, place + 8 * spacing])
    assert fit.covariances.item() == pytest.approx(16 * spacing**2, rel=1e-6, abs=0)


def test_fewer_observations_than_dimensions_are_refused(refuses):
    x = np.random.default_rng(10).standard_normal((3, 5))
    with refuses(
        ArithmeticError, "component 0 has collapsed", "rank 2 of 5", "from 3 expected", REMEDY
    ):
        maximum_likelihood(Gaussian(), x)


def test_the_component_that_collapsed_is_named(refuses):
    x, shares = np.array([0.0, 1.0, 2.0, 7.0]), np.eye(2)[[0, 0, 0, 1]]
    with refuses(ArithmeticError, "component 1 has collapsed", "rank 0 of 1", "from 1 expected"):
        Mixture(Gaussian()).from_responsibilities(x, shares)


def test_a_run_into_a_spike_is_refused(refuses):
    data = [0.0, 1.0, 2.0, 3.0, 10.0]
    start = MixtureParams([0.5, 0.5], Gaussians.univariate([1.5, 10.0], [1.0, 1e-4]))
    with refuses(ArithmeticError, "component 1 has collapsed", "rank 0 of 1", "unbounded", REMEDY):
        em(Mixture(Gaussian()), data, start)


def test_a_component_without_data_is_refused(refuses):
    sums = Gaussian().expected_statistics(np.array([[0.0], [1.0]]), np.array([[1.0, 0.0]] * 2))
    with refuses(ArithmeticError, "component 1 has no data left"):
        Gaussian().from_mean(sums)


@pytest.mark.parametrize("spread", [1e-150, 1e-3, 1e3, 1e150])
def test_two_points_are_enough_on_the_line_in_any_unit(spread):
    fit = maximum_likelihood(Gaussian(), [-spread, spread])
    assert fit.covariances.item() == pytest.approx(spread**2, abs=0)


# Draws


def test_a_sample_has_the_covariance_of_its_component():
    n = 40_000
    params = Gaussians(
        [[0.0, 5.0], [1.0, 1.0]], [[[1.0, 0.8], [0.8, 2.0]], [[4.0, -1.0], [-1.0, 0.5]]]
    )
    hidden = np.repeat([0, 1], n)
    x = Gaussian().sample(params, hidden, np.random.default_rng(12))
    assert x.shape == (2 * n, 2)
    for k, (mean, covariance) in enumerate(zip(params.means, params.covariances, strict=True)):
        group = x[hidden == k]
        errors = np.sqrt(np.diagonal(covariance) / n)
        assert (abs(group.mean(axis=0) - mean) < 5 * errors).all()
        # Wishart: var of entry ij is (S_ii S_jj + S_ij^2) / n.
        variances = np.diagonal(covariance)
        spread = np.sqrt((np.outer(variances, variances) + covariance**2) / n)
        assert (abs(np.cov(group.T) - covariance) < 5 * spread).all()
