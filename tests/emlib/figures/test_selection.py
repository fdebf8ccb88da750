"""The criterion against the number of components."""

from __future__ import annotations

import numpy as np
import pytest

from emlib import MixtureParams
from emlib.families import Poisson, Poissons
from emlib.figures import criterion_by_components
from emlib.select import Failure, Fit, Selection

PARAMS = MixtureParams(np.ones(1), Poissons([1.0]))


def selection(values, criterion="bic", other=1000.0):
    """Cells by model, k = 1, 2, ...: a number is the criterion, None a failure."""
    cells = []
    for model, row in values.items():
        for k, value in enumerate(row, start=1):
            if value is None:
                cells.append(Failure(model, k, "no data left"))
                continue
            bic, icl = (value, other) if criterion == "bic" else (other, value)
            cells.append(Fit(model, k, PARAMS, -1.0, 2, bic, icl, True, 3, "all rows"))
    return Selection(tuple(cells), dict.fromkeys(values, Poisson()), 10.0, criterion)


@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_every_line_shows_how_far_a_model_is_from_the_best(ax, line, legend, criterion):
    found = selection({"EII": [230.0, 150.0, 161.0], "VVV": [180.0, 120.0, None]}, criterion)
    assert criterion_by_components(ax, found) is ax
    assert line(ax, "EII").get_xydata().tolist() == [[1, 110], [2, 30], [3, 41]]
    drawn = line(ax, "VVV").get_ydata()
    assert drawn[:2].tolist() == [60, 0]
    assert np.isnan(drawn[2])
    (ring,) = [artist for artist in ax.lines if artist.get_markersize() > 8]
    assert ring.get_xydata().tolist() == [[2, 0]]
    assert [text.get_text() for text in ax.texts] == ["VVV, 2"]
    assert ax.get_ylabel() == f"{criterion.upper()} above the best"
    assert ax.get_xticks().tolist() == [1, 2, 3]
    assert legend(ax) == ["EII", "VVV"]
    low, high = ax.get_ylim()
    assert low < 0
    assert high > 110


def test_no_two_models_look_alike(ax):
    names = [
        "EII",
        "VII",
        "EEI",
        "VEI",
        "EVI",
        "VVI",
        "EEE",
        "VEE",
        "EVE",
        "VVE",
        "EEV",
        "VEV",
        "EVV",
        "VVV",
    ]
    criterion_by_components(
        ax, selection({name: [1.0 + place] for place, name in enumerate(names)})
    )
    looks = {artist.get_label(): (artist.get_color(), artist.get_marker()) for artist in ax.lines}
    assert len({looks[name] for name in names}) == 14
    colours = {name: looks[name][0] for name in names}
    assert colours["EII"] == colours["VII"] != colours["EEI"]
    assert colours["EEI"] == colours["VVI"] != colours["EEE"]
    assert colours["EEE"] == colours["VVE"] != colours["VVV"]


def test_a_selection_draws_itself(ax, legend):
    found = selection({"one": [3.0], "other": [2.0]})
    assert found.plot(ax) is ax
    assert legend(ax) == ["one", "other"]
