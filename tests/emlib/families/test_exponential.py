"""Exponential durations against SciPy and the laws of EM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from test_laws import LAWS, StretchedMStep
from zoo import Case, around_positive

from emlib import AscentError, Mixture, MixtureParams, em
from emlib.arrays import log_sum_exp
from emlib.families import maximum_likelihood
from emlib.families.exponential import Exponential, Exponentials

FAMILY = Exponential()


@pytest.mark.parametrize("wrong", [[0.0], [-1.0, 1.0], [[1.0]], 2.0])
def test_rates_not_above_zero_are_refused(wrong, refuses):
    with refuses(ValueError, "rates: expected k numbers above 0", f"got {wrong}"):
        Exponentials(wrong)


def test_rates_are_finite(refuses):
    with refuses(ValueError, "rates: 1 of 1 values are not finite"):
        Exponentials([np.nan])


@pytest.mark.parametrize("data", [[0, 3], [[0], [3]], (0.0, 3.0)])
def test_durations_become_one_column(data):
    assert FAMILY.observations(data).tolist() == [[0.0], [3.0]]


def test_data_of_another_shape_and_negative_ones_are_refused(refuses):
    with refuses(ValueError, "data: expected durations of shape (n,) or (n, 1)", "got (1, 2)"):
        FAMILY.observations([[1.0, 2.0]])
    with refuses(ValueError, "data: expected durations, 0 or more, found -2"):
        FAMILY.observations([1.0, -2.0])
    with refuses(ValueError, "data: 1 of 2 values are not finite"):
        FAMILY.observations([1.0, np.inf])


@given(st.integers(0, 2**32), st.sampled_from([1e-100, 1.0, 1e100]))
def test_log_density_is_that_of_scipy(seed, unit):
    rng = np.random.default_rng(seed)
    x, rates = unit * rng.exponential(size=(6, 1)), rng.uniform(0.01, 100, 3) / unit
    theirs = stats.expon.logpdf(x, scale=1 / rates)
    assert FAMILY.log_density(x, Exponentials(rates)) == pytest.approx(theirs, rel=1e-10)


@given(st.integers(0, 2**32))
def test_expected_log_density_is_the_weighted_sum_of_log_densities(seed):
    rng = np.random.default_rng(seed)
    x, shares, rates = rng.exponential(size=(7, 1)), rng.random((7, 2)), rng.uniform(0.1, 10, 2)
    ours = FAMILY.expected_log_density(FAMILY.expected_statistics(x, shares), Exponentials(rates))
    theirs = (shares * stats.expon.logpdf(x, scale=1 / rates)).sum()
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_the_rate_is_the_inverse_of_the_weighted_mean():
    x, shares = np.array([[1.0], [3.0], [8.0]]), np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.5]])
    fitted = FAMILY.from_mean(FAMILY.expected_statistics(x, shares))
    assert fitted.rates == pytest.approx([1 / 2, 2 / 13.5])
    assert maximum_likelihood(FAMILY, x).rates == pytest.approx([1 / 4])


def test_durations_of_zero_alone_and_no_durations_are_refused(refuses):
    with refuses(ArithmeticError, "component 0 has collapsed: its mean duration is 0", "from 2"):
        maximum_likelihood(FAMILY, [0.0, 0.0])
    empty = FAMILY.expected_statistics(np.array([[1.0]]), np.array([[1.0, 0.0]]))
    with refuses(ArithmeticError, "component 1 has no data left"):
        FAMILY.from_mean(empty)


def test_a_sample_follows_the_distribution_of_its_component():
    params, hidden = Exponentials([0.2, 5.0]), np.repeat([0, 1], 5000)
    x = FAMILY.sample(params, hidden, np.random.default_rng(1))
    assert x.shape == (10_000, 1)
    for k, rate in enumerate(params.rates):
        assert stats.kstest(x[hidden == k, 0], stats.expon(scale=1 / rate).cdf).pvalue > 1e-4
        assert stats.kstest(x[hidden == k, 0], stats.expon(scale=2 / rate).cdf).pvalue < 1e-4
    assert FAMILY.free_parameters(params) == 2


def test_a_mixture_of_two_ends_where_a_general_minimiser_ends():
    x = durations()

    def loss(v: np.ndarray) -> float:
        logs = np.column_stack(
            [np.log(w) + stats.expon.logpdf(x[:, 0], scale=np.exp(s))
             for w, s in ((1 / (1 + np.exp(-v[0])), v[1]), (1 / (1 + np.exp(v[0])), v[2]))]
        )  # fmt: skip
        return -float(log_sum_exp(logs).sum())

    best = optimize.minimize(loss, [0.0, -1.0, 2.0], method="BFGS", options={"gtol": 1e-6})
    trace = em(Mixture(FAMILY), x, MixtureParams([0.5, 0.5], Exponentials([3.0, 0.1])), tol=1e-14)
    assert trace.log_likelihood == pytest.approx(-best.fun, abs=1e-7)
    assert np.log(trace.params.components.rates) == pytest.approx(-best.x[1:], abs=1e-4)


# ---- the laws ----------------------------------------------------------------------------------------


def durations() -> np.ndarray:
    truth = MixtureParams([0.5, 0.5], Exponentials([2.0, 0.1]))
    return Mixture(FAMILY).sample(truth, 150, np.random.default_rng(6))[0]


CASE = Case(
    "exponential",
    Mixture(FAMILY),
    durations(),
    2,
    around_positive("rates", Exponentials),
    lambda x, c, k: stats.expon.logpdf(x[:, 0], scale=1 / c.rates[k]),
    lambda c: Exponentials(1.5 * c.rates),
)


class Rushed(Mixture):
    """The M-step is off by a factor."""

    def m_step(self, stats):
        params = super().m_step(stats)
        return replace(params, components=CASE.spoilt(params.components))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law, seed):
    law(CASE, seed)


@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law, twin):
    broken = (Rushed if twin is StretchedMStep else twin)(FAMILY)
    with pytest.raises((AssertionError, AscentError)):
        law(replace(CASE, model=broken), 2)
