"""What Sphinx writes becomes what an e-reader takes; the archive depends on nothing but its files."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from epubbook.builder import pack
from epubbook.xhtml import clean_svg, convert
from mathml import Mathematics


def test_what_does_nothing_on_an_e_reader_is_left_out() -> None:
    page = (
        '<h1>A<a class="headerlink" href="#a">#</a></h1><p>One<script>x</script> two'
        "<svg><path/></svg> three &lt;4&gt;</p>"
        '<details class="admonition hide above-input"><summary>Show</summary></details>'
    )
    assert convert(page).text == "<h1>A</h1><p>One two three &lt;4&gt;</p>"


def test_text_before_the_first_element_is_kept() -> None:
    assert convert("A &amp; <script/>b <em>c</em>").text == "A &amp; b <em>c</em>"


def test_a_solution_opens_without_a_script() -> None:
    box = (
        '<div class="solution dropdown admonition"><p class="admonition-title">Solution to '
        '<a href="#e">Exercise 1</a></p><p>It is 2.</p></div>'
    )
    made = convert(box).text
    assert made.startswith('<details class="solution dropdown admonition"><summary')
    assert "Solution to <span>Exercise 1</span></summary>" in made
    assert made.endswith("<p>It is 2.</p></details>")
    assert convert('<div class="admonition"><p>A note</p></div>').text.startswith("<div")


def test_a_table_has_a_box_to_scroll_in() -> None:
    made = convert("<p>A</p><table><tr><td>1</td></tr></table> after").text
    assert made == '<p>A</p><div class="table"><table><tr><td>1</td></tr></table></div> after'


def test_mathematics_is_announced_and_keeps_to_mathml_3() -> None:
    formula = Mathematics().convert(
        r"\begin{aligned} a &= \dfrac{b}{c} \end{aligned}", display=True
    )
    made = convert(f"<p>{formula}</p>")
    assert made.mathematics
    assert 'xmlns="http://www.w3.org/1998/Math/MathML"' in made.text
    assert "scriptlevel" in formula
    assert not {"mtable", "mfrac", "mrow"} & {
        part.split()[0] for part in made.text.split("<") if "scriptlevel" in part
    }
    assert not convert("<p>none</p>").mathematics


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("<p>One<br>two</p>", "mismatched tag"),
        ('<p><img src="a.svg"/></p>', "a.svg"),
        ('<p><img src="a.svg" alt=" "/></p>', "alternative text"),
    ],
)
def test_what_no_epub_may_hold_is_refused(page: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        convert(page)
    convert('<p>One<br/><img src="a.svg" alt="A curve"/></p>')


def test_a_drawing_loses_its_declaration_and_nothing_that_is_seen() -> None:
    head = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">'
    made = clean_svg(
        f'{head}<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><path style="a"/><path d="M 0 0"/>'
        '<use xlink:href="#m"/></svg>'
    )
    assert "DOCTYPE" not in made
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in made
    assert '<path style="a" d=""' in made
    assert 'xlink:href="#m"' in made
    assert made.count("d=") == 2


def test_the_archive_begins_with_its_type_and_depends_on_its_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def packed() -> bytes:
        pack(tmp_path, ["a.xhtml"], tmp_path / "a.epub")
        return (tmp_path / "a.epub").read_bytes()

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    for name in ("container.xml", "a.xhtml"):
        (tmp_path / name).write_text(name)
    first = packed()
    assert first[30:58] == b"mimetypeapplication/epub+zip"
    with zipfile.ZipFile(tmp_path / "a.epub") as archive:
        assert archive.namelist() == ["mimetype", "META-INF/container.xml", "EPUB/a.xhtml"]
        assert archive.infolist()[2].date_time == (2001, 9, 9, 1, 46, 40)
    os.utime(tmp_path / "a.xhtml", (1, 1))
    assert packed() == first
    (tmp_path / "a.xhtml").write_text("other")
    assert packed() != first
