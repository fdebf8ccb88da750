"""Conjugate priors: data that were never seen, added to those that were (chapter on the number of components).

The M-step with a prior maximises Q(theta) + log p(theta). The derivations take that objective at the updated params
minus at any others, and show that nothing is gained by leaving.

Source: Gelman et al. (2013), "Bayesian Data Analysis", 3rd edition, chapters 2 and 3; Fraley & Raftery (2007),
"Bayesian regularization for normal mixture estimation and model-based clustering", Journal of Classification 24.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import (
    K,
    evidence,
    gibbs_for,
    joint,
    k,
    new_evidence,
    new_joint,
    new_posterior,
    posterior,
    states,
)
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import (
    count,
    counts_add_up,
    mean_hat,
    r,
    share_of_k,
    variance_hat,
    weight,
    weighted_moments,
    weights_add_up,
)
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import N, data, log_tangent, n, rate, ratio, x
from emlib.symbolic.matrices import gradient, matrix_sum, outer, positive_definite, vector, vectors
from emlib.symbolic.mixtures import mean, variance
from emlib.symbolic.notation import NormalDensity, in_order, latex, named

believed_of, believed_of_new = sp.symbols("p(\\theta) p(\\theta')", positive=True)


@cache
def penalised_ascent() -> Derivation:
    """What an EM step gains with a prior: at least as much as it gains in the surrogate plus the log-prior.

    Source: Dempster, Laird & Rubin (1977), section 2.
    """
    believed = in_order(sp.log(believed_of_new), -sp.log(believed_of))
    gain = in_order(sp.log(new_evidence), -sp.log(evidence), believed)
    surrogate_gain = sp.Sum(posterior(k) * sp.log(new_joint[k] / joint[k]), states)
    return Derivation("eq-penalised-ascent", gain).at_least(
        in_order(surrogate_gain, believed),
        because="the prior is the same term on both sides; the rest is {eq}`eq-ascent`, short of a KL that is never "
        "negative",
        by=gibbs_for(posterior(k), new_posterior(k)),
    )


alpha = sp.Symbol("alpha_0", positive=True)
"""The Dirichlet's concentration less one: the observations that were never seen, for each component."""


@cache
def dirichlet_weights() -> Derivation:
    """With a Dirichlet prior the best weights are shares of the counts, each with as much added as the prior says."""
    total = N + K * alpha
    best = (count[k] + alpha) / total
    log_gamma = sp.log(sp.gamma(K * (1 + alpha))) - K * sp.log(sp.gamma(1 + alpha))

    def objective(weights: sp.Expr, name: str) -> sp.Expr:
        surrogate = sp.Sum(count[k] * sp.log(weights), states)
        return named(name, surrogate + log_gamma + sp.Sum(alpha * sp.log(weights), states))

    shortfall = objective(best, r"J(\hat{\pi})") - objective(weight[k], r"J(\pi)")
    return (
        Derivation("eq-map-weights", shortfall, given=(counts_add_up, weights_add_up))
        .equals(
            total * sp.Sum(best * sp.log(best / weight[k]), states),
            because="$J$ is $\\sum_kN_k\\log\\pi_k$ plus the log-density of a Dirichlet of concentration "
            "$1+\\alpha_0$; at $\\hat\\pi_k=(N_k+\\alpha_0)/(N+K\\alpha_0)$ gather the logarithms",
        )
        .at_least(0, because="this is a KL", by=gibbs_for(best, weight[k]).times(total))
    )


prior_mean = sp.Symbol("m_0", real=True)
prior_count = sp.Symbol("kappa", positive=True)
prior_scatter = sp.Symbol("lambda", positive=True)
degrees = sp.Symbol("nu", positive=True)
covariance_count = sp.Symbol("c", positive=True)


@cache
def normal_inverse_gamma() -> Derivation:
    """The conjugate prior of a normal's mean and variance is the likelihood of observations that were never seen."""
    inverse_gamma = (
        (prior_scatter / 2) ** (degrees / 2)
        / sp.gamma(degrees / 2)
        * variance ** (-degrees / 2 - 1)
        * sp.exp(-prior_scatter / (2 * variance))
    )
    density = NormalDensity(mean, prior_mean, variance / prior_count) * inverse_gamma
    constant = named(
        "C",
        degrees / 2 * sp.log(prior_scatter / 2)
        - sp.log(sp.gamma(degrees / 2))
        + sp.log(prior_count / (2 * sp.pi)) / 2,
    )
    return Derivation("eq-map-prior", sp.log(named(r"p(\mu_k, v_k)", density))).equals(
        in_order(
            constant,
            -(degrees + 3) / 2 * sp.log(variance),
            -prior_count * (mean - prior_mean) ** 2 / (2 * variance),
            -prior_scatter / (2 * variance),
        ),
        because="the mean is normal with variance $v_k/\\kappa$, and $v_k$ inverse gamma with $\\nu$ degrees of "
        "freedom and scale $\\lambda$; $C$ does not hold them",
    )


def normal_objective(m: sp.Expr, v: sp.Expr) -> sp.Expr:
    """Q_k(m, v) plus the log-prior, but for its constant."""
    surrogate = sp.Sum(r[n] * sp.log(NormalDensity(x[n], m, v)), data)
    believed = -covariance_count * sp.log(v) / 2 - (
        prior_count * (m - prior_mean) ** 2 + prior_scatter
    ) / (2 * v)
    return named(rf"J({latex(m)}, {latex(v)})", surrogate + believed)


mean_update = named(
    r"\tilde{\mu}_k",
    (share_of_k * mean_hat + prior_count * prior_mean) / (share_of_k + prior_count),
)


@cache
def shrunken_mean() -> Derivation:
    """With a prior, the new mean lies between the mean of the data and that of the prior."""
    return Derivation("eq-map-mean", mean_update).equals(
        in_order(
            mean_hat,
            prior_count / (share_of_k + prior_count) * in_order(prior_mean, -mean_hat),
        ),
        because="the average of $N_k$ observations about $\\hat\\mu_k$ and $\\kappa$ at $m_0$: a step towards $m_0$",
    )


@cache
def widened_scatter() -> Derivation:
    """About that mean the squares of the data and of the prior add up to three parts: within, between and believed."""
    squares = sp.Sum(r[n] * (x[n] - mean_update) ** 2, data)
    return Derivation(
        "eq-map-variance",
        in_order(squares, prior_count * (mean_update - prior_mean) ** 2, prior_scatter),
        given=weighted_moments,
    ).equals(
        in_order(
            share_of_k * variance_hat,
            share_of_k * prior_count / (share_of_k + prior_count) * (mean_hat - prior_mean) ** 2,
            prior_scatter,
        ),
        because="the spread of the data, the distance between data and prior, and the scatter of the prior; over "
        "$N_k+c$ it is the new variance $\\tilde v_k$",
    )


best_mean = sp.Symbol(r"\tilde{\mu}_k", real=True)
best_variance = sp.Symbol(r"\tilde{v}_k", positive=True)
moments_with_prior = (
    sp.Eq(sp.Sum(r[n], data), share_of_k),
    sp.Eq(
        sp.Sum(r[n] * x[n], data),
        in_order((share_of_k + prior_count) * best_mean, -prior_count * prior_mean),
    ),
    sp.Eq(
        sp.Sum(r[n] * x[n] ** 2, data),
        in_order(
            (share_of_k + covariance_count) * best_variance,
            (share_of_k + prior_count) * best_mean**2,
            -prior_count * prior_mean**2,
            -prior_scatter,
        ),
    ),
)
"""What defines the mean and variance of the data together with those never seen."""


@cache
def normal_posterior() -> Derivation:
    """With the conjugate prior no mean and variance do better than those of the data together with those never seen."""
    total, quotient = share_of_k + covariance_count, best_variance / variance
    shortfall = normal_objective(best_mean, best_variance) - normal_objective(mean, variance)
    halves = (total / 2, (share_of_k + prior_count) / (2 * variance))
    return (
        Derivation("eq-map-normal", shortfall, given=moments_with_prior)
        .equals(
            in_order(
                halves[0] * in_order(quotient, -1, -sp.log(quotient)),
                halves[1] * (best_mean - mean) ** 2,
            ),
            because="$J$ is $Q_k$ plus the log-prior {eq}`eq-map-prior`, with $c=\\nu+3$; the sums of the data are "
            "written through the $\\tilde\\mu_k$ and $\\tilde v_k$ of {eq}`eq-map-mean` and {eq}`eq-map-variance`",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\tilde v_k/v_k$, and a square is never negative",
            by=log_tangent.at({ratio: quotient}).times(halves[0])
            + square(best_mean - mean).times(halves[1]),
        )
    )


d = sp.Symbol("d", integer=True, positive=True)
rows = vectors("x", d)
centre, best_centre, centre_0 = vector("mu_k", d), vector(r"\tilde{\mu}_k", d), vector("m_0", d)
scatter, scatter_0 = positive_definite("S", d), positive_definite("L", d)
precision = positive_definite("Lambda", d)
rows_with_prior = (
    sp.Eq(sp.Sum(r[n], data), share_of_k),
    sp.Eq(
        matrix_sum(r[n] * rows[n], data),
        (share_of_k + prior_count) * best_centre - prior_count * centre_0,
        evaluate=False,
    ),
)


def scatter_about(m: sp.MatrixExpr) -> sp.MatrixExpr:
    """The scatter about a point: of the data, of the prior's observations at its mean, and what it believes in."""
    seen = matrix_sum(r[n] * outer(rows[n] - m), data)
    return seen + prior_count * outer(m - centre_0) + scatter_0


@cache
def scatter_with_prior() -> Derivation:
    """In d dimensions the scatter of the data and of those never seen is least about their common mean."""
    moved = (share_of_k + prior_count) * outer(centre - best_centre)
    return Derivation("eq-map-scatter", scatter_about(centre), given=rows_with_prior).equals(
        scatter_about(best_centre) + moved,
        because="the data, $\\kappa$ observations at $m_0$ and the scatter $L$ of the prior: complete the square; the "
        "last term vanishes at the mean $\\tilde\\mu_k$ of all, and adds scatter elsewhere",
    )


@cache
def covariance_with_prior() -> Derivation:
    """In d dimensions the best covariance is the scatter of all, over the count of all."""
    total = share_of_k + covariance_count
    objective = total * sp.log(sp.Determinant(precision)) / 2 - sp.Trace(precision * scatter) / 2
    return Derivation("eq-map-covariance", gradient(objective, precision)).equals(
        (total * sp.Inverse(precision) - scatter) / 2,
        because="with $S=S(\\tilde\\mu_k)$ of {eq}`eq-map-scatter` and $c=\\nu+d+2$: zero where "
        "$\\Lambda^{-1}=S/(N_k+c)$",
    )


heads, tails = sp.symbols("s f", positive=True)
heads_0, tails_0 = sp.symbols("a_0 b_0", positive=True)
p, other_p = sp.symbols(r"p \bar{p}", positive=True)
both_sides = sp.Eq(other_p, 1 - p)


@cache
def beta_bernoulli() -> Derivation:
    """With a beta prior the best probability is the share of successes among trials seen and never seen."""
    total = heads + tails + heads_0 + tails_0
    best = (heads + heads_0) / total

    def objective(value: sp.Expr, other: sp.Expr) -> sp.Expr:
        density = value**heads_0 * other**tails_0 / sp.beta(heads_0 + 1, tails_0 + 1)
        return named(
            rf"J({latex(value)})", heads * sp.log(value) + tails * sp.log(other) + sp.log(density)
        )

    best_p, best_other = named(r"\hat{p}", best), named(r"1-\hat{p}", (tails + tails_0) / total)
    shortfall = objective(best_p, best_other) - objective(p, other_p)
    quotients = (p / best_p, other_p / best_other)
    return (
        Derivation("eq-map-bernoulli", shortfall, given=(both_sides,))
        .equals(
            in_order(
                (heads + heads_0) * in_order(quotients[0], -1, -sp.log(quotients[0])),
                (tails + tails_0) * in_order(quotients[1], -1, -sp.log(quotients[1])),
            ),
            because="$J$ is $s\\log p+f\\log(1-p)$ plus the log-density of a beta with $a_0+1$ and $b_0+1$; at "
            "$\\hat p=(s+a_0)/(s+f+a_0+b_0)$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at both ratios of probabilities",
            by=log_tangent.at({ratio: quotients[0]}).times(heads + heads_0)
            + log_tangent.at({ratio: quotients[1]}).times(tails + tails_0),
        )
    )


total_count = sp.Symbol("S_k", positive=True)
rate_0 = sp.Symbol("b", positive=True)


@cache
def gamma_poisson() -> Derivation:
    """With a gamma prior the best Poisson rate is the mean of counts seen and never seen."""
    best = (total_count + heads_0) / (share_of_k + rate_0)

    def objective(value: sp.Expr) -> sp.Expr:
        density = (
            rate_0 ** (heads_0 + 1)
            * value**heads_0
            * sp.exp(-rate_0 * value)
            / sp.gamma(heads_0 + 1)
        )
        surrogate = total_count * sp.log(value) - share_of_k * value
        return named(rf"J({latex(value)})", surrogate + sp.log(density))

    best_rate = named(r"\hat{\lambda}", best)
    quotient = rate / best_rate
    return (
        Derivation("eq-map-poisson", objective(best_rate) - objective(rate))
        .equals(
            (total_count + heads_0) * in_order(quotient, -1, -sp.log(quotient)),
            because="$J$ is $S_k\\log\\lambda-N_k\\lambda$, with $S_k$ the weighted sum of the counts, plus the "
            "log-density of a gamma with shape $a_0+1$ and rate $b$; at $\\hat\\lambda=(S_k+a_0)/(N_k+b)$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\lambda/\\hat\\lambda$",
            by=log_tangent.at({ratio: quotient}).times(total_count + heads_0),
        )
    )


DERIVATIONS = (
    penalised_ascent,
    dirichlet_weights,
    normal_inverse_gamma,
    shrunken_mean,
    widened_scatter,
    normal_posterior,
    scatter_with_prior,
    covariance_with_prior,
    beta_bernoulli,
    gamma_poisson,
)
