"""Mixed data: one family for some columns, another for others, independent given the component.

Source: Everitt & Hand (1981), "Finite Mixture Distributions"; in latent class analysis the assumption is
called local independence (Lazarsfeld & Henry 1968).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array, Labels
from emlib.families.family import Family

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Products:
    """The params of each family, in the order of the families; all for the same k components."""

    parts: tuple[Any, ...]


@dataclass(frozen=True)
class ProductStatistics:
    """The statistics of each family, in the order of the families."""

    parts: tuple[Any, ...]

    @property
    def counts(self) -> Float[Array, " k"]:
        """Expected number of observations of each component."""
        counts: Array = self.parts[0].counts
        return counts

    def __add__(self, other: ProductStatistics) -> ProductStatistics:
        return ProductStatistics(tuple(map(add, self.parts, other.parts)))

    def __mul__(self, factor: float) -> ProductStatistics:
        return ProductStatistics(tuple(part * factor for part in self.parts))


@dataclass(frozen=True)
class Product:
    """The product of families, each over columns of its own.

    `Product((Gaussian(), Bernoulli()), ((0, 2), (1,)))` is a Gaussian in columns 0 and 2 and a Bernoulli in column 1.
    """

    families: tuple[Family[Any, Any], ...]
    columns: tuple[tuple[int, ...], ...]
    """The columns of each family: every column of the data once."""

    def __post_init__(self) -> None:
        columns = tuple(tuple(own) for own in self.columns)
        every = [column for own in columns for column in own]
        if not columns or len(columns) != len(self.families) or not all(columns):
            raise ValueError(
                f"columns: expected some for each of {len(self.families)} families, got {columns}"
            )
        if sorted(every) != list(range(len(every))):
            raise ValueError(
                f"columns: expected each of 0, 1, 2, ... in one family and one only, got {columns}"
            )
        object.__setattr__(self, "families", tuple(self.families))
        object.__setattr__(self, "columns", columns)

    @property
    def _width(self) -> int:
        return sum(map(len, self.columns))

    def _split(self, x: Array) -> list[Array]:
        return [x[:, list(own)] for own in self.columns]

    def _joined(self, parts: Sequence[Array]) -> Float[Array, "n d"]:
        x = np.empty((len(parts[0]), self._width))
        for own, part in zip(self.columns, parts, strict=True):
            x[:, list(own)] = part
        return x

    def _each(self, values: Sequence[Any]) -> zip[tuple[Family[Any, Any], Any]]:
        return zip(self.families, values, strict=True)

    def observations(self, data: ArrayLike) -> Float[Array, "n d"]:
        """Rows that each family takes in its own columns. Shape (n, d)."""
        table = np.asarray(data)
        if table.ndim != 2 or table.shape[1] != self._width:
            raise ValueError(f"data: expected shape (n, {self._width}), got {table.shape}")
        parts = []
        for own, family, part in zip(self.columns, self.families, self._split(table), strict=True):
            try:
                parts.append(family.observations(part))
            except ValueError as error:
                raise ValueError(f"columns {own}: {error}") from error
        return self._joined(parts)

    def log_density(self, x: Float[Array, "n d"], params: Products) -> Float[Array, "n k"]:
        """The sum of the log-densities of the families."""
        pairs = zip(self._split(x), params.parts, strict=True)
        tables = [family.log_density(*pair) for family, pair in self._each(list(pairs))]
        if len({table.shape for table in tables}) > 1:
            raise ValueError(
                f"params: expected the same number of components in each part, got "
                f"{[table.shape[1] for table in tables]}"
            )
        result: Array = np.add.reduce(tables)
        return result

    def expected_statistics(
        self, x: Float[Array, "n d"], responsibilities: Float[Array, "n k"], near: Products | None
    ) -> ProductStatistics:
        """The statistics of each family over its columns."""
        places = [None] * len(self.families) if near is None else near.parts
        return ProductStatistics(
            tuple(
                family.expected_statistics(part, responsibilities, place)
                for (family, part), place in zip(self._each(self._split(x)), places, strict=True)
            )
        )

    def expected_log_density(self, stats: ProductStatistics, params: Products) -> float:
        """The sum over the families."""
        pairs = zip(stats.parts, params.parts, strict=True)
        return sum(family.expected_log_density(*pair) for family, pair in self._each(list(pairs)))

    def from_mean(self, stats: ProductStatistics) -> Products:
        """The params of each family, from its own statistics."""
        return Products(tuple(family.from_mean(part) for family, part in self._each(stats.parts)))

    def free_parameters(self, params: Products) -> int:
        """Those of each family."""
        return sum(family.free_parameters(part) for family, part in self._each(params.parts))

    def sample(
        self, params: Products, hidden: Int[Labels, " n"], rng: np.random.Generator
    ) -> Float[Array, "n d"]:
        """One row from component hidden_n, for each n."""
        drawn = [family.sample(part, hidden, rng) for family, part in self._each(params.parts)]
        return self._joined(drawn)
