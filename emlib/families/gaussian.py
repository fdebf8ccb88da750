"""The Gaussian in one and d dimensions, with any of the covariance models of `emlib.families.parsimonious`.

As an exponential family T(x) = (x, x x'), and its E-step is a matrix product of T(x) with natural params. That product
loses its digits where the data lie far from narrow components; a bound on the loss decides, for every block of data,
whether it may be used, or the differences x - mu must be.

Source: Bishop (2006), "Pattern Recognition and Machine Learning", sections 2.3 and 9.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels, real, rows
from emlib.families.family import refuse_empty
from emlib.families.moments import DiagonalMoments, Moments, weighted_moments
from emlib.families.parsimonious import MODELS, CovarianceModel
from emlib.kernels import EPS, difference_step, product_step

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

    from emlib.data import Block

LOG_2PI = float(np.log(2 * np.pi))

PRODUCT_LIMIT = 1e-10
"""Nats of a single log-density: the loss that the matrix product may have, by its bound."""
PRODUCT_DIMENSIONS = 15
"""Beyond, d (d + 1) / 2 products a row cost more than d multiplications by a matrix."""


SYNONYMS = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII", "V": "VII", "E": "EII"}


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

    @cached_property
    def whiteners(self) -> Float[Array, "k d d"]:
        """The inverses of the Cholesky factors: whitener (x - mean) has covariance 1."""
        result: Array = np.linalg.inv(np.linalg.cholesky(self.covariances))
        return result

    @cached_property
    def precisions(self) -> Float[Array, "k d d"]:
        """The inverses of the covariances."""
        return self.whiteners.transpose(0, 2, 1) @ self.whiteners

    @cached_property
    def log_norms(self) -> Float[Array, " k"]:
        """The log-density of each component at its own mean."""
        d = self.means.shape[1]
        diagonals = np.diagonal(self.whiteners, axis1=1, axis2=2)
        result: Array = np.log(diagonals).sum(axis=1) - 0.5 * d * LOG_2PI
        return result


@dataclass(frozen=True)
class Gaussian:
    """The family of Gaussians; `model` says what their covariances share.

    One of the fourteen names of mclust, "EII" to "VVV", or "full", "tied", "diag", "spherical" for VVV, EEE, VVI, VII,
    or in one dimension "V" and "E".
    """

    model: str = "VVV"

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or SYNONYMS.get(self.model, self.model) not in MODELS:
            raise ValueError(
                f"model: expected one of {', '.join([*MODELS, *SYNONYMS])}, got {self.model!r}"
            )

    @property
    def covariance(self) -> CovarianceModel:
        """What `model` names."""
        return MODELS[SYNONYMS.get(self.model, self.model)]

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Real vectors, shape (n, d), or numbers, shape (n,)."""
        return rows(data, "data")

    def log_density(self, x: Float[Array, "n d"], params: Gaussians) -> Float[Array, "n k"]:
        """-(d log 2 pi + log|Sigma_k| + (x_n - mu_k)' Sigma_k^-1 (x_n - mu_k)) / 2."""
        _same_columns(x, params)
        squares = [
            ((x - mean) @ whitener.T) ** 2
            for mean, whitener in zip(params.means, params.whiteners, strict=True)
        ]
        result: Array = params.log_norms - 0.5 * np.stack(squares).sum(axis=2).T
        return result

    def kernel(
        self, log_weights: Float[Array, " k"], params: Gaussians
    ) -> Callable[[Block], tuple[float, Moments, float]]:
        """By matrix products where their error bound allows it, else by differences from the means."""
        diagonal = self.covariance.diagonal
        expanded = _Expansion(log_weights, params, diagonal)
        exact = _Differences(log_weights, params, diagonal)
        wide = not diagonal and params.means.shape[1] > PRODUCT_DIMENSIONS

        def step(block: Block) -> tuple[float, Moments, float]:
            _same_columns(block.x, params)
            if wide:
                return exact.step(block)
            columns = expanded.columns(block.x)
            error = expanded.error(columns)
            return (
                expanded.step(block, columns, error) if error < PRODUCT_LIMIT else exact.step(block)
            )

        return step

    def expected_statistics(
        self,
        x: Float[Array, "n d"],
        responsibilities: Float[Array, "n k"],
        near: Gaussians | None = None,
    ) -> Moments:
        """Moments about the current means, or about the weighted means of the data where there are none yet."""
        anchors = None if near is None else near.means
        return weighted_moments(x, responsibilities, anchors, diagonal=self.covariance.diagonal)

    def expected_log_density(self, stats: Moments, params: Gaussians) -> float:
        """-sum_k (N_k (d log 2 pi + log|Sigma_k|) + tr(Sigma_k^-1 S_k)) / 2, S_k the scatter about mu_k."""
        second = stats.about(params.means).second
        precisions = params.precisions
        if second.ndim == 2:
            precisions = np.diagonal(precisions, axis1=1, axis2=2)
        return float(stats.counts @ params.log_norms) - 0.5 * float((precisions * second).sum())

    def from_mean(self, stats: Moments) -> Gaussians:
        """Weighted means, and the covariances of the model that fit the scatter about them best.

        Raises:
            ArithmeticError: a component has collapsed, where the likelihood has no maximum.
        """
        refuse_empty(stats.counts)
        means = stats.anchors + stats.offsets
        covariances = self.covariance.estimate(stats.scatter, stats.counts)
        if covariances.ndim == 2:
            covariances = covariances[:, :, None] * np.eye(means.shape[1])
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
        _refuse_collapse(stats.counts, means, covariances)
        return Gaussians(means, covariances)

    def free_parameters(self, params: Gaussians) -> int:
        """The coordinates of the means, and what the covariance model leaves free."""
        k, d = params.means.shape
        return k * d + self.covariance.parameters(k, d)

    def sample(
        self, params: Gaussians, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One vector from component hidden_n, for each n."""
        factors = np.linalg.cholesky(params.covariances)
        noise = rng.standard_normal((len(hidden), params.means.shape[1]))
        result: Array = params.means[hidden] + np.einsum("nij,nj->ni", factors[hidden], noise)
        return result


class _Differences:
    """The E-step by y = whitener_k (x - mean_k)."""

    def __init__(self, log_weights: Float[Array, " k"], params: Gaussians, diagonal: bool) -> None:
        self.params, self.diagonal = params, diagonal
        self.constants = log_weights + params.log_norms

    def step(self, block: Block) -> tuple[float, Moments, float]:
        means, whiteners = self.params.means, self.params.whiteners
        if self.diagonal:
            whiteners = np.diagonal(whiteners, axis1=1, axis2=2)
        evidence, counts, first, second = difference_step(block, means, whiteners, self.constants)
        rounding = _rounding(self.params, counts)
        if self.diagonal:
            moments = DiagonalMoments(means, counts, first / whiteners, second / whiteners**2)
            return evidence, moments, rounding
        factors = np.linalg.cholesky(self.params.covariances)
        first = np.einsum("kij,kj->ki", factors, first)
        second = factors @ second @ factors.transpose(0, 2, 1)
        return evidence, Moments(means, counts, first, second), rounding


class _Expansion:
    """The E-step with the quadratic form expanded about the centre of the mixture, in units of its spread.

    With z = (x - centre) / spread the log-joint density is <natural_k, (z z', z, 1)>.
    """

    def __init__(self, log_weights: Float[Array, " k"], params: Gaussians, diagonal: bool) -> None:
        self.params, self.diagonal = params, diagonal
        means, shares = params.means, np.exp(log_weights)
        shares /= shares.sum()
        self.centre = shares @ means
        self.spread = np.sqrt(shares @ (params.variances + (means - self.centre) ** 2))
        self.anchors = np.broadcast_to(self.centre, means.shape)
        z = (means - self.centre) / self.spread
        precisions = params.precisions * (self.spread[:, None] * self.spread)
        linear = np.einsum("kij,kj->ki", precisions, z)
        constant = log_weights + params.log_norms - 0.5 * (linear * z).sum(axis=1)
        # Densities of z are of order one; those of x may not be.
        self.log_volume = float(np.log(self.spread).sum())
        constant += self.log_volume
        self.upper = np.triu_indices(means.shape[1])
        if diagonal:
            quadratic = -0.5 * np.diagonal(precisions, axis1=1, axis2=2)
        else:
            quadratic = -precisions[:, *self.upper]
            quadratic[:, self.upper[0] == self.upper[1]] /= 2
        self.natural = np.column_stack([quadratic, linear, constant])
        self.largest_precision = float(np.sqrt((precisions**2).sum(axis=(1, 2)).max()))
        self.farthest_mean = float((z**2).sum(axis=1).max())

    def columns(self, x: Float[Array, "n d"]) -> Float[Array, "d n"]:
        """Z of each row, laid out by columns."""
        z = np.empty((x.shape[1], len(x)))
        for j, (centre, spread) in enumerate(zip(self.centre, self.spread, strict=True)):
            np.subtract(x[:, j], centre, out=z[j])
            z[j] *= 1 / spread
        return z

    def error(self, z: Float[Array, "d n"]) -> float:
        """A bound on the rounding of a log-density, in nats: every term of the expansion is below |P| R^2."""
        radius = max(float(np.einsum("dn,dn->n", z, z).max()), self.farthest_mean)
        return 4 * EPS * self.largest_precision * radius

    def step(
        self, block: Block, z: Float[Array, "d n"], error: float
    ) -> tuple[float, Moments, float]:
        d, features = len(z), _squares if self.diagonal else _products
        evidence, sums = product_step(z, block.weights, self.natural, features)
        n, counts = block.observations, sums[:, -1]
        first = sums[:, -1 - d : -1] * self.spread
        evidence -= n * self.log_volume
        rounding = n * error + _rounding(self.params, counts)
        if self.diagonal:
            second = sums[:, :d] * self.spread**2
            return evidence, DiagonalMoments(self.anchors, counts, first, second), rounding
        second = np.empty((len(counts), d, d))
        second[:, *self.upper] = second[:, *self.upper[::-1]] = sums[:, : -1 - d]
        second *= self.spread[:, None] * self.spread
        return evidence, Moments(self.anchors, counts, first, second), rounding


def _products(z: Float[Array, "d n"], out: Float[Array, "p n"]) -> None:
    """The features z_i z_j for i <= j, z, 1."""
    d, start = len(z), 0
    for i in range(d):
        np.multiply(z[i:], z[i], out=out[start : start + d - i])
        start += d - i
    out[start:-1], out[-1] = z, 1.0


def _squares(z: Float[Array, "d n"], out: Float[Array, "p n"]) -> None:
    """The features z_i z_i, z, 1."""
    np.multiply(z, z, out=out[: len(z)])
    out[len(z) : -1], out[-1] = z, 1.0


def _rounding(params: Gaussians, counts: Float[Array, " k"]) -> float:
    """Nats that the rounding of means and covariances to floats may cost.

    A mean off by eps |mu| costs N (eps |mu|)^2 P / 2; an inverse is off by eps times the condition of the correlations,
    whose diagonal is 1 / (1 - R^2) of each column on the others.
    """
    precisions = np.diagonal(params.precisions, axis1=1, axis2=2)
    misplaced = 0.5 * ((EPS * params.means) ** 2 * precisions).sum(axis=1)
    inflation = (precisions * params.variances).sum(axis=1)
    return float(counts @ (misplaced + 4 * EPS * inflation))


def _same_columns(x: Float[Array, "n d"], params: Gaussians) -> None:
    if x.shape[1] != params.means.shape[1]:
        raise ValueError(
            f"the data have {x.shape[1]} columns, the params {params.means.shape[1]} dimensions"
        )


def _ranks(covariances: Float[Array, "k d d"]) -> Int[Labels, " k"]:
    """The rank of each correlation matrix, which units do not change; a column without variance counts nothing."""
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2).clip(min=0))
    scale = np.where(deviations > 0, deviations, np.inf)
    eigenvalues = np.linalg.eigvalsh(covariances / scale[:, :, None] / scale[:, None, :])
    ranks: Labels = (eigenvalues > 4 * covariances.shape[1] * EPS).sum(axis=1)
    return ranks


def _refuse_collapse(
    counts: Float[Array, " k"], means: Float[Array, "k d"], covariances: Float[Array, "k d d"]
) -> None:
    # A spread below the spacing of floating-point numbers at the mean is no spread.
    resolution = EPS * abs(means)
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
