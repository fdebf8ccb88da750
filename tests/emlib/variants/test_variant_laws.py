"""The laws of EM over the variants that are models: with a prior, at another temperature, variational.

Each has an objective in place of the log-likelihood, and the laws of book/bound.md hold for it. A law is a function
that raises AssertionError or AscentError where a model breaks it, and each rejects a twin that is wrong on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, is_dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import digamma, gammaln, logsumexp, multigammaln

from emlib import AscentError, Mixture, em_steps
from emlib.charts import Chart, chart
from emlib.data import Chunks, Weighted
from emlib.datasets import load
from emlib.em import rounding
from emlib.families import Bernoulli, Gaussian, Gaussians, Poisson
from emlib.variants.map import MaximumPosterior
from emlib.variants.penalised import Penalised
from emlib.variants.priors import (
    MixturePrior,
    beta,
    gamma,
    normal_inverse_wishart,
)
from emlib.variants.tempered import Tempered, hard
from emlib.variants.variational import Beliefs, VariationalGaussians, common_prior

Law = Callable[["Variant", int], None]


@dataclass(frozen=True)
class Variant:
    name: str
    model: Any
    data: np.ndarray
    start: Callable[[int], Any]
    objective: Callable[[np.ndarray, Any], float]
    """By SciPy, up to a constant."""
    chart_of: Callable[[Any], Chart[Any]] = chart

    def vector(self, params: Any) -> np.ndarray:
        return self.chart_of(params).to_vector(params)

    def moved(self, params: Any, nudge: np.ndarray) -> Any:
        here = self.chart_of(params)
        return here.from_vector(here.to_vector(params) + nudge)


# ---- what the objectives are, by SciPy and by the book ------------------------------------------------

WAITING = load("faithful")["waiting"][::2]
FAITHFUL = load("faithful").matrix()[::3]
DEATHS = load("deaths").repeated("deaths", "days")[::11].astype(float)
CALLS = np.random.default_rng(5).poisson(np.repeat([3.0, 11.0], [40, 60])).astype(float)
CLOSE = np.random.default_rng(6).standard_normal((150, 2)) + np.repeat([[0, 0], [2, 1]], 75, 0)
ANSWERS = (np.random.default_rng(3).random((80, 3)) < [[0.2, 0.6, 0.7]]).astype(float)


def poisson_joint(x: np.ndarray, params: Any) -> np.ndarray:
    return np.log(params.weights) + stats.poisson.logpmf(x[:, None], params.components.rates)


def bernoulli_joint(x: np.ndarray, params: Any) -> np.ndarray:
    logs = stats.bernoulli.logpmf(x[:, None, :], params.components.probabilities)
    return np.log(params.weights) + logs.sum(axis=2)


def gaussian_joint(x: np.ndarray, params: Any) -> np.ndarray:
    components = zip(params.components.means, params.components.covariances, strict=True)
    columns = [stats.multivariate_normal(*component).logpdf(x) for component in components]
    return np.log(params.weights) + np.column_stack(columns)


def gamma_poisson(x: np.ndarray, params: Any) -> float:
    rates = stats.gamma(2.5, scale=1 / 1.5).logpdf(params.components.rates).sum()
    weights = stats.dirichlet([3.0, 3.0]).logpdf(params.weights)
    return logsumexp(poisson_joint(x, params), axis=1).sum() + rates + weights


def beta_bernoulli(x: np.ndarray, params: Any) -> float:
    probabilities = stats.beta(1.5, 2.0).logpdf(params.components.probabilities).sum()
    return logsumexp(bernoulli_joint(x, params), axis=1).sum() + probabilities


MEAN, SCATTER = np.array([3.0, 70.0]), np.array([[0.4, 2.0], [2.0, 60.0]])


def wishart_gaussian(x: np.ndarray, params: Any) -> float:
    belief = 0.0
    for mean, covariance in zip(
        params.components.means, params.components.covariances, strict=True
    ):
        belief += stats.invwishart(5.0, SCATTER).logpdf(covariance)
        belief += stats.multivariate_normal(MEAN, covariance / 0.5).logpdf(mean)
    weights = stats.dirichlet([2.0, 2.0]).logpdf(params.weights)
    return logsumexp(gaussian_joint(x, params), axis=1).sum() + belief + weights


def tempered(joint: Callable[..., np.ndarray], power: float) -> Callable[..., float]:
    return lambda x, params: logsumexp(power * joint(x, params), axis=1).sum() / power


PRIOR = common_prior(
    [3.0, 70.0], SCATTER, concentration=0.5, mean_count=0.7, degrees_of_freedom=3.5
)


def bishop(x: np.ndarray, q: Beliefs) -> float:
    """The bound of Bishop (2006), the seven terms of eqs. (10.71)-(10.77), at the r of (10.46)-(10.49)."""
    alpha, beta, m, nu = q.concentrations, q.mean_counts, q.means, q.degrees_of_freedom
    w = np.linalg.inv(q.scatters)
    alpha0, beta0 = PRIOR.concentrations[0], PRIOR.mean_counts[0]
    m0, nu0 = PRIOR.means[0], PRIOR.degrees_of_freedom[0]
    w0 = np.linalg.inv(PRIOR.scatters[0])
    k, d = m.shape
    halves = (nu[:, None] - np.arange(d)) / 2
    log_lambda = digamma(halves).sum(axis=1) + d * np.log(2) + np.log(np.linalg.det(w))  # (10.65)
    log_pi = digamma(alpha) - digamma(alpha.sum())  # (10.66)
    offset = x[:, None, :] - m
    squares = d / beta + nu * np.einsum("nki,kij,nkj->nk", offset, w, offset)  # (10.64)
    log_rho = log_pi + 0.5 * log_lambda - 0.5 * d * np.log(2 * np.pi) - 0.5 * squares
    log_r = log_rho - logsumexp(log_rho, axis=1, keepdims=True)
    r = np.exp(log_r)
    counts = r.sum(axis=0)
    centres = r.T @ x / counts[:, None]
    spread = np.stack([np.cov(x.T, aweights=column, bias=True) for column in r.T])

    def log_c(a: np.ndarray) -> float:  # (B.23)
        return gammaln(a.sum()) - gammaln(a).sum()

    def log_b(w: np.ndarray, nu: float) -> float:  # (B.79)
        scale = nu * d / 2 * np.log(2) + multigammaln(nu / 2, d)
        return -nu / 2 * np.log(np.linalg.det(w)) - scale

    terms = [0.0] * 7
    for j in range(k):
        to_mean = centres[j] - m[j]
        terms[0] += (
            0.5
            * counts[j]
            * (
                log_lambda[j]
                - d / beta[j]
                - nu[j] * np.trace(spread[j] @ w[j])
                - nu[j] * to_mean @ w[j] @ to_mean
                - d * np.log(2 * np.pi)
            )
        )  # (10.71)
        from_prior = m[j] - m0
        terms[3] += 0.5 * (
            d * np.log(beta0 / (2 * np.pi))
            + log_lambda[j]
            - d * beta0 / beta[j]
            - beta0 * nu[j] * from_prior @ w[j] @ from_prior
        )
        terms[3] += (
            log_b(w0, nu0)
            + (nu0 - d - 1) / 2 * log_lambda[j]
            - 0.5 * nu[j] * np.trace(np.linalg.inv(w0) @ w[j])
        )  # (10.74)
        entropy = (
            -log_b(w[j], nu[j]) - (nu[j] - d - 1) / 2 * log_lambda[j] + nu[j] * d / 2
        )  # (B.82)
        terms[6] += (
            0.5 * log_lambda[j] + d / 2 * np.log(beta[j] / (2 * np.pi)) - d / 2 - entropy
        )  # (10.77)
    terms[1] = (r * log_pi).sum()  # (10.72)
    terms[2] = log_c(np.full(k, alpha0)) + (alpha0 - 1) * log_pi.sum()  # (10.73)
    terms[4] = (r * log_r).sum()  # (10.75)
    terms[5] = ((alpha - 1) * log_pi).sum() + log_c(alpha)  # (10.76)
    return sum(terms[:4]) - sum(terms[4:])  # (10.70)


# ---- the variants -------------------------------------------------------------------------------------


def shares(n: int, k: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.5), size=n)


def started(family: Any, data: np.ndarray, k: int) -> Callable[[int], Any]:
    return lambda seed: Mixture(family).from_responsibilities(data, shares(len(data), k, seed))


def roughly_sorted(family: Any, data: np.ndarray) -> Callable[[int], Any]:
    """Two components that are not far from the data: a posterior that is sharpened lets others die out."""

    def start(seed: int) -> Any:
        first = data.reshape(len(data), -1)[:, 0]
        sides = np.eye(2)[(first > first.mean()).astype(int)]
        return Mixture(family).from_responsibilities(
            data, 0.7 * sides + 0.3 * shares(len(data), 2, seed)
        )

    return start


def belief_chart(like: Beliefs) -> Chart[Beliefs]:
    (k, d), inner = like.means.shape, chart(Gaussians(like.means, like.scatters))

    def to_vector(q: Beliefs) -> np.ndarray:
        degrees = q.degrees_of_freedom - (d - 1)
        positive = np.concatenate([q.concentrations, q.mean_counts, degrees])
        return np.concatenate([np.log(positive), inner.to_vector(Gaussians(q.means, q.scatters))])

    def from_vector(vector: np.ndarray) -> Beliefs:
        concentrations, counts, degrees = np.exp(vector[: 3 * k]).reshape(3, k)
        normal = inner.from_vector(vector[3 * k :])
        return Beliefs(concentrations, counts, normal.means, normal.covariances, degrees + d - 1)

    return Chart(to_vector, from_vector)


VARIATIONAL = VariationalGaussians(PRIOR)
VARIANTS = [
    Variant(
        "gamma-poisson",
        MaximumPosterior(Mixture(Poisson()), MixturePrior(gamma(2.5, 1.5), concentration=3)),
        DEATHS,
        started(Poisson(), DEATHS, 2),
        gamma_poisson,
    ),
    Variant(
        "beta-bernoulli",
        MaximumPosterior(Mixture(Bernoulli()), MixturePrior(beta(1.5, 2.0, 3))),
        ANSWERS,
        started(Bernoulli(), ANSWERS, 2),
        beta_bernoulli,
    ),
    Variant(
        "wishart-gaussian",
        MaximumPosterior(
            Mixture(Gaussian()),
            MixturePrior(normal_inverse_wishart(MEAN, 0.5, SCATTER, 5), concentration=2),
        ),
        FAITHFUL,
        started(Gaussian(), FAITHFUL, 2),
        wishart_gaussian,
    ),
    Variant(
        "half-tempered",
        Tempered(Mixture(Gaussian()), 0.5),
        WAITING,
        started(Gaussian(), WAITING, 2),
        tempered(gaussian_joint, 0.5),
    ),
    Variant(
        "twice-tempered",
        Tempered(Mixture(Poisson()), 2.0),
        CALLS,
        roughly_sorted(Poisson(), CALLS),
        tempered(poisson_joint, 2.0),
    ),
    Variant(
        "hard",
        hard(Mixture(Gaussian())),
        CLOSE,
        roughly_sorted(Gaussian(), CLOSE),
        lambda x, params: gaussian_joint(x, params).max(axis=1).sum(),
    ),
    Variant(
        "variational",
        VARIATIONAL,
        FAITHFUL,
        lambda seed: VARIATIONAL.from_responsibilities(FAITHFUL, shares(len(FAITHFUL), 3, seed)),
        bishop,
        belief_chart,
    ),
]


# ---- the laws -----------------------------------------------------------------------------------------


def never_falls(variant: Variant, seed: int) -> None:
    values = [
        step.log_likelihood
        for step in islice(em_steps(variant.model, variant.data, variant.start(seed)), 25)
    ]
    assert values[-1] > values[0]
    assert (np.diff(values) >= -1e-11 * (abs(values[0]) + len(variant.data))).all()


def objective_is_what_it_says(variant: Variant, seed: int) -> None:
    """Between two places, the objective changes as that of SciPy does, which has another constant."""
    places = [variant.start(seed), variant.start(seed + 1)]
    ours = [variant.model.e_step(variant.data, place).log_likelihood for place in places]
    theirs = [variant.objective(variant.data, place) for place in places]
    assert np.isclose(ours[1] - ours[0], theirs[1] - theirs[0], rtol=1e-9, atol=1e-8)


def maximiser_resists(variant: Variant, seed: int) -> None:
    seen = variant.model.e_step(variant.data, variant.start(seed))
    best = variant.model.m_step(seen)
    top = variant.model.expected_log_joint(seen, best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(15):
            other = variant.moved(best, scale * rng.standard_normal(len(variant.vector(best))))
            assert variant.model.expected_log_joint(seen, other) <= top + rounding(seen)


def bound_lies_below(variant: Variant, seed: int) -> None:
    """Surrogate plus what it lacks at its own params is no more than the objective, near and far."""
    here = variant.start(seed)
    seen = variant.model.e_step(variant.data, here)
    lacking = seen.log_likelihood - variant.model.expected_log_joint(seen, here)
    rng = np.random.default_rng(seed)
    for scale in (1e-4, 1e-2, 0.3):
        nudge = scale * rng.standard_normal(len(variant.vector(here)))
        for there in (variant.moved(here, nudge), variant.moved(here, -nudge)):
            bound = variant.model.expected_log_joint(seen, there) + lacking
            above = variant.model.e_step(variant.data, there)
            assert bound <= above.log_likelihood + 2 * rounding(above)


def score_is_slope_of_surrogate(variant: Variant, seed: int) -> None:
    here = variant.start(seed)
    seen = variant.model.e_step(variant.data, here)
    for direction in np.eye(len(variant.vector(here))) * 1e-5:
        ahead, behind = variant.moved(here, direction), variant.moved(here, -direction)
        slope = (
            variant.model.e_step(variant.data, ahead).log_likelihood
            - variant.model.e_step(variant.data, behind).log_likelihood
        )
        surrogate = variant.model.expected_log_joint(
            seen, ahead
        ) - variant.model.expected_log_joint(seen, behind)
        assert np.isclose(slope, surrogate, rtol=1e-4, atol=1e-8 * len(variant.data))


def fixed_point_is_stationary(variant: Variant, seed: int) -> None:
    """Where the steps come to rest, the objective of SciPy is level."""
    before = np.inf
    for step in islice(em_steps(variant.model, variant.data, variant.start(seed)), 4000):
        vector = variant.vector(step.params)
        if np.allclose(vector, before, rtol=0, atol=1e-9):
            break
        before = vector
    rng = np.random.default_rng(seed)
    for _ in range(3):
        direction = rng.standard_normal(len(vector))
        direction *= 1e-4 / np.linalg.norm(direction)
        ahead, behind = (
            variant.moved(step.params, direction),
            variant.moved(step.params, -direction),
        )
        rise = variant.objective(variant.data, ahead) - variant.objective(variant.data, behind)
        assert abs(rise / 2e-4) < 1e-3 * len(variant.data) ** 0.5


def relabelled(params: Any) -> Any:
    if is_dataclass(params):
        return replace(
            params,
            **{
                name: relabelled(value)
                for name, value in vars(params).items()
                if name in params.__dataclass_fields__
            },
        )
    return params[::-1]


def names_do_not_matter(variant: Variant, seed: int) -> None:
    params = variant.start(seed)
    seen, mirror = (variant.model.e_step(variant.data, p) for p in (params, relabelled(params)))
    assert np.isclose(seen.log_likelihood, mirror.log_likelihood, rtol=1e-12)
    expected = variant.vector(relabelled(variant.model.m_step(seen)))
    assert np.allclose(variant.vector(variant.model.m_step(mirror)), expected, rtol=1e-9)


def split_adds_up(variant: Variant, seed: int) -> None:
    params = variant.start(seed)
    border = 1 + seed % (len(variant.data) - 1)
    whole, left, right = (
        variant.model.e_step(part, params)
        for part in (variant.data, variant.data[:border], variant.data[border:])
    )
    parts = left + right
    assert np.isclose(parts.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert np.isclose(parts.observations, len(variant.data))
    together, apart = (variant.vector(variant.model.m_step(seen)) for seen in (whole, parts))
    assert np.allclose(apart, together, rtol=1e-8)


def weights_repeat_rows(variant: Variant, seed: int) -> None:
    params = variant.start(seed)
    times = np.random.default_rng(seed).integers(0, 3, len(variant.data))
    weighted = variant.model.e_step(Weighted(variant.data, times), params)
    repeated = variant.model.e_step(np.repeat(variant.data, times, axis=0), params)
    assert np.isclose(weighted.observations, times.sum())
    assert np.isclose(weighted.log_likelihood, repeated.log_likelihood, rtol=1e-12)
    ours, theirs = (variant.vector(variant.model.m_step(seen)) for seen in (weighted, repeated))
    assert np.allclose(ours, theirs, rtol=1e-8)


def pieces_do_not_matter(variant: Variant, seed: int) -> None:
    params = variant.start(seed)
    pieces = Chunks(np.array_split(variant.data, 3), threads=2)
    whole, apart = variant.model.e_step(variant.data, params), variant.model.e_step(pieces, params)
    assert np.isclose(apart.log_likelihood, whole.log_likelihood, rtol=1e-12)
    ours, theirs = (variant.vector(variant.model.m_step(seen)) for seen in (apart, whole))
    assert np.allclose(ours, theirs, rtol=1e-8)


# ---- twins that are wrong on purpose -------------------------------------------------------------------


@dataclass(frozen=True)
class Twin:
    """Right in everything, until a subclass says otherwise."""

    variant: Variant
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def e_step(self, data: Any, params: Any) -> Any:
        return self.variant.model.e_step(data, params)

    def m_step(self, seen: Any) -> Any:
        return self.variant.model.m_step(seen)

    def expected_log_joint(self, seen: Any, params: Any) -> float:
        return self.variant.model.expected_log_joint(seen, params)


def lifted(seen: Any, nats: float) -> Any:
    if isinstance(seen, Penalised):
        return replace(seen, stats=lifted(seen.stats, nats))
    return replace(seen, log_likelihood=seen.log_likelihood + nats)


class Trembling(Twin):
    """The M-step lands beside the maximum, each time elsewhere."""

    def m_step(self, seen: Any) -> Any:
        best = super().m_step(seen)
        return self.variant.moved(
            best, 0.3 * self.rng.standard_normal(len(self.variant.vector(best)))
        )


class Lifted(Twin):
    """The objective has a term too much, which depends on the params."""

    def e_step(self, data: Any, params: Any) -> Any:
        return lifted(super().e_step(data, params), 0.1 * self.variant.vector(params).sum())


class Misread(Twin):
    """The statistics are those of other params, to the disadvantage of the later ones."""

    def e_step(self, data: Any, params: Any) -> Any:
        own = super().e_step(data, params).log_likelihood
        nudge = 0.05 * np.arange(len(self.variant.vector(params)))
        wrong = super().e_step(data, self.variant.moved(params, nudge))
        return lifted(wrong, own - wrong.log_likelihood)


class Unweighted(Twin):
    """The weights are not looked at."""

    def e_step(self, data: Any, params: Any) -> Any:
        return super().e_step(data.values if isinstance(data, Weighted) else data, params)


class Impatient(Twin):
    """What comes after the first piece is not read."""

    def e_step(self, data: Any, params: Any) -> Any:
        return super().e_step(data.pieces[0] if isinstance(data, Chunks) else data, params)


LAWS: dict[Law, type[Twin]] = {
    never_falls: Trembling,
    objective_is_what_it_says: Lifted,
    maximiser_resists: Trembling,
    bound_lies_below: Misread,
    score_is_slope_of_surrogate: Misread,
    fixed_point_is_stationary: Misread,
    names_do_not_matter: Misread,
    split_adds_up: Lifted,
    weights_repeat_rows: Unweighted,
    pieces_do_not_matter: Impatient,
}
EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)


@EVERY_VARIANT
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@hypothesis_settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_law_holds(law: Law, variant: Variant, seed: int) -> None:
    law(variant, seed)


@EVERY_VARIANT
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law: Law, twin: type[Twin], variant: Variant) -> None:
    with pytest.raises((AssertionError, AscentError)):
        law(replace(variant, model=twin(variant)), 2)
