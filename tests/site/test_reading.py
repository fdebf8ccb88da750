"""What a reader does on a page: opens answers, follows menus, prints, comes from the search or from a file."""

from __future__ import annotations

import pytest
from conftest import PAGES, loaded
from explorables import ON, explorable
from playwright.sync_api import Page, expect
from server import SITE

CHAPTER = "bound.html"


# ---- Solutions


def test_a_solution_opens_wherever_its_title_is_touched(visit):
    page = loaded(visit("maximum-likelihood.html", width=375, has_touch=True))
    title = page.locator(".solution > .admonition-title").first
    body = page.locator(".solution p:not(.admonition-title)").first
    title.scroll_into_view_if_needed()
    box = title.bounding_box()
    for part in (0.1, 0.5, 0.8):
        page.touchscreen.tap(box["x"] + part * box["width"], box["y"] + 15)
        expect(body).to_be_visible()
        page.touchscreen.tap(box["x"] + part * box["width"], box["y"] + 15)
        expect(body).to_be_hidden()


def test_the_button_of_a_solution_is_called_as_its_title(visit):
    page = loaded(visit(CHAPTER))
    button = page.get_by_role("button", name="Solution to Exercise 3.1")
    expect(button).to_have_count(1)
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("button", name="Toggle hidden content")).to_have_count(0)


# ---- Menus


def test_the_contents_of_a_page_close_when_a_place_is_chosen(visit):
    page = loaded(visit(CHAPTER, width=375))
    page.locator("button.secondary-toggle").first.click()
    dialog = page.get_by_role("dialog", name="Contents of this page")
    dialog.get_by_role("link", name="Energy and entropy").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("heading", name="Energy and entropy")).to_be_in_viewport()


CUT = """[...document.querySelectorAll(".prev-next-area a, .prev-next-area a *")].filter((part) => {
  const at = part.getBoundingClientRect();
  return at.right > document.documentElement.clientWidth + 1 || at.left < -1
    || part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== "visible";
}).map((part) => part.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("name", PAGES)
def test_where_previous_and_next_lead_is_readable_on_a_small_phone(visit, told, name):
    page = loaded(visit(name, width=320))
    cut = page.evaluate(CUT)
    told(name, "menu cut", len(cut))
    assert cut == []


def test_a_name_that_is_cut_would_be_seen(visit):
    page = loaded(visit(CHAPTER, width=320))
    page.add_style_tag(
        content=".prev-next-area a { max-width: 30px !important; overflow: hidden !important }"
    )
    assert page.evaluate(CUT) != []


# ---- A finger

COVERED = """[...document.querySelectorAll("article button.copybtn")].filter((button) => {
  const code = button.parentElement.querySelector("pre"), at = button.getBoundingClientRect();
  if (!button.checkVisibility() || at.width === 0) return false;
  const words = document.createRange();
  words.selectNodeContents(code);
  return [...words.getClientRects()].some((line) => line.width > 0
    && line.right > at.left && line.left < at.right && line.bottom > at.top + 1 && line.top < at.bottom - 1);
}).length"""


@pytest.mark.parametrize("name", ["bound.html", "gaussian-mixtures.html"])
def test_no_copy_button_lies_on_code(visit, name):
    page = loaded(visit(name, width=375, has_touch=True, is_mobile=True))
    assert page.evaluate("matchMedia('(hover: none)').matches")
    assert page.evaluate(COVERED) == 0
    page.add_style_tag(content="article pre { padding-top: 0.5rem !important }")
    assert page.evaluate(COVERED) > 0, "it would be seen"


def test_an_equation_that_goes_on_says_so_at_its_edge(visit):
    page = loaded(visit("gaussian-mixtures.html", width=375))
    name = page.locator(".formula.more-after").first.get_attribute("aria-label")
    box = page.get_by_role("group", name=name)
    expect(box).not_to_have_css("mask-image", "none")
    expect(box).not_to_contain_class("more-before")
    box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    expect(box).to_contain_class("more-before")
    expect(box).not_to_contain_class("more-after")
    page.set_viewport_size({"width": 1366, "height": 900})
    expect(page.locator(".formula.more-after")).to_have_count(0)


def test_a_formula_within_text_says_so_too(visit):
    page = loaded(visit("gaussian-mixtures.html", width=320))
    long = page.locator("span.math.wide.more-after").first
    assert "2rem" in long.evaluate("it => getComputedStyle(it).getPropertyValue('--after')")


# ---- Paper


def printing(page: Page) -> Page:
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_printed_page_has_its_title(visit, name):
    page = printing(loaded(visit(name, width=718)))
    expect(page.locator("article h1, #main-content h1").first).to_be_visible()


def test_paper_is_white_and_answers_lie_open_on_it(visit):
    page = loaded(visit(CHAPTER, width=718, theme="dark"))
    answer = page.locator("details.sd-dropdown p").first
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(answer).to_be_hidden()
    printing(page)
    expect(html).to_have_attribute("data-theme", "light")
    expect(answer).to_be_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # some browsers say it twice
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(answer).to_be_hidden()


@pytest.mark.parametrize("path", ON.values(), ids=list(ON))
def test_paper_has_the_twin_of_what_moves(visit, path):
    page = visit(path, width=718)
    figure = explorable(page)
    twin = figure.locator(".explorable-twin")
    expect(twin).to_be_hidden()
    printing(page)
    expect(twin).to_be_visible()
    expect(figure.locator(".explorable-root")).to_be_hidden()


# ---- From the search, from a file


def test_the_search_leads_to_the_word_and_not_to_the_top(visit):
    page = visit("search.html?q=Helmholtz")
    page.locator("#search-results li a", has_text="Jensen, KL and the bound").first.click()
    page.wait_for_url("**/bound.html*")
    expect(page.locator("article .highlighted").first).to_be_in_viewport()
    assert page.evaluate("scrollY") > 0


def test_from_a_file_no_room_is_kept_for_what_will_not_move(unwatched):
    page = unwatched.new_page()
    page.set_viewport_size({"width": 375, "height": 900})
    page.goto((SITE / CHAPTER).as_uri(), wait_until="load")
    box = page.locator(".explorable").first
    twin = box.locator(".explorable-twin")
    box.scroll_into_view_if_needed()
    assert box.bounding_box()["height"] < twin.bounding_box()["height"] + 60
    assert twin.bounding_box()["height"] < 200
    page.evaluate("document.documentElement.classList.remove('from-file')")
    assert box.bounding_box()["height"] > 800, "a hole would be seen"
