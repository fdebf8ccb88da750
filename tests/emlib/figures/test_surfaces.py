"""Pictures of a plane: level lines at their depths, ellipses with the lengths of the deviations."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import same_color, to_rgb
from matplotlib.patches import Ellipse

from emlib.families import Gaussians
from emlib.figures import COLOURS, clusters, contours, responsibilities_on_line

X, Y = np.linspace(-3, 3, 121), np.linspace(-2, 2, 81)
BOWL = -5.0 - (X[None, :] ** 2 + 2 * Y[:, None] ** 2)


def test_level_lines_are_so_many_nats_below_the_peak(ax):
    assert contours(ax, X, Y, BOWL, below_peak=(2, 0.5)) is ax
    filled, lines = ax.collections
    assert lines.levels == pytest.approx([-7.0, -5.5])
    assert filled.levels[:-1] == pytest.approx([-7.0, -5.5])
    assert filled.levels[-1] >= BOWL.max()
    for path, depth in zip(lines.get_paths(), (2.0, 0.5), strict=True):
        x, y = path.vertices.T
        assert x**2 + 2 * y**2 == pytest.approx(depth, abs=5e-3)
    assert same_color(lines.get_edgecolor()[0], COLOURS["first"])


def test_level_lines_are_labelled_with_their_depth_but_for_the_two_smallest(ax):
    contours(ax, X, Y, BOWL, below_peak=(0.5, 4, 2, 3))
    labels = {text.get_text(): text.get_position() for text in ax.texts}
    assert set(labels) == {"3", "4"}
    for label, (x, y) in labels.items():
        assert x**2 + 2 * y**2 == pytest.approx(float(label), abs=0.1)


def test_points_are_marked_by_name(ax):
    marks = {"peak": (0.0, 0.0), "start": (1.0, -1.0)}
    contours(ax, X, Y, BOWL, below_peak=(2.0,), marks=marks)
    assert [artist.get_xydata()[0].tolist() for artist in ax.lines] == [[0.0, 0.0], [1.0, -1.0]]
    named = {text.get_text(): text.xy for text in ax.texts if text.get_text() in marks}
    assert named == marks


def test_without_names_nothing_is_marked(ax):
    contours(ax, X, Y, BOWL, below_peak=(2.0,))
    assert not ax.lines


COMPONENTS = Gaussians(
    [[0.0, 0.0], [4.0, 1.0]], [[[4.0, 0.0], [0.0, 1.0]], [[2.0, 1.5], [1.5, 3.0]]]
)


def test_ellipses_are_the_points_at_one_and_two_deviations(ax):
    data, shares = np.array([[0.0, 0.0], [4.0, 1.0]]), np.eye(2)
    assert clusters(ax, data, shares, COMPONENTS) is ax
    ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
    assert len(ellipses) == 4
    for place, ellipse in enumerate(ellipses):
        mean, covariance = COMPONENTS.means[place // 2], COMPONENTS.covariances[place // 2]
        deviations = place % 2 + 1
        lengths = np.sqrt(np.linalg.eigvalsh(covariance))
        axes = sorted([ellipse.get_width(), ellipse.get_height()])
        assert axes == pytest.approx(2 * deviations * lengths)
        # Every vertex of the outline has that Mahalanobis distance: so the angle is right, too.
        outline = ellipse.get_transform() - ax.transData
        centred = outline.transform(ellipse.get_path().vertices[:-1:3]) - mean
        squares = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
        assert np.sqrt(squares) == pytest.approx(deviations, rel=1e-3)
        assert not ellipse.get_fill()
        colour = COLOURS[("first", "second")[place // 2]]
        assert same_color(ellipse.get_edgecolor(), colour)
    crosses = [artist.get_xydata()[0].tolist() for artist in ax.lines]
    assert crosses == COMPONENTS.means.tolist()


def test_points_have_the_colour_of_who_answers_for_them(ax):
    data = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, 0.5]])
    clusters(ax, data, np.array([[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]]), COMPONENTS)
    (points,) = ax.collections
    assert np.asarray(points.get_offsets()).tolist() == data.tolist()
    first, second = np.array(to_rgb(COLOURS["first"])), np.array(to_rgb(COLOURS["second"]))
    colours = points.get_facecolors()[:, :3]
    assert colours == pytest.approx(np.array([first, second, 0.25 * first + 0.75 * second]))


def test_more_components_than_colours_are_refused(ax, refuses):
    five = Gaussians(np.zeros((5, 2)), [np.eye(2)] * 5)
    with refuses(ValueError, "clusters: expected at most 4 components, got 5"):
        clusters(ax, np.zeros((1, 2)), np.full((1, 5), 0.2), five)
    assert not ax.has_data()


def test_responsibilities_are_curves_of_one_colour_and_different_lines(ax, line, legend, refuses):
    grid = np.linspace(40, 100, 7)
    curves = {"start": 1 / (1 + np.exp(70 - grid)), "end": 1 / (1 + np.exp(2 * (66 - grid)))}
    assert responsibilities_on_line(ax, grid, curves, label="wait (minutes)") is ax
    for name, values in curves.items():
        assert line(ax, name).get_xydata() == pytest.approx(np.column_stack([grid, values]))
        assert same_color(line(ax, name).get_color(), COLOURS["first"])
    assert line(ax, "start").get_linestyle() != line(ax, "end").get_linestyle()
    with refuses(ValueError, "at most 4 curves", "got 5"):
        responsibilities_on_line(ax, grid, dict.fromkeys("abcde", grid), label="x")
    low, high = ax.get_ylim()
    assert low < 0
    assert high > 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wait (minutes)", "responsibility")
    assert legend(ax) == ["start", "end"]
