"""The PDFs as they are handed out: no heading ends a page, no page within a chapter is empty, lists are whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pypdfium2
import pytest
from server import SITE

# Each with its margin below the text, in points, as book.typ has it.
CENTIMETRE = 72 / 2.54
PAPERS = {"exploring-em.pdf": 4.1 * CENTIMETRE, "exploring-em-letter.pdf": 2.94 * CENTIMETRE}


class Printed(NamedTuple):
    """A page: the lower edges of what stands in its column, above the margin, in points; its words; its height."""

    edges: list[float]
    words: str
    height: float


class Heading(NamedTuple):
    """A bookmark: the page that it leads to, counted from 0; its title, its height above the foot, its level."""

    page: int
    title: str
    top: float
    level: int


@cache
def printed(name: str) -> list[Printed]:
    pages = []
    with pypdfium2.PdfDocument(SITE / name) as document:
        for page in document:
            text = page.get_textpage()
            edges = [text.get_rect(index)[1] for index in range(text.count_rects())]
            edges += [thing.get_bounds()[1] for thing in page.get_objects(max_depth=1)]
            within = [edge for edge in edges if edge > PAPERS[name] - 6]
            pages.append(Printed(within, text.get_text_bounded(), page.get_height()))
    return pages


@cache
def headings(name: str) -> list[Heading]:
    with pypdfium2.PdfDocument(SITE / name) as document:
        return [
            Heading(place.get_index(), mark.get_title(), place.get_view()[1][1], mark.level)
            for mark in document.get_toc()
            if (place := mark.get_dest()) is not None
        ]


def alone(pages: list[Printed], found: list[Heading]) -> Iterator[str]:
    """Headings with nothing further down their page than they reach themselves."""
    for page, title, top, _ in found:
        if not any(edge < top - 1.5 * CENTIMETRE for edge in pages[page].edges):
            yield f"page {page + 1}: {title}"


@pytest.mark.parametrize("name", PAPERS)
def test_no_heading_ends_a_page(name: str) -> None:
    assert len(headings(name)) > 50
    assert list(alone(printed(name), headings(name))) == []


def test_a_heading_that_ends_a_page_would_be_seen() -> None:
    heading = Heading(0, "Sums", 300.0, 1)
    assert list(alone([Printed([700.0, 280.0], "", 800.0)], [heading])) == ["page 1: Sums"]
    assert list(alone([Printed([700.0, 280.0, 200.0], "", 800.0)], [heading])) == []


def test_both_papers_have_the_same_pages() -> None:
    a4, letter = ([re.sub(r"\s+", " ", page.words) for page in printed(name)] for name in PAPERS)
    assert a4 == letter


def nearly_empty(pages: list[Printed], found: list[Heading]) -> Iterator[int]:
    """Pages that end in their upper part though their chapter goes on."""
    opened = {heading.page for heading in found if heading.level == 0}
    for index, page in enumerate(pages[:-1]):
        ended = index + 1 in opened
        if not ended and min(page.edges, default=page.height) > 0.55 * page.height:
            yield index + 1


def test_no_page_within_a_chapter_is_nearly_empty() -> None:
    (name, *_) = PAPERS
    first = next(found.page for found in headings(name) if found.title.startswith("1 "))
    inside = [found._replace(page=found.page - first) for found in headings(name)]
    assert list(nearly_empty(printed(name)[first:], inside)) == []


def test_a_page_that_is_nearly_empty_would_be_seen() -> None:
    short, full = Printed([700.0], "", 800.0), Printed([100.0], "", 800.0)
    chapter, section = Heading(2, "2", 700.0, 0), Heading(1, "1.1", 700.0, 1)
    assert list(nearly_empty([short, full, full], [section, chapter])) == [1]
    assert list(nearly_empty([full, short, full], [section, chapter])) == []


def test_the_lists_of_figures_and_of_explorables_are_whole() -> None:
    (name, *_) = PAPERS
    pages = [page.words for page in printed(name)]
    first = next(found.page for found in headings(name) if found.title == "Preface")
    listed = next(words for words in pages[:first] if re.match(r"\s*Figures", words))
    figures, _, explorables = (
        re.findall(r"Figure ([\d.]+)", part) for part in listed.partition("Explorables")
    )
    captions = {
        number
        for words in pages[first:]
        for number in re.findall(r"^Figure ([\d.]+)\s", words, re.M)
    }
    assert captions
    assert set(figures) == captions
    moving = sum(page.read_text("utf-8").count("data-explorable=") for page in SITE.glob("*.html"))
    assert len(explorables) == moving
    assert set(explorables) < captions
