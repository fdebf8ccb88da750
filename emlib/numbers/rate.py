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

HASSELBLAD = Source(
    "Hasselblad (1969), data; the digits of the maximum by Newton's method", "hasselblad1969"
)
VARADHAN = Source("Varadhan & Roland (2008), the Poisson mixture")
SQUAREM = Source("R package SQUAREM, file tests/Hasselblad1969.R")
LOUIS = Source("Louis (1982), example 1")
ROOT = Source("The linkage data of Dempster, Laird & Rubin (1977)", DEMPSTER.cite)

Params = MixtureParams[Poissons]


@cache
def linkage_ratios() -> tuple[Comparison, ...]:
    """By what factor each step of EM on the genetic linkage data shrinks the error.

    Source: Dempster, Laird & Rubin (1977), table 1, last column.
    """
    steps = linkage_steps()
    errors = steps[:7] - steps[-1]
    return DEMPSTER.compare_each(
        "Genetic linkage: ratio of the error after step {} to the one before",
        "0.1465 0.1346 0.1330 0.1328 0.1328 0.1328",
        errors[1:] / errors[:-1],
    )


@cache
def linkage_information() -> tuple[Comparison, ...]:
    """The rate at which EM converges on the genetic linkage data, and the standard error of its limit.

    Source: Dempster, Laird & Rubin (1977), table 1, print the rate as 0.1328; Louis (1982), example 1.
    """
    found = information(GeneticLinkage(), RAO, Linkage(linkage_steps()[-1]))
    return (
        ROOT.compare("Genetic linkage: rate of convergence", "0.1327787", found.rate),
        LOUIS.compare(
            "Genetic linkage: standard error of p",
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
    """Two Poisson distributions fitted to the death notices of each day.

    Source: Hasselblad (1969) has the data and the model.
    """
    params, what = _deaths()[0].params, "Death notices: {} of component {{}}"
    return (
        *HASSELBLAD.compare_each(what.format("weight"), ".3598854 .6401146", params.weights),
        *HASSELBLAD.compare_each(
            what.format("rate"), "1.2560951 2.6634044", params.components.rates
        ),
        HASSELBLAD.compare(
            "Death notices: log-likelihood", "-1989.94586", _deaths()[0].log_likelihood
        ),
    )


@cache
def deaths_to_thirteen_digits() -> tuple[Comparison, ...]:
    """The same two Poisson distributions, with the digits that a test of a program prints.

    Source: R package SQUAREM, file tests/Hasselblad1969.R.
    """
    params = _deaths()[0].params
    return SQUAREM.compare_each(
        "Death notices, as a test of a program has them: {}",
        "0.6401146029910 2.6634043566619 1.2560951012662",
        (params.weights[1], *params.components.rates[::-1]),
        because="the program stopped when a step was shorter than its tolerance; "
        "EM crawls, and the digits after the tenth had still to move",
        names=("weight of component 2", "rate of component 2", "rate of component 1"),
    )


@cache
def deaths_rates() -> tuple[Comparison, ...]:
    """The eigenvalues of the derivative of the EM step for the death notices: the largest says how it crawls.

    Source: Varadhan & Roland (2008).
    """
    found = _deaths()[1]
    largest = HASSELBLAD.compare("Death notices: spectral radius of EM", "0.995666", found.rate)
    return (
        largest,
        *VARADHAN.compare_each(
            "Death notices: eigenvalue {} of the derivative of EM",
            "0.9957 0.7204",
            found.missing_fractions[:2],
        ),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (
    linkage_ratios,
    linkage_information,
    deaths,
    deaths_to_thirteen_digits,
    deaths_rates,
)
