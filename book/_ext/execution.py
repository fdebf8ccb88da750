"""Execute the chapters before Sphinx reads them: strictly, side by side, never from a stale cache.

myst-nb executes one chapter after another, and only looks at it when its text has changed. Here
every chapter that jupyter-cache does not hold is executed first, several at a time; myst-nb then
finds all of them in the cache. A chapter that fails is never cached, so it fails every build.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from click import unstyle
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from myst_nb.core.read import (
    MystMetadataParsingError,
    is_myst_markdown_notebook,
    read_myst_markdown_notebook,
)
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)

GENERATIONS_KEPT = 3  # so that going back to another branch costs nothing
# SVG for site and print; PNG for the notebooks, where Jupyter shows no SVG before a reader has said to trust it.
KERNEL_ARGUMENTS = ["--InlineBackend.figure_formats={'svg', 'png'}", "--log-level=ERROR"]
# Two kernels fill two cores; more BLAS threads only fight, and change the last digits of a sum.
KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
    "EMLIB_DISPLAY": "book",
}


@dataclass(frozen=True)
class Chapter:
    """A page with code cells, as read from its source."""

    docname: str
    path: Path
    notebook: NotebookNode


def digest(paths: Iterable[Path]) -> str:
    """Fingerprint the files under `paths`, and the version of Python that will run them."""
    fingerprint = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for path in paths:
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(path.parent).as_posix().encode()
                fingerprint.update(name + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return fingerprint.hexdigest()[:16]


def choose_cache(app: Sphinx, config: Config) -> None:
    """Give every state of emlib, its data and the locked packages a cache of its own.

    jupyter-cache knows a chapter by its cells alone: after an edit of emlib it would hand out the
    old outputs. Sphinx sees the changed path as well, and reads and writes every page again.
    """
    book = Path(app.confdir)
    generations = book.parent / "_build" / ".jupyter_cache"
    state = [book.parent / "emlib", book.parent / "requirements.txt", Path(__file__)]
    generation = generations / digest(state)
    generation.mkdir(parents=True, exist_ok=True)
    generation.touch()
    newest_first = sorted(generations.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in newest_first[GENERATIONS_KEPT:]:
        shutil.rmtree(old)
    config.nb_execution_cache_path = str(generation)
    config.book_extensions = digest([book / "_ext"])


def begin(app: Sphinx, _config: Config) -> None:
    """Start afresh after a build that failed or was stopped.

    Sphinx would take its pages for up to date, and never repeat their warnings.
    """
    unfinished = Path(app.doctreedir) / "unfinished"
    if unfinished.exists():
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Note that nothing failed, and nothing was warned of."""
    if exception is None and app._warncount == 0:
        (Path(app.doctreedir) / "unfinished").unlink()


def execute_chapters(_app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute those of the pages about to be read that the cache does not hold."""
    chapters, faults = [], []
    for docname in docnames:
        try:
            chapter = read_chapter(docname, Path(env.doc2path(docname)))
        except ValueError as fault:
            faults.append(str(fault))
        else:
            chapters += [chapter] if chapter else []
    if not faults:
        cache = get_cache(env.config.nb_execution_cache_path)
        missing = [chapter for chapter in chapters if not is_cached(chapter, cache)]
        if missing:
            faults = asyncio.run(execute_all(missing, cache, env.config.nb_execution_timeout))
    if faults:
        # An exception would be buried under two tracebacks of Sphinx and Jupyter Book.
        sys.exit("\n\n".join(["", *faults]))


def read_chapter(docname: str, path: Path) -> Chapter | None:
    """Read the code cells of a page; None when it has none.

    Raises ValueError when it has some, and myst-nb would not execute them.
    """
    text = path.read_text(encoding="utf-8")
    if "{code-cell}" not in text:
        return None
    try:
        notebook = read_myst_markdown_notebook(text, path=path)
    except MystMetadataParsingError as error:
        raise ValueError(f"{docname}: the header or a cell cannot be read: {error}") from error
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        return None
    header = notebook.metadata
    if not (is_myst_markdown_notebook(text) and "name" in header.get("kernelspec", {})):
        raise ValueError(
            f"{docname}: the page has code cells, but not the header that lets them be executed. "
            "It must begin with\n\n---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---"
        )
    if "execution_mode" in header.get("mystnb", {}):
        raise ValueError(
            f"{docname}: the header sets mystnb.execution_mode; every chapter of this book is "
            "executed. Remove the line."
        )
    return Chapter(docname, path, notebook)


def is_cached(chapter: Chapter, cache: JupyterCacheAbstract) -> bool:
    """Whether the cache holds the outputs of exactly these cells."""
    try:
        cache.match_cache_notebook(chapter.notebook)
    except KeyError:
        return False
    return True


async def execute_all(
    chapters: list[Chapter], cache: JupyterCacheAbstract, timeout: int
) -> list[str]:
    """Execute chapters side by side, cache those that succeed, return what went wrong."""
    # A first import of Matplotlib may announce its font scan on stderr, which fails a chapter.
    import matplotlib.font_manager  # noqa: F401

    workers = min(len(chapters), os.cpu_count() or 1)
    logger.info("chapters to execute: %d, %d at a time", len(chapters), workers)
    free = asyncio.Semaphore(workers)

    async def execute_next(chapter: Chapter) -> str | None:
        async with free:
            logger.info("executing %s ...", chapter.docname)
            start = time.perf_counter()
            fault = await execute(chapter, timeout)
            seconds = time.perf_counter() - start
        if fault:
            logger.info("%s failed after %.1f s", chapter.docname, seconds)
            return f"{chapter.docname}: {fault}"
        bundle = CacheBundleIn(
            chapter.notebook, str(chapter.path), data={"execution_seconds": seconds}
        )
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        logger.info("executed %s in %.1f s", chapter.docname, seconds)
        return None

    faults = await asyncio.gather(*map(execute_next, chapters))
    return [fault for fault in faults if fault]


async def execute(chapter: Chapter, timeout: int) -> str | None:
    """Fill in the outputs of a chapter's cells; say what went wrong, if anything did."""
    client = NotebookClient(
        chapter.notebook,
        timeout=timeout,
        resources={"metadata": {"path": str(chapter.path.parent)}},
        extra_arguments=KERNEL_ARGUMENTS,
        record_timing=False,  # times kept in the cells would change their cache key
    )
    try:
        await client.async_execute(env=os.environ | KERNEL_ENVIRONMENT)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return "a cell failed.\n" + unstyle(str(error))
    for cell in chapter.notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                return f"a cell wrote to stderr.\n{cell.source}\n\nIt wrote:\n{output.text}"
    return None


def rewrite_everything(app: Sphinx, _env: BuildEnvironment, docnames: list[str]) -> None:
    """Have every page written again once any is read.

    A page may quote the number of an equation that moved in another one.
    """
    if docnames:
        app.connect("env-updated", lambda _app, env: env.found_docs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Hang each step on its event of the build."""
    app.add_config_value("book_extensions", "", "env", str)
    app.connect("config-inited", choose_cache)
    app.connect("config-inited", begin)
    app.connect("env-before-read-docs", execute_chapters)
    app.connect("env-before-read-docs", rewrite_everything)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
