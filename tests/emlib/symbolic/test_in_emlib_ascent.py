"""What the chapter on EM as ascent derives is what emlib computes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from emlib import free_energy
from emlib.em import em
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.symbolic import ascent, bound, hidden, likelihood, linkage
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(5)
ROWS, STATES = 3, 2
# Log-joints of one model at three params.
TABLES = {
    params: RNG.normal(-2, 1, size=(ROWS, STATES))
    for params in (hidden.theta, hidden.theta_new, hidden.theta_old)
}
GUESS = RNG.dirichlet(np.ones(STATES), size=ROWS)


def number(expression: sp.Expr) -> float:
    """The derived expression, with these tables for joint density and guess."""
    sizes = {likelihood.N: ROWS, bound.K: STATES}
    plain = meanings_expanded(expression).subs(sizes).doit()
    plain = plain.replace(
        hidden.Joint,
        lambda n, k, params: sp.Float(np.exp(TABLES[params][int(n) - 1, int(k) - 1]), 30),
    )
    values = {
        entry: sp.Float(GUESS[tuple(int(index) - 1 for index in entry.indices)], 30)
        for entry in plain.atoms(sp.Indexed)
    }
    return float(plain.xreplace(values))


def posterior(params: sp.Symbol) -> np.ndarray:
    joint = np.exp(TABLES[params])
    return joint / joint.sum(axis=1, keepdims=True)


def test_the_split_of_the_log_likelihood_is_the_derived_one() -> None:
    split = free_energy(GUESS, TABLES[hidden.theta])
    derived = number(hidden.free_energy(hidden.guess, hidden.theta))
    assert derived == pytest.approx(split.free_energy, rel=1e-12)
    gap = number(ascent.best_guess().claims[0].right)
    assert gap == pytest.approx(split.gap, rel=1e-12)
    assert 1.01 * gap != pytest.approx(split.gap, rel=1e-3)
    assert number(hidden.log_likelihood(hidden.theta)) == pytest.approx(
        split.log_likelihood, rel=1e-12
    )


def test_the_gain_of_a_step_is_the_derived_one() -> None:
    """Surrogate and divergence at the posterior of theta, from theta to theta'."""
    before, after = (
        free_energy(posterior(hidden.theta), TABLES[params])
        for params in (hidden.theta, hidden.theta_new)
    )
    gain = after.log_likelihood - before.log_likelihood
    assert number(ascent.ascent_identity().claims[0].right) == pytest.approx(gain, rel=1e-12)
    assert number(ascent.ascent_identity().end) == pytest.approx(
        after.expected_log_joint - before.expected_log_joint, rel=1e-12
    )
    sandwiched = ascent.sandwich()
    assert number(sandwiched.end) == pytest.approx(after.free_energy, rel=1e-12)
    assert number(sandwiched.end) < number(sandwiched.start)
    assert number(ascent.best_parameters().end) == pytest.approx(
        free_energy(GUESS, TABLES[hidden.theta_new]).free_energy
        - free_energy(GUESS, TABLES[hidden.theta]).free_energy,
        rel=1e-12,
    )


def test_the_bound_is_the_derived_minorant() -> None:
    split = free_energy(posterior(hidden.theta_old), TABLES[hidden.theta])
    assert number(ascent.minorises().end) == pytest.approx(split.free_energy, rel=1e-12)
    assert number(ascent.minorises().end) < number(ascent.minorises().start)


# ---- genetic linkage -------------------------------------------------------------------------------


MODEL = GeneticLinkage()
COUNTS = np.array([31.0, 7.0, 12.0, 9.0])
RAO = np.array(linkage.PUBLISHED, dtype=float)
SHARES = RNG.uniform(0.05, 0.95, size=4)
ITERATES = (0.608247423, 0.624321050)


def at(share: float, counts: np.ndarray = COUNTS) -> dict[sp.Symbol, float]:
    return {**dict(zip(linkage.counts, counts, strict=True)), linkage.theta_old: share}


@pytest.mark.parametrize("share", SHARES)
def test_the_e_step_of_linkage_is_the_derived_one(share: float) -> None:
    stats = MODEL.e_step(COUNTS, Linkage(share))
    derived = float(linkage.e_step().end.subs(at(share)))
    assert derived == pytest.approx(stats.counts[1], rel=1e-12)
    assert derived != pytest.approx(stats.counts[0], rel=1e-3)


@pytest.mark.parametrize("share", SHARES)
def test_the_surrogate_of_linkage_is_the_derived_one(share: float) -> None:
    stats = MODEL.e_step(COUNTS, Linkage(share))
    derived = meanings_expanded(linkage.linkage_surrogate().end).subs(at(share))
    for other in (0.2, 0.7):
        value = float(derived.subs(linkage.theta, other))
        assert value == pytest.approx(MODEL.expected_log_joint(stats, Linkage(other)), rel=1e-12)


@pytest.mark.parametrize("share", SHARES)
def test_the_m_step_of_linkage_is_the_derived_one(share: float) -> None:
    stats = MODEL.e_step(COUNTS, Linkage(share))
    best = MODEL.m_step(stats).nonrecombinant
    x = sp.Symbol("x", positive=True)
    derived = linkage.updated(x, linkage.counts).subs({**at(share), x: stats.counts[1]})
    assert float(derived) == pytest.approx(best, rel=1e-12)
    shortfall = meanings_expanded(linkage.m_step().claims[0].right).subs(
        linkage.phi, 1 - linkage.theta
    )
    placed = shortfall.subs({**at(share), x: stats.counts[1]})
    assert abs(float(placed.subs(linkage.theta, best))) < 1e-12
    assert float(placed.subs(linkage.theta, best * 1.01)) > 1e-5


@pytest.mark.parametrize("share", SHARES)
def test_a_step_of_linkage_is_the_derived_quotient(share: float) -> None:
    best = MODEL.m_step(MODEL.e_step(RAO, Linkage(share))).nonrecombinant
    assert float(linkage.linkage_map().end.subs(linkage.theta, share)) == pytest.approx(
        best, rel=1e-12
    )
    step = meanings_expanded(linkage.linkage_step().end).doit().subs(linkage.theta, share)
    assert float(step) == pytest.approx(best - share, rel=1e-9, abs=1e-13)


def test_log_likelihood_and_its_slope_are_the_derived_ones() -> None:
    ell = meanings_expanded(linkage.log_likelihood(linkage.theta))
    for share in SHARES:
        stats = MODEL.e_step(RAO, Linkage(share))
        assert float(ell.subs(linkage.theta, share)) == pytest.approx(
            stats.log_likelihood, rel=1e-12
        )
        slope = float(meanings_expanded(linkage.linkage_score().end).subs(linkage.theta, share))
        ahead, behind = (
            MODEL.e_step(RAO, Linkage(share + move)).log_likelihood for move in (1e-5, -1e-5)
        )
        assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-5, abs=1e-5)


def test_the_iterates_are_the_exact_fractions() -> None:
    share = 0.5
    fractions = (linkage.first_iterate().end, linkage.second_iterate().end)
    for fraction, printed in zip(fractions, ITERATES, strict=True):
        share = MODEL.m_step(MODEL.e_step(RAO, Linkage(share))).nonrecombinant
        assert float(fraction) == pytest.approx(share, rel=1e-12)
        assert round(float(fraction), 9) == printed


def test_em_ends_at_the_exact_limit() -> None:
    trace = em(MODEL, RAO, Linkage(0.5), tol=1e-17)
    exact = float(linkage.linkage_limit().end)
    assert trace.params.nonrecombinant == pytest.approx(exact, rel=1e-7)
    stays = MODEL.m_step(MODEL.e_step(RAO, Linkage(exact))).nonrecombinant
    assert stays == pytest.approx(exact, rel=1e-12)
    assert round(exact, 10) == 0.6268214979
