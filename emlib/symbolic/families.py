"""The derivations of the chapter on models beyond Gaussians: EM in any exponential family.

An observation is one of S values. Value s has the statistics T_s1 ... T_sd, and the family gives it the probability
p_s = h_s exp(<eta, T_s> - A(eta)). A family over the line is the same with integrals in place of sums over s.
The members of the family, and the models of the chapter, stand in modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sympy as sp

from emlib.symbolic import (
    alleles,
    continuous_members,
    family_members,
    missing_data,
    student,
    zero_inflated,
)
from emlib.symbolic.bound import K, j, k
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import r, share_of_k
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import data, log_tangent, n, ratio
from emlib.symbolic.notation import Named, NamedEntry, in_order, named, named_entry

s, i = sp.symbols("s i", integer=True)
S, d = sp.symbols("S d", integer=True, positive=True)
values, coordinates = (s, 1, S), (i, 1, d)
x = sp.IndexedBase("x", integer=True)
unscaled = sp.IndexedBase("e", positive=True)
directed = sp.IndexedBase("T^{u}", real=True)
t = sp.Symbol("t", real=True)


class Member:
    """The distribution of the family that lies `distance` away from eta in the direction u."""

    def __init__(self, distance: Any, point: str, mark: str = "") -> None:
        """The book writes its natural parameters as `point`; `mark` marks its probabilities."""
        weight = unscaled[s] * sp.exp(distance * directed[s])
        total = sp.Sum(weight.subs(s, j), (j, 1, S))
        self.log_partition: Named = named(f"A({point})", sp.log(total))
        self.probability: type[NamedEntry] = named_entry(f"p{mark}", s, weight / total)
        self.surrogate: sp.Expr = sp.Sum(r[n] * sp.log(self.probability(x[n])), data)
        self.mean: Named = named(f"m{mark}_u", sp.Sum(self.probability(s) * directed[s], values))


here, there = Member(0, r"\eta"), Member(1, r"\eta'", "'")
line = Member(t, r"\eta+tu", "^{t}")

mean_in_direction = sp.Symbol("m_u", real=True)
shares_add_up = sp.Eq(sp.Sum(r[n], data), share_of_k)
moments_agree = (
    sp.Eq(sp.Sum(r[n] * directed[x[n]], data), share_of_k * mean_in_direction),
    sp.Eq(sp.Sum(here.probability(s) * directed[s], values), mean_in_direction),
)


@cache
def along_a_line() -> Derivation:
    """Along a line of natural parameters a family has one statistic, and what holds on every line holds for all."""
    statistic = sp.IndexedBase("T", real=True)
    eta, u = sp.IndexedBase("eta", real=True), sp.IndexedBase("u", real=True)
    base = sp.IndexedBase("h", positive=True)
    here_unscaled = base[s] * sp.exp(sp.Sum(eta[i] * statistic[s, i], coordinates))
    on_line = base[s] * sp.exp(sp.Sum((eta[i] + t * u[i]) * statistic[s, i], coordinates))
    return Derivation("eq-family-line", sp.log(on_line)).equals(
        in_order(
            sp.log(named_entry("e", s, here_unscaled)(s)),
            t * named_entry("T^{u}", s, sp.Sum(u[i] * statistic[s, i], coordinates))(s),
        ),
        because="inner products are linear: $e_s=h_se^{\\langle\\eta,T_s\\rangle}$ belongs to $\\eta$, and "
        "$T^u_s=\\langle u,T_s\\rangle$ is the statistic in the direction $u$",
    )


@cache
def log_partition_slope() -> Derivation:
    """On any finite set of values, the slope of the log-partition is the mean statistic, in every direction."""
    return Derivation("eq-family-mean", sp.Derivative(line.log_partition, t)).equals(
        sp.Sum(line.probability(s) * directed[s], values),
        because="with $A=\\log\\sum_se_se^{tT^u_s}$: the derivative of the logarithm divides by the sum, and leaves "
        "the probabilities $p_s$",
    )


@cache
def log_partition_curvature() -> Derivation:
    """On any finite set of values, the log-partition is convex: its curvature is the variance of the statistic."""
    deviation = directed[s] - line.mean
    return (
        Derivation("eq-family-variance", sp.Derivative(line.log_partition, (t, 2)))
        .equals(
            sp.Derivative(line.mean, t),
            because="the first slope is the mean $m^t_u=\\sum_sp^t_sT^u_s$",
        )
        .equals(
            sp.Sum(line.probability(s) * deviation**2, values),
            because="a probability changes by $p_s(T^u_s-m_u)$",
        )
        .at_least(
            0,
            because="an average of squares is never negative",
            by=square(deviation).times(line.probability(s)).summed(*values),
        )
    )


@cache
def surrogate() -> Derivation:
    """For an exponential family the surrogate holds the data only through weighted sums of the statistics."""
    of_base = sp.Sum(r[n] * sp.log(unscaled[x[n]]), data)
    return Derivation("eq-family-surrogate", line.surrogate, given=(shares_add_up,)).equals(
        in_order(
            t * sp.Sum(r[n] * directed[x[n]], data), -share_of_k * line.log_partition, of_base
        ),
        because="one sum for each direction and the count $N_k$; with $\\eta=0$, for which $e_s=h_s$, no parameter "
        "enters the last term",
    )


@cache
def surrogate_slope() -> Derivation:
    """The M-step of an exponential family equates two means: that of the data, weighted, and that under the family."""
    return Derivation(
        "eq-family-m-step-slope", sp.Derivative(line.surrogate, t), given=(shares_add_up,)
    ).equals(
        in_order(sp.Sum(r[n] * directed[x[n]], data), -share_of_k * line.mean),
        because="observed less expected statistics: zero where $A'(\\eta)$ is the weighted mean statistic",
    )


@cache
def bregman() -> Derivation:
    """On any finite set of values, the log-partition lies above its tangents, by the divergence between two members."""
    divergence = sp.Sum(
        here.probability(s) * sp.log(here.probability(s) / there.probability(s)), values
    )
    lemma = log_tangent.at({ratio: there.probability(s) / here.probability(s)})
    return (
        Derivation(
            "eq-family-bregman", in_order(there.log_partition, -here.log_partition, -here.mean)
        )
        .equals(
            divergence,
            because="with $\\eta'=\\eta+u$: $\\log(p_s/p'_s)=A(\\eta')-A(\\eta)-T^u_s$; average over $p$",
        )
        .at_least(
            0,
            because="a divergence is never negative: $u-1-\\log u\\ge0$ at $u=p'_s/p_s$, averaged over $p$",
            by=lemma.times(here.probability(s)).summed(*values),
        )
    )


@cache
def m_step() -> Derivation:
    """Where the mean statistics of data and family agree, no other natural parameters give a larger surrogate."""
    tangent_gap = in_order(there.log_partition, -here.log_partition, -mean_in_direction)
    return (
        Derivation(
            "eq-family-m-step",
            in_order(here.surrogate, -there.surrogate),
            given=(shares_add_up, *moments_agree),
        )
        .equals(
            share_of_k * tangent_gap,
            because="$\\log h$ cancels; $m_u$ is the weighted mean of the data in the direction $u=\\eta'-\\eta$, and "
            "the mean under $p$",
        )
        .at_least(
            0,
            because="the log-partition lies above its tangents, by {eq}`eq-family-bregman`",
            by=bregman().lemma().times(share_of_k),
        )
    )


@cache
def responsibilities() -> Derivation:
    """The E-step of a mixture of an exponential family needs one inner product for each component."""
    natural = sp.IndexedBase("eta", real=True)
    statistic = sp.IndexedBase("T", real=True)
    partition = sp.IndexedBase("A", real=True)
    weight = sp.IndexedBase("pi", positive=True)
    base = sp.Symbol("h", positive=True)

    def product(component: sp.Expr) -> sp.Expr:
        return sp.Sum(natural[component, i] * statistic[i], coordinates)

    score = named_entry("a", k, sp.log(weight[k]) + product(k) - partition[k])
    of_component = named_entry("f", k, base * sp.exp(product(k) - partition[k]))
    return Derivation(
        "eq-family-responsibilities",
        weight[k] * of_component(k) / sp.Sum(weight[j] * of_component(j), (j, 1, K)),
    ).equals(
        sp.exp(score(k)) / sp.Sum(sp.exp(score(j)), (j, 1, K)),
        because="with $a_k=\\log\\pi_k+\\langle\\eta_k,T(x)\\rangle-A_k$ and density $f_k$: $h(x)$ cancels",
    )


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    along_a_line,
    log_partition_slope,
    log_partition_curvature,
    responsibilities,
    surrogate,
    surrogate_slope,
    bregman,
    m_step,
    *family_members.DERIVATIONS,
    *continuous_members.DERIVATIONS,
    *alleles.DERIVATIONS,
    *zero_inflated.DERIVATIONS,
    *missing_data.DERIVATIONS,
    *student.DERIVATIONS,
)
