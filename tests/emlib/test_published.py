"""Numbers that others printed: the class that compares them, and fits that meet them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import mpmath
import numpy as np
import pytest

from emlib import Mixture, MixtureParams, Stopped, em, em_steps
from emlib.datasets import load
from emlib.families import Gaussian, Gaussians, Poisson, Poissons
from emlib.published import Published

# The comparison


@pytest.mark.parametrize(
    ("printed", "ours", "agrees"),
    [
        ("-1034.002", -1034.00175, True),
        ("-1034.002", -1034.0014, False),
        ("-1034.002", 1034.00175, False),
        ("0.36", 0.3649999, True),
        ("0.36", 0.3650001, False),
        ("0.360", 0.3649999, False),
        ("12", 12.5, True),
        ("12", 12.500001, False),
        ("1.5e3", 1549.0, True),
        ("1.5e3", 1551.0, False),
        ("1.0", float("inf"), False),
        ("2", np.float64(1.75), True),
    ],
)
def test_a_number_agrees_when_it_rounds_to_the_printed_digits(printed, ours, agrees):
    assert Published(printed, "a table").agrees(ours) is agrees


def test_a_check_gives_our_value_back_with_all_its_digits():
    assert Published("0.36", "a table").check(0.3612345) == 0.3612345


def test_a_check_that_fails_says_both_numbers_and_the_source(refuses):
    said = "Fraley & Raftery (2002), Table 1 prints 0.36; this computation gives 0.3712345"
    with refuses(ArithmeticError, said):
        Published("0.36", "Fraley & Raftery (2002), Table 1").check(0.3712345)


def test_a_nan_agrees_with_nothing(refuses):
    assert not Published("0.36", "a table").agrees(float("nan"))
    with refuses(ArithmeticError, "a table prints 0.36", "gives nan"):
        Published("0.36", "a table").check(float("nan"))


# Fits

MCLUST = "Scrucca, Fop, Murphy & Raftery (2016), R package mclust on the data set faithful"
SEVEN_POINTS = "Deisenroth, Faisal & Ong (2020), Mathematics for Machine Learning, section 11.2"
SEVEN = np.array([-3.0, -2.5, -1.0, 0.0, 2.0, 4.0, 5.0])
HASSELBLAD = "The two Poisson components of the deaths of Hasselblad (1969)"


def met(printed: str, source: str, ours: Iterable[float]) -> bool:
    """Whether our numbers round to the printed ones, given as text with blanks between them."""
    pairs = list(zip(printed.split(), ours, strict=True))
    for digits, value in pairs:
        Published(digits, source).check(float(value))
    return bool(pairs)


def seven_points() -> list:
    """The steps from the start that the section prints."""
    start = MixtureParams([1 / 3] * 3, Gaussians.univariate([-4.0, 0.0, 8.0], [1.0, 0.2, 3.0]))
    return list(islice(em_steps(Mixture(Gaussian()), SEVEN, start), 30))


def test_seven_points_responsibilities_of_the_start():
    step = seven_points()[0]
    shares = Mixture(Gaussian()).responsibilities(SEVEN, step.params)
    # Within one unit of the last printed digit: the book has .001 for .00015.
    printed = [[1, 0, 0], [1, 0, 0], [0.057, 0.943, 0], [0.001, 0.999, 0]]
    printed += [[0, 0.066, 0.934], [0, 0, 1], [0, 0, 1]]
    assert shares == pytest.approx(np.array(printed), abs=1e-3)


def test_seven_points_after_one_step():
    params = seven_points()[1].params
    assert met("-2.7 -0.4 3.7", SEVEN_POINTS, params.components.means.ravel())
    assert met("0.14 0.44 1.53", SEVEN_POINTS, params.components.variances.ravel())
    assert met("0.29 0.29 0.42", SEVEN_POINTS, params.weights)


def test_seven_points_negative_log_likelihood_of_the_first_step():
    assert met("28.3 14.4", SEVEN_POINTS, [-step.log_likelihood for step in seven_points()[:2]])


def test_seven_points_at_the_end():
    params = seven_points()[-1].params
    assert met("-2.75 -0.50 3.64", SEVEN_POINTS, params.components.means.ravel())
    assert met("0.06 0.25 1.63", SEVEN_POINTS, params.components.variances.ravel())
    assert met("0.29 0.28 0.43", SEVEN_POINTS, params.weights)


def test_old_faithful_waiting_times():
    start = MixtureParams([0.5, 0.5], Gaussians.univariate([50.0, 80.0], [25.0, 25.0]))
    trace = em(Mixture(Gaussian()), load("faithful")["waiting"], start, tol=1e-14)
    assert met(".36089 .63911", MCLUST, trace.params.weights)
    assert met("54.6149 80.0911", MCLUST, trace.params.components.means.ravel())
    assert met("5.8712 5.8677", MCLUST, np.sqrt(trace.params.components.variances.ravel()))
    assert met("-1034.0017", MCLUST, [trace.log_likelihood])


def test_old_faithful_both_columns():
    start = Gaussians([[2.0, 55.0], [4.3, 80.0]], [[[0.1, 0.0], [0.0, 30.0]]] * 2)
    trace = em(Mixture(Gaussian()), load("faithful").matrix(), MixtureParams([0.5, 0.5], start))
    assert met("-1130.264", MCLUST, [trace.log_likelihood])


def test_deaths_crawl_to_the_printed_digits():
    # The error shrinks by .9957 a step: five thousand steps are a factor of 4e-10.
    data = load("deaths").repeated("deaths", "days")
    steps = em_steps(Mixture(Poisson()), data, MixtureParams([0.3, 0.7], Poissons([1.0, 2.5])))
    last = next(islice(steps, 5000, None))
    assert met(".3598854 .6401146", HASSELBLAD, last.params.weights)
    assert met("1.2560951 2.6634044", HASSELBLAD, last.params.components.rates)
    assert met("-1989.94586", HASSELBLAD, [last.log_likelihood])


def test_the_printed_deaths_are_where_the_score_is_zero():
    # Newton's method in 30 digits, on the score: nothing of EM is in it.
    table = load("deaths")
    pairs = [(int(d), int(n)) for d, n in zip(table["deaths"], table["days"], strict=True)]

    def score(weight, first, second):
        derivatives = [mpmath.mpf(0)] * 3
        for deaths, days in pairs:
            one, two = (mpmath.exp(-rate) * rate**deaths for rate in (first, second))
            share = days / (weight * one + (1 - weight) * two)
            derivatives[0] += share * (one - two)
            derivatives[1] += share * weight * one * (deaths / first - 1)
            derivatives[2] += share * (1 - weight) * two * (deaths / second - 1)
        return derivatives

    with mpmath.workdps(30):
        root = mpmath.findroot(score, (mpmath.mpf("0.36"), mpmath.mpf("1.25"), mpmath.mpf("2.66")))
    assert met(".3598854 1.2560951 2.6634044", HASSELBLAD, list(root))


def test_a_small_gain_is_not_a_small_distance():
    data = load("deaths").repeated("deaths", "days")
    start = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))
    trace = em(Mixture(Poisson()), data, start)
    assert trace.stopped is Stopped.TOLERANCE
    assert abs(trace.log_likelihood - -1989.94586) < 1e-4
    assert abs(trace.params.weights[0] - 0.3598854) > 1e-4
