"""The derivations of the chapter on the failures of EM: flat spots, peaks without end, names, and traps."""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic import murray
from emlib.symbolic.bound import K, j, k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.gaussian_mixtures import weight, weights_add_up
from emlib.symbolic.inequality import minimum
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
from emlib.symbolic.mixtures import rest
from emlib.symbolic.mixtures import weight as weight_of_k
from emlib.symbolic.notation import NormalDensity, in_order, named, named_entry

# ---- the symmetric point: all components equal -----------------------------------------------------

delta = sp.Symbol("delta", real=True)
direction = sp.IndexedBase("a", real=True)
spread = named("A", sp.Sum(weight[k] * direction[k] ** 2, states))
directions_balance = sp.Eq(sp.Sum(weight[k] * direction[k], states), 0)


def apart(at: sp.Expr, state: sp.Symbol = k) -> sp.Expr:
    """The joint density of x_n and a state whose mean has moved from the middle of the data along its direction."""
    return weight[state] * NormalDensity(x[n], x_bar + direction[state] * at, v)


responsibility = named_entry("r", n, apart(delta) / sp.Sum(apart(delta, j), (j, 1, K)))
log_likelihood_apart = named(r"\ell(\delta)", sp.Sum(sp.log(sp.Sum(apart(delta), states)), data))


@cache
def equal_responsibilities() -> Derivation:
    """Where all components are equal, every responsibility is the weight, whatever the observation."""
    equal = weight[k] * NormalDensity(x[n], mu, v)
    total = sp.Sum(weight[j] * NormalDensity(x[n], mu, v), (j, 1, K))
    return Derivation(
        "eq-symmetric-responsibilities", equal / total, given=(weights_add_up,)
    ).equals(weight[k], because="the common density cancels, and the weights add up to one")


@cache
def stays_symmetric() -> Derivation:
    """From equal components the M-step gives equal components again: the mean of all data, for each of them."""
    update = sp.Sum(weight[k] * x[n], data) / sp.Sum(weight[k], data)
    return Derivation("eq-symmetric-fixed-point", update, given=sample_moments[:1]).equals(
        x_bar, because="the responsibility $\\pi_k$ is the same for every observation, and cancels"
    )


@cache
def symmetric_slope() -> Derivation:
    """At the symmetric point the log-likelihood has slope zero, in whatever directions the means move apart."""
    slope = sp.Subs(sp.Derivative(log_likelihood_apart, delta), delta, 0)
    return Derivation(
        "eq-symmetric-slope", slope, given=(*sample_moments[:1], weights_add_up)
    ).equals(
        0,
        because="weights $\\pi_k$, means $\\bar x+a_k\\delta$: the slope is $\\sum_k\\pi_ka_k\\sum_n(x_n-\\bar x)/v$, "
        "and the deviations from the mean add up to zero",
    )


bend = named_entry("h", n, spread / v * in_order((x[n] - x_bar) ** 2 / v, -1))


@cache
def curvature_of_one() -> Derivation:
    """An observation bends the log-likelihood up at the symmetric point if it lies far from the mean."""
    mixture = sp.Sum(apart(delta), states)
    given = (weights_add_up, directions_balance)
    curvature = sp.Subs(sp.Derivative(sp.log(mixture), (delta, 2)), delta, 0)
    return Derivation("eq-symmetric-bend", curvature, given=given).equals(
        bend(n).meaning,
        because="differentiate twice; the directions balance, so that their common part adds nothing, and "
        "$A=\\sum_k\\pi_ka_k^2$ is how far they spread",
    )


@cache
def symmetric_curvature() -> Derivation:
    """The symmetric point is a saddle if the data vary more than one component does, and none if they vary less."""
    return Derivation("eq-symmetric-curvature", sp.Sum(bend(n), data), given=sample_moments).equals(
        N * spread / v**2 * in_order(s2, -v),
        because="add up {eq}`eq-symmetric-bend`, with $h_n$ the bend of one observation; the squares add up to $Ns^2$: "
        "positive where $s^2>v$, negative where $s^2<v$",
    )


tilt = named_entry("t", n, weight[k] * direction[k] * (x[n] - x_bar) / v)


@cache
def symmetric_tilt() -> Derivation:
    """As the means move apart, a component takes over what lies in its direction and gives up what lies behind."""
    moved = sp.Subs(sp.Derivative(responsibility(n), delta), delta, 0)
    return Derivation(
        "eq-symmetric-tilt", moved, given=(weights_add_up, directions_balance)
    ).equals(
        weight[k] * direction[k] * (x[n] - x_bar) / v,
        because="$r_n$ is the responsibility of component $k$, whose mean is $\\bar x+a_k\\delta$; differentiate the "
        "quotient, and the directions balance",
    )


@cache
def symmetric_rate() -> Derivation:
    """An EM step multiplies a small distance between the means by the variance of the data over that of a component."""
    moved = sp.Sum((weight[k] + delta * tilt(n)) * x[n], data) / sp.Sum(
        weight[k] + delta * tilt(n), data
    )
    return Derivation(
        "eq-symmetric-rate",
        sp.Subs(sp.Derivative(moved, delta), delta, 0),
        given=sample_moments,
    ).equals(
        direction[k] * s2 / v,
        because="to first order $r_n=\\pi_k+\\delta t_n$, with $t_n$ from {eq}`eq-symmetric-tilt`; the mean was "
        "$\\bar x+a_k\\delta$: with $s^2>v$ the means part, slowly where $s^2$ is near $v$",
    )


# ---- peaks without end -----------------------------------------------------------------------------

on_line = sp.Symbol("M", integer=True, positive=True)
off_line = sp.Symbol("L", integer=True, nonnegative=True)
along = sp.IndexedBase("g", positive=True)
distance = sp.IndexedBase("t", real=True)
peak = named("H", sp.Mul(sp.Pow(2 * sp.pi * v, -sp.Rational(1, 2), evaluate=False)))
those_on_it = (n, 1, on_line)
those_off_it = (n, on_line + 1, on_line + off_line)


@cache
def collapse_on_a_line() -> Derivation:
    """A component that flattens onto some of the data loses nothing on the others, which the rest of the mixture keeps.

    The line stands for a point, a line or a plane: whatever has data on it, at distance zero, and a direction across.
    """
    base, extra = sp.symbols("b a", positive=True)
    # log(a + b) >= log a: what is added cannot lower the logarithm.
    rises = minimum(sp.log(base + extra) - sp.log(extra), base, at=0)

    def joint(gap: sp.Expr) -> sp.Expr:
        return weight_of_k * along[n] * NormalDensity(gap, 0, v)

    ell = sp.Sum(sp.log(in_order(joint(sp.Integer(0)), rest[n])), those_on_it) + sp.Sum(
        sp.log(in_order(joint(distance[n]), rest[n])), those_off_it
    )
    at_peak = weight_of_k * along[n] * peak
    return (
        Derivation("eq-collapse", named(r"\ell(v)", ell))
        .equals(
            in_order(
                sp.Sum(sp.log(in_order(at_peak, rest[n])), those_on_it),
                sp.Sum(sp.log(in_order(joint(distance[n]), rest[n])), those_off_it),
            ),
            because="$M$ observations lie on the line, $L$ at distances $t_n$; $g_n$ is the density along the line, "
            "$v$ the variance across it, and $H=1/\\sqrt{2\\pi v}$ the height of the peak",
        )
        .at_least(
            in_order(sp.Sum(sp.log(at_peak), those_on_it), sp.Sum(sp.log(rest[n]), those_off_it)),
            because="leave out one positive term of each sum: on the line the other components, off it the narrow one",
            by=rises.at({base: rest[n], extra: at_peak}).summed(*those_on_it)
            + rises.at({base: joint(distance[n]), extra: rest[n]}).summed(*those_off_it),
        )
    )


@cache
def without_bound() -> Derivation:
    """As the component gets thinner, that lower bound of the log-likelihood grows beyond every number."""
    constant = sp.Symbol("C", real=True)
    return Derivation(
        "eq-collapse-limit", sp.Limit(on_line * sp.log(peak.meaning) + constant, v, 0, "+")
    ).equals(
        sp.oo,
        because="$M$ observations gain $-\\frac12\\log v$ each, and $C$, the rest of the bound, does not hold $v$",
    )


mean_of_k = sp.IndexedBase("mu", real=True)
stretch = sp.IndexedBase("s", real=True)


at, around = sp.symbols("x mu", real=True)


@cache
def under_the_peak() -> Derivation:
    """With variances kept above a floor, no density rises above the peak at the floor."""
    lower, narrower = sp.symbols("y s", real=True)
    root = sp.sqrt(1 + narrower**2)
    deviations = (at - around) / sp.sqrt(2 * v * (1 + narrower**2))
    shrunk = named("e^{-y^2}", sp.exp(-(deviations**2)))
    return (
        Derivation("eq-under-the-peak", NormalDensity(at, around, v * (1 + narrower**2)))
        .equals(
            peak / root * shrunk,
            because="a variance above the floor $v$ is $v(1+s^2)$; $y$ is $(x-\\mu)/\\sqrt{2v(1+s^2)}$",
        )
        .at_most(
            peak,
            because="both $1/\\sqrt{1+s^2}$ and $e^{-y^2}$ are at most one: they fall away from zero on both sides",
            by=minimum(1 - 1 / root, narrower, at=0).times(peak)
            + minimum(1 - sp.exp(-(lower**2)), lower, at=0)
            .at({lower: deviations})
            .times(peak / root),
        )
    )


@cache
def floor() -> Derivation:
    """With variances kept above a floor, the log-likelihood of any mixture is bounded."""
    variance = v * (1 + stretch[k] ** 2)
    density = NormalDensity(x[n], mean_of_k[k], variance)
    mixture = sp.Sum(weight[k] * density, states)
    lemma = under_the_peak().lemma()
    values = {at: x[n], around: mean_of_k[k], sp.Symbol("s", real=True): stretch[k]}
    below = lemma.at(values).times(weight[k] / peak)
    whole = log_tangent.at({ratio: mixture / peak}) + below.summed(*states)
    return Derivation("eq-floor", sp.Sum(sp.log(mixture), data), given=(weights_add_up,)).at_most(
        N * sp.log(peak),
        because="an average of densities lies under the highest peak $H=1/\\sqrt{2\\pi v}$, {eq}`eq-under-the-peak`, "
        "and so does its logarithm",
        by=whole.summed(*data),
    )


@cache
def ridge() -> Derivation:
    """A penalty on the precision of a component bounds what its peak can gain, without a floor.

    Source: the penalty is that of an inverse gamma prior; Fraley & Raftery (2007), section 2.
    """
    size = sp.Symbol("lambda", positive=True)
    best = size / N
    return Derivation("eq-ridge", in_order(N * sp.log(peak), -size / (2 * v))).at_most(
        in_order(-N * sp.log(2 * sp.pi * best) / 2, -N / 2),
        because="$u-1-\\log u\\ge0$ at $u=\\lambda/Nv$: the penalty grows faster than the logarithm",
        by=log_tangent.at({ratio: best / v}).times(N * sp.Rational(1, 2)),
    )


# ---- names and traps -------------------------------------------------------------------------------


@cache
def average_over_labels() -> Derivation:
    """Averaged over all its relabellings, every component has the same mean: the average forgets the components."""
    total = sp.Sum(sp.factorial(K - 1) * mean_of_k[j], (j, 1, K))
    return Derivation("eq-label-average", total / sp.factorial(K)).equals(
        sp.Sum(mean_of_k[j], (j, 1, K)) / K,
        because="of the $K!$ orders, $(K-1)!$ give a chosen name to component $j$, whichever $j$ is",
    )


wide, tall, height = sp.symbols("a b m", positive=True)


across, up = sp.symbols("x y", real=True)


@cache
def logistic() -> Derivation:
    """For two equal components on opposite sides of the origin, the responsibility is a logistic function."""

    def density(sign: int) -> sp.Expr:
        return NormalDensity(across, sign * delta, v) * NormalDensity(up, sign * height, v)

    return Derivation("eq-logistic", density(1) / in_order(density(1), density(-1))).equals(
        1 / (1 + sp.exp(-2 * (delta * across + height * up) / v)),
        because="means $(\\delta,m)$ and $(-\\delta,-m)$, one variance $v$: divide by the first density; the "
        "squares cancel",
    )


def split_corners(entry: int) -> sp.Expr:
    """An entry, 0 or 1, of the first component's new mean, from four corners (+-a, +-b)."""
    corners = [(i * wide, j * tall) for i in (1, -1) for j in (1, -1)]
    shares = [logistic().end.subs({across: c[0], up: c[1]}) for c in corners]
    total = sp.Add(*(share * c[entry] for share, c in zip(shares, corners, strict=True)))
    return named(("\\delta'", "m'")[entry], total / sp.Add(*shares))


upper_share = named("r", 1 / (1 + sp.exp(-2 * height * tall / v)))


@cache
def trap_step() -> Derivation:
    """Two components that split four corners by height keep splitting them by height."""
    return Derivation("eq-trap-step", sp.Subs(split_corners(0), delta, 0)).equals(
        0,
        because="at $\\delta=0$ the responsibilities depend on the height alone, and left and right cancel",
    )


@cache
def trap_height() -> Derivation:
    """Meanwhile the two means settle at a height below that of the corners."""
    return Derivation("eq-trap-height", sp.Subs(split_corners(1), delta, 0)).equals(
        (2 * upper_share - 1) * tall,
        because="the first component has the share $r$ of each upper corner and $1-r$ of each lower one, two in all",
    )


@cache
def trap_rate() -> Derivation:
    """A small tilt of that split shrinks at each step where the components are far apart: EM stays in its basin."""
    moved = sp.Subs(sp.Derivative(split_corners(0), delta), delta, 0)
    return Derivation("eq-trap-rate", moved).equals(
        4 * upper_share * (1 - upper_share) * wide**2 / v,
        because="the corners are $(\\pm a,\\pm b)$; where this is below one the split by height attracts, even if a "
        "split by width has the larger likelihood",
    )


@cache
def trap_limit() -> Derivation:
    """As the components narrow, every such split becomes a trap."""
    return Derivation(
        "eq-trap-limit", sp.Limit(trap_rate().end.subs(upper_share, upper_share.meaning), v, 0, "+")
    ).equals(0, because="$1-r$ vanishes exponentially in $1/v$")


DERIVATIONS = (
    *murray.DERIVATIONS,
    equal_responsibilities,
    stays_symmetric,
    symmetric_slope,
    curvature_of_one,
    symmetric_curvature,
    symmetric_tilt,
    symmetric_rate,
    collapse_on_a_line,
    without_bound,
    under_the_peak,
    floor,
    ridge,
    average_over_labels,
    logistic,
    trap_step,
    trap_height,
    trap_rate,
    trap_limit,
)
