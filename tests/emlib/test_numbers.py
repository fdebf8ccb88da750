"""Every published number of the book: all are met, or the ledger says why not."""

from __future__ import annotations

import inspect
import math
import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import mpmath
import pytest

import emlib.numbers
from emlib import Mixture, MixtureParams, Stopped, em
from emlib.datasets import load
from emlib.families import Poisson, Poissons
from emlib.numbers import ascent, coins, gaussian_mixtures, rate
from emlib.published import Comparison
from emlib.symbolic.chapters import CHAPTERS

BIBLIOGRAPHY = Path(__file__).parents[2] / "book" / "references.bib"
NAMES = [module.name for module in iter_modules(emlib.numbers.__path__)]
MODULES = [import_module(f"emlib.numbers.{name}") for name in NAMES]
FUNCTIONS = [
    pytest.param(function, id=f"{name}.{function.__name__}")
    for name, module in zip(NAMES, MODULES, strict=True)
    for function in module.NUMBERS
]


def misprints(printed: str) -> list[str]:
    """The same number with one digit one higher, with one digit one lower, and with the other sign."""
    found = []
    for place, digit in enumerate(printed):
        if digit.isdigit():
            others = {(int(digit) + 1) % 10, (int(digit) - 1) % 10}
            found += [f"{printed[:place]}{other}{printed[place + 1 :]}" for other in sorted(others)]
    if Fraction(printed):
        found.append(printed.removeprefix("-") if printed.startswith("-") else f"-{printed}")
    # A zero cannot stand below a line.
    return [one for one in found if not one.endswith("/0")]


def test_every_digit_and_the_sign_may_be_misprinted():
    assert misprints("-.09") == ["-.19", "-.99", "-.00", "-.08", ".09"]
    assert misprints("8/3") == ["7/3", "9/3", "8/2", "8/4", "-8/3"]
    assert misprints("0.0") == ["1.0", "9.0", "0.1", "0.9"]


def as_printed(ours: float, printed: str) -> str:
    """Our value with as many decimals as are printed."""
    return f"{Decimal(repr(ours)):.{len(printed.partition('.')[2])}f}"


# The list


def test_modules_are_named_after_chapters():
    assert set(NAMES) <= {chapter.module for chapter in CHAPTERS}


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_every_function_is_listed(module):
    found = [
        function
        for name, function in vars(module).items()
        if not name.startswith("_")
        and getattr(function, "__module__", "") == module.__name__
        and hasattr(function, "__wrapped__")
        and inspect.signature(function).return_annotation == "tuple[Comparison, ...]"
    ]
    assert found == list(module.NUMBERS)


def test_no_two_numbers_have_one_description():
    described = [
        (one.what, one.published.source) for parameter in FUNCTIONS for one in parameter.values[0]()
    ]
    assert [what for what, times in Counter(described).items() if times > 1] == []


# Every number


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_numbers_are_met_or_there_is_a_reason(function):
    title, _, source = inspect.getdoc(function).partition("\n\n")
    assert title.endswith(".")
    assert source.startswith("Source: ")
    found = function()
    assert found
    for one in found:
        assert isinstance(one, Comparison)
        assert isinstance(one.ours, float)
        assert one.agrees or one.because
        assert one.what
        assert "{" not in one.what


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_digit_and_no_sign_can_be_another(function):
    for one in function():
        if one.agrees:
            for misprint in misprints(one.published.printed):
                wrong = replace(one.published, printed=misprint)
                with pytest.raises(ArithmeticError, match=re.escape(one.what)):
                    Comparison(one.what, wrong, one.ours)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_where_the_numbers_differ_our_digits_would_agree_and_are_near(function):
    for one in function():
        if not one.agrees:
            right = as_printed(one.ours, one.published.printed)
            assert right != one.published.printed
            assert replace(one.published, printed=right).agrees(one.ours)
            assert abs(one.difference) < 2e-3 * max(1, abs(one.ours))


def test_the_reason_of_1977_is_true():
    # One unit of the last digit too high.
    differing = [one for make in (ascent.linkage, ascent.linkage_limit) for one in make()]
    differing = [one for one in differing if not one.agrees]
    assert len(differing) == 4
    for one in differing:
        printed = one.published.printed
        assert one.because == ascent.ROUNDED
        unit = Decimal(1).scaleb(-len(printed.partition(".")[2]))
        assert Decimal(printed) - Decimal(as_printed(one.ours, printed)) == unit


def test_few_numbers_differ():
    found = [one for parameter in FUNCTIONS for one in parameter.values[0]()]
    assert sum(not one.agrees for one in found) < len(found) / 6


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_source_is_in_the_bibliography_with_its_first_author_and_year(function):
    pattern = r"^@\w+\{(\w+), author=\{+([^,}]+?)(?:,| and |\}).* year=\{(\d{4})\}"
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    entries = {key: rest for key, *rest in re.findall(pattern, text, re.MULTILINE)}
    for one in function():
        who, year, place = re.fullmatch(r"(.+?) \((\d{4})\), (\S.*)", one.published.source).groups()
        first_author, its_year = entries[one.published.cite]
        assert who.startswith(first_author)
        assert year == its_year
        # What a table cannot hold, and what would be mathematics or code.
        assert not set("|$`{}") & set(one.what + place + one.because)


# They are computed


def test_another_computation_gives_other_numbers(monkeypatch):
    """One of two coins with other tosses, one point of seven moved: the printed numbers are no longer met."""
    tosses = coins.TOSSES.copy()
    tosses[0] = [6, 4]
    monkeypatch.setattr(coins, "TOSSES", tosses)
    monkeypatch.setattr(coins, "_steps", coins._steps.__wrapped__)
    with pytest.raises(ArithmeticError, match="probability that set 1 is of coin A"):
        coins.responsibilities.__wrapped__()
    with pytest.raises(ArithmeticError, match="expected number of heads of coin A"):
        coins.expected_tosses.__wrapped__()
    monkeypatch.setattr(gaussian_mixtures, "SEVEN", gaussian_mixtures.SEVEN + 0.1)
    monkeypatch.setattr(
        gaussian_mixtures, "_seven_points", gaussian_mixtures._seven_points.__wrapped__
    )
    with pytest.raises(ArithmeticError, match="Seven points, after one step: mean"):
        gaussian_mixtures.seven_first_step.__wrapped__()


def test_the_linkage_data_end_at_the_root_of_a_quadratic():
    # The score of Dempster, Laird & Rubin (1977), eq. (1.3), cleared of fractions: 197 p^2 - 15 p - 68 = 0.
    root = (15 + math.sqrt(15**2 + 4 * 197 * 68)) / (2 * 197)
    assert ascent.linkage_steps()[-1] == pytest.approx(root, rel=1e-15)


def test_the_deaths_are_where_the_score_is_zero():
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
    weight, second, first, *_ = (one.ours for one in rate.deaths())
    assert [1 - weight, first, second] == pytest.approx([float(value) for value in root], rel=1e-12)


def test_a_small_gain_is_not_a_small_distance():
    data = load("deaths").repeated("deaths", "days")
    start = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))
    trace = em(Mixture(Poisson()), data, start)
    weight, *_, minus_log_likelihood = (one.ours for one in rate.deaths())
    assert trace.stopped is Stopped.TOLERANCE
    assert abs(trace.log_likelihood + minus_log_likelihood) < 1e-4
    assert abs(trace.params.weights[1] - weight) > 1e-4
