"""Standard errors and SQUAREM for models whose charts depend on the model, against Hessians of SciPy's densities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from emlib import Mixture, MixtureParams, em, em_steps
from emlib.charts import chart, chart_of
from emlib.families import (
    Bernoulli,
    Bernoullis,
    Categorical,
    Categoricals,
    Exponential,
    Exponentials,
    Gaussian,
    Gaussians,
    Multinomial,
    Multinomials,
    Poisson,
    Poissons,
    Product,
    Products,
)
from emlib.families.parsimonious import MODELS
from emlib.information import information, standard_errors
from emlib.models.factor_analysis import FactorAnalysis, FactorParams
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams
from emlib.models.student import Student, StudentMixture, Students
from emlib.models.zero_inflated import ZeroInflated
from emlib.variants.map import MaximumPosterior
from emlib.variants.priors import MixturePrior, gamma
from emlib.variants.squarem import squarem_steps


def hessian(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Of a function, by central differences, Richardson's extrapolation taking out the first error."""

    def rough(h: np.ndarray) -> np.ndarray:
        moves = np.diag(h)

        def corner(i: int, j: int) -> float:
            ends = [
                s * t * function(at + s * moves[i] + t * moves[j]) for s in (1, -1) for t in (1, -1)
            ]
            return sum(ends) / (4 * h[i] * h[j])

        table = np.empty((len(at), len(at)))
        for i, j in zip(*np.tril_indices(len(at)), strict=True):
            table[i, j] = table[j, i] = corner(i, j)
        return table

    h = 2e-3 * np.maximum(abs(at), 0.3)
    return (4 * rough(h / 2) - rough(h)) / 3


@dataclass(frozen=True)
class Case:
    """A model, data, a start; and its parameters as a plain vector, whose log-likelihood SciPy knows."""

    name: str
    model: Any
    data: np.ndarray
    start: Any
    plain: Callable[[Any], np.ndarray]
    """The free parameters, one after the other."""
    log_density: Callable[[np.ndarray], np.ndarray]
    """Of the data, given that vector."""
    named: Callable[[Any], np.ndarray]
    """The same entries of what `standard_errors` gives."""


def mixed(weight: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return logsumexp([np.log(weight) + first, np.log1p(-weight) + second], axis=0)


def durations() -> Case:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.exponential(1.0, 150), rng.exponential(12.0, 250)])

    def log_density(v: np.ndarray) -> np.ndarray:
        return mixed(v[0], *(stats.expon.logpdf(x, scale=1 / rate) for rate in v[1:]))

    return Case(
        "exponential",
        Mixture(Exponential()),
        x,
        MixtureParams([0.4, 0.6], Exponentials([1.0, 0.1])),
        lambda p: np.concatenate([p.weights[:1], p.components.rates]),
        log_density,
        lambda e: np.concatenate([e["weights"][:1], e["rates"]]),
    )


def mixed_columns() -> Case:
    rng = np.random.default_rng(1)
    z = rng.random(300) < 0.4
    x = np.column_stack(
        [np.where(z, 0.0, 2.5) + rng.normal(size=300), rng.random(300) < np.where(z, 0.8, 0.3)]
    ).astype(float)

    def log_density(v: np.ndarray) -> np.ndarray:
        each = [
            stats.norm.logpdf(x[:, 0], v[1 + j], np.sqrt(v[3]))
            + stats.bernoulli.logpmf(x[:, 1], v[4 + j])
            for j in (0, 1)
        ]
        return mixed(v[0], *each)

    family = Product((Gaussian("E"), Bernoulli()), ((0,), (1,)))
    parts = (Gaussians.univariate([0.0, 2.5], [1.0, 1.0]), Bernoullis([[0.8], [0.3]]))
    return Case(
        "product with a tied variance",
        Mixture(family),
        x,
        MixtureParams([0.4, 0.6], Products(parts)),
        lambda p: np.concatenate(
            [
                p.weights[:1],
                p.components.parts[0].means.ravel(),
                p.components.parts[0].covariances.ravel()[:1],
                p.components.parts[1].probabilities.ravel(),
            ]
        ),
        log_density,
        lambda e: np.concatenate(
            [
                e["weights"][:1],
                e["0.means"].ravel(),
                e["0.covariances"].ravel()[:1],
                e["1.probabilities"].ravel(),
            ]
        ),
    )


def students(model: str, degrees: Any) -> Case:
    """Two components in the plane; as plain parameters weight, locations, scales (or a shared one), degrees."""
    rng = np.random.default_rng(2)
    x = np.concatenate(
        [
            stats.multivariate_t.rvs([0, 0], [[1, 0.4], [0.4, 1.5]], 5, 250, random_state=rng),
            stats.multivariate_t.rvs([7, 3], [[1, 0.2], [0.2, 1.2]], 5, 200, random_state=rng),
        ]
    )
    copies, lower = (2 if model == "VVV" else 1), np.tril_indices(2)
    number = {"free": 2, "tied": 1}.get(degrees, 0)

    def plain(p: Any) -> np.ndarray:
        c = p.components
        scales = c.scales[:copies][:, lower[0], lower[1]]
        return np.concatenate(
            [p.weights[:1], c.locations.ravel(), scales.ravel(), c.degrees[:number]]
        )

    def log_density(v: np.ndarray) -> np.ndarray:
        locations, rest = v[1:5].reshape(2, 2), v[5:]
        scales = np.empty((copies, 2, 2))
        scales[:, lower[0], lower[1]] = scales[:, lower[1], lower[0]] = rest[: 3 * copies].reshape(
            -1, 3
        )
        found = rest[3 * copies :] if number else np.array([degrees])
        each = [
            stats.multivariate_t.logpdf(x, locations[j], scales[j % copies], found[j % len(found)])
            for j in (0, 1)
        ]
        return mixed(v[0], *each)

    start = Students([[0, 0], [7, 3]], [np.eye(2)] * 2, np.full(2, 5.0 if number else degrees))
    return Case(
        f"student {model} {degrees}",
        StudentMixture(Student(degrees, model)),
        x,
        MixtureParams([0.5, 0.5], start),
        plain,
        log_density,
        lambda e: np.concatenate(
            [
                e["weights"][:1],
                e["locations"].ravel(),
                e["scales"][:copies][:, lower[0], lower[1]].ravel(),
                e["degrees"][:number],
            ]
        ),
    )


def factors(q: int, noise: Any) -> Case:
    rng = np.random.default_rng(3)
    d, n = 5, 400
    loadings = rng.normal(size=(d, q))
    x = rng.normal(size=(n, q)) @ loadings.T + rng.normal(size=(n, d)) * 0.7 + 3
    free, copies = np.tri(d, q, dtype=bool), (d if noise == "diagonal" else 1)

    def entries(p: Any) -> np.ndarray:
        return np.concatenate([p["mean"], p["loadings"][free], p["noise"][:copies]])

    def log_density(v: np.ndarray) -> np.ndarray:
        table = np.zeros((d, q))
        table[free] = v[d:-copies]
        return stats.multivariate_normal.logpdf(
            x, v[:d], table @ table.T + np.diag(np.ones(d) * v[-copies:])
        )

    model = FactorAnalysis(q, noise)
    return Case(
        f"{q} factors, {noise}",
        model,
        x,
        model.start(x, rng),
        lambda p: entries(vars(p)),
        log_density,
        entries,
    )


CASES = [
    durations(),
    mixed_columns(),
    students("VVV", "free"),
    students("EEE", "tied"),
    students("EEE", 5.0),
    *(factors(q, noise) for q in (1, 2) for noise in ("diagonal", "isotropic")),
]
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@cache
def maximum(name: str) -> Any:
    case = next(case for case in CASES if case.name == name)
    params = em(case.model, case.data, case.start, tol=1e-13, steps=squarem_steps).params
    return params.triangular if isinstance(params, FactorParams) else params


@each_case
def test_standard_errors_are_those_of_the_hessian_of_the_density(case: Case) -> None:
    params = maximum(case.name)
    at = case.plain(params)
    found = standard_errors(case.model, case.data, params)
    observed = -hessian(lambda v: float(case.log_density(v).sum()), at)
    assert case.named(found) == pytest.approx(np.sqrt(np.diag(np.linalg.inv(observed))), rel=1e-4)
    assert case.model.free_parameters(params) == len(at)


@each_case
def test_squarem_arrives_where_em_does_and_sooner(case: Case) -> None:
    target = float(case.log_density(case.plain(maximum(case.name))).sum())

    def steps_of(steps: Any, cost: int) -> int:
        for number, step in enumerate(islice(steps(case.model, case.data, case.start), 5000)):
            if step.log_likelihood > target - 1e-6:
                return cost * number
        raise AssertionError("did not arrive")

    # A step of SQUAREM costs three of EM, or four.
    assert steps_of(squarem_steps, 3) <= 1.5 * steps_of(em_steps, 1) + 6


@pytest.mark.parametrize(
    ("model", "degrees"),
    [("EII", "tied"), ("VEI", "free"), ("EVE", 5.0), ("VEV", "tied"), ("EEV", "free")],
)
def test_students_bend_as_their_density_does(model: str, degrees: Any) -> None:
    x = students("VVV", 5.0).data
    mixture = StudentMixture(Student(degrees, model))
    axes = [np.diag([1.0, 2.0])] * 2
    start = MixtureParams([0.5, 0.5], Students([[0, 0], [7, 3]], axes, [5.0, 5.0]))
    params = em(mixture, x, start, tol=1e-11, steps=squarem_steps).params
    here = chart_of(mixture, params)
    at = here.to_vector(params)

    def log_likelihood(vector: np.ndarray) -> float:
        p = here.from_vector(vector)
        c = p.components
        each = [
            stats.multivariate_t.logpdf(x, *of)
            for of in zip(c.locations, c.scales, c.degrees, strict=True)
        ]
        return float(mixed(p.weights[0], *each).sum())

    observed = information(mixture, x, params).observed
    rng = np.random.default_rng(0)
    for direction in rng.normal(size=(4, len(at))) / np.sqrt(np.diag(observed)):
        along = hessian(
            lambda t, move=direction: log_likelihood(at + t[0] * move), np.zeros(1)
        ).item()
        assert direction @ observed @ direction == pytest.approx(-along, rel=1e-5)


@pytest.mark.parametrize("degrees", ["free", "tied", 5.0])
@pytest.mark.parametrize("model", MODELS)
def test_a_coordinate_for_each_free_parameter_of_a_student(model: str, degrees: Any) -> None:
    mixture = StudentMixture(Student(degrees, model))
    axes = [np.diag([1.0, 2.0])] * 2
    params = MixtureParams([0.5, 0.5], Students([[0, 0], [7, 3]], axes, [5.0, 5.0]))
    here = chart_of(mixture, params)
    assert len(here.to_vector(params)) == mixture.free_parameters(params)
    assert here.from_vector(here.to_vector(params)).components.degrees == pytest.approx([5.0, 5.0])


def test_rotated_loadings_have_no_standard_errors_and_the_remedy_is_told(refuses: Any) -> None:
    case = factors(2, "diagonal")
    params = maximum(case.name)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = FactorParams(params.mean, params.loadings @ turn, params.noise)
    with refuses(ValueError, "any rotation of 2 factors", "params.triangular"):
        standard_errors(case.model, case.data, turned)
    back = turned.triangular
    assert back.covariance == pytest.approx(turned.covariance, rel=1e-12)
    assert abs(back.loadings) == pytest.approx(abs(params.loadings), rel=1e-10, abs=1e-12)
    assert back.loadings[0, 1] == 0.0
    assert standard_errors(case.model, case.data, back)["noise"] == pytest.approx(
        standard_errors(case.model, case.data, params)["noise"], rel=1e-6
    )


def test_levels_have_the_standard_error_of_a_share() -> None:
    x = np.array([[0, 0], [1, 1], [2, 0], [0, 0], [1, 0], [0, 1], [2, 1], [0, 0]])
    p = np.array([[0.5, 0.25, 0.25], [5 / 8, 3 / 8, 0.0]])
    params = MixtureParams([1.0], Categoricals(p[None]))
    errors = standard_errors(Mixture(Categorical((3, 2))), x, params)["probabilities"][0]
    assert errors == pytest.approx(np.sqrt(p * (1 - p) / 8), rel=1e-6)
    counts = np.array([[3, 1, 0], [2, 2, 2]])
    q = counts.sum(axis=0) / 10
    found = standard_errors(Mixture(Multinomial()), counts, MixtureParams([1.0], Multinomials([q])))
    assert found["probabilities"][0] == pytest.approx(np.sqrt(q * (1 - q) / 10), rel=1e-6)


def test_a_level_of_probability_zero_is_at_the_boundary(refuses: Any) -> None:
    model = Mixture(Categorical((3,)))
    params = MixtureParams([1.0], Categoricals([[[0.5, 0.5, 0.0]]]))
    with refuses(ArithmeticError, "boundary"):
        standard_errors(model, [0, 1, 0, 1], params)
    # Without the family, a level that no component has is none.
    assert len(chart(params).to_vector(params)) == 1


def test_tied_parts_are_found_inside_other_models() -> None:
    tied, k = Gaussian("EEE"), 2
    gaussians = Gaussians([[0.0, 1.0], [3.0, 2.0]], [np.eye(2)] * k)
    chain = HiddenMarkovParams([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], gaussians)
    # Start and moves, means, one covariance.
    assert len(chart_of(HiddenMarkov(tied), chain).to_vector(chain)) == 1 + 2 + 4 + 3
    inflated = MixtureParams([0.2, 0.3, 0.5], gaussians)
    assert len(chart_of(Mixture(ZeroInflated(tied)), inflated).to_vector(inflated)) == 2 + 4 + 3
    posterior = MaximumPosterior(Mixture(Poisson()), MixturePrior(gamma(2.0, 1.0)))
    rates = MixtureParams([0.5, 0.5], Poissons([1.0, 4.0]))
    assert chart_of(posterior, rates).to_vector(rates) == pytest.approx(
        chart(rates).to_vector(rates)
    )
