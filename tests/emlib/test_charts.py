"""Charts: there and back, without constraints, and with no coordinate too many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emlib import Mixture, MixtureParams
from emlib.charts import chart
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons

CASES = [
    (Mixture(Poisson()), MixtureParams([0.2, 0.5, 0.3], Poissons([0.5, 2.0, 30.0]))),
    (Mixture(Bernoulli()), MixtureParams([0.6, 0.4], Bernoullis([[0.1, 0.9], [0.4, 1e-6]]))),
    (
        Mixture(Gaussian()),
        MixtureParams(
            [0.7, 0.3],
            Gaussians(
                [[0.0, 1.0, -4.0], [1e3, 2.0, 0.0]],
                [np.diag([1.0, 1e-6, 1e6]), [[2, 0.5, 0.1], [0.5, 1, -0.3], [0.1, -0.3, 0.4]]],
            ),
        ),
    ),
]
NAMES = ["poisson", "bernoulli", "gaussian"]
EVERY_CASE = pytest.mark.parametrize("params", [params for _, params in CASES], ids=NAMES)


def numbers(params):
    return np.concatenate(
        [params.weights, *(np.ravel(value) for value in vars(params.components).values())]
    )


@EVERY_CASE
def test_there_and_back(params):
    here = chart(params)
    back = here.from_vector(here.to_vector(params))
    assert numbers(back) == pytest.approx(numbers(params), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("model", "params"), CASES, ids=NAMES)
def test_a_coordinate_for_each_free_parameter(model, params):
    assert chart(params).to_vector(params).shape == (model.free_parameters(params),)


@EVERY_CASE
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-3, 0.1, 1.0]))
def test_every_vector_is_legal_and_comes_back(params, seed, scale):
    here = chart(params)
    vector = here.to_vector(params)
    vector = vector + scale * np.random.default_rng(seed).standard_normal(len(vector))
    again = here.to_vector(here.from_vector(vector))
    # Logits of probabilities near 1 keep fewer digits.
    assert again == pytest.approx(vector, rel=1e-6, abs=1e-6)


def test_probabilities_of_zero_and_one_have_coordinates():
    params = Bernoullis([[0.0, 1.0]])
    here = chart(params)
    vector = here.to_vector(params)
    assert np.isfinite(vector).all()
    assert here.from_vector(vector).probabilities == pytest.approx(params.probabilities, abs=1e-300)


def test_coordinates_of_one_component_are_what_they_are_called():
    params = MixtureParams([0.25, 0.75], Gaussians.univariate([1.0, 2.0], [4.0, 9.0]))
    expected = [np.log(1 / 3), 1.0, 2.0, np.log(2), np.log(3)]
    assert chart(params).to_vector(params) == pytest.approx(expected, rel=1e-14)


def test_a_kind_without_a_chart_is_named(refuses):
    with refuses(ValueError, "no chart for dict", "register"):
        chart({"rate": 2.0})
