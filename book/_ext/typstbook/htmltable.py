"""The table inside an HTML output such as a data frame's, and nothing but a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_PLAIN = frozenset(
    ("div", "table", "thead", "tbody", "tfoot", "tr", "p", "span", "br", "b", "strong", "i", "em")
)


class HtmlError(ValueError):
    """HTML that is more than a table."""


@dataclass(frozen=True)
class Cell:
    """One cell, spanning `columns` by `rows`."""

    text: str
    header: bool
    columns: int
    rows: int


@dataclass(frozen=True)
class HtmlTable:
    """Rows above and below the rule, and the remarks that stand outside the table."""

    head: list[list[Cell]]
    body: list[list[Cell]]
    remarks: list[str]

    @property
    def columns(self) -> int:
        """The number of columns of the widest row."""
        return max(sum(cell.columns for cell in row) for row in self.head + self.body)

    @classmethod
    def parse(cls, html: str) -> HtmlTable:
        """Read the one table in `html`.

        Raises:
            HtmlError: there is no table, or something beside it that print would lose.
        """
        reader = _Reader()
        reader.feed(html)
        reader.close()
        if reader.tables != 1 or not any(reader.rows):
            raise HtmlError(f"{reader.tables} tables, where one was expected")
        rows = [row for row in reader.rows if row]
        size = next(
            (index for index, row in enumerate(rows) if not all(cell.header for cell in row)),
            len(rows),
        )
        return cls(rows[:size], rows[size:], reader.remarks)


@dataclass
class _Reader(HTMLParser):
    rows: list[list[Cell]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    tables: int = 0
    _open: tuple[bool, int, int] | None = None
    _text: str = ""
    _style: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            spans = dict(attrs)
            self._open = tag == "th", int(spans.get("colspan") or 1), int(spans.get("rowspan") or 1)
            self._text = ""
        elif tag == "style":
            self._style = True
        elif tag not in _PLAIN:
            raise HtmlError(f"<{tag}>")
        self.tables += tag == "table"
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._style = False
        if tag in ("td", "th") and self._open is not None:
            header, columns, rows = self._open
            self.rows[-1].append(Cell(" ".join(self._text.split()), header, columns, rows))
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._style:
            return
        if self._open is not None:
            self._text += data
        elif data.strip():
            self.remarks.append(data.strip())
