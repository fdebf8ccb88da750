"""A figure that a reader can move: an ES module on the site, a designed picture in print, from the same data."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from emlib.display import in_the_book


@dataclass(frozen=True)
class Explorable:
    """Data for a module of the site, and the static twin that stands for it in print and without JavaScript.

    The site finds the module under `explorables/NAME.mjs`; the page carries the data with it, so that no server is
    needed.
    """

    name: str
    """The module's name."""
    data: Mapping[str, Any]
    """What the module reads: whatever `json` writes. Round first what was rounded for the reader."""
    twin: Figure
    alt: str
    """The twin in words."""
    id: str | None = None
    """Tells two of one name on a page apart, and stands in addresses; the name unless given."""

    def html(self) -> str:
        """The twin, the data, and the module that replaces the one by the other."""
        picture = quote(_compact(self._svg(fonttype="none")), safe=" '()*,/:;=@")
        # In a script element only "<" could end the data early.
        data = json.dumps(self.data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        name, alt = html.escape(self.name), html.escape(self.alt)
        return "\n".join(
            [
                f'<div class="explorable" data-explorable="{name}" data-id="{html.escape(self.id or self.name)}">',
                # Here and not in the module: it keeps the room that the module will need.
                '<link rel="stylesheet" href="explorables/core/explorable.css">',
                # Where the module comes, hundreds of points need never be laid out twice.
                f'<img class="explorable-twin" loading="lazy" alt="{alt}" src="data:image/svg+xml,{picture}">',
                f'<script type="application/json">{data}</script>',
                f'<script type="module" src="explorables/{name}.mjs"></script>',
                "</div>",
            ]
        )

    def _svg(self, fonttype: str) -> bytes:
        """The twin, its letters as text (small) or as paths (the same wherever it is shown)."""
        file = io.BytesIO()
        with mpl.rc_context({"svg.fonttype": fonttype}):
            self.twin.savefig(file, format="svg", metadata={"Date": None})
        plt.close(self.twin)
        return file.getvalue()

    def _png(self) -> bytes:
        file = io.BytesIO()
        self.twin.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str | bytes]:
        picture = self._svg(fonttype="path").decode()
        bundle: dict[str, str | bytes] = {
            "image/svg+xml": picture,
            "image/png": self._png(),
            "text/plain": self.alt,
        }
        # Only a page of the book has the module beside it.
        return {"text/html": self.html(), **bundle} if in_the_book() else bundle


def _compact(svg: bytes) -> str:
    """The same to the eye, in half the bytes: hundredths of a point, and no line ends."""
    short = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg.decode())
    return re.sub(r"\s+", " ", short)
