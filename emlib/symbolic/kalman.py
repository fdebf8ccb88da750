"""The derivations of the chapter on time and continuous hidden variables: the scalar Kalman filter and smoother.

A level moves and is seen through noise: z_t+1 = a z_t + N(0, q), x_t = z_t + N(0, r). Given x_1, ..., x_t the level z_t
has mean m and variance P (the filter), and z' = z_t+1 has mean a m and variance S = a^2 P + q (the prediction). Given
the whole sequence z' has mean m' and variance P' (the smoother). With a = 1 it is the local level model of the Nile.

Source: Kalman (1960); Rauch, Tung & Striebel (1965); Shumway & Stoffer (1982) for EM.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import NormalDensity, in_order, latex, named

t = sp.Symbol("t", integer=True)
T, M = sp.symbols("T M", integer=True, positive=True)
z, later, x, m, a = sp.symbols("z z' x m a", real=True)
later_mean, forecast = sp.symbols("m' m^-", real=True)
P, q, r, spread = sp.symbols("P q r S", positive=True)
later_variance = sp.Symbol("P'", positive=True)
half = sp.Rational(1, 2)

S = named("S", a**2 * P + q)
J = named("J", a * P / S)
gain = named("G", spread / (spread + r))
filtered = named("P", spread * r / (spread + r))
line, next_line = (z, -sp.oo, sp.oo), (later, -sp.oo, sp.oo)


def log_normal(value: sp.Expr, mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """Log N(value | mean, variance)."""
    return sp.log(NormalDensity(value, mean, variance))


def log_normal_of_two(
    off: tuple[sp.Expr, sp.Expr], covariances: tuple[sp.Expr, sp.Expr, sp.Expr]
) -> sp.Expr:
    """The log-density of two normal variables at distances from their means; variance, covariance, variance."""
    (first, second), (one, both, other) = off, covariances
    determinant = named("D", one * other - both**2)
    squares = other * first**2 - 2 * both * first * second + one * second**2
    return in_order(-sp.log(2 * sp.pi), -sp.log(determinant) / 2, -squares / (2 * determinant))


# ---- the filter ----------------------------------------------------------------------------------


@cache
def normal_bayes() -> Derivation:
    """Two normal densities multiplied are two others: the evidence of what is seen, the posterior of what is not."""
    c = sp.Symbol("c", real=True)
    variance = named("V", c**2 * P + r)
    posterior = log_normal(z, m + c * P / variance * (x - c * m), P * r / variance)
    return Derivation(
        "eq-normal-bayes", in_order(log_normal(z, m, P), log_normal(x, c * z, r))
    ).equals(
        in_order(log_normal(x, c * m, variance), posterior),
        because="complete the square in $z$, with $V=c^2P+r$",
    )


@cache
def prediction() -> Derivation:
    """The filter predicts: the mean moves with the level, the variance is carried along and widened by the noise."""
    joint = NormalDensity(z, m, P) * NormalDensity(later, a * z, q)
    return Derivation("eq-kalman-prediction", sp.log(sp.Integral(joint, line))).equals(
        log_normal(later, a * m, a**2 * P + q),
        because="add over where the level may be now: complete the square in $z$, and the integral of what holds it "
        "is one; the variance ahead is called $S$",
    )


@cache
def predictive() -> Derivation:
    """The next observation is expected where the level is, with the noise of seeing it added to the variance."""
    joint = NormalDensity(later, a * m, S) * NormalDensity(x, later, r)
    return Derivation("eq-kalman-predictive", sp.log(sp.Integral(joint, next_line))).equals(
        log_normal(x, a * m, a**2 * P + q + r),
        because="add over where the level may be at the next time: the variances add",
    )


@cache
def update() -> Derivation:
    """The filter learns: the predicted mean moves towards the observation by a gain between zero and one."""
    joint = in_order(log_normal(z, forecast, spread), log_normal(x, z, r))
    return Derivation(
        "eq-kalman-update", in_order(joint, -log_normal(x, forecast, spread + r))
    ).equals(
        log_normal(z, forecast + gain * (x - forecast), spread * r / (spread + r)),
        because="Bayes' theorem, the joint density over the evidence, with the predicted mean $m^-$ and variance "
        "$S$; complete the square in $z$, with $G=S/(S+r)$",
    )


@cache
def variance_left() -> Derivation:
    """An observation takes the share $G$ of the variance away, and what is left is less than the noise."""
    return (
        Derivation("eq-kalman-gain", in_order(spread, -gain * spread))
        .equals(spread * r / (spread + r), because="$1-G=r/(S+r)$")
        .equals(gain * r, because="read the same fraction the other way")
    )


@cache
def evidence_of_two() -> Derivation:
    """The densities of the prediction errors multiply to the joint density of all observations (two times)."""
    x1, x2, b = sp.symbols("x_1 x_2 b", real=True)
    variance, left = sp.symbols("V_1 W", positive=True)
    second_mean = sp.Symbol("m_2", real=True)
    errors = in_order(
        log_normal(x1, forecast, variance), log_normal(x2, second_mean + b * (x1 - forecast), left)
    )
    covariances = (variance, b * variance, left + b**2 * variance)
    return Derivation("eq-kalman-evidence", errors).equals(
        log_normal_of_two((x1 - forecast, x2 - second_mean), covariances),
        because="a normal density of two variables, with variances $V_1$ and $W+b^2V_1$, covariance $bV_1$ and "
        "determinant $D$; here $V_1=S+r$, $m_2=am^-$ and $b=aS/V_1$. Each further time adds a further factor",
    )


@cache
def second_variance() -> Derivation:
    """The variance of the second observation is the same by the filter as from the model itself."""
    variance = named("V_1", spread + r)
    left = a**2 * spread * r / variance + q + r
    return Derivation(
        "eq-kalman-second-variance", in_order(left, (a * spread / variance) ** 2 * variance)
    ).equals(
        in_order(a**2 * spread, q, r),
        because="the filter gives $W=a^2Sr/V_1+q+r$ and $b=aS/V_1$; the model $x_2=az_1+$ noise of variance $q+r$",
    )


# ---- the steady state ----------------------------------------------------------------------------


def next_spread(variance: sp.Expr) -> sp.Expr:
    """One update and one prediction of a predicted variance."""
    return a**2 * variance * r / (variance + r) + q


@cache
def riccati() -> Derivation:
    """The predicted variance stops changing at the root of a quadratic equation."""
    b = named("b", q + (a**2 - 1) * r)
    steady = named(r"S^*", (b + sp.sqrt(b**2 + 4 * q * r)) / 2)
    return Derivation("eq-kalman-riccati", next_spread(steady)).equals(
        steady,
        because="one update and one prediction change nothing where $S^2-bS-qr=0$, with $b=q+(a^2-1)r$; "
        "$S^*=\\frac12(b+\\sqrt{b^2+4qr})$ is the positive root",
    )


@cache
def contraction() -> Derivation:
    """One step multiplies the distance of two predicted variances by what lives on of an error in each."""
    other = sp.Symbol("S^*", positive=True)
    return Derivation(
        "eq-kalman-contraction", in_order(next_spread(spread), -next_spread(other))
    ).equals(
        (a * r / (spread + r)) * (a * r / (other + r)) * (spread - other),
        because="over one denominator; $ar/(S+r)$ is the share of an error in the level that is left at the next "
        "time",
    )


# ---- the smoother --------------------------------------------------------------------------------

slope = sp.Symbol("J", real=True)
left_over = sp.Symbol("V", positive=True)
_now = NormalDensity(z, m + slope * (later - forecast), left_over)
_next = NormalDensity(later, later_mean, later_variance)


@cache
def given_next() -> Derivation:
    """Given the next level, the level now is a regression on it, whatever is observed later."""
    joint = in_order(log_normal(z, m, P), log_normal(later, a * z, q))
    return Derivation("eq-kalman-given-next", in_order(joint, -log_normal(later, a * m, S))).equals(
        log_normal(z, m + J * (later - a * m), P * q / S),
        because="Bayes' theorem with $z'$ as what is seen; complete the square in $z$, with $S=a^2P+q$ and $J=aP/S$",
    )


@cache
def smoother() -> Derivation:
    """The smoother's step back: the level now, from the filter and from what the whole sequence says of the next."""
    return Derivation("eq-kalman-smoother", sp.log(sp.Integral(_now * _next, next_line))).equals(
        log_normal(z, m + slope * (later_mean - forecast), left_over + slope**2 * later_variance),
        because="add over the next level, which is $\\mathcal N(m',P')$ given the whole sequence; here $m^-=am$ and "
        "$V=Pq/S$",
    )


@cache
def smoothed_variance() -> Derivation:
    """What the future teaches about the next level is passed back, multiplied by the square of the step's factor."""
    return Derivation(
        "eq-kalman-smoothed-variance", in_order(P * q / S, J**2 * later_variance)
    ).equals(
        in_order(P, J**2 * (later_variance - S)),
        because="the variance $V=Pq/S$ of the regression is $P-J^2S$, with $S=a^2P+q$ and $J=aP/S$",
    )


@cache
def lag_one() -> Derivation:
    """Given the whole sequence, the covariance of two levels in turn is the later variance times the step's factor."""
    covariances = (
        left_over + slope**2 * later_variance,
        slope * later_variance,
        later_variance,
    )
    off = (named(r"\Delta", z - m - slope * (later_mean - forecast)), later - later_mean)
    return Derivation("eq-kalman-lag-one", in_order(sp.log(_now), sp.log(_next))).equals(
        log_normal_of_two(off, covariances),
        because="a normal density of two variables: $\\Delta=z-m-J(m'-m^-)$ is the distance from the smoothed "
        "mean, the variances are $V+J^2P'$ and $P'$, the covariance $JP'$ and the determinant $D$",
    )


@cache
def slope_of_joint() -> Derivation:
    """The joint log-density of all levels and data pulls at one level from the past and from the future."""
    before, now, after = sp.symbols("z_{t-1} z_t z_{t+1}", real=True)
    old_mean, seen = sp.symbols("m_{t-1} x_t", real=True)
    old_variance = sp.Symbol("P_{t-1}", positive=True)
    ahead = named("S_t", a**2 * old_variance + q)
    expected = named("m^-_t", a * old_mean)
    back = a * old_variance / ahead
    log_joint = in_order(
        log_normal(now, a * before, q), log_normal(seen, now, r), log_normal(after, a * now, q)
    )
    smoothed = old_mean + back * (now - expected)
    future = a * (after - a * now) / q
    mean = named("m_t", expected + ahead / (ahead + r) * (seen - expected))
    variance = named("P_t", ahead * r / (ahead + r))
    return (
        Derivation(
            "eq-kalman-slope", sp.Subs(sp.Derivative(log_joint, now), (before,), (smoothed,))
        )
        .equals(
            in_order(-(now - a * smoothed) / q, (seen - now) / r, future),
            because="three of the factors hold $z_t$; put the step back from $z_t$ in place of $z_{t-1}$",
        )
        .equals(
            in_order(-(now - expected) / ahead, (seen - now) / r, future),
            because="after that step $z_t-az_{t-1}$ is the share $q/S_t$ of $z_t-m^-_t$, with $m^-_t=am_{t-1}$ and "
            "$S_t=a^2P_{t-1}+q$",
        )
        .equals(
            in_order(-(now - mean) / variance, future),
            because="prediction and observation together pull towards the filtered mean $m_t$, with the "
            "precision $1/P_t$",
        )
    )


@cache
def smoother_is_conditional_mean() -> Derivation:
    """The smoother's recursion gives the means of the joint normal distribution of all levels given all data."""
    back = m + J * (later_mean - a * m)
    return Derivation(
        "eq-kalman-dense", in_order(-(back - m) / P, a * (later_mean - a * back) / q)
    ).equals(
        0,
        because="at the smoothed means the slope of {eq}`eq-kalman-slope` vanishes in each level, and a normal "
        "density is highest at its mean. The last level has no future term and is filtered",
    )


# ---- EM ------------------------------------------------------------------------------------------

squares = sp.IndexedBase("U", positive=True)
products = sp.IndexedBase("W", real=True)
distances = sp.IndexedBase("D", positive=True)
a_hat = sp.Symbol(r"\hat{a}", real=True)
q_hat, r_hat, energy = sp.symbols(r"\hat{q} \hat{r} B", positive=True)
steps, times = (t, 1, M), (t, 1, T)


@cache
def expected_square() -> Derivation:
    """The expected square of a move takes the smoothed means, variances and the covariance of neighbours."""
    mean, variance = sp.symbols("m P", real=True)
    covariance = sp.Symbol("C", real=True)
    expectation = in_order(
        later_variance + later_mean**2,
        -2 * a * (covariance + mean * later_mean),
        a**2 * (variance + mean**2),
    )
    return Derivation("eq-kalman-expected-square", expectation).equals(
        in_order(
            (later_mean - a * mean) ** 2, later_variance, -2 * a * covariance, a**2 * variance
        ),
        because="a second moment is a variance plus a squared mean, a mixed one the covariance plus the product "
        "of the means: this is the expectation of $(z'-az)^2=z'^2-2azz'+a^2z^2$",
    )


@cache
def expected_distance() -> Derivation:
    """The expected squared distance from the level keeps the variance that putting in the mean would forget."""
    mean, variance = sp.symbols("m P", real=True)
    return Derivation(
        "eq-kalman-expected-distance", in_order(x**2, -2 * x * mean, variance + mean**2)
    ).equals(
        in_order((x - mean) ** 2, variance),
        because="this is the expectation of $(x-z)^2=x^2-2xz+z^2$",
    )


@cache
def best_move() -> Derivation:
    """No factor and no noise of the moves do better than those of a regression on the expected squares and products."""
    moments = (
        sp.Eq(sp.Sum(squares[t], steps), energy),
        sp.Eq(sp.Sum(products[t], steps), a_hat * energy),
        sp.Eq(sp.Sum(squares[t + 1], steps), M * q_hat + a_hat**2 * energy),
    )

    def surrogate(factor: sp.Expr, noise: sp.Expr) -> sp.Expr:
        expected = squares[t + 1] - 2 * factor * products[t] + factor**2 * squares[t]
        log_densities = -sp.log(2 * sp.pi * noise) / 2 - expected / (2 * noise)
        return named(rf"Q({latex(factor)}, {latex(noise)})", sp.Sum(log_densities, steps))

    u = q_hat / q
    off = energy * (a_hat - a) ** 2
    return (
        Derivation("eq-kalman-em-move", surrogate(a_hat, q_hat) - surrogate(a, q), given=moments)
        .equals(
            in_order(M * half * in_order(u, -1, -sp.log(u)), off / (2 * q)),
            because="$U_t$ is the expectation of $z_t^2$ and $W_t$ that of $z_tz_{t+1}$; insert their sums over "
            "the $M$ moves",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat q/q$, and a square is never negative",
            by=log_tangent.at({ratio: u}).times(M * half)
            + square(a_hat - a).times(energy / (2 * q)),
        )
    )


@cache
def best_noise() -> Derivation:
    """No noise of the observations does better than the mean of their expected squared distances from the level."""

    def surrogate(noise: sp.Expr) -> sp.Expr:
        log_densities = -sp.log(2 * sp.pi * noise) / 2 - distances[t] / (2 * noise)
        return named(rf"Q({latex(noise)})", sp.Sum(log_densities, times))

    u = r_hat / r
    return (
        Derivation(
            "eq-kalman-em-noise",
            surrogate(r_hat) - surrogate(r),
            given=(sp.Eq(sp.Sum(distances[t], times), T * r_hat),),
        )
        .equals(
            T * half * in_order(u, -1, -sp.log(u)),
            because="$D_t$ is the expectation of $(x_t-z_t)^2$; only the sum of these counts",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\hat r/r$",
            by=log_tangent.at({ratio: u}).times(T * half),
        )
    )


DERIVATIONS = (
    normal_bayes,
    prediction,
    predictive,
    update,
    variance_left,
    evidence_of_two,
    second_variance,
    riccati,
    contraction,
    given_next,
    smoother,
    smoothed_variance,
    lag_one,
    slope_of_joint,
    smoother_is_conditional_mean,
    expected_square,
    expected_distance,
    best_move,
    best_noise,
)
