"""Observed information against mpmath, closed forms, central differences and published numbers."""

from __future__ import annotations

import warnings
from functools import cache
from itertools import islice

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emlib import Mixture, MixtureParams, em, em_steps
from emlib.charts import Chart, chart, chart_of
from emlib.covariance_charts import covariance_chart
from emlib.data import Chunks, Weighted
from emlib.datasets import load
from emlib.differences import derivative
from emlib.families import (
    Bernoulli,
    Bernoullis,
    Gaussian,
    Gaussians,
    Poisson,
    Poissons,
    maximum_likelihood,
)
from emlib.families.parsimonious import MODELS
from emlib.information import (
    Information,
    em_map_jacobian,
    information,
    missing_information,
    standard_errors,
)
from emlib.models.alleles import AlleleCounting, AlleleFrequencies
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.models.zero_inflated import ZeroInflated
from emlib.numbers import rate
from emlib.parameters import entries, parameters

RAO = [125, 18, 20, 34]
MLE = Linkage((15 + np.sqrt(15**2 + 4 * 197 * 68)) / (2 * 197))
"""The root of the score, 197 p^2 - 15 p - 68 = 0."""
BY_P = Chart(lambda params: np.array([params.nonrecombinant]), lambda v: Linkage(v.item()))
"""The chart whose coordinate is p itself."""

DEATHS = load("deaths")
DAYS = Weighted(DEATHS["deaths"], DEATHS["days"])
HASSELBLAD = MixtureParams([0.3598854, 0.6401146], Poissons([1.2560951, 2.6634044]))

FAITHFUL = load("faithful").matrix()


@cache
def moths() -> tuple:
    model = AlleleCounting("CIT", {"c": ["CC", "CI", "CT"], "i": ["II", "IT"], "t": ["TT"]})
    data = {"c": 85, "i": 196, "t": 341}
    return model, data, em(model, data, AlleleFrequencies([1 / 3] * 3), tol=1e-17).params


@cache
def widows() -> tuple:
    table = load("widows_children")
    model, data = Mixture(ZeroInflated(Poisson())), Weighted(table["children"], table["widows"])
    start = MixtureParams([0.6, 0.4], Poissons([1.0]))
    return model, data, em(model, data, start, tol=1e-17).params


@cache
def deaths() -> tuple:
    # Digits that are printed, and polished: the error shrinks by .9957 a step.
    steps = em_steps(Mixture(Poisson()), DAYS, HASSELBLAD)
    return Mixture(Poisson()), DAYS, next(islice(steps, 3000, None)).params


@cache
def old_faithful() -> tuple:
    start = Gaussians([[2.0, 55.0], [4.3, 80.0]], [[[0.1, 0.0], [0.0, 30.0]]] * 2)
    start = MixtureParams([0.4, 0.6], start)
    mixture = Mixture(Gaussian())
    return mixture, FAITHFUL, em(mixture, FAITHFUL, start, tol=1e-15).params


@cache
def linkage() -> tuple:
    return GeneticLinkage(), RAO, MLE


CASES = [linkage, moths, widows, deaths, old_faithful]


# Published numbers


def test_linkage_information_is_that_of_the_formulas():
    p = MLE.nonrecombinant
    hidden = 125 * p / (2 + p)  # the expected count of the cell with p/4 in the first
    complete = (hidden + 34) / p**2 + 38 / (1 - p) ** 2
    observed = 125 / (2 + p) ** 2 + 38 / (1 - p) ** 2 + 34 / p**2
    found = information(GeneticLinkage(), RAO, MLE, BY_P)
    assert found.complete.item() == pytest.approx(complete, rel=1e-8)
    assert found.observed.item() == pytest.approx(observed, rel=1e-8)
    assert found.missing.item() == pytest.approx(125 * 2 * p / (2 + p) ** 2 / p**2, rel=1e-7)


def test_linkage_rate_and_standard_error_are_the_published_ones():
    p = MLE.nonrecombinant
    complete = (125 * p / (2 + p) + 34) / p**2 + 38 / (1 - p) ** 2
    for coordinates in (BY_P, None):
        found = information(GeneticLinkage(), RAO, MLE, coordinates)
        assert found.rate == pytest.approx(250 / (2 + p) ** 2 / p / complete, rel=1e-7)
        printed, error = (one.published for one in rate.linkage_information())
        printed.check(found.rate)
        error.check(found.standard_errors["nonrecombinant"].item())


def test_deaths_converge_at_the_published_rate():
    found = information(*deaths())
    largest, _ = rate.deaths_rates()
    largest.published.check(found.rate)
    assert found.rate == pytest.approx(largest.ours, rel=1e-6)


# Against other computations


def test_standard_errors_of_the_deaths_are_those_of_the_exact_hessian():
    pairs = [(int(d), int(n)) for d, n in zip(DEATHS["deaths"], DEATHS["days"], strict=True)]

    def log_likelihood(weight, first, second):
        total = mpmath.mpf(0)
        for d, n in pairs:
            one, two = (mpmath.exp(-r) * r**d / mpmath.factorial(d) for r in (first, second))
            total += n * mpmath.log(weight * one + (1 - weight) * two)
        return total

    _, _, params = deaths()
    at = [params.weights[0], *params.components.rates]
    with mpmath.workdps(40):
        hessian = mpmath.matrix(3, 3)
        for i in range(3):
            for j in range(3):
                order = tuple(int(i == m) + int(j == m) for m in range(3))
                hessian[i, j] = mpmath.diff(log_likelihood, tuple(at), order)
        covariance = (-hessian) ** -1
        exact = [float(mpmath.sqrt(covariance[i, i])) for i in range(3)]
    ours = standard_errors(*deaths())
    assert [ours["weights"][0], *ours["rates"]] == pytest.approx(exact, rel=1e-6)
    assert ours["weights"][1] == pytest.approx(ours["weights"][0], rel=1e-9)


def test_standard_errors_of_old_faithful_are_those_of_a_hessian_in_other_coordinates():
    """By central differences of SciPy's densities, in the weight, the means and the covariances themselves."""
    _, _, params = old_faithful()
    found = parameters(params)
    at = np.concatenate(
        [[found["weights"][0]], found["means"].ravel()]
        + [c[np.tril_indices(2)] for c in found["covariances"]]
    )

    def log_likelihood(v: np.ndarray) -> float:
        means, halves = v[1:5].reshape(2, 2), v[5:].reshape(2, 3)
        density = 0.0
        for weight, mean, (a, b, c) in zip((v[0], 1 - v[0]), means, halves, strict=True):
            normal = stats.multivariate_normal(mean, [[a, b], [b, c]])
            density = density + weight * normal.pdf(FAITHFUL)
        return float(np.log(density).sum())

    deviations = np.sqrt(found["covariances"][:, [0, 1], [0, 1]])
    products = [np.outer(s, s)[np.tril_indices(2)] for s in deviations]
    units = 0.005 * np.concatenate([[1.0], deviations.ravel(), *products])
    p = len(at)
    hessian = np.empty((p, p))
    for i in range(p):
        for j in range(p):
            first, second = np.eye(p)[i] * units[i], np.eye(p)[j] * units[j]
            hessian[i, j] = sum(
                a * b * log_likelihood(at + a * first + b * second)
                for a in (1, -1)
                for b in (1, -1)
            ) / (4 * units[i] * units[j])
    theirs = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    ours = standard_errors(*old_faithful())
    assert ours["weights"] == pytest.approx([theirs[0]] * 2, rel=2e-3)
    assert ours["means"].ravel() == pytest.approx(theirs[1:5], rel=2e-3)
    lower = [c[np.tril_indices(2)] for c in ours["covariances"]]
    assert np.concatenate(lower) == pytest.approx(theirs[5:], rel=2e-3)
    assert (ours["covariances"] == ours["covariances"].transpose(0, 2, 1)).all()


def test_a_single_gaussian_has_the_standard_errors_of_the_textbook():
    # Anderson (2003), theorems 3.3.1 and 3.4.4: var(mean) = Sigma/n, var(s_ij) = (s_ii s_jj + s_ij^2)/n.
    x = FAITHFUL[:90] * [1e-6, 1e6] + [0.0, 1e9]  # units far apart, and far from zero
    params = MixtureParams([1.0], maximum_likelihood(Gaussian(), x))
    (covariance,) = params.components.covariances
    ours = standard_errors(Mixture(Gaussian()), x, params)
    variances = np.diag(covariance)
    assert ours["weights"] == pytest.approx([0.0])
    assert ours["means"][0] == pytest.approx(np.sqrt(variances / 90), rel=1e-6)
    expected = np.sqrt((np.outer(variances, variances) + covariance**2) / 90)
    assert ours["covariances"][0] == pytest.approx(expected, rel=1e-6)


def test_a_single_bernoulli_has_the_standard_error_of_a_share():
    x = np.repeat([[0, 1], [1, 1], [1, 0]], [30, 50, 20], axis=0)
    params = MixtureParams([1.0], maximum_likelihood(Bernoulli(), x))
    ours = standard_errors(Mixture(Bernoulli()), x, params)
    assert ours["probabilities"] == pytest.approx(np.sqrt([[0.21 / 100, 0.16 / 100]]), rel=1e-6)


def test_genes_that_are_seen_have_the_standard_error_of_a_share():
    model = AlleleCounting("MN", {"M": ["MM"], "MN": ["MN"], "N": ["NN"]})
    params = AlleleFrequencies([0.65, 0.35])
    found = information(model, {"M": 50, "MN": 30, "N": 20}, params)
    expected = np.sqrt(0.65 * 0.35 / 200)
    assert found.standard_errors["frequencies"] == pytest.approx([expected] * 2, rel=1e-6)
    assert found.rate == pytest.approx(0, abs=1e-7)


# The identities


@pytest.mark.parametrize("case", CASES)
def test_observed_is_complete_less_the_variance_of_the_complete_score(case):
    """Louis's identity: the second derivative of the log-likelihood, from first ones of the joint density."""
    model, data, params = case()
    found = information(model, data, params)
    missing = missing_information(model, data, params)
    root = np.sqrt(np.diag(found.complete))
    assert found.missing / root / root[:, None] == pytest.approx(
        missing / root / root[:, None], abs=1e-6
    )


@pytest.mark.parametrize("case", CASES)
def test_the_rate_matrix_is_the_jacobian_of_the_em_map(case):
    model, data, params = case()
    found, jacobian = information(model, data, params), em_map_jacobian(model, data, params)
    units = np.sqrt(np.diag(found.complete))
    scale = units[:, None] / units
    assert jacobian * scale == pytest.approx(found.rate_matrix * scale, abs=1e-5)
    assert found.rate == pytest.approx(abs(np.linalg.eigvals(jacobian)).max(), abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_observed_information_is_the_bend_of_the_log_likelihood(case):
    """Also where the params are no maximum."""
    model, data, params = case()
    here = chart(params)
    at = here.to_vector(params) + 0.02
    found = information(model, data, here.from_vector(at))
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.standard_normal(len(at))
        direction *= 0.05 / np.sqrt(direction @ found.complete @ direction) * 10
        values = [
            model.e_step(data, here.from_vector(at + m * direction)).log_likelihood
            for m in (-2, -1, 0, 1, 2)
        ]
        bend = -np.dot([-1, 16, -30, 16, -1], values) / 12
        assert bend == pytest.approx(
            direction @ found.observed @ direction, rel=1e-3, abs=1e-5 * abs(bend) + 1e-6
        )
        slope = np.dot([1, -8, 0, 8, -1], values) / 12
        assert slope == pytest.approx(found.score @ direction, rel=1e-4, abs=1e-6)


def test_em_shrinks_its_error_by_the_rate():
    steps = list(islice(em_steps(GeneticLinkage(), RAO, Linkage(0.5)), 8))
    errors = [step.params.nonrecombinant - MLE.nonrecombinant for step in steps]
    rate = information(GeneticLinkage(), RAO, MLE).rate
    assert errors[7] / errors[6] == pytest.approx(rate, rel=1e-4)


def test_standard_errors_do_not_depend_on_the_chart():
    by_p = standard_errors(GeneticLinkage(), RAO, MLE, BY_P)
    by_odds = standard_errors(GeneticLinkage(), RAO, MLE)
    assert by_p["nonrecombinant"] == pytest.approx(by_odds["nonrecombinant"], rel=1e-7)


def test_weights_and_chunks_are_data_like_others():
    model, data, params = deaths()
    rows = DEATHS.repeated("deaths", "days")
    expected = standard_errors(model, data, params)
    for same in (rows, Chunks([rows[:300], rows[300:]]), Chunks(rows, threads=2)):
        ours = standard_errors(model, same, params)
        for name, errors in expected.items():
            assert ours[name] == pytest.approx(errors, rel=1e-5)
    fourfold = Weighted(DEATHS["deaths"], 4 * DEATHS["days"])
    halved = standard_errors(model, fourfold, params)
    assert halved["rates"] == pytest.approx(expected["rates"] / 2, rel=1e-6)


# The covariance models


@cache
def groups(model: str) -> tuple:
    rng = np.random.default_rng(0)
    wide = np.array([[2.0, 0.6, 0.2], [0.6, 1.0, 0.1], [0.2, 0.1, 0.5]])
    x = np.concatenate(
        [
            rng.multivariate_normal([0, 0, 0], wide, 60),
            rng.multivariate_normal([5, 3, 1], wide @ wide, 80),
        ]
    )
    mixture = Mixture(Gaussian(model))
    first = np.arange(140) < 60
    return mixture, x, mixture.from_responsibilities(x, np.column_stack([first, ~first]))


@cache
def fitted_groups(model: str) -> tuple:
    mixture, x, start = groups(model)
    return mixture, x, em(mixture, x, start, tol=1e-12).params


@pytest.mark.parametrize("model", MODELS)
def test_every_covariance_model_has_a_chart(model):
    mixture, _, params = groups(model)
    here = chart_of(mixture, params)
    vector = here.to_vector(params)
    assert len(vector) == mixture.free_parameters(params)
    back = parameters(here.from_vector(vector))
    for name, values in parameters(params).items():
        assert back[name] == pytest.approx(values, rel=1e-10, abs=1e-12)
    other = vector + 0.1 * np.random.default_rng(1).standard_normal(len(vector))
    assert here.to_vector(here.from_vector(other)) == pytest.approx(other, abs=1e-10)
    # What the chart gives is of the model: its own M-step leaves it alone.
    elsewhere = here.from_vector(other).components
    scatter, counts = 50 * elsewhere.covariances, np.full(2, 50.0)
    if MODELS[model].diagonal:
        diagonals = np.diagonal(scatter, axis1=1, axis2=2)
        fitted = MODELS[model].estimate(diagonals, counts)
        assert fitted == pytest.approx(elsewhere.variances, rel=1e-6)
    else:
        assert MODELS[model].estimate(scatter, counts) == pytest.approx(
            elsewhere.covariances, rel=1e-5, abs=1e-6
        )


@pytest.mark.parametrize("model", ["EVE", "VVE", "VEV", "EEV"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=40)
def test_the_chart_finds_its_axes_again_whatever_their_order_and_sign(model, seed):
    rng = np.random.default_rng(seed)
    turns = np.linalg.qr(rng.standard_normal((2, 3, 3)))[0]
    shapes = np.array([[4.0, 1.0, 0.25]] * 2)
    if model[2] == "E":
        # Shapes that mirror each other, about the same axes: their sum is a sphere in two of three directions.
        turns[1], shapes[1] = turns[0], [0.25, 1.0, 4.0]
    params = Gaussians(np.zeros((2, 3)), turns * shapes[:, None, :] @ turns.transpose(0, 2, 1))
    here = covariance_chart(model, params)
    assert here.from_vector(here.to_vector(params)).covariances == pytest.approx(params.covariances)
    near = here.to_vector(params) + 0.05 * rng.standard_normal(len(here.to_vector(params)))
    assert here.to_vector(here.from_vector(near)) == pytest.approx(near, abs=1e-9)


@pytest.mark.parametrize("model", ["EEI", "EVE", "VEV"])
def test_every_covariance_model_has_its_rate(model):
    mixture, x, params = fitted_groups(model)
    found = information(mixture, x, params)
    jacobian = em_map_jacobian(mixture, x, params)
    assert found.rate == pytest.approx(abs(np.linalg.eigvals(jacobian)).max(), abs=1e-6)
    assert found.distance < 1e-3
    off = found.standard_errors["covariances"][:, 0, 1]
    assert (off == 0).all() if MODELS[model].diagonal else (off > 0).all()


def test_tied_covariances_are_surer_than_free_ones_and_have_one_error():
    mixture, x, params = fitted_groups("tied")
    ours = standard_errors(mixture, x, params)["covariances"]
    assert ours[0] == pytest.approx(ours[1], rel=1e-10)
    mixture, x, params = fitted_groups("full")
    assert (ours < standard_errors(mixture, x, params)["covariances"].max(axis=0)).all()


@pytest.mark.parametrize("model", ["E", "V"])
def test_one_dimension_has_a_chart_too(model):
    params = Gaussians.univariate([1.0, 2.0], [0.5, 0.5])
    here = covariance_chart(model, params)
    assert len(here.to_vector(params)) == {"E": 3, "V": 4}[model]
    back = here.from_vector(here.to_vector(params))
    assert back.covariances == pytest.approx(params.covariances)


# What cannot be told


def test_params_short_of_the_maximum_are_told():
    model, data, params = deaths()
    early = em(model, data, MixtureParams([0.3, 0.7], Poissons([1.0, 2.5])), tol=1e-5)
    with pytest.warns(RuntimeWarning, match=r"standard errors away, mostly along .*tolerance"):
        standard_errors(model, data, early.params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        standard_errors(model, data, params)


def test_the_distance_is_that_to_the_maximum():
    found = information(GeneticLinkage(), RAO, Linkage(0.60), BY_P)
    error = found.standard_errors["nonrecombinant"].item()
    assert found.distance == pytest.approx((MLE.nonrecombinant - 0.60) / error, rel=0.1)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        (MixtureParams([0.0, 1.0], Poissons([1.0, 2.0])), "weights[0]"),
        (MixtureParams([1.0, 0.0], Poissons([2.0, 1.0])), "weights[1]"),
        (MixtureParams([0.5, 0.5], Poissons([0.0, 2.0])), "rates[0]"),
    ],
)
def test_a_parameter_at_its_boundary_is_named(params, name):
    with pytest.raises(ArithmeticError) as caught:
        standard_errors(Mixture(Poisson()), DAYS, params)
    assert name in str(caught.value)
    assert "boundary of its range" in str(caught.value)
    assert "bootstrap" in str(caught.value)


@pytest.mark.parametrize(("value", "index"), [(1.0, "[0, 1]"), (0.0, "[0, 1]")])
def test_a_probability_at_its_boundary_is_named(value, index, refuses):
    x = np.column_stack([[0, 1, 1, 0, 1], np.full(5, value)])
    params = MixtureParams([1.0], Bernoullis([[0.6, value]]))
    with refuses(ArithmeticError, f"about probabilities{index}, or it is at the boundary"):
        standard_errors(Mixture(Bernoulli()), x, params)


def test_the_parameter_near_its_boundary_is_told():
    # One offspring in the fourth cell: p is small, and its error as large.
    data = [70, 30, 31, 1]
    params = em(GeneticLinkage(), data, Linkage(0.5), tol=1e-17).params
    with pytest.warns(RuntimeWarning, match=r"error of nonrecombinant says little.*bootstrap"):
        errors = standard_errors(GeneticLinkage(), data, params)
    assert errors["nonrecombinant"] > 0.5 * params.nonrecombinant


def test_a_saddle_has_no_standard_errors(refuses):
    mean = float(DEATHS.repeated("deaths", "days").mean())
    saddle = MixtureParams([0.5, 0.5], Poissons([mean, mean]))
    with refuses(ArithmeticError, "the observed information is singular", "no strict maximum"):
        standard_errors(Mixture(Poisson()), DAYS, saddle)


def test_a_model_with_more_parameters_than_the_data_determine_has_no_standard_errors(refuses):
    # Of a mixture of two Bernoullis only the mixed share is seen.
    x = np.repeat([0, 1], [30, 70])[:, None]
    params = MixtureParams([0.5, 0.5], Bernoullis([[0.6], [0.8]]))
    with refuses(ArithmeticError, "the observed information is singular", "more parameters"):
        standard_errors(Mixture(Bernoulli()), x, params)


def test_complete_data_that_do_not_determine_the_params_are_told(refuses):
    class Twice(GeneticLinkage):
        """Log-odds that enter as a sum of two."""

    two = Chart(
        lambda params: np.full(2, chart(MLE).to_vector(params).item() / 2),
        lambda v: chart(MLE).from_vector(v.sum(keepdims=True)),
    )
    with refuses(ArithmeticError, "the complete information is not positive definite"):
        information(Twice(), RAO, MLE, two).standard_errors  # noqa: B018


def test_a_chart_of_another_model_is_refused(refuses):
    mixture, x, params = groups("EEE")
    with refuses(ValueError, "the chart has 19 coordinates for 13 free parameters"):
        information(mixture, x, params, chart(params))


def test_params_without_a_chart_are_refused(refuses):
    with refuses(ValueError, "there is no chart for float"):
        information(GeneticLinkage(), RAO, 0.5)


# A twin that is wrong on purpose


class Stale(GeneticLinkage):
    """Its surrogate is off by a factor, which no log-likelihood would show."""

    def expected_log_joint(self, stats, params):
        return 1.1 * super().expected_log_joint(stats, params)


def test_the_identities_reject_a_broken_twin():
    found = information(Stale(), RAO, MLE)
    missing = missing_information(Stale(), RAO, MLE)
    assert found.missing.item() != pytest.approx(missing.item(), rel=0.05)
    _, error = (one.published for one in rate.linkage_information())
    with pytest.raises(ArithmeticError, match=r"prints 0\.051467"):
        error.check(found.standard_errors["nonrecombinant"].item())


# The numbers by name, and the differences


def test_parameters_are_named_and_symmetric_halves_told_once():
    _, _, params = old_faithful()
    names = [text for text, _, _ in entries(parameters(params))]
    assert names[:3] == ["weights[0]", "weights[1]", "means[0, 0]"]
    assert [n for n in names if n.startswith("cov")] == [
        f"covariances[{k}, {i}, {j}]" for k in (0, 1) for i, j in ((0, 0), (1, 0), (1, 1))
    ]
    assert [text for text, _, _ in entries(parameters(MLE))] == ["nonrecombinant"]


def test_the_derivative_is_exact_for_a_polynomial_of_fourth_degree():
    def curve(v):
        return np.array([v[0] ** 4 - v[0] * v[1], v[1] ** 3])

    slope = derivative(curve, np.array([1.5, -2.0]), np.array([0.1, 0.3]))
    assert slope == pytest.approx(np.array([[4 * 1.5**3 + 2.0, -1.5], [0.0, 12.0]]))


def test_information_is_a_value():
    found = information(GeneticLinkage(), RAO, MLE)
    assert isinstance(found, Information)
    assert found.covariance == pytest.approx(np.linalg.inv(found.observed))
    assert found.missing_fractions == pytest.approx([found.rate])
