"""Allele counting: gene frequencies from phenotypes, where several genotypes look alike.

Under random mating (Hardy and Weinberg), the genotype {a, b} has probability 2 p_a p_b, or p_a^2 where a = b. Were
genotypes seen, the frequency of an allele would be its share of all genes; what is seen is the phenotype.

Source: Ceppellini, Siniscalco & Smith (1955), "The estimation of gene frequencies in a random-mating population",
Annals of Human Genetics 20; Smith (1957), "Counting methods in genetical statistics", Annals of Human Genetics 21.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.arrays import Array, Labels, log_probabilities, real
from emlib.charts import Chart, chart, shares
from emlib.data import Prepared
from emlib.models.cells import CellStatistics, MergedCells

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class AlleleFrequencies:
    """The shares of the alleles among all genes."""

    frequencies: Float[Array, " a"]

    def __post_init__(self) -> None:
        frequencies = real(self.frequencies, "frequencies")
        if (
            frequencies.ndim != 1
            or (frequencies < 0).any()
            or not abs(frequencies.sum() - 1) <= 1e-8
        ):
            raise ValueError(
                f"frequencies: expected a number for each allele, none below 0, with sum 1, got "
                f"{self.frequencies} with sum {frequencies.sum():.10g}"
            )
        object.__setattr__(self, "frequencies", frequencies)


class AlleleCounting(MergedCells[AlleleFrequencies]):
    """Alleles of one locus, and the phenotypes as which their genotypes are seen.

    Data are a mapping from phenotype to count, the counts in the order of `phenotypes`, the names of the phenotypes of
    individuals, or their numbers as a column.
    """

    def __init__(
        self, alleles: Iterable[str], phenotypes: Mapping[str, Iterable[Iterable[str]]]
    ) -> None:
        """A genotype is a pair of alleles in either order: ("A", "O"), or "AO" where names are single letters.

        Raises:
            ValueError: an allele is named twice or unknown, or a genotype is shown by no phenotype or by two.
        """
        self.alleles = tuple(alleles)
        self.phenotypes = tuple(phenotypes)
        if len(self.alleles) < 2 or len(set(self.alleles)) < len(self.alleles):
            raise ValueError(
                f"alleles: expected two or more, each named once, got {', '.join(self.alleles)}"
            )
        shown = self._shown(phenotypes)
        pairs = list(combinations_with_replacement(self.alleles, 2))
        missing = [pair for pair in pairs if pair not in shown]
        if missing:
            raise ValueError(
                f"phenotypes: no phenotype shows {_names(missing)}; "
                "every pair of alleles needs one, if only for completeness"
            )
        self.genotypes = tuple(pairs)
        self._observed: Labels = np.array([shown[pair] for pair in pairs])
        index = np.array([[self.alleles.index(allele) for allele in pair] for pair in pairs])
        self._pairs: Labels = index
        # The genes of each genotype, a row a genotype: 2 of one allele, or 1 of either.
        self._genes: Array = (index[:, :, None] == np.arange(len(self.alleles))).sum(axis=1) * 1.0
        self._log_orders: Array = np.where(index[:, 0] == index[:, 1], 0.0, np.log(2.0))

    @property
    def shown(self) -> Int[Labels, " c"]:
        """The number of the phenotype that shows each of `genotypes`."""
        return self._observed

    def prepare(self, data: Any) -> Prepared:
        """The data, checked.

        Raises:
            ValueError: a phenotype is unknown, or the data are no counts and no phenotypes.
        """
        if isinstance(data, Mapping):
            self._refuse_unknown(data)
            data = [data.get(phenotype, 0) for phenotype in self.phenotypes]
        elif _are_names(data):
            data = self.cells(data)
        return super().prepare(data)

    def cells(self, data: ArrayLike) -> Float[Array, "n 1"]:
        """The phenotypes of individuals, by name or by number, as a column of numbers."""
        if _are_names(data):
            names = np.ravel(data).tolist()
            self._refuse_unknown(names)
            data = np.array([[self.phenotypes.index(name)] for name in names])
        return super().cells(data)

    def log_cells(self, params: AlleleFrequencies) -> Float[Array, " c"]:
        """Log 2 p_a p_b for each genotype {a, b}; log p_a^2 where a = b."""
        if len(params.frequencies) != len(self.alleles):
            raise ValueError(
                f"frequencies: expected one for each of {', '.join(self.alleles)}, "
                f"got {len(params.frequencies)}"
            )
        logs = log_probabilities(params.frequencies)
        result: Array = self._log_orders + logs[self._pairs].sum(axis=1)
        return result

    def m_step(self, stats: CellStatistics) -> AlleleFrequencies:
        """The share of each allele among the genes, two an individual."""
        genes = stats.counts @ self._genes
        return AlleleFrequencies(genes / genes.sum())

    def _shown(
        self, phenotypes: Mapping[str, Iterable[Iterable[str]]]
    ) -> dict[tuple[str, str], int]:
        shown: dict[tuple[str, str], int] = {}
        for number, (phenotype, genotypes) in enumerate(phenotypes.items()):
            before = len(shown)
            for genotype in map(tuple, genotypes):
                unknown = [allele for allele in genotype if allele not in self.alleles]
                if len(genotype) != 2 or unknown:
                    raise ValueError(
                        f"phenotype {phenotype}: {_names([genotype])} is no pair of the alleles "
                        f"{', '.join(self.alleles)}"
                    )
                first, second = sorted(genotype, key=self.alleles.index)
                if shown.setdefault((first, second), number) != number:
                    raise ValueError(
                        f"phenotypes: {_names([genotype])} is shown by "
                        f"{self.phenotypes[shown[first, second]]} and by {phenotype}"
                    )
            if len(shown) == before:
                raise ValueError(f"phenotype {phenotype}: no genotype of its own shows it")
        return shown

    def _refuse_unknown(self, names: Iterable[Any]) -> None:
        unknown = sorted({str(name) for name in names} - set(self.phenotypes))
        if unknown:
            raise ValueError(
                f"data: no phenotype is named {', '.join(unknown)}; "
                f"there are {', '.join(self.phenotypes)}"
            )


@chart.register
def _(params: AlleleFrequencies) -> Chart[AlleleFrequencies]:
    inner = shares(len(params.frequencies))
    return Chart(
        lambda params: inner.to_vector(params.frequencies),
        lambda vector: AlleleFrequencies(inner.from_vector(vector)),
    )


def _are_names(data: Any) -> bool:
    # A Dask array is not looked into: that would compute it.
    local = isinstance(data, (str, list, tuple, np.ndarray))
    return local and np.asarray(data).dtype.kind == "U"


def _names(genotypes: Iterable[tuple[str, ...]]) -> str:
    return ", ".join("{" + ", ".join(genotype) + "}" for genotype in genotypes)
