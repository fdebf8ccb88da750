"""Columns whose units differ by many powers of ten: every covariance model keeps the digits of the smallest."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from emlib import Chunks, Mixture, em
from emlib.families import Gaussian, parsimonious
from emlib.families.parsimonious import MODELS
from emlib.families.principal_axes import principal_axes
from emlib.start import start
from emlib.variants.incremental import incremental_steps

UNITS = [(1.0, 1.0, 1e6), (1e12, 1.0, 1.0), (1e-6, 1.0, 1e6)]


def two_groups(seed: int, units: tuple[float, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    group, d = rng.integers(0, 2, 150), len(units)
    spread = rng.normal(size=(2, d, d))
    x = np.einsum("nij,nj->ni", spread[group], rng.normal(size=(150, d))) + 3 * group[:, None]
    return x * units


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("name", MODELS)
def test_em_climbs_whatever_the_units(name: str, units: tuple[float, ...]) -> None:
    model = Mixture(Gaussian(name))
    for seed in (0, 1):
        x = two_groups(seed, units)
        first = start(model, x, 2, np.random.default_rng(seed))
        em(model, x, first, tol=1e-8, max_steps=40)
        pieces = Chunks([x[:50], x[50:90], x[90:]])
        em(model, pieces, first, tol=1e-8, max_steps=20, steps=incremental_steps)


def graded(seed: int, d: int, scale: float) -> np.ndarray:
    """Scatter matrices of d columns, all but the last in the same unit: where `eigh` is at its worst."""
    rng = np.random.default_rng(seed)
    units = np.ones(d)
    units[-1] = scale
    x = rng.normal(size=(3, 4 * d, d)) @ rng.normal(size=(d, d)) * units
    return x.swapaxes(1, 2) @ x


def exact_eigenvalues(matrix: np.ndarray) -> list[Any]:
    with mpmath.workdps(60):
        return sorted(mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True))


@pytest.mark.parametrize(("d", "scale"), [(3, 1e6), (3, 1e12), (5, 1e9)])
def test_the_smallest_eigenvalue_keeps_its_digits(d: int, scale: float) -> None:
    scatter = graded(7, d, scale)
    exact = np.array([[float(value) for value in exact_eigenvalues(each)] for each in scatter])
    values, axes = principal_axes(scatter)
    assert values == pytest.approx(exact, rel=1e-11)
    # The axes too: entries of columns large and small, put together again.
    again = (axes * values[:, None, :]) @ axes.swapaxes(1, 2)
    sizes = np.sqrt(np.diagonal(scatter, axis1=1, axis2=2))
    assert abs(again - scatter) == pytest.approx(0, abs=1e-12 * sizes.max() ** 2)
    assert (abs(again - scatter) <= 1e-12 * sizes[:, :, None] * sizes[:, None, :]).all()
    assert axes.swapaxes(1, 2) @ axes == pytest.approx(np.stack([np.eye(d)] * 3), abs=1e-10)
    # What eigh alone would give.
    assert abs(np.linalg.eigvalsh(scatter) / exact - 1).max() > 1e-7


@pytest.mark.parametrize("scale", [1e6, 1e7])
def test_the_estimate_of_one_shape_is_the_least_to_its_last_digits(scale: float) -> None:
    scatter, counts = graded(3, 3, scale), np.array([20.0, 30.0, 50.0])
    found = MODELS["EEV"].estimate(scatter, counts)
    with mpmath.workdps(60):
        totals = [sum(ends) for ends in zip(*map(exact_eigenvalues, scatter), strict=True)]
        least = 100 * sum(mpmath.log(total / 100) for total in totals) + 300

        def criterion(covariances: np.ndarray) -> float:
            value = mpmath.mpf(0)
            for n, c, w in zip(counts, covariances, scatter, strict=True):
                c, w = mpmath.matrix(c.tolist()), mpmath.matrix(w.tolist())
                inverse = c**-1
                trace = sum(inverse[i, j] * w[j, i] for i in range(3) for j in range(3))
                value += n * mpmath.log(mpmath.det(c)) + trace
            return float(value - least)

        assert abs(criterion(found)) < 1e-10
        values, axes = np.linalg.eigh(scatter)
        rough = (axes * (values.sum(axis=0) / 100).clip(1e-300)) @ axes.swapaxes(1, 2)
        assert abs(criterion(rough)) > 1e-8


def test_a_rough_eigendecomposition_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        parsimonious, "principal_axes", lambda matrices: tuple(np.linalg.eigh(matrices))
    )
    x = two_groups(0, UNITS[0])
    model = Mixture(Gaussian("EEV"))
    first = start(model, x, 2, np.random.default_rng(0))
    with pytest.raises(ArithmeticError):
        em(model, x, first, tol=1e-8, max_steps=60)


@pytest.mark.parametrize("size", [1e-290, 1e290])
def test_axes_of_very_small_and_very_large_scatter(size: float) -> None:
    matrix = np.diag([1.0, 4.0, 1e-12])
    matrix[0, 1] = matrix[1, 0] = 1e-200
    values, axes = principal_axes(size * matrix[None])
    assert values[0] / size == pytest.approx([1e-12, 1.0, 4.0], rel=1e-14)
    assert abs(axes[0]) == pytest.approx(np.eye(3)[:, [2, 0, 1]], abs=1e-14)
