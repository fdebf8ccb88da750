"""What has probability 0: -inf where it occurred, nothing where it did not, and neither NaN nor warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emlib import Chunks, Mixture, MixtureParams, Weighted, em
from emlib.arrays import expectation, log_or_zero
from emlib.estimators.counts import PoissonColumns, PoissonTable
from emlib.families import (
    Bernoulli,
    Bernoullis,
    Categorical,
    Categoricals,
    Multinomial,
    Multinomials,
    Poisson,
    Poissons,
    Product,
    Products,
    Sums,
)
from emlib.models.alleles import AlleleCounting, AlleleFrequencies
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.variants.map import MaximumPosterior
from emlib.variants.priors import MixturePrior, beta, gamma


@dataclass(frozen=True)
class Case:
    """Components on the boundary, and SciPy's log-probability of a row under each."""

    name: str
    family: Any
    components: Any
    rows: np.ndarray
    log_pmf: Callable[[np.ndarray], list[float]]


RATES, TABLE = [0.0, 2.5, 0.7], np.array([[0.0, 1.0], [2.0, 0.0], [0.5, 3.0]])
CHANCES = np.array([[0.0, 1.0, 0.3], [0.4, 0.0, 1.0], [0.2, 0.6, 0.9]])
LEVELS = np.array([[[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]], [[0.0, 0.3, 0.7], [0.0, 1.0, 0.0]]])
SHARES = np.array([[0.0, 0.4, 0.6], [1.0, 0.0, 0.0]])
COUNTS = np.arange(4.0)[:, None]
BITS = np.array(list(product([0.0, 1.0], repeat=3)))

CASES = [
    Case(
        "poisson", Poisson(), Poissons(RATES), COUNTS, lambda x: stats.poisson.logpmf(x[0], RATES)
    ),
    Case(
        "poisson columns",
        PoissonColumns(),
        PoissonTable(TABLE),
        np.array(list(product([0.0, 1.0, 3.0], repeat=2))),
        lambda x: stats.poisson.logpmf(x, TABLE).sum(axis=1),
    ),
    Case(
        "bernoulli",
        Bernoulli(),
        Bernoullis(CHANCES),
        BITS,
        lambda x: stats.bernoulli.logpmf(x, CHANCES).sum(axis=1),
    ),
    Case(
        "categorical",
        Categorical((3, 2)),
        Categoricals(LEVELS),
        np.array(list(product([0.0, 1.0, 2.0], [0.0, 1.0]))),
        lambda x: [
            sum(stats.multinomial.logpmf(np.eye(3)[int(c)], 1, p[j]) for j, c in enumerate(x))
            for p in LEVELS
        ],
    ),
    Case(
        "multinomial",
        Multinomial(),
        Multinomials(SHARES),
        np.array(list(product([0.0, 1.0, 2.0], repeat=3))),
        lambda x: [stats.multinomial.logpmf(x, x.sum(), p) for p in SHARES],
    ),
    Case(
        "product",
        Product((Poisson(), Bernoulli()), ((0,), (1,))),
        Products((Poissons(RATES), Bernoullis(CHANCES[:, :1]))),
        np.array(list(product([0.0, 2.0], [0.0, 1.0]))),
        lambda x: stats.poisson.logpmf(x[0], RATES) + stats.bernoulli.logpmf(x[1], CHANCES[:, 0]),
    ),
]
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def mixture(case: Case) -> tuple[Mixture[Any, Any], MixtureParams[Any]]:
    k = case.family.log_density(case.rows, case.components).shape[1]
    return Mixture(case.family), MixtureParams(
        np.arange(1.0, k + 1) / (k * (k + 1) / 2), case.components
    )


def brute_force(case: Case, x: np.ndarray, params: MixtureParams[Any]) -> np.ndarray:
    """p(x_n, z_n = k), from SciPy."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp([case.log_pmf(row) for row in x]) * params.weights


@each_case
def test_log_density_is_that_of_scipy(case: Case) -> None:
    ours = case.family.log_density(case.rows, case.components)
    with np.errstate(divide="ignore"):
        theirs = np.array([case.log_pmf(row) for row in case.rows])
    assert np.isneginf(ours).any()
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)


@each_case
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_an_e_step_is_the_sum_over_all_that_is_possible(case: Case, seed: int) -> None:
    model, params = mixture(case)
    rng = np.random.default_rng(seed)
    joint = brute_force(case, case.rows, params)
    x = case.rows[rng.choice(np.flatnonzero(joint.sum(axis=1) > 0), 40)]
    weights = rng.integers(0, 3, 40) * 1.0 + (np.arange(40) == 0)
    joint = brute_force(case, x, params)
    shares = joint / joint.sum(axis=1, keepdims=True) * weights[:, None]
    found = model.e_step(Weighted(x, weights), params)
    assert found.log_likelihood == pytest.approx(weights @ np.log(joint.sum(axis=1)), rel=1e-12)
    assert found.components.counts == pytest.approx(shares.sum(axis=0), rel=1e-12)
    surrogate = (shares * np.log(np.where(shares > 0, joint, 1.0))).sum()
    assert model.expected_log_joint(found, params) == pytest.approx(surrogate, rel=1e-11)
    halves = [Weighted(x[half], weights[half]) for half in (slice(20), slice(20, 40))]
    if all(half.weights.any() for half in halves):
        again = model.e_step(Chunks(halves), params)
        assert again.log_likelihood == pytest.approx(found.log_likelihood, rel=1e-12)


@each_case
def test_em_climbs_from_the_boundary_and_stays_on_it(case: Case) -> None:
    model, params = mixture(case)
    x, _ = model.sample(params, 200, np.random.default_rng(3))
    trace = em(model, x, params, tol=1e-8)
    assert trace.log_likelihoods[-1] > trace.log_likelihoods[0]
    zeros = case.family.log_density(case.rows, case.components) == -np.inf
    assert (case.family.log_density(case.rows, trace.params.components)[zeros] == -np.inf).all()


@each_case
def test_rows_impossible_under_all_components_are_named(case: Case, refuses: Any) -> None:
    # The first component alone.
    model, params = mixture(case)
    one = MixtureParams(np.eye(len(params.weights))[0], params.components)
    possible = brute_force(case, case.rows, one).sum(axis=1) > 0
    good, bad = case.rows[possible][:1], case.rows[~possible][:1]
    assert model.log_density(bad, one).tolist() == [-np.inf]
    assert model.e_step(np.vstack([good, bad]), one).log_likelihood == -np.inf
    with refuses(
        ArithmeticError, "step 0: the log-likelihood is -inf", f"Row 1, {bad[0]}, is impos"
    ):
        em(model, np.vstack([good, bad, good]), one)
    weighted = Weighted(np.vstack([good, bad, bad]), [0.0, 0.0, 2.0])
    with refuses(ArithmeticError, f"Row 0, those of weight 0 not counted, {bad[0]}, is impossible"):
        em(model, weighted, one)


@each_case
def test_the_surrogate_of_what_occurred_but_cannot_is_minus_infinity(case: Case) -> None:
    x = case.rows
    k = len(case.family.log_density(x, case.components)[0])
    seen = case.family.expected_statistics(x, np.full((len(x), k), 1 / k), case.components)
    assert case.family.expected_log_density(seen, case.components) == -np.inf
    # What underflow leaves of a responsibility did not occur.
    log_density = case.family.log_density(x, case.components)
    shares = np.where(np.isneginf(log_density), 1e-250, 1.0)
    left = case.family.expected_statistics(x, shares, case.components)
    expected = np.where(np.isneginf(log_density), 0.0, log_density).sum()
    found = case.family.expected_log_density(left, case.components)
    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_columns_that_never_vary_leave_the_fast_kernel(chance: float) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 2, (3000, 2)), np.full(3000, chance)]).astype(float)
    params = Bernoullis(np.column_stack([rng.random((2, 2)), np.full(2, chance)]))
    block = next(iter(Mixture(Bernoulli()).prepare(x)))
    evidence, found, _ = Bernoulli().kernel(np.log([0.5, 0.5]), params)(block)
    expected = stats.bernoulli.logpmf(x[:, None], params.probabilities).sum(axis=2)
    assert evidence == pytest.approx(np.log(np.exp(expected).mean(axis=1)).sum(), rel=1e-12)
    assert found.counts.sum() == pytest.approx(3000, rel=1e-12)
    # A single row against it, and a table is needed.
    x[17, 2] = 1 - chance
    assert (
        Bernoulli().kernel(np.log([0.5, 0.5]), params)(next(iter(Mixture(Bernoulli()).prepare(x))))
        is None
    )


def test_certain_columns_survive_the_rounding_of_sums() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.random(10_000) < 0.5, np.ones(10_000)]).astype(float)
    weights = rng.random(10_000)
    start = MixtureParams([0.4, 0.6], Bernoullis([[0.3, 1.0], [0.7, 1.0]]))
    trace = em(Mixture(Bernoulli()), Weighted(x, weights), start, max_steps=30)
    assert trace.params.components.probabilities[:, 1] == pytest.approx([1.0, 1.0], rel=1e-12)
    certain = Bernoullis([[1.0]])
    for zeros, expected in ((1e-13, 0.0), (1e-9, -np.inf)):
        sums = Sums(np.array([1.0]), np.array([[1.0 - zeros]]), 0.0)
        assert Bernoulli().expected_log_density(sums, certain) == expected


def test_priors_exclude_the_boundary() -> None:
    gone = Poissons([0.0, 1.0])
    assert gamma(2.0, 1.0).log_density(Poisson(), gone) == -np.inf
    assert gamma(1.0, 3.0).log_density(Poisson(), gone) == pytest.approx(-3.0)
    assert beta(1.0, 2.0, 1).log_density(Bernoulli(), Bernoullis([[1.0]])) == -np.inf
    assert beta(1.0, 2.0, 1).log_density(Bernoulli(), Bernoullis([[0.0]])) == 0.0
    model = Mixture(Poisson())
    absent = MixtureParams([0.0, 1.0], Poissons([1.0, 2.0]))
    assert MixturePrior(gamma(1.0, 0.0), 1.0).log_density(model, absent) == 0.0
    prior = MixturePrior(gamma(1.0, 0.0), 1.5)
    assert prior.log_density(model, absent) == -np.inf
    assert MaximumPosterior(model, prior).e_step([0, 1], absent).log_likelihood == -np.inf


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_hidden_chain_on_the_boundary_is_the_sum_over_its_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = HiddenMarkovParams(
        [0.0, 0.6, 0.4],
        [[0.5, 0.5, 0.0], [0.0, 0.1, 0.9], [0.3, 0.3, 0.4]],
        Poissons([0.0, 2.0, 1.0]),
    )
    x = rng.integers(0, 3, 5)
    total = 0.0
    for path in product(range(3), repeat=5):
        chance = params.initial[path[0]]
        for before, after in pairwise(path):
            chance *= params.transitions[before, after]
        total += chance * np.prod(stats.poisson.pmf(x, params.emissions.rates[list(path)]))
    model = HiddenMarkov(Poisson())
    found = model.e_step(x, params)
    assert found.log_likelihood == pytest.approx(np.log(total), rel=1e-12)
    assert np.isfinite(model.expected_log_joint(found, params))
    # A start that the chain cannot make.
    moved = HiddenMarkovParams([1.0, 0.0, 0.0], params.transitions, params.emissions)
    assert model.expected_log_joint(found, moved) == -np.inf


def test_an_allele_that_is_not_there_shows_nowhere(refuses: Any) -> None:
    blood = AlleleCounting("ABO", {"A": ["AA", "AO"], "B": ["BB", "BO"], "AB": ["AB"], "O": ["OO"]})
    without_b = AlleleFrequencies([0.4, 0.0, 0.6])
    counts = {"A": 64, "O": 36}
    expected = 64 * np.log(0.4**2 + 2 * 0.4 * 0.6) + 36 * np.log(0.36)
    found = blood.e_step(counts, without_b)
    assert found.log_likelihood == pytest.approx(expected, rel=1e-13)
    assert blood.m_step(found).frequencies[1] == 0.0
    with refuses(ArithmeticError, "Row 1, those of weight 0 not counted, [1.], is impossible"):
        em(blood, {**counts, "B": 1}, without_b)
    assert blood.e_step({"AB": 1}, without_b).log_likelihood == -np.inf


def test_linkage_at_either_end(refuses: Any) -> None:
    model, complete = GeneticLinkage(), Linkage(1.0)
    assert model.e_step([3, 0, 0, 2], complete).log_likelihood == pytest.approx(
        3 * np.log(0.75) + 2 * np.log(0.25), rel=1e-14
    )
    assert model.e_step([3, 1, 0, 2], complete).log_likelihood == -np.inf
    with refuses(ArithmeticError, "Row 1", "is impossible"):
        em(model, [3, 1, 0, 2], complete)


def test_an_expectation_of_logarithms() -> None:
    logs = np.array([-np.inf, -1.0, -2.0])
    assert expectation(np.array([0.0, 2.0, 3.0]), logs) == -8.0
    assert expectation(np.array([1e-9, 2.0, 3.0]), logs) == -np.inf
    assert expectation(np.array([1e-320, 2.0, 3.0]), logs) == -8.0
    assert log_or_zero(np.array([0.0, 1.0, np.e])).tolist() == [0.0, 0.0, 1.0]
