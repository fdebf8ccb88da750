"""SQUAREM: two steps of EM show the direction and the rate of its crawl; a squared extrapolation follows them.

With the params as vectors t0, t1 = EM(t0), t2 = EM(t1), the change r = t1 - t0 and the change of the change
v = (t2 - t1) - r, the next try is t0 + 2 s r + s^2 v with s = |r| / |v|, and one step of EM from there makes it good.
What does not climb beyond t1 is thrown away for plain EM: the steps never lose log-likelihood.

Source: Varadhan & Roland (2008), "Simple and globally convergent methods for accelerating the convergence of any EM
algorithm", Scandinavian Journal of Statistics 35(2), section 3 (squared extrapolation), eq. (11) (the scheme S3).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from emlib.charts import Chart, chart
from emlib.em import Model, Statistics, Step, advance, first_step, next_step, prepared

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array

Data = TypeVar("Data")
Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Statistics)


def squarem_steps(
    model: Model[Data, Params, Stats],
    data: Data,
    params: Params,
    *,
    chart_of_params: Chart[Params] | None = None,
) -> Iterator[Step[Params, Stats]]:
    """Accelerated EM, without end: `em(model, data, start, steps=squarem_steps)`.

    A step costs three E-steps, or four where the extrapolation failed. The default chart is that of `emlib.charts`.

    Raises:
        ValueError: there is no chart for such params.
        AscentError: see `em_steps`.
    """
    coordinates = chart(params) if chart_of_params is None else chart_of_params
    data = prepared(model, data)
    step = first_step(model, data, params)
    for number in count(1):
        yield step
        first = next_step(model, data, step, number)
        ahead = _leap(model, data, coordinates, step, first)
        if ahead is not None and first.log_likelihood <= ahead.log_likelihood < np.inf:
            step = ahead
        else:
            step = next_step(model, data, first, number)


def _leap(
    model: Model[Data, Params, Stats],
    data: Data,
    chart: Chart[Params],
    start: Step[Params, Stats],
    first: Step[Params, Stats],
) -> Step[Params, Stats] | None:
    """A step of EM from where the extrapolation leads, or None if that is no place to start from."""
    here, once, twice = (
        chart.to_vector(params)
        for params in (start.params, first.params, model.m_step(first.stats))
    )
    target = _extrapolate(here, once, twice)
    if target is None:
        return None
    # The guard: an extrapolation may leave the params that can be written, or make the data impossible.
    try:
        with np.errstate(all="ignore"):
            return advance(model, data, first_step(model, data, chart.from_vector(target)))
    except (ValueError, ArithmeticError):
        return None


def _extrapolate(
    here: Float[Array, " p"], once: Float[Array, " p"], twice: Float[Array, " p"]
) -> Float[Array, " p"] | None:
    change = once - here
    bend = (twice - once) - change
    length = np.linalg.norm(bend)
    # A length below 1 would fall short of the two steps that are known already.
    if not length > 0:
        return None
    size = max(1.0, float(np.linalg.norm(change) / length))
    result: Array = here + 2 * size * change + size**2 * bend
    return result
