"""The derivations on the discrete members of emlib/families: Poisson, Bernoulli, categorical.

Each density is brought to eta T(x) - A(eta) + log h(x), and each M-step is shown to be the best of all. Sums over the
data are weighted by responsibilities r_n, which add up to N_k.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import r, share_of_k
from emlib.symbolic.likelihood import data, log_tangent, n, ratio, x
from emlib.symbolic.notation import in_order, latex, named, named_entry

count = sp.Symbol("x", integer=True, nonnegative=True)
rate = sp.Symbol("lambda", positive=True)
new_rate = sp.Symbol(r"\lambda'", positive=True)
natural = sp.Symbol("eta", real=True)
mean_of_k = sp.Symbol(r"\bar{x}_k", positive=True)

shares_add_up = sp.Eq(sp.Sum(r[n], data), share_of_k)
weighted_mean = (shares_add_up, sp.Eq(sp.Sum(r[n] * x[n], data), share_of_k * mean_of_k))

# ---- Poisson ---------------------------------------------------------------------------------------


def log_rate(value: sp.Expr, mark: str = "") -> sp.Expr:
    """The natural parameter of a Poisson distribution."""
    return named(rf"\eta{mark}", sp.log(value))


def poisson_surrogate(value: sp.Expr) -> sp.Expr:
    """The part of Q that holds the rate of component k."""
    log_density = sp.log(value ** x[n] * sp.exp(-value) / sp.factorial(x[n]))
    return named(rf"Q_k({latex(value)})", sp.Sum(r[n] * log_density, data))


@cache
def poisson_natural() -> Derivation:
    """The natural parameter of a Poisson distribution is the log of its rate, and its log-partition is the rate."""
    eta = log_rate(rate)
    return (
        Derivation("eq-poisson-natural", sp.log(rate**count * sp.exp(-rate) / sp.factorial(count)))
        .equals(
            in_order(count * sp.log(rate), -rate, -sp.log(sp.factorial(count))),
            because="the logarithm of a product is a sum",
        )
        .equals(
            in_order(eta * count, -sp.exp(eta), -sp.log(sp.factorial(count))),
            because="with $\\eta=\\log\\lambda$: what multiplies $\\eta$ is $T(x)=x$, what depends on $\\eta$ "
            "alone is $A(\\eta)=e^\\eta$, and the rest is $\\log h(x)$",
        )
    )


@cache
def poisson_mean() -> Derivation:
    """The slope of a Poisson distribution's log-partition is its rate."""
    slope = sp.Subs(sp.Derivative(sp.exp(natural), natural), natural, sp.log(rate))
    return Derivation("eq-poisson-mean", slope).equals(
        rate, because="$e^\\eta$ is its own slope, and $\\eta=\\log\\lambda$"
    )


@cache
def poisson_m_step() -> Derivation:
    """No rate of a Poisson component does better than the responsibility-weighted mean count."""
    u = rate / mean_of_k
    shortfall = poisson_surrogate(mean_of_k) - poisson_surrogate(rate)
    return (
        Derivation("eq-poisson-m-step", shortfall, given=weighted_mean)
        .equals(
            share_of_k * mean_of_k * in_order(u, -1, -sp.log(u)),
            because="the factorials cancel, and of the data only their weighted sum is left",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\lambda/\\bar x_k$",
            by=log_tangent.at({ratio: u}).times(share_of_k * mean_of_k),
        )
    )


@cache
def poisson_kl() -> Derivation:
    """The divergence between two Poisson distributions, from their log-partition."""
    eta, new_eta = log_rate(rate), log_rate(new_rate, "'")
    slope = sp.Subs(sp.Derivative(sp.exp(natural), natural), natural, sp.log(rate))
    bregman = in_order(sp.exp(new_eta), -sp.exp(eta), -(new_eta - eta) * slope)
    u = new_rate / rate
    return (
        Derivation("eq-poisson-kl", bregman)
        .equals(
            in_order(rate * sp.log(rate / new_rate), -rate, new_rate),
            because="the divergence is $A(\\eta')-A(\\eta)-(\\eta'-\\eta)A'(\\eta)$, by "
            "{eq}`eq-family-bregman`, and $A(\\eta)=A'(\\eta)=\\lambda$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\lambda'/\\lambda$, times $\\lambda$",
            by=log_tangent.at({ratio: u}).times(rate),
        )
    )


# ---- Bernoulli -------------------------------------------------------------------------------------

odds = sp.Symbol("omega", positive=True)
ones, zeros = sp.symbols("R_1 R_0", positive=True)
p, not_p = named("p", odds / (1 + odds)), named("(1-p)", 1 / (1 + odds))
p_hat = named(r"\hat{p}", ones / (ones + zeros))
not_p_hat = named(r"(1-\hat{p})", zeros / (ones + zeros))
weighted_coins = (
    sp.Eq(sp.Sum(r[n] * x[n], data), ones),
    sp.Eq(sp.Sum(r[n], data), ones + zeros),
)


@cache
def bernoulli_natural() -> Derivation:
    """The natural parameter of a Bernoulli distribution is the logarithm of its odds."""
    eta = named(r"\eta", sp.log(odds))
    return (
        Derivation("eq-bernoulli-natural", in_order(count * sp.log(p), (1 - count) * sp.log(not_p)))
        .equals(
            in_order(count * sp.log(p / not_p), sp.log(not_p)),
            because="gather what multiplies $x$, which is 0 or 1",
        )
        .equals(
            in_order(eta * count, -sp.log(1 + sp.exp(eta))),
            because="with $\\eta=\\log\\omega$, where $\\omega=p/(1-p)$ are the odds: "
            "$A(\\eta)=-\\log(1-p)=\\log(1+e^\\eta)$ and $h=1$",
        )
    )


@cache
def bernoulli_log_partition() -> Derivation:
    """The log-partition of a Bernoulli distribution makes its two probabilities add up to one."""
    log_partition = named(r"A(\eta)", sp.log(1 + sp.exp(natural)))
    total = in_order(sp.exp(-log_partition), sp.exp(natural - log_partition))
    return Derivation("eq-bernoulli-log-partition", total).equals(
        1,
        because="with $A(\\eta)=\\log(1+e^\\eta)$ they are $1/(1+e^\\eta)$ and $e^\\eta/(1+e^\\eta)$",
    )


@cache
def bernoulli_mean() -> Derivation:
    """The slope of a Bernoulli distribution's log-partition is its probability of a one."""
    slope = sp.Subs(
        sp.Derivative(sp.log(1 + sp.exp(natural)), natural),
        natural,
        named(r"\log\omega", sp.log(odds)),
    )
    return (
        Derivation("eq-bernoulli-mean", slope)
        .equals(
            odds / (1 + odds), because="the slope is $e^\\eta/(1+e^\\eta)$, and $e^\\eta=\\omega$"
        )
        .equals(p, because="odds of $\\omega$ to 1 are a probability of $\\omega/(1+\\omega)$")
    )


@cache
def bernoulli_m_step() -> Derivation:
    """No probability of a Bernoulli component does better than the responsibility-weighted share of ones."""

    def surrogate(one: sp.Expr, zero: sp.Expr, name: str) -> sp.Expr:
        summand = x[n] * sp.log(one) + (1 - x[n]) * sp.log(zero)
        return named(f"Q_k({name})", sp.Sum(r[n] * summand, data))

    shortfall = surrogate(p_hat, not_p_hat, r"\hat{p}") - surrogate(p, not_p, "p")
    lemma = log_tangent.at({ratio: p / p_hat}).times(ones) + log_tangent.at(
        {ratio: not_p / not_p_hat}
    ).times(zeros)
    return (
        Derivation("eq-bernoulli-m-step", shortfall, given=weighted_coins)
        .equals(
            in_order(ones * sp.log(p_hat / p), zeros * sp.log(not_p_hat / not_p)),
            because="the responsibilities add up to $R_1$ over the ones and $R_0$ over the zeros, and "
            "$\\hat p=R_1/(R_1+R_0)$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=p/\\hat p$ and at $u=(1-p)/(1-\\hat p)$",
            by=lemma,
        )
    )


# ---- categorical -----------------------------------------------------------------------------------

level = sp.Symbol("l", integer=True)
L = sp.Symbol("L", integer=True, positive=True)
levels = (level, 1, L)
probability = sp.IndexedBase("p", positive=True)
indicator = sp.IndexedBase("T", nonnegative=True)
level_count = sp.IndexedBase("C", positive=True)
probabilities_add_up = sp.Eq(sp.Sum(probability[level], levels), 1)
level_counts_add_up = sp.Eq(sp.Sum(level_count[level], levels), share_of_k)


@cache
def categorical_log_partition() -> Derivation:
    """The log-partition of a categorical distribution is zero at the logarithms of its probabilities."""
    eta = named_entry(r"\eta", level, sp.log(probability[level]))
    return Derivation(
        "eq-categorical-log-partition",
        sp.log(sp.Sum(sp.exp(eta(level)), levels)),
        given=(probabilities_add_up,),
    ).equals(
        0,
        because="$T_l(x)$ is 1 for the level $l=x$ and 0 for others, and $\\eta_l=\\log p_l$: "
        "the sum is that of the probabilities",
    )


@cache
def categorical_surrogate() -> Derivation:
    """The surrogate of a categorical component holds the data only through the expected count of each level."""
    counted = named_entry("C", level, sp.Sum(r[n] * indicator[n, level], data))
    summand = r[n] * indicator[n, level] * sp.log(probability[level])
    return Derivation("eq-categorical-surrogate", sp.Sum(sp.Sum(summand, data), levels)).equals(
        sp.Sum(counted(level) * sp.log(probability[level]), levels),
        because="$T_{nl}$ is 1 where observation $n$ shows level $l$ and 0 elsewhere; "
        "$C_l=\\sum_n r_nT_{nl}$ gathers what multiplies $\\log p_l$",
    )


@cache
def categorical_m_step() -> Derivation:
    """No probabilities of a categorical component do better than the weighted shares of its levels."""
    share = level_count[level] / share_of_k
    shortfall = in_order(
        sp.Sum(level_count[level] * sp.log(share), levels),
        -sp.Sum(level_count[level] * sp.log(probability[level]), levels),
    )
    lemma = log_tangent.at({ratio: probability[level] / share}).times(level_count[level])
    return (
        Derivation(
            "eq-categorical-m-step", shortfall, given=(level_counts_add_up, probabilities_add_up)
        )
        .equals(
            sp.Sum(level_count[level] * sp.log(share / probability[level]), levels),
            because="gather the logarithms: $N_k$ times the divergence of $p$ from the shares $C_l/N_k$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=p_lN_k/C_l$; a level that never occurs has share 0, and adds nothing",
            by=lemma.summed(*levels),
        )
    )


DERIVATIONS = (
    poisson_natural,
    poisson_mean,
    poisson_m_step,
    poisson_kl,
    bernoulli_natural,
    bernoulli_log_partition,
    bernoulli_mean,
    bernoulli_m_step,
    categorical_log_partition,
    categorical_surrogate,
    categorical_m_step,
)
