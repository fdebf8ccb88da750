"""Pages are light, ask nobody else, and run no script but the site's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Collection
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import delivery
import icons
import mathfont
import painting
import policy
import pytest
import sheets
import weights
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from minibook import CELL, HEADER, build, sheet_font, write_book

HEAD = '<html><head><meta charset="utf-8"/>{}</head><body>{}</body></html>'
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>'
PAGES = {
    "index.md": "# Preface\n\n```{tip} A word\nOf advice.\n```\n",
    "sums.md": HEADER + "# Sums\n\nA sum $x_n$.\n\n" + CELL.format("print(1)"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("delivery")
    write_book(root, PAGES, {"__init__.py": ""})
    result = build(root)
    assert result.returncode == 0, result.stdout
    return root / "_build" / "html"


def hash_of(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def test_what_has_no_source_any_more_leaves_the_site(site: Path, tmp_path: Path) -> None:
    root = shutil.copytree(site.parents[1], tmp_path / "copy")
    again = root / "_build" / "html"
    gone = [
        "gone.html",
        "reading/gone.mjs",
        "folder/gone.txt",
        "_images/gone.svg",
        "_sources/gone.md",
    ]
    for name in [*gone, "downloads/kept.pdf"]:
        (again / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(again / "sums.html", again / name)
    (root / "book" / "_extra" / "kept.html").write_text(HEAD.format("", "Kept"))
    before = {file for file in again.rglob("*") if file.is_file()}
    (root / "book" / "größe.svg").write_text(PICTURE)
    with (root / "book" / "index.md").open("a") as index:
        index.write("\n```{image} größe.svg\n:alt: A triangle\n```\n")
    result = build(root)
    assert result.returncode == 0, result.stdout
    after = {file for file in again.rglob("*") if file.is_file()}
    assert before - after == {again / name for name in gone}
    assert {"größe.svg", "kept.html"} <= {file.name for file in after - before}


# The policy


def test_every_page_has_a_policy_that_lets_in_its_own_scripts_alone(site: Path) -> None:
    pages = sorted(site.glob("*.html"))
    assert len(pages) > 3
    for file in pages:
        text = file.read_text()
        meta = BeautifulSoup(text, "html.parser").select(
            'meta[http-equiv="Content-Security-Policy"]'
        )
        assert len(meta) == 1, file.name
        rules = dict(rule.strip().split(" ", 1) for rule in str(meta[0]["content"]).split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["connect-src"] == "'self'"
        assert not re.search("unsafe|http|[*]", rules["script-src"])
        scripts = policy.inline_scripts(text)
        assert set(rules["script-src"].split()) == {"'self'", *map(hash_of, scripts)}
        assert scripts, file.name
        assert text.index("Content-Security-Policy") < text.index("<script")


def test_no_script_of_a_page_makes_code_from_strings(site: Path) -> None:
    evaluates = re.compile(r"\beval\(|addTranslations\(\{")
    assert evaluates.search("Documentation.addTranslations({")
    for file in site.glob("*.html"):
        for address in BeautifulSoup(file.read_text(), "html.parser").select("script[src]"):
            script = (site / str(address["src"]).partition("?")[0]).read_text()
            assert not evaluates.search(script), address


def test_a_policy_is_renewed_not_repeated() -> None:
    once = policy.protected(HEAD.format("<script>let a = 1</script>", ""))
    assert hash_of("let a = 1") in once
    again = policy.protected(once.replace("a = 1", "a = 2"))
    assert again.count("Content-Security-Policy") == 1
    assert hash_of("let a = 2") in again
    assert hash_of("let a = 1") not in again


def test_data_in_a_page_is_no_script() -> None:
    data = '<script type="application/json">{}</script><script src="a.js"></script>'
    assert policy.inline_scripts(data) == []


@pytest.mark.parametrize(
    "body",
    ['<b onclick="go()">x</b>', "<a href='javascript:go()'>x</a>", '<img src=x onerror="go()">'],
)
def test_a_script_in_an_attribute_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match="script in an attribute"):
        policy.protected(HEAD.format("", body))


def test_a_page_without_a_character_set_is_refused() -> None:
    with pytest.raises(ValueError, match="character set"):
        policy.protected("<html><head></head></html>")


# Icons


def test_the_icon_font_holds_what_the_pages_show(site: Path) -> None:
    with TTFont(site / "_static" / icons.FONT) as font:
        held = set(map(chr, font.getBestCmap()))
    assert {"\uf0c9", "\uf002", "\uf0eb", "\uf00d"} <= held  # menu, search, a tip's bulb, close
    assert "\uf7fb" not in held  # an egg
    assert (site / "_static" / icons.FONT).stat().st_size < 8_000
    assert not list(site.rglob("fontawesome.js*"))


def test_no_page_loads_the_icon_script_or_has_an_icon_read_aloud(site: Path) -> None:
    written = '<script src="_static/scripts/fontawesome.js?digest=1"></script>\n<i class="fa-solid fa-bars"></i>'
    assert icons.without_script(written).strip() == (
        '<i aria-hidden="true" class="fa-solid fa-bars"></i>'
    )
    for file in site.glob("*.html"):
        text = file.read_text()
        assert "fontawesome.js" not in text
        found = BeautifulSoup(text, "html.parser").select("i[class*=fa-]")
        assert found
        assert all(icon.get("aria-hidden") == "true" for icon in found)


def test_icons_of_classes_variables_and_sheets_are_found() -> None:
    theme = '.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}.fa-egg:before{content:"\\f7fb"}--pst-icon-x: "\uf0eb"'
    shown = icons.shown(['<i class="fa-solid fa-navicon">'], theme, ['a{content:"\\f107"}'])
    assert shown == {"\uf0c9", "\uf0eb", "\uf107"}


# Style sheets and scripts


def test_a_page_waits_for_one_sheet_and_for_no_script(site: Path) -> None:
    version = sha256((site / sheets.SHEET).read_bytes()).hexdigest()[:8]
    for file in site.glob("*.html"):
        page = BeautifulSoup(file.read_text(), "html.parser")
        sheet, *fonts = page.select('link[rel="stylesheet"]')
        assert sheet["href"] == f"_static/site.css?v={version}"
        assert len(fonts) == (page.find("math") is not None)
        assert not page.select("link[as=script]")
        scripts = page.select("script[src]")
        waited_for = [
            Path(str(script["src"]).partition("?")[0]).name
            for script in scripts
            if not script.has_attr("defer") and script.get("type") != "module"
        ]
        search = ["documentation_options.js", "doctools.js", "searchtools.js"]
        assert waited_for == (search if file.name == "search.html" else [])
        assert len(scripts) > 5


def test_scripts_wait_in_their_order_and_the_theme_is_decided_first() -> None:
    page = (
        '<script>let a = localStorage.getItem("theme") || "auto";</script>'
        '<script src="a.js"></script><script data-x="1" src="b.js"></script>'
        '<script defer src="c.js"></script><script type="module" src="d.mjs"></script>'
    )
    found = BeautifulSoup(delivery.waiting(page), "html.parser").find_all("script")
    assert [script.has_attr("defer") for script in found] == [False, True, True, True, False]
    assert [script.get("src") for script in found[1:]] == ["a.js", "b.js", "c.js", "d.mjs"]
    assert "prefers-color-scheme" in found[0].get_text()


def sheet(
    folder: Path,
    css: str,
    body: str = '<p class="used">',
    script: str = "",
    whole: Collection[str] = (),
) -> str:
    (folder / "_static" / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "_static" / "deep" / "a.css").write_text(css)
    link = '<link rel="stylesheet" href="_static/deep/a.css?v=1"/>'
    sheets.write(folder, [HEAD.format(link, body)], [script], whole)
    return (folder / sheets.SHEET).read_text().partition("\n")[2].strip()


def test_a_sheet_of_the_book_stays_whole(tmp_path: Path) -> None:
    # A script may give the class: `c${k}`.
    rule = ".c2{top:0}"
    assert sheet(tmp_path, rule) == ""
    assert sheet(tmp_path, rule, whole=["_static/deep/a.css"]) == rule


@pytest.mark.parametrize(
    "rule",
    [
        "p{color:red}",
        "p.used a{color:red}",
        ".used:not(.unused){color:red}",
        "p:is(.unused,.used){color:red}",
        "#unused{color:red}",
        '[data-x=".unused"]{color:red}',
        ".said{color:red}",
        ".bs-tooltip-auto{color:red}",
        "@media print{p{color:red}}",
        "@font-face{font-family:X}",
        "@keyframes k{0%{top:0}}",
        "@container (min-width: 1px){p{color:red}}",
    ],
)
def test_a_rule_that_a_page_may_need_stays(tmp_path: Path, rule: str) -> None:
    script = 'x.classList.add("said"); x.classList.add(`bs-${kind}-auto`)'
    assert sheet(tmp_path, rule, script=script).replace(" ", "") == rule.replace(" ", "")


@pytest.mark.parametrize(
    "rule",
    [
        ".unused{color:red}",
        "p.used.unused{color:red}",
        "p.used>a.unused:hover{color:red}",
        "@media print{.unused{color:red}}",
        "/* a word */",
        '@charset "utf-8";',
    ],
)
def test_a_rule_that_no_page_can_need_goes(tmp_path: Path, rule: str) -> None:
    assert sheet(tmp_path, rule) == ""


def test_of_many_selectors_those_that_are_needed_stay(tmp_path: Path) -> None:
    assert sheet(tmp_path, ".unused, .used, a.unused{color:red}") == ".used{color:red}"


def test_addresses_are_seen_from_the_new_place_and_imports_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "b.css").write_text('i{background:url("pic.svg")}')
    css = "@import '../b.css'; b{background:url('../fonts/f.woff2')} u{background:url(data:x)}"
    found = sheet(tmp_path, css)
    assert found.splitlines() == [
        'i{background:url("pic.svg")}',
        'b{background:url("fonts/f.woff2")}',
        "u{background:url(data:x)}",
    ]


def test_a_sheet_is_renewed_where_no_page_is_new(tmp_path: Path) -> None:
    sheet(tmp_path, "p{top:0}")
    (tmp_path / "_static" / "deep" / "a.css").write_text("p{top:1px}")
    page = HEAD.format('<link rel="stylesheet" href="_static/site.css?v=old" />', "")
    version = sheets.write(tmp_path, [page], [])
    assert "p{top:1px}" in (tmp_path / sheets.SHEET).read_text()
    assert sheets.linked(sheets.with_one_sheet(page, version)) == [sheets.SHEET]
    assert version in sheets.with_one_sheet(page, version)


def test_a_sheet_of_one_page_alone_stays_when_another_page_is_new(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.css").write_text(f"p{{content:'{name}'}}")
    (tmp_path / "_static").mkdir()
    a, b = (f'<link rel="stylesheet" href="{name}.css">' for name in "ab")
    both = HEAD.format(a, f"<p>{b}</p>")
    finished = sheets.with_one_sheet(both, sheets.write(tmp_path, [both], []))
    assert sheets.linked(finished) == [sheets.SHEET]
    sheets.write(tmp_path, [finished, HEAD.format(a, "")], [])
    assert 'content:"b"' in (tmp_path / sheets.SHEET).read_text()


def test_sheets_in_other_orders_are_refused(tmp_path: Path) -> None:
    a, b = (f'<link rel="stylesheet" href="{name}.css">' for name in "ab")
    with pytest.raises(ValueError, match="different orders"):
        sheets.write(tmp_path, [HEAD.format(a + b, ""), HEAD.format(b + a, "")], [])


def test_a_sheet_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        sheet(tmp_path, "p{color:red} }")


# Weights


def weigh(folder: Path, **files: str | bytes) -> tuple[weights.Weight, list[str]]:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{stem}.{suffix}").write_bytes(data)
    return weights.weigh(folder / "page.html")


def test_a_built_page_is_light_and_loads_nothing_from_elsewhere(site: Path) -> None:
    for file in site.glob("*.html"):
        weight, foreign = weights.weigh(file)
        assert list(weight.faults()) == []
        assert foreign == []
        assert weight.scripts > 20_000
    (plain, _), (sums, _) = (weights.weigh(site / f"{name}.html") for name in ("index", "sums"))
    assert sums.mathematics
    assert not plain.mathematics
    assert sums.fonts - plain.fonts == weights.weight(site / mathfont.SHEET)


def test_only_a_page_with_mathematics_waits_for_its_font(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = HEAD.format('<link rel="stylesheet" href="_static/site.css?v=1" />', "<p>x</p>")
    page = HEAD.format(
        '<link rel="stylesheet" href="_static/site.css?v=1" />', "<math><mi>x</mi></math>"
    )
    (tmp_path / "_static").mkdir()
    version = mathfont.write(tmp_path, [plain, page])
    assert mathfont.with_font(plain, version) == plain
    waits = mathfont.with_font(page, version)
    # And once, however often the page is finished.
    assert sheets.linked(waits) == [sheets.SHEET, mathfont.SHEET]
    again = sheets.with_one_sheet(waits, "1")
    assert mathfont.with_font(again, version) == mathfont.with_font(
        sheets.with_one_sheet(page, "1"), version
    )
    with TTFont(BytesIO(sheet_font(tmp_path))) as font:
        assert font.getBestCmap()
    assert "document.fonts.load" in waits
    monkeypatch.setattr(mathfont, "subset", lambda shown: repr(sorted(shown)).encode())
    assert version == mathfont.write(tmp_path, [page, plain]), "made anew for the same characters"
    assert version != mathfont.write(tmp_path, [page, "<math><mi>∑</mi></math>"])


def test_a_page_with_mathematics_is_painted_when_its_first_screens_are_read() -> None:
    formula, text = "<math><mi>x</mi></math>", f"<p>{'a' * 1000}</p>"

    def page(*parts: str) -> str:
        return HEAD.format("", f"<p>Skip</p><article>{''.join(parts)}</article><p>2026</p>")

    def awaited(before: str) -> str:
        paragraph = before.partition(f'<p id="{painting.ID}">')[2]
        return paragraph.partition("</p>")[0]

    long = page(formula, *[text] * 4, "<p>the fifth</p>", text)
    shown = painting.with_first_screens(long)
    assert f"<head>{painting.LINK}<meta" in shown
    assert awaited(shown) == "the fifth"
    assert painting.with_first_screens(shown) == shown
    assert (
        awaited(painting.with_first_screens(page(formula, text, "<p>the last</p>"))) == "the last"
    )
    for unchanged in (page(text * 9), page(formula)):
        assert painting.with_first_screens(unchanged) == unchanged


def test_what_is_loaded_by_what_is_loaded_counts(tmp_path: Path) -> None:
    noise = bytes(range(256)) * 4
    weight, foreign = weigh(
        tmp_path,
        page_html=HEAD.format(
            '<link rel="stylesheet" href="a.css?v=1"><script type="module" src="m.mjs"></script>',
            '<img src="p.png"><a href="https://example.org/">a link is not loaded</a>',
        ),
        a_css='@font-face { src: url("f.woff2") } b { background: url(data:image/png;base64,AA) }',
        f_woff2=noise,
        m_mjs='import { x } from "./n.mjs";',
        n_mjs="export const x = 1;",
        p_png=noise,
    )
    assert foreign == []
    assert weight.fonts == weight.pictures == len(noise)
    assert weight.scripts == weights.weight(tmp_path / "m.mjs") + weights.weight(tmp_path / "n.mjs")
    assert weight.total == weight.text + weight.styles + weight.scripts + weight.fonts


@pytest.mark.parametrize(
    ("head", "sheet"),
    [
        ('<script src="https://example.org/a.js"></script>', ""),
        ('<link rel="stylesheet" href="//example.org/a.css">', ""),
        ("<style>@import 'https://example.org/a.css';</style>", ""),
        (
            '<link rel="stylesheet" href="a.css">',
            "a { background: url(https://example.org/a.png) }",
        ),
    ],
)
def test_what_is_asked_of_other_sites_is_found(tmp_path: Path, head: str, sheet: str) -> None:
    _, foreign = weigh(tmp_path, page_html=HEAD.format(head, ""), a_css=sheet)
    assert len(foreign) == 1


def test_a_heavy_page_fails_the_build(tmp_path: Path) -> None:
    heavy = weights.Weight("p", False, 1, 1, weights.LIMIT, 1, weights.LIMIT_OF_PICTURES + 1)
    assert len(list(heavy.faults())) == 2
    assert not list(weights.Weight("p", True, 1, 1, weights.LIMIT, 1, 0).faults())
    weigh(tmp_path, page_html=HEAD.format('<script src="http://example.org/a.js"></script>', ""))
    done = subprocess.run(
        [sys.executable, weights.__file__, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "page loads http://example.org/a.js" in done.stderr
    assert "page" in done.stdout


def test_what_the_theme_calls_its_parts_is_said_for_a_reader() -> None:
    theirs = (
        '<html data-theme="auto"><title>The book &#8212; The book</title>'
        '<meta name="viewport" content="a" /><meta name="viewport" content="b" />\n'
        '<summary aria-label="Toggle hidden content">Show</summary>'
        '<button title="Toggle primary sidebar"></button>'
        '<div id="ethical-ad-placement"\n class="flat">\n</div>'
    )
    assert delivery.named(theirs) == (
        '<html data-theme="light"><title>The book</title>'
        '<meta name="viewport" content="a" />\n'
        "<summary>Show</summary>"
        '<button title="Contents of the book"></button>'
    )
    theme = '<dialog id="pst-search-dialog"><dialog id="pst-primary-sidebar-modal"></dialog>'
    once = delivery.named(theme)
    assert once.count("aria-label") == 2
    assert delivery.named(once) == once, "a page may be finished again"
    assert "<title>One &#8212; The book</title>" in delivery.named(
        "<title>One &#8212; The book</title>"
    )
