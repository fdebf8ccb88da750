"""How sure an estimate is, and how fast EM comes to it: both are questions of missing information.

    observed information = complete information - missing information            (Louis)
    rate matrix of EM    = complete^-1 missing  = I - complete^-1 observed       (Dempster, Laird & Rubin)

The complete information is the curvature of the surrogate Q. What is missing of it is seen from
how the slope of Q turns when the E-step's own params move; so everything comes from the `e_step` and the
`expected_log_joint` that a model has anyway. Derivatives are taken in a `Chart`, coordinates without constraints;
the delta method brings the result to the params as a reader knows them, the last weight and both halves of a symmetric
matrix included.

Source: Louis (1982), "Finding the observed information matrix when using the EM algorithm", eqs. (3.1)-(3.2);
Meng & Rubin (1991), "Using EM to obtain asymptotic variance-covariance matrices: the SEM algorithm", section 2;
Dempster, Laird & Rubin (1977), section 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from emlib.arrays import Array, softmax
from emlib.charts import Chart, chart_of
from emlib.differences import Place
from emlib.em import Model
from emlib.parameters import entries, largest, parameters

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.data import Block, Prepared

Params = TypeVar("Params")

NOISE = 1e-6
"""Share of the complete information below which the observed one is not told from zero."""
FAR = 0.1
"""Standard errors from the maximum beyond which params are no estimate."""
CURVED = 0.5
"""Share of a standard error by which a parameter may miss the straight line of the delta method."""


class Tabulated(Model[Any, Params, Any], Protocol[Params]):
    """A model whose hidden variable, one for each observation, has finitely many values."""

    def prepare(self, data: Any) -> Prepared:
        """The data, checked."""

    def log_joint(self, data: Any, params: Params) -> Float[Array, "n k"]:
        """Log p(x_n, z_n = k | params)."""


@dataclass(frozen=True)
class Information:
    """What data say of params, and what they would say if nothing were hidden. Matrices are in the chart's coordinates.

    At params that are no maximum the observed information may have any sign, and standard errors mean nothing.
    """

    complete: Float[Array, "p p"]
    """-d2 Q: what would be known if nothing were hidden."""
    observed: Float[Array, "p p"]
    """-d2 log-likelihood: what is known."""
    score: Float[Array, " p"]
    """d log-likelihood: zero at a maximum."""
    estimates: Mapping[str, Array]
    """The params by name."""
    slopes: Mapping[str, Array]
    """d estimate / d coordinate, the coordinates along the last axis."""

    @property
    def missing(self) -> Float[Array, "p p"]:
        """Complete minus observed."""
        return self.complete - self.observed

    @property
    def rate_matrix(self) -> Float[Array, "p p"]:
        """The derivative of the EM map at its fixed point: complete^-1 missing."""
        return _solve(self.complete, self.missing)

    @cached_property
    def missing_fractions(self) -> Float[Array, " p"]:
        """The eigenvalues of the rate matrix, the largest first: shares of information that are missing."""
        _, whitened = self._whitened()
        return np.asarray(1 - np.linalg.eigvalsh(whitened), dtype=np.float64)

    @property
    def rate(self) -> float:
        """The spectral radius of the rate matrix: by which factor EM shrinks its error in a step, in the end."""
        return float(abs(self.missing_fractions).max())

    @cached_property
    def covariance(self) -> Float[Array, "p p"]:
        """The inverse of the observed information.

        Raises:
            ArithmeticError: the observed information is not positive definite; the message names a parameter.
        """
        root, whitened = self._whitened()
        values, vectors = np.linalg.eigh(whitened)
        if values[0] < NOISE:
            direction = _solve(root.T, vectors[:, 0])
            raise ArithmeticError(
                f"the observed information is singular: along {self.foremost(direction)} it is {values[0]:.2g} of "
                "the complete information. The likelihood has no strict maximum there: EM has not arrived, "
                "a parameter is at its boundary, or the model has more parameters than the data determine"
            )
        half = _solve(root.T, vectors / np.sqrt(values))
        result: Array = half @ half.T
        return result

    @property
    def standard_errors(self) -> dict[str, Array]:
        """The standard error of every number in the params, by name, in the shape of the estimate.

        Raises:
            ArithmeticError: see `covariance`.
        """
        return {
            name: np.sqrt(np.einsum("...p,pq,...q->...", slope, self.covariance, slope))
            for name, slope in self.slopes.items()
        }

    @property
    def distance(self) -> float:
        """How far the maximum is from the params, in standard errors, if the log-likelihood is a parabola."""
        return float(np.sqrt(self.score @ self.covariance @ self.score))

    def _whitened(self) -> tuple[Float[Array, "p p"], Float[Array, "p p"]]:
        """L with L L' the complete information, and the observed information in the coordinates where that is 1."""
        units = np.sqrt(abs(np.diagonal(self.complete)))
        values, vectors = np.linalg.eigh(self.complete / units / units[:, None])
        if values[0] < NOISE:
            moves = {name: slope @ (vectors[:, 0] / units) for name, slope in self.slopes.items()}
            raise ArithmeticError(
                f"the complete information is not positive definite along {largest(moves, self.estimates)}: "
                "the params are no maximum or at the boundary of their range, or the model has more parameters than "
                "even complete data determine"
            )
        root = np.asarray(np.linalg.cholesky(self.complete), dtype=np.float64)
        return root, _solve(root, _solve(root, self.observed).T)

    def foremost(self, direction: Float[Array, " p"]) -> str:
        """The entry of the params that moves most in that direction, in units of its complete standard error."""
        inverse = np.linalg.inv(self.complete)
        units = {
            name: np.sqrt(np.einsum("...p,pq,...q->...", slope, inverse, slope))
            for name, slope in self.slopes.items()
        }
        return largest({name: slope @ direction for name, slope in self.slopes.items()}, units)


def information(
    model: Model[Any, Params, Any], data: Any, params: Params, chart: Chart[Params] | None = None
) -> Information:
    """Complete and observed information of data at params, by differentiation of the surrogate.

    It takes four E-steps for each free parameter. The default chart is that of `emlib.charts.chart_of`.

    Raises:
        ValueError: there is no chart for the model.
        ArithmeticError: a parameter is at the boundary of its range, or the data say nothing about it.
    """
    here = Place.of(model, data, params, chart)
    complete = -here.curvature(lambda vector: here.surrogate(here.stats, here.params(vector)))
    # The log-likelihood bends less than Q because the posterior moves with the params, and the slope of Q with it.
    missing = here.slope(lambda vector: here.surrogate_slope(here.e_step(vector)))
    return Information(
        complete=complete,
        observed=complete - (missing + missing.T) / 2,
        score=here.surrogate_slope(here.stats),
        estimates=parameters(params),
        slopes={name: here.slope(here.named(name)) for name in parameters(params)},
    )


def standard_errors(
    model: Model[Any, Params, Any], data: Any, params: Params, chart: Chart[Params] | None = None
) -> dict[str, Array]:
    """The standard error of every number in maximum-likelihood params, by name: {"weights": ..., "means": ..., ...}.

    Warns:
        RuntimeWarning: the params are no maximum, or a parameter is so near its boundary that its standard error,
            which takes the likelihood for a parabola, says little.

    Raises:
        ValueError: there is no chart for the model.
        ArithmeticError: a parameter is at the boundary of its range, or the data do not determine it.
    """
    chart = chart or chart_of(model, params)
    found = information(model, data, params, chart)
    errors = found.standard_errors
    if found.distance > FAR:
        warnings.warn(
            f"the maximum is about {found.distance:.2g} standard errors away, mostly along "
            f"{found.foremost(found.covariance @ found.score)}: run EM to a smaller tolerance",
            RuntimeWarning,
            stacklevel=2,
        )
    bent = _bent(found, chart, chart.to_vector(params))
    if bent:
        warnings.warn(
            f"the standard error of {bent} says little: a standard error away, the parameter meets its boundary. "
            "Use bootstrap intervals",
            RuntimeWarning,
            stacklevel=2,
        )
    return errors


def missing_information(
    model: Tabulated[Params], data: Any, params: Params, chart: Chart[Params] | None = None
) -> Float[Array, "p p"]:
    """Louis's missing information: the posterior variance of the complete score, summed over observations.

    Source: Louis (1982), eq. (3.2), for independent observations.
    """
    here = Place.of(model, data, params, chart)

    def variance(block: Block) -> Array:
        joint = model.log_joint(block.x, params)
        shares = softmax(joint)
        possible = np.isfinite(joint)

        def log_joint(vector: Array) -> Array:
            return np.where(possible, model.log_joint(block.x, here.chart.from_vector(vector)), 0.0)

        scores = here.slope(log_joint)
        centred = scores - np.einsum("nk,nkp->np", shares, scores)[:, None, :]
        result: Array = np.einsum("nk,nkp,nkq->pq", block.weighted(shares), centred, centred)
        return result

    return model.prepare(data).sum(variance)


def em_map_jacobian(
    model: Model[Any, Params, Any], data: Any, params: Params, chart: Chart[Params] | None = None
) -> Float[Array, "p p"]:
    """The derivative of one EM step with respect to where it starts; at a fixed point it is the rate matrix.

    Source: Meng & Rubin (1991), section 2.2, by central differences.
    """
    here = Place.of(model, data, params, chart)
    return here.slope(lambda vector: here.chart.to_vector(model.m_step(here.e_step(vector))))


def _solve(matrix: Array, right: Array) -> Array:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _bent(found: Information, chart: Chart[Any], at: Float[Array, " p"]) -> str:
    """The entry of the params that, one standard error on, is farthest from where its slope points; "" if near."""
    worst, farthest = CURVED, ""
    for label, name, index in entries(found.estimates):
        slope = found.slopes[name][index]
        direction = found.covariance @ slope
        error = np.sqrt(slope @ direction)
        if error == 0:
            continue
        for sign in (1, -1):
            there = parameters(chart.from_vector(at + sign * direction / error))[name][index]
            miss = abs(there - found.estimates[name][index] - sign * error) / error
            if miss > worst:
                worst, farthest = miss, label
    return farthest
