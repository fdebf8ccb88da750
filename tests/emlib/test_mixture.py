"""Mixtures of any family: Bayes' theorem, sums that add, shares of the data, and draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from emlib import Mixture, MixtureParams, MixtureStatistics, Weighted
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons, Sums

# The family, its params, data, and the log-density of each component by SciPy.
GAUSSIANS = Gaussians(
    [[0.0, 1.0], [3.0, -1.0]], [[[1.0, 0.3], [0.3, 2.0]], [[0.5, 0.0], [0.0, 0.1]]]
)
POISSONS = Poissons([0.7, 4.0])
BERNOULLIS = Bernoullis([[0.8, 0.6, 0.3], [0.3, 0.4, 0.9]])
CASES = pytest.mark.parametrize(
    ("family", "components", "data", "log_density"),
    [
        (
            Gaussian(),
            GAUSSIANS,
            np.array([[0.0, 0.0], [3.0, -1.0], [1.5, 0.2], [-2.0, 4.0]]),
            lambda x: np.column_stack(
                [
                    stats.multivariate_normal(*pair).logpdf(x)
                    for pair in zip(GAUSSIANS.means, GAUSSIANS.covariances, strict=True)
                ]
            ),
        ),
        (
            Poisson(),
            POISSONS,
            np.array([0, 1, 1, 3, 9]),
            lambda x: stats.poisson.logpmf(x[:, None], POISSONS.rates),
        ),
        (
            Bernoulli(),
            BERNOULLIS,
            np.array([[1, 1, 0], [0, 0, 1], [1, 0, 1]]),
            lambda x: stats.bernoulli.logpmf(x[:, None, :], BERNOULLIS.probabilities).sum(axis=2),
        ),
    ],
    ids=["Gaussian", "Poisson", "Bernoulli"],
)
WEIGHTS = np.array([0.3, 0.7])


def line(weights, means, variances) -> MixtureParams[Gaussians]:
    return MixtureParams(weights, Gaussians.univariate(means, variances))


# Params


@pytest.mark.parametrize(
    ("weights", "total"),
    [
        ([0.5, 0.6], "1.1"),
        ([1.5, -0.5], "sum 1"),
        ([[0.5, 0.5]], "[[0.5, 0.5]]"),
        ([], "sum 0"),
        (1.0, "1.0"),
    ],
)
def test_weights_that_are_no_distribution_are_refused(weights, total, refuses):
    with refuses(ValueError, "weights: expected k numbers, none below 0, with sum 1", "got", total):
        MixtureParams(weights, POISSONS)


def test_weights_within_rounding_of_sum_one_are_taken():
    assert MixtureParams([0.5, 0.5 + 1e-9], POISSONS).weights.tolist() == [0.5, 0.5 + 1e-9]
    with pytest.raises(ValueError, match=r"sum 1\.0000001"):
        MixtureParams([0.5, 0.5 + 1e-7], POISSONS)


def test_params_are_not_changed_from_outside():
    weights = np.array([0.5, 0.5])
    params = MixtureParams(weights, POISSONS)
    weights[0] = 9.0
    assert params.weights.tolist() == [0.5, 0.5]


def test_as_many_weights_as_components():
    with pytest.raises(ValueError, match="weights"):
        Mixture(Poisson()).log_density([0], MixtureParams([1.0], POISSONS))


# Bayes' theorem


@CASES
def test_log_joint_is_log_weight_plus_log_density(family, components, data, log_density):
    joint = Mixture(family).log_joint(data, MixtureParams(WEIGHTS, components))
    assert joint == pytest.approx(np.log(WEIGHTS) + log_density(data), rel=1e-12)


@CASES
def test_responsibilities_are_the_posterior(family, components, data, log_density):
    ours = Mixture(family).responsibilities(data, MixtureParams(WEIGHTS, components))
    joint = WEIGHTS * np.exp(log_density(data))
    assert ours == pytest.approx(joint / joint.sum(axis=1, keepdims=True), rel=1e-12)


@CASES
def test_log_density_is_that_of_the_weighted_sum(family, components, data, log_density):
    ours = Mixture(family).log_density(data, MixtureParams(WEIGHTS, components))
    assert ours == pytest.approx(np.log(np.exp(log_density(data)) @ WEIGHTS), rel=1e-12)


def test_the_density_of_a_mixture_has_integral_one():
    grid = np.linspace(-20, 20, 4001)
    density = np.exp(
        Mixture(Gaussian()).log_density(grid, line([0.3, 0.7], [-1.0, 2.0], [1.0, 4.0]))
    )
    assert np.trapezoid(density, grid) == pytest.approx(1.0, rel=1e-9)


def test_responsibilities_far_from_every_component_are_still_a_distribution():
    params = line([0.3, 0.7], [-1.0, 1.0], [1.0, 1.0])
    far = np.array([-1e5, 0.0, 40.0, 1e5])
    ours = Mixture(Gaussian()).responsibilities(far, params)
    # log r_1 / r_2 = log(3/7) - 2x for means -1 and 1 and variance 1.
    with np.errstate(over="ignore"):
        assert ours[:, 1] == pytest.approx(1 / (1 + np.exp(np.log(3 / 7) - 2 * far)), rel=1e-10)
    assert ours.sum(axis=1) == pytest.approx(1.0, rel=1e-15)


def test_a_component_of_weight_zero_answers_for_nothing():
    params = line([1.0, 0.0], [0.0, 0.0], [1.0, 1.0])
    mixture, x = Mixture(Gaussian()), np.array([0.0, 3.0])
    assert (mixture.log_joint(x, params)[:, 1] == -np.inf).all()
    assert mixture.responsibilities(x, params).tolist() == [[1, 0], [1, 0]]
    assert mixture.log_density(x, params) == pytest.approx(stats.norm.logpdf(x), rel=1e-14)
    # However far the others are: the weight is nothing, not next to nothing.
    far = line([1.0, 0.0], [0.0, 50.0], [1.0, 1.0])
    assert mixture.responsibilities([50.0], far).tolist() == [[1, 0]]
    assert mixture.log_density([50.0], far) == pytest.approx(stats.norm.logpdf(50.0), rel=1e-14)
    assert mixture.e_step([50.0], far).log_likelihood == pytest.approx(stats.norm.logpdf(50.0))


def test_responsibilities_sum_to_one_however_far_the_row():
    params = line([0.5, 0.5], [0.0, 0.0], [1.0, 1.0])
    for x in (3e7, 1e8, 1e9):
        assert Mixture(Gaussian()).responsibilities([x], params).tolist() == [[0.5, 0.5]]


# The E-step, and statistics that add


@CASES
def test_the_e_step_sums_evidence_and_responsibilities(family, components, data, log_density):
    ours = Mixture(family).e_step(data, MixtureParams(WEIGHTS, components))
    joint = np.log(WEIGHTS) + log_density(data)
    evidence = logsumexp(joint, axis=1)
    assert ours.log_likelihood == pytest.approx(evidence.sum(), rel=1e-12)
    assert ours.components.counts == pytest.approx(np.exp(joint - evidence[:, None]).sum(axis=0))
    assert ours.observations == pytest.approx(len(data))


@CASES
def test_the_surrogate_is_the_expected_log_joint(family, components, data, log_density):
    mixture, params = Mixture(family), MixtureParams(WEIGHTS, components)
    before = MixtureParams([0.6, 0.4], components)
    joint = np.log(WEIGHTS) + log_density(data)
    r = np.exp(np.log([0.6, 0.4]) + log_density(data))
    r /= r.sum(axis=1, keepdims=True)
    surrogate = mixture.expected_log_joint(mixture.e_step(data, before), params)
    assert surrogate == pytest.approx((r * joint).sum(), rel=1e-12)


def test_statistics_add_part_by_part():
    left = MixtureStatistics(-3.0, Sums(np.array([1.0, 2.0]), np.array([[3.0], [4.0]]), -1.0))
    right = MixtureStatistics(-0.5, Sums(np.array([0.5, 0.0]), np.array([[1.0], [0.0]]), -2.0))
    both = left + right
    assert both.log_likelihood == -3.5
    assert both.components.counts.tolist() == [1.5, 2.0]
    assert both.components.totals.tolist() == [[4.0], [4.0]]
    assert both.components.log_base == -3.0
    assert both.observations == 3.5


@given(st.integers(0, 2**32), st.integers(2, 30))
def test_statistics_of_a_random_split_add_up(seed, n):
    rng = np.random.default_rng(seed)
    mixture, params = Mixture(Gaussian()), line([0.3, 0.7], [-1.0, 2.0], [1.0, 4.0])
    data = rng.normal(0.0, 3.0, n)
    cut = rng.integers(1, n)
    whole = mixture.e_step(data, params)
    parts = mixture.e_step(data[:cut], params) + mixture.e_step(data[cut:], params)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    assert parts.observations == pytest.approx(n)
    for name in ("counts", "first", "second"):
        ours, theirs = getattr(parts.components, name), getattr(whole.components, name)
        assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-10)


# The M-step


def test_weights_are_shares_of_the_data_and_components_are_fitted_to_them():
    sums = Sums(np.array([2.0, 6.0]), np.array([[3.0], [30.0]]), 0.0)
    params = Mixture(Poisson()).m_step(MixtureStatistics(-1.0, sums))
    assert params.weights.tolist() == [0.25, 0.75]
    assert params.components.rates.tolist() == [1.5, 5.0]


def test_a_hard_grouping_gives_the_fit_of_each_group():
    data = np.array(
        [[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [9.0, 9.0], [8.0, 4.0], [8.0, 7.0], [9.0, 5.0]]
    )
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    params = Mixture(Gaussian()).from_responsibilities(data, np.eye(2)[labels])
    assert params.weights == pytest.approx([3 / 7, 4 / 7])
    for component in (0, 1):
        group = data[labels == component]
        assert params.components.means[component] == pytest.approx(group.mean(axis=0))
        covariance = np.cov(group.T, bias=True)
        assert params.components.covariances[component] == pytest.approx(covariance)


def test_a_soft_grouping_gives_weighted_fits():
    counts, shares = np.array([0, 1, 5]), np.array([[1, 0], [1, 1], [0, 2]]) / [[1], [2], [2]]
    params = Mixture(Poisson()).from_responsibilities(counts, shares)
    assert params.weights == pytest.approx([0.5, 0.5])
    assert params.components.rates == pytest.approx([0.5 / 1.5, 5.5 / 1.5])


@pytest.mark.parametrize(
    "shares",
    [np.ones((3, 2)), np.ones(3), np.array([[1, 0], [1, 0], [0.5, 0.4]])],
)
def test_groupings_that_are_no_distributions_are_refused(shares, refuses):
    with refuses(
        ValueError, "responsibilities: each row must be a distribution", "Divide each row"
    ):
        Mixture(Poisson()).from_responsibilities([0, 1, 5], shares)


def test_groupings_of_another_number_of_observations_are_refused(refuses):
    with refuses(ValueError, "responsibilities: expected shape (3, k)", "got (2, 2)"):
        Mixture(Poisson()).from_responsibilities([0, 1, 5], np.ones((2, 2)) / 2)


def test_groupings_with_an_entry_below_zero_are_refused():
    with pytest.raises(ValueError, match="responsibilities"):
        Mixture(Poisson()).from_responsibilities([1, 1, 1], [[1.2, -0.2], [0.0, 1.0], [0.0, 1.0]])


def test_a_grouping_that_leaves_a_component_empty_is_refused(refuses):
    with refuses(ArithmeticError, "component 1 has no data left", "count is 0", "fewer components"):
        Mixture(Poisson()).from_responsibilities([0, 1, 5], [[1, 0]] * 3)


def test_a_grouping_with_data_of_the_wrong_kind_is_refused_by_the_family(refuses):
    with refuses(ValueError, "data: expected counts"):
        Mixture(Poisson()).from_responsibilities([0.5], [[1.0]])


# Draws


@pytest.mark.parametrize(
    ("family", "components"),
    [(Gaussian(), GAUSSIANS), (Poisson(), POISSONS), (Bernoulli(), BERNOULLIS)],
)
def test_a_sample_has_the_shares_and_the_means_of_its_components(family, components):
    n = 20_000
    params = MixtureParams(WEIGHTS, components)
    x, hidden = Mixture(family).sample(params, n, np.random.default_rng(7))
    assert len(x) == len(hidden) == n
    # Five standard errors: an honest draw lies farther out once in two million.
    assert abs((hidden == 1).mean() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / n)
    means = next(iter(vars(components).values())).reshape(2, -1)
    for component in (0, 1):
        group = x[hidden == component]
        error = group.std(axis=0) / np.sqrt(len(group))
        assert (abs(group.mean(axis=0) - means[component]) < 5 * error).all()
    assert family.observations(x) == pytest.approx(x)


def test_a_sample_is_repeated_by_its_seed_alone():
    draws = [
        Mixture(Poisson()).sample(
            MixtureParams(WEIGHTS, POISSONS), 50, np.random.default_rng(seed)
        )[0]
        for seed in (3, 3, 4)
    ]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


def test_a_component_of_weight_zero_is_never_drawn():
    params = MixtureParams([0.0, 1.0], POISSONS)
    assert set(Mixture(Poisson()).sample(params, 500, np.random.default_rng(1))[1]) == {1}


@pytest.mark.parametrize("weights", [[1.0, -1.0, 1.0], [1.0, 2.0], [0.0, 0.0, 0.0]])
def test_a_start_from_a_grouping_looks_at_its_weights(weights):
    with pytest.raises(ValueError, match="weights: expected 3 numbers"):
        Mixture(Gaussian()).from_responsibilities(
            Weighted([0.0, 1.0, 5.0], weights), [[1, 0], [1, 0], [0, 1]]
        )
