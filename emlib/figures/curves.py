"""Curves that carry an argument: the tangent of the logarithm, a chord under it, a bound that touches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from emlib.figures.style import COLOURS

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

    from emlib.arrays import Array


def log_tangent(ax: Axes) -> Axes:
    """Log u below its tangent u - 1."""
    u = np.linspace(0.08, 3.2, 300)
    ax.plot(u, u - 1, color=COLOURS["second"], label="$u-1$")
    ax.plot(u, np.log(u), color=COLOURS["first"], label=r"$\log\,u$")
    ax.plot(1, 0, "o", color=COLOURS["ink"])
    ax.annotate("they touch at $u=1$", (1, 0), (1.25, -0.75), arrowprops={"arrowstyle": "-"})
    ax.set(xlabel="$u$", ylim=(-2.6, 2.3))
    ax.legend()
    return ax


def concave_chord(ax: Axes, a: float, b: float, weight: float) -> Axes:
    """The logarithm of an average above the average of the logarithms; `weight` is that of a."""
    u = np.linspace(min(a, b) / 2, max(a, b) * 1.15, 300)
    average = weight * a + (1 - weight) * b
    below = weight * np.log(a) + (1 - weight) * np.log(b)
    ax.plot(u, np.log(u), color=COLOURS["first"], label=r"$\log\,u$")
    ax.plot([a, b], np.log([a, b]), "o-", color=COLOURS["ink"], linewidth=1, label="chord")
    ax.plot([average, average], [below, np.log(average)], color=COLOURS["gap"], linewidth=3)
    ax.annotate(
        f"gap {np.log(average) - below:.3f}",
        (average, (below + np.log(average)) / 2),
        (average + 0.06 * (b - a), below - 0.25),
        color=COLOURS["gap"],
    )
    ax.set(xlabel="$u$")
    ax.legend(loc="lower right")
    return ax


def runaway(ax: Axes, deviations: Float[Array, " s"], log_likelihoods: Float[Array, " s"]) -> Axes:
    """Log-likelihood against the shrinking standard deviation of one component, on a logarithmic axis."""
    ax.semilogx(deviations, log_likelihoods, color=COLOURS["first"])
    ax.invert_xaxis()
    ax.set(xlabel=r"standard deviation of one component $\rightarrow$ 0", ylabel="log-likelihood")
    return ax


def touching_bounds(
    ax: Axes,
    grid: Float[Array, " g"],
    log_likelihood: Float[Array, " g"],
    bounds: Mapping[float, Float[Array, " g"]],
    *,
    label: str,
) -> Axes:
    """A log-likelihood and, for each start in `bounds`, the bound that touches it there, with its maximum."""
    ax.plot(grid, log_likelihood, color=COLOURS["first"], label="log-likelihood")
    colours = (COLOURS["bound"], COLOURS["energy"], COLOURS["second"])
    if len(bounds) > len(colours):
        raise ValueError(
            f"touching_bounds: expected at most {len(colours)} bounds, got {len(bounds)}"
        )
    for colour, (start, bound) in zip(colours, bounds.items(), strict=False):
        ax.plot(grid, bound, color=colour, linewidth=1.2, label=f"bound touching at {start:.4g}")
        ax.plot(start, np.interp(start, grid, log_likelihood), "o", color=colour)
        ax.plot(grid[bound.argmax()], bound.max(), "^", color=colour)
    low, high = float(log_likelihood.min()), float(log_likelihood.max())
    ax.set(xlabel=label, ylabel="nats", ylim=(low - 0.4 * (high - low), high + 0.15 * (high - low)))
    ax.legend()
    return ax
