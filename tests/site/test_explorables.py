"""What every explorable can do, whatever it shows."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from accessibility import violations
from conftest import settle
from explorables import ON, explorable, numbers, values
from playwright.sync_api import Locator, Page, expect

EACH = pytest.mark.parametrize("path", ON.values(), ids=ON)


def handle(figure: Locator, place: int = 0) -> Locator:
    return figure.locator(".handle:not([hidden])").nth(place)


def spot(handle: Locator) -> tuple[float, float]:
    """The middle of a handle on the screen."""
    box = handle.locator(".dot").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, handle: Locator, right: float, down: float = 0) -> None:
    handle.scroll_into_view_if_needed()
    x, y = spot(handle)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=5)
    page.mouse.up()


@EACH
def test_it_comes_to_life_and_fits(visit, path, width):
    figure = explorable(visit(path, width=width))
    expect(figure.locator(".explorable-twin")).to_be_hidden()
    # What a plot clips away, inside its svg, has a box all the same.
    over = figure.evaluate("""(it) => [...it.querySelectorAll(":is(*:not(svg *))")]
        .filter((e) => !e.closest("details:not([open]) > :not(summary)"))
        .filter((e) => e.getBoundingClientRect().right > it.getBoundingClientRect().right + 1)
        .map((e) => e.outerHTML.slice(0, 120))""")
    assert over == []


@pytest.mark.parametrize(
    "wake",
    [
        lambda page: page.keyboard.press("Shift"),
        lambda page: page.evaluate("location.hash = '#explore:one-curve?a=70'"),
        lambda page: page.locator(".explorable").scroll_into_view_if_needed(),
        lambda page: page.wait_for_timeout(6000),
    ],
    ids=["a key", "an address", "a reader who is near", "time"],
)
def test_what_is_far_away_waits_until_it_is_wanted(visit, wake):
    page = visit(ON["one curve"], width=375)
    page.wait_for_load_state("load")
    figure = page.locator(".explorable")
    expect(figure).not_to_contain_class("alive")
    wake(page)
    expect(figure).to_contain_class("alive", timeout=2000)


def colours(page: Page) -> list[str]:
    """Those of the rings of the playground's components, and of their handles."""
    return page.evaluate("""() => {
      const shown = (selector, property) => [...document.querySelectorAll(`.explorable ${selector}`)]
        .filter((part) => !part.hasAttribute("hidden")).map((part) => getComputedStyle(part)[property]);
      return [...shown(".ring", "stroke"), ...shown(".handle .dot", "fill")];
    }""")


def test_each_component_has_a_colour_of_its_own(visit, theme):
    page = visit(ON["mixture"], theme=theme)
    figure = explorable(page)
    figure.get_by_role("combobox", name="components").select_option("6")
    settle(figure)
    rings, dots = colours(page)[:6], colours(page)[6:]
    assert len(set(rings)) == 6
    assert "none" not in rings
    assert dots == rings
    page.add_style_tag(content=".explorable .c2 { stroke: none }")
    assert "none" in colours(page)


@EACH
def test_axe_finds_nothing(visit, path, theme):
    page = visit(path, theme=theme)
    figure = explorable(page)
    for summary in figure.locator("summary").all():
        summary.click()
    assert violations(page, ".explorable") == []


def test_axe_finds_what_is_wrong(visit):
    page = visit(ON["bound"])
    explorable(page).evaluate("""(it) => {
        it.querySelector("input").parentElement.replaceWith(it.querySelector("input"));
        it.querySelector(".sums").style.color = "#bbb";
    }""")
    found = " ".join(violations(page, ".explorable"))
    assert "label:" in found
    assert "color-contrast:" in found


@EACH
@pytest.mark.parametrize("narrow", [320, 1366])
def test_every_control_is_large_enough_for_a_finger(visit, path, narrow):
    figure = explorable(visit(path, width=narrow))
    small = figure.evaluate("""(it) => [...it.querySelectorAll("button, select, input, summary, .target")]
        .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0 && Math.min(box.width, box.height) < 43.9)
        .map(([html, box]) => `${html} ${box.width} x ${box.height}`)""")
    assert small == []


@EACH
def test_every_control_is_reached_by_tab_and_shows_it(visit, path):
    page = visit(path)
    figure = explorable(page)
    controls = "button, select, input, textarea, summary, .handle"
    wanted = figure.locator(controls).locator("visible=true").count()
    figure.locator(controls).locator("visible=true").first.focus()
    reached = 0
    while page.evaluate("document.activeElement.closest('.explorable') !== null"):
        reached += 1
        assert page.evaluate("""() => {
            const { activeElement: it } = document;
            const shown = getComputedStyle(it.querySelector(".target") ?? it);
            return parseFloat(it.matches(".handle") ? shown.strokeWidth : shown.outlineWidth) >= 2
                && it.matches(":focus-visible");
        }"""), page.evaluate("document.activeElement.outerHTML.slice(0, 100)")
        page.keyboard.press("Tab")
    assert reached == wanted


@EACH
def test_a_mouse_drags_every_handle_and_undo_takes_it_back(visit, path):
    page = visit(path)
    figure = explorable(page)
    before = values(figure)
    for place in range(figure.locator(".handle:not([hidden])").count()):
        drag(page, handle(figure, place), -25, 10)
        settle(figure)
        assert values(figure) != before
        figure.get_by_role("button", name="Undo").click()
        settle(figure)
        assert values(figure) == before


@EACH
def test_arrow_keys_move_every_handle_and_shift_moves_it_further(visit, path):
    page = visit(path)
    figure = explorable(page)
    for place in range(figure.locator(".handle:not([hidden])").count()):
        it = handle(figure, place)
        it.focus()
        start = float(it.get_attribute("aria-valuenow"))
        page.keyboard.press("ArrowLeft")
        settle(figure)
        near = float(it.get_attribute("aria-valuenow"))
        page.keyboard.press("Shift+ArrowLeft")
        settle(figure)
        far = float(it.get_attribute("aria-valuenow"))
        assert far < near < start
        assert it.get_attribute("aria-valuetext")


@EACH
def test_a_slider_moved_by_keys_can_be_undone(visit, path):
    page = visit(path)
    figure = explorable(page)
    before = values(figure)
    slider = figure.locator("input[type=range]").first
    shown = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    settle(figure)
    assert slider.input_value() != shown
    figure.get_by_role("button", name="Undo").click()
    settle(figure)
    assert slider.input_value() == shown
    assert values(figure) == before


@EACH
def test_a_finger_drags_a_handle(visit, path):
    page = visit(path, width=375, has_touch=True, is_mobile=True)
    figure = explorable(page)
    before = values(figure)
    it = handle(figure)
    it.scroll_into_view_if_needed()
    x, y = spot(it)
    top = page.evaluate("scrollY")
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": a, "y": b} for a, b in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    touch("touchStart", (x, y))
    for part in range(1, 6):
        touch("touchMove", (x + 8 * part, y + 4 * part))
    touch("touchEnd")
    settle(figure)
    assert values(figure) != before
    assert page.evaluate("scrollY") == top  # the page stayed where it was


@EACH
def test_reset_brings_the_start_back(visit, path):
    page = visit(path)
    figure = explorable(page)
    before = values(figure)
    drag(page, handle(figure), 30, -10)
    drag(page, handle(figure), -80, 20)
    settle(figure)
    assert values(figure) != before
    figure.get_by_role("button", name="Reset").click()
    settle(figure)
    assert values(figure) == before


@EACH
def test_the_address_holds_the_exact_setting(visit, path):
    page = visit(path)
    figure = explorable(page)
    drag(page, handle(figure), 31, -7)
    expect(page).to_have_url(re.compile("#explore:"))
    settle(figure)
    there = values(figure)
    address = page.url.rsplit("/", 1)[1]
    again = explorable(visit(address))
    assert values(again) == there
    expect(again).to_be_in_viewport()


@pytest.mark.parametrize(
    "address",
    [
        "bound.html#explore:bound?q=7&shift=0",
        "bound.html#explore:bound?q=&shift=0",
        "mixtures.html#explore:two-curves?squeeze=101",
        "mixtures.html#explore:two-curves?a=NaN",
        "gaussian-mixtures.html#explore:mixture?model=square",
        "gaussian-mixtures.html#explore:mixture?params=1_0_0_1_2_1",
        "gaussian-mixtures.html#explore:mixture?points=1,2 3,4",
        "gaussian-mixtures.html#explore:elsewhere?temperature=0",
    ],
)
def test_an_address_that_is_no_setting_changes_nothing(visit, address):
    as_is = values(explorable(visit(address.split("#")[0])))
    assert values(explorable(visit(address))) == as_is


@EACH
def test_a_change_is_announced_once_it_has_settled(visit, path):
    page = visit(path)
    figure = explorable(page)
    live = figure.locator("[aria-live=polite]")
    expect(live).to_be_empty()
    handle(figure).focus()
    page.keyboard.press("ArrowRight")
    expect(live).not_to_be_empty()
    said = numbers(live.inner_text())
    assert set(said) <= set(numbers(figure.locator(".sums").inner_text()))
    assert said


@EACH
def test_the_theme_is_followed(visit, path):
    page = visit(path)
    figure = explorable(page)
    ink = "(it) => getComputedStyle(it).fill"
    text, dot = figure.locator("svg text").first, figure.locator(".handle .dot").first
    light = text.evaluate(ink), dot.evaluate(ink)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    settle(figure)
    assert all(a != b for a, b in zip(light, (text.evaluate(ink), dot.evaluate(ink)), strict=True))


@EACH
def test_without_javascript_the_twin_stands_there(visit, path):
    page = visit(path, java_script_enabled=False)
    twin = page.locator(".explorable .explorable-twin")
    expect(twin).to_be_visible()
    assert twin.get_attribute("alt")
    box = twin.bounding_box()
    assert box
    assert box["width"] > 300
    assert box["height"] < box["width"] * 1.1  # no room is kept for what will not come
    expect(page.locator(".explorable-root")).to_have_count(0)


@pytest.mark.parametrize(("motion", "steps"), [("no-preference", 2), ("reduce", 0)])
def test_play_steps_slower_for_who_asks_for_less_motion(visit, motion, steps):
    page = visit(ON["bound"], reduced_motion=motion)
    page.clock.install(time=datetime(2026, 1, 1))
    page.reload(wait_until="domcontentloaded")
    figure = explorable(page)
    page.clock.pause_at(datetime(2026, 1, 2))
    trail = "(it) => it.querySelector('.trail').getAttribute('d')?.match(/L/g)?.length ?? 0"
    figure.get_by_role("button", name="Play").click()
    page.clock.run_for(800)
    assert figure.evaluate(trail) == steps
    page.clock.run_for(1000)
    assert figure.evaluate(trail) > steps
    figure.get_by_role("button", name="Pause").click()
    paused = figure.evaluate(trail)
    page.clock.run_for(5000)
    assert figure.evaluate(trail) == paused
