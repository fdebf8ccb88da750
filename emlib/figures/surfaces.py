"""Pictures of a plane: a likelihood surface, and data with the components that share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke

from emlib.families.gaussian import Gaussians
from emlib.figures.style import COLOURS

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

    from emlib.arrays import Array


HALO = withStroke(linewidth=3, foreground="white")
"""Keeps a mark readable on whatever it lies on."""


def contours(
    ax: Axes,
    x: Float[Array, " w"],
    y: Float[Array, " h"],
    heights: Float[Array, "h w"],
    *,
    below_peak: tuple[float, ...] = (0.5, 2, 8, 32, 128, 512),
    marks: Mapping[str, tuple[float, float]] | None = None,
) -> Axes:
    """Level lines of a log-likelihood at so many nats below its highest grid point, with named points.

    The two innermost lines have no room for a label.
    """
    levels = sorted(float(heights.max()) - depth for depth in below_peak)
    shades = colormaps["Blues"](np.linspace(0.05, 0.5, len(levels)))
    ax.contourf(x, y, heights, levels=[*levels, np.inf], colors=shades)
    lines = ax.contour(
        x, y, heights, levels=levels, colors=COLOURS["first"], linestyles="solid", linewidths=0.8
    )
    depths = dict(zip(levels, sorted(below_peak, reverse=True), strict=True))
    ax.clabel(
        lines, levels[:-2], fmt={level: f"{depth:g}" for level, depth in depths.items()}, fontsize=8
    )
    middle = (x[0] + x[-1]) / 2
    for name, (horizontal, vertical) in (marks or {}).items():
        ax.plot(horizontal, vertical, "o", color=COLOURS["second"])
        side, gap = ("right", -7) if horizontal <= middle else ("left", 7)
        ax.annotate(
            name,
            (horizontal, vertical),
            xytext=(gap, 3),
            textcoords="offset points",
            horizontalalignment=side,
            fontweight="bold",
            path_effects=[HALO],
        )
    return ax


def clusters(
    ax: Axes,
    data: Float[Array, "n 2"],
    responsibilities: Float[Array, "n k"],
    components: Gaussians,
) -> Axes:
    """Points coloured by who answers for them, and each component's ellipses at one and two deviations."""
    palette = np.array([to_rgb(COLOURS[name]) for name in ("first", "second", "third", "energy")])
    k = len(components.means)
    if k > len(palette):
        raise ValueError(f"clusters: expected at most {len(palette)} components, got {k}")
    ax.scatter(
        data[:, 0], data[:, 1], c=responsibilities @ palette[:k], s=9, alpha=0.8, linewidths=0
    )
    for mean, covariance, colour in zip(
        components.means, components.covariances, palette, strict=False
    ):
        lengths, axes = np.linalg.eigh(covariance)
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        for deviations in (1, 2):
            width, height = 2 * deviations * np.sqrt(lengths[::-1])
            ax.add_patch(Ellipse(tuple(mean), width, height, angle=angle, fill=False, color=colour))
        ax.plot(*mean, "+", color=colour, markersize=10, markeredgewidth=2, path_effects=[HALO])
    return ax


def responsibilities_on_line(
    ax: Axes,
    grid: Float[Array, " g"],
    curves: Mapping[str, Float[Array, " g"]],
    *,
    label: str,
) -> Axes:
    """Named curves of one component's responsibility along a line."""
    lines = (":", "--", "-", "-.")
    if len(curves) > len(lines):
        raise ValueError(
            f"responsibilities_on_line: expected at most {len(lines)} curves, got {len(curves)}"
        )
    for line, (name, values) in zip(lines, curves.items(), strict=False):
        ax.plot(grid, values, line, color=COLOURS["first"], label=name)
    ax.set(xlabel=label, ylabel="responsibility", ylim=(-0.03, 1.03))
    ax.legend()
    return ax
