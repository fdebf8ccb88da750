"""Variational Bayes of the library, on a line, against its derivation; online EM against the natural gradient."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Gaussian, Gaussians
from emlib.special import digamma
from emlib.symbolic import variational_mixture as vb
from emlib.symbolic import variational_natural, variational_pruning
from emlib.symbolic.bound import K, k
from emlib.symbolic.gaussian_mixtures import mean_hat, share_of_k, variance_hat
from emlib.symbolic.notation import meanings_expanded
from emlib.variants.online import learn
from emlib.variants.variational import Beliefs, VariationalGaussians, divergence

RNG = np.random.default_rng(21)
DATA = RNG.normal(3, 2, size=8)
SHARES = RNG.dirichlet(np.ones(3), size=8)
PRIOR = Beliefs(
    np.array([0.4, 1.1, 0.8]),
    np.array([0.6, 1.5, 0.9]),
    np.array([[2.0], [3.5], [4.0]]),
    np.array([[[1.1]], [[0.7]], [[2.3]]]),
    np.array([1.7, 2.4, 3.1]),
)
MODEL = VariationalGaussians(PRIOR)
AFTER = MODEL.from_responsibilities(DATA, SHARES)


def value(expression: sp.Expr, at: dict[sp.Symbol, float]) -> float:
    exact = {symbol: sp.Float(float(number), 30) for symbol, number in at.items()}
    return float(meanings_expanded(expression).subs(exact).evalf(25))


def of(beliefs: Beliefs, component: int, zero: str = "") -> dict[sp.Symbol, float]:
    """One component's parameters, by the symbols of the derivation."""
    names = {"": (vb.a, vb.b, vb.beta, vb.m), "0": (vb.a_0, vb.b_0, vb.beta_0, vb.m_0)}[zero]
    numbers = (
        beliefs.degrees_of_freedom[component] / 2,
        beliefs.scatters[component, 0, 0] / 2,
        beliefs.mean_counts[component],
        beliefs.means[component, 0],
    )
    return dict(zip(names, numbers, strict=True))


@pytest.mark.parametrize("component", range(3))
def test_a_component_is_updated_as_derived(component: int) -> None:
    share = SHARES[:, component]
    mean = share @ DATA / share.sum()
    variance = share @ (DATA - mean) ** 2 / share.sum()
    seen = {share_of_k: share.sum(), mean_hat: mean, variance_hat: variance}
    at = {**of(PRIOR, component, "0"), **seen}
    updates = dict(
        zip(
            (vb.new_shape, vb.new_rate, vb.new_count, vb.new_mean),
            of(AFTER, component).values(),
            strict=True,
        )
    )
    for derived, library in updates.items():
        assert np.isclose(value(derived, at), library, rtol=1e-12)
        assert not np.isclose(
            value(derived, {**at, share_of_k: share.sum() + 1e-3}), library, rtol=1e-6
        )


def filled(expression: sp.Expr) -> float:
    """An expression over all weights, with the responsibilities and the prior put in."""
    plain = meanings_expanded(expression).subs({K: 3, vb.data[2]: len(DATA)}).doit()
    arrays = {vb.soft: SHARES, vb.prior_concentration: PRIOR.concentrations}
    entries = {
        entry: sp.Float(arrays[entry.base][tuple(int(i) - 1 for i in entry.indices)], 30)
        for entry in plain.atoms(sp.Indexed)
    }
    return float(plain.xreplace(entries).evalf(25))


def test_the_weights_are_updated_as_derived() -> None:
    derived = [filled(vb.concentration(k).subs(k, component)) for component in (1, 2, 3)]
    assert np.allclose(derived, AFTER.concentrations, rtol=1e-12)


def test_expected_logarithms_are_the_derived_ones() -> None:
    total = AFTER.concentrations.sum()
    expected_log = vb.expected_log_weight().claims[0].right
    for component, own in enumerate(AFTER.concentrations):
        log_weight = value(expected_log, {vb.alpha: own, vb.others: total - own})
        assert np.isclose(log_weight, AFTER.expected_log_weights[component], rtol=1e-12)
        cost = value(vb.uncertainty, of(AFTER, component))
        assert np.isclose(log_weight + cost, AFTER.log_handicaps[component], rtol=1e-12)
        assert not np.isclose(log_weight - cost, AFTER.log_handicaps[component], rtol=1e-6)


def expected_log_joint() -> np.ndarray:
    total = AFTER.concentrations.sum()
    return np.array(
        [
            [
                value(
                    vb.expected_log_weight().claims[0].right + vb.expected_log_density().end,
                    {vb.alpha: own, vb.others: total - own, vb.x: point, **of(AFTER, component)},
                )
                for component, own in enumerate(AFTER.concentrations)
            ]
            for point in DATA
        ]
    )


def derived_divergence() -> float:
    result = filled(vb.weight_divergence().end)
    for component in range(3):
        at = {**of(AFTER, component), **of(PRIOR, component, "0")}
        result += value(vb.gamma_divergence().end + vb.component_divergence().end, at)
    return result


def test_the_divergence_from_the_prior_is_the_derived_one() -> None:
    assert np.isclose(divergence(AFTER, PRIOR), derived_divergence(), rtol=1e-12)
    at = {**of(AFTER, 0), **of(PRIOR, 0, "0")}
    assert value(vb.gamma_divergence().end, at) > 0


def test_the_e_step_and_the_bound_are_the_derived_ones() -> None:
    table = expected_log_joint()
    stats = MODEL.e_step(DATA, AFTER)
    shares = np.exp(table) / np.exp(table).sum(axis=1, keepdims=True)
    assert np.allclose(stats.stats.components.counts, shares.sum(axis=0), rtol=1e-12)
    low = np.log(np.exp(table).sum(axis=1)).sum() - derived_divergence()
    assert np.isclose(stats.log_likelihood, low, rtol=1e-12)


@pytest.mark.parametrize("ahead", [0.0, 0.5, 3.0])
def test_twins_compete_as_derived(ahead: float) -> None:
    """Two components with one expected Gaussian, and counts M + t and M - t."""
    pruning = variational_pruning
    concentration, count, shape = 0.3, 0.7, 0.8
    size = 10
    counts = size + np.array([ahead, -ahead])
    degrees = 2 * shape + counts
    twins = Beliefs(
        concentration + counts,
        count + counts,
        np.full((2, 1), 3.0),
        (degrees * 1.4)[:, None, None],
        degrees,
    )
    at = {vb.alpha_0: concentration, vb.beta_0: count, vb.a_0: shape, pruning.M: size}
    after = pruning.twins().start.args[0].expr
    expected = value(after, {**at, pruning.t: ahead})
    x = RNG.normal(size=2 * size)
    model = VariationalGaussians(twins)
    library = model.e_step(x, twins).stats.components.counts
    assert np.isclose(library[0], expected, rtol=1e-12)
    factor = value(pruning.twins().end, at)
    assert np.isclose(expected - size, factor * ahead, atol=0.05 * ahead + 1e-12)


def test_the_effective_weight_is_the_librarys() -> None:
    inside = variational_pruning.effective_weight().start.args[0]
    (symbol,) = [s for s in inside.free_symbols if s.name == "x"]
    assert np.isclose(value(inside, {symbol: 7.5}), np.exp(digamma(7.5)) - 7.5, rtol=1e-12)


def test_an_online_step_is_the_derived_natural_gradient_step() -> None:
    mixture = Mixture(Gaussian())
    start = MixtureParams(np.array([0.4, 0.6]), Gaussians.univariate([1.0, 4.0], [1.0, 2.0]))
    known = learn(mixture, DATA, start, exponent=0.7)
    more = RNG.normal(3, 2, size=5)
    fresh = mixture.e_step(more, known.params)
    natural, target = variational_natural.natural, variational_natural.target
    step = variational_natural.natural_step().end
    mixed = learn(mixture, more, known, exponent=0.7).stats
    size = (known.blocks + 2.0) ** -0.7
    for component in range(2):
        at = {
            natural: known.stats.components.counts[component],
            target: fresh.components.counts[component] / fresh.observations,
            variational_natural.eta: size,
        }
        assert np.isclose(value(step, at), mixed.components.counts[component], rtol=1e-12)
        assert not np.isclose(
            value(step, {**at, variational_natural.eta: 2 * size}),
            mixed.components.counts[component],
            rtol=1e-6,
        )
