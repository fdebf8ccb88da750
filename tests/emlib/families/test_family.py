"""What an exponential family answers from its four functions, shown on one that the library does not have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from emlib import Mixture, MixtureParams
from emlib.families import ExponentialFamily, Sums, maximum_likelihood
from emlib.families.family import refuse_empty

TRIALS = 4


@dataclass(frozen=True)
class Chances:
    chances: np.ndarray


class Binomial(ExponentialFamily[Chances]):
    """Successes in four trials: T(x) = x, eta = logit p, A = -4 log(1 - p), h(x) = 4 over x."""

    def observations(self, data):
        return np.asarray(data, dtype=float).reshape(-1, 1)

    def statistics(self, x):
        return x

    def natural(self, params):
        return np.log(params.chances / (1 - params.chances))[:, None]

    def log_partition(self, params):
        return -TRIALS * np.log(1 - params.chances)

    def log_base(self, x):
        return (gammaln(TRIALS + 1) - gammaln(x + 1) - gammaln(TRIALS - x + 1))[:, 0]

    def from_mean(self, stats):
        refuse_empty(stats.counts)
        return Chances(stats.totals[:, 0] / stats.counts / TRIALS)

    def free_parameters(self, params):
        return len(params.chances)


X = np.array([[0.0], [1.0], [4.0], [2.0], [2.0]])
SHARES = np.array([[1.0, 0.0], [0.5, 0.25], [0.0, 1.0], [0.3, 0.7], [0.1, 2.0]])
PARAMS = Chances(np.array([0.2, 0.9]))


def test_log_density_has_all_four_parts():
    ours = Binomial().log_density(X, PARAMS)
    assert ours == pytest.approx(stats.binom.logpmf(X, TRIALS, PARAMS.chances), rel=1e-12)


def test_expected_statistics_are_weighted_sums():
    sums = Binomial().expected_statistics(X, SHARES)
    assert sums.counts == pytest.approx([1.9, 3.95])
    assert sums.totals == pytest.approx(np.array([[0.5 + 0.6 + 0.2], [0.25 + 4.0 + 1.4 + 4.0]]))
    # log h is log 1, 4, 1, 6 and 6, and an observation counts as often as its shares add up to.
    assert sums.log_base == pytest.approx(0.75 * np.log(4) + 3.1 * np.log(6))


def test_expected_log_density_is_the_weighted_sum_of_log_densities():
    family = Binomial()
    ours = family.expected_log_density(family.expected_statistics(X, SHARES), PARAMS)
    theirs = (SHARES * stats.binom.logpmf(X, TRIALS, PARAMS.chances)).sum()
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_sums_add_part_by_part():
    left = Sums(np.array([1.0, 2.0]), np.array([[1.0, 0.0], [3.0, 5.0]]), -1.5)
    right = Sums(np.array([0.5, 0.25]), np.array([[2.0, 1.0], [0.0, 1.0]]), -0.5)
    both = left + right
    assert both.counts.tolist() == [1.5, 2.25]
    assert both.totals.tolist() == [[3.0, 1.0], [3.0, 6.0]]
    assert both.log_base == -2.0


def test_maximum_likelihood_gives_every_observation_weight_one():
    assert maximum_likelihood(Binomial(), X).chances == pytest.approx([9 / 5 / TRIALS])


def test_a_family_of_four_functions_is_enough_for_a_mixture():
    mixture, params = Mixture(Binomial()), MixtureParams([0.4, 0.6], PARAMS)
    theirs = np.log(stats.binom.pmf(X, TRIALS, PARAMS.chances) @ [0.4, 0.6])
    assert mixture.log_density(X, params) == pytest.approx(theirs, rel=1e-12)


def test_a_family_without_its_functions_is_none():
    class Half(ExponentialFamily[Chances]):
        def statistics(self, x):
            return x

    with pytest.raises(TypeError, match="abstract"):
        Half()


@pytest.mark.parametrize(
    ("counts", "component", "said"), [([3.0, 0.0, 1.0], 1, "0"), ([-1.0, 2.0], 0, "-1")]
)
def test_a_component_without_data_is_refused(counts, component, said, refuses):
    with refuses(
        ArithmeticError,
        f"component {component} has no data left",
        f"count is {said}.",
        "fewer components or another start",
    ):
        refuse_empty(np.array(counts))


def test_a_component_with_counts_that_are_no_number_is_refused(refuses):
    with refuses(ArithmeticError, "component 1", "nan"):
        refuse_empty(np.array([1.0, np.nan]))


def test_a_component_with_little_data_is_kept():
    refuse_empty(np.array([1e-190, 1.0]))
