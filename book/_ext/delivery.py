"""The last hand on every page, once all are written: light, quick to show, and closed to what is not the site's.

Each page is read once and written once; the steps are `icons`, `sheets`, `mathfont`, `painting` and `policy`; scripts
wait until the page is read, controls get names for a reader, and what a theme brings and no page asks for goes.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import icons
import mathfont
import notebooks
import painting
import policy
import sheets
from about import MADE_PAGES
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

_SCRIPT = re.compile(r'<script\b(?![^>]*\b(?:defer|async|type=))([^>]*\bsrc="([^"?]+)[^>]*>)')
# Sphinx's search begins when the page is ready: that must be after reading/excerpts.js, so its script may not wait.
_SEARCH = "searchtools.js"
_BEFORE_SEARCH = ("documentation_options.js", "doctools.js", _SEARCH)
# Preloaded they would come before the style sheet, which the page waits for.
_PRELOADED = re.compile(r'\s*<link rel="preload" as="script"[^>]*>')
# The theme's switch between versions would need it, and the options, before the page.
_PAGE_NAME = re.compile(r"\s*<script>DOCUMENTATION_OPTIONS\.pagename = [^<]*</script>")
# The theme's script would decide between light and dark after the page is shown, and have all of it drawn again.
_UNDECIDED = 'localStorage.getItem("theme") || "auto"'
_DECIDED = (
    'localStorage.getItem("theme")'
    ' || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
    ' document.documentElement.classList.toggle("from-file", location.protocol === "file:")'
)
_INDEX = "searchindex.js"
# The theme's place for the advertisements of a host.
_ADVERTISEMENT = re.compile(r'<div id="ethical-ad-placement"[^>]*>\s*</div>')
# The first page is called as the book is.
_TWICE = re.compile(r"<title>(.+?) &#8212; \1</title>")
_VIEWPORT = '<meta name="viewport"'  # Sphinx and both themes have theirs
_UNUSED = (
    "*webpack-macros.html",
    "locales/**/*.*o",
    "images/logo_*",
    "vendor/fontawesome/webfonts/*.ttf",
    "vendor/fontawesome/webfonts/fa-brands-*",
    "vendor/fontawesome/webfonts/fa-regular-*",
)
# The theme's names say how its parts are called inside, not what they are for.
_NAMES = {
    'title="Toggle primary sidebar"': 'title="Contents of the book"',
    'title="Toggle secondary sidebar"': 'title="Contents of this page"',
    'aria-label="Color mode"': 'aria-label="Light, dark, or as the system is"',
    'id="pst-primary-sidebar-modal">': 'id="pst-primary-sidebar-modal" aria-label="Contents of the book">',
    'id="pst-secondary-sidebar-modal">': 'id="pst-secondary-sidebar-modal" aria-label="Contents of this page">',
    'id="pst-search-dialog">': 'id="pst-search-dialog" aria-label="Search">',
    # What shows words is called by them.
    '__button pst-js-only" title="Search" aria-label="Search"': '__button pst-js-only" title="Search"',
    '<summary aria-label="Toggle hidden content">': "<summary>",
    # Until a script has decided; without one it stays.
    'data-theme="auto"': 'data-theme="light"',
}


def waiting(page: str) -> str:
    """Return a page whose scripts run, in their order, when it has been read; only its theme is decided before."""
    page = _PAGE_NAME.sub("", _PRELOADED.sub("", page.replace(_UNDECIDED, _DECIDED)))
    at_once = _BEFORE_SEARCH if _SEARCH in page else ()

    def deferred(script: re.Match[str]) -> str:
        return script[0] if script[2].endswith(at_once) else f"<script defer{script[1]}"

    return _SCRIPT.sub(deferred, page)


def named(page: str) -> str:
    """Return a page whose controls have names for a reader."""
    for theirs, ours in _NAMES.items():
        page = page.replace(theirs, ours)
    page = _TWICE.sub(r"<title>\1</title>", _ADVERTISEMENT.sub("", page))
    before, first, after = page.partition(_VIEWPORT)
    return before + first + re.sub(rf"\s*{_VIEWPORT}[^>]*>", "", after)


def deliver(app: Sphinx, exception: Exception | None) -> None:
    """Finish every page of the site."""
    if exception is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    pages = {file: file.read_text(encoding="utf-8") for file in sorted(out.glob("*.html"))}
    pages = clear(app, out, pages)
    icons.trim(out, list(pages.values()))
    font = mathfont.write(out, list(pages.values()))
    scripts = [f for f in out.rglob("*.*js") if f.name != _INDEX and f.suffix in (".js", ".mjs")]
    try:
        texts = [f.read_text("utf-8") for f in scripts]
        version = sheets.write(out, list(pages.values()), texts, own_files(app))
        for file, page in pages.items():
            page = sheets.with_one_sheet(named(waiting(icons.without_script(page))), version)
            page = painting.with_first_screens(mathfont.with_font(page, font))
            file.write_text(policy.protected(page, file.name), encoding="utf-8")
    except ValueError as error:
        raise ExtensionError(str(error)) from None


def clear(app: Sphinx, out: Path, pages: dict[Path, str]) -> dict[Path, str]:
    """Remove what an earlier build made of sources that are gone, lest it be packed and offered; return what stays.

    Pages and their sources, pictures, and the folders that `_extra` brings: not `_static`, which themes fill, too.
    """
    own, found = own_files(app), app.env.found_docs
    documents = {app.builder.get_target_uri(name) for name in found}
    kept = {
        file: page
        for file, page in pages.items()
        if file.name in documents | own.keys() or file.stem in MADE_PAGES
    }
    shown = "".join(kept.values())

    def stays(file: Path) -> bool:
        folder, _, name = file.relative_to(out).as_posix().partition("/")
        match folder:
            case "_images":
                return f"_images/{quote(name)}" in shown
            case "_sources":
                return name.rpartition(".")[0] in found
            case "_static" | notebooks.FOLDER:
                return True
            case _:
                return f"{folder}/{name}" in own

    # What themes and extensions bring, and no page asks for: drafts of templates, other languages, other icons.
    for unused in _UNUSED:
        for file in out.glob(f"_static/{unused}"):
            file.unlink()
    below = {file for file in out.glob("*/**/*") if file.is_file()}
    for file in {*pages} - {*kept} | {file for file in below if not stays(file)}:
        file.unlink()
    return kept


def own_files(app: Sphinx) -> dict[str, Path]:
    """Return the files of the site that are the book's own, by their addresses."""
    folders = [("_static", "_static/"), ("_extra", "")]
    return {
        prefix + file.relative_to(app.srcdir / folder).as_posix(): file
        for folder, prefix in folders
        for file in sorted((app.srcdir / folder).rglob("*"))
        if file.is_file()
    }


def note_files(app: Sphinx, config: Config) -> None:
    """Have all pages written when a style or a script is new: Sphinx looks at the documents alone."""
    files = own_files(app).values()
    config.delivered = sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def setup(app: Sphinx) -> dict[str, Any]:
    """Act when nothing more is written into a page."""
    app.add_config_value("delivered", "", "html", types=[str])
    app.connect("config-inited", note_files)
    app.connect("build-finished", deliver, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
