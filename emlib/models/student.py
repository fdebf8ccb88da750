"""Student-t components: Gaussians whose precision varies between observations, so that outliers weigh little.

The hidden variables of an observation are its component z and a precision u:

    x | z = k, u ~ N(location_k, scale_k / u),    u | z = k ~ Gamma(shape degrees_k / 2, rate degrees_k / 2).

Given both, locations and scales are weighted moments, and the degrees stand apart from them in the surrogate: the
conditional steps of ECM together maximise it, so this is EM itself.

Source: Peel & McLachlan (2000), "Robust mixture modelling using the t distribution", Statistics and Computing 10;
Liu & Rubin (1995), "ML estimation of the t distribution using EM and its extensions, ECM and ECME",
Statistica Sinica 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from emlib.arrays import Array, Labels, real, rows
from emlib.charts import Chart, chart, chart_of, joined
from emlib.families.family import refuse_empty
from emlib.families.gaussian import Gaussian, Gaussians
from emlib.families.moments import DiagonalMoments, Moments
from emlib.kernels import pieces
from emlib.mixture import Mixture
from emlib.special import gamma_shapes, log_gamma_remainder, log_minus_digamma

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike, NDArray

    from emlib.data import Block

MOST_DEGREES = 1e6
"""Degrees of freedom beyond which a Student-t is taken for a Gaussian: log-densities differ by about 1e-6."""

START_DEGREES = 4.0
"""Of a component fitted to a guessed grouping: heavy tails, yet a variance."""


@dataclass(frozen=True)
class Students:
    """k Student-t distributions in d dimensions."""

    locations: Float[Array, "k d"]
    scales: Float[Array, "k d d"]
    """Symmetric and positive definite; the covariance is degrees / (degrees - 2) times it, for degrees above 2."""
    degrees: Float[Array, " k"]
    """Degrees of freedom, above 0 and at most MOST_DEGREES."""

    def __post_init__(self) -> None:
        locations, scales = real(self.locations, "locations"), real(self.scales, "scales")
        degrees = real(self.degrees, "degrees")
        if degrees.shape != locations.shape[:1] or not _are_degrees(degrees):
            raise ValueError(
                f"degrees: expected a number above 0, at most {MOST_DEGREES:g}, for each of the locations "
                f"of shape {locations.shape}, got {self.degrees}"
            )
        for name, values in (("locations", locations), ("scales", scales), ("degrees", degrees)):
            object.__setattr__(self, name, values)
        try:
            _ = self.gaussians
        except ValueError as error:
            raise ValueError(
                f"locations and scales, taken as means and covariances: {error}"
            ) from error

    @classmethod
    def of(cls, gaussians: Gaussians, degrees: Float[Array, " k"]) -> Students:
        """Student-t's that are these Gaussians given u = 1."""
        students = object.__new__(cls)
        # What was checked is not checked again.
        students.__dict__.update(
            gaussians=gaussians,
            locations=gaussians.means,
            scales=gaussians.covariances,
            degrees=degrees,
        )
        return students

    @cached_property
    def gaussians(self) -> Gaussians:
        """The components given u = 1."""
        return Gaussians(self.locations, self.scales)

    @property
    def at_limit(self) -> NDArray[np.bool_]:
        """Which components have MOST_DEGREES: their tails are no heavier than a Gaussian's."""
        result: NDArray[np.bool_] = self.degrees >= MOST_DEGREES
        return result

    @cached_property
    def log_norms(self) -> Float[Array, " k"]:
        """The log-density of each component at its own location."""
        shape, extra = self.degrees / 2, self.locations.shape[1] / 2
        # log Gamma(shape + extra) - log Gamma(shape) - extra log(shape), without their cancellation for many degrees.
        ratio = (shape + extra - 0.5) * np.log1p(extra / shape) - extra
        remainder = log_gamma_remainder(shape + extra) - log_gamma_remainder(shape)
        result: Array = self.gaussians.log_norms + ratio + remainder
        return result


@dataclass(frozen=True)
class StudentMoments:
    """What an E-step keeps of the data for k Student-t components."""

    counts: Float[Array, " k"]
    """sum_n r_nk."""
    moments: Moments
    """Those of the data weighted by r_nk E[u]."""
    deficits: Float[Array, " k"]
    """sum_n r_nk E[log u - u + 1], never above 0."""

    def __add__(self, other: StudentMoments) -> StudentMoments:
        return StudentMoments(
            self.counts + other.counts,
            self.moments + other.moments,
            self.deficits + other.deficits,
        )

    def __mul__(self, factor: float) -> StudentMoments:
        return StudentMoments(self.counts * factor, self.moments * factor, self.deficits * factor)


@dataclass(frozen=True)
class Student:
    """The family of Student-t's.

    `degrees` of freedom are "free" (each component has its own), "tied" (all have the same), or a number that they are
    held at. Estimated degrees stop at MOST_DEGREES, where data with tails lighter than any Student-t's would drive them
    up without end; the nearer they come, the slower they grow, and `emlib.variants.squarem` is then the way to run EM.
    `model` says what the scales share, as in `Gaussian`.
    """

    degrees: float | Literal["free", "tied"] = "free"
    model: str = "VVV"

    def __post_init__(self) -> None:
        _ = self.gaussian  # checks the model
        number = isinstance(self.degrees, (int, float)) and _are_degrees(np.array(self.degrees))
        if self.degrees not in ("free", "tied") and not number:
            raise ValueError(
                "degrees: expected 'free', 'tied' or a number above 0, "
                f"at most {MOST_DEGREES:g}, got {self.degrees!r}"
            )

    @property
    def gaussian(self) -> Gaussian:
        """The family of the components given u."""
        return Gaussian(self.model)

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Real vectors, shape (n, d), or numbers, shape (n,)."""
        return rows(data, "data")

    def log_density(self, x: Float[Array, "n d"], params: Students) -> Float[Array, "n k"]:
        """log_norm_k - (degrees_k + d) / 2 log(1 + (x_n - location_k)' scale_k^-1 (x_n - location_k) / degrees_k)."""
        self._check(x, params)
        squares = _whitened(x, params)[1]
        tails = (params.degrees + x.shape[1]) / 2
        result: Array = params.log_norms - tails * np.log1p(squares.T / params.degrees)
        return result

    def expected_precisions(self, x: Float[Array, "n d"], params: Students) -> Float[Array, "n k"]:
        """E[u | x_n, z_n = k]: about 1 within component k, near 0 for what lies far outside it."""
        self._check(x, params)
        squares = _whitened(x, params)[1]
        result: Array = (params.degrees + x.shape[1]) / (params.degrees + squares.T)
        return result

    def kernel(
        self, log_weights: Float[Array, " k"], params: Students
    ) -> Callable[[Block], tuple[float, StudentMoments, float]]:
        """Responsibilities and precisions in one pass, by differences from the locations."""
        constants = (log_weights + params.log_norms)[:, None]
        tails = (params.degrees[:, None] + params.locations.shape[1]) / 2

        def step(block: Block) -> tuple[float, StudentMoments, float]:
            self._check(block.x, params)
            evidence = 0.0

            def responsible(cut: slice, logs: Float[Array, "k n"]) -> Float[Array, "k n"]:
                nonlocal evidence
                table: Array = constants - tails * logs
                largest = table.max(axis=0)
                table -= largest
                np.exp(table, out=table)
                total = table.sum(axis=0)
                weights = 1.0 if block.weights is None else block.weights[cut]
                evidence += float((weights * (largest + np.log(total))).sum())
                table *= weights / total
                return table

            stats = _gather(block.x, params, responsible)
            return evidence, stats, float(stats.counts @ params.gaussians.rounding)

        return step

    def expected_statistics(
        self,
        x: Float[Array, "n d"],
        responsibilities: Float[Array, "n k"],
        near: Students | None = None,
    ) -> StudentMoments:
        """Sums weighted by the responsibilities and the precisions expected under `near`.

        Where there are no params yet, the precisions are those of START_DEGREES about the weighted moments.
        """
        if near is None:
            guess = self.gaussian.from_mean(self.gaussian.expected_statistics(x, responsibilities))
            degrees = START_DEGREES if isinstance(self.degrees, str) else self.degrees
            near = Students.of(guess, np.full(len(guess.means), degrees))
        self._check(x, near)
        table = responsibilities.T
        return _gather(x, near, lambda cut, _: table[:, cut])

    def expected_log_density(self, stats: StudentMoments, params: Students) -> float:
        """sum_nk r_nk E[log p(x_n, u | z_n = k)], in which the density of u counts as that of x does."""
        shape, counts = params.degrees / 2, stats.counts
        second = stats.moments.about(params.locations).second
        quadratic = float((params.gaussians.precisions * second).sum())
        gaussian = float(counts @ params.gaussians.log_norms) - 0.5 * quadratic
        # shape log(shape) - shape - log Gamma(shape), without the cancellation.
        norms = 0.5 * np.log(shape / (2 * np.pi)) - log_gamma_remainder(shape)
        gamma = float(counts @ norms + shape @ stats.deficits)
        log_precision = float((stats.deficits + stats.moments.counts - counts).sum())
        d = len(params.scales[0])
        return gaussian + gamma + (0.5 * d - 1) * log_precision

    def from_mean(self, stats: StudentMoments) -> Students:
        """The M-step: moments weighted by the precisions, and the degrees that fit the precisions' spread best.

        Raises:
            ArithmeticError: a component has collapsed, where the likelihood has no maximum.
        """
        # Not 0 / 0 below, but an error that says which component is empty.
        refuse_empty(stats.counts)
        locations = stats.moments.anchors + stats.moments.first / stats.moments.counts[:, None]
        scatter = stats.moments.about(locations).second
        # Each scatter counts for as many observations as the component has, whatever their precisions.
        nought = np.zeros_like(locations)
        if self.gaussian.covariance.diagonal:
            variances = np.diagonal(scatter, axis1=1, axis2=2)
            moments: Moments = DiagonalMoments(locations, stats.counts, nought, variances)
        else:
            moments = Moments(locations, stats.counts, nought, scatter)
        return Students.of(self.gaussian.from_mean(moments), self._best_degrees(stats))

    def _best_degrees(self, stats: StudentMoments) -> Float[Array, " k"]:
        """The roots of log(degrees / 2) - digamma(degrees / 2) = -E[log u - u + 1], at most MOST_DEGREES."""
        if not isinstance(self.degrees, str):
            return np.full(len(stats.counts), float(self.degrees))
        spread = -stats.deficits / stats.counts
        if self.degrees == "tied":
            spread = np.full_like(spread, -stats.deficits.sum() / stats.counts.sum())
        # The surrogate is concave in the degrees: where its maximum lies beyond the limit, the limit is best.
        return 2 * gamma_shapes(spread, MOST_DEGREES / 2)

    def free_parameters(self, params: Students) -> int:
        """The coordinates of locations and scales, and the degrees where they are estimated."""
        degrees = {"free": len(params.degrees), "tied": 1}.get(str(self.degrees), 0)
        return self.gaussian.free_parameters(params.gaussians) + degrees

    def sample(
        self, params: Students, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One vector from component hidden_n, for each n."""
        shape = params.degrees[hidden] / 2
        precisions = np.maximum(rng.standard_gamma(shape) / shape, np.finfo(float).tiny)
        factors = params.gaussians.factors[hidden]
        noise = rng.standard_normal((len(hidden), params.locations.shape[1]))
        noise /= np.sqrt(precisions)[:, None]
        result: Array = params.locations[hidden] + np.einsum("nij,nj->ni", factors, noise)
        return result

    def _check(self, x: Float[Array, "n d"], params: Students) -> None:
        if x.shape[1] != params.locations.shape[1]:
            raise ValueError(
                f"the data have {x.shape[1]} columns, the params {params.locations.shape[1]} dimensions"
            )
        # Degrees that the family does not allow would let its M-step lower the bound.
        wanted = params.degrees[0] if isinstance(self.degrees, str) else self.degrees
        if self.degrees != "free" and (abs(params.degrees - wanted) > 1e-12 * wanted).any():
            raise ValueError(
                f"degrees: the family has {self.degrees!r}, the params have {params.degrees}; "
                "start with degrees that the family allows"
            )


@dataclass(frozen=True)
class StudentMixture(Mixture[Students, StudentMoments]):
    """A mixture of Student-t's; its params are `MixtureParams(weights, Students(locations, scales, degrees))`."""

    family: Student = field(default_factory=Student)


def _chart(gaussians: Chart[Gaussians], degrees: Chart[Array], params: Students) -> Chart[Students]:
    return joined(
        params, lambda params: (params.gaussians, params.degrees), (gaussians, degrees), Students.of
    )


def _free_degrees() -> Chart[Array]:
    # An extrapolation may overshoot the limit, or a float.
    return Chart(np.log, lambda vector: np.minimum(np.exp(np.minimum(vector, 700.0)), MOST_DEGREES))


@chart.register
def _(params: Students) -> Chart[Students]:
    return _chart(chart(params.gaussians), _free_degrees(), params)


@chart_of.register
def _(family: Student, params: Any) -> Chart[Students]:
    """Degrees have a coordinate each, one for all if they are tied, and none if they are given."""
    degrees, fixed = _free_degrees(), params.degrees
    if family.degrees == "tied":
        one = _free_degrees()
        degrees = Chart(
            lambda degrees: one.to_vector(degrees[:1]),
            lambda vector: np.full(len(fixed), one.from_vector(vector).item()),
        )
    elif family.degrees != "free":
        degrees = Chart(lambda _: np.empty(0), lambda _: fixed)
    return _chart(chart_of(family.gaussian, params.gaussians), degrees, params)


# ---- the E-step ------------------------------------------------------------------------------------


def _whitened(
    x: Float[Array, "n d"], params: Students
) -> tuple[Float[Array, "k d n"], Float[Array, "k n"]]:
    """Differences from the locations in units of the scales, and their squared lengths, by columns."""
    columns = np.ascontiguousarray(x.T)
    y = np.empty((len(params.locations), *columns.shape))
    for j, (location, whitener) in enumerate(
        zip(params.locations, params.gaussians.whiteners, strict=True)
    ):
        np.dot(whitener, columns - location[:, None], out=y[j])
    return y, np.einsum("kdn,kdn->kn", y, y)


def _gather(
    x: Float[Array, "n d"],
    params: Students,
    responsible: Callable[[slice, Float[Array, "k n"]], Float[Array, "k n"]],
) -> StudentMoments:
    """The sums over some rows; `responsible` is given their place and log(1 + squares / degrees) of each component."""
    k, d = params.locations.shape
    degrees = params.degrees[:, None]
    counts, precisions, log_precisions = np.zeros(k), np.zeros(k), np.zeros(k)
    first, second = np.zeros((k, d)), np.zeros((k, d, d))
    with np.errstate(over="ignore", invalid="ignore"):
        for cut in pieces(len(x), k * (d + 4) + 2 * d):
            y, squares = _whitened(x[cut], params)
            logs = np.log1p(squares / degrees)
            table = responsible(cut, logs)
            # E[u] - 1 is small for many degrees, E[u] for an outlier: neither may be had from the other.
            shares = table / (degrees + squares)
            counts += table.sum(axis=1)
            log_precisions += np.einsum("kn,kn->k", table, logs)
            log_precisions += np.einsum("kn,kn->k", shares, d - squares)
            shares *= degrees + d
            precisions += shares.sum(axis=1)
            for j in range(k):
                weighted = y[j] * shares[j]
                first[j] += weighted.sum(axis=1)
                second[j] += np.dot(weighted, y[j].T)
    factors = params.gaussians.factors
    moments = Moments(
        params.locations,
        precisions,
        np.einsum("kij,kj->ki", factors, first),
        factors @ second @ factors.transpose(0, 2, 1),
    )
    # Given x and k, u has a Gamma distribution with this shape.
    shape = (params.degrees + d) / 2
    constant = np.log1p(d / params.degrees) - log_minus_digamma(shape)[0]
    return StudentMoments(counts, moments, counts * constant - log_precisions)


def _are_degrees(values: Array) -> bool:
    return bool(((values > 0) & (values <= MOST_DEGREES)).all())
