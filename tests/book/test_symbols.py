"""The index of the search holds symbols by their names, and with their indices."""

from __future__ import annotations

import pytest
from symbols import English


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
