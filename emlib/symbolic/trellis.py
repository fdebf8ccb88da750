"""The derivations of the chapter on time and continuous hidden variables: shares, predictions and the best path.

The sums over paths are those of emlib/symbolic/paths.py; here alpha_t(i) is given, and what follows for the next time
is derived.

Source: Rabiner (1989), sections III.B and V.A.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import j, k
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.notation import BookPrinter, in_order, named
from emlib.symbolic.paths import Entries, density, entries, i, initial, over, t, transition

alpha = sp.IndexedBase("alpha", positive=True)
move = sp.IndexedBase("A", positive=True)
emission = sp.IndexedBase("b", positive=True)
evidence_so_far = entries(r"p(x_{1:%s})", (t,), sp.Sum(alpha[t, i], over(i)))(t)
_next = emission[t + 1, j] * sp.Sum(alpha[t, i] * move[i, j], over(i))
evidence_next = entries(r"p(x_{1:%s+1})", (t,), sp.Sum(_next, over(j)))(t)
scaled = entries(r"\hat{\alpha}_t(%s)", (i,), alpha[t, i] / evidence_so_far)
predicted = entries(r"p(z_{t+1}=%s \mid x_{1:t})", (j,), sp.Sum(scaled(i) * move[i, j], over(i)))
scale = entries("c_{%s+1}", (t,), sp.Sum(emission[t + 1, j] * predicted(j), over(j)))(t)


@cache
def one_step_prediction() -> Derivation:
    """The next state is predicted by moving the filtered one: a sum over where the chain may be."""
    joint = sp.Sum(alpha[t, i] * move[i, j], over(i))
    return (
        Derivation("eq-hmm-prediction", joint / sp.Sum(alpha[t, i], over(i)))
        .equals(
            sp.Sum(scaled(i) * move[i, j], over(i)),
            because="divide term by term: $\\hat\\alpha_t(i)=\\alpha_t(i)/\\sum_l\\alpha_t(l)$ is the probability "
            "of $i$ given the data so far",
        )
        .equals(predicted(j), because="call it the prediction")
    )


@cache
def two_step_prediction() -> Derivation:
    """Moves chain: a prediction two steps ahead adds over the state between (Chapman and Kolmogorov)."""
    ahead = sp.Sum(predicted(j) * move[j, k], over(j))
    return Derivation("eq-chapman-kolmogorov", ahead).equals(
        sp.Sum(sp.Sum(scaled(i) * move[i, j] * move[j, k], over(i)), over(j)),
        because="put in the prediction one step ahead: $\\sum_jA_{ij}A_{jk}$ is the chance of two moves from $i$ "
        "to $k$",
    )


@cache
def scale_factor() -> Derivation:
    """Each time multiplies the evidence by a scale factor, the density of what comes given the past."""
    return (
        Derivation("eq-hmm-scale", sp.log(evidence_next))
        .equals(
            in_order(sp.log(evidence_so_far), sp.log(evidence_next / evidence_so_far)),
            because="split off the evidence so far",
        )
        .equals(
            in_order(sp.log(evidence_so_far), sp.log(scale)),
            because="divide the forward recursion by it: "
            "$c_{t+1}=\\sum_jb_{t+1,j}\\sum_i\\hat\\alpha_t(i)A_{ij}$ needs shares only, which do not underflow",
        )
    )


def scaled_to(number: int, unscaled: sp.Expr) -> tuple[sp.Expr, type[Entries]]:
    """The scale factor c of a time, and the forward variables that it brings to the sum one."""
    factor = named(f"c_{number}", sp.Sum(unscaled, over(i)))
    return factor, entries(rf"\hat{{\alpha}}_{number}(%s)", (i,), unscaled / factor)


@cache
def scaled_evidence() -> Derivation:
    """The log-evidence is the sum of the logarithms of the scale factors, here for three times."""
    start = sp.IndexedBase("pi", positive=True)
    to_second, to_third = move[i, j] * emission[2, j], move[j, k] * emission[3, k]

    def entering(shares: type[Entries], number: int) -> sp.Expr:
        return emission[number, i] * sp.Sum(shares(j) * move[j, i], over(j))

    c1, at_first = scaled_to(1, start[i] * emission[1, i])
    c2, at_second = scaled_to(2, entering(at_first, 2))
    c3, _ = scaled_to(3, entering(at_second, 3))

    def rest(first: sp.Expr) -> sp.Expr:
        return sp.Sum(sp.Sum(sp.Sum(first * to_second * to_third, over(i)), over(j)), over(k))

    last = sp.Sum(sp.Sum(at_second(j) * to_third, over(j)), over(k))
    return (
        Derivation("eq-hmm-scaled-evidence", sp.log(rest(start[i] * emission[1, i])))
        .equals(
            in_order(sp.log(c1), sp.log(rest(at_first(i)))),
            because="bring the forward variables of the first time to the sum one: "
            "$c_1=\\sum_i\\pi_ib_{1i}$ comes out",
        )
        .equals(
            in_order(sp.log(c1), sp.log(c2), sp.log(last)),
            because="and those of the second: $c_2=\\sum_jb_{2j}\\sum_i\\hat\\alpha_1(i)A_{ij}$",
        )
        .equals(
            in_order(sp.log(c1), sp.log(c2), sp.log(c3)),
            because="what is left is $c_3$; a further time adds a further logarithm, by {eq}`eq-hmm-scale`",
        )
    )


# ---- the most probable path ----------------------------------------------------------------------


class Larger(sp.Function):  # type: ignore[misc]
    """The larger of two numbers."""

    nargs = 2
    is_real = True

    @property
    def meaning(self) -> sp.Expr:
        """Half their sum and half their distance."""
        left, right = self.args
        return (left + right + sp.Abs(left - right)) / 2

    def _latex(self, printer: BookPrinter) -> str:
        left, right = (printer.doprint(argument) for argument in self.args)
        return rf"\max\left({left},\; {right}\right)"


best_to = entries(
    r"\delta_2(%s)",
    (j,),
    density[2, j] * Larger(*(initial[a] * density[1, a] * transition[a, j] for a in (1, 2))),
)


@cache
def maximum_of_products() -> Derivation:
    """A factor that is not negative may be taken out of a maximum, as it may out of a sum."""
    c = sp.Symbol("c", nonnegative=True)
    left, right = sp.symbols("a b", real=True)
    return Derivation("eq-maximum-of-products", Larger(c * left, c * right)).equals(
        c * Larger(left, right),
        because="$\\max(a,b)$ is half of $a+b+|a-b|$, and $|ca-cb|=c|a-b|$ when $c\\ge0$",
    )


@cache
def best_history() -> Derivation:
    """Of the paths through one middle state the best has the best beginning (two states, three times)."""
    beginnings = [initial[a] * density[1, a] * transition[a, j] * density[2, j] for a in (1, 2)]
    return Derivation(
        "eq-viterbi-history",
        Larger(*(beginning * transition[j, k] * density[3, k] for beginning in beginnings)),
    ).equals(
        density[3, k] * transition[j, k] * best_to(j),
        because="both paths share what comes after the first move, which a maximum lets out; what is left is "
        "$\\delta_2(j)=b_{2j}\\max_i\\pi_ib_{1i}A_{ij}$",
    )


@cache
def best_path() -> Derivation:
    """The largest product along paths obeys the forward recursion with a maximum in place of the sum (two states)."""
    return Derivation(
        "eq-viterbi",
        Larger(*(density[3, k] * transition[a, k] * best_to(a) for a in (1, 2))),
    ).equals(
        density[3, k] * Larger(*(best_to(a) * transition[a, k] for a in (1, 2))),
        because="the largest over all paths to $k$ is the larger over the middle state, by {eq}`eq-viterbi-history`; "
        "the last emission comes out. More states and more times go the same way",
    )


DERIVATIONS = (
    one_step_prediction,
    two_step_prediction,
    scale_factor,
    scaled_evidence,
    maximum_of_products,
    best_history,
    best_path,
)
