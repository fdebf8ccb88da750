"""The derivations of the chapter on EM as ascent, for any number N of observations and K of hidden states.

What holds for any model stands here, in the notation of `emlib.symbolic.hidden`; the example of genetic linkage
stands in `emlib.symbolic.linkage`.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic import linkage
from emlib.symbolic.bound import K, k
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.hidden import (
    Joint,
    MeanScore,
    Score,
    divergence,
    divergence_lemma,
    free_energy,
    guess,
    log_likelihood,
    over_all,
    posterior,
    surrogate,
    theta,
    theta_new,
    theta_old,
)
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import data, n
from emlib.symbolic.notation import in_order

surrogate_gain = in_order(surrogate(theta_new, theta), -surrogate(theta, theta))
touching = free_energy(posterior(theta_old), theta)


def at_old(expression: sp.Expr) -> sp.Expr:
    """A function of theta taken at the old params."""
    return sp.Subs(expression, theta, theta_old)


@cache
def best_guess() -> Derivation:
    """For fixed parameters no guess gives a larger free energy than the posterior: the E-step is a maximisation.

    Source: Neal & Hinton (1998), lemma 1.
    """
    divergence_of_guess = divergence(guess, posterior(theta))
    return (
        Derivation(
            "eq-best-guess",
            in_order(free_energy(posterior(theta), theta), -free_energy(guess, theta)),
        )
        .equals(
            divergence_of_guess,
            because="with the posterior the free energy is the log-likelihood; any other $q$ misses it by its "
            "divergence from the posterior. To range over all of them, $q_{nk}=a_{nk}/\\sum_ja_{nj}$",
        )
        .at_least(
            0,
            because="KL is never negative",
            by=divergence_lemma(guess, posterior(theta)),
        )
    )


@cache
def best_parameters() -> Derivation:
    """For a fixed guess the free energy rises by as much as the expected log-joint: the M-step maximises it too.

    Source: Neal & Hinton (1998), section 3.
    """
    gain = in_order(free_energy(guess, theta_new), -free_energy(guess, theta))
    return Derivation("eq-best-parameters", gain).equals(
        in_order(
            over_all(guess * sp.log(Joint(n, k, theta_new))),
            -over_all(guess * sp.log(Joint(n, k, theta))),
        ),
        because="the entropy of $q$ does not depend on the parameters, and drops out; again "
        "$q_{nk}=a_{nk}/\\sum_ja_{nj}$, any guess",
    )


@cache
def minorises() -> Derivation:
    """The bound that the E-step builds lies under the log-likelihood everywhere."""
    return (
        Derivation("eq-minorises", log_likelihood(theta))
        .equals(
            in_order(touching, divergence(posterior(theta_old), posterior(theta))),
            because="log-likelihood is free energy plus divergence; the guess is the posterior of $\\theta_0$",
        )
        .at_least(
            touching,
            because="KL is never negative",
            by=divergence_lemma(posterior(theta_old), posterior(theta)),
        )
    )


@cache
def touches_at_old() -> Derivation:
    """The bound touches the log-likelihood where the E-step was taken."""
    return Derivation("eq-touches-at-old", at_old(touching)).equals(
        log_likelihood(theta_old),
        because="every quotient $p_{nk}/r_{nk}$ is then the evidence of observation $n$",
    )


@cache
def ascent_identity() -> Derivation:
    """The log-likelihood gains what the surrogate gains, and a divergence on top of it.

    Source: Dempster, Laird & Rubin (1977), lemma 1 and theorem 1.
    """
    return (
        Derivation("eq-ascent-all", in_order(log_likelihood(theta_new), -log_likelihood(theta)))
        .equals(
            in_order(surrogate_gain, divergence(posterior(theta), posterior(theta_new))),
            because="add {eq}`eq-ascent` over the observations",
        )
        .at_least(
            surrogate_gain,
            because="KL is never negative",
            by=divergence_lemma(posterior(theta), posterior(theta_new)),
        )
    )


@cache
def sandwich() -> Derivation:
    """Whatever raises the bound raises the log-likelihood: an M-step need not maximise, it is enough to improve.

    Source: Neal & Hinton (1998), theorem 2; for generalised EM, Dempster, Laird & Rubin (1977), section 3.
    """
    risen = free_energy(posterior(theta), theta_new)
    return (
        Derivation("eq-sandwich", log_likelihood(theta_new))
        .at_least(
            risen,
            because="the bound that touches at $\\theta$ lies under the log-likelihood at $\\theta'$",
            by=divergence_lemma(posterior(theta), posterior(theta_new)),
        )
        .equals(
            in_order(log_likelihood(theta), surrogate_gain),
            because="at $\\theta$ it touches; from there on it moves as the surrogate does",
        )
    )


@cache
def fisher() -> Derivation:
    """The slope of the log-likelihood is the posterior mean of the slope of the log-joint.

    Source: Louis (1982), eq. (3.1), after Fisher (1925).
    """
    evidence = sp.Sum(Joint(n, k, theta), (k, 1, K))
    log_joint = sp.log(Joint(n, k, theta))
    return (
        Derivation("eq-fisher", sp.Derivative(log_likelihood(theta), theta))
        .equals(
            sp.Sum(sp.Sum(sp.Derivative(Joint(n, k, theta), theta), (k, 1, K)) / evidence, data),
            because="the derivative of a logarithm puts the evidence in the denominator",
        )
        .equals(
            over_all(posterior(theta) * sp.Derivative(log_joint, theta)),
            because="the slope of $p$ is $p$ times the slope of $\\log p$, and $p$ over the evidence is $r$",
        )
        .equals(
            over_all(posterior(theta) * Score(n, k, theta)),
            because="write $s_{nk}$ for the slope of $\\log p_{nk}$: the score, if the state were known",
        )
    )


@cache
def tangency() -> Derivation:
    """Where it touches, the bound has the slope of the log-likelihood."""
    return (
        Derivation("eq-tangency", at_old(sp.Derivative(touching, theta)))
        .equals(
            over_all(posterior(theta_old) * Score(n, k, theta_old)),
            because="in $F(r(\\theta_0),\\theta)$ the responsibilities stand still, and only $\\log p_{nk}$ moves",
        )
        .equals(
            at_old(sp.Derivative(log_likelihood(theta), theta)),
            because="that is Fisher's identity, {eq}`eq-fisher`",
        )
    )


@cache
def curvature() -> Derivation:
    """Where it touches, the bound is bent at least as sharply as the log-likelihood; the excess is a variance."""
    moved = divergence(posterior(theta_old), posterior(theta))
    deviation = Score(n, k, theta_old) - MeanScore(n, theta_old)
    spread = square(deviation).times(posterior(theta_old)).summed(k, 1, K).summed(*data)
    excess = in_order(
        sp.Derivative(log_likelihood(theta), (theta, 2)), -sp.Derivative(touching, (theta, 2))
    )
    return (
        Derivation("eq-curvature", at_old(excess))
        .equals(
            at_old(sp.Derivative(moved, (theta, 2))),
            because="the log-likelihood exceeds the bound by the divergence of the two posteriors",
        )
        .equals(
            over_all(posterior(theta_old) * deviation**2),
            because="of a divergence only the variance of the score is left where the two posteriors meet: "
            "$\\bar s_n$ is the posterior mean of $s_{nk}$",
        )
        .at_least(0, because="squares are never negative", by=spread)
    )


DERIVATIONS = (
    best_guess,
    best_parameters,
    minorises,
    touches_at_old,
    ascent_identity,
    sandwich,
    fisher,
    tangency,
    curvature,
    *linkage.ASCENT,
)
