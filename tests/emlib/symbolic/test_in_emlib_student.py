"""What is derived of Student-t components is what emlib computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from emlib.families import Gaussians
from emlib.models.student import Student, Students
from emlib.symbolic import likelihood
from emlib.symbolic import student as derived
from emlib.symbolic.gaussian_mixtures import mean_hat, share_of_k, variance_hat
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(14)
EXACT = {"rtol": 1e-12, "atol": 0.0}
NU = 3.7


def number(expression: sp.Expr, values: dict[sp.Basic, Any]) -> float:
    """The value at a point; an indexed symbol's is an array, whose first entry is at index 1."""
    arrays = {base: value for base, value in values.items() if isinstance(base, sp.IndexedBase)}
    scalars = {s: sp.sympify(value) for s, value in values.items() if s not in arrays}
    plain = meanings_expanded(expression).subs(scalars).doit()
    entries = {
        entry: sp.Float(float(arrays[entry.base][int(entry.indices[0]) - 1]), 30)
        for entry in plain.atoms(sp.Indexed)
    }
    return float(sp.N(plain.xreplace(entries), 30))


LINE = Students(np.array([[0.4]]), np.array([[[1.9]]]), np.array([NU]))
OF_LINE = {likelihood.mu: 0.4, likelihood.v: 1.9, derived.nu: NU}


@pytest.mark.parametrize("x", [-3.1, 0.4, 2.2, 40.0])
def test_the_density_is_the_derived_one(x: float) -> None:
    ours = Student().log_density(np.array([[x]]), LINE)[0, 0]
    formula = sp.log(derived.scale_mixture().end)
    at = {**OF_LINE, derived.value: x}
    assert np.isclose(ours, number(formula, at), **EXACT)
    assert not np.isclose(ours, number(formula, {**at, derived.nu: NU * (1 + 1e-5)}), **EXACT)


def in_three_dimensions() -> tuple[Students, np.ndarray, np.ndarray]:
    """A component, observations, and their squared distances."""
    root = RNG.normal(size=(3, 3))
    params = Students(RNG.normal(size=(1, 3)), (root @ root.T + np.eye(3))[None], np.array([NU]))
    x = RNG.normal(size=(6, 3)) * 3
    off = x - params.locations[0]
    return params, x, np.einsum("ni,ij,nj->n", off, np.linalg.inv(params.scales[0]), off)


def test_densities_and_weights_in_d_dimensions_are_the_derived_ones() -> None:
    params, x, distances = in_three_dimensions()
    logs = Student().log_density(x, params)[:, 0]
    weights = Student().expected_precisions(x, params)[:, 0]
    determinant = np.linalg.det(params.scales[0])
    for row, distance in enumerate(distances):
        at = {
            derived.nu: NU,
            derived.d: 3,
            derived.delta: distance,
            derived.determinant: determinant,
        }
        wrong = {**at, derived.delta: distance * (1 + 1e-6)}
        for ours, formula in (
            (logs[row], sp.log(derived.scale_mixture_in_d().end)),
            (weights[row], derived.expected_precision().claims[0].right),
            (weights[row], derived.expected_precision().end),
        ):
            # The distances are rounded too.
            assert np.isclose(ours, number(formula, at), rtol=1e-11)
            assert not np.isclose(ours, number(formula, wrong), rtol=1e-11, atol=0.0)


def test_the_expected_log_precision_is_the_derived_one() -> None:
    x = np.array([[-3.1], [0.7], [9.0]])
    formula = derived.expected_log_precision().end
    for row in x:
        stats = Student().expected_statistics(row[None, :], np.ones((1, 1)), LINE)
        weight = Student().expected_precisions(row[None, :], LINE)[0, 0]
        at = {derived.nu: NU, derived.d: 1, derived.delta: (row[0] - 0.4) ** 2 / 1.9}
        # The deficit is E[log u] - E[u] + 1.
        derived_deficit = number(formula, at) - weight + 1
        assert np.isclose(stats.deficits[0], derived_deficit, rtol=1e-12, atol=1e-14)
        assert not np.isclose(stats.deficits[0], derived_deficit + 1e-9, rtol=1e-12, atol=1e-14)


DATA = np.array([-2.4, -0.3, 0.1, 0.6, 1.2, 1.5, 14.0])
SHARES = RNG.uniform(0.2, 1, size=len(DATA))


def weighted() -> tuple[Any, dict[sp.Basic, Any]]:
    """Statistics at LINE, and what the symbols of the M-step are there."""
    x = DATA[:, None]
    stats = Student().expected_statistics(x, SHARES[:, None], LINE)
    precisions = Student().expected_precisions(x, LINE)[:, 0]
    weights = SHARES * precisions
    location = weights @ DATA / weights.sum()
    squares = (DATA - 0.4) ** 2 / 1.9
    logs = [
        number(
            derived.expected_log_precision().end,
            {derived.nu: NU, derived.d: 1, derived.delta: distance},
        )
        for distance in squares
    ]
    return stats, {
        likelihood.N: len(DATA),
        likelihood.x: DATA,
        derived.r: SHARES,
        derived.precision: precisions,
        derived.log_precision: np.array(logs),
        share_of_k: SHARES.sum(),
        derived.total_precision: weights.sum(),
        mean_hat: location,
        variance_hat: weights @ (DATA - location) ** 2 / SHARES.sum(),
    }


def test_location_and_scale_are_the_derived_ones() -> None:
    stats, at = weighted()
    best = Student().from_mean(stats)
    assert np.isclose(best.locations[0, 0], at[mean_hat], **EXACT)
    assert np.isclose(best.scales[0, 0, 0], at[variance_hat], **EXACT)
    # Not over the sum of the weights.
    other = at[variance_hat] * at[share_of_k] / at[derived.total_precision]
    assert not np.isclose(best.scales[0, 0, 0], other, rtol=1e-3)


def test_the_m_step_gains_what_is_derived() -> None:
    family = Student(degrees=NU)
    stats, at = weighted()
    best = family.from_mean(stats)
    other = Students.of(Gaussians(np.array([[1.1]]), np.array([[[3.0]]])), np.array([NU]))
    lost = family.expected_log_density(stats, best) - family.expected_log_density(stats, other)
    at |= {likelihood.mu: 1.1, likelihood.v: 3}
    formula = derived.m_step().claims[0].right
    assert np.isclose(lost, number(formula, at), rtol=1e-12, atol=1e-13)
    at[likelihood.mu] = 1.1001
    assert not np.isclose(lost, number(formula, at), rtol=1e-9, atol=0.0)


def test_the_degrees_solve_the_derived_equation() -> None:
    stats, at = weighted()
    best = Student().from_mean(stats)
    slope = derived.degrees_slope().end
    assert abs(number(slope, {**at, derived.nu: best.degrees[0]})) < 1e-12 * SHARES.sum()
    assert abs(number(slope, {**at, derived.nu: best.degrees[0] * 1.001})) > 1e-6


def test_q_in_the_degrees_curves_as_derived() -> None:
    stats, at = weighted()
    step = 1e-3

    def q(degrees: float) -> float:
        return Student().expected_log_density(
            stats, Students.of(LINE.gaussians, np.array([degrees]))
        )

    curvature = (q(NU + step) - 2 * q(NU) + q(NU - step)) / step**2
    formula = number(derived.degrees_curvature().end, {**at, derived.nu: NU})
    assert formula < 0
    assert np.isclose(curvature, formula, rtol=1e-5)
    assert not np.isclose(curvature, 1.001 * formula, rtol=1e-5)


def test_the_weights_add_up_as_derived() -> None:
    stats, at = weighted()
    distances = (DATA - 0.4) ** 2 / 1.9
    (base,) = {
        entry.base
        for entry in meanings_expanded(derived.redundancy().end).atoms(sp.Indexed)
        if entry.base.name == "delta"
    }
    at |= {derived.nu: NU, derived.d: 1, base: distances}
    for claim in derived.redundancy().claims:
        assert np.isclose(stats.moments.counts[0], number(claim.right, at), **EXACT)
        wrong = {**at, derived.nu: NU * (1 + 1e-6)}
        assert not np.isclose(stats.moments.counts[0], number(claim.right, wrong), **EXACT)


def test_at_a_fixed_point_the_weights_add_up_to_the_count() -> None:
    family, params = Student(degrees=NU), LINE
    x = DATA[:, None]
    for _ in range(300):
        stats = family.expected_statistics(x, SHARES[:, None], params)
        params = family.from_mean(stats)
    stats = family.expected_statistics(x, SHARES[:, None], params)
    assert np.isclose(stats.moments.counts[0], stats.counts[0], rtol=1e-10)


def test_many_degrees_are_a_normal() -> None:
    x = np.array([[-1.0], [0.4], [3.0]])
    almost = Students(np.array([[0.4]]), np.array([[[1.9]]]), np.array([1e6]))
    logs = Student().log_density(x, almost)[:, 0]
    for row, ours in zip(x[:, 0], logs, strict=True):
        tail = derived.limit_of_tail().end.subs(derived.delta, sp.Float((row - 0.4) ** 2 / 1.9))
        derived_log = float(sp.log(tail)) - 0.5 * np.log(2 * np.pi * 1.9)
        assert np.isclose(ours, derived_log, rtol=1e-5)
