"""A table of numbers from a text file, or a complaint that says where it is none."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array


MISSING = ("", "na", "n/a", "nan", "null", "none", ".")
"""How a missing value may be written, in small letters or large."""


@dataclass(frozen=True)
class Table:
    """Named columns of numbers; a missing value is NaN."""

    names: tuple[str, ...]
    values: Float[Array, "n d"]
    weights: Float[Array, " n"] | None


def read_table(
    source: str,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    *,
    missing: bool = False,
) -> Table:
    """The columns of a file ("-": of the standard input), all but that of the weights if none are named.

    Lines that begin with # are comments. The first line is a header unless one of its entries is a number; without a
    header the columns are called 1, 2, ... Tabs, else semicolons, else commas separate the entries. With `missing`, an
    entry of `MISSING` is a missing value, except among the weights.

    Raises:
        ValueError: the file cannot be read, or an entry is no number; the message names row and column.
    """
    text = _text(source)
    names, rows = _rows(text)
    if not rows:
        raise ValueError("the file has no rows of data")
    chosen = [name for name in names if name != weights] if columns is None else list(columns)
    for name in [*chosen, *([] if weights is None else [weights])]:
        if names.count(name) != 1:
            raise ValueError(
                f"expected one column {name!r}, found {names.count(name)}; there are {', '.join(names)}"
            )
    if weights in chosen:
        raise ValueError(
            f"column {weights!r} holds the weights, and cannot be data too; see --columns"
        )
    if not chosen:
        raise ValueError("there are no columns beside that of the weights")
    values = [_column(rows, names, name, missing) for name in chosen]
    weight = None if weights is None else _column(rows, names, weights, False)
    return Table(tuple(chosen), np.array(values).T, None if weight is None else np.array(weight))


def _text(source: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"expected text in UTF-8, found byte {raw[error.start]:#04x} at offset {error.start}"
        ) from error


def _rows(text: str) -> tuple[list[str], list[list[str]]]:
    lines = [line for line in io.StringIO(text) if line.strip() and not line.startswith("#")]
    if not lines:
        raise ValueError("the file is empty")
    separator = next((mark for mark in "\t;" if mark in lines[0]), ",")
    try:
        rows = [
            [entry.strip() for entry in row]
            for row in csv.reader(lines, delimiter=separator, strict=True)
        ]
    except csv.Error as error:
        raise ValueError(f"no table of entries separated by {separator!r}: {error}") from error
    names = [str(place) for place in range(1, len(rows[0]) + 1)]
    if not any(_is_number(entry) for entry in rows[0]):
        names = rows.pop(0)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise ValueError(f"row {number}: expected {len(names)} entries, got {len(row)}")
    return names, rows


def _column(
    rows: Sequence[Sequence[str]], names: Sequence[str], name: str, missing: bool
) -> list[float]:
    place, found = names.index(name), []
    for number, row in enumerate(rows, start=1):
        entry = row[place]
        if missing and entry.lower() in MISSING:
            found.append(float("nan"))
        elif _is_number(entry) and isfinite(float(entry)):
            found.append(float(entry))
        else:
            raise ValueError(
                f"row {number}, column {name!r}: expected a number, got {entry!r}; "
                + (
                    "if it is a missing value, see --missing"
                    if entry.lower() in MISSING
                    else "mend or leave out the row, or choose other columns with --columns"
                )
            )
    return found


def _is_number(entry: str) -> bool:
    try:
        float(entry)
    except ValueError:
        return False
    return "_" not in entry  # which Python takes for a separator of thousands
