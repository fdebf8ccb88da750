"""The M-step of a Gaussian mixture in any number d of dimensions (book/gaussian-mixtures.md).

Everything is written with the precision matrix Lambda, the inverse of the covariance Sigma; S is the weighted
covariance of the observations about their weighted mean.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import NonNegative, quadratic_form
from emlib.symbolic.likelihood import data, log_tangent, n, ratio
from emlib.symbolic.matrices import (
    gradient,
    matrix_sum,
    outer,
    positive_definite,
    quadratic,
    vector,
    vectors,
)
from emlib.symbolic.notation import NormalDensity, in_order, latex, named

d = sp.Symbol("d", integer=True, positive=True)
i = sp.Symbol("i", integer=True)
x = vectors("x", d)
mean, mean_hat = vector("mu_k", d), vector(r"\hat{\mu}_k", d)
precision = positive_definite("Lambda_k", d)
covariance_hat = positive_definite("S_k", d)
r = sp.IndexedBase("r", positive=True)
share_of_k = sp.Symbol("N_k", positive=True)

weighted_moments = (
    sp.Eq(sp.Sum(r[n], data), share_of_k),
    sp.Eq(matrix_sum(r[n] * x[n], data), share_of_k * mean_hat),
    sp.Eq(matrix_sum(r[n] * outer(x[n] - mean_hat), data), share_of_k * covariance_hat),
)


def component_surrogate(m: sp.MatrixExpr, p: sp.MatrixExpr) -> sp.Expr:
    """Q_k(m, P): the part of Q that holds the mean and precision matrix of component k."""
    density = sp.log(NormalDensity(x[n], m, sp.Inverse(p)))
    return named(rf"Q_k({latex(m)}, {latex(p)})", sp.Sum(r[n] * density, data))


@cache
def component_in_d() -> Derivation:
    """In d dimensions the surrogate of a component is a log-determinant minus weighted squared distances."""
    surrogate = component_surrogate(mean, precision)
    distances = sp.Sum(r[n] * quadratic(x[n] - mean, precision), data)
    return (
        Derivation("eq-surrogate-in-d", surrogate, given=weighted_moments[:1])
        .equals(surrogate.meaning, because="the observations with their fixed weights")
        .equals(
            in_order(
                share_of_k / 2 * sp.log(sp.Determinant(precision)),
                -share_of_k * d / 2 * sp.log(2 * sp.pi),
                -distances / 2,
            ),
            because="take the logarithm of each density; $|\\Lambda_k^{-1}|=1/|\\Lambda_k|$",
        )
    )


@cache
def mean_slope_in_d() -> Derivation:
    """In d dimensions too, the slope of the surrogate in a mean is zero at the weighted mean of the observations."""
    slope = gradient(component_surrogate(mean, precision), mean)
    return (
        Derivation("eq-m-step-mean-in-d", slope, given=weighted_moments[:2])
        .equals(
            matrix_sum(r[n] * precision * (x[n] - mean), data),
            because="the slope of $-\\frac12(x_n-\\mu_k)^\\top\\Lambda_k(x_n-\\mu_k)$ is "
            "$\\Lambda_k(x_n-\\mu_k)$",
        )
        .equals(
            share_of_k * precision * (mean_hat - mean),
            because="add up; $\\Lambda_k$ can be inverted, so the slope is zero at $\\hat\\mu_k$ only",
        )
    )


@cache
def precision_slope() -> Derivation:
    """The slope of the surrogate in the precision matrix is zero where the covariance is that of the observations."""
    slope = gradient(component_surrogate(mean_hat, precision), precision)
    return Derivation("eq-m-step-precision", slope, given=weighted_moments).equals(
        share_of_k / 2 * (sp.Inverse(precision) - covariance_hat),
        because="the slope of $\\log|\\Lambda_k|$ is $\\Lambda_k^{-1}$, and that of "
        "$y^\\top\\Lambda_k y=\\operatorname{tr}(\\Lambda_k yy^\\top)$ is $yy^\\top$; the weighted outer "
        "products add up to $N_kS_k$, so the slope is zero at $\\Sigma_k=\\Lambda_k^{-1}=S_k$",
    )


eigenvalue = sp.IndexedBase("lambda", positive=True)
dimensions = (i, 1, d)
spread = sp.MatMul(precision, covariance_hat)
# Lambda S has the eigenvalues of the symmetric, positive definite matrix Lambda^(1/2) S Lambda^(1/2).
eigenvalues = (
    sp.Eq(sp.Trace(spread), sp.Sum(eigenvalue[i], dimensions)),
    sp.Eq(sp.log(sp.Determinant(spread)), sp.Sum(sp.log(eigenvalue[i]), dimensions)),
)


@cache
def shortfall_in_d() -> Derivation:
    """What another mean and precision lose is a trace minus a log-determinant, and a squared distance of the means."""
    best = component_surrogate(mean_hat, sp.Inverse(covariance_hat))
    return Derivation(
        "eq-m-step-shortfall",
        in_order(best, -component_surrogate(mean, precision)),
        given=weighted_moments,
    ).equals(
        share_of_k
        / 2
        * in_order(
            sp.Trace(spread),
            -d,
            -sp.log(sp.Determinant(spread)),
            quadratic(mean_hat - mean, precision),
        ),
        because="$\\sum_nr_n(x_n-\\mu_k)^\\top\\Lambda_k(x_n-\\mu_k)=N_k\\operatorname{tr}(\\Lambda_kS_k)"
        "+N_k(\\hat\\mu_k-\\mu_k)^\\top\\Lambda_k(\\hat\\mu_k-\\mu_k)$, and at the best choice the trace is $d$",
    )


@cache
def eigenvalue_maximum() -> Derivation:
    """In any dimension no covariance does better than the weighted one: each eigenvalue of its spread is best at one."""
    gain = share_of_k / 2 * in_order(sp.Trace(spread), -d, -sp.log(sp.Determinant(spread)))
    log_tangents = log_tangent.at({ratio: eigenvalue[i]}).summed(*dimensions)
    return (
        Derivation("eq-m-step-eigenvalues", gain, given=eigenvalues)
        .equals(
            share_of_k
            / 2
            * in_order(
                sp.Sum(eigenvalue[i], dimensions), -d, -sp.Sum(sp.log(eigenvalue[i]), dimensions)
            ),
            because="the trace is the sum of the eigenvalues $\\lambda_i$, the determinant their product; all are "
            "positive, as those of $\\Lambda_k^{1/2}S_k\\Lambda_k^{1/2}$",
        )
        .at_least(
            0,
            because="each eigenvalue contributes $\\lambda_i-1-\\log\\lambda_i\\ge0$",
            by=log_tangents.times(share_of_k / 2),
        )
    )


@cache
def maximum_in_d() -> Derivation:
    """In any dimension no mean and covariance do better than the weighted ones."""
    best = component_surrogate(mean_hat, sp.Inverse(covariance_hat))
    lemma: NonNegative = eigenvalue_maximum().lemma() + quadratic_form(
        mean_hat - mean, precision
    ).times(share_of_k / 2)
    return Derivation(
        "eq-m-step-component-in-d", best, given=(*weighted_moments, *eigenvalues)
    ).at_least(
        component_surrogate(mean, precision),
        because="by {eq}`eq-m-step-shortfall` the difference is two terms, and neither is ever negative",
        by=lemma,
    )


DERIVATIONS = (
    component_in_d,
    mean_slope_in_d,
    precision_slope,
    shortfall_in_d,
    eigenvalue_maximum,
    maximum_in_d,
)
