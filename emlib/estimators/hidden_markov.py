"""Hidden Markov models with the interface of scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from emlib.arrays import Array, Labels
from emlib.em import Model
from emlib.estimators.base import EMEstimator, check_choice, check_number, check_whole
from emlib.estimators.counts import PoissonColumns
from emlib.estimators.gaussian import SHAPES, column_variances, with_support
from emlib.estimators.mixture import STARTS, distinct_rows
from emlib.families import Bernoulli, Gaussian
from emlib.families.parsimonious import MODELS
from emlib.mixture import Mixture
from emlib.models.hidden_markov import HiddenMarkov as MarkovModel
from emlib.models.hidden_markov import HiddenMarkovParams, HiddenMarkovStatistics, Sequences
from emlib.start import SHRINKAGE, start
from emlib.variants.map import MaximumPosterior, PseudoData

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike

EMISSIONS = ("gaussian", "poisson", "bernoulli")


class HiddenMarkov(DensityMixin, EMEstimator):  # type: ignore[misc]
    """A Markov chain of `n_components` hidden states, each emitting rows from a distribution of its own.

    Rows are times, in their order; `lengths` cuts them into independent sequences, as in hmmlearn. `emission` is
    "gaussian", with the `covariance_type` and `reg_covar` of `emlib.estimators.GaussianMixture`, "poisson" (counts)
    or "bernoulli" (ones and zeros), columns independent within a state. The other parameters are those of
    `GaussianMixture` too.

    `score` is per observation, where hmmlearn has the total.
    """

    params_: HiddenMarkovParams[Any]

    def __init__(
        self,
        n_components: int = 1,
        *,
        emission: str = "gaussian",
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
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
        self.emission = emission
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.init_params = init_params

    @property
    def startprob_(self) -> Float[Array, " k"]:
        """The probability of each state at the start of a sequence."""
        return self.params_.initial

    @property
    def transmat_(self) -> Float[Array, "k k"]:
        """The probability of each state after each: a row for the state before."""
        return self.params_.transitions

    @property
    def emissions_(self) -> Any:
        """Params of the family, a component a state."""
        return self.params_.emissions

    def _check(self) -> None:
        super()._check()
        check_whole("n_components", self.n_components, 1)
        check_choice("emission", self.emission, EMISSIONS)
        check_choice("covariance_type", self.covariance_type, [*SHAPES, *MODELS])
        check_number("reg_covar", self.reg_covar)
        check_choice("init_params", self.init_params, list(STARTS))

    def _family(self) -> Any:
        if self.emission == "gaussian":
            return Gaussian(self.covariance_type)
        return {"poisson": PoissonColumns, "bernoulli": Bernoulli}[self.emission]()

    def _model(self) -> MarkovModel[Any, Any]:
        return MarkovModel(self._family())

    def fit(self, X: Any, y: Any = None, lengths: ArrayLike | None = None) -> Self:
        """Maximise the likelihood of the sequences, from `n_init` starts."""
        self._check()
        x = self._rows(X, ensure_min_samples=2)
        sequences = _sequences(x, lengths)
        data = self._model().prepare(sequences)
        starts = [lambda rng=rng: self._start(sequences, rng) for rng in self._generators()]
        self._climb(self._objective(x), data, starts)
        return self

    def _objective(self, x: Float[Array, "n d"]) -> Model[Any, Any, Any]:
        if self.emission != "gaussian" or self.reg_covar == 0:
            return self._model()
        k, family = self.n_components, self._family()
        variances = column_variances(Mixture(family).prepare(x)) * self.reg_covar * len(x) / k
        unseen = family.expected_statistics(x[:1], np.zeros((1, k)), None)
        scatter = variances if unseen.second.ndim == 2 else np.diag(variances)
        unseen = replace(unseen, second=np.broadcast_to(scatter, unseen.second.shape))
        stats = HiddenMarkovStatistics(0.0, 0.0, np.zeros(k), np.zeros((k, k)), unseen)
        return MaximumPosterior(self._model(), PseudoData(stats))

    def _start(self, sequences: Sequences, rng: np.random.Generator) -> HiddenMarkovParams[Any]:
        """A mixture without memory, and the moves between its components."""
        k, mixture, x = self.n_components, Mixture(self._family()), sequences.values
        rows = distinct_rows(mixture.prepare(x), k, rng)
        supported = (
            with_support(mixture, rows, self.reg_covar, k)
            if self.emission == "gaussian"
            else mixture
        )
        groups = start(supported, rows, k, rng, STARTS[self.init_params])
        shares = mixture.responsibilities(x, groups)
        follows = np.ones(len(x), dtype=bool)
        follows[np.cumsum(sequences.lengths)[:-1]] = False
        moves = shares[:-1].T @ (shares[1:] * follows[1:, None]) + SHRINKAGE * groups.weights
        transitions = moves / moves.sum(axis=1, keepdims=True)
        return HiddenMarkovParams(groups.weights, transitions, groups.components)

    @property
    def _fitted(self) -> MarkovModel[Any, Any]:
        check_is_fitted(self)
        return self._as_fitted._model()

    def _new_sequences(self, X: Any, lengths: ArrayLike | None) -> Sequences:
        return _sequences(self._rows(X, reset=False), lengths)

    def predict(self, X: Any, lengths: ArrayLike | None = None) -> Int[Labels, " n"]:
        """The states of the most probable path."""
        return self._fitted.viterbi(self._new_sequences(X, lengths), self.params_).states

    def fit_predict(
        self, X: Any, y: Any = None, lengths: ArrayLike | None = None
    ) -> Int[Labels, " n"]:
        """The most probable path after `fit`."""
        return self.fit(X, y, lengths).predict(X, lengths)

    def predict_proba(self, X: Any, lengths: ArrayLike | None = None) -> Float[Array, "n k"]:
        """The probability of each state at each time, given the whole sequence."""
        return self._fitted.posterior(self._new_sequences(X, lengths), self.params_)

    def score(self, X: Any, y: Any = None, lengths: ArrayLike | None = None) -> float:
        """The log-likelihood per observation."""
        model, sequences = self._fitted, self._new_sequences(X, lengths)
        return model.log_likelihood(sequences, self.params_) / len(sequences.values)

    def aic(self, X: Any, lengths: ArrayLike | None = None) -> float:
        """Akaike's criterion, -2 log-likelihood + 2 df: the smaller, the better."""
        total = self.score(X, lengths=lengths) * len(X)
        return -2 * total + 2 * self._fitted.free_parameters(self.params_)

    def bic(self, X: Any, lengths: ArrayLike | None = None) -> float:
        """Schwarz's criterion, -2 log-likelihood + df log n: the smaller, the better."""
        total = self.score(X, lengths=lengths) * len(X)
        return -2 * total + self._fitted.free_parameters(self.params_) * float(np.log(len(X)))

    def sample(self, n_samples: int = 1) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        """One sequence drawn from the model, and the states behind it."""
        check_whole("n_samples", n_samples, 1)
        return self._fitted.sample(self.params_, n_samples, self._generators()[0])


def _sequences(x: Float[Array, "n d"], lengths: ArrayLike | None) -> Sequences:
    return Sequences(x, np.array([len(x)]) if lengths is None else np.asarray(lengths))
