"""Serve the site to this machine alone; build again, and reload the page, when a source changes.

sphinx-autobuild's own command runs `sphinx-build`, which knows nothing of `_config.yml`. Its parts
are put together here around the command that builds the book, given as the arguments.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import uvicorn
from sphinx_autobuild.filter import IgnoreFilter
from sphinx_autobuild.middleware import JavascriptInjectorMiddleware
from sphinx_autobuild.server import RebuildServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles

HOST, PORT = "127.0.0.1", 8000
SITE = Path("_build/html")
WATCHED = [Path("book"), Path("emlib"), Path("_config.yml"), Path("_toc.yml")]


def build(command: Sequence[str], changed_paths: Sequence[Path] = ()) -> None:
    """Run the command; a failure has been printed, and the last good site stays served."""
    for path in sorted(filter(Path.exists, changed_paths)):
        print(f"changed: {os.path.relpath(path)}")
    subprocess.run(command, check=False)
    print(f"Serving http://{HOST}:{PORT} (Ctrl+C stops).", flush=True)


def main(command: Sequence[str]) -> None:
    """Build once, then serve and watch until interrupted."""
    SITE.mkdir(parents=True, exist_ok=True)
    build(command)
    ignored = IgnoreFilter([], [r"__pycache__", r"/\.[^/]*$", r"~$"])
    watcher = RebuildServer(WATCHED, ignored, partial(build, command))
    site = Starlette(
        routes=[
            WebSocketRoute("/websocket-reload", watcher),
            Mount("/", StaticFiles(directory=SITE, html=True)),
        ],
        middleware=[Middleware(JavascriptInjectorMiddleware, ws_url=f"{HOST}:{PORT}")],
        lifespan=watcher.lifespan,
    )
    uvicorn.run(site, host=HOST, port=PORT, log_level="warning")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Give the command that builds the book, as `make serve` does.")
    main(sys.argv[1:])
