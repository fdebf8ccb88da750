"""Mathematics is there at once, in its font, and reachable however wide; the policy of each page lets it work."""

from __future__ import annotations

import pytest
from conftest import PAGES
from playwright.sync_api import expect

# Displays that are wider than their box: [can the keyboard reach it, its name].
TOO_WIDE = """[...document.querySelectorAll("div.math > .formula")]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => [box.tabIndex, box.ariaLabel])"""
# Formulas in text that are cut off: wider than what is around them, and in no box that scrolls.
CUT_OFF = """[...document.querySelectorAll("span.math")]
  .filter((box) => getComputedStyle(box).overflowX !== "auto")
  .filter((box) => box.firstElementChild.getBoundingClientRect().width
    > box.closest("p, li, td, th, dd, div, section").clientWidth + 1)
  .map((box) => box.firstElementChild.getAttribute("alttext"))"""
# Punctuation after a formula that begins a line.
LEFT_ALONE = """[...document.querySelectorAll("article .unbroken")].filter((joined) => {
  const mark = document.createRange();
  mark.selectNodeContents(joined.lastChild);
  const at = mark.getBoundingClientRect();
  return at.width > 0 && at.left < joined.firstElementChild.getBoundingClientRect().right - 3;
}).map((joined) => joined.textContent)"""
# Roots that are no wider than what stands under them: the font has no sign for them.
BARE_ROOTS = """[...document.querySelectorAll("msqrt")].filter((root) => {
  const inside = document.createRange();
  inside.selectNodeContents(root);
  return root.getBoundingClientRect().width - inside.getBoundingClientRect().width < 2;
}).map((root) => root.closest("math").getAttribute("alttext"))"""


@pytest.mark.parametrize("name", PAGES)
def test_every_root_shows_its_sign(visit, told, name):
    page = visit(name)
    page.wait_for_load_state("networkidle")
    bare = page.evaluate(BARE_ROOTS)
    told(name, "bare roots", len(bare))
    assert bare == []


def test_a_root_without_its_sign_would_be_seen(visit):
    page = visit("maximum-likelihood.html")
    # Laid out as a box, it has no sign.
    page.add_style_tag(content="msqrt { display: inline-block !important }")
    assert page.evaluate(BARE_ROOTS) != []


@pytest.mark.parametrize("name", PAGES)
def test_no_formula_of_a_page_is_out_of_reach_on_a_small_phone(visit, told, name):
    page = visit(name, width=320)
    page.wait_for_load_state("networkidle")
    cut_off = page.evaluate(CUT_OFF)
    told(name, "cut off", len(cut_off))
    assert cut_off == []
    for tab_index, label in page.evaluate(TOO_WIDE):
        assert tab_index == 0
        assert label.startswith("Equation")


def test_a_formula_far_down_a_long_list_is_within_reach_when_a_reader_is_there(visit):
    page = visit("ledger-families-counts.html", width=320)
    page.wait_for_load_state("load")
    formula = page.locator("#ledger-eq-moth-fit-i ~ .ledger-entry div.math > .formula").last
    assert formula.get_attribute("tabindex") is None
    formula.scroll_into_view_if_needed()
    formula.evaluate("formula => formula.parentElement.style.width = '60px'")
    expect(formula).to_have_attribute("tabindex", "0")


@pytest.mark.parametrize("name", PAGES)
def test_no_line_begins_with_what_ends_a_formula(visit, told, name):
    page = visit(name, width=320)
    page.wait_for_load_state("load")
    alone = page.evaluate(LEFT_ALONE)
    told(name, "marks alone", len(alone))
    assert alone == []


def test_a_line_that_begins_with_a_full_stop_would_be_seen(visit):
    page = visit("bound.html", width=320)
    page.add_style_tag(content=".unbroken { white-space: normal !important }")

    def alone_at(width: int) -> list[str]:
        page.set_viewport_size({"width": width, "height": 900})
        return page.evaluate(LEFT_ALONE)

    # Where lines end depends on the fonts of the machine.
    assert any(alone_at(width) for width in range(320, 420, 5))


def test_a_formula_that_is_cut_off_would_be_seen(visit):
    page = visit("gaussian-mixtures.html", width=320)
    page.add_style_tag(content="span.math { overflow: hidden !important; font-size: 400% }")
    assert page.evaluate(CUT_OFF) != []


def test_a_long_equation_scrolls_by_keyboard_and_not_where_it_has_room(visit):
    page = visit("bound.html", width=320)
    page.locator(".formula[tabindex]").first.wait_for()
    assert page.evaluate(TOO_WIDE) != []
    box = page.locator(".formula[tabindex]").first
    box.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(box).not_to_have_js_property("scrollLeft", 0)
    page.set_viewport_size({"width": 1366, "height": 900})
    expect(page.locator(".formula[tabindex]")).to_have_count(0)


def test_the_font_of_mathematics_is_there(visit):
    page = visit("bound.html")
    page.wait_for_load_state("networkidle")
    loaded = "[...document.fonts].some(f => f.family.includes('STIX') && f.status === 'loaded')"
    assert page.evaluate(loaded)


def test_a_script_that_is_not_the_site_s_does_not_run(unwatched, base_url):
    page = unwatched.new_page()
    page.goto(f"{base_url}/bound.html")
    page.evaluate(
        """const script = document.createElement('script');
        script.textContent = 'window.intruded = true';
        document.body.append(script);"""
    )
    assert page.evaluate("window.intruded") is None
    refused = page.evaluate("fetch('http://elsewhere.invalid/').then(() => '', String)")
    assert "TypeError" in refused
