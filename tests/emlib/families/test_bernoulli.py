"""Yes and no, column by column, against SciPy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emlib.families import Bernoulli, Bernoullis, maximum_likelihood


@pytest.mark.parametrize("wrong", [[[0.5, 1.5]], [[-0.1]], [0.5], 0.5])
def test_what_is_no_probability_is_refused(wrong, refuses):
    with refuses(
        ValueError, "probabilities: expected shape (k, d), each in [0, 1]", f"got {wrong}"
    ):
        Bernoullis(wrong)


def test_probabilities_are_finite_floats_and_a_copy(refuses):
    chances = np.array([[0, 1]])
    params = Bernoullis(chances)
    chances[0] = 7
    assert params.probabilities.tolist() == [[0.0, 1.0]]
    with refuses(ValueError, "probabilities: 1 of 1 values are not finite"):
        Bernoullis([[np.nan]])


def test_one_column_may_be_given_flat():
    assert Bernoulli().observations([True, False]).tolist() == [[1.0], [0.0]]
    assert Bernoulli().observations([[1, 0]]).tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("data", [[], [[]], 1, [[[1]]]])
def test_data_of_another_shape_are_refused(data, refuses):
    with refuses(ValueError, "data: expected shape (n,) or (n, d)", f"got {np.shape(data)}"):
        Bernoulli().observations(data)


@pytest.mark.parametrize("data", [[0, 2], [0.5], [-1]])
def test_values_other_than_zero_and_one_are_refused(data, refuses):
    with refuses(ValueError, "data: expected zeros and ones only", "threshold or recode"):
        Bernoulli().observations(data)


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_log_density_is_that_of_scipy(seed, d):
    rng = np.random.default_rng(seed)
    x, params = (
        rng.integers(0, 2, (6, d)).astype(float),
        Bernoullis(rng.uniform(0.001, 0.999, (3, d))),
    )
    theirs = stats.bernoulli.logpmf(x[:, None, :], params.probabilities).sum(axis=2)
    assert Bernoulli().log_density(x, params) == pytest.approx(theirs, rel=1e-10, abs=1e-12)


def test_the_density_sums_to_one_over_all_rows():
    params = Bernoullis([[0.2, 0.9, 0.5], [1.0, 0.0, 0.3]])
    rows = np.array(list(product([0.0, 1.0], repeat=3)))
    assert np.exp(Bernoulli().log_density(rows, params)).sum(axis=0) == pytest.approx([1.0, 1.0])


def test_certainty_excludes_the_other_value():
    logs = Bernoulli().log_density(np.array([[0.0], [1.0]]), Bernoullis([[0.0], [1.0]]))
    assert logs.tolist() == [[0.0, -np.inf], [-np.inf, 0.0]]


@given(st.integers(0, 2**32))
def test_expected_log_density_is_the_weighted_sum_of_log_densities(seed):
    rng = np.random.default_rng(seed)
    x, shares = rng.integers(0, 2, (7, 3)).astype(float), rng.random((7, 2))
    params = Bernoullis(rng.uniform(0.05, 0.95, (2, 3)))
    ours = Bernoulli().expected_log_density(Bernoulli().expected_statistics(x, shares), params)
    logs = stats.bernoulli.logpmf(x[:, None, :], params.probabilities).sum(axis=2)
    assert ours == pytest.approx((shares * logs).sum(), rel=1e-12)


def test_the_probability_is_the_weighted_fraction_of_ones():
    x = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    shares = np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0]])
    params = Bernoulli().from_mean(Bernoulli().expected_statistics(x, shares))
    assert params.probabilities == pytest.approx(np.array([[1 / 2, 0.0], [2 / 3, 2 / 3]]))
    assert maximum_likelihood(Bernoulli(), x).probabilities == pytest.approx(
        np.array([[2 / 3, 1 / 3]])
    )


def test_rounding_does_not_push_a_probability_over_one():
    # Sums of thirds: the total of the ones may come out above the count by a last place.
    x, shares = np.ones((9, 1)), np.full((9, 1), 0.1)
    stats = Bernoulli().expected_statistics(x, shares)
    above = type(stats)(stats.counts, np.nextafter(stats.counts[:, None], 2.0), 0.0)
    assert Bernoulli().from_mean(above).probabilities.tolist() == [[1.0]]


def test_a_component_without_data_is_refused(refuses):
    stats = Bernoulli().expected_statistics(np.array([[1.0]]), np.array([[0.0, 1.0]]))
    with refuses(ArithmeticError, "component 0 has no data left"):
        Bernoulli().from_mean(stats)


def test_a_sample_has_the_chances_of_its_component_and_independent_columns():
    n, params = 20_000, Bernoullis([[0.1, 0.5], [1.0, 0.7]])
    hidden = np.repeat([0, 1], n)
    x = Bernoulli().sample(params, hidden, np.random.default_rng(11))
    assert x.shape == (2 * n, 2)
    for component, chances in enumerate(params.probabilities):
        fractions = x[hidden == component].mean(axis=0)
        assert (abs(fractions - chances) <= 5 * np.sqrt(chances * (1 - chances) / n)).all()
    # Independent: the fraction of rows with both is the product, 0.05.
    both = x[hidden == 0].all(axis=1).mean()
    assert abs(both - 0.05) < 5 * np.sqrt(0.05 * 0.95 / n)
