"""What a reader can take away: the page that lists it, and the files themselves.

As an extension it fills the page `take-away`. As a program, `python downloads.py ROOT`, it runs after the site and
the print are built: it makes the notebooks, the scripts, the wheel of emlib and the ZIP, and enters the sizes there.
"""

from __future__ import annotations

import ast
import copy
import html
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from notebooks import EXTRAS, FOLDER, wheel_name, without_outputs
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

PAGE = "take-away"
LISTS, INSTALL = "% downloads", "% install"
SITE = "exploring-em-site.zip"
# What was built beside the site: the folder under _build, and the words for a reader.
BOOKS = {
    "exploring-em.pdf": ("typst", "PDF for A4 paper"),
    "exploring-em-letter.pdf": ("typst", "PDF for US Letter"),
    "exploring-em.epub": ("epub", "EPUB for e-readers, tablets and phones"),
}
FIGURE = re.compile(r"\*\*(Figure [\d.]+)\*\*")
SIZE = re.compile(r'<span class="size" data-file="([^"]+)">[^<]*</span>')

# ---- The page ----------------------------------------------------------------------------------


def write_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Fill in the lists: with links on the site, in words in print."""
    if docname == PAGE:
        if missing := [mark for mark in (LISTS, INSTALL) if f"\n{mark}\n" not in source[0]]:
            raise ExtensionError(f"{PAGE} needs a line {missing[0]!r}, to be filled in")
        lists = "\n".join([*whole(), *chapters(app.env)])
        shown = f"```{{only}} html and not epub\n\n:::{{raw}} html\n{lists}\n:::\n```"
        told = (
            "```{only} typst or epub\n\nThe page of this name on the website has the book as PDF for two papers, "
            "as EPUB and as a ZIP of the site, each chapter as PDF, notebook and script, and the library.\n```"
        )
        command = f'    python -m pip install "{wheel_name()}[{EXTRAS}]"'
        source[0] = source[0].replace(LISTS, f"{shown}\n\n{told}").replace(INSTALL, command)


def link(file: str, text: str, about: str = "") -> str:
    """A link with the size of what it leads to, which is known only at the end of the build."""
    label = f' aria-label="{html.escape(about)}"' if about else ""
    size = f'<span class="size" data-file="{file}">size unknown</span>'
    return f'<a href="{file}"{label} download>{text}</a> ({size})'


def whole() -> Iterator[str]:
    """The list of what holds the whole book."""
    yield "<ul>"
    for file, (_, text) in BOOKS.items():
        yield f"<li>{link(file, f'The book as {text}')}</li>"
    yield f"<li>{link(SITE, 'This website as a ZIP, to be read offline')}</li>"
    yield f"<li>{link(f'{FOLDER}/{wheel_name()}', 'The library <code>emlib</code> as a Python wheel')}</li>"
    yield "</ul>"


def chapters(env: BuildEnvironment) -> Iterator[str]:
    """The table of what there is of each chapter."""
    # As the theme wraps others: it scrolls within itself where it is too wide.
    yield '<div class="pst-scrollable-table-container">'
    yield '<table class="table"><caption>Each chapter on its own</caption>'
    yield '<thead><tr><th scope="col">Chapter</th><th scope="col">PDF</th>'
    yield '<th scope="col">Notebook</th><th scope="col">Script</th></tr></thead><tbody>'
    columns = [
        {".pdf": "PDF"},
        {".ipynb": "Notebook", "-outputs.ipynb": "With outputs"},
        {".py": "Script"},
    ]
    for number, (name, title) in enumerate(numbered(env), start=1):
        cells = ""
        for forms in columns:
            links = (
                link(f"{FOLDER}/{name}{form}", text, f"{title}: {text}")
                for form, text in forms.items()
            )
            cells += f"<td>{'<br>'.join(links)}</td>"
        yield f'<tr><th scope="row">{number}. {html.escape(title)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def numbered(env: BuildEnvironment) -> Iterator[tuple[str, str]]:
    """The chapters in the order of the contents, with their titles as the source has them."""
    for part in env.config.external_site_map.root.subtrees:
        for name in part.files() if part.numbered else ():
            text = Path(env.doc2path(name)).read_text(encoding="utf-8")
            titles = re.findall(r"^# (.+)$", text.partition("\n---\n")[2] or text, re.MULTILINE)
            yield name, titles[0] if titles else name


# ---- The files ---------------------------------------------------------------------------------


def write_chapter(built: Path, folder: Path) -> None:
    """Write the variants of a chapter's notebook: with outputs, without, and as a script."""
    name, full = built.stem, nbformat.read(built, as_version=4)  # type: ignore[no-untyped-call]
    bare = without_outputs(full)
    for file, notebook, form in [
        (f"{name}.ipynb", bare, "ipynb"),
        (f"{name}-outputs.ipynb", full, "ipynb"),
        (f"{name}.py", as_script(bare), "py:percent"),
    ]:
        (folder / file).write_text(jupytext.writes(notebook, fmt=form), encoding="utf-8")


def as_script(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook for a run without Jupyter: what a cell would show is printed, a figure is saved."""
    made = copy.deepcopy(notebook)
    for cell, following in zip_longest(made.cells, made.cells[1:]):
        figure = following and following.cell_type == "markdown" and FIGURE.match(following.source)
        if cell.cell_type == "code" and figure:
            name = figure[1].lower().replace(" ", "-")
            cell.source = f'{cell.source}\nplt.savefig("{name}.svg")\nplt.close()'
        elif cell.cell_type == "code":
            cell.source = printing(cell.source)
        cell.metadata = {}
    return made


def printing(source: str) -> str:
    """Return code that prints what a notebook would show of it: the value of a last expression."""
    last = ast.parse(source).body[-1:]
    if not last or not isinstance(last[0], ast.Expr):
        return source
    value = last[0].value
    shown = (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("print", "glue")
    )
    whole = source.encode()
    lines = whole.splitlines(keepends=True)

    def cut(line: int | None, column: int | None) -> int:  # Python counts the columns in bytes
        return sum(map(len, lines[: (line or 1) - 1])) + (column or 0)

    begin, end = cut(value.lineno, value.col_offset), cut(value.end_lineno, value.end_col_offset)
    before, text, after = (part.decode() for part in (whole[:begin], whole[begin:end], whole[end:]))
    if shown or after.lstrip().startswith(";"):
        return source
    return f"{before}print({text}){after}"


def write_wheel(root: Path, folder: Path) -> None:
    """Build the wheel of emlib; nothing is fetched."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def write_zip(site: Path, to: Path) -> None:
    """Pack the site, every file with the date of the commit, so that the bytes depend on the files alone."""
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    date = max(time.gmtime(epoch)[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(path for path in site.rglob("*") if path.is_file() and path != to):
            if path.relative_to(site).parts[0] not in ("_sources", ".buildinfo", ".doctrees"):
                info = zipfile.ZipInfo((Path(to.stem) / path.relative_to(site)).as_posix(), date)
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(info, path.read_bytes())


def in_words(size: int) -> str:
    """As in 12 KB, 3.4 MB."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} KB"


def enter_sizes(site: Path) -> None:
    """Say on the page how large each file is; one that is not there stops the build, unless it is still to be made."""
    page = site / f"{PAGE}.html"

    def told(match: re.Match[str]) -> str:
        file = site / match[1]
        if not file.exists() and match[1] != SITE:
            raise SystemExit(f"{page}: {match[1]} is offered, and was not made")
        size = in_words(file.stat().st_size) if file.exists() else "this file"
        return f'<span class="size" data-file="{match[1]}">{size}</span>'

    page.write_text(SIZE.sub(told, page.read_text(encoding="utf-8")), encoding="utf-8")


def main(root: Path) -> None:
    """Make every file that the page lists, and enter their sizes."""
    site, printed = root / "_build" / "html", root / "_build" / "typst"
    folder = site / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    (site / SITE).unlink(missing_ok=True)
    folder.mkdir()
    for file, (built, _) in BOOKS.items():
        shutil.copyfile(root / "_build" / built / file, site / file)
    for pdf in sorted((printed / "chapters").glob("*.pdf")):
        shutil.copyfile(pdf, folder / pdf.name)
        write_chapter(printed / "notebooks" / f"{pdf.stem}.ipynb", folder)
    write_wheel(root, folder)
    enter_sizes(site)
    write_zip(site, site / SITE)
    enter_sizes(site)


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill in the page when it is read."""
    app.connect("source-read", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
