"""Derivatives of what a model computes, by differences in the coordinates of a chart.

A step is as long as the surrogate allows, whatever the unit of the data; so no derivative loses its digits to a bad
guess, and params at the boundary of their range are found out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from emlib.arrays import Array
from emlib.charts import Chart, chart_of
from emlib.em import Model, prepared
from emlib.parameters import label, largest, parameters

if TYPE_CHECKING:
    from jaxtyping import Float

Params = TypeVar("Params")

STEP_LOSS, LARGEST_LOSS = 2e-6, 0.05
"""Nats of surrogate, for each observation and in all, that a step of differentiation costs.

That is a five-hundredth of the spread of one observation: there the stencil's error and the rounding of the surrogate
are about equal, and both below a part in a million of the complete information.
"""
STENCIL = ((1, 2 / 3), (2, -1 / 12))
"""Offsets and shares of a derivative by central differences of fourth order: each ahead, less the same behind."""


@runtime_checkable
class Counted(Protocol):
    """A model that knows how many free parameters it has."""

    def free_parameters(self, params: Any) -> int:
        """How many numbers describe the params."""


def derivative(
    function: Callable[[Array], Array], at: Float[Array, " p"], steps: Float[Array, " p"]
) -> Float[Array, "... p"]:
    """The derivative by each coordinate, along the last axis: central differences of fourth order.

    Source: Abramowitz & Stegun (1964), "Handbook of Mathematical Functions", table 25.2 (five points).
    """
    columns = [
        sum(s * (function(at + m * move) - function(at - m * move)) for m, s in STENCIL)
        / move.sum()
        for move in np.diag(steps)
    ]
    return np.stack(columns, axis=-1)


@dataclass(frozen=True)
class Place(Generic[Params]):
    """A model at params, with the means to move about there."""

    model: Model[Any, Params, Any]
    data: Any
    chart: Chart[Params]
    at: Float[Array, " p"]
    stats: Any
    steps: Float[Array, " p"]

    @classmethod
    def of(
        cls, model: Model[Any, Params, Any], data: Any, params: Params, chart: Chart[Params] | None
    ) -> Place[Params]:
        """The place of these params.

        Raises:
            ValueError: there is no chart for the params, or it is one of another model.
            ArithmeticError: a parameter is at the boundary of its range, or the data say nothing about it.
        """
        data = prepared(model, data)
        chart = chart or chart_of(model, params)
        at = chart.to_vector(params)
        if isinstance(model, Counted) and model.free_parameters(params) != len(at):
            raise ValueError(
                f"the chart has {len(at)} coordinates for {model.free_parameters(params)} free parameters: "
                "give one of this model, with to_vector and from_vector"
            )
        stats = model.e_step(data, params)
        start = cls(model, data, chart, at, stats, np.where(at == 0, 1.0, 0.01 * abs(at)))
        place = replace(start, steps=start._sized_steps())
        place._refuse_boundary()
        return place

    def params(self, vector: Float[Array, " p"]) -> Params:
        """The params at other coordinates."""
        return self.chart.from_vector(vector)

    def e_step(self, vector: Float[Array, " p"]) -> Any:
        """An E-step at other coordinates."""
        return self.model.e_step(self.data, self.params(vector))

    def surrogate(self, stats: Any, params: Params) -> float:
        """Q of the model."""
        return self.model.expected_log_joint(stats, params)

    def named(self, name: str) -> Callable[[Array], Array]:
        """One array of `parameters` as a function of the coordinates."""
        return lambda vector: parameters(self.params(vector))[name]

    def slope(self, function: Callable[[Array], Array]) -> Float[Array, "... p"]:
        """The derivative of a function of the coordinates."""
        return derivative(function, self.at, self.steps)

    @cached_property
    def around(self) -> list[list[Params]]:
        """For each coordinate the params ahead and behind by one step, ahead and behind by two."""
        return [
            [self.params(self.at + m * sign * move) for m, _ in STENCIL for sign in (1, -1)]
            for move in np.diag(self.steps)
        ]

    def surrogate_slope(self, stats: Any) -> Float[Array, " p"]:
        """The slope of Q at this place; with the statistics of this place it is the score (Fisher's identity)."""
        values = np.array(
            [[self.surrogate(stats, params) for params in row] for row in self.around]
        )
        ahead, behind = values[:, ::2], values[:, 1::2]
        result: Array = (ahead - behind) @ np.array([share for _, share in STENCIL]) / self.steps
        return result

    def curvature(self, function: Callable[[Array], float]) -> Float[Array, "p p"]:
        """The second derivatives of a number, to fourth order; mixed ones from those along sums of two steps.

        Source: Abramowitz & Stegun (1964), eq. 25.3.24.
        """
        here, moves = function(self.at), np.diag(self.steps)

        def bend(move: Array) -> float:
            near, far = (
                function(self.at + m * move) + function(self.at - m * move) - 2 * here
                for m in (1, 2)
            )
            return (16 * near - far) / 12

        result = np.diag([bend(move) for move in moves])
        for i, j in zip(*np.tril_indices(len(moves), -1), strict=True):
            both = bend(moves[i] + moves[j])
            result[i, j] = result[j, i] = (both - result[i, i] - result[j, j]) / 2
        return result / self.steps / self.steps[:, None]

    def _sized_steps(self) -> Float[Array, " p"]:
        """For each coordinate the step that costs about as much as it should, whatever its unit."""
        here = self.surrogate(self.stats, self.params(self.at))
        target = min(STEP_LOSS * self.stats.observations, LARGEST_LOSS) + 1e-12 * abs(here)
        steps = self.steps.copy()
        for j in range(len(steps)):
            for _ in range(200):
                move = np.zeros(len(steps))
                move[j] = steps[j]
                loss = self._loss(here, move)
                if target / 4 < loss < target * 4:
                    break
                factor = np.sqrt(target / max(loss, 1e-300)) if np.isfinite(loss) else 0.03
                steps[j] *= min(max(factor, 0.03), 1e3)
                if steps[j] > 1e200:
                    raise self._unknown(j)
            else:
                raise self._unknown(j)
        return steps

    def _loss(self, here: float, move: Float[Array, " p"]) -> float:
        """What a move costs of the surrogate, whatever its slope at params that are no maximum."""
        try:
            with np.errstate(all="ignore"):
                ahead, behind = (
                    self.surrogate(self.stats, self.params(self.at + m)) for m in (move, -move)
                )
                return abs(here - (ahead + behind) / 2)
        except (ValueError, ArithmeticError):
            return np.inf  # so far that a number has left its range

    def _unknown(self, j: int) -> ArithmeticError:
        name = _moved(self.chart, self.at, j)
        return ArithmeticError(
            f"the data say nothing about {name}, or it is at the boundary of its range, where likelihoods have no "
            "standard errors: drop the parameter, or use bootstrap intervals"
        )

    def _refuse_boundary(self) -> None:
        """Raise where a step is no longer small for the params, so near is the boundary."""
        for name, here in parameters(self.params(self.at)).items():
            ahead, behind, _, _ = (
                np.stack([parameters(params)[name] for params in column])
                for column in zip(*self.around, strict=True)
            )
            straight = np.sqrt((((ahead - behind) / 2) ** 2).sum(axis=0))
            bent = abs((ahead + behind) / 2 - here).max(axis=0) > straight / 2 + 1e-12 * abs(here)
            if bent.any():
                where = np.unravel_index(int(bent.argmax()), here.shape)
                raise ArithmeticError(
                    f"{label(name, where)} is at the boundary of its range, where likelihoods have no standard "
                    "errors: drop the parameter, or use bootstrap intervals"
                )


def _moved(chart: Chart[Any], at: Float[Array, " p"], j: int) -> str:
    """The entry of the params that coordinate j moves most, for its size."""
    before = parameters(chart.from_vector(at))
    moves = {name: np.zeros_like(value) for name, value in before.items()}
    # Far out, as at a probability of 1, a coordinate moves nothing until it has come back a good way.
    for share in (1e-3, 0.5, 0.9, 0.99):
        there = at.copy()
        there[j] = there[j] * (1 - share) if there[j] else share
        after = parameters(chart.from_vector(there))
        moves = {name: after[name] - before[name] for name in before}
        if any(move.any() for move in moves.values()):
            break
    return largest(moves, before)
