"""Published numbers of the chapter on how many components."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from emlib.datasets import load
from emlib.em import em_steps
from emlib.families import Gaussian
from emlib.mixture import Mixture
from emlib.numbers.gaussian_mixtures import mclust, waits
from emlib.published import Comparison, Source
from emlib.select import Fit, select
from emlib.variants.map import MaximumPosterior
from emlib.variants.priors import MixturePrior, fraley_raftery

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array

EARLY = (
    "by default mclust stops when a step gains less than a hundred-thousandth of the "
    "log-likelihood, short of the maximum"
)


def _fit(x: Float[Array, "n d"], model: str, k: int) -> Fit:
    return select(x, [k], [model], tol=1e-11).best


def _criteria(fit: Fit) -> tuple[float, ...]:
    # mclust prints the negative of both criteria.
    return fit.log_likelihood, fit.df, -fit.bic, -fit.icl


CRITERIA = (
    "log-likelihood",
    "number of parameters",
    "BIC, signed as in mclust",
    "ICL, signed as in mclust",
)


@cache
def old_faithful() -> tuple[Comparison, ...]:
    """What mclust chooses for Old Faithful: three components that share one covariance.

    Source: Scrucca et al. (2016), and a later version of their R package mclust.
    """
    fit = _fit(load("faithful").matrix(), "EEE", 3)
    what = "Old Faithful, three components of one covariance: {}"
    paper = Source("Scrucca et al. (2016), example faithful", "scrucca2016")
    return (
        *paper.compare_each(
            what, "-1126.361 11 -2314.386 -2360.865", _criteria(fit), EARLY, CRITERIA
        ),
        *mclust("EEE, 3 components", "faithful").compare_each(
            f"{what}, by a later version",
            "-1126.326 -2314.316",
            (fit.log_likelihood, -fit.bic),
            EARLY,
            ("log-likelihood", "BIC, signed as in mclust"),
        ),
    )


@cache
def iris() -> tuple[Comparison, ...]:
    """Two components of one shape, which mclust chooses for Fisher's irises, and the three that botanists see.

    Source: Scrucca et al. (2016), by their R package mclust.
    """
    from sklearn.datasets import load_iris

    flowers = load_iris().data
    two, three, free = (_fit(flowers, *cell) for cell in (("VEV", 2), ("VEV", 3), ("VVV", 3)))
    model = "{}, 3 components"
    return (
        *mclust("VEV, 2 components", "iris").compare_each(
            "Iris, two components of one shape: {}",
            "-215.726 26 -561.7285 -561.7289",
            _criteria(two),
            names=CRITERIA,
        ),
        *mclust(model.format("VEV"), "iris").compare_each(
            "Iris, three components of one shape: {}",
            "-186.074 38 -562.5522 -566.4673",
            _criteria(three),
            EARLY,
            CRITERIA,
        ),
        mclust(model.format("VEV"), "iris, tolerance 1e-14").compare(
            "Iris, three components of one shape: log-likelihood, run to the end",
            "-186.07328340",
            three.log_likelihood,
        ),
        mclust(model.format("VVV"), "iris").compare(
            "Iris, three free components: log-likelihood", "-180.1855", free.log_likelihood
        ),
    )


@cache
def acidity() -> tuple[Comparison, ...]:
    """Two components of one variance, which mclust chooses for the acidity of 155 lakes.

    Source: Scrucca et al. (2016), by their R package mclust.
    """
    return mclust("E, 2 components", "acidity").compare_each(
        "Acidity of lakes, two components of one variance: {}",
        "-185.9493 4 -392.0723 -398.5554",
        _criteria(_fit(load("acidity").matrix(), "E", 2)),
        EARLY,
        CRITERIA,
    )


@cache
def diabetes() -> tuple[Comparison, ...]:
    """Three free components for the diabetes data: with one misprinted row, as mclust has it, and without.

    Source: Scrucca et al. (2016), by their R package mclust; Reaven & Miller (1979) have the data.
    """
    patients = load("diabetes").matrix("glufast", "glutest", "instest")
    misprinted = np.where(patients == [np.nan, 455.0, np.nan], 45.0, patients)
    what, model = "Diabetes, three free components, {}: {{}}", "VVV, 3 components"
    return (
        *mclust(model, "diabetes").compare_each(
            what.format("with 45 for the 455 of one row"),
            "-2303.496 29 -4751.316 -4770.169",
            _criteria(_fit(misprinted, "VVV", 3)),
            EARLY,
            CRITERIA,
        ),
        mclust(model, "diabetes with 455 restored, tolerance 1e-14").compare(
            what.format("with the row as it was").format("log-likelihood"),
            "-2295.09345573",
            _fit(patients, "VVV", 3).log_likelihood,
            "mclust stops a few billionths of a nat below the maximum",
        ),
    )


@cache
def prior() -> tuple[Comparison, ...]:
    """Two normal curves fitted to the waits of Old Faithful under the prior of mclust.

    Source: Fraley & Raftery (2007), section 2, by the R package mclust.
    """
    data = load("faithful")["waiting"]
    model = MaximumPosterior(Mixture(Gaussian()), MixturePrior(fraley_raftery(data, 2)))
    *_, last = islice(em_steps(model, data, waits().params), 201)
    params, log_likelihood = last.params, last.stats.stats.log_likelihood
    printed = mclust("V, 2 components", "waiting of faithful, its default prior, tolerance 1e-14")
    what = "Waits of Old Faithful, two components, with a prior: {} of component {{}}"
    still = "as if mclust had stopped while EM still moved the twelfth digit"
    return (
        *printed.compare_each(
            what.format("weight"), "0.36037080535764 0.63962919464236", params.weights, still
        ),
        *printed.compare_each(
            what.format("mean"), "54.5907917 80.0845137", params.components.means.ravel()
        ),
        *printed.compare_each(
            what.format("variance"), "32.58932 33.54501", params.components.variances.ravel()
        ),
        printed.compare(
            "Waits of Old Faithful, two components, with a prior: log-likelihood without it",
            "-1034.0939225",
            log_likelihood,
        ),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (
    old_faithful,
    iris,
    acidity,
    diabetes,
    prior,
)
