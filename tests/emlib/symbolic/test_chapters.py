"""Every derivation of the book holds, and none of its claims survives a slip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Gaussian, Gaussians, Poisson, maximum_likelihood
from emlib.symbolic import (
    Claim,
    Derivation,
    ProofError,
    bound,
    gaussian_mixtures,
    likelihood,
    mixtures,
)
from emlib.symbolic.chapters import CHAPTERS
from emlib.symbolic.matrices import Gradient, IndexedMatrix, MatrixSum
from emlib.symbolic.notation import InOrder, NamedEntry, meanings_expanded
from emlib.symbolic.numeric import agree

BUILDERS = [builder for chapter in CHAPTERS for builder in chapter.derivations]
CLAIMS = [
    pytest.param(claim, id=f"{builder.__name__}-{number}")
    for builder in BUILDERS
    for number, claim in enumerate(builder().claims)
]


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
def test_a_derivation_has_reasons_and_its_own_label(builder: Callable[[], Derivation]) -> None:
    chain = builder()
    assert chain.claims
    assert all(claim.because for claim in chain.claims)
    assert [b().label for b in BUILDERS].count(chain.label) == 1
    assert chain.label.startswith("eq-")


Changes: TypeAlias = Callable[[sp.Basic], Iterator[sp.Basic]]


def changed_once(expression: sp.Basic, changes: Changes) -> Iterator[sp.Basic]:
    """The expression with one part of it changed, for every part that can be."""
    yield from changes(expression)
    # The variable of a slope, and what a substitution puts in, stay.
    inside = 1 if isinstance(expression, (sp.Derivative, sp.Subs, Gradient)) else None
    for i, part in enumerate(expression.args[:inside]):
        for new in changed_once(part, changes):
            with suppress(ValueError, TypeError):  # not everything can stand everywhere
                yield expression.func(*expression.args[:i], new, *expression.args[i + 1 :])


def without_a_term(part: sp.Basic) -> Iterator[sp.Basic]:
    if isinstance(part, (sp.Add, InOrder, sp.MatAdd)):
        for i in range(len(part.args)):
            yield part.func(*part.args[:i], *part.args[i + 1 :])


def with_another_index(part: sp.Basic) -> Iterator[sp.Basic]:
    if isinstance(part, sp.Indexed):
        for i, index in enumerate(part.indices):
            yield part.base[(*part.indices[:i], index + 1, *part.indices[i + 1 :])]
    if isinstance(part, NamedEntry):
        yield part.func(part.args[0] + 1, *part.args[1:])
    if isinstance(part, IndexedMatrix):
        yield part.func(part.args[0], part.index + 1, *part.shape)
    if isinstance(part, (sp.Sum, sp.Product, MatrixSum)):
        (index, low, high), *others = part.args[1:]
        yield part.func(part.args[0], (index, low + 1, high), *others)
        yield part.func(part.args[0], (index, low, high - 1), *others)


def slipped(side: sp.Expr, slip: Changes) -> set[sp.Expr]:
    """The side with this slip, anywhere in what the page shows; else in what its names stand for."""
    shown = set(slip(side)) - {side}
    return shown or set(slip(meanings_expanded(side))) - {side}


def stray(side: sp.Expr) -> sp.Expr:
    return sp.MatrixSymbol("A", *side.shape) if isinstance(side, sp.MatrixExpr) else STRAY


STRAY = sp.Symbol("stray", positive=True)
SLIPS: dict[str, Changes] = {
    "sign": lambda side: iter([-side]),
    "factor": lambda side: iter([2 * side]),
    "stray term": lambda side: iter([side + stray(side), side - stray(side) / 2]),
    "missing term": lambda side: changed_once(side, without_a_term),
    "index": lambda side: changed_once(side, with_another_index),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_claim_survives_a_slip(claim: Claim) -> None:
    """Whatever is accepted after a slip must be the same number as before, so that it was none."""
    for name, slip in SLIPS.items():
        for changed in slipped(claim.right, slip):
            try:
                replace(claim, right=changed).check()
            except ProofError:
                continue
            assert agree(changed, claim.right, claim.given), f"{name}: {changed} was accepted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_proof_leans_on_the_numbers(claim: Claim) -> None:
    """Most slips above are refused by a number; the proof alone refuses what is not so too."""
    if claim.right.is_infinite or claim.points:
        pytest.skip("nothing to reduce")
    with pytest.raises(ProofError):
        replace(claim, right=claim.right + stray(claim.right)).prove()


@pytest.mark.parametrize("claim", [p for p in CLAIMS if p.values[0].by is not None])
def test_no_inequality_holds_without_its_lemma_or_backwards(claim: Claim) -> None:
    with pytest.raises(ProofError, match="lemma"):
        replace(claim, by=None).check()
    other = r"\le" if claim.relation == r"\ge" else r"\ge"
    with pytest.raises(ProofError):
        replace(claim, relation=other).check()


# ---- library and derivation are one thing ----------------------------------------------------------


RNG = np.random.default_rng(5)
DATA = RNG.normal(3, 2, size=7)


def lambdified(expression: sp.Expr, n: int, arrays: dict[sp.IndexedBase, np.ndarray]) -> sp.Expr:
    """The expression with sums written out and the arrays put in."""
    plain = meanings_expanded(expression).subs(likelihood.N, n).doit()
    return plain.xreplace(
        {
            entry: sp.Float(arrays[entry.base][int(entry.indices[0]) - 1], 30)
            for entry in plain.atoms(sp.Indexed)
        }
    )


def test_the_gaussian_fit_is_where_the_derived_slopes_vanish() -> None:
    fit = maximum_likelihood(Gaussian(), DATA)
    at_fit = {likelihood.mu: fit.means[0, 0], likelihood.v: fit.variances[0, 0]}
    for slope in (
        likelihood.mean_score().claims[0].right,
        sp.diff(likelihood.log_likelihood().end, likelihood.v),
    ):
        value = lambdified(slope.doit(), len(DATA), {likelihood.x: DATA})
        assert abs(value.subs(at_fit)) < 1e-12
        assert abs(value.subs({**at_fit, likelihood.mu: at_fit[likelihood.mu] * 1.01})) > 1e-6


def test_the_poisson_fit_is_the_derived_mean() -> None:
    counts = RNG.poisson(4.0, size=9)
    shortfall = likelihood.poisson_global().claims[0].right
    mean = sp.Symbol(r"\bar{x}", positive=True)
    rate = maximum_likelihood(Poisson(), counts).rates[0]
    at = {likelihood.N: 9, mean: counts.mean()}
    assert abs(meanings_expanded(shortfall).subs({**at, likelihood.rate: rate})) < 1e-12
    assert meanings_expanded(shortfall).subs({**at, likelihood.rate: rate * 1.01}) > 1e-5


def test_the_log_density_is_the_derived_one() -> None:
    family = Gaussian()
    value = family.log_density(family.observations(DATA), Gaussians.univariate([1.5], [0.7])).sum()
    derived = lambdified(likelihood.log_likelihood().end, len(DATA), {likelihood.x: DATA})
    assert np.isclose(
        value, float(derived.subs({likelihood.mu: 1.5, likelihood.v: 0.7})), rtol=1e-12, atol=1e-14
    )


def two_components() -> tuple[Mixture, MixtureParams]:
    return Mixture(Gaussian()), MixtureParams(
        np.array([0.3, 0.7]), Gaussians.univariate([2.0, 4.5], [1.2, 0.8])
    )


def test_responsibilities_are_the_derived_posterior() -> None:
    mixture, params = two_components()
    first, second = np.exp(mixture.log_joint(DATA, params)).T
    posterior = meanings_expanded(bound.posterior(bound.k))
    for n, row in enumerate(mixture.responsibilities(DATA, params)):
        written_out = posterior.subs(bound.K, 2).doit()
        values = {bound.joint[1]: first[n], bound.joint[2]: second[n]}
        for state in (1, 2):
            assert np.isclose(
                float(written_out.subs(bound.k, state).subs(values)),
                row[state - 1],
                rtol=1e-12,
                atol=1e-14,
            )


def test_the_m_step_lies_where_the_derived_slopes_vanish() -> None:
    """Mean and variance of component 1, from the weighted slopes; weights, from the multiplier."""
    mixture, params = two_components()
    shares = mixture.responsibilities(DATA, params)
    best = mixture.m_step(mixture.e_step(DATA, params))
    arrays = {gaussian_mixtures.r: shares[:, 0], likelihood.x: DATA}
    mean, variance = mixtures.mean, mixtures.variance
    q = gaussian_mixtures.component_surrogate(mean, variance).meaning
    at_best = {mean: best.components.means[0, 0], variance: best.components.variances[0, 0]}
    assert (
        abs(lambdified(sp.diff(meanings_expanded(q), variance), len(DATA), arrays).subs(at_best))
        < 1e-12
    )
    slope = gaussian_mixtures.mean_slope().claims[0].right
    assert abs(lambdified(slope, len(DATA), arrays).subs(at_best)) < 1e-12
    assert np.allclose(best.weights, shares.mean(axis=0), rtol=1e-12, atol=1e-14)


def test_the_em_step_is_the_derived_preconditioned_gradient() -> None:
    mixture, params = two_components()
    best = mixture.m_step(mixture.e_step(DATA, params))
    rest = np.exp(mixture.log_joint(DATA, params))[:, 1]
    derived = gaussian_mixtures.preconditioned_gradient().claims[0].right
    value = lambdified(derived, len(DATA), {likelihood.x: DATA, mixtures.rest: rest}).subs(
        {mixtures.weight: 0.3, mixtures.mean: 2.0, mixtures.variance: 1.2}
    )
    assert np.isclose(float(value), best.components.means[0, 0] - 2.0, rtol=1e-12, atol=1e-14)
