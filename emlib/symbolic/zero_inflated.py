"""The derivations on zero inflation (emlib/models/zero_inflated.py): more zeros than a Poisson distribution explains.

With probability pi an observation is zero whatever happens; else it is a Poisson count. Of N observations N_0 are
zero; x_1 ... x_M are the others, and S is their sum. Source: Lambert (1992), Technometrics 34, section 2.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import log_tangent, n, ratio
from emlib.symbolic.notation import in_order, named

x = sp.IndexedBase("x", integer=True, positive=True)
M, zeros = sp.symbols("M N_0", integer=True, positive=True)
positives = (n, 1, M)
total = named("N", zeros + M)
S = sp.Symbol("S", positive=True)
adds_up = (sp.Eq(sp.Sum(x[n], positives), S),)

# What an E-step makes of the zeros: R certain ones and Z others.
certain, others = sp.symbols("R Z", positive=True)
best_weight = named(r"\hat{\pi}", certain / (certain + others + M))
best_rest = named(r"(1-\hat{\pi})", (others + M) / (certain + others + M))
best_rate = named(r"\hat{\lambda}", S / (others + M))

rate, odds = sp.symbols("lambda omega", positive=True)
# A probability and what it leaves of one, both known to be positive.
weight, rest = named(r"\pi", odds / (1 + odds)), named(r"(1-\pi)", 1 / (1 + odds))
of_zero = named("p(0)", weight + rest * sp.exp(-rate))
share = named("r", weight / of_zero)


def poisson(count: sp.Expr, mean: sp.Expr) -> sp.Expr:
    """The Poisson probability of a count."""
    return mean**count * sp.exp(-mean) / sp.factorial(count)


@cache
def posterior() -> Derivation:
    """How probable it is that a zero was certain, and not a Poisson count that happened to be zero."""
    zero = sp.Integer(0)
    joint = in_order(weight, rest * poisson(zero, rate))
    return (
        Derivation("eq-zero-posterior", weight / joint)
        .equals(
            1 / in_order(1, rest / weight * sp.exp(-rate)),
            because="Bayes: what a certain zero adds to $p(0)=\\pi+(1-\\pi)e^{-\\lambda}$, over all of it; "
            "divide by $\\pi$",
        )
        .equals(share, because="call it $r$; for a count above zero it is 0")
    )


@cache
def log_likelihood() -> Derivation:
    """The log-likelihood of the zero-inflated Poisson distribution, from three numbers of the data."""
    factorials = sp.Sum(sp.log(sp.factorial(x[n])), positives)
    ell = in_order(zeros * sp.log(of_zero), sp.Sum(sp.log(rest * poisson(x[n], rate)), positives))
    return Derivation("eq-zero-log-likelihood", ell, given=adds_up).equals(
        in_order(
            zeros * sp.log(of_zero),
            M * in_order(sp.log(rest), -rate),
            S * sp.log(rate),
            -factorials,
        ),
        because="split the logarithm of each Poisson probability, and add",
    )


of_weight = in_order(certain * sp.log(weight), (others + M) * sp.log(rest))


def of_rate(value: sp.Expr) -> sp.Expr:
    """The part of Q that holds the rate, less the factorials."""
    return in_order(S * sp.log(value), -others * value, -M * value)


@cache
def surrogate() -> Derivation:
    """The surrogate of the zero-inflated Poisson distribution has one part for the weight and one for the rate."""
    of_other_zero = sp.log(rest * poisson(sp.Integer(0), rate))
    of_counts = sp.Sum(sp.log(rest * poisson(x[n], rate)), positives)
    factorials = sp.Sum(sp.log(sp.factorial(x[n])), positives)
    expected = in_order(certain * sp.log(weight), others * of_other_zero, of_counts)
    return Derivation("eq-zero-surrogate", expected, given=adds_up).equals(
        in_order(*of_weight.args, *of_rate(rate).args, -factorials),
        because="the E-step expects $R=N_0r$ certain zeros and $Z=N_0(1-r)$ others; "
        "those others and the $M$ positive counts are Poisson",
    )


@cache
def m_step_weight() -> Derivation:
    """With zero inflation, no weight does better than the expected share of certain zeros."""
    at_best = in_order(certain * sp.log(best_weight), (others + M) * sp.log(best_rest))
    first = log_tangent.at({ratio: weight / best_weight}).times(certain)
    second = log_tangent.at({ratio: rest / best_rest}).times(others + M)
    return Derivation("eq-zero-m-step-weight", in_order(at_best, -of_weight)).at_least(
        0,
        because="with $\\hat\\pi=R/N$: $u-1-\\log u\\ge0$ at $\\pi/\\hat\\pi$ and at $(1-\\pi)/(1-\\hat\\pi)$",
        by=first + second,
    )


@cache
def m_step_rate() -> Derivation:
    """With zero inflation, no rate does better than the sum of the counts over the expected number of Poisson ones."""
    u = rate / best_rate
    return (
        Derivation("eq-zero-m-step-rate", in_order(of_rate(best_rate), -of_rate(rate)))
        .equals(S * in_order(u, -1, -sp.log(u)), because="with $\\hat\\lambda=S/(Z+M)$")
        .at_least(0, because="$u-1-\\log u\\ge0$", by=log_tangent.at({ratio: u}).times(S))
    )


@cache
def fitted_mean() -> Derivation:
    """With zero inflation, after every step the fitted mean equals the mean of the sample."""
    return Derivation("eq-zero-mean", best_rest * best_rate).equals(
        S / (certain + others + M),
        because="the mean is $(1-\\hat\\pi)\\hat\\lambda$; the $Z+M$ observations that are not certain zeros "
        "cancel, and $R+Z+M=N$",
    )


@cache
def weight_change() -> Derivation:
    """With zero inflation, a step leaves the weight as it is where the fitted share of zeros is the sample's."""
    return Derivation("eq-zero-fixed-point", in_order(zeros * share / total, -weight)).equals(
        weight / of_zero * in_order(zeros / total, -of_zero),
        because="$\\hat\\pi=N_0r/N$ and $r=\\pi/p(0)$; the weight rises while the model has too few zeros",
    )


@cache
def mean_of_positives() -> Derivation:
    """With zero inflation, the fitted mean of the counts above zero is that of a Poisson count that is not zero."""
    return Derivation("eq-zero-positives", rest * rate / (1 - of_zero)).equals(
        rate / (1 - sp.exp(-rate)),
        because="$1-p(0)=(1-\\pi)(1-e^{-\\lambda})$, and the weight cancels: so the rate at the fixed point "
        "solves $\\lambda/(1-e^{-\\lambda})=S/M$, whatever the zeros",
    )


DERIVATIONS = (
    posterior,
    log_likelihood,
    surrogate,
    m_step_weight,
    m_step_rate,
    fitted_mean,
    weight_change,
    mean_of_positives,
)
