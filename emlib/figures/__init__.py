"""The book's figures: data and axes in, axes out. Needs Matplotlib: `pip install exploring-em[figures]`.

No function here changes global state but `use_book_style`, which a chapter calls once.
"""

from emlib.figures.curves import concave_chord, log_tangent, runaway, touching_bounds
from emlib.figures.densities import counts, histogram, normal_density
from emlib.figures.explorable import Explorable
from emlib.figures.selection import criterion_by_components
from emlib.figures.splits import bound_and_gap, bound_by_q, evidence_bars, trace_of_bound
from emlib.figures.style import COLOURS, use_book_style
from emlib.figures.surfaces import clusters, contours, responsibilities_on_line

__all__ = [
    "COLOURS",
    "Explorable",
    "bound_and_gap",
    "bound_by_q",
    "clusters",
    "concave_chord",
    "contours",
    "counts",
    "criterion_by_components",
    "evidence_bars",
    "histogram",
    "log_tangent",
    "normal_density",
    "responsibilities_on_line",
    "runaway",
    "touching_bounds",
    "trace_of_bound",
    "use_book_style",
]
