"""The loop: what a step holds, when a run ends, and what it refuses to pass over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.special import entr, logsumexp, rel_entr

from emlib import AscentError, Mixture, MixtureParams, Stopped, em, em_steps
from emlib.datasets import load
from emlib.em import last_gain
from emlib.families import Bernoulli, Bernoullis, Gaussian, Gaussians, Poisson, Poissons


@dataclass(frozen=True)
class Tally:
    log_likelihood: float
    observations: float
    place: int


@dataclass(frozen=True)
class Scripted:
    """A model that reads its log-likelihoods from a list. Its params are a place in the list; H(q) is 1/4 everywhere.

    `bounds` holds the free energy that an M-step reaches on arrival at each place: by default there is no gap.
    """

    log_likelihoods: tuple[float, ...]
    bounds: tuple[float, ...] | None = None
    observations: float = 1.0

    def e_step(self, data: None, params: int) -> Tally:
        return Tally(self.log_likelihoods[params], self.observations, params)

    def m_step(self, stats: Tally) -> int:
        return stats.place + 1

    def expected_log_joint(self, stats: Tally, params: int) -> float:
        arrived = params == stats.place
        bounds = self.log_likelihoods if arrived or self.bounds is None else self.bounds
        return bounds[params] - 0.25


def waiting_start() -> MixtureParams[Gaussians]:
    return MixtureParams([0.5, 0.5], Gaussians.univariate([50.0, 80.0], [25.0, 25.0]))


class GaussianCase:
    model = Mixture(Gaussian())
    data = load("faithful").matrix()
    start = MixtureParams(
        [0.5, 0.5], Gaussians([[2.0, 55.0], [4.3, 80.0]], [[[0.1, 0.0], [0.0, 30.0]]] * 2)
    )

    @staticmethod
    def log_joint(x, params):
        components = zip(params.components.means, params.components.covariances, strict=True)
        columns = [stats.multivariate_normal(*component).logpdf(x) for component in components]
        return np.log(params.weights) + np.column_stack(columns)


class PoissonCase:
    model = Mixture(Poisson())
    data = load("deaths").repeated("deaths", "days")
    start = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))

    @staticmethod
    def log_joint(x, params):
        return np.log(params.weights) + stats.poisson.logpmf(x[:, None], params.components.rates)


class BernoulliCase:
    model = Mixture(Bernoulli())
    data = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1], [0, 0, 1]])
    start = MixtureParams([0.4, 0.6], Bernoullis([[0.8, 0.6, 0.3], [0.3, 0.4, 0.8]]))

    @staticmethod
    def log_joint(x, params):
        logs = stats.bernoulli.logpmf(x[:, None, :], params.components.probabilities)
        return np.log(params.weights) + logs.sum(axis=2)


CASES = pytest.mark.parametrize("case", [GaussianCase, PoissonCase, BernoulliCase])


def first(number: int, steps: Iterable) -> list:
    return list(islice(steps, number))


# What a step holds


@CASES
def test_a_step_pairs_params_with_their_own_log_likelihood(case):
    steps = first(4, em_steps(case.model, case.data, case.start))
    assert steps[0].params is case.start
    ours = [step.log_likelihood for step in steps]
    theirs = [logsumexp(case.log_joint(case.data, s.params), axis=1).sum() for s in steps]
    assert ours == pytest.approx(theirs, rel=1e-12)
    # Reporting the next one's, or the one before, would be seen.
    assert min(abs(a - b) for a, b in pairwise(theirs)) > 1e-9 * abs(theirs[0])


@CASES
def test_the_first_split_is_seen_from_the_posterior_itself(case):
    (step,) = first(1, em_steps(case.model, case.data, case.start))
    joint = case.log_joint(case.data, case.start)
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    assert step.split.gap == 0
    assert step.split.entropy == pytest.approx(entr(posterior).sum(), rel=1e-9)
    assert step.split.expected_log_joint == pytest.approx((posterior * joint).sum(), rel=1e-12)
    assert step.split.log_likelihood == pytest.approx(step.log_likelihood, rel=1e-14)


@CASES
def test_a_later_split_is_seen_from_the_posterior_of_the_step_before(case):
    steps = first(8, em_steps(case.model, case.data, case.start))
    for previous, step in pairwise(steps):
        joints = [case.log_joint(case.data, s.params) for s in (previous, step)]
        q, posterior = (np.exp(j - logsumexp(j, axis=1, keepdims=True)) for j in joints)
        nats = abs(step.log_likelihood)
        assert step.split.expected_log_joint == pytest.approx((q * joints[1]).sum(), rel=1e-12)
        assert step.split.entropy == pytest.approx(entr(q).sum(), abs=1e-12 * nats)
        assert step.split.gap == pytest.approx(rel_entr(q, posterior).sum(), abs=1e-12 * nats)
        assert step.split.log_likelihood == pytest.approx(step.log_likelihood, rel=1e-14)
    assert steps[1].split.gap > 1e-3


@CASES
def test_no_gap_is_negative_and_no_bound_falls(case):
    trace = em(case.model, case.data, case.start, tol=1e-12)
    slack = 1e-11 * abs(trace.log_likelihood)
    assert all(step.split.gap >= -slack for step in trace.steps)
    for previous, step in pairwise(trace.steps):
        assert step.split.free_energy >= previous.log_likelihood - slack
    # The gap is what is left over, not clipped: it comes out of three sums with both signs of rounding.
    assert any(step.split.gap > slack for step in trace.steps)


def test_a_gap_below_zero_within_rounding_is_shown_and_not_clipped():
    above = -9.0 + 2.0**-41  # half a thousandth of a billionth
    steps = first(2, em_steps(Scripted((-10.0, -9.0), bounds=(0.0, above)), None, 0))
    assert steps[1].split.gap == -(2.0**-41)
    assert steps[1].split.entropy == 0.25
    assert steps[1].split.free_energy == above


def test_a_bound_above_a_rising_log_likelihood_is_found_out(refuses):
    with refuses(AscentError, "step 1", "from -10.0 to -9.0", "bound -8.5", "the E-step's bound"):
        first(2, em_steps(Scripted((-10.0, -9.0), bounds=(0.0, -8.5)), None, 0))


# When a run ends


def test_em_steps_goes_on_where_nothing_more_is_gained():
    model = Scripted((-10.0, *[-9.0] * 50))
    assert [step.params for step in islice(em_steps(model, None, 0), 51)] == list(range(51))


def test_max_steps_counts_steps_and_not_the_start():
    trace = em(Mixture(Gaussian()), load("faithful")["waiting"], waiting_start(), max_steps=5)
    assert trace.stopped is Stopped.MAX_STEPS
    assert not trace.converged
    assert len(trace.steps) == 6


@pytest.mark.parametrize("max_steps", [1, 2, 3])
def test_max_steps_asks_the_model_for_no_step_more(max_steps):
    # The script ends where the run must: one step more would be an IndexError.
    model = Scripted(tuple(range(-10, -9 + max_steps)))
    trace = em(model, None, 0, tol=0, max_steps=max_steps)
    assert trace.stopped is Stopped.MAX_STEPS
    assert trace.params == max_steps
    assert trace.log_likelihood == -10 + max_steps


def test_a_step_at_the_limit_that_gains_nothing_has_converged():
    trace = em(Scripted((-10.0, -9.0, -9.0)), None, 0, tol=0, max_steps=2)
    assert trace.stopped is Stopped.TOLERANCE
    assert len(trace.steps) == 3


def test_the_tolerance_is_in_nats_per_observation():
    gain, observations = 2.0**-10, 8.0
    model = Scripted((-10.0, -9.0, -9.0 + gain, 0.0, 0.0), observations=observations)
    at_most = em(model, None, 0, tol=gain / observations)
    assert at_most.stopped is Stopped.TOLERANCE
    assert at_most.converged
    assert at_most.params == 2
    just_less = em(model, None, 0, tol=np.nextafter(gain / observations, 0))
    assert just_less.params == 4


def test_a_loss_within_rounding_ends_the_run_before_it_and_is_no_convergence():
    trace = em(Scripted((-10.0, -9.0, -9.0 - 1e-13, 0.0)), None, 0, tol=0)
    assert trace.stopped is Stopped.ROUNDING
    assert not trace.converged
    assert trace.params == 1
    assert trace.log_likelihood == -9.0


def test_a_loss_within_rounding_and_within_the_tolerance_is_nothing_left_to_gain():
    trace = em(Scripted((-9.0, -9.0 - 1e-13)), None, 0, tol=1e-3)
    assert trace.stopped is Stopped.TOLERANCE
    assert len(trace.steps) == 1
    with pytest.raises(AscentError):
        em(Scripted((-9.0, -9.0 - 1e-6)), None, 0, tol=1e-3)


def test_a_tolerance_below_what_the_statistics_own_to_have_lost_is_not_reached():
    x = np.random.default_rng(3).poisson([[1e9], [1.00001e9]], (2, 300)).ravel()
    start = MixtureParams([0.5, 0.5], Poissons([1e9, 1.00001e9]))
    trace = em(Mixture(Poisson()), x, start, tol=1e-12)
    assert trace.last.stats.rounding > 1e-12 * 600
    assert trace.stopped is Stopped.ROUNDING


def test_a_real_run_ends_by_tolerance_beside_a_fixed_point():
    model, data = Mixture(Gaussian()), load("faithful")["waiting"]
    trace = em(model, data, waiting_start(), tol=1e-13)
    assert trace.stopped is Stopped.TOLERANCE
    again = model.m_step(model.e_step(data, trace.params))
    assert again.components.means == pytest.approx(trace.params.components.means, rel=1e-5)
    last, before = trace.log_likelihoods[-1], trace.log_likelihoods[-2]
    assert 0 <= last - before <= 1e-13 * 272
    assert (np.diff(trace.log_likelihoods[:-1]) > 1e-13 * 272).all()


def test_without_tolerance_a_real_run_still_ends():
    trace = em(Mixture(Gaussian()), load("faithful")["waiting"], waiting_start(), tol=0)
    assert trace.stopped in (Stopped.ROUNDING, Stopped.TOLERANCE)
    assert (np.diff(trace.log_likelihoods) >= 0).all()


def test_em_keeps_the_steps_that_em_steps_takes():
    model, data = PoissonCase.model, PoissonCase.data
    trace = em(model, data, PoissonCase.start, max_steps=7)
    steps = first(8, em_steps(model, data, PoissonCase.start))
    assert [s.params.components.rates.tolist() for s in trace.steps] == [
        s.params.components.rates.tolist() for s in steps
    ]


@pytest.mark.parametrize("tol", [-1e-9, float("nan")])
def test_em_refuses_a_tolerance_below_zero(tol, refuses):
    with refuses(ValueError, "tol", "nats per observation", "0 or more", f"got {tol}"):
        em(Scripted((-10.0, -9.0)), None, 0, tol=tol)


@pytest.mark.parametrize("max_steps", [0, -3])
def test_em_refuses_to_take_no_step(max_steps, refuses):
    with refuses(ValueError, "max_steps", "at least 1", f"got {max_steps}"):
        em(Scripted((-10.0, -9.0)), None, 0, max_steps=max_steps)


# Other steps, and other ways to end


def test_em_takes_its_steps_from_where_it_is_told():
    def every_second(model, data, params):
        return islice(em_steps(model, data, params), 0, None, 2)

    model = Scripted((-10.0, -9.0, -8.5, -8.25, -8.125, -8.0))
    assert [step.params for step in em(model, None, 0, max_steps=2, steps=every_second).steps] == [
        0,
        2,
        4,
    ]


def test_steps_that_fall_have_no_end_that_could_be_told(refuses):
    def falling(model, data, params):
        for number in (0, 1, 0):
            yield next(em_steps(model, data, params + number))

    with refuses(AscentError, "step 2", "fell from -9.0 to -10.0", "do not climb"):
        em(Scripted((-10.0, -9.0, -8.0)), None, 0, tol=0, steps=falling)


def test_steps_that_fall_by_rounding_end_the_run_before():
    def falling(model, data, params):
        for number in (0, 1, 2):
            yield next(em_steps(model, data, params + number))

    trace = em(Scripted((-10.0, -9.0, -9.0 - 1e-13, 0.0)), None, 0, tol=0, steps=falling)
    assert trace.stopped is Stopped.ROUNDING
    assert trace.params == 1


def test_what_remains_is_asked_with_all_steps_so_far():
    asked = []

    def remaining(steps):
        asked.append([step.params for step in steps])
        return 5.0 - len(steps)

    model = Scripted(tuple(range(-10, 0)), observations=2.0)
    trace = em(model, None, 0, tol=1.0, remaining=remaining)
    assert asked == [[0, 1], [0, 1, 2]]
    assert trace.stopped is Stopped.TOLERANCE


def test_the_last_gain_is_what_remains_by_default():
    model = Scripted((-10.0, -9.0, -8.875, -8.8125, 0.0))
    plain = em(model, None, 0, tol=0.1)
    named = em(model, None, 0, tol=0.1, remaining=last_gain)
    assert plain.params == named.params == 3
    assert last_gain(plain.steps) == 0.0625


def test_what_cannot_be_foretold_for_rounding_is_no_convergence():
    trace = em(Scripted((-10.0, -9.0, -8.0)), None, 0, remaining=lambda _: float("nan"))
    assert trace.stopped is Stopped.ROUNDING
    assert trace.params == 1
    assert not trace.converged


# The trace


def test_a_trace_tells_its_last_step_and_why_it_ended():
    trace = em(Scripted((-10.0, -9.5, -8.25, -8.25, 0.0)), None, 0, tol=0)
    assert trace.last is trace.steps[-1]
    assert trace.params == 3
    assert trace.log_likelihood == -8.25
    assert isinstance(trace.log_likelihoods, np.ndarray)
    assert trace.log_likelihoods.tolist() == [-10.0, -9.5, -8.25, -8.25]
    assert str(trace) == f"log-likelihood -8.250000 after 3 steps: {Stopped.TOLERANCE.value}"


@pytest.mark.parametrize(
    ("stopped", "converged"),
    [(Stopped.TOLERANCE, True), (Stopped.ROUNDING, False), (Stopped.MAX_STEPS, False)],
)
def test_a_trace_has_converged_by_tolerance_alone(stopped, converged):
    trace = replace(em(Scripted((-10.0, -9.0)), None, 0, max_steps=1), stopped=stopped)
    assert trace.converged is converged
    assert stopped.value in str(trace)


# What the loop refuses to pass over


def test_a_bound_that_falls_is_the_m_steps_fault(refuses):
    model = Scripted((-10.0, -9.0, -9.5), bounds=(0.0, -9.25, -9.75))
    with refuses(AscentError, "step 2", "from -9.0 to -9.5", "bound -9.75", "the M-step lowered"):
        em(model, None, 0)


def test_a_bound_above_the_log_likelihood_is_the_e_steps_fault(refuses):
    model = Scripted((-10.0, -9.0, -9.5), bounds=(0.0, -9.25, -8.75))
    with refuses(AscentError, "step 2", "from -9.0 to -9.5", "bound -8.75", "the E-step's bound"):
        em(model, None, 0)


def test_a_bound_that_falls_is_a_fault_even_where_luck_raises_the_log_likelihood(refuses):
    model = Scripted((-10.0, -9.0), bounds=(0.0, -10.5))
    with refuses(AscentError, "step 1", "from -10.0 to -9.0", "bound -10.5", "the M-step lowered"):
        em(model, None, 0)


def test_a_loss_of_a_thousand_last_places_is_rounding_and_one_of_a_hundred_thousand_is_not():
    place = np.spacing(9.0)
    em(Scripted((-9.0, -9.0 - 1_000 * place)), None, 0)
    with pytest.raises(AscentError):
        em(Scripted((-9.0, -9.0 - 100_000 * place)), None, 0)


def test_rounding_grows_with_the_observations():
    # A log-likelihood near zero is a difference of large terms, one an observation.
    em(Scripted((1e-3, 1e-3 - 1e-7), observations=1e6), None, 0)
    with pytest.raises(AscentError):
        em(Scripted((1e-3, 1e-3 - 1e-7)), None, 0)


def test_an_ascent_error_is_broken_arithmetic():
    assert issubclass(AscentError, ArithmeticError)


def test_a_mixture_with_a_wrong_m_step_is_named():
    class Doubled(Mixture):
        def m_step(self, stats):
            params = super().m_step(stats)
            wide = Gaussians(params.components.means, 2 * params.components.covariances)
            return MixtureParams(params.weights, wide)

    with pytest.raises(AscentError, match="the M-step lowered the bound"):
        em(Doubled(Gaussian()), load("faithful")["waiting"], waiting_start())


def test_a_mixture_with_a_wrong_e_step_is_named():
    class Sharpened(Mixture):
        def e_step(self, data, params):
            stats = super().e_step(data, params)
            penalty = 40 * abs(params.components.means - waiting_start().components.means).sum()
            return replace(stats, log_likelihood=stats.log_likelihood - penalty)

    with pytest.raises(AscentError, match="the E-step's bound lies above the log-likelihood"):
        em(Sharpened(Gaussian()), load("faithful")["waiting"], waiting_start())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_log_likelihood_that_is_not_finite_is_refused_with_its_params(value, place, refuses):
    values = [-10.0, -9.0, -8.0, -7.0]
    values[place] = value
    with refuses(
        ArithmeticError,
        f"step {place}",
        f"is {value}",
        f"params there are {place}",
        "start elsewhere",
    ):
        em(Scripted(tuple(values)), None, 0)


def test_an_impossible_observation_is_refused(refuses):
    with (
        np.errstate(all="ignore"),
        refuses(ArithmeticError, "step 0", "-inf", "Row 1, [1.e+150], is impossible under them"),
    ):
        narrow = MixtureParams([0.5, 0.5], Gaussians.univariate([50.0, 80.0], [1e-12, 1e-12]))
        em(Mixture(Gaussian()), [0.0, 1e150], narrow)


# What the library asks of a machine


def test_importing_the_library_loads_numpy_alone():
    program = (
        "import sys, emlib, emlib.datasets, emlib.families, emlib.published, emlib.variants; "
        "print([name for name in ('numpy', 'scipy', 'sympy', 'mpmath', 'matplotlib', 'jaxtyping') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['numpy']"
