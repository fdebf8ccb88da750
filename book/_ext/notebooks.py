"""Each chapter as a notebook for plain Jupyter, with the outputs that the build computed.

Its text comes from the document tree that the print resolved, its outputs from the cache of executed chapters: nothing
runs twice. They lie in `_build/typst/notebooks`; `downloads.py` makes the variants that readers take away.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from execution import read_chapter
from jupyter_cache import get_cache
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from plainmarkdown import Part, Writer
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from typstbook.texmath import Macro

FOLDER = "downloads"
GLUE = "from myst_nb import glue"
STAND_IN = '''\
def glue(name, value, display=True):
    """The book puts the value into its text; here it is printed."""
    print(f"{name} = {value!r}")'''
NOTE = (
    "A chapter of *Exploring the EM Algorithm*. Text: CC BY 4.0; code: MIT. "
    "The code needs `emlib` and its extras."
)
EXTRAS = "symbolic,figures,sklearn"
INSTALL = """\
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("emlib") is None:
    wheel = "exploring-em[{extras}] @ {address}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", wheel], check=True)"""
GLUED = "application/papermill.record/text/plain"


def write_notebook(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Write the notebook of a numbered chapter, once the print has resolved its tree."""
    env = app.env
    if app.builder.name != "typst" or "" not in env.toc_secnumbers.get(docname, {}):
        return
    chapter = read_chapter(docname, Path(env.doc2path(docname)))
    if chapter is None:
        return
    writer = Writer(
        docname,
        env.toc_fignumbers.get(docname, {}),
        app.config.numfig_format,
        {name: Macro.from_config(value) for name, value in app.config.tex_macros.items()},
        app.config.html_baseurl,
    )
    try:
        parts = list(writer.blocks(tree))
    except ValueError as error:
        raise ExtensionError(str(error)) from None
    cache = get_cache(app.config.nb_execution_cache_path)
    _, executed = cache.merge_match_into_notebook(chapter.notebook)
    folder = Path(app.outdir) / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    made = assemble(parts, executed.cells, writer.proofs, app.config.html_baseurl)
    (folder / f"{docname}.ipynb").write_text(nbformat.writes(made) + "\n", encoding="utf-8")  # type: ignore[no-untyped-call]


def assemble(
    parts: Iterable[Part], source: list[NotebookNode], proofs: Mapping[int, str], site: str = ""
) -> NotebookNode:
    """Return a notebook of these parts; a cell of which the text shows nothing stands before the next one.

    With the address of the site known, its first cell has the library installed from there where it is missing.
    """
    cells: list[NotebookNode] = [new_markdown_cell(NOTE)]  # type: ignore[no-untyped-call]
    if site:
        install = INSTALL.format(extras=EXTRAS, address=f"{site}{FOLDER}/{wheel_name()}")
        cells.append(new_code_cell(install))  # type: ignore[no-untyped-call]
    done = -1

    def run_up_to(index: int) -> None:
        nonlocal done
        if index <= done:
            raise ValueError(f"cell {index} stands after cell {done}")
        for place in range(done + 1, index + 1):
            if source[place].cell_type == "code":
                cells.append(code_cell(source[place], proofs.get(place)))
        done = index

    for part in parts:
        if isinstance(part, int):
            run_up_to(part)
        elif cells[-1].cell_type == "markdown" and len(cells) > 1 and not part.startswith("#"):
            cells[-1].source += f"\n\n{part}"
        else:
            cells.append(new_markdown_cell(part))  # type: ignore[no-untyped-call]
    if done < len(source) - 1:
        run_up_to(len(source) - 1)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # nbformat draws one at random
    kernel = {"name": "python3", "display_name": "Python 3"}
    made: NotebookNode = new_notebook(cells=cells, metadata={"kernelspec": kernel})  # type: ignore[no-untyped-call]
    return made


def code_cell(cell: NotebookNode, proof: str | None) -> NotebookNode:
    """Return a cell that needs nothing of the book's own machinery."""
    outputs = [shown(output, proof) for output in cell.get("outputs", [])]
    source = cell.source.replace(GLUE, STAND_IN)
    metadata = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    made: NotebookNode = new_code_cell(source, outputs=outputs, metadata=metadata)  # type: ignore[no-untyped-call]
    return made


def shown(output: NotebookNode, proof: str | None) -> NotebookNode:
    """Return an output as plain Jupyter shows it: a number for the text, a proof, a figure without its module."""
    data: dict[str, Any] = output.get("data", {})
    if GLUED in data:
        name = output.metadata["scrapbook"]["name"]
        told: NotebookNode = new_output("stream", name="stdout", text=f"{name} = {data[GLUED]}\n")  # type: ignore[no-untyped-call]
        return told
    found = copy.deepcopy(output)
    if "image/svg+xml" in data:
        found["data"].pop("text/html", None)
    if proof is not None and "text/markdown" in data:
        found["data"]["text/markdown"] = proof
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
    """Act when nothing more changes a tree."""
    app.connect("doctree-resolved", write_notebook, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
