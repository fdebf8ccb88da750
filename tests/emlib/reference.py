"""One step of EM for a mixture of Gaussians to 50 digits, of the very floats that are given.

Slow, plain, and written without a look at the library: the formulas of Bishop (2006), section 9.2, in the order in
which they are printed there, and no trick that floats would ask for. The covariances that the components share are
those of Celeux & Govaert (1995), "Gaussian parsimonious clustering models", Pattern Recognition 28(5), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf

from emlib import MixtureParams
from emlib.families import Gaussians

DIGITS = 50
MODELS = ("VVV", "EEE", "VVI", "VII")

Row = list[Any]
Matrix = list[Row]


@dataclass(frozen=True)
class Exact:
    """What EM finds at some params, and the params of its next step; all of 50 digits."""

    log_likelihood: Any
    log_densities: Matrix
    """log w_k N(x_n | k), a row an observation."""
    squares: Matrix
    """(x_n - mu_k)' Sigma_k^-1 (x_n - mu_k), a row an observation."""
    responsibilities: Matrix
    counts: Row
    weights: Row
    means: Matrix
    covariances: list[Matrix]


def em_step(
    x: np.ndarray,
    params: MixtureParams[Gaussians],
    model: str = "VVV",
    row_weights: np.ndarray | None = None,
) -> Exact:
    """The log-likelihood at the params, and the params after one step. `model` is one of MODELS."""
    with mp.workdps(DIGITS):
        data = _exact(np.reshape(x, (len(x), -1)))
        weights, means = _exact(params.weights), _exact(params.components.means)
        covariances = _exact(params.components.covariances)
        inverses = [_cholesky_inverse(covariance) for covariance in covariances]
        squares = [
            [
                _square(inverse, row, mean)
                for (inverse, _), mean in zip(inverses, means, strict=True)
            ]
            for row in data
        ]
        constants = [
            mp.log(weight) - (len(mean) * mp.log(2 * mp.pi) + log_determinant) / 2
            for weight, mean, (_, log_determinant) in zip(weights, means, inverses, strict=True)
        ]
        table = [
            [c - square / 2 for c, square in zip(constants, row, strict=True)] for row in squares
        ]
        evidence = [_log_sum_exp(row) for row in table]
        shares = [[mp.exp(v - e) for v in row] for row, e in zip(table, evidence, strict=True)]
        rows = _exact(np.ones(len(x)) if row_weights is None else row_weights)
        weighted = [[weight * r for r in row] for weight, row in zip(rows, shares, strict=True)]
        fitted = m_step(x, weighted, model)
        return Exact(mp.fdot(rows, evidence), table, squares, shares, *fitted)


def m_step(
    x: np.ndarray, responsibilities: Any, model: str = "VVV"
) -> tuple[Row, Row, Matrix, list[Matrix]]:
    """Counts, weights, means and covariances that fit weighted data best."""
    with mp.workdps(DIGITS):
        data = _exact(np.reshape(x, (len(x), -1)))
        columns = list(zip(*data, strict=True))
        shares = list(zip(*_exact(responsibilities), strict=True))
        counts = [mp.fsum(share) for share in shares]
        n = mp.fsum(counts)
        means = [
            [mp.fdot(share, column) / count for column in columns]
            for share, count in zip(shares, counts, strict=True)
        ]
        scatters = [
            _scatter(
                share, [[v - m for v in column] for column, m in zip(columns, mean, strict=True)]
            )
            for share, mean in zip(shares, means, strict=True)
        ]
        return counts, [count / n for count in counts], means, _shared(scatters, counts, model)


def _scatter(share: Row, centred: Matrix) -> Matrix:
    weighted = [[r * v for r, v in zip(share, column, strict=True)] for column in centred]
    lower = [
        [mp.fdot(left, right) for right in centred[: i + 1]] for i, left in enumerate(weighted)
    ]
    d = range(len(centred))
    return [[lower[max(i, j)][min(i, j)] for j in d] for i in d]


def _shared(scatters: list[Matrix], counts: Row, model: str) -> list[Matrix]:
    d, dimensions = len(scatters[0]), range(len(scatters[0]))
    own = [
        [[entry / count for entry in row] for row in scatter]
        for scatter, count in zip(scatters, counts, strict=True)
    ]
    if model == "VVV":
        return own
    if model == "EEE":
        n = mp.fsum(counts)
        pooled = [[mp.fsum(s[i][j] for s in scatters) / n for j in dimensions] for i in dimensions]
        return [pooled for _ in scatters]
    if model == "VVI":
        return [
            [[c[i][j] if i == j else mpf(0) for j in dimensions] for i in dimensions] for c in own
        ]
    if model == "VII":
        variances = [mp.fsum(c[i][i] for i in dimensions) / d for c in own]
        return [
            [[v if i == j else mpf(0) for j in dimensions] for i in dimensions] for v in variances
        ]
    raise ValueError(f"model: expected one of {MODELS}, got {model!r}")


def _exact(values: Any) -> Any:
    """Floats as they are, not as they print."""
    if isinstance(values, np.ndarray):
        values = values.astype(float).tolist()
    if isinstance(values, (list, tuple)):
        return [_exact(value) for value in values]
    return mpf(values)


def _cholesky_inverse(covariance: Matrix) -> tuple[Matrix, Any]:
    """The inverse of the lower Cholesky factor, and the log-determinant of the covariance."""
    d = len(covariance)
    factor = [[mpf(0)] * d for _ in range(d)]
    for i in range(d):
        for j in range(i + 1):
            rest = covariance[i][j] - mp.fdot(factor[i][:j], factor[j][:j])
            factor[i][j] = mp.sqrt(rest) if i == j else rest / factor[j][j]
    inverse = [[mpf(0)] * d for _ in range(d)]
    for j in range(d):
        inverse[j][j] = 1 / factor[j][j]
        for i in range(j + 1, d):
            column = [inverse[m][j] for m in range(j, i)]
            inverse[i][j] = -mp.fdot(factor[i][j:i], column) / factor[i][i]
    return inverse, 2 * mp.fsum(mp.log(factor[i][i]) for i in range(d))


def _square(inverse: Matrix, row: Row, mean: Row) -> Any:
    difference = [a - b for a, b in zip(row, mean, strict=True)]
    whitened = [mp.fdot(line[: i + 1], difference[: i + 1]) for i, line in enumerate(inverse)]
    return mp.fsum(v * v for v in whitened)


def _log_sum_exp(values: Row) -> Any:
    largest = max(values)
    return largest + mp.log(mp.fsum(mp.exp(value - largest) for value in values))
