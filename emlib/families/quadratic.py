"""The E-step of a Gaussian mixture over a block of rows: by matrix products, or by differences where these lose digits.

With z = x - centre the log-joint density is <natural_k, (z z', z, 1)>. The terms of that product are below |P_k| R^2
for rows within R of the centre, and its rounding is below a small multiple of EPS of that. Where the bound is too
large, for narrow components in wide data, y = whitener_k (x - mean_k) is computed for every component instead.

Source: Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 3.1 (rounding of inner products).
"""

from __future__ import annotations

import math
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels
from emlib.families.moments import DiagonalMoments, Moments, diagonals
from emlib.kernels import EPS, DifferenceSums, ProductSums, Room, pieces

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from emlib.data import Block
    from emlib.families.gaussian import Gaussians

PRODUCT_LIMIT = 1e-10
"""Nats that the matrix product may cost a log-density, by its bound."""
PRODUCT_DIMENSIONS = 15
"""Beyond, d (d + 1) / 2 products a row cost more than d multiplications by a matrix."""
FEW = 2000
"""Log-densities in a block for which the natural params are not worth their while."""


class QuadraticKernel:
    """The E-step for given params; what depends on them alone is computed once."""

    def __init__(self, log_weights: Float[Array, " k"], params: Gaussians, diagonal: bool) -> None:
        self.log_weights, self.params, self.diagonal = log_weights, params, diagonal
        self.constants = log_weights + params.log_norms

    def __call__(self, block: Block) -> tuple[float, Moments, float]:
        """Log-likelihood, statistics, and a bound on the rounding in nats."""
        (n, d), k = block.x.shape, len(self.constants)
        if n * k <= FEW or (d > PRODUCT_DIMENSIONS and not self.diagonal):
            differences = self._differences()
            for cut in pieces(n, 2 * k * (d + 1)):
                part = block.part(cut)
                differences.add(part.x, part.weights)
            moments = self._moments(differences)
            return differences.evidence, moments, float(moments.counts @ self.params.rounding)
        return self._expanded(block)

    def _expanded(self, block: Block) -> tuple[float, Moments, float]:
        expansion = self._expansion
        products, rounding, room = ProductSums(expansion.natural), 0.0, Room()
        differences: DifferenceSums | None = None
        error_of_all = expansion.error(block.extremes)
        for cut in pieces(len(block.x), sum(expansion.natural.shape)):
            part = block.part(cut)
            error = error_of_all
            if error >= PRODUCT_LIMIT:
                error = expansion.error(part.extremes)
            if error < PRODUCT_LIMIT:
                products.add(expansion.features(part.x, room), part.weights)
                rounding += error * part.observations
            else:
                differences = differences or self._differences()
                differences.add(part.x, part.weights)
        evidence = products.evidence
        # About the means, as those by differences are: sums of both kinds lose nothing then.
        moments = expansion.moments(products.sums).about(self.params.means)
        if differences is not None:
            evidence += differences.evidence
            moments = moments + self._moments(differences)
        return evidence, moments, rounding + float(moments.counts @ self.params.rounding)

    def _differences(self) -> DifferenceSums:
        whiteners = self.params.whiteners
        if self.diagonal:
            whiteners = diagonals(whiteners)
        return DifferenceSums(self.params.means, whiteners, self.constants)

    def _moments(self, sums: DifferenceSums) -> Moments:
        means, factors = self.params.means, self.params.factors
        if self.diagonal:
            deviations = diagonals(factors)
            second = sums.second * deviations**2
            return DiagonalMoments(means, sums.counts, sums.first * deviations, second)
        first = np.matmul(factors, sums.first[:, :, None])[:, :, 0]
        second = factors @ sums.second @ factors.transpose(0, 2, 1)
        return Moments(means, sums.counts, first, second)

    @cached_property
    def _expansion(self) -> Expansion:
        return Expansion(self.log_weights, self.params, self.diagonal)


class Expansion:
    """The log-joint density of every component, expanded about the centre of the mixture."""

    def __init__(self, log_weights: Float[Array, " k"], params: Gaussians, diagonal: bool) -> None:
        self.diagonal, means, precisions = diagonal, params.means, params.precisions
        shares = np.exp(log_weights)
        shares /= shares.sum()
        self.centre = shares @ means
        z = means - self.centre
        linear = np.einsum("kij,kj->ki", precisions, z)
        constants = log_weights + params.log_norms - 0.5 * (linear * z).sum(axis=1)
        if diagonal:
            quadratic = -0.5 * diagonals(precisions)
        else:
            row, column, factor = triangle(len(self.centre))
            quadratic = precisions[:, row, column] * factor
        self.natural = np.concatenate([quadratic, linear, constants[:, None]], axis=1)
        # The bound on the error is taken in units of the spread of each column.
        self.variances = shares @ (params.variances + z * z)
        spread = np.sqrt(self.variances)
        scaled = precisions * spread[:, None] * spread
        self.error_of_radius = 4 * EPS * math.sqrt((scaled * scaled).sum(axis=(1, 2)).max())
        self.farthest_mean = float((z * z / self.variances).sum(axis=1).max())

    def error(self, extremes: tuple[Float[Array, " d"], Float[Array, " d"]]) -> float:
        """A bound on the rounding of a log-density, in nats, of rows between the lowest and the highest values."""
        lowest, highest = extremes
        reach = np.maximum(highest - self.centre, self.centre - lowest)
        radius = max(float((reach * reach / self.variances).sum()), self.farthest_mean)
        return self.error_of_radius * radius

    def features(self, x: Float[Array, "n d"], room: Room) -> Float[Array, "p n"]:
        """z_i z_j for i <= j (for i = j alone where the columns are independent), z, 1."""
        d = len(self.centre)
        features = room(self.natural.shape[1], len(x))
        z = features[-1 - d : -1]
        np.subtract(x.T, self.centre[:, None], out=z)
        if self.diagonal:
            np.multiply(z, z, out=features[:d])
        else:
            start = 0
            for i in range(d):
                np.multiply(z[i:], z[i], out=features[start : start + d - i])
                start += d - i
        features[-1] = 1.0
        return features

    def moments(self, sums: Float[Array, "k p"]) -> Moments:
        """What the weighted sums of the features are about the centre."""
        k, d = len(sums), len(self.centre)
        anchors = np.broadcast_to(self.centre, (k, d))
        quadratic, first, counts = sums[:, : -1 - d], sums[:, -1 - d : -1], sums[:, -1]
        if self.diagonal:
            return DiagonalMoments(anchors, counts, first, quadratic)
        second = np.empty((k, d, d))
        row, column, _ = triangle(d)
        second[:, row, column] = second[:, column, row] = quadratic
        return Moments(anchors, counts, first, second)


@cache
def triangle(d: int) -> tuple[Int[Labels, " p"], Int[Labels, " p"], Float[Array, " p"]]:
    """Rows and columns of the upper triangle, and the factor of each of its entries in -x' P x / 2."""
    row, column = np.triu_indices(d)
    return row, column, np.where(row == column, -0.5, -1.0)
