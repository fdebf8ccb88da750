"""Single nodes: what is printed of them, and what is refused."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document
from typstbook.floats import FloatVisitor
from typstbook.links import label_targets
from typstbook.source import call, content, escape, string
from typstbook.visitor import INVISIBLE, Book


def printed(*children: nodes.Node, **facts: object) -> tuple[str, list[str]]:
    """The Typst source of a document with these children, and the problems found in it."""
    tree = new_document("chapter.md")
    tree += children
    book = Book(labels=label_targets({"chapter": tree}), **facts)  # type: ignore[arg-type]
    return FloatVisitor(book, "chapter").document(tree), book.problems


def html(text: str) -> nodes.container:
    """An output cell that holds HTML."""
    return nodes.container("", nodes.raw("", text, format="html"), nb_element="cell_code_output")


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("a *b* _c_", r"a \*b\* \_c\_"),
        ("1. no list", r"1\. no list"),
        ("e.g. two. words", "e.g. two. words"),
        ("a ... b", r"a \.\.. b"),
        ("https://a.b", r"https:\/\/a.b"),
        ("# @ $ < > [ ] ~ `", r"\# \@ \$ \< \> \[ \] \~ \`"),
        ("two\n  lines", "two lines"),
        ("no\u00a0break", "no\u00a0break"),
    ],
)
def test_text_is_escaped(text: str, markup: str) -> None:
    assert escape(text) == markup


def test_calls_and_strings() -> None:
    assert string('a "b" \\ c\n') == '"a \\"b\\" \\\\ c\\n"'
    assert call("f", "1", content("x")) == "#f(1, [x]);"


def test_unknown_nodes_are_problems_and_invisible_ones_are_not() -> None:
    source, problems = printed(nodes.paragraph("", "seen"), nodes.option_list())
    assert source == "seen"
    assert problems == ["chapter: 'option_list' nodes cannot be printed"]
    for name in ("comment", "substitution_definition"):
        assert name in INVISIBLE
        assert printed(getattr(nodes, name)()) == ("", [])


def test_a_problem_names_the_line() -> None:
    paragraph = nodes.paragraph("", "", nodes.math("", r"\frobnicate"))
    paragraph.source, paragraph.line = "chapter.md", 7
    _, problems = printed(paragraph)
    assert problems == [
        r"chapter.md:7: unknown command '\frobnicate' in the formula '\\frobnicate'"
    ]


def test_links_lead_somewhere() -> None:
    section = nodes.section("", nodes.title("", "Title"), ids=["there"])
    link = nodes.paragraph("", "", nodes.reference("", "go", refid="there"))
    source, problems = printed(section, link)
    assert problems == []
    assert '#to("chapter:", [go]);' in source
    assert '#section(1, "chapter:", none, [Title]);' in source

    for broken in ({"refid": "nowhere"}, {"refuri": "%other#there"}, {"refuri": "file.pdf"}):
        _, problems = printed(nodes.paragraph("", "", nodes.reference("", "go", **broken)))
        assert len(problems) == 1
        assert "the link 'go' leads nowhere" in problems[0]


def test_a_label_is_placed_once_although_ids_repeat() -> None:
    twice = [nodes.paragraph("", "x", ids=["same"]) for _ in range(2)]
    link = nodes.paragraph("", "", nodes.reference("", "go", refid="same"))
    source, problems = printed(*twice, link)
    assert problems == []
    assert source.count('#mark("chapter:same")') == 1


def test_numbers_are_sphinxs() -> None:
    figure = nodes.figure("", nodes.caption("", "Caption"), ids=["fig"])
    source, _ = printed(
        figure,
        figure_numbers={"chapter": {"figure": {"fig": (4, 2)}}},
        number_formats={"figure": "Figure %s"},
    )
    assert source == (
        '#captioned-figure(none, "Figure 4.2", [Caption], none, '
        '[#listed("figure", "Figure 4.2", [Caption]);]);'
    )


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        ({"uri": "a.svg", "alt": "A curve"}, None),
        ({"uri": "a.svg", "alt": " "}, "no alternative text"),
        ({"uri": "a.svg"}, "no alternative text"),
        ({"uri": "b.svg", "alt": "A curve"}, "is not there"),
        ({"uri": "a.svg", "alt": "A curve", "width": "wide"}, "'wide' is neither"),
        ({"uri": "a.svg", "alt": "A curve", "height": "3cm"}, "`width` alone"),
    ],
)
def test_images_need_a_file_and_a_text(image: dict[str, str], complaint: str | None) -> None:
    source, problems = printed(nodes.image(**image), images={"a.svg": "images/a.svg"})
    if complaint is None:
        assert (source, problems) == ('#picture("images/a.svg", auto, "A curve");', [])
    else:
        assert len(problems) == 1
        assert complaint in problems[0]


def test_html_tables_are_printed_with_spans_and_remarks() -> None:
    source, problems = printed(
        html(
            "<div><style>td {color: red}</style><table><thead><tr><th colspan='2'>a*</th></tr></thead>"
            "<tbody><tr><th>x</th><td rowspan='2'>1</td></tr><tr><th>y</th></tr></tbody></table>"
            "<p>3 rows</p></div>"
        )
    )
    assert problems == []
    assert source == (
        r"#data-table(2, (table.cell(colspan: 2, [#strong([a\*]);]), ), [3 rows], "
        "table.cell([#strong([x]);]), table.cell(rowspan: 2, [1]), table.cell([#strong([y]);]));"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<button>press</button>",
        "<table><tr><td><button>press</button></td></tr></table>",
        "<p>no table</p>",
        "<table><tr><td>1</td></tr></table><table><tr><td>2</td></tr></table>",
        "<script>draw()</script>",
    ],
)
def test_other_html_is_a_problem(text: str) -> None:
    source, problems = printed(html(text))
    assert source == ""
    assert len(problems) == 1
    assert "HTML that cannot be printed" in problems[0]


def test_html_comments_and_other_formats_vanish() -> None:
    assert printed(html("<!-- note -->")) == ("", [])
    assert printed(nodes.container("", nodes.raw("", r"\newpage", format="latex"))) == ("", [])


def test_a_footnote_called_twice_is_printed_once() -> None:
    note = nodes.footnote("", nodes.label("", "3"), nodes.paragraph("", "Note."), ids=["n"])
    calls = [nodes.footnote_reference("", "3", refid="n") for _ in range(2)]
    source, problems = printed(nodes.paragraph("", "", *calls), note)
    assert problems == []
    assert source == (
        '#footnote-first("chapter:footnote:n", "3", [Note.]);'
        '#footnote-again("chapter:footnote:n", "3");'
    )
