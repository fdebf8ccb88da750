"""Starts: groupings that other libraries, brute force and the laws of sampling confirm."""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from emlib import Mixture
from emlib.data import Chunks, Weighted, prepare
from emlib.datasets import load
from emlib.families import Bernoulli, Gaussian, Poisson
from emlib.start import (
    Tree,
    hierarchical,
    k_means,
    kmeans_plus_plus,
    random_groups,
    sample,
    scaled,
    start,
    whitened,
)

GAUSSIAN = Mixture(Gaussian())
METHODS = ("k-means++", "random", "hierarchical")


def generator(seed=0):
    return np.random.default_rng(seed)


def blobs(n=300, k=3, d=2, seed=0):
    rng = generator(seed)
    hidden = np.arange(n) % k
    return 8 * np.eye(max(k, d))[hidden, :d] + rng.standard_normal((n, d)), hidden


def cigars(n=200, k=3, seed=0):
    """Long, thin, parallel groups, side by side: the widest direction says nothing about the groups."""
    rng = generator(seed)
    hidden = np.repeat(np.arange(k), n)
    x = np.column_stack(
        [20 * rng.standard_normal(n * k), 0.3 * rng.standard_normal(n * k) + 3 * hidden]
    )
    turn = np.array([[np.cos(0.6), np.sin(0.6)], [-np.sin(0.6), np.cos(0.6)]])
    return x @ turn, hidden


def params_of(found):
    return np.concatenate(
        [found.weights, found.components.means.ravel(), found.components.covariances.ravel()]
    )


# ---- params ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_well_separated_groups_are_found(method):
    x, hidden = blobs()
    found = start(GAUSSIAN, x, 3, generator(5), method)
    truth = np.array([x[hidden == j].mean(axis=0) for j in range(3)])
    gaps = abs(found.components.means[:, None] - truth).max(axis=2).min(axis=1)
    if method != "random":
        assert gaps.max() < 0.05
        assert sorted(found.weights) == pytest.approx([1 / 3] * 3, abs=0.01)
    assert np.isfinite(GAUSSIAN.e_step(x, found).log_likelihood)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_rows_in_any_pieces_and_the_same_seed_give_the_same_params(method, monkeypatch):
    monkeypatch.setattr(sys.modules["emlib.start"], "TREE", 150)
    x, _ = blobs(6000)
    once = params_of(start(GAUSSIAN, x, 3, generator(5), method))
    pieces = Chunks([x[:10], x[10:4000], x[4000:]])
    assert (params_of(start(GAUSSIAN, pieces, 3, generator(5), method)) == once).all()
    assert not (params_of(start(GAUSSIAN, x, 3, generator(6), method)) == once).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_row_of_weight_zero_is_no_row(method):
    x, _ = blobs(90)
    with_more = Weighted(np.vstack([x, x + 100]), np.repeat([2.0, 0.0], len(x)))
    found = start(GAUSSIAN, with_more, 3, generator(1), method)
    without = start(GAUSSIAN, Weighted(x, np.full(len(x), 2.0)), 3, generator(1), method)
    assert (params_of(found) == params_of(without)).all()


def test_the_state_of_the_generator_does_not_depend_on_the_number_of_rows():
    after = []
    for n in (300, 9000):
        rng = generator(3)
        sample(prepare(blobs(n)[0], Gaussian().observations), 200, rng)
        after.append(rng.random())
    assert after[0] == after[1]


def test_long_parallel_groups_show_in_whitened_columns_and_not_in_plain_ones():
    agreement = {"plain": [], "whitened": []}
    for seed in range(12):
        x, hidden = cigars(k=2, seed=seed)
        for name, view in (("plain", x), ("whitened", whitened(x, np.ones(len(x))))):
            labels = k_means(view, 2, generator(seed))
            agreement[name].append(adjusted_rand_score(labels, hidden))
    assert max(agreement["plain"]) < 0.05
    assert np.median(agreement["whitened"]) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_counts_and_bits_start_inside_their_range(method):
    """A probability of 0 or a rate of 0 would be kept by EM for ever."""
    rng = generator(2)
    counts = np.concatenate([np.zeros(50), rng.poisson(9, 50)])
    rates = start(Mixture(Poisson()), counts, 2, generator(), method).components.rates
    assert (rates > 0).all()
    bits = np.repeat([[0, 0, 1], [1, 1, 0]], 40, axis=0)
    found = start(Mixture(Bernoulli()), bits, 2, generator(), method).components.probabilities
    assert ((found > 0) & (found < 1)).all()
    assert found[found > 0.5].min() > 0.95


def test_a_group_of_one_row_has_a_covariance_too():
    x, _ = blobs(100, k=2)
    x[0] = [1e4, -1e4]
    found = start(GAUSSIAN, x, 2, generator())
    assert sorted(found.weights)[0] < 0.05
    assert np.linalg.eigvalsh(found.components.covariances).min() > 0


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_units_do_not_matter(scale):
    x, hidden = blobs()
    units = np.array([scale, 1.0])
    weights = np.ones(len(x))
    labels = k_means(whitened(x * units, weights), 3, generator(), weights)
    assert (labels == k_means(whitened(x, weights), 3, generator(), weights)).all()
    assert adjusted_rand_score(labels, hidden) == 1


def test_errors(refuses):
    x, _ = blobs(20)
    with refuses(ValueError, "k:", "at least 1", "0"):
        start(GAUSSIAN, x, 0, generator())
    with refuses(ValueError, "'k-means++', 'random' or 'hierarchical'", "'kmeans'"):
        start(GAUSSIAN, x, 2, generator(), "kmeans")
    few = np.repeat([1.0, 2.0, 7.0], 10)
    for method in ("k-means++", "random"):
        with refuses(ValueError, "distinct rows", "got 4 for 3", "fewer components"):
            start(GAUSSIAN, few, 4, generator(), method)
    with refuses(ValueError, "got 31 for 30"):
        start(GAUSSIAN, few, 31, generator(), "hierarchical")


# ---- what is seen ------------------------------------------------------------------------------


def test_whitened_rows_do_not_change_under_any_linear_map():
    rng = generator(1)
    x, weights = rng.standard_normal((60, 3)), rng.uniform(0.5, 2, 60)
    mapped = x @ rng.standard_normal((3, 3)) + 5
    assert pdist(whitened(mapped, weights)) == pytest.approx(pdist(whitened(x, weights)), rel=1e-9)
    assert not np.allclose(pdist(scaled(mapped, weights)), pdist(scaled(x, weights)), rtol=0.1)
    white = whitened(x, weights)
    assert np.cov(white.T, aweights=weights, ddof=0) == pytest.approx(np.eye(3), abs=1e-12)


def test_columns_that_say_nothing_are_left_out():
    rng = generator(1)
    x = rng.standard_normal((60, 2))
    weights = np.ones(60)
    more = np.column_stack([x, np.full(60, 0.1), x[:, 0]])
    assert scaled(more, weights).shape == (60, 3)
    assert pdist(whitened(more, weights)) == pytest.approx(pdist(whitened(x, weights)), rel=1e-9)


# ---- samples -----------------------------------------------------------------------------------


def test_few_rows_are_taken_as_they_are():
    x, _ = blobs(50)
    weights = np.where(np.arange(50) % 5 == 0, 0.0, np.arange(50) / 7)
    found, own = sample(prepare(Weighted(x, weights), Gaussian().observations), 50, generator())
    assert (found == x[weights > 0]).all()
    assert (own == weights[weights > 0]).all()


def test_a_sample_estimates_sums_without_bias_and_keeps_what_is_heavy():
    rng = generator(4)
    x = np.arange(400.0)
    weights = rng.pareto(1.1, 400) + 0.01
    data = prepare(Weighted(x, weights), Gaussian().observations)
    totals = []
    for seed in range(600):
        found, own = sample(data, 60, generator(seed))
        assert len(found) == 60
        assert (np.diff(found[:, 0]) > 0).all()
        assert weights.argmax() in found[:, 0]
        totals.append([own.sum(), own @ (found[:, 0] < 100)])
    mean, error = np.mean(totals, axis=0), np.std(totals, axis=0) / np.sqrt(len(totals))
    truth = np.array([weights.sum(), weights[:100].sum()])
    assert (abs(mean - truth) < 4 * error).all()
    assert (error < 0.01 * truth).all()


# ---- groupings ---------------------------------------------------------------------------------


def test_seeds_are_drawn_by_squared_distance_as_the_best_of_two():
    """The second seed's distribution, from the first principles of the greedy rule."""
    x, weights = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([1.0, 2.0, 1.0, 0.5])
    distances = (x - x.T) ** 2
    expected = np.zeros((4, 4))
    for first in range(4):
        mass = weights * distances[first]
        mass /= mass.sum()
        potential = [np.minimum(distances[first], row) @ weights for row in distances]
        for one in range(4):
            for other in range(4):
                winner = one if potential[one] <= potential[other] else other
                share = weights[first] / weights.sum() * mass[one] * mass[other]
                expected[first, winner] += share
    rng, found, draws = generator(0), np.zeros((4, 4)), 4000
    for _ in range(draws):
        found[tuple(kmeans_plus_plus(x, 2, rng, weights))] += 1
    error = np.sqrt(expected * (1 - expected) / draws)
    assert (abs(found / draws - expected) <= 4.5 * error).all()
    # Without spread, the draw is by weight, from the rows that differ.
    found[:] = 0
    for _ in range(draws):
        found[tuple(kmeans_plus_plus(x, 2, rng, weights, spread=False))] += 1
    assert (abs(found / draws - expected) > 4.5 * error).any()
    assert (found.diagonal() == 0).all()
    shares = weights / weights.sum()
    plain = shares[:, None] * (weights / (weights.sum() - weights[:, None]))
    np.fill_diagonal(plain, 0)
    assert (abs(found / draws - plain) <= 4.5 * np.sqrt(plain / draws)).all()


def test_lloyd_comes_to_where_scikit_learn_comes():
    x, _ = blobs(200, k=4, d=3, seed=3)
    weights = generator(1).integers(1, 4, len(x)).astype(float)
    seeds = x[kmeans_plus_plus(x, 4, generator(7), weights)]
    peer = KMeans(4, init=seeds, n_init=1).fit(x, sample_weight=weights)
    assert peer.n_iter_ < 10
    assert (k_means(x, 4, generator(7), weights) == peer.labels_).all()


def test_no_group_is_ever_empty():
    for seed in range(40):
        rng = generator(seed)
        x = rng.standard_t(1.0, (30, 2))
        for group in (k_means, random_groups):
            assert set(group(x, 9, generator(seed))) == set(range(9))
        rough = whitened(np.vstack([x, [[1e9, 1e9]]]), np.ones(31))
        assert set(k_means(rough, 5, generator(seed))) == set(range(5))


def test_a_tree_of_least_squares_is_that_of_ward():
    x = load("faithful").matrix()[:80] / [1.0, 12.0]
    x += 1e-6 * generator().standard_normal(x.shape)  # no ties
    ours, peer = hierarchical(x, model="EII"), cut_tree(linkage(x, "ward"))
    for k in range(1, 81):
        assert adjusted_rand_score(ours.labels(k), peer[:, 80 - k]) == 1


def volume_criterion(x, groups, weights):
    """Fraley (1998), with the terms of mclust for small groups: sum_k n_k log(|W_k/n_k| + (tr W_k + a) / n_k)."""
    centred = x - np.average(x, axis=0, weights=weights)
    floor = weights @ (centred**2).sum(axis=1) / x.size
    total = 0.0
    for group in groups:
        n, rows = weights[group].sum(), x[group]
        rows = rows - np.average(rows, axis=0, weights=weights[group])
        scatter = (weights[group][:, None] * rows).T @ rows
        size = (np.trace(scatter) + floor) / n
        if n > x.shape[1]:
            size += max(np.linalg.det(scatter / n), 0)
        total += n * np.log(size)
    return total


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_tree_of_volumes_merges_the_cheapest_pair_at_each_step(d):
    rng = generator(d)
    x, weights = rng.standard_normal((14, d)) * [1, 4, 2][:d], np.ones(14)
    weights[:5], weights[5:10] = 0.5, 1.5
    tree = hierarchical(x, weights)
    groups = [[row] for row in range(14)]
    for kept, merged in tree.merges:
        costs = {}
        for one, other in combinations(groups, 2):
            rest = [group for group in groups if group is not one and group is not other]
            costs[tuple(sorted(one + other))] = volume_criterion(x, [*rest, one + other], weights)
        pair = [group for group in groups if kept in group or merged in group]
        assert len(pair) == 2
        joined = tuple(sorted(pair[0] + pair[1]))
        assert costs[joined] == pytest.approx(min(costs.values()), rel=1e-10)
        groups = [group for group in groups if group not in pair] + [list(joined)]
        labels = tree.labels(len(groups))
        assert all(len(set(labels[group])) == 1 for group in groups)
        assert len(set(labels)) == len(groups)


def test_a_tree_names_its_groups_in_the_order_of_their_first_rows():
    tree = Tree(np.array([[1, 3], [0, 2], [0, 1]]))
    assert tree.labels(4).tolist() == [0, 1, 2, 3]
    assert tree.labels(3).tolist() == [0, 1, 2, 1]
    assert tree.labels(2).tolist() == [0, 1, 0, 1]
    assert tree.labels(1).tolist() == [0, 0, 0, 0]


def test_a_tree_by_volumes_follows_the_shapes_of_groups_that_least_squares_cut():
    rng = generator(1)
    hidden = np.repeat([0, 1], 80)
    x = rng.standard_normal((160, 2)) * np.where(hidden[:, None] == 0, [5, 0.2], [0.2, 5])
    x += 8.0 * hidden[:, None]
    assert adjusted_rand_score(hierarchical(x).labels(2), hidden) > 0.85
    assert adjusted_rand_score(hierarchical(x, model="EII").labels(2), hidden) < 0.6
