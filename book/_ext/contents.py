"""The documents of the book in the order of its contents, and which of its figures move on the site."""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from sphinx.environment import BuildEnvironment


def parts(env: BuildEnvironment) -> Iterator[tuple[str | None, list[str]]]:
    """Each part's caption and its documents, without those under them; the root stands before the first part."""
    site = env.config.external_site_map
    yield None, [site.root.docname]
    for part in site.root.subtrees:
        yield part.caption, known(env, part.files())


def documents(env: BuildEnvironment) -> dict[str, int]:
    """All documents, each before those under it, with how deep they stand."""
    return dict(found for _, tops in parts(env) for top in tops for found in family(env, top))


def family(env: BuildEnvironment, docname: str, depth: int = 0) -> Iterator[tuple[str, int]]:
    """A document and those that stand under it, with how deep; the root's are the parts'."""
    yield docname, depth
    if docname != env.config.root_doc:
        for child in children(env, docname):
            yield from family(env, child, depth + 1)


def children(env: BuildEnvironment, docname: str) -> list[str]:
    """The documents right under another one."""
    return known(env, env.config.external_site_map[docname].child_files())


def known(env: BuildEnvironment, files: list[str]) -> list[str]:
    """Those of the files that are documents: the site's index is none; print and EPUB have their own."""
    return [file for file in files if file in env.found_docs]


def moving(tree: nodes.document) -> Iterator[nodes.figure]:
    """The figures that hold an explorable: to be asked before the form of their output is chosen."""
    for output in tree.findall(nodes.raw):
        if "data-explorable=" in output.astext():
            figure: nodes.Element | None = output
            while figure is not None and not isinstance(figure, nodes.figure):
                figure = figure.parent
            if figure is not None:
                yield figure
