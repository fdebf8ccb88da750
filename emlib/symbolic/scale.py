"""The derivations of the chapter on EM at scale: all that is kept of the data are sums, and sums can be moved about."""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import (
    free_energy,
    gibbs_for,
    joint,
    k,
    kl,
    new_joint,
    posterior,
    q,
    q_is_distribution,
    states,
)
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import N, data, n
from emlib.symbolic.matrices import matrix_sum, outer, vector, vectors
from emlib.symbolic.notation import in_order, named
from emlib.symbolic.selection import symmetric_entries

d = sp.Symbol("d", integer=True, positive=True)
responsibility = sp.IndexedBase("r", positive=True)
statistic = sp.IndexedBase("T", real=True)
member = sp.IndexedBase("m", real=True)


@cache
def statistics_add() -> Derivation:
    """The statistics of a data set are those of its parts, added: so it may be read in chunks, threads or machines."""
    term = responsibility[n] * statistic[n]
    return Derivation("eq-statistics-add", sp.Sum(term, data)).equals(
        in_order(sp.Sum(member[n] * term, data), sp.Sum((1 - member[n]) * term, data)),
        because="$m_n$ is one for the rows of the first part and zero for the others; a part may be split again, "
        "and so for any number of them",
    )


@cache
def weights_are_copies() -> Derivation:
    """An observation with a whole number as its weight counts as so many copies of its row."""
    copies = sp.IndexedBase("w", integer=True, nonnegative=True)
    copy = sp.Symbol("c", integer=True)
    term = responsibility[n] * statistic[n]
    repeated = sp.Sum(sp.Sum(term, (copy, 1, copies[n])), data)
    return Derivation("eq-weights-copies", repeated).equals(
        sp.Sum(copies[n] * term, data),
        because="copies have equal responsibilities, as these depend on the row alone; equal terms add up to a product",
    )


x = vectors("x", d)
anchor, other_anchor = vector("a", d), vector("b", d)
total = sp.Symbol("N_k", positive=True)
first = vector("f", d)
moments = (
    sp.Eq(sp.Sum(responsibility[n], data), total),
    sp.Eq(matrix_sum(responsibility[n] * x[n], data), first + total * anchor, evaluate=False),
)
"""The count, and the first moment about the anchor a."""


@cache
def first_moment_moves() -> Derivation:
    """The first moment about another anchor follows from that about the old one, without the data."""
    about = matrix_sum(responsibility[n] * (x[n] - other_anchor), data)
    return Derivation("eq-first-moment", about, given=moments).equals(
        first + total * (anchor - other_anchor),
        because="every one of $N_k$ observations is further by the way from anchor to anchor",
    )


@cache
def second_moment_moves() -> Derivation:
    """The second moment about another anchor follows from those about the old one, without the data.

    Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance", The American
    Statistician 37(3).
    """
    about = matrix_sum(responsibility[n] * outer(x[n] - other_anchor), data)
    old = matrix_sum(responsibility[n] * outer(x[n] - anchor), data)
    shift = anchor - other_anchor
    return Derivation("eq-second-moment", about, given=moments).equals(
        old + first * shift.T + shift * first.T + total * shift * shift.T,
        because="multiply out $(x_n-a)+(a-b)$; $f$ is the first moment about $a$",
    )


mean_a, mean_b = vector(r"\bar{x}_A", d), vector(r"\bar{x}_B", d)
count_a, count_b = sp.symbols("N_A N_B", integer=True, positive=True)
left, right = vectors("x", d), vectors("y", d)
rows_a, rows_b = (n, 1, count_a), (n, 1, count_b)
two_means = (
    sp.Eq(matrix_sum(left[n], rows_a), count_a * mean_a, evaluate=False),
    sp.Eq(matrix_sum(right[n], rows_b), count_b * mean_b, evaluate=False),
)


@cache
def merged_scatter() -> Derivation:
    """The scatter of two parts is the scatter of each, plus what lies between their means.

    Source: Chan, Golub & LeVeque (1983), eq. (1.5b).
    """
    middle = (count_a * mean_a + count_b * mean_b) / (count_a + count_b)
    about = matrix_sum(outer(left[n] - middle), rows_a) + matrix_sum(
        outer(right[n] - middle), rows_b
    )
    within = matrix_sum(outer(left[n] - mean_a), rows_a) + matrix_sum(
        outer(right[n] - mean_b), rows_b
    )
    between = count_a * count_b / (count_a + count_b) * outer(mean_a - mean_b)
    return Derivation("eq-merge", about, given=two_means).equals(
        within + between,
        because="about the mean of all, each part has its own scatter and its distance from there; the distances are "
        "shares of $\\bar x_A-\\bar x_B$",
    )


part = sp.IndexedBase("s", real=True)
time = sp.Symbol("t", integer=True, positive=True)
i = sp.Symbol("i", integer=True)
steps = (i, 1, time)


@cache
def running_mean() -> Derivation:
    """One more observation moves a mean by its distance from it, divided by the new count.

    Source: Welford (1962), "Note on a method for calculating corrected sums of squares and products",
    Technometrics 4(3).
    """
    before = named(r"\bar{s}_t", sp.Sum(part[i], steps) / time)
    return (
        Derivation(
            "eq-running-mean",
            (sp.Sum(part[i], steps) + part[time + 1]) / (time + 1),
        )
        .equals(
            (1 - 1 / (time + 1)) * before + part[time + 1] / (time + 1),
            because="the mean of $t+1$ statistics is a mixture of the mean of the first $t$ and the newest",
        )
        .equals(
            in_order(before, in_order(part[time + 1], -before) / (time + 1)),
            because="so online EM with step size $1/(t+1)$ keeps the plain average",
        )
    )


eta = sp.Symbol("eta", positive=True)
weight_of_step = sp.IndexedBase("w", real=True)
weights_add_up = sp.Eq(sp.Sum(weight_of_step[i], steps), 1)


@cache
def online_weights() -> Derivation:
    """Whatever the step sizes, online EM keeps a weighted average: the weights of all steps go on adding up to one.

    Source: Cappe & Moulines (2009), "On-line expectation-maximization algorithm for latent data models", Journal of the
    Royal Statistical Society B 71(3), section 2.
    """
    kept = sp.Sum((1 - eta) * weight_of_step[i], steps)
    return Derivation("eq-online-weights", in_order(kept, eta), given=(weights_add_up,)).equals(
        1,
        because="the next step takes $1-\\eta$ of every old weight and gives $\\eta$ to the newest statistics; "
        "the first step has all the weight",
    )


block = sp.Symbol("b", integer=True)
blocks = sp.Symbol("B", integer=True, positive=True)
before, after = sp.IndexedBase("s", real=True), sp.IndexedBase("s'", real=True)
visited = sp.IndexedBase("m", real=True)


@cache
def one_block_swapped() -> Derivation:
    """When one block is visited again, the total changes by the difference of its new and old statistics alone.

    Source: Neal & Hinton (1998), section 4, eqs. (12)-(14).
    """
    every = (block, 1, blocks)
    swapped = (1 - visited[block]) * before[block] + visited[block] * after[block]
    change = visited[block] * (after[block] - before[block])
    return Derivation("eq-incremental", sp.Sum(swapped, every)).equals(
        in_order(sp.Sum(before[block], every), sp.Sum(change, every)),
        because="$m_b$ is one for the block that is visited and zero for the others, which keep what they had",
    )


others = sp.Symbol("F_{-b}", real=True)


@cache
def incremental_e_step() -> Derivation:
    """Visiting one block never lowers the free energy of all of them.

    Source: Neal & Hinton (1998), section 4.
    """
    at_posterior = sp.Sum(posterior(k) * sp.log(joint[k] / posterior(k)), states)
    gain = in_order(others, at_posterior, -others, -free_energy)
    return (
        Derivation("eq-incremental-e-step", gain, given=(q_is_distribution,))
        .equals(
            kl(q[k], posterior(k)),
            because="the free energy is a sum over blocks, and the other blocks keep their part $F_{-b}$; the "
            "posterior $r$ of the block takes the place of its old $q$",
        )
        .at_least(0, because="KL is never negative", by=gibbs_for(q[k], posterior(k)))
    )


@cache
def incremental_m_step() -> Derivation:
    """An M-step changes the free energy by what it changes in the expected log-joint: the entropies stay."""
    new_free_energy = sp.Sum(q[k] * sp.log(new_joint[k] / q[k]), states)
    change = in_order(
        sp.Sum(q[k] * sp.log(new_joint[k]), states), -sp.Sum(q[k] * sp.log(joint[k]), states)
    )
    return Derivation("eq-incremental-m-step", in_order(new_free_energy, -free_energy)).equals(
        change,
        because="$-\\sum_kq_k\\log q_k$ does not hold the params; the M-step makes the rest as large as it can be",
    )


K = sp.Symbol("K", integer=True, positive=True)


@cache
def kept_numbers() -> Derivation:
    """Of each component a Gaussian mixture keeps $(d+1)(d+2)/2$ sums: a count, $d$ first moments, the second moments."""
    return Derivation(
        "eq-kept-numbers", in_order(1, sp.Sum(1, (i, 1, d)), symmetric_entries)
    ).equals(
        (d + 1) * (d + 2) / 2,
        because="the second moments are a symmetric matrix; times $K$ this is one more than the parameters, "
        "{eq}`eq-count-mixture`",
    )


@cache
def cost() -> Derivation:
    """A pass over the data takes two multiplications for each observation and kept number."""
    features = kept_numbers().end
    density = sp.Sum(sp.Sum(features, (k, 1, K)), data)
    return Derivation("eq-cost", in_order(density, density)).equals(
        N * K * (d + 1) * (d + 2),
        because="one product of natural parameters with statistics for the densities, and one of responsibilities "
        "with statistics for the sums",
    )


DERIVATIONS = (
    statistics_add,
    weights_are_copies,
    first_moment_moves,
    second_moment_moves,
    merged_scatter,
    running_mean,
    online_weights,
    one_block_swapped,
    incremental_e_step,
    incremental_m_step,
    kept_numbers,
    cost,
)
