"""Gaussians with entries missing at random: what is missing is one more hidden variable.

Given the component and the columns o that a row shows, those that it does not, m, are Gaussian with

    mean  mu_m + B (x_o - mu_o),   covariance  C = Sigma_mm - B Sigma_om,   B = Sigma_mo Sigma_oo^-1

and the expected second moments are those of the filled-in row plus C. Without C variances would shrink step by step.
All of this depends on params and on the pattern of what is missing, so that rows are grouped by their pattern.

Source: Ghahramani & Jordan (1994), "Supervised learning from incomplete data via an EM approach", NIPS 6;
Little & Rubin (2002), "Statistical Analysis with Missing Data", section 11.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array, Labels, log_sum_exp, softmax
from emlib.data import Block
from emlib.families.gaussian import LOG_2PI, Gaussian, Gaussians
from emlib.families.moments import DiagonalMoments, Moments, weighted_moments

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class MissingGaussian(Gaussian):
    """The Gaussian for rows in which NaN stands for an entry that is not known.

    Log-densities are those of what is there; a row of NaN alone has density 1. Fits are right where entries are missing
    at random: whether one is may depend on what is there, not on what is missing.
    """

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Real vectors, shape (n, d), or numbers, shape (n,); NaN where one is missing."""
        given = np.asarray(data)
        missing = np.isnan(given) if given.dtype.kind == "f" else np.zeros(given.shape, dtype=bool)
        if not missing.any():
            return super().observations(given)
        # A new array, which may be written to.
        x = super().observations(np.where(missing, 0.0, given))
        x[missing.reshape(x.shape)] = np.nan
        return x

    def log_density(self, x: Float[Array, "n d"], params: Gaussians) -> Float[Array, "n k"]:
        """Log p of the entries that are there."""
        table = np.empty((len(x), len(params.means)))
        for where, seen in _patterns(x):
            table[where] = _Regression(params, seen).log_density(x[where])
        return table

    def expected_statistics(
        self,
        x: Float[Array, "n d"],
        responsibilities: Float[Array, "n k"],
        near: Gaussians | None = None,
    ) -> Moments:
        """Expected moments, what is missing being distributed as `near` says.

        Without `near`, as the entries that are there say, column by column.
        """
        if near is None:
            return self._reduced(_available(x, responsibilities))
        parts = [
            _Regression(near, seen).moments(x[where], responsibilities[where])
            for where, seen in _patterns(x)
        ]
        return self._reduced(reduce(add, parts))

    def kernel(
        self, log_weights: Float[Array, " k"], params: Gaussians
    ) -> Callable[[Block], tuple[float, Moments, float]]:
        """Complete rows as `Gaussian` does them, others pattern by pattern."""
        complete = super().kernel(log_weights, params)
        regressions: dict[bytes, _Regression] = {}

        def incomplete(block: Block, seen: NDArray[np.bool_]) -> tuple[float, Moments, float]:
            pattern = seen.tobytes()
            if pattern not in regressions:
                regressions[pattern] = _Regression(params, seen)
            regression = regressions[pattern]
            joint = log_weights + regression.log_density(block.x)
            evidence = log_sum_exp(joint)
            responsibilities = block.weighted(softmax(joint))
            moments = regression.moments(block.x, responsibilities)
            rounding = float(moments.counts @ params.rounding)
            return block.total(evidence), self._reduced(moments), rounding

        def step(block: Block) -> tuple[float, Moments, float]:
            parts = []
            for where, seen in _patterns(block.x):
                weights = None if block.weights is None else block.weights[where]
                part = Block(block.x[where], weights)
                parts.append(complete(part) if seen.all() else incomplete(part, seen))
            evidence, moments, rounding = zip(*parts, strict=True)
            return sum(evidence), reduce(add, moments), sum(rounding)

        return step

    def _reduced(self, moments: Moments) -> Moments:
        if not self.covariance.diagonal:
            return moments
        squares = np.diagonal(moments.second, axis1=1, axis2=2)
        return DiagonalMoments(moments.anchors, moments.counts, moments.first, squares)


class _Regression:
    """Each component's regression of the columns that are missing on those that are seen."""

    def __init__(self, params: Gaussians, seen: NDArray[np.bool_]) -> None:
        self.seen, self.means = seen, params.means
        k, d = params.means.shape
        covariances = params.covariances
        self.whiteners = np.linalg.inv(np.linalg.cholesky(covariances[:, seen][:, :, seen]))
        scales = np.diagonal(self.whiteners, axis1=1, axis2=2)
        self.log_norms = np.log(scales).sum(axis=1) - 0.5 * seen.sum() * LOG_2PI
        whitened = self.whiteners @ covariances[:, seen][:, :, ~seen]
        # From the seen columns to all of them, and what remains uncertain.
        self.coefficients = np.zeros((k, d, int(seen.sum())))
        self.coefficients[:, seen] = np.eye(int(seen.sum()))
        self.coefficients[:, ~seen] = whitened.mT @ self.whiteners
        self.conditional = np.zeros((k, d, d))
        own = covariances[:, ~seen][:, :, ~seen]
        self.conditional[:, np.outer(~seen, ~seen)] = (own - whitened.mT @ whitened).reshape(k, -1)

    def log_density(self, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        """Log-densities of the seen columns."""
        shown = x[:, self.seen]
        squares = [
            (((shown - mean) @ whitener.T) ** 2).sum(axis=1)
            for mean, whitener in zip(self.means[:, self.seen], self.whiteners, strict=True)
        ]
        result: Array = self.log_norms - 0.5 * np.stack(squares, axis=1)
        return result

    def moments(self, x: Float[Array, "n d"], responsibilities: Float[Array, "n k"]) -> Moments:
        """Expected moments of all columns about the means."""
        shown = weighted_moments(x[:, self.seen], responsibilities, self.means[:, self.seen])
        lift = self.coefficients
        first = np.einsum("kij,kj->ki", lift, shown.first)
        second = lift @ shown.second @ lift.mT + shown.counts[:, None, None] * self.conditional
        return Moments(self.means, shown.counts, first, second)


def _patterns(x: Float[Array, "n d"]) -> Iterator[tuple[Int[Labels, " m"], NDArray[np.bool_]]]:
    """The rows with the same entries missing, and which columns these show."""
    missing = np.isnan(x)
    # Of bytes, for NumPy sorts these by counting.
    codes = np.packbits(missing, axis=1)
    order = np.lexsort(codes.T)
    borders = 1 + np.flatnonzero((np.diff(codes[order], axis=0) != 0).any(axis=1))
    for where in np.split(order, borders):
        yield where, ~missing[where[0]]


def _available(x: Float[Array, "n d"], responsibilities: Float[Array, "n k"]) -> Moments:
    """Moments where a missing entry has its component's mean and variance in the column, and no correlation."""
    seen, weights = ~np.isnan(x), responsibilities.sum(axis=1)
    totals = weights @ seen
    if not (totals > 0).all():
        raise ValueError(f"data: column {int(totals.argmin())} has no value at all; drop it")
    centre = weights @ np.where(seen, x, 0.0) / totals
    shifted = np.where(seen, x - centre, 0.0)
    overall = weights @ shifted**2 / totals
    counts, shown = responsibilities.sum(axis=0), responsibilities.T @ seen
    known = shown > 0
    shares = np.where(known, shown, 1.0)
    means = centre + responsibilities.T @ shifted / shares
    second = np.empty((*means.shape, means.shape[1]))
    for j, mean in enumerate(means):
        deviations = np.where(seen, x - mean, 0.0)
        second[j] = (responsibilities[:, j, None] * deviations).T @ deviations
    diagonal = np.arange(means.shape[1])
    variances = np.where(known, second[:, diagonal, diagonal] / shares, overall)
    second[:, diagonal, diagonal] += (counts[:, None] - shown) * variances
    return Moments(means, counts, np.zeros_like(means), second)
