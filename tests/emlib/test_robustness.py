"""Where floats run out, the Gaussian mixture is right to what the conditioning allows, or says what is wrong.

The yardstick is one step of EM at 50 digits (`reference`), of the very floats that are given. How far floats may be
from it is not chosen to fit: it follows from a first-order analysis of rounding (`allowed`).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from reference import MODELS, Exact, em_step

from emlib import AscentError, Mixture, MixtureParams, em
from emlib.data import Weighted
from emlib.em import rounding
from emlib.families import Gaussian, Gaussians, Poisson, Poissons, quadratic

EPS = float(np.finfo(float).eps)

PROMISE = 1e-10
"""Nats of a log-density: what the library lets its fastest kernel lose, and sends the data the long way beyond."""


def floats(values: Any) -> np.ndarray:
    return np.array(values, dtype=float)


# ---- how far floats may be from the truth ------------------------------------------------------------


def deviations(exact: Exact) -> np.ndarray:
    """The exact standard deviations, of 50 digits. Shape (k, d)."""
    return np.array([[c[i][i] ** 0.5 for i in range(len(c))] for c in exact.covariances])


def errors(found: MixtureParams[Gaussians], exact: Exact) -> tuple[np.ndarray, ...]:
    """How far weights, means and covariances are off: in numbers, deviations, and products of two deviations."""
    unit = deviations(exact)
    means = (found.components.means - np.array(exact.means)) / unit
    covariances = found.components.covariances - np.array(exact.covariances)
    covariances = covariances / unit[:, :, None] / unit[:, None, :]
    weights = found.weights - np.array(exact.weights)
    return tuple(abs(floats(error)) for error in (weights, means, covariances))


def allowed(
    x: np.ndarray,
    params: MixtureParams[Gaussians],
    exact: Exact,
    model: str,
    row_weights: np.ndarray | None = None,
) -> tuple[float, tuple[np.ndarray, ...]]:
    """The rounding that a step in floats may show: in its log-likelihood, and in each of `errors`.

    Of Sigma, Cholesky's method factors Sigma + E with |E_ij| <= (d + 1) eps sqrt(Sigma_ii Sigma_jj). With kappa the
    condition of the correlation matrix, a square q is then off by (d + 1) eps kappa q, log |Sigma| by d (d + 1) eps
    kappa, and a log-density by half of both, by eps of itself, and by what the kernel promises. A posterior is off by
    the sum of two such errors, relatively; a mean and a covariance by the average of that over the posterior, and by
    the rounding of the mean to a float, eps |mu|. The kernel takes its moments about a point that is as near to the old
    components, in their deviations, as its promise asks: where a component shrinks, the step loses the square of that.

    Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", theorem 10.3 and section 10.1.
    """
    k, d = params.components.means.shape
    kappa = np.array([np.linalg.cond(correlation(c)) for c in params.components.covariances])
    squares, logs, shares = map(
        floats, (exact.squares, exact.log_densities, exact.responsibilities)
    )
    nats = (d + 1) * EPS * (kappa * (squares + d) + abs(logs)) + PROMISE
    # What answers for nothing of a row does not move it, however far its density is off.
    worst = np.where(shares > EPS, nats, 0).max(axis=1, keepdims=True)
    counted = np.ones(len(x)) if row_weights is None else row_weights
    wrong = counted[:, None] * shares * np.minimum(worst + nats + len(x) * EPS, 1.0)
    unit, counts = deviations(exact), floats(exact.counts)
    means, covariances = np.empty((k, d)), np.empty((k, d, d))
    for j in range(k):
        far = abs(floats((exact_rows(x) - np.array(exact.means[j])) / unit[j]))
        place = floats(EPS * abs(np.array(exact.means[j]) / unit[j]))
        means[j] = wrong[:, j] @ far / counts[j] + place + 8 * EPS
        covariances[j] = np.einsum("n,ni,nj->ij", wrong[:, j], far, far) / counts[j] + 8 * EPS
        covariances[j] += means[j][:, None] * means[j]
        shrinkage = floats(params.components.variances[j] / unit[j] ** 2).max()
        means[j] += PROMISE * max(shrinkage, 1.0) ** 0.5
        covariances[j] += PROMISE * max(shrinkage, 1.0)
    if model == "EEE":
        covariances[:] = np.einsum("k,kij->ij", counts / counts.sum(), covariances)
    if model == "VII":
        covariances[:] = np.einsum("kii->k", covariances)[:, None, None]
    weights = wrong.sum(axis=0) / counted.sum() + k * EPS
    return float(counted @ worst[:, 0]), (weights, means, covariances)


def correlation(covariance: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.diag(covariance))
    return covariance / scale[:, None] / scale


def exact_rows(x: np.ndarray) -> np.ndarray:
    from mpmath import mpf

    return np.vectorize(mpf, otypes=[object])(np.reshape(x, (len(x), -1)).astype(float))


def check_step(
    x: np.ndarray,
    params: MixtureParams[Gaussians],
    model: str,
    row_weights: np.ndarray | None = None,
) -> None:
    """One step is right, and the rounding that the library owns to covers the error of its log-likelihood."""
    exact = em_step(x, params, model, row_weights)
    nats, limits = allowed(x, params, exact, model, row_weights)
    data = x if row_weights is None else Weighted(x, row_weights)
    # Few rows go by differences; the way of many rows, by products where the error bound allows it, must be as right.
    for few in (quadratic.FEW, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(quadratic, "FEW", few)
            check_numbers(Mixture(Gaussian(model)), data, params, exact, nats, limits)


def check_numbers(
    mixture: Mixture[Gaussians, Any],
    data: Any,
    params: MixtureParams[Gaussians],
    exact: Exact,
    nats: float,
    limits: tuple[np.ndarray, ...],
) -> None:
    stats = mixture.e_step(data, params)
    error = abs(float(stats.log_likelihood - exact.log_likelihood))
    assert error <= nats, f"log-likelihood off by {error:.2g} nats, allowed are {nats:.2g}"
    assert error <= rounding(stats), f"off by {error:.2g} nats, owned to are {rounding(stats):.2g}"
    found = errors(mixture.m_step(stats), exact)
    for name, error, limit in zip(("weights", "means", "covariances"), found, limits, strict=True):
        assert (error <= limit).all(), f"{name} off by {error.max():.2g}, allowed {limit.min():.2g}"


# ---- the cases ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """Data, and params to step from; the covariances are cut down to what a model allows."""

    name: str
    x: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    weights: np.ndarray | None = None

    def params(self, model: str) -> MixtureParams[Gaussians]:
        k, d = self.means.shape
        covariances = self.covariances
        if model == "EEE":
            covariances = np.broadcast_to(covariances.max(axis=0), covariances.shape)
        if model in ("VVI", "VII"):
            covariances = covariances * np.eye(d)
        if model == "VII":
            covariances = covariances.max(axis=(1, 2))[:, None, None] * np.eye(d)
        weights = np.full(k, 1 / k) if self.weights is None else self.weights
        return MixtureParams(weights, Gaussians(self.means, covariances))


def two_groups(n: int = 24, d: int = 2, distance: float = 4.0, seed: int = 0) -> np.ndarray:
    """Two groups of n rows, of deviation 1, about the origin and about (distance, 0, ...)."""
    x = np.random.default_rng(seed).standard_normal((2 * n, d))
    x[n:, 0] += distance
    return x


BASE = two_groups()
MEANS, ROUND = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([np.eye(2)] * 2)


def offset(by: float, scale: float = 1.0) -> Trial:
    name = f"offset {by:g}, deviation {scale:g}"
    return Trial(name, scale * BASE + by, scale * MEANS + by, scale**2 * ROUND)


def scaled(by: float) -> Trial:
    return Trial(f"scale {by:g}", by * BASE, by * MEANS, by * (by * ROUND))


def correlated(gap: float) -> Trial:
    other = 1 - gap
    root = np.array([[1.0, 0.0], [other, np.sqrt((1 - other) * (1 + other))]])
    x = BASE * [1, 1]
    x[24:, 0] -= 4
    x = x @ root.T
    x[24:] += 4
    covariance = np.array([[1, other], [other, 1]])
    return Trial(
        f"correlation 1 - {gap:g}", x, np.array([[0.0, 0], [4, 4]]), np.array([covariance] * 2)
    )


def in_dimensions(d: int, n: int, unit: float = 1.0) -> Trial:
    roots = np.random.default_rng(d).standard_normal((2, d, 2 * d)) / np.sqrt(2 * d)
    means = np.zeros((2, d))
    means[1, 0] = 2.0
    covariances = roots @ roots.transpose(0, 2, 1)
    x = two_groups(n, d, 2.0, seed=d)
    return Trial(f"d = {d}, unit {unit:g}", unit * x, unit * means, unit**2 * covariances)


def apart(distance: float) -> list[Trial]:
    """Two groups, each of which is all but impossible for the component of the other: log-odds of distance^2 / 2."""
    x, means = two_groups(distance=distance), MEANS * distance / 4
    return [
        Trial(f"groups {distance:g} apart", x, means, ROUND),
        Trial(f"groups {distance:g} apart, in the other order", x, means[::-1].copy(), ROUND),
    ]


def narrow(scale: float) -> Trial:
    return Trial(
        f"a component of deviation {scale:g} in one of 2",
        np.vstack([BASE, 1 + scale * FAR]),
        np.array([[1.0, 0.0], [1.0, 1.0]]),
        np.array([4 * np.eye(2), scale**2 * np.eye(2)]),
    )


def mixed(small: float, large: float) -> Trial:
    units = np.array([small, large])
    return Trial(
        f"columns of scale {small:g} and {large:g}",
        BASE * units,
        MEANS * units,
        ROUND * units * units[:, None],
    )


FAR = np.random.default_rng(1).standard_normal((6, 2))

RIGHT = [
    *(offset(by) for by in (0.0, 1e4, 1e6, 1e8, -1e8, 1e12)),
    *(offset(1e8, scale) for scale in (1e-3, 1e-6)),
    *(scaled(by) for by in (1e-150, 1e-100, 1e-9, 1e-3, 1e9, 1e100, 1e150)),
    *(correlated(gap) for gap in (1e-8, 1e-10, 1e-12, 1e-14)),
    mixed(1e-6, 1e6),
    mixed(1e-100, 1e100),
    *(in_dimensions(d, n) for d, n in ((1, 20), (16, 20), (30, 35))),
    # A density of 1e-304, and of 1e304.
    *(in_dimensions(16, 20, unit) for unit in (1e19, 1e-19)),
    Trial("float32, offset 1e4", (BASE + 1e4).astype("f4"), MEANS + 1e4, ROUND),
    Trial("one component", BASE, MEANS[:1], 3 * ROUND[:1]),
    Trial("duplicates", np.repeat(BASE[::4], 6, axis=0), MEANS, ROUND),
    Trial(
        "a group at 1e9", np.vstack([BASE, 1e9 + FAR]), np.array([[1.0, 0], [1e9, 1e9]]), 4 * ROUND
    ),
    Trial(
        "the same, named first",
        np.vstack([BASE, 1e9 + FAR]),
        np.array([[1e9, 1e9], [1.0, 0]]),
        4 * ROUND,
    ),
    Trial(
        "three groups 1e9 apart",
        np.vstack([FAR - 1e9, FAR, FAR[::-1] + 1e9]),
        np.array([[-1e9, -1e9], [0.0, 0.0], [1e9, 1e9]]),
        np.array([np.eye(2)] * 3),
    ),
    *apart(25.0),
    *apart(100.0),
    *(narrow(scale) for scale in (3e-3, 1e-4, 1e-6)),
    Trial(
        "a component of little weight", BASE, MEANS, ROUND, weights=np.array([1 - 1e-200, 1e-200])
    ),
    # Responsibilities from e^-160 to 0.99.
    Trial(
        "a component out of reach but for a few rows",
        np.vstack([BASE, FAR + np.array([20.0, 0.0])]),
        np.array([[1.0, 0], [40.0, 0]]),
        4 * ROUND,
    ),
    Trial("a component that answers for 1e-200", BASE, np.array([[1.0, 0.0], [36.0, 0.0]]), ROUND),
]


def each(trials: list[Trial]) -> list[Any]:
    """The trials as parameters."""
    return [pytest.param(trial, id=trial.name) for trial in trials]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("trial", each(RIGHT))
def test_a_step_is_right_to_what_the_conditioning_allows(trial, model):
    check_step(trial.x, trial.params(model), model)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1.0, 3.0, 1e30, 1e150])
def test_weights_of_any_size_weigh(scale):
    row_weights = scale * np.random.default_rng(2).random(len(BASE))
    params = MixtureParams([0.3, 0.7], Gaussians(MEANS, ROUND))
    check_step(BASE, params, "VVV", row_weights)


def test_the_yardstick_is_that_of_scikit_learn():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    names = {"VVV": "full", "EEE": "tied", "VVI": "diag", "VII": "spherical"}
    trial = in_dimensions(3, 30)
    for model in MODELS:
        params = trial.params(model)
        precisions = np.linalg.inv(params.components.covariances)
        shaped = {
            "VVV": precisions,
            "EEE": precisions[0],
            "VVI": np.einsum("kii->ki", precisions),
            "VII": precisions[:, 0, 0],
        }
        theirs = GaussianMixture(
            2,
            covariance_type=names[model],
            weights_init=params.weights,
            means_init=params.components.means,
            precisions_init=shaped[model],
            reg_covar=0.0,
            max_iter=1,
        )
        with pytest.warns(ConvergenceWarning):
            theirs.fit(trial.x)
        exact = em_step(trial.x, params, model)
        assert float(exact.log_likelihood) / len(trial.x) == pytest.approx(theirs.lower_bound_)
        assert floats(exact.weights) == pytest.approx(theirs.weights_)
        assert floats(exact.means) == pytest.approx(theirs.means_)
        fitted = {
            "VVV": lambda c: c,
            "EEE": lambda c: np.broadcast_to(c, (2, 3, 3)),
            "VVI": lambda c: c[:, :, None] * np.eye(3),
            "VII": lambda c: c[:, None, None] * np.eye(3),
        }[model](theirs.covariances_)
        assert floats(exact.covariances) == pytest.approx(fitted)


# ---- whole runs --------------------------------------------------------------------------------------


SHRINKING = [
    Trial(
        f"groups of deviation {scale:g}, 40 apart, from deviation 1",
        np.vstack([scale * FAR, scale * FAR[::-1] + np.array([40.0, 0.0])]),
        np.array([[1.0, 0.0], [39.0, 0.0]]),
        ROUND,
    )
    for scale in (1e-3, 1e-6, 1e-9)
]


TOO_NARROW = "groups of deviation 1e-09, 40 apart, from deviation 1"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("trial", each([*RIGHT, *SHRINKING]))
def test_a_run_climbs_without_false_alarm_to_params_that_are_right(trial, model):
    start = trial.params(model)
    try:
        reached = em(Mixture(Gaussian(model)), trial.x, start, tol=1e-13, max_steps=40).params
        check_step(trial.x, reached, model)
    except AscentError:
        raise
    except ArithmeticError as error:
        # Moments about the old means do not hold a component so narrow, and the message says so.
        owned = trial.name == TOO_NARROW and "begin nearer to it" in str(error)
        if not owned and not collapses(trial.x, start, model):
            raise AssertionError("there is no collapse in the exact run") from error


def collapses(x: np.ndarray, params: MixtureParams[Gaussians], model: str, steps: int = 40) -> bool:
    """Whether EM at 50 digits, its params rounded to floats at each step, ends in a covariance that is none."""
    for _ in range(steps):
        exact = em_step(x, params, model)
        if min(exact.counts) < 1e-280:
            return True
        unit = deviations(exact)
        covariances, means = np.array(exact.covariances), np.array(exact.means)
        lost = floats(unit / np.maximum(abs(means), 1e-300)) < 2 * EPS
        smallest = min(
            np.linalg.eigvalsh(floats(c / u[:, None] / u))[0]
            for c, u in zip(covariances, unit, strict=True)
        )
        if lost.any() or smallest < 8 * len(unit[0]) * EPS:
            return True
        params = MixtureParams(floats(exact.weights), Gaussians(floats(means), floats(covariances)))
    return False


# ---- what has no answer is refused, by its name ------------------------------------------------------

COLLAPSE = "has collapsed: its covariance has rank"


def grouped(x: np.ndarray, labels: Any, model: str) -> MixtureParams[Gaussians]:
    return Mixture(Gaussian(model)).from_responsibilities(x, np.eye(max(labels) + 1)[labels])


@pytest.mark.parametrize("model", ["VVV", "EEE", "VVI"])
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e8, -1e-8])
def test_a_constant_column_is_a_collapse(value, model, refuses):
    x = BASE.copy()
    x[:, 1] = value
    params = MixtureParams([0.5, 0.5], Gaussians(MEANS + np.array([0.0, value]), ROUND))
    with refuses(ArithmeticError, COLLAPSE, "rank 1 of 2", "drop columns"):
        em(Mixture(Gaussian(model)), x, params)


def test_a_constant_column_is_no_collapse_of_a_sphere():
    x = BASE.copy()
    x[:, 1] = 0.1
    check_step(x, MixtureParams([0.5, 0.5], Gaussians(MEANS, ROUND)), "VII")


@pytest.mark.parametrize("model", MODELS)
def test_repeated_points_are_a_collapse(model, refuses):
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 5.0]])
    x, labels = np.repeat(points, 20, axis=0), np.repeat(np.arange(3), 20)
    with refuses(ArithmeticError, "component 0", COLLAPSE, "rank 0 of 2", "expected observations"):
        grouped(x, labels, model)
    params = MixtureParams(np.full(3, 1 / 3), Gaussians(points, [0.01 * np.eye(2)] * 3))
    with refuses(ArithmeticError, COLLAPSE, "rank 0 of 2"):
        em(Mixture(Gaussian(model)), x, params)


@pytest.mark.parametrize("model", MODELS)
def test_a_component_for_each_row_is_a_collapse(model, refuses):
    with refuses(ArithmeticError, COLLAPSE, "rank 0 of 2", "fewer components"):
        grouped(BASE[:10], np.arange(10), model)


@pytest.mark.parametrize("model", MODELS)
def test_a_component_without_data_is_refused(model, refuses):
    params = MixtureParams([0.5, 0.5], Gaussians([[1.0, 0.0], [1e4, 0.0]], 4 * ROUND))
    with refuses(ArithmeticError, "component 1 has no data left", "fewer components"):
        em(Mixture(Gaussian(model)), BASE, params)
    # In a unit in which all densities are small, too.
    unit = 1e20
    far = Gaussians([[unit, 0.0], [1e4 * unit, 0.0]], 4 * unit**2 * ROUND)
    with refuses(ArithmeticError, "component 1 has no data left"):
        em(Mixture(Gaussian(model)), unit * BASE, MixtureParams([0.5, 0.5], far))


def test_an_outlier_beyond_the_digits_of_a_correlation_is_a_collapse(refuses):
    x = np.vstack([BASE, [[1e9, 1e9]]])
    params = MixtureParams([0.5, 0.5], Gaussians(MEANS, ROUND))
    with refuses(ArithmeticError, COLLAPSE, "rank 1 of 2"):
        em(Mixture(Gaussian("VVV")), x, params)
    for model in ("VVI", "VII"):
        check_step(x, params, model)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("scale", [1e-200, 1e-162, 1e160, 1e200, 1e300])
def test_a_spread_whose_square_is_no_float_is_refused(scale, model):
    labels = np.repeat([0, 1], 24)
    with pytest.raises((ArithmeticError, ValueError), match=r"square|rescale|too (large|small)"):
        grouped(scale * BASE, labels, model)


@pytest.mark.parametrize("model", MODELS)
def test_a_row_that_no_component_can_explain_is_refused(model, refuses):
    x = np.vstack([BASE, [[1e150, 0.0]]])
    params = MixtureParams([0.5, 0.5], Gaussians(MEANS, 1e-12 * ROUND))
    said = f"Row {len(BASE)}, [1.e+150 0.e+000], is impossible"
    with refuses(ArithmeticError, "log-likelihood is -inf", said):
        em(Mixture(Gaussian(model)), x, params)


@pytest.mark.parametrize("model", ["VVI", "VII"])
def test_covariances_that_a_model_does_not_have_are_not_misread(model):
    """A diagonal model, stepped from correlated components, takes them as they are, or refuses them."""
    params = MixtureParams([0.5, 0.5], Gaussians(MEANS, [[[1.0, 0.9], [0.9, 1.0]]] * 2))
    with contextlib.suppress(ValueError):
        stats = Mixture(Gaussian(model)).e_step(BASE, params)
        exact = em_step(BASE, params, model)
        assert stats.log_likelihood == pytest.approx(float(exact.log_likelihood), rel=1e-10)


# ---- one block, one row more, one component ----------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 8_191, 8_192, 8_193, 12_289])
@pytest.mark.parametrize(("k", "d"), [(1, 1), (3, 1), (2, 3), (5, 16)])
def test_the_length_of_a_data_set_does_not_matter(n, k, d):
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(n)
    x, weights = 2 * rng.standard_normal((n, d)), rng.random(n)
    roots = rng.standard_normal((k, d, 2 * d)) / np.sqrt(2 * d)
    params = MixtureParams(
        np.full(k, 1 / k),
        Gaussians(rng.standard_normal((k, d)), roots @ roots.transpose(0, 2, 1) + np.eye(d) / 2),
    )
    table = np.column_stack(
        [
            np.log(1 / k) + multivariate_normal(mean, covariance).logpdf(x).reshape(n)
            for mean, covariance in zip(
                params.components.means, params.components.covariances, strict=True
            )
        ]
    )
    evidence = logsumexp(table, axis=1)
    shares = np.exp(table - evidence[:, None])
    for data, w in ((x, np.ones(n)), (Weighted(x, weights), weights)):
        stats = Mixture(Gaussian()).e_step(data, params)
        assert stats.log_likelihood == pytest.approx(w @ evidence, rel=1e-10)
        mine = stats.components.about(np.zeros((k, d)))
        expected = w[:, None] * shares
        assert mine.counts == pytest.approx(expected.sum(axis=0), rel=1e-10)
        assert mine.first == pytest.approx(expected.T @ x, rel=1e-9, abs=1e-10 * n)
        second = np.einsum("nk,ni,nj->kij", expected, x, x, optimize=True)
        assert mine.second == pytest.approx(second, rel=1e-9, abs=1e-9 * n)


# ---- counts so large that their logarithms cancel ----------------------------------------------------


@pytest.mark.parametrize("rate", [1e3, 1e6, 1e9, 1e12])
def test_large_counts_raise_no_false_alarm(rate):
    from scipy.stats import poisson

    rng = np.random.default_rng(3)
    x = np.concatenate([rng.poisson(rate, 30), rng.poisson(rate + 2 * rate**0.5, 30)])
    model = Mixture(Poisson())
    trace = em(
        model, x, MixtureParams([0.5, 0.5], Poissons([rate, rate + 3 * rate**0.5])), tol=1e-14
    )
    weights, rates = trace.params.weights, trace.params.components.rates
    with np.errstate(all="ignore"):
        theirs = np.log(np.exp(poisson.logpmf(x[:, None], rates)) @ weights).sum()
    # x log(rate) - rate - log x!: three terms of the size of x log x, to a digit each.
    assert abs(trace.log_likelihood - theirs) <= 60 * 4 * EPS * rate * np.log(rate)
