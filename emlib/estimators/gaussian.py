"""Gaussian mixtures with the interface of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array
from emlib.data import Block, Prepared, Weighted
from emlib.estimators.base import check_choice, check_number, check_shape
from emlib.estimators.mixture import STARTS, LikelihoodMixture, Supported
from emlib.families import Gaussian, Gaussians
from emlib.families.missing import MissingGaussian
from emlib.families.parsimonious import MODELS
from emlib.mixture import Mixture, MixtureParams
from emlib.start import SHRINKAGE, start
from emlib.variants.map import Prior
from emlib.variants.priors import MixturePrior, ridge

if TYPE_CHECKING:
    from jaxtyping import Float

SHAPES = {"full": "kdd", "tied": "dd", "diag": "kd", "spherical": "k"}
"""The shape that scikit-learn gives to covariances, by `covariance_type`."""


class GaussianMixture(LikelihoodMixture):
    """A mixture of Gaussians, by maximum likelihood: takes the place of `sklearn.mixture.GaussianMixture`.

    Parameters are those of scikit-learn, and two more kinds of value: `covariance_type` may also be one of the fourteen
    names of mclust, "EII" to "VVV"; `init_params` may also be "hierarchical". `n_jobs` threads share the starts, or the
    E-steps where `n_init` is 1; the result does not depend on their number.

    Differences from scikit-learn:

    - `lower_bound_` belongs to the parameters returned, not to those one step before.
    - `converged_` is True only where the last iteration changed less than `tol`, and rounding less than that; a loss
      beyond rounding raises `emlib.AscentError`.
    - `reg_covar` has no unit: it is the share of each column's variance by which the variances of a component of
      average size grow. It is a prior, a little scatter added to each component, so that what EM climbs is known:
      `lower_bound_` includes its log-density, `score` does not. With `reg_covar=0` the fit is one of maximum
      likelihood. It saves a component from collapse, not data whose columns determine each other: a constant column
      is an error.
    - `fit` takes a `sample_weight`; so do `score`, `aic`, `bic` and `icl`.
    - Missing values (NaN) are taken as missing at random, and summed out.
    - A start that collapses is skipped with a warning; where all collapse, the error says which component did.
    - Starts are found on a sample of the rows, by k-means++ and Lloyd's algorithm on whitened columns ("kmeans" and
      "k-means++"), or as the nearest of random rows ("random" and "random_from_data").
    - Where `means_init` is given, weights and covariances that are not start from the rows nearest to each mean.
    - `means_` and its like cannot be assigned to; all are views of `params_`.
    - `partial_fit` learns from one batch after another, by stepwise EM.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            n_components,
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            init_params=init_params,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
            verbose_interval=verbose_interval,
            n_jobs=n_jobs,
        )
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @property
    def means_(self) -> Float[Array, "k d"]:
        """The means."""
        return self._components().means

    @property
    def covariances_(self) -> Array:
        """The covariances: as scikit-learn shapes them, or (k, d, d) for the names of mclust."""
        return self._shaped(self._components().covariances)

    @property
    def precisions_(self) -> Array:
        """The inverses of the covariances, in the same shape."""
        return self._shaped(self._components().precisions)

    @property
    def precisions_cholesky_(self) -> Array:
        """Factors U, upper triangular, with U U' the precision, in the same shape."""
        return self._shaped(self._components().whiteners.transpose(0, 2, 1))

    def _components(self) -> Gaussians:
        components: Gaussians = self.params_.components
        return components

    def _shaped(self, matrices: Float[Array, "k d d"]) -> Array:
        diagonals = np.diagonal(matrices, axis1=1, axis2=2)
        shapes = {"tied": matrices[0], "diag": diagonals, "spherical": diagonals[:, 0]}
        result: Array = shapes.get(self._as_fitted.covariance_type, matrices)
        return result

    def _check(self) -> None:
        super()._check()
        check_choice("covariance_type", self.covariance_type, [*SHAPES, *MODELS])
        check_number("reg_covar", self.reg_covar)

    def _mixture(self, blocks: Iterable[Block] = ()) -> Mixture[Any, Any]:
        missing = any(np.isnan(block.x).any() for block in blocks)
        return Mixture((MissingGaussian if missing else Gaussian)(self.covariance_type))

    def _prepare(self, data: Any) -> Prepared:
        return Mixture(MissingGaussian(self.covariance_type)).prepare(data)

    def _prior(self, data: Prepared) -> Callable[[float], Prior[Any, Any] | None]:
        return regularising(column_variances(data), self.reg_covar, self.n_components)

    def _start(self, rows: Block, rng: np.random.Generator) -> MixtureParams[Any]:
        k, model = self.n_components, self._mixture([rows])
        weights, means, covariances = self._given(rows.x.shape[1])
        if weights is None or means is None or covariances is None:
            supported = with_support(model, rows, self.reg_covar, k)
            if means is None:
                guess = start(supported, rows, k, rng, STARTS[self.init_params])
            else:
                guess = around(supported, rows, means)
            if weights is None and means is None and covariances is None:
                return guess
            weights = guess.weights if weights is None else weights
            means = guess.components.means if means is None else means
            covariances = guess.components.covariances if covariances is None else covariances
        return MixtureParams(weights, Gaussians(means, covariances))

    def _given(self, d: int) -> tuple[Array | None, Array | None, Array | None]:
        """Weights, means and covariances to start from, where the caller gave them."""
        k = self.n_components
        weights = means = covariances = None
        if self.weights_init is not None:
            weights = check_shape("weights_init", self.weights_init, (k,))
        if self.means_init is not None:
            means = check_shape("means_init", self.means_init, (k, d))
        if self.precisions_init is not None:
            if self.covariance_type not in SHAPES:
                raise ValueError(
                    f"precisions_init: expected None for covariance_type={self.covariance_type!r}; "
                    f"it is for {', '.join(SHAPES)}"
                )
            shape = tuple({"k": k, "d": d}[axis] for axis in SHAPES[self.covariance_type])
            precisions = check_shape("precisions_init", self.precisions_init, shape)
            covariances = _inverses(self.covariance_type, precisions, k, d)
        return weights, means, covariances


def regularising(
    variances: Float[Array, " d"], reg_covar: float, k: int
) -> Callable[[float], MixturePrior[Any, Any] | None]:
    """Priors by which variances grow by the share `reg_covar` of the columns', in a component of average size."""
    if reg_covar == 0:
        return lambda _: None
    return lambda observations: MixturePrior(ridge(variances, reg_covar * observations / k))


def with_support(model: Mixture[Any, Any], rows: Block, reg_covar: float, k: int) -> Supported:
    """The model as it is fitted to groups of the rows."""
    variances = _variances(model.prepare(rows))
    # A column may be constant in a sample alone.
    prior = regularising(np.where(variances > 0, variances, 1.0), reg_covar, k)
    return Supported(model.family, prior(rows.observations))


def column_variances(data: Prepared) -> Float[Array, " d"]:
    """The variance of what is present of each column.

    Raises:
        ValueError: a column is constant.
    """
    variances = _variances(data)
    if not (variances > 0).all():
        constant = ", ".join(map(str, np.flatnonzero(~(variances > 0))))
        raise ValueError(
            f"X: column {constant} has no two values, and so tells no components apart; drop it, as "
            "sklearn.feature_selection.VarianceThreshold does"
        )
    return variances


def _variances(data: Prepared) -> Float[Array, " d"]:
    few = next(iter(data)).x
    # About the first value that is there, so that no digits cancel where data lie far from 0.
    shift = np.nan_to_num(few[(~np.isnan(few)).argmax(axis=0), np.arange(few.shape[1])])

    def sums(block: Block) -> Float[Array, "3 d"]:
        """Of 1, x and x^2, about a point of the data."""
        x, missing = block.x - shift, np.isnan(block.x)
        # A product with a vector is several times as fast as a sum over the rows of each column.
        weights = np.ones(len(x)) if block.weights is None else block.weights
        counts = np.full(len(shift), block.observations)
        if missing.any():
            x[missing] = 0.0
            counts -= weights @ missing
        first = weights @ x
        return np.stack([counts, first, weights @ np.square(x, out=x)])

    counts, first, second = data.sum(sums)
    counts = np.maximum(counts, np.finfo(float).tiny)
    variances: Array = second / counts - (first / counts) ** 2
    return variances


def around(
    mixture: Mixture[Any, Any], rows: Block, means: Float[Array, "k d"]
) -> MixtureParams[Any]:
    """Params fitted to the rows nearest to each mean, in units of the columns' spread, and a little to all others."""
    variances = _variances(mixture.prepare(rows))
    distances = np.nansum(
        (rows.x[:, None] - means) ** 2 / np.where(variances > 0, variances, 1.0), axis=2
    )
    shares = np.full(distances.shape, SHRINKAGE / len(means))
    shares[np.arange(len(shares)), distances.argmin(axis=1)] += 1 - SHRINKAGE
    return mixture.from_responsibilities(Weighted(rows.x, rows.weights), shares)


def _inverses(covariance_type: str, precisions: Array, k: int, d: int) -> Float[Array, "k d d"]:
    """The covariances that belong to precisions in the shapes of scikit-learn."""
    if covariance_type == "tied":
        precisions = np.stack([precisions] * k)
    elif covariance_type == "diag":
        precisions = precisions[:, :, None] * np.eye(d)
    elif covariance_type == "spherical":
        precisions = precisions[:, None, None] * np.eye(d)
    try:
        return Gaussians(np.zeros((k, d)), precisions).precisions
    except ValueError as error:
        raise ValueError(f"precisions_init, taken as covariances: {error}") from error
