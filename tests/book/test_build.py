"""The book is executed strictly, side by side, and never from a stale cache."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from execution import GENERATIONS_KEPT, choose_cache, digest
from minibook import CELL, HEADER, build, page, write_book
from sphinx.application import Sphinx
from sphinx.config import Config

# Leaves a line "name began ended" beside the book, so that a test knows what ran, and when.
RECORDED = """\
import time
from pathlib import Path
import emlib
began = time.time()
time.sleep(1)
print("the answer is", emlib.answer(), "of", emlib.datum())
with Path("../runs.log").open("a") as log:
    log.write(f"{name} {{began}} {{time.time()}}\\n")
"""
DEFINED = "```{{math}}\n:label: {}\n:definition:\n{}\n```\n"
PAGES = {
    "index.md": "# Preface\n",
    "first.md": HEADER
    + "# First\n\n"
    + CELL.format(RECORDED.format(name="first"))
    + "\n"
    + DEFINED.format("eq-sum", "1 + 1 = 2"),
    "second.md": HEADER
    + "# Second\n\n"
    + CELL.format(RECORDED.format(name="second"))
    + "\nThe sum is equation {eq}`eq-sum`.\n",
}
LIBRARY = """\
from pathlib import Path

def answer():
    return 42

def datum():
    return Path(__file__).with_name("datum.csv").read_text()
"""
# What a page would load: a link that somebody may follow is none of it.
FOREIGN = re.compile(r"""<(?!a\s)[^>]*\b(?:src|href)=["'](?:https?:)?//|https?://(?:unpkg|cdn)""")


def runs(root: Path) -> dict[str, list[tuple[float, float]]]:
    """When each chapter's cell began and ended, for every time it ran."""
    times: dict[str, list[tuple[float, float]]] = {"first": [], "second": []}
    for line in (root / "runs.log").read_text().splitlines():
        name, began, ended = line.split()
        times[name].append((float(began), float(ended)))
    return times


def overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book, built once; not to be changed."""
    root = tmp_path_factory.mktemp("book")
    write_book(root, PAGES, {"__init__.py": LIBRARY, "datum.csv": "1977"})
    result = build(root)
    assert result.returncode == 0, result.stdout
    return root


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """The built book with its cache, to be changed."""
    return shutil.copytree(built, tmp_path / "copy")


def test_each_chapter_runs_once_and_shows_its_output(built: Path) -> None:
    assert {name: len(times) for name, times in runs(built).items()} == {"first": 1, "second": 1}
    for name in ("first", "second"):
        assert "the answer is 42 of 1977" in page(built, name)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core runs one chapter at a time")
def test_chapters_run_side_by_side(built: Path) -> None:
    assert not overlap((0, 1), (1, 2))
    times = runs(built)
    assert overlap(times["first"][0], times["second"][0])


def test_every_page_stands_on_its_own_and_links_the_pdf(built: Path) -> None:
    assert FOREIGN.search('<script src="https://example.org/a.js">')
    assert FOREIGN.search('<a href="a.html"><link rel="stylesheet" href="//example.org/a.css">')
    assert not FOREIGN.search('<a class="b" href="https://example.org/a">')
    assert FOREIGN.search('const THEBE = "https://unpkg.com/thebe"')
    site = built / "_build" / "html"
    pages = sorted(site.glob("*.html"))
    assert {"index.html", "first.html", "second.html", "search.html"} <= {p.name for p in pages}
    for html in pages:
        assert not FOREIGN.search(html.read_text()), html.name
        assert 'href="exploring-em.pdf"' in html.read_text(), html.name


def test_an_unchanged_book_executes_nothing(copy: Path) -> None:
    before = runs(copy)
    result = build(copy)
    assert result.returncode == 0, result.stdout
    assert runs(copy) == before


def test_an_edit_of_the_library_or_its_data_changes_the_pages(copy: Path) -> None:
    (copy / "emlib" / "__init__.py").write_text(LIBRARY.replace("42", "43"))
    (copy / "emlib" / "datum.csv").write_text("1998")
    result = build(copy)
    assert result.returncode == 0, result.stdout
    for name in ("first", "second"):
        assert "the answer is 43 of 1998" in page(copy, name)


def test_a_moved_equation_is_quoted_by_its_new_number(copy: Path) -> None:
    def number_quoted() -> str:
        link = r'href="first.html#equation-eq-sum">(\(\d+\.\d+\))<'
        (number,) = re.findall(link, page(copy, "second"))
        return str(number)

    assert build(copy).returncode == 0  # so that the next build finds this one's pages, and updates
    assert number_quoted() == "(1.1)"
    first = copy / "book" / "first.md"
    first.write_text(
        first.read_text().replace("# First\n", "# First\n\n" + DEFINED.format("eq-zero", "0 = 0"))
    )
    assert build(copy).returncode == 0
    assert number_quoted() == "(1.2)"


TITLE = "# Second\n\n"
NESTED = ":::{note}\n" + CELL.format("1") + ":::\n"
FAULTS = {
    "failing cell": (
        HEADER + TITLE + CELL.format("1 / 0"),
        "second: a cell failed",
        "ZeroDivisionError",
    ),
    "stderr": (
        HEADER + TITLE + CELL.format("import warnings\nwarnings.warn('mind the gap')"),
        "second: a cell wrote to stderr",
        "mind the gap",
    ),
    "no header": (
        TITLE + CELL.format("1"),
        "second: the page has code cells",
        "file_format: mystnb",
    ),
    "half a header": (
        "---\nfile_format: mystnb\n---\n" + TITLE + CELL.format("1"),
        "second: the page has code cells",
        "kernelspec",
    ),
    "execution off": (
        HEADER.replace("kernelspec", "mystnb:\n  execution_mode: 'off'\nkernelspec")
        + TITLE
        + CELL.format("1"),
        "second: the header sets mystnb.execution_mode",
        "Remove the line",
    ),
    "nested cell": (HEADER + TITLE + NESTED, "second.md:", "unexpected `code-cell`"),
    "dangling reference": (
        HEADER + TITLE + "{eq}`eq-none`\n",
        "second.md:",
        "equation not found: eq-none",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_chapter_fails_every_build(copy: Path, fault: str) -> None:
    text, place, message = FAULTS[fault]
    (copy / "book" / "second.md").write_text(text)
    for attempt in ("first", "second"):
        result = build(copy)
        assert result.returncode != 0, f"the {attempt} build passed"
        assert place in result.stdout
        assert message in result.stdout


@pytest.mark.parametrize("name", ["a.py", "deep/a.csv", "deep/book.mplstyle"])
def test_the_digest_sees_every_file_but_compiled_ones(tmp_path: Path, name: str) -> None:
    library = tmp_path / "emlib"
    (library / "deep").mkdir(parents=True)
    (library / name).write_text("1")
    lock = tmp_path / "requirements.txt"
    before = digest([library, lock])
    (library / "__pycache__").mkdir()
    (library / "__pycache__" / "a.pyc").write_text("compiled")
    assert digest([library, lock]) == before
    (library / name).write_text("2")
    changed = digest([library, lock])
    lock.write_text("numpy==2")
    assert len({before, changed, digest([library, lock])}) == 3


def test_old_caches_are_removed_and_recent_ones_kept(tmp_path: Path) -> None:
    (tmp_path / "emlib").mkdir()
    app = cast(Sphinx, SimpleNamespace(confdir=str(tmp_path / "book")))
    paths = []
    for number in range(GENERATIONS_KEPT + 2):
        (tmp_path / "emlib" / "a.py").write_text(str(number))
        config = Config()
        choose_cache(app, config)
        paths.append(Path(config.nb_execution_cache_path))
        os.utime(paths[-1], (number, number))
    assert [path.exists() for path in paths] == [False] * 2 + [True] * GENERATIONS_KEPT
