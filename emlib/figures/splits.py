"""The log-likelihood taken apart: bars and curves in which bound and gap visibly add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.bound import FreeEnergy
from emlib.em import Trace
from emlib.figures.style import COLOURS

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

    from emlib.arrays import Array


def evidence_bars(ax: Axes, splits: Mapping[str, FreeEnergy]) -> Axes:
    """One bar for each named q, from a common floor: the bound, and the KL gap that fills it up to the evidence."""
    evidence = next(iter(splits.values())).log_likelihood
    floor = min(split.free_energy for split in splits.values())
    floor -= 0.6 * max(evidence - floor, 0.1)
    names = list(splits)
    bounds = np.array([split.free_energy for split in splits.values()])
    gaps = np.array([split.gap for split in splits.values()])
    ax.bar(names, bounds - floor, bottom=floor, color=COLOURS["bound"], label="bound $F$")
    ax.bar(names, gaps, bottom=bounds, color=COLOURS["gap"], label="gap KL")
    ax.axhline(evidence, color=COLOURS["ink"], linewidth=1, linestyle="--")
    ax.annotate(
        r"$\log\,p(x\,|\,\theta)$",
        (0.995, evidence),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="bottom",
        xytext=(0, 3),
        textcoords="offset points",
    )
    for place, split in enumerate(splits.values()):
        middle = (floor + split.free_energy) / 2
        label = f"{split.free_energy:.3f}".replace("-", "−")
        ax.annotate(label, (place, middle), ha="center", color="white")
        if split.gap > 0.1 * (evidence - floor):
            half = split.free_energy + split.gap / 2
            ax.annotate(f"{split.gap:.3f}", (place, half), ha="center", va="center", color="white")
    ax.set(ylabel="nats", ylim=(floor, evidence + 0.15 * (evidence - floor)))
    ax.legend(loc="lower center", ncols=2, bbox_to_anchor=(0.5, 1.0))
    return ax


def bound_by_q(
    ax: Axes, probabilities: Float[Array, " m"], splits: Sequence[FreeEnergy], posterior: float
) -> Axes:
    """The bound as q moves, with the gap between it and the evidence shaded; q is given by one probability."""
    bounds = np.array([split.free_energy for split in splits])
    evidence = splits[0].log_likelihood
    ax.fill_between(
        probabilities, bounds, evidence, color=COLOURS["gap"], alpha=0.25, label="gap KL"
    )
    ax.plot(probabilities, bounds, color=COLOURS["bound"], label="bound $F(q)$")
    ax.axhline(evidence, color=COLOURS["ink"], linestyle="--", linewidth=1, label=r"$\log\,p(x)$")
    ax.plot(posterior, evidence, "o", color=COLOURS["ink"])
    ax.annotate(
        f"posterior {posterior:.3f}",
        (posterior, evidence),
        (0, 6),
        textcoords="offset points",
        ha="center",
    )
    ax.set(xlabel="$q$(long wait)", ylabel="nats")
    ax.margins(y=0.15)
    ax.legend(loc="lower center")
    return ax


def bound_and_gap(
    ax: Axes, values: Float[Array, " m"], splits: Sequence[FreeEnergy], here: int, title: str
) -> Axes:
    """A frame of a climb: evidence and bound over one parameter, and the gap at the value where one stands."""
    evidence = np.array([split.log_likelihood for split in splits])
    bounds = np.array([split.free_energy for split in splits])
    ax.plot(values, evidence, color=COLOURS["ink"], linestyle="--", linewidth=1)
    ax.plot(values, bounds, color=COLOURS["bound"])
    ax.plot([values[here]] * 2, [bounds[here], evidence[here]], color=COLOURS["gap"], linewidth=3)
    ax.plot(values[here], bounds[here], "o", color=COLOURS["ink"])
    ax.set_title(title)
    return ax


def trace_of_bound(ax: Axes, trace: Trace[Any, Any], last: int) -> Axes:
    """How far each step still was from the end, on a logarithmic axis, up to step `last`.

    Above each log-likelihood stands the shortfall of the bound that the M-step before it had guaranteed.
    """
    steps = np.arange(1, min(last, len(trace.steps) - 2) + 1)
    end = trace.log_likelihood
    short = end - trace.log_likelihoods[steps]
    promised = end - np.array([trace.steps[step].split.free_energy for step in steps])
    ax.fill_between(steps, short, promised, color=COLOURS["gap"], alpha=0.3, label="gap KL")
    ax.semilogy(steps, promised, "v--", color=COLOURS["bound"], linewidth=1, label="bound")
    ax.semilogy(steps, short, "o-", color=COLOURS["first"], label="log-likelihood")
    ax.set(xlabel="step", ylabel="nats below the end", xticks=steps)
    ax.legend()
    return ax
