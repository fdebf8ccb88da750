"""What the chapter on time derives about hidden chains is what emlib computes."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
import sympy as sp

from emlib import Mixture, MixtureParams
from emlib.families import Poisson, Poissons
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams
from emlib.symbolic import baum_welch, paths, trellis
from emlib.symbolic.notation import NamedEntry

RNG = np.random.default_rng(11)
MODEL = HiddenMarkov(Poisson())
COUNTS = RNG.poisson(6.0, size=3)
PARAMS = HiddenMarkovParams([0.3, 0.7], [[0.8, 0.2], [0.35, 0.65]], Poissons([3.0, 8.5]))
OTHER = HiddenMarkovParams([0.6, 0.4], [[0.7, 0.3], [0.1, 0.9]], Poissons([2.0, 7.0]))
STATES = (1, 2)


def densities(params: HiddenMarkovParams[Poissons]) -> np.ndarray:
    """b_ti."""
    family = Poisson()
    return np.exp(family.log_density(family.observations(COUNTS), params.emissions))


def chain_values(params: HiddenMarkovParams[Poissons]) -> dict[str, np.ndarray]:
    return {"pi": params.initial, "A": params.transitions, "b": densities(params)}


def number(expression: sp.Expr, at: dict[str, np.ndarray], **values: int) -> float:
    """A derived number for two states; an indexed symbol has an array, index 1 its first entry."""
    return value(expression, at, {"K": 2, **values})


FUNCTIONS = {sp.log: math.log, sp.Abs: abs, sp.factorial: math.factorial}


def value(part: sp.Basic, at: dict[str, np.ndarray], where: dict[str, float]) -> float:
    """The same, with a value for each symbol by its name, the indices of sums among them."""

    def here(inside: sp.Basic, **more: float) -> float:
        return value(inside, at, where | more)

    if isinstance(part, NamedEntry):
        places = zip(map(str, part.indices), map(here, part.args), strict=True)
        return here(part.template, **dict(places))
    if hasattr(part, "meaning"):
        return here(part.meaning)
    if isinstance(part, sp.Sum):
        *inner, (index, low, high) = part.limits
        body = sp.Sum(part.function, *inner) if inner else part.function
        return sum(
            here(body, **{str(index): i}) for i in range(round(here(low)), round(here(high)) + 1)
        )
    if isinstance(part, sp.Indexed):
        return float(at[str(part.base)][tuple(round(here(i)) - 1 for i in part.indices)])
    if part.is_Symbol:
        return where[str(part)]
    if part.is_Number:
        return float(part)
    numbers = list(map(here, part.args))
    if part.is_Pow:
        return float(numbers[0] ** numbers[1])
    return (
        sum(numbers)
        if part.is_Add
        else math.prod(numbers)
        if part.is_Mul
        else FUNCTIONS[part.func](*numbers)
    )


def before_and_after(time: int) -> dict[str, np.ndarray]:
    """w_hi and u_if, one path at a time, with the chain's own numbers."""
    values = chain_values(PARAMS)
    initial, moves, emits = values["pi"], values["A"], values["b"]

    def weight(path: tuple[int, ...], first: int) -> float:
        steps = zip(pairwise(path), range(first + 1, first + len(path)), strict=True)
        return float(np.prod([moves[i, j] * emits[s, j] for (i, j), s in steps]))

    histories = [
        [initial[(*h, i)[0]] * emits[0, (*h, i)[0]] * weight((*h, i), 0) for i in range(2)]
        for h in product(range(2), repeat=time - 1)
    ]
    futures = {
        start: np.array(
            [
                [weight((i, *f), start - 1) for f in product(range(2), repeat=3 - start)]
                for i in range(2)
            ]
        )
        for start in (time, min(time + 1, 3))
    }
    return {
        **values,
        "w": np.array(histories),
        "u": futures[time],
        "later u": futures[min(time + 1, 3)],
    }


def pairs(time: int) -> np.ndarray:
    """xi_t(i, j), as derived."""
    at = before_and_after(time)
    at["u"] = at["later u"]
    return np.array(
        [
            [number(paths.pair_posterior().end, at, t=time, T=3, i=i, j=j) for j in STATES]
            for i in STATES
        ]
    )


def states(time: int) -> list[float]:
    """gamma_t(i), as derived."""
    at = before_and_after(time)
    return [number(paths.state_posterior().end, at, t=time, T=3, i=i) for i in STATES]


def test_the_log_likelihood_is_the_derived_sum_over_paths_and_over_scale_factors() -> None:
    chain = trellis.scaled_evidence()
    found = MODEL.log_likelihood(COUNTS, PARAMS)
    for side in (chain.start, chain.end):
        assert number(side, chain_values(PARAMS)) == pytest.approx(found, rel=1e-12)
    turned = chain_values(PARAMS) | {"A": PARAMS.transitions.T}
    assert number(chain.end, turned) != pytest.approx(found, rel=1e-6)


def test_the_forward_recursion_written_out_is_the_likelihood() -> None:
    ends = [number(paths.forward_three_times().end, chain_values(PARAMS), k=k) for k in STATES]
    assert np.log(sum(ends)) == pytest.approx(MODEL.log_likelihood(COUNTS, PARAMS), rel=1e-12)


@pytest.mark.parametrize("time", [1, 2, 3])
def test_the_posterior_of_a_state_is_the_derived_one(time: int) -> None:
    assert np.allclose(MODEL.posterior(COUNTS, PARAMS)[time - 1], states(time), rtol=1e-12)


def test_the_expected_moves_are_the_derived_pairs_added_up() -> None:
    stats = MODEL.e_step(COUNTS, PARAMS)
    assert np.allclose(stats.transitions, pairs(1) + pairs(2), rtol=1e-12)
    assert not np.allclose(stats.transitions, 2 * pairs(1), rtol=1e-3)


def test_the_most_probable_path_has_the_derived_probability() -> None:
    best = max(number(trellis.best_path().end, chain_values(PARAMS), k=k) for k in STATES)
    found = MODEL.viterbi(COUNTS, PARAMS).log_probability
    assert np.log(best) == pytest.approx(found, rel=1e-12)


def test_the_surrogate_is_the_derived_one() -> None:
    """Q at other params, from the posterior of each of the eight paths."""
    values = chain_values(PARAMS)
    every = list(product(range(2), repeat=3))
    joint = np.array(
        [
            values["pi"][p[0]]
            * np.prod([values["A"][i, j] for i, j in pairwise(p)])
            * np.prod([values["b"][t, i] for t, i in enumerate(p)])
            for p in every
        ]
    )
    at = chain_values(OTHER) | {"q": joint / joint.sum(), "s": np.eye(2)[np.array(every)]}
    derived = number(baum_welch.surrogate().end, at, T=3)
    stats = MODEL.e_step(COUNTS, PARAMS)
    assert MODEL.expected_log_joint(stats, OTHER) == pytest.approx(derived, rel=1e-12)
    assert MODEL.expected_log_joint(stats, PARAMS) != pytest.approx(derived, rel=1e-6)


def test_baum_welch_updates_are_the_derived_maxima() -> None:
    best = MODEL.m_step(MODEL.e_step(COUNTS, PARAMS))
    xi, gamma = np.array([pairs(1), pairs(2)]), np.array([states(t) for t in (1, 2, 3)])
    share = baum_welch.moves_from_to(paths.i, baum_welch.k) / baum_welch.moves_from(paths.i)
    for i, k in product(STATES, STATES):
        derived = number(share, {"xi": xi}, M=2, i=i, k=k)
        assert best.transitions[i - 1, k - 1] == pytest.approx(derived, rel=1e-12)
    assert np.allclose(best.initial, gamma[0], rtol=1e-12)
    shares, weighted = baum_welch.best_rate().given
    for i in STATES:
        at = {"gamma": gamma, "x": COUNTS.astype(float)}
        mean = number(weighted.lhs, at, T=3, i=i) / number(shares.lhs, at, T=3, i=i)
        assert best.emissions.rates[i - 1] == pytest.approx(mean, rel=1e-12)


def test_no_row_of_moves_does_better_than_the_update() -> None:
    """The derived gain of the update over the current row, as the library's surrogates tell it."""
    stats = MODEL.e_step(COUNTS, PARAMS)
    best = MODEL.m_step(stats)
    moved = HiddenMarkovParams(best.initial, PARAMS.transitions, best.emissions)
    at = {"xi": np.array([pairs(1), pairs(2)]), "A": PARAMS.transitions}
    gain = sum(number(baum_welch.best_moves().start, at, M=2, i=i) for i in STATES)
    found = MODEL.expected_log_joint(stats, best) - MODEL.expected_log_joint(stats, moved)
    assert found == pytest.approx(gain, rel=1e-11)
    assert gain > 1e-4


def test_a_chain_with_equal_rows_is_a_mixture() -> None:
    weights = np.array([0.3, 0.7])
    same = HiddenMarkovParams(weights, [weights, weights], PARAMS.emissions)
    mixture, params = Mixture(Poisson()), MixtureParams(weights, PARAMS.emissions)
    found = MODEL.posterior(COUNTS, same)
    assert np.allclose(found, mixture.responsibilities(COUNTS, params), rtol=1e-12)
    for t, j in product((0, 1, 2), STATES):
        at = {"pi": weights, "b": densities(PARAMS)}
        derived = number(baum_welch.no_memory_posterior().end, at, t=t, j=j)
        assert found[t, j - 1] == pytest.approx(derived, rel=1e-12)
