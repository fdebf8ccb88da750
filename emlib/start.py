"""Where EM starts: a rough grouping of the rows, on a sample that is as large as a start needs and no larger.

Distances are taken between whitened rows: a group that is long in one direction, as groups in correlated columns are,
would otherwise be cut across. What a start cuts in two, EM may never join.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from emlib.arrays import Array, Labels
from emlib.data import InMemory, Prepared, Weighted, prepare
from emlib.families.family import ExponentialFamily
from emlib.mixture import Mixture, MixtureParams

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy.typing import NDArray

Method: TypeAlias = Literal["k-means++", "random", "hierarchical"]

SAMPLE, SAMPLE_PER_COMPONENT = 2000, 200
"""Rows that a grouping looks at."""

TREE = 1000
"""Rows that a hierarchical grouping looks at: its time and memory grow with their square."""

ROWS_A_COLUMN = 5
"""Rows for each column, below which whitening would show chance correlations."""

LLOYD_STEPS = 10

SHRINKAGE = 0.01
"""How much of the whole is mixed into a component that its group says too little about."""


def start(
    model: Mixture[Any, Any],
    data: Any,
    k: int,
    rng: np.random.Generator,
    method: Method = "k-means++",
) -> MixtureParams[Any]:
    """Params of k components to start EM from, fitted to a grouping of a sample of the rows.

    "k-means++" puts each row to the nearest of k centres, chosen far apart and then improved; "random", to the nearest
    of k rows drawn at random; "hierarchical" merges rows into groups. The state of `rng` decides the result, and the
    cuts of `Chunks` do not matter.

    Raises:
        ValueError: k is below 1, the method is none of these, or there are fewer than k distinct rows.
        ArithmeticError: the family has no params that fit the data, such as a Gaussian to a constant column.
    """
    if k < 1:
        raise ValueError(f"k: expected at least 1 component, got {k}")
    prepared = prepare(data, model.family.observations)
    if method == "hierarchical":
        x, weights = sample(prepared, TREE, rng)
        labels = hierarchical(whitened(features(model, x), weights), weights).labels(k)
    elif method in ("k-means++", "random"):
        x, weights = sample(prepared, SAMPLE + SAMPLE_PER_COMPONENT * k, rng)
        group = k_means if method == "k-means++" else random_groups
        labels = group(whitened(features(model, x), weights), k, rng, weights)
    else:
        raise ValueError(
            f"method: expected 'k-means++', 'random' or 'hierarchical', got {method!r}"
        )
    return from_labels(model, x, weights, labels)


def from_labels(
    model: Mixture[Any, Any],
    x: Float[Array, "n d"],
    weights: Float[Array, " n"],
    labels: Int[Labels, " n"],
) -> MixtureParams[Any]:
    """The params fitted to groups of rows; no group may be empty.

    A group that says too little about its component is mixed with a little of the whole: then no covariance is flat,
    and what the group did not show is not impossible.
    """
    counts = np.bincount(labels, weights)

    def fitted(poor: Bool[NDArray[np.bool_], " k"]) -> MixtureParams[Any]:
        mixed_in = np.where(poor, SHRINKAGE * counts / counts.sum(), 0.0)
        shares = np.tile(mixed_in, (len(x), 1))
        shares[np.arange(len(x)), labels] += 1 - mixed_in.sum()
        return model.from_responsibilities(Weighted(x, weights), shares)

    everywhere = np.ones(len(counts), dtype=bool)
    if isinstance(model.family, ExponentialFamily):
        return fitted(everywhere)
    try:
        return fitted(np.bincount(labels) < 3 * (x.shape[1] + 1))
    except ArithmeticError:
        return fitted(everywhere)


# ---- rows, and what is seen of them ------------------------------------------------------------


def sample(
    data: Prepared, size: int, rng: np.random.Generator
) -> tuple[Float[Array, "m d"], Float[Array, " m"]]:
    """At most `size` rows, in their order, drawn by weight in one pass, and weights that estimate sums of the whole.

    A data set that is no larger comes back as it is, without its rows of weight 0.

    Source: Duffield, Lund & Thorup (2007), "Priority sampling for estimation of arbitrary subset sums", section 2.
    """
    # Of the caller's numbers one is taken, however many rows there are.
    seed = rng.integers(2**63)
    if isinstance(data, InMemory) and len(data.x) <= size:
        blocks = list(data)
        every = [np.ones(len(b.x)) if b.weights is None else b.weights for b in blocks]
        return np.concatenate([b.x for b in blocks]), np.concatenate(every)
    own, pool = np.random.default_rng(seed), _Pool(size)
    for block in data:
        x, weights = block.x, block.weights
        if weights is not None and not weights.all():
            x, weights = x[weights > 0], weights[weights > 0]
        pool.add(x, weights, 1 - own.random(len(x)))
    return pool.drawn()


class _Pool:
    """The rows of the highest priorities, weight / uniform number, so far."""

    def __init__(self, size: int) -> None:
        self.size, self.threshold = size, 0.0
        self.parts: list[tuple[Array, ...]] = []

    def add(
        self, x: Float[Array, "n d"], weights: Float[Array, " n"] | None, uniform: Array
    ) -> None:
        chosen = np.flatnonzero(uniform * self.threshold < (1.0 if weights is None else weights))
        own = np.ones(len(chosen)) if weights is None else weights[chosen]
        self.parts.append((x[chosen], own, own / uniform[chosen]))
        if sum(len(part[0]) for part in self.parts) > 2 * self.size:
            self.cut()

    def cut(self) -> None:
        x, weights, priorities = (
            np.concatenate(columns) for columns in zip(*self.parts, strict=True)
        )
        if len(x) > self.size:
            order = np.argpartition(-priorities, self.size)
            self.threshold = float(priorities[order[self.size]])
            stay = np.sort(order[: self.size])
            x, weights, priorities = x[stay], weights[stay], priorities[stay]
        self.parts = [(x, weights, priorities)]

    def drawn(self) -> tuple[Float[Array, "m d"], Float[Array, " m"]]:
        self.cut()
        ((x, weights, _),) = self.parts
        return x, np.maximum(weights, self.threshold)


def features(model: Mixture[Any, Any], x: Float[Array, "n d"]) -> Float[Array, "n p"]:
    """What distances are taken in: sufficient statistics, a missing value at the mean of its column."""
    family = model.family
    table: Array = family.statistics(x) if isinstance(family, ExponentialFamily) else x
    missing = np.isnan(table)
    if not missing.any():
        return table
    filled = np.where(missing, 0.0, table)
    means = filled.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    completed: Array = np.where(missing, means, table)
    return completed


def scaled(x: Float[Array, "n d"], weights: Float[Array, " n"]) -> Float[Array, "n c"]:
    """Columns of mean 0 and variance 1, without those that are constant."""
    x = x[:, x.max(axis=0) > x.min(axis=0)]
    # Divided first, since the square of 1e200 is no number.
    centred = x / abs(x).max(axis=0)
    centred -= weights @ centred / weights.sum()
    centred /= abs(centred).max(axis=0)
    result: Array = centred / np.sqrt(weights @ centred**2 / weights.sum())
    return result


def whitened(x: Float[Array, "n d"], weights: Float[Array, " n"]) -> Float[Array, "n c"]:
    """Principal components of the scaled columns, each of variance 1, so that units and correlation do not matter.

    Where there are too few rows to tell a correlation from chance, the columns are only scaled.
    """
    columns = scaled(x, weights)
    n, d = columns.shape
    if n < ROWS_A_COLUMN * d:
        return columns
    correlations = (weights[:, None] * columns).T @ columns / weights.sum()
    variances, axes = np.linalg.eigh(correlations)
    real = variances > 16 * d * np.finfo(float).eps
    result: Array = columns @ (axes[:, real] / np.sqrt(variances[real]))
    return result


# ---- groupings -----------------------------------------------------------------------------------


def kmeans_plus_plus(
    x: Float[Array, "n d"],
    k: int,
    rng: np.random.Generator,
    weights: Float[Array, " n"] | None = None,
    *,
    spread: bool = True,
) -> Int[Labels, " k"]:
    """The places of k distinct rows: each drawn by its squared distance from those before, the best of a few draws.

    Without `spread` they are drawn by their weights alone.

    Raises:
        ValueError: there are fewer than k distinct rows.

    Source: Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding", sections 2.2 and 5.
    """
    weights = np.ones(len(x)) if weights is None else weights
    nearest, mass = np.full(len(x), np.inf), weights
    # Column by column, sums over the columns of a row are sums of long arrays.
    columns = np.ascontiguousarray(x.T)
    chosen: list[int] = []
    while len(chosen) < k:
        total = np.cumsum(mass)
        if not total[-1] > 0:
            raise _too_few(len(chosen), k)
        draws = 2 + int(np.log(k)) if spread and chosen else 1
        candidates = np.searchsorted(total, total[-1] * rng.random(draws), side="right")
        distances = np.stack(
            [((columns - columns[:, [row]]) ** 2).sum(axis=0) for row in candidates]
        )
        distances = np.minimum(distances, nearest)
        best = (distances @ weights).argmin()
        chosen.append(int(candidates[best]))
        nearest = distances[best]
        mass = weights * (nearest if spread else nearest > 0)
    return np.array(chosen)


def k_means(
    x: Float[Array, "n d"],
    k: int,
    rng: np.random.Generator,
    weights: Float[Array, " n"] | None = None,
) -> Int[Labels, " n"]:
    """The group of each row after a few steps of Lloyd's algorithm from `kmeans_plus_plus`; no group is empty.

    Source: Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory 28.
    """
    weights = np.ones(len(x)) if weights is None else weights
    labels = _groups(x, kmeans_plus_plus(x, k, rng, weights))
    for _ in range(LLOYD_STEPS):
        members = weights * (labels == np.arange(k)[:, None])
        moved = _nearest(x, members @ x / members.sum(axis=1)[:, None])
        # A step that empties a group is not taken.
        if (moved == labels).all() or not np.bincount(moved, minlength=k).all():
            break
        labels = moved
    return labels


def random_groups(
    x: Float[Array, "n d"],
    k: int,
    rng: np.random.Generator,
    weights: Float[Array, " n"] | None = None,
) -> Int[Labels, " n"]:
    """The nearest of k rows, drawn at random, for each row.

    Source: Biernacki, Celeux & Govaert (2003), "Choosing starting values for the EM algorithm", section 2.
    """
    return _groups(x, kmeans_plus_plus(x, k, rng, weights, spread=False))


@dataclass(frozen=True)
class Tree:
    """Rows merged to groups, pair by pair, until one is left."""

    merges: Int[Labels, "n-1 2"]
    """The pair of each step, named by a row of each group; the merged group keeps the first name."""

    def labels(self, k: int) -> Int[Labels, " n"]:
        """The group of each row where k groups are left.

        Raises:
            ValueError: there are fewer than k rows.
        """
        n = len(self.merges) + 1
        if not 1 <= k <= n:
            raise _too_few(n, k)
        owner = np.arange(n)
        for kept, merged in self.merges[: n - k][::-1].tolist():
            owner[merged] = owner[kept]
        return np.unique(owner, return_inverse=True)[1]


def hierarchical(
    x: Float[Array, "n d"],
    weights: Float[Array, " n"] | None = None,
    model: Literal["VVV", "EII"] = "VVV",
) -> Tree:
    """Rows merged so that the classification likelihood falls least at each step; time and memory grow with n^2.

    "EII" adds least to the sum of squares within groups (Ward); "VVV" to sum_k n_k log|W_k / n_k|, W_k the scatter of
    group k, in which tr(W_k) stands in for the determinant of a group too small to have one.

    Source: Fraley (1998), "Algorithms for model-based Gaussian hierarchical clustering", sections 2 and 3; the terms
    for small groups are those of `hcVVV` of the R package mclust.
    """
    n, d = x.shape
    if d == 0:
        raise ArithmeticError(
            "data: no column has two values, so that there are no groups to find; a mixture needs rows that differ"
        )
    counts = np.ones(n) if weights is None else weights * (n / weights.sum())
    means, scatters = x.copy(), np.zeros((n, d, d))
    floor = float(counts @ ((x - counts @ x / n) ** 2).sum(axis=1)) / (n * d)

    def cost(counts: Float[Array, " m"], scatters: Float[Array, "m d d"]) -> Float[Array, " m"]:
        traces: Array = np.trace(scatters, axis1=1, axis2=2)
        if model == "EII":
            return traces
        logs: Array = np.log((traces + floor) / counts)
        large = counts > d
        volumes = np.linalg.slogdet(scatters[large]).logabsdet - d * np.log(counts[large])
        logs[large] = np.logaddexp(volumes, logs[large])
        logs *= counts
        return logs

    def merged(row: int, others: Int[Labels, " m"]) -> tuple[Array, Array]:
        total = counts[row] + counts[others]
        apart = means[others] - means[row]
        between = (counts[row] * counts[others] / total)[:, None] * apart
        return total, scatters[row] + scatters[others] + between[:, :, None] * apart[:, None, :]

    def fill(row: int, others: Int[Labels, " m"]) -> None:
        loss[row, others] = loss[others, row] = (
            cost(*merged(row, others)) - costs[row] - costs[others]
        )

    costs, loss = cost(counts, scatters), np.full((n, n), np.inf)
    for row in range(n):
        fill(row, np.arange(row + 1, n))
    best = loss.argmin(axis=1)
    alive, merges = np.ones(n, dtype=bool), []
    for _ in range(n - 1):
        first = int(loss[np.arange(n), best].argmin())
        first, second = sorted((first, int(best[first])))
        merges.append((first, second))
        total, scatter = merged(first, np.array([second]))
        means[first] += counts[second] / total[0] * (means[second] - means[first])
        counts[first], scatters[first] = total[0], scatter[0]
        costs[first] = cost(counts[[first]], scatters[[first]])[0]
        alive[second] = False
        loss[second, :] = loss[:, second] = np.inf
        others = np.flatnonzero(alive)
        others = others[others != first]
        fill(first, others)
        # The nearest of a row changes where it was one of the pair, or where the merged group is nearer.
        stale = others[(best[others] == first) | (best[others] == second)]
        best[stale] = loss[stale].argmin(axis=1)
        nearer = others[loss[others, first] < loss[others, best[others]]]
        best[nearer] = first
        best[first] = loss[first].argmin()
    return Tree(np.array(merges, dtype=np.intp).reshape(-1, 2))


def _groups(x: Float[Array, "n d"], chosen: Int[Labels, " k"]) -> Int[Labels, " n"]:
    labels = _nearest(x, x[chosen])
    # Each is nearest to itself, but for rounding.
    labels[chosen] = np.arange(len(chosen))
    return labels


def _nearest(x: Float[Array, "n d"], centres: Float[Array, "k d"]) -> Int[Labels, " n"]:
    # |x - c|^2 without |x|^2, which is the same for every centre.
    labels: Labels = ((centres**2).sum(axis=1) - x @ (2 * centres.T)).argmin(axis=1)
    return labels


def _too_few(rows: int, k: int) -> ValueError:
    return ValueError(
        f"k: expected no more components than distinct rows in the sample, got {k} for {rows}; use fewer components"
    )
