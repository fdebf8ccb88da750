"""Real numbers at the boundary, and logarithms that neither overflow nor lose digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.special import logsumexp

from emlib.arrays import SMALLEST_LOG, log_floored, log_sum_exp, real

# Real numbers


@pytest.mark.parametrize(
    "values",
    [[True, False], [1, 0], np.array([1, 0], np.uint8), np.array([1, 0], np.float32), (1.0, 0.0)],
)
def test_real_makes_floats_of_every_real_number(values):
    array = real(values, "x")
    assert array.dtype == np.float64
    assert array.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_real_keeps_the_shape(shape):
    assert real(np.ones(shape), "x").shape == shape


def test_real_gives_a_copy():
    values = np.array([1.0, 2.0])
    array = real(values, "x")
    values[0] = 9.0
    assert array.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1 + 2j], "complex128"),
        (["1.0"], "<U3"),
        ([None], "object"),
        (np.array(["2026-01-01"], "datetime64[D]"), "datetime64[D]"),
    ],
)
def test_real_refuses_what_is_no_real_number(values, dtype, refuses):
    with refuses(ValueError, "heights", "expected real numbers", f"got dtype {dtype}", "convert"):
        real(values, "heights")


def test_real_says_how_many_values_are_not_finite_and_where_the_first_is(refuses):
    values = [[1.0, 2.0, 3.0], [4.0, np.inf, np.nan]]
    with refuses(ValueError, "heights", "2 of 6", "the first is inf at index (1, 1)", "replace"):
        real(values, "heights")
    with refuses(ValueError, "1 of 2", "nan at index (0,)"):
        real([np.nan, 0.0], "heights")


# Log-sum-exp

rows = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-700, 700)
)


@given(rows)
def test_log_sum_exp_is_that_of_scipy(values):
    assert log_sum_exp(values) == pytest.approx(logsumexp(values, axis=1), rel=1e-14, abs=1e-15)


@given(rows, st.integers(-(2**20), 2**20))
def test_a_shift_of_the_terms_shifts_log_sum_exp(values, shift):
    # Far beyond the range of exp: the unshifted formula would give inf, or -inf.
    shifted = log_sum_exp(values + shift)
    assert shifted == pytest.approx(log_sum_exp(values) + shift, abs=1e-9)


@given(rows)
def test_log_sum_exp_lies_between_the_largest_term_and_log_k_above_it(values):
    largest, result = values.max(axis=1), log_sum_exp(values)
    assert (result >= largest).all()
    assert (result <= largest + np.log(values.shape[1]) + 1e-12).all()


def test_log_sum_exp_keeps_every_digit_that_a_float_can_hold():
    values = np.array(
        [[-1000.1, -1000.7, -1003.3], [1e4, 1e4 - 30, 1e4 - 0.5], [0.0, -36.0, -40.0]]
    )
    with mpmath.workdps(50):
        exact = [
            float(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(v)) for v in row))) for row in values
        ]
    assert log_sum_exp(values) == pytest.approx(exact, rel=5e-16, abs=3e-16)


def test_impossible_terms_count_nothing_and_impossible_rows_are_impossible():
    values = np.array([[-np.inf, np.log(3.0)], [-np.inf, -np.inf], [0.0, 0.0]])
    assert log_sum_exp(values).tolist() == [np.log(3.0), -np.inf, np.log(2.0)]


# The floored logarithm


def test_log_floored_is_the_logarithm_down_to_the_smallest_normal_number():
    values = np.array([1.0, 0.3, 1e-300, np.finfo(float).tiny])
    assert log_floored(values) == pytest.approx(np.log(values), rel=1e-15)


def test_log_floored_writes_log_zero_as_that_of_the_smallest_normal_number():
    with mpmath.workdps(50):
        floor = float(mpmath.log(mpmath.mpf(2) ** -1022))
    assert log_floored(np.array([0.0, 5e-324])) == pytest.approx([floor, floor], rel=1e-15)
    assert pytest.approx(floor, rel=1e-15) == SMALLEST_LOG
    assert 0.0 * log_floored(np.array(0.0)) == 0.0
