"""The site reads well with no server at all: unpacked from its ZIP, and opened from the disk."""

from __future__ import annotations

import zipfile

import pytest
from conftest import PAGES
from playwright.sync_api import expect
from server import SITE

# Served instead of a page that is not there; where nobody serves, nobody is shown it.
READ = [name for name in PAGES if name != "404.html"]
DRESSED = """async () => (await document.fonts.ready, {
  styled: getComputedStyle(document.querySelector("main")).display !== "inline"
    && getComputedStyle(document.body).fontFamily.includes("sans-serif"),
  mathematics: !document.querySelector("article math")
    || [...document.fonts].some((font) => font.family.includes("STIX") && font.status === "loaded"),
  within: document.documentElement.scrollWidth <= innerWidth,
  pictures: [...document.images].every((picture) => picture.loading === "lazy" || picture.naturalWidth > 0),
})"""
WELL = {"styled": True, "mathematics": True, "within": True, "pictures": True}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stick")
    with zipfile.ZipFile(SITE / "exploring-em-site.zip") as archive:
        archive.extractall(folder)
    (site,) = folder.iterdir()
    return site


@pytest.fixture
def opened(unwatched):
    """Open a file; get what it looks like, and what failed. A browser takes no modules from files."""

    def open_file(file):
        page = unwatched.new_page()
        page.set_viewport_size({"width": 375, "height": 900})
        failed = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or failed.append(r.url))
        page.goto(file.as_uri(), wait_until="load")
        return page.evaluate(DRESSED), [fault for fault in failed if not fault.endswith(".mjs")]

    return open_file


@pytest.mark.parametrize("name", READ)
def test_a_page_reads_well_from_a_file(opened, unpacked, name):
    assert opened(unpacked / name) == (WELL, [])


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ('href="_static/site.css', 'href="/_static/site.css', "styled"),
        (
            'href="_static/mathematics-font.css',
            'href="/_static/mathematics-font.css',
            "mathematics",
        ),
        ("</article>", '<table width="800"><tr><td></td></tr></table></article>', "within"),
        ("</article>", '<img src="/a.png"></article>', "pictures"),
    ],
)
def test_a_page_that_needs_a_server_would_be_seen(opened, unpacked, old, new, lost):
    page = (unpacked / "bound.html").read_text(encoding="utf-8")
    assert old in page
    broken = unpacked / "broken.html"
    broken.write_text(page.replace(old, new), encoding="utf-8")
    found, failed = opened(broken)
    assert not found[lost]
    assert failed or lost == "within"


def test_the_search_finds_from_files(unwatched, unpacked):
    page = unwatched.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    page.goto(f"{(unpacked / 'search.html').as_uri()}?q=Jensen")
    page.locator("#search-results li a", has_text="Jensen, KL and the bound").first.wait_for()
    expect(page.get_by_role("status").filter(has_text="found")).to_be_visible()
    assert [error for error in errors if not error.endswith(".mjs")] == []
