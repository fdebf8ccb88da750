"""What carries a caption: figures, images, tables, listings; and the tables inside HTML outputs."""

from __future__ import annotations

import re

from docutils import nodes

from .boxes import BoxVisitor
from .htmltable import Cell, HtmlError, HtmlTable
from .source import call, content, escape, optional, string

_PIXELS = re.compile(r"([\d.]+)(?:px)?")
_FULL_STOP = re.compile(r"\.(?=\s|$)")
_PLAIN = (nodes.Text, nodes.math, nodes.emphasis, nodes.strong, nodes.literal)
# Characters of a row that fit as they are, and of a cell that holds no sentence.
_ROOMY, _WORDS = 60, 24
_LENGTH = re.compile(r"[\d.]+(%|pt|cm|mm|in|em)")


def _columns(group: nodes.Element, count: int) -> str:
    """The widths of columns that were given none: those with sentences share what the others leave.

    Typst would have all columns equally wide, and break sentences after every second word.
    """
    lengths: list[list[int]] = [[] for _ in range(count)]
    for row in group.findall(nodes.row):
        if len(row.children) == count:
            for column, entry in zip(lengths, row.children, strict=True):
                column.append(len(entry.astext()))
    longest = [max(column, default=0) for column in lengths]
    if sum(longest) <= _ROOMY:
        return str(count)
    # Halfway between the mean, which fills all rows alike, and the longest, which would make its own row short.
    widths = [
        "auto" if most <= _WORDS else f"{(most + sum(column) / len(column)) / 2:.1f}fr"
        for most, column in zip(longest, lengths, strict=True)
    ]
    return f"({', '.join(widths)},)"


def _child(node: nodes.Element, kind: type[nodes.Element]) -> nodes.Element | None:
    return next((child for child in node.children if isinstance(child, kind)), None)


class FloatVisitor(BoxVisitor):
    """Captioned material."""

    def _caption(self, kind: str, node: nodes.Element, caption: nodes.Element | None) -> str:
        """The label, the name ("Figure 1.2") and the caption, as arguments of the template."""
        name = optional(self.numbered_name(kind, node))
        return f"{self.label(node)}, {name}, {content(self.inline(caption)) if caption else 'none'}"

    def visit_figure(self, node: nodes.Element) -> str:
        caption, legend = _child(node, nodes.caption), _child(node, nodes.legend)
        below = content(self.blocks(legend)) if legend else "none"
        return call(
            "captioned-figure",
            self._caption("figure", node, caption),
            below,
            content(self._listed(node, caption) + self.blocks(node, caption, legend)),
        )

    def _listed(self, node: nodes.Element, caption: nodes.Element | None) -> str:
        """The entry in the lists at the front; what moves on the site also tells where it does."""
        name = self.numbered_name("figure", node)
        if name is None:
            return ""
        moves = node.get("explorable", False)
        kind = "explorable" if moves else "figure"
        short = content(self._first_sentence(caption) if caption else "")
        entry = call("listed", string(kind), string(name), short)
        return entry + (self._address(node["ids"][0]) if moves else "")

    def _first_sentence(self, caption: nodes.Element) -> str:
        """The caption up to its first full stop, without links and marks."""
        found = ""
        for child in caption.children:
            text = child.astext()
            if isinstance(child, nodes.Text) and (stop := _FULL_STOP.search(text)):
                return found + escape(text[: stop.start()])
            if isinstance(child, _PLAIN):
                found += self.visit(child)
            elif isinstance(child, nodes.reference):
                found += escape(text)
        return found

    def _address(self, identifier: str) -> str:
        page = f"{self.docname}.html"
        if not self.book.site:
            return call("moves", string(page), "none", "none")
        image = f"images/qr-{identifier}.svg"
        self.book.codes[image] = address = f"{self.book.site.rstrip('/')}/{page}#{identifier}"
        return call("moves", string(page), string(address), string(image))

    def listing(self, node: nodes.Element) -> str:
        caption = _child(node, nodes.caption)
        return call(
            "listing",
            self._caption("code-block", node, caption),
            content(self.blocks(node, caption)),
        )

    def visit_image(self, node: nodes.Element) -> str:
        uri, alt = node["uri"], (node.get("alt") or "").strip()
        if uri not in self.book.images:
            self.problem(
                node, f"the image {uri!r} is not there, or in no format that can be printed"
            )
            return ""
        if not alt:
            self.problem(node, f"the image {uri!r} has no alternative text: give it `alt`")
            return ""
        if "scale" in node or "height" in node:
            self.problem(node, f"the image {uri!r}: print takes its size from `width` alone")
        in_text = isinstance(node.parent, nodes.TextElement) and len(node.parent.children) > 1
        function = "picture-in-text" if in_text else "picture"
        return call(function, string(self.book.images[uri]), self._width(node), string(alt))

    def _width(self, node: nodes.Element) -> str:
        width = node.get("width")
        if width is None or _LENGTH.fullmatch(width):
            return width or "auto"
        if (pixels := _PIXELS.fullmatch(width)) is not None:
            return f"{float(pixels[1]) * 0.75:g}pt"
        self.problem(node, f"the image width {width!r} is neither a length nor a percentage")
        return "auto"

    # Tables

    def visit_table(self, node: nodes.Element) -> str:
        group = _child(node, nodes.tgroup)
        assert group is not None
        specs = [child for child in group.children if isinstance(child, nodes.colspec)]
        if "colwidths-given" in node["classes"]:
            columns = "(" + "".join(f"{spec['colwidth']}fr, " for spec in specs) + ")"
        else:
            columns = _columns(group, len(specs))
        stubs = sum(1 for spec in specs if spec.get("stub"))
        head, body = _child(group, nodes.thead), _child(group, nodes.tbody)
        return call(
            "book-table",
            self._caption("table", node, _child(node, nodes.title)),
            columns,
            # Where a table goes on over the page its head is repeated, as decoration; that may hold no links.
            "false" if head and any(head.findall(nodes.reference)) else "true",
            f"({''.join(self._row(row, 0) for row in (head.children if head else ()))})",
            *(self._row(row, stubs).rstrip(", ") for row in (body.children if body else ())),
        )

    def _row(self, row: nodes.Node, stubs: int) -> str:
        assert isinstance(row, nodes.Element)
        out = ""
        for index, entry in enumerate(row.children):
            assert isinstance(entry, nodes.Element)
            side = next((name[5:] for name in entry["classes"] if name.startswith("text-")), None)
            body = self.blocks(entry)
            out += _cell(
                call("strong", content(body)) if index < stubs else body,
                entry.get("morecols", 0) + 1,
                entry.get("morerows", 0) + 1,
                side,
            )
        return out

    def html(self, node: nodes.Element) -> str:
        """Return the table that an HTML output holds; other HTML has no print."""
        try:
            table = HtmlTable.parse(node.astext())
        except HtmlError as error:
            self.problem(
                node,
                f"HTML that cannot be printed ({error}): give the output an image or text as well",
            )
            return ""
        head = "".join(map(_html_cell, (cell for row in table.head for cell in row)))
        body = [_html_cell(cell).rstrip(", ") for row in table.body for cell in row]
        remarks = content(escape(" ".join(table.remarks))) if table.remarks else "none"
        return call("data-table", str(table.columns), f"({head})", remarks, *body)


def _html_cell(cell: Cell) -> str:
    text = escape(cell.text)
    return _cell(
        call("strong", content(text)) if cell.header and text else text,
        cell.columns,
        cell.rows,
        None,
    )


def _cell(body: str, columns: int, rows: int, side: str | None) -> str:
    options = (
        (f"colspan: {columns}, " if columns > 1 else "")
        + (f"rowspan: {rows}, " if rows > 1 else "")
        + (f"align: {side}, " if side else "")
    )
    return f"table.cell({options}{content(body)}), "
