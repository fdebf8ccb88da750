"""A chapter's text becomes plain Markdown, and its cells need nothing of the book's machinery."""

from __future__ import annotations

import importlib.util
import subprocess
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
from docutils import nodes
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from notebooks import (
    EXTRAS,
    GLUE,
    GLUED,
    assemble,
    cited_sources,
    shown,
    without_outputs,
)
from plainmarkdown import Writer, quoted
from sphinx_exercise.nodes import exercise_enumerable_node
from typstbook.alternative import expanded
from typstbook.texmath import Macro

MACROS = {"KL": Macro(r"\operatorname{KL}(#1\,\|\,#2)", 2), "given": Macro(r"\mid")}
Parts = list[str | int]


def paragraph(*inside: nodes.Node, **attributes: Any) -> nodes.paragraph:
    return nodes.paragraph("", "", *inside, **attributes)


def written(*inside: nodes.Node, site: str = "") -> Parts:
    numbers = {
        "displaymath": {"equation-a": (3, 5)},
        "exercise": {"ex": (3, 1)},
        "figure": {"f": (3, 2)},
    }
    formats = {"figure": "Figure %s"}
    writer = Writer("bound", numbers, formats, MACROS, site)
    return list(writer.blocks(nodes.section("", *inside)))


def test_text_keeps_its_emphasis_and_escapes_what_markdown_would_read() -> None:
    line = paragraph(
        nodes.Text("a_b*c "),
        nodes.emphasis("", "d"),
        nodes.literal("", "e_f"),
        nodes.math("", "x_1"),
    )
    assert written(line) == [r"a\_b\*c *d*`e_f`$x_1$"]


def test_a_line_may_end_within_a_paragraph() -> None:
    html, latex = (
        nodes.raw("", mark, format=name)
        for name, mark in [("html", "<br />\n"), ("latex", "\\\\\n")]
    )
    assert written(paragraph(nodes.Text("a"), html, latex, nodes.Text("b"))) == ["a\\\nb"]
    with pytest.raises(ValueError, match="'raw' nodes"):
        written(paragraph(nodes.raw("", "<b>", format="html")))


def test_an_equation_has_the_number_of_the_site() -> None:
    block = nodes.math_block("", "a &= b", ids=["equation-a"])
    assert written(block) == ["$$\n\\begin{aligned}a &= b\\end{aligned}\n\\tag{3.5}\n$$"]
    assert written(nodes.math_block("", "a", ids=["equation-b"])) == ["$$\na\n$$"]


def test_macros_are_written_out() -> None:
    assert expanded(r"\KL{q}{r_{1}}", MACROS) == r"\operatorname{KL}(q\,\|\,r_{1})"
    assert expanded(r"p(x\given y)", MACROS) == r"p(x\mid y)"
    assert expanded(r"\givenness", MACROS) == r"\givenness"
    for malformed in (r"\KL{q}", r"\KL q r", r"\KL{q}{r"):
        with pytest.raises(ValueError, match="argument in braces"):
            expanded(malformed, MACROS)


def test_links_are_words_unless_the_address_is_known() -> None:
    there = nodes.reference("", "the identity", refuri="%mixtures#sums")
    here = nodes.reference("", "(3.5)", refid="equation-a")
    away = nodes.reference("", "R", refuri="https://example.org/")
    assert written(paragraph(there, here, away)) == ["the identity(3.5)[R](https://example.org/)"]
    assert written(paragraph(there, here), site="https://a.b/") == [
        "[the identity](https://a.b/mixtures.html#sums)[(3.5)](https://a.b/bound.html#equation-a)"
    ]


def cell(index: int, *inside: nodes.Node) -> nodes.container:
    return nodes.container("", *inside, nb_element="cell_code", cell_index=index)


def test_a_box_is_a_quotation_unless_it_holds_code() -> None:
    box = exercise_enumerable_node(
        "", nodes.title("", " (Sums)"), paragraph(nodes.Text("Add.")), ids=["ex"]
    )
    assert written(box) == ["> **Exercise 3.1 (Sums)**\n>\n> Add."]
    open_box = nodes.admonition("", nodes.title("", "Note"), paragraph(nodes.Text("Run.")), cell(4))
    assert written(open_box) == ["**Note**", "Run.", 4]


def test_a_cell_leaves_its_place_its_captions_and_its_proofs() -> None:
    figure = nodes.figure("", nodes.caption("", "A curve."), ids=["f"])
    proof = nodes.container("", paragraph(nodes.Text("proved")), classes=["derivation"])
    writer = Writer("bound", {"figure": {"f": (3, 2)}}, {"figure": "Figure %s"})
    assert list(writer.block(cell(2, figure, proof))) == [2, "**Figure 3.2** A curve.", "proved"]
    assert writer.proofs == {2}
    figure["explorable"] = True
    assert list(writer.block(cell(2, figure)))[1].endswith(
        "*On the website of the book this figure moves.*"
    )


def test_sections_have_their_numbers() -> None:
    section = nodes.section("", nodes.title("", "Sums"), ids=["sums"])
    top = nodes.section("", nodes.title("", "Bound"), section, ids=["bound"])
    writer = Writer("bound", {}, sections={"": (3,), "#sums": (3, 1)})
    assert list(writer.block(top)) == ["# 3 Bound", "## 3.1 Sums"]
    assert list(Writer("bound", {}).block(top)) == ["# Bound", "## Sums"]


def test_a_link_begins_with_a_word() -> None:
    link = nodes.reference("", " Exercise 3.1", refuri="https://example.org/")
    assert written(paragraph(nodes.Text("Solution to"), link)) == [
        "Solution to [Exercise 3.1](https://example.org/)"
    ]


def test_what_has_no_markdown_is_refused() -> None:
    with pytest.raises(ValueError, match="bound: 'table' nodes"):
        written(nodes.table())
    with pytest.raises(ValueError, match="'superscript' nodes"):
        written(paragraph(nodes.superscript("", "2")))


def test_a_quotation_is_one_to_its_last_line() -> None:
    assert quoted("a\n\nb") == "> a\n>\n> b"
    # Jupyter would take the sign of a quotation for a part of the formula.
    assert quoted("a\n\n$$\nb\nc\n$$") == "> a\n>\n> $$ b c $$"
    assert quoted("- a\n\n  $$\n  b\n  $$") == "> - a\n>\n>   $$ b $$"


def test_every_code_cell_has_its_place() -> None:
    source = [
        new_markdown_cell("in MyST"), new_code_cell("import a"), new_code_cell("a.b"), new_code_cell("c")
    ]  # fmt: skip
    made = assemble(["# One", "two", 2, "# Three", "four"], source, set())
    cells = [cell.source for cell in made.cells[1:]]
    assert cells == ["# One\n\ntwo", "import a", "a.b", "c", "# Three\n\nfour"]
    assert [cell["id"] for cell in made.cells] == [f"cell-{n}" for n in range(6)]
    with pytest.raises(ValueError, match="cell 1 stands after cell 3"):
        assemble([2, 1], source, set())


def test_the_library_is_installed_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    source = [new_code_cell("a")]
    install = assemble([0], source, set(), "https://example.org/em/").cells[1]
    assert assemble([0], source, set()).cells[1].source == "a"
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    exec(install.source, {})
    assert asked == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    exec(install.source, {})
    (wheel,) = (command[-1] for command in asked)
    name, _, address = wheel.partition(" @ ")
    assert address.startswith("https://example.org/em/downloads/exploring_em-")
    told = metadata("exploring-em")
    assert name == f"{told['Name']}[symbolic,figures]"
    assert address.endswith(f"/exploring_em-{told['Version']}-py3-none-any.whl")
    workflow = Path(__file__).parents[2] / ".github" / "workflows" / "publish.yml"
    assert f'"$wheel[{EXTRAS}]"' in workflow.read_text(), "Binder installs other extras"
    extras = set(told.get_all("Provides-Extra") or [])
    assert {"symbolic", "figures"} <= extras


def test_outputs_show_in_plain_jupyter_and_can_be_left_out() -> None:
    glued = new_output("display_data", {GLUED: "1.5"}, metadata={"scrapbook": {"name": "a"}})
    pictures = {"text/html": "<script>", "image/svg+xml": "<svg/>", "image/png": "iVBO"}
    moving = new_output("execute_result", pictures, execution_count=3)
    # Before a reader has said to trust a notebook, Jupyter shows no SVG of it.
    assert list(shown(moving, "A curve")["data"]) == ["image/png"]
    assert shown(moving, "A curve")["metadata"] == {"image/png": {"alt": "A curve"}}
    assert set(moving["data"]) == set(pictures)
    source = new_code_cell(f"import a\n{GLUE}\nglue(1)", outputs=[glued, moving])
    full = assemble([0], [source], set())
    stand_in, cell = full.cells[1:]
    assert "myst_nb" not in cell.source
    assert stand_in.source.startswith("def glue(")
    assert [output.data for output in cell.outputs] == [{"image/png": "iVBO"}]
    assert (cell.execution_count, cell.outputs[0].execution_count) == (None, None)
    bare = without_outputs(full).cells[2]
    assert (bare.outputs, bare.execution_count) == ([], None)
    assert full.cells[2].outputs


def test_what_the_book_folds_away_is_folded() -> None:
    folded, open_one = (
        new_code_cell("a", metadata={"tags": tags}) for tags in (["hide-input"], ["x"])
    )
    cells = assemble([0, 1], [folded, open_one], set()).cells[1:]
    assert [cell.metadata.get("jupyter") for cell in cells] == [{"source_hidden": True}, None]


def test_a_proof_is_said_once() -> None:
    proof = new_output("execute_result", {"text/markdown": ":::{math}"}, execution_count=1)
    cells = assemble([0, "$$ a $$"], [new_code_cell("gap()", outputs=[proof])], {0}).cells[1:]
    assert cells[0].source == "gap();  # proves what stands below, or stops with what is left"
    assert cells[0].outputs == []
    assert assemble([0], [new_code_cell("gap()", outputs=[proof])], set()).cells[1].outputs
    with pytest.raises(ValueError, match="may hold no comment"):
        assemble([0], [new_code_cell("gap()  # why", outputs=[proof])], {0})


def test_a_chapter_brings_the_sources_that_it_cites() -> None:
    cited, other = (
        nodes.citation(
            "", nodes.label("", name), paragraph(nodes.Text(f"{name}. Sums.")), ids=[name]
        )
        for name in ("wu", "neal")
    )
    trees: Any = {
        "bound": nodes.section("", nodes.reference("", "Wu", refuri="%sources#wu")),
        "sources": nodes.section("", cited, other),
    }
    assert list(cited_sources("bound", trees, Writer("bound", {}))) == ["wu. Sums."]
