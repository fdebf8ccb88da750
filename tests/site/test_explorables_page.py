"""What explorables do to the page they stand on: its weight, its layout, its names, one another."""

from __future__ import annotations

import gzip
import re

import pytest
from conftest import settle
from explorables import ON, explorable, values
from server import SITE

EACH = pytest.mark.parametrize("path", ON.values(), ids=ON)
LIMIT = 60_000  # bytes, gzipped: the modules, the style, the data and the twin
SHIFT = 0.02


def markup(path: str) -> list[str]:
    """The elements of a built page's explorables, as they came."""
    html = (SITE / path).read_text(encoding="utf-8")
    return re.findall(r'<div class="explorable".*?</div>', html, re.S)


@EACH
def test_it_is_light(visit, path):
    asked: set[str] = set()
    page = visit("genindex.html")
    page.on("request", lambda request: asked.add(request.url.partition("/explorables/")[2]))
    page.goto(f"/{path}", wait_until="domcontentloaded")
    explorable(page)
    assert {"core/explorable.mjs", "core/elements.mjs"} < asked
    files = [(SITE / "explorables" / name).read_bytes() for name in asked if name]
    # The site has one style sheet: this is the part of it that is the explorables'.
    files.append((SITE / "explorables/core/explorable.css").read_bytes())
    weights = [
        len(gzip.compress(part)) for part in [*files, *(text.encode() for text in markup(path))]
    ]
    print(f"\n{path}: {sum(weights)} bytes")
    assert sum(weights) < LIMIT


def shift(new_context, path: str, width: int, style: str = "") -> float:
    """How far the page jumps when the explorable comes to life before the reader's eyes."""
    page = new_context(viewport={"width": width, "height": 1800}).new_page()
    # The page settles first, without the module: only what that one does is to be seen.
    page.route(
        "**/explorables/*.mjs", lambda route: route.fulfill(body="", content_type="text/javascript")
    )
    page.goto(f"/{path}")
    page.add_style_tag(content=style or "#none {}")
    page.evaluate("document.querySelector('.explorable').scrollIntoView()")
    page.wait_for_timeout(1000)
    page.evaluate("""() => {
        window.shifted = 0;
        const add = (list) => list.getEntries().forEach((entry) => (window.shifted += entry.value));
        new PerformanceObserver(add).observe({ type: "layout-shift" });
    }""")
    page.evaluate("""() => {
        const { explorable } = document.querySelector(".explorable").dataset;
        return import(`/explorables/${explorable}.mjs?now`);
    }""")
    explorable(page)
    page.wait_for_timeout(300)
    return page.evaluate("window.shifted")


@pytest.mark.parametrize("width", [320, 412, 520, 640, 700, 1366])
@pytest.mark.parametrize("path", [*ON.values(), "index.html"])
def test_nothing_moves_when_it_comes_to_life(new_context, path, width):
    assert shift(new_context, path, width) < SHIFT


def test_a_page_that_moves_is_seen(new_context):
    left = (
        ".explorable > .explorable-twin { min-height: 0 !important; max-height: none !important }"
    )
    assert shift(new_context, ON["one curve"], 1366, style=left) > SHIFT


SEVERAL = "several.html"


@pytest.fixture
def several(visit):
    """All explorables of the book on one page, with nothing else."""
    parts = [part for path in ON.values() for part in markup(path)]
    body = f'<!doctype html><html lang="en"><title>Several</title>{"".join(parts)}'

    def opened(address: str = "", **context):
        page = visit("genindex.html", **context)
        page.route(
            f"**/{SEVERAL}*", lambda route: route.fulfill(body=body, content_type="text/html")
        )
        page.goto(f"/{SEVERAL}{address}")
        explorable(page, len(parts) - 1)
        return page

    return opened


def test_several_on_a_page_do_not_disturb_each_other(several):
    page = several()
    figures = [explorable(page, place) for place in range(len(ON))]
    before = [values(figure) for figure in figures]
    for moved, figure in enumerate(figures):
        figure.locator(".handle").first.press("ArrowRight")
        settle(figure)
        for other, (table, as_it_was) in enumerate(zip(map(values, figures), before, strict=True)):
            assert (table != as_it_was) == (other == moved)
        figure.get_by_role("button", name="Undo").click()
        settle(figure)


def test_an_address_moves_the_one_it_names(several):
    figures = ["bound", "one-curve", "two-curves", "mixture"]
    as_is = [values(explorable(several(), place)) for place in range(len(figures))]
    page = several("#explore:two-curves?a=60&b=61")
    for place, name in enumerate(figures):
        assert (values(explorable(page, place)) != as_is[place]) == (name == "two-curves")


def test_they_leave_no_global_name(several):
    page = several()
    bare = page.context.new_page()
    bare.route(
        "**/bare.html", lambda route: route.fulfill(body="<p>bare", content_type="text/html")
    )
    bare.goto("/bare.html")
    names = "() => Object.getOwnPropertyNames(window)"
    added = set(page.evaluate(names)) - set(bare.evaluate(names))
    assert {name for name in added if not name.isdigit()} == set()
    page.add_script_tag(content="var left = 1")
    assert "left" in set(page.evaluate(names)) - set(bare.evaluate(names))
