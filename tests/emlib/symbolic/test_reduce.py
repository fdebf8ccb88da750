"""The reduction of differences to zero, over sums of symbolic length."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy as sp

from emlib.symbolic import NormalDensity, ProofError, in_order, named, named_entry, rate, residue

n, m, k = sp.symbols("n m k", integer=True)
N, K = sp.symbols("N K", integer=True, positive=True)
x = sp.IndexedBase("x", real=True)
a = sp.IndexedBase("a", positive=True)
q = sp.IndexedBase("q", positive=True)
mu = sp.Symbol("mu", real=True)
v = sp.Symbol("v", positive=True)
over_n, over_k = (n, 1, N), (k, 1, K)
q_sums_to_one = sp.Eq(sp.Sum(q[k], over_k), 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(sp.Sum(x[n], over_n), sp.Sum(x[m], (m, 1, N)), id="dummy index renamed"),
        pytest.param(sp.Sum(x[n] - mu, over_n), sp.Sum(x[n], over_n) - N * mu, id="linear"),
        pytest.param(
            sp.Sum((x[n] - mu) ** 2, over_n),
            sp.Sum(x[n] ** 2, over_n) - 2 * mu * sp.Sum(x[n], over_n) + N * mu**2,
            id="square",
        ),
        pytest.param(
            sp.Derivative(sp.Sum((x[n] - mu) ** 2, over_n), mu),
            -2 * sp.Sum(x[n] - mu, over_n),
            id="derivative",
        ),
        pytest.param(
            sp.Sum(sp.log(NormalDensity(x[n], mu, v)), over_n),
            -N * sp.log(2 * sp.pi * v) / 2 - sp.Sum((x[n] - mu) ** 2, over_n) / (2 * v),
            id="normal density",
        ),
        pytest.param(sp.log(in_order(v, 1)), sp.log(1 + v), id="reading order"),
        pytest.param(
            sp.Sum(a[k] / sp.Sum(a[m], (m, 1, K)), over_k),
            sp.Integer(1),
            id="normalised by an inner sum",
        ),
        pytest.param(
            sp.Sum(sp.Sum(a[k] * x[n], over_k), over_n),
            sp.Sum(a[k], over_k) * sp.Sum(x[n], over_n),
            id="double sum factors",
        ),
        pytest.param(
            sp.Subs(sp.Derivative(mu**3, mu), mu, 2), sp.Integer(12), id="derivative at a point"
        ),
        pytest.param(sp.Limit(sp.sin(v) / v, v, 0, "+"), sp.Integer(1), id="limit"),
    ],
)
def test_equal_sides_leave_nothing_and_unequal_ones_something(
    left: sp.Expr, right: sp.Expr
) -> None:
    assert residue(left - right) == 0
    assert residue(left - 2 * right) != 0
    assert residue(left - right - 1) != 0
    assert residue(left + right) != 0


def test_a_given_equation_is_used_and_only_when_given() -> None:
    difference = sp.Sum(q[k] * mu, over_k) - mu
    assert residue(difference, [q_sums_to_one]) == 0
    assert residue(difference) != 0


def test_a_given_equation_about_another_sum_does_not_help() -> None:
    assert residue(sp.Sum(a[k] * mu, over_k) - mu, [q_sums_to_one]) != 0


@pytest.mark.parametrize(
    "false",
    [
        pytest.param(sp.Sum(x[n], over_n) - sp.Sum(x[n], (n, 2, N)), id="another range"),
        pytest.param(sp.Sum(x[n], over_n) - sp.Sum(x[k], over_k), id="another length"),
        pytest.param(
            sp.Sum(x[n] * a[n], over_n) - sp.Sum(x[n], over_n) * sp.Sum(a[n], over_n),
            id="product of sums",
        ),
        pytest.param(
            sp.log(sp.Sum(a[k], over_k)) - sp.Sum(sp.log(a[k]), over_k), id="log of a sum"
        ),
        pytest.param(sp.Sum(x[n] ** 2, over_n) - sp.Sum(x[n], over_n) ** 2, id="square of a sum"),
        pytest.param(
            sp.Sum(x[n] * x[m], over_n) - sp.Sum(x[n] * x[k], over_n), id="another free index"
        ),
        pytest.param(
            sp.Sum(x[k] * sp.Sum(a[m], (m, 1, k)), over_k)
            - sp.Sum(a[k] * sp.Sum(x[m], (m, 1, k)), over_k),
            id="inner range that depends on the outer index",
        ),
        pytest.param(
            sp.Sum(x[k] * sp.Sum(a[m] * sp.exp(k * a[m]), (m, 1, K)), over_k)
            - sp.Sum(x[k], over_k) * sp.Sum(a[m] * sp.exp(k * a[m]), (m, 1, K)),
            id="outer index outside a subscript",
        ),
        pytest.param(
            sp.Sum(sp.IndexedBase("R")[k, sp.Symbol("f_0", integer=True)], over_k)
            - sp.Sum(sp.IndexedBase("R")[k, k], over_k),
            id="a free index with an odd name",
        ),
        pytest.param(
            sp.Sum(x[k], over_k) - sp.IndexedBase("S_1", real=True)[0],
            id="a symbol with an odd name",
        ),
        pytest.param(sp.sqrt(mu**2) - mu, id="root of a square"),
        pytest.param(sp.log(mu**2) - 2 * sp.log(mu), id="log of a square that may be negative"),
    ],
)
def test_what_is_false_is_left_over(false: sp.Expr) -> None:
    assert residue(false) != 0


def test_a_name_is_what_it_stands_for() -> None:
    total = named("T", sp.Sum(a[m], (m, 1, K)))
    share = named_entry("s", k, a[k] / total)
    assert total.is_positive
    assert residue(sp.Sum(share(k), over_k) - 1) == 0
    assert residue(share(k) - a[m] / total) != 0
    assert residue(sp.Derivative(named("g", mu**2), mu) - 2 * mu) == 0
    assert residue(sp.Derivative(named("g", mu**2), mu)) != 0


def test_names_are_no_constants_to_sympy_itself() -> None:
    """diff and subs, called outside a proof, go through the meaning too."""
    g = named("g", mu**2)
    share = named_entry("s", n, mu * x[n])
    assert sp.diff(g, mu) == 2 * mu
    assert sp.diff(3 * share(n), mu) == 3 * x[n]
    assert g.subs(mu, 3) == 9
    assert share(m).subs(mu, 2) == 2 * x[m]


def test_an_index_inside_a_name_is_not_captured() -> None:
    total = sp.Sum(a[k] * q[n], over_k)
    entry = named_entry("e", n, x[n] / total)
    captured = sp.Sum(x[k] * q[k], over_k) / sp.Sum(a[k] * q[k], over_k)
    assert residue(sp.Sum(entry(k) * q[k], over_k) - captured) != 0
    assert (
        residue(sp.Sum(entry(k) * q[k], over_k) - sp.Sum(x[k], over_k) / sp.Sum(a[k], over_k)) == 0
    )
    with pytest.raises(ValueError, match="named_entry"):
        named("e", x[n] / total)


def test_a_slope_in_an_integer_is_refused() -> None:
    with pytest.raises(ProofError, match="integer"):
        residue(sp.Derivative(sp.Sum(x[n], over_n), N))


def test_one_name_with_two_meanings_is_two_symbols() -> None:
    assert named("g", mu) != named("g", 2 * mu)
    assert residue(named("g", mu) - named("g", 2 * mu)) != 0


def test_the_residue_is_readable() -> None:
    """What is left speaks of sums, not of the symbols that stood for them."""
    left = residue(sp.Sum(x[n], over_n) - 3)
    assert left == sp.Sum(x[n], over_n) - 3


def test_a_residue_is_not_lost_when_its_sums_are_put_back() -> None:
    """Louis' identity with the wrong sign: sums inside sums, some of which stand in both terms."""
    claim = rate.louis().claims[-1]
    kept, taken = claim.right.args
    replace(claim, right=kept + taken).prove()
    with pytest.raises(ProofError):
        replace(claim, right=kept - taken).prove()
