"""How many components, and of which shape: what the criterion says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from emlib.figures.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emlib.select import Selection

GROUPS = ("first", "second", "third", "energy", "data")
MARKERS = "os^Dvp"
STRONG = 10
"""A difference of BIC that Kass & Raftery (1995), "Bayes factors", section 3.2, call very strong evidence."""


def criterion_by_components(ax: Axes, selection: Selection) -> Axes:
    """By how much BIC or ICL exceeds the smallest, against the number of components, a line a model.

    The axis is linear up to 10, where evidence is very strong, and logarithmic from there on. Spherical, diagonal, and
    ellipsoidal models of one and of varying orientation have a colour each; the marker tells those of one colour apart.
    A fit that failed is a gap, and a ring marks the best.
    """
    best = selection.best
    low = selection.value(best)
    members: dict[int, int] = defaultdict(int)
    numbers = sorted({cell.k for cell in selection.cells})
    for place, model in enumerate(selection.families):
        group = _group(model, place)
        marker = MARKERS[members[group] % len(MARKERS)]
        members[group] += 1
        found = {fit.k: selection.value(fit) - low for fit in selection.fits if fit.model == model}
        ax.plot(
            numbers,
            [found.get(k, float("nan")) for k in numbers],
            marker=marker,
            color=COLOURS[GROUPS[group]],
            linewidth=1,
            markersize=4,
            label=model,
        )
    ax.plot(
        best.k,
        0,
        "o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=COLOURS["ink"],
        label="_best",
    )
    ax.annotate(
        f"{best.model}, {best.k}",
        (best.k, 0),
        (0, -9),
        textcoords="offset points",
        ha="center",
        va="top",
    )
    ax.set(
        xlabel="components",
        ylabel=f"{selection.criterion.upper()} above the best",
        xticks=numbers,
    )
    ax.set_yscale("symlog", linthresh=STRONG)
    ax.yaxis.set_major_formatter("{x:g}")
    highest = max(selection.value(fit) - low for fit in selection.fits)
    ax.set_ylim(-0.6 * STRONG, 2 * max(highest, STRONG))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=1 + (len(selection.families) > 7))
    return ax


def _group(model: str, place: int) -> int:
    shapes = {"II": 0, "EI": 1, "VI": 1, "EE": 2, "VE": 2, "EV": 3, "VV": 3}
    return shapes.get(model[1:], place % len(GROUPS))
