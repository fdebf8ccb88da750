"""What uncertain parameters do to the components of a mixture: who is pruned, and how the algorithm tends to EM.

Symbols as in `variational_mixture`.

Source: Bishop (2006), "Pattern Recognition and Machine Learning", section 10.2.1, eqs. (10.46)-(10.66). On such
thresholds, compare Watanabe & Watanabe (2006), "Stochastic complexities of Gaussian mixtures in variational Bayesian
approximation", Journal of Machine Learning Research 7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.notation import in_order, meanings_expanded, named
from emlib.symbolic.variational_mixture import (
    a,
    a_0,
    alpha_0,
    beta,
    beta_0,
    half,
    others,
    psi,
    uncertainty,
)


@cache
def unused_component() -> Derivation:
    """The expected log-weight of a component without observations, taken apart."""
    return Derivation("eq-vb-unused", in_order(psi(alpha_0), -psi(others))).equals(
        in_order(psi(alpha_0 + 1), -psi(others), -1 / alpha_0),
        because="the recurrence $\\psi(\\alpha+1)=\\psi(\\alpha)+1/\\alpha$: the last term is what a small prior "
        "concentration $\\alpha_0$ costs, and $s$ is the sum of all concentrations",
    )


@cache
def pruning() -> Derivation:
    """As the prior concentration goes to zero, an unused component's expected log-weight falls like its inverse."""
    inside = alpha_0 * in_order(psi(alpha_0 + 1), -psi(others + alpha_0), -1 / alpha_0)
    return Derivation("eq-vb-pruning", sp.Limit(inside, alpha_0, 0, "+")).equals(
        -1,
        because="$\\psi(1)$ and $\\psi(s)$ are finite, so $-1/\\alpha_0$ is all that grows: the weight that counts, "
        "$\\exp(-1/\\alpha_0)$, vanishes faster than any power of $\\alpha_0$",
    )


@cache
def effective_weight() -> Derivation:
    """A component with a concentration of $x$ competes as if it had only $x - 1/2$."""
    c = sp.Symbol("x", positive=True)
    return Derivation("eq-vb-effective", sp.Limit(sp.exp(psi(c)) - c, c, sp.oo)).equals(
        -half,
        because="$\\psi(x)=\\log x-\\frac1{2x}+\\dots$: the weight that counts is $\\exp\\psi(x)$, about half an "
        "observation less than was counted, which hurts the small most",
    )


size, share = sp.symbols("N pi_k", positive=True)


@cache
def weights_tend_to_em() -> Derivation:
    """With many observations the effective weight is the share of the data, as in EM."""
    effective = sp.exp(psi(alpha_0 + share * size)) / sp.exp(psi(others + size))
    return Derivation("eq-vb-em-weights", sp.Limit(effective, size, sp.oo)).equals(
        share,
        because="$N_k=\\pi_kN$ observations outweigh the prior's $\\alpha_0$, and all $N$ the $s$ of all components: "
        "$\\exp\\psi(x)/x\\to1$",
    )


@cache
def uncertainty_vanishes() -> Derivation:
    """With many observations the cost of not knowing mean and precision vanishes, as in EM."""
    excess = sp.Symbol("c", real=True)
    at_size = sp.sympify(uncertainty).subs(beta, 2 * a + excess)
    return Derivation("eq-vb-em-components", sp.Limit(at_size, a, sp.oo)).equals(
        0,
        because="each observation adds 1 to $\\beta$ and $\\frac12$ to $a$, so $\\beta=2a+c$ with a constant $c$; "
        "$\\psi(a)-\\log a\\to0$ and $1/\\beta\\to0$. So the E-step becomes that of EM at the expected parameters",
    )


# Two components whose expected Gaussians coincide share 2M observations; t more go to the first.
t = sp.Symbol("t", real=True)
M = sp.Symbol("M", positive=True)


def trigamma(argument: sp.Expr) -> sp.Expr:
    """The slope of the digamma function."""
    return named(rf"\psi'({sp.latex(argument)})", sp.polygamma(1, argument))


def handicap(count: sp.Expr) -> sp.Expr:
    """The expected log-weight at a soft count, up to a constant, and what not knowing the component costs."""
    at = {a: a_0 + count / 2, beta: beta_0 + count}
    return meanings_expanded(psi(alpha_0 + count) + uncertainty).subs(at)


def twin_slope(log_weight: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """How a step changes the lead of the first of two coinciding components."""
    first, second = sp.exp(log_weight(M + t)), sp.exp(log_weight(M - t))
    after = named("N_1'", 2 * M * first / (first + second))
    return sp.Subs(sp.Derivative(after, t), t, 0)


handicap_slope = in_order(
    trigamma(alpha_0 + M),
    in_order(trigamma(a_0 + M / 2), -1 / (a_0 + M / 2)) / 4,
    1 / (2 * (beta_0 + M) ** 2),
)


@cache
def twins() -> Derivation:
    """Of two components that coincide, what one is ahead by grows or shrinks with a step by a known factor."""
    return Derivation("eq-vb-twins", twin_slope(handicap)).equals(
        M * handicap_slope,
        because="$M+t$ and $M-t$ observations, shared anew in proportion to $\\exp h(M\\pm t)$, where $h$ is the "
        "expected log-weight $\\psi(\\alpha_0+N_k)$ and the cost in {eq}`eq-vb-log-density`: the slope is $Mh'(M)$",
    )


@cache
def twins_by_weight() -> Derivation:
    """If only the weights are uncertain, a tie of two coinciding components breaks below a concentration of 1/2."""
    c = sp.Symbol("alpha", positive=True)
    count = named("M", c - alpha_0)
    ahead = count * trigamma(c)
    return Derivation(
        "eq-vb-threshold-weights", sp.Limit(count * in_order(ahead, -1), c, sp.oo)
    ).equals(
        half - alpha_0,
        because="with $\\alpha=\\alpha_0+M$ and $\\psi'(\\alpha)=\\frac1\\alpha+\\frac1{2\\alpha^2}+\\dots$: the "
        "factor $M\\psi'(\\alpha)$ is $1+(\\frac12-\\alpha_0)/M$, above or below 1 as $\\alpha_0$ is below or above "
        "$\\frac12$",
    )


@cache
def twins_in_all() -> Derivation:
    """Uncertain means and precisions raise to 3/2 the prior concentration below which such a tie breaks."""
    count, means = named("M", 2 * (a - a_0)), named(r"\beta", 2 * (a - a_0) + beta_0)
    more = in_order(in_order(trigamma(a), -1 / a) / 4, 1 / (2 * means**2))
    return Derivation("eq-vb-threshold", sp.Limit(count**2 * more, a, sp.oo)).equals(
        1,
        because="what mean and precision add in {eq}`eq-vb-twins`, with $a=a_0+\\frac12M$ and $\\beta=\\beta_0+M$, "
        "is $1/M^2$, half from each; with the weights, the factor is $1+(\\frac32-\\alpha_0)/M$",
    )


DERIVATIONS = (
    unused_component,
    pruning,
    effective_weight,
    weights_tend_to_em,
    uncertainty_vanishes,
    twins,
    twins_by_weight,
    twins_in_all,
)
