"""Serve MathJax from the site itself, so that the mathematics needs no network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.fileutil import copy_asset

# The package holds 24 MB of MathJax 3; a page asks for these alone.
PARTS = ["tex-chtml-full.js", "output/chtml/fonts/woff-v2"]


def use_own_mathjax(_app: Sphinx, config: Config) -> None:
    """Have pages load MathJax from the site's `_static`."""
    config.mathjax_path = f"mathjax/{PARTS[0]}"


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put there what they load."""
    if exception is None and app.builder.format == "html":
        source = Path(str(files("sphinx-mathjax-offline"))) / "static" / "mathjax"
        target = Path(app.outdir) / "_static" / "mathjax"
        for part in PARTS:
            folder = (target / part).parent if (source / part).is_file() else target / part
            copy_asset(str(source / part), str(folder))


def setup(app: Sphinx) -> dict[str, bool]:
    """Choose the path before the build, copy the files after it."""
    app.connect("config-inited", use_own_mathjax)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
