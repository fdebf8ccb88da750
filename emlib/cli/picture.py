"""A fitted mixture beside its data, or a selection, as a picture in a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.cli.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from emlib.select import Selection

LARGEST = 4
"""As many components of points in the plane can be told apart by colour."""


def refuse(table: Table, family: str, k: int) -> None:
    """Raise ValueError if no picture can show such a fit."""
    d = len(table.names)
    if table.weights is not None or np.isnan(table.values).any():
        raise ValueError("--plot: there is no picture of weighted or incomplete rows")
    if d > 2 or (d == 2 and (family != "gaussian" or k > LARGEST)) or family == "bernoulli":
        raise ValueError(
            "--plot: there is a picture of one column of numbers or counts, and of a Gaussian mixture of two columns "
            f"with up to {LARGEST} components; got family {family}, {d} columns, {k} components: choose with --columns"
        )


def draw_fit(path: str, table: Table, family: str, selection: Selection) -> None:
    """Bars under the expected frequencies, or points with the ellipses of the components."""
    from emlib.figures import clusters, counts, histogram

    model, params, x = selection.model, selection.params, table.values

    def draw(ax: Axes) -> Any:
        if x.shape[1] == 2:
            clusters(ax, x, model.responsibilities(x, params), params.components)
            return ax.set(xlabel=table.names[0], ylabel=table.names[1])
        if family == "poisson":
            observed = dict(enumerate(np.bincount(x[:, 0].astype(int)).tolist()))
            expected = len(x) * np.exp(model.log_density(np.array(list(observed)), params))
            return counts(ax, observed, {"mixture": expected}, label=table.names[0])
        curves = {"mixture": lambda grid: np.exp(model.log_density(grid, params))}
        return histogram(ax, x[:, 0], curves, label=table.names[0])

    _save(path, draw)


def draw_selection(path: str, selection: Selection) -> None:
    """The criterion against the number of components."""
    _save(path, selection.plot)


def _save(path: str, draw: Callable[[Axes], Any]) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    from emlib.figures import use_book_style

    with matplotlib.rc_context():
        use_book_style()
        figure = Figure()
        draw(figure.subplots())
        try:
            figure.savefig(path)
        except OSError as error:
            raise ValueError(f"--plot {path}: {error.strerror or error}") from error
