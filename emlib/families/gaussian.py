"""The Gaussian in one and d dimensions, with a full covariance.

As an exponential family T(x) = (x, x x'). The density is nevertheless computed from the differences x - mu, and the
sums are taken about an anchor near each mean: the matrix product of the textbook form loses all its digits when the
data lie far from the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels, real, rows
from emlib.families.family import refuse_empty

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Gaussians:
    """k Gaussian distributions in d dimensions."""

    means: Float[Array, "k d"]
    covariances: Float[Array, "k d d"]

    def __post_init__(self) -> None:
        means, covariances = real(self.means, "means"), real(self.covariances, "covariances")
        if means.ndim != 2 or covariances.shape != (*means.shape, means.shape[1]):
            raise ValueError(
                "expected means of shape (k, d) and covariances of shape (k, d, d), "
                f"got {means.shape} and {covariances.shape}"
            )
        asymmetry = abs(covariances - covariances.transpose(0, 2, 1)).max(axis=(1, 2))
        skew = asymmetry > 1e-10 * abs(covariances).max(axis=(1, 2))
        for fault, where in (
            ("symmetric", skew),
            ("positive definite", _ranks(covariances) < means.shape[1]),
        ):
            if where.any():
                raise ValueError(
                    f"covariances: the one of component {where.argmax()} is not {fault}"
                )
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "covariances", covariances)

    @classmethod
    def univariate(cls, means: ArrayLike, variances: ArrayLike) -> Gaussians:
        """K Gaussians on the line. Shapes: both (k,)."""
        return cls(real(means, "means")[:, None], real(variances, "variances")[:, None, None])

    @property
    def variances(self) -> Float[Array, "k d"]:
        """The diagonals of the covariances."""
        return np.diagonal(self.covariances, axis1=1, axis2=2)


@dataclass(frozen=True)
class Moments:
    """Weighted moments of the data about an anchor, a row a component."""

    anchors: Float[Array, "k d"]
    """a_k: any point near the data of component k."""
    counts: Float[Array, " k"]
    """sum_n r_nk."""
    first: Float[Array, "k d"]
    """sum_n r_nk (x_n - a_k)."""
    second: Float[Array, "k d d"]
    """sum_n r_nk (x_n - a_k)(x_n - a_k)'."""

    def about(self, anchors: Float[Array, "k d"]) -> Moments:
        """The same moments about other anchors."""
        shift = self.anchors - anchors
        cross = self.first[:, :, None] * shift[:, None, :]
        squared = shift[:, :, None] * shift[:, None, :] * self.counts[:, None, None]
        return Moments(
            anchors,
            self.counts,
            self.first + self.counts[:, None] * shift,
            self.second + cross + cross.transpose(0, 2, 1) + squared,
        )

    def __add__(self, other: Moments) -> Moments:
        other = other.about(self.anchors)
        return Moments(
            self.anchors,
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
        )


class Gaussian:
    """The family of Gaussians with a full covariance.

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", sections 2.3 and 9.2.
    """

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Real vectors, shape (n, d), or numbers, shape (n,)."""
        return rows(data, "data")

    def log_density(self, x: Float[Array, "n d"], params: Gaussians) -> Float[Array, "n k"]:
        """-(d log 2 pi + log|Sigma_k| + (x_n - mu_k)' Sigma_k^-1 (x_n - mu_k)) / 2."""
        if x.shape[1] != params.means.shape[1]:
            raise ValueError(
                f"the data have {x.shape[1]} columns, the params {params.means.shape[1]} dimensions"
            )
        columns = []
        for mean, covariance in zip(params.means, params.covariances, strict=True):
            factor = np.linalg.cholesky(covariance)
            whitened = np.linalg.solve(factor, (x - mean).T)
            log_determinant = 2 * np.log(np.diagonal(factor)).sum()
            columns.append(len(mean) * LOG_2PI + log_determinant + (whitened**2).sum(axis=0))
        result: Array = -0.5 * np.stack(columns, axis=1)
        return result

    def expected_statistics(
        self,
        x: Float[Array, "n d"],
        responsibilities: Float[Array, "n k"],
        near: Gaussians | None = None,
    ) -> Moments:
        """Moments about the current means, or about the weighted means of the data where there are none yet."""
        k, d = responsibilities.shape[1], x.shape[1]
        if near is None:
            centre, counts = x.mean(axis=0), responsibilities.sum(axis=0)
            filled = np.where(counts > 0, counts, 1.0)
            anchors = centre + responsibilities.T @ (x - centre) / filled[:, None]
        else:
            anchors = near.means
        first, second = np.empty((k, d)), np.empty((k, d, d))
        for j, (anchor, weights) in enumerate(zip(anchors, responsibilities.T, strict=True)):
            centred = x - anchor
            weighted = weights[:, None] * centred
            first[j] = weighted.sum(axis=0)
            second[j] = weighted.T @ centred
        return Moments(anchors, responsibilities.sum(axis=0), first, second)

    def expected_log_density(self, stats: Moments, params: Gaussians) -> float:
        """-sum_k (N_k (d log 2 pi + log|Sigma_k|) + tr(Sigma_k^-1 S_k)) / 2, S_k the scatter about mu_k."""
        scatter = stats.about(params.means).second
        log_determinants = np.linalg.slogdet(params.covariances).logabsdet
        traces = np.trace(np.linalg.solve(params.covariances, scatter), axis1=1, axis2=2)
        constant = params.means.shape[1] * LOG_2PI
        return float(-0.5 * (stats.counts * (constant + log_determinants) + traces).sum())

    def from_mean(self, stats: Moments) -> Gaussians:
        """Weighted mean, and weighted covariance about it.

        Raises:
            ArithmeticError: a component has collapsed, where the likelihood has no maximum.
        """
        refuse_empty(stats.counts)
        offsets = stats.first / stats.counts[:, None]
        about_anchors = stats.second / stats.counts[:, None, None]
        covariances = about_anchors - offsets[:, :, None] * offsets[:, None, :]
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
        means = stats.anchors + offsets
        _refuse_collapse(stats.counts, means, covariances)
        return Gaussians(means, covariances)

    def sample(
        self, params: Gaussians, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One vector from component hidden_n, for each n."""
        factors = np.linalg.cholesky(params.covariances)
        noise = rng.standard_normal((len(hidden), params.means.shape[1]))
        result: Array = params.means[hidden] + np.einsum("nij,nj->ni", factors[hidden], noise)
        return result


def _ranks(covariances: Float[Array, "k d d"]) -> Int[Labels, " k"]:
    """The rank of each correlation matrix, which units do not change; a column without variance counts nothing."""
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2).clip(min=0))
    scale = np.where(deviations > 0, deviations, np.inf)
    eigenvalues = np.linalg.eigvalsh(covariances / scale[:, :, None] / scale[:, None, :])
    ranks: Labels = (eigenvalues > 4 * covariances.shape[1] * np.finfo(float).eps).sum(axis=1)
    return ranks


def _refuse_collapse(
    counts: Float[Array, " k"], means: Float[Array, "k d"], covariances: Float[Array, "k d d"]
) -> None:
    # A spread below the spacing of floating-point numbers at the mean is no spread.
    resolution = np.finfo(float).eps * abs(means)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    wide = np.where(variances > resolution**2, 1.0, 0.0)
    ranks = _ranks(covariances * wide[:, :, None] * wide[:, None, :])
    if (ranks < means.shape[1]).any():
        worst = int(ranks.argmin())
        raise ArithmeticError(
            f"component {worst} has collapsed: its covariance has rank {ranks[worst]} of "
            f"{means.shape[1]}, from {counts[worst]:.4g} expected observations. The likelihood is "
            "unbounded there: use another start, fewer components or a prior, or drop columns that "
            "repeat each other"
        )
