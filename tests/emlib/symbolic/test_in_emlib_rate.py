"""What the chapter on the speed of EM derives is what emlib computes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp

from emlib.information import (
    em_map_jacobian,
    information,
    missing_information,
    standard_errors,
)
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.symbolic import bound, extrapolation, hidden, likelihood, linkage, rate
from emlib.symbolic.notation import meanings_expanded
from emlib.variants.aitken import aitken
from emlib.variants.squarem import _extrapolate

RNG = np.random.default_rng(7)
MODEL = GeneticLinkage()
RAO = np.array(linkage.PUBLISHED, dtype=float)
BEST = Linkage(float(linkage.limit))


# ---- information -----------------------------------------------------------------------------------


def in_log_odds(information_in_share: float, share: float) -> float:
    """Information per unit of the log-odds, the coordinate in which emlib differentiates."""
    return information_in_share * (share * (1 - share)) ** 2


def test_the_rate_of_linkage_is_the_derived_number() -> None:
    derived = float(linkage.linkage_rate().claims[0].right)
    assert round(derived, 7) == 0.1327787
    assert derived == pytest.approx(
        float(linkage.linkage_map_slope().end.subs(linkage.theta, BEST.nonrecombinant)), rel=1e-12
    )
    # emlib differentiates by differences, so to fewer digits.
    assert information(MODEL, RAO, BEST).rate == pytest.approx(derived, rel=1e-6)
    assert em_map_jacobian(MODEL, RAO, BEST)[0, 0] == pytest.approx(derived, rel=1e-6)
    assert em_map_jacobian(MODEL, RAO, BEST)[0, 0] != pytest.approx(derived * 1.001, rel=1e-6)


def test_the_informations_of_linkage_are_the_derived_numbers() -> None:
    found = information(MODEL, RAO, BEST)
    share = BEST.nonrecombinant
    observed = in_log_odds(float(linkage.information_at_limit), share)
    complete = in_log_odds(float(meanings_expanded(linkage.complete).doit()), share)
    assert found.observed[0, 0] == pytest.approx(observed, rel=1e-6)
    assert found.complete[0, 0] == pytest.approx(complete, rel=1e-6)
    error = float(linkage.linkage_standard_error().end)
    assert round(error, 6) == 0.051467
    assert standard_errors(MODEL, RAO, BEST)["nonrecombinant"] == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("share", [0.2, 0.55, BEST.nonrecombinant])
def test_missing_information_is_the_derived_variance(share: float) -> None:
    """Louis's variance for offspring of the first class, whose second half has the score 1/theta."""
    joint, scores = np.array([0.5, share / 4]), np.array([0.0, 1 / share])
    sizes = {likelihood.N: 1, bound.K: 2}
    variance = meanings_expanded(rate.missing_information().claims[1].right).subs(sizes).doit()
    value = variance.replace(hidden.Joint, lambda *at: sp.Float(joint[int(at[1]) - 1], 30))
    value = value.replace(hidden.Score, lambda *at: sp.Float(scores[int(at[1]) - 1], 30))
    derived = in_log_odds(RAO[0] * float(value), share)
    found = missing_information(MODEL, RAO, Linkage(share))[0, 0]
    assert found == pytest.approx(derived, rel=1e-6)
    assert found != pytest.approx(derived * 1.001, rel=1e-6)


# ---- extrapolation ---------------------------------------------------------------------------------


def test_what_aitken_foretells_is_the_derived_remainder() -> None:
    """The library adds eight units of rounding to a gain, far below the gains here."""
    for _ in range(5):
        start, gain, factor = RNG.normal(), RNG.uniform(0.5, 2), RNG.uniform(0.2, 0.7)
        values = [start, start + gain, start + gain + gain * factor]
        at = dict(
            zip(
                (extrapolation.before, extrapolation.between, extrapolation.last),
                values,
                strict=True,
            )
        )
        steps = [SimpleNamespace(log_likelihood=value) for value in values]
        for claim in extrapolation.aitken_forms().claims:
            derived = float(meanings_expanded(claim.right).subs(at)) - values[-1]
            assert aitken(steps) == pytest.approx(derived, rel=1e-12, abs=1e-13)
            assert aitken(steps) != pytest.approx(derived * 1.001, rel=1e-6)


def test_the_squared_extrapolation_is_the_derived_one() -> None:
    """Vectors, coordinate by coordinate, with the step length of their norms."""
    slow = RNG.uniform(0.5, 0.99, size=3)
    limit, error = RNG.normal(size=3), RNG.normal(size=3)
    here, once, twice = (limit + slow**t * error for t in range(3))
    change, bend = once - here, (twice - once) - (once - here)
    length = -np.linalg.norm(change) / np.linalg.norm(bend)
    moved = _extrapolate(here, once, twice)
    assert moved is not None

    step, i = sp.Symbol("alpha", real=True), sp.Symbol("i", integer=True)
    derived = meanings_expanded(extrapolation.squarem_error().end)
    e, rho = sp.IndexedBase("e", real=True), sp.IndexedBase("rho", real=True)
    for j in range(3):
        at = {e[i]: error[j], rho[i]: slow[j], step: length}
        assert moved[j] - limit[j] == pytest.approx(
            float(derived.xreplace(at)), rel=1e-12, abs=1e-13
        )

    mean = meanings_expanded(extrapolation.squarem_length().end)
    sized = mean.subs(sp.Symbol("P", integer=True, positive=True), 3).doit()
    tables = {e: error, rho: slow}
    values = {x: tables[x.base][int(x.indices[0]) - 1] for x in sized.atoms(sp.Indexed)}
    assert float(sized.xreplace(values)) == pytest.approx(1 / length**2, rel=1e-12)


def test_a_single_rate_is_extrapolated_to_the_derived_limit() -> None:
    limit, slow = 1.7, 0.93
    here = np.array([0.4])
    once = limit + slow * (here - limit)
    twice = limit + slow * (once - limit)
    moved = _extrapolate(here, once, twice)
    assert moved is not None
    assert extrapolation.squarem_exact().end == sp.Symbol(r"\hat{\theta}", real=True)
    assert moved[0] == pytest.approx(limit, rel=1e-12)


def test_a_run_takes_the_derived_number_of_steps() -> None:
    """From 1e-3 to 1e-9 of the distance at the start, at the rate of linkage."""
    slope = float(linkage.linkage_rate().claims[0].right)
    share, errors = BEST.nonrecombinant + 1e-3, []
    while not errors or errors[-1] > 1e-9:
        share = MODEL.m_step(MODEL.e_step(RAO, Linkage(share))).nonrecombinant
        errors.append(abs(share - BEST.nonrecombinant))
    needed = meanings_expanded(extrapolation.iterations().start.args[1])
    at = {extrapolation.rho: slope, extrapolation.tolerance: 1e-6}
    assert len(errors) == int(np.ceil(float(needed.subs(at))))
