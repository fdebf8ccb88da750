"""The derivations of the chapter on time and continuous hidden variables: sums over the paths of a hidden chain.

A chain of hidden states z_1, ..., z_T starts in state i with probability pi_i, moves from i to j with A_ij, and at
time t emits x_t, whose density in state i is b_ti. A sum over all paths has no fixed number of sums, so it is written
by what happened before and after a time: w_hi is the probability of one history h = (z_1, ..., z_t-1), of z_t = i and
of the data up to t; u_if is that of one future f = (z_t+1, ..., z_T) and of the data after t, given z_t = i.

Source: Baum, Petrie, Soules & Weiss (1970); Rabiner (1989), section III.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import K, j, k
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.matrices import inner, symmetric, vector
from emlib.symbolic.notation import (
    BookPrinter,
    NamedEntry,
    named,
)

i, m, h, f, t, s = sp.symbols("i m h f t s", integer=True)
other = sp.Symbol("l", integer=True)
L, M, T = sp.symbols("L M T", integer=True, positive=True)
initial = sp.IndexedBase("pi", nonnegative=True)
transition = sp.IndexedBase("A", nonnegative=True)
density = sp.IndexedBase("b", nonnegative=True)
past = sp.IndexedBase("w", nonnegative=True)
future = sp.IndexedBase("u", nonnegative=True)
histories = (h, 1, K ** (t - 1))
futures = (f, 1, K ** (T - t))


class Entries(NamedEntry):
    """A named quantity at one index or more, printed by a pattern; made by `entries`."""

    def _latex(self, printer: BookPrinter) -> str:
        return str(self.name % tuple(printer.doprint(index) for index in self.args))


def entries(pattern: str, indices: tuple[sp.Symbol, ...], meaning: sp.Expr) -> type[Entries]:
    """A function of indices that stands for the expression; the pattern has a %s for each of them."""
    facts = {"name": pattern, "template": meaning, "indices": indices}
    return type(f"Entries_{pattern}", (Entries,), facts)


def over(index: sp.Symbol) -> tuple[sp.Symbol, int, sp.Symbol]:
    """The range of an index of states."""
    return (index, 1, K)


# ---- paths summed from either end ----------------------------------------------------------------

forward = entries(r"\alpha_t(%s)", (i,), sp.Sum(past[h, i], histories))
backward = entries(r"\beta_t(%s)", (i,), sp.Sum(future[i, f], futures))
backward_next = entries(r"\beta_{t+1}(%s)", (i,), sp.Sum(future[i, f], (f, 1, K ** (T - t - 1))))
_longer_path = past[h, i] * transition[i, j] * density[t + 1, j]
forward_next = entries(r"\alpha_{t+1}(%s)", (j,), sp.Sum(sp.Sum(_longer_path, histories), over(i)))
first = entries(r"\alpha_1(%s)", (i,), initial[i] * density[1, i])
second = entries(
    r"\alpha_2(%s)", (j,), density[2, j] * sp.Sum(first(i) * transition[i, j], over(i))
)
_last_two = transition[i, j] * density[2, j] * transition[j, k] * density[3, k]
last_but_one = entries(r"\beta_2(%s)", (j,), sp.Sum(transition[j, k] * density[3, k], over(k)))


@cache
def paths_sum_to_one() -> Derivation:
    """The products along all paths, over all data, are probabilities: a further time keeps their total."""
    move, emission = sp.IndexedBase("a", positive=True), sp.IndexedBase("e", positive=True)
    moves = entries("A_{%s%s}", (i, j), move[i, j] / sp.Sum(move[i, other], over(other)))
    emits = entries("B_{%s%s}", (j, m), emission[j, m] / sp.Sum(emission[j, other], (other, 1, L)))
    longer = past[h, i] * moves(i, j) * emits(j, m)
    return (
        Derivation(
            "eq-paths-sum-to-one",
            sp.Sum(sp.Sum(sp.Sum(sp.Sum(longer, (m, 1, L)), over(j)), histories), over(i)),
        )
        .equals(
            sp.Sum(sp.Sum(sp.Sum(past[h, i] * moves(i, j), over(j)), histories), over(i)),
            because="whatever the new state $j$, the chances $B_{jm}=e_{jm}/\\sum_le_{jl}$ of what it emits "
            "sum to one",
        )
        .equals(
            sp.Sum(sp.Sum(past[h, i], histories), over(i)),
            because="and so do those $A_{ij}=a_{ij}/\\sum_la_{il}$ of a move from $i$: what is left is the total "
            "up to time $t$, and so on down to $\\sum_i\\pi_i=1$",
        )
    )


@cache
def forward_step() -> Derivation:
    """The sum over all paths to a state needs only the same sums one time earlier: the forward recursion."""
    return (
        Derivation("eq-forward", forward_next(j))
        .equals(
            forward_next(j).meaning,
            because="a path to $j$ is a history $h$ of probability $w_{hi}$ that ends in some $i$, a move to $j$ and "
            "the emission of $x_{t+1}$: add over all of them",
        )
        .equals(
            density[t + 1, j] * sp.Sum(forward(i) * transition[i, j], over(i)),
            because="move and emission do not depend on the history, and what is left of the inner sum is "
            "$\\alpha_t(i)=\\sum_hw_{hi}$, the sum over all paths to $i$",
        )
    )


@cache
def forward_three_times() -> Derivation:
    """Written out for three times, the sum over all paths to a state is the forward recursion, twice."""
    path = initial[i] * density[1, i] * _last_two
    return (
        Derivation("eq-forward-three", sp.Sum(sp.Sum(path, over(i)), over(j)))
        .equals(
            density[3, k]
            * sp.Sum(
                density[2, j]
                * transition[j, k]
                * sp.Sum(initial[i] * density[1, i] * transition[i, j], over(i)),
                over(j),
            ),
            because="take out of each sum what does not depend on its index",
        )
        .equals(
            density[3, k]
            * sp.Sum(
                density[2, j] * transition[j, k] * sp.Sum(first(i) * transition[i, j], over(i)),
                over(j),
            ),
            because="the recursion begins with $\\alpha_1(i)=\\pi_ib_{1i}$",
        )
        .equals(
            density[3, k] * sp.Sum(second(j) * transition[j, k], over(j)),
            because="and goes on with $\\alpha_2(j)=b_{2j}\\sum_i\\alpha_1(i)A_{ij}$: $K^3$ products in place of "
            "some $3K^2$",
        )
    )


@cache
def backward_step() -> Derivation:
    """The sum over all futures of a state needs only the same sums one time later: the backward recursion."""
    longer = transition[i, j] * density[t + 1, j] * future[j, f]
    paths = sp.Sum(sp.Sum(longer, (f, 1, K ** (T - t - 1))), over(j))
    return (
        Derivation("eq-backward", entries(r"\beta_t(%s)", (i,), paths)(i))
        .equals(
            paths,
            because="a future of $i$ is a move to some $j$, the emission of $x_{t+1}$, and a future $f$ of $j$ of "
            "probability $u_{jf}$",
        )
        .equals(
            sp.Sum(transition[i, j] * density[t + 1, j] * backward_next(j), over(j)),
            because="the inner sum is $\\beta_{t+1}(j)=\\sum_fu_{jf}$; the recursion begins with "
            "$\\beta_T(i)=1$, since after $T$ there is one future, the empty one",
        )
    )


@cache
def backward_three_times() -> Derivation:
    """Written out for three times, the sum over all futures of a state is the backward recursion, twice."""
    return (
        Derivation("eq-backward-three", sp.Sum(sp.Sum(_last_two, over(k)), over(j)))
        .equals(
            sp.Sum(
                transition[i, j]
                * density[2, j]
                * sp.Sum(transition[j, k] * density[3, k], over(k)),
                over(j),
            ),
            because="take out of the inner sum what does not depend on the last state $k$",
        )
        .equals(
            sp.Sum(transition[i, j] * density[2, j] * last_but_one(j), over(j)),
            because="the inner sum is $\\beta_2(j)=\\sum_kA_{jk}b_{3k}$",
        )
    )


# ---- the evidence --------------------------------------------------------------------------------


@cache
def past_times_future() -> Derivation:
    """The paths through a state have the joint probability forward times backward."""
    through = sp.Sum(sp.Sum(past[h, i] * future[i, f], histories), futures)
    return (
        Derivation("eq-forward-backward", entries(r"p(x, z_t=%s)", (i,), through)(i))
        .equals(
            through,
            because="a path through $i$ at time $t$ is any history followed by any future",
        )
        .equals(
            forward(i) * backward(i),
            because="given $z_t=i$ the future does not depend on the history, so the double sum is a product of sums",
        )
    )


@cache
def evidence_at_the_end() -> Derivation:
    """The evidence, a sum over all paths, is the sum of the forward variables at the last time."""
    ends = (h, 1, K ** (T - 1))
    last = entries(r"\alpha_T(%s)", (i,), sp.Sum(past[h, i], ends))
    paths = sp.Sum(sp.Sum(past[h, i], ends), over(i))
    return (
        Derivation("eq-hmm-evidence", named("p(x)", paths))
        .equals(
            paths, because="sum over all paths: over the last state, and the histories before it"
        )
        .equals(sp.Sum(last(i), over(i)), because="the inner sum is $\\alpha_T(i)$")
    )


_through_pair = (
    past[h, i] * transition[i, j] * density[t + 1, j] * future[j, f],
    histories,
    (f, 1, K ** (T - t - 1)),
)
_all_paths = sp.Sum(sp.Sum(sp.Sum(*_through_pair), over(i)), over(j))
evidence = named("p(x)", _all_paths)
_backward = entries(
    r"\beta_t(%s)",
    (i,),
    sp.Sum(transition[i, j] * density[t + 1, j] * backward_next(j), over(j)),
)


@cache
def evidence_at_any_time() -> Derivation:
    """The sum of forward times backward over the states is the evidence, at any time."""
    return (
        Derivation("eq-hmm-evidence-any-time", evidence)
        .equals(
            _all_paths,
            because="sum over all paths: each has a pair of states $i$, $j$ at the times $t$ and $t+1$, a "
            "history before and a future after them",
        )
        .equals(
            sp.Sum(forward_next(j) * backward_next(j), over(j)),
            because="the sums over histories and over $i$ are the forward recursion for $\\alpha_{t+1}(j)$, the "
            "sum over futures is $\\beta_{t+1}(j)$",
        )
    )


@cache
def evidence_is_one() -> Derivation:
    """From one time to the next the sum of forward times backward does not change."""
    now, then = vector(r"\alpha_t", K), vector(r"\beta_{t+1}", K)
    moves, emits = sp.MatrixSymbol("A", K, K), symmetric("D", K)
    return Derivation("eq-hmm-evidence-carried", inner(emits * moves.T * now, then)).equals(
        inner(now, moves * emits * then),
        because="with the states of one time in a vector, and the densities $b_{t+1,j}$ on the diagonal of $D$, the "
        "recursions are $\\alpha_{t+1}=DA^\\top\\alpha_t$ and $\\beta_t=AD\\beta_{t+1}$; transpose the product",
    )


# ---- the posterior -------------------------------------------------------------------------------

gamma = entries(r"\gamma_t(%s)", (i,), forward(i) * _backward(i) / evidence)
gamma_next = entries(r"\gamma_{t+1}(%s)", (j,), forward_next(j) * backward_next(j) / evidence)
pair = entries(
    r"\xi_t(%s, %s)",
    (i, j),
    forward(i) * transition[i, j] * density[t + 1, j] * backward_next(j) / evidence,
)


@cache
def state_posterior() -> Derivation:
    """The posterior of one state is forward times backward, divided by the evidence."""
    through = sp.Sum(sp.Sum(past[h, i] * future[i, f], histories), futures)
    everything = sp.Sum(
        sp.Sum(sp.Sum(past[other, s] * future[s, f], (other, 1, K ** (t - 1))), futures), over(s)
    )
    return (
        Derivation("eq-hmm-gamma", entries(r"\gamma_t(%s)", (i,), through / everything)(i))
        .equals(
            through / everything,
            because="Bayes' theorem: the probability of the paths through $i$, divided by that of all paths",
        )
        .equals(
            forward(i) * backward(i) / sp.Sum(forward(j) * backward(j), over(j)),
            because="both sums over histories and futures are products",
        )
    )


@cache
def pair_posterior() -> Derivation:
    """The posterior of two neighbouring states joins forward and backward by a move and an emission."""
    return (
        Derivation(
            "eq-hmm-xi", entries(r"\xi_t(%s, %s)", (i, j), sp.Sum(*_through_pair) / evidence)(i, j)
        )
        .equals(
            sp.Sum(*_through_pair) / evidence,
            because="Bayes' theorem: the paths that are in $i$ at time $t$ and in $j$ at time $t+1$, divided by all",
        )
        .equals(
            forward(i) * transition[i, j] * density[t + 1, j] * backward_next(j) / evidence,
            because="move and emission depend on neither the history nor the future",
        )
    )


@cache
def pairs_give_states() -> Derivation:
    """Summed over the state moved to, the posterior of a pair is that of the state left."""
    return Derivation("eq-hmm-marginal-from", sp.Sum(pair(i, j), over(j))).equals(
        gamma(i), because="the sum over $j$ is the backward recursion for $\\beta_t(i)$"
    )


@cache
def pairs_give_next_states() -> Derivation:
    """Summed over the state left, the posterior of a pair is that of the state moved to."""
    return Derivation("eq-hmm-marginal-to", sp.Sum(pair(i, j), over(i))).equals(
        gamma_next(j), because="the sum over $i$ is the forward recursion for $\\alpha_{t+1}(j)$"
    )


DERIVATIONS = (
    paths_sum_to_one,
    forward_step,
    forward_three_times,
    backward_step,
    backward_three_times,
    past_times_future,
    evidence_at_the_end,
    evidence_at_any_time,
    evidence_is_one,
    state_posterior,
    pair_posterior,
    pairs_give_states,
    pairs_give_next_states,
)
