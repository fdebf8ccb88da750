"""Every page can be read at any width, in the light and in the dark, and with the keyboard alone."""

from __future__ import annotations

import pytest
from accessibility import violations
from conftest import PAGES, loaded, settle
from playwright.sync_api import Locator, Page, expect


@pytest.mark.parametrize("name", PAGES)
def test_nothing_scrolls_sideways_on_a_small_phone(visit, told, name):
    page = visit(name, width=320)
    page.wait_for_load_state("load")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert told(name, "too wide, px", width - 320) == 0


def test_a_page_that_is_too_wide_would_be_seen(visit):
    page = visit("notation.html", width=320)
    page.evaluate("document.querySelector('article').style.width = '400px'")
    assert page.evaluate("document.documentElement.scrollWidth") > 320


REST = "() => Promise.allSettled(document.getAnimations().map(animation => animation.finished))"
# Solutions, notes and folded code, until nothing is shut that can be seen.
OPEN = """() => {
  const shut = [...document.querySelectorAll(
    "article button.toggle-button[aria-expanded=false], article details:not([open]) > summary")];
  const shown = shut.filter((part) => part.checkVisibility());
  for (const part of shown) part.click();
  return shown.length;
}"""


def at_rest(page: Page) -> Page:
    """The page when its colours, which fade in, have come to rest."""
    loaded(page).evaluate(REST)
    settle(page)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1366])
@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_it_shut_and_open(visit, told, name, width, theme):
    page = at_rest(visit(name, width=width, theme=theme))
    found = violations(page)
    if page.evaluate(OPEN):
        while page.evaluate(OPEN):
            pass
        found += violations(at_rest(page))
    told(name, "axe", len(found))
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("words", "found"), [("KL", True), ("zyzzyva", False)])
def test_everybody_can_read_what_the_search_found_and_where_it_leads(visit, words, found, theme):
    page = visit(f"search.html?q={words}", theme=theme)
    expect(page.locator("#search-results h2")).to_have_text("Search Results")
    page.wait_for_load_state("networkidle")
    assert violations(at_rest(page)) == []
    results = page.locator("#search-results li a")
    assert (results.count() > 0) == found
    if found:
        results.first.click()
        expect(page.locator("article .highlighted").first).to_be_attached()
        assert violations(at_rest(page)) == []


def test_what_not_everybody_can_read_would_be_seen(visit):
    page = visit("404.html")
    page.evaluate("document.querySelector('article p').style.color = '#aaa'")
    page.evaluate("document.querySelector('html').removeAttribute('lang')")
    found = " ".join(violations(at_rest(page)))
    assert "color-contrast" in found
    assert "html-has-lang" in found


def test_what_is_folded_is_opened(visit):
    page = at_rest(visit("maximum-likelihood.html"))
    hidden = page.locator(".solution.admonition p:not(.admonition-title)").first
    expect(hidden).to_be_hidden()
    assert page.evaluate(OPEN) > 1
    expect(hidden).to_be_visible()


# Browsers glide there: until the page stands still.
SCROLLED = """async () => {
  for (let before = -1; before !== scrollY; ) {
    before = scrollY;
    await new Promise((done) => setTimeout(done, 500));
  }
}"""


def claim_come_for(page: Page) -> Locator:
    """A claim far down its page, when a reader has followed a link to it from elsewhere."""
    page.goto("/ledger-families-counts.html#ledger-eq-moth-fit-i")
    page.wait_for_load_state("load")
    page.evaluate(SCROLLED)
    return page.locator("#ledger-eq-moth-fit-i > p").first


def test_a_link_leads_to_the_very_claim(visit):
    expect(claim_come_for(visit("index.html"))).to_be_in_viewport()


def test_a_link_that_leads_beside_it_would_be_seen(visit):
    page = visit("index.html")
    claim = claim_come_for(page)
    page.evaluate("document.querySelector('article h1').style.paddingBottom = '2000px'")
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    expect(claim).not_to_be_in_viewport()


def opens(page: Page, button: str, sidebar: str) -> None:
    page.wait_for_load_state("load")
    page.locator(f"button.{button}").first.click()
    expect(page.locator(f"dialog {sidebar} a").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"dialog {sidebar}")).to_have_count(0)


def test_the_contents_open_on_a_phone(visit):
    page = visit("bound.html", width=375)
    opens(page, "primary-toggle", ".sidebar-primary__section")
    opens(page, "secondary-toggle", ".page-toc")


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.textContent.trim()")


def tab_to(page: Page, words: str, limit: int = 400) -> None:
    for _ in range(limit):
        page.keyboard.press("Tab")
        if words in focused(page):
            return
    raise AssertionError(f"no way by Tab to {words!r}")


def test_the_keyboard_leads_from_the_front_page_to_a_solution(visit):
    page = visit("index.html")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to main content"
    page.keyboard.press("Enter")
    tab_to(page, "Maximum likelihood")
    page.keyboard.press("Enter")
    page.wait_for_url("**/maximum-likelihood.html*")
    page.wait_for_load_state("load")
    solution = page.locator(".solution.admonition").first
    inside = solution.locator("p:not(.admonition-title)").first
    expect(inside).to_be_hidden()
    button = solution.locator("button.toggle-button")
    for _ in range(400):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(inside).to_be_visible()


def test_code_is_copied_and_that_is_said(visit):
    page = visit("bound.html", permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_load_state("load")
    button = page.get_by_role("button", name="Copy this code").first
    page.keyboard.press("Tab")
    button.focus()
    expect(button).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_attached()
    code = button.locator("xpath=preceding-sibling::pre").inner_text()
    assert page.evaluate("navigator.clipboard.readText()").strip() == code.strip()


# What is cut off on paper, on A4 with the browser's margins: code, tables, and formulas.
CUT_OFF_ON_PAPER = """[...document.querySelectorAll("article *")]
  .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 1)
  .filter((box) => box.matches("div.math > .formula")
    || ["auto", "hidden", "scroll", "clip"].includes(getComputedStyle(box).overflowX))
  .map((box) => `${box.tagName}.${box.className}: ${box.scrollWidth} in ${box.clientWidth}`)"""
# What there is only to be clicked.
ONLY_FOR_A_SCREEN = "article :is(button, details.hide > summary)"


def on_paper(page: Page) -> Page:
    loaded(page)  # nobody prints what was not drawn; what is wide is measured then
    page.emulate_media(media="print")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_on_paper(visit, told, name):
    page = on_paper(visit(name, width=718))
    cut_off = page.evaluate(CUT_OFF_ON_PAPER)
    told(name, "cut on paper", len(cut_off))
    assert cut_off == []


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("bound.html", "pre { white-space: pre !important; overflow: hidden !important }"),
        ("ledger-scale.html", "math { font-size: 1.08em !important }"),
    ],
)
def test_what_is_cut_off_on_paper_would_be_seen(visit, name, style):
    page = on_paper(visit(name, width=718))
    assert page.evaluate(CUT_OFF_ON_PAPER) == []
    page.add_style_tag(content=style)
    assert page.evaluate(CUT_OFF_ON_PAPER) != []


def test_what_only_a_screen_can_do_is_not_on_paper(visit):
    page = visit("bound.html", width=718)
    page.wait_for_load_state("load")
    shown = page.locator(ONLY_FOR_A_SCREEN).filter(visible=True)
    assert shown.count() > 0
    on_paper(page)
    expect(shown).to_have_count(0)
