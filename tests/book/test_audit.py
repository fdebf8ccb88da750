"""A page may display what was proved, what is a definition and what is cited; nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ledger import Ledger, common_beginning, numbers_of_source
from minibook import CELL, HEADER, build, page, write_book
from sphinx.errors import ExtensionError

PROVED = r"\begin{aligned}" + "\n" + r"\log(ab) & = \log a + \log b" + "\n" + r"\end{aligned}"
CLOSE = r"\begin{aligned}" + "\n" + r"\Gamma(x+1) & = x\Gamma(x)" + "\n" + r"\end{aligned}"


ANEW = "1 & = 1"


def entry(label: str, function: str, tex: str, **line: str) -> dict[str, Any]:
    shown = {"letter": "", "because": "it is so", "kind": "proved", "method": "proved"} | line
    return {
        "chapter": "Logarithms",
        "module": "logs",
        "home": "logs",
        "function": function,
        "label": label,
        "title": f"What {function} proves.",
        "tex": tex,
        "assumptions": ["- given $a, b > 0$"],
        "lines": [shown | {"seconds": 0.25}],
    }


NUMBERS = [
    {"what": "the rate", "printed": "0.13", "ours": 0.1328, "difference": 0.0028, "agrees": True},
    {"what": "the limit", "printed": "0.80", "ours": 0.797, "difference": -0.003, "agrees": False},
]
PLACES = [
    {"source": "Louis (1982), section 5", "cite": "louis1982", "because": ""},
    {"source": "A. Nonymous (1900), page 3", "cite": None, "because": "it is the tenth step"},
]
LEDGER = {
    "entries": [
        entry("eq-split", "split", PROVED),
        entry(
            "eq-gamma",
            "gamma",
            CLOSE,
            kind="numerical",
            method="checked numerically at 20 random points to 50 digits",
            because="as {eq}`eq-split`, and {eq}`eq-later`",
        ),
        entry("eq-anew", "anew", ANEW),
        entry("eq-later", "later", "0 & = 0", kind="by lemma", method="proved with {eq}`eq-split`"),
    ],
    "numbers": [
        number | {"chapter": "Logarithms"} | place
        for number, place in zip(NUMBERS, PLACES, strict=True)
    ],
}
LOGS = f"""
class Shown:
    def __init__(self, label, tex):
        formula = ":::{{math}}\\n:label: " + label + "\\n" + tex + "\\n:::"
        self.text = "::::{{container}} derivation\\n" + formula + "\\n- so\\n::::"
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {{"text/markdown": self.text, "text/plain": "shown"}}

def split():
    return Shown("eq-split", {PROVED!r})

def gamma():
    return Shown("eq-gamma", {CLOSE!r})

def Derivation(label):
    return Shown(label, {ANEW!r})
"""
SHOWING = "from emlib import logs\n"
SOUND = (
    HEADER
    + "# First\n\n"
    + CELL.format(SHOWING + "logs.split()")
    + CELL.format("logs.gamma()")
    + """
```{math}
:label: eq-density
:definition:
f(x) = e^{-x}
```

```{math}
:source: {cite:t}`louis1982`, section 3
I = J - V
```

:::{prf:definition} A name
$$ g = 2f $$
:::

It is never negative, by {eq}`eq-split`.
"""
    + CELL.format('from emlib.logs import Derivation\nDerivation("eq-anew")')
)
PAGE = "# The ledger\n\n{{ ledger-counts }}\n\n## Numbers\n\n% ledger-numbers\n"
CLAIMS = "# Claims\n\n% ledger-claims logs\n"
REFERENCES = "# References\n\n```{bibliography}\n```\n"
LIBRARY = {"__init__.py": "", "logs.py": LOGS}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audited")
    pages = {
        "index.md": "# Preface\n",
        "first.md": SOUND,
        "ledger.md": PAGE,
        "ledger-logs.md": CLAIMS,
    }
    write_book(root, pages | {"references.md": REFERENCES}, LIBRARY, LEDGER)
    result = build(root)
    assert result.returncode == 0, result.stdout
    return root


def test_a_page_of_the_ledger_lists_a_chapter_or_some_of_its_files(tmp_path: Path) -> None:
    claims = [
        entry(label, "f", ANEW) | {"home": home}
        for label, home in [("a", "logs"), ("b", "roots"), ("c", "powers"), ("d", "roots")]
    ]
    found = Ledger([*claims, entry("e", "f", ANEW) | {"module": "sums"}], [])

    def labels(asked: str) -> list[str]:
        return [one["label"] for one in found.listed(f"# Claims\n\n% ledger-claims {asked}\n")]

    assert labels("logs") == ["a", "b", "c", "d"]
    assert labels("logs: roots") == ["b", "d"]
    assert labels("logs: powers logs") == ["a", "c"]
    assert labels("sums: roots") == []

    pages = {
        "ledger": "",
        "ledger-logs": "% ledger-claims logs: logs powers",
        "ledger-sums": "% ledger-claims sums",
    }
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    env: Any = SimpleNamespace(found_docs=set(pages), doc2path=lambda name: tmp_path / name)
    with pytest.raises(ExtensionError, match="lists the claims of logs: roots"):
        found.pages(env)
    (tmp_path / "ledger").write_text("% ledger-claims logs: roots")
    assert found.pages(env) == dict.fromkeys("bd", "ledger") | dict.fromkeys(
        "ac", "ledger-logs"
    ) | {"e": "ledger-sums"}


@pytest.mark.parametrize(
    ("texts", "about"),
    [
        (["Coins, at the start: rate", "Coins, at the start: mean"], "Coins, at the start: "),
        (["Coins, two: rate", "Coins, three: rate"], "Coins, "),
        (["Iris: log-likelihood, run to the end"], "Iris: "),
        (["The mean", "The variance"], ""),
        (["rate 1.2", "rate 1.3"], ""),
    ],
)
def test_what_numbers_have_in_common_is_said_once(texts: list[str], about: str) -> None:
    assert common_beginning(texts) == about
    numbers = [
        {
            "what": text,
            "printed": "1",
            "ours": 1.0,
            "agrees": True,
            "because": "",
            "cite": None,
            "source": "A book",
        }
        for text in texts
    ]
    heading, table, *_ = numbers_of_source(numbers)
    assert heading == (f"**{about.rstrip(' ,:')}**: A book." if about else "A book.")
    assert [row.split(" | ")[0][2:] for row in table.splitlines()[2:]] == [
        text.removeprefix(about).capitalize() for text in texts
    ]


def test_what_was_proved_is_marked_and_linked_there_and_back(built: Path) -> None:
    marks = re.findall(
        r'href="(ledger-logs\.html#[^"]+)"[^>]*>\s*<span[^>]*>([^<]+)<', page(built, "first")
    )
    assert marks == [
        ("ledger-logs.html#ledger-eq-split", "\N{CHECK MARK} Ledger 1"),
        ("ledger-logs.html#ledger-eq-gamma", "\N{ALMOST EQUAL TO} Ledger 2"),
        (
            "ledger-logs.html#ledger-eq-anew",
            "\N{CHECK MARK} Ledger 3",
        ),  # built on the page, as the library does
    ]
    ledger = page(built, "ledger-logs")
    for label in ("eq-split", "eq-gamma", "eq-anew"):
        assert f'id="ledger-{label}"' in ledger
        assert f'href="first.html#equation-{label}"' in ledger
        assert f'id="equation-{label}"' in page(built, "first")


def test_reasons_stand_where_they_are_needed_and_lead_somewhere(built: Path) -> None:
    first, second, _, third = page(built, "ledger-logs").split("What ")[-4:]
    assert "it is so" not in first  # the chapter gives the reason of what it shows
    assert "20 random points" in second
    assert "it is so" in third  # no chapter shows this one
    assert 'href="first.html#equation-eq-split"' in third


def test_no_time_of_a_proof_is_shown(built: Path) -> None:
    # They would make two builds of one commit differ.
    assert '"seconds": 0.25' in (built / "emlib" / "ledger.json").read_text()
    for name in ("ledger.html", "ledger-logs.html", "ledger.json"):
        shown = (built / "_build" / "html" / name).read_text()
        assert "0.25" not in shown
        assert '"seconds"' not in shown


def test_the_page_counts_and_compares(built: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", page(built, "ledger"))
    rows = dict(re.findall(r"([A-Za-z,. 0-9]+?)\s*\n\s*(\d+)\s*\n", text))
    counts = {name.strip(" .…"): int(count) for name, count in rows.items()}
    assert counts["Derivations"] == 4
    assert counts["equations that SymPy proved"] == 2
    assert counts["that agree to the last printed digit"] == 1
    assert re.search(r"The limit\s+0\.80\s+0\.7970\s+no \(a\)", text)
    assert "(a) it is the tenth step" in text
    assert re.search(r"Louis\s+\(\s*1982\s*\)\s*, section 5", text)


def test_the_file_tells_the_same(built: Path) -> None:
    found = json.loads((built / "_build" / "html" / "ledger.json").read_text())
    assert found["counts"]["claims"] == 4
    assert found["counts"]["numerical"] == 1
    assert [claim["stands"] for claim in found["claims"]] == [
        "first.html#equation-eq-split",
        "first.html#equation-eq-gamma",
        "first.html#equation-eq-anew",
        None,
    ]
    assert found["numbers"] == LEDGER["numbers"]


def test_sources_and_definitions_are_marked(built: Path) -> None:
    marks = re.findall(r'<p class="equation-source">(.*?)</p>', page(built, "first"), re.S)
    assert marks[0] == "definition"
    assert "Louis" in marks[1]


UNSOUND = {
    "a hand-written equation": ("$$ 1 + 1 = 2 $$\n", 3, "an equation without ground: 1 + 1 = 2"),
    "an align": (
        "\\begin{align}\na &= b\n\\end{align}\n",
        3,
        "an equation without ground",
    ),
    "an equation of a cell": (
        CELL.format("from IPython.display import Math\nMath('1 + 1 = 2')"),
        3,
        "an equation without ground",
    ),
    "a proved label over another formula": (
        "$$ \\log(ab) = \\log a - \\log b $$ (eq-split)\n",
        3,
        "the equation eq-split is not what was proved",
    ),
    "a slip in what the library shows": (
        CELL.format(
            "from emlib import logs\nshown = logs.split()\n"
            "shown.text = shown.text.replace('+', '-')\nshown"
        ),
        3,
        r"\log a - \log b",
    ),
    "a sentence that leans on nothing": (
        "The sum is\nnever negative.\n",
        3,
        "'never negative' is a result",
    ),
}


@pytest.mark.parametrize("fault", UNSOUND)
def test_what_has_no_ground_stops_the_build(tmp_path: Path, fault: str) -> None:
    text, line, message = UNSOUND[fault]
    pages = {"index.md": "# Preface\n", "first.md": HEADER + "# First\n\n" + text}
    write_book(tmp_path, pages, LIBRARY, LEDGER)
    result = build(tmp_path)
    assert result.returncode != 0
    at = line + HEADER.count("\n")
    assert re.search(rf"first\.md:{at}: WARNING: ", result.stdout), result.stdout
    assert message in result.stdout


def test_a_definition_is_nobody_elses(tmp_path: Path) -> None:
    both = "```{math}\n:definition:\n:source: Louis\na = b\n```\n"
    pages = {"index.md": "# Preface\n", "first.md": "# First\n\n" + both}
    write_book(tmp_path, pages, LIBRARY, LEDGER)
    result = build(tmp_path)
    assert result.returncode != 0
    assert "a definition is nobody else's" in result.stdout


def test_a_ledger_that_cannot_be_closed_stops_the_build(tmp_path: Path) -> None:
    refusing = "import sys\nsys.exit('eq-split: the two sides differ by log(b)')\n"
    pages = {"index.md": "# Preface\n", "first.md": SOUND}
    write_book(tmp_path, pages, LIBRARY | {"ledger.py": refusing}, LEDGER)
    result = build(tmp_path)
    assert result.returncode != 0
    assert "eq-split: the two sides differ by log(b)" in result.stdout
    assert "Traceback" not in result.stdout
