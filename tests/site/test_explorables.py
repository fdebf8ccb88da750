"""What every explorable can do, whatever it shows."""

from __future__ import annotations

import pytest
from explorables import ON, explorable

EACH = pytest.mark.parametrize("path", ON.values(), ids=ON)


@EACH
def test_it_comes_to_life_and_fits(visit, path, width, theme):
    page = visit(path, width=width, theme=theme)
    figure = explorable(page)
    assert figure.locator(".explorable-twin").count() == 0
    # What a plot clips away, inside its svg, has a box all the same.
    widest = figure.evaluate("""(it) => Math.max(
        ...[it, ...it.querySelectorAll("*:not(svg *)")].map((e) => e.getBoundingClientRect().right))""")
    assert widest <= width
