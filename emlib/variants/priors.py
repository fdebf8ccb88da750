"""Conjugate priors of mixtures: on the weights a Dirichlet, on the components that of their family.

Source: Gelman et al. (2013), "Bayesian Data Analysis", 3rd edition, chapters 2 and 3; Fraley & Raftery (2007),
"Bayesian regularization for normal mixture estimation and model-based clustering", Journal of Classification 24.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from emlib.arrays import Array, expectation, real, rows
from emlib.families import ExponentialFamily, Family, Gaussian, Gaussians, Sums
from emlib.families.family import refuse_empty
from emlib.families.moments import Moments
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics

if TYPE_CHECKING:
    from jaxtyping import Float
    from numpy.typing import ArrayLike

Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Any)
StatsIn = TypeVar("StatsIn", contravariant=True)


class ComponentPrior(Protocol[Params, StatsIn]):
    """A prior on the params of the components of one family, the same for each."""

    def log_density(self, family: Any, params: Params) -> float:
        """The sum over components of the log-density, up to a constant."""

    def from_mean(self, family: Any, stats: StatsIn) -> Params:
        """The params that maximise the expected log-density of `stats` plus `log_density`."""


@dataclass(frozen=True)
class MixturePrior(Generic[Params, Stats]):
    """A prior for `MaximumPosterior(Mixture(family), ...)`: independent for the weights and for the components."""

    components: ComponentPrior[Params, Stats]
    concentration: float = 1.0
    """Of the Dirichlet on the weights, 1 or more; 1 is flat. It adds concentration - 1 to each expected count."""

    def __post_init__(self) -> None:
        _at_least("concentration", self.concentration, 1)

    def log_density(self, model: Mixture[Params, Stats], params: MixtureParams[Params]) -> float:
        """The Dirichlet's plus the components'."""
        unseen = np.full(len(params.weights), self.concentration - 1)
        weights = expectation(unseen, params.log_weights)
        return weights + self.components.log_density(model.family, params.components)

    def m_step(
        self, model: Mixture[Params, Stats], stats: MixtureStatistics[Stats]
    ) -> MixtureParams[Params]:
        """Shares of the counts, and each component, with what the prior adds to them."""
        counts = stats.components.counts + (self.concentration - 1)
        components = self.components.from_mean(model.family, stats.components)
        return MixtureParams(counts / counts.sum(), components)


@dataclass(frozen=True)
class Conjugate:
    """The conjugate prior of an exponential family: <totals, eta> - count A(eta), up to a constant."""

    count: float
    """How many observations were never seen."""
    totals: Float[Array, " p"]
    """The sum of their statistics."""

    def log_density(self, family: ExponentialFamily[Params], params: Params) -> float:
        """<totals, eta_k> - count A(eta_k), summed over components."""
        k = len(family.log_partition(params))
        return family.log_likelihood(np.tile(self.totals, (k, 1)), np.full(k, self.count), params)

    def from_mean(self, family: Family[Params, Sums], stats: Sums) -> Params:
        """The fit to the data with those never seen."""
        both = replace(stats, counts=stats.counts + self.count, totals=stats.totals + self.totals)
        return family.from_mean(both)


def gamma(shape: float, rate: float) -> Conjugate:
    """The gamma prior of Poisson rates; shape 1 or more, rate 0 or more."""
    _at_least("shape", shape, 1)
    _at_least("rate", rate, 0)
    return Conjugate(rate, np.array([shape - 1.0]))


def beta(a: float, b: float, d: int) -> Conjugate:
    """The beta prior of the probabilities of d Bernoulli columns; a and b are 1 or more."""
    _at_least("a", a, 1)
    _at_least("b", b, 1)
    return Conjugate(a + b - 2.0, np.full(d, a - 1.0))


@dataclass(frozen=True)
class NormalInverseWishart:
    """-covariance_count/2 log|S| - mean_count/2 (m - mean)' S^-1 (m - mean) - tr(S^-1 scatter)/2, up to a constant.

    So `mean_count` observations were seen at `mean`, and `covariance_count - mean_count` exactly at m, wherever it is.
    For every covariance model, it is the same prior, kept to the covariances of that model.
    """

    mean: Float[Array, " d"]
    mean_count: float
    """kappa."""
    scatter: Float[Array, "d d"]
    """Lambda, in the units of a sum of squares."""
    covariance_count: float
    """nu + d + 2, for nu degrees of freedom."""

    def __post_init__(self) -> None:
        mean, scatter = real(self.mean, "mean"), real(self.scatter, "scatter")
        if mean.ndim != 1 or scatter.shape != (len(mean), len(mean)):
            raise ValueError(
                f"expected a mean of shape (d,) and a scatter of shape (d, d), got {mean.shape} and {scatter.shape}"
            )
        # One that is flat in some direction would let a component collapse along it.
        if not np.array_equal(scatter, scatter.T) or (np.linalg.eigvalsh(scatter) <= 0).any():
            raise ValueError("scatter: expected a symmetric positive definite matrix")
        _at_least("mean_count", self.mean_count, 0)
        _at_least("covariance_count", self.covariance_count, 0)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "scatter", scatter)

    def log_density(self, family: Gaussian, params: Gaussians) -> float:
        """The expected log-density of the observations never seen."""
        offsets = params.means - self.mean
        scatter = self.scatter + self.mean_count * Moments.product(offsets, offsets)
        constant = self.covariance_count * float(params.log_norms.sum())
        return constant - 0.5 * float((params.precisions * scatter).sum())

    def from_mean(self, family: Gaussian, stats: Moments) -> Gaussians:
        """The fit to the data with those never seen."""
        mean_counts = stats.counts + self.mean_count
        refuse_empty(mean_counts)
        pull = self.mean_count * (self.mean - stats.anchors)
        means = stats.anchors + (stats.first + pull) / mean_counts[:, None]
        # Both about the new means: either may lie far from the anchors of the other.
        offsets, seen = means - self.mean, stats.about(means).second
        scatter = np.diag(self.scatter) if seen.ndim == 2 else self.scatter
        unseen = scatter + self.mean_count * stats.product(offsets, offsets)
        counts = stats.counts + self.covariance_count
        return family.from_mean(
            type(stats)(means, counts, np.zeros_like(means), seen + unseen, stats.near)
        )


def normal_inverse_wishart(
    mean: ArrayLike, mean_count: float, scatter: ArrayLike, degrees_of_freedom: float
) -> NormalInverseWishart:
    """Covariance: inverse Wishart(scatter, degrees of freedom); mean: normal(mean, covariance / mean_count)."""
    middle = real(mean, "mean")
    _above("degrees_of_freedom", degrees_of_freedom, len(middle) - 1)
    _above("mean_count", mean_count, 0)
    count = degrees_of_freedom + len(middle) + 2
    return NormalInverseWishart(middle, mean_count, real(scatter, "scatter"), count)


def fraley_raftery(data: ArrayLike, k: int) -> NormalInverseWishart:
    """The default prior of mclust: a hundredth of an observation at the mean of the data, d + 2 degrees of freedom.

    The scatter is the sample covariance of the data divided by k^(2/d). Source: Fraley & Raftery (2007), section 2.
    """
    x = rows(data, "data")
    d = x.shape[1]
    scatter = np.atleast_2d(np.cov(x.T)) / k ** (2 / d)
    return normal_inverse_wishart(x.mean(axis=0), 0.01, scatter, d + 2)


def ridge(variances: ArrayLike, relative: float = 1e-6) -> NormalInverseWishart:
    """The penalty -tr(S^-1 L) / 2, L the diagonal matrix of `relative` times the variances of the data's columns.

    It adds L to the scatter of each component and counts no observation: no component can collapse, and one with many
    observations feels nothing. Units do not matter.
    """
    _above("relative", relative, 0)
    diagonal = real(variances, "variances")
    if diagonal.ndim != 1 or not (diagonal > 0).all():
        raise ValueError(
            f"variances: expected d numbers above 0, one a column, got {variances!r}; a constant column says nothing: "
            "drop it"
        )
    return NormalInverseWishart(np.zeros(len(diagonal)), 0.0, np.diag(relative * diagonal), 0.0)


def _at_least(name: str, value: float, bound: float) -> None:
    if not bound <= value < np.inf:
        raise ValueError(f"{name}: expected a number, {bound} or more, got {value}")


def _above(name: str, value: float, bound: float) -> None:
    if not bound < value < np.inf:
        raise ValueError(f"{name}: expected a number above {bound}, got {value}")
