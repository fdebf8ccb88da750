"""What the chapter on EM at scale derives is what emlib computes."""

from __future__ import annotations

from functools import reduce
from operator import matmul, mul

import numpy as np
import sympy as sp

from emlib import Mixture, MixtureParams, free_energy
from emlib.data import Chunks, Weighted
from emlib.families import Gaussian, Gaussians
from emlib.families.moments import Moments, weighted_moments
from emlib.symbolic import bound, scale
from emlib.symbolic.matrices import MatrixSum
from emlib.symbolic.notation import meanings_expanded
from emlib.variants.incremental import SumTree
from emlib.variants.online import OnlineStep, learn

RNG = np.random.default_rng(13)
EXACT = {"rtol": 1e-12, "atol": 1e-14}


def value(part: sp.Basic, at: dict[sp.Basic, object]) -> np.ndarray:
    """A derived matrix in numbers: columns have shape (d, 1)."""
    if part in at:
        return np.asarray(at[part])
    if isinstance(part, MatrixSum):
        index, _, high = part.limit
        terms = range(1, 1 + int(value(high, at)))
        return sum(value(part.function.xreplace({index: sp.Integer(i)}), at) for i in terms)
    if part.is_Number:
        return np.asarray(float(part))
    factors = [value(argument, at) for argument in part.args]
    if isinstance(part, sp.Transpose):
        return factors[0].T
    if part.is_Add or part.is_MatAdd:
        return sum(factors)
    if part.is_Pow:
        return factors[0] ** factors[1]
    matrices = [factor for factor in factors if factor.ndim]
    numbers = reduce(mul, (factor for factor in factors if not factor.ndim), 1.0)
    return numbers * reduce(matmul, matrices) if matrices else np.asarray(numbers)


def family(symbols: object, rows: np.ndarray) -> dict[sp.Basic, object]:
    """The rows as values of x[1], x[2], ..."""
    return {
        symbols[sp.Integer(n)]: row[:, None] if np.ndim(row) else row
        for n, row in enumerate(rows, start=1)
    }


def number(expression: sp.Expr, at: dict[sp.Basic, object], **sizes: int) -> float:
    """A derived number; an indexed symbol has a sequence of values, index 1 the first."""
    plain = meanings_expanded(expression)
    plain = plain.subs({s: sizes[str(s)] for s in plain.free_symbols if str(s) in sizes}).doit()
    entries = {
        entry: sp.Float(float(at[entry.base][int(entry.indices[0]) - 1]), 30)
        for entry in plain.atoms(sp.Indexed)
    }
    return float(plain.xreplace(entries).subs({s: v for s, v in at.items() if s.is_Symbol}))


def a_mixture(k: int = 2, d: int = 2) -> tuple[Mixture, MixtureParams]:
    components = Gaussians(RNG.normal(size=(k, d)), np.tile(np.eye(d), (k, 1, 1)))
    return Mixture(Gaussian()), MixtureParams(np.full(k, 1 / k), components)


# ---- statistics add ----------------------------------------------------------------------------------


def test_statistics_of_chunks_add_to_the_derived_sum() -> None:
    mixture, params = a_mixture()
    data = RNG.normal(size=(7, 2))
    shares = mixture.responsibilities(data, params)[:, 0]
    member = np.array([1, 1, 1, 0, 0, 0, 0])
    means = params.components.means
    for column in range(2):
        at = {
            scale.responsibility: shares,
            scale.statistic: data[:, column] - means[0, column],
            scale.member: member,
        }
        derived = number(scale.statistics_add().end, at, N=7)
        for pieces in ([data], [data[:3], data[3:]]):
            found = mixture.e_step(Chunks(pieces), params).components.about(means)
            assert np.isclose(found.first[0, column], derived, **EXACT)
            assert not np.isclose(found.first[0, column], derived + 1e-9, **EXACT)


def test_weights_are_the_derived_copies() -> None:
    mixture, params = a_mixture()
    data, copies = RNG.normal(size=(5, 2)), np.array([2, 0, 1, 3, 1])
    shares = mixture.responsibilities(data, params)[:, 0]
    means = params.components.means
    symbol = sp.IndexedBase("w", integer=True, nonnegative=True)
    at = {
        symbol: copies,
        scale.responsibility: shares,
        scale.statistic: data[:, 0] - means[0, 0],
    }
    derived = number(scale.weights_are_copies().end, at, N=5)
    for given in (Weighted(data, copies), np.repeat(data, copies, axis=0)):
        found = mixture.e_step(given, params).components.about(means).first[0, 0]
        assert np.isclose(found, derived, **EXACT)
    assert not np.isclose(mixture.e_step(data, params).components.about(means).first[0, 0], derived)


def test_moments_about_another_anchor_are_the_derived_ones() -> None:
    x, r = RNG.normal(3, 2, size=(6, 3)), RNG.uniform(size=(6, 1))
    old, new = RNG.normal(size=(1, 3)), RNG.normal(size=(1, 3))
    moments = weighted_moments(x, r, old)
    found = moments.about(new)
    at = {
        scale.N: 6,
        scale.total: r.sum(),
        scale.first: moments.first[0][:, None],
        scale.anchor: old[0][:, None],
        scale.other_anchor: new[0][:, None],
        **family(scale.x, x),
        **family(scale.responsibility, r[:, 0]),
    }
    first, second = scale.first_moment_moves(), scale.second_moment_moves()
    for derivation, side in ((first, found.first[0][:, None]), (second, found.second[0])):
        for derived in (derivation.start, derivation.end):
            assert np.allclose(side, value(derived, at), **EXACT)
    wrong = {**at, scale.anchor: old[0][:, None] + 0.01}
    assert not np.allclose(found.second[0], value(second.end, wrong), **EXACT)


def test_the_scatter_of_two_parts_is_the_derived_one() -> None:
    left, right = RNG.normal(2, 1, size=(4, 2)), RNG.normal(-1, 3, size=(6, 2))

    def part(rows: np.ndarray) -> Moments:
        return weighted_moments(rows, np.ones((len(rows), 1)))

    at = {
        scale.count_a: 4,
        scale.count_b: 6,
        scale.mean_a: left.mean(axis=0)[:, None],
        scale.mean_b: right.mean(axis=0)[:, None],
        **family(scale.left, left),
        **family(scale.right, right),
    }
    found = (part(left) + part(right)).scatter[0]
    assert np.allclose(found, value(scale.merged_scatter().start, at), **EXACT)
    assert np.allclose(found, value(scale.merged_scatter().end, at), **EXACT)
    assert not np.allclose(found, value(scale.merged_scatter().end, {**at, scale.count_a: 3}))


# ---- online and incremental EM -----------------------------------------------------------------------


def test_an_online_step_keeps_the_derived_average() -> None:
    """The library's first step size is one, and step t's is (t + 2)^-exponent after t blocks."""
    mixture, params = a_mixture()
    blocks = [RNG.normal(size=(5, 2)) for _ in range(2)]
    first: OnlineStep = learn(mixture, blocks[0], params, exponent=1.0)
    second = learn(mixture, blocks[1], first, exponent=1.0)
    fresh = mixture.e_step(blocks[1], first.params)
    counts = np.stack([first.stats.components.counts, fresh.components.counts / 5])
    kept, eta = scale.online_weights().start.args, 1 / 3
    weights = np.array([number(kept[0], {scale.weight_of_step: [1], scale.eta: eta}, t=1), eta])
    assert np.isclose(weights.sum(), float(scale.online_weights().end), **EXACT)
    assert np.allclose(second.stats.components.counts, weights @ counts, **EXACT)
    assert not np.allclose(second.stats.components.counts, weights[::-1] @ counts, **EXACT)


def test_the_running_mean_is_the_mean() -> None:
    parts = RNG.normal(size=6)
    derived = number(scale.running_mean().end, {scale.part: parts}, t=5)
    assert np.isclose(derived, parts.mean(), **EXACT)
    assert not np.isclose(derived, parts[:5].mean(), **EXACT)


def test_a_swapped_block_changes_the_total_as_derived() -> None:
    mixture, params = a_mixture()
    blocks = [RNG.normal(size=(4, 2)) for _ in range(3)]
    parts = [mixture.e_step(block, params) for block in blocks]
    tree = SumTree(parts)
    moved = mixture.m_step(tree.total)
    fresh = mixture.e_step(blocks[1], moved)
    tree.put(1, fresh)
    at = {
        scale.before: [part.components.counts[0] for part in parts],
        scale.after: [0.0, fresh.components.counts[0], 0.0],
        scale.visited: [0, 1, 0],
    }
    derived = number(scale.one_block_swapped().end, at, B=3)
    assert np.isclose(tree.total.components.counts[0], derived, **EXACT)


def test_visiting_a_block_gains_the_derived_divergence() -> None:
    joint, guess = RNG.uniform(size=2), RNG.dirichlet([1, 1])
    split = free_energy(guess, np.log(joint))
    at = {bound.joint: joint, bound.q: guess}
    derived = number(scale.incremental_e_step().claims[0].right, at, K=2)
    assert np.isclose(split.log_likelihood - split.free_energy, derived, **EXACT)
    assert np.isclose(split.gap, derived, **EXACT)


def test_an_m_step_gains_in_the_expected_log_joint_alone() -> None:
    mixture, params = a_mixture()
    data = RNG.normal(size=(1, 2))
    stats = mixture.e_step(RNG.normal(size=(9, 2)), params)
    moved = mixture.m_step(stats)
    q = mixture.responsibilities(data, params)[0]
    at = {
        bound.q: q,
        bound.joint: np.exp(mixture.log_joint(data, params)[0]),
        bound.new_joint: np.exp(mixture.log_joint(data, moved)[0]),
    }
    derived = number(scale.incremental_m_step().end, at, K=2)
    splits = [free_energy(q, mixture.log_joint(data, p)[0]).free_energy for p in (params, moved)]
    assert np.isclose(splits[1] - splits[0], derived, rtol=1e-12, atol=1e-13)


def test_a_component_keeps_the_derived_number_of_sums() -> None:
    for d in (1, 2, 5):
        mixture, params = a_mixture(3, d)
        moments = mixture.e_step(RNG.normal(size=(9, d)), params).components
        upper = moments.second[:, *np.triu_indices(d)]
        kept = moments.counts.size + moments.first.size + upper.size
        derived = 3 * number(scale.kept_numbers().end, {}, d=d)
        assert kept == derived == mixture.free_parameters(params) + 1
