"""What the chapter on hidden factors derives is what emlib computes."""

from __future__ import annotations

from functools import reduce
from operator import matmul

import numpy as np
import pytest
import sympy as sp

from emlib.models.factor_analysis import FactorAnalysis, FactorParams
from emlib.symbolic import factor_em, factors
from emlib.symbolic.matrices import IndexedMatrix, MatrixSum
from emlib.symbolic.notation import meanings_expanded

RNG = np.random.default_rng(17)
DATA = RNG.normal(size=(9, 2)) @ RNG.normal(size=(2, 4)) + 0.5 * RNG.normal(size=(9, 4))
CENTRED = DATA - DATA.mean(axis=0)
COUNT, COLUMNS = DATA.shape
LOADINGS = RNG.normal(size=(4, 2))
NOISE = RNG.uniform(0.4, 1.5, size=4)
PARAMS = FactorParams(DATA.mean(axis=0), LOADINGS, NOISE)
COMMON = FactorParams(DATA.mean(axis=0), LOADINGS, np.full(4, 0.7))
AT = {"W": LOADINGS, "Psi": np.diag(NOISE), "v": 0.7, "N": COUNT, "d": 4, "q": 2}


def value(part: sp.Basic, at: dict[str, object]) -> np.ndarray:
    """A derived number or matrix in numbers; a family of columns is a table with a row for each."""
    if isinstance(part, (sp.Sum, MatrixSum)):
        index, low, high = part.limits[0] if isinstance(part, sp.Sum) else part.limit
        ends = [int(value(end, at)) for end in (low, high)]
        return sum(value(part.function, at | {str(index): i}) for i in range(ends[0], ends[1] + 1))
    if isinstance(part, IndexedMatrix):
        return np.asarray(at[part.name])[int(value(part.index, at)) - 1][:, None]
    if isinstance(part, sp.Indexed):
        return np.asarray(at[str(part.base)])[int(value(part.indices[0], at)) - 1]
    if isinstance(part, sp.Identity):
        return np.eye(int(value(part.shape[0], at)))
    if isinstance(part, (sp.Symbol, sp.MatrixSymbol)):
        return np.asarray(at[str(part)])
    if part.is_Number or part.is_NumberSymbol:
        return np.asarray(float(part))
    inside = [value(argument, at) for argument in part.args]
    if isinstance(part, sp.Inverse):
        return np.linalg.inv(inside[0])
    if isinstance(part, sp.Transpose):
        return inside[0].T
    if part.is_Add or part.is_MatAdd:
        return sum(inside)
    if part.is_Pow:
        return inside[0] ** inside[1]
    if part.is_Mul or part.is_MatMul:
        tables = [factor for factor in inside if factor.ndim]
        numbers = np.prod([factor for factor in inside if not factor.ndim])
        return numbers * reduce(matmul, tables) if tables else numbers
    return FUNCTIONS[type(part)](inside[0])


FUNCTIONS = {
    sp.log: np.log,
    sp.Determinant: np.linalg.det,
    sp.Trace: np.trace,
    factors.inner(factors.z, factors.z).func: lambda table: table[0, 0],
}


def derived(expression: sp.Expr, **at: object) -> np.ndarray:
    return value(meanings_expanded(expression), AT | at)


def posterior(params: FactorParams) -> dict[str, object]:
    """Mean of the factors of each observation, as derived, and their covariance."""
    at = {"W": params.loadings, "Psi": np.diag(params.noise)}
    regression = derived(factors.regression().end, **at)
    return {
        "x": CENTRED,
        "m": CENTRED @ regression.T,
        "G": derived(factors.posterior_covariance().end, **at),
    }


def test_the_covariance_is_the_derived_one() -> None:
    chain = factors.covariance_of_columns()
    entry = meanings_expanded(chain.end)
    w, psi = (
        sp.IndexedBase(s, **facts)
        for s, facts in (("w", {"real": True}), ("psi", {"positive": True}))
    )
    for i, j in np.ndindex(4, 4):
        written_out = entry.subs({factors.q: 2, factors.i: i + 1, factors.j: j + 1}).doit()
        numbers = {w[a + 1, b + 1]: LOADINGS[a, b] for a, b in np.ndindex(4, 2)}
        numbers |= {psi[a + 1]: NOISE[a] for a in range(4)}
        assert float(written_out.xreplace(numbers)) == pytest.approx(
            PARAMS.covariance[i, j], rel=1e-12
        )


def test_the_posterior_of_the_factors_is_the_derived_one() -> None:
    for side in (factors.regression().start, factors.regression().end):
        assert np.allclose(derived(side), PARAMS.regression, rtol=1e-12, atol=1e-14)
    for side in (factors.posterior_covariance().start, factors.posterior_covariance().end):
        assert np.allclose(derived(side), PARAMS.spread, rtol=1e-12, atol=1e-14)
    turned = derived(factors.regression().end, W=-LOADINGS)
    assert not np.allclose(turned, PARAMS.regression, rtol=1e-3)


def test_with_common_noise_too() -> None:
    for claim in factors.ppca_mean().claims:
        assert np.allclose(derived(claim.right), COMMON.regression, rtol=1e-12, atol=1e-14)
    found = derived(factors.ppca_covariance().end)
    assert np.allclose(found, COMMON.spread, rtol=1e-12, atol=1e-14)


def test_woodbury_and_the_determinant_give_the_density() -> None:
    """The log-density of one observation, with the inverse and the determinant as derived."""
    y = CENTRED[0]
    inverse = derived(factors.woodbury().end)
    log_determinant = derived(factors.determinant_lemma().start.args[0], s=1.0)
    density = -(4 * np.log(2 * np.pi) + log_determinant + y @ inverse @ y) / 2
    found = FactorAnalysis(2).log_density(DATA, PARAMS)[0]
    assert found == pytest.approx(float(density), rel=1e-12)


def test_the_exponent_is_the_completed_square() -> None:
    chain = factors.completed_square()
    at = {"x": CENTRED[0][:, None], "z": RNG.normal(size=(2, 1))}
    assert derived(chain.start, **at) == pytest.approx(derived(chain.end, **at), rel=1e-12)


def test_the_new_loadings_are_the_derived_regression() -> None:
    model = FactorAnalysis(2)
    best = model.m_step(model.e_step(DATA, PARAMS)).loadings
    at = posterior(PARAMS)
    regression = derived(factor_em.mixed * factor_em.second.I, **at)
    assert np.allclose(best, regression, rtol=1e-12, atol=1e-13)
    slope = factor_em.loadings_slope().end
    assert np.abs(derived(slope, **at, W=best)).max() < 1e-11
    assert np.abs(derived(slope, **at, W=1.01 * best)).max() > 1e-3


def test_the_step_with_common_noise_needs_the_scatter_only() -> None:
    model = FactorAnalysis(2, noise="isotropic")
    best = model.m_step(model.e_step(DATA, COMMON))
    found = derived(factor_em.ppca_loadings().end, x=CENTRED)
    assert np.allclose(best.loadings, found, rtol=1e-12, atol=1e-13)
    total = derived(
        factor_em.expected_squares(factor_em.W), **posterior(COMMON), W=best.loadings, Psi=np.eye(4)
    )
    left = factor_em.common_noise().given[0]  # the sum of what is left is N d times the best noise
    noise = left.rhs.free_symbols - {factor_em.N, factor_em.d}
    (symbol,) = noise
    (solution,) = sp.solve(left.rhs - sp.Float(float(total), 30), symbol)
    assert best.noise[0] == pytest.approx(
        float(solution.subs({factor_em.N: COUNT, factor_em.d: 4})), rel=1e-12
    )


def test_the_noise_of_a_column_is_its_mean_expected_square() -> None:
    model = FactorAnalysis(2)
    best = model.m_step(model.e_step(DATA, PARAMS))
    at = posterior(PARAMS)
    for i in range(COLUMNS):
        one = at | {"x": CENTRED[:, [i]], "W": best.loadings[[i]], "Psi": np.eye(1)}
        total = derived(factor_em.expected_squares(factor_em.W), **one)
        assert best.noise[i] == pytest.approx(float(total) / COUNT, rel=1e-12)


def test_the_closed_form_is_the_derived_maximum() -> None:
    """Noise, log-likelihood and a slope of zero; other noise gives less."""
    model = FactorAnalysis(2, noise="isotropic")
    best = model.closed_form(DATA)
    covariance = CENTRED.T @ CENTRED / COUNT
    eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
    noise = eigenvalues[2:].mean()
    assert best.noise[0] == pytest.approx(noise, rel=1e-12)
    at = {"lambda": eigenvalues, r"\hat{v}": noise, "m": 2}
    found = model.e_step(DATA, best).log_likelihood
    assert found == pytest.approx(float(derived(factor_em.ppca_value().end, **at)), rel=1e-12)
    fixed = {"W": best.loadings, "v": noise, "S": covariance}
    assert np.abs(derived(factor_em.ppca_slope().end, **fixed)).max() < 1e-11
    assert np.abs(derived(factor_em.ppca_slope().end, **fixed | {"v": 1.1 * noise})).max() > 1e-3
    after = model.m_step(model.e_step(DATA, best))
    assert np.allclose(after.loadings, best.loadings, rtol=1e-11, atol=1e-12)
