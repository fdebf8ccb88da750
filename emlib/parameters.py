"""The numbers in params by name, as a reader knows them: "weights", "means", "covariances", "rates" ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from emlib.arrays import Array


def parameters(params: Any) -> dict[str, Array]:
    """The numbers in params by name, such as "weights" and "means": each field of the dataclass and of those in it."""
    found: dict[str, Array] = {}
    for field in fields(params):
        value = getattr(params, field.name)
        if is_dataclass(value):
            inner = parameters(value)
        elif isinstance(value, tuple) and all(map(is_dataclass, value)):
            inner = {
                f"{number}.{name}": array
                for number, part in enumerate(value)
                for name, array in parameters(part).items()
            }
        else:
            inner = {field.name: np.asarray(value)}
        for name, array in inner.items():
            if array.dtype.kind in "iuf":
                found[f"{field.name}.{name}" if name in found else name] = array.astype(np.float64)
    return found


def entries(values: Mapping[str, Array]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """A label, the name and the index of every number in `parameters`, of a symmetric matrix one half only."""
    for name, array in values.items():
        symmetric = array.ndim == 3 and np.array_equal(array, array.transpose(0, 2, 1))
        for index in np.ndindex(array.shape):
            if not (symmetric and index[2] > index[1]):
                yield label(name, index), name, index


def largest(moves: Mapping[str, Array], sizes: Mapping[str, Array]) -> str:
    """The label of the number that moves most for its size."""
    tiny = np.finfo(float).tiny
    relative = {name: abs(move) / (abs(sizes[name]) + tiny) for name, move in moves.items()}
    name = max(relative, key=lambda name: float(relative[name].max()))
    return label(name, np.unravel_index(int(relative[name].argmax()), relative[name].shape))


def label(name: str, index: tuple[Any, ...]) -> str:
    """Such as "means[0, 1]"."""
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if index else name
