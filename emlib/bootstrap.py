"""The bootstrap: how much an estimate would vary, learnt from data sets that might have been.

A replicate is drawn from the fitted params ("parametric") or from the rows with replacement ("nonparametric": new
weights for the same rows, nothing is copied), and EM runs on it from the fitted params. Every replicate has a random
stream of its own, so that the number of threads changes nothing.

Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 6 and 13; McLachlan & Peel (2000),
"Finite Mixture Models", section 2.16.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from emlib.arrays import Array
from emlib.data import Block, InMemory, Prepared
from emlib.em import AscentError, Model, Steps, Stopped, Trace, em, em_steps, prepared
from emlib.mixture import MixtureParams
from emlib.parameters import entries, parameters
from emlib.variants.aitken import aitken

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from emlib.arrays import Labels

Kind = Literal["parametric", "nonparametric"]
Params = TypeVar("Params")
Result = TypeVar("Result")


LEFT = 1e-3
"""Nats of log-likelihood that a run may leave to gain: a twentieth of a standard error."""


@dataclass(frozen=True)
class Bootstrap:
    """Estimates from replicates of a data set."""

    estimates: Mapping[str, Array]
    """The params of the data themselves, by name."""
    replicates: Mapping[str, Array]
    """The params of each replicate, by name: one axis more, the first."""
    failures: tuple[str, ...]
    """What EM said of each replicate that has no estimate; those are missing from `replicates`."""
    unconverged: int
    """How many of the replicates ended at the limit on steps."""

    @property
    def standard_errors(self) -> dict[str, Array]:
        """The standard deviation over the replicates, by name."""
        return {name: values.std(axis=0, ddof=1) for name, values in self.replicates.items()}

    def intervals(self, level: float = 0.95) -> dict[str, Array]:
        """Percentile intervals by name; the first axis holds the lower and the upper end.

        Raises:
            ValueError: the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level: expected a probability between 0 and 1, got {level}")
        ends = [(1 - level) / 2, (1 + level) / 2]
        return {name: np.quantile(values, ends, axis=0) for name, values in self.replicates.items()}

    def __str__(self) -> str:
        errors, intervals = self.standard_errors, self.intervals()
        lines = [
            f"{label}: {self.estimates[name][index]:.6g}, standard error {errors[name][index]:.3g}, "
            f"95% from {intervals[name][0][index]:.6g} to {intervals[name][1][index]:.6g}"
            for label, name, index in entries(self.estimates)
        ]
        drawn = len(next(iter(self.replicates.values())))
        lines.append(
            f"{drawn} replicates, {self.unconverged} of them not converged; {len(self.failures)} more failed"
        )
        return "\n".join(lines)


def bootstrap(
    model: Model[Any, Params, Any],
    data: Any,
    params: Params,
    *,
    rng: np.random.Generator,
    replicates: int = 200,
    kind: Kind = "nonparametric",
    left: float = LEFT,
    max_steps: int = 10_000,
    steps: Steps[Any] = em_steps,
    threads: int = 1,
) -> Bootstrap:
    """Estimates from replicates of the data, each by EM from the params fitted to the data.

    The components of a mixture are named as in `params`: by the order that leaves most of the data where they were.
    Weights are counts of equal rows, and a nonparametric replicate draws as many rows as they count. A run ends when
    by Aitken's extrapolation at most `left` nats are to gain. `steps` may be `emlib.variants.squarem.squarem_steps`,
    far quicker where EM crawls; its gains shrink less evenly than Aitken expects, so let `left` be a hundredth then.

    Warns:
        RuntimeWarning: some replicates have no estimate, such as those where a component collapsed.

    Raises:
        ValueError: the kind is neither of the two, or the model or the data do not allow it.
        ArithmeticError: fewer than two replicates have an estimate.
    """
    if replicates < 2 or threads < 1:
        raise ValueError(
            f"expected 2 replicates or more and 1 thread or more, got {replicates} and {threads}"
        )
    refuse_no_generator(rng)
    rows = prepared(model, data)
    draw = _drawing(model, rows, params, kind)
    same_names = _naming(model, rows, params)
    n = model.e_step(rows, params).observations

    def estimate(stream: np.random.Generator) -> tuple[dict[str, Array], bool]:
        trace = run(model, draw(stream), params, n, left, max_steps, steps)
        return parameters(same_names(trace.params)), trace.stopped is not Stopped.MAX_STEPS

    found, failures = attempts(estimate, rng, replicates, threads)
    if len(found) < 2:
        raise ArithmeticError(
            f"{len(failures)} of {replicates} replicates have no estimate; the first: {failures[0]}"
        )
    if failures:
        warnings.warn(
            f"{len(failures)} of {replicates} replicates have no estimate and are left out; "
            f"the first: {failures[0]}",
            RuntimeWarning,
            stacklevel=2,
        )
    return Bootstrap(
        estimates=parameters(params),
        replicates={name: np.stack([here[name] for here, _ in found]) for name in found[0][0]},
        failures=tuple(failures),
        unconverged=sum(not arrived for _, arrived in found),
    )


def refuse_no_generator(rng: Any) -> None:
    """Raise ValueError unless this is a random generator."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"rng: expected a random generator, such as np.random.default_rng(0), got {rng!r}"
        )


def run(
    model: Model[Any, Params, Any],
    data: Any,
    start: Params,
    n: float,
    left: float,
    max_steps: int,
    steps: Steps[Params],
) -> Trace[Params, Any]:
    """EM until `left` nats are to gain, as far as Aitken's extrapolation sees."""
    return em(model, data, start, tol=left / n, max_steps=max_steps, steps=steps, remaining=aitken)


def attempts(
    work: Callable[[np.random.Generator], Result],
    rng: np.random.Generator,
    replicates: int,
    threads: int,
) -> tuple[list[Result], list[str]]:
    """The results of the replicates in their order, and what was said of those that failed."""

    def attempt(stream: np.random.Generator) -> tuple[list[Result], list[str]]:
        try:
            return [work(stream)], []
        except AscentError:
            raise  # a fault of the code, not of the replicate
        except (ArithmeticError, np.linalg.LinAlgError) as error:
            return [], [str(error)]

    with ThreadPoolExecutor(threads) as pool:
        outcomes = list(pool.map(attempt, rng.spawn(replicates)))
    found = [result for results, _ in outcomes for result in results]
    return found, [reason for _, said in outcomes for reason in said]


def _drawing(
    model: Any, prepared: Any, params: Any, kind: str
) -> Callable[[np.random.Generator], Any]:
    """How a replicate of the data set is drawn."""
    if kind not in ("parametric", "nonparametric"):
        raise ValueError(f"kind: expected 'parametric' or 'nonparametric', got {kind!r}")
    if not isinstance(prepared, Prepared) or any(type(block) is not Block for block in prepared):
        raise ValueError(
            f"{type(model).__name__}: its data are no independent rows, of which replicates are drawn"
        )
    if kind == "parametric":
        if any(np.isnan(block.x).any() for block in prepared):
            raise ValueError(
                "data: some entries are missing, and a parametric replicate would be complete; "
                "use kind='nonparametric'"
            )
        n = round(sum(block.observations for block in prepared))
        return lambda stream: model.sample(params, n, stream)[0]
    x, weights = _rows(prepared)
    if (weights != np.round(weights)).any():
        raise ValueError(
            "weights: a nonparametric replicate draws rows anew, so that weights must be counts; "
            "use kind='parametric'"
        )
    total = weights.sum()

    def redrawn(stream: np.random.Generator) -> Block:
        return Block(x, stream.multinomial(int(total), weights / total).astype(np.float64))

    return redrawn


def _rows(prepared: Prepared) -> tuple[Float[Array, "n d"], Float[Array, " n"]]:
    if isinstance(prepared, InMemory):
        x, weights = prepared.x, prepared.weights
        return x, np.ones(len(x)) if weights is None else weights
    blocks = list(prepared)
    each = [np.ones(len(b.x)) if b.weights is None else b.weights for b in blocks]
    return np.concatenate([b.x for b in blocks]), np.concatenate(each)


def _naming(model: Any, prepared: Prepared, params: Any) -> Callable[[Any], Any]:
    """Puts the components of a replicate into the order of `params`; params without such an order are left alone."""
    if not isinstance(params, MixtureParams) or not _exchangeable(params, len(params.weights)):
        return lambda replicate: replicate
    tables = [
        (block.x, block.weighted(model.responsibilities(block.x, params))) for block in prepared
    ]

    def renamed(replicate: Any) -> Any:
        common = sum(table.T @ model.responsibilities(x, replicate) for x, table in tables)
        return _reordered(replicate, best_assignment(np.asarray(common)))

    return renamed


def best_assignment(gains: Float[Array, "k k"]) -> Int[Labels, " k"]:
    """The column for each row, no column twice, with the largest sum of gains."""
    greedy: Labels = gains.argmax(axis=1)
    if len(set(greedy.tolist())) == len(gains):
        return greedy
    # The best way to give the first rows to each set of columns, from that for a column less: 2^k sets, not k! orders.
    best: dict[frozenset[int], tuple[float, tuple[int, ...]]] = {frozenset(): (0.0, ())}
    for row in gains:
        longer: dict[frozenset[int], tuple[float, tuple[int, ...]]] = {}
        for taken, (value, order) in best.items():
            for column in range(len(gains)):
                if column in taken:
                    continue
                key, total = taken | {column}, value + float(row[column])
                if key not in longer or total > longer[key][0]:
                    longer[key] = (total, (*order, column))
        best = longer
    ((_, order),) = best.values()
    return np.array(order)


def _exchangeable(params: Any, k: int) -> bool:
    """Whether every array in params has a row for each of k components."""
    if isinstance(params, tuple):
        return all(_exchangeable(part, k) for part in params)
    if is_dataclass(params):
        return all(_exchangeable(getattr(params, field.name), k) for field in fields(params))
    return bool(np.shape(params)[:1] == (k,))


def _reordered(params: Any, order: Int[Labels, " k"]) -> Any:
    if isinstance(params, tuple):
        return tuple(_reordered(part, order) for part in params)
    if is_dataclass(params) and not isinstance(params, type):
        names = [field.name for field in fields(params)]
        return replace(params, **{name: _reordered(getattr(params, name), order) for name in names})
    return np.asarray(params)[order]
