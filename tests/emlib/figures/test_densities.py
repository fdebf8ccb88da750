"""Data with densities: areas of one, and points on their counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from emlib.figures import counts, histogram, normal_density


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (70.9, 184.8), (-3.0, 1e-4)])
def test_the_normal_density_is_that_of_scipy(mean, variance):
    x = mean + np.sqrt(variance) * np.linspace(-5, 5, 11)
    theirs = stats.norm(mean, np.sqrt(variance)).pdf(x)
    assert normal_density(x, mean, variance) == pytest.approx(theirs, rel=1e-9, abs=0)
    assert normal_density(x.tolist(), mean, variance) == pytest.approx(theirs, rel=1e-9, abs=0)


def test_a_histogram_has_area_one_and_counts_its_data(ax, line, legend):
    data = np.array([1.0, 1.5, 2.0, 3.5, 9.0, 9.5, 11.0, 11.0])
    curves = {"wide": lambda x: stats.norm(5, 4).pdf(x), "flat": lambda x: np.full_like(x, 0.1)}
    assert histogram(ax, data, curves, label="wait (minutes)", bins=5) is ax
    assert len(ax.patches) == 5
    areas = [bar.get_width() * bar.get_height() for bar in ax.patches]
    # Five bins of width two from 1 to 11.
    assert areas == pytest.approx(np.array([3, 1, 0, 0, 4]) / 8)
    for name, density in curves.items():
        x, y = line(ax, name).get_data()
        assert y == pytest.approx(density(x))
        # A margin of 8 % on each side.
        assert (x.min(), x.max()) == pytest.approx((1 - 0.8, 11 + 0.8))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wait (minutes)", "density")
    # Matplotlib lists lines before bars.
    assert sorted(legend(ax)) == ["flat", "observed", "wide"]


def test_a_histogram_needs_no_curve(ax, legend):
    histogram(ax, np.array([0.0, 1.0]), {}, label="x")
    assert not ax.lines
    assert legend(ax) == ["observed"]
    assert len(ax.patches) == 27


def test_counts_are_bars_and_models_are_points_on_them(ax, line, legend):
    observed = {0: 162.0, 1: 267.0, 2: 271.0}
    expected = {"one": np.array([127.0, 274.0, 295.0]), "two": np.array([161.0, 271.0, 262.0])}
    assert counts(ax, observed, expected, label="deaths a day") is ax
    centres = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert centres == pytest.approx([0, 1, 2])
    assert [bar.get_height() for bar in ax.patches] == [162.0, 267.0, 271.0]
    for name, frequencies in expected.items():
        assert line(ax, name).get_xydata() == pytest.approx(
            np.column_stack([[0, 1, 2], frequencies])
        )
    markers = {line(ax, name).get_marker() for name in expected}
    assert len(markers - {"None", ""}) == 2
    assert ax.get_xticks().tolist() == [0, 1, 2]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("deaths a day", "frequency")
    assert sorted(legend(ax)) == ["observed", "one", "two"]


def test_every_model_that_is_given_is_drawn_or_refused(ax, refuses):
    counts(ax, {0: 1.0}, {name: np.array([1.0]) for name in "abcd"}, label="x")
    assert len(ax.lines) == 4
    with refuses(ValueError, "at most 4 models", "got 5"):
        counts(ax, {0: 1.0}, {name: np.array([1.0]) for name in "abcde"}, label="x")
