"""Each chapter as a notebook for plain Jupyter, with the outputs that the build computed.

Its text comes from the document tree that the print resolved, its outputs from the cache of executed chapters: nothing
runs twice. They lie in `_build/typst/notebooks`; `downloads.py` makes the variants that readers take away.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from execution import read_chapter
from jupyter_cache import get_cache
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from plainmarkdown import Part, Writer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from typstbook.links import destination
from typstbook.texmath import Macro

FOLDER = "downloads"
GLUE = "from myst_nb import glue"
STAND_IN = '''\
def glue(name, value, display=True):
    """Nothing here; the book puts the value into its text."""'''
EXTRAS = "symbolic,figures"
NOTE = """\
A chapter of *Exploring the EM Algorithm*. Text: CC BY 4.0; code: MIT.

The code needs `emlib`, the library of the book, and Python 3.11 to 3.13.
The page *Take it away* of the book's website has the library as a file.
In the folder with that file:

    python -m pip install "{wheel}[{extras}]"
"""
PROVES = ";  # proves what stands below, or stops with what is left"
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
INSTALL = """\
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emlib") is None:
    wheel = "exploring-em[{extras}] @ {address}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", wheel], check=True)"""
GLUED = "application/papermill.record/text/plain"


Trees = Mapping[str, nodes.document]


def write_notebooks(app: Sphinx, trees: Trees) -> None:
    """Write the notebook of each numbered chapter."""
    for docname in trees:
        if "" in app.env.toc_secnumbers.get(docname, {}):
            write_notebook(app, docname, trees)


def write_notebook(app: Sphinx, docname: str, trees: Trees) -> None:
    """Write the notebook of a document, if it has cells."""
    env, tree = app.env, trees[docname]
    chapter = read_chapter(docname, Path(env.doc2path(docname)))
    if chapter is None:
        return
    writer = Writer(
        docname,
        env.toc_fignumbers.get(docname, {}),
        app.config.numfig_format,
        {name: Macro.from_config(value) for name, value in app.config.tex_macros.items()},
        app.config.html_baseurl,
        env.toc_secnumbers.get(docname, {}),
    )
    try:
        parts = list(writer.blocks(tree))
    except ValueError as error:
        raise ExtensionError(str(error)) from None
    cache = get_cache(app.config.nb_execution_cache_path)
    _, executed = cache.merge_match_into_notebook(chapter.notebook)
    folder = Path(app.outdir) / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    if sources := list(cited_sources(docname, trees, writer)):
        parts += ["## Sources", "\n\n".join(sources)]
    made = assemble(parts, executed.cells, writer.proofs, app.config.html_baseurl)
    (folder / f"{docname}.ipynb").write_text(nbformat.writes(made) + "\n", encoding="utf-8")  # type: ignore[no-untyped-call]


def cited_sources(docname: str, trees: Trees, writer: Writer) -> Iterator[str]:
    """The sources that a chapter cites, as the book's list has them."""
    cited = {destination(docname, link) for link in trees[docname].findall(nodes.reference)}
    for home, tree in trees.items():
        for source in tree.findall(nodes.citation):
            if cited & {(home, name) for name in source["ids"]}:
                yield " ".join(writer.inline(part) for part in source.findall(nodes.paragraph))


def assemble(
    parts: Iterable[Part], source: list[NotebookNode], proofs: Set[int], site: str = ""
) -> NotebookNode:
    """Return a notebook of these parts; a cell of which the text shows nothing stands behind the one before it.

    With the address of the site known, its first cell has the library installed from there where it is missing.
    """
    note = NOTE.format(wheel=wheel_name(), extras=EXTRAS)
    cells: list[NotebookNode] = [new_markdown_cell(note)]  # type: ignore[no-untyped-call]
    if site:
        install = INSTALL.format(extras=EXTRAS, address=f"{site}{FOLDER}/{wheel_name()}")
        cells.append(new_code_cell(install))  # type: ignore[no-untyped-call]
    if any(GLUE in cell.source for cell in source):
        cells.append(code_cell(new_code_cell(STAND_IN, metadata={"tags": ["remove-cell"]})))  # type: ignore[no-untyped-call]
    parts = list(parts)
    placed = {part for part in parts if isinstance(part, int)}
    first = len(cells)
    done = -1

    def run(index: int) -> None:
        nonlocal done
        if source[index].cell_type == "code":
            cells.append(code_cell(source[index], index in proofs))
        done = index

    def run_up_to(index: int) -> None:
        if index <= done:
            raise ValueError(f"cell {index} stands after cell {done}")
        for place in range(done + 1, index + 1):
            run(place)
        while done + 1 < len(source) and done + 1 not in placed:
            run(done + 1)

    for part in parts:
        if isinstance(part, int):
            run_up_to(part)
        elif cells[-1].cell_type == "markdown" and len(cells) > first and not part.startswith("#"):
            cells[-1].source += f"\n\n{part}"
        else:
            cells.append(new_markdown_cell(part))  # type: ignore[no-untyped-call]
    if done < len(source) - 1:
        run_up_to(len(source) - 1)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # nbformat draws one at random
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    made: NotebookNode = new_notebook(cells=cells, metadata=metadata)  # type: ignore[no-untyped-call]
    return made


def code_cell(cell: NotebookNode, proves: bool = False) -> NotebookNode:
    """Return a cell that needs nothing of the book's own machinery; what the book folds away is folded here, too."""
    tags = cell.metadata.get("tags", [])
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if HIDDEN & set(tags):
        metadata["jupyter"] = {"source_hidden": True}
    source = re.sub(rf"^{GLUE}\n?", "", cell.source, flags=re.MULTILINE)
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    outputs = [shown(output, alt) for output in cell.get("outputs", []) if is_shown(output)]
    if proves:
        # Its text stands below, with its number; here the proof would be shown without one.
        if "#" in source:
            raise ValueError(f"a cell that proves may hold no comment: {source!r}")
        source = source.rstrip().removesuffix(";") + PROVES
        outputs = [output for output in outputs if "text/markdown" not in output.get("data", {})]
    made: NotebookNode = new_code_cell(source, outputs=outputs, metadata=metadata)  # type: ignore[no-untyped-call]
    return made


def is_shown(output: NotebookNode) -> bool:
    """Whether a reader sees it: the text holds what was glued into it."""
    return GLUED not in output.get("data", {})


def shown(output: NotebookNode, alt: str | None) -> NotebookNode:
    """Return an output as plain Jupyter shows it, trusted or not: of a figure the PNG, with its alternative text."""
    found = copy.deepcopy(output)
    if "execution_count" in found:
        found.execution_count = None  # the cache keeps the numbers of some cells only
    data: dict[str, Any] = found.get("data", {})
    if "image/png" in data:
        for kind in ("text/html", "image/svg+xml"):
            data.pop(kind, None)
        found.metadata = {"image/png": {"alt": alt}} if alt else {}
    return found


def wheel_name() -> str:
    """The name of the wheel that hatchling makes of this project."""
    text = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    (name,), (version,) = (
        re.findall(rf'^{key} = "(.+)"$', text, re.M) for key in ("name", "version")
    )
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook as nobody has run it."""
    found = copy.deepcopy(notebook)
    for cell in found.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Act when the print has resolved every tree."""
    app.connect("typst-resolved", write_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
