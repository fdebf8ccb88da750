"""Stochastic variational EM: the same steps in natural parameters, with some of the data at a time.

A belief about the parameters theta, from an exponential family with natural parameter lambda, has the log-density
lambda theta - A(lambda), up to what does not contain lambda; its mean is A'(lambda). With a conjugate model, prior and
expected data together have the log-density lambda_hat theta, up to a constant.

Source: Hoffman, Blei, Wang & Paisley (2013), "Stochastic variational inference", Journal of Machine Learning Research
14, sections 2.2-2.4; Kingma & Welling (2014), "Auto-encoding variational Bayes", section 2.3.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import N, data, mu, n, v
from emlib.symbolic.notation import NormalDensity, in_order, named

natural, target, second, second_target, eta = sp.symbols(
    "lambda lambda^* lambda_2 lambda^*_2 eta", real=True
)
first, first_target = sp.symbols("lambda_1 lambda^*_1", real=True)
A = sp.Function("A", real=True)
theta = sp.Symbol("theta", real=True)
slope, curvature = sp.Derivative(A(natural), natural), sp.Derivative(A(natural), (natural, 2))


@cache
def partition_slope() -> Derivation:
    """The mean of a belief from an exponential family is the slope of its log-partition function."""
    h = sp.Function("h", positive=True)
    weight = NormalDensity(theta, 0, 1) * h(theta) * sp.exp(natural * theta)
    line = (theta, -sp.oo, sp.oo)
    return Derivation(
        "eq-partition-slope", sp.Derivative(sp.log(sp.Integral(weight, line)), natural)
    ).equals(
        sp.Integral(theta * weight, line) / sp.Integral(weight, line),
        because="differentiate the logarithm, then under the integral: $\\theta$ comes down from the exponent. "
        "With a normal density beside it, $h$ stands for any base measure",
    )


bound_of_belief = named(r"F(\lambda)", in_order((target - natural) * slope, A(natural)))


@cache
def bound_slope() -> Derivation:
    """The slope of the bound in a natural parameter is a curvature times the way to the optimum."""
    return (
        Derivation("eq-svi-slope", sp.Derivative(bound_of_belief, natural))
        .equals(
            sp.Derivative(bound_of_belief.meaning, natural),
            because="the expected log-joint is $\\lambda^*A'(\\lambda)$, and the belief's own expected logarithm "
            "$\\lambda A'(\\lambda)-A(\\lambda)$",
        )
        .equals(
            curvature * (target - natural),
            because="two terms with $A'$ cancel; the slope is zero at $\\lambda^*$, the coordinate step",
        )
    )


@cache
def bound_slope_in_two() -> Derivation:
    """With two natural parameters the slopes are the matrix of curvatures times the way to the optimum."""
    B = A(first, second)
    in_first, in_second = sp.Derivative(B, first), sp.Derivative(B, second)
    bound = in_order((first_target - first) * in_first, (second_target - second) * in_second, B)
    return Derivation("eq-svi-slope-two", sp.Derivative(named(r"F(\lambda)", bound), first)).equals(
        in_order(
            sp.Derivative(B, (first, 2)) * (first_target - first),
            sp.Derivative(B, first, second) * (second_target - second),
        ),
        because="the first row of the matrix of second derivatives of $A$, which is the Fisher information of the "
        "belief; each further parameter adds one term in the same way",
    )


@cache
def natural_step() -> Derivation:
    """A step along the natural gradient mixes the old parameter with the optimum."""
    fisher = named("I", curvature)
    step = natural + eta / fisher * sp.Derivative(bound_of_belief, natural)
    return (
        Derivation("eq-natural-gradient", step)
        .equals(
            in_order(natural, eta * (target - natural)),
            because="the natural gradient divides the slope by the Fisher information $I=A''(\\lambda)$, and by "
            "{eq}`eq-svi-slope` it cancels",
        )
        .equals(
            in_order((1 - eta) * natural, eta * target),
            because="so no information matrix is ever needed; $\\eta=1$ is the whole coordinate step",
        )
    )


@cache
def one_observation() -> Derivation:
    """An observation drawn at random, counted $N$ times, gives the optimum on average."""
    statistic = sp.IndexedBase("t", real=True)
    prior = sp.Symbol("lambda_0", real=True)
    return Derivation(
        "eq-svi-unbiased", sp.Sum(in_order(prior, N * statistic[n]) / N, data)
    ).equals(
        in_order(prior, sp.Sum(statistic[n], data)),
        because="each of the $N$ is drawn with probability $1/N$; the right side is $\\lambda^*$, prior and all "
        "expected statistics",
    )


T = sp.Symbol("T", integer=True, positive=True)


@cache
def steps_go_anywhere() -> Derivation:
    """Steps of size 1/t add up to any distance."""
    return Derivation(
        "eq-steps-diverge", sp.Limit(1 / named("H_T", sp.harmonic(T)), T, sp.oo)
    ).equals(
        0,
        because="$H_T=1+\\frac12+\\dots+\\frac1T$ grows without end, like $\\log T$: no start is too far away",
    )


@cache
def noise_dies_out() -> Derivation:
    """The squares of these steps do not, so that the noise of small samples dies out."""
    return Derivation(
        "eq-steps-squared", sp.Limit(named("H_T^{(2)}", sp.harmonic(T, 2)), T, sp.oo)
    ).equals(
        sp.pi**2 / 6,
        because="$H_T^{(2)}=1+\\frac14+\\dots+\\frac1{T^2}$ is finite: so is the variance that the steps bring in",
    )


z, epsilon = sp.symbols("z epsilon", real=True)
sigma = sp.Symbol("sigma", positive=True)
standard = NormalDensity(epsilon, 0, 1)
on_the_line = (-sp.oo, sp.oo)


@cache
def reparameterised() -> Derivation:
    """The slope of an average over a Gaussian is the average of the slope, for any smooth function."""
    f = sp.Function("f", real=True)
    moved = sp.Integral(standard * f(mu + sigma * epsilon), (epsilon, *on_the_line))
    return Derivation("eq-reparameterised", sp.Derivative(moved, mu)).equals(
        sp.Integral(standard * sp.Derivative(f(mu + sigma * epsilon), mu), (epsilon, *on_the_line)),
        because="$z=\\mu+\\sigma\\epsilon$, with noise $\\epsilon$ that knows nothing of the parameters: "
        "differentiate under the integral",
    )


coefficients = sp.symbols("c_0 c_1 c_2 c_3", real=True)
cubic = named("f(z)", sum(c * z**power for power, c in enumerate(coefficients)))
density = NormalDensity(z, mu, v)


def average(expression: sp.Expr) -> sp.Expr:
    """The average over a Gaussian."""
    return sp.Integral(density * expression, (z, *on_the_line))


@cache
def mean_gradient() -> Derivation:
    """The slope of an average in the mean is also that of the score times the function; here for any cubic."""
    return Derivation("eq-gradient-mean", average(sp.Derivative(cubic, z))).equals(
        average(cubic * (z - mu) / v),
        because="the left side is the slope in $\\mu$ by {eq}`eq-reparameterised`; $(z-\\mu)/v$ is the slope of the "
        "log-density in $\\mu$, so that the right side needs no slope of $f$, and its samples are the noisier. Both "
        "are $c_1+2c_2\\mu+3c_3(\\mu^2+v)$",
    )


@cache
def variance_gradient() -> Derivation:
    """The slope of an average in the variance is half the average curvature; here for any cubic."""
    curve = named("f''(z)", sp.diff(cubic.meaning, z, 2))
    score = in_order((z - mu) ** 2 / v, -1) / (2 * v)
    return Derivation("eq-gradient-variance", average(cubic * score)).equals(
        average(curve) / 2,
        because="the factor beside $f$ is the slope of the log-density in $v$, so that the left side is the slope "
        "of the average; both are $c_2+3c_3\\mu$",
    )


DERIVATIONS = (
    partition_slope,
    bound_slope,
    bound_slope_in_two,
    natural_step,
    one_observation,
    steps_go_anywhere,
    noise_dies_out,
    reparameterised,
    mean_gradient,
    variance_gradient,
)
