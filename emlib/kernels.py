"""The E-step of a mixture over one block of rows, as fast as NumPy goes.

What makes it fast: rows are taken in pieces that stay in the cache and laid out column by column, so that the
responsibilities never reach memory; the log-odds of an exponential family's components are one matrix product, its
statistics another; exponentials are summed without taking out the largest of each row, unless one is too large.

What keeps it right: a quadratic form loses digits where the data lie far from the point that it is expanded about, and
the loss has a bound. Whoever expands one computes the bound for every block; where it is too large, the block goes the
long way, by differences from each mean.

Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 3.1 (rounding of inner products).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array

if TYPE_CHECKING:
    from jaxtyping import Float

CACHE = 2**18
"""Floats of one piece: two MiB."""

EPS = float(np.finfo(float).eps)

SMALLEST_EXPONENT = -700.0
"""So far below the largest the exponential is no normal number, and arithmetic on it slow; e^-700 is 1e-304."""
LARGEST_EXPONENT = 200.0
"""Up to it sums of exponentials may be multiplied, three at a time, without a look."""


class Room:
    """Memory that serves one piece after another: the first touch of fresh memory costs as much as a multiplication."""

    def __init__(self) -> None:
        self._floats: Array = np.empty(0)

    def __call__(self, rows: int, columns: int) -> Array:
        """A matrix to be filled; the one before it is lost."""
        if rows * columns > len(self._floats):
            self._floats = np.empty(rows * columns)
        return self._floats[: rows * columns].reshape(rows, columns)


def pieces(rows: int, floats_a_row: int) -> Iterator[slice]:
    """Cuts of a block, of equal size, so small that what is computed from each stays in the cache."""
    number = math.ceil(rows / max(256, CACHE // floats_a_row))
    return (slice(i * rows // number, (i + 1) * rows // number) for i in range(number))


def posterior(table: Float[Array, "k n"], weights: Float[Array, " n"] | None) -> float:
    """Turn log-joint densities into weighted responsibilities, in place, and return the weighted log-evidence."""
    largest = table.max(axis=0)
    table -= largest
    _exponential(table, SMALLEST_EXPONENT)
    total = np.add.reduce(table, axis=0)
    evidence = _logs_and_factors(total, weights)
    table *= total
    return evidence + float(largest.sum() if weights is None else largest @ weights)


def posterior_of_odds(table: Float[Array, "k n"], weights: Float[Array, " n"] | None) -> float:
    """The same from log-odds against the first component, whose row is taken for zeros, whatever it holds.

    One exponential in k is saved, and no largest taken out unless one is too large.
    """
    odds = table[1:]
    largest = odds.max(initial=0.0)
    if largest > LARGEST_EXPONENT:
        table[0] = 0.0
        return posterior(table, weights)
    _exponential(odds, largest + SMALLEST_EXPONENT)
    total = np.add.reduce(odds, axis=0, out=table[0])
    total += 1.0
    # What every column is multiplied by is the responsibility of the first component.
    evidence = _logs_and_factors(total, weights)
    odds *= total
    return evidence


def _exponential(table: Float[Array, "k n"], smallest: float) -> None:
    if table.min(initial=0.0) < smallest:
        np.maximum(table, smallest, out=table)
    np.exp(table, out=table)


def _logs_and_factors(total: Float[Array, " n"], weights: Float[Array, " n"] | None) -> float:
    """The weighted sum of the logarithms of what columns sum to; the sums become what scales each to its weight."""
    if weights is None:
        # One logarithm for three sums, whose product no float overflows.
        third = len(total) // 3
        products = np.multiply.reduce(total[: 3 * third].reshape(3, third), axis=0)
        logs = float(np.log(products).sum() + np.log(total[3 * third :]).sum())
        np.reciprocal(total, out=total)
    else:
        logs = float(np.log(total) @ weights)
        np.divide(weights, total, out=total)
    return logs


class ProductSums:
    """Sums over rows of responsibilities times features, where <natural_k, features_n> are the log-joint densities.

    The last feature is the constant 1, so that the last column of `natural` is what does not depend on the data.
    """

    def __init__(self, natural: Float[Array, "k p"]) -> None:
        self.natural = natural
        # BLAS takes four rows at a time: of four, leaving out the first, which is zero, would cost more than it saves.
        self._left_out = 0 if len(natural) % 4 == 0 else 1
        self.relative = natural[self._left_out :] - natural[0]
        self._room = Room()
        self.sums = np.zeros(natural.shape)
        self._evidence = 0.0

    def add(self, features: Float[Array, "p n"], weights: Float[Array, " n"] | None) -> None:
        """Sum over some more rows."""
        table = self._room(len(self.natural), features.shape[1])
        np.dot(self.relative, features, out=table[self._left_out :])
        self._evidence += posterior_of_odds(table, weights)
        self.sums += np.dot(table, features.T)

    @property
    def evidence(self) -> float:
        """The sum of log sum_k exp(<natural_k, features_n>)."""
        # Responsibilities sum to one: the features of all data are the sums over the components.
        return self._evidence + float(self.natural[0] @ self.sums.sum(axis=0))


class DifferenceSums:
    """The same for Gaussians, by y = whitener_k (x - mean_k): slower, and exact wherever the data lie.

    Whiteners are matrices, or vectors where the covariances are diagonal. Summed are 1, y and y y' (1, y and y * y for
    vectors), weighted by the responsibilities.
    """

    def __init__(
        self,
        means: Float[Array, "k d"],
        whiteners: Float[Array, "k d d"] | Float[Array, "k d"],
        constants: Float[Array, " k"],
    ) -> None:
        self.means, self.whiteners, self.constants = means, whiteners, constants
        self.diagonal = whiteners.ndim == 2
        self.evidence = 0.0
        self.counts, self.first = np.zeros(len(means)), np.zeros(means.shape)
        self.second = np.zeros(whiteners.shape)

    def add(self, x: Float[Array, "n d"], weights: Float[Array, " n"] | None) -> None:
        """Sum over some more rows."""
        shifted = np.ascontiguousarray(x.T) - self.means[:, :, None]
        y = shifted * self.whiteners[:, :, None] if self.diagonal else self._whitened(shifted)
        table = np.einsum("kdn,kdn->kn", y, y)
        table *= -0.5
        table += self.constants[:, None]
        if math.isinf(table.min()):
            # Squares beyond all floats: what is impossible under one component says nothing of it.
            impossible = np.isinf(table)
            if impossible.all(axis=0).any():
                self.evidence = -math.inf
                return
            y = np.where(impossible[:, None, :], 0.0, y)
        self.evidence += posterior(table, weights)
        self.counts += table.sum(axis=1)
        # With the root on both sides the product with its own transpose costs half.
        root = np.sqrt(table, out=table)
        y *= root[:, None, :]
        self.first += np.matmul(y, root[:, :, None])[:, :, 0]
        if self.diagonal:
            self.second += np.einsum("kdn,kdn->kd", y, y)
        else:
            self.second += np.matmul(y, y.transpose(0, 2, 1))

    def _whitened(self, shifted: Float[Array, "k d n"]) -> Float[Array, "k d n"]:
        # Whiteners are triangular: the upper half of the rows sees only the left half of the columns.
        if len(self.means[0]) < 16:
            y: Array = np.matmul(self.whiteners, shifted)
            return y
        half = len(self.means[0]) // 2
        y = np.empty_like(shifted)
        np.matmul(self.whiteners[:, :half, :half], shifted[:, :half], out=y[:, :half])
        np.matmul(self.whiteners[:, half:], shifted, out=y[:, half:])
        return y
