"""Zero inflation against statsmodels, brute force and the laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_laws import LAWS, Trial, twin
from scipy import stats
from statsmodels.discrete.count_model import ZeroInflatedPoisson

from emlib import AscentError, Mixture, MixtureParams, em
from emlib.data import Weighted
from emlib.datasets import load
from emlib.families import Bernoulli, Bernoullis, Poisson, Poissons
from emlib.models.zero_inflated import ZeroInflated

WIDOWS = load("widows_children")
COUNTED = Weighted(WIDOWS["children"], WIDOWS["widows"])
CHILDREN = WIDOWS.repeated("children", times="widows")
MODEL = Mixture(ZeroInflated(Poisson()))
# Two Poissons that can be told apart, so that EM comes to rest.
SAMPLE, _ = MODEL.sample(
    MixtureParams([0.3, 0.4, 0.3], Poissons([1.5, 9.0])), 300, np.random.default_rng(8)
)
START = MixtureParams([0.75, 0.25], Poissons([0.4]))


def random_start(seed: int) -> MixtureParams:
    rng = np.random.default_rng(seed)
    return MixtureParams(
        rng.dirichlet([2.0, 2.0, 2.0]), Poissons(rng.uniform([0.5, 4.0], [4.0, 12.0]))
    )


def by_scipy(x: np.ndarray, params: MixtureParams) -> float:
    certain, *others = params.weights
    poissons = stats.poisson(params.components.rates).pmf(x[0])
    return float(certain * (x[0] == 0) + np.dot(others, poissons))


def renamed(data: np.ndarray, params: MixtureParams) -> tuple[np.ndarray, MixtureParams]:
    """The two Poissons change names; the point mass keeps its own."""
    return data, MixtureParams(params.weights[[0, 2, 1]], Poissons(params.components.rates[::-1]))


TRIAL = Trial(
    "zero-inflated",
    MODEL,
    SAMPLE,
    random_start,
    by_scipy,
    renamed,
    twin(
        MODEL,
        _log_joint=lambda model, x, params: model._log_joint(x, params) + np.array([0, 0.4, 0]),
    ),
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law, seed):
    law(TRIAL, seed)


@pytest.mark.parametrize(("law", "broken"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law, broken):
    with pytest.raises((AssertionError, AscentError)):
        law(replace(TRIAL, model=broken(TRIAL)), 2)


def test_the_fit_is_that_of_statsmodels():
    ours = em(MODEL, COUNTED, START, tol=1e-16)
    ones = np.ones((len(CHILDREN), 1))
    theirs = ZeroInflatedPoisson(CHILDREN, ones, exog_infl=ones).fit(
        method="bfgs", start_params=[0.5, 0.0], gtol=1e-9, maxiter=500, disp=0
    )
    log_odds, log_rate = theirs.params
    assert ours.params.weights[0] == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-7)
    assert ours.params.components.rates == pytest.approx([np.exp(log_rate)], abs=1e-7)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)


def test_the_fit_meets_the_mean_and_the_zeros():
    # At the maximum, the model's mean and its share of zeros are those of the data (Lambert, 1992, section 2).
    params = em(MODEL, COUNTED, START, tol=1e-16).params
    (rate,) = params.components.rates
    assert params.weights[1] * rate == pytest.approx(CHILDREN.mean(), rel=1e-7)
    zeros = params.weights[0] + params.weights[1] * np.exp(-rate)
    assert zeros == pytest.approx((CHILDREN == 0).mean(), rel=1e-7)


def test_a_count_above_zero_is_surely_no_certain_zero():
    shares = MODEL.responsibilities([0, 1, 5], MixtureParams([0.9, 0.1], Poissons([0.01])))
    assert shares[1:].tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert shares[0, 0] == pytest.approx(0.9 / (0.9 + 0.1 * np.exp(-0.01)))


def test_a_row_is_zero_when_all_of_it_is():
    params = MixtureParams([0.3, 0.7], Bernoullis([[0.2, 0.4]]))
    logs = Mixture(ZeroInflated(Bernoulli())).log_density([[0, 0], [0, 1]], params)
    assert np.exp(logs) == pytest.approx([0.3 + 0.7 * 0.8 * 0.6, 0.7 * 0.8 * 0.4])


def test_a_sample_has_its_zeros_and_its_mean():
    n, params = 40_000, MixtureParams([0.3, 0.5, 0.2], Poissons([1.0, 6.0]))
    x, hidden = MODEL.sample(params, n, np.random.default_rng(3))
    assert x.shape == (n, 1)
    assert (x[hidden == 0] == 0).all()
    for component, rate in ((1, 1.0), (2, 6.0)):
        group = x[hidden == component]
        assert abs(group.mean() - rate) < 5 * np.sqrt(rate / len(group))
    shares = np.bincount(hidden) / n
    assert (abs(shares - params.weights) < 5 * np.sqrt(0.25 / n)).all()


def test_the_free_parameters_are_the_weights_and_the_rates():
    assert MODEL.free_parameters(START) == 2
    assert MODEL.free_parameters(random_start(1)) == 4


def test_data_that_the_family_refuses_are_refused(refuses):
    with refuses(ValueError, "data: expected counts 0, 1, 2, ..."):
        MODEL.e_step([0, 1.5], START)


def test_weights_for_another_number_of_components_are_refused(refuses):
    with refuses(ValueError, "there are 1 weights for 2 components"):
        MODEL.e_step([0, 1], MixtureParams([1.0], Poissons([2.0])))
