"""Factor analysis: d columns explained by a few hidden factors and noise of its own in each column.

    x = mean + loadings z + noise,    z ~ N(0, 1),    noise ~ N(0, diag(noise variances)).

With one noise variance for all columns it is probabilistic principal component analysis. Either way the data enter by
their mean and covariance alone: after one pass a step costs O(d^2 q), however many observations there are.

Source: Rubin & Thayer (1982), "EM algorithms for ML factor analysis", Psychometrika 47; Ghahramani & Hinton (1996),
"The EM algorithm for mixtures of factor analyzers", section 2; Tipping & Bishop (1999), "Probabilistic principal
component analysis", JRSS B 61.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from emlib.arrays import Array, Flags, real, rows
from emlib.charts import Chart, chart, chart_of, joined
from emlib.data import Block, prepare
from emlib.families.gaussian import LOG_2PI
from emlib.families.moments import Moments, weighted_moments
from emlib.kernels import EPS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from numpy.typing import ArrayLike


LEAST_NOISE = 1e-8
"""The least share of a column's variance that may be noise."""


@dataclass(frozen=True)
class FactorParams:
    """A factor model of d columns with q factors."""

    mean: Float[Array, " d"]
    loadings: Float[Array, "d q"]
    """Those times any rotation describe the same distribution of x."""
    noise: Float[Array, " d"]
    """Variances, above 0."""

    def __post_init__(self) -> None:
        mean, loadings = real(self.mean, "mean"), real(self.loadings, "loadings")
        noise = real(self.noise, "noise")
        d = mean.size
        if mean.shape != (d,) or noise.shape != (d,) or loadings.shape[:-1] != (d,):
            raise ValueError(
                "expected a mean of shape (d,), loadings of shape (d, q) and noise of shape (d,), "
                f"got {mean.shape}, {loadings.shape} and {noise.shape}"
            )
        if not 1 <= loadings.shape[1] < d:
            raise ValueError(
                f"loadings: expected at least 1 factor and fewer than {d} columns, got {loadings.shape[1]}"
            )
        if not (noise > 0).all():
            raise ValueError(f"noise: expected variances above 0, got {noise}")
        for name, values in (("mean", mean), ("loadings", loadings), ("noise", noise)):
            object.__setattr__(self, name, values)

    @property
    def triangular(self) -> FactorParams:
        """The same distribution of x, the loadings rotated until those above the diagonal are 0.

        Then they are determined, but for signs, and have standard errors.

        Source: Anderson & Rubin (1956), "Statistical inference in factor analysis", section 5.
        """
        rotation, _ = np.linalg.qr(self.loadings[: self.loadings.shape[1]].T)
        return replace(self, loadings=np.tril(self.loadings @ rotation))

    @property
    def covariance(self) -> Float[Array, "d d"]:
        """Of x: loadings loadings' + diag(noise)."""
        result: Array = self.loadings @ self.loadings.T + np.diag(self.noise)
        return result

    @property
    def uniquenesses(self) -> Float[Array, " d"]:
        """The share of noise in the variance of each column; near `LEAST_NOISE` it is a Heywood case."""
        result: Array = self.noise / (self.noise + (self.loadings**2).sum(axis=1))
        return result

    @cached_property
    def root(self) -> Float[Array, "q q"]:
        """A square root of the covariance of the factors given x, (1 + loadings' noise^-1 loadings)^-1 = root root'."""
        whitened = self.loadings / np.sqrt(self.noise)[:, None]
        # By QR, which does not square the ratio of signal to noise.
        triangle = np.linalg.qr(np.vstack([whitened, np.eye(whitened.shape[1])]), mode="r")
        return np.asarray(np.linalg.inv(triangle), dtype=np.float64)

    @cached_property
    def projection(self) -> Float[Array, "d q"]:
        """noise^-1 loadings root: the inverse covariance of x is noise^-1 - projection projection'."""
        result: Array = (self.loadings / self.noise[:, None]) @ self.root
        return result

    @property
    def spread(self) -> Float[Array, "q q"]:
        """The covariance of the factors given x."""
        result: Array = self.root @ self.root.T
        return result

    @property
    def regression(self) -> Float[Array, "q d"]:
        """What takes x - mean to the expected factors given x."""
        result: Array = self.root @ self.projection.T
        return result

    @cached_property
    def log_norm(self) -> float:
        """The log-density at the mean."""
        log_root = np.linalg.slogdet(self.root).logabsdet
        log_determinant = float(np.log(self.noise).sum()) - 2 * log_root
        return -0.5 * float(len(self.mean) * LOG_2PI + log_determinant)


@dataclass(frozen=True)
class FactorStatistics:
    """What an E-step keeps: the sums of a regression of x on (1, z), with z as it is expected given x."""

    log_likelihood: float
    anchor: Float[Array, " d"]
    """A point near the data, which the sums are about."""
    squares: Float[Array, " d"]
    """sum_n (x_n - anchor)^2, column by column."""
    products: Float[Array, "d 1+q"]
    """sum_n (x_n - anchor) E[(1, z_n)]'."""
    regressors: Float[Array, "1+q 1+q"]
    """sum_n E[(1, z_n) (1, z_n)']."""
    rounding: float
    """How far rounding may have moved the log-likelihood, in nats, beyond a sum's."""

    @property
    def observations(self) -> float:
        """The sum of the weights of the observations."""
        return float(self.regressors[0, 0])

    def about(self, anchor: Float[Array, " d"]) -> FactorStatistics:
        """The same sums about another anchor."""
        shift = self.anchor - anchor
        squares = self.squares + shift * (2 * self.products[:, 0] + self.observations * shift)
        products = self.products + shift[:, None] * self.regressors[0]
        return replace(self, anchor=anchor, squares=squares, products=products)

    def __add__(self, other: FactorStatistics) -> FactorStatistics:
        other = other.about(self.anchor)
        return FactorStatistics(
            self.log_likelihood + other.log_likelihood,
            self.anchor,
            self.squares + other.squares,
            self.products + other.products,
            self.regressors + other.regressors,
            self.rounding + other.rounding,
        )

    def __mul__(self, factor: float) -> FactorStatistics:
        return FactorStatistics(
            self.log_likelihood * factor,
            self.anchor,
            self.squares * factor,
            self.products * factor,
            self.regressors * factor,
            self.rounding * factor,
        )


@dataclass(frozen=True)
class FactorAnalysis:
    """Factor analysis, or with "isotropic" noise probabilistic principal component analysis.

    A noise variance that falls towards 0 (a Heywood case) stops at LEAST_NOISE of its column's variance.
    """

    factors: int
    noise: Literal["diagonal", "isotropic"] = "diagonal"

    def __post_init__(self) -> None:
        if not isinstance(self.factors, (int, np.integer)) or self.factors < 1:
            raise ValueError(f"factors: expected a whole number, at least 1, got {self.factors!r}")
        if self.noise not in ("diagonal", "isotropic"):
            raise ValueError(f"noise: expected 'diagonal' or 'isotropic', got {self.noise!r}")

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Real vectors of more columns than factors, shape (n, d)."""
        x = rows(data, "data")
        if x.shape[1] <= self.factors:
            raise ValueError(
                f"data: expected more than {self.factors} columns for {self.factors} factors, got {x.shape[1]}"
            )
        return x

    def prepare(self, data: Any) -> Moments:
        """The moments of the data: all that the E-steps of a run need."""
        if isinstance(data, Moments):
            return data
        return prepare(data, self.observations).sum(_moments)

    def start(self, data: Any, rng: np.random.Generator) -> FactorParams:
        """The mean of the data, which no step then moves, random loadings, and noise of half of each variance."""
        mean, covariance = _sample_moments(self.prepare(data))
        variances = _refuse_constant(np.diagonal(covariance), mean)
        loadings = rng.standard_normal((len(mean), self.factors))
        loadings *= np.sqrt(variances / (2 * self.factors))[:, None]
        return FactorParams(mean, loadings, self._shared(variances / 2))

    def e_step(self, data: Any, params: FactorParams) -> FactorStatistics:
        """The sums of the regression, from the moments of the data.

        Source: Ghahramani & Hinton (1996), section 2.
        """
        moments = self.prepare(data)
        self._check(moments.anchors.shape[1], params)
        moments = moments.about(params.mean[None])
        n, first, second = float(moments.counts[0]), moments.first[0], moments.second[0]
        projected, squares = second @ params.projection, np.diagonal(second)
        quadratic = float((squares / params.noise).sum() - (params.projection * projected).sum())
        cross, factors = projected @ params.root.T, params.regression @ first
        regressors = np.block(
            [
                [np.array([[n]]), factors[None]],
                [factors[:, None], n * params.spread + params.regression @ cross],
            ]
        )
        return FactorStatistics(
            n * params.log_norm - 0.5 * quadratic,
            params.mean,
            squares,
            np.column_stack([first, cross]),
            regressors,
            _rounding(n, squares, params),
        )

    def m_step(self, stats: FactorStatistics) -> FactorParams:
        """Mean and loadings by the regression of x on (1, z), noise by what it leaves.

        Raises:
            ArithmeticError: a column is constant, or columns determine each other: the likelihood has no maximum.

        Source: Ghahramani & Hinton (1996), section 2; Tipping & Bishop (1999), section 3, for isotropic noise.
        """
        n, first = stats.observations, stats.products[:, 0]
        coefficients = np.asarray(np.linalg.solve(stats.regressors, stats.products.T).T, np.float64)
        residuals = (stats.squares - (coefficients * stats.products).sum(axis=1)) / n
        mean, loadings = stats.anchor + coefficients[:, 0], coefficients[:, 1:]
        variances = _refuse_constant(stats.squares / n - (first / n) ** 2, mean)
        least = LEAST_NOISE * self._shared(variances)
        noise = self._shared(residuals)
        _refuse_collapse(loadings[noise < least])
        return FactorParams(mean, loadings, np.maximum(noise, least))

    def expected_log_joint(self, stats: FactorStatistics, params: FactorParams) -> float:
        """Q: sum_n E[log p(x_n | z_n) + log p(z_n)], from the sums alone."""
        stats = stats.about(params.mean)
        d, q = params.loadings.shape
        loadings, factors = params.loadings, stats.regressors[1:, 1:]
        residuals = stats.squares + (
            loadings * (loadings @ factors - 2 * stats.products[:, 1:])
        ).sum(axis=1)
        logs = stats.observations * ((d + q) * LOG_2PI + float(np.log(params.noise).sum()))
        return -0.5 * float(logs + (residuals / params.noise).sum() + np.trace(factors))

    def closed_form(self, data: Any) -> FactorParams:
        """Where EM with isotropic noise ends: principal axes, and the mean of the discarded variances as noise.

        Raises:
            ValueError: the noise is not isotropic; the maximum then has no closed form.
            ArithmeticError: the data have no more dimensions than factors: the likelihood has no maximum.

        Source: Tipping & Bishop (1999), section 3, with R = 1.
        """
        if self.noise != "isotropic":
            raise ValueError("closed_form: only the maximum with noise='isotropic' has one; use em")
        mean, covariance = _sample_moments(self.prepare(data))
        variances = _refuse_constant(np.diagonal(covariance), mean)
        eigenvalues, axes = np.linalg.eigh(covariance)
        kept, noise = eigenvalues[-self.factors :], eigenvalues[: -self.factors].mean()
        loadings = axes[:, -self.factors :] * np.sqrt((kept - noise).clip(min=0))
        if noise < LEAST_NOISE * variances.mean():
            _refuse_collapse(loadings)
        return FactorParams(mean, loadings[:, ::-1], np.full(len(mean), noise))

    def transform(self, data: ArrayLike, params: FactorParams) -> Float[Array, "n q"]:
        """The factors expected given each observation."""
        result: Array = (self._rows(data, params) - params.mean) @ params.regression.T
        return result

    def log_density(self, data: ArrayLike, params: FactorParams) -> Float[Array, " n"]:
        """Log p(x_n | params)."""
        centred = self._rows(data, params) - params.mean
        whitened = np.linalg.solve(np.linalg.cholesky(params.covariance), centred.T)
        result: Array = params.log_norm - 0.5 * (whitened**2).sum(axis=0)
        return result

    def free_parameters(self, params: FactorParams) -> int:
        """Mean, loadings and noise, less the rotations of the loadings, which change nothing."""
        d, q = params.loadings.shape
        return int(d + d * q - q * (q - 1) // 2 + (d if self.noise == "diagonal" else 1))

    def sample(
        self, params: FactorParams, n: int, rng: np.random.Generator
    ) -> tuple[Float[Array, "n d"], Float[Array, "n q"]]:
        """N observations, and the factors behind each."""
        d, q = params.loadings.shape
        factors = rng.standard_normal((n, q))
        noise = rng.standard_normal((n, d)) * np.sqrt(params.noise)
        return params.mean + factors @ params.loadings.T + noise, factors

    def _shared(self, variances: Float[Array, " d"]) -> Float[Array, " d"]:
        return variances if self.noise == "diagonal" else np.full_like(variances, variances.mean())

    def _rows(self, data: ArrayLike, params: FactorParams) -> Float[Array, "n d"]:
        x = self.observations(data)
        self._check(x.shape[1], params)
        return x

    def _check(self, columns: int, params: FactorParams) -> None:
        d, q = params.loadings.shape
        if columns != d or q != self.factors:
            raise ValueError(
                f"the data have {columns} columns and the model {self.factors} factors, the params {d} and {q}"
            )
        # Noise that the model does not allow would let its M-step lower the bound.
        if self.noise == "isotropic" and np.ptp(params.noise) > 1e-12 * params.noise[0]:
            raise ValueError(f"noise: expected one variance for all columns, got {params.noise}")


LOGARITHMS: Chart[Array] = Chart(np.log, np.exp)


def _chart(
    params: FactorParams, free: Bool[Flags, "d q"], noise: Chart[Array]
) -> Chart[FactorParams]:
    def filled(vector: Float[Array, " p"]) -> Float[Array, "d q"]:
        table = np.zeros(free.shape)
        table[free] = vector
        return table

    mean: Chart[Array] = Chart(lambda mean: mean, lambda vector: vector)
    loadings: Chart[Array] = Chart(lambda table: table[free], filled)

    def parts(params: FactorParams) -> tuple[Array, Array, Array]:
        return params.mean, params.loadings, params.noise

    return joined(params, parts, (mean, loadings, noise), FactorParams)


@chart.register
def _(params: FactorParams) -> Chart[FactorParams]:
    """A coordinate for every loading, whatever rotations leave open."""
    return _chart(params, np.ones(params.loadings.shape, dtype=np.bool_), LOGARITHMS)


@chart_of.register
def _(model: FactorAnalysis, params: Any) -> Chart[FactorParams]:
    """Loadings above the diagonal must be 0, so that no rotation is left open."""
    d, q = params.loadings.shape
    free = np.tri(d, q, dtype=np.bool_)
    if params.loadings[~free].any():
        raise ValueError(
            f"loadings: any rotation of {q} factors gives the same distribution, so that the information is singular; "
            "take params.triangular, the same distribution with 0 above the diagonal, whose loadings are determined"
        )
    if model.noise == "diagonal":
        return _chart(params, free, LOGARITHMS)
    one: Chart[Array] = Chart(
        lambda noise: np.log(noise[:1]), lambda vector: np.full(d, np.exp(vector.item()))
    )
    return _chart(params, free, one)


def _moments(block: Block) -> Moments:
    weights = np.ones(len(block.x)) if block.weights is None else block.weights
    return weighted_moments(block.x, weights[:, None])


def _sample_moments(moments: Moments) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
    """The mean and the covariance of the data, divided by n."""
    mean = moments.anchors + moments.first / moments.counts[:, None]
    return mean[0], moments.about(mean).second[0] / moments.counts[0]


def _refuse_constant(variances: Float[Array, " d"], mean: Float[Array, " d"]) -> Float[Array, " d"]:
    # A spread below the spacing of floating-point numbers at the mean is no spread.
    constant = ~(variances > (EPS * mean) ** 2)
    if constant.any():
        raise ArithmeticError(
            f"column {int(constant.argmax())} is constant: it has no variance to explain; drop it"
        )
    return variances


def _refuse_collapse(loadings: Float[Array, "m q"]) -> None:
    """Raise where columns that are all but free of noise determine each other.

    The covariance of such columns is that of their loadings. One that is singular gives the likelihood no maximum; one
    that is not is a Heywood case, with its maximum on the border of what noise may be.
    """
    m = len(loadings)
    directions = loadings / np.linalg.norm(loadings, axis=1, keepdims=True)
    if m and np.linalg.matrix_rank(directions, tol=np.sqrt(m * LEAST_NOISE)) < m:
        raise ArithmeticError(
            f"{m} columns have no noise left, and determine each other: the likelihood is unbounded there. "
            "Drop columns that repeat others, or use fewer factors or more observations"
        )


def _rounding(n: float, squares: Float[Array, " d"], params: FactorParams) -> float:
    """Nats that differences of large sums may cost where there is little noise, and the rounding of the mean."""
    misplaced = 0.5 * n * float(((EPS * params.mean) ** 2 / params.noise).sum())
    return misplaced + 8 * EPS * float((squares / params.noise).sum())
