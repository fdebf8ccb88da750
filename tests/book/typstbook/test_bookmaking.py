"""What a publisher adds: lists, answers, index, colophon, margins, papers, chapters on their own."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2
import pytest
import typst
from conftest import Sample
from pypdf import PdfReader
from typstbook import press
from typstbook.measure import overfull

CENTIMETRE = 72 / 2.54
COLUMN, INSIDE = (size * CENTIMETRE for size in (13.2, 2.4))


def words(text: str) -> str:
    return " ".join(text.replace("\N{SOFT HYPHEN}", "").split())


def page_with(sample: Sample, text: str, start: int = 0) -> int:
    """The first page that shows a text; its number as a page of the file."""
    return next(n for n, page in enumerate(sample.texts) if n >= start and text in words(page))


def printed_number(sample: Sample, page: int) -> int:
    """The number printed on a page of the file: the preface begins with 1."""
    return page - page_with(sample, "This page stands outside") + 1


def test_half_title_and_title_open_the_book(sample: Sample) -> None:
    assert words(sample.texts[0]) == "A Sample of Every Construct"
    assert words(sample.texts[1]) == ""
    title = words(sample.texts[2])
    assert title.startswith("A Sample of Every Construct One chapter of each kind")
    assert "A. Author and B. Author" in title
    assert title.endswith("version 1.2, 1 March 2026")
    imprint = words(sample.texts[3])
    assert imprint.startswith("©")
    assert "A. Author and B. Author" in imprint
    assert "Version 1.2, 1 March 2026" in imprint
    assert "https://example.org/book" in imprint.replace(" ", "")
    assert words(sample.texts[4]).startswith("Contents")


def test_figures_and_what_moves_are_listed_with_their_pages(sample: Sample) -> None:
    listed = words(sample.texts[page_with(sample, "Explorables Fig.")])
    preface = page_with(sample, "This page stands outside")
    still, moving = listed.split("Explorables")
    assert "The printed twin of something that moves" in still, "it is a figure, too"
    assert "The printed twin of something that moves" in moving
    assert "A curve that rises, as (2.6) says" in still
    assert "A caption with" in still
    assert "A legend" not in still
    for caption in ("A glued figure", "A caption with"):
        page = printed_number(sample, page_with(sample, caption, start=preface))
        assert re.search(rf"{caption}.*? {page}\b", still), f"{caption} is on page {page}"


def test_what_moves_has_its_address_and_a_code(sample: Sample) -> None:
    address = "https://example.org/book/cells.html#fig-twin"
    assert f'#moves("cells.html", "{address}", "images/qr-fig-twin.svg");' in sample.chapter(
        "cells"
    )
    assert (sample.root / "_build/typst/images/qr-fig-twin.svg").is_file()
    assert sample.typst.count("#moves(") == 1


def test_answers_stand_at_the_back_and_lead_there_and_back(sample: Sample) -> None:
    asked = page_with(sample, "Is an answer elsewhere?")
    assert "At the back, by" not in words(sample.texts[asked])
    answered = page_with(sample, "At the back, by")
    assert answered >= page_with(sample, "Answers and solutions", start=asked)
    printed = int(re.findall(r"answer on page (\d+)", words(sample.texts[asked]))[0])
    back = int(re.findall(r"elsewhere\? page (\d+)", words(sample.texts[answered]))[0])
    assert answered - asked == printed - back
    assert words("".join(sample.texts)).count("Substitute.") == 1
    assert page_with(sample, "Substitute.") >= answered


def test_a_dropdown_that_asks_nothing_lies_open(sample: Sample) -> None:
    assert "Open in print." in words(sample.texts[page_with(sample, "A dropdown title")])


def test_the_index_leads_to_pages(sample: Sample) -> None:
    index = words(sample.texts[-2])
    assert index.startswith("Index")
    page = (
        page_with(sample, "on the same page as another")
        - page_with(sample, "This page stands outside")
        + 1
    )
    assert re.search(rf"word, {page} words,? see word", index)
    assert re.search(rf"terms of the index, {page}\b", index)
    assert f"Latent variable, {page}" in index


def test_the_colophon_closes_the_book(sample: Sample) -> None:
    assert words(sample.texts[-1]).startswith("Colophon A Sample of Every Construct, version 1.2")
    page = printed_number(sample, len(sample.texts) - 1)
    assert words(sample.texts[-1]).endswith(f"Made of paste and paper. {page}")


def test_the_file_tells_what_it_is(sample: Sample) -> None:
    about = sample.pdf.xmp_metadata
    assert about is not None
    assert about.dc_title == {"x-default": "A Sample of Every Construct"}
    assert about.dc_description == {"x-default": "A book that is only built to be looked at."}
    assert about.pdf_keywords == "samples, print"
    assert about.dc_language == ["en-GB"]


# ---- Text and margins


@pytest.mark.parametrize("paper", ["", "-letter"])
def test_no_line_runs_out_of_its_column(sample: Sample, paper: str) -> None:
    path = sample.root / f"_build/typst/sample{paper}.pdf"
    assert list(overfull(path, {"Notation", "Index"})) == []
    assert list(overfull(path)) != [], "wide pages pass for others"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("$ a $", []),
        ("$ a $ #place(dx: 13.7cm, [A note])", []),
        ("#box(width: 13.54cm, align(right)[x])", []),
        (
            "#box(width: 13.6cm, align(right)[x])",
            ["page 1 of the file: 'x' runs out of its column"],
        ),
        # Far enough to end in the margin, as a note would.
        ("#box[" + "a" * 80 + "]", ["page 1 of the file: "]),
        ("#place(dx: -0.5cm)[x]", ["page 1 of the file: 'x' runs out of its column"]),
    ],
)
def test_a_line_that_runs_out_is_noticed_when_it_is_printed(
    line: str,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[str] = []
    monkeypatch.setattr(
        press._logger, "warning", lambda text, *words, **_: found.append(text % words)
    )
    margins = "(inside: 2.4cm, outside: 5.4cm)"
    body = (
        f"#show: rest => {{ set page(width: 21cm, margin: {margins}); rest }}\n#heading[A]\n{line}"
    )
    work = press.Press(tmp_path, [], {"Index"})
    work.write_images(tmp_path, {})
    work.print_chapter("a", "", body)
    assert len(found) == len(told)
    for words, expected in zip(found, told, strict=True):
        assert words.startswith(f"chapters/a.pdf: {expected}")


def test_margin_notes_stand_in_the_margin(sample: Sample) -> None:
    number = page_with(sample, "A margin note")
    page = pypdfium2.PdfDocument(sample.root / "_build/typst/sample.pdf")[number]
    text = page.get_textpage()
    place, _ = text.search("A margin note").get_next()
    left, _, right, _ = text.get_charbox(place)
    if number % 2 == 0:
        assert left > INSIDE + COLUMN
    else:
        assert right < page.get_width() - INSIDE - COLUMN


def test_both_papers_break_alike(sample: Sample) -> None:
    letter = PdfReader(sample.root / "_build/typst/sample-letter.pdf")
    assert [page.extract_text() for page in letter.pages] == sample.texts
    sizes = {(float(p.mediabox.width), float(p.mediabox.height)) for p in letter.pages}
    assert sizes == {(612.0, 792.0)}


def test_no_page_ends_with_a_heading(sample: Sample) -> None:
    titles = re.findall(r'#section\([23], [^,]*, "([\d.]+)", \[([^]\\#]*)\]', sample.typst)
    assert titles
    for number, title in titles:
        for text in sample.texts[6:]:
            assert not words(text).endswith(f"{number} {title}")


def test_a_letter_that_no_font_has_stops_the_print() -> None:
    source = '#set document(title: "x")\n= \u4e00'
    with pytest.raises(typst.TypstError):
        typst.compile(source.encode(), ignore_system_fonts=True, pdf_standards=["ua-1"])


# ---- Chapters on their own


def test_each_numbered_chapter_is_also_a_pdf(sample: Sample) -> None:
    folder = sample.root / "_build/typst/chapters"
    assert {path.name for path in folder.iterdir()} == {"prose.pdf", "maths.pdf", "cells.pdf"}
    chapter = PdfReader(folder / "maths.pdf")
    text = words(" ".join(page.extract_text() for page in chapter.pages))
    assert text.startswith("Chapter 2 Mathematics")
    assert "Substitute." in text  # its answers
    assert "McLachlan" in text.split("Sources")[-1]  # what it cites
    assert "Plain text with emphasis" not in text
    assert chapter.trailer["/Root"]["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert chapter.metadata is not None
    assert chapter.metadata.title == "Mathematics – A Sample of Every Construct"
