"""Mixtures of Student-t's with the interface of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array
from emlib.data import Block, Prepared
from emlib.estimators.base import check_number
from emlib.estimators.gaussian import column_variances, with_support
from emlib.estimators.mixture import STARTS, LikelihoodMixture
from emlib.families import Gaussian
from emlib.families.moments import Moments
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.models.student import (
    START_DEGREES,
    Student,
    StudentMoments,
    Students,
)
from emlib.start import start
from emlib.variants.map import Prior, PseudoData

if TYPE_CHECKING:
    from jaxtyping import Float


class StudentMixture(LikelihoodMixture):
    """A mixture of Student-t's, on which outliers weigh little: `GaussianMixture` for data with heavy tails.

    `degrees` of freedom are "free" (estimated for each component), "tied" (estimated, the same for all), or a number.
    `reg_covar` and all other parameters are those of `emlib.estimators.GaussianMixture`.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        degrees: float | str = "free",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
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
        self.degrees = degrees
        self.reg_covar = reg_covar

    @property
    def locations_(self) -> Float[Array, "k d"]:
        """The centres; they are the means of components with more than 1 degree of freedom."""
        return self._components().locations

    @property
    def scales_(self) -> Float[Array, "k d d"]:
        """The scale matrices; with degrees above 2, the covariances are degrees / (degrees - 2) times these."""
        return self._components().scales

    @property
    def degrees_(self) -> Float[Array, " k"]:
        """The degrees of freedom."""
        return self._components().degrees

    def _components(self) -> Students:
        components: Students = self.params_.components
        return components

    def _check(self) -> None:
        super()._check()
        check_number("reg_covar", self.reg_covar)

    def _mixture(self, blocks: Iterable[Block] = ()) -> Mixture[Any, Any]:
        return Mixture(Student(self.degrees))  # type: ignore[arg-type]

    def _prior(self, data: Prepared) -> Callable[[float], Prior[Any, Any] | None]:
        if self.reg_covar == 0:
            return lambda _: None
        variances, k = column_variances(data), self.n_components

        def prior(observations: float) -> Prior[Any, Any]:
            scatter = np.diag(variances * (self.reg_covar * observations / k))
            zeros = np.zeros((k, len(variances)))
            moments = Moments(zeros, np.zeros(k), zeros, np.stack([scatter] * k))
            unseen = StudentMoments(np.zeros(k), moments, np.zeros(k))
            return PseudoData(MixtureStatistics(0.0, unseen))

        return prior

    def _start(self, rows: Block, rng: np.random.Generator) -> MixtureParams[Any]:
        k = self.n_components
        gaussian = with_support(Mixture(Gaussian()), rows, self.reg_covar, k)
        groups = start(gaussian, rows, k, rng, STARTS[self.init_params])
        means, covariances = groups.components.means, groups.components.covariances
        degrees = START_DEGREES if isinstance(self.degrees, str) else self.degrees
        return MixtureParams(groups.weights, Students(means, covariances, np.full(k, degrees)))
