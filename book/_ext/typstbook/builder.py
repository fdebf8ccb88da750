"""The builder: the documents in the order of the contents, as one book on each paper, and each chapter alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import segno
from about import description
from contents import documents, family, moving, parts
from docutils import nodes
from sphinx.builders import Builder
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.console import bold
from sphinx.util.i18n import format_date

from . import backmatter
from .floats import FloatVisitor
from .links import URI, destination, label_targets
from .press import Press
from .source import array, call, content, escape, optional, string
from .texmath import Converter
from .visitor import Book

_IMAGE_TYPES = ("image/svg+xml", "application/pdf", "image/png", "image/jpeg")
_logger = logging.getLogger(__name__)

Trees = dict[str, nodes.document]


class TypstBuilder(Builder):
    """Prints the whole book."""

    name = "typst"
    format = "typst"
    epilog = "The PDF is in %(outdir)s."
    supported_image_types = list(_IMAGE_TYPES)  # noqa: RUF012

    def get_outdated_docs(self) -> str:
        return "the whole book"

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        return URI + docname

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        return self.get_target_uri(to, typ)

    def write(self, *_: object) -> None:
        """Write the sources with their images and compile them."""
        start = time.perf_counter()
        depths = documents(self.env)
        trees = {docname: self._resolved(docname) for docname in depths}
        self.events.emit("typst-resolved", trees)
        index = backmatter.index_of(self)
        book = self._book(trees, index)
        texts = {
            docname: FloatVisitor(book, docname, depth).document(trees[docname])
            for docname, depth in depths.items()
        }
        if book.problems:
            listed = "\n  ".join(dict.fromkeys(book.problems))
            raise ExtensionError(f"The book cannot be printed:\n  {listed}")
        body = "\n\n".join([*self._body(texts), *self._back(book, trees, index)])
        wide = {self.env.titles[name].astext() for name in trees if self._wide(name)}
        press = Press(Path(self.outdir), self.config.typst_pdf_standards, wide | {backmatter.INDEX})
        press.write_images(Path(self.srcdir), self.images)
        for name, address in book.codes.items():
            segno.make(address, micro=False).save(str(press.folder / name), border=1)
        if "#moves(" in body and not book.codes:
            _logger.info("no QR codes: the site has no address (html_baseurl)")
        written = time.perf_counter()
        imprint = array([content(line) for line in self._imprint()])
        press.print_book(self.config.typst_pdf_name, self._show("book", imprint=imprint), body)
        for docname in filter(self._number, trees):
            alone = "\n\n".join(self._alone(book, docname, trees, texts[docname]))
            show = self._show(
                "excerpt",
                chapter=string(self.env.titles[docname].astext()),
                description=string(description(trees[docname])),
            )
            press.print_chapter(docname, show, alone)
        _logger.info(
            bold("printed %d documents, %d images") + " (source %.1f s, PDF %.1f s)",
            len(trees),
            len(self.images),
            written - start,
            time.perf_counter() - written,
        )

    # Sphinx asks for these; the whole book is written at once.
    def prepare_writing(self, docnames: set[str]) -> None: ...

    def write_doc(self, docname: str, doctree: nodes.document) -> None: ...

    def _resolved(self, docname: str) -> nodes.document:
        tree = self.env.get_doctree(docname)
        for figure in moving(tree):
            figure["explorable"] = True
        self.env.resolve_references(tree, docname, self)
        self.post_process_images(tree)
        return tree

    def _book(self, trees: Trees, index: backmatter.Letters) -> Book:
        preface = self.config.typst_preface
        return Book(
            labels=label_targets(trees, backmatter.indexed_places(index)) | backmatter.PLACES,
            images={
                source: f"images/{name}"
                for source, name in self.images.items()
                if (Path(self.srcdir) / source).is_file()
            },
            section_numbers=self.env.toc_secnumbers,
            figure_numbers=self.env.toc_fignumbers,
            number_formats=self.config.numfig_format,
            equation_separator=self.config.math_numsep,
            mathematics=Converter(self.config.tex_macros),
            titles={self.config.root_doc: preface} if preface else {},
            site=self.config.html_baseurl,
        )

    def _body(self, texts: dict[str, str]) -> Iterator[str]:
        """Each chapter, with the documents under it as its sections."""
        for caption, tops in parts(self.env):
            for top in tops:
                opening = call("part", content(escape(caption))) if caption else ""
                first = opening if top == tops[0] else ""
                _, *under = family(self.env, top)
                further = "".join(f"\n\n// {name}\n{texts[name]}" for name, _ in under)
                yield f"// {top}"
                yield backmatter.chapter(first + texts[top] + further, self._wide(top))

    def _wide(self, docname: str) -> bool:
        return any(fnmatch(docname, pattern) for pattern in self.config.typst_wide)

    def _number(self, docname: str) -> str | None:
        number = self.env.toc_secnumbers.get(docname, {}).get("")
        return ".".join(map(str, number)) if number else None

    def _back(self, book: Book, trees: Trees, index: backmatter.Letters) -> Iterator[str]:
        yield backmatter.answers(self._answers(book, docname) for docname in trees)
        yield "// index"
        yield backmatter.index(index, book.labels)
        yield "// colophon"
        told = [line for lines in self.app.emit("typst-colophon") for line in lines]
        yield backmatter.colophon(
            self.config.html_title, self._edition(), [*told, *self.config.typst_colophon]
        )

    def _answers(self, book: Book, docname: str) -> tuple[str, str | None, str, list[str]]:
        title = FloatVisitor(book, docname).inline(self.env.titles[docname])
        return docname, self._number(docname), title, book.answers.get(docname, [])

    def _alone(self, book: Book, docname: str, trees: Trees, body: str) -> Iterator[str]:
        """A chapter, its answers, and the sources that it cites."""
        yield body
        yield from self._alone_heading("Answers and solutions", book.answers.get(docname, []))
        cited = {destination(docname, link) for link in trees[docname].findall(nodes.reference)}
        sources = [
            FloatVisitor(book, home).visit(source)
            for home, tree in trees.items()
            for source in tree.findall(nodes.citation)
            if cited & {(home, name) for name in source["ids"]}
        ]
        yield from self._alone_heading("Sources", sources)

    def _alone_heading(self, title: str, parts: list[str]) -> Iterator[str]:
        if parts:
            yield call("section", "2", "none", "none", content(title))
            yield from parts

    def _edition(self) -> str | None:
        """The version, and the date: that of the commit, where the build was given it."""
        config = self.config
        today = config.today
        if not today and "SOURCE_DATE_EPOCH" in os.environ:
            today = format_date("%d %B %Y", language=config.language)
        version = config.release and f"version {config.release}"
        return ", ".join(text for text in (version, today) if text) or None

    def _imprint(self) -> Iterator[str]:
        """What stands behind the title: whose the book is, under what licence, which edition, where its site is."""
        config = self.config
        yield escape(f"© {config.copyright} {config.author}")
        yield from map(escape, config.typst_imprint)
        if edition := self._edition():
            yield escape(edition[0].upper() + edition[1:])
        if config.html_baseurl:
            site = string(config.html_baseurl)
            yield "On the web: " + call("link", site, content(call("raw", site)))

    def _show(self, function: str, **more: str) -> str:
        """The rule that sets what follows as a book, or as an excerpt."""
        config = self.config
        language, _, region = config.language.replace("_", "-").partition("-")
        facts = {
            "title": string(config.html_title),
            "subtitle": optional(config.typst_subtitle),
            "author": string(config.author),
            "description": optional(config.typst_description or config.typst_subtitle),
            "keywords": array([string(word) for word in config.typst_keywords]),
            "edition": optional(self._edition()),
            "language": string(language),
            "region": optional(region or None),
            **more,
        }
        options = ", ".join(f"{name}: {value}" for name, value in facts.items())
        return f"#show: {function}.with({options})"
