"""How many components, and of which shape: every combination fitted from many starts, and judged by one criterion.

    BIC = -2 log-likelihood + df log n
    ICL = -2 sum_n max_k log p(x_n, z_n = k) + df log n

Smaller is better, as in scikit-learn and statsmodels; the R package mclust prints the negative of both.

Source: Schwarz (1978), "Estimating the dimension of a model"; Biernacki, Celeux & Govaert (2000), "Assessing a mixture
model for clustering with the integrated completed likelihood".
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from emlib.arrays import Array, Labels
from emlib.data import Block, Prepared, prepare
from emlib.em import Stopped, Trace, em
from emlib.families.family import Family
from emlib.families.gaussian import Gaussian
from emlib.families.parsimonious import MODELS
from emlib.mixture import Mixture, MixtureParams
from emlib.start import (
    SAMPLE,
    SAMPLE_PER_COMPONENT,
    TREE,
    features,
    from_labels,
    hierarchical,
    k_means,
    random_groups,
    sample,
    scaled,
    whitened,
)
from emlib.variants.aitken import aitken
from emlib.variants.squarem import squarem_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Criterion: TypeAlias = Literal["bic", "icl"]
Groupings: TypeAlias = Mapping[str, tuple[Array, Array, Labels]]
"""By name: rows, their weights, and the group of each."""
Result = TypeVar("Result")

SHORT, FINALISTS, LONG = 10, 3, 8
"""EM steps from every start, how many go on, and for how many accelerated steps; the best of those goes to the end."""
CHECK = 8
"""EM steps that show how much is left to gain, which accelerated steps do not."""


@dataclass(frozen=True)
class Fit:
    """What the best start of one model with k components came to."""

    model: str
    k: int
    params: MixtureParams[Any]
    log_likelihood: float
    df: int
    """How many numbers describe the mixture."""
    bic: float
    icl: float
    converged: bool
    steps: int
    """From the grouping to the params, plain and accelerated."""
    start: str
    """The grouping."""
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """Why one model with k components has no fit."""

    model: str
    k: int
    reason: str


@dataclass(frozen=True)
class Selection:
    """The fits of every model with every number of components."""

    cells: tuple[Fit | Failure, ...]
    families: Mapping[str, Family[Any, Any]]
    observations: float
    """The sum of the weights of the rows."""
    criterion: Criterion

    def __post_init__(self) -> None:
        if not self.fits:
            raise ArithmeticError("no model could be fitted:\n" + "\n".join(self._failures()))

    @property
    def fits(self) -> list[Fit]:
        """The cells that have params."""
        return [cell for cell in self.cells if isinstance(cell, Fit)]

    @property
    def best(self) -> Fit:
        """The fit of the smallest criterion."""
        return min(self.fits, key=self.value)

    @property
    def params(self) -> MixtureParams[Any]:
        """The params of the best fit."""
        return self.best.params

    @property
    def model(self) -> Mixture[Any, Any]:
        """The mixture of the best fit: `selection.model.responsibilities(data, selection.params)`."""
        return Mixture(self.families[self.best.model])

    @property
    def table(self) -> list[dict[str, Any]]:
        """A record a cell: model, k, log_likelihood, df, bic, icl, converged, steps, start, reason of failure."""
        names = [name for name in Fit.__dataclass_fields__ if name != "params"]
        return [{name: getattr(cell, name, None) for name in names} for cell in self.cells]

    def value(self, fit: Fit) -> float:
        """What the fit is judged by."""
        return fit.bic if self.criterion == "bic" else fit.icl

    def plot(self, axes: Axes | None = None) -> Axes:
        """The criterion against the number of components, a line a model; on axes of its own if none are given."""
        from emlib.figures.selection import criterion_by_components

        if axes is None:
            from matplotlib import pyplot

            axes = pyplot.figure().subplots()
        return criterion_by_components(axes, self)

    def __str__(self) -> str:
        best = self.best
        numbers = sorted({cell.k for cell in self.cells})
        found = {(fit.model, fit.k): f"{self.value(fit):.2f}" for fit in self.fits}
        found[best.model, best.k] += " *"
        table = [["model", *(f"k = {k}" for k in numbers)]]
        table += [
            [model, *(found.get((model, k), "-") for k in numbers)] for model in self.families
        ]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"{self.criterion.upper()}, smaller is better; * is the best, - has no fit"]
        lines += [
            "  ".join(entry.rjust(width) for entry, width in zip(row, widths, strict=True))
            for row in table
        ]
        lines.append(
            f"best: {best.model} with {best.k} components, log-likelihood {best.log_likelihood:.4f}, "
            f"df {best.df}, BIC {best.bic:.4f}, ICL {best.icl:.4f}"
        )
        slow = [f"{fit.model} {fit.k}" for fit in self.fits if not fit.converged]
        lines += [f"not converged: {', '.join(slow)}"] if slow else []
        return "\n".join(lines + self._failures())

    def _failures(self) -> list[str]:
        return [
            f"{cell.model} {cell.k}: {cell.reason}"
            for cell in self.cells
            if isinstance(cell, Failure)
        ]


def select(
    data: Any,
    components: int | Iterable[int] = range(1, 10),
    models: Sequence[str] | Mapping[str, Family[Any, Any]] | None = None,
    *,
    criterion: Criterion = "bic",
    starts: int = 3,
    seed: int = 0,
    jobs: int = 1,
    tol: float = 1e-6,
    max_steps: int = 1000,
    progress: bool = True,
) -> Selection:
    """Fit every model with every number of components, and choose by BIC or ICL.

    `models` are names of covariance models of `Gaussian`, or families by name; by default all 14, or in one dimension
    "E" and "V". Each fit goes on from the best of short runs of EM on a sample of the rows. They start from groupings
    of which at least one suits most data: `starts` each by k-means++ on whitened and on scaled columns and by random
    centres, and two by hierarchical clustering. SQUAREM shortens the way from there; it ends where steps of plain EM
    show that at most `tol` nats an observation are left. A fit needs more observations than parameters.

    `max_steps` limits the steps after the short runs; an accelerated one, which costs about three, counts as one.

    The result does not depend on `jobs`, the number of threads. With `progress`, tqdm shows one bar, if it is installed
    and somebody is looking.

    Raises:
        ValueError: the data, a number of components, a model or the criterion is none.
        ArithmeticError: no model could be fitted at all; a single failure is kept, with its reason, in the selection.

    Source: Biernacki, Celeux & Govaert (2003), "Choosing starting values for the EM algorithm for getting the highest
    likelihood in multivariate Gaussian mixture models", section 2 (short runs); Scrucca & Raftery (2015), "Improved
    initialisation of model-based clustering using Gaussian hierarchical partitions" (whitening before the tree).
    """
    numbers = [components] if isinstance(components, int) else list(components)
    if not numbers or not all(isinstance(k, (int, np.integer)) and k >= 1 for k in numbers):
        raise ValueError(f"components: expected whole numbers, 1 or more, got {numbers}")
    if criterion not in ("bic", "icl"):
        raise ValueError(f"criterion: expected 'bic' or 'icl', got {criterion!r}")
    for name, count in (("starts", starts), ("jobs", jobs)):
        if count < 1:
            raise ValueError(f"{name}: expected at least 1, got {count}")
    if isinstance(models, Mapping) and not models:
        raise ValueError("models: expected the name of one model or more, got none")
    check = next(iter(models.values())) if isinstance(models, Mapping) else Gaussian()
    prepared = prepare(data, check.observations)
    families = _families(models, next(iter(prepared)).x.shape[1])
    search = _Search(prepared, check, max(numbers), starts, seed, tol, max_steps)
    with ThreadPoolExecutor(jobs) as pool:
        groupings = dict(zip(numbers, pool.map(search.groupings, numbers), strict=True))
        tasks = [(name, k) for name in families for k in numbers]
        cells = pool.map(
            lambda task: search.fit(task[0], task[1], families[task[0]], groupings[task[1]]), tasks
        )
        return Selection(
            tuple(_watched(cells, len(tasks), progress)), families, search.observations, criterion
        )


class _Run(NamedTuple):
    start: str
    steps: int
    trace: Trace[Any, Any]

    def on(self, trace: Trace[Any, Any]) -> _Run:
        """The run, gone on by a trace."""
        return _Run(self.start, self.steps + len(trace.steps) - 1, trace)


class _Search:
    """The rows, and what every fit to them shares."""

    def __init__(
        self,
        data: Prepared,
        family: Family[Any, Any],
        most: int,
        starts: int,
        seed: int,
        tol: float,
        max_steps: int,
    ) -> None:
        self.data, self.starts, self.seed = data, starts, seed
        self.tol, self.max_steps = tol, max_steps
        self.observations = data.sum(lambda block: block.observations)
        rng = np.random.default_rng(seed)
        self.rows = sample(data, SAMPLE + SAMPLE_PER_COMPONENT * most, rng)
        seen, weights = features(Mixture(family), self.rows[0]), self.rows[1]
        self.views = {"whitened": whitened(seen, weights), "scaled": scaled(seen, weights)}
        self.tree_rows = sample(data, TREE, rng)
        seen, weights = features(Mixture(family), self.tree_rows[0]), self.tree_rows[1]
        white = whitened(seen, weights)
        self.trees = {
            "VVV": hierarchical(white, weights, "VVV"),
            "EII": hierarchical(white, weights, "EII"),
        }

    def groupings(self, k: int) -> Groupings | str:
        """Groupings into k groups by name, or why there are none."""
        x, weights = self.rows
        if k == 1:
            return {"all rows": (x, weights, np.zeros(len(x), dtype=np.intp))}
        try:
            found = {
                f"hierarchical {name}": (*self.tree_rows, tree.labels(k))
                for name, tree in self.trees.items()
            }
            for run in range(self.starts):
                rng = np.random.default_rng([self.seed, k, run])
                for name, view in self.views.items():
                    labels = k_means(view, k, rng, weights)
                    found[f"k-means++ {name} {run + 1}"] = x, weights, labels
                labels = random_groups(self.views["whitened"], k, rng, weights)
                found[f"random {run + 1}"] = x, weights, labels
        except ValueError as error:
            return str(error)
        return found

    def fit(
        self, name: str, k: int, family: Family[Any, Any], groupings: Groupings | str
    ) -> Fit | Failure:
        """The best of the runs from these groupings."""
        if isinstance(groupings, str):
            return Failure(name, k, groupings)
        model, rows = Mixture(family), Block(*self.rows)
        runs: list[_Run] = []
        faults: list[str] = []
        for start, grouping in groupings.items():
            with _noted(faults):
                trace = self._plain(model, rows, from_labels(model, *grouping), SHORT)
                runs.append(_Run(start, len(trace.steps) - 1, trace))
        finalists, runs = self._ranked(runs)[:FINALISTS], []
        for run in finalists:
            with _noted(faults):
                runs.append(run.on(_accelerated(model, rows, run.trace.params, self.tol, LONG)))
        for run in self._ranked(runs):
            with _noted(faults):
                return self._judged(name, k, model, self._to_the_end(model, run))
        return Failure(name, k, faults[0])

    def _plain(
        self, model: Mixture[Any, Any], data: Any, params: MixtureParams[Any], max_steps: int
    ) -> Trace[Any, Any]:
        return em(model, data, params, tol=self.tol, max_steps=max_steps, remaining=aitken)

    def _to_the_end(self, model: Mixture[Any, Any], run: _Run) -> _Run:
        """Accelerated steps while they gain, and steps of EM that show what is left; again, if that is too much."""
        tol, before = self.tol, run.steps
        while True:
            left = self.max_steps - (run.steps - before)
            run = run.on(_accelerated(model, self.data, run.trace.params, tol, max(1, left)))
            run = run.on(self._plain(model, self.data, run.trace.params, min(CHECK, max(1, left))))
            if run.trace.stopped is not Stopped.MAX_STEPS or run.steps - before >= self.max_steps:
                return run
            tol /= 10

    def _ranked(self, runs: list[_Run]) -> list[_Run]:
        """The best first; those that have met count as one."""
        ranked: list[_Run] = []
        for run in sorted(runs, key=lambda run: -run.trace.log_likelihood):
            gap = ranked[-1].trace.log_likelihood - run.trace.log_likelihood if ranked else np.inf
            if gap > self.tol * self.observations:
                ranked.append(run)
        return ranked

    def _judged(
        self,
        name: str,
        k: int,
        model: Mixture[Any, Any],
        run: _Run,
    ) -> Fit | Failure:
        trace = run.trace
        params, df = trace.params, model.free_parameters(trace.params)
        if df >= self.observations:
            return Failure(
                name, k, f"{df} parameters are too many for {self.observations:g} observations"
            )

        def assigned(block: Block) -> float:
            return block.total(model.log_joint(block.x, params).max(axis=1))

        penalty = df * float(np.log(self.observations))
        return Fit(
            name,
            k,
            params,
            trace.log_likelihood,
            df,
            bic=penalty - 2 * trace.log_likelihood,
            icl=penalty - 2 * self.data.sum(assigned),
            converged=trace.stopped is not Stopped.MAX_STEPS,
            steps=run.steps,
            start=run.start,
        )


def _accelerated(
    model: Mixture[Any, Any], data: Any, params: MixtureParams[Any], tol: float, max_steps: int
) -> Trace[Any, Any]:
    """By SQUAREM; by plain EM where params of this kind have no chart, or a leap ends in a collapse."""
    try:
        return em(model, data, params, tol=tol, max_steps=max_steps, steps=squarem_steps)
    except (ValueError, ArithmeticError):
        return em(model, data, params, tol=tol, max_steps=3 * max_steps)


@contextmanager
def _noted(faults: list[str]) -> Iterator[None]:
    """A start may fail; others go on."""
    try:
        yield
    except (ArithmeticError, np.linalg.LinAlgError) as error:
        faults.append(str(error))


def _families(
    models: Sequence[str] | Mapping[str, Family[Any, Any]] | None, d: int
) -> Mapping[str, Family[Any, Any]]:
    if isinstance(models, Mapping):
        return models
    if isinstance(models, str):
        raise ValueError(f"models: expected a list of names, got the single text {models!r}")
    names = models or (list(MODELS) if d > 1 else ["E", "V"])
    return {name: Gaussian(name) for name in names}


def _watched(cells: Iterator[Result], total: int, progress: bool) -> Iterable[Result]:
    """The cells, with a bar where it can be seen."""
    if progress and sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            return cells
        shown: Iterable[Result] = tqdm(cells, total=total, desc="fits", unit="fit", leave=False)
        return shown
    return cells
