"""Curves that carry an argument: what is drawn is what is claimed."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import same_color

from emlib.figures import COLOURS, concave_chord, log_tangent, runaway, touching_bounds


def test_the_tangent_lies_above_the_logarithm_and_touches_it_at_one(ax, line, legend):
    assert log_tangent(ax) is ax
    u, log = line(ax, r"$\log\,u$").get_data()
    same_u, tangent = line(ax, "$u-1$").get_data()
    assert (u == same_u).all()
    assert log == pytest.approx(np.log(u))
    assert tangent == pytest.approx(u - 1)
    assert u.min() < 0.1
    assert u.max() > 3
    (point,) = [artist for artist in ax.lines if artist.get_marker() == "o"]
    assert point.get_xydata().tolist() == [[1, 0]]
    assert "touch at $u=1$" in ax.texts[0].get_text()
    assert ax.get_xlabel() == "$u$"
    assert legend(ax) == ["$u-1$", r"$\log\,u$"]


@pytest.mark.parametrize(("a", "b", "weight"), [(1.0, 4.0, 0.5), (0.5, 5.0, 0.2), (5.0, 0.5, 0.8)])
def test_the_chord_lies_below_by_the_gap_that_is_written(ax, line, legend, a, b, weight):
    assert concave_chord(ax, a, b, weight) is ax
    u, log = line(ax, r"$\log\,u$").get_data()
    assert log == pytest.approx(np.log(u))
    assert u.min() < min(a, b)
    assert u.max() > max(a, b)
    assert line(ax, "chord").get_xydata() == pytest.approx(
        np.array([[a, np.log(a)], [b, np.log(b)]])
    )
    (gap,) = [artist for artist in ax.lines if same_color(artist.get_color(), COLOURS["gap"])]
    (across, low), (same, high) = gap.get_xydata()
    assert across == same == pytest.approx(weight * a + (1 - weight) * b)
    assert high == pytest.approx(np.log(across))
    # Jensen: the log of the mean above the mean of the logs, which lies on the chord.
    assert low == pytest.approx(weight * np.log(a) + (1 - weight) * np.log(b))
    assert low == pytest.approx(np.interp(across, sorted([a, b]), np.log(sorted([a, b]))))
    assert ax.texts[0].get_text() == f"gap {high - low:.3f}"
    assert ax.get_xlabel() == "$u$"
    assert legend(ax) == [r"$\log\,u$", "chord"]


def test_the_runaway_goes_to_the_right_on_a_logarithmic_axis(ax):
    deviations = np.array([1.0, 0.1, 0.001])
    assert runaway(ax, deviations, -np.log(deviations)) is ax
    (drawn,) = ax.lines
    assert drawn.get_xydata() == pytest.approx(np.column_stack([deviations, -np.log(deviations)]))
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    assert left > right
    assert "standard deviation" in ax.get_xlabel()
    assert ax.get_ylabel() == "log-likelihood"


def parabola(grid, top, centre):
    return top - (grid - centre) ** 2


def test_bounds_are_drawn_with_their_touching_point_and_their_maximum(ax, line, legend):
    grid = np.linspace(-2, 2, 401)
    likelihood = parabola(grid, 0.0, 0.0)
    # A bound that touches at s and is twice as steep: its maximum is at s / 2.
    bounds = {s: likelihood - (grid - s) ** 2 for s in (-1.0, 1.5)}
    assert touching_bounds(ax, grid, likelihood, bounds, label="mean (minutes)") is ax
    assert line(ax, "log-likelihood").get_ydata() == pytest.approx(-(grid**2))
    for start, bound in bounds.items():
        curve = line(ax, f"bound touching at {start:g}")
        assert curve.get_xydata() == pytest.approx(np.column_stack([grid, bound]))
        (touch, top) = [
            artist.get_xydata()[0]
            for artist in ax.lines
            if artist.get_marker() in ("o", "^") and artist.get_color() == curve.get_color()
        ]
        assert touch == pytest.approx([start, -(start**2)])
        assert top == pytest.approx([start / 2, -(start**2) / 2], abs=1e-4)
    colours = [line(ax, name).get_color() for name in legend(ax)]
    assert len(set(colours)) == 3
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("mean (minutes)", "nats")
    low, high = ax.get_ylim()
    assert low < -4
    assert high > 0


def test_no_bound_leaves_the_log_likelihood_alone(ax, legend):
    grid = np.linspace(-1, 1, 5)
    touching_bounds(ax, grid, parabola(grid, 0.0, 0.0), {}, label="x")
    assert legend(ax) == ["log-likelihood"]


def test_more_bounds_than_there_are_colours_are_refused(ax, refuses):
    grid = np.linspace(-1, 1, 5)
    bounds = {start: parabola(grid, 0.0, start) for start in (-1.0, -0.5, 0.5, 1.0)}
    with refuses(ValueError, "at most 3 bounds", "got 4"):
        touching_bounds(ax, grid, parabola(grid, 1.0, 0.0), bounds, label="x")
