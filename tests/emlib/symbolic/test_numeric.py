"""Numbers put in for symbols: they refuse, they never prove, and they keep to what is given."""

from __future__ import annotations

import pytest
import sympy as sp

from emlib.symbolic import Derivation, NormalDensity, ProofError, any_of, named_entry
from emlib.symbolic.numeric import agree, difference

n, k = sp.symbols("n k", integer=True)
N, K = sp.symbols("N K", integer=True, positive=True)
x = sp.IndexedBase("x", real=True)
q = sp.IndexedBase("q", positive=True)
t = sp.Symbol("t", positive=True)
y = sp.Symbol("y", real=True)
mean = sp.Symbol("m", real=True)
over_n, over_k = (n, 1, N), (k, 1, K)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(sp.Sum(x[n], over_n) ** 2, sp.Sum(x[n] ** 2, over_n), id="square of a sum"),
        pytest.param(sp.sqrt(y**2), y, id="root of a square"),
        pytest.param(sp.Derivative(y**3, y), 3 * y, id="slope"),
        pytest.param(sp.Integral(NormalDensity(y, 0, t), (y, -sp.oo, sp.oo)), t, id="integral"),
        pytest.param(sp.Product(q[k], over_k), sp.Sum(q[k], over_k), id="product"),
        pytest.param(sp.Subs(sp.Derivative(y**3, y), y, t), 3 * t, id="at a point"),
        pytest.param(sp.gamma(t + 1), sp.gamma(t), id="gamma"),
        pytest.param(sp.log(t), sp.log(-t), id="no real number"),
    ],
)
def test_a_difference_is_found_with_its_point(left: sp.Expr, right: sp.Expr) -> None:
    assert difference(left, left) is None
    found = difference(left, right)
    assert found is not None
    assert "the left side is" in str(found)


def test_given_equations_hold_at_the_points() -> None:
    one = sp.Eq(sp.Sum(q[k], over_k), 1)
    centred = sp.Eq(sp.Sum(x[n], over_n), N * mean)
    around_zero = sp.Eq(sp.Sum(x[k] * q[k], over_k), 0)
    assert difference(sp.Sum(q[k] * y, over_k), y, [one]) is None
    assert difference(sp.Sum(q[k] * y, over_k), y) is not None
    assert agree(sp.Sum(x[n] - mean, over_n), sp.Integer(0), [centred])
    assert not agree(sp.Sum(x[n] - mean, over_n), sp.Integer(0))
    assert agree(sp.Sum(x[k] * q[k] + q[k], over_k), sp.Integer(1), [one, around_zero])


def test_where_nothing_can_be_computed_nothing_is_said() -> None:
    unknown = sp.Limit(y, y, 0)
    assert difference(unknown, sp.Integer(1)) is None
    assert not agree(unknown, unknown)


def test_the_index_of_a_slope_is_followed() -> None:
    """The slope in mu_k is another number for each k, though SymPy does not count k among its free symbols."""
    squares = sp.Sum(x[n] ** 2, over_n)
    assert agree(sp.Sum(sp.Derivative(squares, x[k]), (k, 1, N)), 2 * sp.Sum(x[n], over_n))
    assert agree(sp.Derivative(squares, x[any_of("j", 1, N)]), 2 * x[any_of("j", 1, N)])


def test_a_slope_in_an_entry_is_no_slope_in_the_index_of_a_sum() -> None:
    """d/dx_k of sum_k x_k^2 is 2 x_k, not twice the sum, though both indices are called k."""
    entry = any_of("k", 1, N)
    squares = sp.Sum(x[k] ** 2, (k, 1, N))
    chain = Derivation("eq-entry", sp.Derivative(squares, x[entry]))
    assert chain.equals(2 * x[entry], because="one term moves").claims
    summed = sp.Sum(sp.Derivative(squares, x[k]) * q[k], (k, 1, N))
    assert Derivation("eq-sum", summed).equals(
        2 * sp.Sum(x[k] * q[k], (k, 1, N)), because="term by term"
    )
    with pytest.raises(ProofError):
        Derivation("eq-false", summed).equals(
            2 * sp.Sum(x[k], (k, 1, N)) * sp.Sum(q[k], (k, 1, N)), because="captured"
        )


def test_a_delta_picks_a_term_only_if_its_index_is_known_to_be_in_range() -> None:
    inside, anywhere = any_of("j", 1, K), sp.Symbol("j", integer=True)
    for index, proved in ((inside, True), (anywhere, False), (any_of("j", 1, N), False)):
        chain = Derivation("eq-delta", sp.Sum(sp.KroneckerDelta(k, index) * q[k], over_k))
        if proved:
            assert chain.equals(q[index], because="one term is left").claims
        else:
            with pytest.raises(ProofError):
                chain.equals(q[index], because="it may lie outside")


def test_names_with_two_indices_mean_both() -> None:
    share = named_entry("r", (n, k), x[n] * q[k])
    total = sp.Sum(sp.Sum(share(n, k), over_k), over_n)
    chain = Derivation("eq-two", total)
    assert chain.equals(
        sp.Sum(x[n], over_n) * sp.Sum(q[k], over_k), because="the sums factor"
    ).claims
    with pytest.raises(ProofError, match=r"r_nk(.|\n)*the difference is"):
        chain.equals(sp.Sum(x[k] * q[k], over_k), because="indices confused")


def test_a_message_says_where_and_how_much() -> None:
    chain = Derivation("eq-mean", sp.Sum(x[n] - mean, over_n))
    with pytest.raises(ProofError) as refusal:
        chain.equals(sp.Sum(x[n], over_n) + N * mean, because="split the sum")
    text = str(refusal.value)
    assert text.startswith("eq-mean, line (a): sum_(n=1..N) [")
    assert "split the sum" in text
    assert "x_1 = " in text
    assert "the difference is" in text
    assert "_Dummy" not in text
