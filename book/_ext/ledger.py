"""The ledger of what was checked: the chapter that the build writes, the marks that lead to it, `ledger.json`.

`python -m emlib.ledger` proves every claim and computes every number. The page `ledger` holds `{{ ledger-counts }}`,
`% ledger-pages` and `% ledger-numbers`; each page below it `% ledger-claims` with a chapter's module or, where that has
so many claims (thirty) that the page would be slow, with some of its files too: `% ledger-claims sequences: factors
kalman`. They are replaced by what was found.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any

from contents import children
from docutils import nodes
from execution import GENERATIONS_KEPT, digest
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)

PAGE = "ledger"
CLAIMS = re.compile(r"^% ledger-claims (\w+)(?:: ([\w ]+))?$", re.MULTILINE)
CALL = re.compile(r"\b(\w+)\.(\w+)\(\)")
BUILT = re.compile(r"\bDerivation\(\s*[\"']([^\"']+)[\"']")
EQUATION = re.compile(r"\{eq\}`([^`]+)`")
CHECKED, CLOSE = "\N{CHECK MARK}", "\N{ALMOST EQUAL TO}"


@dataclass(frozen=True)
class Ledger:
    """What `emlib.ledger` wrote, and in which documents its derivations stand."""

    entries: list[dict[str, Any]]
    numbers: list[dict[str, Any]]

    @cached_property
    def position(self) -> Mapping[str, int]:
        """The number of an entry, by the label of its equation."""
        return {entry["label"]: n for n, entry in enumerate(self.entries, start=1)}

    @cached_property
    def by_formula(self) -> Mapping[str, dict[str, Any]]:
        """The entries by what a page displays of them."""
        return {entry["tex"]: entry for entry in self.entries}

    def listed(self, page: str) -> list[dict[str, Any]]:
        """The entries that a page of the ledger asks for, by its source."""
        return [
            entry
            for module, homes in CLAIMS.findall(page)
            for entry in self.entries
            if entry["module"] == module and (not homes or entry["home"] in homes.split())
        ]

    def pages(self, env: BuildEnvironment) -> dict[str, str]:
        """The page of the ledger that lists a derivation, by its label.

        Raises:
            ExtensionError: one is listed nowhere.
        """
        found = {
            entry["label"]: docname
            for docname in sorted(ledger_pages(env))
            for entry in self.listed(Path(env.doc2path(docname)).read_text(encoding="utf-8"))
        }
        if missing := [e for e in self.entries if e["label"] not in found]:
            homes = sorted({f"{entry['module']}: {entry['home']}" for entry in missing})
            raise ExtensionError(
                f"No page of the ledger lists the claims of {', '.join(homes)}; "
                f"add '% ledger-claims {homes[0]}' to one."
            )
        return found

    def places(self, env: BuildEnvironment) -> dict[str, str]:
        """The document that shows a derivation, by its label.

        That is the page whose code calls its function, or builds it anew under its label, as an exercise may.
        """
        functions = {(entry["home"], entry["function"]): entry["label"] for entry in self.entries}
        found: dict[str, str] = {}
        for docname in sorted(env.found_docs - ledger_pages(env)):
            source = Path(env.doc2path(docname)).read_text(encoding="utf-8")
            called = [functions[call] for call in CALL.findall(source) if call in functions]
            built = [label for label in BUILT.findall(source) if label in self.position]
            found |= dict.fromkeys([*called, *built], docname)
        return found


def ledger_pages(env: BuildEnvironment) -> set[str]:
    """The ledger and its parts."""
    return {name for name in env.found_docs if name == PAGE or name.startswith(f"{PAGE}-")}


def of(env: BuildEnvironment) -> Ledger:
    """The ledger of the emlib that stands beside the book; proved first where it has changed.

    A claim that fails stops the build with what `emlib.ledger` says of it.
    """
    root = Path(env.srcdir).parent
    folder = root / "_build" / ".ledger"
    file = folder / digest([root / "emlib", root / "requirements.txt"]) / "ledger.json"
    if not file.exists():
        command = [
            sys.executable,
            "-m",
            "emlib.ledger",
            str(file),
            "--cache",
            str(folder / "parts"),
        ]
        proof = subprocess.run(command, cwd=root, capture_output=True, text=True)
        if proof.returncode:
            sys.exit("\nThe ledger cannot be closed.\n\n" + (proof.stderr or proof.stdout).strip())
        kept = sorted(folder.glob("*/ledger.json"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-GENERATIONS_KEPT]:
            shutil.rmtree(old.parent)
    return Ledger(**json.loads(file.read_text(encoding="utf-8")))


def prove(_app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Close the ledger before anything is read; have its page read again when a derivation has moved."""
    if not docnames:
        return
    env.book_ledger = of(env)  # type: ignore[attr-defined]
    _log_times(env.book_ledger)  # type: ignore[attr-defined]
    places = env.book_ledger.places(env)  # type: ignore[attr-defined]
    if places != getattr(env, "book_places", None):
        docnames.extend(ledger_pages(env) - set(docnames))
    env.book_places = places  # type: ignore[attr-defined]


# ---- The page ----------------------------------------------------------------------------------


def write_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill in the page, as MyST."""
    if docname not in ledger_pages(app.env):
        return
    ledger, places = app.env.book_ledger, app.env.book_places  # type: ignore[attr-defined]

    def claims(match: re.Match[str]) -> str:
        return "\n\n".join(claim_entry(entry, ledger, places) for entry in ledger.listed(match[0]))

    filled = CLAIMS.sub(claims, source[0]).replace("{{ ledger-counts }}", counts_in_words(ledger))
    filled = filled.replace("% ledger-pages", "\n".join(pages_list(app.env, ledger)))
    source[0] = filled.replace("% ledger-numbers", "\n\n".join(numbers_page(ledger)))


def pages_list(env: BuildEnvironment, ledger: Ledger) -> Iterator[str]:
    """A list of the pages of claims, each with the numbers of its entries."""
    for docname in children(env, PAGE):
        page = Path(env.doc2path(docname)).read_text(encoding="utf-8")
        numbers = [ledger.position[entry["label"]] for entry in ledger.listed(page)]
        title = re.search(r"^# (?:Claims: )?(.+)$", page, re.MULTILINE)
        if numbers and title:
            span = f"{min(numbers)} to {max(numbers)}" if len(numbers) > 1 else str(numbers[0])
            yield f"- {{doc}}`{title[1]} <{docname}>`: entries {span}"


def counts(ledger: Ledger) -> dict[str, int]:
    """How many of each kind."""
    kinds = Counter(line["kind"] for entry in ledger.entries for line in entry["lines"])
    agreeing = sum(number["agrees"] for number in ledger.numbers)
    return {
        "derivations": len(ledger.entries),
        "claims": kinds.total(),
        "proved": kinds["proved"],
        "by lemma": kinds["by lemma"],
        "numerical": kinds["numerical"],
        "published numbers": len(ledger.numbers),
        "agreeing": agreeing,
        "explained": len(ledger.numbers) - agreeing,
    }


def counts_in_words(ledger: Ledger) -> str:
    """The counts as a table."""
    rows = [
        ("Derivations", "derivations"),
        ("Claims in them, one a line", "claims"),
        ("... equations that SymPy proved", "proved"),
        ("... inequalities that follow from a proved lemma", "by lemma"),
        ("... equations compared at random points, to 50 digits", "numerical"),
        ("Published numbers that were computed again", "published numbers"),
        ("... that agree to the last printed digit", "agreeing"),
        ("... that do not, and why", "explained"),
    ]
    found = counts(ledger)
    lines = [f"| {text} | {found[key]} |" for text, key in rows]
    return "\n".join(["| What | How many |", "|:--|--:|", *lines])


def claim_entry(entry: Mapping[str, Any], ledger: Ledger, places: Mapping[str, str]) -> str:
    """Number, statement, where it stands; the lines with how each was checked.

    Reasons are given here only as long as no chapter gives them.
    """
    label = entry["label"]
    told = label in places
    stands = f" Stands as {{eq}}`{label}` in {{doc}}`{places[label]}`." if told else ""

    def checked(line: Mapping[str, Any]) -> str:
        name = f"({line['letter']}) " if line["letter"] else ""
        reason = "" if told else _linked(line["because"], ledger, places) + "\N{NO-BREAK SPACE}— "
        how = _linked(line["method"], ledger, places)
        return f"{name}{reason}*{how}*"

    lines = [checked(line) for line in entry["lines"]]
    return "\n".join(
        [
            f"(ledger-{label})=",
            "::::{container} ledger-entry",
            f"**{ledger.position[label]}** {entry['title']}{stands}",
            "",
            ":::{math}",
            entry["tex"],
            ":::",
            *(f"- {item}" for item in (["; ".join(lines)] if told else lines)),
            *entry["assumptions"],
            "::::",
        ]
    )


def _linked(text: str, ledger: Ledger, places: Mapping[str, str]) -> str:
    """References to equations that no chapter shows yet lead to their entries instead."""

    def link(match: re.Match[str]) -> str:
        label = match[1]
        if label in places or label not in ledger.position:
            return match[0]
        return f"[entry {ledger.position[label]}](#ledger-{label})"

    return EQUATION.sub(link, text)


def numbers_page(ledger: Ledger) -> Iterator[str]:
    """A section for each chapter, and in it what each source printed."""
    for chapter, found in groupby(ledger.numbers, key=itemgetter("chapter")):
        yield f"### {chapter}"
        for _, numbers in groupby(found, key=itemgetter("cite", "source")):
            yield from numbers_of_source(list(numbers))


def numbers_of_source(numbers: list[Mapping[str, Any]]) -> Iterator[str]:
    """What the numbers are about and their source; a table; and why some differ, under letters."""
    first = numbers[0]
    about = common_beginning([number["what"] for number in numbers])
    source = first["source"] if first["cite"] is None else _cited(first)
    yield f"**{about.rstrip(' ,:')}**: {source}." if about else f"{source}."
    reasons = list(dict.fromkeys(n["because"] for n in numbers if n["because"]))
    letters = {reason: chr(ord("a") + place) for place, reason in enumerate(reasons)}
    head = ["| What | Printed | Ours | Agrees |", "|:--|--:|--:|:--|"]
    rows = [
        number_row(n, n["what"].removeprefix(about), letters.get(n["because"])) for n in numbers
    ]
    yield "\n".join([*head, *rows])
    if reasons:
        yield "\n".join(f"- ({letter}) {_minus(reason)}" for reason, letter in letters.items())


def common_beginning(texts: list[str]) -> str:
    """What all texts begin with and is said once: up to a colon or, if they are several, a comma; often nothing."""
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    same = "".join(letters[0] for letters in columns)
    marks = (": ", ", ") if len(texts) > 1 else (": ",)
    return same[: max((same.rfind(mark) + len(mark) for mark in marks if mark in same), default=0)]


def number_row(number: Mapping[str, Any], what: str, letter: str | None) -> str:
    """One published number; ours with two digits more than were printed, of a fraction with nine."""
    printed = number["printed"]
    decimals = 7 if "/" in printed else len(printed.partition(".")[2])
    verdict = "yes" if number["agrees"] else "no"
    cells = [
        what[:1].upper() + what[1:],
        printed,
        f"{number['ours']:.{decimals + 2 if decimals or number['ours'] % 1 else 0}f}",
        f"{verdict} ({letter})" if letter else verdict,
    ]
    return "| " + " | ".join(_minus(cell) for cell in cells) + " |"


def _cited(number: Mapping[str, Any]) -> str:
    """The citation, and the place in it: what follows the year."""
    place = number["source"].partition("), ")[2]
    return f"{{cite:t}}`{number['cite']}`" + (f", {place}" if place else "")


def _minus(cell: str) -> str:
    return re.sub(r"(?<![\w`-])-(?=\d)|(?<= )-(?= \d)", "\N{MINUS SIGN}", cell)


# ---- The marks ---------------------------------------------------------------------------------


def mark(formula: nodes.math_block, env: BuildEnvironment) -> bool:
    """Put a link to the ledger beside a formula that was proved; say whether it was."""
    ledger: Ledger = env.book_ledger  # type: ignore[attr-defined]
    entry = ledger.by_formula.get(formula.astext().strip())
    if entry is None:
        return False
    if env.docname not in ledger_pages(env):
        numerical = any(line["kind"] == "numerical" for line in entry["lines"])
        text = f"{CLOSE if numerical else CHECKED} Ledger {ledger.position[entry['label']]}"
        link = pending_xref(
            "",
            nodes.inline("", text),
            refdomain="std",
            reftype="ref",
            refexplicit=True,
            reftarget=f"ledger-{entry['label']}",
            refdoc=env.docname,
            refwarn=PAGE in env.found_docs,  # not for a chapter built alone
        )
        paragraph = nodes.paragraph("", "", link, classes=["ledger-mark"])
        formula.parent.insert(formula.parent.index(formula) + 1, paragraph)
    return True


# ---- The file ----------------------------------------------------------------------------------


def write_json(app: Sphinx, exception: Exception | None) -> None:
    """Write `ledger.json` beside the pages, with the address of each claim."""
    if exception is not None or app.builder.name != "html" or PAGE not in app.env.found_docs:
        return
    ledger = of(app.env)
    places, pages = ledger.places(app.env), ledger.pages(app.env)

    def address(label: str) -> str | None:
        page = places.get(label)
        return None if page is None else f"{app.builder.get_target_uri(page)}#equation-{label}"

    claims = [
        {
            "number": ledger.position[entry["label"]],
            **_timeless(entry),
            "stands": address(entry["label"]),
            "entry": app.builder.get_target_uri(pages[entry["label"]])
            + f"#ledger-{entry['label']}",
        }
        for entry in ledger.entries
    ]
    found = {"counts": counts(ledger), "claims": claims, "numbers": ledger.numbers}
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (Path(app.outdir) / "ledger.json").write_text(text, encoding="utf-8")


def _timeless(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry without the times of its proofs: two builds of one commit give the same bytes."""
    lines = [
        {name: value for name, value in line.items() if name != "seconds"}
        for line in entry["lines"]
    ]
    return {**entry, "lines": lines}


def _log_times(ledger: Ledger) -> None:
    times = {
        (entry["label"], line["letter"]): line["seconds"]
        for entry in ledger.entries
        for line in entry["lines"]
    }
    if times:
        label, letter = max(times, key=times.__getitem__)
        logger.info(
            "%d claims, proved in %.0f s of CPU time; the slowest is %s %s: %.2f s",
            len(times), sum(times.values()), label, letter, times[label, letter],
        )  # fmt: skip


def colophon(app: Sphinx) -> list[str]:
    """What the print tells of the ledger on its last page."""
    found = counts(of(app.env))
    ways = [
        f"{found['proved']} equations were proved",
        f"{found['by lemma']} inequalities follow from a proved lemma",
    ]
    if found["numerical"]:
        ways.append(f"{found['numerical']} equations were compared at random points to 50 digits")
    return [
        f"The build that made this copy checked {found['claims']} claims in {found['derivations']} derivations: "
        f"{', '.join(ways)}.",
        f"Of {found['published numbers']} numbers that others printed, {found['agreeing']} agree to the last digit "
        f"with those computed here; the ledger explains the other {found['explained']}.",
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Hang each step on its event of the build."""
    app.connect("env-before-read-docs", prove, priority=400)  # before chapters are executed
    app.connect("source-read", write_page)
    app.connect("build-finished", write_json)
    if "typst-colophon" in app.events.events:  # the print builder is there
        app.connect("typst-colophon", colophon)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
