"""The derivations of the chapter on Gaussian mixtures (book/gaussian-mixtures.md).

The M-step maximises Q = sum_nk r_nk (log pi_k + log N(x_n | mu_k, Sigma_k)) with the responsibilities held fixed, so
it falls apart into one problem for the weights and one for each component.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import K, gibbs_for, k, states
from emlib.symbolic.covariances import DERIVATIONS as COVARIANCES
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import N, data, log_tangent, n, ratio, x
from emlib.symbolic.mixtures import mean, mixture_log_likelihood, responsibility, share, variance
from emlib.symbolic.notation import NormalDensity, in_order, latex, named, named_entry
from emlib.symbolic.preconditioner import DERIVATIONS as PRECONDITIONER

count = sp.IndexedBase("N", positive=True)
weight = sp.IndexedBase("pi", positive=True)
r = sp.IndexedBase("r", positive=True)
share_of_k = sp.Symbol("N_k", positive=True)
mean_hat = sp.Symbol(r"\hat{\mu}_k", real=True)
variance_hat = sp.Symbol(r"\hat{v}_k", positive=True)

counts_add_up = sp.Eq(sp.Sum(count[k], states), N)
weights_add_up = sp.Eq(sp.Sum(weight[k], states), 1)
weighted_moments = (
    sp.Eq(sp.Sum(r[n], data), share_of_k),
    sp.Eq(sp.Sum(r[n] * x[n], data), share_of_k * mean_hat),
    sp.Eq(sp.Sum(r[n] * x[n] ** 2, data), share_of_k * (variance_hat + mean_hat**2)),
)


def component_surrogate(m: sp.Expr, v: sp.Expr) -> sp.Expr:
    """Q_k(m, v): the part of Q that holds the mean and variance of component k."""
    density = sp.log(NormalDensity(x[n], m, v))
    return named(rf"Q_k({latex(m)}, {latex(v)})", sp.Sum(r[n] * density, data))


@cache
def log_sum_exp() -> Derivation:
    """The largest term may be taken out of a sum of exponentials."""
    a = sp.IndexedBase("a", real=True)
    m = sp.Symbol("m", real=True)
    return Derivation("eq-log-sum-exp", sp.log(sp.Sum(sp.exp(a[k]), states))).equals(
        in_order(m, sp.log(sp.Sum(sp.exp(a[k] - m), states))),
        because="take the factor $e^m$ out of the sum, for any $m$; choose the largest $a_k$",
    )


@cache
def surrogate() -> Derivation:
    """The surrogate of a mixture falls apart, into one term for the weights and one for each component."""
    shares = sp.IndexedBase("r", positive=True)
    means, variances = sp.IndexedBase("mu", real=True), sp.IndexedBase("v", positive=True)
    log_density = sp.log(NormalDensity(x[n], means[k], variances[k]))
    total = named_entry("N", k, sp.Sum(shares[n, k], data))
    part = named_entry("Q", k, sp.Sum(shares[n, k] * log_density, data))
    summand = shares[n, k] * in_order(sp.log(weight[k]), log_density)
    return (
        Derivation("eq-mixture-surrogate", named("Q", sp.Sum(sp.Sum(summand, data), states)))
        .equals(
            sp.Sum(sp.Sum(summand, data), states),
            because="the log-joint is a log-weight plus a log-density",
        )
        .equals(
            in_order(sp.Sum(total(k) * sp.log(weight[k]), states), sp.Sum(part(k), states)),
            because="$N_k=\\sum_n r_{nk}$ gathers what multiplies $\\log\\pi_k$, and $Q_k$ what holds the "
            "mean and variance of component $k$",
        )
    )


@cache
def weights() -> Derivation:
    """No weights do better than the shares of the data."""
    shortfall = in_order(
        sp.Sum(count[k] * sp.log(count[k] / N), states),
        -sp.Sum(count[k] * sp.log(weight[k]), states),
    )
    return (
        Derivation("eq-m-step-weights", shortfall, given=(counts_add_up, weights_add_up))
        .equals(
            N * sp.Sum(count[k] / N * sp.log(count[k] / (N * weight[k])), states),
            because="gather the logarithms; this is $N$ times the KL from the shares $N_k/N$ to the weights $\\pi_k$",
        )
        .at_least(0, because="KL is never negative", by=gibbs_for(count[k] / N, weight[k]).times(N))
    )


@cache
def lagrange() -> Derivation:
    """The same weights from a multiplier: the way the field usually writes it."""
    multiplier = sp.Symbol("lambda", positive=True)
    one = sp.Symbol("pi_k", positive=True)
    others = sp.Symbol("B", positive=True)
    their_terms = sp.Symbol("C", real=True)
    lagrangian = share_of_k * sp.log(one) + their_terms - multiplier * (one + others - 1)
    return Derivation("eq-lagrange", sp.Derivative(lagrangian, one)).equals(
        in_order(share_of_k / one, -multiplier),
        because="only the terms with $\\pi_k$ move; the slope is zero at $\\pi_k=N_k/\\lambda$",
    )


@cache
def mean_slope() -> Derivation:
    """The slope of the surrogate in a mean: solvable, because the responsibilities no longer move."""
    return (
        Derivation(
            "eq-m-step-mean",
            sp.Derivative(component_surrogate(mean, variance), mean),
            given=weighted_moments[:2],
        )
        .equals(
            sp.Sum(r[n] * (x[n] - mean) / variance, data),
            because="term by term, each with its fixed weight $r_n$",
        )
        .equals(
            share_of_k * (mean_hat - mean) / variance,
            because="add up: the slope has the sign of $\\hat\\mu_k-\\mu_k$",
        )
    )


@cache
def component_maximum() -> Derivation:
    """No mean and variance do better than the weighted ones."""
    lemma = log_tangent.at({ratio: variance_hat / variance}).times(share_of_k / 2) + square(
        mean_hat - mean
    ).times(share_of_k / (2 * variance))
    shortfall = component_surrogate(mean_hat, variance_hat) - component_surrogate(mean, variance)
    quotient = variance_hat / variance
    return (
        Derivation("eq-m-step-component", shortfall, given=weighted_moments)
        .equals(
            share_of_k
            / 2
            * in_order(quotient, -1, -sp.log(quotient), (mean_hat - mean) ** 2 / variance),
            because="the same algebra as for one Gaussian, with weighted sums",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat v_k/v_k$, and a square is never negative",
            by=lemma,
        )
    )


@cache
def preconditioned_gradient() -> Derivation:
    """An EM step moves a mean along the gradient of the log-likelihood, by a step that nobody has to choose."""
    updated = sp.Sum(responsibility(n) * x[n], data) / share
    slope = sp.Derivative(mixture_log_likelihood, mean)
    return (
        Derivation("eq-preconditioned-gradient", in_order(updated, -mean))
        .equals(
            variance / share * sp.Sum(responsibility(n) * (x[n] - mean) / variance, data),
            because="$\\mu_k$ is its own average, so take it into the sum; then bring in $v_k$",
        )
        .equals(
            variance / share * slope,
            because="the sum is the slope of the log-likelihood, by {eq}`eq-mixture-score`",
        )
    )


@cache
def hard_bound() -> Derivation:
    """What the nearest mean does not get of an observation is at most a sum of exponentials, one for each other mean."""
    v = sp.Symbol("v", positive=True)
    at = sp.Symbol("x", real=True)
    j = sp.Symbol("j", integer=True)
    m = sp.IndexedBase("mu", real=True)
    others = (j, 1, K)

    def joint(k: sp.Expr) -> sp.Expr:
        return weight[k] * NormalDensity(at, m[k], v)

    extra = (at - m[j]) ** 2 - (at - m[0]) ** 2
    left_over = sp.Sum(weight[j] / weight[0] * sp.exp(-extra / (2 * v)), others)
    all_others = named("S", left_over)
    return (
        Derivation("eq-hard-bound", 1 - joint(0) / in_order(joint(0), sp.Sum(joint(j), others)))
        .equals(
            all_others / (1 + all_others),
            because="number the nearest mean 0 and the others from 1 to $K$, and divide by its joint density; $S$ is "
            "the sum of the other quotients, written out in the next line",
        )
        .at_most(
            left_over,
            because="$\\frac S{1+S}\\le S$ for a positive $S$",
            by=square(all_others).times(1 / (1 + all_others)),
        )
    )


@cache
def hard_term() -> Derivation:
    """Each of those exponentials goes to zero with the common variance, since every other mean is farther away."""
    v, odds, extra = sp.symbols("v omega Delta", positive=True)
    return Derivation("eq-hard-term", sp.Limit(odds * sp.exp(-extra / (2 * v)), v, 0, "+")).equals(
        0,
        because="with $\\omega=\\pi_j/\\pi_0$ and $\\Delta=(x-\\mu_j)^2-(x-\\mu_0)^2>0$: the exponent goes to "
        "$-\\infty$",
    )


@cache
def hard_limit() -> Derivation:
    """As the common variance shrinks, the nearer mean takes the whole observation."""
    v, odds, extra = sp.symbols("v omega Delta", positive=True)
    return Derivation(
        "eq-hard-limit", sp.Limit(1 / (1 + odds * sp.exp(-extra / (2 * v))), v, 0, "+")
    ).equals(
        1,
        because="the exponential goes to zero",
    )


DERIVATIONS = (
    log_sum_exp,
    surrogate,
    weights,
    lagrange,
    mean_slope,
    component_maximum,
    *COVARIANCES,
    preconditioned_gradient,
    *PRECONDITIONER,
    hard_bound,
    hard_term,
    hard_limit,
)
