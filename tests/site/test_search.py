"""The search finds words, symbols and names of the library, and shows where they stand."""

from __future__ import annotations

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
