"""Mixtures over counts and over ones and zeros with the interface of scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array, Flags, Labels, log_floored, log_or_zero, real, rows
from emlib.charts import Chart, chart
from emlib.data import Block
from emlib.estimators.base import check_number
from emlib.estimators.mixture import LikelihoodMixture
from emlib.families import Bernoulli, Bernoullis, ExponentialFamily, Poisson, Sums
from emlib.families.family import refuse_empty
from emlib.mixture import Mixture

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class PoissonTable:
    """k times d Poisson distributions: one for each component and column."""

    rates: Float[Array, "k d"]

    def __post_init__(self) -> None:
        rates = real(self.rates, "rates")
        if rates.ndim != 2 or (rates < 0).any():
            raise ValueError(f"rates: expected shape (k, d), none below 0, got {self.rates}")
        object.__setattr__(self, "rates", rates)


class PoissonColumns(ExponentialFamily[PoissonTable]):
    """Columns of counts, independent within a component: `emlib.families.Poisson` for each."""

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Counts, shape (n,) or (n, d)."""
        x = rows(data, "data")
        Poisson().observations(x.ravel())
        return x

    def statistics(self, x: Float[Array, "n d"]) -> Float[Array, "n d"]:
        """T(x) = x."""
        return x

    def natural(self, params: PoissonTable) -> Float[Array, "k d"]:
        """Eta = log(rate)."""
        return log_or_zero(params.rates)

    def never(self, params: PoissonTable) -> Bool[Flags, "k d"]:
        """A count above 0 in a column, at rate 0."""
        result: Flags = params.rates == 0
        return result

    def log_partition(self, params: PoissonTable) -> Float[Array, " k"]:
        """A = rate, summed over columns."""
        result: Array = params.rates.sum(axis=1)
        return result

    def log_base(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Log h(x) = -log(x!), summed over columns."""
        result: Array = Poisson().log_base(x.reshape(-1, 1)).reshape(x.shape).sum(axis=1)
        return result

    def from_mean(self, stats: Sums) -> PoissonTable:
        """The rates are the weighted mean counts."""
        refuse_empty(stats.counts)
        return PoissonTable(stats.totals / stats.counts[:, None])

    def free_parameters(self, params: PoissonTable) -> int:
        """A rate for each component and column."""
        return params.rates.size

    def sample(
        self, params: PoissonTable, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One row of counts from component hidden_n, for each n."""
        counts: Array = rng.poisson(params.rates[hidden]).astype(float)
        return counts


@chart.register
def _(params: PoissonTable) -> Chart[PoissonTable]:
    shape = params.rates.shape
    return Chart(
        lambda params: log_floored(params.rates).ravel(),
        lambda vector: PoissonTable(np.exp(vector).reshape(shape)),
    )


class PoissonMixture(LikelihoodMixture):
    """A mixture over rows of counts, independent within a component.

    Its parameters are those of `emlib.estimators.GaussianMixture`. Fractions and negative numbers are refused.
    """

    @property
    def rates_(self) -> Float[Array, "k d"]:
        """The expected count, in each component and column."""
        components: PoissonTable = self.params_.components
        return components.rates

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.categorical = True
        return tags

    def _mixture(self, blocks: Iterable[Block] = ()) -> Mixture[Any, Any]:
        return Mixture(PoissonColumns())

    def _rows(self, X: Any, **options: Any) -> Float[Array, "n d"]:
        return super()._rows(X, ensure_non_negative=True, **options)


class BernoulliMixture(LikelihoodMixture):
    """A mixture over rows of ones and zeros, independent within a component: latent class analysis.

    As in `sklearn.naive_bayes.BernoulliNB`, values above `binarize` are taken as 1 and all others as 0; with
    `binarize=None` the data must consist of ones and zeros. The other parameters are those of
    `emlib.estimators.GaussianMixture`.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        binarize: float | None = 0.0,
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
        self.binarize = binarize

    @property
    def probabilities_(self) -> Float[Array, "k d"]:
        """The probability of a one, in each component and column."""
        components: Bernoullis = self.params_.components
        return components.probabilities

    def _check(self) -> None:
        super()._check()
        if self.binarize is not None:
            check_number("binarize", self.binarize, least=-np.inf)

    def _mixture(self, blocks: Iterable[Block] = ()) -> Mixture[Any, Any]:
        return Mixture(Bernoulli())

    def _rows(self, X: Any, **options: Any) -> Float[Array, "n d"]:
        x = super()._rows(X, **options)
        return x if self.binarize is None else (x > self.binarize).astype(np.float64)
