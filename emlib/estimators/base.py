"""What all estimators share: checks of their parameters, several starts, and what is said of how a run ended."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from emlib.arrays import Array
from emlib.em import AscentError, Model, Step, Stopped, Trace, em, em_steps

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float
    from numpy.typing import ArrayLike


class EMEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator whose `fit` is a run of EM, or the best of several."""

    params_: Any
    """The parameters reached, as emlib has them."""
    lower_bound_: float
    """The objective at `params_`, in nats per observation: log-likelihood, and log-prior where there is one."""
    lower_bounds_: list[float]
    """The objective after each iteration; the last is `lower_bound_`."""
    n_iter_: int
    converged_: bool
    """Whether the last iteration gained something from 0 to `tol`; a loss is no convergence."""
    _as_fitted: Self
    """The estimator with the parameters that it had when it was fitted, whatever `set_params` said since."""

    def __init__(
        self,
        *,
        tol: float,
        max_iter: int,
        n_init: int,
        random_state: Any,
        verbose: int,
        verbose_interval: int,
        n_jobs: int | None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.n_jobs = n_jobs

    def _check(self) -> None:
        """Raise ValueError where a constructor parameter is none."""
        check_number("tol", self.tol)
        check_whole("max_iter", self.max_iter, 0)
        check_whole("n_init", self.n_init, 1)
        check_whole("verbose", int(self.verbose), 0)
        check_whole("verbose_interval", self.verbose_interval, 1)

    def _rows(self, X: Any, **options: Any) -> Float[Array, "n d"]:
        """The rows as floats, after the checks of scikit-learn."""
        finite = "allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True
        rows: Array = validate_data(self, X, dtype=np.float64, ensure_all_finite=finite, **options)
        return rows

    def _generators(self) -> list[np.random.Generator]:
        """One for each start, so that none depends on what another drew, nor on the thread that it runs in."""
        state = check_random_state(self.random_state)
        seed = np.random.SeedSequence(state.randint(2**31, size=4).tolist())
        return [np.random.default_rng(child) for child in seed.spawn(self.n_init)]

    def _threads(self) -> int:
        return int(effective_n_jobs(self.n_jobs))

    def _climb(
        self, model: Model[Any, Any, Any], data: Any, starts: Sequence[Callable[[], Any]]
    ) -> Step[Any, Any]:
        """The last step of the best run; its params, and what is to be told of it, become attributes.

        Raises:
            ArithmeticError: every start collapsed.
        """

        def run(number: int) -> Trace[Any, Any] | ArithmeticError:
            try:
                return self._run(model, data, starts[number](), number)
            except AscentError:
                raise
            except ArithmeticError as error:
                return error

        threads = min(self._threads(), len(starts))
        if threads == 1:
            outcomes = [run(number) for number in range(len(starts))]
        else:
            with ThreadPoolExecutor(threads) as pool:
                outcomes = list(pool.map(run, range(len(starts))))
        traces = [outcome for outcome in outcomes if isinstance(outcome, Trace)]
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, Trace):
                continue
            if not traces:
                every = (
                    f"each of {len(starts)} starts failed; the first: " if len(starts) > 1 else ""
                )
                raise ArithmeticError(f"{every}{outcome}") from outcome
            _warn(f"start {number} of {len(starts)} was skipped: {outcome}")
        best = max(traces, key=lambda trace: trace.log_likelihood)
        if best.stopped is Stopped.MAX_STEPS and self.max_iter > 0:
            _warn(
                f"EM did not converge in max_iter={self.max_iter} iterations: increase max_iter or tol"
            )
        self._publish(best)
        return best.last

    def _run(
        self, model: Model[Any, Any, Any], data: Any, first: Any, number: int
    ) -> Trace[Any, Any]:
        if self.max_iter == 0:
            return Trace((next(em_steps(model, data, first)),), Stopped.MAX_STEPS)

        def told(*args: Any) -> Iterator[Step[Any, Any]]:
            for iteration, step in enumerate(em_steps(*args)):
                if iteration % self.verbose_interval == 0:
                    value = step.log_likelihood / step.stats.observations
                    print(f"start {number}, iteration {iteration}: lower bound {value:.8f}")
                yield step

        steps = told if self.verbose else em_steps
        trace = em(model, data, first, tol=self.tol, max_steps=self.max_iter, steps=steps)
        if self.verbose:
            print(f"start {number}, {len(trace.steps) - 1} iterations: {trace.stopped.value}")
        return trace

    def _publish(self, trace: Trace[Any, Any]) -> None:
        values = trace.log_likelihoods / trace.last.stats.observations
        self._as_fitted = clone(self)
        self.params_ = trace.params
        self.lower_bound_ = float(values[-1])
        self.lower_bounds_ = values[1:].tolist()
        self.n_iter_ = len(trace.steps) - 1
        self.converged_ = trace.converged


def _warn(message: str) -> None:
    # Four calls up: this, _climb, fit, and the line of the caller.
    warnings.warn(message, ConvergenceWarning, stacklevel=4)


# ---- checks of parameters ------------------------------------------------------------------------


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise ValueError unless the parameter is a whole number, `least` or more."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}: expected a whole number, {least} or more, got {value!r}")


def check_number(name: str, value: Any, least: float = 0) -> None:
    """Raise ValueError unless the parameter is a finite number, `least` or more."""
    if not isinstance(value, Real) or not least <= float(value) < np.inf:
        raise ValueError(f"{name}: expected a finite number, {least} or more, got {value!r}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError unless the parameter is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def check_shape(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """The parameter as an array of floats; ValueError where its shape is another."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    return array


def check_weights(sample_weight: Any, n: int) -> Float[Array, " n"]:
    """The weights as floats.

    Raises:
        ValueError: they are not one finite number a row, or one is negative, or all are zero.
    """
    weights = check_shape("sample_weight", sample_weight, (n,))
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight: expected finite numbers, 0 or more")
    if not weights.any():
        raise ValueError("sample_weight: every weight is zero, so that there are no data")
    return weights


def weighted_sum(values: Float[Array, " n"], sample_weight: Any) -> tuple[float, float]:
    """The sum of the values times their weights, and that of the weights."""
    if sample_weight is None:
        return float(values.sum()), float(len(values))
    weights = check_weights(sample_weight, len(values))
    return float(values @ weights), float(weights.sum())
