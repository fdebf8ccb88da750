"""The builder: Sphinx writes the documents; pages, contents, package and archive are written here."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from card import draw_cover
from contents import children, documents, moving, parts
from docutils import nodes
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from mathfont import characters, subset
from sphinx.builders.epub3 import Epub3Builder
from sphinx.environment.adapters.indexentries import IndexEntries
from sphinx.errors import ExtensionError
from sphinx.util.i18n import format_date

from .xhtml import clean_svg, convert

_HERE = Path(__file__).parent
_COVER, _FONT, _STYLE = "cover.png", "mathematics.woff2", "book.css"
_MEDIA = {
    ".css": "text/css",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
}


@dataclass(frozen=True)
class Entry:
    """A line of the contents; a part's has no address."""

    text: str
    address: str | None = None
    below: list[Entry] = field(default_factory=list)


class Builder(Epub3Builder):
    """Writes the whole book as one EPUB."""

    def init(self) -> None:
        super().init()
        self.use_index = True
        self._mathematical: set[str] = set()
        self._shown: set[str] = set()
        self._jinja = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def get_outdated_docs(self) -> Iterator[str]:
        """All of them: a page may quote a number from any other."""
        yield from sorted(self.env.found_docs)

    def prepare_writing(self, docnames: set[str]) -> None:
        shutil.rmtree(self.outdir)
        (Path(self.outdir) / "_static").mkdir(
            parents=True
        )  # in the end, myst-nb leaves a style sheet there
        super().prepare_writing(docnames)

    # The site's files, and what other extensions add to the site, have no place here.
    def copy_assets(self) -> None: ...

    def gen_pages_from_extensions(self) -> None: ...

    def gen_additional_pages(self) -> None: ...

    def write_domain_indices(self) -> None: ...

    def write_buildinfo(self) -> None: ...

    # Pages

    def write_doc(self, docname: str, doctree: nodes.document) -> None:
        found = {name for figure in moving(self.env.get_doctree(docname)) for name in figure["ids"]}
        for figure in doctree.findall(nodes.figure):
            if found & set(figure["ids"]):
                figure += nodes.legend("", self._where_it_moves(docname, figure["ids"][0]))
        super().write_doc(docname, doctree)

    def _where_it_moves(self, docname: str, identifier: str) -> nodes.paragraph:
        """The line that leads from a static twin to the explorable; where no site is known, to its page."""
        page, site = f"{docname}.html", self.config.html_baseurl
        words = ", on its page "
        place: nodes.Element = nodes.literal(text=page)
        if site:
            address = f"{site}{page}#{identifier}"
            words, place = ": ", nodes.reference("", address, refuri=address)
        moves = nodes.Text("This figure moves on the website" + words)
        return nodes.paragraph("", "", moves, place, classes=["moves"])

    def handle_page(
        self,
        pagename: str,
        addctx: dict[str, Any],
        templatename: str = "page.html",
        outfilename: str | None = None,
        event_arg: Any = None,
    ) -> None:
        """Write the page of a document."""
        try:
            body = convert(addctx["body"])
        except ValueError as error:
            raise ExtensionError(f"{pagename} cannot be part of an EPUB: {error}") from None
        if body.mathematics:
            self._mathematical.add(f"{pagename}.xhtml")
            self._shown |= characters(body.text)
        title = self.env.titles[pagename].astext()
        numbered = "" in self.env.toc_secnumbers.get(pagename, {})
        kind = "chapter" if numbered else None
        self._write(f"{pagename}.xhtml", "page.xhtml", title=title, body=body.text, kind=kind)

    def write_genindex(self) -> None:
        """Write the index, where a term leads to its first place in each document."""
        entries = IndexEntries(self.env).create_index(self)
        self.fix_genindex(entries)
        self._write(
            "genindex.xhtml", "index.xhtml", title="Index", letters=entries, places=self._places
        )

    def _places(self, links: list[tuple[str, str]]) -> dict[str, str]:
        """Where links of the index lead: addresses by the numbers or titles of their documents."""
        first: dict[str, str] = {}
        for _, address in links:
            first.setdefault(address.partition(".xhtml")[0], address)
        return {
            self._name(docname): first[docname]
            for docname in documents(self.env)
            if docname in first
        }

    def _name(self, docname: str) -> str:
        numbers = self.env.toc_secnumbers.get(docname, {}).get("")
        return ".".join(map(str, numbers)) if numbers else self.env.titles[docname].astext()

    def _write(self, name: str, template: str, **facts: Any) -> None:
        config = self.config
        text = self._jinja.get_template(template).render(
            facts, book=config, language=config.language.replace("_", "-"), style=_STYLE
        )
        (Path(self.outdir) / name).write_text(text, encoding="utf-8")

    # The package

    def handle_finish(self) -> None:
        """Write what is no document, and pack everything."""
        out = Path(self.outdir)
        told = [line for lines in self.app.emit("typst-colophon") for line in lines]
        self._write("cover.xhtml", "cover.xhtml", image=_COVER)
        self._write("title.xhtml", "title.xhtml", edition=self._edition(), told=told)
        self._write("nav.xhtml", "nav.xhtml", contents=self._contents())
        draw_cover(out / _COVER, self.config.html_title, self.config.typst_subtitle)
        shutil.copyfile(_HERE / _STYLE, out / _STYLE)
        (out / _FONT).write_bytes(subset(self._shown))
        names = ("cover", "title", "nav", *documents(self.env), "genindex")
        pages = [f"{name}.xhtml" for name in names]
        others = sorted(
            path.relative_to(out).as_posix()
            for path in out.rglob("*.*")
            if path.suffix in _MEDIA and path.suffix != ".xhtml"
        )
        for image in out.glob("_images/*.svg"):
            image.write_text(clean_svg(image.read_text(encoding="utf-8")), encoding="utf-8")
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_moment()))
        files = [
            (name, _MEDIA[Path(name).suffix], self._properties(name)) for name in pages + others
        ]
        self._write("package.opf", "package.opf", files=files, pages=len(pages), moment=moment)
        shutil.copyfile(_HERE / "templates" / "container.xml", out / "container.xml")
        pack(out, ["package.opf", *pages, *others], out / f"{self.config.epub_basename}.epub")

    def _properties(self, name: str) -> str | None:
        if name in self._mathematical:
            return "mathml"
        return {"nav.xhtml": "nav", _COVER: "cover-image"}.get(name)

    def _edition(self) -> str:
        day = format_date("%d %B %Y", language=self.config.language)
        return f"Version {self.config.release}, {day}"

    # The contents

    def _contents(self) -> list[Entry]:
        found: list[Entry] = []
        for caption, names in parts(self.env):
            entries = [self._entry(name) for name in names]
            found += [Entry(caption, below=entries)] if caption else entries
        return [*found, Entry("Index", "genindex.xhtml")]

    def _entry(self, docname: str) -> Entry:
        """A document, its sections, and the documents under it."""
        numbers = self.env.toc_secnumbers.get(docname, {})

        def entry(link: nodes.reference) -> Entry:
            anchor = link["anchorname"]
            number = "".join(f"{part}." for part in numbers.get(anchor) or ())
            address = f"{docname}.xhtml" + self.fix_fragment("", anchor)
            return Entry(f"{number.removesuffix('.')} {link.astext()}".strip(), address)

        first, *sections = _links(self.env.tocs[docname], depth=2)
        root = docname == self.config.root_doc  # its documents are the parts'
        nested = [] if root else [self._entry(child) for child in children(self.env, docname)]
        top = entry(first)
        return Entry(top.text, top.address, [*map(entry, sections), *nested])


def _links(toc: nodes.Element, depth: int) -> Iterable[nodes.reference]:
    """The links of a document's own contents to its title and its sections."""
    for item in toc.children:
        if isinstance(item, nodes.list_item):
            yield from item[0].findall(nodes.reference)
            for under in item.children[1:] if depth > 1 else []:
                assert isinstance(under, nodes.Element)
                yield from _links(under, depth - 1)


def _moment() -> int:
    """When the book was made: the time of its commit, where the build was given it."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())


def pack(folder: Path, files: Iterable[str], to: Path) -> None:
    """Write the archive: first its type, uncompressed; the bytes depend on the files and on the date alone."""
    date = max(time.gmtime(_moment())[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype", date), "application/epub+zip")
        for name in ["container.xml", *files]:
            inside = f"META-INF/{name}" if name == "container.xml" else f"EPUB/{name}"
            info = zipfile.ZipInfo(inside, date)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, (folder / name).read_bytes())
