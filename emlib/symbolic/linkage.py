"""The derivations of genetic linkage, the example of the chapters on ascent and on speed.

Offspring fall into four classes with probabilities 1/2 + theta/4, (1 - theta)/4 twice, and theta/4. The first class is
two in one, 1/2 and theta/4; which of them an offspring belongs to is hidden.

Source: Rao (1965), section 5g; Dempster, Laird & Rubin (1977), eqs. (1.1)-(1.3).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import log_tangent, n, ratio
from emlib.symbolic.notation import in_order, latex, named

theta = sp.Symbol("theta", positive=True)
theta_old = sp.Symbol("theta_0", positive=True)
phi = sp.Symbol("phi", positive=True)
phi_is_the_rest = sp.Eq(phi, 1 - theta, evaluate=False)
counts = sp.symbols("y_1:5", integer=True, positive=True)
PUBLISHED = (125, 18, 20, 34)
HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)


def log_likelihood(share: sp.Expr) -> sp.Expr:
    """ell(share) for the published counts, up to the multinomial coefficient."""
    first, second, third, fourth = PUBLISHED
    meaning = (
        first * sp.log(HALF + share / 4)
        + (second + third) * sp.log((1 - share) / 4)
        + fourth * sp.log(share / 4)
    )
    return named(rf"\ell({latex(share)})", meaning)


def belongs_to_second(share: sp.Expr) -> sp.Expr:
    """The posterior probability that an offspring of the first class has theta/4."""
    return share / 4 / (HALF + share / 4)


def expected_log_joint(share: sp.Expr, second_half: sp.Expr, seen: tuple[Any, ...]) -> sp.Expr:
    """The log-probability of each offspring's class, given how many of the first class have theta/4."""
    first, second, third, fourth = seen
    return (
        (first - second_half) * sp.log(HALF)
        + second_half * sp.log(share / 4)
        + (second + third) * sp.log((1 - share) / 4)
        + fourth * sp.log(share / 4)
    )


def surrogate(share: sp.Expr, old: sp.Expr, seen: tuple[Any, ...] = counts) -> sp.Expr:
    """Q(share | old)."""
    meaning = expected_log_joint(share, seen[0] * belongs_to_second(old), seen)
    return named(rf"Q({latex(share)} \mid {latex(old)})", meaning)


def updated(second_half: sp.Expr, seen: tuple[Any, ...]) -> sp.Expr:
    """The M-step: of the offspring whose class depends on theta, the share of those with theta/4."""
    _, second, third, fourth = seen
    return (second_half + fourth) / (second_half + second + third + fourth)


expected = named("x", counts[0] * belongs_to_second(theta_old))
em_map = named(r"M(\theta)", updated(PUBLISHED[0] * belongs_to_second(theta), PUBLISHED))
limit = (15 + sp.sqrt(53809)) / 394
arrived = named(r"\hat{\theta}", limit)


@cache
def e_step() -> Derivation:
    """The E-step splits the first class in proportion to the two probabilities behind it."""
    y = counts[0]
    share = theta_old / 4 / in_order(HALF, theta_old / 4)
    return Derivation("eq-linkage-e-step", sp.Sum(share, (n, 1, y))).equals(
        y * theta_old / (2 + theta_old),
        because="each of the $y_1$ offspring has the same posterior: $\\theta_0/4$ over $1/2+\\theta_0/4$. Call the "
        "expected number $x$",
    )


@cache
def linkage_surrogate() -> Derivation:
    """The surrogate of genetic linkage is the log-likelihood of a coin with expected counts."""
    y1, y2, y3, y4 = counts
    constant = named("C", -(y1 - expected) * sp.log(2) - (expected + y2 + y3 + y4) * sp.log(4))
    return Derivation("eq-linkage-surrogate", surrogate(theta, theta_old)).equals(
        in_order((expected + y4) * sp.log(theta), (y2 + y3) * sp.log(1 - theta), constant),
        because="gather the logarithms, with $x=y_1\\theta_0/(2+\\theta_0)$; what does not depend on $\\theta$ is "
        "$C=-(y_1-x)\\log2-(x+y_2+y_3+y_4)\\log4$",
    )


@cache
def m_step() -> Derivation:
    """No other value raises the surrogate of genetic linkage above that of the M-step."""
    _, y2, y3, y4 = counts
    x = sp.Symbol("x", positive=True)
    top = named(r"\theta'", updated(x, counts))

    def q(share: sp.Expr) -> sp.Expr:
        return named(f"Q({latex(share)})", expected_log_joint(share, x, counts))

    rest = (y2 + y3) / (x + y2 + y3 + y4)
    lemma = log_tangent.at({ratio: theta / top}).times(x + y4) + log_tangent.at(
        {ratio: phi / rest}
    ).times(y2 + y3)
    return (
        Derivation("eq-linkage-m-step", in_order(q(top), -q(theta)), given=(phi_is_the_rest,))
        .equals(
            in_order((x + y4) * sp.log(top / theta), (y2 + y3) * sp.log(rest / phi)),
            because="what does not depend on $\\theta$ cancels; $\\theta'=(x+y_4)/(x+y_2+y_3+y_4)$, and the fraction "
            "is $1-\\theta'$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\theta/\\theta'$ and at $u=(1-\\theta)/(1-\\theta')$: weighted, "
            "the terms $u-1$ cancel",
            by=lemma,
        )
    )


@cache
def linkage_map() -> Derivation:
    """One EM step for genetic linkage is a quotient of two straight lines."""
    x = 125 * theta / (2 + theta)
    return (
        Derivation("eq-linkage-map", em_map)
        .equals(
            (x + 34) / (x + 18 + 20 + 34),
            because="the expected number $x=125\\theta/(2+\\theta)$ joins the 34",
        )
        .equals(
            (159 * theta + 68) / (197 * theta + 144),
            because="multiply above and below by $2+\\theta$",
        )
    )


@cache
def linkage_score() -> Derivation:
    """The score of genetic linkage has the sign of a quadratic."""
    return (
        Derivation("eq-linkage-score", sp.Derivative(log_likelihood(theta), theta))
        .equals(
            in_order(125 / (2 + theta), -38 / (1 - theta), 34 / theta),
            because="differentiate each logarithm; the two middle classes add up to 38",
        )
        .equals(
            -(197 * theta**2 - 15 * theta - 68) / (theta * (1 - theta) * (2 + theta)),
            because="over one denominator, positive between 0 and 1",
        )
    )


@cache
def linkage_step() -> Derivation:
    """EM for genetic linkage climbs along the score, and stands still only where the score is zero."""
    slope = sp.Derivative(log_likelihood(theta), theta)
    return (
        Derivation("eq-linkage-step", in_order(em_map, -theta))
        .equals(
            -(197 * theta**2 - 15 * theta - 68) / (197 * theta + 144),
            because="over one denominator the quadratic of {eq}`eq-linkage-score` is back",
        )
        .equals(
            theta * (1 - theta) * (2 + theta) / (197 * theta + 144) * slope,
            because="so a step is the score times a factor that is positive between 0 and 1",
        )
    )


@cache
def linkage_limit() -> Derivation:
    """EM for genetic linkage stands still at the positive root of the quadratic."""
    return Derivation("eq-linkage-limit", sp.Subs(em_map, theta, arrived)).equals(
        limit,
        because="with $\\hat\\theta=(15+\\sqrt{53809})/394$ the step returns its start: $197\\hat\\theta^2="
        "15\\hat\\theta+68$",
    )


@cache
def linkage_maximum() -> Derivation:
    """The limit of EM for genetic linkage is the global maximum of the log-likelihood."""
    lemma = (
        log_tangent.at({ratio: (2 + theta) / (2 + arrived)}).times(125)
        + log_tangent.at({ratio: phi / (1 - arrived)}).times(38)
        + log_tangent.at({ratio: theta / arrived}).times(34)
    )
    return (
        Derivation(
            "eq-linkage-maximum",
            in_order(log_likelihood(arrived), -log_likelihood(theta)),
            given=(phi_is_the_rest,),
        )
        .equals(
            in_order(
                125 * sp.log((2 + arrived) / (2 + theta)),
                38 * sp.log((1 - arrived) / phi),
                34 * sp.log(arrived / theta),
            ),
            because="class by class, with $\\hat\\theta=(15+\\sqrt{53809})/394$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ for each class; the terms $u-1$ add up to $\\theta-\\hat\\theta$ times the "
            "score at $\\hat\\theta$, which is zero",
            by=lemma,
        )
    )


def iterate(number: int, start: sp.Rational, end: sp.Rational, because: str) -> Derivation:
    """One step from an exact start."""
    at_start = sp.Subs(em_map, theta, start)
    return Derivation(f"eq-linkage-iterate-{number}", at_start).equals(end, because=because)


@cache
def first_iterate() -> Derivation:
    """From 1/2 the first EM step for genetic linkage leads to 59/97."""
    return iterate(
        1,
        HALF,
        sp.Rational(59, 97),
        because="$x=125\\cdot\\frac12/2\\frac12=25$, and $59/97=0.608247423$ to nine places",
    )


@cache
def second_iterate() -> Derivation:
    """The second EM step for genetic linkage leads from there to 15977/25591."""
    return iterate(
        2,
        sp.Rational(59, 97),
        sp.Rational(15977, 25591),
        because="insert $59/97$ and clear the fractions; to nine places it is $0.624321050$",
    )


ASCENT = (
    e_step,
    linkage_surrogate,
    m_step,
    linkage_map,
    linkage_score,
    linkage_step,
    linkage_limit,
    linkage_maximum,
    first_iterate,
    second_iterate,
)


def bend(expression: sp.Expr) -> sp.Expr:
    """Minus the second derivative in theta, at the limit."""
    return -sp.Subs(sp.Derivative(expression, (theta, 2)), theta, limit)


observed = named(r"I_{\text{obs}}", bend(log_likelihood(theta)))
complete = named(r"I_{\text{com}}", bend(surrogate(theta, limit, PUBLISHED)))


@cache
def linkage_map_slope() -> Derivation:
    """The slope of the EM map of genetic linkage, wherever it starts."""
    return Derivation("eq-linkage-map-slope", sp.Derivative(em_map, theta)).equals(
        9500 / (197 * theta + 144) ** 2,
        because="the quotient rule on $(159\\theta+68)/(197\\theta+144)$: $159\\cdot144-197\\cdot68=9500$",
    )


@cache
def linkage_rate() -> Derivation:
    """For genetic linkage the slope of the EM map at its limit is the missing share of the information.

    Source: Dempster, Laird & Rubin (1977), section 1 (the ratio .1328 of their table).
    """
    slope = sp.Subs(sp.Derivative(em_map, theta), theta, arrived)
    return (
        Derivation("eq-linkage-rate", slope)
        .equals(
            38000 / (303 + sp.sqrt(53809)) ** 2,
            because="insert $\\hat\\theta$ in {eq}`eq-linkage-map-slope`; to seven places it is $0.1327787$",
        )
        .equals(
            in_order(1, -observed / complete),
            because="compute both informations at $\\hat\\theta$, from the log-likelihood and from the surrogate",
        )
    )


information_at_limit = (1642304489 + 2382137 * sp.sqrt(53809)) / 5814000


@cache
def linkage_observed_information() -> Derivation:
    """The observed information of genetic linkage at the maximum, in radicals."""
    return (
        Derivation("eq-linkage-information", observed)
        .equals(
            in_order(125 / (2 + arrived) ** 2, 38 / (1 - arrived) ** 2, 34 / arrived**2),
            because="differentiate the score of {eq}`eq-linkage-score` once more",
        )
        .equals(
            information_at_limit, because="insert $\\hat\\theta$ and make the denominators rational"
        )
    )


@cache
def linkage_standard_error() -> Derivation:
    """The standard error of genetic linkage, in radicals."""
    return Derivation("eq-linkage-standard-error", 1 / sp.sqrt(observed)).equals(
        1 / sp.sqrt(information_at_limit),
        because="one over the root of the observed information; to six places it is $0.051467$",
    )


RATE = (linkage_map_slope, linkage_rate, linkage_observed_information, linkage_standard_error)
DERIVATIONS = (*ASCENT, *RATE)
