"""Published numbers of the chapter on Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice

import numpy as np

from emlib.datasets import load
from emlib.em import Step, Trace, em, em_steps
from emlib.families import Gaussian, Gaussians, Moments
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.published import Comparison, Source

MML = "Deisenroth, Faisal & Ong (2020)"
MCLUST = "Scrucca et al. (2016), R package mclust 6"
MODEL = Mixture(Gaussian())
SEVEN = np.array([-3.0, -2.5, -1.0, 0.0, 2.0, 4.0, 5.0])

Params = MixtureParams[Gaussians]
Stats = MixtureStatistics[Moments]


def _mml(place: str) -> Source:
    return Source(f"{MML}, {place}", "deisenroth2020")


def mclust(model: str, data: str) -> Source:
    """What mclust prints for a covariance model with a number of components."""
    return Source(f"{MCLUST}, {data}, model {model}", "scrucca2016")


@cache
def _seven_points() -> tuple[Step[Params, Stats], ...]:
    components = Gaussians.univariate([-4.0, 0.0, 8.0], [1.0, 0.2, 3.0])
    start: Params = MixtureParams(np.full(3, 1 / 3), components)
    return tuple(islice(em_steps(MODEL, SEVEN, start), 31))


@cache
def seven_responsibilities() -> tuple[Comparison, ...]:
    """Whose each of seven points is, for three components placed by guess; and the sum for each component.

    Source: Deisenroth, Faisal & Ong (2020), eq. (11.19) and example 11.2.
    """
    shares = MODEL.responsibilities(SEVEN, _seven_points()[0].params)
    table, text = _mml("eq. (11.19)"), _mml("example 11.2")
    rows = [
        "1.0 0.0 0.0",
        "1.0 0.0 0.0",
        "0.057 0.943 0.0",
        "0.001 0.999 0.0",
        "0.0 0.066 0.934",
        "0.0 0.0 1.0",
        "0.0 0.0 1.0",
    ]
    entries = [
        comparison
        for point, row, ours in zip(SEVEN, rows, shares, strict=True)
        for comparison in table.compare_each(
            f"Seven points, at the start: responsibility of component {{}} for the point {point:g}",
            row,
            ours,
            because="the book prints 0.001 and 0.999 for what rounds to 0.000 and 1.000"
            if point == 0
            else "",
        )
    ]
    sums = text.compare_each(
        "Seven points, at the start: sum of the responsibilities of component {}",
        "2.058 2.008 2.934",
        shares.sum(axis=0),
        because="the book adds responsibilities as it printed them, rounded",
    )
    return (*entries, *sums)


@cache
def seven_first_step() -> tuple[Comparison, ...]:
    """Means, variances and weights of three components after one step on seven points.

    Source: Deisenroth, Faisal & Ong (2020), examples 11.3 to 11.5.
    """
    params = _seven_points()[1].params
    means, variances = params.components.means.ravel(), params.components.variances.ravel()
    what = "Seven points, after one step: {} of component {{}}"
    return (
        *_mml("example 11.3").compare_each(what.format("mean"), "-2.7 -0.4 3.7", means),
        *_mml("example 11.4").compare_each(what.format("variance"), "0.14 0.44 1.53", variances),
        *_mml("example 11.5").compare_each(what.format("weight"), "0.29 0.29 0.42", params.weights),
    )


@cache
def seven_log_likelihoods() -> tuple[Comparison, ...]:
    """How far one step raises the log-likelihood of seven points.

    Source: Deisenroth, Faisal & Ong (2020), section 11.2.4.
    """
    start, first, *_ = (step.log_likelihood for step in _seven_points())
    text = _mml("section 11.2.4")
    return (
        text.compare("Seven points, at the start: log-likelihood", "-28.3", start),
        text.compare("Seven points, after one step: log-likelihood", "-14.4", first),
    )


@cache
def seven_limit() -> tuple[Comparison, ...]:
    """The mixture of three components that EM reaches on seven points.

    Source: Deisenroth, Faisal & Ong (2020), eq. (11.57).
    """
    params = _seven_points()[-1].params
    means, variances = params.components.means.ravel(), params.components.variances.ravel()
    equation, what = _mml("eq. (11.57)"), "Seven points, in the limit: {} of component {{}}"
    return (
        *equation.compare_each(what.format("weight"), "0.29 0.28 0.43", params.weights),
        *equation.compare_each(what.format("mean"), "-2.75 -0.50 3.64", means),
        *equation.compare_each(what.format("variance"), "0.06 0.25 1.63", variances),
    )


@cache
def waits() -> Trace[Params, Stats]:
    """EM on the waits of Old Faithful, two components with variances of their own."""
    start: Params = MixtureParams(np.full(2, 0.5), Gaussians.univariate([50.0, 80.0], [25.0, 25.0]))
    return em(MODEL, load("faithful")["waiting"], start, tol=1e-15)


@cache
def old_faithful_waits() -> tuple[Comparison, ...]:
    """Two normal curves fitted to the waits of Old Faithful.

    Source: Scrucca et al. (2016), by their R package mclust.
    """
    params, printed = waits().params, mclust("V, 2 components", "waiting of faithful")
    means = params.components.means.ravel()
    deviations = np.sqrt(params.components.variances.ravel())
    what, df = (
        "Waits of Old Faithful, two components: {} of component {{}}",
        MODEL.free_parameters(params),
    )
    return (
        *printed.compare_each(what.format("weight"), ".36089 .63911", params.weights),
        *printed.compare_each(what.format("mean"), "54.6149 80.0911", means),
        *printed.compare_each(what.format("standard deviation"), "5.8712 5.8677", deviations),
        printed.compare(
            "Waits of Old Faithful, two components: log-likelihood",
            "-1034.0017",
            waits().log_likelihood,
        ),
        printed.compare("Waits of Old Faithful, two components: number of parameters", "5", df),
    )


@cache
def old_faithful() -> tuple[Comparison, ...]:
    """Two bivariate normal curves fitted to the eruptions and waits of Old Faithful.

    Source: Scrucca et al. (2016), by their R package mclust.
    """
    start = Gaussians(
        np.array([[2.0, 55.0], [4.3, 80.0]]), np.array([np.diag([0.1, 30.0]), np.diag([0.1, 30.0])])
    )
    trace = em(MODEL, load("faithful").matrix(), MixtureParams(np.full(2, 0.5), start), tol=1e-14)
    printed, df = mclust("VVV, 2 components", "faithful"), MODEL.free_parameters(trace.params)
    return (
        printed.compare(
            "Old Faithful, two free components: log-likelihood", "-1130.264", trace.log_likelihood
        ),
        printed.compare("Old Faithful, two free components: number of parameters", "11", df),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (
    seven_responsibilities,
    seven_first_step,
    seven_log_likelihoods,
    seven_limit,
    old_faithful_waits,
    old_faithful,
)
