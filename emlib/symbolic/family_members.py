"""The derivations on the families of emlib/families: Poisson, Bernoulli, categorical, exponential, normal.

Each density is brought to eta T(x) - A(eta) + log h(x), and each M-step is shown to be the best of all. Sums over the
data are weighted by responsibilities r_n, which add up to N_k.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import gibbs_for, k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import r, share_of_k
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import data, log_tangent, mu, n, ratio, v, x
from emlib.symbolic.notation import NormalDensity, in_order, latex, named, named_entry

half = sp.Rational(1, 2)
count = sp.Symbol("x", integer=True, nonnegative=True)
duration = sp.Symbol("x", positive=True)
value = sp.Symbol("x", integer=True)
real_value = sp.Symbol("x", real=True)
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
other_odds = sp.Symbol(r"\hat{\omega}", positive=True)
p, not_p = named("p", odds / (1 + odds)), named("(1-p)", 1 / (1 + odds))
p_hat = named(r"\hat{p}", other_odds / (1 + other_odds))
not_p_hat = named(r"(1-\hat{p})", 1 / (1 + other_odds))
weighted_share = (shares_add_up, sp.Eq(sp.Sum(r[n] * x[n], data), share_of_k * p_hat))


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
    lemma = log_tangent.at({ratio: p / p_hat}).times(p_hat) + log_tangent.at(
        {ratio: not_p / not_p_hat}
    ).times(not_p_hat)
    return (
        Derivation("eq-bernoulli-m-step", shortfall, given=weighted_share)
        .equals(
            share_of_k * in_order(p_hat * sp.log(p_hat / p), not_p_hat * sp.log(not_p_hat / not_p)),
            because="$N_k\\hat p$ ones and $N_k(1-\\hat p)$ zeros: this is $N_k$ times the divergence "
            "of $p$ from $\\hat p$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=p/\\hat p$ and at $u=(1-p)/(1-\\hat p)$, averaged",
            by=lemma.times(share_of_k),
        )
    )


# ---- categorical -----------------------------------------------------------------------------------

probability = sp.IndexedBase("p", positive=True)
other_probability = sp.IndexedBase("p'", positive=True)
indicator = sp.IndexedBase("T", nonnegative=True)
level_count = sp.IndexedBase("C", positive=True)
probabilities_add_up = sp.Eq(sp.Sum(probability[k], states), 1)
level_counts_add_up = sp.Eq(sp.Sum(level_count[k], states), share_of_k)


@cache
def categorical_log_partition() -> Derivation:
    """The log-partition of a categorical distribution is zero at the logarithms of its probabilities."""
    eta = named_entry(r"\eta", k, sp.log(probability[k]))
    return Derivation(
        "eq-categorical-log-partition",
        sp.log(sp.Sum(sp.exp(eta(k)), states)),
        given=(probabilities_add_up,),
    ).equals(
        0,
        because="$T_l(x)$ is 1 for the level $l=x$ and 0 for others, and $\\eta_l=\\log p_l$: "
        "the sum is that of the probabilities",
    )


@cache
def categorical_surrogate() -> Derivation:
    """The surrogate of a categorical component holds the data only through the expected count of each level."""
    counted = named_entry("C", k, sp.Sum(r[n] * indicator[n, k], data))
    summand = r[n] * indicator[n, k] * sp.log(probability[k])
    return Derivation("eq-categorical-surrogate", sp.Sum(sp.Sum(summand, data), states)).equals(
        sp.Sum(counted(k) * sp.log(probability[k]), states),
        because="$T_{nk}$ is 1 where observation $n$ shows level $k$ and 0 elsewhere; "
        "$C_k=\\sum_n r_nT_{nk}$ gathers what multiplies $\\log p_k$",
    )


@cache
def categorical_m_step() -> Derivation:
    """No probabilities of a categorical component do better than the weighted shares of its levels."""
    share = level_count[k] / share_of_k
    shortfall = in_order(
        sp.Sum(level_count[k] * sp.log(share), states),
        -sp.Sum(level_count[k] * sp.log(probability[k]), states),
    )
    return (
        Derivation(
            "eq-categorical-m-step", shortfall, given=(level_counts_add_up, probabilities_add_up)
        )
        .equals(
            share_of_k * sp.Sum(share * sp.log(share / probability[k]), states),
            because="gather the logarithms: $N_k$ times the divergence of $p$ from the shares $C_l/N_k$",
        )
        .at_least(
            0,
            because="a divergence is never negative; a level that never occurs has share 0, and adds nothing",
            by=gibbs_for(share, probability[k]).times(share_of_k),
        )
    )


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
        in_order(eta * duration, -in_order(-sp.log(-eta))),
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
    """A normal distribution has two statistics, x and its square, and two natural parameters."""
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
    """The slope in the second natural parameter is the mean square."""
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
