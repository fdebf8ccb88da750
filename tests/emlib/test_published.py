"""The classes that set published numbers beside ours. The numbers themselves: test_numbers.py."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from emlib.published import Comparison, Published, Source

TABLE = Source("a table", "dempster1977")


@pytest.mark.parametrize(
    ("printed", "ours", "agrees"),
    [
        ("-1034.002", -1034.00175, True),
        ("-1034.002", -1034.0014, False),
        ("-1034.002", 1034.00175, False),
        ("0.36", 0.3649999, True),
        ("0.36", 0.3650001, False),
        ("0.360", 0.3649999, False),
        (".36", 0.365, True),
        ("12", 12.5, True),
        ("12", 12.500001, False),
        ("1.5e3", 1549.0, True),
        ("1.5e3", 1551.0, False),
        ("1.0", float("inf"), False),
        ("2", np.float64(1.75), True),
        ("8/3", 2.66666666667, True),
        ("8/3", 2.6666667, False),
        ("-1/2", -0.5, True),
        ("-1/2", 0.5, False),
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
    assert math.isnan(TABLE.compare("a share", "0.36", math.nan, "it never ended").difference)


# Comparisons


def test_a_comparison_says_by_how_much_they_differ():
    found = TABLE.compare("a share", "0.36", 0.3612345)
    assert found.agrees
    assert found.difference == pytest.approx(0.0012345, rel=1e-12)
    assert found.published == Published("0.36", "a table", "dempster1977")


@pytest.mark.parametrize("printed", ["0.35", "0.37", "-0.36", "0.360"])
def test_a_difference_without_a_reason_is_refused(printed, refuses):
    with refuses(ArithmeticError, f"a share: a table prints {printed}", "gives 0.3612345", "say"):
        TABLE.compare("a share", printed, 0.3612345)
    with refuses(ArithmeticError, "a share"):
        dataclasses.replace(
            TABLE.compare("a share", "0.36", 0.3612345), published=Published(printed, "a table")
        )


def test_a_difference_with_a_reason_stands_as_one():
    found = Comparison("a share", Published("0.35", "a table"), 0.3612345, "it stopped early")
    assert not found.agrees
    assert found.because == "it stopped early"


def test_a_row_is_compared_number_by_number():
    first, second = TABLE.compare_each("weight {}", ".36 .64", [0.3612, 0.6388])
    assert (first.what, second.what) == ("weight 1", "weight 2")
    assert (second.published.printed, second.ours) == (".64", 0.6388)
    named = TABLE.compare_each("coin {}", ".36 .64", [0.3612, 0.6388], names="AB")
    assert [one.what for one in named] == ["coin A", "coin B"]


def test_a_reason_is_that_of_the_numbers_that_differ():
    first, second = TABLE.compare_each("weight {}", ".36 .65", [0.3612, 0.6388], "a misprint")
    assert (first.because, second.because) == ("", "a misprint")


def test_a_row_without_a_number_or_with_a_needless_reason_is_refused(refuses):
    with pytest.raises(ValueError, match="zip"):
        TABLE.compare_each("weight {}", ".36 .64", [0.3612])
    with pytest.raises(ValueError, match="zip"):
        TABLE.compare_each("weight {}", ".36 .64", [0.3612, 0.6388], names="A")
    with refuses(ArithmeticError, "all numbers agree", "a misprint"):
        TABLE.compare_each("weight {}", ".36 .64", [0.3612, 0.6388], "a misprint")
    with refuses(ArithmeticError, "weight 2", "prints .65"):
        TABLE.compare_each("weight {}", ".36 .65", [0.3612, 0.6388])
