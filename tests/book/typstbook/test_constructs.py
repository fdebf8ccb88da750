"""The printed sample book: whole, tagged, linked, and numbered as the site numbers it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import HERE, PRINT, Sample, jupyter_book
from pypdf import PageObject, PdfReader
from pypdf.generic import IndirectObject

CHAPTERS = ["index", "prose", "maths", "cells", "notation", "bibliography"]
LABEL = r'(?:none|"[^"]*")'


def plain(markup: str) -> str:
    """What markup shows: calls opened, escapes undone."""
    return re.sub(r"\\(.)", r"\1", re.sub(r"#[\w-]+\(\[|\]\);", "", markup)).strip()


def printed_numbers(chapter: str) -> dict[str, list[str]]:
    """Every number in the Typst source of a chapter."""
    found = {
        "section": re.findall(rf'#section\(\d, {LABEL}, "([^"]*)"', chapter),
        "equation": re.findall(rf"#display-math\({LABEL}, \[(\([^]]*\))\]", chapter),
        "caption": re.findall(
            rf'#(?:captioned-figure|listing|book-table)\({LABEL}, "([^"]*)"', chapter
        ),
        "statement": re.findall(rf'#statement\("\w+", {LABEL}, \[(.*?)\]', chapter),
        "exercise": re.findall(rf"#exercise\({LABEL}, \[(Exercise [\d\\.]+)", chapter),
        "solution": re.findall(rf"#solution\({LABEL}, {LABEL}, \[.*?(Exercise [\d\\.]+)", chapter),
    }
    return {kind: [plain(number) for number in numbers] for kind, numbers in found.items()}


def site_numbers(sample: Sample, name: str) -> dict[str, list[str]]:
    """Every number on a page of the site."""
    page = sample.page(name)

    def texts(selector: str) -> list[str]:
        return [element.get_text().strip(" .#") for element in page.select(selector)]

    solutions = [re.findall(r"Exercise [\d.]+", text) for text in texts(".solution > p")]
    return {
        "section": texts(".section-number"),
        "equation": texts(".eqno"),
        "caption": texts("figcaption .caption-number, caption .caption-number")
        + texts(".code-block-caption .caption-number"),
        "statement": texts(".proof > .admonition-title > .caption-number"),
        "exercise": texts(".exercise > .admonition-title > .caption-number"),
        "solution": [number for numbers in solutions for number in numbers],
    }


def in_order_of_kind(numbers: dict[str, list[str]]) -> dict[str, list[str]]:
    return numbers | {"caption": sorted(numbers["caption"])}


@pytest.mark.parametrize("name", CHAPTERS)
def test_print_numbers_as_the_site_does(sample: Sample, name: str) -> None:
    printed = in_order_of_kind(printed_numbers(sample.chapter(name)))
    assert printed == in_order_of_kind(site_numbers(sample, name))


def test_the_sample_has_every_kind_of_number(sample: Sample) -> None:
    numbers = [site_numbers(sample, name) for name in CHAPTERS]
    for kind in numbers[0]:
        assert any(of[kind] for of in numbers), f"no {kind} has a number"
    text = "\n".join(sample.texts)
    for of in numbers:
        for shown in of["equation"] + of["caption"] + of["statement"] + of["exercise"]:
            assert shown in text


def links(source: str) -> Iterator[tuple[str, str]]:
    """The label and the text of every link inside the book."""
    for match in re.finditer(r'#to\("([^"]*)", \[', source):
        depth, end = 1, match.end()
        while depth:
            step = source[end]
            depth += (step == "[") - (step == "]")
            end += 2 if step == "\\" else 1
        yield match[1], plain(source[match.end() : end - 1])


@pytest.mark.parametrize("name", CHAPTERS)
def test_references_read_as_on_the_site(sample: Sample, name: str) -> None:
    site = (link.get_text().strip() for link in sample.page(name).select("a.reference.internal"))
    printed = (text for _, text in links(sample.chapter(name)))
    assert Counter(filter(None, printed)) == Counter(filter(None, site))


def places(page: PageObject) -> list[tuple[str, float, float]]:
    """Each piece of text on a page, and where it begins."""
    found: list[tuple[str, float, float]] = []

    def note(text: str, matrix: list[float], *_: object) -> None:
        if text.strip():
            found.append((text, matrix[4], matrix[5]))

    page.extract_text(visitor_text=note)
    return found


@pytest.fixture(scope="module")
def arrivals(sample: Sample) -> list[tuple[int, float]]:
    """The page and height where each link inside the book arrives, those of the contents aside."""
    pages = [page.indirect_reference for page in sample.pdf.pages]
    found = []
    for page in sample.pdf.pages[2:]:
        for annotation in page.get("/Annots", []):
            target = annotation.get_object().get("/Dest")
            if isinstance(target, str):
                target = sample.pdf.named_destinations[target].dest_array
            if target is not None:
                found.append((pages.index(target[0]), float(target[3])))
    return found


@pytest.mark.parametrize(
    ("target", "linked"),
    [
        ("Theorem 2.1", True),
        ("(2.5)", True),
        ("(3.1)", True),
        ("The printed twin of something that moves.", True),
        ("A csv table", True),
        ("A program from a ", True),
        ("Lists", True),
        ("Latent variable", True),
        ("Exercise 2.2", True),
        ("The first note, with ", True),
        ("Still text.", False),
        ("Text of the topic.", False),
        ("Corollary 2.1", False),
    ],
)
def test_links_arrive_at_their_targets(
    sample: Sample, arrivals: list[tuple[int, float]], target: str, linked: bool
) -> None:
    standing = [
        (number, height)
        for number, page in enumerate(sample.pdf.pages)
        for text, _, height in places(page)
        if target in text and number > 1
    ]
    assert standing
    assert linked == any(
        page == number and -6 < above - height < 60
        for page, above in arrivals
        for number, height in standing
    )


def test_every_reference_is_a_link(sample: Sample, arrivals: list[tuple[int, float]]) -> None:
    written = list(links(sample.typst))
    assert len(written) > 40
    assert len(arrivals) >= len(written)


def test_links_to_the_web_are_links(sample: Sample) -> None:
    addresses = {
        annotation.get_object().get("/A", {}).get("/URI")
        for page in sample.pdf.pages
        for annotation in page.get("/Annots", [])
    }
    assert {
        "https://example.org/a_b?c=d",
        "https://example.org/picture",
        "https://doi.org/10.1111/j.2517-6161.1977.tb01600.x",
    } <= addresses


@pytest.mark.parametrize(
    "shown",
    [
        "One chapter of each kind",
        "1 March 2026",
        "#hash, $5, 3*4, snake_case, a@b, <angle>, [square]",
        "~tilde~, back\\slash, // no comment, … three dots",
        "literal --text--",
        "a “quotation”, an em dash — and",
        "3. starts at three",
        "☐ a task",
        "☑ a done task",
        "— George Box",
        "A section at level four",
        "See also Mathematics (chapter 2).",
        "A title of its own",
        "Open in print.",
        'tab = "two"',
        "Foot of B.",
        "An aside with",
        "Text of the topic.",
        "Text in a container.",
        "A variable that is not observed.",
        "A legend below the caption.",
        "1 def double(x):",
        "4     return 42",
        "no language: a → b, θ² ≤ π ∑ ∫ ∞ ∈ ℝ",
        "Remark (Unnumbered)",
        "Proof. By Definition 2.1 and (2.6).",
        "θ → π² and stdout",
        "input hidden on the site",
        "output hidden on the site",
        "Glued: 7 and 0.12.",
        "b 2 -3.1",
        "multiply and divide by",
        "ZeroDivisionError: division by zero",
        "solved by 6",
        "1The first note, with emphasis.",
        "Wiley, 2008.",
    ],
)
def test_nothing_is_lost(sample: Sample, shown: str) -> None:
    text = "\n".join(sample.texts)
    assert " ".join(shown.split()) in " ".join(text.split())


def test_a_line_ends_where_its_author_ended_it(sample: Sample) -> None:
    lines = "\n".join(sample.texts).splitlines()
    assert {"A line that ends", "before the next."} <= {line.strip() for line in lines}


@pytest.mark.parametrize(
    "hidden",
    ["never seen", 'print("input removed")', 'print("input hidden', "press", "nobody sees"],
)
def test_what_the_author_removed_stays_away(sample: Sample, hidden: str) -> None:
    text = re.sub(r"<button>press</\s*button>", "", " ".join(sample.texts))
    assert hidden not in text


def test_the_twin_of_an_interactive_figure_is_its_drawing(sample: Sample) -> None:
    assert re.search(r'"Fig\. 3\.3".*?#picture\("images/\w+\.svg"', sample.chapter("cells"))


def structure(reader: PdfReader) -> Iterator[dict[str, Any]]:
    """Every element of the PDF's structure tree."""
    root = reader.trailer["/Root"]
    waiting: list[Any] = [root["/StructTreeRoot"]["/K"]]  # type: ignore[index]
    while waiting:
        item = waiting.pop()
        item = item.get_object() if isinstance(item, IndirectObject) else item
        if isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, dict) and "/S" in item:
            yield item
            waiting.append(item.get("/K", []))


def test_the_pdf_is_tagged(sample: Sample) -> None:
    reader = sample.pdf
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert root["/Lang"] == "en-GB"  # type: ignore[index]
    elements = list(structure(reader))
    roles = Counter(element["/S"] for element in elements)
    for role in ("H1", "H2", "P", "L", "Table", "TH", "Figure", "Formula", "Caption", "Link"):
        assert roles[f"/{role}"] > 0, f"no {role}"
    texts = {element["/Alt"] for element in elements if "/Alt" in element}
    assert {"A rising curve", "Two bars", "A blue rectangle", "x_1"} <= texts
    assert r"\ell(\theta) \ge F(q, \theta)" in texts
    for element in elements:
        if element["/S"] in ("/Figure", "/Formula"):
            assert element.get("/Alt"), f"{element['/S']} without alternative text"


def test_bookmarks_are_the_chapters_and_sections(sample: Sample) -> None:
    def titles(items: list[Any]) -> Iterator[str]:
        for item in items:
            if isinstance(item, list):
                yield from titles(item)
            else:
                yield item.title

    found = list(titles(sample.pdf.outline))
    assert found == [
        "Contents", "Figures", "Explorables", "Preface", "Who it is for", "Foundations",
        "1 Prose and its ornaments", "1.1 Lists", "1.1.1 A section at level three",
        "1.2 Boxes", "1.3 Tables and images",
        "2 Mathematics", "2.1 Statements", "2.2 Exercises", "2.3 Sources",
        "Practice", "3 Code that runs", "3.1 Gated",
        "Back matter", "Notation", "Bibliography",
        "Answers and solutions", "1 Prose and its ornaments", "2 Mathematics", "3 Code that runs",
        "Index", "Colophon",
    ]  # fmt: skip


def fonts(page: PageObject) -> Iterator[Any]:
    for font in page["/Resources"].get("/Font", {}).values():  # type: ignore[attr-defined]
        font = font.get_object()
        yield from (child.get_object() for child in font.get("/DescendantFonts", [font]))


def test_fonts_are_embedded(sample: Sample) -> None:
    found = [font for page in sample.pdf.pages for font in fonts(page)]
    names = {font["/BaseFont"].split("+")[-1] for font in found}
    assert any("NewCM" in name for name in names)
    assert any("DejaVuSansMono" in name for name in names)
    for font in found:
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"])


def test_the_same_book_gives_the_same_pdf(sample: Sample) -> None:
    # One was printed before the site was built, the other after, with nothing changed.
    assert sample.cold == sample.warm
    assert b"CreationDate" not in sample.cold


PROBLEMS = [
    r"index.md:3: unknown command '\frobnicate' in the formula '\\frobnicate{x}'",
    "index.md:5: 'desc' nodes cannot be printed",
    "index.md:8: the image 'present.svg' has no alternative text",
    "index.md:10: the image 'absent.svg' is not there",
    r"index.md:12: an equation has the number 1 and a \tag",
    "index.md:14: HTML that cannot be printed (<button>)",
    "HTML that cannot be printed (<canvas>)",
]


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("print") / "broken"
    shutil.copytree(HERE / "broken", root)
    run = jupyter_book(root, *PRINT)
    assert run.returncode != 0
    assert not (root / "_build/typst/book.pdf").exists()
    return run.stdout


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_book_that_cannot_be_printed_whole_is_not_printed(refusal: str, problem: str) -> None:
    assert problem in refusal


def test_only_what_is_wrong_is_reported(refusal: str) -> None:
    listed = refusal.split("The book cannot be printed:\n")[1].split("\n\n")[0]
    assert len([line for line in listed.split("\n") if line.startswith("  /")]) >= len(PROBLEMS)
    assert "<table>" not in listed
