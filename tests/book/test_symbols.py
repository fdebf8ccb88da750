"""The index of the search holds symbols by their names, and with their indices."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from symbols import English, forget_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"\Sigma_k", ["Sigma_k"]),
        ("Σ and θ", ["sigma", "and", "theta"]),
        (r"r_{nk}\log\pi_k", ["r_nk", "log", "pi_k"]),
        ("the log_likelihood", ["the", "log_likelihood"]),
    ],
)
def test_a_symbol_is_a_word(text: str, words: list[str]) -> None:
    found = English({}).split(text)
    assert set(words) <= set(found), found
    assert not {"Σ", "θ"} & set(found)


def test_letters_side_by_side_are_no_index() -> None:
    assert "r_nk" not in English({}).split("r nk")


def test_a_word_that_left_the_book_leaves_the_index(tmp_path: Path) -> None:
    index = tmp_path / "searchindex.js"
    app: Any = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(name="html"))
    forget_words(app, None)
    clean = 'Search.setIndex({"docnames": ["a)"], "terms": {"kept": 0, "too": [0, 1]}, "titleterms": {}})'
    index.write_text(clean.replace('{"kept', '{"gone": [], "kept'))
    forget_words(app, ValueError())
    assert "gone" in index.read_text()
    forget_words(app, None)
    assert index.read_text() == clean
