"""The laws of EM for a model over independent rows with a finite hidden variable, and twins that break them.

A law raises AssertionError or AscentError where the model breaks it. The laws are those of tests/emlib/test_laws.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from emlib import em_steps, entropy
from emlib.charts import chart
from emlib.data import InMemory, Weighted
from emlib.em import rounding


@dataclass(frozen=True)
class Trial:
    """A model with rows of data."""

    name: str
    model: Any
    data: np.ndarray
    """Shape (n, d)."""
    start: Callable[[int], Any]
    density: Callable[[np.ndarray, Any], float]
    """p(x | params) of one row, without the library."""
    mirror: Callable[[np.ndarray, Any], tuple[np.ndarray, Any]]
    """The same data and params under other names."""
    biased: Any
    """The model, with one name preferred to another."""


def vector(params: Any) -> np.ndarray:
    return chart(params).to_vector(params)


def moved(params: Any, by: np.ndarray | float) -> Any:
    return chart(params).from_vector(vector(params) + by)


# ---- the laws ------------------------------------------------------------------------------------


def never_falls(trial: Trial, seed: int) -> None:
    values = []
    for step in islice(em_steps(trial.model, trial.data, trial.start(seed)), 40):
        values.append(step.log_likelihood)
        assert step.split.gap >= -2 * rounding(step.stats)
        assert np.isclose(step.split.log_likelihood, step.log_likelihood, rtol=1e-12)
    assert values[-1] > values[0]
    assert (np.diff(values) >= -2e-12 * (abs(values[0]) + len(trial.data))).all()


def equals_brute_force(trial: Trial, seed: int) -> None:
    params, few = trial.start(seed), trial.data[:: len(trial.data) // 7]
    expected = sum(np.log(trial.density(x, params)) for x in few)
    assert np.isclose(trial.model.e_step(few, params).log_likelihood, expected, rtol=1e-12)


def maximiser_resists(trial: Trial, seed: int) -> None:
    stats = trial.model.e_step(trial.data, trial.start(seed))
    best = trial.model.m_step(stats)
    top = trial.model.expected_log_joint(stats, best)
    rng = np.random.default_rng(seed)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(10):
            other = moved(best, scale * rng.standard_normal(len(vector(best))))
            assert trial.model.expected_log_joint(stats, other) <= top + rounding(stats)


def bound_touches(trial: Trial, seed: int) -> None:
    here, there = trial.start(seed), trial.start(seed + 1)
    stats = trial.model.e_step(trial.data, here)
    h = entropy(trial.model.responsibilities(trial.data, here))
    own = trial.model.expected_log_joint(stats, here) + h
    assert np.isclose(own, stats.log_likelihood, rtol=1e-11, atol=0)
    elsewhere = trial.model.e_step(trial.data, there).log_likelihood
    assert trial.model.expected_log_joint(stats, there) + h < elsewhere


def score_is_slope_of_surrogate(trial: Trial, seed: int) -> None:
    params = trial.start(seed)
    stats = trial.model.e_step(trial.data, params)
    for direction in np.eye(len(vector(params))) * 1e-5:
        ahead, behind = moved(params, direction), moved(params, -direction)
        of_l = [trial.model.e_step(trial.data, p).log_likelihood for p in (ahead, behind)]
        of_q = [trial.model.expected_log_joint(stats, p) for p in (ahead, behind)]
        assert np.isclose(
            of_l[0] - of_l[1], of_q[0] - of_q[1], rtol=1e-4, atol=1e-9 * len(trial.data)
        )


def fixed_point_is_stationary(trial: Trial, seed: int) -> None:
    """Where the steps come to rest, the log-likelihood, taken from densities without the library, is level."""
    params = trial.start(seed)
    for step in islice(em_steps(trial.model, trial.data, params), 1, 3000):
        before, params = params, step.params
        if np.allclose(vector(before), vector(params), rtol=0, atol=1e-10):
            break
    different, counts = np.unique(trial.data, axis=0, return_counts=True)

    def log_likelihood(params: Any) -> float:
        return sum(
            n * np.log(trial.density(x, params)) for x, n in zip(different, counts, strict=True)
        )

    for direction in np.eye(len(vector(params))) * 1e-4:
        ahead, behind = (log_likelihood(moved(params, sign * direction)) for sign in (1, -1))
        assert abs(ahead - behind) / 2e-4 < 1e-4 * len(trial.data) ** 0.5


def names_do_not_matter(trial: Trial, seed: int) -> None:
    params = trial.start(seed)
    data, twin = trial.mirror(trial.data, params)
    stats, mirrored = trial.model.e_step(trial.data, params), trial.model.e_step(data, twin)
    assert np.isclose(stats.log_likelihood, mirrored.log_likelihood, rtol=1e-13)
    _, expected = trial.mirror(trial.data, trial.model.m_step(stats))
    assert np.allclose(vector(trial.model.m_step(mirrored)), vector(expected), rtol=1e-9)


def split_adds_up(trial: Trial, seed: int) -> None:
    params = trial.start(seed)
    border = 1 + seed % (len(trial.data) - 1)
    whole = trial.model.e_step(trial.data, params)
    parts = trial.model.e_step(trial.data[:border], params) + trial.model.e_step(
        trial.data[border:], params
    )
    assert np.isclose(parts.log_likelihood, whole.log_likelihood, rtol=1e-12)
    assert np.isclose(parts.observations, len(trial.data))
    assert np.allclose(
        vector(trial.model.m_step(parts)), vector(trial.model.m_step(whole)), rtol=1e-9
    )
    doubled = whole * 2.0
    assert np.isclose(doubled.log_likelihood, 2 * whole.log_likelihood)
    assert np.isclose(doubled.observations, 2 * len(trial.data))


def weight_is_repetition(trial: Trial, seed: int) -> None:
    params, rng = trial.start(seed), np.random.default_rng(seed)
    weights = rng.integers(0, 4, len(trial.data))
    weighted = trial.model.e_step(Weighted(trial.data, weights), params)
    repeated = trial.model.e_step(np.repeat(trial.data, weights, axis=0), params)
    assert np.isclose(weighted.log_likelihood, repeated.log_likelihood, rtol=1e-12)
    assert np.isclose(weighted.observations, weights.sum())
    assert np.allclose(
        vector(trial.model.m_step(weighted)), vector(trial.model.m_step(repeated)), rtol=1e-9
    )


# ---- twins that are wrong on purpose ---------------------------------------------------------------


def twin(model: Any, **methods: Callable[..., Any]) -> Any:
    """The model with some methods replaced; each is given the true model first."""
    clone = copy.copy(model)
    replaced = {name: staticmethod(partial(method, model)) for name, method in methods.items()}
    object.__setattr__(clone, "__class__", type("Twin", (type(model),), replaced))
    return clone


def _overshot(model: Any, stats: Any) -> Any:
    return moved(model.m_step(stats), 0.8)


def _elsewhere(model: Any, data: Any, params: Any) -> Any:
    return model.e_step(data, moved(params, 0.1))


def _stale(model: Any, data: Any, params: Any) -> Any:
    """The posterior is that of other params, the log-likelihood is right."""
    right = model.e_step(data, params)
    return replace(model.e_step(data, moved(params, 0.1)), log_likelihood=right.log_likelihood)


def _mean(model: Any, data: Any, params: Any) -> Any:
    right = model.e_step(data, params)
    return replace(right, log_likelihood=right.log_likelihood / right.observations)


def _unweighted(model: Any, data: Any, params: Any) -> Any:
    return model.e_step(InMemory(model.prepare(data).x, None), params)


LAWS: dict[Callable[[Trial, int], None], Callable[[Trial], Any]] = {
    never_falls: lambda trial: twin(trial.model, m_step=_overshot),
    equals_brute_force: lambda trial: twin(trial.model, e_step=_elsewhere),
    maximiser_resists: lambda trial: twin(trial.model, m_step=_overshot),
    bound_touches: lambda trial: twin(trial.model, e_step=_stale),
    score_is_slope_of_surrogate: lambda trial: twin(trial.model, e_step=_stale),
    fixed_point_is_stationary: lambda trial: twin(trial.model, e_step=_stale),
    names_do_not_matter: lambda trial: trial.biased,
    split_adds_up: lambda trial: twin(trial.model, e_step=_mean),
    weight_is_repetition: lambda trial: twin(trial.model, e_step=_unweighted),
}
