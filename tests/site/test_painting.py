"""Nothing moves while a page is loaded and read, on whatever network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from conftest import PAGES
from painting import LINK
from playwright.sync_api import Browser, Page
from server import SITE, Handler, served

SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""
TO_THE_END = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += 1500) {
    scrollTo({ top: y, behavior: "instant" });
    await new Promise((done) => setTimeout(done, 30));
  }
  await new Promise((done) => setTimeout(done, 200));
  return window.shifted;
}"""


def watched_for_shifts(new_context, name: str, width: int) -> Page:
    """The page, with a note of all that jumps from its first moment on."""
    page = new_context(viewport={"width": width, "height": 900}).new_page()
    page.add_init_script(SHIFTS)
    page.goto(f"/{name}", wait_until="load")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_nothing_jumps_while_it_is_loaded_and_read(new_context, told, width, name):
    shifted = watched_for_shifts(new_context, name, width).evaluate(TO_THE_END)
    assert told(name, "shift", shifted) < 0.02


def test_a_jump_would_be_seen(new_context):
    page = watched_for_shifts(new_context, "bound.html", 1366)
    page.evaluate("document.querySelector('h1').style.paddingBottom = '300px'")
    assert page.evaluate(TO_THE_END) > 0.02


class Halting(Handler):
    """A network that halts between the first two rows of the first formula that has several."""

    def __init__(self, *args: object, left_out: str, goes_on: Event, **options: object) -> None:
        self.left_out, self.goes_on = left_out, goes_on
        super().__init__(*args, **options)

    def do_GET(self) -> None:  # noqa: N802
        if not self.path.endswith(".html"):
            super().do_GET()
            return
        page = Path(self.translate_path(self.path)).read_text(encoding="utf-8")
        assert self.left_out in page
        page = page.replace(self.left_out, "")
        halt = page.index("</mtr><mtr>", page.index("<article")) + len("</mtr>")
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page[:halt].encode())
        self.wfile.flush()
        self.goes_on.wait(timeout=60)
        self.wfile.write(page[halt:].encode())


def is_painted(page: Page, within: float = 60) -> bool:
    """Whether anything is, in so many seconds. (Playwright's own way to wait is against the policy of the pages.)"""
    end = time.monotonic() + within
    while not page.evaluate("performance.getEntriesByType('paint').length"):
        if time.monotonic() > end:
            return False
        page.wait_for_timeout(50)
    return True


@contextmanager
def halted(browser: Browser, left_out: str = "") -> Iterator[tuple[Page, Event]]:
    """A page of which half a formula has come, and what lets the rest of it come."""
    goes_on = Event()
    with served(SITE, partial(Halting, left_out=left_out, goes_on=goes_on)) as site:
        page = browser.new_page()
        page.goto(f"{site}/ledger-coins.html", wait_until="commit")
        page.locator("article mtr").first.wait_for(state="attached")
        yield page, goes_on
        goes_on.set()
        page.close()


def test_half_a_formula_is_not_painted(browser):
    with halted(browser) as (page, goes_on):
        assert not is_painted(page, within=1)
        goes_on.set()
        assert is_painted(page)


def test_half_a_formula_that_is_painted_would_be_seen(browser):
    with halted(browser, left_out=LINK) as (page, _):
        assert is_painted(page)
