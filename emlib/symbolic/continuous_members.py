"""The derivations on the continuous members of emlib/families: exponential and normal.

As for the discrete ones, each density is brought to eta T(x) - A(eta) + log h(x); the log-partition is the logarithm of
an integral. The M-step of a normal component is {eq}`eq-m-step-component`.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.family_members import mean_of_k, new_rate, rate, weighted_mean
from emlib.symbolic.gaussian_mixtures import r, share_of_k
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import data, log_tangent, mu, n, ratio, v, x
from emlib.symbolic.notation import NormalDensity, in_order, named

half = sp.Rational(1, 2)
duration = sp.Symbol("x", positive=True)
real_value = sp.Symbol("x", real=True)

# ---- exponential -----------------------------------------------------------------------------------

negative = sp.Symbol("eta", negative=True)


def exponential_density(value: sp.Expr) -> sp.Expr:
    """The density of a duration at a rate."""
    return value * sp.exp(-value * duration)


@cache
def exponential_natural() -> Derivation:
    """The natural parameter of an exponential distribution is minus its rate."""
    eta = named(r"\eta", -rate)
    return Derivation("eq-exponential-natural", sp.log(exponential_density(rate))).equals(
        in_order(eta * duration, sp.log(-eta)),
        because="with $\\eta=-\\lambda$: $T(x)=x$, $A(\\eta)=-\\log(-\\eta)=-\\log\\lambda$ and $h=1$",
    )


@cache
def exponential_log_partition() -> Derivation:
    """The log-partition of an exponential distribution is the logarithm of an integral."""
    whole = sp.Integral(sp.exp(-rate * duration), (duration, 0, sp.oo))
    return Derivation("eq-exponential-log-partition", sp.log(whole)).equals(
        -sp.log(rate), because="the area under $e^{\\eta x}$ with $\\eta=-\\lambda$ is $1/\\lambda$"
    )


@cache
def exponential_mean() -> Derivation:
    """The mean duration is the slope of the log-partition of an exponential distribution, one over its rate."""
    mean = sp.Integral(duration * exponential_density(rate), (duration, 0, sp.oo))
    slope = sp.Subs(sp.Derivative(-sp.log(-negative), negative), negative, -rate)
    return (
        Derivation("eq-exponential-mean", mean)
        .equals(1 / rate, because="integrate by parts")
        .equals(slope, because="the slope of $-\\log(-\\eta)$ is $-1/\\eta$")
    )


@cache
def exponential_m_step() -> Derivation:
    """No rate of an exponential component does better than one over the responsibility-weighted mean."""

    def surrogate(value: sp.Expr, name: str) -> sp.Expr:
        return named(f"Q_k({name})", sp.Sum(r[n] * sp.log(value * sp.exp(-value * x[n])), data))

    u = rate * mean_of_k
    shortfall = surrogate(1 / mean_of_k, r"1/\bar{x}_k") - surrogate(rate, r"\lambda")
    return (
        Derivation("eq-exponential-m-step", shortfall, given=weighted_mean)
        .equals(
            share_of_k * in_order(u, -1, -sp.log(u)),
            because="insert the weighted sum of the durations, $N_k\\bar x_k$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\lambda\\bar x_k$",
            by=log_tangent.at({ratio: u}).times(share_of_k),
        )
    )


@cache
def exponential_kl() -> Derivation:
    """The divergence between two exponential distributions depends on the ratio of their rates."""
    of_logs = in_order(sp.log(exponential_density(rate)), -sp.log(exponential_density(new_rate)))
    divergence = sp.Integral(exponential_density(rate) * of_logs, (duration, 0, sp.oo))
    u = new_rate / rate
    return (
        Derivation("eq-exponential-kl", divergence)
        .equals(
            in_order(u, -1, -sp.log(u)),
            because="the logarithm is $\\log(\\lambda/\\lambda')-(\\lambda-\\lambda')x$, and the mean of $x$ "
            "is $1/\\lambda$",
        )
        .at_least(0, because="$u-1-\\log u\\ge0$", by=log_tangent.at({ratio: u}))
    )


# ---- normal ----------------------------------------------------------------------------------------

eta_1 = sp.Symbol("eta_1", real=True)
eta_2 = sp.Symbol("eta_2", negative=True)
normal_log_partition = -(eta_1**2) / (4 * eta_2) + sp.log(-sp.pi / eta_2) / 2
at_moments = (eta_1, eta_2), (mu / v, -1 / (2 * v))


@cache
def normal_natural() -> Derivation:
    """A normal distribution has two statistics, $x$ and its square, and two natural parameters."""
    first, second = named(r"\eta_1", mu / v), named(r"\eta_2", -1 / (2 * v))
    return Derivation("eq-normal-natural", sp.log(NormalDensity(real_value, mu, v))).equals(
        in_order(
            first * real_value,
            second * real_value**2,
            first**2 / (4 * second),
            -sp.log(-sp.pi / second) / 2,
        ),
        because="multiply out the square: $\\eta_1=\\mu/v$, $\\eta_2=-1/2v$, and the terms without $x$ are $-A(\\eta)$",
    )


@cache
def normal_partition() -> Derivation:
    """The log-partition of a normal distribution is the logarithm of an integral."""
    b = sp.Symbol("b", positive=True)
    second = named(r"\eta_2", -b)
    area = sp.Integral(
        sp.exp(eta_1 * real_value + second * real_value**2), (real_value, -sp.oo, sp.oo)
    )
    return Derivation("eq-normal-log-partition", sp.log(area)).equals(
        in_order(-(eta_1**2) / (4 * second), sp.log(-sp.pi / second) / 2),
        because="complete the square; the area is finite for any $\\eta_2<0$, and $h=1$",
    )


@cache
def normal_mean() -> Derivation:
    """The slope of a normal distribution's log-partition in its first natural parameter is the mean."""
    return Derivation(
        "eq-normal-mean", sp.Subs(sp.Derivative(normal_log_partition, eta_1), *at_moments)
    ).equals(mu, because="the slope is $-\\eta_1/2\\eta_2$")


@cache
def normal_second_moment() -> Derivation:
    """The slope of a normal distribution's log-partition in its second natural parameter is the mean square."""
    return Derivation(
        "eq-normal-second-moment", sp.Subs(sp.Derivative(normal_log_partition, eta_2), *at_moments)
    ).equals(
        in_order(v, mu**2),
        because="the slope is $\\eta_1^2/4\\eta_2^2-1/2\\eta_2$: variance plus squared mean",
    )


@cache
def normal_kl() -> Derivation:
    """The divergence between two normal distributions has one part for the variances and one for the means."""
    new_mean, new_variance = sp.Symbol(r"\mu'", real=True), sp.Symbol("v'", positive=True)
    old = named(r"\eta_1", mu / v), named(r"\eta_2", -1 / (2 * v))
    new = (
        named(r"\eta_1'", new_mean / new_variance),
        named(r"\eta_2'", -1 / (2 * new_variance)),
    )
    gap = in_order(
        named(r"A(\eta')", normal_log_partition.subs(dict(zip((eta_1, eta_2), new, strict=True)))),
        -named(r"A(\eta)", normal_log_partition.subs(dict(zip((eta_1, eta_2), old, strict=True)))),
        -(new[0] - old[0]) * mu,
        -(new[1] - old[1]) * (v + mu**2),
    )
    u = v / new_variance
    lemma = log_tangent.at({ratio: u}).times(half) + square(mu - new_mean).times(
        1 / (2 * new_variance)
    )
    return (
        Derivation("eq-normal-kl", gap)
        .equals(
            half * in_order(u, -1, -sp.log(u), (mu - new_mean) ** 2 / new_variance),
            because="the divergence is $A(\\eta')-A(\\eta)$ less $\\eta'-\\eta$ times the mean statistics $\\mu$ and "
            "$v+\\mu^2$, by {eq}`eq-family-bregman`",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=v/v'$, and a square is never negative",
            by=lemma,
        )
    )


DERIVATIONS = (
    exponential_natural,
    exponential_log_partition,
    exponential_mean,
    exponential_m_step,
    exponential_kl,
    normal_natural,
    normal_partition,
    normal_mean,
    normal_second_moment,
    normal_kl,
)
