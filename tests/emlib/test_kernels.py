"""The kernels against 50 digits, against each other, and against their own error bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import logsumexp, softmax

from emlib.data import Block
from emlib.families import Gaussians, quadratic
from emlib.families.quadratic import Expansion, QuadraticKernel
from emlib.kernels import DifferenceSums, ProductSums, Room, pieces, posterior, posterior_of_odds


def table(rng: np.random.Generator, k: int, n: int, scale: float) -> np.ndarray:
    odds = scale * rng.standard_normal((k, n))
    odds[0] = 0.0
    return odds


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [1, 2, 7])
@pytest.mark.parametrize("scale", [1.0, 30.0, 400.0, 1e5])
def test_posterior_is_the_softmax_and_the_log_of_its_sum(scale, k, weighted):
    rng = np.random.default_rng(k)
    odds = table(rng, k, 1003, scale)
    weights = rng.uniform(0.5, 3.0, 1003) if weighted else None
    found = odds.copy()
    found[0] = np.nan  # the first row is never read
    evidence = posterior_of_odds(found, weights)
    shares = np.ones(1003) if weights is None else weights
    assert evidence == pytest.approx(float(logsumexp(odds, axis=0) @ shares), rel=1e-13)
    assert found == pytest.approx(softmax(odds, axis=0) * shares, rel=1e-11, abs=1e-200)


def test_posterior_keeps_what_is_small_but_a_number():
    odds = np.array([[np.nan], [-650.0], [-10000.0]])
    posterior_of_odds(odds, None)
    assert odds[1, 0] == pytest.approx(math.exp(-650), rel=1e-12)
    assert 0 < odds[2, 0] < 1e-300


def test_posterior_of_odds_that_overflow_in_both_directions():
    odds = np.array([[0.0, 0.0], [900.0, -900.0], [905.0, -800.0]])
    evidence = posterior_of_odds(odds, None)
    assert evidence == pytest.approx(905 + math.log1p(math.exp(-5)), rel=1e-15)
    assert odds[:, 0] == pytest.approx(
        [0, math.exp(-5) / (1 + math.exp(-5)), 1 / (1 + math.exp(-5))]
    )
    assert odds[:, 1] == pytest.approx([1, 0, 0])


@pytest.mark.parametrize("largest", [199.0, 201.0])
def test_sums_of_the_largest_odds_may_be_multiplied(largest):
    """On both sides of the limit, up to which three sums are multiplied before their logarithm is taken."""
    odds = np.full((1200, 7), largest)
    evidence = posterior_of_odds(odds, None)
    assert evidence == pytest.approx(7 * (largest + math.log(1199)), rel=1e-15)
    assert odds[1:] == pytest.approx(np.full((1199, 7), 1 / 1199))
    assert odds[0] == pytest.approx(np.full(7, math.exp(-largest) / 1199), rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_posterior_of_log_joint_densities_far_from_zero(weighted):
    rng = np.random.default_rng(5)
    joint = 300 * rng.standard_normal((4, 101)) + 1e5 * rng.standard_normal(101)
    weights = rng.uniform(0.5, 3.0, 101) if weighted else np.ones(101)
    found = joint.copy()
    evidence = posterior(found, weights if weighted else None)
    assert evidence == pytest.approx(float(logsumexp(joint, axis=0) @ weights), rel=1e-13)
    assert found == pytest.approx(softmax(joint, axis=0) * weights, rel=1e-9, abs=1e-200)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_component_that_far_rows_are_impossible_under_may_stand_first(order):
    """The log-joint density of the spike at the other rows is about -1e18: no sum may go by way of it."""
    x = np.concatenate([np.full(5, 2.0), np.linspace(-1, 1, 9)])[:, None]
    params = Gaussians.univariate(np.array([2.0, 0.0])[order], np.array([1e-18, 1.0])[order])
    kernel = QuadraticKernel(np.log([0.5, 0.5]), params, False)
    assert kernel(Block(x))[0] == pytest.approx(exact_evidence(x, [0.5, 0.5], params), rel=1e-13)


def test_pieces_cover_the_rows_once():
    for rows, width in ((1, 3), (255, 10**6), (256, 10**6), (257, 10**6), (100_000, 30)):
        cuts = list(pieces(rows, width))
        assert np.array_equal(
            np.concatenate([np.arange(rows)[cut] for cut in cuts]), np.arange(rows)
        )
    sizes = [cut.stop - cut.start for cut in pieces(100_000, 30)]
    assert len(sizes) > 1
    assert max(sizes) - min(sizes) <= 1


def mixture(rng: np.random.Generator, n: int, d: int, k: int) -> tuple[np.ndarray, Gaussians]:
    means = 2 * rng.standard_normal((k, d))
    factors = np.eye(d) + 0.4 * np.tril(rng.standard_normal((k, d, d)), -1)
    params = Gaussians(means, factors @ factors.transpose(0, 2, 1))
    return means[rng.integers(k, size=n)] + rng.standard_normal((n, d)), params


def both_ways(x, log_weights, params, weights, diagonal):
    expansion = Expansion(log_weights, params, diagonal)
    products = ProductSums(expansion.natural)
    products.add(expansion.features(x, Room()), weights)
    kernel = QuadraticKernel(log_weights, params, diagonal)
    differences = kernel._differences()
    differences.add(x, weights)
    return (
        (products.evidence, expansion.moments(products.sums)),
        (differences.evidence, kernel._moments(differences)),
    )


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("d", "k"), [(1, 1), (1, 3), (2, 2), (5, 4), (20, 3)])
def test_products_and_differences_agree(d, k, weighted, diagonal):
    rng = np.random.default_rng(10 * d + k)
    x, params = mixture(rng, 500, d, k)
    if diagonal:
        params = Gaussians(params.means, params.covariances * np.eye(d))
    weights = rng.uniform(0, 2, 500) if weighted else None
    shares = rng.dirichlet(np.ones(k))
    (a, left), (b, right) = both_ways(x, np.log(shares), params, weights, diagonal)
    right = right.about(left.anchors)
    assert a == pytest.approx(b, rel=1e-12)
    assert left.counts == pytest.approx(right.counts, rel=1e-10)
    assert left.first == pytest.approx(right.first, rel=1e-10, abs=1e-9)
    assert left.second == pytest.approx(right.second, rel=1e-10, abs=1e-9)


def exact_evidence(x: np.ndarray, weights: list[float], params: Gaussians) -> float:
    """The sum of log sum_k w_k N(x_n | mu_k, Sigma_k) at 50 digits, columns independent."""
    with mp.workdps(50):
        total = mp.mpf(0)
        for row in x:
            density = mp.mpf(0)
            for w, mean, variance in zip(weights, params.means, params.variances, strict=True):
                term = mp.log(w)
                for value, centre, spread in zip(row, mean, variance, strict=True):
                    term -= (mp.mpf(value) - mp.mpf(centre)) ** 2 / spread / 2
                    term -= mp.log(2 * mp.pi * mp.mpf(spread)) / 2
                density += mp.exp(term)
            total += mp.log(density)
        return float(total)


def narrow_in_wide(width: float) -> tuple[np.ndarray, Gaussians]:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(0, 1, 30), rng.normal(2, width, 30)])[:, None]
    return x, Gaussians.univariate([0.0, 2.0], [1.0, width**2])


def test_a_narrow_component_goes_the_long_way(monkeypatch):
    x, params = narrow_in_wide(1e-7)
    expected = exact_evidence(x, [0.5, 0.5], params)
    monkeypatch.setattr(quadratic, "FEW", 0)
    kernel = QuadraticKernel(np.log([0.5, 0.5]), params, False)
    assert kernel(Block(x))[0] == pytest.approx(expected, rel=1e-13)
    # Without the bound the product is used, and has lost half its digits.
    monkeypatch.setattr(quadratic, "PRODUCT_LIMIT", math.inf)
    lost = QuadraticKernel(np.log([0.5, 0.5]), params, False)(Block(x))[0]
    assert abs(lost - expected) > 1e-9 * abs(expected)


def test_only_the_rows_near_an_outlier_go_the_long_way(monkeypatch):
    x, params = narrow_in_wide(1e-2)
    x = np.concatenate([x] * 20)
    x[5] = 1e6
    by_differences = []
    add = DifferenceSums.add
    monkeypatch.setattr(
        DifferenceSums, "add", lambda self, x, w: by_differences.append(x) or add(self, x, w)
    )
    monkeypatch.setattr("emlib.kernels.CACHE", 1)
    monkeypatch.setattr(quadratic, "FEW", 0)
    found = QuadraticKernel(np.log([0.5, 0.5]), params, False)(Block(x))[0]
    assert sum(map(len, by_differences)) < len(x) / 2
    assert 1e6 in by_differences[0]
    expected = 19 * exact_evidence(x[60:120], [0.5, 0.5], params)
    assert found == pytest.approx(expected + exact_evidence(x[:60], [0.5, 0.5], params), rel=1e-13)


@settings(max_examples=25, deadline=None)
@given(st.floats(-8, 0), st.floats(-3, 8), st.integers(0, 10**6))
def test_the_error_of_a_product_is_below_its_bound(exponent, offset, seed):
    rng = np.random.default_rng(seed)
    width, place = 10**exponent, 10**offset
    x = np.concatenate([rng.normal(place, 1, 4), rng.normal(place + 2, width, 4)])[:, None]
    params = Gaussians.univariate([place, place + 2], [1.0, width**2])
    expansion = Expansion(np.log([0.5, 0.5]), params, False)
    for row in x[:, None]:
        products = ProductSums(expansion.natural)
        products.add(expansion.features(row, Room()), None)
        expected = exact_evidence(row, [0.5, 0.5], params)
        slack = 1e-13 * (1 + abs(expected))
        assert abs(products.evidence - expected) <= expansion.error(Block(row).extremes) + slack


def test_the_bound_is_not_idle():
    """The bound is within a few digits of the error that it bounds."""
    x, params = narrow_in_wide(1e-6)
    expansion = Expansion(np.log([0.5, 0.5]), params, False)
    worst = 0.0
    for row in x[30:, None]:
        products = ProductSums(expansion.natural)
        products.add(expansion.features(row, Room()), None)
        error = abs(products.evidence - exact_evidence(row, [0.5, 0.5], params))
        worst = max(worst, error / expansion.error(Block(row).extremes))
    assert 1e-3 < worst < 1


def test_an_observation_beyond_all_floats_is_impossible():
    sums = DifferenceSums(np.zeros((1, 1)), np.ones((1, 1, 1)), np.zeros(1))
    with np.errstate(over="ignore"):
        sums.add(np.array([[1e200]]), None)
    assert sums.evidence == -math.inf
