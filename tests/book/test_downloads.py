"""What can be taken away runs as it is, and is as large as the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import jupytext
import nbformat
import pytest
from downloads import (
    SITE,
    as_script,
    enter_sizes,
    in_words,
    link,
    printing,
    write_chapter,
    write_wheel,
    write_zip,
)
from execution import read_chapter
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebooks import assemble

ROOT = Path(__file__).parents[2]
CHAPTERS = ["maximum-likelihood", "mixtures", "bound", "gaussian-mixtures"]
PLAIN = os.environ | {"MPLBACKEND": "Agg"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("downloads")
    for name in CHAPTERS:
        write_chapter(built(name, tmp_path_factory.mktemp("built")), made)
    return made


def built(name: str, folder: Path) -> Path:
    """The notebook of a chapter as the build leaves it, but with the text of the source and no outputs."""
    chapter = read_chapter(name, ROOT / "book" / f"{name}.md")
    assert chapter is not None
    cells = chapter.notebook.cells
    parts = [n if cell.cell_type == "code" else cell.source for n, cell in enumerate(cells)]
    path = folder / f"{name}.ipynb"
    path.write_text(nbformat.writes(assemble(parts, cells, set())))
    return path


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_script_is_python_and_holds_the_cells_of_the_chapter(folder: Path, name: str) -> None:
    script = (folder / f"{name}.py").read_text()
    compile(script, name, "exec")
    with pytest.raises(SyntaxError):
        compile(script + "\n)", name, "exec")
    assert "myst_nb" not in script
    source = (ROOT / "book" / f"{name}.md").read_text()
    cells = jupytext.reads(script, fmt="py:percent").cells
    # Before them stands what takes the place of the book's glue.
    assert sum(cell.cell_type == "code" for cell in cells) == source.count("```{code-cell}") + 1


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a = 1\na + 1", "a = 1\nprint(a + 1)"),
        ("f(\n    1,\n)", "print(f(\n    1,\n))"),
        ("a + 1;  # no value", "a + 1;  # no value"),
        ("a = 'é'; a", "a = 'é'; print(a)"),
        ("# why\na;", "# why\na;"),
        ("f(a);  # one\na  # two", "f(a);  # one\nprint(a)  # two"),
        ("a = '#'\na", "a = '#'\nprint(a)"),
        ("print(a)", "print(a)"),
        ('glue("a", 1)', 'glue("a", 1)'),
        ("a = 1", "a = 1"),
        ("", ""),
    ],
)
def test_a_script_prints_what_a_notebook_would_show(source: str, shown: str) -> None:
    assert printing(source) == shown


def test_a_script_saves_its_figures_and_prints_to_its_last_cell() -> None:
    cells = [
        nbformat.v4.new_code_cell("plt.plot([1])", metadata={"tags": ["hide-input"]}),
        nbformat.v4.new_markdown_cell("**Figure 3.1** A line."),
        nbformat.v4.new_code_cell("plt.plot([2])"),
        nbformat.v4.new_markdown_cell("No figure."),
        nbformat.v4.new_code_cell("3"),
    ]
    made = as_script(nbformat.v4.new_notebook(cells=cells)).cells
    assert made[0].source == 'plt.plot([1])\nplt.savefig("figure-3.1.svg")\nplt.close()'
    assert made[2].source == "print(plt.plot([2]))"
    assert made[4].source == "print(3)"
    assert cells[0].source == "plt.plot([1])"


def test_a_script_runs_as_it_is(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "maximum-likelihood.py"],
        cwd=folder, env=PLAIN, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout


def execute(found: nbformat.NotebookNode, folder: Path) -> None:
    options = ["--InlineBackend.figure_formats=svg", "--log-level=ERROR"]
    NotebookClient(
        found, timeout=120, resources={"metadata": {"path": str(folder)}}, extra_arguments=options
    ).execute()


def test_a_notebook_runs_as_it_is(folder: Path) -> None:
    found = nbformat.read(folder / "mixtures.ipynb", as_version=4)
    nbformat.validate(found)
    assert not any(cell.get("outputs") for cell in found.cells)
    execute(found, folder)
    assert any(cell.get("outputs") for cell in found.cells)
    found.cells = [nbformat.v4.new_code_cell("1 / 0")]
    with pytest.raises(CellExecutionError):
        execute(found, folder)


def test_two_builds_make_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_chapter(built("bound", tmp_path), tmp_path)
    for file in ("bound.ipynb", "bound-outputs.ipynb", "bound.py"):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()
    write_zip(folder, tmp_path / "one.zip")
    for path in folder.iterdir():
        os.utime(path, (1e9, 1e9))
    first = (tmp_path / "one.zip").read_bytes()
    modes = {info.external_attr >> 16 for info in zipfile.ZipFile(tmp_path / "one.zip").infolist()}
    assert modes == {0o644}, "whoever unpacks it may let others read it"
    write_zip(folder, tmp_path / "one.zip")
    assert (tmp_path / "one.zip").read_bytes() == first


def test_the_wheel_holds_the_library(tmp_path: Path) -> None:
    write_wheel(ROOT, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "emlib/em.py" in names
    assert not any(name.startswith(("book/", "tests/")) for name in names)


def test_the_page_tells_true_sizes(tmp_path: Path) -> None:
    page = tmp_path / "take-away.html"
    page.write_text(link("a.pdf", "A") + link(SITE, "The site"))
    (tmp_path / "a.pdf").write_bytes(b"x" * 3_456_000)
    enter_sizes(tmp_path)
    assert re.findall(r">([^<]*)</span>", page.read_text()) == ["3.5 MB", "this file"]
    (tmp_path / SITE).write_bytes(b"x" * 12_345)
    enter_sizes(tmp_path)
    assert re.findall(r">([^<]*)</span>", page.read_text()) == ["3.5 MB", "12 KB"]
    (tmp_path / "a.pdf").unlink()
    with pytest.raises(SystemExit, match=r"a\.pdf is offered"):
        enter_sizes(tmp_path)


@pytest.mark.parametrize(("size", "words"), [(1, "1 KB"), (999_000, "999 KB"), (1e6, "1.0 MB")])
def test_sizes_in_words(size: int, words: str) -> None:
    assert in_words(size) == words
