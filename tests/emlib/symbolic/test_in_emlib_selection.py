"""What the chapter on the number of components derives is what emlib computes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from test_in_emlib_scale import family, value

from emlib import Mixture, MixtureParams
from emlib.families import Bernoulli, Gaussian, Gaussians, Poisson
from emlib.families.parsimonious import MODELS
from emlib.select import select
from emlib.symbolic import bound, conjugate, gaussian_mixtures, likelihood, mixtures, selection
from emlib.symbolic.notation import meanings_expanded
from emlib.variants.priors import MixturePrior, beta, gamma, normal_inverse_wishart

RNG = np.random.default_rng(9)
EXACT = {"rtol": 1e-12, "atol": 0.0}


def number(expression: sp.Expr, values: dict[sp.Basic, float] | None = None) -> float:
    return float(sp.N(meanings_expanded(expression).subs(values or {}).doit(), 30))


# ---- counts and criteria -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("k", "d"), [(1, 1), (2, 3), (4, 2)])
def test_the_covariances_of_each_model_have_the_derived_count(name: str, k: int, d: int) -> None:
    copies = dict(
        zip(
            (selection.volumes, selection.shapes, selection.orientations),
            ({"I": 0, "E": 1, "V": k}[letter] for letter in name),
            strict=True,
        )
    )
    derived = selection.parsimonious_models().end.subs(copies).subs(selection.d, d)
    assert number(derived) == MODELS[name].parameters(k, d)
    assert number(derived.subs(d, d + 1) + 1) != MODELS[name].parameters(k, d)


@pytest.mark.parametrize(("k", "d"), [(1, 1), (2, 2), (3, 4)])
def test_a_mixture_has_the_derived_number_of_parameters(k: int, d: int) -> None:
    params = MixtureParams(
        np.full(k, 1 / k), Gaussians(RNG.normal(size=(k, d)), np.tile(np.eye(d), (k, 1, 1)))
    )
    derived = selection.mixture_count().end.subs({selection.components: k, selection.d: d})
    assert number(derived) == Mixture(Gaussian()).free_parameters(params)


def test_icl_differs_from_bic_by_the_derived_sum() -> None:
    data = np.concatenate([RNG.normal(-1, 1, 30), RNG.normal(2, 0.7, 30)])
    found = select(data, [2], ["V"], progress=False).best
    joint = Mixture(Gaussian()).log_joint(data, found.params)
    derived = selection.icl_hard()
    assigned, whole = sp.IndexedBase("p", positive=True), sp.IndexedBase("e", positive=True)
    values = {selection.N: len(data), sp.Symbol("df", positive=True): found.df}
    entries = {}
    for row, logs in enumerate(joint, start=1):
        entries[assigned[row]] = sp.Float(np.exp(logs.max()), 30)
        entries[whole[row]] = sp.Float(np.exp(logs).sum(), 30)
    written_out = meanings_expanded(derived.end).subs(values).doit().xreplace(entries)
    assert np.isclose(found.icl, float(sp.N(written_out)), **EXACT)
    assert found.icl >= found.bic


def test_soft_icl_is_the_expected_log_joint() -> None:
    data = RNG.normal(0, 2, size=1)
    params = MixtureParams([0.3, 0.7], Gaussians.univariate([-1.0, 1.0], [0.5, 2.0]))
    mixture = Mixture(Gaussian())
    stats = mixture.e_step(data, params)
    joint = np.exp(mixture.log_joint(data, params))[0]
    values = {bound.joint[1]: joint[0], bound.joint[2]: joint[1]}
    derived = meanings_expanded(selection.icl_soft().end).subs(bound.K, 2).doit().subs(values)
    assert np.isclose(mixture.expected_log_joint(stats, params), float(derived), **EXACT)


def test_a_component_split_in_two_leaves_the_log_likelihood() -> None:
    data = RNG.normal(0, 2, size=5)
    derived = meanings_expanded(selection.one_more_component().start).subs(likelihood.N, 5).doit()
    split = MixtureParams([0.12, 0.18, 0.7], Gaussians.univariate([-1, -1, 1], [0.5, 0.5, 2.0]))
    rest = np.exp(Mixture(Gaussian()).log_joint(data, split))[:, 2]
    entries = {likelihood.x[n + 1]: data[n] for n in range(5)}
    entries |= {mixtures.rest[n + 1]: rest[n] for n in range(5)}
    at = {mixtures.weight: 0.3, mixtures.mean: -1, mixtures.variance: 0.5}
    value = float(derived.xreplace(entries).subs({**at, sp.Symbol("t", real=True): 0.4}))
    assert np.isclose(Mixture(Gaussian()).e_step(data, split).log_likelihood, value, **EXACT)


# ---- priors ------------------------------------------------------------------------------------------


def weighted(d: int) -> tuple[Mixture, np.ndarray, MixtureParams, np.ndarray]:
    data = RNG.normal(1, 2, size=(9, d))
    params = MixtureParams(
        [0.4, 0.6], Gaussians(RNG.normal(size=(2, d)), np.tile(np.eye(d), (2, 1, 1)))
    )
    mixture = Mixture(Gaussian())
    return mixture, data, params, mixture.responsibilities(data, params)


def test_the_weights_with_a_dirichlet_are_the_derived_ones() -> None:
    mixture, data, params, shares = weighted(1)
    prior = MixturePrior(normal_inverse_wishart([0.0], 1.0, [[1.0]], 2.0), concentration=2.5)
    found = prior.m_step(mixture, mixture.e_step(data, params)).weights
    # The summand of the derived KL is the best weight times a logarithm.
    (divergence,) = conjugate.dirichlet_weights().claims[0].right.atoms(sp.Sum)
    derived = sp.Mul(*(part for part in divergence.function.args if not part.has(sp.log)))
    for state in (1, 2):
        at = {
            gaussian_mixtures.count[bound.k]: shares[:, state - 1].sum(),
            likelihood.N: 9,
            bound.K: 2,
            conjugate.alpha: 1.5,
        }
        assert np.isclose(found[state - 1], number(derived, at), **EXACT)
        assert not np.isclose(
            found[state - 1], number(derived, {**at, conjugate.alpha: 0.5}), **EXACT
        )


def test_the_normal_with_a_prior_is_the_derived_one() -> None:
    mixture, data, params, shares = weighted(1)
    kappa, scale, degrees, middle = 0.7, 1.9, 2.5, -0.4
    prior = normal_inverse_wishart([middle], kappa, [[scale]], degrees)
    found = prior.from_mean(Gaussian(), mixture.e_step(data, params).components)
    for state in range(2):
        r, x = shares[:, state], data[:, 0]
        mean = r @ x / r.sum()
        at = {
            gaussian_mixtures.share_of_k: r.sum(),
            gaussian_mixtures.mean_hat: mean,
            gaussian_mixtures.variance_hat: r @ (x - mean) ** 2 / r.sum(),
            conjugate.prior_mean: middle,
            conjugate.prior_count: kappa,
            conjugate.prior_scatter: scale,
        }
        derived = number(conjugate.shrunken_mean().end, at)
        scatter = number(conjugate.widened_scatter().end, at)
        count = r.sum() + degrees + 3
        assert np.isclose(found.means[state, 0], derived, **EXACT)
        assert np.isclose(found.variances[state, 0], scatter / count, **EXACT)
        assert not np.isclose(found.variances[state, 0], scatter / (count - 1), **EXACT)


def test_the_log_prior_is_the_derived_one_but_for_its_constant() -> None:
    kappa, scale, degrees, middle = 0.7, 1.9, 2.5, -0.4
    prior = normal_inverse_wishart([middle], kappa, [[scale]], degrees)
    derived = conjugate.normal_inverse_gamma().end
    differences = []
    for mean, variance in ((0.3, 1.1), (-2.0, 0.4), (5.0, 7.0)):
        at = {
            mixtures.mean: mean,
            mixtures.variance: variance,
            conjugate.prior_mean: middle,
            conjugate.prior_count: kappa,
            conjugate.prior_scatter: scale,
            conjugate.degrees: degrees,
        }
        value = prior.log_density(Gaussian(), Gaussians.univariate([mean], [variance]))
        differences.append(value - number(derived, at))
    assert np.allclose(differences, differences[0], rtol=1e-12)


def test_in_two_dimensions_the_fit_is_the_derived_scatter_over_the_derived_count() -> None:
    mixture, data, params, shares = weighted(2)
    kappa, degrees = 0.7, 3.5
    scatter, middle = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([0.1, -1.0])
    prior = normal_inverse_wishart(middle, kappa, scatter, degrees)
    found = prior.from_mean(Gaussian(), mixture.e_step(data, params).components)
    count, elsewhere = shares[:, 0].sum(), np.array([0.4, 0.9])
    at = {
        likelihood.N: 9,
        conjugate.share_of_k: count,
        conjugate.prior_count: kappa,
        conjugate.centre_0: middle[:, None],
        conjugate.scatter_0: scatter,
        conjugate.best_centre: found.means[0][:, None],
        conjugate.centre: elsewhere[:, None],
        **family(conjugate.rows, data),
        **family(gaussian_mixtures.r, shares[:, 0]),
    }
    best = value(conjugate.scatter_about(conjugate.best_centre), at)
    chain = conjugate.scatter_with_prior()
    assert np.allclose(value(chain.start, at), value(chain.end, at), **EXACT)
    # The derived slope vanishes at the library's covariance.
    slopes = conjugate.covariance_with_prior().end
    in_numbers = {
        conjugate.scatter: best,
        conjugate.covariance_count: degrees + 2 + 2,
        sp.Inverse(conjugate.precision): found.covariances[0],
    }
    assert np.allclose(value(slopes, {**at, **in_numbers}), 0, atol=1e-12)
    off = {**in_numbers, conjugate.covariance_count: degrees + 2 + 1}
    assert not np.allclose(value(slopes, {**at, **off}), 0, atol=1e-3)


def test_a_bernoulli_with_a_beta_prior_is_the_derived_share() -> None:
    data = RNG.integers(0, 2, size=(12, 1)).astype(float)
    family = Bernoulli()
    stats = family.expected_statistics(data, np.ones((12, 1)), None)
    found = beta(2.5, 1.8, 1).from_mean(family, stats).probabilities[0, 0]
    first = conjugate.beta_bernoulli().claims[0].right.args[0]
    at = {
        conjugate.heads: data.sum(),
        conjugate.tails: 12 - data.sum(),
        conjugate.heads_0: 1.5,
        conjugate.tails_0: 0.8,
    }
    # The derived term vanishes at the best p alone.
    assert abs(number(first, {**at, conjugate.p: found})) < 1e-24
    assert number(first, {**at, conjugate.p: found * 1.01}) > 1e-5


def test_a_poisson_with_a_gamma_prior_is_the_derived_mean() -> None:
    data = RNG.poisson(3.0, size=10).astype(float)[:, None]
    family = Poisson()
    stats = family.expected_statistics(data, np.ones((10, 1)), None)
    found = float(np.ravel(gamma(2.5, 0.7).from_mean(family, stats).rates)[0])
    shortfall = conjugate.gamma_poisson().claims[0].right
    at = {
        conjugate.total_count: data.sum(),
        conjugate.share_of_k: 10,
        conjugate.heads_0: 1.5,
        conjugate.rate_0: 0.7,
    }
    assert abs(number(shortfall, {**at, likelihood.rate: found})) < 1e-24
    assert number(shortfall, {**at, likelihood.rate: found * 1.01}) > 1e-5
