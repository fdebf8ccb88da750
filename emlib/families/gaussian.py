"""The Gaussian in one and d dimensions, with any of the covariance models of `emlib.families.parsimonious`.

As an exponential family T(x) = (x, x x'), and its E-step is a matrix product of T(x) with natural params. That product
loses its digits where the data lie far from narrow components; a bound on the loss decides, for every block of data,
whether it may be used, or the differences x - mu must be.

Source: Bishop (2006), "Pattern Recognition and Machine Learning", sections 2.3 and 9.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels, real, rows
from emlib.families.family import refuse_empty
from emlib.families.moments import Moments, diagonals, weighted_moments
from emlib.families.parsimonious import MODELS, CovarianceModel
from emlib.families.quadratic import QuadraticKernel
from emlib.kernels import EPS

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

    from emlib.data import Block

LARGEST = 1e152
"""The largest value whose square, times many, is a float."""
LOG_2PI = float(np.log(2 * np.pi))

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
        return diagonals(self.covariances)

    @classmethod
    def _proved(
        cls,
        means: Float[Array, "k d"],
        covariances: Float[Array, "k d d"],
        factors: Float[Array, "k d d"],
    ) -> Gaussians:
        # Without the checks, for covariances whose Cholesky factors have shown what they would show.
        gaussians = object.__new__(cls)
        gaussians.__dict__.update(means=means, covariances=covariances, factors=factors)
        return gaussians

    @cached_property
    def factors(self) -> Float[Array, "k d d"]:
        """The lower Cholesky factors of the covariances."""
        return _cholesky(self.covariances)

    @cached_property
    def whiteners(self) -> Float[Array, "k d d"]:
        """The inverses of the Cholesky factors, lower triangular: whitener (x - mean) has covariance 1."""
        # A general inverse may leave rounding above the diagonal.
        return np.asarray(np.tril(np.linalg.inv(self.factors)), dtype=np.float64)

    @cached_property
    def precisions(self) -> Float[Array, "k d d"]:
        """The inverses of the covariances."""
        return self.whiteners.transpose(0, 2, 1) @ self.whiteners

    @cached_property
    def log_norms(self) -> Float[Array, " k"]:
        """The log-density of each component at its own mean."""
        d = self.means.shape[1]
        result: Array = np.log(diagonals(self.whiteners)).sum(axis=1) - 0.5 * d * LOG_2PI
        return result

    @cached_property
    def rounding(self) -> Float[Array, " k"]:
        """Nats an observation that the rounding of a component's params to floats may cost.

        A mean off by eps |mu| costs (eps |mu|)^2 P / 2; an inverse is off by eps times the condition of the
        correlations, seen from 1 / (1 - R^2) of each column on the others.
        """
        doubt = 0.5 * (EPS * self.means) ** 2 + 4 * EPS * self.variances
        result: Array = (diagonals(self.precisions) * doubt).sum(axis=1)
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
        x = rows(data, "data")
        largest = max(float(x.max()), -float(x.min()))
        if largest > LARGEST:
            raise ValueError(
                f"data: the largest value is {largest:.3g}, and the square of one above {LARGEST:g} may be no float; "
                "divide the columns by something of their size"
            )
        return x

    def log_density(self, x: Float[Array, "n d"], params: Gaussians) -> Float[Array, "n k"]:
        """-(d log 2 pi + log|Sigma_k| + (x_n - mu_k)' Sigma_k^-1 (x_n - mu_k)) / 2."""
        _same_columns(x, params)
        squares = np.empty((len(params.means), len(x)))
        for j, (mean, whitener) in enumerate(zip(params.means, params.whiteners, strict=True)):
            whitened = (x - mean) @ whitener.T
            np.einsum("nd,nd->n", whitened, whitened, out=squares[j])
        result: Array = params.log_norms - 0.5 * squares.T
        return result

    def kernel(
        self, log_weights: Float[Array, " k"], params: Gaussians
    ) -> Callable[[Block], tuple[float, Moments, float]]:
        """By matrix products where their error bound allows it, else by differences from the means."""
        diagonal = self.covariance.diagonal
        if diagonal:
            _refuse_correlations(self.model, params.covariances)
        kernel = QuadraticKernel(log_weights, params, diagonal)

        def step(block: Block) -> tuple[float, Moments, float]:
            _same_columns(block.x, params)
            evidence, moments, rounding = kernel(block)
            return evidence, self._told(moments, params), rounding

        return step

    def expected_statistics(
        self,
        x: Float[Array, "n d"],
        responsibilities: Float[Array, "n k"],
        near: Gaussians | None = None,
    ) -> Moments:
        """Moments about the current means, or about the weighted means of the data where there are none yet."""
        anchors = None if near is None else near.means
        moments = weighted_moments(x, responsibilities, anchors, diagonal=self.covariance.diagonal)
        return moments if near is None else self._told(moments, near)

    def _told(self, moments: Moments, params: Gaussians) -> Moments:
        # A search begins at the covariances of the E-step, and so never ends at worse ones.
        searches = self.covariance.searches
        return replace(moments, near=params.covariances) if searches else moments

    def expected_log_density(self, stats: Moments, params: Gaussians) -> float:
        """-sum_k (N_k (d log 2 pi + log|Sigma_k|) + tr(Sigma_k^-1 S_k)) / 2, S_k the scatter about mu_k."""
        second = stats.second_about(params.means)
        precisions = params.precisions
        if second.ndim == 2:
            precisions = diagonals(precisions)
        return float(stats.counts @ params.log_norms) - 0.5 * float(np.vdot(precisions, second))

    def from_mean(self, stats: Moments) -> Gaussians:
        """Weighted means, and the covariances of the model that fit the scatter about them best.

        Raises:
            ArithmeticError: a component has collapsed, where the likelihood has no maximum.
        """
        refuse_empty(stats.counts)
        covariances = self.covariance.estimate(stats.scatter, stats.counts, stats.near)
        return _sound(stats, stats.means, covariances)

    def free_parameters(self, params: Gaussians) -> int:
        """The coordinates of the means, and what the covariance model leaves free."""
        k, d = params.means.shape
        return int(k * d) + self.covariance.parameters(k, d)

    def sample(
        self, params: Gaussians, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One vector from component hidden_n, for each n."""
        factors = np.linalg.cholesky(params.covariances)
        noise = rng.standard_normal((len(hidden), params.means.shape[1]))
        result: Array = params.means[hidden] + np.einsum("nij,nj->ni", factors[hidden], noise)
        return result


def _same_columns(x: Float[Array, "n d"], params: Gaussians) -> None:
    if x.shape[1] != params.means.shape[1]:
        raise ValueError(
            f"the data have {x.shape[1]} columns, the params {params.means.shape[1]} dimensions"
        )


def _ranks(covariances: Float[Array, "k d d"]) -> Int[Labels, " k"]:
    """The rank of each correlation matrix, which units do not change; a column without variance counts nothing."""
    deviations = np.sqrt(diagonals(covariances).clip(min=0))
    scale = np.where(deviations > 0, deviations, np.inf)
    eigenvalues = np.linalg.eigvalsh(covariances / scale[:, :, None] / scale[:, None, :])
    ranks: Labels = (eigenvalues > 4 * covariances.shape[1] * EPS).sum(axis=1)
    return ranks


def _refuse_correlations(model: str, covariances: Float[Array, "k d d"]) -> None:
    correlated = (covariances * (1 - np.eye(covariances.shape[1]))).any(axis=(1, 2))
    if correlated.any():
        raise ValueError(
            f"covariances: the columns are independent under the model {model}, but the covariance of component "
            f"{int(correlated.argmax())} is not diagonal; keep its diagonal alone"
        )


def _cholesky(covariances: Float[Array, "k d d"]) -> Float[Array, "k d d"]:
    return np.asarray(np.linalg.cholesky(covariances), dtype=np.float64)


def _sound(
    stats: Moments,
    means: Float[Array, "k d"],
    covariances: Float[Array, "k d d"] | Float[Array, "k d"],
) -> Gaussians:
    """The Gaussians, unless a component has collapsed; what is looked at once is not looked at again."""
    if covariances.ndim == 2:
        covariances = covariances[:, :, None] * np.eye(means.shape[1])
    covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
    factors = _sound_factors(means, covariances)
    if factors is not None:
        return Gaussians._proved(means, covariances, factors)
    _refuse_collapse(stats, means, covariances)
    return Gaussians(means, covariances)


def _sound_factors(
    means: Float[Array, "k d"], covariances: Float[Array, "k d d"]
) -> Float[Array, "k d d"] | None:
    """The Cholesky factors, where they show without an eigenvalue that no component is near a collapse."""
    variances = diagonals(covariances)
    if not (variances > (EPS * means) ** 2).all():
        return None
    try:
        factors = _cholesky(covariances)
    except np.linalg.LinAlgError:
        return None
    # A pivot is the share of a column's variance that those before it leave unexplained.
    return factors if (diagonals(factors) ** 2 > 1e-6 * variances).all() else None


def _refuse_collapse(
    stats: Moments, means: Float[Array, "k d"], covariances: Float[Array, "k d d"]
) -> None:
    # A spread below the spacing of floating-point numbers at the mean is no spread.
    resolution = EPS * abs(means)
    variances = diagonals(covariances)
    wide = np.where(variances > resolution**2, 1.0, 0.0)
    ranks = _ranks(covariances * wide[:, :, None] * wide[:, None, :])
    if (ranks == means.shape[1]).all():
        return
    worst = int(ranks.argmin())
    remedies = (
        "use another start, fewer components or a prior, or drop columns that repeat each other"
    )
    if (variances[worst] <= 4 * EPS * stats.offsets[worst] ** 2).any():
        remedies += (
            "; if it is only narrow, begin nearer to it: its mean moved by more than 1e7 deviations"
        )
    squares = stats.second[worst] if stats.second.ndim == 2 else stats.second[worst].diagonal()
    if (squares < 1e-300 * stats.counts[worst]).any():
        remedies += (
            "; if a column is only small, rescale it: below 1e-150 its squares are no floats"
        )
    raise ArithmeticError(
        f"component {worst} has collapsed: its covariance has rank {ranks[worst]} of {means.shape[1]}, from "
        f"{stats.counts[worst]:.4g} expected observations. The likelihood is unbounded there: {remedies}"
    )
