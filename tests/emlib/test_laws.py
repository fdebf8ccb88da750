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
from zoo import CASES, Case

from emlib import AscentError, Mixture, MixtureParams, MixtureStatistics, em_steps, entropy
from emlib.arrays import log_sum_exp
from emlib.data import Block
from emlib.em import rounding
from emlib.families import Gaussians

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
    logs = [
        sum(
            np.log(params.weights[z]) + case.density(x, params.components, z)
            for x, z in zip(few, hidden, strict=True)
        )
        for hidden in product(range(case.components), repeat=len(few))
    ]
    expected = float(log_sum_exp(np.array([logs]))[0])
    assert np.isclose(case.model.e_step(few, params).log_likelihood, expected, rtol=1e-11, atol=0)


def maximiser_resists(case: Case, seed: int) -> None:
    """No params near those of the M-step, and none far away, have a larger surrogate."""
    stats = case.model.e_step(case.data, case.start(seed))
    best = case.model.m_step(stats)
    top = case.model.expected_log_joint(stats, best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            nudge = scale * rng.standard_normal(len(case.vector(best)))
            other = case.params(case.vector(best) + nudge)
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
    """Fisher's identity, by central differences in every parameter: the bound is tangent where it touches."""
    params = case.start(seed)
    stats = case.model.e_step(case.data, params)
    vector = case.vector(params)
    for direction in np.eye(len(vector)) * 1e-5:
        ahead, behind = case.params(vector + direction), case.params(vector - direction)
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
    params = case.start(seed)
    for step in islice(em_steps(case.model, case.data, params), 4000):
        if (
            np.allclose(case.vector(step.params), case.vector(params), rtol=0, atol=1e-10)
            and step.params is not params
        ):
            break
        params = step.params
    sample = case.data

    def log_likelihood(vector: np.ndarray) -> float:
        here = case.params(vector)
        table = [
            [np.log(w) + case.density(x, here.components, k) for k, w in enumerate(here.weights)]
            for x in sample
        ]
        return float(log_sum_exp(np.array(table)).sum())

    vector = case.vector(params)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        direction = rng.standard_normal(len(vector))
        direction *= 1e-4 / np.linalg.norm(direction)
        slope = (log_likelihood(vector + direction) - log_likelihood(vector - direction)) / 2e-4
        assert abs(slope) < 1e-3 * len(sample) ** 0.5


def names_do_not_matter(case: Case, seed: int) -> None:
    params = case.start(seed)
    order = list(range(case.components))[::-1]
    swapped = case.relabelled(params, order)
    stats, mirror = case.model.e_step(case.data, params), case.model.e_step(case.data, swapped)
    assert np.isclose(stats.log_likelihood, mirror.log_likelihood, rtol=1e-13)
    expected = case.relabelled(case.model.m_step(stats), order)
    assert np.allclose(case.vector(case.model.m_step(mirror)), case.vector(expected), rtol=1e-9)


def split_adds_up(case: Case, seed: int) -> None:
    params = case.start(seed)
    border = 1 + seed % (len(case.data) - 1)
    whole = case.model.e_step(case.data, params)
    parts = case.model.e_step(case.data[:border], params) + case.model.e_step(
        case.data[border:], params
    )
    assert np.isclose(parts.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert np.isclose(parts.observations, len(case.data))
    together, apart = (case.vector(case.model.m_step(stats)) for stats in (whole, parts))
    assert np.allclose(apart, together, rtol=1e-9)


# ---- twins that are wrong on purpose ---------------------------------------------------------------


class StretchedMStep(Mixture[Any, Any]):
    """The M-step is off by a factor."""

    def m_step(self, stats: MixtureStatistics[Any]) -> MixtureParams[Any]:
        params = super().m_step(stats)
        if isinstance(params.components, Gaussians):
            return replace(
                params,
                components=replace(
                    params.components, covariances=1.5 * params.components.covariances
                ),
            )
        name, values = next(iter(vars(params.components).items()))
        return replace(params, components=replace(params.components, **{name: 0.5 * values}))


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


LAWS: dict[Law, type[Mixture[Any, Any]]] = {
    never_falls: StretchedMStep,
    equals_brute_force: ForgottenWeights,
    maximiser_resists: StretchedMStep,
    bound_touches: EqualShares,
    score_is_slope_of_surrogate: EqualShares,
    fixed_point_is_stationary: EqualShares,
    names_do_not_matter: FirstComponentFavoured,
    split_adds_up: MeanLogLikelihood,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("seed", [2, 11])
def test_law_holds(law: Law, case: Case, seed: int) -> None:
    law(case, seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law: Law, twin: type[Mixture[Any, Any]], case: Case) -> None:
    with pytest.raises((AssertionError, AscentError)):
        law(replace(case, model=twin(case.model.family)), 2)
