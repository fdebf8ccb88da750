"""The measure of what was printed: every word stands in the column, or in the margin for notes beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pypdfium2

# As book.typ and template.typ have them.
_CENTIMETRE = 72 / 2.54
_COLUMN, _INSIDE, _NOTES, _GAP = (size * _CENTIMETRE for size in (13.2, 2.4, 3.4, 0.5))
_WIDE, _TITLES = 16.8 * _CENTIMETRE, 3 * _CENTIMETRE
# By how many points a line may run out; where a note begins, none may, lest it be taken for one.
_ALLOWED, _ROUNDING = 10.0, 1.0


def overfull(pdf: Path, wide: Collection[str] = ()) -> Iterator[str]:
    """Tell each piece of a line that runs out of its column; chapters of these titles have a wide one."""
    with pypdfium2.PdfDocument(pdf) as document:
        # The first pages stand before any chapter.
        chapters = {
            mark.get_dest().get_index(): mark.get_title()
            for mark in document.get_toc()
            if mark.level == 0
        }
        chapter = ""
        for index, page in enumerate(document):
            chapter = chapters.get(index, chapter)
            columns = _columns(index % 2 == 0, page.get_width(), chapter, wide)
            text = page.get_textpage()
            for box in map(text.get_rect, range(text.count_rects())):
                left, _, right, _ = box
                if any(start <= left and right <= end for start, end in columns):
                    continue
                if words := " ".join(text.get_text_bounded(*box).split()):
                    yield f"page {index + 1} of the file: {words!r} runs out of its column"


def _columns(
    recto: bool, width: float, chapter: str, wide: Collection[str]
) -> list[tuple[float, float]]:
    """Where the words of a page may begin and end."""
    if chapter in wide:
        return [((width - _WIDE) / 2 - _ALLOWED, (width + _WIDE) / 2 + _ALLOWED)]
    start = _INSIDE if recto else width - _INSIDE - _COLUMN
    notes = start + _COLUMN + _GAP if recto else start - _GAP - _NOTES
    found = [
        (start - _ALLOWED, start + _COLUMN + _ALLOWED),
        (notes - _ROUNDING, notes + _NOTES + _ALLOWED),
    ]
    # A round letter, such as the sign of copyright, begins a little before its line.
    return found if chapter else [*found, (_TITLES - _ROUNDING, width - _TITLES + _ROUNDING)]
