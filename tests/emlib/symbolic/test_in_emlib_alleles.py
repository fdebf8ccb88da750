"""What is derived of allele counting is what emlib computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from emlib.models.alleles import AlleleCounting, AlleleFrequencies
from emlib.symbolic import alleles
from emlib.symbolic.bound import K
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.notation import meanings_expanded

EXACT = {"rtol": 1e-12, "atol": 0.0}
CAUGHT = {"C": 85, "I": 196, "T": 341}
GROUPS = {"A": 186, "B": 38, "AB": 13, "O": 284}
STARTS = [(0.2, 0.3), (0.05, 0.6), (0.5, 0.45)]


def counting(locus: alleles.Locus) -> AlleleCounting:
    return AlleleCounting("".join(locus.p), locus.phenotypes)


def number(expression: sp.Expr, values: dict[sp.Basic, Any]) -> float:
    plain = meanings_expanded(expression)
    return float(sp.N(plain.subs({s: sp.sympify(x) for s, x in values.items()}), 30))


def a_step(
    locus: alleles.Locus, counts: dict[str, int], start: tuple[float, float]
) -> tuple[np.ndarray, dict[sp.Basic, Any]]:
    """The frequencies after a step of emlib, and the values of the symbols before it."""
    model, (first, second) = counting(locus), start
    before = AlleleFrequencies(np.array([first, second, 1 - first - second]))
    # The third frequency is what the others leave.
    values = dict(zip(locus.p.values(), start, strict=False))
    values |= {locus.seen[name]: count for name, count in counts.items()}
    return model.m_step(model.e_step(counts, before)).frequencies, values


@pytest.mark.parametrize("start", STARTS)
def test_a_step_on_the_moths_is_the_derived_one(start: tuple[float, float]) -> None:
    after, values = a_step(alleles.moths, CAUGHT, start)
    updates = (alleles.moth_update_c, alleles.moth_update_i, alleles.moth_update_t)
    for ours, derived in zip(after, updates, strict=True):
        assert np.isclose(ours, number(derived().end, values), **EXACT)
        wrong = {**values, alleles.moths.p["C"]: start[0] * (1 + 1e-9)}
        assert not np.isclose(ours, number(derived().end, wrong), **EXACT)


@pytest.mark.parametrize("start", STARTS)
def test_a_step_on_the_blood_groups_is_the_derived_one(start: tuple[float, float]) -> None:
    after, values = a_step(alleles.blood, GROUPS, start)
    for place, derived in ((0, alleles.blood_update_a), (2, alleles.blood_update_o)):
        assert np.isclose(after[place], number(derived().end, values), **EXACT)
        wrong = {**values, alleles.blood.seen["A"]: 186 * (1 + 1e-9)}
        assert not np.isclose(after[place], number(derived().end, wrong), **EXACT)


def test_the_update_for_b_is_that_for_a_with_the_letters_exchanged() -> None:
    after, values = a_step(alleles.blood, GROUPS, (0.25, 0.1))
    p, x = alleles.blood.p, alleles.blood.seen
    exchanged = {
        **values,
        p["A"]: values[p["B"]],
        p["B"]: values[p["A"]],
        x["A"]: values[x["B"]],
        x["B"]: values[x["A"]],
    }
    assert np.isclose(after[1], number(alleles.blood_update_a().end, exchanged), **EXACT)


@pytest.mark.parametrize("start", STARTS)
def test_the_share_of_dark_genes_is_the_derived_one(start: tuple[float, float]) -> None:
    model, (first, second) = counting(alleles.moths), start
    params = AlleleFrequencies(np.array([first, second, 1 - first - second]))
    ours = model.responsibilities(model.cells(["C"]), params)[0, 0]
    derived = alleles.moth_posterior().end
    assert np.isclose(ours, number(derived, {alleles.moths.p["C"]: first}), **EXACT)
    wrong = {alleles.moths.p["C"]: first * (1 + 1e-9)}
    assert not np.isclose(ours, number(derived, wrong), **EXACT)


@pytest.mark.parametrize(
    ("steps", "derived"),
    [
        (1, (alleles.moth_first_c, alleles.moth_first_i)),
        (2, (alleles.moth_second_c, alleles.moth_second_i)),
    ],
)
def test_the_first_steps_are_the_derived_fractions(steps: int, derived: tuple[Any, ...]) -> None:
    model = counting(alleles.moths)
    params = AlleleFrequencies(np.full(3, 1 / 3))
    for _ in range(steps):
        params = model.m_step(model.e_step(CAUGHT, params))
    for ours, builder in zip(params.frequencies, derived, strict=False):
        chain: Derivation = builder()
        assert np.isclose(ours, float(chain.end), **EXACT)
        assert not np.isclose(ours, float(chain.end) * (1 + 1e-9), **EXACT)
        # The decimals that the reason tells.
        assert f"{float(chain.end):.6f}".removeprefix("0") in chain.claims[0].because


def test_em_ends_where_the_derived_limit_lies() -> None:
    model, params = counting(alleles.moths), AlleleFrequencies(np.full(3, 1 / 3))
    for _ in range(100):
        params = model.m_step(model.e_step(CAUGHT, params))
    last = params.frequencies
    at = {alleles.a: sp.sqrt(sp.Rational(537, 622)), alleles.b: sp.sqrt(sp.Rational(341, 622))}
    for ours, builder in zip(last, (alleles.moth_limit_c, alleles.moth_limit_i), strict=False):
        derived = number(builder().end, at)
        assert np.isclose(ours, derived, rtol=1e-11, atol=0.0)
        assert not np.isclose(ours, derived * (1 + 1e-9), rtol=1e-11, atol=0.0)
        assert f"{derived:.6f}".removeprefix("0") in builder().claims[0].because


def test_gene_counting_gains_what_is_derived() -> None:
    model = counting(alleles.blood)
    stats = model.e_step(GROUPS, AlleleFrequencies([0.3, 0.2, 0.5]))
    best, other = model.m_step(stats), AlleleFrequencies([0.25, 0.35, 0.4])
    lost = model.expected_log_joint(stats, best) - model.expected_log_joint(stats, other)
    derived = alleles.gene_counting().claims[0].right.subs(K, 3).doit()
    individuals = sum(GROUPS.values())
    at: dict[sp.Basic, Any] = {alleles.individuals: individuals}
    for place in range(3):
        at[alleles.genes[place + 1]] = 2 * individuals * best.frequencies[place]
        at[alleles.frequency[place + 1]] = other.frequencies[place]
    assert np.isclose(lost, number(derived, at), rtol=1e-11, atol=0.0)
    at[alleles.frequency[1]] *= 1 + 1e-6
    assert not np.isclose(lost, number(derived, at), rtol=1e-9, atol=0.0)
