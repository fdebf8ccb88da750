"""Every published number of the book: all are met, or the ledger says why not."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import mpmath
import pytest

import emlib.numbers
from emlib import Mixture, MixtureParams, Stopped, em
from emlib.datasets import load
from emlib.families import Poisson, Poissons
from emlib.numbers import coins, gaussian_mixtures, rate
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


def perturbed(printed: str, units: int) -> str:
    """Another last digit."""
    if "/" in printed:
        numerator, denominator = printed.split("/")
        return f"{int(numerator) + units}/{denominator}"
    number = Decimal(printed)
    return f"{number + units * Decimal(1).scaleb(int(number.as_tuple().exponent)):f}"


def test_the_last_digit_is_perturbed():
    assert perturbed("-1034.002", 2) == "-1034.000"
    assert perturbed("0.0", -2) == "-0.2"
    assert perturbed("8/3", 2) == "10/3"
    assert perturbed("11", -2) == "9"


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


@pytest.mark.parametrize("units", [2, -2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_another_last_digit_is_refused(function, units):
    for one in function():
        wrong = replace(one.published, printed=perturbed(one.published.printed, units))
        assert not wrong.agrees(one.ours)
        with pytest.raises(ArithmeticError, match=re.escape(one.what)):
            Comparison(one.what, wrong, one.ours)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_source_that_is_cited_is_in_the_bibliography(function):
    keys = set(re.findall(r"^@\w+\{(\w+),", BIBLIOGRAPHY.read_text(encoding="utf-8"), re.MULTILINE))
    assert {one.published.cite for one in function()} - {None} <= keys


def test_few_numbers_differ():
    found = [one for parameter in FUNCTIONS for one in parameter.values[0]()]
    assert sum(not one.agrees for one in found) < len(found) / 5


# They are computed


def test_another_computation_gives_other_numbers(monkeypatch):
    """One of two coins with other tosses, one point of seven moved: the printed numbers are no longer met."""
    tosses = coins.TOSSES.copy()
    tosses[0] = [6, 4]
    monkeypatch.setattr(coins, "TOSSES", tosses)
    monkeypatch.setattr(coins, "_steps", coins._steps.__wrapped__)
    with pytest.raises(ArithmeticError, match="Two coins: share of coin A in set 1"):
        coins.responsibilities.__wrapped__()
    with pytest.raises(ArithmeticError, match="Two coins: expected heads of coin A"):
        coins.expected_tosses.__wrapped__()
    monkeypatch.setattr(gaussian_mixtures, "SEVEN", gaussian_mixtures.SEVEN + 0.1)
    monkeypatch.setattr(
        gaussian_mixtures, "_seven_points", gaussian_mixtures._seven_points.__wrapped__
    )
    with pytest.raises(ArithmeticError, match="Seven points: mean of component"):
        gaussian_mixtures.seven_first_step.__wrapped__()


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
    weight, _, first, second, _ = (one.ours for one in rate.deaths())
    assert [weight, first, second] == pytest.approx([float(value) for value in root], rel=1e-12)


def test_a_small_gain_is_not_a_small_distance():
    data = load("deaths").repeated("deaths", "days")
    start = MixtureParams([0.3, 0.7], Poissons([1.0, 2.5]))
    trace = em(Mixture(Poisson()), data, start)
    weight, *_, log_likelihood = (one.ours for one in rate.deaths())
    assert trace.stopped is Stopped.TOLERANCE
    assert abs(trace.log_likelihood - log_likelihood) < 1e-4
    assert abs(trace.params.weights[0] - weight) > 1e-4
