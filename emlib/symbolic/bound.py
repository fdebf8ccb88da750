"""The derivations of the chapter on Jensen, KL and the bound (book/bound.md), for any number K of hidden states.

For one observation x, write p_k = p(x, z = k | theta) for the joint density; it sums to the evidence p(x | theta).
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import NonNegative, minimum
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import in_order, latex, named, named_entry

k, j = sp.symbols("k j", integer=True)
K = sp.Symbol("K", integer=True, positive=True)
states = (k, 1, K)
q = sp.IndexedBase("q", positive=True)
r = sp.IndexedBase("r", positive=True)
joint = sp.IndexedBase("p", positive=True)
new_joint = sp.IndexedBase("p'", positive=True)
q_is_distribution = sp.Eq(sp.Sum(q[k], states), 1)
r_is_distribution = sp.Eq(sp.Sum(r[k], states), 1)

evidence = named(r"p(x \mid \theta)", sp.Sum(joint[j], (j, 1, K)))
new_evidence = named(r"p(x \mid \theta')", sp.Sum(new_joint[j], (j, 1, K)))
posterior = named_entry(r"r", k, joint[k] / evidence)
new_posterior = named_entry(r"r'", k, new_joint[k] / new_evidence)
free_energy = named(r"F(q, \theta)", sp.Sum(q[k] * sp.log(joint[k] / q[k]), states))


def kl(left: sp.Expr, right: sp.Expr) -> sp.Expr:
    """KL(left || right) of two distributions over the states."""
    names = [latex(side).removesuffix("_{k}") for side in (left, right)]
    divergence = sp.Sum(left * sp.log(left / right), states)
    return named(rf"\mathrm{{KL}}({names[0]} \,\|\, {names[1]})", divergence)


w = sp.Symbol("w", positive=True)
t = sp.Symbol("t", positive=True)
two_point_gap = sp.log((w * t + 1) / (w + 1)) - w / (w + 1) * sp.log(t)


@cache
def jensen_gap() -> Derivation:
    """The two-point Jensen gap depends on the ratio of the points alone."""
    a, b = sp.symbols("a b", positive=True)
    of_points = in_order(
        sp.log((w * a + b) / (w + 1)), -in_order(w * sp.log(a), sp.log(b)) / (w + 1)
    )
    return Derivation("eq-jensen-gap", of_points).equals(
        two_point_gap.subs(t, named("t", a / b)),
        because="divide $a$ and $b$ by $b$: that takes $\\log b$ from both terms",
    )


@cache
def jensen_slope() -> Derivation:
    """The slope of the two-point Jensen gap vanishes at one place only."""
    return Derivation("eq-jensen-slope", sp.Derivative(two_point_gap, t)).equals(
        w * (t - 1) / (t * (w + 1) * (w * t + 1)),
        because="differentiate, and bring both terms over one denominator",
    )


@cache
def jensen_two_points() -> Derivation:
    """The logarithm of an average is at least the average of the logarithms."""
    a, b = sp.symbols("a b", positive=True)
    gap = minimum(two_point_gap, t, at=1, label="eq-jensen-slope")
    return Derivation("eq-jensen-two", sp.log((w * a + b) / (w + 1))).at_least(
        in_order(w / (w + 1) * sp.log(a), sp.log(b) / (w + 1)),
        because="divide $a$ and $b$ by $b$: the gap is that of the ratio $t=a/b$, smallest (zero) at $t=1$",
        by=gap.at({t: a / b}),
    )


@cache
def jensen() -> Derivation:
    """The same for an average over $K$ values."""
    value = sp.IndexedBase("y", positive=True)
    average = named(r"\bar{y}", sp.Sum(q[j] * value[j], (j, 1, K)))
    under = log_tangent.at({ratio: value[k] / average}).times(q[k]).summed(*states)
    return Derivation(
        "eq-jensen", sp.log(sp.Sum(q[k] * value[k], states)), given=(q_is_distribution,)
    ).at_least(
        sp.Sum(q[k] * sp.log(value[k]), states),
        because="average $u-1-\\log u\\ge 0$ over $u=y_k/\\bar y$ with weights $q_k$, where $\\bar y=\\sum_k q_ky_k$",
        by=under,
    )


@cache
def gibbs() -> Derivation:
    """KL is never negative."""
    under = log_tangent.at({ratio: r[k] / q[k]}).times(q[k]).summed(*states)
    divergence = kl(q[k], r[k])
    return (
        Derivation("eq-gibbs", divergence, given=(q_is_distribution, r_is_distribution))
        .equals(divergence.meaning, because="by definition")
        .at_least(
            0,
            because="average $u-1-\\log u\\ge 0$ over $u=r_k/q_k$ with weights $q_k$",
            by=under,
        )
    )


def gibbs_for(left: sp.Expr, right: sp.Expr) -> NonNegative:
    """Gibbs' inequality for two other distributions over the states."""
    return gibbs().lemma().at({q[k]: left, r[k]: right})


@cache
def decomposition() -> Derivation:
    """The log-evidence is the free energy plus a KL gap, whatever the guess $q$ is."""
    return (
        Derivation("eq-decomposition", sp.log(evidence), given=(q_is_distribution,))
        .equals(
            sp.Sum(q[k] * sp.log(evidence), states),
            because="an average of a constant is the constant",
        )
        .equals(
            sp.Sum(q[k] * sp.log(joint[k] / posterior(k)), states),
            because="Bayes' theorem: $p(x\\mid\\theta)=p_k/r_k$ for every $k$",
        )
        .equals(
            in_order(free_energy.meaning, kl(q[k], posterior(k)).meaning),
            because="multiply and divide by $q_k$, and split the logarithm",
        )
        .equals(in_order(free_energy, kl(q[k], posterior(k))), because="name the two parts")
    )


@cache
def lower_bound() -> Derivation:
    """The free energy is a lower bound of the log-evidence."""
    return Derivation("eq-lower-bound", sp.log(evidence), given=(q_is_distribution,)).at_least(
        free_energy,
        because="the difference is $\\mathrm{KL}(q\\,\\|\\,r)$, which is never negative",
        by=gibbs_for(q[k], posterior(k)),
    )


@cache
def touches() -> Derivation:
    """The bound touches where the guess $q$ is the posterior."""
    at_posterior = sp.Sum(posterior(k) * sp.log(joint[k] / posterior(k)), states)
    return Derivation("eq-touches", at_posterior).equals(
        sp.log(evidence),
        because="every quotient $p_k/r_k$ is the evidence, and the $r_k$ sum to one",
    )


@cache
def energy_and_entropy() -> Derivation:
    """The free energy is an expected log-joint plus an entropy."""
    return (
        Derivation("eq-energy-entropy", free_energy)
        .equals(free_energy.meaning, because="by definition")
        .equals(
            in_order(sp.Sum(q[k] * sp.log(joint[k]), states), -sp.Sum(q[k] * sp.log(q[k]), states)),
            because="split the logarithm of the quotient",
        )
    )


@cache
def ascent() -> Derivation:
    """What an EM step gains: at least as much as it gains in the surrogate."""
    gain = sp.log(new_evidence) - sp.log(evidence)
    surrogate_gain = sp.Sum(posterior(k) * sp.log(new_joint[k] / joint[k]), states)
    return (
        Derivation("eq-ascent", gain)
        .equals(
            in_order(surrogate_gain, kl(posterior(k), new_posterior(k))),
            because="take the decomposition at $\\theta'$ and at $\\theta$, both with $q=r$, and subtract",
        )
        .at_least(
            surrogate_gain,
            because="KL is never negative",
            by=gibbs_for(posterior(k), new_posterior(k)),
        )
    )


DERIVATIONS = (
    jensen_gap,
    jensen_slope,
    jensen_two_points,
    jensen,
    gibbs,
    decomposition,
    lower_bound,
    touches,
    energy_and_entropy,
    ascent,
)
