"""Aitken's look ahead: exact on geometric gains, honest about rounding, and nearer to the limit of a crawl."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from emlib import Mixture, MixtureParams, Stopped, em
from emlib.data import Weighted
from emlib.datasets import load
from emlib.families import Poisson, Poissons
from emlib.numbers import rate
from emlib.variants.aitken import aitken

DEATHS = Weighted(load("deaths")["deaths"], load("deaths")["days"])
START = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))


def steps(*values: float) -> list[SimpleNamespace]:
    return [SimpleNamespace(log_likelihood=value) for value in values]


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.99])
def test_of_geometric_gains_the_rest_is_foretold_exactly(factor):
    gains = 3.0 * factor ** np.arange(4)
    values = -100 + np.cumsum(gains)
    limit = -100 + 3.0 / (1 - factor)
    assert aitken(steps(*values)) == pytest.approx(limit - values[-1], rel=1e-9)


def test_before_three_steps_nothing_is_foretold():
    assert aitken(steps(-10.0, -9.0)) == math.inf


@pytest.mark.parametrize("values", [(-10.0, -9.0, -8.0), (-10.0, -9.5, -8.0), (-10.0, -10.0, -9.0)])
def test_gains_that_do_not_shrink_have_no_limit(values):
    assert aitken(steps(*values)) == math.inf


def test_gains_lost_in_rounding_foretell_nothing():
    place = float(np.spacing(1000.0))
    assert math.isnan(aitken(steps(-1000.0, -1000.0, -1000.0)))
    assert math.isnan(aitken(steps(-1000.0, -1000.0 + 5 * place, -1000.0 + 6 * place)))


def test_within_rounding_the_worst_is_assumed():
    # Gains of 1000 and 500 units in the last place: a half, give or take; never less than what is left.
    place = float(np.spacing(1000.0))
    left = aitken(steps(-1000.0, -1000.0 + 1000 * place, -1000.0 + 1500 * place))
    assert 500 * place < left < 600 * place


def test_deaths_come_within_a_millionth_of_the_limit_where_the_plain_rule_stops_early():
    weight, *_, height = (float(one.published.value) for one in rate.deaths())
    tol = 1e-6 / 1096
    plain = em(Mixture(Poisson()), DEATHS, START, tol=tol)
    ahead = em(Mixture(Poisson()), DEATHS, START, tol=tol, remaining=aitken)
    assert plain.converged
    assert ahead.converged
    assert -height - plain.log_likelihood > 5e-5
    assert abs(-height - ahead.log_likelihood) < 1e-6
    assert plain.params.weights[0] == pytest.approx(0.35745, abs=5e-4)
    assert ahead.params.weights[1] == pytest.approx(weight, abs=3e-4)


def test_what_the_digits_of_a_float_cannot_show_is_not_called_converged():
    trace = em(Mixture(Poisson()), DEATHS, START, tol=1e-16, remaining=aitken)
    assert trace.stopped is Stopped.ROUNDING
    assert not trace.converged
