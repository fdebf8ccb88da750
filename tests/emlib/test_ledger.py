"""The ledger lists what was proved and computed, refuses what is slow, and computes nothing twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp

from emlib import ledger
from emlib.ledger import entries, fingerprint, numbers
from emlib.symbolic import Derivation, ProofError
from emlib.symbolic.chapters import CHAPTERS, Chapter

MIXTURES = next(chapter for chapter in CHAPTERS if chapter.module == "mixtures")
COINS = next(chapter for chapter in CHAPTERS if chapter.module == "coins")


def test_an_entry_tells_what_was_proved_and_how() -> None:
    found = {entry.label: entry for entry in entries(MIXTURES)}
    assert list(found) == [build().label for build in MIXTURES.derivations]
    singular = found["eq-singularity"]
    assert (singular.chapter, singular.module, singular.home) == (MIXTURES.title, *["mixtures"] * 2)
    assert [line.letter for line in singular.lines] == ["a", "b"]
    assert [line.kind for line in singular.lines] == ["proved", "by lemma"]
    assert singular.title.endswith("as it narrows.")
    assert singular.tex.startswith(r"\begin{aligned}")


def test_a_slow_claim_is_refused() -> None:
    x = sp.Symbol("x", real=True)
    proved = Derivation("eq-slow", (x + 1) ** 2).equals(x**2 + 2 * x + 1, because="multiply out")
    slow = replace(proved, claims=tuple(replace(c, seconds=10.1) for c in proved.claims))
    ledger._entry(MIXTURES, lambda: proved)
    with pytest.raises(ArithmeticError, match=r"eq-slow, line a: the proof took 10 s"):
        ledger._entry(MIXTURES, lambda: slow)


def test_numbers_stand_beside_the_printed_ones() -> None:
    found = numbers(COINS)
    assert found
    for number in found:
        assert number.chapter == COINS.title
        assert number.difference == pytest.approx(number.ours - float(number.printed), abs=1e-12)
        assert number.agrees or number.because
    assert numbers(Chapter("no_such_chapter", "None")) == []


def test_a_fingerprint_changes_with_what_a_module_imports_and_with_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {path.name for path in ledger._imported("emlib.symbolic.mixtures", set())}
    assert {"mixtures.py", "likelihood.py", "reduce.py"} <= found
    assert "gaussian_mixtures.py" not in found
    before = fingerprint("emlib.symbolic.mixtures")
    assert fingerprint("emlib.symbolic.mixtures") == before
    assert fingerprint("emlib.symbolic.bound") != before
    monkeypatch.setattr(ledger, "version", lambda _: "another")
    assert fingerprint("emlib.symbolic.mixtures") != before


def test_what_stands_in_the_cache_is_not_proved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def prove(chapter: Chapter) -> list[ledger.Line]:
        calls.append(chapter)
        return [ledger.Line("", "so", "proved", "proved", 0.0)]

    monkeypatch.setitem(ledger.PARTS, "symbolic", prove)
    first = ledger._part("symbolic", MIXTURES, tmp_path)
    assert ledger._part("symbolic", MIXTURES, tmp_path) == first
    assert len(calls) == 1
    monkeypatch.setattr(ledger, "version", lambda _: "another")
    ledger._part("symbolic", MIXTURES, tmp_path)
    assert len(calls) == 2
    assert len(list(tmp_path.iterdir())) == 1  # the old one is gone


def test_the_command_writes_everything_or_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "deep" / "ledger.json"
    written = {"entries": [], "numbers": []}
    monkeypatch.setattr(ledger, "collect", lambda _: written)
    ledger.main([str(file)])
    assert json.loads(file.read_text()) == written

    def refuse(_: Path | None) -> None:
        raise ProofError("eq-slip, line (a): the two sides differ by 1")

    monkeypatch.setattr(ledger, "collect", refuse)
    with pytest.raises(SystemExit, match="differ by 1"):
        ledger.main([str(file)])
