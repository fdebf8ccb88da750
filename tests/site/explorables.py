"""The explorables of the book, and how a test reads one."""

from __future__ import annotations

import re

from conftest import settle
from playwright.sync_api import Locator, Page, expect

ON = {
    "bound": "bound.html",
    "one curve": "maximum-likelihood.html",
    "two curves": "mixtures.html",
    "mixture": "gaussian-mixtures.html",
}
"""The page of each."""


def explorable(page: Page, place: int = 0) -> Locator:
    """The explorable of a page, come to life before the eyes of a reader."""
    figure = page.locator(".explorable").nth(place)
    figure.scroll_into_view_if_needed()
    expect(figure).to_contain_class("alive")
    return figure


def values(figure: Locator) -> dict[str, str]:
    """The table of values, opened."""
    table = figure.locator(".values table")
    if not table.is_visible():
        figure.get_by_text("The values as a table").click()
        table.wait_for()
    settle(figure)
    return dict(row.locator("th, td").all_inner_texts() for row in table.locator("tr").all())


def numbers(text: str) -> list[float]:
    """The numbers in a text that the book sets."""
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-"))]
