"""The sample book, built once: printed cold, then the site, then printed again beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

HERE = Path(__file__).parent
EXTENSIONS = Path(__file__).parents[3] / "book" / "_ext"
PRINT = ("--builder", "custom", "--custom-builder", "typst")


def jupyter_book(source: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the book in `source` as `make book` does."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    environment = {name: text for name, text in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run(
        [*command, ".", "--path-output", ".", "-n", *options],
        cwd=source,
        env=environment | {"PYTHONPATH": str(EXTENSIONS), "NO_COLOR": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


@dataclass(frozen=True)
class Sample:
    """The three builds of the sample book."""

    root: Path
    cold: bytes
    warm: bytes

    @cached_property
    def typst(self) -> str:
        return (self.root / "_build/typst/main.typ").read_text(encoding="utf-8")

    def chapter(self, name: str) -> str:
        """The Typst source of one chapter, and of the answers to it."""
        chapters = self.typst.split("\n// ")
        body = next(text for text in chapters if text.startswith(name + "\n"))
        answers = next((text for text in chapters if text.startswith(f"answers to {name}\n")), "")
        return body + answers.partition("\n#section")[2].partition("\n")[2]

    def page(self, name: str) -> BeautifulSoup:
        """The article of one page of the site."""
        html = (self.root / f"_build/html/{name}.html").read_text(encoding="utf-8")
        article = BeautifulSoup(html, "html.parser").select_one("article")
        assert article is not None
        return article

    @cached_property
    def pdf(self) -> PdfReader:
        return PdfReader(self.root / "_build/typst/sample.pdf")

    @cached_property
    def texts(self) -> list[str]:
        """The text of each page of the PDF."""
        return [page.extract_text() for page in self.pdf.pages]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    root = tmp_path_factory.mktemp("print") / "sample"
    shutil.copytree(HERE / "sample", root)
    pdf = root / "_build/typst/sample.pdf"
    printed = []
    for options in (PRINT, (), PRINT):
        run = jupyter_book(root, "-W", "--keep-going", *options)
        assert run.returncode == 0, run.stdout
        if options:
            printed.append(pdf.read_bytes())
    return Sample(root, *printed)
