"""The derivations of what follows from EM's linear convergence: how long it takes, and how to be faster.

Near its limit an EM step multiplies the error by the rate rho (in many dimensions: each part of it along an eigenvector
of the rate matrix by an eigenvalue).
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import in_order, named, named_entry

rho = sp.Symbol("rho", positive=True)
steps = sp.Symbol("t", positive=True)
error = sp.Symbol("e", positive=True)
tolerance = sp.Symbol("epsilon", positive=True)


@cache
def iterations() -> Derivation:
    """EM at a constant rate needs log tolerance over log rate steps."""
    needed = named("t", sp.log(tolerance) / sp.log(rho))
    return Derivation("eq-iterations", rho**needed).equals(
        tolerance,
        because="$\\log\\rho^t=t\\log\\rho$: after $t=\\log\\epsilon/\\log\\rho$ steps the share "
        "$\\epsilon$ of the error is left",
    )


@cache
def nats_a_step() -> Derivation:
    """The logarithm of the error falls by at least one minus the rate in each step.

    So the number of steps is at most log(1/tolerance) over the observed share of the information.
    """
    return (
        Derivation("eq-nats-a-step", sp.log(error * rho**steps))
        .equals(
            in_order(sp.log(error), steps * sp.log(rho)),
            because="$t$ steps multiply the error by $\\rho^t$",
        )
        .at_most(
            in_order(sp.log(error), -steps * (1 - rho)),
            because="$\\log\\rho\\le\\rho-1$, and $1-\\rho$ is the share of the information that is observed",
            by=log_tangent.at({ratio: rho}).times(steps),
        )
    )


@cache
def likelihood_rate() -> Derivation:
    """What the log-likelihood still lacks shrinks by the square of the rate, on a parabola."""
    top, limit, start = sp.symbols(r"\hat{\ell} \hat{\theta} theta", real=True)
    information = sp.Symbol("I", positive=True)

    def ell(at: sp.Expr) -> sp.Expr:
        return top - information / 2 * (at - limit) ** 2

    lacking = named(r"\hat{\ell} - \ell(\theta)", top - ell(start))
    after = named(r"\hat{\ell} - \ell(M(\theta))", top - ell(limit + rho * (start - limit)))
    return Derivation("eq-likelihood-rate", after / lacking).equals(
        rho**2,
        because="with $\\ell(\\theta)=\\hat\\ell-\\frac I2(\\theta-\\hat\\theta)^2$ and a step to "
        "$\\hat\\theta+\\rho(\\theta-\\hat\\theta)$, as every smooth case is near its limit",
    )


before, between, last = sp.symbols("ell_0 ell_1 ell_2", real=True)
factor = named("a", (last - between) / (between - before))
foretold = in_order(last, (last - between) * factor / (1 - factor))


@cache
def aitken_forms() -> Derivation:
    """Aitken's extrapolation has three forms.

    Source: Boehning et al. (1994), section 4.
    """
    squared = (between - before) ** 2 / in_order(last, -2 * between, before)
    return (
        Derivation("eq-aitken-forms", in_order(before, -squared))
        .equals(
            in_order(between, (last - between) / (1 - factor)),
            because="bring both over one denominator, with $a=(\\ell_2-\\ell_1)/(\\ell_1-\\ell_0)$",
        )
        .equals(
            foretold,
            because="$1/(1-a)=1+a/(1-a)$: what is left after the last gain $g$ is the series "
            "$ga+ga^2+\\cdots=ga/(1-a)$",
        )
    )


@cache
def aitken_exact() -> Derivation:
    """Aitken's extrapolation finds the limit from three terms if the error shrinks by a constant factor."""
    limit, size = sp.symbols(r"\hat{\ell} c", real=True)

    def term(number: int) -> sp.Expr:
        return named(rf"\ell_{number}", limit + size * rho**number)

    gains = term(2) - term(1), term(1) - term(0)
    shrunk = named("a", gains[0] / gains[1])
    return Derivation(
        "eq-aitken-exact", in_order(term(2), gains[0] * shrunk / (1 - shrunk))
    ).equals(
        limit,
        because="for $\\ell_t=\\hat\\ell+c\\rho^t$ the gains have the quotient $a=\\rho$, and what is missing "
        "at the end is $c\\rho^2$",
    )


delta = sp.Symbol("delta", positive=True)
here, once, twice = sp.symbols("theta_0 theta_1 theta_2", real=True)
change = named("r", once - here)
bend = named("v", (twice - once) - (once - here))


def extrapolated(step: sp.Expr, r: sp.Expr, v: sp.Expr, start: sp.Expr = here) -> sp.Expr:
    """The squared extrapolation of Varadhan and Roland."""
    return in_order(start, -2 * step * r, step**2 * v)


@cache
def squarem_exact() -> Derivation:
    """With one rate, a squared extrapolation from two EM steps lands on the limit.

    Source: Varadhan & Roland (2008), section 3, the step length of eq. (11).
    """
    limit, start = sp.symbols(r"\hat{\theta} theta_0", real=True)

    def em_step(at: sp.Expr) -> sp.Expr:
        return limit + (1 - delta) * (at - limit)

    r = named("r", em_step(start) - start)
    v = named("v", (em_step(em_step(start)) - em_step(start)) - (em_step(start) - start))
    length = named(r"\alpha", -sp.Abs(r.meaning) / sp.Abs(v.meaning))
    return (
        Derivation("eq-squarem-exact", extrapolated(length, r, v, start))
        .equals(
            in_order(start, 2 * r / delta, v / delta**2),
            because="one step changes $r=-\\delta(\\theta_0-\\hat\\theta)$ and the next changes that by "
            "$v=-\\delta r$, with $\\delta=1-\\rho$: so $\\alpha=-|r|/|v|=-1/\\delta$",
        )
        .equals(limit, because="$\\theta_0-2(\\theta_0-\\hat\\theta)+(\\theta_0-\\hat\\theta)$")
    )


@cache
def squarem_error() -> Derivation:
    """A squared extrapolation multiplies each part of the error by a square, which vanishes at that part's own rate.

    Source: Varadhan & Roland (2008), section 3.
    """
    i = sp.Symbol("i", integer=True)
    part, rates = sp.IndexedBase("e", real=True), sp.IndexedBase("rho", real=True)
    step = sp.Symbol("alpha", real=True)
    once, twice = rates[i] * part[i], rates[i] ** 2 * part[i]
    r = named_entry("r", i, once - part[i])
    v = named_entry("v", i, twice - 2 * once + part[i])
    return Derivation("eq-squarem-error", extrapolated(step, r(i), v(i), part[i])).equals(
        (1 + step * (1 - rates[i])) ** 2 * part[i],
        because="along the $i$-th eigenvector an EM step multiplies the error $e_i$ by $\\rho_i$, so "
        "$r_i=(\\rho_i-1)e_i$ and $v_i=(\\rho_i-1)^2e_i$: a complete square. It is zero at $\\alpha=-1/(1-\\rho_i)$",
    )


@cache
def squarem_length() -> Derivation:
    """The step length is one over an average of one minus the rates: it suits the part that moves most.

    Source: Varadhan & Roland (2008), eq. (11).
    """
    i, m = sp.symbols("i m", integer=True)
    size = sp.Symbol("P", integer=True, positive=True)
    part, rates = sp.IndexedBase("e", real=True), sp.IndexedBase("rho", real=True)
    r_squared = named_entry("r^2", i, ((rates[i] - 1) * part[i]) ** 2)
    v_squared = named_entry("v^2", i, ((rates[i] - 1) ** 2 * part[i]) ** 2)
    weight = r_squared(i) / named(r"\|r\|^2", sp.Sum(r_squared(m), (m, 1, size)))
    return Derivation(
        "eq-squarem-length",
        sp.Sum(v_squared(i), (i, 1, size)) / sp.Sum(r_squared(i), (i, 1, size)),
    ).equals(
        sp.Sum(weight * (1 - rates[i]) ** 2, (i, 1, size)),
        because="$v_i=-(1-\\rho_i)r_i$ in orthonormal eigen-coordinates: $1/\\alpha^2=\\|v\\|^2/\\|r\\|^2$ is "
        "the mean of $(1-\\rho_i)^2$, weighted by how far the step moves along each",
    )


DERIVATIONS = (
    iterations,
    nats_a_step,
    likelihood_rate,
    aitken_forms,
    aitken_exact,
    squarem_exact,
    squarem_error,
    squarem_length,
)
