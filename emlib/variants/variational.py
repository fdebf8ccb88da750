"""Variational Bayes for a mixture of Gaussians: EM whose params are beliefs about params.

The posterior of weights, means and precisions is approximated by one in which they do not depend on the components of
the observations. Given the beliefs, the best q(z) are responsibilities, from a mixture whose weights do not sum to one;
given the responsibilities, the best beliefs are the prior with the expected statistics added. What climbs is the
evidence lower bound, the free energy of the whole model. Components that explain nothing fall back to the prior.

Source: Bishop (2006), "Pattern Recognition and Machine Learning", section 10.2, eqs. (10.46)-(10.66), (10.70)-(10.77).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array, distributions, log_sum_exp, real, rows
from emlib.data import Prepared
from emlib.families import Gaussian, Gaussians
from emlib.families.moments import Moments
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.special import digamma, log_gamma, log_multigamma, multidigamma
from emlib.variants.penalised import Penalised

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

MIXTURE = Mixture(Gaussian())


@dataclass(frozen=True)
class Beliefs:
    """Dirichlet(concentrations) for the weights; for each component, independently, a normal-Wishart.

    Its precision is Wishart(scatter^-1, degrees of freedom), and its mean, given the precision P, is
    normal(mean, (mean_count P)^-1).
    """

    concentrations: Float[Array, " k"]
    """alpha."""
    mean_counts: Float[Array, " k"]
    """beta: how many observations the belief about each mean is worth."""
    means: Float[Array, "k d"]
    """m."""
    scatters: Float[Array, "k d d"]
    """W^-1, in the units of a sum of squares."""
    degrees_of_freedom: Float[Array, " k"]
    """nu, above d - 1."""

    def __post_init__(self) -> None:
        values = {name: real(value, name) for name, value in vars(self).items()}
        if values["means"].ndim != 2:
            raise ValueError(f"means: expected shape (k, d), got {values['means'].shape}")
        k, d = values["means"].shape
        for name, shape in {"scatters": (k, d, d), "means": (k, d)}.items():
            if values[name].shape != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {values[name].shape}")
        for name, bound in {
            "concentrations": 0,
            "mean_counts": 0,
            "degrees_of_freedom": d - 1,
        }.items():
            if values[name].shape != (k,) or not (values[name] > bound).all():
                raise ValueError(f"{name}: expected {k} numbers above {bound}, got {values[name]}")
        # As covariances, which are checked to be symmetric and positive definite.
        Gaussians(values["means"], values["scatters"])
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def expected(self) -> MixtureParams[Gaussians]:
        """The expected weights and means, and the inverses of the expected precisions."""
        covariances = self.scatters / self.degrees_of_freedom[:, None, None]
        weights = self.concentrations / self.concentrations.sum()
        return MixtureParams(weights, Gaussians(self.means, covariances))

    @cached_property
    def expected_log_weights(self) -> Float[Array, " k"]:
        """E[log w_k], eq. (10.66)."""
        result: Array = digamma(self.concentrations) - digamma(self.concentrations.sum())
        return result

    @cached_property
    def log_handicaps(self) -> Float[Array, " k"]:
        """E[log w_k p(x | k)] less the log-density of the expected Gaussian: what uncertainty costs, eq. (10.46)."""
        d, nu = self.means.shape[1], self.degrees_of_freedom
        # E[log |P|] - log |E[P]|, where P / 2 has the log-determinant of a multivariate gamma.
        spread = multidigamma(nu / 2, d) - d * np.log(nu / 2)
        result: Array = self.expected_log_weights + 0.5 * spread - 0.5 * d / self.mean_counts
        return result


def common_prior(
    mean: ArrayLike,
    scatter: ArrayLike,
    *,
    concentration: float,
    mean_count: float = 1.0,
    degrees_of_freedom: float | None = None,
) -> Beliefs:
    """A prior that is the same for every component; as many degrees of freedom as dimensions if none are given."""
    middle, spread = real(mean, "mean"), real(scatter, "scatter")
    degrees = float(middle.size) if degrees_of_freedom is None else degrees_of_freedom
    return Beliefs(
        np.array([concentration]),
        np.array([mean_count]),
        middle[None],
        spread[None],
        np.array([degrees]),
    )


def default_prior(data: ArrayLike, k: int) -> Beliefs:
    """That of scikit-learn: centred on the data, with their covariance as scatter, and concentration 1 / k."""
    x = rows(data, "data")
    return common_prior(x.mean(axis=0), np.atleast_2d(np.cov(x.T)), concentration=1 / k)


@dataclass(frozen=True)
class VariationalGaussians:
    """A mixture of Gaussians with a prior. Its `log_likelihood` is the evidence lower bound, all constants included."""

    prior: Beliefs
    """For each component, or one for all."""

    def prepare(self, data: Any) -> Prepared:
        """The data set, checked, as the E-step reads it."""
        return MIXTURE.prepare(data)

    def e_step(self, data: Any, params: Beliefs) -> Penalised[MixtureStatistics[Moments]]:
        """Responsibilities by eq. (10.49), as the posterior of a mixture with weights that do not sum to one."""
        total = float(log_sum_exp(params.log_handicaps[None])[0])
        weights = np.exp(params.log_handicaps - total)
        stats = MIXTURE.e_step(data, MixtureParams(weights, params.expected.components))
        evidence = stats.log_likelihood + stats.observations * total
        return Penalised(replace(stats, log_likelihood=evidence), -divergence(params, self.prior))

    def m_step(self, stats: Penalised[MixtureStatistics[Moments]]) -> Beliefs:
        """The prior with the statistics added, eqs. (10.58) and (10.60)-(10.63)."""
        seen, prior = stats.stats.components, self.prior
        from_prior = seen.about(np.broadcast_to(prior.means, seen.anchors.shape))
        mean_counts = prior.mean_counts + seen.counts
        shift = from_prior.first / mean_counts[:, None]
        means = prior.means + shift
        # About the new means, so that only positive terms are added.
        scatters = (
            prior.scatters
            + seen.about(means).second
            + prior.mean_counts[:, None, None] * seen.product(shift, shift)
        )
        return Beliefs(
            prior.concentrations + seen.counts,
            mean_counts,
            means,
            (scatters + scatters.transpose(0, 2, 1)) / 2,
            prior.degrees_of_freedom + seen.counts,
        )

    def expected_log_joint(
        self, stats: Penalised[MixtureStatistics[Moments]], params: Beliefs
    ) -> float:
        """E[log p(x, z | params)] under the beliefs, less their divergence from the prior."""
        seen = stats.stats.components
        expected = Gaussian().expected_log_density(seen, params.expected.components)
        return expected + float(seen.counts @ params.log_handicaps) - divergence(params, self.prior)

    def from_responsibilities(self, data: ArrayLike, responsibilities: ArrayLike) -> Beliefs:
        """An M-step on given responsibilities, hard or soft: a start from a guessed grouping. Shape (n, k)."""
        x = Gaussian().observations(data)
        shares = distributions(responsibilities, "responsibilities")
        if len(shares) != len(x):
            raise ValueError(f"responsibilities: expected shape ({len(x)}, k), got {shares.shape}")
        moments = Gaussian().expected_statistics(x, shares)
        return self.m_step(Penalised(MixtureStatistics(float("nan"), moments), 0.0))


def divergence(q: Beliefs, p: Beliefs) -> float:
    """KL(q || p) in nats; p may be of one component that stands for all."""
    d, ones = q.means.shape[1], np.ones(len(q.means))
    alpha = p.concentrations * ones
    dirichlet = (
        _log_dirichlet_norm(alpha)
        - _log_dirichlet_norm(q.concentrations)
        + (q.concentrations - alpha) @ q.expected_log_weights
    )
    ratio, offset = p.mean_counts / q.mean_counts, q.means - p.means
    precisions = q.expected.components.precisions
    squares = np.einsum("ki,kij,kj->k", offset, precisions, offset)
    normal = 0.5 * (d * (ratio - 1 - np.log(ratio)) + p.mean_counts * squares)
    nu, nu0 = q.degrees_of_freedom, p.degrees_of_freedom
    log_ratio = np.linalg.slogdet(q.scatters).logabsdet - np.linalg.slogdet(p.scatters).logabsdet
    trace = np.einsum("kij,kji->k", precisions, p.scatters * ones[:, None, None]) - nu * d
    wishart = (
        0.5 * (nu0 * log_ratio + trace + (nu - nu0) * multidigamma(nu / 2, d))
        + log_multigamma(nu0 / 2, d)
        - log_multigamma(nu / 2, d)
    )
    return float(dirichlet + (normal + wishart).sum())


def _log_dirichlet_norm(concentrations: Float[Array, " k"]) -> float:
    """Log of the integral of prod_k w_k^(concentration_k - 1)."""
    return float(log_gamma(concentrations).sum() - log_gamma(concentrations.sum()))
