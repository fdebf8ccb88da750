"""One style sheet, colours that can be seen, and the same bytes twice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import resources

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from emlib import figures
from emlib.figures import COLOURS, histogram, use_book_style

SHEET = resources.files("emlib.figures").joinpath("book.mplstyle")


@pytest.fixture
def book_style() -> Iterator[None]:
    with matplotlib.rc_context():
        use_book_style()
        yield
    plt.close("all")


def contrast_on_white(colour: str) -> float:
    """The ratio of luminances that WCAG 2.2 defines ("contrast ratio", "relative luminance")."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def sheet() -> matplotlib.RcParams:
    with resources.as_file(SHEET) as path:
        return matplotlib.rc_params_from_file(path, use_default_template=False)


def test_contrast_is_that_of_the_standard():
    assert contrast_on_white("black") == pytest.approx(21.0)
    assert contrast_on_white("white") == pytest.approx(1.0)
    # The grey that every checker gives as the lightest with 4.5.
    assert contrast_on_white("#767676") == pytest.approx(4.54, abs=5e-3)
    assert contrast_on_white("#777777") < 4.5


@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_is_seen_on_white(name):
    assert contrast_on_white(COLOURS[name]) >= 3


def test_the_colours_of_the_cycle_are_seen_on_white_and_are_those_of_the_book():
    cycle = sheet()["axes.prop_cycle"].by_key()["color"]
    assert all(contrast_on_white(colour) >= 3 for colour in cycle)
    named = {to_rgb(colour) for colour in COLOURS.values()}
    assert {to_rgb(colour) for colour in cycle[:4]} <= named


def test_components_have_colours_of_their_own():
    components = [COLOURS[name] for name in ("first", "second", "third", "energy")]
    assert len(set(components)) == 4
    assert COLOURS["bound"] != COLOURS["gap"]


def test_the_colours_cannot_be_changed():
    with pytest.raises(TypeError):
        COLOURS["first"] = "red"


@pytest.mark.usefixtures("book_style")
def test_the_book_style_is_its_sheet_and_nothing_else():
    settings = sheet()
    assert {key: matplotlib.rcParams[key] for key in settings} == dict(settings)
    changed = {
        key
        for key, value in matplotlib.rcParams.items()
        if not key.startswith("backend") and value != matplotlib.rcParamsDefault[key]
    }
    assert changed <= set(settings)
    assert {"axes.prop_cycle", "svg.hashsalt", "axes.spines.top", "figure.figsize"} <= changed


def test_importing_the_figures_changes_no_style():
    settings = sheet()
    assert any(matplotlib.rcParams[key] != value for key, value in settings.items())


def svg() -> bytes:
    figure, ax = plt.subplots()
    histogram(ax, np.arange(9.0), {"one ninth": lambda x: np.full_like(x, 1 / 9)}, label="number")
    ax.set_title(r"$\log\,u$")
    # Only the date is left to whoever saves the picture.
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    plt.close(figure)
    return stream.getvalue()


@pytest.mark.usefixtures("book_style")
def test_a_picture_has_the_same_bytes_twice():
    first = svg()
    assert first == svg()
    matplotlib.rcParams["svg.hashsalt"] = None
    assert svg() != svg()


@pytest.mark.usefixtures("book_style")
def test_a_picture_holds_text_as_paths():
    assert b"<text" not in svg()
    matplotlib.rcParams["svg.fonttype"] = "none"
    assert b"<text" in svg()


def test_every_figure_is_given_by_name():
    assert sorted(figures.__all__) == figures.__all__
    assert all(callable(getattr(figures, name)) for name in figures.__all__ if name != "COLOURS")


# The guard that every test of a figure stands in


def guarded_failure(drawing_only, draw) -> str:
    with matplotlib.rc_context(), pytest.raises(AssertionError) as caught, drawing_only() as ax:
        draw(ax)
    return str(caught.value)


def test_the_guard_lets_a_figure_pass_that_keeps_to_its_axes(drawing_only):
    with drawing_only() as ax:
        ax.plot([0, 1], [0, 1])


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda _: plt.plot([0, 1], [0, 1]), "drawn on other axes"),
        (lambda _: plt.figure(), "a figure was opened"),
        (lambda ax: ax.figure.add_axes((0, 0, 1, 1)), "axes were added"),
        (lambda ax: ax.twinx(), "axes were added"),
        (lambda _: plt.rc("lines", linewidth=7), "rcParams were changed"),
    ],
)
def test_the_guard_finds_a_figure_that_reaches_beyond_its_axes(drawing_only, draw, said):
    assert said in guarded_failure(drawing_only, draw)
