"""SQUAREM: it jumps where EM crawls, never falls, and is plain EM where no jump succeeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emlib import AscentError, Mixture, MixtureParams, em, em_steps
from emlib.charts import Chart, chart
from emlib.data import Weighted
from emlib.datasets import load
from emlib.families import Gaussian, Poisson, Poissons
from emlib.numbers import rate
from emlib.variants.map import MaximumPosterior
from emlib.variants.priors import MixturePrior, fraley_raftery
from emlib.variants.squarem import squarem_steps

TABLE = load("deaths")
DEATHS = Weighted(TABLE["deaths"], TABLE["days"])
START = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))
# As they are printed: the second weight, the second and the first rate, and minus the log-likelihood.
WEIGHT, SECOND, FIRST, *_, HEIGHT = (float(one.published.value) for one in rate.deaths())
FAITHFUL = load("faithful").matrix()


@dataclass(frozen=True)
class Counted(Mixture):
    calls: list[int] = field(default_factory=lambda: [0])

    def e_step(self, data, params):
        self.calls[0] += 1
        return super().e_step(data, params)


def test_deaths_in_a_hundred_e_steps_where_em_needs_thousands():
    fast, slow = Counted(Poisson()), Counted(Poisson())
    trace = em(fast, DEATHS, START, tol=1e-14, steps=squarem_steps)
    assert -trace.log_likelihood == pytest.approx(HEIGHT, abs=5e-6)
    assert trace.params.weights[1] == pytest.approx(WEIGHT, abs=2e-6)
    assert trace.params.components.rates == pytest.approx([FIRST, SECOND], abs=5e-6)
    assert fast.calls[0] < 200
    # EM to the same distance, by the digits of the weight.
    for step in em_steps(slow, DEATHS, START):
        if abs(step.params.weights[1] - WEIGHT) < abs(trace.params.weights[1] - WEIGHT):
            break
        assert slow.calls[0] < 10_000
    assert slow.calls[0] > 10 * fast.calls[0]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_no_step_falls_and_the_end_is_a_fixed_point_of_em(seed):
    plain = Mixture(Gaussian())
    # With a prior, so that no component collapses, whatever the start.
    model = MaximumPosterior(plain, MixturePrior(fraley_raftery(FAITHFUL, 3)))
    shares = np.random.default_rng(seed).dirichlet(np.full(3, 0.5), size=len(FAITHFUL))
    start = plain.from_responsibilities(FAITHFUL, shares)
    trace = em(model, FAITHFUL, start, tol=1e-13, max_steps=400, steps=squarem_steps)
    assert (np.diff(trace.log_likelihoods) >= -1e-9).all()
    again = model.e_step(FAITHFUL, model.m_step(trace.last.stats))
    assert again.log_likelihood - trace.log_likelihood < 1e-6


def every_second_step(number: int) -> list[MixtureParams]:
    """Every second place of EM, which is where SQUAREM without its jumps stands."""
    steps = em_steps(Mixture(Poisson()), DEATHS, START)
    return [step.params for step in islice(steps, 0, 2 * number, 2)]


def jumping_to(place: MixtureParams) -> Chart:
    return Chart(chart(START).to_vector, lambda _: place)


def impossible(_):
    raise ValueError("no such params")


@pytest.mark.parametrize(
    "nowhere",
    [
        Chart(chart(START).to_vector, impossible),
        jumping_to(MixtureParams([0.5, 0.5], Poissons([500.0, 800.0]))),
        jumping_to(MixtureParams([0.5, 0.5], Poissons([2.1, 2.1]))),
    ],
    ids=["illegal", "component without data", "worse"],
)
def test_a_jump_that_fails_leaves_plain_em(nowhere):
    steps = squarem_steps(Mixture(Poisson()), DEATHS, START, chart_of_params=nowhere)
    taken = [step.params for step in islice(steps, 5)]
    for ours, theirs in zip(taken, every_second_step(5), strict=True):
        assert ours.weights == pytest.approx(theirs.weights, rel=1e-12)
        assert ours.components.rates == pytest.approx(theirs.components.rates, rel=1e-12)


def test_where_the_error_shrinks_by_one_factor_the_jump_hits_the_limit():
    @dataclass(frozen=True)
    class Halfway:
        """log p = -(theta - 5)^2, and an M-step that goes a third of the way."""

        def e_step(self, data, params):
            return Tally(-((params - 5.0) ** 2), 1.0, params)

        def m_step(self, stats):
            return stats.place + (5.0 - stats.place) / 3

        def expected_log_joint(self, stats, params):
            return -((params - 5.0) ** 2) - 1.0

    @dataclass(frozen=True)
    class Tally:
        log_likelihood: float
        observations: float
        place: float

    line = Chart(lambda params: np.array([params]), lambda vector: float(vector[0]))
    steps = squarem_steps(Halfway(), None, 0.0, chart_of_params=line)
    assert [step.params for step in islice(steps, 2)] == pytest.approx([0.0, 5.0], abs=1e-12)


def test_a_wrong_m_step_is_found_out():
    class Shrunk(Mixture):
        def m_step(self, stats):
            params = super().m_step(stats)
            return MixtureParams(params.weights, Poissons(0.7 * params.components.rates))

    with pytest.raises(AscentError):
        list(islice(squarem_steps(Shrunk(Poisson()), DEATHS, START), 5))


def test_a_chart_is_asked_for_where_there_is_none(refuses):
    with refuses(ValueError, "no chart for float", "register"):
        next(squarem_steps(Mixture(Poisson()), DEATHS, 0.5))


def test_other_charts_reach_the_same_limit():
    # The params as they are, not their logarithms.
    raw = Chart(
        lambda params: np.append(params.weights[0], params.components.rates),
        lambda vector: MixtureParams([vector[0], 1 - vector[0]], Poissons(vector[1:])),
    )
    steps = partial(squarem_steps, chart_of_params=raw)
    trace = em(Mixture(Poisson()), DEATHS, START, tol=1e-14, steps=steps)
    assert -trace.log_likelihood == pytest.approx(HEIGHT, abs=1e-9)
