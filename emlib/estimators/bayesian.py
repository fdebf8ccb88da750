"""Variational Gaussian mixtures with the interface of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array, Labels, log_sum_exp
from emlib.data import Block, Prepared
from emlib.estimators.base import check_choice, check_number, check_shape
from emlib.estimators.gaussian import column_variances, with_support
from emlib.estimators.mixture import STARTS, MixtureEstimator
from emlib.families import Gaussian, Gaussians
from emlib.families.moments import weighted_moments
from emlib.mixture import Mixture, MixtureParams
from emlib.models.student import MOST_DEGREES, Student, Students
from emlib.start import start
from emlib.variants.penalised import Penalised
from emlib.variants.variational import Beliefs, VariationalGaussians, common_prior

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float, Int

GAUSSIANS = Mixture(Gaussian())


class BayesianGaussianMixture(MixtureEstimator):
    """A mixture of Gaussians by variational Bayes: for `sklearn.mixture.BayesianGaussianMixture` with full covariances.

    Differences from scikit-learn, besides those of `emlib.estimators.GaussianMixture`:

    - The only prior of the weights is the Dirichlet distribution, and the only `covariance_type` is "full".
    - `lower_bound_` is the whole evidence lower bound, constants included, in nats per observation, and belongs to the
      parameters returned.
    - `reg_covar` is part of the prior: with `covariance_prior=None` this is the covariance of the data, and the share
      `reg_covar` of each column's variance is added to its diagonal.
    - `score_samples` and `sample` are of the predictive density, a mixture of Student-t's, as parameters are uncertain.

    `params_` are the beliefs, `prior_` those before any data.
    """

    prior_: Beliefs
    params_: Beliefs

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
        weight_concentration_prior_type: str = "dirichlet_distribution",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: Any = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: Any = None,
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
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior

    @property
    def weights_(self) -> Float[Array, " k"]:
        """The expected weights."""
        return self.params_.expected.weights

    @property
    def means_(self) -> Float[Array, "k d"]:
        """The expected means."""
        return self.params_.means

    @property
    def covariances_(self) -> Float[Array, "k d d"]:
        """The inverses of the expected precisions."""
        return self._expected().covariances

    @property
    def precisions_(self) -> Float[Array, "k d d"]:
        """The expected precisions."""
        return self._expected().precisions

    @property
    def precisions_cholesky_(self) -> Float[Array, "k d d"]:
        """Factors U, upper triangular, with U U' the precision."""
        return self._expected().whiteners.transpose(0, 2, 1)

    @property
    def weight_concentration_(self) -> Float[Array, " k"]:
        """The Dirichlet's parameters."""
        return self.params_.concentrations

    @property
    def mean_precision_(self) -> Float[Array, " k"]:
        """How many observations the belief about each mean is worth."""
        return self.params_.mean_counts

    @property
    def degrees_of_freedom_(self) -> Float[Array, " k"]:
        """Those of each Wishart distribution."""
        return self.params_.degrees_of_freedom

    def _expected(self) -> Gaussians:
        components: Gaussians = self.params_.expected.components
        return components

    def _check(self) -> None:
        super()._check()
        check_number("reg_covar", self.reg_covar)
        check_choice("covariance_type", self.covariance_type, ["full"])
        kind = self.weight_concentration_prior_type
        check_choice("weight_concentration_prior_type", kind, ["dirichlet_distribution"])

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Raise the evidence lower bound, from `n_init` starts.

        A row of weight 2 counts as two rows, and one of weight 0 as none.
        """
        data = self._read(X, sample_weight, reset=True)
        self.prior_ = self._beliefs(data)
        self._climb(VariationalGaussians(self.prior_), data, self._starts(data))
        return self

    def _prepare(self, data: Any) -> Prepared:
        return GAUSSIANS.prepare(data)

    def _beliefs(self, data: Prepared) -> Beliefs:
        """The prior: what the caller gave, and for the rest what scikit-learn takes."""
        moments = data.sum(
            lambda block: weighted_moments(block.x, block.weighted(np.ones((len(block.x), 1))))
        )
        d = moments.anchors.shape[1]
        mean = (moments.anchors + moments.offsets)[0]
        if self.mean_prior is not None:
            mean = check_shape("mean_prior", self.mean_prior, (d,))
        if self.covariance_prior is None:
            if moments.counts[0] <= 1:
                raise ValueError(
                    f"sample_weight: weights count observations, and theirs is {moments.counts[0]:g}: no covariance "
                    "can be taken from that; scale them up, or give covariance_prior"
                )
            scatter = moments.scatter[0] / (moments.counts[0] - 1)
            scatter += np.diag(self.reg_covar * column_variances(data))
        else:
            scatter = check_shape("covariance_prior", self.covariance_prior, (d, d))
        concentration = self.weight_concentration_prior
        count = self.mean_precision_prior
        return common_prior(
            mean,
            scatter,
            concentration=1 / self.n_components if concentration is None else concentration,
            mean_count=1.0 if count is None else count,
            degrees_of_freedom=self.degrees_of_freedom_prior,
        )

    def _start(self, rows: Block, rng: np.random.Generator) -> Beliefs:
        k = self.n_components
        supported = with_support(GAUSSIANS, rows, self.reg_covar, k)
        groups = start(supported, rows, k, rng, STARTS[self.init_params])
        model = VariationalGaussians(self.prior_)
        return model.m_step(Penalised(GAUSSIANS.e_step(rows, groups), 0.0))

    def _log_joint(self, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        # Bishop (2006), eq. (10.46).
        return GAUSSIANS.family.log_density(x, self._expected()) + self.params_.log_handicaps

    def _predictive(self) -> MixtureParams[Students]:
        """Source: Bishop (2006), eqs. (10.81)-(10.82)."""
        beliefs = self.params_
        degrees = beliefs.degrees_of_freedom + 1 - beliefs.means.shape[1]
        inflation = (1 + beliefs.mean_counts) / (degrees * beliefs.mean_counts)
        scales = inflation[:, None, None] * beliefs.scatters
        students = Students(beliefs.means, scales, np.minimum(degrees, MOST_DEGREES))
        return MixtureParams(self.weights_, students)

    def _log_density(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        return log_sum_exp(Mixture(Student()).log_joint(x, self._predictive()))

    def _draw(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        return Mixture(Student()).sample(self._predictive(), n, rng)
