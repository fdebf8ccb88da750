"""The EPUB is one by EPUBCheck's rules, holds the whole book, and fits a phone."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from server import SITE

EPUB = SITE / "exploring-em.epub"
# Debian's package is a jar, which runs by its name only where the kernel was told so.
JAR = Path("/usr/share/java/epubcheck.jar")
FAULTS = [  # what it must find: the file, what stands there, what must not, and its name for that
    ("bound.xhtml", b'href="mixtures.xhtml', b'href="nowhere.xhtml', "RSC-007"),
    ("notation.xhtml", b"<h2>", b"<h2><p>", "RSC-016"),
    ("package.opf", b' properties="mathml"', b"", "OPF-014"),
    ("nav.xhtml", b'href="mixtures.xhtml"', b'href="bound.xhtml"', "WARNING(NAV-011)"),
]
# On the site alone, or no paragraph in the other.
SITE_ALONE = "details.hide > summary, .about-line, .headerlink, .solution > .admonition-title"
PICTURE = re.compile(r'<img [^>]*src="([^"]*)"')


def check(epub: Path) -> subprocess.CompletedProcess[str]:
    if not JAR.exists() and not shutil.which("epubcheck"):
        pytest.exit("There is no EPUBCheck: run `make browser`.", returncode=2)
    command = ["java", "-jar", str(JAR)] if JAR.exists() else ["epubcheck"]
    return subprocess.run(
        [*command, "--failonwarnings", str(epub)], capture_output=True, text=True, check=False
    )


def spoilt(to: Path) -> Path:
    """A copy of the EPUB with one of each of the faults."""
    with zipfile.ZipFile(EPUB) as old, zipfile.ZipFile(to, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            for file, right, wrong, _ in FAULTS:
                if info.filename == f"EPUB/{file}":
                    assert right in data
                    data = data.replace(right, wrong)
            new.writestr(info, data)
    return to


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("epub")
    with zipfile.ZipFile(EPUB) as archive:
        archive.extractall(folder)
    return folder / "EPUB"


def test_epubcheck_finds_nothing() -> None:
    found = check(EPUB)
    assert found.returncode == 0, found.stdout + found.stderr


def test_epubcheck_finds_a_fault(tmp_path: Path) -> None:
    found = check(spoilt(tmp_path / "spoilt.epub"))
    assert found.returncode != 0
    for *_, code in FAULTS:
        assert code in found.stdout + found.stderr


def test_it_holds_each_page_of_the_site_and_no_script(unpacked: Path) -> None:
    made = {page.stem for page in unpacked.glob("*.xhtml")}
    pages = {page.stem for page in SITE.glob("*.html")} - {"search", "404"}
    assert made == pages | {"cover", "title", "nav"}
    for page in unpacked.glob("*.xhtml"):
        assert not re.search(r"<script|<button|\son\w+=", page.read_text()), page.name
    assert EPUB.stat().st_size < 5e6


def test_an_explorable_stands_as_its_twin_and_says_where_it_moves(unpacked: Path) -> None:
    for page in SITE.glob("*.html"):
        moving = page.read_text().count("data-explorable=")
        held = unpacked / f"{page.stem}.xhtml"
        told = held.read_text().count("This figure moves on the website") if held.exists() else 0
        assert told == moving, page.name
    front = (unpacked / "index.xhtml").read_text()
    # The address, where the site has one; else the page of it.
    moves = re.search(r"This figure moves on the website(.*?)</p>", front)
    assert moves
    assert ("index.html#xpl-front" if "http" in moves[1] else ">index.html<") in moves[1]
    assert all((unpacked / picture).exists() for picture in PICTURE.findall(front))


def test_no_page_scrolls_sideways(unpacked: Path, unwatched) -> None:
    page = unwatched.new_page()
    page.set_viewport_size({"width": 360, "height": 600})
    excess = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for file in sorted(unpacked.glob("*.xhtml")):
        page.goto(file.as_uri())
        assert page.evaluate(excess) <= 0, file.name
    page.evaluate("document.body.style.width = '400px'")
    assert page.evaluate(excess) > 0


def said(page: str) -> set[str]:
    """What the paragraphs of a page say, but for its formulas and white space."""
    soup = BeautifulSoup(page, "html.parser")
    for part in soup.select(f"math, .eqno, {SITE_ALONE}"):
        part.decompose()
    return {"".join(text.get_text().split()) for text in (soup.article or soup).select("p")}


@pytest.mark.parametrize("name", [file.name for file in sorted(SITE.glob("*.html"))])
def test_the_epub_says_all_that_the_site_says(unpacked: Path, name: str) -> None:
    twin = unpacked / name.replace(".html", ".xhtml")
    if not twin.exists():
        assert name in ("404.html", "search.html")
        return
    site, epub = ((path).read_text(encoding="utf-8") for path in (SITE / name, twin))
    assert said(site) <= said(epub)


def test_a_full_stop_that_only_one_has_would_be_seen(unpacked: Path) -> None:
    site, epub = (
        path.read_text(encoding="utf-8") for path in (SITE / "bound.html", unpacked / "bound.xhtml")
    )
    lost = re.sub(r"\.(</p>)", r"\1", site, count=1)
    assert lost != site
    assert not said(lost) <= said(epub)
