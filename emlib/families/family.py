"""What a mixture asks of a family, and how an exponential family answers it.

    log p(x | theta) = <eta(theta), T(x)> - A(eta) + log h(x)

Source: Barndorff-Nielsen (1978), "Information and Exponential Families", chapter 8; Bishop (2006), section 2.4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from emlib.arrays import UNDERFLOW
from emlib.kernels import EPS, ProductSums, pieces

if TYPE_CHECKING:
    from typing import Self

    from jaxtyping import Bool, Float, Int
    from numpy.typing import ArrayLike

    from emlib.arrays import Array, Flags, Labels
    from emlib.data import Block


class Shares(Protocol):
    """Statistics of k components: they know how much data each holds, they add, and they scale."""

    @property
    def counts(self) -> Float[Array, " k"]:
        """Expected number of observations of each component."""

    def __add__(self, other: Self) -> Self: ...

    def __mul__(self, factor: float) -> Self: ...


Params = TypeVar("Params")
Stats = TypeVar("Stats", bound=Shares)


class Family(Protocol[Params, Stats]):
    """The seam between a mixture and its components. A faster kernel replaces the two methods over data."""

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """The data, checked, one row an observation."""

    def log_density(self, x: Float[Array, "n d"], params: Params) -> Float[Array, "n k"]:
        """Log p(x_n | theta_k) for every observation and component."""

    def expected_statistics(
        self, x: Float[Array, "n d"], responsibilities: Float[Array, "n k"], near: Params | None
    ) -> Stats:
        """Sums over observations, weighted by responsibilities; `near` tells where the components roughly lie."""

    def expected_log_density(self, stats: Stats, params: Params) -> float:
        """sum_nk r_nk log p(x_n | theta_k), from the sums alone."""

    def from_mean(self, stats: Stats) -> Params:
        """The params whose expected statistics equal the weighted mean of the observed ones."""

    def free_parameters(self, params: Params) -> int:
        """How many numbers describe the components."""

    def sample(
        self, params: Params, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One observation from component hidden_n, for each n."""


class Fused(Protocol):
    """A family with an E-step of its own, faster than a table of densities and a sum over it."""

    def kernel(
        self, log_weights: Float[Array, " k"], params: Any
    ) -> Callable[[Block], tuple[float, Any, float] | None]:
        """The E-step over one block: log-likelihood, statistics, and a bound on their rounding in nats.

        None where only a table can tell, because a component has density 0 somewhere.
        """


@dataclass(frozen=True)
class Sums:
    """Weighted sums over the data, a row a component."""

    counts: Float[Array, " k"]
    """sum_n r_nk."""
    totals: Float[Array, "k p"]
    """sum_n r_nk T(x_n)."""
    log_base: float
    """sum_nk r_nk log h(x_n)."""

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.counts + other.counts, self.totals + other.totals, self.log_base + other.log_base
        )

    def __mul__(self, factor: float) -> Sums:
        return Sums(self.counts * factor, self.totals * factor, self.log_base * factor)


class ExponentialFamily(ABC, Generic[Params]):
    """A family given by its sufficient statistics T, natural params eta, log-partition A and base measure h.

    Every method over data is then a matrix product.
    """

    @abstractmethod
    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """The data, checked, one row an observation."""

    @abstractmethod
    def statistics(self, x: Float[Array, "n d"]) -> Float[Array, "n p"]:
        """T(x), a row an observation."""

    @abstractmethod
    def natural(self, params: Params) -> Float[Array, "k p"]:
        """eta(theta), a row a component."""

    @abstractmethod
    def log_partition(self, params: Params) -> Float[Array, " k"]:
        """A(eta(theta)) of each component."""

    @abstractmethod
    def log_base(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """Log h(x) of each observation."""

    @abstractmethod
    def from_mean(self, stats: Sums) -> Params:
        """The params whose expected statistics equal the weighted mean of the observed ones."""

    @abstractmethod
    def free_parameters(self, params: Params) -> int:
        """How many numbers describe the components."""

    def never(self, params: Params) -> Bool[Flags, "k e"] | None:
        """Which events each component never has; None where params have no boundary.

        On the boundary, as at a Poisson rate of 0, natural params are infinite. `natural` and `log_partition` leave out
        their infinite terms, which is right wherever no such event occurred; where one did, the density is 0.
        """
        return None

    def events(
        self, totals: Float[Array, "n p"], counts: Float[Array, " n"]
    ) -> Float[Array, "n e"]:
        """How often each event occurred, from sums of statistics over so many observations: the sums themselves."""
        return totals

    def impossible(self, x: Float[Array, "n d"], params: Params) -> Bool[Flags, "n k"] | None:
        """Which observations have density 0 under a component; None if none has."""
        never = self.never(params)
        if never is None or not never.any():
            return None
        some = never.any(axis=0)
        statistics = self.statistics(x)
        events = self.events(statistics, np.ones(len(statistics)))[:, some] > 0
        if not events.any():
            return None
        result: Flags = events.astype(np.float64) @ never[:, some].T > 0
        return result

    def kernel(
        self, log_weights: Float[Array, " k"], params: Params
    ) -> Callable[[Block], tuple[float, Sums, float] | None]:
        """Two matrix products a block: natural params with statistics, and responsibilities with statistics."""
        constants = log_weights - self.log_partition(params)
        natural = np.column_stack([self.natural(params), constants])

        def step(block: Block) -> tuple[float, Sums, float] | None:
            if self.impossible(block.x, params) is not None:
                return None
            products, base = ProductSums(natural), 0.0
            for cut in pieces(len(block.x), sum(natural.shape)):
                part = block.part(cut)
                statistics = self.statistics(part.x)
                _same_length(statistics, natural[:, :-1])
                features = np.ones((natural.shape[1], len(statistics)))
                features[:-1] = statistics.T
                products.add(features, part.weights)
                base += part.total(self.log_base(part.x))
            sums = products.sums
            # The terms of log-likelihood and surrogate may be far larger than what they sum to.
            terms = float((abs(natural) * abs(sums)).sum()) + abs(base)
            stats = Sums(sums[:, -1], sums[:, :-1], base)
            return products.evidence + base, stats, 4 * EPS * terms

        return step

    def log_density(self, x: Float[Array, "n d"], params: Params) -> Float[Array, "n k"]:
        """<eta_k, T(x_n)> - A(eta_k) + log h(x_n)."""
        statistics, natural = self.statistics(x), self.natural(params)
        _same_length(statistics, natural)
        logs: Array = (
            statistics @ natural.T - self.log_partition(params) + self.log_base(x)[:, None]
        )
        impossible = self.impossible(x, params)
        return logs if impossible is None else np.where(impossible, -np.inf, logs)

    def expected_statistics(
        self,
        x: Float[Array, "n d"],
        responsibilities: Float[Array, "n k"],
        near: Params | None = None,
    ) -> Sums:
        """sum_n r_nk T(x_n), and what goes with it."""
        weights = responsibilities.sum(axis=1)
        return Sums(
            counts=responsibilities.sum(axis=0),
            totals=responsibilities.T @ self.statistics(x),
            log_base=float(weights @ self.log_base(x)),
        )

    def expected_log_density(self, stats: Sums, params: Params) -> float:
        """sum_k <eta_k, sum_n r_nk T(x_n)> - N_k A(eta_k), plus the base measure."""
        return self.log_likelihood(stats.totals, stats.counts, params) + stats.log_base

    def log_likelihood(
        self, totals: Float[Array, "k p"], counts: Float[Array, " k"], params: Params
    ) -> float:
        """sum_k <eta_k, totals_k> - counts_k A(eta_k); -inf where something occurred that a component never has."""
        never = self.never(params)
        if never is not None and never.any():
            occurred = self.events(totals, counts) > UNDERFLOW * counts[:, None]
            if (occurred & never).any():
                return -np.inf
        inner = float((self.natural(params) * totals).sum())
        return inner - float(counts @ self.log_partition(params))


def maximum_likelihood(family: Family[Params, Stats], data: ArrayLike) -> Params:
    """The maximum-likelihood params of a single component: all data with weight one."""
    x = family.observations(data)
    return family.from_mean(family.expected_statistics(x, np.ones((len(x), 1)), None))


def _same_length(statistics: Float[Array, "n p"], natural: Float[Array, "k p"]) -> None:
    if statistics.shape[1] != natural.shape[1]:
        raise ValueError(
            f"the data have {statistics.shape[1]} statistics a row, the params are for {natural.shape[1]}"
        )


def refuse_empty(counts: Float[Array, " k"]) -> None:
    """Raise ArithmeticError where a component has no data left to be fitted to."""
    # What underflow leaves of a responsibility is no data.
    if not counts.min() > UNDERFLOW * counts.sum():
        raise ArithmeticError(
            f"component {int(counts.argmin())} has no data left: its expected count is {counts.min():g}. "
            "Use fewer components or another start"
        )
