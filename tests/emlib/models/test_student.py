"""Mixtures of Student-t's: the laws of EM, each beside a twin that breaks it, and parity with SciPy and mpmath."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emlib import AscentError, Mixture, MixtureParams, em, em_steps, entropy
from emlib.charts import chart
from emlib.data import Chunks, Weighted
from emlib.em import rounding
from emlib.families import Gaussian, Gaussians
from emlib.models.student import (
    MOST_DEGREES,
    Student,
    StudentMixture,
    Students,
)
from emlib.special import log_minus_digamma
from emlib.variants.squarem import squarem_steps

TRUTH = MixtureParams(
    [0.4, 0.6],
    Students([[0.0, 0.0], [6.0, 3.0]], [np.eye(2), [[2.0, 0.5], [0.5, 1.0]]], [2.0, 4.0]),
)
PLANE, HIDDEN = StudentMixture().sample(TRUTH, 150, np.random.default_rng(1))
LINE = PLANE[:, 0]


@dataclass(frozen=True)
class Case:
    """A model with data, and its params as a vector without constraints."""

    name: str
    model: StudentMixture
    data: np.ndarray

    @property
    def x(self) -> np.ndarray:
        return self.data.reshape(len(self.data), -1)

    def start(self, seed: int, k: int = 2) -> MixtureParams[Students]:
        """Params fitted to a random soft grouping: rough, but on the scale of the data."""
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.full(k, 0.5), size=len(self.data))
        return StudentMixture(self.model.family).from_responsibilities(self.data, shares)

    def vector(self, params: MixtureParams[Students]) -> np.ndarray:
        c = params.components
        d = c.locations.shape[1]
        factors = np.linalg.cholesky(c.scales)
        diagonals = np.log(np.diagonal(factors, axis1=1, axis2=2))
        below = factors[:, *np.tril_indices(d, -1)]
        degrees = {"free": np.log(c.degrees), "tied": np.log(c.degrees[:1])}
        parts = (
            np.log(params.weights),
            c.locations,
            diagonals,
            below,
            degrees.get(self.model.family.degrees, []),
        )
        return np.concatenate([np.ravel(part) for part in parts])

    def params(self, vector: np.ndarray, k: int = 2) -> MixtureParams[Students]:
        d = self.x.shape[1]
        sizes = np.cumsum([k, k * d, k * d, k * d * (d - 1) // 2])
        logs, locations, diagonals, below, degrees = np.split(vector, sizes)
        factors = np.zeros((k, d, d))
        factors[:, *np.tril_indices(d, -1)] = below.reshape(k, -1)
        factors[:, np.arange(d), np.arange(d)] = np.exp(diagonals.reshape(k, d))
        weights = np.exp(logs - logs.max())
        fixed = self.model.family.degrees
        every = np.full(k, fixed) if not isinstance(fixed, str) else np.exp(degrees) * np.ones(k)
        scales = factors @ factors.transpose(0, 2, 1)
        students = Students(locations.reshape(k, d), scales, every)
        return MixtureParams(weights / weights.sum(), students)


CASES = [
    Case("line-free", StudentMixture(), LINE),
    Case("plane-free", StudentMixture(), PLANE),
    Case("plane-tied", StudentMixture(Student("tied")), PLANE),
    Case("plane-fixed", StudentMixture(Student(2.5)), PLANE),
]
Law = Callable[[Case, int], None]


def peer_table(x: np.ndarray, params: MixtureParams[Students]) -> np.ndarray:
    """Log w_k p(x_n | theta_k), by SciPy."""
    c = params.components
    columns = [
        np.log(w) + stats.multivariate_t(mu, scale, nu).logpdf(x).reshape(len(x))
        for w, mu, scale, nu in zip(params.weights, c.locations, c.scales, c.degrees, strict=True)
    ]
    return np.stack(columns, axis=1)


def peer_log_likelihood(x: np.ndarray, params: MixtureParams[Students]) -> float:
    return float(np.logaddexp.reduce(peer_table(x, params), axis=1).sum())


# ---- the laws ------------------------------------------------------------------------------------


def never_falls(case: Case, seed: int) -> None:
    values = []
    for step in islice(em_steps(case.model, case.data, case.start(seed)), 30):
        values.append(step.log_likelihood)
        assert step.split.gap >= -2 * rounding(step.stats)
    assert values[-1] > values[0]
    assert (np.diff(values) >= -2e-12 * (abs(values[0]) + len(case.data))).all()


def equals_brute_force(case: Case, seed: int) -> None:
    """The log-likelihood is that of a sum over every assignment of four observations to components."""
    params, few = case.start(seed), case.x[:4]
    table = peer_table(few, params)
    logs = [table[np.arange(4), list(hidden)].sum() for hidden in product(range(2), repeat=4)]
    found = case.model.e_step(few, params).log_likelihood
    assert np.isclose(found, np.logaddexp.reduce(logs), rtol=1e-11, atol=0)


def maximiser_resists(case: Case, seed: int) -> None:
    stats_ = case.model.e_step(case.data, case.start(seed))
    best = case.model.m_step(stats_)
    top = case.model.expected_log_joint(stats_, best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            nudge = scale * rng.standard_normal(len(case.vector(best)))
            other = case.params(case.vector(best) + nudge)
            assert case.model.expected_log_joint(stats_, other) <= top + rounding(stats_)


def bound_touches(case: Case, seed: int) -> None:
    """Surrogate + entropy of (z, u) is the log-likelihood at the posterior's own params, and lies below elsewhere.

    Given x and z = k, u has a Gamma distribution with shape (nu + d) / 2 and rate (nu + distance^2) / 2.
    """
    here, there = case.start(seed), case.start(seed + 1)
    joint = peer_table(case.x, here)
    posterior = np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])
    h = entropy(posterior)
    c = here.components
    for r, mu, scale, nu in zip(posterior.T, c.locations, c.scales, c.degrees, strict=True):
        y = case.x - mu
        distances = (y @ np.linalg.inv(scale) * y).sum(axis=1)
        h += r @ stats.gamma((nu + y.shape[1]) / 2, scale=2 / (nu + distances)).entropy()
    found = case.model.e_step(case.data, here)
    own = case.model.expected_log_joint(found, here) + h
    assert np.isclose(own, found.log_likelihood, rtol=1e-11, atol=0)
    assert case.model.expected_log_joint(found, there) + h < peer_log_likelihood(case.x, there)


def score_is_slope_of_surrogate(case: Case, seed: int) -> None:
    """Fisher's identity, against SciPy's densities."""
    params = case.start(seed)
    found, vector = case.model.e_step(case.data, params), case.vector(params)
    for direction in np.eye(len(vector)) * 1e-5:
        ahead, behind = case.params(vector + direction), case.params(vector - direction)
        slope_l = peer_log_likelihood(case.x, ahead) - peer_log_likelihood(case.x, behind)
        surrogate = case.model.expected_log_joint
        slope_q = surrogate(found, ahead) - surrogate(found, behind)
        assert np.isclose(slope_l, slope_q, rtol=1e-4, atol=1e-8 * len(case.data))


def fixed_point_is_stationary(case: Case, _: int) -> None:
    """Where the steps come to rest, SciPy's log-likelihood is level in every direction."""
    params = StudentMixture(case.model.family).from_responsibilities(case.data, np.eye(2)[HIDDEN])
    for _ in range(400):
        previous, params = params, case.model.m_step(case.model.e_step(case.data, params))
        if np.allclose(case.vector(params), case.vector(previous), rtol=0, atol=1e-8):
            break
    vector = case.vector(params)
    for direction in np.eye(len(vector)) * 1e-4:
        ahead, behind = (case.params(vector + sign * direction) for sign in (1, -1))
        slope = peer_log_likelihood(case.x, ahead) - peer_log_likelihood(case.x, behind)
        assert abs(slope) / 2e-4 < 1e-3


def names_do_not_matter(case: Case, seed: int) -> None:
    params = case.start(seed)

    def swapped(p: MixtureParams[Students]) -> MixtureParams[Students]:
        c = p.components
        students = Students(c.locations[::-1], c.scales[::-1], c.degrees[::-1])
        return MixtureParams(p.weights[::-1], students)

    found, mirror = (case.model.e_step(case.data, p) for p in (params, swapped(params)))
    assert np.isclose(found.log_likelihood, mirror.log_likelihood, rtol=1e-13)
    expected = swapped(case.model.m_step(found))
    assert np.allclose(
        case.vector(case.model.m_step(mirror)), case.vector(expected), rtol=1e-9, atol=1e-12
    )


def split_adds_up(case: Case, seed: int) -> None:
    params, border = case.start(seed), 1 + seed % (len(case.data) - 1)
    whole = case.model.e_step(case.data, params)
    parts = case.model.e_step(case.data[:border], params) + case.model.e_step(
        case.data[border:], params
    )
    same(case, parts, whole)


def weights_count_rows(case: Case, seed: int) -> None:
    """A row of weight 2 counts twice, and one of weight 0 not at all."""
    params = case.start(seed)
    weights = np.random.default_rng(seed).integers(0, 3, len(case.data))
    whole = case.model.e_step(np.repeat(case.data, weights, axis=0), params)
    same(case, case.model.e_step(Weighted(case.data, weights), params), whole)


def same(case: Case, left: Any, right: Any) -> None:
    assert np.isclose(left.log_likelihood, right.log_likelihood, rtol=1e-12)
    assert np.isclose(left.observations, right.observations)
    one, other = (case.vector(case.model.m_step(found)) for found in (left, right))
    assert np.allclose(one, other, rtol=1e-9, atol=1e-12)


# ---- twins that are wrong on purpose ---------------------------------------------------------------


class StretchedMStep(StudentMixture):
    """The scales are off by a factor."""

    def m_step(self, found: Any) -> Any:
        right = super().m_step(found)
        c = right.components
        return replace(right, components=Students(c.locations, 1.5 * c.scales, c.degrees))


class DividedByPrecisions(StudentMixture):
    """The scatter is divided by the sum of the precisions, not by the counts: another algorithm's M-step."""

    def m_step(self, found: Any) -> Any:
        right, shares = super().m_step(found), found.components
        factor = (shares.counts / shares.moments.counts)[:, None, None]
        c = right.components
        return replace(right, components=Students(c.locations, factor * c.scales, c.degrees))


class ForgottenWeights(StudentMixture):
    """The weights are left out of the joint density."""

    def e_step(self, data: Any, params: Any) -> Any:
        return super().e_step(data, replace(params, weights=np.full(2, 0.5)))


class LogOfTheMean(StudentMixture):
    """log E[u] is taken for E[log u]."""

    def e_step(self, data: Any, params: Any) -> Any:
        right = super().e_step(data, params)
        shape = (params.components.degrees + params.components.locations.shape[1]) / 2
        shares = right.components
        deficits = shares.deficits + shares.counts * log_minus_digamma(shape)[0]
        return replace(right, components=replace(shares, deficits=deficits))


class FirstComponentFavoured(StudentMixture):
    """The component named first gets half as much again."""

    def e_step(self, data: Any, params: Any) -> Any:
        weights = params.weights * [1.5, 1.0]
        return super().e_step(data, replace(params, weights=weights / weights.sum()))


class MeanLogLikelihood(StudentMixture):
    """The log-likelihood is an average, which does not add."""

    def e_step(self, data: Any, params: Any) -> Any:
        right = super().e_step(data, params)
        return replace(right, log_likelihood=right.log_likelihood / right.observations)


class PrecisionsUnweighted(StudentMixture):
    """The weights of the rows are left out."""

    def e_step(self, data: Any, params: Any) -> Any:
        return super().e_step(data.values if isinstance(data, Weighted) else data, params)


class EqualShares(StudentMixture):
    """Every row belongs to both components alike."""

    def e_step(self, data: Any, params: Any) -> Any:
        right, x = super().e_step(data, params), self.family.observations(data)
        shares = self.family.expected_statistics(x, np.full((len(x), 2), 0.5), params.components)
        return replace(right, components=shares)


LAWS: dict[Law, type[StudentMixture]] = {
    never_falls: StretchedMStep,
    equals_brute_force: ForgottenWeights,
    maximiser_resists: DividedByPrecisions,
    bound_touches: LogOfTheMean,
    score_is_slope_of_surrogate: EqualShares,
    fixed_point_is_stationary: StretchedMStep,
    names_do_not_matter: FirstComponentFavoured,
    split_adds_up: MeanLogLikelihood,
    weights_count_rows: PrecisionsUnweighted,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds(law: Law, case: Case) -> None:
    law(case, 2)


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 2), case=st.sampled_from(CASES))
def test_likelihood_never_falls_from_any_start(seed: int, case: Case) -> None:
    never_falls(case, seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law: Law, twin: type[StudentMixture], case: Case) -> None:
    with pytest.raises((AssertionError, AscentError)):
        law(replace(case, model=twin(case.model.family)), 2)


# ---- the hidden precision ------------------------------------------------------------------------


@pytest.mark.parametrize("nu", [0.7, 4.0, 60.0])
@pytest.mark.parametrize("x", [0.3, 9.0])
def test_density_and_expectations_are_integrals_over_the_precision(nu: float, x: float) -> None:
    location, scale = 1.0, 2.25
    family, params = Student(), Students([[location]], [[[scale]]], [nu])

    # By the trapezoidal rule in log u, whose error falls faster than any power for so smooth an integrand.
    log_u, step = np.linspace(-80, 8, 20_001, retstep=True)
    u = np.exp(log_u)
    joint = stats.norm.pdf(x, location, np.sqrt(scale / u)) * stats.gamma.pdf(
        u, nu / 2, scale=2 / nu
    )
    evidence = step * (joint * u).sum()
    posterior = step * joint * u / evidence
    row = np.array([[x]])
    found = family.expected_statistics(row, np.ones((1, 1)), params)
    assert np.isclose(family.log_density(row, params)[0, 0], np.log(evidence), rtol=1e-9)
    expected_u = posterior @ u
    assert np.isclose(family.expected_precisions(row, params)[0, 0], expected_u, rtol=1e-8)
    assert np.isclose(found.moments.counts[0], expected_u, rtol=1e-8)
    assert np.isclose(found.deficits[0], posterior @ (log_u - u + 1), rtol=1e-8)


def test_one_component_on_the_line_reaches_the_maximum_of_scipy() -> None:
    x = stats.t(3, loc=10, scale=2).rvs(400, random_state=5)
    trace = em(StudentMixture(), x, one_component(x), tol=1e-14)
    degrees, location, scale = stats.t.fit(x, 3, loc=10, scale=2)
    assert trace.log_likelihood >= stats.t(degrees, location, scale).logpdf(x).sum() - 1e-9
    c = trace.params.components
    assert np.isclose(c.degrees[0], degrees, rtol=1e-3)
    assert np.isclose(c.locations[0, 0], location, rtol=1e-4)
    assert np.isclose(c.scales[0, 0, 0], scale**2, rtol=1e-3)


def one_component(x: np.ndarray, family: Student | None = None) -> MixtureParams[Students]:
    return StudentMixture(family or Student()).from_responsibilities(x, np.ones((len(x), 1)))


def test_free_degrees_fit_at_least_as_well_as_tied_and_tied_as_fixed() -> None:
    values = {}
    for degrees in ("free", "tied", 2.5):
        model = StudentMixture(Student(degrees))
        trace = em(model, PLANE, Case("", model, PLANE).start(3), tol=1e-12)
        values[degrees] = trace.log_likelihood
        found = trace.params.components.degrees
        assert degrees == "free" or (found == found[0]).all()
        assert isinstance(degrees, str) or (found == degrees).all()
    assert values["free"] > values["tied"] > values[2.5]


# ---- many degrees: the Gaussian limit ----------------------------------------------------------------


@pytest.mark.parametrize("nu", [1.0, 30.0, 1e4, 1e6])
def test_densities_keep_their_digits_for_many_degrees(nu: float) -> None:
    """The formula of the density, to 50 digits."""
    x, params = np.array([[0.0], [1.5], [40.0]]), Students([[0.5]], [[[4.0]]], [nu])
    with mpmath.workdps(50):
        n = mpmath.mpf(nu)
        norm = (
            mpmath.loggamma((n + 1) / 2)
            - mpmath.loggamma(n / 2)
            - mpmath.log(4 * n * mpmath.pi) / 2
        )
        expected = [
            float(norm - (n + 1) / 2 * mpmath.log1p(mpmath.mpf((v - 0.5) ** 2 / 4) / n))
            for v in x[:, 0]
        ]
    assert np.allclose(Student().log_density(x, params)[:, 0], expected, rtol=1e-13, atol=0)


def test_the_largest_degrees_are_a_gaussian_mixture() -> None:
    many = MixtureParams(TRUTH.weights, replace(TRUTH.components, degrees=np.full(2, 1e6)))
    same_ = MixtureParams(
        TRUTH.weights, Gaussians(many.components.locations, many.components.scales)
    )
    x = Mixture(Gaussian()).sample(same_, 400, np.random.default_rng(0))[0]
    student, gaussian = StudentMixture(Student(1e6)), Mixture(Gaussian())
    left, right = em(student, x, many, tol=1e-9), em(gaussian, x, same_, tol=1e-9)
    assert abs(left.log_likelihood - right.log_likelihood) < 1e-2
    assert np.allclose(left.params.components.locations, right.params.components.means, atol=1e-4)
    assert np.allclose(
        left.params.components.scales, right.params.components.covariances, atol=1e-4
    )


def test_light_tails_drive_the_degrees_to_their_limit_and_it_is_said() -> None:
    x = np.linspace(-1, 1, 200)
    nearly = MixtureParams([1.0], Students([[0.0]], [[[1 / 3]]], [9e5]))
    trace = em(StudentMixture(), x, nearly, tol=0, max_steps=50)
    assert trace.log_likelihood > StudentMixture().e_step(x, nearly).log_likelihood
    assert np.isclose(trace.log_likelihood, stats.norm(0, x.std()).logpdf(x).sum(), atol=1e-3)
    assert not TRUTH.components.at_limit.any()
    found = StudentMixture().e_step(x, nearly)
    certain = replace(found, components=replace(found.components, deficits=np.zeros(1)))
    best = StudentMixture().m_step(certain).components
    assert best.degrees == MOST_DEGREES
    assert best.at_limit.all()


# ---- outliers ------------------------------------------------------------------------------------


def outlying() -> tuple[np.ndarray, np.ndarray]:
    one = MixtureParams([1.0], Students([[1.0, 2.0]], [[[2.0, 0.5], [0.5, 1.0]]], [4.0]))
    clean = StudentMixture().sample(one, 300, np.random.default_rng(4))[0]
    return clean, np.vstack([clean, [[1e9, -1e9]]])


def test_an_outlier_does_not_spoil_the_fit() -> None:
    clean, spoiled = outlying()
    for degrees in (4.0, "free"):
        family = Student(degrees)
        without, beside = (
            em(StudentMixture(family), x, one_component(x, family)).params.components
            for x in (clean, spoiled)
        )
        assert np.allclose(beside.locations, without.locations, atol=0.05)
        assert np.allclose(beside.scales, without.scales, rtol=0.5, atol=0.3)
        assert family.expected_precisions(spoiled[-1:], beside)[0, 0] < 1e-15


def test_a_gaussian_is_spoiled_by_that_outlier() -> None:
    family = Gaussian()
    _, spoiled = outlying()
    mean = family.from_mean(family.expected_statistics(spoiled, np.ones((301, 1)), None)).means[0]
    assert abs(mean).min() > 1e6


# ---- the data set and the model of the scales ---------------------------------------------------------


def test_pieces_and_threads_change_nothing() -> None:
    x = StudentMixture().sample(TRUTH, 20_000, np.random.default_rng(6))[0]
    model, whole = StudentMixture(), StudentMixture().e_step(x, TRUTH)
    threaded = model.e_step(Chunks(x, threads=2), TRUTH)
    assert threaded.log_likelihood == whole.log_likelihood
    assert (threaded.components.moments.second == whole.components.moments.second).all()
    same(CASES[1], model.e_step(Chunks([x[:7], x[7:9000], x[9000:]]), TRUTH), whole)


def test_statistics_scale_as_weights_do() -> None:
    case, params = CASES[1], CASES[1].start(3)
    found = case.model.e_step(PLANE, params) * 0.25
    same(case, found, case.model.e_step(Weighted(PLANE, np.full(len(PLANE), 0.25)), params))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_chart_leads_back(case: Case) -> None:
    params = case.start(0)
    coordinates = chart(params.components)
    back = coordinates.from_vector(coordinates.to_vector(params.components))
    assert np.allclose(back.locations, params.components.locations)
    assert np.allclose(back.scales, params.components.scales)
    assert np.allclose(back.degrees, params.components.degrees)
    # Two locations, two scales and two degrees.
    d = case.x.shape[1]
    assert len(coordinates.to_vector(back)) == 2 * (d + d * (d + 1) // 2 + 1)
    far = coordinates.from_vector(coordinates.to_vector(back) + np.eye(d * (d + 3) + 2)[-1] * 1000)
    assert far.at_limit.tolist() == [False, True]


def test_squarem_leads_degrees_to_a_maximum_that_em_only_creeps_to() -> None:
    x = np.random.default_rng(2).standard_normal(300)
    fast, slow = (
        em(StudentMixture(), x, one_component(x), steps=steps, max_steps=300)
        for steps in (squarem_steps, em_steps)
    )
    assert fast.converged
    assert not slow.converged
    assert fast.log_likelihood > slow.log_likelihood
    assert fast.params.components.degrees > slow.params.components.degrees


def test_far_from_the_origin_the_fit_is_the_same() -> None:
    near = em(StudentMixture(Student(4.0)), PLANE, one_component(PLANE, Student(4.0)))
    far = em(
        StudentMixture(Student(4.0)), PLANE + 2.0**25, one_component(PLANE + 2.0**25, Student(4.0))
    )
    left, right = near.params.components, far.params.components
    assert np.allclose(left.locations, right.locations - 2.0**25, rtol=0, atol=1e-7)
    assert np.allclose(left.scales, right.scales, rtol=1e-6)


def test_diagonal_scales_are_the_maximum_among_diagonal_ones() -> None:
    family = Student(model="VVI")
    model = StudentMixture(family)
    found = model.e_step(PLANE, Case("", model, PLANE).start(1))
    best = model.m_step(found)
    scales = best.components.scales
    assert (scales[:, 0, 1] == 0).all()
    top = model.expected_log_joint(found, best)
    for factor in ([1.01, 1.0], [1.0, 0.99]):
        other = replace(best.components, scales=scales * np.array(factor))
        assert model.expected_log_joint(found, replace(best, components=other)) < top


def test_tied_scales_are_equal() -> None:
    model = StudentMixture(Student(model="EEE"))
    trace = em(model, PLANE, Case("", model, PLANE).start(1), max_steps=30)
    first, second = trace.params.components.scales
    assert np.allclose(first, second, rtol=1e-12)


@pytest.mark.parametrize(("degrees", "expected"), [("free", 20), ("tied", 18), (4.0, 17)])
def test_free_parameters(degrees: Any, expected: int) -> None:
    """Three components in the plane: 2 weights, 6 coordinates, 9 scales, and the degrees."""
    params = MixtureParams(
        np.full(3, 1 / 3), Students(np.zeros((3, 2)), [np.eye(2)] * 3, np.full(3, 4.0))
    )
    assert StudentMixture(Student(degrees)).free_parameters(params) == expected


def test_samples_have_the_distribution() -> None:
    """The squared distance from the location, over d, is F-distributed with d and nu degrees of freedom."""
    x, hidden = StudentMixture().sample(TRUTH, 4000, np.random.default_rng(8))
    for k, nu in enumerate(TRUTH.components.degrees):
        y = x[hidden == k] - TRUTH.components.locations[k]
        squares = (y @ np.linalg.inv(TRUTH.components.scales[k]) * y).sum(axis=1) / 2
        assert stats.kstest(squares, stats.f(2, nu).cdf).pvalue > 0.01
        assert stats.kstest(squares, stats.chi2(2, scale=0.5).cdf).pvalue < 1e-6
    assert abs((hidden == 0).mean() - 0.4) < 0.03


# ---- what is refused -----------------------------------------------------------------------------


def test_a_component_on_one_point_has_collapsed(refuses: Any) -> None:
    x = np.concatenate([np.zeros(20), 10 + LINE])
    start = MixtureParams(
        [0.5, 0.5], Students([[0.0], [10.0]], [[[1e-4]], [[1.0]]], np.full(2, 4.0))
    )
    with refuses(ArithmeticError, "component 0 has collapsed"):
        em(StudentMixture(Student(4.0)), x, start)


def test_an_empty_component_is_named(refuses: Any) -> None:
    far = Students([[2.0, 1.0], [1e8, 0.0]], [np.eye(2)] * 2, np.full(2, MOST_DEGREES))
    found = StudentMixture().e_step(PLANE, MixtureParams([0.5, 0.5], far))
    with refuses(ArithmeticError, "component 1 has no data left"):
        StudentMixture().m_step(found)


@pytest.mark.parametrize("degrees", ["many", -1.0, 0.0, float("nan"), float("inf"), 1e7, None])
def test_degrees_must_be_known_or_named(degrees: Any, refuses: Any) -> None:
    with refuses(ValueError, "degrees", "'free', 'tied'", repr(degrees)):
        Student(degrees)


@pytest.mark.parametrize("degrees", [[1.0], [0.0, 1.0], [1.0, 1e7], [[1.0, 2.0]]])
def test_params_check_their_degrees(degrees: Any, refuses: Any) -> None:
    with refuses(ValueError, "degrees", "for each"):
        Students(TRUTH.components.locations, TRUTH.components.scales, degrees)


def test_params_check_their_scales(refuses: Any) -> None:
    with refuses(ValueError, "scales", "positive definite"):
        Students([[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]], [4.0])
    with refuses(ValueError, "(k, d)"):
        Students([[0.0, 0.0]], [[[1.0]]], [4.0])


def test_params_must_have_the_degrees_of_the_family(refuses: Any) -> None:
    for degrees in (4.0, "tied"):
        with refuses(ValueError, "degrees", repr(degrees)):
            StudentMixture(Student(degrees)).e_step(PLANE, TRUTH)


def test_data_are_checked(refuses: Any) -> None:
    with refuses(ValueError, "3 columns", "2 dimensions"):
        StudentMixture().e_step(np.zeros((5, 3)), TRUTH)
    with refuses(ValueError, "not finite"):
        StudentMixture().e_step(np.full((5, 2), np.nan), TRUTH)
    with refuses(ValueError, "model"):
        Student(model="XYZ")
