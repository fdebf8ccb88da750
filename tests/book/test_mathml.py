"""Formulas become MathML that a browser shows in the book's own font, or the build stops and says where."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from fontTools.ttLib import TTFont
from math_core import LatexError
from mathfont import FAMILY, FEATURES, characters, subset, unknown_characters
from mathml import Mathematics, in_rows
from minibook import build, page, sheet_font, write_book

ROOT = Path(__file__).parents[2]
MACROS = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["tex_macros"]
TEXT = """\
# Sums

A sum $x_n$, twice: $x_n$.
See *one*, *two* and $y$, *three*.

```{math}
:label: eq-sum
:definition:
\\sum_{\\substack{i \\in S \\\\ i \\ne j}} \\KL{q_i}{p} \\middle< y
```

It is {eq}`eq-sum`, and $a_1 + a_2 + a_3 + a_4 + a_5 + a_6 + a_7 + a_8 + a_9 = b$.
"""


@pytest.fixture
def mathematics() -> Mathematics:
    made = Mathematics()
    made.configure(MACROS)
    return made


def tags(mathml: str) -> list[str]:
    return [element.tag for element in ElementTree.fromstring(mathml).iter()]


def rows(mathml: str) -> int:
    return tags(mathml).count("mtr")


@pytest.mark.parametrize(
    ("tex", "shown", "spoken"),
    [
        (
            r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
            "mtable",
            r"\begin{pmatrix} a , b ; c , d \end{pmatrix}",
        ),
        (
            r"\begin{cases} 1 & \text{if } x > 0 \\ 0 \end{cases}",
            "mtext",
            r"\begin{cases} 1 , if x > 0 ; 0 \end{cases}",
        ),
        (r"\sum_{\substack{i \\ j}} x", "mtable", r"\sum_{\substack{i ; j}} x"),
        (r"\operatorname{tr} A", "mi", "tr A"),
        (r"\argmax_\theta f", "munder", r"arg max_\theta f"),
        (r"\KL{q}{p}", "mo", r"KL (q \| p )"),
        (r"\left\{ x \,\middle|\, y \right\}", "mo", r"\{ x | y \}"),
        (r"\hat{\boldsymbol\mu}", "mover", r"\hat{\boldsymbol\mu}"),
        (r"\overset{\text{(a)}}{=}", "mover", "(a) ="),
        (r"\underbrace{a}_b", "munder", r"\underbrace{a}_b"),
        (r"\sqrt[3]{x}", "mroot", r"\sqrt[3]{x}"),
        (r"\binom{n}{k}", "mfrac", r"\binom{n}{k}"),
        (r"\log\mathrm{Dir} x", "mi", r"\log Dir x"),
        (r"\left. a \right|_{b = 1}", "mo", "a |_{b = 1}"),
        (
            r"\begin{aligned} f & = \begin{cases} 1 & a \\ 0 & b \end{cases} \end{aligned}",
            "mtable",
            r"f = \begin{cases} 1 , a ; 0 , b \end{cases}",
        ),
        (r"\begin{aligned} a & = b \\ & \quad + c \end{aligned}", "mtable", "a = b ; + c"),
    ],
)
def test_what_the_book_writes_is_known_and_can_be_said(
    mathematics: Mathematics, tex: str, shown: str, spoken: str
) -> None:
    mathml = mathematics.convert(tex, display=True)
    assert shown in tags(mathml)
    assert ElementTree.fromstring(mathml).attrib == {"alttext": spoken, "display": "block"}


def test_a_prime_is_marked_for_the_style_sheet(mathematics: Mathematics) -> None:
    primes = [
        [sign.get("class") for sign in ElementTree.fromstring(mathml).iter("mo")]
        for mathml in (mathematics.convert(tex, display=False) for tex in ("r'", "r''", "a+b"))
    ]
    assert primes == [["prime"], ["prime"], [None]]


@pytest.mark.parametrize(
    ("tex", "letter"),
    [
        (r"\boldsymbol{\mu}", "𝝁"),
        (r"\bm{x}", "𝒙"),
        (r"\mathbf{x}", "𝐱"),
        (r"\Normal", "𝒩\ufe00"),  # the calligraphic form
        (r"\E", "𝔼"),
        (r"\mathbb{1}", "𝟙"),
        (r"\mathrm{KL}", "KL"),
    ],
)
def test_letters_keep_their_style(mathematics: Mathematics, tex: str, letter: str) -> None:
    mathml = mathematics.convert(tex, display=False)
    assert letter in ElementTree.fromstring(mathml).itertext()


@pytest.mark.parametrize(
    ("tex", "count"),
    [
        ("a = b", 0),
        (r"a \\ b", 2),
        ("a\n\nb", 2),
        ("a % note\nb", 0),
        (r"\begin{align} a &= b \\ &= c \end{align}", 2),
        (r"\begin{split} a &= b \\ &= c \end{split}", 2),
        (r"\begin{gather*} a \\ b \end{gather*}", 2),
        (r"\begin{pmatrix} a \\ b \end{pmatrix}", 2),
        (r"\begin{aligned} a \\ b \end{aligned} \\ c", 4),
    ],
)
def test_no_row_is_lost(mathematics: Mathematics, tex: str, count: int) -> None:
    assert rows(mathematics.convert(tex, display=True)) == count


@pytest.mark.parametrize(
    ("tex", "grows"),
    [
        (r"\left(w + 1\right)", False),
        (r"\left(\left[x^2\right] + 1\right)", False),
        (r"\left\{ x \,\middle|\, y \right\}", False),
        (r"\left(\frac{a}{b}\right)", True),
        (r"\left(\left[\sum_{n=1}^N x_n\right]\right)", True),
    ],
)
def test_brackets_grow_with_what_is_tall_alone(
    mathematics: Mathematics, tex: str, grows: bool
) -> None:
    tree = ElementTree.fromstring(mathematics.convert(tex, display=True))
    brackets = [part for part in tree.iter("mo") if part.text in {*"()[]{}|"}]
    assert len(brackets) > 1
    assert {part.get("stretchy") != "false" for part in brackets} == {grows}


def test_rows_of_an_environment_have_no_numbers_of_their_own(mathematics: Mathematics) -> None:
    mathml = mathematics.convert(r"\begin{align} a &= b \\ c &= d \end{align}", display=True)
    assert "(1)" not in "".join(ElementTree.fromstring(mathml).itertext())
    assert in_rows("x + y") == "x + y"


@pytest.mark.parametrize("tex", [r"\frobnicate", "{a", r"\frac{1}", r"\begin{nonsense} a", "漢"])
def test_what_cannot_be_shown_is_refused(mathematics: Mathematics, tex: str) -> None:
    with pytest.raises(LatexError):
        mathematics.convert(tex, display=True)


def test_the_font_holds_what_is_shown_and_little_else(mathematics: Mathematics) -> None:
    mathml = mathematics.convert(r"\left(\sum_{n=1}^N \mathcal{N}\right) \hat\theta", display=True)
    shown = characters(f"<p>é</p>{mathml}")
    assert {"∑", "(", "𝒩"} <= shown
    assert "é" not in shown
    assert unknown_characters(mathml) == []
    packed = subset(shown)
    with TTFont(BytesIO(packed)) as font:
        held = set(map(chr, font.getBestCmap()))
        # What browsers show without finding it in the text: italics, and the sign of a root.
        assert {"∑", "(", "𝒩", "𝑛", "𝑁", "𝜃", "√"} <= held
        assert not {"∐", "é"} & held
        stretched = font["MATH"].table.MathVariants.VertGlyphCoverage.glyphs
        assert font.getBestCmap()[ord("(")] in stretched
        scripts = {record.FeatureTag for record in font["GSUB"].table.FeatureList.FeatureRecord}
        assert {"ssty"} <= scripts <= set(FEATURES)
    assert len(packed) < 60_000
    assert subset(shown) == packed


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mathematics")
    write_book(
        root,
        {"index.md": "# Preface\n", "sums.md": TEXT.replace(r"\middle< y", "")},
        {"__init__.py": ""},
    )
    result = build(root)
    assert result.returncode == 0, result.stdout
    return root


def test_a_display_has_its_number_its_link_and_a_box_of_its_own(built: Path) -> None:
    html = page(built, "sums")
    display = re.search(
        r'<div class="math notranslate" id="equation-eq-sum">\s*<div class="formula">(<math.*?</math>)</div>'
        r'<span class="eqno">\((.*?)\)<a class="headerlink" href="#equation-eq-sum"',
        html,
        re.DOTALL,
    )
    assert display is not None
    assert rows(display[1]) == 2
    assert f'href="#equation-eq-sum">({display[2]})</a>' in html


def test_a_formula_in_text_keeps_its_full_stop_and_gives_way_on_a_phone(built: Path) -> None:
    html = page(built, "sums")
    inline = re.findall(
        r'<span class="unbroken"><span class="(math[^"]*)">.*?</span>([^<]+)</span>', html
    )
    assert inline == [
        ("math notranslate", ","),
        ("math notranslate", "."),
        ("math notranslate", ","),
        ("math notranslate wide", "."),
    ]
    assert "<em>one</em>, <em>two</em> and <span" in html
    assert "</math></span>,</span> <em>three</em>." in html
    assert "twice" in html


def test_only_pages_with_mathematics_load_its_font_and_none_a_script_for_it(built: Path) -> None:
    asked = re.compile(r'<link rel="stylesheet" href="_static/mathematics-font.css\?v=\w+" />')
    assert asked.search(page(built, "sums"))
    assert not asked.search(page(built, "index"))
    assert not re.search("mathjax", page(built, "sums") + page(built, "index"), re.IGNORECASE)
    with TTFont(BytesIO(sheet_font(built / "_build/html"))) as font:
        assert set(map(ord, "∑∈≠‖")) <= set(font.getBestCmap())
    named = f'font-family: "{FAMILY}"'
    assert named in (built / "_build/html/_static/mathematics.css").read_text()


def test_an_unknown_command_stops_the_build_with_file_and_line(tmp_path: Path) -> None:
    write_book(
        tmp_path,
        {"index.md": "# Preface\n", "sums.md": "# Sums\n\nNobody knows\n$\\frobnicate$.\n"},
        {"__init__.py": ""},
    )
    result = build(tmp_path)
    assert result.returncode != 0
    assert re.search(r"sums\.md:[34]:.*WARNING.*frobnicate", result.stdout)
