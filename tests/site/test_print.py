"""The PDFs as they are handed out: no heading ends a page, no page within a chapter is empty, lists are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pypdfium2
import pytest
from server import SITE

PAPERS = ["exploring-em.pdf", "exploring-em-letter.pdf"]
CENTIMETRE = 72 / 2.54


@dataclass(frozen=True)
class Printed:
    """What a page shows: the lower edges of its lines of text and of its drawings, in points; its words."""

    edges: list[float]
    words: str
    height: float


@cache
def printed(name: str) -> list[Printed]:
    pages = []
    with pypdfium2.PdfDocument(SITE / name) as document:
        for page in document:
            text = page.get_textpage()
            edges = [text.get_rect(index)[1] for index in range(text.count_rects())]
            edges += [thing.get_bounds()[1] for thing in page.get_objects(max_depth=1)]
            pages.append(Printed(edges, text.get_text_bounded(), page.get_height()))
    return pages


@cache
def headings(name: str) -> list[tuple[int, str, float]]:
    """The page of each bookmark, its words, and its height above the foot."""
    with pypdfium2.PdfDocument(SITE / name) as document:
        return [
            (place.get_index(), mark.get_title(), place.get_view()[1][1])
            for mark in document.get_toc()
            if (place := mark.get_dest()) is not None
        ]


def alone(name: str, below: float = 1.5 * CENTIMETRE) -> Iterator[str]:
    """Headings with nothing further down their page than they reach themselves."""
    pages = printed(name)
    for index, title, top in headings(name):
        page = pages[index]
        foot = 2 * CENTIMETRE
        if not any(foot < edge < top - below for edge in page.edges):
            yield f"page {index + 1}: {title}"


@pytest.mark.parametrize("name", PAPERS)
def test_no_heading_ends_a_page(name: str) -> None:
    assert len(headings(name)) > 50
    assert list(alone(name)) == []
    assert list(alone(name, below=40 * CENTIMETRE)) != [], "nothing would be found"


def test_both_papers_have_the_same_pages() -> None:
    a4, letter = ([re.sub(r"\s+", " ", page.words) for page in printed(name)] for name in PAPERS)
    assert a4 == letter


def nearly_empty(name: str, filled: float) -> Iterator[int]:
    """Pages within a chapter that are filled less than a part of their height."""
    pages = printed(name)
    begins = {index for index, *_ in headings(name)}
    first = min(index for index, title, _ in headings(name) if title.startswith("1 "))
    for index in range(first, len(pages) - 1):
        page = pages[index]
        inside = [
            edge for edge in page.edges if 3 * CENTIMETRE < edge < page.height - 3 * CENTIMETRE
        ]
        ends = index + 1 in begins  # the next page opens something
        if not ends and page.height - min(inside, default=page.height) < filled * page.height:
            yield index + 1


def test_no_page_within_a_chapter_is_nearly_empty() -> None:
    assert list(nearly_empty(PAPERS[0], 0.4)) == []
    assert list(nearly_empty(PAPERS[0], 0.99)) != [], "nothing would be found"


def test_the_lists_of_figures_and_of_explorables_are_whole() -> None:
    pages = [page.words for page in printed(PAPERS[0])]
    first = next(index for index, words in enumerate(pages) if "Preface" in words.split("\n")[0])
    listed = next(words for words in pages[:first] if re.match(r"\s*Figures", words))
    captions = {
        number
        for words in pages[first:]
        for number in re.findall(r"^Figure ([\d.]+)\s", words, re.M)
    }
    assert captions
    figures, _, explorables = listed.partition("Explorables")
    assert set(re.findall(r"Figure ([\d.]+)", figures)) == captions
    assert set(re.findall(r"Figure ([\d.]+)", explorables)) < captions
