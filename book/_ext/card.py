"""The book's face, drawn by its own figures: a card where somebody shares a link (`card.png`), and the EPUB's cover."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.application import Sphinx

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CARD, COVER, DPI = (12.0, 6.3), (8.0, 10.6), 100
WORDS = "Every derivation proved by the build,\nevery number computed,\nfigures that you can move."


def draw(file: Path, title: str, subtitle: str) -> None:
    """Draw the card."""
    with _sheet(file, CARD) as figure:
        lines = title.replace(" the ", "\nthe\N{NO-BREAK SPACE}")
        figure.text(0.06, 0.72, lines, size=40, weight="bold", va="center")
        figure.text(0.06, 0.42, subtitle, size=21, va="top", linespacing=1.5)
        _draw_clusters(figure.add_axes((0.56, 0.06, 0.4, 0.88)))


def draw_cover(file: Path, title: str, subtitle: str) -> None:
    """Draw the cover of the book."""
    with _sheet(file, COVER) as figure:
        lines = title.replace(" the ", "\nthe\N{NO-BREAK SPACE}")
        figure.text(0.09, 0.9, lines, size=44, weight="bold", va="top", linespacing=1.3)
        figure.text(0.09, 0.72, subtitle, size=24, va="top")
        _draw_clusters(figure.add_axes((0.09, 0.06, 0.82, 0.58)))


@contextmanager
def _sheet(file: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """An empty sheet, written to the file when it is drawn."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from emlib import figures

    with mpl.rc_context():
        figures.use_book_style()
        mpl.rcParams["text.color"] = figures.COLOURS["ink"]
        figure = Figure(figsize=size, dpi=DPI)
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(file, metadata={"Software": None})


def _draw_clusters(ax: Axes) -> None:
    """Fit two components to the geyser's data, and show them."""
    import numpy as np

    from emlib import Mixture, MixtureParams, em, figures
    from emlib.datasets import load
    from emlib.families import Gaussian, Gaussians

    table = load("faithful")
    both = np.column_stack([table["eruptions"], table["waiting"]])
    mixture = Mixture(Gaussian())
    shapes = np.array([np.diag([0.2, 40.0])] * 2)
    start = MixtureParams(
        np.array([0.5, 0.5]), Gaussians(np.array([[2.5, 60.0], [4.0, 75.0]]), shapes)
    )
    params = em(mixture, both, start).params
    figures.clusters(ax, both, mixture.responsibilities(both, params), params.components)
    ax.collections[0].set(sizes=[45])
    ax.axis("off")


def write(app: Sphinx, exception: Exception | None) -> None:
    """Draw it once; it is shown only where the site's address is known."""
    file = Path(app.outdir) / "card.png"
    if exception is not None or app.builder.name != "html":
        return
    if app.config.html_baseurl:
        draw(file, app.config.html_title, WORDS)
    else:
        file.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw when the pages are written."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
