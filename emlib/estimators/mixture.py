"""What the estimators of mixtures share: data, starts, predictions and criteria."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import DensityMixin, clone
from sklearn.utils.validation import check_is_fitted

from emlib.arrays import Array, Labels, log_sum_exp, softmax
from emlib.data import Block, Chunks, Prepared, Weighted
from emlib.estimators.base import (
    EMEstimator,
    check_choice,
    check_weights,
    check_whole,
    weighted_sum,
)
from emlib.mixture import Mixture, MixtureParams
from emlib.start import SAMPLE, SAMPLE_PER_COMPONENT, Method, sample, start
from emlib.variants.map import MaximumPosterior, Prior
from emlib.variants.online import OnlineStep, learn
from emlib.variants.penalised import Penalised

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float, Int

STARTS: dict[str, Method] = {
    "kmeans": "k-means++",
    "k-means++": "k-means++",
    "random": "random",
    "random_from_data": "random",
    "hierarchical": "hierarchical",
}
"""What `init_params` may be, and the method of `emlib.start` that it names."""


class MixtureEstimator(DensityMixin, EMEstimator):  # type: ignore[misc]
    """A mixture of `n_components` distributions."""

    def __init__(
        self,
        n_components: int = 1,
        *,
        tol: float = 1e-3,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        random_state: Any = None,
        warm_start: bool = False,
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
        self.init_params = init_params
        self.warm_start = warm_start

    @abstractmethod
    def _start(self, rows: Block, rng: np.random.Generator) -> Any:
        """Params to start from, given a sample of the rows."""

    @abstractmethod
    def _prepare(self, data: Any) -> Prepared:
        """The data, checked by the model."""

    @abstractmethod
    def _log_joint(self, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        """The logarithms of what the posterior probabilities of the components are in proportion to."""

    @abstractmethod
    def _log_density(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """The log-density of each row."""

    @abstractmethod
    def _draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        """Rows, and the component that each came from."""

    def _check(self) -> None:
        super()._check()
        check_whole("n_components", self.n_components, 1)
        check_choice("init_params", self.init_params, list(STARTS))

    @abstractmethod
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Run EM from `n_init` starts, and keep the best."""

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Int[Labels, " n"]:
        """The component of each row after `fit`."""
        return self.fit(X, y, sample_weight).predict(X)

    def _read(self, X: Any, sample_weight: Any, *, reset: bool) -> Prepared:
        """The data, checked by scikit-learn and by the model; they are the first if `reset`."""
        self._check()
        x = self._rows(X, reset=reset, ensure_min_samples=2 if reset else 1)
        if reset and len(x) < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {len(x)}"
            )
        data = x if sample_weight is None else Weighted(x, check_weights(sample_weight, len(x)))
        # Threads go to the starts, where there are several.
        return self._prepare(Chunks(data, threads=self._threads() if self.n_init == 1 else 1))

    def _starts(self, data: Prepared) -> list[Callable[[], Any]]:
        if self.warm_start and hasattr(self, "params_"):
            known = len(self.params_.weights)
            if known != self.n_components:
                raise ValueError(
                    f"warm_start: the last fit has {known} components and cannot be gone on with for "
                    f"n_components={self.n_components}; set warm_start=False"
                )
            return [lambda: self.params_]

        def begin(rng: np.random.Generator) -> Any:
            return self._start(distinct_rows(data, self.n_components, rng), rng)

        return [lambda rng=rng: begin(rng) for rng in self._generators()]  # type: ignore[misc]

    def _new_rows(self, X: Any) -> Float[Array, "n d"]:
        check_is_fitted(self)
        return self._rows(X, reset=False)

    def predict(self, X: Any) -> Int[Labels, " n"]:
        """The most probable component of each row."""
        labels: Labels = self._log_joint(self._new_rows(X)).argmax(axis=1)
        return labels

    def predict_proba(self, X: Any) -> Float[Array, "n k"]:
        """The posterior probability of each component, for each row."""
        return softmax(self._log_joint(self._new_rows(X)))

    def score_samples(self, X: Any) -> Float[Array, " n"]:
        """The log-density of each row."""
        return self._log_density(self._new_rows(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The log-density per observation."""
        total, count = weighted_sum(self.score_samples(X), sample_weight)
        return total / count

    def sample(self, n_samples: int = 1) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        """Rows drawn from the mixture, and the component that each came from, by which they are sorted."""
        check_is_fitted(self)
        check_whole("n_samples", n_samples, 1)
        x, hidden = self._draw(n_samples, self._generators()[0])
        order = np.argsort(hidden, kind="stable")
        return x[order], hidden[order]


class LikelihoodMixture(MixtureEstimator):
    """A mixture over one family, fitted by maximum likelihood, or with a prior."""

    params_: MixtureParams[Any]
    _unit_prior: Prior[Any, Any] | None
    _known: OnlineStep[Any, Any]

    @abstractmethod
    def _mixture(self, blocks: Iterable[Block] = ()) -> Mixture[Any, Any]:
        """The model of data in such blocks."""

    def _prior(self, data: Prepared) -> Callable[[float], Prior[Any, Any] | None]:
        """On the scale of these data, a prior for so many observations."""
        return lambda _: None

    @property
    def weights_(self) -> Float[Array, " k"]:
        """The share of each component."""
        return self.params_.weights

    def _prepare(self, data: Any) -> Prepared:
        return self._mixture().prepare(data)

    def _start(self, rows: Block, rng: np.random.Generator) -> MixtureParams[Any]:
        return start(self._mixture([rows]), rows, self.n_components, rng, STARTS[self.init_params])

    def _log_joint(self, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        return self._as_fitted._mixture([Block(x)]).log_joint(x, self.params_)

    def _log_density(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        return log_sum_exp(self._log_joint(x))

    def _draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        return self._as_fitted._mixture().sample(self.params_, n, rng)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Maximise the likelihood of the rows, from `n_init` starts.

        A row of weight 2 counts as two rows, and one of weight 0 as none.
        """
        data = self._read(X, sample_weight, reset=True)
        prior, mixture = self._prior(data), self._mixture(data)
        whole = prior(observations(data))
        model = MaximumPosterior(mixture, whole) if whole else mixture
        last = self._climb(model, data, self._starts(data))
        stats = last.stats.stats if isinstance(last.stats, Penalised) else last.stats
        mean = stats * (1 / stats.observations)
        self._unit_prior = prior(1.0)
        self._known = OnlineStep(last.params, mean, mean.log_likelihood, 1)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one more batch, by stepwise EM: each batch counts less than the one before, and no rows are kept.

        The first batch, unless `fit` came before, gives the start; its columns tell the scale for `reg_covar`. There is
        no telling whether batches have converged, so `converged_` and its like are gone after it.

        Source: Cappe & Moulines (2009), as in `emlib.variants.online`.
        """
        first = not hasattr(self, "params_")
        data = self._read(X, sample_weight, reset=first)
        if first:
            self._unit_prior = self._prior(data)(1.0)
        model = Supported(self._mixture(data).family, self._unit_prior)
        self._known = learn(model, data, self._starts(data)[0]() if first else self._known)
        self.params_ = self._known.params
        self._as_fitted = clone(self)
        for name in ("lower_bound_", "lower_bounds_", "n_iter_", "converged_"):
            if hasattr(self, name):
                delattr(self, name)
        return self

    @property
    def _df(self) -> int:
        return self._as_fitted._mixture().free_parameters(self.params_)

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """Akaike's criterion, -2 log-likelihood + 2 df: the smaller, the better."""
        total, _ = weighted_sum(self.score_samples(X), sample_weight)
        return -2 * total + 2 * self._df

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """Schwarz's criterion, -2 log-likelihood + df log n: the smaller, the better."""
        total, count = weighted_sum(self.score_samples(X), sample_weight)
        return -2 * total + self._df * float(np.log(count))

    def icl(self, X: Any, sample_weight: Any = None) -> float:
        """The same with each row's most probable component taken for known; components that overlap cost.

        -2 sum_n max_k log p(x_n, k) + df log n: the smaller, the better.

        Source: Biernacki, Celeux & Govaert (2000), "Assessing a mixture model for clustering with the integrated
        completed likelihood", IEEE Transactions on Pattern Analysis and Machine Intelligence 22(7).
        """
        total, count = weighted_sum(self._log_joint(self._new_rows(X)).max(axis=1), sample_weight)
        return -2 * total + self._df * float(np.log(count))

    def standard_errors(self, X: Any, sample_weight: Any = None) -> dict[str, Array]:
        """The standard error of each number in `params_`, by name, from the observed information in the fitted rows.

        They mean something at a maximum of the likelihood: fit with a small `tol`, such as 1e-10, and without a prior.
        A warning says where they do not.
        """
        from emlib.information import standard_errors

        check_is_fitted(self)
        data = self._read(X, sample_weight, reset=False)
        return standard_errors(self._as_fitted._mixture(data), data, self.params_)


@dataclass(frozen=True)
class Supported(Mixture[Any, Any]):
    """A mixture that is fitted to groups of few rows with the help of a prior."""

    prior: Prior[Any, Any] | None

    def m_step(self, stats: Any) -> MixtureParams[Any]:
        """The params that maximise the surrogate, with the prior."""
        plain = Mixture(self.family)
        result: MixtureParams[Any] = (
            self.prior.m_step(plain, stats) if self.prior else plain.m_step(stats)
        )
        return result


def distinct_rows(data: Prepared, k: int, rng: np.random.Generator) -> Block:
    """As many rows as a start needs, distinct and in lexical order, so that shuffled or repeated data start alike."""
    x, weights = sample(data, SAMPLE + SAMPLE_PER_COMPONENT * k, rng)
    order = np.argsort(x[:, -1])
    if (np.diff(x[order, -1]) > 0).all():
        # The last column, which comes first in the order, tells all rows apart.
        return Block(x[order], weights[order])
    order = np.lexsort(x.T)
    x, weights = x[order], weights[order]
    # Missing values are equal to one another here.
    same = (x[1:] == x[:-1]) | (np.isnan(x[1:]) & np.isnan(x[:-1]))
    first = np.flatnonzero(np.append(True, ~same.all(axis=1)))
    return Block(x[first], np.add.reduceat(weights, first))


def observations(data: Prepared) -> float:
    """The sum of the weights."""
    return data.sum(lambda block: block.observations)
