"""Authors and names of emlib enter the index by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from indexing import library_names, plain
from minibook import HEADER, build, page, write_book

LIBRARY = {
    "__init__.py": "class Shape:\n    sides: int\n\n    def area(self): ...\n\ndef _hidden(): ...\n"
}
CHAPTER = """\
# First `area`

The field `sides`, and `nothing` of ours; {cite:t}`louis1982` knows.

```{literalinclude} ../emlib/__init__.py
:caption: A class.
:name: code-shape
```
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("indexed")
    references = "# References\n\n```{bibliography}\n```\n"
    pages = {"index.md": "# Preface\n", "first.md": HEADER + CHAPTER, "references.md": references}
    write_book(root, pages, LIBRARY)
    result = build(root)
    assert result.returncode == 0, result.stdout
    return page(root, "genindex")


@pytest.mark.parametrize("term", ["Louis, T. A.", "sides, in emlib", "Shape, in emlib"])
def test_authors_and_names_are_entered(index: str, term: str) -> None:
    assert '<a href="first.html#index-' in index
    assert f">{term}</a>" in index


@pytest.mark.parametrize("term", ["nothing", "_hidden", "area"])
def test_what_is_not_ours_private_or_a_title_is_not(index: str, term: str) -> None:
    assert f"{term}, in emlib" not in index


def test_names_are_those_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(LIBRARY["__init__.py"])
    assert library_names(tmp_path) == {"Shape", "sides", "area"}


def test_a_term_is_free_of_markup() -> None:
    assert plain("{R} Core; Team") == "R Core Team"
