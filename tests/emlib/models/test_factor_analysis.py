"""Factor analysis and probabilistic PCA: the laws of EM, each beside a twin that breaks it, and parity with peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import decomposition

from emlib import AscentError, em, em_steps
from emlib.data import Chunks, Weighted
from emlib.em import rounding
from emlib.models.factor_analysis import LEAST_NOISE, FactorAnalysis, FactorParams, FactorStatistics

TRUTH = FactorParams(
    mean=[1.0, -2.0, 3.0, 0.0, 5.0],
    loadings=[[1.5, 0.2], [1.0, -0.8], [-0.7, 1.2], [0.4, 0.9], [-1.1, -0.3]],
    noise=[0.4, 0.9, 0.6, 1.2, 0.5],
)
X = FactorAnalysis(2).sample(TRUTH, 120, np.random.default_rng(1))[0]


@dataclass(frozen=True)
class Case:
    """A model with data, and its params as a vector without constraints."""

    name: str
    model: FactorAnalysis

    @property
    def data(self) -> np.ndarray:
        return X

    @property
    def isotropic(self) -> bool:
        return self.model.noise == "isotropic"

    def start(self, seed: int) -> FactorParams:
        """Rough params on the scale of the data; the mean, too, is off."""
        rng = np.random.default_rng(seed)
        rough = self.model.start(self.data, rng)
        return replace(rough, mean=rough.mean + 0.5 * rng.standard_normal(len(rough.mean)))

    def vector(self, params: FactorParams) -> np.ndarray:
        noise = np.log(params.noise[:1] if self.isotropic else params.noise)
        return np.concatenate([params.mean, params.loadings.ravel(), noise])

    def params(self, vector: np.ndarray) -> FactorParams:
        d, q = self.data.shape[1], self.model.factors
        mean, loadings, noise = np.split(vector, [d, d + d * q])
        return FactorParams(mean, loadings.reshape(d, q), np.exp(noise) * np.ones(d))


CASES = [
    Case("factors", FactorAnalysis(2)),
    Case("one-factor", FactorAnalysis(1)),
    Case("principal", FactorAnalysis(2, "isotropic")),
]
Law = Callable[[Case, int], None]


def marginal(params: FactorParams) -> Any:
    """The distribution of x, by SciPy, with the covariance written out."""
    covariance = params.loadings @ params.loadings.T + np.diag(params.noise)
    return stats.multivariate_normal(params.mean, covariance)


def peer_log_likelihood(x: np.ndarray, params: FactorParams) -> float:
    return float(marginal(params).logpdf(x).sum())


# ---- the laws ------------------------------------------------------------------------------------


def never_falls(case: Case, seed: int) -> None:
    values = []
    for step in islice(em_steps(case.model, case.data, case.start(seed)), 40):
        values.append(step.log_likelihood)
        assert step.split.gap >= -2 * rounding(step.stats)
    assert values[-1] > values[0]
    assert (np.diff(values) >= -2e-12 * (abs(values[0]) + len(case.data))).all()


def equals_brute_force(case: Case, seed: int) -> None:
    """The log-likelihood is that of a sum over a fine grid of factors, three observations at a time."""
    params, few, q = case.start(seed), case.data[:3], case.model.factors
    axis, step = np.linspace(-12, 12, 4001 if q == 1 else 401, retstep=True)
    grid = np.stack(np.meshgrid(*[axis] * q), axis=-1).reshape(-1, q)
    log_prior = stats.norm.logpdf(grid).sum(axis=1) + q * np.log(step)
    centres = params.mean + grid @ params.loadings.T
    expected = 0.0
    for x in few:
        conditional = stats.norm.logpdf(x, centres, np.sqrt(params.noise)).sum(axis=1)
        expected += np.logaddexp.reduce(log_prior + conditional)
    assert np.isclose(case.model.e_step(few, params).log_likelihood, expected, rtol=1e-10, atol=0)


def maximiser_resists(case: Case, seed: int) -> None:
    found = case.model.e_step(case.data, case.start(seed))
    best = case.model.m_step(found)
    top = case.model.expected_log_joint(found, best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            nudge = scale * rng.standard_normal(len(case.vector(best)))
            other = case.params(case.vector(best) + nudge)
            assert case.model.expected_log_joint(found, other) <= top + rounding(found)


def bound_touches(case: Case, seed: int) -> None:
    """Surrogate + entropy of the factors is the log-likelihood at the posterior's params, and lies below elsewhere."""
    here, there = case.start(seed), case.start(seed + 1)
    precision = (
        np.eye(case.model.factors) + here.loadings.T @ np.diag(1 / here.noise) @ here.loadings
    )
    posterior = stats.multivariate_normal(cov=np.linalg.inv(precision))
    h = len(case.data) * posterior.entropy()
    found = case.model.e_step(case.data, here)
    own = case.model.expected_log_joint(found, here) + h
    assert np.isclose(own, found.log_likelihood, rtol=1e-11, atol=0)
    assert case.model.expected_log_joint(found, there) + h < peer_log_likelihood(case.data, there)


def score_is_slope_of_surrogate(case: Case, seed: int) -> None:
    """Fisher's identity, against SciPy's densities."""
    params = case.start(seed)
    found, vector = case.model.e_step(case.data, params), case.vector(params)
    for direction in np.eye(len(vector)) * 1e-5:
        ahead, behind = case.params(vector + direction), case.params(vector - direction)
        slope_l = peer_log_likelihood(case.data, ahead) - peer_log_likelihood(case.data, behind)
        surrogate = case.model.expected_log_joint
        slope_q = surrogate(found, ahead) - surrogate(found, behind)
        assert np.isclose(slope_l, slope_q, rtol=1e-4, atol=1e-8 * len(case.data))


def fixed_point_is_stationary(case: Case, seed: int) -> None:
    """Where the steps come to rest, SciPy's log-likelihood is level in every direction."""
    data, params = case.model.prepare(case.data), case.start(seed)
    for _ in range(1000):
        params = case.model.m_step(case.model.e_step(data, params))
    vector = case.vector(params)
    for direction in np.eye(len(vector)) * 1e-4:
        ahead, behind = (case.params(vector + sign * direction) for sign in (1, -1))
        slope = peer_log_likelihood(case.data, ahead) - peer_log_likelihood(case.data, behind)
        assert abs(slope) / 2e-4 < 1e-4


def rotations_do_not_matter(case: Case, seed: int) -> None:
    """Factors have no names and no axes: turned loadings give the same likelihood, and turned loadings."""
    params, q = case.start(seed), case.model.factors
    turn = stats.ortho_group(q).rvs(random_state=seed) if q > 1 else -np.eye(1)
    turned = replace(params, loadings=params.loadings @ turn)
    found, mirror = (case.model.e_step(case.data, p) for p in (params, turned))
    assert np.isclose(found.log_likelihood, mirror.log_likelihood, rtol=1e-13)
    plain, other = case.model.m_step(found), case.model.m_step(mirror)
    assert np.allclose(other.loadings, plain.loadings @ turn, rtol=1e-9, atol=1e-12)
    assert np.allclose(other.mean, plain.mean, rtol=1e-9)
    assert np.allclose(other.noise, plain.noise, rtol=1e-9)


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


def same(case: Case, left: FactorStatistics, right: FactorStatistics) -> None:
    assert np.isclose(left.log_likelihood, right.log_likelihood, rtol=1e-12)
    assert np.isclose(left.observations, right.observations)
    assert np.isclose(left.rounding, right.rounding, rtol=1e-6, atol=0)
    one, other = (case.vector(case.model.m_step(found)) for found in (left, right))
    assert np.allclose(one, other, rtol=1e-9, atol=1e-12)


# ---- twins that are wrong on purpose ---------------------------------------------------------------


class StretchedMStep(FactorAnalysis):
    """The noise is off by a factor."""

    def m_step(self, found: FactorStatistics) -> FactorParams:
        right = super().m_step(found)
        return replace(right, noise=1.5 * right.noise)


class NoSpread(FactorAnalysis):
    """The covariance of the factors given x is left out of E[z z']: they are taken for known."""

    def e_step(self, data: Any, params: FactorParams) -> FactorStatistics:
        right = super().e_step(data, params)
        regressors = right.regressors.copy()
        regressors[1:, 1:] -= right.observations * params.spread
        return replace(right, regressors=regressors)


class NoFactors(FactorAnalysis):
    """The log-likelihood is that of the noise alone."""

    def e_step(self, data: Any, params: FactorParams) -> FactorStatistics:
        right = super().e_step(data, params)
        nothing = replace(params, loadings=np.zeros_like(params.loadings))
        return replace(right, log_likelihood=super().e_step(data, nothing).log_likelihood)


class FirstFactorFavoured(FactorAnalysis):
    """The first factor has half as much variance again."""

    def e_step(self, data: Any, params: FactorParams) -> FactorStatistics:
        loadings = params.loadings * np.sqrt([1.5, 1.0])[: self.factors]
        loadings = np.abs(loadings) if self.factors == 1 else loadings
        return super().e_step(data, replace(params, loadings=loadings))


class MeanLogLikelihood(FactorAnalysis):
    """The log-likelihood is an average, which does not add."""

    def e_step(self, data: Any, params: FactorParams) -> FactorStatistics:
        right = super().e_step(data, params)
        return replace(right, log_likelihood=right.log_likelihood / right.observations)


class WeightsIgnored(FactorAnalysis):
    """The weights of the rows are left out."""

    def prepare(self, data: Any) -> Any:
        return super().prepare(data.values if isinstance(data, Weighted) else data)


LAWS: dict[Law, type[FactorAnalysis]] = {
    never_falls: NoSpread,
    equals_brute_force: NoFactors,
    maximiser_resists: StretchedMStep,
    bound_touches: NoSpread,
    score_is_slope_of_surrogate: NoSpread,
    fixed_point_is_stationary: NoSpread,
    rotations_do_not_matter: FirstFactorFavoured,
    split_adds_up: MeanLogLikelihood,
    weights_count_rows: WeightsIgnored,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds(law: Law, case: Case) -> None:
    law(case, 2)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 2), case=st.sampled_from(CASES))
def test_likelihood_never_falls_from_any_start(seed: int, case: Case) -> None:
    never_falls(case, seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law: Law, twin: type[FactorAnalysis], case: Case) -> None:
    with pytest.raises((AssertionError, AscentError)):
        law(replace(case, model=twin(case.model.factors, case.model.noise)), 2)


# ---- parity --------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 2])
def test_factor_analysis_reaches_the_maximum_of_scikit_learn(q: int) -> None:
    model = FactorAnalysis(q)
    trace = em(model, X, model.start(X, np.random.default_rng(0)), tol=1e-13)
    peer = decomposition.FactorAnalysis(q, tol=1e-13, max_iter=20_000, svd_method="lapack").fit(X)
    assert np.isclose(trace.log_likelihood, peer.score(X) * len(X), rtol=1e-10)
    assert np.allclose(trace.params.covariance, peer.get_covariance(), rtol=1e-4, atol=1e-4)
    assert np.allclose(trace.params.mean, peer.mean_, rtol=1e-12)


def test_densities_are_those_of_scipy() -> None:
    for model in (FactorAnalysis(2), FactorAnalysis(2, "isotropic")):
        params = Case("", model).start(5)
        expected = marginal(params).logpdf(X)
        assert np.allclose(model.log_density(X, params), expected, rtol=1e-12)
        assert np.isclose(model.e_step(X, params).log_likelihood, expected.sum(), rtol=1e-12)


@pytest.mark.parametrize("q", [1, 2, 4])
def test_em_reaches_the_closed_form(q: int) -> None:
    model = FactorAnalysis(q, "isotropic")
    data, params = model.prepare(X), model.start(X, np.random.default_rng(q))
    for step in islice(em_steps(model, data, params), 1000):
        params = step.params
    closed = model.closed_form(X)
    assert np.allclose(params.covariance, closed.covariance, rtol=0, atol=1e-8)
    assert np.isclose(params.noise[0], closed.noise[0], rtol=0, atol=1e-8)


def test_the_closed_form_is_made_of_eigenvalues() -> None:
    """sigma^2 is the mean of the discarded eigenvalues of the sample covariance; scikit-learn's PCA agrees.

    scikit-learn divides by n - 1 where the maximum has n.
    """
    closed = FactorAnalysis(2, "isotropic").closed_form(X)
    peer = decomposition.PCA(2).fit(X)
    correction = (len(X) - 1) / len(X)
    assert np.allclose(closed.noise, correction * peer.noise_variance_, rtol=1e-12)
    assert np.allclose(closed.covariance, correction * peer.get_covariance(), rtol=1e-10)


def test_the_closed_form_resists_every_nudge() -> None:
    case = CASES[2]
    best = case.vector(case.model.closed_form(X))
    top = peer_log_likelihood(X, case.params(best))
    rng = np.random.default_rng(3)
    for scale in (1e-4, 1e-2, 0.5):
        for _ in range(30):
            nudged = case.params(best + scale * rng.standard_normal(len(best)))
            assert peer_log_likelihood(X, nudged) <= top + 1e-9


# ---- one pass over the data ----------------------------------------------------------------------


class Counted:
    """Pieces of a data set that count how often they are read."""

    def __init__(self) -> None:
        self.passes = 0

    def __iter__(self) -> Any:
        self.passes += 1
        return iter([X[:50], X[50:51], X[51:]])


def test_a_run_reads_the_data_once() -> None:
    model, pieces = FactorAnalysis(2), Counted()
    start = model.start(X, np.random.default_rng(0))
    streamed = em(model, Chunks(pieces), start, max_steps=20)
    assert pieces.passes == 1
    whole = em(model, X, start, max_steps=20)
    assert np.isclose(streamed.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert np.allclose(streamed.params.loadings, whole.params.loadings, rtol=1e-8)


def test_statistics_of_different_params_add() -> None:
    """Their surrogates add, as sums of different observations do, wherever the params that they are about lie."""
    case = CASES[0]
    left, right = (
        case.model.e_step(part, case.start(i)) for i, part in enumerate((X[:40], X[40:]))
    )
    there = case.start(5)
    apart = sum(case.model.expected_log_joint(found, there) for found in (left, right))
    assert np.isclose(case.model.expected_log_joint(left + right, there), apart, rtol=1e-12)
    assert not np.allclose(left.anchor, right.anchor)


def test_statistics_scale_as_weights_do() -> None:
    case, params = CASES[0], CASES[0].start(3)
    found = case.model.e_step(X, params) * 0.25
    same(case, found, case.model.e_step(Weighted(X, np.full(len(X), 0.25)), params))


def test_threads_change_nothing() -> None:
    x = FactorAnalysis(2).sample(TRUTH, 20_000, np.random.default_rng(2))[0]
    model = FactorAnalysis(2)
    plain, threaded = model.e_step(x, TRUTH), model.e_step(Chunks(x, threads=2), TRUTH)
    assert plain.log_likelihood == threaded.log_likelihood
    assert (plain.products == threaded.products).all()


def test_far_from_the_origin_the_fit_is_the_same() -> None:
    model, far = FactorAnalysis(2), 2.0**25
    start = model.start(X, np.random.default_rng(0))
    moved = replace(start, mean=start.mean + far)
    near_trace = em(model, X, start, max_steps=100)
    far_trace = em(model, X + far, moved, max_steps=100)
    assert np.allclose(far_trace.params.mean - far, near_trace.params.mean, rtol=0, atol=1e-7)
    assert np.allclose(far_trace.params.noise, near_trace.params.noise, rtol=1e-6)


def test_units_do_not_matter() -> None:
    """Columns in other units give the same model, in those units."""
    units, model = np.array([1e-18, 1.0, 1e3, 1e6, 10.0]), FactorAnalysis(2)
    start = model.start(X, np.random.default_rng(0))
    scaled = FactorParams(
        start.mean * units, start.loadings * units[:, None], start.noise * units**2
    )
    plain, other = em(model, X, start, max_steps=50), em(model, X * units, scaled, max_steps=50)
    assert np.allclose(other.params.uniquenesses, plain.params.uniquenesses, rtol=1e-8)
    assert np.allclose(other.params.loadings / units[:, None], plain.params.loadings, rtol=1e-7)


# ---- what the params are for -----------------------------------------------------------------------


def test_transform_is_the_regression_of_factors_on_data() -> None:
    """E[z | x] from the joint Gaussian of (x, z), with the covariance of x inverted as it stands."""
    covariance = TRUTH.loadings @ TRUTH.loadings.T + np.diag(TRUTH.noise)
    expected = (X - TRUTH.mean) @ np.linalg.inv(covariance) @ TRUTH.loadings
    assert np.allclose(FactorAnalysis(2).transform(X, TRUTH), expected, rtol=1e-10)


def test_samples_have_the_distribution() -> None:
    x, z = FactorAnalysis(2).sample(TRUTH, 5000, np.random.default_rng(7))
    covariance = TRUTH.loadings @ TRUTH.loadings.T + np.diag(TRUTH.noise)
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), (x - TRUTH.mean).T)
    assert stats.kstest((whitened**2).sum(axis=0), stats.chi2(5).cdf).pvalue > 0.01
    assert stats.kstest((whitened**2).sum(axis=0), stats.chi2(4).cdf).pvalue < 1e-6
    assert abs(np.cov(x.T) - covariance).max() < 0.2
    residuals = x - TRUTH.mean - z @ TRUTH.loadings.T
    assert np.allclose(residuals.var(axis=0), TRUTH.noise, rtol=0.1)
    assert abs(np.corrcoef(residuals.T, z.T)[:5, 5:]).max() < 0.05


@pytest.mark.parametrize(("noise", "expected"), [("diagonal", 19), ("isotropic", 15)])
def test_free_parameters(noise: Any, expected: int) -> None:
    """Five means, ten loadings less one rotation, and the noise: Tipping & Bishop (1999), section 3, count alike."""
    assert FactorAnalysis(2, noise).free_parameters(TRUTH) == expected


def test_free_parameters_are_the_rank_of_the_covariances() -> None:
    """As many directions change mean and covariance as there are free parameters."""
    for case in CASES:
        vector = case.vector(case.start(1))

        def described(values: np.ndarray, case: Case = case) -> np.ndarray:
            params = case.params(values)
            return np.concatenate([params.mean, params.covariance.ravel()])

        columns = [
            (described(vector + step) - described(vector - step)) / 2e-5
            for step in np.eye(len(vector)) * 1e-5
        ]
        rank = np.linalg.matrix_rank(np.array(columns), tol=1e-6)
        assert case.model.free_parameters(case.params(vector)) == rank


# ---- Heywood cases and collapse ------------------------------------------------------------------


def with_correlations(matrix: list[list[float]]) -> np.ndarray:
    """Data whose sample correlations are exactly these."""
    x = np.random.default_rng(0).standard_normal((200, len(matrix)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / len(x))).T
    return x @ np.linalg.cholesky(np.array(matrix)).T


def test_a_heywood_case_stops_at_the_least_noise() -> None:
    """r12 r13 / r23 = 1.44 > 1 is the communality that one factor would need: its noise goes to the border."""
    x, model = (
        with_correlations([[1, 0.84, 0.6], [0.84, 1, 0.35], [0.6, 0.35, 1]]),
        FactorAnalysis(1),
    )
    nearly = FactorParams(np.zeros(3), [[1.0], [0.84], [0.6]], [2e-8, 0.2944, 0.64])
    trace = em(model, x, nearly, tol=0, max_steps=500)
    border = FactorParams(np.zeros(3), [[1.0], [0.84], [0.6]], [1e-13, 0.2944, 0.64])
    assert 0.9 * LEAST_NOISE < trace.params.uniquenesses[0] < 2.1 * LEAST_NOISE
    assert (trace.params.uniquenesses[1:] > 0.1).all()
    assert np.isclose(trace.log_likelihood, peer_log_likelihood(x, border), atol=1e-4)
    found = model.e_step(x, nearly)
    harder = replace(found, squares=found.squares * [1 - 1e-7, 1, 1])
    stopped = model.m_step(harder)
    assert np.isclose(stopped.noise[0], LEAST_NOISE, rtol=1e-5)


@pytest.mark.parametrize("q", [1, 2])
def test_a_repeated_column_is_a_collapse(q: int, refuses: Any) -> None:
    x = np.column_stack([X[:, :3], X[:, 0]])
    model = FactorAnalysis(q)
    with refuses(ArithmeticError, "2 columns have no noise left", "unbounded"):
        em(model, x, model.start(x, np.random.default_rng(0)), tol=0)


def test_columns_that_determine_each_other_are_a_collapse(refuses: Any) -> None:
    """The third is the sum of the others: three loadings in a plane, though there are three factors."""
    x = np.column_stack([X[:, 0], X[:, 1], X[:, 0] + X[:, 1], X[:, 2:]])
    model = FactorAnalysis(3)
    with refuses(ArithmeticError, "columns have no noise left", "unbounded"):
        em(model, x, model.start(x, np.random.default_rng(0)), tol=0)


def test_digits_hold_out_where_noise_all_but_vanishes() -> None:
    """Two columns all but equal drive their noise to the border; no step may seem to fall on the way."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((300, 6)) @ (0.3 * rng.standard_normal((6, 6)))
    y += rng.standard_normal((300, 6))
    x, model = np.column_stack([y, y[:, 0] + 1e-3 * y[:, 1]]), FactorAnalysis(4)
    trace = em(model, x, model.start(x, rng), tol=0, max_steps=200)
    assert trace.params.uniquenesses.min() < 2 * LEAST_NOISE
    assert np.isclose(trace.log_likelihood, peer_log_likelihood(x, trace.params), rtol=0, atol=1e-4)


def test_no_more_dimensions_than_factors_is_a_collapse(refuses: Any) -> None:
    model, x = FactorAnalysis(2, "isotropic"), X[:3]
    with refuses(ArithmeticError, "unbounded"):
        em(model, x, model.start(x, np.random.default_rng(0)), tol=0)
    with refuses(ArithmeticError, "unbounded"):
        model.closed_form(x)


def test_more_columns_than_rows_are_no_collapse() -> None:
    x, model = np.random.default_rng(0).standard_normal((20, 50)), FactorAnalysis(2)
    trace = em(model, x, model.start(x, np.random.default_rng(1)), max_steps=300)
    assert np.isclose(trace.log_likelihood, peer_log_likelihood(x, trace.params), rtol=1e-11)
    assert trace.params.uniquenesses.min() > LEAST_NOISE


def test_a_constant_column_is_named(refuses: Any) -> None:
    x = X.copy()
    x[:, 3] = 0.1
    for noise in ("diagonal", "isotropic"):
        model = FactorAnalysis(2, noise)
        with refuses(ArithmeticError, "column 3 is constant"):
            model.start(x, np.random.default_rng(0))
        with refuses(ArithmeticError, "column 3 is constant"):
            model.m_step(model.e_step(x, Case("", model).start(0)))


# ---- what is refused -----------------------------------------------------------------------------


def test_the_model_is_checked(refuses: Any) -> None:
    for factors in (0, 1.5, "two"):
        with refuses(ValueError, "factors", repr(factors)):
            FactorAnalysis(factors)
    with refuses(ValueError, "noise", "'round'"):
        FactorAnalysis(1, "round")
    with refuses(ValueError, "closed_form", "isotropic"):
        FactorAnalysis(2).closed_form(X)


def test_params_are_checked(refuses: Any) -> None:
    with refuses(ValueError, "(d, q)", "(5, 2)", "(4,)"):
        replace(TRUTH, mean=np.zeros(4))
    with refuses(ValueError, "noise", "above 0"):
        replace(TRUTH, noise=[1.0, 0.0, 1.0, 1.0, 1.0])
    with refuses(ValueError, "fewer than 5 columns", "got 5"):
        replace(TRUTH, loadings=np.eye(5))
    with refuses(ValueError, "not finite"):
        replace(TRUTH, noise=np.full(5, np.nan))


def test_data_are_checked(refuses: Any) -> None:
    with refuses(ValueError, "more than 2 columns", "got 2"):
        FactorAnalysis(2).e_step(X[:, :2], TRUTH)
    with refuses(ValueError, "4 columns", "5 and 2"):
        FactorAnalysis(2).e_step(X[:, :4], TRUTH)
    with refuses(ValueError, "1 factors", "5 and 2"):
        FactorAnalysis(1).transform(X, TRUTH)
    with refuses(ValueError, "one variance"):
        FactorAnalysis(2, "isotropic").e_step(X, TRUTH)
    with refuses(ValueError, "not finite"):
        FactorAnalysis(2).e_step(np.full((3, 5), np.nan), TRUTH)
