"""Published numbers of the chapter on how fast EM is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice

import numpy as np

from emlib.data import Weighted
from emlib.datasets import load
from emlib.em import Step
from emlib.families import Poisson, Poissons, Sums
from emlib.information import Information, information
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.numbers.ascent import DEMPSTER, RAO, linkage_steps
from emlib.published import Comparison, Source
from emlib.variants.squarem import squarem_steps

LOUIS = Source("Louis (1982), example 1", "louis1982")
SQUAREM = Source("Du & Varadhan (2020), test Hasselblad1969.R of the R package SQUAREM", "du2020")
TURBOEM = Source("Bobb & Varadhan (2021), vignette of the R package turboEM", "bobb2021")
VARADHAN = Source("Varadhan & Roland (2008), the Poisson mixture", "varadhan2008")

Params = MixtureParams[Poissons]


@cache
def linkage_ratios() -> tuple[Comparison, ...]:
    """By what factor each step of EM on the genetic linkage data shrinks the error.

    Source: Dempster, Laird & Rubin (1977), table 1, last column.
    """
    steps = linkage_steps()
    errors = steps[:7] - steps[-1]
    return DEMPSTER.compare_each(
        "Genetic linkage: ratio of the error after step {} to that before the step",
        "0.1465 0.1346 0.1330 0.1328 0.1328 0.1328",
        errors[1:] / errors[:-1],
    )


@cache
def linkage_information() -> tuple[Comparison, ...]:
    """The rate at which EM converges on the genetic linkage data, and the standard error of its limit.

    Source: Dempster, Laird & Rubin (1977), table 1, last column; Louis (1982), example 1.
    """
    found = information(GeneticLinkage(), RAO, Linkage(linkage_steps()[-1]))
    return (
        DEMPSTER.compare("Genetic linkage: rate of convergence", "0.1328", found.rate),
        LOUIS.compare(
            "Genetic linkage: standard error of the estimate of p",
            "0.051467",
            found.standard_errors["nonrecombinant"].item(),
        ),
    )


@cache
def _deaths() -> tuple[Step[Params, MixtureStatistics[Sums]], Information]:
    table, model = load("deaths"), Mixture(Poisson())
    data = Weighted(table["deaths"], table["days"])
    start = MixtureParams(np.array([0.3, 0.7]), Poissons(np.array([1.0, 2.5])))
    # The likelihood is so flat that it shows half the digits of the params: the steps go on until those rest.
    *_, last = islice(squarem_steps(model, data, start), 200)
    return last, information(model, data, last.params)


@cache
def deaths() -> tuple[Comparison, ...]:
    """Two Poisson distributions fitted to the death notices of each day: all digits that are printed, and seven.

    Source: Du & Varadhan (2020), in a test of their R package SQUAREM, the params; Bobb & Varadhan (2021), in the
    vignette of their R package turboEM, the log-likelihood. Hasselblad (1969) has the data and the model.
    """
    last, _ = _deaths()
    first, second = last.params.components.rates
    values, what = (last.params.weights[1], second, first), "Death notices, two Poissons: {}"
    names = ("weight of the second", "rate of the second", "rate of the first")
    return (
        *SQUAREM.compare_each(
            f"{what}, rounded",
            "0.6401146 2.6634044 1.2560951",
            values,
            names=names,
        ),
        *SQUAREM.compare_each(
            what,
            "0.6401146029910 2.6634043566619 1.2560951012662",
            values,
            because="as if the run behind these digits had stopped while EM still moved the eleventh decimal",
            names=names,
        ),
        TURBOEM.compare(
            what.format("minus log-likelihood"), "1989.945859883", -last.log_likelihood
        ),
    )


@cache
def deaths_rates() -> tuple[Comparison, ...]:
    """The eigenvalues of the derivative of the EM step for the death notices: the largest says how it crawls.

    Source: Varadhan & Roland (2008).
    """
    found = _deaths()[1]
    return VARADHAN.compare_each(
        "Death notices, two Poissons: {} eigenvalue of the derivative of the EM step",
        "0.9957 0.7204",
        found.missing_fractions[:2],
        names=("largest", "second"),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (
    linkage_ratios,
    linkage_information,
    deaths,
    deaths_rates,
)
