"""Published numbers of the chapter on time and continuous hidden variables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice

import numpy as np

from emlib.arrays import Array
from emlib.datasets import load
from emlib.em import em, em_steps
from emlib.families import Poisson, Poissons
from emlib.mixture import Mixture, MixtureParams
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams
from emlib.published import Comparison, Source
from emlib.variants.squarem import squarem_steps

BOOK = "Zucchini & MacDonald (2009)"
MODEL = HiddenMarkov(Poisson())


def _table(place: str) -> Source:
    return Source(f"{BOOK}, {place}", "zucchini2009")


def _counts() -> Array:
    return np.asarray(load("earthquakes")["count"], dtype=np.float64)


@cache
def earthquakes_alone() -> tuple[Comparison, ...]:
    """The mean and the variance of the yearly numbers of large earthquakes, and of one Poisson distribution.

    Source: Zucchini & MacDonald (2009), table 1.2.
    """
    what, counts = "Earthquakes a year: {}", _counts()
    return _table("table 1.2").compare_each(
        what,
        "19.364 51.573",
        (counts.mean(), counts.var(ddof=1)),
        names=("mean", "variance, divided by n - 1"),
    )


@cache
def earthquakes_mixed() -> tuple[Comparison, ...]:
    """Mixtures of one to four Poisson distributions for the earthquakes, as if years had no order.

    Source: Zucchini & MacDonald (2009), table 1.2.
    """
    rows = (
        ("one Poisson", "391.9189", "1.000", "19.364"),
        ("mixture of two Poissons", "360.3690", "0.676 0.324", "15.777 26.840"),
        ("mixture of three Poissons", "356.8489", "0.278 0.593 0.130", "12.736 19.785 31.629"),
        (
            "mixture of four Poissons",
            "356.7337",
            "0.093 0.354 0.437 0.116",
            "10.584 15.528 20.969 32.079",
        ),
    )
    table, found = _table("table 1.2"), []
    cut = "as if the digits had been cut off there, not rounded"
    for k, (mixture, height, weights, rates) in enumerate(rows, 1):
        guess = [float(rate) for rate in rates.split()]
        start = MixtureParams(np.full(k, 1 / k), Poissons(np.round(guess)))
        trace = em(Mixture(Poisson()), _counts(), start, tol=1e-17, steps=squarem_steps)
        name = f"Earthquakes, {mixture}: "
        reached, params = trace.params.components.rates, trace.params
        found += [
            table.compare(f"{name}minus log-likelihood", height, -trace.log_likelihood),
            *table.compare_each(f"{name}weight {{}}", weights, params.weights),
            *table.compare_each(f"{name}rate {{}}", rates, reached, cut if k > 2 else ""),
        ]
    return tuple(found)


def _steps(
    count: str,
    rates: list[float],
    stay: float,
    printed: dict[int, str],
    place: str,
    names: list[str],
) -> tuple[Comparison, ...]:
    """Rows of a table of EM steps, from a chain that stays with some probability and moves to any state alike."""
    k = len(rates)
    moves = np.full((k, k), (1 - stay) / (k - 1))
    np.fill_diagonal(moves, stay)
    start = HiddenMarkovParams(np.full(k, 1 / k), moves, Poissons(np.array(rates)))
    found: list[Comparison] = []
    for number, step in enumerate(islice(em_steps(MODEL, _counts(), start), max(printed) + 1)):
        if number in printed:
            params = step.params
            values = {
                f"probability of starting in state {state + 1}": params.initial[state]
                for state in range(k)
            }
            values |= {
                f"rate of state {state + 1}": params.emissions.rates[state] for state in range(k)
            }
            values |= {
                f"probability of moving from state {i + 1} to {j + 1}": params.transitions[i, j]
                for i in range(k)
                for j in range(k)
            }
            values["minus log-likelihood"] = -step.log_likelihood
            row = printed[number]
            chosen = names if len(row.split()) > 1 else names[-1:]
            found += _table(place).compare_each(
                f"Earthquakes, chain of {count} states, after step {number}: {{}}",
                row,
                [values[name] for name in chosen],
                names=chosen,
            )
    return tuple(found)


@cache
def two_states() -> tuple[Comparison, ...]:
    """EM on the earthquakes with a hidden chain of two states.

    Source: Zucchini & MacDonald (2009), table 4.1.
    """
    rows = {
        0: "413.27542",
        1: "0.138816 0.11622 13.742 24.169 0.99963 343.76023",
        2: "0.115510 0.10079 14.090 24.061 1.00000 343.13618",
        30: "0.071653 0.11895 15.419 26.014 1.00000 341.87871",
        50: "0.071626 0.11903 15.421 26.018 1.00000 341.87870",
        110: "0.071626 0.11903 15.421 26.018 1.00000 341.87870",
    }
    names = [
        "probability of moving from state 1 to 2",
        "probability of moving from state 2 to 1",
        "rate of state 1",
        "rate of state 2",
        "probability of starting in state 1",
        "minus log-likelihood",
    ]
    return _steps("two", [10.0, 30.0], 0.9, rows, "table 4.1", names)


@cache
def three_states() -> tuple[Comparison, ...]:
    """EM on the earthquakes with a hidden chain of three states.

    Source: Zucchini & MacDonald (2009), table 4.2.
    """
    rows = {
        0: "342.90781",
        1: "11.699 19.030 29.741 0.92471 0.07487 332.12143",
        2: "12.265 19.078 29.581 0.99588 0.00412 330.63689",
        30: "13.134 19.713 29.710 1.00000 0.00000 328.52748",
    }
    names = [
        "rate of state 1",
        "rate of state 2",
        "rate of state 3",
        "probability of starting in state 1",
        "probability of starting in state 2",
        "minus log-likelihood",
    ]
    return _steps("three", [10.0, 20.0, 30.0], 0.8, rows, "table 4.2", names)


def _stationary(moves: list[list[float]], rates: list[float]) -> HiddenMarkovParams[Poissons]:
    transitions = np.array(moves) / np.sum(moves, axis=1, keepdims=True)
    k = len(transitions)
    initial = np.linalg.solve((np.eye(k) - transitions + 1).T, np.ones(k))
    return HiddenMarkovParams(initial, transitions, Poissons(np.array(rates)))


@cache
def stationary() -> tuple[Comparison, ...]:
    """The likelihood of the earthquakes at printed params of chains that start as they go on.

    Source: Zucchini & MacDonald (2009), tables 4.1 and 4.2, last rows.
    """
    what = "Earthquakes, stationary chain of {} states: {{}}"
    two = _stationary([[1 - 0.065961, 0.065961], [0.12851, 1 - 0.12851]], [15.472, 26.125])
    three = _stationary(
        [[0.9546, 0.0244, 0.0209], [0.0498, 0.8994, 0.0509], [0.0, 0.1966, 0.8034]],
        [13.146, 19.721, 29.714],
    )
    rows = (
        ("two", "table 4.1", two, "0.66082 342.31827"),
        ("three", "table 4.2", three, "0.44364 329.46028"),
    )
    return tuple(
        comparison
        for name, place, params, printed in rows
        for comparison in _table(place).compare_each(
            what.format(name),
            printed,
            (params.initial[0], -MODEL.log_likelihood(_counts(), params)),
            because="as if the book had computed with more digits of the probabilities than it prints"
            if name == "three"
            else "",
            names=("probability of state 1", "minus log-likelihood"),
        )
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (
    earthquakes_alone,
    earthquakes_mixed,
    two_states,
    three_states,
    stationary,
)
