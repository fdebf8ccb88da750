"""The picture that is shown where somebody shares a link to the book: `card.png`, drawn by the book's own figures."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

SIZE, DPI = (12.0, 6.3), 100
WORDS = "Every derivation proved by the build,\nevery number computed,\nfigures that you can move."


def draw(file: Path, title: str, subtitle: str) -> None:
    """Fit two components to the geyser's data, and show them beside the title."""
    import matplotlib as mpl
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

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
    with mpl.rc_context():
        figures.use_book_style()
        figure = Figure(figsize=SIZE, dpi=DPI)
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure)
        ink = figures.COLOURS["ink"]
        lines = title.replace(" the ", "\nthe\N{NO-BREAK SPACE}")
        figure.text(0.06, 0.72, lines, size=40, weight="bold", color=ink, va="center")
        figure.text(0.06, 0.42, subtitle, size=21, color=ink, va="top", linespacing=1.5)
        ax = figure.add_axes((0.56, 0.06, 0.4, 0.88))
        figures.clusters(ax, both, mixture.responsibilities(both, params), params.components)
        ax.collections[0].set(sizes=[45])
        ax.axis("off")
        figure.savefig(file, metadata={"Software": None})


def write(app: Sphinx, exception: Exception | None) -> None:
    """Draw it once; it is shown only where the site's address is known."""
    file = Path(app.outdir) / "card.png"
    if exception is None and app.builder.format == "html" and app.config.html_baseurl:
        draw(file, app.config.html_title, WORDS)


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw when the pages are written."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
