"""Weighted moments of data about an anchor: the expected statistics of Gaussian components.

Sums of x and x x' about the origin lose all their digits where the data lie far from it; about a point near the data
they keep them, and moving the anchor is exact algebra.

Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance", The American Statistician 37(3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array
from emlib.kernels import EPS

TINY = float(np.finfo(float).tiny)

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Float


@dataclass(frozen=True)
class Moments:
    """Weighted moments of the data about an anchor, a row a component."""

    anchors: Float[Array, "k d"]
    """a_k: any point near the data of component k."""
    counts: Float[Array, " k"]
    """sum_n r_nk."""
    first: Float[Array, "k d"]
    """sum_n r_nk (x_n - a_k)."""
    second: Float[Array, "k d d"]
    """sum_n r_nk (x_n - a_k)(x_n - a_k)'."""
    near: Float[Array, "k d d"] | None = None
    """The covariances of the E-step, where the fit is by iteration and wants a place to begin."""

    @staticmethod
    def product(left: Float[Array, "k d"], right: Float[Array, "k d"]) -> Float[Array, "k d d"]:
        """The products that `second` sums."""
        result: Array = left[:, :, None] * right[:, None, :]
        return result

    @cached_property
    def offsets(self) -> Float[Array, "k d"]:
        """The weighted means, seen from the anchors."""
        return self.first / self.counts[:, None]

    @cached_property
    def means(self) -> Float[Array, "k d"]:
        """The weighted means."""
        return self.anchors + self.offsets

    @cached_property
    def scatter(self) -> Float[Array, "k d d"]:
        """The second moments about the weighted means."""
        return self.second - self.product(self.offsets, self.first)

    def second_about(self, anchors: Float[Array, "k d"]) -> Float[Array, "k d d"]:
        """The second moments about other anchors; about `means`, where a fit has asked for them, they are known."""
        known = self.__dict__.get("means")
        return self.scatter if anchors is known else self.about(anchors).second

    @cached_property
    def rounding(self) -> float:
        """Nats that a surrogate may lose in taking the scatter from moments about anchors that lie far off."""
        squares = diagonals(self.second) if self.second.ndim == 3 else self.second
        spread = squares - self.first**2 / np.maximum(self.counts, TINY)[:, None]
        lost = float(np.max(squares / np.maximum(spread, EPS * squares + TINY), initial=1.0))
        return 4 * EPS * lost * float(self.counts.sum())

    def about(self, anchors: Float[Array, "k d"]) -> Self:
        """The same moments about other anchors."""
        if anchors is self.anchors:
            return self
        shift = self.anchors - anchors
        cross = self.product(self.first, shift) + self.product(shift, self.first)
        squared = self.product(shift, self.counts[:, None] * shift)
        first = self.first + self.counts[:, None] * shift
        return type(self)(anchors, self.counts, first, self.second + cross + squared, self.near)

    def __add__(self, other: Self) -> Self:
        other = other.about(self.anchors)
        return type(self)(
            self.anchors,
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            other.near if self.near is None else self.near,
        )

    def __mul__(self, factor: float) -> Self:
        return type(self)(
            self.anchors, self.counts * factor, self.first * factor, self.second * factor, self.near
        )


@dataclass(frozen=True)
class DiagonalMoments(Moments):
    """The same where the columns of a component are independent: `second` has shape (k, d), the squares alone."""

    @staticmethod
    def product(left: Float[Array, "k d"], right: Float[Array, "k d"]) -> Float[Array, "k d"]:
        """The squares that `second` sums."""
        result: Array = left * right
        return result


def diagonals(matrices: Float[Array, "k d d"]) -> Float[Array, "k d"]:
    """The diagonal of each matrix."""
    return matrices.diagonal(axis1=1, axis2=2)


def weighted_moments(
    x: Float[Array, "n d"],
    responsibilities: Float[Array, "n k"],
    anchors: Float[Array, "k d"] | None = None,
    *,
    diagonal: bool = False,
) -> Moments:
    """The moments about the given anchors, or about the weighted means where none are given."""
    # Column by column, sums over the rows are sums of long arrays.
    columns, shares = np.ascontiguousarray(x.T), np.ascontiguousarray(responsibilities.T)
    k, d, counts = len(shares), len(columns), shares.sum(axis=1)
    if anchors is None:
        centre, filled = columns.mean(axis=1), np.where(counts > 0, counts, 1.0)
        anchors = centre + shares @ (x - centre) / filled[:, None]
    first, second = np.empty((k, d)), np.empty((k, d) if diagonal else (k, d, d))
    for j, (anchor, weights) in enumerate(zip(anchors, shares, strict=True)):
        centred = columns - anchor[:, None]
        first[j] = centred @ weights
        if diagonal:
            second[j] = (centred * centred) @ weights
        else:
            second[j] = (centred * weights) @ centred.T
    return (DiagonalMoments if diagonal else Moments)(anchors, counts, first, second)
