"""The bound, hard and tempered EM of the library, against their derivations."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams, free_energy
from emlib.families import Gaussian, Gaussians
from emlib.symbolic import bound, variational, variational_gaussian
from emlib.symbolic.notation import meanings_expanded
from emlib.variants.tempered import Tempered, hard

RNG = np.random.default_rng(12)
DATA = RNG.normal(3, 2, size=6)


def number(
    expression: sp.Expr, sizes: dict[sp.Symbol, int], values: dict[sp.Basic, object]
) -> float:
    """The expression with its sums written out and the values put in; arrays for indexed symbols."""
    plain = meanings_expanded(expression).subs(sizes).doit()
    entries = {
        entry: sp.Float(values[entry.base][tuple(int(i) - 1 for i in entry.indices)], 30)
        for entry in plain.atoms(sp.Indexed)
    }
    scalars = {s: sp.Float(v, 30) for s, v in values.items() if isinstance(s, sp.Symbol)}
    return float(plain.xreplace(entries).subs(scalars).evalf(25))


def test_the_split_of_a_factorised_guess_is_the_derived_one() -> None:
    a, b = RNG.dirichlet(np.ones(3)), RNG.dirichlet(np.ones(2))
    joint = RNG.uniform(0.1, 1, size=(3, 2))
    split = free_energy(np.outer(a, b).ravel(), np.log(joint).ravel())
    sizes = {bound.K: 3, variational.J: 2}
    values = {variational.a: a, variational.b: b, variational.p: joint}
    derived = variational.block_decomposition()
    assert np.isclose(number(derived.start, sizes, values), split.log_likelihood, rtol=1e-12)
    low, gap = derived.end.args
    assert np.isclose(number(low, sizes, values), split.free_energy, rtol=1e-12)
    assert np.isclose(number(gap, sizes, values), split.gap, rtol=1e-12)
    energy, *entropies = variational.entropies_add().end.args
    assert np.isclose(number(energy, sizes, values), split.expected_log_joint, rtol=1e-12)
    assert np.isclose(number(sum(entropies), sizes, values), split.entropy, rtol=1e-12)
    assert not np.isclose(number(low + entropies[0], sizes, values), split.free_energy, rtol=1e-6)


def test_the_best_factor_beats_its_neighbours_in_the_library() -> None:
    b, joint = RNG.dirichlet(np.ones(2)), RNG.uniform(0.1, 1, size=(3, 2))
    sizes = {bound.K: 3, variational.J: 2}
    values = {variational.b: b, variational.p: joint}
    best = np.array([number(variational.best_a(k), sizes, values) for k in (1, 2, 3)])
    value = number(variational.best_value().end, sizes, values)

    def climbed(a: np.ndarray) -> float:
        return free_energy(np.outer(a, b).ravel(), np.log(joint).ravel()).free_energy

    assert np.isclose(climbed(best), value, rtol=1e-12)
    for _ in range(5):
        other = RNG.dirichlet(50 * best)
        gain = variational.best_factor().claims[0].right
        derived = number(gain, sizes, {**values, variational.a: other})
        assert np.isclose(climbed(best) - climbed(other), derived, rtol=1e-9, atol=1e-14)
        assert derived > 0


def log_joint() -> tuple[Mixture, MixtureParams, np.ndarray]:
    mixture = Mixture(Gaussian())
    params = MixtureParams(
        np.array([0.2, 0.3, 0.5]), Gaussians.univariate([1.0, 3.0, 5.0], [1.2, 0.8, 2.0])
    )
    return mixture, params, mixture.log_joint(DATA, params)


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.5])
def test_tempered_responsibilities_are_the_derived_ones(beta: float) -> None:
    mixture, params, table = log_joint()
    parts = variational.tempered().start.args
    objective = next(part for part in parts if not part.has(bound.q[bound.k]))
    values = [
        number(objective, {bound.K: 3}, {bound.joint: np.exp(row), variational.beta: beta})
        for row in table
    ]
    stats = Tempered(mixture, beta).e_step(DATA, params)
    assert np.isclose(stats.log_likelihood, sum(values), rtol=1e-12)
    gain = variational.tempered().claims[0].right
    powers = np.exp(beta * table[0])
    at_best = {
        bound.joint: np.exp(table[0]),
        variational.beta: beta,
        bound.q: powers / powers.sum(),
    }
    assert abs(number(gain, {bound.K: 3}, at_best)) < 1e-12
    at_other = {**at_best, bound.q: np.array([0.5, 0.2, 0.3])}
    assert number(gain, {bound.K: 3}, at_other) > 1e-4


def test_hard_em_climbs_the_free_energy_of_its_decisions() -> None:
    mixture, params, table = log_joint()
    decided = variational.point_guess().end
    values = [float(decided.subs(variational.p_0, sp.Float(np.exp(r.max()), 30))) for r in table]
    assert np.isclose(hard(mixture).e_step(DATA, params).log_likelihood, sum(values), rtol=1e-12)
    gap = variational.price_of_deciding().claims[0].right
    rest = sp.Symbol("R", positive=True)
    missing = 0.0
    for row in np.exp(table):
        at = {variational.p_0: sp.Float(row.max(), 30), rest: sp.Float(row.sum() - row.max(), 30)}
        missing += float(meanings_expanded(gap).subs(at))
    soft = mixture.e_step(DATA, params).log_likelihood
    assert np.isclose(sum(values) + missing, soft, rtol=1e-12)


def test_with_a_point_for_the_parameters_the_odds_are_those_of_the_e_step() -> None:
    mixture, params, table = log_joint()
    odds = variational.point_for_parameters().end
    k, i, c = bound.k, variational.i, sp.Symbol("c", integer=True)
    at = meanings_expanded(odds).subs({k: 1, i: 2, c: 1})
    shares = mixture.responsibilities(DATA, params)
    for n, row in enumerate(np.exp(table)):
        value = number(at, {bound.K: 3}, {variational.p: row[:, None]})
        assert np.isclose(value, shares[n, 0] / shares[n, 1], rtol=1e-12)


def test_mean_field_on_a_gaussian_is_what_the_precision_matrix_says() -> None:
    g = variational_gaussian
    at = {g.sigma_1: 1.3, g.beta: -0.7, g.w: 0.9, g.mu_1: 0.4, g.mu_2: -1.1}
    covariance = np.array([[1.3**2, -0.7 * 1.3**2], [-0.7 * 1.3**2, 0.9 + 0.7**2 * 1.3**2]])
    precision = np.linalg.inv(covariance)

    def value(expression: sp.Expr, **more: float) -> float:
        extra = {getattr(g, name): x for name, x in more.items()}
        return float(meanings_expanded(expression).subs({**at, **extra}))

    assert np.isclose(value(g.precision().end), precision[0, 0], rtol=1e-12)
    assert np.isclose(value(g.best_2), 1 / precision[1, 1], rtol=1e-12)
    guess = {"m_1": 0.1, "m_2": 0.6, "v_1": 0.5, "v_2": 1.7}
    off, v = np.array([0.1 - 0.4, 0.6 + 1.1]), np.diag([0.5, 1.7])
    log_ratio = np.log(np.linalg.det(covariance) / np.linalg.det(v))
    exclusive = 0.5 * (np.trace(precision @ v) + off @ precision @ off - 2 + log_ratio)
    inverse = np.linalg.inv(v)
    inclusive = 0.5 * (np.trace(inverse @ covariance) + off @ inverse @ off - 2 - log_ratio)
    for line in (0, 1):
        assert np.isclose(value(g.exclusive().claims[line].right, **guess), exclusive, rtol=1e-12)
        derived = value(g.inclusive_gaussian().claims[line].right, **guess)
        assert np.isclose(derived, inclusive, rtol=1e-12)
    mean = np.array([0.4, -1.1])
    second = mean[1] - precision[0, 1] / precision[1, 1] * (0.1 - mean[0])
    first = mean[0] - precision[0, 1] / precision[0, 0] * (second - mean[1])
    assert np.isclose(value(g.updated_2, m_1=0.1), second, rtol=1e-12)
    assert np.isclose(value(g.updated_1, m_1=0.1), first, rtol=1e-12)
    assert np.isclose(value(g.mean_sweep().end, m_1=0.1), first - mean[0], rtol=1e-12)
