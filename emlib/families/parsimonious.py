"""The fourteen covariance models of Gaussian mixtures: what the components share of volume, shape and orientation.

    Sigma_k = volume_k * D_k A_k D_k',   A_k diagonal with |A_k| = 1 (the shape), D_k orthogonal (the orientation)

A name has a letter for each: E where the components have it equal, V where it varies, I where it is the identity. An
`estimate` minimises

    sum_k  n_k log|Sigma_k| + tr(Sigma_k^-1 W_k)

over the covariances of its model, W_k the scatter matrix of component k about its mean and n_k its count. Where a
scatter is singular and that sum has no minimum, the covariance returned is W_k / n_k, singular as it is.

Source: Celeux & Govaert (1995), "Gaussian parsimonious clustering models", Pattern Recognition 28(5), table 1; the
names are those of mclust (Scrucca, Fop, Murphy & Raftery 2016, The R Journal 8(1), table 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import Array
from emlib.families.principal_axes import cholesky, principal_axes

if TYPE_CHECKING:
    from jaxtyping import Float

MAX_STEPS = 100
"""Newton's method takes about ten; a likelihood without a maximum would take infinitely many."""
CONVERGED = 1e-12
"""A predicted decrease, per observation and dimension: the step that makes it is the last."""
ROUNDING = 1e-14
"""An increase that is none, relative to the sum."""


@dataclass(frozen=True)
class CovarianceModel:
    """What the covariances of a mixture share, and how to fit them."""

    name: str
    meaning: str
    solve: Callable[..., Array]
    """The minimum, from scatter matrices and counts."""

    @property
    def diagonal(self) -> bool:
        """Whether the orientation is that of the axes, so that variances say it all."""
        return self.name[2] == "I"

    def estimate(
        self, scatter: Array, counts: Float[Array, " k"], near: Float[Array, "k d d"] | None = None
    ) -> Array:
        """Covariances (k, d, d) from scatter matrices (k, d, d) and counts (k,).

        Where the model is diagonal, variances (k, d) from the diagonals of the scatter matrices (k, d). Covariances to
        start `near` shorten a search. They help EVE and VVE, whose sum may have several minima: the estimate is no
        worse than these.
        """
        return self.solve(scatter, counts)

    @property
    def searches(self) -> bool:
        """Whether there is no closed form."""
        return type(self) is not CovarianceModel

    def parameters(self, k: int, d: int) -> int:
        """How many numbers describe the covariances of k components in d dimensions."""
        copies = {"I": 0, "E": 1, "V": k}
        volume, shape, orientation = (copies[letter] for letter in self.name)
        return volume + shape * (d - 1) + orientation * d * (d - 1) // 2


@dataclass(frozen=True)
class CommonShape(CovarianceModel):
    """One shape and any volumes, which have no closed form: `solve` takes the logarithms of some to start near."""

    def estimate(
        self, scatter: Array, counts: Float[Array, " k"], near: Float[Array, "k d d"] | None = None
    ) -> Array:
        """The minimum, of which there is one."""
        start = np.zeros(len(counts))
        if near is not None:
            start = np.linalg.slogdet(near).logabsdet / near.shape[1]
        return self.solve(scatter, counts, start)


@dataclass(frozen=True)
class CommonAxes(CovarianceModel):
    """A diagonal model, `solve`, along the axes that suit it best; they have no closed form."""

    def estimate(
        self, scatter: Array, counts: Float[Array, " k"], near: Float[Array, "k d d"] | None = None
    ) -> Float[Array, "k d d"]:
        """The minimum downhill from the axes of `near`, or of the pooled scatter where these promise a lower one.

        Without `near` it is the best of those downhill from the axes of the pooled scatter and of each component. No
        method is known that finds the least minimum for certain.
        """
        pooled = scatter.sum(axis=0)
        size = np.trace(pooled)
        try:
            factors = cholesky(scatter / size).mT
        except np.linalg.LinAlgError:
            return _vvv(scatter, counts)
        others = scatter if near is None else _unlike_sum(near)[None]
        _, starts = principal_axes(np.concatenate([others, pooled[None]]))
        shares = counts / counts.sum()
        first, *rest = (_Axes(factors @ start, shares, self.solve, start) for start in starts)
        best = _downhill(first)
        for axes in rest:
            if near is None or axes.value < best.value:
                best = min(best, _downhill(axes), key=lambda end: end.value)
        return _turned(best.variances * (size / counts.sum()), best.axes)


# ---- along the axes: from the diagonals of the scatter matrices to variances -----------------------


def _eii(scatter: Float[Array, "k d"], counts: Float[Array, " k"]) -> Float[Array, "k d"]:
    return np.full_like(scatter, scatter.mean(axis=1).sum() / counts.sum())


def _vii(scatter: Float[Array, "k d"], counts: Float[Array, " k"]) -> Float[Array, "k d"]:
    result: Array = np.ones_like(scatter) * (scatter.mean(axis=1) / counts)[:, None]
    return result


def _eei(scatter: Float[Array, "k d"], counts: Float[Array, " k"]) -> Float[Array, "k d"]:
    result: Array = np.ones_like(scatter) * (scatter.sum(axis=0) / counts.sum())
    return result


def _vei(
    scatter: Float[Array, "k d"], counts: Float[Array, " k"], start: Float[Array, " k"]
) -> Float[Array, "k d"]:
    def whitened(inverse_volumes: Float[Array, " k"]) -> tuple[float, Array, Array]:
        parts = scatter * inverse_volumes[:, None]
        total = parts.sum(axis=0)
        if not total.min() > 0:
            raise np.linalg.LinAlgError("a column has no variance")
        parts /= total
        return float(np.log(total).sum()), parts, parts.sum(axis=1)

    try:
        volumes = _volumes(whitened, counts / counts.sum(), scatter.shape[1], start)[:, None]
    except np.linalg.LinAlgError:
        return _vvi(scatter, counts)
    return _eei(scatter / volumes, counts) * volumes


def _evi(scatter: Float[Array, "k d"], counts: Float[Array, " k"]) -> Float[Array, "k d"]:
    if not (scatter > 0).all():
        return _vvi(scatter, counts)
    sizes = np.exp(np.log(scatter).mean(axis=1))
    result: Array = scatter / sizes[:, None] * (sizes.sum() / counts.sum())
    return result


def _vvi(scatter: Float[Array, "k d"], counts: Float[Array, " k"]) -> Float[Array, "k d"]:
    return scatter / counts[:, None]


# ---- along axes of its own: the diagonal model, seen from the eigenvectors of each scatter matrix ----


def _along_own_axes(
    scatter: Float[Array, "k d d"],
    counts: Float[Array, " k"],
    diagonal_model: Callable[..., Array],
    *start: Float[Array, " k"],
) -> Float[Array, "k d d"]:
    eigenvalues, axes = principal_axes(scatter)
    return _turned(diagonal_model(eigenvalues.clip(min=0), counts, *start), axes)


def _eev(scatter: Float[Array, "k d d"], counts: Float[Array, " k"]) -> Float[Array, "k d d"]:
    return _along_own_axes(scatter, counts, _eei)


def _vev(
    scatter: Float[Array, "k d d"], counts: Float[Array, " k"], start: Float[Array, " k"]
) -> Float[Array, "k d d"]:
    return _along_own_axes(scatter, counts, _vei, start)


def _evv(scatter: Float[Array, "k d d"], counts: Float[Array, " k"]) -> Float[Array, "k d d"]:
    signs, log_determinants = np.linalg.slogdet(scatter)
    if not (signs > 0).all():
        return _vvv(scatter, counts)
    sizes = np.exp(log_determinants / scatter.shape[1])
    result: Array = scatter / sizes[:, None, None] * (sizes.sum() / counts.sum())
    return result


def _vvv(scatter: Float[Array, "k d d"], counts: Float[Array, " k"]) -> Float[Array, "k d d"]:
    return scatter / counts[:, None, None]


# ---- along common axes -----------------------------------------------------------------------------


def _eee(scatter: Float[Array, "k d d"], counts: Float[Array, " k"]) -> Float[Array, "k d d"]:
    result: Array = np.ones_like(scatter) * (scatter.sum(axis=0) / counts.sum())
    return result


def _vee(
    scatter: Float[Array, "k d d"], counts: Float[Array, " k"], start: Float[Array, " k"]
) -> Float[Array, "k d d"]:
    k, d = scatter.shape[:2]

    def whitened(inverse_volumes: Float[Array, " k"]) -> tuple[float, Array, Array]:
        parts = scatter * inverse_volumes[:, None, None]
        factor = cholesky(parts.sum(axis=0))
        whitener = np.linalg.inv(factor)
        flat = (whitener @ parts @ whitener.T).reshape(k, -1)
        return 2 * float(np.log(factor.diagonal()).sum()), flat, flat[:, :: d + 1].sum(axis=1)

    try:
        volumes = _volumes(whitened, counts / counts.sum(), d, start)[:, None, None]
    except np.linalg.LinAlgError:
        return _vvv(scatter, counts)
    return _eee(scatter / volumes, counts) * volumes


def _unlike_sum(covariances: Float[Array, "k d d"]) -> Float[Array, "d d"]:
    """A matrix with the axes that the covariances have in common; the factors keep its eigenvalues apart."""
    factors = 1 / np.arange(1, len(covariances) + 1) / np.trace(covariances, axis1=1, axis2=2)
    return np.tensordot(factors, covariances, 1)


def _turned(variances: Float[Array, "k d"], axes: Array) -> Float[Array, "k d d"]:
    """D diag(v) D', the axes the columns of D."""
    result: Array = (axes * variances[:, None, :]) @ np.swapaxes(axes, -1, -2)
    return result


# ---- what has no closed form -----------------------------------------------------------------------


def _volumes(
    whitened: Callable[[Float[Array, " k"]], tuple[float, Array, Array]],
    shares: Float[Array, " k"],
    d: int,
    start: Float[Array, " k"],
) -> Float[Array, " k"]:
    """The volumes of components that share shape and orientation, up to a common factor, by Newton's method.

    With covariances volume_k C and the best C put in, the sum to be minimised is, but for constants,

        sum_k n_k d log volume_k  +  n log|sum_k W_k / volume_k|

    and convex in the logarithms of the volumes. `whitened` takes 1 / volume_k and gives the log-determinant; the
    W_k / volume_k in the coordinates where they add up to the identity, a row a component; and their traces. `start`
    holds some logarithms of volumes. Raises LinAlgError where there is no minimum.
    """

    def at(logs: Float[Array, " k"]) -> tuple[float, Array, Array]:
        log_determinant, parts, traces = whitened(np.exp(-logs))
        return d * float(shares @ logs) + log_determinant, parts, traces

    # One step of the alternating algorithm, so that a start far off does no harm.
    logs = start - start.mean()
    _, _, traces = at(logs)
    if not traces.min() > 0:
        raise np.linalg.LinAlgError("a component without spread has no volume")
    logs = logs + np.log(traces / shares)
    logs -= logs.mean()
    value, parts, traces = at(logs)
    for _ in range(MAX_STEPS):
        gradient = d * shares - traces
        # A factor common to all volumes changes nothing: that direction, which the Hessian lacks, is given a slope.
        hessian = np.diag(traces) - parts @ parts.T + 1 / len(shares)
        step = -np.linalg.solve(hessian, gradient)
        # Without a minimum the Hessian vanishes before the gradient does: that is no convergence.
        decrease = max(-float(gradient @ step), float(gradient @ gradient) / d)
        step /= max(1.0, abs(step).max())
        while (ahead := at(logs + step))[0] > value + ROUNDING * (abs(value) + d):
            step /= 2
        logs, (value, parts, traces) = logs + step, ahead
        if decrease < CONVERGED * d:
            result: Array = np.exp(logs)
            return result
    raise np.linalg.LinAlgError("the volumes have no best value")


class _Axes:
    """Axes common to all components, and how the sum to be minimised changes as they turn.

    Axes D turn as D exp(T) with T antisymmetric. With C_k = D' W_k D and the best variances v_k for its diagonal, the
    sum is sum_kj n_k log v_kj but for constants, and its slope that of sum_kj C_kjj / v_kj at fixed v.

    Source: Flury (1984), "Common principal components in k groups", JASA 79(388): his equations are `gradient` = 0.
    """

    def __init__(
        self,
        turned: Float[Array, "k d d"],
        shares: Float[Array, " k"],
        diagonal_model: Callable[[Array, Array], Array],
        axes: Float[Array, "d d"],
    ) -> None:
        """`turned` is F_k D, where W_k = F_k' F_k: it keeps the digits of small variances beside large ones."""
        self.turned_factors, self.shares, self.diagonal_model = turned, shares, diagonal_model
        self.axes = axes
        self.cross = turned.mT @ turned
        self.squares = np.diagonal(self.cross, axis1=1, axis2=2)
        self.variances = diagonal_model(self.squares, shares)
        self.value = float(shares @ np.log(self.variances).sum(axis=1))
        self.precisions = 1 / self.variances
        self.gradient = _slope(self.cross, self.precisions)

    def turned(self, turn: Float[Array, "d d"]) -> _Axes:
        """The axes after a turn, by Cayley's transform, which agrees with exp to second order."""
        half, identity = turn / 2, np.eye(len(turn))
        rotation = np.linalg.solve(identity - half, identity + half)
        # Not the factors times the new axes, whose small entries would meet large sums.
        turned = self.turned_factors @ rotation
        return _Axes(turned, self.shares, self.diagonal_model, self.axes @ rotation)

    def gradient_change(self, turn: Float[Array, "d d"]) -> Float[Array, "d d"]:
        """The derivative of the gradient in the direction of a turn: the Hessian, applied."""
        change = self.cross @ turn
        change = change + change.mT
        relative = np.diagonal(change, axis1=1, axis2=2) / self.squares
        if self.diagonal_model is _evi:
            # Variances of equal volume follow the shape alone.
            sizes = relative.mean(axis=1)
            relative = (
                relative - (sizes - self.squares[:, 0] * self.precisions[:, 0] @ sizes)[:, None]
            )
        return _slope(change, self.precisions) - _slope(self.cross, self.precisions * relative)

    def newton_turn(self) -> Float[Array, "d d"]:
        """The turn that solves Newton's equations, by conjugate gradients; downhill where the Hessian bends down."""
        spread = self.squares.T @ self.precisions
        bend = np.einsum("kij,kj->ij", self.cross**2, self.precisions / self.squares)
        one_plane = spread + spread.T - 2 - 2 * (bend + bend.T)
        scale = 2 * np.maximum(abs(one_plane), 1e-10)
        turn, residual = np.zeros_like(self.gradient), -self.gradient
        direction = scaled = residual / scale
        size = float((residual * scaled).sum())
        enough = size * min(0.25, size)
        for _ in range(turn.size):
            if size <= enough:
                break
            change = self.gradient_change(direction)
            curvature = float((direction * change).sum())
            if curvature <= 0:
                return turn if turn.any() else direction
            turn = turn + size / curvature * direction
            residual = residual - size / curvature * change
            scaled = residual / scale
            size, before = float((residual * scaled).sum()), size
            direction = scaled + size / before * direction
        return turn


def _slope(cross: Float[Array, "k d d"], precisions: Float[Array, "k d"]) -> Float[Array, "d d"]:
    product = np.einsum("kij,kj->ij", cross, precisions)
    antisymmetric: Array = 2 * (product - product.T)
    return antisymmetric


def _downhill(axes: _Axes) -> _Axes:
    """The minimum that Newton's method reaches, never higher than where it starts."""
    d = len(axes.axes)
    for _ in range(MAX_STEPS):
        turn = axes.newton_turn()
        decrease = -float((axes.gradient * turn).sum()) / 2
        turn /= max(1.0, float(np.sqrt((turn**2).sum())))
        while (ahead := axes.turned(turn)).value > axes.value + ROUNDING * (abs(axes.value) + d):
            turn = turn / 2
        axes = ahead
        if decrease < CONVERGED * d:
            break
    return axes


MODELS: Mapping[str, CovarianceModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            CovarianceModel("EII", "equal spheres", _eii),
            CovarianceModel("VII", "spheres of any size", _vii),
            CovarianceModel("EEI", "equal ellipsoids along the axes", _eei),
            CommonShape("VEI", "ellipsoids along the axes, of one shape and any size", _vei),
            CovarianceModel("EVI", "ellipsoids along the axes, of one size and any shape", _evi),
            CovarianceModel("VVI", "ellipsoids along the axes", _vvi),
            CovarianceModel("EEE", "equal ellipsoids", _eee),
            CommonShape("VEE", "ellipsoids of one shape and direction, of any size", _vee),
            CommonAxes("EVE", "ellipsoids of one size and direction, of any shape", _evi),
            CommonAxes("VVE", "ellipsoids of one direction", _vvi),
            CovarianceModel("EEV", "ellipsoids of one size and shape, in any direction", _eev),
            CommonShape("VEV", "ellipsoids of one shape", _vev),
            CovarianceModel("EVV", "ellipsoids of one size", _evv),
            CovarianceModel("VVV", "any ellipsoids", _vvv),
        )
    }
)
