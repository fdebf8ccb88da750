"""Bars and curves in which bound and gap add up to the evidence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import same_color

from emlib import FreeEnergy, Mixture, MixtureParams, em, free_energy
from emlib.families import Poisson, Poissons
from emlib.figures import COLOURS, bound_and_gap, bound_by_q, evidence_bars, trace_of_bound

# p(x, z) = 0.05 and 0.15: the evidence is log 0.2, the posterior (1/4, 3/4).
JOINT = np.log([0.05, 0.15])
EVIDENCE = np.log(0.2)


def bars(ax, colour):
    return [bar for bar in ax.patches if same_color(bar.get_facecolor(), COLOURS[colour])]


def bound_of(q):
    """F(q) = sum q log(p / q), written out."""
    return sum(share * (joint - np.log(share)) for share, joint in zip(q, JOINT, strict=True))


def test_every_bar_reaches_the_evidence_and_is_split_at_the_bound(ax, legend):
    choices = {"even": (0.5, 0.5), "wrong": (0.9, 0.1), "posterior": (0.25, 0.75)}
    assert evidence_bars(ax, {name: free_energy(q, JOINT) for name, q in choices.items()}) is ax
    floors = {bar.get_y() for bar in bars(ax, "bound")}
    assert len(floors) == 1
    assert floors.pop() < min(bound_of(q) for q in choices.values())
    for lower, upper, q in zip(bars(ax, "bound"), bars(ax, "gap"), choices.values(), strict=True):
        assert lower.get_y() + lower.get_height() == pytest.approx(bound_of(q))
        assert upper.get_y() == pytest.approx(bound_of(q))
        assert upper.get_y() + upper.get_height() == pytest.approx(EVIDENCE)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(choices)
    (level,) = ax.lines
    assert level.get_ydata() == pytest.approx([EVIDENCE, EVIDENCE])
    assert ax.get_ylabel() == "nats"
    assert legend(ax) == ["bound $F$", "gap KL"]


def test_the_numbers_on_the_bars_are_bound_and_gap(ax):
    choices = {"wrong": (0.9, 0.1), "posterior": (0.25, 0.75)}
    evidence_bars(ax, {name: free_energy(q, JOINT) for name, q in choices.items()})
    evidence, *numbers = [text.get_text().replace("\N{MINUS SIGN}", "-") for text in ax.texts]
    assert "p(x" in evidence
    wrong, gap = bound_of((0.9, 0.1)), EVIDENCE - bound_of((0.9, 0.1))
    # A gap too thin to hold a number has none.
    assert numbers == [f"{wrong:.3f}", f"{gap:.3f}", f"{EVIDENCE:.3f}"]


def test_bars_without_any_gap_still_have_a_length(ax):
    evidence_bars(ax, {"posterior": FreeEnergy(-2.0, 0.5, 0.0)})
    (bar,) = bars(ax, "bound")
    assert bar.get_height() > 0
    low, high = ax.get_ylim()
    assert low == pytest.approx(bar.get_y())
    assert high > -1.5


def test_the_bound_moves_with_q_under_the_evidence(ax, line, legend):
    probabilities = np.linspace(0.05, 0.95, 19)
    splits = [free_energy([1 - p, p], JOINT) for p in probabilities]
    assert bound_by_q(ax, probabilities, splits, 0.75) is ax
    x, y = line(ax, "bound $F(q)$").get_data()
    assert (x == probabilities).all()
    assert y == pytest.approx([bound_of((1 - p, p)) for p in probabilities])
    assert line(ax, r"$\log\,p(x)$").get_ydata() == pytest.approx([EVIDENCE, EVIDENCE])
    (point,) = [artist for artist in ax.lines if artist.get_marker() == "o"]
    assert point.get_xydata() == pytest.approx(np.array([[0.75, EVIDENCE]]))
    assert ax.texts[0].get_text() == "posterior 0.750"
    assert ax.get_ylabel() == "nats"
    assert "q" in ax.get_xlabel()
    assert sorted(legend(ax)) == sorted(["gap KL", "bound $F(q)$", r"$\log\,p(x)$"])


def edges(ax):
    """The lower and the upper edge of the one shaded band, by x."""
    (band,) = ax.collections
    points: dict[float, list[float]] = {}
    for x, y in band.get_paths()[0].vertices:
        points.setdefault(round(float(x), 9), []).append(float(y))
    return {x: (min(ys), max(ys)) for x, ys in points.items()}


def test_the_gap_is_shaded_between_bound_and_evidence(ax):
    probabilities = np.array([0.1, 0.5, 0.75, 0.9])
    bound_by_q(ax, probabilities, [free_energy([1 - p, p], JOINT) for p in probabilities], 0.75)
    for x, (low, high) in edges(ax).items():
        assert low == pytest.approx(bound_of((1 - x, x)))
        assert high == pytest.approx(EVIDENCE)


def shortfalls():
    """A run, and how far log-likelihood and bound of each step lie below the end, from densities alone."""
    model, data = Mixture(Poisson()), np.array([0, 1, 1, 2, 6, 7, 9])
    trace = em(model, data, MixtureParams([0.5, 0.5], Poissons([2.0, 3.0])), max_steps=8)
    evidences = [model.log_density(data, step.params).sum() for step in trace.steps]
    bounds = [evidences[0]]
    for previous, step in pairwise(trace.steps):
        q = model.responsibilities(data, previous.params)
        bounds.append((q * (model.log_joint(data, step.params) - np.log(q))).sum())
    return trace, evidences[-1] - np.array(evidences), evidences[-1] - np.array(bounds)


def test_a_trace_is_drawn_by_what_it_still_lacks_of_the_end(ax, line, legend):
    trace, short, promised = shortfalls()
    assert trace_of_bound(ax, trace, last=5) is ax
    steps = np.arange(1, 6)
    drawn = line(ax, "log-likelihood").get_xydata()
    assert drawn == pytest.approx(np.column_stack([steps, short[1:6]]), rel=1e-9)
    # The bound of a step is seen from the posterior of the step before.
    drawn = line(ax, "bound").get_xydata()
    assert drawn == pytest.approx(np.column_stack([steps, promised[1:6]]), rel=1e-9)
    assert (promised[1:6] > 1.5 * short[1:6]).all()
    for x, (low, high) in edges(ax).items():
        assert (low, high) == pytest.approx((short[int(x)], promised[int(x)]), rel=1e-9)
    assert ax.get_yscale() == "log"
    assert ax.get_xticks().tolist() == steps.tolist()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "nats below the end")
    assert sorted(legend(ax)) == ["bound", "gap KL", "log-likelihood"]


def test_the_end_itself_lacks_nothing_and_has_no_place_on_a_logarithmic_axis(ax, line):
    trace, _, _ = shortfalls()
    trace_of_bound(ax, trace, last=100)
    assert line(ax, "log-likelihood").get_xdata().tolist() == list(range(1, 8))


def test_a_frame_shows_the_gap_where_one_stands(ax):
    shifts = np.array([-1.0, 0.0, 1.0])
    splits = [free_energy([0.5, 0.5], JOINT + shift) for shift in shifts]
    assert bound_and_gap(ax, shifts, splits, 2, "a step") is ax
    evidence, bound, gap, point = ax.lines
    assert evidence.get_ydata() == pytest.approx(EVIDENCE + shifts)
    assert bound.get_ydata() == pytest.approx(bound_of((0.5, 0.5)) + shifts)
    assert same_color(gap.get_color(), COLOURS["gap"])
    assert gap.get_xdata() == pytest.approx([1, 1])
    assert gap.get_ydata() == pytest.approx([bound_of((0.5, 0.5)) + 1, EVIDENCE + 1])
    assert point.get_ydata() == pytest.approx([bound_of((0.5, 0.5)) + 1])
    assert "a step" in {ax.get_title(loc=place) for place in ("left", "center")}
