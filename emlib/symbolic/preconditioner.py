"""EM for a Gaussian mixture as gradient ascent with a step for each parameter (book/gaussian-mixtures.md).

Source: Xu & Jordan (1996), theorem 1. They take the new covariance about the old mean; EM takes it about the new one.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import N, data, n, x
from emlib.symbolic.mixtures import (
    K,
    component,
    j,
    mean,
    mixture_log_likelihood,
    mixture_of_all,
    responsibility,
    responsibility_of,
    share,
    variance,
    weights,
)
from emlib.symbolic.notation import in_order, named


@cache
def weight_step() -> Derivation:
    """An EM step moves each weight along the gradient of the log-likelihood, measured from the average slope.

    The matrix that multiplies the gradient is (diag(pi) - pi pi') / N.
    """
    slope = sp.Derivative(mixture_of_all, weights[component])
    average = sp.Sum(weights[j] * sp.Derivative(mixture_of_all, weights[j]), (j, 1, K))
    new = sp.Sum(responsibility_of(n, component), data) / N
    return (
        Derivation("eq-weight-step", in_order(new, -weights[component]))
        .equals(
            weights[component] / N * in_order(slope, -N),
            because="the slope in $\\pi_k$ is $\\frac1{\\pi_k}\\sum_nr_{nk}$",
        )
        .equals(
            weights[component] / N * in_order(slope, -average),
            because="the responsibilities of an observation add up to one, so the slopes, averaged with the "
            "weights, give $N$",
        )
    )


@cache
def variance_step() -> Derivation:
    """An EM step moves a variance along the gradient of the log-likelihood, less the square of the mean's own step."""
    squares = sp.Sum(responsibility(n) * (x[n] - mean) ** 2, data) / share
    new_mean = named(r"\mu_k'", sp.Sum(responsibility(n) * x[n], data) / share)
    new = sp.Sum(responsibility(n) * (x[n] - new_mean) ** 2, data) / share
    slope = sp.Derivative(mixture_log_likelihood, variance)
    return (
        Derivation("eq-variance-step", in_order(new, -variance))
        .equals(
            in_order(squares, -variance, -((new_mean - mean) ** 2)),
            because="the weighted squares about the old mean $\\mu_k$ exceed those about their own average $\\mu_k'$",
        )
        .equals(
            in_order(2 * variance**2 / share * slope, -((new_mean - mean) ** 2)),
            because="the slope in $v_k$ is $\\frac1{2v_k^2}\\sum_nr_n\\left((x_n-\\mu_k)^2-v_k\\right)$",
        )
    )


DERIVATIONS = (weight_step, variance_step)
