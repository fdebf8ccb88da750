"""The E-step of a mixture over one block of rows, as fast as NumPy goes.

What makes it fast: rows are taken in pieces that stay in the cache and laid out column by column, so that the
responsibilities never reach memory; the log-joint densities of an exponential family are one matrix product, its
statistics another; the exponentials are summed without a look for the largest, and again with one where that fails.

What keeps it right: a quadratic form loses digits where the data lie far from the point that it is expanded about, and
the loss has a bound. Whoever expands one computes the bound for every block; where it is too large, the block goes the
long way, by differences from each mean.

Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 3.1 (rounding of inner products).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.data import Block

CACHE = 2**17
"""Floats of one piece: a MiB."""

EPS = float(np.finfo(float).eps)

SMALLEST_EXPONENT = -700.0
"""Below it the exponential is no normal number, and arithmetic on it slow; e^-700 is 1e-304."""


def pieces(rows: int, floats_a_row: int) -> Iterator[slice]:
    """Cuts of a block whose working arrays stay in the cache."""
    size = max(256, CACHE // floats_a_row)
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def posterior(
    table: Float[Array, "k n"], fill: Callable[[Float[Array, "k n"]], object]
) -> Float[Array, " n"]:
    """Turn log-joint densities into responsibilities, in place, and return the log-evidence of each column.

    `fill` writes the log-joint densities anew: they are needed once more where the plain exponentials leave the safe
    range, and the largest must be taken out first.
    """
    np.exp(table, out=table)
    total = np.add.reduce(table, axis=0)
    if total.min() > 1e-100 and total.max() < 1e100:
        evidence = np.log(total)
    else:
        fill(table)
        largest = np.maximum.reduce(table, axis=0)
        # Where all are -inf the observation is impossible: its evidence is -inf, and none is more responsible.
        table -= np.where(np.isfinite(largest), largest, 0.0)
        np.maximum(table, SMALLEST_EXPONENT, out=table)
        np.exp(table, out=table)
        total = np.add.reduce(table, axis=0)
        evidence = largest + np.log(total)
    np.reciprocal(total, out=total)
    table *= total
    return evidence


def product_step(
    columns: Float[Array, "d n"],
    weights: Float[Array, " n"] | None,
    natural: Float[Array, "k p"],
    features: Callable[[Float[Array, "d n"], Float[Array, "p n"]], None],
) -> tuple[float, Float[Array, "k p"]]:
    """The sum of log sum_k exp(<natural_k, features_n>), and the features weighted by the responsibilities.

    `features` writes the features of some columns; the last is the constant 1, so that the last column of `natural` is
    what does not depend on the data.
    """
    (k, p), n = natural.shape, columns.shape[1]
    sums, evidence = np.zeros((k, p)), 0.0
    with np.errstate(over="ignore", under="ignore"):
        for cut in pieces(n, k + p):
            phi, table = np.empty((p, cut.stop - cut.start)), np.empty((k, cut.stop - cut.start))
            features(columns[:, cut], phi)
            np.dot(natural, phi, out=table)
            own = posterior(table, lambda out, phi=phi: np.dot(natural, phi, out=out))
            if weights is not None:
                table *= weights[cut]
                own *= weights[cut]
            evidence += float(own.sum())
            sums += np.dot(table, phi.T)
    return evidence, sums


def difference_step(
    block: Block,
    means: Float[Array, "k d"],
    whiteners: Float[Array, "k d d"] | Float[Array, "k d"],
    constants: Float[Array, " k"],
) -> tuple[
    float, Float[Array, " k"], Float[Array, "k d"], Float[Array, "k d d"] | Float[Array, "k d"]
]:
    """The same for Gaussians, by y = whitener_k (x - mean_k): slower, and exact wherever the data lie.

    Whiteners are matrices, or vectors where the covariances are diagonal. Returns the log-likelihood, and for each
    component the weighted sums of 1, y and y y' (of 1, y and y * y for vectors).
    """
    (k, d), diagonal = means.shape, whiteners.ndim == 2
    evidence, counts, first, second = 0.0, np.zeros(k), np.zeros((k, d)), np.zeros(whiteners.shape)
    with np.errstate(over="ignore", under="ignore"):
        for cut in pieces(len(block.x), k * (d + 1) + 3 * d):
            x = np.ascontiguousarray(block.x[cut].T)
            y, squares = np.empty((k, *x.shape)), np.empty((k, x.shape[1]))
            shifted = np.empty_like(x)
            for j in range(k):
                np.subtract(x, means[j, :, None], out=shifted)
                if diagonal:
                    np.multiply(shifted, whiteners[j, :, None], out=y[j])
                else:
                    np.dot(whiteners[j], shifted, out=y[j])
                np.einsum("dn,dn->n", y[j], y[j], out=squares[j])

            def fill(out: Array, squares: Array = squares) -> None:
                np.multiply(squares, -0.5, out=out)
                out += constants[:, None]

            table = np.empty_like(squares)
            fill(table)
            own = posterior(table, fill)
            if block.weights is not None:
                table *= block.weights[cut]
                own *= block.weights[cut]
            evidence += float(own.sum())
            counts += table.sum(axis=1)
            for j in range(k):
                weighted = np.multiply(y[j], table[j], out=shifted)
                first[j] += weighted.sum(axis=1)
                if diagonal:
                    second[j] += np.einsum("dn,dn->d", weighted, y[j])
                else:
                    second[j] += np.dot(weighted, y[j].T)
    return evidence, counts, first, second
