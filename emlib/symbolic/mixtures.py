"""The derivations of the chapter on why mixtures resist (book/mixtures.md).

A mixture of any number of components is written pi N(x_n | mu, v) + R_n: one component in full, and the rest R_n,
which does not depend on that component's parameters. Where all K components matter, they are written out as a sum.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import minimum
from emlib.symbolic.likelihood import data, mu, n, v, x
from emlib.symbolic.notation import NormalDensity, any_of, in_order, named, named_entry

weight = sp.Symbol("pi_k", positive=True)
mean = sp.Symbol("mu_k", real=True)
variance = sp.Symbol("v_k", positive=True)
rest = sp.IndexedBase("R", positive=True)

joint = weight * NormalDensity(x[n], mean, variance)
responsibility = named_entry(r"r", n, joint / (joint + rest[n]))
mixture_log_likelihood = named(r"\ell(\theta)", sp.Sum(sp.log(in_order(joint, rest[n])), data))
# Held together: SymPy would split the root into three.
_height = sp.Mul(weight, sp.Pow(2 * sp.pi * v, sp.Rational(-1, 2), evaluate=False), evaluate=False)
share = named("N_k", sp.Sum(responsibility(n), data))

K = sp.Symbol("K", integer=True, positive=True)
j = sp.Symbol("j", integer=True)
component = any_of("k", 1, K)
weights = sp.IndexedBase("pi", positive=True)
means = sp.IndexedBase("mu", real=True)
variances = sp.IndexedBase("v", positive=True)


def joint_of(k: sp.Expr) -> sp.Expr:
    """p(x_n, z_n = k)."""
    return weights[k] * NormalDensity(x[n], means[k], variances[k])


mixture = sp.Sum(joint_of(j), (j, 1, K))
mixture_of_all = named(r"\ell(\theta)", sp.Sum(sp.log(mixture), data))
_n, _k = sp.symbols("n k", integer=True)
responsibility_of = named_entry("r", (_n, _k), joint_of(_k) / mixture)


@cache
def score() -> Derivation:
    """The slope of a mixture's log-likelihood in one of its means."""
    pull = (x[n] - mean) / variance
    return (
        Derivation("eq-mixture-score", sp.Derivative(mixture_log_likelihood, mean))
        .equals(
            sp.Derivative(mixture_log_likelihood.meaning, mean),
            because="single out component $k$; the rest $R_n$ does not depend on its mean",
        )
        .equals(
            sp.Sum(joint / in_order(joint, rest[n]) * pull, data),
            because="the derivative of a logarithm puts the mixture in the denominator",
        )
        .equals(
            sp.Sum(responsibility(n) * pull, data),
            because="the quotient is the share of observation $n$ that component $k$ accounts for; call it $r_n$",
        )
    )


@cache
def score_of_any() -> Derivation:
    """The slope of a mixture's log-likelihood in the mean of any one of its $K$ components."""
    pull = (x[n] - means[component]) / variances[component]
    return (
        Derivation("eq-mixture-score-of-any", sp.Derivative(mixture_of_all, means[component]))
        .equals(
            sp.Sum(joint_of(component) / mixture * pull, data),
            because="of the $K$ terms in the mixture one moves; the logarithm puts the mixture in the denominator",
        )
        .equals(
            sp.Sum(responsibility_of(n, component) * pull, data),
            because="the quotient is the responsibility of component $k$ for observation $n$",
        )
    )


@cache
def fixed_point() -> Derivation:
    """The slope is zero where the mean equals its own responsibility-weighted average."""
    weighted_mean = sp.Sum(responsibility(n) * x[n], data) / share
    return Derivation("eq-mixture-fixed-point", sp.Derivative(mixture_log_likelihood, mean)).equals(
        share / variance * in_order(weighted_mean, -mean),
        because="take the total share outside: what is left is a weighted average minus the mean",
    )


@cache
def singularity() -> Derivation:
    """With its mean on an observation, a component's density there grows without bound as it narrows."""
    first = sp.log(in_order(weight * NormalDensity(mu, mu, v), rest[1]))
    extra = sp.Symbol("a", positive=True)
    base = sp.Symbol("b", positive=True)
    # log(a + b) >= log(a): adding the other components cannot lower the logarithm.
    rises = minimum(sp.log(base + extra) - sp.log(extra), base, at=0)
    return (
        Derivation("eq-singularity", first)
        .equals(
            sp.log(in_order(_height, rest[1])),
            because="at the observation the exponent is zero, and only the height of the peak is left",
        )
        .at_least(
            sp.log(_height),
            because="the rest of the mixture is positive",
            by=rises.at({base: rest[1], extra: _height}),
        )
    )


@cache
def unbounded() -> Derivation:
    """The lower bound of that peak has no limit."""
    return Derivation("eq-unbounded", sp.Limit(sp.log(_height), v, 0, "+")).equals(
        sp.oo, because="the height of the peak is $\\pi_k/\\sqrt{2\\pi v}$, and $v$ goes to zero"
    )


@cache
def relabelling() -> Derivation:
    """Two components that exchange their parameters leave the log-likelihood as it was.

    Every relabelling of K components is a chain of such exchanges, so each mode stands K! times.
    """
    params = [
        (
            sp.Symbol(f"pi_{place}", positive=True),
            sp.Symbol(f"mu_{place}", real=True),
            sp.Symbol(f"v_{place}", positive=True),
        )
        for place in "ij"
    ]
    first, second = (w * NormalDensity(x[n], m, spread) for w, m, spread in params)

    def ell(*order: sp.Expr) -> sp.Expr:
        return sp.Sum(sp.log(in_order(*order, rest[n])), data)

    return (
        Derivation("eq-relabelling", named(r"\ell(\theta_j, \theta_i)", ell(second, first)))
        .equals(
            ell(second, first),
            because="component $i$ has the parameters $\\theta_j$ of component $j$ now, and $j$ those of $i$; "
            "the rest $R_n$ stays",
        )
        .equals(ell(first, second), because="a sum does not depend on the order of its terms")
        .equals(
            named(r"\ell(\theta_i, \theta_j)", ell(first, second)),
            because="which is the log-likelihood before the exchange",
        )
    )


DERIVATIONS = (score, score_of_any, fixed_point, singularity, unbounded, relabelling)
