"""Published numbers of the chapter on how EM fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice

import numpy as np

from emlib.datasets import load
from emlib.em import Trace, em, em_steps
from emlib.families import Gaussian, Gaussians, MissingGaussian, Moments
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.numbers.gaussian_mixtures import mclust
from emlib.published import Comparison, Source
from emlib.variants.squarem import squarem_steps

MURRAY = Source("Murray (1977), p. 27", "murray1977")
SBIC = Source(
    "Weihs & Plummer (2016), vignette Gaussian Mixtures of the R package sBIC", "weihs2016"
)

CORNERS = [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
SIDES = [[2.0, np.nan], [2.0, np.nan], [-2.0, np.nan], [-2.0, np.nan]]
TWELVE = np.array([*CORNERS, *SIDES, *(side[::-1] for side in SIDES)])
"""Murray's pairs: of eight one number is missing."""


def _murray(correlation: float) -> tuple[float, float]:
    """Variance and correlation where EM ends, from a correlation."""
    start = Gaussians(np.zeros((1, 2)), np.array([[[1.0, correlation], [correlation, 1.0]]]))
    steps = em_steps(Mixture(MissingGaussian()), TWELVE, MixtureParams(np.ones(1), start))
    *_, last = islice(steps, 251)
    (variance, cross), _ = last.params.components.covariances[0]
    return float(variance), float(cross / variance)


@cache
def murray() -> tuple[Comparison, ...]:
    """Two maxima and a saddle between them, for twelve pairs of which eight have a hole.

    Source: Murray (1977), discussion of Dempster, Laird & Rubin, p. 27.
    """
    up, (saddle, _), down = (_murray(start) for start in (0.1, 0.0, -0.1))
    what = "Murray's twelve pairs: {} {}, where EM ends if it starts at correlation {}"
    rows = (("0.1", up, "8/3", "1/2"), ("-0.1", down, "8/3", "-1/2"))
    return (
        *(
            MURRAY.compare(what.format(kind, "at a maximum", start), printed, ours)
            for start, found, *digits in rows
            for kind, printed, ours in zip(("variance", "correlation"), digits, found, strict=True)
        ),
        MURRAY.compare(what.format("variance", "at the saddle", "0"), "5/2", saddle),
    )


def _galaxies(
    means: list[float], variances: list[float]
) -> Trace[MixtureParams[Gaussians], MixtureStatistics[Moments]]:
    velocities = load("galaxies").matrix() / 1000
    start = MixtureParams(
        np.full(len(means), 1 / len(means)), Gaussians.univariate(means, variances)
    )
    return em(Mixture(Gaussian()), velocities, start, tol=1e-13, steps=squarem_steps)


@cache
def galaxies() -> tuple[Comparison, ...]:
    """One, two and three normal curves fitted to the velocities of 82 galaxies, in thousands of km/s.

    Source: Weihs & Plummer (2016), the R package sBIC; Scrucca et al. (2016), by their R package mclust.
    """
    one = _galaxies([20.0], [20.0])
    low, high = _galaxies([20.0, 22.0], [30.0, 1.0]), _galaxies([9.7, 21.9], [1.0, 10.0])
    three = _galaxies([9.7, 21.4, 33.0], [1.0, 5.0, 1.0])
    what, printed = (
        "Galaxies, {}: log-likelihood of velocities in 1000 km/s",
        mclust("V, 3 components", "galaxies"),
    )
    df = Mixture(Gaussian()).free_parameters(three.params)
    return (
        SBIC.compare(what.format("one component"), "-240.3379", one.log_likelihood),
        SBIC.compare(
            what.format("two components"),
            "-220.2445",
            low.log_likelihood,
            because="as if the printed run had stopped a little below its maximum; "
            f"from another start EM reaches a higher one, {high.log_likelihood:.4f}",
        ),
        printed.compare(what.format("three components"), "-203.1792", three.log_likelihood),
        printed.compare("Galaxies, three components: number of parameters", "8", df),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (murray, galaxies)
