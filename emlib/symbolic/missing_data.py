"""The derivations on missing data in a normal distribution (emlib/families/missing.py).

A row has columns o that are seen and columns m that are not. First in two dimensions, column 1 seen and column 2
missing, with variances v_1 and v_2 = c^2 / v_1 + w; then in blocks of any size, with regression matrix B and
conditional covariance C. Source: Little & Rubin (2002), section 11.2; Ghahramani & Jordan (1994), NIPS 6.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic import matrices
from emlib.symbolic.bound import joint, k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import (
    N,
    data,
    log_tangent,
    mu,
    n,
    ratio,
    s2,
    sample_moments,
    v,
    x,
    x_bar,
)
from emlib.symbolic.notation import NormalDensity, in_order, latex, named

x_1, x_2, mu_1, mu_2, c = sp.symbols("x_1 x_2 mu_1 mu_2 c", real=True)
v_1, w = sp.symbols("v_1 w", positive=True)
v_2 = named("v_2", c**2 / v_1 + w)
guess = sp.Symbol(r"\hat{x}_2", real=True)
filled = named(r"\hat{x}_2", mu_2 + c / v_1 * (x_1 - mu_1))
line = (-sp.oo, sp.oo)
half = sp.Rational(1, 2)


def joint_density() -> sp.Expr:
    """N(x | mu, Sigma) in two dimensions, with Sigma = (v_1, c; c, v_2)."""
    covariance = sp.Matrix([[v_1, c], [c, v_2]])
    difference = sp.Matrix([x_1 - mu_1, x_2 - mu_2])
    squared = (difference.T * covariance.inv() * difference)[0, 0]
    return sp.exp(-squared / 2) / (2 * sp.pi * sp.sqrt(covariance.det()))


density = named(r"\mathcal{N}(x \mid \mu, \Sigma)", joint_density())
conditional = NormalDensity(x_2, filled, w)


@cache
def completed_square() -> Derivation:
    """A normal density in two dimensions is that of the seen column times that of the other given it."""
    determinant = in_order(v_1 * v_2, -(c**2))
    squared = in_order(
        v_2 * (x_1 - mu_1) ** 2, -2 * c * (x_1 - mu_1) * (x_2 - mu_2), v_1 * (x_2 - mu_2) ** 2
    )
    return (
        Derivation("eq-missing-square", sp.log(density))
        .equals(
            in_order(
                -squared / (2 * named(r"|\Sigma|", determinant)),
                -sp.log(named(r"|\Sigma|", determinant)) / 2,
                -sp.log(2 * sp.pi),
            ),
            because="determinant $|\\Sigma|=v_1v_2-c^2$ and inverse of "
            "$\\Sigma=\\begin{pmatrix}v_1&c\\\\c&v_2\\end{pmatrix}$",
        )
        .equals(
            in_order(sp.log(NormalDensity(x_1, mu_1, v_1)), sp.log(conditional)),
            because="complete the square in $x_2$: mean $\\hat x_2=\\mu_2+\\frac c{v_1}(x_1-\\mu_1)$, "
            "variance $w=v_2-c^2/v_1$",
        )
    )


@cache
def marginal() -> Derivation:
    """In two dimensions, the seen column alone has a normal density: the missing one is integrated out."""
    return Derivation("eq-missing-marginal", sp.Integral(density, (x_2, *line))).equals(
        NormalDensity(x_1, mu_1, v_1),
        because="after the square is completed, the conditional density has area one, whatever its mean",
    )


@cache
def posterior() -> Derivation:
    """In two dimensions, the missing column given the seen one is normal about its regression on it."""
    return Derivation("eq-missing-posterior", density / sp.Integral(density, (x_2, *line))).equals(
        conditional, because="the joint density over that of what is seen"
    )


@cache
def conditional_variance() -> Derivation:
    """The variance of a missing value given a seen one is never more than its whole variance."""
    return (
        Derivation("eq-missing-variance", w)
        .equals(in_order(v_2, -(c**2) / v_1), because="$v_2=c^2/v_1+w$")
        .at_most(
            v_2,
            because="a square is never negative; nothing is gained without correlation",
            by=square(c).times(1 / v_1),
        )
    )


@cache
def second_moment() -> Derivation:
    """The expected square of a missing value is the square of the filled-in value plus the conditional variance."""
    return Derivation(
        "eq-missing-second-moment", sp.Integral(x_2**2 * NormalDensity(x_2, guess, w), (x_2, *line))
    ).equals(in_order(guess**2, w), because="mean square is squared mean plus variance")


@cache
def expected_log_density() -> Derivation:
    """The expected log-density of a missing value is that of the filled-in one, less what its variance costs."""
    return Derivation(
        "eq-missing-log-density",
        sp.Integral(NormalDensity(x_2, guess, w) * sp.log(NormalDensity(x_2, mu, v)), (x_2, *line)),
    ).equals(
        in_order(sp.log(NormalDensity(guess, mu, v)), -w / (2 * v)),
        because="the mean of $(x_2-\\mu)^2$ is $(\\hat x_2-\\mu)^2+w$",
    )


filled_in = sp.IndexedBase(r"\hat{x}", real=True)
spread = sp.IndexedBase("w", nonnegative=True)
mean_hat = sp.Symbol(r"\hat{\mu}", real=True)
mean_spread = sp.Symbol(r"\bar{w}", nonnegative=True)
variance_hat = named(r"\hat{v}", s2 + mean_spread)
expected_moments = (
    sp.Eq(sp.Sum(filled_in[n], data), N * mean_hat),
    sp.Eq(sp.Sum(filled_in[n] ** 2, data), N * (s2 + mean_hat**2)),
    sp.Eq(sp.Sum(spread[n], data), N * mean_spread),
)


def surrogate(mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """Q for one column: a value that is seen stands as it is, with w_n = 0."""
    of_row = sp.log(NormalDensity(filled_in[n], mean, variance)) - spread[n] / (2 * variance)
    return named(f"Q({latex(mean)}, {latex(variance)})", sp.Sum(of_row, data))


@cache
def bias() -> Derivation:
    """The expected squares hold the conditional variances: without them a variance is too small by their average."""
    expected = sp.Sum(in_order((filled_in[n] - mean_hat) ** 2, spread[n]), data) / N
    return (
        Derivation("eq-missing-bias", expected, given=expected_moments)
        .equals(
            in_order(s2, mean_spread),
            because="$s^2$ is the variance of the filled-in column, which is what is left without $w_n$",
        )
        .equals(variance_hat, because="the M-step takes their sum")
    )


@cache
def m_step() -> Derivation:
    """No mean and variance of a column with missing values do better than the expected moments."""
    shortfall = surrogate(mean_hat, variance_hat) - surrogate(mu, v)
    u = variance_hat / v
    lemma = log_tangent.at({ratio: u}).times(N * half) + square(mean_hat - mu).times(N / (2 * v))
    return (
        Derivation("eq-missing-m-step", shortfall, given=expected_moments)
        .equals(
            N * half * in_order(u, -1, -sp.log(u), (mean_hat - mu) ** 2 / v),
            because="the algebra of {eq}`eq-normal-global`, with $\\hat v=s^2+\\bar w$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat v/v$, and a square is never negative",
            by=lemma,
        )
    )


missing = sp.Symbol("M", integer=True, positive=True)
scatter = sp.Sum((x[n] - x_bar) ** 2, data)


@cache
def converges() -> Derivation:
    """With the conditional variance, a column on its own comes nearer to the variance of what is seen in every step."""
    step = in_order(scatter, missing * v) / (N + missing)
    return Derivation("eq-missing-step", in_order(step, -s2), given=sample_moments).equals(
        missing / (N + missing) * in_order(v, -s2),
        because="$N$ values are seen, with variance $s^2$; each of the $M$ others is filled in by the mean "
        "and adds $v$: the distance shrinks to the share that is missing",
    )


@cache
def shrinks() -> Derivation:
    """Without the conditional variance a column on its own is left too narrow, by the share that is missing."""
    return Derivation(
        "eq-missing-shrinks", in_order(scatter / (N + missing), -s2), given=sample_moments
    ).equals(
        -missing / (N + missing) * s2,
        because="the $M$ values filled in by the mean add nothing to the sum of squares, but are counted",
    )


@cache
def missing_at_random() -> Derivation:
    """What is missing may be left out where whether it is depends only on what was seen."""
    mechanism = sp.Symbol("g", positive=True)
    return Derivation("eq-missing-at-random", sp.log(sp.Sum(joint[k] * mechanism, states))).equals(
        in_order(sp.log(sp.Sum(joint[k], states)), sp.log(mechanism)),
        because="$p_k=p(x_o, x_m=k\\mid\\theta)$ for each value $k$ of what is missing, and $g$ the probability of "
        "the pattern given $x_o$: the same for all $k$, it leaves the sum, and $\\theta$ is not in it",
    )


# ---- blocks of any size ------------------------------------------------------------------------------

p, q = sp.symbols("p q", integer=True, positive=True)
of_seen = matrices.positive_definite(r"\Sigma_{oo}", p)
left_over = matrices.positive_definite("C", q)
regression = sp.MatrixSymbol("B", q, p)
delta_o, delta_m = matrices.vector(r"\delta_o", p), matrices.vector(r"\delta_m", q)

# The blocks of the covariance, and those of what is its inverse.
S_mo, S_om = regression * of_seen, of_seen * regression.T
S_mm = left_over + regression * of_seen * regression.T
L_mm = sp.Inverse(left_over)
L_mo, L_om = -L_mm * regression, -regression.T * L_mm
L_oo = sp.Inverse(of_seen) + regression.T * L_mm * regression


@cache
def block_seen() -> Derivation:
    """The precision matrix in blocks: its first row times the first column of the covariance is the identity."""
    return Derivation("eq-missing-block-seen", L_oo * of_seen + L_om * S_mo).equals(
        sp.Identity(p),
        because="with $\\Sigma_{mo}=B\\Sigma_{oo}$ and $\\Sigma_{mm}=C+B\\Sigma_{oo}B^\\top$, the blocks of the "
        "precision are $\\Lambda_{mm}=C^{-1}$, $\\Lambda_{mo}=-C^{-1}B$ and "
        "$\\Lambda_{oo}=\\Sigma_{oo}^{-1}+B^\\top C^{-1}B$",
    )


@cache
def block_cross() -> Derivation:
    """The precision matrix in blocks: its first row times the second column of the covariance is zero."""
    return Derivation("eq-missing-block-cross", L_oo * S_om + L_om * S_mm).equals(
        sp.ZeroMatrix(p, q), because="multiply out; the terms cancel in pairs"
    )


@cache
def block_missing() -> Derivation:
    """The precision matrix in blocks: its second row times the second column of the covariance is the identity."""
    return Derivation("eq-missing-block-missing", L_mo * S_om + L_mm * S_mm).equals(
        sp.Identity(q), because="what holds $B$ cancels, and $C^{-1}C$ is left"
    )


@cache
def block_square() -> Derivation:
    """For any numbers of columns, a normal exponent is that of what is seen plus that of what is missing given it."""
    crossed = matrices.number(delta_m.T * L_mm * regression * delta_o)
    whole = in_order(
        matrices.quadratic(delta_m, L_mm), -2 * crossed, matrices.quadratic(delta_o, L_oo)
    )
    return Derivation("eq-missing-block-posterior", whole).equals(
        in_order(
            matrices.quadratic(delta_o, sp.Inverse(of_seen)),
            matrices.quadratic(delta_m - regression * delta_o, L_mm),
        ),
        because="complete the square in $\\delta_m=x_m-\\mu_m$: given $x_o$, what is missing is normal with mean "
        "$\\mu_m+B(x_o-\\mu_o)$ and covariance $C$",
    )


rows = matrices.vectors("delta", p)


@cache
def block_filled() -> Derivation:
    """Rows filled in by their conditional means have too small a covariance, even under the true parameters."""
    filled_rows = matrices.matrix_sum(matrices.outer(regression * rows[n]), data)
    scatter_of_rows = matrices.matrix_sum(matrices.outer(rows[n]), data)
    return Derivation("eq-missing-block-filled", filled_rows).equals(
        regression * scatter_of_rows * regression.T,
        because="filled-in differences are $B\\delta_n$, with $\\delta_n$ those of the seen columns; where their "
        "scatter is $N\\Sigma_{oo}$ this is $NB\\Sigma_{oo}B^\\top=N(\\Sigma_{mm}-C)$, and what it lacks is the "
        "conditional covariance $C$ of each row",
    )


DERIVATIONS = (
    completed_square,
    marginal,
    posterior,
    conditional_variance,
    second_moment,
    expected_log_density,
    bias,
    m_step,
    converges,
    shrinks,
    block_seen,
    block_cross,
    block_missing,
    block_square,
    block_filled,
    missing_at_random,
)
