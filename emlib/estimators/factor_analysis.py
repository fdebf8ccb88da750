"""Factor analysis with the interface of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from emlib.arrays import Array
from emlib.data import Chunks, Weighted
from emlib.estimators.base import (
    EMEstimator,
    check_choice,
    check_weights,
    check_whole,
    weighted_sum,
)
from emlib.models.factor_analysis import FactorAnalysis as FactorModel
from emlib.models.factor_analysis import FactorParams

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float


class FactorAnalysis(ClassNamePrefixFeaturesOutMixin, TransformerMixin, EMEstimator):  # type: ignore[misc]
    """Columns explained by `n_components` factors: takes the place of `sklearn.decomposition.FactorAnalysis`.

    With `noise="isotropic"` it is probabilistic principal component analysis.

    Differences from scikit-learn:

    - `n_components` is 1 unless given, and must be below the number of columns.
    - `tol` is in nats per observation. After one pass over the rows an iteration does not depend on their number.
    - `lower_bounds_` are the log-likelihoods per observation, where scikit-learn has the totals in `loglike_`.
    - `fit` and `score` take a `sample_weight`.
    """

    params_: FactorParams

    def __init__(
        self,
        n_components: int = 1,
        *,
        noise: str = "diagonal",
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        random_state: Any = None,
        verbose: int = 0,
        verbose_interval: int = 10,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(
            tol=tol,
            max_iter=max_iter,
            n_init=n_init,
            random_state=random_state,
            verbose=verbose,
            verbose_interval=verbose_interval,
            n_jobs=n_jobs,
        )
        self.n_components = n_components
        self.noise = noise

    @property
    def components_(self) -> Float[Array, "q d"]:
        """The loadings, a row a factor; a rotation of them describes the same distribution."""
        return self.params_.loadings.T

    @property
    def mean_(self) -> Float[Array, " d"]:
        """The mean."""
        return self.params_.mean

    @property
    def noise_variance_(self) -> Float[Array, " d"]:
        """The variance of each column that the factors do not explain."""
        return self.params_.noise

    @property
    def _n_features_out(self) -> int:
        return int(self.params_.loadings.shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags

    def _model(self) -> FactorModel:
        return FactorModel(self.n_components, self.noise)  # type: ignore[arg-type]

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Maximise the likelihood of the rows; a row of weight 2 counts as two."""
        self._check()
        check_whole("n_components", self.n_components, 1)
        check_choice("noise", self.noise, ["diagonal", "isotropic"])
        x = self._rows(X, ensure_min_samples=2)
        if x.shape[1] <= self.n_components:
            raise ValueError(
                f"n_components={self.n_components}: expected fewer factors than columns, got n_features={x.shape[1]}"
            )
        data = x if sample_weight is None else Weighted(x, check_weights(sample_weight, len(x)))
        model = self._model()
        moments = model.prepare(Chunks(data, threads=self._threads()))
        starts = [lambda rng=rng: model.start(moments, rng) for rng in self._generators()]
        self._climb(model, moments, starts)
        return self

    def transform(self, X: Any) -> Float[Array, "n q"]:
        """The factors expected given each row."""
        check_is_fitted(self)
        return self._as_fitted._model().transform(self._rows(X, reset=False), self.params_)

    def score_samples(self, X: Any) -> Float[Array, " n"]:
        """The log-density of each row."""
        check_is_fitted(self)
        return self._as_fitted._model().log_density(self._rows(X, reset=False), self.params_)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The log-likelihood per observation."""
        total, count = weighted_sum(self.score_samples(X), sample_weight)
        return total / count

    def get_covariance(self) -> Float[Array, "d d"]:
        """The covariance of the columns under the model."""
        check_is_fitted(self)
        return self.params_.covariance

    def get_precision(self) -> Float[Array, "d d"]:
        """The inverse of the covariance."""
        return np.asarray(np.linalg.inv(self.get_covariance()), dtype=np.float64)
