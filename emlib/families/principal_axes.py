"""Eigenvalues and axes of scatter matrices, and Cholesky factors, that keep the digits of every column, however small.

Source: Demmel & Veselic (1992), "Jacobi's method is more accurate than QR", SIAM Journal on Matrix Analysis and
Applications 13(4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array
from emlib.kernels import EPS

if TYPE_CHECKING:
    from jaxtyping import Float

GRADED = 1e-8
"""The ratio of the least eigenvalue to the largest, below which the least asks for more digits than `eigh` keeps."""
PERPENDICULAR = 1e-60
"""The cosine between columns that is none. One of EPS is not: it may be all that a small entry consists of."""
SWEEPS = 100
"""Over all pairs of columns: about ten are enough."""


def principal_axes(
    matrices: Float[Array, "k d d"],
) -> tuple[Float[Array, "k d"], Float[Array, "k d d"]]:
    """Eigenvalues in rising order, and the axes as columns, in whatever units the columns of the data are.

    `eigh` is exact to the last digits of the largest eigenvalue, which may be more than the smallest has.
    """
    eigenvalues, axes = np.linalg.eigh(matrices)
    if not (eigenvalues[:, 0] < GRADED * eigenvalues[:, -1]).any():
        return eigenvalues, axes
    try:
        turned = cholesky(matrices)
    except np.linalg.LinAlgError:
        return eigenvalues, axes
    return _jacobi(turned)


def cholesky(matrices: Float[Array, "*k d d"]) -> Float[Array, "*k d d"]:
    """Cholesky factors. Raises LinAlgError where a column is, but for rounding, a combination of those before it."""
    factors = np.linalg.cholesky(matrices).astype(np.float64, copy=False)
    own = np.diagonal(factors, axis1=-2, axis2=-1) ** 2
    if (own <= 4 * factors.shape[-1] * EPS * np.diagonal(matrices, axis1=-2, axis2=-1)).any():
        raise np.linalg.LinAlgError("a matrix is singular to rounding")
    return factors


def _jacobi(turned: Float[Array, "k d d"]) -> tuple[Float[Array, "k d"], Float[Array, "k d d"]]:
    """The same of L L', by turning pairs of columns of L until all are orthogonal: no small column meets a large sum.

    Source: Demmel & Veselic (1992), section 4.
    """
    pairs = np.transpose(np.triu_indices(turned.shape[-1], 1))
    for _ in range(SWEEPS):
        largest = 0.0
        for pair in pairs:
            left, right = np.moveaxis(turned[:, :, pair], 2, 0)
            a, b, c = (
                (x * y).sum(axis=1) for x, y in ((left, left), (right, right), (left, right))
            )
            share = abs(c) / np.sqrt(a) / np.sqrt(b)
            largest = max(largest, float(share.max()))
            # The tangent of the smaller angle that makes the product of both columns vanish.
            apart = share > PERPENDICULAR
            ratio = (b - a) / np.where(apart, 2 * c, 1.0)
            tangent = np.copysign(1, ratio) / (abs(ratio) + np.hypot(1, ratio)) * apart
            cosine = 1 / np.hypot(1, tangent)[:, None]
            sine = tangent[:, None] * cosine
            turned[:, :, pair[0]] = cosine * left - sine * right
            turned[:, :, pair[1]] = sine * left + cosine * right
        if largest < 4 * EPS * turned.shape[-1]:
            break
    squares = (turned * turned).sum(axis=1)
    order = np.argsort(squares, axis=1)
    axes = np.take_along_axis(turned / np.sqrt(squares)[:, None, :], order[:, None, :], axis=2)
    return np.take_along_axis(squares, order, axis=1), axes
