"""Variational Bayes for a mixture of Gaussians on a line: the algorithm of `emlib.variants.variational`.

The weights have a Dirichlet belief with concentrations alpha_k. Each component has a normal-gamma belief: its precision
lambda is Gamma(a, b), and its mean mu, given the precision, is normal around m with variance 1 / (beta lambda). A
subscript 0 marks the prior. (In the library a = nu / 2, and b is half the scatter.)

Source: Bishop (2006), "Pattern Recognition and Machine Learning", section 10.2, eqs. (10.46)-(10.66), (10.70)-(10.77),
for one dimension.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import mean_hat, share_of_k, variance_hat, weighted_moments
from emlib.symbolic.gaussian_mixtures import r as shares
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import data, log_tangent, n, ratio
from emlib.symbolic.likelihood import x as observed
from emlib.symbolic.notation import NormalDensity, in_order, named, named_entry
from emlib.symbolic.variational_gaussian import misfit

half = sp.Rational(1, 2)
precision = sp.Symbol("lambda", positive=True)
mu, m, m_0, x = sp.symbols("mu m m_0 x", real=True)
a, b, beta, a_0, b_0, beta_0 = sp.symbols("a b beta a_0 b_0 beta_0", positive=True)
alpha, alpha_0, others = sp.symbols("alpha_k alpha_0 s", positive=True)
half_line = (precision, 0, sp.oo)
line = (mu, -sp.oo, sp.oo)


def psi(argument: sp.Expr) -> sp.Expr:
    """The digamma function."""
    return named(rf"\psi({sp.latex(argument)})", sp.digamma(argument))


def log_gamma(argument: sp.Expr) -> sp.Expr:
    """The logarithm of the gamma function."""
    return named(rf"\log\Gamma({sp.latex(argument)})", sp.loggamma(argument))


def gamma_density(shape: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """The density of Gamma(shape, rate) at the precision."""
    density = rate**shape * precision ** (shape - 1) * sp.exp(-rate * precision) / sp.gamma(shape)
    return named(rf"\mathrm{{Gam}}(\lambda \mid {sp.latex(shape)}, {sp.latex(rate)})", density)


def mean_density(middle: sp.Expr, count: sp.Expr) -> sp.Expr:
    """The density of the mean, given the precision."""
    return NormalDensity(mu, middle, 1 / (count * precision))


def over_precision(expression: sp.Expr) -> sp.Expr:
    """Its average over the precision."""
    return sp.Integral(gamma_density(a, b) * expression, half_line)


def over_mean(expression: sp.Expr) -> sp.Expr:
    """Its average over the mean, given the precision."""
    return sp.Integral(mean_density(m, beta) * expression, line)


@cache
def expected_log_precision() -> Derivation:
    """The expected logarithm of a precision is the slope of its log-partition function."""
    partition = sp.Integral(precision ** (a - 1) * sp.exp(-b * precision), half_line)
    return (
        Derivation(
            "eq-expected-log-precision",
            sp.Integral(gamma_density(a, b) * sp.log(precision), half_line),
        )
        .equals(
            sp.Derivative(sp.log(partition), a),
            because="$\\log\\lambda$ is the statistic that goes with $a$: differentiate under the integral",
        )
        .equals(
            sp.Derivative(in_order(log_gamma(a), -a * sp.log(b)), a),
            because="the integral is $\\Gamma(a)/b^a$",
        )
        .equals(in_order(psi(a), -sp.log(b)), because="$\\psi$ is the slope of $\\log\\Gamma$")
    )


@cache
def expected_log_weight() -> Derivation:
    """The expected logarithm of a weight under a Dirichlet belief, for any number of weights."""

    def expected_log(name: str, shape: sp.Expr) -> sp.Expr:
        at = {a: shape, b: sp.Integer(1)}
        return named(rf"\mathbb{{E}}\log {name}", expected_log_precision().end.subs(at))

    total = alpha + others
    return (
        Derivation(
            "eq-expected-log-weight",
            in_order(expected_log("g_k", alpha), -expected_log("G", total)),
        )
        .equals(
            in_order(psi(alpha), -psi(total)),
            because="a Dirichlet draw is a list of independent amounts $g_k$ from Gamma$(\\alpha_k,1)$ divided by "
            "their total $G$, which is Gamma$(\\alpha_k+s,1)$, where $s$ is the sum of the other concentrations; so "
            "the left side is $\\mathbb{E}\\log\\pi_k$. Use {eq}`eq-expected-log-precision` twice",
        )
        .equals(
            sp.Derivative(in_order(log_gamma(alpha), log_gamma(others), -log_gamma(total)), alpha),
            because="it is also the slope of the Dirichlet's log-partition, as {eq}`eq-partition-slope` says it "
            "must be",
        )
    )


@cache
def square_over_mean() -> Derivation:
    """Averaged over the belief about the mean, a squared distance grows by what the mean is uncertain."""
    return Derivation("eq-square-over-mean", over_mean(precision * (x - mu) ** 2)).equals(
        in_order(precision * (x - m) ** 2, 1 / beta),
        because="given $\\lambda$, the mean has the variance $1/\\beta\\lambda$",
    )


@cache
def expected_square() -> Derivation:
    """The expected squared distance of an observation, in units of the precision."""
    return Derivation("eq-expected-square", over_precision(square_over_mean().end)).equals(
        in_order(a / b * (x - m) ** 2, 1 / beta),
        because="the average of {eq}`eq-square-over-mean` over the precision, whose mean is $a/b$",
    )


uncertainty = in_order(half * in_order(psi(a), -sp.log(a)), -1 / (2 * beta))


@cache
def expected_log_density() -> Derivation:
    """The expected log-density is that of the expected Gaussian, less what not knowing its parameters costs."""
    given_precision = half * in_order(sp.log(precision / (2 * sp.pi)), -square_over_mean().end)
    return Derivation("eq-vb-log-density", over_precision(given_precision)).equals(
        in_order(sp.log(NormalDensity(x, m, b / a)), uncertainty),
        because="the left side is $\\mathbb{E}\\log\\mathcal{N}(x\\mid\\mu,1/\\lambda)$, with the average over "
        "$\\mu$ from {eq}`eq-square-over-mean`; $\\mathbb{E}\\log\\lambda=\\psi(a)-\\log b$, and $b/a$ is the "
        "inverse of the expected precision",
    )


weight = sp.IndexedBase("pi", positive=True)
soft = sp.IndexedBase("r", positive=True)
prior_concentration = sp.IndexedBase("alpha^0", positive=True)
soft_count = named_entry("N", k, sp.Sum(soft[n, k], data))
concentration = named_entry(r"\alpha", k, prior_concentration[k] + soft_count(k))


def log_dirichlet(entry: sp.Expr, name: str) -> sp.Expr:
    """The log-density of a Dirichlet at the weights."""
    partition = sp.Sum(sp.loggamma(entry), states) - sp.loggamma(sp.Sum(entry, states))
    kernel = sp.Sum((entry - 1) * sp.log(weight[k]), states)
    return named(rf"\log\mathrm{{Dir}}(\pi \mid {name})", kernel - partition)


@cache
def weight_update() -> Derivation:
    """The belief about the weights is the prior with the soft counts added to its concentrations."""
    counts = sp.Sum(soft_count(k), states)
    total_0 = sp.Sum(prior_concentration[k], states)
    evidence = named(
        "C",
        sp.Sum(sp.loggamma(concentration(k)) - sp.loggamma(prior_concentration[k]), states)
        - sp.loggamma(total_0 + counts)
        + sp.loggamma(total_0),
    )
    expected = sp.Sum(sp.Sum(soft[n, k] * sp.log(weight[k]), data), states)
    return Derivation(
        "eq-vb-weights", in_order(expected, log_dirichlet(prior_concentration[k], r"\alpha^0"))
    ).equals(
        in_order(log_dirichlet(concentration(k), r"\alpha"), evidence),
        because="both are sums of multiples of $\\log\\pi_k$: the multiples add up to $\\alpha_k-1$ with "
        "$\\alpha_k=\\alpha^0_k+N_k$. $C$ does not contain $\\pi$",
    )


def log_kernel(
    middle: sp.Expr, count: sp.Expr, shape: sp.Expr, rate: sp.Expr, name: str = "g"
) -> sp.Expr:
    """The part of a normal-gamma's log-density that holds mean and precision."""
    square_and_rate = in_order(rate, count * (mu - middle) ** 2 / 2)
    return named(
        rf"{name}(\mu, \lambda)",
        in_order((shape - half) * sp.log(precision), -precision * square_and_rate),
    )


@cache
def normal_gamma() -> Derivation:
    """A normal-gamma density, up to a constant: a power of the precision, and a square in the mean."""
    density = sp.log(mean_density(m, beta)) + sp.log(gamma_density(a, b))
    constant = named("C", a * sp.log(b) - sp.loggamma(a) + sp.log(beta / (2 * sp.pi)) / 2)
    return (
        Derivation("eq-normal-gamma", density)
        .equals(
            in_order(log_kernel(m, beta, a, b), constant),
            because="the height of the normal contributes $\\frac12\\log\\lambda$; $C$ contains neither $\\mu$ nor "
            "$\\lambda$",
        )
        .equals(in_order(log_kernel(m, beta, a, b).meaning, constant), because="write $g$ out")
    )


new_count = named(r"\beta", beta_0 + share_of_k)
new_mean = named("m", (beta_0 * m_0 + share_of_k * mean_hat) / new_count)
new_shape = named("a", a_0 + share_of_k / 2)
_between = beta_0 * share_of_k / new_count * (mean_hat - m_0) ** 2
new_rate = named("b", b_0 + (share_of_k * variance_hat + _between) / 2)


@cache
def component_update() -> Derivation:
    """The belief about a component is the prior with the weighted count, mean and variance of the data put in."""
    expected = sp.Sum(shares[n] * sp.log(NormalDensity(observed[n], mu, 1 / precision)), data)
    squares = in_order(
        2 * b_0,
        share_of_k * variance_hat,
        share_of_k * (mu - mean_hat) ** 2,
        beta_0 * (mu - m_0) ** 2,
    )
    constant = -share_of_k / 2 * sp.log(2 * sp.pi)
    return (
        Derivation(
            "eq-vb-component",
            in_order(expected, log_kernel(m_0, beta_0, a_0, b_0, "g_0")),
            given=weighted_moments,
        )
        .equals(
            in_order((new_shape - half) * sp.log(precision), -precision / 2 * squares, constant),
            because="put in the three sums of the data; $a=a_0+\\frac12N_k$ gathers what multiplies $\\log\\lambda$",
        )
        .equals(
            in_order(log_kernel(new_mean, new_count, new_shape, new_rate), constant),
            because="complete the square: two squares in $\\mu$ are $\\beta(\\mu-m)^2$ with $\\beta=\\beta_0+N_k$ "
            "and $m=(\\beta_0m_0+N_k\\hat\\mu_k)/\\beta$, and a rest that goes into "
            "$b=b_0+\\frac12N_k\\bigl(\\hat v_k+\\frac{\\beta_0}{\\beta}(\\hat\\mu_k-m_0)^2\\bigr)$; so $g$ is of "
            "the form of $g_0$",
        )
    )


@cache
def weight_divergence() -> Derivation:
    """The divergence of one belief about the weights from another, in closed form."""
    belief, prior = concentration(k), prior_concentration[k]
    total = named(r"\alpha", sp.Sum(belief, states))
    expected_log = named_entry("L", k, sp.digamma(belief) - sp.digamma(total))

    def log_partition(entry: sp.Expr, name: str) -> sp.Expr:
        return named(name, sp.Sum(sp.loggamma(entry), states) - sp.loggamma(sp.Sum(entry, states)))

    def expected_log_density(entry: sp.Expr, name: str) -> sp.Expr:
        return in_order(sp.Sum((entry - 1) * expected_log(k), states), -log_partition(entry, name))

    return Derivation(
        "eq-kl-dirichlet",
        in_order(expected_log_density(belief, "A"), -expected_log_density(prior, "A_0")),
    ).equals(
        in_order(
            sp.Sum(soft_count(k) * expected_log(k), states),
            -log_partition(belief, "A"),
            log_partition(prior, "A_0"),
        ),
        because="the logarithm of a Dirichlet density is linear in the $\\log\\pi_k$, whose averages are "
        "$L_k=\\psi(\\alpha_k)-\\psi(\\alpha)$ by {eq}`eq-expected-log-weight`. "
        "$A=\\sum_k\\log\\Gamma(\\alpha_k)-\\log\\Gamma(\\alpha)$ is the log-partition; $\\alpha_k$ and "
        "$\\alpha^0_k$ differ by $N_k$",
    )


@cache
def gamma_divergence() -> Derivation:
    """The divergence of one belief about a precision from another, in closed form."""
    log_quotient = in_order(sp.log(gamma_density(a, b)), -sp.log(gamma_density(a_0, b_0)))
    return Derivation(
        "eq-kl-gamma", sp.Integral(gamma_density(a, b) * log_quotient, half_line)
    ).equals(
        in_order(
            (a - a_0) * psi(a),
            -log_gamma(a),
            log_gamma(a_0),
            a_0 * sp.log(b / b_0),
            a * (b_0 / b - 1),
        ),
        because="the logarithm of the quotient holds $\\log\\lambda$ and $\\lambda$, whose averages are "
        "$\\psi(a)-\\log b$ and $a/b$",
    )


@cache
def mean_divergence() -> Derivation:
    """The divergence of one belief about a mean from another, given the precision."""
    q, q_0 = named("q", mean_density(m, beta)), named("q_0", mean_density(m_0, beta_0))
    u = beta_0 / beta
    lemma = log_tangent.at({ratio: u}).times(half) + square(m - m_0).times(beta_0 * precision / 2)
    return (
        Derivation("eq-kl-mean", sp.Integral(q * in_order(sp.log(q), -sp.log(q_0)), line))
        .equals(
            in_order(u, -1, -sp.log(u), beta_0 * precision * (m - m_0) ** 2) / 2,
            because="by {eq}`eq-kl-normal`: two Gaussians with the variances $1/\\beta\\lambda$ and "
            "$1/\\beta_0\\lambda$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\beta_0/\\beta$, and a square is never negative",
            by=lemma,
        )
    )


@cache
def component_divergence() -> Derivation:
    """What the belief about a mean adds to the divergence, on average over the precision."""
    given_precision = mean_divergence().claims[0].right
    return Derivation("eq-kl-normal-gamma", over_precision(given_precision)).equals(
        in_order(misfit(beta_0 / beta), beta_0 * a / b * (m - m_0) ** 2) / 2,
        because="the average of {eq}`eq-kl-mean` over the precision, whose mean is $a/b$; {eq}`eq-kl-gamma` is the "
        "rest of the divergence between two normal-gammas",
    )


@cache
def density_gibbs() -> Derivation:
    """KL between densities is never negative: this holds at each point, and the integral of the right side is zero."""
    q, p = sp.symbols("q p", positive=True)
    return Derivation("eq-gibbs-densities", q * sp.log(q / p)).at_least(
        in_order(q, -p),
        because="$u-1-\\log u\\ge0$ at $u=p/q$, times $q$. Integrate both sides over all values: on the left "
        "stands KL, on the right $1-1$. So no term of the bound's penalty is negative",
        by=log_tangent.at({ratio: p / q}).times(q),
    )


DERIVATIONS = (
    expected_log_precision,
    expected_log_weight,
    square_over_mean,
    expected_square,
    expected_log_density,
    weight_update,
    normal_gamma,
    component_update,
    weight_divergence,
    gamma_divergence,
    mean_divergence,
    component_divergence,
    density_gibbs,
)
