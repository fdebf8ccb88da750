"""The builder: the documents in the order of the contents, one Typst source, one PDF."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import typst
from docutils import nodes
from sphinx.builders import Builder
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.console import bold

from .floats import FloatVisitor
from .links import URI, label_targets
from .source import call, content, escape, optional, string
from .texmath import Converter
from .visitor import Book

_HERE = Path(__file__).parent
_TEMPLATE = ("template.typ", "code.tmTheme")
_IMAGE_TYPES = ("image/svg+xml", "application/pdf", "image/png", "image/jpeg")
_logger = logging.getLogger(__name__)


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
        """Write main.typ with its images and compile it."""
        start = time.perf_counter()
        trees = {
            docname: self._resolved(docname) for _, names in self._parts() for docname in names
        }
        book = self._book(trees)
        body = "\n\n".join(self._chapters(book, trees))
        if book.problems:
            listed = "\n  ".join(dict.fromkeys(book.problems))
            raise ExtensionError(f"The book cannot be printed:\n  {listed}")
        self._write_files(body)
        written = time.perf_counter()
        self._compile()
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

    def _parts(self) -> Iterator[tuple[str | None, list[str]]]:
        """Each part's caption and its documents; the root stands before the first part."""
        site = self.config.external_site_map
        yield None, [site.root.docname]

        def below(docname: str) -> Iterator[str]:
            yield docname
            for child in site[docname].child_files():
                yield from below(child)

        for part in site.root.subtrees:
            yield part.caption, [docname for file in part.files() for docname in below(file)]

    def _resolved(self, docname: str) -> nodes.document:
        tree = self.env.get_doctree(docname)
        self.env.resolve_references(tree, docname, self)
        self.post_process_images(tree)
        return tree

    def _book(self, trees: dict[str, nodes.document]) -> Book:
        return Book(
            labels=label_targets(trees),
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
        )

    def _chapters(self, book: Book, trees: dict[str, nodes.document]) -> Iterator[str]:
        for caption, docnames in self._parts():
            for docname in docnames:
                yield f"// {docname}\n" + call("new-page")
                if caption and docname == docnames[0]:
                    yield call("part", content(escape(caption)))
                yield FloatVisitor(book, docname).document(trees[docname])

    def _write_files(self, body: str) -> None:
        out = Path(self.outdir)
        shutil.rmtree(out / "images", ignore_errors=True)
        (out / "images").mkdir(parents=True)
        for source, name in self.images.items():
            shutil.copyfile(Path(self.srcdir) / source, out / "images" / name)
        for name in _TEMPLATE:
            shutil.copyfile(_HERE / name, out / name)
        edition = ", ".join(text for text in (self.config.release, self.config.today) if text)
        config = self.config
        language, _, region = config.language.replace("_", "-").partition("-")
        facts = {
            "title": string(config.html_title),
            "subtitle": optional(config.typst_subtitle),
            "author": string(config.author),
            "edition": optional(edition or None),
            "language": string(language),
            "region": optional(region or None),
        }
        show = f"#show: book.with({', '.join(f'{name}: {value}' for name, value in facts.items())})"
        (out / "main.typ").write_text(
            f'#import "template.typ": *\n{show}\n\n{body}\n', encoding="utf-8"
        )

    def _compile(self) -> None:
        out = Path(self.outdir)
        # Without a date given from outside, the PDF holds none: the same book gives the same bytes.
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        try:
            _, warnings = typst.compile_with_warnings(
                out / "main.typ",
                output=out / self.config.typst_pdf_name,
                root=out,
                ignore_system_fonts=True,
                pdf_standards=list(self.config.typst_pdf_standards),
                timestamp=int(epoch) if epoch else None,
                sys_inputs={"dated": "true" if epoch else "false"},
            )
        except typst.TypstError as error:
            raise ExtensionError(
                f"Typst rejects the source of the book:\n{error.diagnostic}"
            ) from None
        for warning in warnings:
            _logger.warning("%s", warning.diagnostic, type="typst")
