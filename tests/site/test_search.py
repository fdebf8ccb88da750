"""The search finds words, symbols and names of the library, and shows where they stand."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

FOUND = {
    "responsibilities": "Why mixtures resist",
    "responsibility": "Why mixtures resist",
    "Σ": "Gaussian mixtures from scratch",
    "sigma": "Gaussian mixtures from scratch",
    "r_nk": "Notation",
    "π_k": "Why mixtures resist",
    "em_steps": "Jensen, KL and the bound",
}


def results(page: Page) -> list[str]:
    expect(page.locator("#search-results h2")).to_have_text("Search Results")
    return page.locator("#search-results li > a").all_inner_texts()


@pytest.mark.parametrize("query", FOUND)
def test_it_finds(visit, query):
    page = visit(f"search.html?q={query}")
    assert any(FOUND[query] in title for title in results(page))
    excerpt = page.locator("#search-results li p.context").first
    expect(excerpt).to_be_visible()


def test_what_is_not_there_is_not_found(visit):
    assert results(visit("search.html?q=zyzzyva")) == []


def test_how_many_were_found_is_said(visit):
    page = visit("search.html?q=entropy")
    expect(page.get_by_role("status").filter(has_text="found")).to_be_visible()


def test_from_any_page_by_keyboard(visit):
    page = visit("bound.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("entropy")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=entropy")
    assert results(page)


WORDS = """(place) => {
  const copy = place.cloneNode(true);
  for (const formula of copy.querySelectorAll("math")) formula.replaceWith(" ");
  return copy.textContent.split(/\\s+/);
}"""


def test_an_excerpt_is_whole_words_from_a_sentence_on(visit):
    page = visit("search.html?q=Jensen")
    excerpt = page.locator("#search-results li p.context").first
    expect(excerpt).to_contain_text(re.compile("^This is Jensen’s inequality for the logarithm"))
    words = excerpt.evaluate(WORDS)
    page.locator("#search-results li > a").first.click()
    page.wait_for_url("**/bound.html")
    assert set(words) <= {*page.locator("article").evaluate(WORDS), "…"}


def test_the_words_of_a_query_are_shown_together(visit):
    page = visit("search.html?q=logarithm+sum+stopped")
    excerpt = page.locator("li", has_text="3. Jensen, KL").locator("p.context")
    expect(excerpt).to_contain_text(re.compile("^The logarithm of a sum stopped us"))


def test_a_table_is_shown_by_its_row(visit):
    page = visit("search.html?q=r_nk")
    excerpt = page.locator("#search-results li", has_text="Notation").locator("p.context")
    expect(excerpt).to_contain_text(" · responsibility ")


@pytest.mark.parametrize("query", ["r_nk", "γ", "π_k"])
def test_formulas_in_excerpts_are_formulas_and_fit(visit, query):
    page = visit(f"search.html?q={query}", width=320)
    formulas = page.locator("#search-results p.context math")
    expect(formulas.first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.fonts.check('1em \"STIX Two Math\"')")
    ends = formulas.evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(ends) <= 320


def test_matches_are_hidden_by_a_button_that_is_there_only_with_them(visit):
    page = visit("search.html?q=Jensen")
    assert results(page)
    page.goto("/bound.html")
    button = page.get_by_role("button", name="Hide Search Matches")
    expect(page.locator("article .highlighted").first).to_be_visible()
    button.click()
    expect(page.locator(".highlighted")).to_have_count(0)
    expect(button).to_be_hidden()


def test_no_matches_none_to_hide(visit):
    page = visit("search.html?q=γ")
    assert results(page)
    page.goto("/bound.html")
    expect(page.locator(".highlight-link")).to_have_count(1)
    expect(page.locator(".highlight-link")).to_be_hidden()


def test_the_key_is_told_while_the_field_is_empty(visit):
    page = visit("search.html")
    field = page.locator(".bd-search-container input")
    key = page.locator(".bd-search-container .search-button__kbd-shortcut")
    expect(key).to_be_visible()
    field.fill("entropy")
    expect(key).to_be_hidden()
