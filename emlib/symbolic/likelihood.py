"""The derivations of the chapter on maximum likelihood (book/maximum-likelihood.md)."""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import minimum, positive, square
from emlib.symbolic.notation import NormalDensity, in_order, latex, named

n = sp.Symbol("n", integer=True)
N = sp.Symbol("N", integer=True, positive=True)
x = sp.IndexedBase("x", real=True)
mu = sp.Symbol("mu", real=True)
v = sp.Symbol("v", positive=True)
data = (n, 1, N)

# Mean and variance of the sample, through the two sums that define them.
x_bar = sp.Symbol(r"\bar{x}", real=True)
s2 = sp.Symbol("s^2", positive=True)
sample_moments = (
    sp.Eq(sp.Sum(x[n], data), N * x_bar),
    sp.Eq(sp.Sum(x[n] ** 2, data), N * (s2 + x_bar**2)),
)

ratio = sp.Symbol("u", positive=True)
log_tangent = minimum(ratio - 1 - sp.log(ratio), ratio, at=1, label="eq-log-tangent")


def normal_log_likelihood(mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """l(mean, variance) = sum_n log N(x_n | mean, variance)."""
    return named(
        rf"\ell({latex(mean)}, {latex(variance)})",
        sp.Sum(sp.log(NormalDensity(x[n], mean, variance)), data),
    )


@cache
def log_likelihood() -> Derivation:
    """The logarithm turns the product of densities into a sum of squares."""
    squares = sp.Sum((x[n] - mu) ** 2, data)
    return (
        Derivation("eq-normal-log-likelihood", normal_log_likelihood(mu, v))
        .equals(
            normal_log_likelihood(mu, v).meaning,
            because="the log-likelihood of independent observations is a sum",
        )
        .equals(
            in_order(-N * sp.log(2 * sp.pi * v) / 2, -squares / (2 * v)),
            because="the logarithm of each density is $-\\frac12\\log 2\\pi v$ minus a square",
        )
    )


@cache
def mean_score() -> Derivation:
    """The slope of the log-likelihood in the mean."""
    return (
        Derivation(
            "eq-normal-mean-score",
            sp.Derivative(normal_log_likelihood(mu, v), mu),
            given=sample_moments[:1],
        )
        .equals(
            sp.Sum((x[n] - mu) / v, data),
            because="differentiate term by term: each observation pulls with a force proportional to its distance",
        )
        .equals(
            N * (x_bar - mu) / v,
            because="add the pulls; only their sum $N\\bar x$ depends on the data",
        )
    )


@cache
def variance_score() -> Derivation:
    """The slope in the variance, at the best mean."""
    slope = sp.Subs(sp.Derivative(normal_log_likelihood(mu, v), v), mu, x_bar)
    return (
        Derivation("eq-normal-variance-score", slope, given=sample_moments)
        .equals(
            in_order(
                sp.Sum((x[n] - x_bar) ** 2, data) / (2 * v**2),
                -N / (2 * v),
            ),
            because="differentiate $-\\frac N2\\log v$ and $-\\frac1{2v}\\sum(x_n-\\bar x)^2$",
        )
        .equals(
            N * (s2 - v) / (2 * v**2),
            because="the sum of squares about the mean is $Ns^2$; take $N/2v^2$ outside",
        )
    )


@cache
def global_maximum() -> Derivation:
    """No other mean and variance do better than those of the sample."""
    shortfall = normal_log_likelihood(x_bar, s2) - normal_log_likelihood(mu, v)
    half = sp.Rational(1, 2)
    lemma = log_tangent.at({ratio: s2 / v}).times(N * half) + square(x_bar - mu).times(N / (2 * v))
    return (
        Derivation("eq-normal-global", shortfall, given=sample_moments)
        .equals(
            N * half * in_order(s2 / v, -1, -sp.log(s2 / v), (x_bar - mu) ** 2 / v),
            because="insert both sums of the data",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge 0$ at $u=s^2/v$, and a square is never negative",
            by=lemma,
        )
    )


def _at_the_maximum(*variables: sp.Symbol) -> sp.Expr:
    """A second derivative of the log-likelihood at the mean and variance of the sample."""
    slope = sp.Derivative(normal_log_likelihood(mu, v), *variables)
    return sp.Subs(slope, (mu, v), (x_bar, s2))


@cache
def mean_curvature() -> Derivation:
    """At its maximum the log-likelihood of a Gaussian bends down in the mean."""
    return (
        Derivation("eq-normal-mean-curvature", _at_the_maximum(mu, mu), given=sample_moments)
        .equals(-N / s2, because="each observation contributes $-1/v$, and at the maximum $v=s^2$")
        .at_most(0, because="a count over a variance is positive", by=positive(N / s2))
    )


@cache
def variance_curvature() -> Derivation:
    """At its maximum the log-likelihood of a Gaussian bends down in the variance."""
    return (
        Derivation("eq-normal-variance-curvature", _at_the_maximum(v, v), given=sample_moments)
        .equals(
            sp.Subs(
                in_order(N / (2 * v**2), -sp.Sum((x[n] - mu) ** 2, data) / v**3),
                (mu, v),
                (x_bar, s2),
            ),
            because="differentiate $-\\frac N{2v}+\\frac1{2v^2}\\sum(x_n-\\mu)^2$ once more",
        )
        .equals(-N / (2 * s2**2), because="at the maximum the sum of squares is $Ns^2$")
        .at_most(0, because="a count over a square is positive", by=positive(N / (2 * s2**2)))
    )


@cache
def hessian_determinant() -> Derivation:
    """The Hessian of a Gaussian's log-likelihood is negative definite at the maximum.

    Its first entry is negative and its determinant positive.
    """
    h11, h22, h12 = (
        named(rf"H_{{{place}}}", _at_the_maximum(*by))
        for place, by in (("11", (mu, mu)), ("22", (v, v)), ("12", (mu, v)))
    )
    return (
        Derivation("eq-normal-hessian", in_order(h11 * h22, -(h12**2)), given=sample_moments)
        .equals(
            in_order(
                _at_the_maximum(mu, mu) * _at_the_maximum(v, v), -(_at_the_maximum(mu, v) ** 2)
            ),
            because="the entries of the Hessian are the second derivatives at the maximum",
        )
        .equals(
            N**2 / (2 * s2**3),
            because="the mixed derivative $-\\sum(x_n-\\bar x)/s^4$ is zero there, since deviations from the "
            "mean add up to zero",
        )
        .at_least(
            0,
            because="so both eigenvalues have the sign of $H_{11}$, which is negative",
            by=positive(N**2 / (2 * s2**3)),
        )
    )


successes, failures = sp.symbols("s f", positive=True)
p = sp.Symbol("p", positive=True)
rate = sp.Symbol("lambda", positive=True)


@cache
def log_tangent_line() -> Derivation:
    """The logarithm lies under its tangent at one."""
    return Derivation("eq-log-tangent", ratio - 1).at_least(
        sp.log(ratio),
        because="the difference is zero at $u=1$, falls before it and rises after it: its slope is $(u-1)/u$",
        by=minimum(ratio - 1 - sp.log(ratio), ratio, at=1),
    )


@cache
def bernoulli_score() -> Derivation:
    """The slope for a coin, after $s$ successes and $f$ failures."""
    ell = successes * sp.log(p) + failures * sp.log(1 - p)
    return (
        Derivation("eq-bernoulli-score", sp.Derivative(ell, p))
        .equals(
            in_order(successes / p, -failures / (1 - p)),
            because="successes push $p$ up, failures push it down",
        )
        .equals(
            (successes + failures) / (p * (1 - p)) * (successes / (successes + failures) - p),
            because="over one denominator: the slope has the sign of the distance from $p$ to the share of successes",
        )
    )


@cache
def bernoulli_curvature() -> Derivation:
    """The log-likelihood of a coin bends down everywhere, so its one stationary point is its maximum."""
    ell = successes * sp.log(p) + failures * sp.log(1 - p)
    return (
        Derivation("eq-bernoulli-curvature", sp.Derivative(ell, (p, 2)))
        .equals(
            in_order(-successes / p**2, -failures / (1 - p) ** 2),
            because="differentiate $s/p-f/(1-p)$ once more",
        )
        .at_most(
            0,
            because="counts times squares, each with a minus",
            by=square(sp.sqrt(successes) / p) + square(sp.sqrt(failures) / (1 - p)),
        )
    )


def poisson_log_likelihood(value: sp.Expr) -> sp.Expr:
    """l(rate) of N counts."""
    terms = x[n] * sp.log(value) - value - sp.log(sp.factorial(x[n]))
    return named(rf"\ell({latex(value)})", sp.Sum(terms, data))


poisson_mean = sp.Symbol(r"\bar{x}", positive=True)
counts_add_up = sp.Eq(sp.Sum(x[n], data), N * poisson_mean)


@cache
def poisson_score() -> Derivation:
    """The slope for counts is zero where the rate is their mean."""
    return (
        Derivation(
            "eq-poisson-score",
            sp.Derivative(poisson_log_likelihood(rate), rate),
            given=(counts_add_up,),
        )
        .equals(
            sp.Sum(in_order(x[n] / rate, -1), data),
            because="differentiate term by term; the factorials do not move",
        )
        .equals(
            N * (poisson_mean - rate) / rate,
            because="add up: the slope has the sign of the distance from $\\lambda$ to the mean count",
        )
    )


@cache
def poisson_curvature() -> Derivation:
    """The log-likelihood of counts bends down everywhere, so its one stationary point is its maximum."""
    second = sp.Derivative(poisson_log_likelihood(rate), (rate, 2))
    return (
        Derivation("eq-poisson-curvature", second, given=(counts_add_up,))
        .equals(
            -N * poisson_mean / rate**2,
            because="differentiate $N\\bar x/\\lambda-N$ once more",
        )
        .at_most(
            0,
            because="a count over a square, with a minus",
            by=positive(N * poisson_mean / rate**2),
        )
    )


@cache
def poisson_global() -> Derivation:
    """No other rate does better than the mean count."""
    mean = poisson_mean
    return (
        Derivation(
            "eq-poisson-global",
            poisson_log_likelihood(mean) - poisson_log_likelihood(rate),
            given=(counts_add_up,),
        )
        .equals(
            N * mean * in_order(rate / mean, -1, -sp.log(rate / mean)),
            because="the factorials cancel, and only the sum of the counts is left of the data",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge 0$ once more, at $u=\\lambda/\\bar x$",
            by=log_tangent.at({ratio: rate / mean}).times(N * mean),
        )
    )


@cache
def exponential_global() -> Derivation:
    """Among exponential densities, no rate does better than one over the average."""
    rho, mean = sp.symbols(r"rho \bar{x}", positive=True)

    def ell(value: sp.Expr) -> sp.Expr:
        return sp.Sum(sp.log(value) - value * x[n], data)

    adding_up = (sp.Eq(sp.Sum(x[n], data), N * mean),)
    return (
        Derivation("eq-exponential-global", ell(1 / mean) - ell(rho), given=adding_up)
        .equals(N * in_order(rho * mean, -1, -sp.log(rho * mean)), because="add up the data")
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\rho\\bar x$",
            by=log_tangent.at({ratio: rho * mean}).times(N),
        )
    )


@cache
def moment_matching() -> Derivation:
    """In every exponential family the slope is observed minus expected statistics."""
    eta = sp.Symbol("eta", real=True)
    partition = sp.Function("A", real=True)
    statistic = sp.IndexedBase("T", real=True)
    ell = sp.Sum(eta * statistic[n] - partition(eta), data)
    return Derivation("eq-moment-matching", sp.Derivative(ell, eta)).equals(
        in_order(sp.Sum(statistic[n], data), -N * sp.Derivative(partition(eta), eta)),
        because="differentiate term by term, with $T_n=T(x_n)$; $\\log h$ does not contain $\\eta$",
    )


DERIVATIONS = (
    log_likelihood,
    mean_score,
    variance_score,
    log_tangent_line,
    global_maximum,
    mean_curvature,
    variance_curvature,
    hessian_determinant,
    bernoulli_score,
    bernoulli_curvature,
    poisson_score,
    poisson_curvature,
    poisson_global,
    exponential_global,
    moment_matching,
)
