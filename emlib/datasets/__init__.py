"""Small data sets, each a CSV whose first line names its source."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array


@dataclass(frozen=True)
class Dataset:
    """A table with its source. `data["waiting"]` is a column; numbers where every entry is one, else text."""

    name: str
    source: str
    columns: Mapping[str, NDArray[Any]]

    def __getitem__(self, column: str) -> NDArray[Any]:
        if column not in self.columns:
            raise KeyError(
                f"{self.name} has no column {column!r}; it has {', '.join(self.columns)}"
            )
        return self.columns[column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def matrix(self, *columns: str) -> Float[Array, "n d"]:
        """The named columns side by side, or all of them. Raises ValueError for a column of text."""
        chosen = columns or tuple(self.columns)
        text = [column for column in chosen if self[column].dtype.kind == "U"]
        if text:
            raise ValueError(
                f"{self.name}: {', '.join(text)} holds text; name the columns you want"
            )
        return np.column_stack([self[column] for column in chosen]).astype(np.float64)

    def repeated(self, value: str, times: str) -> NDArray[Any]:
        """A table of counts as single observations: each entry of column `value`, as often as `times` says."""
        return np.repeat(self[value], self[times].astype(int))


def names() -> list[str]:
    """The data sets there are."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".csv") for file in files if file.name.endswith(".csv"))


def load(name: str) -> Dataset:
    """The data set of that name, as printed in its source.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in names():
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(names())}")
    text = resources.files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    comment, *lines = text.splitlines()
    header, *rows = csv.reader(lines)
    columns = {
        title: _column(list(values))
        for title, values in zip(header, zip(*rows, strict=True), strict=True)
    }
    return Dataset(name, comment.removeprefix("# "), columns)


def _column(values: list[str]) -> NDArray[Any]:
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return np.array(values)
