"""The built site as a host would send it: gzipped, several files over one connection; and a browser to ask for it."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from shutil import which

SITE = Path(__file__).parents[2] / "_build/html"
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
_PACKED = {".woff2", ".png", ".pdf", ".zip", ".whl"}


@cache
def base(site: Path) -> str:
    """The path at which the site will stand, as its page for wrong addresses has it."""
    page = site / "404.html"
    found = page.exists() and re.search('<base href="([^"]*)"', page.read_text("utf-8"))
    return found[1] if found else "/"


class Handler(SimpleHTTPRequestHandler):
    """Sends what there is."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path):
        # A page that is served at any depth asks by the path at which the site will stand.
        return super().translate_path("/" + path.removeprefix(base(Path(self.directory))))

    def log_message(self, *args: object) -> None:
        pass

    def send_head(self):
        file = Path(self.translate_path(self.path))
        file = file / "index.html" if file.is_dir() else file
        unpacked = file.suffix in _PACKED or "gzip" not in self.headers.get("Accept-Encoding", "")
        if unpacked or not file.is_file():
            return super().send_head()
        data = gzip.compress(file.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return BytesIO(data)


@contextmanager
def served(site: Path, handler: Callable[..., Handler] = Handler) -> Iterator[str]:
    """The address of a site while it is served, with no slash at its end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=site)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def chromium() -> str:
    """The system's browser, never one that is downloaded; "" if there is none."""
    return next(filter(None, map(which, BROWSERS)), "")
