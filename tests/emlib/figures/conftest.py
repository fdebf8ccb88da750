from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes


@contextmanager
def _drawing_only() -> Iterator[Axes]:
    """Axes to draw on, beside others that are pyplot's current ones: whatever is drawn elsewhere is found out."""
    before = matplotlib.rcParams.copy()
    figure, (given, current) = plt.subplots(1, 2)
    artists = len(current.get_children())
    try:
        yield given
        assert dict(matplotlib.rcParams) == dict(before), "rcParams were changed"
        assert plt.get_fignums() == [figure.number], "a figure was opened or closed"
        assert figure.axes == [given, current], "axes were added or removed"
        assert len(current.get_children()) == artists, "something was drawn on other axes"
        assert not current.has_data()
        assert not figure.texts
        assert not figure.legends
        figure.canvas.draw()
    finally:
        plt.close("all")


@pytest.fixture
def drawing_only():
    return _drawing_only


@pytest.fixture
def ax() -> Iterator[Axes]:
    with _drawing_only() as given:
        yield given


@pytest.fixture
def line():
    """The one line of these axes with that label."""

    def find(ax: Axes, label: str):
        (found,) = [artist for artist in ax.lines if artist.get_label() == label]
        return found

    return find


@pytest.fixture
def legend():
    """The names in the legend of these axes, which every reader needs, in order."""

    def names(ax: Axes) -> list[str]:
        return [text.get_text() for text in ax.get_legend().get_texts()]

    return names
