"""The derivations on Student-t components (emlib/models/student.py): a normal whose precision varies.

Each observation has a hidden precision u with a Gamma distribution, and given u it is normal with variance v / u. In
d dimensions only the squared distance delta = (x - mu)' Sigma^-1 (x - mu) and the determinant of Sigma enter.
Source: Liu & Rubin (1995), Statistica Sinica 5; Peel & McLachlan (2000), Statistics and Computing 10.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic import matrices
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import mean_hat, r, share_of_k, variance_hat
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import data, log_tangent, mu, n, ratio, v, x
from emlib.symbolic.notation import NormalDensity, in_order, latex, named, named_entry

value = sp.Symbol("x", real=True)
u, nu = sp.symbols("u nu", positive=True)
d = sp.Symbol("d", integer=True, positive=True)
delta = sp.Symbol("delta", nonnegative=True)
determinant = sp.Symbol(r"|\Sigma|", positive=True)
precisions = (u, 0, sp.oo)
half = sp.Rational(1, 2)


def gamma_density(shape: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """The density of a precision with a Gamma distribution."""
    density = rate**shape / sp.gamma(shape) * u ** (shape - 1) * sp.exp(-rate * u)
    return named(rf"\mathcal{{G}}(u \mid {latex(shape)}, {latex(rate)})", density)


def student_density(distance: sp.Expr, scale: sp.Expr, dimension: sp.Expr) -> sp.Expr:
    """The density of a Student-t distribution at a squared distance; `scale` is a variance or determinant."""
    tail = (nu + dimension) / 2
    height = sp.gamma(tail) / (sp.gamma(nu / 2) * (sp.pi * nu) ** (dimension / 2) * sp.sqrt(scale))
    return height * (1 + distance / nu) ** (-tail)


prior = gamma_density(nu / 2, nu / 2)
shape, rate = named("a", (nu + d) / 2), named("b", (nu + delta) / 2)
posterior_density = gamma_density(shape, rate)
normal_in_d = named(
    r"\mathcal{N}(x \mid \mu, \Sigma / u)",
    (u / (2 * sp.pi)) ** (d * half) / sp.sqrt(determinant) * sp.exp(-u * delta / 2),
)


def digamma(argument: sp.Expr) -> sp.Expr:
    """The slope of log Gamma."""
    return named(rf"\psi({latex(argument)})", sp.digamma(argument))


@cache
def scale_mixture() -> Derivation:
    """A Student-t density is an average of normal densities whose precision has a Gamma distribution."""
    return Derivation(
        "eq-student-mixture",
        sp.Integral(NormalDensity(value, mu, v / u) * prior, precisions),
    ).equals(
        student_density((value - mu) ** 2 / v, v, sp.Integer(1)),
        because="$\\int u^{a-1}e^{-bu}\\,du=\\Gamma(a)/b^a$ with $a=\\frac{\\nu+1}2$ and "
        "$b=\\frac12(\\nu+(x-\\mu)^2/v)$",
    )


@cache
def scale_mixture_in_d() -> Derivation:
    """In any number of dimensions, a Student-t density is such an average too, a function of the squared distance."""
    return Derivation("eq-student-mixture-d", sp.Integral(normal_in_d * prior, precisions)).equals(
        student_density(delta, determinant, d),
        because="with $\\delta=(x-\\mu)^\\top\\Sigma^{-1}(x-\\mu)$ the normal density is "
        "$(u/2\\pi)^{d/2}|\\Sigma|^{-1/2}e^{-u\\delta/2}$; the same integral",
    )


@cache
def posterior() -> Derivation:
    """Given an observation of a Student-t, its precision has a Gamma distribution again."""
    evidence = sp.Integral(normal_in_d * prior, precisions)
    return Derivation("eq-student-posterior", normal_in_d * prior / evidence).equals(
        posterior_density,
        because="in $u$ the joint density is $u^{a-1}e^{-bu}$ times a constant, with $a=\\frac{\\nu+d}2$ and "
        "$b=\\frac{\\nu+\\delta}2$",
    )


@cache
def expected_precision() -> Derivation:
    """The weight that a Student-t's E-step gives an observation falls with its squared distance."""
    return (
        Derivation("eq-student-precision", sp.Integral(u * posterior_density, precisions))
        .equals(shape / rate, because="the mean of a Gamma distribution")
        .equals((nu + d) / (nu + delta), because="insert $a$ and $b$")
    )


@cache
def outlier() -> Derivation:
    """A Student-t gives an observation far away no weight, whatever its degrees of freedom."""
    distance = sp.Symbol("delta", positive=True)
    return Derivation(
        "eq-student-outlier", sp.Limit((nu + d) / (nu + distance), distance, sp.oo)
    ).equals(0, because="$\\delta$ stands in the denominator alone")


@cache
def expected_log_precision() -> Derivation:
    """The expected logarithm of the precision is a digamma function less a logarithm."""
    return Derivation(
        "eq-student-log-precision", sp.Integral(sp.log(u) * posterior_density, precisions)
    ).equals(
        in_order(digamma(shape), -sp.log(rate)),
        because="differentiate $\\int u^{a-1}e^{-bu}\\,du=\\Gamma(a)/b^a$ in $a$; "
        "$\\psi$ is the slope of $\\log\\Gamma$",
    )


@cache
def expected_log_density() -> Derivation:
    """The expected complete log-density of a Student-t on the line: squares are weighted by the expected precision."""
    a, b = sp.symbols("a b", positive=True)
    integrand = gamma_density(a, b) * sp.log(NormalDensity(value, mu, v / u))
    return Derivation("eq-student-log-density", sp.Integral(integrand, precisions)).equals(
        in_order(
            -sp.log(2 * sp.pi * v) / 2,
            in_order(digamma(a), -sp.log(b)) / 2,
            -a / b * (value - mu) ** 2 / (2 * v),
        ),
        because="$\\log\\mathcal N(x\\mid\\mu,v/u)=-\\frac12\\log2\\pi v+\\frac12\\log u-u(x-\\mu)^2/2v$; "
        "insert both expectations",
    )


# ---- the M-step --------------------------------------------------------------------------------------

precision = sp.IndexedBase(r"\bar{u}", positive=True)
log_precision = sp.IndexedBase("l", real=True)
total_precision = sp.Symbol("U_k", positive=True)
weighted_moments = (
    sp.Eq(sp.Sum(r[n], data), share_of_k),
    sp.Eq(sp.Sum(r[n] * precision[n], data), total_precision),
    sp.Eq(sp.Sum(r[n] * precision[n] * x[n], data), total_precision * mean_hat),
    sp.Eq(
        sp.Sum(r[n] * precision[n] * x[n] ** 2, data),
        total_precision * mean_hat**2 + share_of_k * variance_hat,
    ),
)


def surrogate(mean: sp.Expr, scale: sp.Expr) -> sp.Expr:
    """The part of Q that holds location and scale of a component."""
    of_row = in_order(
        -sp.log(2 * sp.pi * scale) / 2,
        log_precision[n] / 2,
        -precision[n] * (x[n] - mean) ** 2 / (2 * scale),
    )
    return named(rf"Q_k({latex(mean)}, {latex(scale)})", sp.Sum(r[n] * of_row, data))


@cache
def m_step() -> Derivation:
    """On the line, no location and scale of a Student-t do better than the moments weighted by precisions."""
    shortfall = surrogate(mean_hat, variance_hat) - surrogate(mu, v)
    quotient = variance_hat / v
    lemma = log_tangent.at({ratio: quotient}).times(share_of_k * half) + square(
        mean_hat - mu
    ).times(total_precision / (2 * v))
    return (
        Derivation("eq-student-m-step", shortfall, given=weighted_moments)
        .equals(
            in_order(
                share_of_k * half * in_order(quotient, -1, -sp.log(quotient)),
                total_precision * (mean_hat - mu) ** 2 / (2 * v),
            ),
            because="squares are weighted by $r_n\\bar u_n$, but the scale is divided by $N_k=\\sum_nr_n$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat v_k/v$, and a square is never negative",
            by=lemma,
        )
    )


columns = matrices.vectors("x", d)
location = matrices.vector("mu", d)
inverse_scale = matrices.positive_definite("Lambda", d)


def distances() -> sp.Expr:
    """The squared distances, weighted by responsibilities and precisions."""
    squares = matrices.quadratic(columns[n] - location, inverse_scale)
    return sp.Sum(r[n] * precision[n] * squares, data)


@cache
def location_slope() -> Derivation:
    """In any number of dimensions the best location of a Student-t is the mean weighted by the precisions."""
    weighted = matrices.matrix_sum(r[n] * precision[n] * (columns[n] - location), data)
    return Derivation("eq-student-location", matrices.gradient(-distances() / 2, location)).equals(
        inverse_scale * weighted,
        because="the slope vanishes where the weighted differences from $\\mu$ add up to zero",
    )


@cache
def scale_slope() -> Derivation:
    """In any number of dimensions the best scale of a Student-t is the weighted scatter over the expected count."""
    log_determinant = share_of_k * sp.log(sp.Determinant(inverse_scale)) / 2
    scatter = matrices.matrix_sum(r[n] * precision[n] * matrices.outer(columns[n] - location), data)
    return Derivation(
        "eq-student-scale", matrices.gradient(log_determinant - distances() / 2, inverse_scale)
    ).equals(
        (share_of_k * sp.Inverse(inverse_scale) - scatter) / 2,
        because="with $\\Lambda=\\Sigma^{-1}$; it vanishes where $\\Sigma$ is the scatter over $N_k$, not over the "
        "sum of the weights",
    )


@cache
def redundancy() -> Derivation:
    """At a fixed point the weights add up to the count of observations: dividing by either gives the same scale.

    Source: Kent, Tyler & Vardi (1994), Communications in Statistics: Simulation and Computation 23(2).
    """
    distance = sp.IndexedBase("delta", nonnegative=True)
    weight = named_entry(r"\bar{u}", n, (nu + d) / (nu + distance[n]))
    total = sp.Sum(r[n] * weight(n), data)
    squares = sp.Sum(r[n] * weight(n) * distance[n], data)
    each = r[n] * in_order(nu + d, -weight(n) * distance[n]) / nu
    return (
        Derivation("eq-student-redundancy", total, given=weighted_moments[:1])
        .equals(sp.Sum(each, data), because="$(\\nu+\\delta_n)\\bar u_n=\\nu+d$ for every $n$")
        .equals(
            in_order(share_of_k, in_order(d * share_of_k, -squares) / nu),
            because="add: where the scale no longer moves, the weighted squared distances add up to $dN_k$, the "
            "trace of $N_kI$, and $N_k$ is left",
        )
    )


def degrees_surrogate() -> sp.Expr:
    """The part of Q that holds the degrees of freedom: expected log-densities of the precisions."""
    of_row = in_order(
        nu / 2 * sp.log(nu / 2),
        -sp.log(sp.gamma(nu / 2)),
        (nu / 2 - 1) * log_precision[n],
        -nu / 2 * precision[n],
    )
    return named(r"Q_k(\nu)", sp.Sum(r[n] * of_row, data))


@cache
def expected_log_prior() -> Derivation:
    """The expected log-density of a precision, from which the degrees of freedom are found."""
    a, b = sp.symbols("a b", positive=True)
    integrand = gamma_density(a, b) * sp.log(prior)
    return Derivation("eq-student-log-prior", sp.Integral(integrand, precisions)).equals(
        in_order(
            nu / 2 * sp.log(nu / 2),
            -sp.log(sp.gamma(nu / 2)),
            (nu / 2 - 1) * in_order(digamma(a), -sp.log(b)),
            -nu / 2 * a / b,
        ),
        because="the logarithm is linear in $\\log u$ and in $u$: insert $l=\\psi(a)-\\log b$ and $\\bar u=a/b$",
    )


@cache
def degrees_slope() -> Derivation:
    """The slope in the degrees of freedom, whose zero the M-step finds apart from location and scale."""
    spread = in_order(log_precision[n], -precision[n], 1)
    return Derivation(
        "eq-student-degrees",
        sp.Derivative(degrees_surrogate(), nu),
        given=weighted_moments[:1],
    ).equals(
        in_order(
            share_of_k * in_order(sp.log(nu / 2), -digamma(nu / 2)) / 2,
            sp.Sum(r[n] * spread, data) / 2,
        ),
        because="the slope of $\\frac\\nu2\\log\\frac\\nu2$ is $\\frac12\\log\\frac\\nu2+\\frac12$; "
        "the degrees stand apart from $\\mu$ and $v$ in $Q$, so that maximising in turn (ECM) maximises at once",
    )


@cache
def degrees_curvature() -> Derivation:
    """The curvature in the degrees of freedom does not depend on the data."""
    return Derivation(
        "eq-student-degrees-curvature",
        sp.Derivative(degrees_surrogate(), (nu, 2)),
        given=weighted_moments[:1],
    ).equals(
        share_of_k / 4 * in_order(2 / nu, -named(r"\psi'(\frac{\nu}{2})", sp.trigamma(nu / 2))),
        because="only $\\log\\frac\\nu2-\\psi(\\frac\\nu2)$ moves; $\\psi'(z)=\\sum_{j\\ge0}(z+j)^{-2}$ is more than "
        "$\\int_0^\\infty(z+y)^{-2}dy=1/z$, so that $Q_k$ is concave and its zero slope the maximum",
    )


@cache
def limit_of_tail() -> Derivation:
    """With many degrees of freedom the tail of a Student-t density becomes that of a normal one."""
    return Derivation(
        "eq-student-limit-tail", sp.Limit((1 + delta / nu) ** (-(nu + d) / 2), nu, sp.oo)
    ).equals(
        sp.exp(-delta / 2),
        because="$(1+\\delta/\\nu)^\\nu$ goes to $e^\\delta$, and the rest of the power to 1",
    )


@cache
def limit_of_height() -> Derivation:
    """With many degrees of freedom the height of a Student-t density becomes that of a normal one."""
    half_nu = sp.Symbol("a", positive=True)
    log_height = in_order(
        named(r"\log\Gamma(a+\frac{d}{2})", sp.loggamma(half_nu + d * half)),
        -named(r"\log\Gamma(a)", sp.loggamma(half_nu)),
        -d * half * sp.log(half_nu),
    )
    return Derivation("eq-student-limit-height", sp.Limit(log_height, half_nu, sp.oo)).equals(
        0,
        because="with $a=\\nu/2$: $\\Gamma(a+\\frac d2)$ grows as $\\Gamma(a)a^{d/2}$, by Stirling's formula, so that "
        "$(2\\pi)^{-d/2}|\\Sigma|^{-1/2}$ is left",
    )


DERIVATIONS = (
    scale_mixture,
    scale_mixture_in_d,
    posterior,
    expected_precision,
    outlier,
    expected_log_precision,
    expected_log_density,
    expected_log_prior,
    m_step,
    location_slope,
    scale_slope,
    redundancy,
    degrees_slope,
    degrees_curvature,
    limit_of_tail,
    limit_of_height,
)
