"""The laws of EM, over every model, and over a twin of it that is wrong on purpose.

The laws are those of book/bound.md: the identity (eq-decomposition), the bound (eq-lower-bound), ascent (thm-ascent).
A law is a function that raises AssertionError or AscentError where the model breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo import CASES, Case

from emlib import AscentError, Mixture, MixtureParams, MixtureStatistics, em_steps, entropy
from emlib.arrays import log_sum_exp
from emlib.data import Block, Weighted
from emlib.em import rounding

Law = Callable[[Case, int], None]


# ---- the laws ------------------------------------------------------------------------------------


def never_falls(case: Case, seed: int) -> None:
    values = []
    for step in islice(em_steps(case.model, case.data, case.start(seed)), 40):
        values.append(step.log_likelihood)
        assert step.split.gap >= -2 * rounding(step.stats)
        assert np.isclose(step.split.log_likelihood, step.log_likelihood, rtol=1e-12)
    assert values[-1] > values[0]
    assert (np.diff(values) >= -2e-12 * (abs(values[0]) + len(case.data))).all()


def equals_brute_force(case: Case, seed: int) -> None:
    """The log-likelihood is that of a sum over every assignment of four observations to components."""
    params, few = case.start(seed), case.data[:4]
    table = np.log(params.weights) + densities(case, few, params)
    logs = [
        sum(table[row, z] for row, z in enumerate(hidden))
        for hidden in product(range(case.components), repeat=len(few))
    ]
    expected = float(log_sum_exp(np.array([logs]))[0])
    assert np.isclose(case.model.e_step(few, params).log_likelihood, expected, rtol=1e-11, atol=0)


def densities(case: Case, x: np.ndarray, params: MixtureParams[Any]) -> np.ndarray:
    """Log p(x_n | theta_k), by SciPy."""
    each = [case.density(x, params.components, k) for k in range(case.components)]
    return np.column_stack(each)


def maximiser_resists(case: Case, seed: int) -> None:
    """No params of the model near those of the M-step, and none far away, have a larger surrogate."""
    stats = case.model.e_step(case.data, case.start(seed))
    best = case.model.m_step(stats)
    top = case.model.expected_log_joint(stats, best)
    directions, away = case.chart(best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            other = away(scale * rng.standard_normal(directions))
            assert case.model.expected_log_joint(stats, other) <= top + rounding(stats)


def bound_touches(case: Case, seed: int) -> None:
    """Surrogate + entropy equals the log-likelihood at the posterior's own params, and lies below elsewhere."""
    here, there = case.start(seed), case.start(seed + 1)
    stats = case.model.e_step(case.data, here)
    h = entropy(case.model.responsibilities(case.data, here))
    own = case.model.expected_log_joint(stats, here) + h
    assert np.isclose(own, stats.log_likelihood, rtol=1e-11, atol=0)
    elsewhere = case.model.e_step(case.data, there).log_likelihood
    assert case.model.expected_log_joint(stats, there) + h < elsewhere


def score_is_slope_of_surrogate(case: Case, seed: int) -> None:
    """Fisher's identity, by central differences in every direction: the bound is tangent where it touches."""
    params = case.start(seed)
    stats = case.model.e_step(case.data, params)
    directions, away = case.chart(params)
    for step in np.eye(directions) * 1e-5:
        ahead, behind = away(step), away(-step)
        slope_l = (
            case.model.e_step(case.data, ahead).log_likelihood
            - case.model.e_step(case.data, behind).log_likelihood
        )
        slope_q = case.model.expected_log_joint(stats, ahead) - case.model.expected_log_joint(
            stats, behind
        )
        assert np.isclose(slope_l, slope_q, rtol=1e-4, atol=1e-8 * len(case.data))


def fixed_point_is_stationary(case: Case, seed: int) -> None:
    """Where the steps come to rest, the log-likelihood, taken from SciPy's densities, is level."""
    start = case.start(seed)
    before = case.numbers(start)
    for step in islice(em_steps(case.model, case.data, start), 1, 1500):
        params, now = step.params, case.numbers(step.params)
        if np.allclose(now, before, rtol=1e-9, atol=1e-10):
            break
        before = now

    def log_likelihood(here: MixtureParams[Any]) -> float:
        table = np.log(here.weights) + densities(case, case.data, here)
        return float(log_sum_exp(table).sum())

    directions, away = case.chart(params)
    for step in np.eye(directions) * 1e-4:
        slope = (log_likelihood(away(step)) - log_likelihood(away(-step))) / 2e-4
        assert abs(slope) < 2e-4 * len(case.data)


def names_do_not_matter(case: Case, seed: int) -> None:
    params = case.start(seed)
    order = list(range(case.components))[::-1]
    swapped = case.relabelled(params, order)
    stats, mirror = case.model.e_step(case.data, params), case.model.e_step(case.data, swapped)
    assert np.isclose(stats.log_likelihood, mirror.log_likelihood, rtol=1e-13)
    expected = case.relabelled(case.model.m_step(stats), order)
    same_params(case, case.model.m_step(mirror), expected)


def same_params(case: Case, left: MixtureParams[Any], right: MixtureParams[Any]) -> None:
    """Equal but for the rounding of sums, and for what an iterative M-step leaves."""
    assert np.allclose(case.numbers(left), case.numbers(right), rtol=1e-7, atol=1e-9)


def split_adds_up(case: Case, seed: int) -> None:
    params = case.start(seed)
    border = 1 + seed % (len(case.data) - 1)
    whole = case.model.e_step(case.data, params)
    parts = case.model.e_step(case.data[:border], params) + case.model.e_step(
        case.data[border:], params
    )
    assert np.isclose(parts.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert np.isclose(parts.observations, len(case.data))
    same_params(case, case.model.m_step(parts), case.model.m_step(whole))


def weights_are_repetitions(case: Case, seed: int) -> None:
    """A row of weight 2 counts as two rows, one of weight 0 as none."""
    params = case.start(seed)
    counts = np.random.default_rng(seed).integers(0, 4, len(case.data))
    weighted = case.model.e_step(Weighted(case.data, counts), params)
    repeated = case.model.e_step(np.repeat(case.data, counts, axis=0), params)
    assert np.isclose(weighted.log_likelihood, repeated.log_likelihood, rtol=1e-12)
    assert np.isclose(weighted.observations, counts.sum())
    same_params(case, case.model.m_step(weighted), case.model.m_step(repeated))


# ---- twins that are wrong on purpose ---------------------------------------------------------------


class StretchedMStep(Mixture[Any, Any]):
    """The M-step is off by a factor."""

    def m_step(self, stats: MixtureStatistics[Any]) -> MixtureParams[Any]:
        params = super().m_step(stats)
        spoilt = next(case.spoilt for case in CASES if case.model.family == self.family)
        return replace(params, components=spoilt(params.components))


class Plain(Mixture[Any, Any]):
    """Without the family's own kernel, so that a fault can be put between densities and statistics."""

    def e_step(self, data: Any, params: MixtureParams[Any]) -> MixtureStatistics[Any]:
        return self.prepare(data).sum(lambda block: self.block_step(block, params))


class ForgottenWeights(Plain):
    """The weights are left out of the joint density."""

    def _log_joint(self, x: Any, params: MixtureParams[Any]) -> Any:
        return super()._log_joint(x, params) - np.log(params.weights)


class EqualShares(Plain):
    """The statistics are gathered with the square roots of the responsibilities, made to sum to one."""

    def block_step(self, block: Block, params: MixtureParams[Any]) -> MixtureStatistics[Any]:
        right = super().block_step(block, params)
        x = block.x
        soft = np.sqrt(self.responsibilities(x, params))
        shares = soft / soft.sum(axis=1, keepdims=True)
        return replace(
            right, components=self.family.expected_statistics(x, shares, params.components)
        )


class FirstComponentFavoured(Plain):
    """The component named first gets half as much again."""

    def _log_joint(self, x: Any, params: MixtureParams[Any]) -> Any:
        table = super()._log_joint(x, params)
        table[:, 0] += np.log(1.5)
        return table


class MeanLogLikelihood(Mixture[Any, Any]):
    """The log-likelihood is an average, which does not add."""

    def e_step(self, data: Any, params: MixtureParams[Any]) -> MixtureStatistics[Any]:
        right = super().e_step(data, params)
        return replace(right, log_likelihood=right.log_likelihood / len(data))


class DeafToWeights(Mixture[Any, Any]):
    """The weights of the rows are not looked at."""

    def prepare(self, data: Any) -> Any:
        return super().prepare(data.values if isinstance(data, Weighted) else data)


LAWS: dict[Law, type[Mixture[Any, Any]]] = {
    never_falls: StretchedMStep,
    equals_brute_force: ForgottenWeights,
    maximiser_resists: StretchedMStep,
    bound_touches: EqualShares,
    score_is_slope_of_surrogate: EqualShares,
    fixed_point_is_stationary: EqualShares,
    names_do_not_matter: FirstComponentFavoured,
    split_adds_up: MeanLogLikelihood,
    weights_are_repetitions: DeafToWeights,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law: Law, case: Case, seed: int) -> None:
    law(case, seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law: Law, twin: type[Mixture[Any, Any]], case: Case) -> None:
    with pytest.raises((AssertionError, AscentError)):
        law(replace(case, model=twin(case.model.family)), 2)
