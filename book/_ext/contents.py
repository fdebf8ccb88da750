"""The documents of the book in the order of its contents, and which of its figures move on the site."""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from sphinx.environment import BuildEnvironment


def parts(env: BuildEnvironment) -> Iterator[tuple[str | None, list[str]]]:
    """Each part's caption and its documents; the root stands before the first part."""
    site = env.config.external_site_map
    yield None, [site.root.docname]
    for part in site.root.subtrees:
        top = known(env, part.files())
        yield part.caption, [name for file in top for name in [file, *below(env, file)]]


def below(env: BuildEnvironment, docname: str) -> Iterator[str]:
    """The documents that stand under another one, at any depth."""
    for child in children(env, docname):
        yield child
        yield from below(env, child)


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
