"""What a link leads to is shown beside it: on hover, on focus, on a tap; and it goes when told to."""

from __future__ import annotations

import pytest
from explorables import explorable
from playwright.sync_api import Locator, Page, expect

TARGETS = {
    "an equation of another page": (
        '[href="maximum-likelihood.html#equation-eq-log-tangent"]',
        "u",
    ),
    "a figure": ('[href="#fig-touching"]', "Figure"),
    "a theorem": ('[href="#thm-ascent"]', "Theorem"),
    "a source": ('[href^="bibliography.html#"]', "Jensen"),
    "a chapter": ('[href="mixtures.html#ch-mixtures"]', "Why mixtures resist"),
    "an entry of the ledger": ('[href="ledger-bound.html#ledger-eq-jensen"]', "Stands as"),
}


def link(page: Page, selector: str) -> Locator:
    found = page.locator(f"article a.reference.internal{selector}").first
    found.scroll_into_view_if_needed()
    return found


def preview(page: Page) -> Locator:
    return page.get_by_role("tooltip")


@pytest.mark.parametrize("what", TARGETS)
def test_a_link_shows_what_it_leads_to(visit, what):
    selector, words = TARGETS[what]
    page = visit("bound.html")
    link(page, selector).hover()
    expect(preview(page)).to_contain_text(words)
    assert preview(page).locator("[id], script, .headerlink").count() == 0
    box = preview(page).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1366


def test_a_figure_that_moves_shows_its_twin(visit):
    page = visit("maximum-likelihood.html")
    page.set_viewport_size({"width": 1366, "height": 500})  # what is in view is not shown twice
    explorable(page)  # it has come to life, and the twin is hidden
    link(page, '[href="#fig-likelihood-contours"]').hover()
    twin = preview(page).locator("img")
    expect(twin).to_be_visible()
    assert twin.bounding_box()["height"] > 100


def test_mathematics_brings_its_font_to_a_page_without(new_context):
    page = new_context().new_page()
    added = '<a class="reference internal" href="bound.html#thm-ascent">The theorem</a></article>'

    def with_link(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("</article>", added))

    page.route("**/genindex.html", with_link)
    page.goto("/genindex.html")
    loaded = """
      new Promise((done) => setTimeout(done, 200)).then(() => document.fonts.ready).then(() =>
        [...document.fonts].some((font) => font.family.includes("STIX Two Math") && font.status == "loaded"))
    """
    assert not page.evaluate(loaded)
    link(page, '[href="bound.html#thm-ascent"]').hover()
    expect(preview(page).locator("math").first).to_be_visible()
    assert page.evaluate(loaded)


def test_it_stays_under_the_pointer_and_escape_sends_it_away(visit):
    page = visit("bound.html")
    link(page, '[href="#thm-ascent"]').hover()
    expect(preview(page)).to_be_visible()
    preview(page).hover()
    page.wait_for_timeout(600)
    expect(preview(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(preview(page)).to_be_hidden()


def test_it_goes_when_the_pointer_does(visit):
    page = visit("bound.html")
    link(page, '[href="#thm-ascent"]').hover()
    expect(preview(page)).to_be_visible()
    page.mouse.move(2, 2)
    expect(preview(page)).to_be_hidden()


def test_focus_shows_it_and_the_link_is_described_by_it(visit):
    page = visit("bound.html")
    found = link(page, '[href="#thm-ascent"]')
    page.keyboard.press("Tab")  # so that the browser takes the reader for one who uses the keyboard
    found.focus()
    expect(preview(page)).to_contain_text("Theorem")
    assert found.get_attribute("aria-describedby") == preview(page).get_attribute("id")
    page.keyboard.press("Tab")
    expect(preview(page)).to_be_hidden()
    assert found.get_attribute("aria-describedby") is None


def test_the_first_tap_shows_it_and_the_second_follows(visit):
    page = visit("bound.html", width=375, has_touch=True, is_mobile=True)
    found = link(page, '[href="#thm-ascent"]')
    found.tap()
    expect(preview(page)).to_contain_text("Theorem")
    assert "#" not in page.url
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    found.tap()
    page.wait_for_url("**/bound.html#thm-ascent")
    expect(preview(page)).to_be_hidden()


def test_where_nothing_can_be_had_a_tap_follows(visit):
    page = visit("bound.html", width=375, has_touch=True)
    found = link(page, '[href^="bibliography.html#"]')
    found.evaluate("link => link.setAttribute('href', 'bibliography.html#none')")
    found = link(page, '[href="bibliography.html#none"]')
    found.tap()
    page.wait_for_url("**/bibliography.html#none")


def test_what_the_reader_sees_already_is_not_shown_again(visit):
    page = visit("bound.html")
    found = link(page, '[href="#thm-ascent"]')
    found.evaluate("link => document.getElementById('thm-ascent').append(link)")
    found.scroll_into_view_if_needed()
    found.hover()
    page.wait_for_timeout(800)
    expect(preview(page)).to_be_hidden()
