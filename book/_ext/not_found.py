"""A page for addresses that lead nowhere: `404.html`, which a server shows in place of any address, however deep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx

NAME = "404"


def add_page(_app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Have the page written with the others."""
    yield NAME, {"title": "No such page"}, "404.html"


def add_base(
    app: Sphinx, name: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Its links start from the site's root, not from the address asked for."""
    if name == NAME:
        root = urlsplit(app.config.html_baseurl).path or "/"
        context["metatags"] = f'<base href="{root}">' + context.get("metatags", "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the page, and put its base first in its head."""
    app.connect("html-collect-pages", add_page)
    app.connect("html-page-context", add_base)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
