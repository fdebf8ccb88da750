"""The notebooks that readers take away are plain, run as they are, and hold what a run shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from server import SITE

CHAPTERS = sorted(path.stem for path in (SITE / "downloads").glob("*.pdf"))
# A role, a directive, a label, a block break, a macro of the book.
LEFT = re.compile(
    r"\{[\w:.-]+\}`|^[ >]*[`:]{3,}\{|^\([\w:.-]+\)=$|^\+\+\+|\\(?:KL|bm|given|Normal|argmax|E)(?![A-Za-z])",
    re.MULTILINE,
)


def read(name: str) -> NotebookNode:
    notebook = nbformat.read(SITE / "downloads" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def markdown(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("data", {}).get("text/markdown", "")


def printed(notebook: NotebookNode) -> list[str]:
    return [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]


@pytest.mark.parametrize("form", ["", "-outputs"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_no_mark_of_the_book_is_left(name: str, form: str) -> None:
    found = read(name + form)
    assert any(cell.get("outputs") for cell in found.cells) == bool(form)
    for text in markdown(found):
        assert not LEFT.search(text), text


@pytest.mark.parametrize(
    "text",
    [
        "see {eq}`eq-a`",
        "{cite:t}`b`",
        ":::{math}",
        "> ```{prf:proof}",
        "(ch-a)=",
        "+++",
        r"$\KL{q}{r}$",
    ],
)
def test_a_mark_that_is_left_is_found(text: str) -> None:
    assert LEFT.search(f"before\n{text}")
    assert not LEFT.search(r"$a_{b}$ `code` (3.1) $\KLx$ $\Exp$")


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_notebook_runs_as_it_is_and_shows_what_the_other_holds(name: str, tmp_path: Path) -> None:
    found = read(name)
    assert not printed(found)
    NotebookClient(
        found,
        timeout=120,
        resources={"metadata": {"path": str(tmp_path)}},
        extra_arguments=["--InlineBackend.figure_formats=svg", "--log-level=ERROR"],
    ).execute()
    assert "".join(printed(found)) == "".join(printed(read(f"{name}-outputs")))
