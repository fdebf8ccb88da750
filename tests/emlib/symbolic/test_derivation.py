"""Chains of claims: what is accepted, what is refused, and how a chain is shown."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sympy as sp

from emlib.symbolic import Derivation, ProofError, minimum, named, positive
from emlib.symbolic.bound import gibbs, gibbs_for, k, q, r, states
from emlib.symbolic.derivation import WIDEST, _in_rows, _terms, _width
from emlib.symbolic.notation import latex

t = sp.Symbol("t", positive=True)
y = sp.Symbol("y", real=True)
log_tangent = minimum(t - 1 - sp.log(t), t, at=1, label="eq-here")


def test_a_true_link_is_kept_and_a_false_one_stops_with_the_residue() -> None:
    chain = Derivation("eq-square", (y + 1) ** 2).equals(y**2 + 2 * y + 1, because="expand")
    assert chain.end == y**2 + 2 * y + 1
    with pytest.raises(ProofError, match=r"eq-square, line \(b\)(.|\n)*the difference is 1$"):
        chain.equals(y**2 + 2 * y, because="forget the one")


def test_inequalities_need_their_lemma_and_the_right_direction() -> None:
    chain = Derivation("eq-bound", t - 1)
    assert chain.at_least(sp.log(t), because="tangent", by=log_tangent).end == sp.log(t)
    with pytest.raises(ProofError, match="differ"):
        Derivation("eq-bound", t - 1).at_most(sp.log(t), because="wrong way", by=log_tangent)
    with pytest.raises(ProofError, match="differ"):
        Derivation("eq-bound", t - 1).at_least(2 * sp.log(t), because="too much", by=log_tangent)
    assert (
        Derivation("eq-bound", sp.log(t)).at_most(t - 1, because="tangent", by=log_tangent).end
        == t - 1
    )


def test_a_lemma_whose_needs_do_not_hold_is_refused() -> None:
    """2q is no distribution, so Gibbs' inequality says nothing about it."""
    divergence = sp.Sum(2 * q[k] * sp.log(2 * q[k] / r[k]), states)
    with pytest.raises(ProofError, match="lemma needs"):
        Derivation("eq-false", divergence, given=gibbs().given).at_least(
            0, because="Gibbs, wrongly", by=gibbs_for(2 * q[k], r[k])
        )


def test_a_chain_with_an_inequality_is_a_lemma() -> None:
    lemma = (
        Derivation("eq-bound", t - 1).at_least(sp.log(t), because="tangent", by=log_tangent).lemma()
    )
    assert lemma.expression == t - 1 - sp.log(t)
    assert lemma.label == "eq-bound"
    with pytest.raises(ProofError, match="no lemma"):
        Derivation("eq-none", t).equals(t, because="the same").lemma()
    both = Derivation("eq-both", t - 1).at_least(sp.log(t), because="down", by=log_tangent)
    with pytest.raises(ProofError, match="no lemma"):
        both.at_most(t - 1, because="and up", by=log_tangent).lemma()


def test_an_infinite_limit_is_compared_as_such() -> None:
    diverging = sp.Limit(1 / t, t, 0, "+")
    assert Derivation("eq-infinite", diverging).equals(sp.oo, because="grows").end == sp.oo
    with pytest.raises(ProofError):
        Derivation("eq-infinite", sp.Limit(t, t, 0, "+")).equals(sp.oo, because="does not")
    with pytest.raises(ProofError):
        Derivation("eq-infinite", diverging).equals(-sp.oo, because="the other way")


def test_numeric_checks_compare_fifty_digits_and_say_so() -> None:
    i = sp.Symbol("i", integer=True)
    n = sp.Symbol("n", integer=True, positive=True)
    x = sp.IndexedBase("x", real=True)

    def draw(rng: random.Random) -> dict[sp.Basic, Any]:
        values = [sp.Rational(rng.randint(-30, 30), 7) for _ in range(3)]
        return {n: 3, x: values, y: sp.Rational(rng.randint(1, 30), 9)}

    total = sp.Sum(sp.exp(x[i]) * y, (i, 1, n))
    start = Derivation("eq-numeric", total)
    chain = start.agrees(y * sp.Sum(sp.exp(x[i]), (i, 1, n)), because="take y out", draw=draw)
    assert "20 random points to 50 digits" in chain.markdown()
    with pytest.raises(ProofError, match="the sides are"):
        start.agrees(
            total * (1 + sp.Rational(1, 10**45)), because="off in the 45th digit", draw=draw
        )
    with pytest.raises(ProofError, match="no number"):
        start.agrees(t * total, because="t has no value", draw=draw)
    with pytest.raises(ValueError, match="at least 5"):
        start.agrees(total, because="too few", draw=draw, count=1)
    with pytest.raises(ProofError, match="the sides are"):
        Derivation("eq-tiny", sp.exp(-500 * y)).agrees(
            2 * sp.exp(-500 * y), because="both are tiny", draw=draw
        )
    with pytest.raises(ProofError, match="no lemma"):
        chain.lemma()


def test_rounded_numbers_and_endless_sums_are_refused() -> None:
    with pytest.raises(ProofError, match="rounded"):
        Derivation("eq-rounded", sp.Float(1)).equals(
            sp.Float(1) + sp.Float(1e-17), because="nearly"
        )
    endless = sp.Sum(1 / k - 1 / (k + 1), (k, 1, sp.oo))
    with pytest.raises(ProofError, match="no end"):
        Derivation("eq-endless", endless).equals(1, because="telescope")


def test_adding_a_link_leaves_the_shorter_chain_as_it_was() -> None:
    short = Derivation("eq-short", y)
    long = short.equals(y + 0, because="nothing added")
    assert (len(short.claims), len(long.claims)) == (0, 1)


def test_a_chain_is_shown_with_its_label_reasons_and_assumptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = gibbs().myst()
    assert ":label: eq-gibbs" in shown
    assert r"\overset{\text{(a)}}{=}" in shown
    assert r"\overset{\text{(b)}}{\ge} 0" in shown
    assert "- (b) average" in shown
    assert "proved with {eq}`eq-log-tangent`" in shown
    assert r"equality only where $\frac{r_{k}}{q_{k}} = 1$" in shown
    assert r"given $\sum_{k=1}^{K} q_{k} = 1$" in shown
    assert "$q_{k}, r_{k} > 0$" in shown
    monkeypatch.setenv("EMLIB_DISPLAY", "book")
    bundle = gibbs()._repr_mimebundle_()
    assert bundle["text/markdown"] == shown
    assert bundle["text/plain"] == repr(gibbs())


def test_outside_the_book_a_chain_is_plain_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMLIB_DISPLAY", raising=False)
    shown = gibbs()._repr_mimebundle_()["text/markdown"]
    assert shown == gibbs().markdown()
    assert shown.startswith("$$\n\\begin{aligned}")
    assert "proved with `eq-log-tangent`" in shown
    assert ":::" not in shown
    assert "{eq}" not in shown


def test_a_lemma_that_tells_no_equality_leaves_no_sentence_open() -> None:
    chain = Derivation("eq-positive", t).at_least(0, because="so it was assumed", by=positive(t))
    assert chain.claims[0].reason == "so it was assumed"
    assert "equality" not in chain.markdown()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (y - t, "y - t"),
        (-t + y**2, "y^{2} - t"),
        (-3 * t / 2, r"- \frac{3 t}{2}"),
        (t * sp.log(t) / 2, r"\frac{t}{2} \log t"),
        (sp.log(t + 1), r"\log\left(t + 1\right)"),
        (named(r"F(q, \theta)", t) / t, r"\frac{F(q, \theta)}{t}"),
        (q[k] * sp.log(q[k]), r"q_{k} \log q_{k}"),
        (sp.Subs(sp.Derivative(y**2, y), y, t), r"\left.\frac{d}{d y} y^{2}\right|_{y = t}"),
    ],
)
def test_mathematics_is_set_as_a_book_sets_it(expression: sp.Expr, expected: str) -> None:
    assert latex(expression) == expected


@pytest.mark.parametrize(
    ("tex", "terms"),
    [
        ("a + b - c", ["a", " + b", " - c"]),
        ("- a - b", ["- a", " - b"]),
        (r"\frac{a + b}{c} + f(a - b)", [r"\frac{a + b}{c}", " + f(a - b)"]),
        (r"\left. a + b \right|_{c = d - e} + g", [r"\left. a + b \right|_{c = d - e}", " + g"]),
        (r"\begin{cases} a + b \end{cases} - c", [r"\begin{cases} a + b \end{cases}", " - c"]),
        (r"\{a + b\} + c", [r"\{a + b\}", " + c"]),
    ],
)
def test_a_sum_has_its_terms_and_nothing_within_brackets(tex: str, terms: list[str]) -> None:
    assert _terms(tex) == terms


def test_a_long_sum_stands_in_rows_and_a_short_one_does_not() -> None:
    assert _in_rows("a + b") == "a + b"
    long = " + ".join(f"a_{{{n}}} b_{{{n}}}" for n in range(10, 40))
    rows = _in_rows(long).split(" \\\\\n& \\qquad {}")
    assert len(rows) > 1
    assert all(_width(row) <= WIDEST for row in rows)
    assert " ".join(rows) == long
