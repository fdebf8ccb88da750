"""Mixed columns: the product of families against its parts, SciPy, and the laws of EM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_laws import LAWS, StretchedMStep
from zoo import Case, around_gaussians, around_positive, around_probabilities

from emlib import AscentError, Mixture, MixtureParams, em
from emlib.families import (
    Bernoulli,
    Bernoullis,
    Gaussian,
    Gaussians,
    Poisson,
    Poissons,
    maximum_likelihood,
)
from emlib.families.missing import MissingGaussian
from emlib.families.product import Product, Products

FAMILY = Product((Gaussian(), Bernoulli(), Poisson()), ((0, 3), (1,), (2,)))
PARAMS = Products(
    (
        Gaussians([[0.0, 1.0], [4.0, 2.0]], [[[1.0, 0.3], [0.3, 0.5]], [[2.0, 0.0], [0.0, 1.0]]]),
        Bernoullis([[0.8], [0.3]]),
        Poissons([2.0, 7.0]),
    )
)


def density(x: np.ndarray, params: Products, k: int) -> np.ndarray:
    gaussians, bernoullis, poissons = params.parts
    return (
        stats.multivariate_normal(gaussians.means[k], gaussians.covariances[k]).logpdf(x[:, [0, 3]])
        + stats.bernoulli(bernoullis.probabilities[k, 0]).logpmf(x[:, 1])
        + stats.poisson(poissons.rates[k]).logpmf(x[:, 2])
    )


def mixed(n: int = 100) -> np.ndarray:
    truth = MixtureParams([0.45, 0.55], PARAMS)
    return Mixture(FAMILY).sample(truth, n, np.random.default_rng(9))[0]


# ---- at the boundary -------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [((0,), (0,)), ((0,), (2,)), ((0, 1), (1,)), ((-1,), (0,))])
def test_columns_must_be_shared_out_without_gap_or_overlap(columns, refuses):
    with refuses(ValueError, "columns: expected each of 0, 1, 2, ... in one family", str(columns)):
        Product((Gaussian(), Poisson()), columns)


@pytest.mark.parametrize("columns", [((0,),), ((0,), ()), ((0,), (1,), (2,))])
def test_each_family_needs_columns(columns, refuses):
    with refuses(ValueError, "columns: expected some for each of 2 families"):
        Product((Gaussian(), Poisson()), columns)


def test_a_product_of_nothing_is_refused(refuses):
    with refuses(ValueError, "columns: expected some for each of 0 families"):
        Product((), ())


@pytest.mark.parametrize("data", [[0.0, 1.0, 2.0, 3.0], [[0.0, 1.0, 2.0]], 1.0])
def test_data_of_another_width_are_refused(data, refuses):
    with refuses(ValueError, "data: expected shape (n, 4)", f"got {np.shape(data)}"):
        FAMILY.observations(data)


def test_a_family_that_refuses_its_columns_says_which(refuses):
    with refuses(ValueError, "columns (1,): data: expected zeros and ones only"):
        FAMILY.observations([[0.5, 2.0, 3.0, 0.0]])
    with refuses(ValueError, "columns (2,): data: expected counts"):
        FAMILY.observations([[0.5, 1.0, -3.0, 0.0]])


def test_parts_with_different_numbers_of_components_are_refused(refuses):
    uneven = replace(PARAMS, parts=(*PARAMS.parts[:2], Poissons([1.0, 2.0, 3.0])))
    with refuses(ValueError, "the same number of components in each part, got [2, 2, 3]"):
        FAMILY.log_density(mixed(3), uneven)


# ---- numbers -----------------------------------------------------------------------------------------


def test_log_density_is_the_sum_over_the_families_of_scipy():
    x = FAMILY.observations(mixed().tolist())
    theirs = np.column_stack([density(x, PARAMS, k) for k in (0, 1)])
    assert FAMILY.log_density(x, PARAMS) == pytest.approx(theirs, rel=1e-11)


def test_each_family_is_fitted_to_its_own_columns():
    x = mixed()
    whole = maximum_likelihood(FAMILY, x)
    gaussians, bernoullis, poissons = whole.parts
    assert gaussians.means[0] == pytest.approx(x[:, [0, 3]].mean(axis=0))
    assert gaussians.covariances[0] == pytest.approx(np.cov(x[:, [0, 3]].T, bias=True))
    assert bernoullis.probabilities == pytest.approx(np.array([[x[:, 1].mean()]]))
    assert poissons.rates == pytest.approx([x[:, 2].mean()])
    assert FAMILY.free_parameters(whole) == 2 + 3 + 1 + 1


@given(st.integers(0, 2**32))
def test_expected_log_density_is_the_weighted_sum_of_log_densities(seed):
    x, shares = mixed(12), np.random.default_rng(seed).random((12, 2))
    collected = FAMILY.expected_statistics(x, shares, PARAMS)
    theirs = (shares * np.column_stack([density(x, PARAMS, k) for k in (0, 1)])).sum()
    assert FAMILY.expected_log_density(collected, PARAMS) == pytest.approx(theirs, rel=1e-11)
    assert collected.counts == pytest.approx(shares.sum(axis=0))
    doubled = FAMILY.expected_log_density(collected * 2.0, PARAMS)
    assert doubled == pytest.approx(2 * theirs, rel=1e-11)


def test_the_order_of_the_columns_is_only_a_matter_of_names():
    x = mixed()
    order = [2, 0, 3, 1]
    moved = Product(FAMILY.families, ((1, 2), (3,), (0,)))
    start = MixtureParams([0.5, 0.5], PARAMS)
    here, there = em(Mixture(FAMILY), x, start), em(Mixture(moved), x[:, order], start)
    assert there.log_likelihood == pytest.approx(here.log_likelihood, rel=1e-12)


def test_a_product_of_gaussians_alone_is_a_gaussian_without_correlation():
    x = mixed()[:, [0, 3]]
    split, whole = Product((Gaussian(), Gaussian()), ((0,), (1,))), Gaussian("VVI")
    shares = np.random.default_rng(2).dirichlet([1.0, 1.0], len(x))
    ours, theirs = Mixture(split), Mixture(whole)
    left = em(ours, x, ours.from_responsibilities(x, shares), max_steps=20)
    right = em(theirs, x, theirs.from_responsibilities(x, shares), max_steps=20)
    assert left.log_likelihoods == pytest.approx(right.log_likelihoods, rel=1e-11)
    assert ours.free_parameters(left.params) == theirs.free_parameters(right.params)


def test_a_part_may_have_missing_entries():
    x = mixed()
    x[::7, 0] = np.nan
    family = Product((MissingGaussian(), Bernoulli(), Poisson()), FAMILY.columns)
    trace = em(Mixture(family), x, MixtureParams([0.5, 0.5], PARAMS))
    assert trace.converged
    complete = np.isfinite(x).all(axis=1)
    ours = Mixture(family).log_density(x, trace.params)[complete]
    theirs = Mixture(FAMILY).log_density(x[complete], trace.params)
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_a_sample_has_the_columns_of_each_family():
    hidden = np.repeat([0, 1], 4000)
    x = FAMILY.sample(PARAMS, hidden, np.random.default_rng(4))
    assert np.isin(x[:, 1], (0.0, 1.0)).all()
    for k in (0, 1):
        group = x[hidden == k]
        gaussians, bernoullis, poissons = PARAMS.parts
        left, right = gaussians.means[k]
        means = [left, bernoullis.probabilities[k, 0], poissons.rates[k], right]
        error = 5 * group.std(axis=0) / np.sqrt(4000)
        assert (abs(group.mean(axis=0) - means) < error).all()


# ---- the laws ----------------------------------------------------------------------------------------


def around(params: Products):
    charts = [
        chart(part)
        for chart, part in zip(
            (around_gaussians("VVV"), around_probabilities, around_positive("rates", Poissons)),
            params.parts,
            strict=True,
        )
    ]
    sizes = [size for size, _ in charts]

    def away(step: np.ndarray) -> Products:
        steps = np.split(step, np.cumsum(sizes)[:-1])
        return Products(tuple(move(own) for (_, move), own in zip(charts, steps, strict=True)))

    return sum(sizes), away


def spoilt(params: Products) -> Products:
    gaussians, bernoullis, poissons = params.parts
    return Products((gaussians, Bernoullis(0.5 * bernoullis.probabilities), poissons))


@dataclass(frozen=True)
class ProductCase(Case):
    """The params of a product are those of its parts."""

    def numbers(self, params):
        parts = [np.ravel(v) for part in params.components.parts for v in _arrays(part).values()]
        return np.concatenate([params.weights, *parts])

    def relabelled(self, params, order):
        parts = [
            replace(part, **{name: values[order] for name, values in _arrays(part).items()})
            for part in params.components.parts
        ]
        return MixtureParams(params.weights[order], Products(tuple(parts)))


def _arrays(part) -> dict[str, np.ndarray]:
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


CASE = ProductCase("product", Mixture(FAMILY), mixed(), 2, around, density, spoilt)


class Rarer(Mixture):
    """The M-step of one of the families is off."""

    def m_step(self, stats):
        params = super().m_step(stats)
        return replace(params, components=spoilt(params.components))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=2)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law, seed):
    law(CASE, seed)


@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law, twin):
    broken = (Rarer if twin is StretchedMStep else twin)(FAMILY)
    with pytest.raises((AssertionError, AscentError)):
        law(replace(CASE, model=broken), 2)
