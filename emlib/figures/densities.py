"""Data with the densities that were fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emlib.figures.style import COLOURS, PALE

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

    from emlib.arrays import Array


def normal_density(x: ArrayLike, mean: float, variance: float) -> Array:
    """N(x | mean, variance) at each x."""
    square = (np.asarray(x, dtype=float) - mean) ** 2
    result: Array = np.exp(-square / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return result


def histogram(
    ax: Axes,
    data: Float[Array, " n"],
    curves: Mapping[str, Callable[[Array], Array]],
    *,
    label: str,
    bins: int = 27,
) -> Axes:
    """A histogram of area one, under named density curves; `label` names the quantity and its unit."""
    rim = COLOURS["data"]
    ax.hist(data, bins, density=True, color=PALE, edgecolor=rim, linewidth=0.6, label="observed")
    margin = 0.08 * float(np.ptp(data))
    grid = np.linspace(data.min() - margin, data.max() + margin, 400)
    for name, density in curves.items():
        ax.plot(grid, density(grid), label=name)
    ax.set(xlabel=label, ylabel="density")
    ax.legend()
    return ax


def counts(
    ax: Axes,
    observed: Mapping[int, float],
    expected: Mapping[str, NDArray[np.float64]],
    *,
    label: str,
) -> Axes:
    """Observed frequencies as bars, and expected frequencies of named models as points on the same counts."""
    values = list(observed)
    markers = "osD^"
    if len(expected) > len(markers):
        raise ValueError(f"counts: expected at most {len(markers)} models, got {len(expected)}")
    heights = list(observed.values())
    ax.bar(values, heights, color=PALE, edgecolor=COLOURS["data"], linewidth=0.6, label="observed")
    for marker, (name, frequencies) in zip(markers, expected.items(), strict=False):
        ax.plot(values, frequencies, marker, linestyle="-", linewidth=1, label=name)
    ax.set(xlabel=label, ylabel="frequency", xticks=values)
    ax.legend()
    return ax
