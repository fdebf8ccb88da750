"""Zero inflation: more zeros than a family of counts explains.

Some observations are zero whatever happens; the others follow the family. That is a mixture whose first component is
the point mass at zero, so only the component is written here and `emlib.mixture` does the rest:

    Mixture(ZeroInflated(Poisson()))        with params      MixtureParams([0.6, 0.4], Poissons([1.0]))

is the zero-inflated Poisson without covariates, and with k rates it is a zero-inflated mixture of k Poissons.

Source: Lambert (1992), "Zero-inflated Poisson regression, with an application to defects in manufacturing",
Technometrics 34, section 2; the data are those of Thisted (1988), section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from emlib.arrays import Array, Labels
from emlib.charts import Chart, chart_of
from emlib.families.family import Family, Params, Stats

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class InflatedStatistics(Generic[Stats]):
    """The expected number of certain zeros, and the sums of the other components."""

    zeros: float
    inner: Stats

    @property
    def counts(self) -> Float[Array, " k"]:
        """Expected number of observations of each component, the point mass first."""
        return np.concatenate([[self.zeros], self.inner.counts])

    def __add__(self, other: InflatedStatistics[Stats]) -> InflatedStatistics[Stats]:
        return InflatedStatistics(self.zeros + other.zeros, self.inner + other.inner)

    def __mul__(self, factor: float) -> InflatedStatistics[Stats]:
        return InflatedStatistics(self.zeros * factor, self.inner * factor)


@dataclass(frozen=True)
class ZeroInflated(Generic[Params, Stats]):
    """A family with one component more, the first: the point mass at zero. Its params are those of the family."""

    family: Family[Params, Stats]

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """The data, as the family takes them."""
        return self.family.observations(data)

    def log_density(self, x: Float[Array, "n d"], params: Params) -> Float[Array, "n k"]:
        """Column 0: 0 where a row is zero, -inf elsewhere. The others are the family's."""
        certain = np.where((x == 0).all(axis=1), 0.0, -np.inf)
        return np.column_stack([certain, self.family.log_density(x, params)])

    def expected_statistics(
        self, x: Float[Array, "n d"], responsibilities: Float[Array, "n k"], near: Params | None
    ) -> InflatedStatistics[Stats]:
        """The sum of the first column, and the family's sums with the others."""
        inner = self.family.expected_statistics(x, responsibilities[:, 1:], near)
        return InflatedStatistics(float(responsibilities[:, 0].sum()), inner)

    def expected_log_density(self, stats: InflatedStatistics[Stats], params: Params) -> float:
        """That of the family: a certain zero has log-density 0."""
        return self.family.expected_log_density(stats.inner, params)

    def from_mean(self, stats: InflatedStatistics[Stats]) -> Params:
        """The family's params; the point mass has none."""
        return self.family.from_mean(stats.inner)

    def free_parameters(self, params: Params) -> int:
        """Those of the family: the point mass has none."""
        return self.family.free_parameters(params)

    def sample(
        self, params: Params, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """Zero where hidden_n is 0, otherwise one observation from component hidden_n - 1 of the family."""
        # A row is drawn for the zeros too, and thrown away: the family alone knows how wide a row is.
        x = self.family.sample(params, np.maximum(hidden - 1, 0), rng)
        return np.where((hidden == 0)[:, None], 0.0, x)


@chart_of.register
def _(family: ZeroInflated, params: Any) -> Chart[Any]:  # type: ignore[type-arg]
    return chart_of(family.family, params)
