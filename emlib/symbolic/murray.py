"""Murray's twelve pairs: two maxima, a saddle between them, and what EM does at each (chapter on failures).

Twelve pairs of zero-mean normals: (1, 1), (1, -1), (-1, 1), (-1, -1), then 2, 2, -2, -2 without their partners in
either column. The means are known to be zero; the variances v_1, v_2 and the correlation rho are not.

Source: Murray (1977), in the discussion of Dempster, Laird & Rubin, Journal of the Royal Statistical Society B 39,
page 27.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import jensen_two_points, w
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import NormalDensity, in_order, latex, named

CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
SIDES = (2, 2, -2, -2)

first, second = sp.symbols("v_1 v_2", positive=True)
rho = sp.Symbol("rho", real=True)
gamma = sp.Symbol("gamma", real=True)
unexplained = sp.Symbol("u", positive=True)
definition_of_u = sp.Eq(rho**2, 1 - unexplained)


def joint_density(x: sp.Expr, y: sp.Expr, v: sp.Expr, w: sp.Expr, correlation: sp.Expr) -> sp.Expr:
    """The density of a pair of zero-mean normals with these variances and correlation."""
    left = 1 - correlation**2
    cross = 2 * correlation * x * y / (sp.sqrt(v) * sp.sqrt(w))
    square = (x**2 / v - cross + y**2 / w) / left
    return sp.exp(-square / 2) / (2 * sp.pi * sp.sqrt(v) * sp.sqrt(w) * sp.sqrt(left))


def log_likelihood(v: sp.Expr, w: sp.Expr, correlation: sp.Expr) -> sp.Expr:
    """l(v_1, v_2, rho): the pairs by their joint density, the others by that of the entry which is there."""
    terms = [sp.log(joint_density(x, y, v, w, correlation)) for x, y in CORNERS]
    terms += [sp.log(NormalDensity(x, 0, variance)) for variance in (v, w) for x in SIDES]
    arguments = ", ".join(latex(sp.sympify(value)) for value in (v, w, correlation))
    return named(rf"\ell({arguments})", sp.Add(*terms))


saddle = (sp.Rational(5, 2), sp.Rational(5, 2), 0)
maximum = (sp.Rational(8, 3), sp.Rational(8, 3), sp.Rational(1, 2))


@cache
def likelihood_of_the_pairs() -> Derivation:
    """Murray's log-likelihood holds the correlation only through its square.

    Source: Murray (1977).
    """
    precisions = in_order(1 / first, 1 / second)
    ell = log_likelihood(first, second, rho)
    return Derivation("eq-murray-likelihood", ell, given=(definition_of_u,)).equals(
        in_order(
            -8 * sp.log(2 * sp.pi),
            -4 * sp.log(first * second),
            -8 * precisions,
            -2 * sp.log(unexplained),
            -2 * precisions / unexplained,
        ),
        because="the four pairs have sums of squares 4, 4 and sum of products 0; of the single entries, "
        "four in each column, every square is 4; write $u$ for $1-\\rho^2$",
    )


@cache
def both_maxima() -> Derivation:
    """No variances and correlation do better than variances of $8/3$ with a correlation of $1/2$ or of $-1/2$.

    Source: Murray (1977).
    """
    precision = named("c", 1 / first + 1 / second)
    quotient, scaled = precision / unexplained, 4 * precision / 3
    equal_variances = (
        jensen_two_points()
        .lemma()
        .at({w: 1, sp.Symbol("a", positive=True): first, sp.Symbol("b", positive=True): second})
    )
    shortfall = log_likelihood(*maximum) - log_likelihood(first, second, rho)
    return (
        Derivation("eq-murray-maxima", shortfall, given=(definition_of_u,))
        .equals(
            in_order(
                2 * in_order(quotient, -1, -sp.log(quotient)),
                6 * in_order(scaled, -1, -sp.log(scaled)),
                8 * in_order(sp.log((first + second) / 2), -sp.log(first * second) / 2),
            ),
            because="write $u$ for $1-\\rho^2$ and $c$ for $1/v_1+1/v_2$, and sort the logarithms",
        )
        .at_least(
            0,
            because="$y-1-\\log y\\ge0$ at $y=c/u$ and at $y=\\frac43c$, and the logarithm of an average is at least "
            "the average of the logarithms; all three vanish where $v_1=v_2=\\frac83$ and $\\rho^2=\\frac14$",
            by=log_tangent.at({ratio: quotient}).times(2)
            + log_tangent.at({ratio: scaled}).times(6)
            + equal_variances.times(8),
        )
    )


@cache
def along_no_correlation() -> Derivation:
    """Among the models without correlation, variances of 5/2 are best.

    Source: Murray (1977).
    """
    shortfall = log_likelihood(*saddle) - log_likelihood(first, second, 0)
    parts = [sp.Rational(5, 2) / variance for variance in (first, second)]
    return (
        Derivation("eq-murray-uncorrelated", shortfall)
        .equals(
            in_order(*(4 * in_order(part, -1, -sp.log(part)) for part in parts)),
            because="without correlation each column is on its own, with eight entries and a sum of squares of 20",
        )
        .at_least(
            0,
            because="$y-1-\\log y\\ge0$ at $y=5/2v_1$ and at $y=5/2v_2$",
            by=log_tangent.at({ratio: parts[0]}).times(4)
            + log_tangent.at({ratio: parts[1]}).times(4),
        )
    )


step, a, b, c = sp.symbols("t a b c", real=True)


def _through_the_saddle() -> sp.Expr:
    """The log-likelihood as it was proved, on a path through the saddle in any direction (a, b, c)."""
    half = sp.Rational(5, 2)
    point = {first: half * sp.exp(a * step), second: half * sp.exp(b * step)}
    value = likelihood_of_the_pairs().end.xreplace({**point, unexplained: 1 - (c * step) ** 2})
    arguments = ", ".join(latex(part) for part in (*point.values(), c * step))
    return named(rf"\ell({arguments})", value)


@cache
def flat_at_the_saddle() -> Derivation:
    """At variances of 5/2 without correlation the log-likelihood has slope zero in every direction.

    Source: Murray (1977).
    """
    slope = sp.Subs(sp.Derivative(_through_the_saddle(), step), step, 0)
    return Derivation("eq-murray-flat", slope).equals(
        0,
        because="differentiate {eq}`eq-murray-likelihood` along any direction $(a,b,c)$ of "
        "$(\\log v_1,\\log v_2,\\rho)$: in the variances the saddle is best for $\\rho=0$, and "
        "in $\\rho$ the log-likelihood is even",
    )


@cache
def curved_both_ways() -> Derivation:
    """There the log-likelihood bends down in the variances and up in the correlation: a saddle.

    Source: Murray (1977).
    """
    bend = sp.Subs(sp.Derivative(_through_the_saddle(), (step, 2)), step, 0)
    return Derivation("eq-murray-saddle", bend).equals(
        in_order(4 * c**2 / 5, -4 * a**2, -4 * b**2),
        because="differentiate once more along the same path: the Hessian is diagonal, with entries $-4,-4,\\frac45$",
    )


@cache
def height_of_the_maxima() -> Derivation:
    """Both maxima lie above the saddle by the same small amount, about 0.06 nats."""
    gain = log_likelihood(*maximum) - log_likelihood(*saddle)
    return Derivation("eq-murray-height", gain).equals(
        in_order(2 * sp.log(sp.Rational(4, 3)), -8 * sp.log(sp.Rational(16, 15))),
        because="the terms without logarithm are $-8$ at both",
    )


@cache
def missing_partner() -> Derivation:
    """Given one entry of a pair, the other is normal about a line through the origin.

    Source: Little & Rubin (2002), section 11.2.
    """
    x, y = sp.symbols("x y", real=True)
    both = named("p(x, y)", joint_density(x, y, first, second, rho))
    slope = rho * sp.sqrt(second) / sp.sqrt(first)
    return Derivation(
        "eq-murray-partner", both / NormalDensity(x, 0, first), given=(definition_of_u,)
    ).equals(
        NormalDensity(y, slope * x, second * unexplained),
        because="joint over marginal; complete the square in $y$",
    )


@cache
def covariance_step() -> Derivation:
    """An EM step multiplies the covariance by a number that only the variances decide: zero stays zero."""
    expected = [sp.Integer(x * y) for x, y in CORNERS]
    expected += [x * (gamma / variance * x) for variance in (first, second) for x in SIDES]
    return Derivation("eq-murray-step", named(r"\gamma'", sp.Add(*expected) / 12)).equals(
        sp.Rational(4, 3) * in_order(1 / first, 1 / second) * gamma,
        because="the M-step averages the twelve expected products: 0 from the four pairs, and $x\\cdot\\gamma x/v$ "
        "with $x^2=4$ from each single entry, by {eq}`eq-murray-partner` with $\\gamma=\\rho\\sqrt{v_1v_2}$",
    )


@cache
def variance_step() -> Derivation:
    """An EM step for the variance holds what the missing entries leave unexplained."""
    seen = [sp.Integer(x * x) for x, _ in CORNERS] + [sp.Integer(x * x) for x in SIDES]
    left = first - gamma**2 / second
    expected = [(gamma / second * y) ** 2 + left for y in SIDES]
    return Derivation(
        "eq-murray-variance-step", named("v_1'", sp.Add(*seen, *expected) / 12)
    ).equals(
        in_order(
            sp.Rational(5, 3),
            first / 3,
            sp.Rational(4, 3) * (gamma / second) ** 2,
            -(gamma**2) / second / 3,
        ),
        because="eight squares are seen and sum to 20; each of the four missing ones has an expected square, its "
        "mean squared plus the variance $v_1-\\gamma^2/v_2$",
    )


@cache
def repelling() -> Derivation:
    """At the saddle an EM step enlarges a small covariance, so EM leaves it as soon as a rounding error lets it."""
    at_saddle = covariance_step().start
    slope = sp.Subs(
        sp.Derivative(at_saddle, gamma), (first, second, gamma), (saddle[0], saddle[1], 0)
    )
    return Derivation("eq-murray-repelling", slope).equals(
        sp.Rational(16, 15),
        because="$\\frac43(\\frac25+\\frac25)$; a factor above one repels, and at the maxima it is one",
    )


DERIVATIONS = (
    likelihood_of_the_pairs,
    both_maxima,
    along_no_correlation,
    flat_at_the_saddle,
    curved_both_ways,
    height_of_the_maxima,
    missing_partner,
    covariance_step,
    variance_step,
    repelling,
)
