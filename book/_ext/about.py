"""What a page tells of itself: to its reader, to whoever cites it, and to the programs that list it.

The facts go to the templates `about-*.html`. With no address of the site known (`baseurl` in `_config.yml`, or BOOK_URL
in the environment of the build), what would need one is left out: canonical links, cards' addresses, the sitemap.
Colab and Binder open the branch `notebooks` of a repository (`book_repository`, or BOOK_REPOSITORY); they need the
address, too, for a notebook has emlib from the site.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

logger = logging.getLogger(__name__)

WORDS_A_MINUTE, WORDS_A_FORMULA = 200, 20
LONGEST_DESCRIPTION = 200
MADE_PAGES = {
    "search": "Search the book for words, symbols and names of the library.",
    "genindex": "The index of the book: terms, symbols and names, with links to where they stand.",
    "404": "The address leads nowhere: the contents and the search of the book help on.",
}


@dataclass(frozen=True)
class About:
    """The facts of a page."""

    name: str
    title: str
    description: str
    number: int | None = None
    """Its number, if it is a chapter."""
    minutes: int = 0
    changed: date | None = None
    """When the source changed last; None when git cannot tell."""

    @property
    def changed_in_words(self) -> str:
        """As in 3 May 2026."""
        return f"{self.changed.day} {self.changed:%B %Y}" if self.changed else ""


@dataclass(frozen=True)
class Book:
    """The facts of the whole, as `CITATION.cff` and `_config.yml` have them."""

    title: str
    author: str
    abstract: str
    version: str
    year: int
    url: str
    language: str
    pdf: str
    notebooks: str
    """The repository whose branch `notebooks` has them, as in owner/name on GitHub; empty if there is none."""


def know_site(app: Sphinx, config: Config) -> None:
    """The site's address may come from whoever publishes it; a commit dates pages anew."""
    url = os.environ.get("BOOK_URL") or config.html_baseurl
    if url and not re.match(r"https?://[^/]", url):
        raise ValueError(f"the site's address must begin with https:// or http://, not {url!r}")
    config.html_baseurl = url.rstrip("/") + "/" if url else ""
    public = os.environ.get("BOOK_REPOSITORY") or config.book_repository
    owned = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", public)
    if public and not owned:
        raise ValueError(
            f"Colab and Binder need a repository as https://github.com/owner/name, not {public!r}"
        )
    config.book_repository = public
    config.book_notebooks = owned[1] if owned and url else ""
    config.book_changes = repr(sorted(last_changes(Path(app.srcdir).parent).items()))


def book(config: Config, root: Path) -> Book:
    """Read what the configuration and the citation file say."""
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    return Book(
        title=config.html_title,
        author=config.author,
        abstract=citation["abstract"],
        version=citation["version"],
        year=date.fromisoformat(citation["date-released"]).year,
        url=config.html_baseurl,
        language=config.language.replace("_", "-"),
        pdf=config.typst_pdf_name if "typst_pdf_name" in config else "",
        notebooks=config.book_notebooks,
    )


@cache
def last_changes(root: Path) -> dict[str, date]:
    """The day of the last commit of every file; nothing without git, or when only a part of the history is there."""

    def git(*command: str) -> str:
        run = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True)
        return run.stdout if run.returncode == 0 else ""

    try:
        if git("rev-parse", "--is-shallow-repository").strip() != "false":
            return {}
        log = git("log", "--format=%x00%cs", "--name-only", "--relative")
    except FileNotFoundError:
        return {}
    found: dict[str, date] = {}
    for commit in log.split("\0")[1:]:
        day, *files = commit.split("\n")
        for file in filter(None, files):
            found.setdefault(file, date.fromisoformat(day))
    return found


def about(app: Sphinx, name: str, tree: nodes.document | None, title: str) -> About:
    """Gather the facts of a page; one that Sphinx made has only a title and a description."""
    if tree is None:
        named = {"genindex": "Index", "search": "Search"}.get(name, title)
        return About(name, named, MADE_PAGES.get(name, title))
    env = app.env
    source = Path(env.doc2path(name))
    root = Path(app.srcdir).parent
    number = env.toc_secnumbers.get(name, {}).get("", (None,))[0]
    return About(
        name=name,
        title=env.titles[name].astext(),
        description=description(tree) or title,
        number=number,
        minutes=minutes(tree),
        changed=last_changes(root).get(source.relative_to(root).as_posix()),
    )


def description(tree: nodes.document) -> str:
    """What the header of the page says (`myst: html_meta: description`), or its first sentences."""
    for line in tree.findall(nodes.meta):
        if line.get("name") == "description":
            return str(line["content"])
    said = ""
    for paragraph in tree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            for sentence in re.split(
                r"(?<=[.!?:]) (?=[A-Z])", " ".join(paragraph.astext().split())
            ):
                if said and len(said) + len(sentence) >= LONGEST_DESCRIPTION:
                    return said
                said = f"{said} {sentence}".strip()
    return said


def minutes(tree: nodes.document) -> int:
    """How long the prose takes to read, a displayed formula counted as two lines; code and outputs are skipped."""
    prose = (" ".join(p.astext() for p in tree.findall(_is_prose))).split()
    formulas = sum(1 for _ in tree.findall(nodes.math_block))
    return max(1, round((len(prose) + WORDS_A_FORMULA * formulas) / WORDS_A_MINUTE))


def _is_prose(node: nodes.Node) -> bool:
    return isinstance(node, nodes.paragraph | nodes.title | nodes.caption | nodes.term)


def to_templates(
    app: Sphinx, name: str, _template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Hand a page's facts to its template, and show its reader the first of them."""
    facts = about(app, name, tree, re.sub(r"<[^>]*>", "", context.get("title", name)))
    context["about"] = facts
    context["book"] = book(app.config, Path(app.srcdir).parent)
    context["linked_data"] = linked_data(facts, context["book"])
    if "body" in context and (facts.number or facts.changed):
        line = app.builder.templates.render("about-line.html", context)
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{line}", 1)


def linked_data(page: About, whole: Book) -> dict[str, Any]:
    """What the page is, in the vocabulary of schema.org."""
    common = {
        "author": {"@type": "Organization", "name": whole.author},
        "inLanguage": whole.language,
        "license": "https://creativecommons.org/licenses/by/4.0/",
    }
    volume: dict[str, Any] = {
        "@type": "Book",
        "name": whole.title,
        "version": whole.version,
        **common,
    }
    if whole.url:
        volume["url"] = whole.url
    if page.name == "index":
        found = {"description": whole.abstract, **volume}
    else:
        found = {
            "@type": "Chapter" if page.number else "WebPage",
            "name": page.title,
            "description": page.description,
            **common,
            "isPartOf": volume,
        }
        if page.number:
            found |= {"position": page.number, "timeRequired": f"PT{page.minutes}M"}
        if whole.url:
            found["url"] = f"{whole.url}{page.name}.html"
        if whole.url and page.number:
            pdf = f"{whole.url}downloads/{page.name}.pdf"
            found["encoding"] = {
                "@type": "MediaObject",
                "contentUrl": pdf,
                "encodingFormat": "application/pdf",
            }
    if page.changed:
        found["dateModified"] = page.changed.isoformat()
    return {"@context": "https://schema.org", **found}


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """List the pages for search engines; their addresses must be whole, so without one of the site there is no list."""
    if exception is not None or app.builder.name != "html":
        return
    url, root = app.config.html_baseurl, Path(app.srcdir).parent
    file = Path(app.outdir) / "sitemap.xml"
    if not url:
        file.unlink(missing_ok=True)
        logger.info("no sitemap and no canonical links: neither baseurl nor BOOK_URL is set")
        return
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    lines += ['<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">']
    for name in sorted(app.env.found_docs):
        source = Path(app.env.doc2path(name)).relative_to(root).as_posix()
        changed = last_changes(root).get(source)
        stamp = f"<lastmod>{changed.isoformat()}</lastmod>" if changed else ""
        page = app.builder.get_target_uri(name)
        lines.append(f"<url><loc>{url}{page}</loc>{stamp}</url>")
    file.write_text("\n".join([*lines, "</urlset>", ""]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Know the address first, fill the templates of each page, list the pages last."""
    app.add_config_value("book_changes", "", "html", str)
    app.add_config_value("book_repository", "", "html", str)
    app.add_config_value("book_notebooks", "", "html", str)
    app.connect("config-inited", know_site)
    app.connect("html-page-context", to_templates)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
