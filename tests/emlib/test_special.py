"""The gamma function's relatives, against mpmath and SciPy."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy import special

from emlib.special import (
    digamma,
    gamma_shapes,
    log_gamma,
    log_gamma_remainder,
    log_minus_digamma,
    log_multigamma,
    multidigamma,
    trigamma,
)

# On both sides of 10, where the recurrence ends, and near the zero of digamma at 1.46.
POINTS = np.concatenate(
    [np.geomspace(1e-8, 1e8, 60), [0.5, 1.0, 1.4616321449683623, np.nextafter(10.0, 0), 10.0, 11.5]]
)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (log_gamma, mpmath.loggamma),
        (digamma, mpmath.digamma),
        (trigamma, lambda x: mpmath.polygamma(1, x)),
    ],
)
def test_every_digit_is_that_of_mpmath(ours, theirs):
    with mpmath.workdps(30):
        expected = np.array([float(theirs(mpmath.mpf(x))) for x in POINTS])
    assert ours(POINTS) == pytest.approx(expected, rel=2e-14, abs=2e-15)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_in_several_dimensions_they_are_those_of_scipy(d):
    x = np.array([[2.25, 3.0], [17.5, 400.0]])
    assert log_multigamma(x, d) == pytest.approx(special.multigammaln(x, d), rel=1e-13)
    slope = (log_multigamma(x + 1e-5, d) - log_multigamma(x - 1e-5, d)) / 2e-5
    assert multidigamma(x, d) == pytest.approx(slope, rel=1e-6)


def test_shapes_are_kept():
    assert digamma(3.0).shape == ()
    assert trigamma(np.ones((2, 3))).shape == (2, 3)
    assert log_multigamma(np.full(4, 5.0), 3).shape == (4,)


@pytest.mark.parametrize("function", [log_gamma, digamma, trigamma])
@pytest.mark.parametrize("value", [0.0, -1.5])
def test_what_is_not_above_zero_is_refused(function, value, refuses):
    with refuses(ValueError, "x", "above 0", f"{value:g}"):
        function([1.0, value])


# ---- what is left without the leading terms ------------------------------------------------------

FAR_POINTS = np.concatenate([np.logspace(-3, 8, 45), [9.999, 10.0, 10.001]])


def test_gamma_functions_keep_their_digits():
    remainders, differences, slopes = [], [], []
    with mpmath.workdps(50):
        for value in FAR_POINTS:
            x = mpmath.mpf(value)
            stirling = (x - 0.5) * mpmath.log(x) - x + mpmath.log(2 * mpmath.pi) / 2
            remainders.append(float(mpmath.loggamma(x) - stirling))
            differences.append(float(mpmath.log(x) - mpmath.digamma(x)))
            slopes.append(float(1 / x - mpmath.psi(1, x)))
    assert np.allclose(log_gamma_remainder(FAR_POINTS), remainders, rtol=1e-12, atol=0)
    value, slope = log_minus_digamma(FAR_POINTS)
    assert np.allclose(value, differences, rtol=2e-14, atol=0)
    assert np.allclose(slope, slopes, rtol=1e-5, atol=0)


def test_shapes_are_the_roots():
    expected = np.logspace(-3, 5, 30)
    spread = [float(mpmath.log(x) - mpmath.digamma(x)) for x in map(mpmath.mpf, expected)]
    assert np.allclose(gamma_shapes(np.array(spread), 1e6), expected, rtol=1e-9)
    assert gamma_shapes(np.array([0.0, 1e-9]), 7.0).tolist() == [7.0, 7.0]


def test_a_negative_spread_is_refused(refuses):
    with refuses(ArithmeticError, "negative"):
        gamma_shapes(np.array([-0.1]), 1e6)
