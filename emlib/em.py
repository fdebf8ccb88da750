"""The EM algorithm, written once.

Source: Dempster, Laird & Rubin (1977), "Maximum likelihood from incomplete data via the EM algorithm", section 3.
The proof that no step loses likelihood is in `emlib.symbolic.bound`; the chapter is book/bound.md.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np

from emlib.bound import FreeEnergy

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float

    from emlib.arrays import Array


class Statistics(Protocol):
    """What an E-step keeps of a data set: sums, so that the statistics of two data sets add."""

    @property
    def observations(self) -> float:
        """How many observations were summed."""

    @property
    def log_likelihood(self) -> float:
        """Log p(x | theta) at the params that the E-step used, in nats; for a variant, what it climbs instead."""

    def __add__(self, other: Self) -> Self: ...


Data = TypeVar("Data")
Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Statistics)
DataIn = TypeVar("DataIn", contravariant=True)


class Model(Protocol[DataIn, Params, Stats]):
    """A model with hidden variables, as EM sees it."""

    def e_step(self, data: DataIn, params: Params) -> Stats:
        """Expected sufficient statistics under p(z | x, params), the log-likelihood among them."""

    def m_step(self, stats: Stats) -> Params:
        """The params that maximise `expected_log_joint(stats, params)`."""

    def expected_log_joint(self, stats: Stats, params: Params) -> float:
        """The surrogate Q(params given the params behind stats), in nats."""


@runtime_checkable
class Prepares(Protocol):
    """A model that checks its data once a run: `e_step` takes what `prepare` gave as it takes the data."""

    def prepare(self, data: Any) -> Any:
        """The data, checked."""


@runtime_checkable
class Explains(Protocol):
    """A model that can say why a log-likelihood is -inf."""

    def why_impossible(self, data: Any, params: Any) -> str:
        """An observation that has density 0 under the params, in words; empty if there is none."""


class AscentError(ArithmeticError):
    """A step lost log-likelihood, or its M-step lowered the bound: the code of a model contradicts its mathematics."""


class Stopped(enum.Enum):
    """Why a run of EM ended."""

    TOLERANCE = "the gain fell below the tolerance"
    ROUNDING = "the change was lost in rounding"
    MAX_STEPS = "the limit on steps was reached"


@dataclass(frozen=True)
class Step(Generic[Params, Stats]):
    """Params together with their own log-likelihood, never the next one's."""

    params: Params
    stats: Stats
    """What the E-step found at these params."""
    split: FreeEnergy
    """The log-likelihood of these params, seen from the q that chose them: the posterior one step before."""

    @property
    def log_likelihood(self) -> float:
        """Log p(x | params), in nats."""
        return self.stats.log_likelihood


@dataclass(frozen=True)
class Trace(Generic[Params, Stats]):
    """A finished run: every step, and why there is no further one."""

    steps: tuple[Step[Params, Stats], ...]
    stopped: Stopped

    @property
    def last(self) -> Step[Params, Stats]:
        """The final step."""
        return self.steps[-1]

    @property
    def params(self) -> Params:
        """The params reached."""
        return self.last.params

    @property
    def log_likelihood(self) -> float:
        """The log-likelihood of `params`, in nats."""
        return self.last.log_likelihood

    @property
    def log_likelihoods(self) -> Float[Array, " steps"]:
        """The log-likelihood of every step, the start included."""
        return np.array([step.log_likelihood for step in self.steps])

    @property
    def converged(self) -> bool:
        """Whether what was left to gain is known to be below the tolerance: rounding must be below it too."""
        return self.stopped is Stopped.TOLERANCE

    def __str__(self) -> str:
        return (
            f"log-likelihood {self.log_likelihood:.6f} after {len(self.steps) - 1} steps: "
            f"{self.stopped.value}"
        )


def em_steps(
    model: Model[Data, Params, Stats], data: Data, params: Params
) -> Iterator[Step[Params, Stats]]:
    """EM from the given params, without end: E-step, yield, M-step, and again.

    Raises:
        AscentError: a step lost more log-likelihood, or an M-step more of the bound, than rounding explains.
        ArithmeticError: the log-likelihood is not finite.
    """
    data = prepared(model, data)
    step = first_step(model, data, params)
    for number in count(1):
        yield step
        step = next_step(model, data, step, number)


Steps: TypeAlias = "Callable[[Any, Any, Params], Iterator[Step[Params, Any]]]"
"""What `em_steps` is: steps from a model, data and a start."""
Remaining: TypeAlias = Callable[[Sequence[Step[Any, Any]]], float]
"""Nats still to gain, estimated from the steps so far, of which there are two or more; NaN if rounding hides them."""


def last_gain(steps: Sequence[Step[Any, Any]]) -> float:
    """The log-likelihood that the last step gained, in nats: what is left is taken for as much."""
    return steps[-1].log_likelihood - steps[-2].log_likelihood


def em(
    model: Model[Data, Params, Stats],
    data: Data,
    start: Params,
    *,
    tol: float = 1e-10,
    max_steps: int = 10_000,
    steps: Steps[Params] = em_steps,
    remaining: Remaining = last_gain,
) -> Trace[Params, Stats]:
    """Run EM until at most `tol` nats per observation are left to gain.

    What is left is estimated by `remaining`, from the steps so far. The default takes the last gain for it, and a small
    gain is not a small distance: where EM crawls, the run may stop far from the maximum; `emlib.variants.aitken` looks
    further ahead. `steps` may be any iterator of steps that climbs. `Trace.stopped` says why the run ended.

    The trace keeps every step, with its params and statistics; where these are large and the steps many, iterate over
    `em_steps` and keep what you need.

    Raises:
        ValueError: tol is negative, or max_steps is below 1.
        AscentError: see `em_steps`; or the given `steps` fell by more than rounding explains.
    """
    if not tol >= 0:
        raise ValueError(f"tol: expected nats per observation, 0 or more, got {tol}")
    if max_steps < 1:
        raise ValueError(f"max_steps: expected at least 1, got {max_steps}")
    iterator = steps(model, data, start)
    taken = [next(iterator)]
    for step in iterator:
        previous = taken[-1]
        taken.append(step)
        gain = step.log_likelihood - previous.log_likelihood
        if gain < 0:
            if -gain > 2 * _noise(previous, step):
                raise AscentError(
                    f"step {len(taken) - 1}: the log-likelihood fell from {previous.log_likelihood!r} to "
                    f"{step.log_likelihood!r}; no end can be told of steps that do not climb"
                )
            taken.pop()
        left = remaining(taken) if gain >= 0 else 0.0
        if math.isnan(left):
            return Trace(tuple(taken), Stopped.ROUNDING)
        enough = tol * step.stats.observations
        if left <= enough:
            # What the statistics own to have lost in rounding is not known to be below the tolerance.
            known = max(-gain, _own_rounding(previous.stats), _own_rounding(step.stats)) <= enough
            return Trace(tuple(taken), Stopped.TOLERANCE if known else Stopped.ROUNDING)
        if len(taken) > max_steps:
            break
    return Trace(tuple(taken), Stopped.MAX_STEPS)


def prepared(model: Model[Data, Params, Stats], data: Data) -> Data:
    """The data, checked by the model if it does so once a run."""
    checked: Data = model.prepare(data) if isinstance(model, Prepares) else data
    return checked


def first_step(
    model: Model[Data, Params, Stats], data: Data, params: Params
) -> Step[Params, Stats]:
    """The start: an E-step at the given params, seen from its own posterior."""
    stats = model.e_step(data, params)
    surrogate = model.expected_log_joint(stats, params)
    step = Step(params, stats, FreeEnergy(surrogate, stats.log_likelihood - surrogate, gap=0.0))
    _check_finite(model, data, step, 0)
    return step


def next_step(
    model: Model[Data, Params, Stats], data: Data, previous: Step[Params, Stats], number: int
) -> Step[Params, Stats]:
    """An M-step and an E-step, checked against the ascent theorem."""
    step = advance(model, data, previous)
    _check_finite(model, data, step, number)
    _check_ascent(previous, step, number)
    return step


def advance(
    model: Model[Data, Params, Stats], data: Data, step: Step[Params, Stats]
) -> Step[Params, Stats]:
    """An M-step and an E-step, whatever comes of them."""
    params = model.m_step(step.stats)
    surrogate = model.expected_log_joint(step.stats, params)
    # H(q) for the posterior q of the old params, where the gap is zero and so F = l.
    entropy = step.log_likelihood - model.expected_log_joint(step.stats, step.params)
    stats = model.e_step(data, params)
    gap = stats.log_likelihood - (surrogate + entropy)
    return Step(params, stats, FreeEnergy(surrogate, entropy, gap))


def rounding(stats: Statistics) -> float:
    """The change of log-likelihood that rounding alone may cause: a few thousand units in the last place of a sum.

    Statistics that are less exact than a sum say by how much, as `rounding`, in nats.
    """
    return 1e-12 * (abs(stats.log_likelihood) + stats.observations) + _own_rounding(stats)


def _own_rounding(stats: Statistics) -> float:
    return float(getattr(stats, "rounding", 0.0))


def _noise(previous: Step[Any, Any], step: Step[Any, Any]) -> float:
    return rounding(previous.stats) + rounding(step.stats)


def _check_finite(
    model: Model[Any, Any, Any], data: Any, step: Step[Any, Any], number: int
) -> None:
    if math.isfinite(step.log_likelihood):
        return
    impossible = model.why_impossible(data, step.params) if isinstance(model, Explains) else ""
    raise ArithmeticError(
        f"step {number}: the log-likelihood is {step.log_likelihood}; the params there are {step.params}. "
        f"{impossible or 'Some observation is impossible, or a density unbounded,'} under them: "
        "start elsewhere"
    )


def _check_ascent(previous: Step[Any, Any], step: Step[Any, Any], number: int) -> None:
    """The M-step must not lower the bound, and the bound must not exceed the log-likelihood."""
    loss, excess = previous.log_likelihood - step.split.free_energy, -step.split.gap
    if max(loss, excess) <= 0:
        return
    slack = _noise(previous, step)
    if loss > slack:
        culprit = "the M-step lowered the bound it should maximise"
    elif excess > slack:
        culprit = "the E-step's bound lies above the log-likelihood"
    else:
        return
    raise AscentError(
        f"step {number}: the log-likelihood went from {previous.log_likelihood!r} to "
        f"{step.log_likelihood!r} (bound {step.split.free_energy!r}): {culprit}"
    )
