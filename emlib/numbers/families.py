"""Published numbers of the chapter on EM beyond Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from emlib.data import Weighted
from emlib.datasets import load
from emlib.em import em, em_steps
from emlib.families import Categorical, Categoricals, Poisson, Poissons
from emlib.mixture import Mixture, MixtureParams
from emlib.models.alleles import AlleleCounting, AlleleFrequencies
from emlib.models.zero_inflated import ZeroInflated
from emlib.published import Comparison, Source
from emlib.variants.squarem import squarem_steps

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array

GIVENS = Source("Givens & Hoeting (2013), table 4.1", "givens2013")
LANGE = Source("Lange (2002), chapter 2", "lange2002")
THISTED = Source("Thisted (1988), section 4.2", "thisted1988")
DAYTON = Source("Dayton (1998), table 3.2, estimated by the program LEM", "dayton1998")

MOTHS = AlleleCounting(
    "CIT", {"carbonaria": ["CC", "CI", "CT"], "insularia": ["II", "IT"], "typica": ["TT"]}
)
CAUGHT = {"carbonaria": 85, "insularia": 196, "typica": 341}
BLOOD = AlleleCounting("ABO", {"A": ["AA", "AO"], "B": ["BB", "BO"], "AB": ["AB"], "O": ["OO"]})
PATIENTS = {"A": 186, "B": 38, "AB": 13, "O": 284}


def _frequencies(
    model: AlleleCounting, data: dict[str, int], start: list[float]
) -> Float[Array, "steps a"]:
    """The allele frequencies after 0, 1, 2, ... steps, the last of which no step changes."""
    steps = islice(em_steps(model, data, AlleleFrequencies(np.array(start))), 61)
    return np.array([step.params.frequencies for step in steps])


@cache
def moths() -> tuple[Comparison, ...]:
    """The frequencies of two alleles of the peppered moth after each step from one third.

    Source: Givens & Hoeting (2013), table 4.1.
    """
    printed = (
        "0.081994 0.237406",
        "0.071249 0.197870",
        "0.070852 0.190360",
        "0.070837 0.189023",
        "0.070837 0.188787",
        "0.070837 0.188745",
        "0.070837 0.188738",
        "0.070837 0.188737",
    )
    steps = _frequencies(MOTHS, CAUGHT, [1 / 3, 1 / 3, 1 / 3])
    rows = [(number, f"after step {number}", row) for number, row in enumerate(printed, 1)]
    return tuple(
        comparison
        for number, when, row in [*rows, (60, "in the limit", "0.070837 0.188737")]
        for comparison in GIVENS.compare_each(
            f"Peppered moths, {when}: frequency of the allele of {{}}",
            row,
            steps[number][:2],
            names=("carbonaria", "insularia"),
        )
    )


@cache
def blood_groups() -> tuple[Comparison, ...]:
    """The frequencies of the alleles A, B and O of patients with a duodenal ulcer, where EM ends.

    Source: Lange (2002), chapter 2; the data are those of Clarke et al. (1959).
    """
    return LANGE.compare_each(
        "Blood groups: frequency of allele {} in the limit",
        ".2136 .0501 .7363",
        _frequencies(BLOOD, PATIENTS, [0.3, 0.2, 0.5])[-1],
        names="ABO",
    )


@cache
def widows() -> tuple[Comparison, ...]:
    """How many widows have no children for sure, and how many children the others have on average.

    Source: Thisted (1988), section 4.2.
    """
    table, model = load("widows_children"), Mixture(ZeroInflated(Poisson()))
    data = Weighted(table["children"], table["widows"])
    start = MixtureParams(np.array([0.75, 0.25]), Poissons(np.array([0.4])))
    params = em(model, data, start, tol=1e-17, steps=squarem_steps).params
    return (
        THISTED.compare(
            "Widows, Poisson with extra zeros: share of those who are zero for sure",
            "0.6150567",
            params.weights[0],
        ),
        THISTED.compare(
            "Widows, Poisson with extra zeros: mean number of children of the others",
            "1.037839",
            params.components.rates[0],
        ),
    )


@cache
def x_rays() -> tuple[Comparison, ...]:
    """Two latent classes behind three readings of 1692 X-ray films.

    Source: Dayton (1998), table 3.2, has the data; the program LEM printed the estimates.
    """
    model = Mixture(Categorical((2, 2, 2)))
    films = Weighted(
        np.array(list(product([0.0, 1.0], repeat=3))),
        np.array([1513.0, 23.0, 59.0, 12.0, 21.0, 19.0, 11.0, 34.0]),
    )
    healthy = np.array([[0.9, 0.1]] * 3)
    start = MixtureParams(np.array([0.9, 0.1]), Categoricals(np.array([healthy, healthy[:, ::-1]])))
    trace = em(model, films, start, tol=1e-16)
    what, df = "X-ray films, two classes: {}", model.free_parameters(trace.params)
    early = (
        "LEM stopped at a last change of 0.0000007, as if in the log-likelihood, which is so flat at "
        "its top that this leaves the fourth digit open"
    )
    readings = trace.params.components.probabilities[:, :, 0]
    return (
        *DAYTON.compare_each(
            what.format("share of class {}"), "0.9455 0.0545", trace.params.weights
        ),
        *DAYTON.compare_each(
            what.format("probability that reading {} is negative in class 1"),
            "0.9900 0.9646 0.9891",
            readings[0],
        ),
        *DAYTON.compare_each(
            what.format("probability that reading {} is negative in class 2"),
            "0.2510 0.3566 0.2350",
            readings[1],
            early,
        ),
        DAYTON.compare(what.format("log-likelihood"), "-891.14280", trace.log_likelihood),
        DAYTON.compare(what.format("number of parameters"), "7", df),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (moths, blood_groups, widows, x_rays)
