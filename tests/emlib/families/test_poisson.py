"""Poisson counts against SciPy and mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emlib.families import Poisson, Poissons, maximum_likelihood

rates = st.floats(1e-3, 1e3)


@pytest.mark.parametrize("wrong", [[-1.0, 2.0], [[1.0]], 3.0])
def test_rates_below_zero_or_of_another_shape_are_refused(wrong, refuses):
    with refuses(ValueError, "rates: expected k numbers, none below 0", f"got {wrong}"):
        Poissons(wrong)


def test_rates_are_finite_floats_and_a_copy(refuses):
    given_rates = np.array([1, 2])
    params = Poissons(given_rates)
    given_rates[0] = 9
    assert params.rates.tolist() == [1.0, 2.0]
    with refuses(ValueError, "rates: 1 of 2 values are not finite", "index (1,)"):
        Poissons([1.0, np.inf])


@pytest.mark.parametrize("data", [[0, 3], [[0], [3]], (0.0, 3.0)])
def test_counts_become_one_column(data):
    assert Poisson().observations(data).tolist() == [[0.0], [3.0]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([[1, 2]], "counts of shape (n,) or (n, 1)"),
        *((bad, "shape (n,)") for bad in ([], 3, [[[1]]])),
    ],
)
def test_data_of_another_shape_are_refused(data, expected, refuses):
    with refuses(ValueError, f"data: expected {expected}", f"got {np.shape(data)}"):
        Poisson().observations(data)


@pytest.mark.parametrize("data", [[0, -1], [0.5]])
def test_values_that_are_no_counts_are_refused(data, refuses):
    with refuses(ValueError, "data: expected counts 0, 1, 2, ...", "negative or fractional"):
        Poisson().observations(data)


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=20), st.lists(rates, min_size=1, max_size=4)
)
def test_log_density_is_that_of_scipy(counts, rates):
    x = Poisson().observations(counts)
    theirs = stats.poisson.logpmf(x, np.array(rates))
    assert Poisson().log_density(x, Poissons(rates)) == pytest.approx(theirs, rel=1e-10, abs=1e-10)


def test_log_density_keeps_its_digits_among_large_factorials():
    count, rate = 100_000, 99_500.5
    with mpmath.workdps(50):
        exact = count * mpmath.log(mpmath.mpf(rate)) - mpmath.mpf(rate) - mpmath.loggamma(count + 1)
    # The three terms are near a million nats: a part in 1e12 of one of them is 1e-6.
    assert Poisson().log_density(np.array([[float(count)]]), Poissons([rate])) == pytest.approx(
        float(exact), abs=1e-6
    )


def test_a_rate_of_zero_allows_zero_alone():
    logs = Poisson().log_density(np.array([[0.0], [1.0]]), Poissons([0.0]))
    assert logs.ravel().tolist() == stats.poisson.logpmf([0, 1], 0.0).tolist() == [0.0, -np.inf]


def test_the_log_base_measure_is_that_of_the_factorial():
    logs = Poisson().log_base(np.array([[0.0], [1.0], [2.0], [5.0]]))
    assert logs == pytest.approx(-np.log([1, 1, 2, 120]))


@given(st.integers(0, 2**32))
def test_expected_log_density_is_the_weighted_sum_of_log_densities(seed):
    rng = np.random.default_rng(seed)
    x, shares = rng.poisson(4.0, (7, 1)).astype(float), rng.random((7, 2))
    params = Poissons(rng.uniform(0.5, 9.0, 2))
    ours = Poisson().expected_log_density(Poisson().expected_statistics(x, shares), params)
    assert ours == pytest.approx((shares * stats.poisson.logpmf(x, params.rates)).sum(), rel=1e-12)


def test_the_rate_is_the_weighted_mean_count():
    x, shares = np.array([[0.0], [3.0], [6.0]]), np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0]])
    params = Poisson().from_mean(Poisson().expected_statistics(x, shares))
    assert params.rates == pytest.approx([1.5, 5.0])
    assert maximum_likelihood(Poisson(), x).rates == pytest.approx([3.0])


def test_a_component_of_zeros_has_rate_zero():
    assert maximum_likelihood(Poisson(), [0, 0]).rates.tolist() == [0.0]


def test_a_component_without_data_is_refused(refuses):
    stats = Poisson().expected_statistics(np.array([[1.0]]), np.array([[1.0, 0.0]]))
    with refuses(ArithmeticError, "component 1 has no data left"):
        Poisson().from_mean(stats)


def test_a_sample_has_mean_and_variance_of_its_component():
    n, params = 20_000, Poissons([0.5, 9.0])
    hidden = np.repeat([0, 1], n)
    x = Poisson().sample(params, hidden, np.random.default_rng(5))
    assert x.shape == (2 * n, 1)
    for component, rate in enumerate(params.rates):
        group = x[hidden == component]
        assert abs(group.mean() - rate) < 5 * np.sqrt(rate / n)
        # The variance of a Poisson's sample variance is (rate + 2 rate^2) / n, to first order.
        assert abs(group.var() - rate) < 5 * np.sqrt((rate + 2 * rate**2) / n)
