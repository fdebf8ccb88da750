"""Typst at work: sources and images in a folder, and the PDFs made of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typst
from sphinx.errors import ExtensionError
from sphinx.util import logging

from .measure import overfull

_HERE = Path(__file__).parent
_TEMPLATE = ("book.typ", "template.typ", "code.tmTheme")
# The papers, and what the file's name gains: pages break alike on each.
_PAPERS = MappingProxyType({"a4": "", "us-letter": "-letter"})
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Press:
    """Prints into `folder`, to these standards; the chapters of the titles `wide` have no margin for notes."""

    folder: Path
    standards: list[Any]  # typst lists the names that it takes
    wide: Set[str]

    def write_images(self, source: Path, images: Mapping[str, str]) -> None:
        """Copy the images, by their paths under `source`, and the template."""
        for folder in ("images", "chapters"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            (self.folder / folder).mkdir(parents=True)
        for path, name in images.items():
            shutil.copyfile(source / path, self.folder / "images" / name)
        for name in _TEMPLATE:
            shutil.copyfile(_HERE / name, self.folder / name)

    def print_book(self, name: str, show: str, body: str) -> None:
        """Print the book on each paper."""
        source = self._write("main.typ", show, body)
        for paper, suffix in _PAPERS.items():
            pdf = Path(name)
            self._compile(source, pdf.with_stem(pdf.stem + suffix), paper=paper)

    def print_chapter(self, name: str, show: str, body: str) -> None:
        """Print a chapter without the others: links to them are plain text."""
        pdf = Path("chapters", name.replace("/", "-") + ".pdf")
        self._compile(self._write(f"{pdf.stem}.chapter.typ", show, body), pdf, alone="true")

    def _write(self, name: str, show: str, body: str) -> Path:
        path = self.folder / name
        path.write_text(f'#import "book.typ": *\n{show}\n\n{body}\n', encoding="utf-8")
        return path

    def _compile(self, source: Path, pdf: Path, **inputs: str) -> None:
        # Without a date given from outside, the PDF holds none: the same book gives the same bytes.
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        try:
            _, warnings = typst.compile_with_warnings(
                source,
                output=self.folder / pdf,
                root=self.folder,
                ignore_system_fonts=True,
                pdf_standards=list(self.standards),
                timestamp=int(epoch) if epoch else None,
                sys_inputs={"dated": "true" if epoch else "false", **inputs},
            )
        except typst.TypstError as error:
            raise ExtensionError(f"Typst rejects {source.name}:\n{error.diagnostic}") from None
        for warning in warnings:
            _logger.warning("%s", warning.diagnostic, type="typst")
        for line in overfull(self.folder / pdf, self.wide):
            _logger.warning("%s: %s", pdf, line, type="typst", subtype="overfull")
