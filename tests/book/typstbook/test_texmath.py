"""TeX mathematics becomes Typst mathematics, formula by formula, or is refused by name."""

from __future__ import annotations

import pytest
import typst
from typstbook.texmath import Converter, TexError

MACROS = {
    "E": r"\mathbb{E}",
    "KL": [r"\operatorname{KL}\left(#1\,\middle\|\,#2\right)", 2],
    "norm": [r"\lVert #2 \rVert_{#1}", 2, "2"],
    "loop": r"\loop",
}

FORMULAS = {
    # letters, numbers, characters that Typst would read otherwise
    "ab": "a b",
    "3.14x": "3.14 x",
    "f(x, y)": r"f \( x \, y \)",
    "a - b * c / d": r"a − b ∗ c \/ d",
    "x < y > z": r"x \< y \> z",
    "x : y": 'x class("relation", :) y',
    r"\# \$ \% \& \_ \{ \}": r"\# \$ % \& \_ \{ \}",
    "1{,}000": r'1 class("normal", \,) 000',
    r"a~b\,c\quad d": "a space.nobreak b thin c quad d",
    "a % a comment\n b": "a b",
    # scripts
    "x_i": "attach(x, b: i)",
    "x^2_i": "attach(x, b: i, t: 2)",
    "x^{a+b}": "attach(x, t: a + b)",
    "f'": "attach(f, t: ′)",
    "f''^2": "attach(f, t: ′′ 2)",
    "{}_a": 'attach("", b: a)',
    r"\theta^{(t)}": r"attach(θ, t: \( t \))",
    r"\sum\limits_i": "attach(limits(∑), b: i)",
    r"\int\nolimits_0^1": "attach(scripts(∫), b: 0, t: 1)",
    r"\alpha*": "α ∗",
    # structures
    r"\frac{a}{b}": "frac(a, b)",
    r"\frac12": "frac(1, 2)",
    r"\tfrac12": "inline(frac(1, 2))",
    r"\sqrt x": "sqrt(x)",
    r"\sqrt[n]{x}": "root(n, x)",
    r"\binom nk": "binom(n, k)",
    r"\hat\theta": "hat(θ)",
    r"\bar{x}": "macron(x)",
    r"\mathbf{x}": "bold(upright(x))",
    r"\boldsymbol\theta": "bold(θ)",
    r"\mathrm{KL}": "upright(K L)",
    r"\log x": 'op("log") x',
    r"\max_x": 'attach(op("max", limits: #true), b: x)',
    r"\operatorname*{arg\,max}": 'op("arg\u2009max", limits: #true)',
    r"\not\in": "∉",
    r"\overset{!}{=}": "attach(limits(=), t: !)",
    r"\underbrace{a+b}_{c}": "underbrace(a + b, c)",
    r"\underbrace{a}^2": "underbrace(a)",
    r"{\displaystyle \sum x} y": "display(∑ x) y",
    r"\text{if } x": '"if "x',
    r"\text{a $b$ \%}": '"a "b" %"',
    # delimiters
    r"\left( x \right]": r"lr(\( x \])",
    r"\left. x \right|": "lr(x |)",
    r"\left\{ a \middle| b \right\}": r"lr(\{ a mid(|) b \})",
    r"\bigl( x \bigr)": r'class("opening", lr(\(, size: #1.2em)) x class("closing", lr(\), size: #1.2em))',
    r"|x|": 'class("normal", |) x class("normal", |)',
    # environments
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}": 'mat(delim: "(", a, b; c, d)',
    r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}^\top": 'attach(mat(delim: "(", 1; 2), t: ⊤)',
    r"\begin{bmatrix} a & b \\ c \end{bmatrix}": 'mat(delim: "[", a, b; c, "")',
    r"\begin{array}{c|c} a & b \end{array}": (
        "mat(delim: #none, augment: #(vline: (1,), stroke: 0.5pt), a, b)"
    ),
    r"\begin{cases} a & b \\ c & d \end{cases}": "cases(a & quad b, c & quad d)",
    r"\begin{align} a &= b \\ c &= d \end{align}": "a & = b \\\nc & = d",
    r"\begin{align*} a &= b & c &= d \end{align*}": "a & = b & quad c & = d",
    r"x = \begin{aligned} a &= b \\ c &= d \end{aligned}": (
        "x = mat(delim: #none, row-gap: #0.65em, "
        "display(a) & display(= b); display(c) & display(= d))"
    ),
    r"a &= b \\ &= c": "a & = b \\\n & = c",
    "a\n\nb": "a \\\n b",
    # macros
    r"\E_q": "attach(bb(E), b: q)",
    r"\KL{q}{p}": r'op("KL") lr(\( q thin mid(‖) thin p \))',
    r"\norm{x}": 'class("opening", ‖) x attach(class("closing", ‖), b: 2)',
}

REFUSED = {
    r"\frobnicate x": r"\frobnicate",
    r"\begin{tikzcd} a \end{tikzcd}": "tikzcd",
    "{x": "'}' was expected",
    "x}": "'}'",
    r"\left( x": r"\right",
    r"x \right)": r"\right",
    r"\left x y \right)": "'x' is no delimiter",
    r"\begin{pmatrix} a": "missing at the end",
    r"\begin{pmatrix} a \end{bmatrix}": "bmatrix",
    r"\begin{array}{p} a \end{array}": "'p'",
    "x^a^b": "double superscript",
    "x_a_b": "double subscript",
    r"\frac{a}": "missing at the end",
    r"\sqrt[3": "'[' is never closed",
    r"\text{\foo}": r"\\foo",
    r"x \tag{1} \tag{2}": "more than one",
    r"\loop": "expands to itself",
    r"\label{eq}": r"\label",
}


def page(*formulas: str) -> bytes:
    """A PDF page with Typst formulas, each with a text for screen readers."""
    lines = (f'#math.equation(block: true, alt: "x", $ {formula} $.body)' for formula in formulas)
    return ('#set document(title: "x")\n' + "\n\n".join(lines)).encode()


@pytest.mark.parametrize(("tex", "expected"), FORMULAS.items())
def test_a_formula_becomes_typst(tex: str, expected: str) -> None:
    assert Converter(MACROS).convert(tex).typst.replace("  ", " ") == expected


def test_typst_accepts_every_formula() -> None:
    formulas = [Converter(MACROS).convert(tex).typst for tex in FORMULAS]
    assert typst.compile(page(*formulas), pdf_standards=["ua-1"]).startswith(b"%PDF")
    with pytest.raises(typst.TypstError, match="frobnicate"):
        typst.compile(page(*formulas, "frobnicate"), pdf_standards=["ua-1"])


@pytest.mark.parametrize(("tex", "culprit"), REFUSED.items())
def test_what_cannot_be_set_is_refused_by_name(tex: str, culprit: str) -> None:
    with pytest.raises(TexError) as refusal:
        Converter(MACROS).convert(tex)
    assert culprit in str(refusal.value)
    assert repr(tex) in str(refusal.value)


@pytest.mark.parametrize(
    ("tex", "tag"), [(r"x \tag{a}", r'\( "a" \)'), (r"x \tag*{$\ast$}", "∗"), ("x", None)]
)
def test_a_tag_is_kept_apart_from_the_body(tex: str, tag: str | None) -> None:
    formula = Converter().convert(tex)
    assert (formula.typst, formula.tag) == ("x", tag)


def test_a_tag_inside_aligned_rows_leaves_the_rows_whole() -> None:
    formula = Converter().convert(r"\begin{align} a &= b \tag{1} \\ c &= d \end{align}")
    assert formula.typst == "a & = b \\\nc & = d"
    assert formula.tag == r'\( "1" \)'
