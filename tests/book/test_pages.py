"""Every page names itself, stands in order, leads nowhere that does not exist, and tells what it is to programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from about import last_changes
from bs4 import BeautifulSoup, Tag
from minibook import CELL, HEADER, build, page, write_book
from sitecheck import Site

TOLD = HEADER.replace(
    "---\n", "---\nmyst:\n  html_meta:\n    description: What the header says.\n", 1
)
THEOREM = ":::{prf:theorem} A name\n:label: thm-sum\nAll is one.\n:::\n\n"
PROOF = ":::{prf:proof}\nSo it is.\n:::\n\n"
PAGES = {
    "index.md": "# Preface\n\nThe book begins here. It goes on.\n",
    "first.md": TOLD + "# First\n\nA *first* chapter.\n\n" + THEOREM + PROOF + PROOF,
    "second.md": HEADER
    + "# Second <part>\n\nA second chapter, after {prf:ref}`thm-sum`. "
    + " ".join(["word"] * 600)
    + "\n\n## Section\n\n### Below it\n\n"
    + CELL.format("print(1)"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site that knows its address, and has a history of one day."""
    root = tmp_path_factory.mktemp("pages")
    write_book(root, PAGES, {"__init__.py": ""})
    git(root, "init", "-q")
    git(root, "add", "book/first.md", "_config.yml")
    git(root, "commit", "-qm", "First", day="1977-05-03")
    result = build(root, "https://example.org/em", "https://github.com/owner/a-book.git")
    assert result.returncode == 0, result.stdout
    offer(root)
    return root


def offer(root: Path) -> None:
    """Put what `make book` adds to the site where its pages link to it."""
    site = root / "_build" / "html"
    (site / "downloads").mkdir(exist_ok=True)
    for chapter in ("first", "second"):
        for form in ("pdf", "ipynb"):
            (site / "downloads" / f"{chapter}.{form}").touch()
    (site / "exploring-em.pdf").touch()


def git(root: Path, *command: str, day: str = "1977-05-03") -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    stamp = f"{day}T12:00:00+00:00"
    dates = {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}
    subprocess.run(["git", *who, *command], cwd=root, check=True, env=dates)


def soup(root: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup(page(root, name), "html.parser")


def content(root: Path, name: str, selector: str) -> str:
    (tag,) = soup(root, name).select(selector)
    return str(tag["content"])


def test_no_page_has_a_fault(built: Path) -> None:
    site = Site(built / "_build" / "html")
    assert set(site.pages) == {"404", "first", "genindex", "index", "search", "second"}
    assert list(site.faults()) == []


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(html: str) -> str:
        assert old in html
        return html.replace(old, new)

    return change


BROKEN = {
    "no language": replaced(' lang="en-GB"', ""),
    "no title": lambda html: re.sub("<title>.*?</title>", "<title> </title>", html, flags=re.S),
    "no description": replaced('name="description"', 'name="said"'),
    "no schema.org data": replaced("application/ld+json", "application/json"),
    "none of schema.org's": replaced('"https://schema.org"', '"https://example.org"'),
    "no skip link": replaced('href="#main-content"', 'href="#"'),
    "neither a previous nor a next page": replaced("prev-next-title", "prev"),
    "2 headings of the first level": replaced("</h1>", "</h1><h1>Again</h1>"),
    "'Deep' is of level 4, right below level 1": replaced("</h1>", "</h1><h4>Deep</h4>"),
    "leads to gone.html, which does not exist": replaced('"first.html"', '"gone.html"'),
    "where nothing has the id 'gone'": replaced("first.html#thm-sum", "first.html#gone"),
    "the id 'section' stands 2 times": replaced("</article>", '<p id="section"></p></article>'),
    "a control without a name": replaced("</article>", "<button><i></i></button></article>"),
    "landmarks of one kind": replaced("</article>", '<nav aria-label="Main"></nav></article>'),
    "a picture without words": replaced("</article>", '<img src="_static/favicon.svg"></article>'),
    "the same title": lambda html: re.sub(
        "<title>.*?</title>", "<title>Index &#8212; Exploring the EM Algorithm</title>", html
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_twin_is_refused(built: Path, tmp_path: Path, fault: str) -> None:
    twin = shutil.copytree(built / "_build" / "html", tmp_path / "twin")
    file = twin / "second.html"
    file.write_text(BROKEN[fault](file.read_text()))
    found = list(Site(twin).faults())
    assert any(fault in line and "second" in line for line in found), found


def test_an_empty_folder_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pages here"):
        Site(tmp_path)


def test_a_page_is_described_by_its_header_or_its_first_sentences(built: Path) -> None:
    assert content(built, "first", '[name="description"]') == "What the header says."
    assert content(built, "index", '[name="description"]') == "The book begins here. It goes on."
    second = content(built, "second", '[property="og:description"]')
    assert second.startswith("A second chapter, after Theorem")


def test_a_chapter_tells_its_time_and_its_last_change(built: Path) -> None:
    line = soup(built, "first").select_one(".about-line")
    assert isinstance(line, Tag)
    assert "Last changed 3 May 1977" in line.get_text()
    assert "About 3 minutes to read" in page(built, "second")
    assert "Last changed" not in page(built, "second")  # git does not know it


def test_a_chapter_can_be_taken_and_run(built: Path) -> None:
    def links(root: Path, name: str) -> list[str]:
        return [str(link["href"]) for link in soup(root, name).select(".about-line a")]

    own = ["#cite-this", "downloads/second.pdf", "downloads/second.ipynb"]
    elsewhere = [
        "https://colab.research.google.com/github/owner/a-book/blob/notebooks/second.ipynb",
        "https://mybinder.org/v2/gh/owner/a-book/notebooks?labpath=second.ipynb",
    ]
    assert links(built, "second") == own + elsewhere
    assert links(built, "index") == []
    pdf = '[name="citation_pdf_url"]'
    assert content(built, "second", pdf) == "https://example.org/em/downloads/second.pdf"


def test_a_repository_may_stand_in_the_configuration(built: Path, tmp_path: Path) -> None:
    root = shutil.copytree(built, tmp_path / "copy")
    config = (root / "_config.yml").read_text()
    assert "book_repository: ''" in config
    config = config.replace("book_repository: ''", "book_repository: https://github.com/a/b")
    (root / "_config.yml").write_text(config)
    result = build(root, "https://example.org/em")
    assert result.returncode == 0, result.stdout
    assert "/github/a/b/blob/notebooks/second.ipynb" in page(root, "second")
    result = build(root)
    assert result.returncode == 0, result.stdout
    assert "colab" not in page(root, "second"), "notebooks that nobody can run there"
    assert not (root / "_build" / "html" / "sitemap.xml").exists()
    assert not (root / "_build" / "html" / "card.png").exists()


@pytest.mark.parametrize(
    "repository", ["https://example.org/owner/book", "https://github.com/owner"]
)
def test_a_repository_that_nobody_can_open_there_is_refused(
    built: Path, tmp_path: Path, repository: str
) -> None:
    root = shutil.copytree(built, tmp_path / "copy", ignore=shutil.ignore_patterns("_build"))
    result = build(root, repository=repository)
    assert result.returncode != 0
    assert "as https://github.com/owner/name, not" in result.stdout


def test_a_history_in_part_dates_nothing(built: Path, tmp_path: Path) -> None:
    last_changes.cache_clear()
    assert last_changes(built)["book/first.md"] == date(1977, 5, 3)
    git(built, "commit", "-qm", "More", "--allow-empty")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{built}", "shallow")
    assert last_changes(tmp_path / "shallow") == {}
    assert last_changes(tmp_path) == {}


def test_programs_learn_what_a_chapter_is(built: Path) -> None:
    (data,) = soup(built, "second").select('[type="application/ld+json"]')
    found = json.loads(str(data.string))
    assert (found["@type"], found["position"], found["name"]) == ("Chapter", 2, "Second <part>")
    assert found["isPartOf"]["name"] == "Exploring the EM Algorithm"
    assert found["timeRequired"] == "PT3M"
    assert found["encoding"]["contentUrl"] == "https://example.org/em/downloads/second.pdf"
    assert found["license"].startswith("https://creativecommons.org/")
    assert content(built, "first", '[name="citation_publication_date"]') == "1977/05/03"
    assert content(built, "first", '[name="citation_inbook_title"]') == "Exploring the EM Algorithm"
    assert 'href="https://example.org/em/first.html"' in page(built, "first")
    sitemap = (built / "_build" / "html" / "sitemap.xml").read_text()
    first = "<loc>https://example.org/em/first.html</loc><lastmod>1977-05-03</lastmod>"
    assert first in sitemap
    assert "<loc>https://example.org/em/second.html</loc></url>" in sitemap


def test_a_chapter_can_be_cited(built: Path) -> None:
    text, bibtex = (tag.get_text() for tag in soup(built, "second").select("#cite-this pre"))
    assert "Second <part>. Chapter 2 of Exploring the EM Algorithm, version" in text
    assert bibtex.startswith("@incollection{exploring-em-second,")
    assert bibtex.count("{") == bibtex.count("}")
    assert "url       = {https://example.org/em/second.html}" in bibtex
    assert not soup(built, "genindex").select("#cite-this")


def test_the_page_for_wrong_addresses_works_at_any_depth(built: Path) -> None:
    html = page(built, "404")
    assert html.index('<base href="/em/">') < min(
        html.index("href=", html.index("<base") + 12), html.index("src=")
    )
    assert soup(built, "404").select('article a[href="index.html"]')


def test_theorems_have_permanent_links(built: Path) -> None:
    (link,) = soup(built, "first").select("#thm-sum .admonition-title a.headerlink")
    assert link["href"] == "#thm-sum"


def test_without_an_address_nothing_needs_one(built: Path, tmp_path: Path) -> None:
    root = shutil.copytree(built, tmp_path / "copy", ignore=shutil.ignore_patterns("_build"))
    result = build(root)
    assert result.returncode == 0, result.stdout
    assert "no sitemap" in result.stdout
    assert not (root / "_build" / "html" / "sitemap.xml").exists()
    first = page(root, "first")
    assert "og:url" not in first
    assert 'rel="canonical"' not in first
    assert "colab" not in first
    assert "mybinder" not in first
    assert '<base href="/">' in page(root, "404")


def test_an_address_without_a_scheme_is_refused(built: Path, tmp_path: Path) -> None:
    root = shutil.copytree(built, tmp_path / "copy", ignore=shutil.ignore_patterns("_build"))
    result = build(root, url="example.org")
    assert result.returncode != 0
    assert "must begin with https://" in result.stdout
