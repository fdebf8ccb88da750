"""The ledger: every claim of the book with how it was checked, every published number beside ours.

    python -m emlib.ledger ledger.json --cache proofs

proves every derivation and computes every number, chapters side by side; what stands in the cache and
depends on no file that changed is taken from there. Needs SymPy.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emlib.published import Comparison
from emlib.symbolic.chapters import CHAPTERS, Chapter
from emlib.symbolic.derivation import Claim, Derivation

LONGEST = 10.0
"""CPU seconds that a claim may take; one that takes longer needs a better proof."""

DEPENDENCIES = ("sympy", "mpmath", "numpy", "scipy")
"""Packages whose version a result may depend on."""


@dataclass(frozen=True)
class Line:
    """One claim: a line of a derivation."""

    letter: str
    """As the line is called in the derivation; empty when there is one line alone."""
    because: str
    kind: str
    """`proved`, `by lemma` or `numerical`."""
    method: str
    seconds: float


@dataclass(frozen=True)
class Entry:
    """A derivation as it was proved. Its texts are MyST, its formula TeX."""

    chapter: str
    module: str
    """The chapter's."""
    home: str
    """The module that holds the function, where it is another."""
    function: str
    label: str
    title: str
    tex: str
    assumptions: list[str]
    lines: list[Line]


@dataclass(frozen=True)
class Number:
    """A number that somebody printed, beside ours."""

    chapter: str
    what: str
    source: str
    cite: str | None
    printed: str
    ours: float
    difference: float
    agrees: bool
    because: str


def entries(chapter: Chapter) -> list[Entry]:
    """Prove the derivations of a chapter.

    Raises:
        ArithmeticError: a claim does not hold, or took longer than `LONGEST`.
    """
    return [_entry(chapter, build) for build in chapter.derivations]


def _entry(chapter: Chapter, build: Callable[[], Derivation]) -> Entry:
    derivation = build()
    lines = [
        _line(letter, claim, derivation.label)
        for letter, claim in zip(derivation.letters(), derivation.claims, strict=True)
    ]
    title = " ".join((build.__doc__ or "").strip().split("\n\n")[0].split())
    return Entry(
        chapter.title,
        chapter.module,
        build.__module__.rpartition(".")[2],
        build.__name__,
        derivation.label,
        title,
        derivation.tex(),
        derivation.assumptions(),
        lines,
    )


def _line(letter: str, claim: Claim, label: str) -> Line:
    if claim.seconds > LONGEST:
        raise ArithmeticError(
            f"{label}, line {letter or 'a'}: the proof took {claim.seconds:.0f} s, and at most "
            f"{LONGEST:.0f} s are allowed. Split the line in two, or help SymPy with a lemma."
        )
    kind = "numerical" if claim.points else "proved" if claim.by is None else "by lemma"
    return Line(letter, claim.reason, kind, claim.method, round(claim.seconds, 2))


def numbers(chapter: Chapter) -> list[Number]:
    """Compute the published numbers of a chapter.

    Raises:
        ArithmeticError: a number differs from the printed one, and nothing explains why.
    """
    name = f"emlib.numbers.{chapter.module}"
    if find_spec(name) is None:
        return []
    found: Iterable[Comparison] = (one for make in import_module(name).NUMBERS for one in make())
    return [
        Number(
            chapter.title,
            one.what,
            one.published.source,
            one.published.cite,
            one.published.printed,
            float(one.ours),
            float(one.difference),
            one.agrees,
            one.because,
        )
        for one in found
    ]


PARTS: dict[str, Callable[[Chapter], Iterable[Any]]] = {
    "symbolic": entries,
    "numbers": numbers,
}
"""What a ledger holds, by the package that it comes from."""


def fingerprint(module: str) -> str:
    """A digest of all that a module of emlib computes with: its sources, the data, the packages."""
    package = Path(__file__).parent
    files = {Path(__file__), *package.glob("datasets/*.csv")} | _imported(module, set())
    digest = hashlib.sha256(repr([version(name) for name in DEPENDENCIES]).encode())
    for file in sorted(files):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _imported(module: str, seen: set[Path]) -> set[Path]:
    """The source files of a module and of every module of emlib that it imports, at the top or later."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or Path(spec.origin) in seen:
        return seen
    seen.add(Path(spec.origin))
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.split(".")[0] == "emlib" and _is_module(name):
                seen = _imported(name, seen)
    return seen


def _is_module(name: str) -> bool:
    parent = name.rpartition(".")[0]
    return not parent or (_is_package(parent) and find_spec(name) is not None)


def _is_package(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


def _part(kind: str, chapter: Chapter, cache: Path | None) -> list[dict[str, Any]]:
    """One part of one chapter, from the cache if nothing it depends on has changed."""
    if cache is None:
        return [asdict(one) for one in PARTS[kind](chapter)]
    module = f"emlib.{kind}.{chapter.module}"
    file = cache / f"{kind}-{chapter.module}-{fingerprint(module)}.json"
    if not file.exists():
        text = json.dumps([asdict(one) for one in PARTS[kind](chapter)])
        for old in cache.glob(f"{kind}-{chapter.module}-*.json"):
            old.unlink()
        file.write_text(text, encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return found


def collect(cache: Path | None = None, workers: int | None = None) -> dict[str, Any]:
    """Everything that was checked, in the order of the book: `entries` and `numbers`.

    Raises:
        ArithmeticError: something does not hold; the message says what, for every chapter where that is so.
    """
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        tasks = {
            kind: [pool.submit(_part, kind, chapter, cache) for chapter in CHAPTERS]
            for kind in PARTS
        }
    faults = [task.exception() for kind in PARTS for task in tasks[kind]]
    wrong = [fault for fault in faults if isinstance(fault, ArithmeticError)]
    if wrong:
        raise ArithmeticError("\n\n".join(map(str, wrong)))
    proofs, computed = (
        [one for task in tasks[kind] for one in task.result()] for kind in ("symbolic", "numbers")
    )
    return {"entries": proofs, "numbers": computed}


def main(arguments: list[str] | None = None) -> None:
    """Write the ledger as JSON."""
    parser = argparse.ArgumentParser(prog="python -m emlib.ledger")
    parser.add_argument("file", type=Path, help="where to write the ledger")
    parser.add_argument("--cache", type=Path, help="a folder for what need not be proved again")
    options = parser.parse_args(arguments)
    try:
        ledger = collect(options.cache)
    except ArithmeticError as fault:
        sys.exit(str(fault))
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(json.dumps(ledger, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
