"""A mixture of k components of one family: p(x) = sum_k w_k p(x | theta_k).

Source: Dempster, Laird & Rubin (1977), section 4.3; Bishop (2006), section 9.2. The chapter is
book/gaussian-mixtures.md; the derivation of each update is in `emlib.symbolic.gaussian_mixtures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from emlib.arrays import (
    Array,
    Labels,
    distributions,
    expectation,
    log_probabilities,
    log_sum_exp,
    real,
    softmax,
)
from emlib.data import Block, Prepared, Weighted, impossible_row, prepare, row_weights
from emlib.families.family import Family, Params, Stats

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class MixtureParams(Generic[Params]):
    """Weights, and the params of the components."""

    weights: Float[Array, " k"]
    components: Params

    def __post_init__(self) -> None:
        weights = real(self.weights, "weights")
        if weights.ndim != 1 or (weights < 0).any() or abs(weights.sum() - 1) > 1e-8:
            raise ValueError(
                f"weights: expected k numbers, none below 0, with sum 1, got {self.weights} "
                f"with sum {weights.sum():.10g}"
            )
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of_counts(cls, counts: Float[Array, " k"], components: Params) -> MixtureParams[Params]:
        """The weights as shares of counts, which prove themselves."""
        weights = counts / counts.sum()
        if not weights.min() >= 0:
            return cls(weights, components)  # raises
        params = object.__new__(cls)
        params.__dict__.update(weights=weights, components=components)
        return params

    @cached_property
    def log_weights(self) -> Float[Array, " k"]:
        """-inf for a weight of 0."""
        return log_probabilities(self.weights)


@dataclass(frozen=True)
class MixtureStatistics(Generic[Stats]):
    """What an E-step keeps of a data set."""

    log_likelihood: float
    components: Stats
    kernel_rounding: float = 0.0
    """How far the kernel's rounding may have moved the log-likelihood, in nats, beyond a sum's."""

    @cached_property
    def observations(self) -> float:
        """How many observations were summed."""
        return float(self.components.counts.sum())

    @property
    def rounding(self) -> float:
        """What rounding may move, in nats, beyond a sum's: in the kernel, and in a fit to the statistics."""
        return self.kernel_rounding + float(getattr(self.components, "rounding", 0.0))

    def __add__(self, other: MixtureStatistics[Stats]) -> MixtureStatistics[Stats]:
        return MixtureStatistics(
            self.log_likelihood + other.log_likelihood,
            self.components + other.components,
            self.kernel_rounding + other.kernel_rounding,
        )

    def __mul__(self, factor: float) -> MixtureStatistics[Stats]:
        return MixtureStatistics(
            self.log_likelihood * factor, self.components * factor, self.kernel_rounding * factor
        )


@dataclass(frozen=True)
class Mixture(Generic[Params, Stats]):
    """A mixture over one family. The hidden variable of an observation is its component."""

    family: Family[Params, Stats]

    def prepare(self, data: Any) -> Prepared:
        """The data set, checked, as the E-step reads it: once a run is enough."""
        return prepare(data, self.family.observations)

    def log_joint(self, data: ArrayLike, params: MixtureParams[Params]) -> Float[Array, "n k"]:
        """Log p(x_n, z_n = k | params): log-weight plus log-density."""
        return self._log_joint(self.family.observations(data), params)

    def _log_joint(
        self, x: Float[Array, "n d"], params: MixtureParams[Params]
    ) -> Float[Array, "n k"]:
        # Over rows that were checked already: an E-step looks at its data once.
        density = self.family.log_density(x, params.components)
        if density.shape[1] != len(params.weights):
            raise ValueError(
                f"there are {len(params.weights)} weights for {density.shape[1]} components; give one each"
            )
        joint: Array = params.log_weights + density
        return joint

    def responsibilities(
        self, data: ArrayLike, params: MixtureParams[Params]
    ) -> Float[Array, "n k"]:
        """p(z_n = k | x_n, params): the posterior, by Bayes' theorem."""
        return softmax(self.log_joint(data, params))

    def log_density(self, data: ArrayLike, params: MixtureParams[Params]) -> Float[Array, " n"]:
        """Log p(x_n | params)."""
        return log_sum_exp(self.log_joint(data, params))

    def why_impossible(self, data: Any, params: MixtureParams[Params]) -> str:
        """The first row that no component can emit, in words; "" if there is none."""
        return impossible_row(self.prepare(data), lambda x: log_sum_exp(self._log_joint(x, params)))

    def e_step(self, data: Any, params: MixtureParams[Params]) -> MixtureStatistics[Stats]:
        """Responsibilities, and the sums of the data that they weight, block by block.

        A family may do it with a kernel of its own; what it computes is `block_step`, only faster.
        """
        # A kernel (see Fused) has no place for the logarithm of 0.
        if not hasattr(self.family, "kernel") or not params.weights.all():
            return self.prepare(data).sum(lambda block: self._by_tables(block, params))
        kernel = self.family.kernel(params.log_weights, params.components)

        def step(block: Block) -> MixtureStatistics[Stats]:
            found = kernel(block)
            return MixtureStatistics(*found) if found else self._by_tables(block, params)

        return self.prepare(data).sum(step)

    def _by_tables(self, block: Block, params: MixtureParams[Params]) -> MixtureStatistics[Stats]:
        return reduce(add, (self.block_step(part, params) for part in block.parts()))

    def block_step(self, block: Block, params: MixtureParams[Params]) -> MixtureStatistics[Stats]:
        """Responsibilities, and the sums of the data that they weight, for one block of rows."""
        joint = self._log_joint(block.x, params)
        responsibilities = block.weighted(softmax(joint))
        return MixtureStatistics(
            log_likelihood=block.total(log_sum_exp(joint)),
            components=self.family.expected_statistics(
                block.x, responsibilities, params.components
            ),
        )

    def m_step(self, stats: MixtureStatistics[Stats]) -> MixtureParams[Params]:
        """Weights are shares of the data; each component is fitted to its weighted share."""
        components = self.family.from_mean(stats.components)
        return MixtureParams.of_counts(stats.components.counts, components)

    def expected_log_joint(
        self, stats: MixtureStatistics[Stats], params: MixtureParams[Params]
    ) -> float:
        """Q: sum_nk r_nk (log w_k + log p(x_n | theta_k)), from the sums alone."""
        weights = expectation(stats.components.counts, params.log_weights)
        return weights + self.family.expected_log_density(stats.components, params.components)

    def from_responsibilities(
        self, data: Any, responsibilities: ArrayLike
    ) -> MixtureParams[Params]:
        """An M-step on given responsibilities, hard or soft: a start from a guessed grouping. Shape (n, k).

        The data are rows in memory, weighted or not.
        """
        weights = None
        if isinstance(data, Weighted):
            data, weights = data.values, row_weights(data.weights, len(data.values))
        block = Block(self.family.observations(data), weights)
        shares = distributions(responsibilities, "responsibilities")
        if len(shares) != len(block.x):
            raise ValueError(
                f"responsibilities: expected shape ({len(block.x)}, k), got {shares.shape}"
            )
        stats = self.family.expected_statistics(block.x, block.weighted(shares), None)
        return self.m_step(MixtureStatistics(float("nan"), stats))

    def free_parameters(self, params: MixtureParams[Params]) -> int:
        """How many numbers describe the mixture: the df of BIC."""
        return len(params.weights) - 1 + self.family.free_parameters(params.components)

    def sample(
        self, params: MixtureParams[Params], n: int, rng: np.random.Generator
    ) -> tuple[Float[Array, "n d"], Int[Labels, " n"]]:
        """N observations, and the component that each came from."""
        hidden: Labels = rng.choice(len(params.weights), size=n, p=params.weights)
        return self.family.sample(params.components, hidden, rng), hidden
