"""The derivations of the chapter on time and continuous hidden variables: EM for factors, and the maximum of PPCA.

The model and the posterior are those of emlib/symbolic/factors.py; the mean of the data is subtracted.

Source: Rubin & Thayer (1982); Tipping & Bishop (1999), sections 3 and appendix A.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.factors import Psi, W, d, half, i, n, plain, q, v
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.matrices import (
    gradient,
    inner,
    matrix_sum,
    outer,
    positive_definite,
    quadratic,
    symmetric,
    vector,
    vectors,
)
from emlib.symbolic.notation import in_order, latex, named

N = sp.Symbol("N", integer=True, positive=True)
data = (n, 1, N)
observations = vectors("x", d)
factors = vectors("m", q)

spread = positive_definite("G", q)
second = matrix_sum(outer(factors[n]) + spread, data)
mixed = matrix_sum(observations[n] * factors[n].T, data)


def expected_squares(loadings: sp.MatrixExpr) -> sp.Expr:
    """What Q holds of the loadings: the expected squares of the noise, in units of its variance."""
    about_mean = quadratic(observations[n] - loadings * factors[n], Psi.I)
    return sp.Sum(about_mean + sp.Trace(Psi.I * loadings * spread * loadings.T), data)


@cache
def loadings_slope() -> Derivation:
    """The slope of the surrogate in the loadings vanishes at a regression on the expected factors."""
    return Derivation("eq-factor-loadings", gradient(-half * expected_squares(W), W)).equals(
        Psi.I * (mixed - W * second),
        because="the expectation of $(x_n-Wz_n)^\\top\\Psi^{-1}(x_n-Wz_n)$ takes the posterior mean $m_n$ and "
        "covariance $G$ of the factors (the mean of the data subtracted); the slope is zero at $\\hat "
        "W=(\\sum_nx_nm_n^\\top)(\\sum_n(m_nm_n^\\top+G))^{-1}$, whatever $\\Psi$ is",
    )


@cache
def loadings_maximum() -> Derivation:
    """Away from that regression the expected squares grow by a quadratic form, so it is the best."""
    change = sp.MatrixSymbol("H", d, q)
    grown = in_order(expected_squares(W + change), -expected_squares(W))
    return Derivation("eq-factor-loadings-best", grown).equals(
        in_order(
            -2 * sp.Trace(change.T * Psi.I * (mixed - W * second)),
            sp.Trace(Psi.I * change * second * change.T),
        ),
        because="a change $H$ of the loadings has an effect of the first order and one of the second. The first "
        "vanishes at $\\hat W$, by {eq}`eq-factor-loadings`; the second is the trace of a product of positive "
        "definite matrices around $H$, and is zero only for $H=0$",
    )


@cache
def column_noise() -> Derivation:
    """No noise variance of a column does better than the mean expected square of what the factors leave."""
    left = sp.IndexedBase("e", positive=True)
    noise, best = sp.symbols(r"psi_i \hat{\psi}_i", positive=True)

    def surrogate(variance: sp.Expr) -> sp.Expr:
        summand = -sp.log(2 * sp.pi * variance) / 2 - left[n] / (2 * variance)
        return named(rf"Q({latex(variance)})", sp.Sum(summand, data))

    u = best / noise
    return (
        Derivation(
            "eq-factor-noise",
            surrogate(best) - surrogate(noise),
            given=(sp.Eq(sp.Sum(left[n], data), N * best),),
        )
        .equals(
            N * half * in_order(u, -1, -sp.log(u)),
            because="$e_n$ is the expected square of $x_{ni}-w_i^\\top z_n$; only their sum over the data counts",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat\\psi_i/\\psi_i$",
            by=log_tangent.at({ratio: u}).times(N * half),
        )
    )


@cache
def common_noise() -> Derivation:
    """One noise variance for all columns is best at the mean over the data and the columns."""
    left = sp.IndexedBase("e", positive=True)
    best = sp.Symbol(r"\hat{v}", positive=True)

    def surrogate(variance: sp.Expr) -> sp.Expr:
        summand = -sp.log(2 * sp.pi * variance) / 2 - left[n, i] / (2 * variance)
        return named(rf"Q({latex(variance)})", sp.Sum(sp.Sum(summand, (i, 1, d)), data))

    u = best / v
    return (
        Derivation(
            "eq-ppca-noise",
            surrogate(best) - surrogate(v),
            given=(sp.Eq(sp.Sum(sp.Sum(left[n, i], (i, 1, d)), data), N * d * best),),
        )
        .equals(
            N * d * half * in_order(u, -1, -sp.log(u)),
            because="now the sum of all $Nd$ expected squares counts",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat v/v$",
            by=log_tangent.at({ratio: u}).times(N * d * half),
        )
    )


@cache
def one_loading() -> Derivation:
    """With one factor, no loading and no noise of a column do better than those of its regression."""
    squares, products = sp.IndexedBase("U", positive=True), sp.IndexedBase("V", real=True)
    seen = sp.IndexedBase("x", real=True)
    loading, best = sp.symbols(r"w \hat{w}", real=True)
    noise, best_noise, total = sp.symbols(r"psi \hat{\psi} B", positive=True)
    moments = (
        sp.Eq(sp.Sum(squares[n], data), total),
        sp.Eq(sp.Sum(products[n], data), best * total),
        sp.Eq(sp.Sum(seen[n] ** 2, data), N * best_noise + best**2 * total),
    )

    def surrogate(w: sp.Expr, variance: sp.Expr) -> sp.Expr:
        expected = seen[n] ** 2 - 2 * w * products[n] + w**2 * squares[n]
        summand = -sp.log(2 * sp.pi * variance) / 2 - expected / (2 * variance)
        return named(rf"Q({latex(w)}, {latex(variance)})", sp.Sum(summand, data))

    u = best_noise / noise
    return (
        Derivation(
            "eq-factor-one-loading",
            surrogate(best, best_noise) - surrogate(loading, noise),
            given=moments,
        )
        .equals(
            in_order(
                N * half * in_order(u, -1, -sp.log(u)),
                total * (best - loading) ** 2 / (2 * noise),
            ),
            because="$U_n=m_n^2+G$ is the expectation of $z_n^2$ and $V_n=x_nm_n$ that of $x_nz_n$; insert their "
            "sums",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat\\psi/\\psi$, and a square is never negative",
            by=log_tangent.at({ratio: u}).times(N * half)
            + square(best - loading).times(total / (2 * noise)),
        )
    )


@cache
def ppca_loadings() -> Derivation:
    """An EM step of PPCA needs the data through their sum of squares and products only."""
    mean = plain.I * W.T * observations[n]
    regression = (
        matrix_sum(observations[n] * mean.T, data) * matrix_sum(outer(mean) + v * plain.I, data).I
    )
    scatter = matrix_sum(outer(observations[n]), data)
    return Derivation("eq-ppca-loadings", regression).equals(
        scatter * W * (N * v * sp.Identity(q) + plain.I * W.T * scatter * W).I,
        because="put the posterior mean $M^{-1}W^\\top x_n$ and covariance $vM^{-1}$ in the regression of "
        "{eq}`eq-factor-loadings`, with $M=W^\\top W+vI$; one factor $M^{-1}$ cancels. With the covariance $S$ "
        "of the data this is $SW(vI+M^{-1}W^\\top SW)^{-1}$",
    )


# ---- the maximum of PPCA -------------------------------------------------------------------------

sample = symmetric("S", d)
_full = W * W.T + v * sp.Identity(d)


@cache
def ppca_slope() -> Derivation:
    """The slope of PPCA's log-likelihood in the loadings, which principal axes of the data set to zero."""
    ell = -N * half * in_order(sp.log(sp.Determinant(_full)), sp.Trace(_full.I * sample))
    return Derivation("eq-ppca-slope", gradient(ell, W)).equals(
        N * (_full.I * sample * _full.I * W - _full.I * W),
        because="the log-likelihood of centred data holds them by their covariance $S$ only; at zero slope "
        "$SC^{-1}W=W$, with $C=WW^\\top+vI$, which principal axes fulfil by {eq}`eq-ppca-axis`",
    )


@cache
def ppca_axis() -> Derivation:
    """Along a kept axis the model has the noise and the squared length of the loadings as its variance (one factor)."""
    axis, length = vector("u", d), sp.Symbol("s", positive=True)
    covariance = length * outer(axis) + v * sp.Identity(d)
    unit = (sp.Eq(inner(axis, axis), 1),)
    return Derivation("eq-ppca-axis", covariance * axis, given=unit).equals(
        (length + v) * axis,
        because="the loadings $\\sqrt s\\,u$ have the covariance $s\\,uu^\\top$. Where $u$ is a principal axis, "
        "$Su=\\lambda u$, and $s=\\lambda-v$, both $S$ and $C$ take $u$ to $\\lambda u$, and so $SC^{-1}u=u$; other "
        "factors along other axes do not touch $u$",
    )


m = sp.Symbol("m", integer=True, positive=True)
eigenvalue = sp.IndexedBase("lambda", positive=True)
model = sp.IndexedBase("c", positive=True)
kept, discarded = (i, 1, q), (i, q + 1, q + m)
best_noise = sp.Symbol(r"\hat{v}", positive=True)
discarded_mean = (sp.Eq(sp.Sum(eigenvalue[i], discarded), m * best_noise),)


def ppca_log_likelihood(variance: sp.Expr, noise: sp.Expr) -> sp.Expr:
    """The log-likelihood where the model's axes are the principal ones: its variances on them, one for the rest."""

    def terms(value: sp.Expr) -> sp.Expr:
        return sp.log(2 * sp.pi * value) + eigenvalue[i] / value

    return -N * half * in_order(sp.Sum(terms(variance), kept), sp.Sum(terms(noise), discarded))


@cache
def ppca_maximum() -> Derivation:
    """On the principal axes PPCA is best with the kept eigenvalues themselves, and the mean of the others as noise."""
    at_best = ppca_log_likelihood(eigenvalue[i], best_noise)
    u, common = eigenvalue[i] / model[i], best_noise / v
    gap = in_order(
        sp.Sum(in_order(u, -1, -sp.log(u)), kept), m * in_order(common, -1, -sp.log(common))
    )
    return (
        Derivation(
            "eq-ppca-maximum",
            in_order(at_best, -ppca_log_likelihood(model[i], v)),
            given=discarded_mean,
        )
        .equals(
            N * half * gap,
            because="the data have the variances $\\lambda_i$ on their axes; the model has any $c_i$ on the "
            "first $q$ and $v$ on the other $m=d-q$, whose $\\lambda_i$ enter by their mean $\\hat v$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\lambda_i/c_i$ and at $u=\\hat v/v$. So $\\hat v$ is the mean of the "
            "discarded eigenvalues, and the loadings have the squared lengths $\\lambda_i-\\hat v$",
            by=log_tangent.at({ratio: u}).summed(*kept).times(N * half)
            + log_tangent.at({ratio: common}).times(N * m * half),
        )
    )


@cache
def ppca_value() -> Derivation:
    """The log-likelihood of PPCA at its maximum."""
    return Derivation(
        "eq-ppca-value", ppca_log_likelihood(eigenvalue[i], best_noise), given=discarded_mean
    ).equals(
        -N
        * half
        * in_order(
            (q + m) * (sp.log(2 * sp.pi) + 1),
            sp.Sum(sp.log(eigenvalue[i]), kept),
            m * sp.log(best_noise),
        ),
        because="every axis contributes one, the kept ones each, the others together",
    )


@cache
def ppca_loss() -> Derivation:
    """One noise variance for all discarded axes costs what their eigenvalues differ."""
    free = -N * half * sp.Sum(sp.log(2 * sp.pi * eigenvalue[i]) + 1, (i, 1, q)) - N * half * sp.Sum(
        sp.log(2 * sp.pi * eigenvalue[i]) + 1, discarded
    )
    lemma = log_tangent.at({ratio: eigenvalue[i] / best_noise}).summed(*discarded)
    return (
        Derivation(
            "eq-ppca-loss",
            in_order(free, -ppca_log_likelihood(eigenvalue[i], best_noise)),
            given=discarded_mean,
        )
        .equals(
            N * half * in_order(m * sp.log(best_noise), -sp.Sum(sp.log(eigenvalue[i]), discarded)),
            because="a normal distribution with any covariance has the value $\\log2\\pi\\lambda_i+1$ on every axis",
        )
        .at_least(
            0,
            because="add up $u-1-\\log u\\ge0$ at $u=\\lambda_i/\\hat v$: the logarithm of a mean is at least "
            "the mean of the logarithms. That the smallest should be discarded is shown by Tipping and Bishop "
            "(1999), appendix A",
            by=lemma.times(N * half),
        )
    )


DERIVATIONS = (
    loadings_slope,
    loadings_maximum,
    one_loading,
    column_noise,
    common_noise,
    ppca_loadings,
    ppca_slope,
    ppca_axis,
    ppca_maximum,
    ppca_value,
    ppca_loss,
)
