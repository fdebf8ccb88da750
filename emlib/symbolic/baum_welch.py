"""The derivations of the chapter on time and continuous hidden variables: Baum-Welch, the EM of a hidden chain.

Source: Baum, Petrie, Soules & Weiss (1970); Rabiner (1989), section III.C.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import K, gibbs_for, j, k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import in_order, named
from emlib.symbolic.paths import M, T, entries, i, m, other, over, s, t
from emlib.symbolic.trellis import alpha, emission, evidence_so_far, move

# A path p = 1, ..., K^T has the posterior q_p, and s_pti is one where it is in state i at time t, else zero.
p = sp.Symbol("p", integer=True)
all_paths = (p, 1, K**T)
times, before_the_last = (t, 1, T), (t, 1, T - 1)
path_posterior = sp.IndexedBase("q", positive=True)
visits = sp.IndexedBase("s", nonnegative=True)
start_chance = sp.IndexedBase("pi", positive=True)
_in_state = sp.Sum(path_posterior[p] * visits[p, t, i], all_paths)
_moving = sp.Sum(path_posterior[p] * visits[p, t, i] * visits[p, t + 1, j], all_paths)
state_share = entries(r"\gamma_{%s}(%s)", (t, i), _in_state)
pair_share = entries(r"\xi_{%s}(%s, %s)", (t, i, j), _moving)


@cache
def surrogate() -> Derivation:
    """The surrogate of a hidden Markov model falls into three parts: the start, the moves and the emissions."""
    log_start, log_move = sp.log(start_chance[i]), sp.log(move[i, j])
    log_density = sp.log(emission[t, i])
    starts = sp.Sum(path_posterior[p] * visits[p, 1, i] * log_start, all_paths)
    moves = sp.Sum(path_posterior[p] * visits[p, t, i] * visits[p, t + 1, j] * log_move, all_paths)
    emits = sp.Sum(path_posterior[p] * visits[p, t, i] * log_density, all_paths)
    whole = in_order(
        sp.Sum(starts, over(i)),
        sp.Sum(sp.Sum(sp.Sum(moves, before_the_last), over(j)), over(i)),
        sp.Sum(sp.Sum(emits, times), over(i)),
    )
    return (
        Derivation("eq-hmm-surrogate", named("Q", whole))
        .equals(
            whole,
            because="the log-probability of a path adds $\\log\\pi_i$ where it starts, $\\log A_{ij}$ for each "
            "move and $\\log b_{ti}$ at each time; $s_{pti}$ is one where path $p$ is in state $i$ at time $t$, "
            "else zero",
        )
        .equals(
            in_order(
                sp.Sum(state_share(1, i) * log_start, over(i)),
                sp.Sum(
                    sp.Sum(log_move * sp.Sum(pair_share(t, i, j), before_the_last), over(j)),
                    over(i),
                ),
                sp.Sum(sp.Sum(state_share(t, i) * log_density, times), over(i)),
            ),
            because="the logarithms do not depend on the path, and the sums over paths are the posteriors "
            "$\\gamma$ of states and $\\xi$ of pairs",
        )
    )


@cache
def expected_moves() -> Derivation:
    """The expected number of moves from one state to another adds the posteriors of pairs (three times)."""
    number = in_order(
        visits[p, 1, i] * visits[p, 2, j],
        visits[p, 2, i] * visits[p, 3, j],
    )
    return Derivation(
        "eq-hmm-counts", sp.Sum(path_posterior[p] * number, all_paths).subs(T, 3)
    ).equals(
        in_order(*(pair_share(time, i, j).meaning.subs(T, 3) for time in (1, 2))),
        because="an expectation of a sum is the sum of the expectations, and each is the posterior of a pair, "
        "$\\xi_1(i,j)+\\xi_2(i,j)$; a further time adds a further term",
    )


chance = sp.IndexedBase("gamma", positive=True)
pair_chance = sp.IndexedBase("xi", positive=True)
all_moves = (t, 1, M)  # M = T - 1 of them
moves_from_to = entries("n_{%s%s}", (i, j), sp.Sum(pair_chance[t, i, j], all_moves))
moves_from = entries("n_{%s}", (i,), sp.Sum(moves_from_to(i, j), over(j)))


@cache
def best_start() -> Derivation:
    """No start does better than the posterior of the first state."""
    gain = sp.Sum(chance[1, k] * (sp.log(chance[1, k]) - sp.log(start_chance[k])), states)
    sums = (sp.Eq(sp.Sum(chance[1, k], states), 1), sp.Eq(sp.Sum(start_chance[k], states), 1))
    return Derivation("eq-baum-welch-start", gain, given=sums).at_least(
        0,
        because="it is the KL from $\\gamma_1$ to $\\pi$, which is never negative",
        by=gibbs_for(chance[1, k], start_chance[k]),
    )


@cache
def best_moves() -> Derivation:
    """No row of moves does better than the shares of the expected moves from its state."""
    share = moves_from_to(i, k) / moves_from(i)
    log_gain = sp.log(share) - sp.log(move[i, k])
    rows = (sp.Eq(sp.Sum(move[i, k], states), 1),)
    return (
        Derivation(
            "eq-baum-welch-moves",
            sp.Sum(sp.Sum(pair_chance[t, i, k] * log_gain, all_moves), states),
            given=rows,
        )
        .equals(
            moves_from(i) * sp.Sum(share * sp.log(share / move[i, k]), states),
            because="only $n_{ik}=\\sum_t\\xi_t(i,k)$ counts, with $n_i=\\sum_jn_{ij}$: this is $n_i$ times the "
            "KL from the shares to the row",
        )
        .at_least(
            0,
            because="KL is never negative; each state has its own row, so the rows are best one by one",
            by=gibbs_for(share, move[i, k]).times(moves_from(i)),
        )
    )


@cache
def best_rate() -> Derivation:
    """Where states emit counts, no Poisson rate does better than the mean count with the posteriors as weights."""
    x = sp.IndexedBase("x", nonnegative=True)
    rate, mean, share = sp.symbols(r"lambda_i \hat{\lambda}_i N_i", positive=True)
    weighted = (
        sp.Eq(sp.Sum(chance[t, i], times), share),
        sp.Eq(sp.Sum(chance[t, i] * x[t], times), share * mean),
    )

    def expected(value: sp.Expr) -> sp.Expr:
        log_poisson = x[t] * sp.log(value) - value - sp.log(sp.factorial(x[t]))
        return sp.Sum(chance[t, i] * log_poisson, times)

    return (
        Derivation("eq-baum-welch-rate", in_order(expected(mean), -expected(rate)), given=weighted)
        .equals(
            share * mean * in_order(rate / mean, -1, -sp.log(rate / mean)),
            because="the factorials cancel; what is left is one weighted sum of the counts, which is "
            "$\\hat\\lambda_i$ times $N_i=\\sum_t\\gamma_t(i)$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\lambda_i/\\hat\\lambda_i$",
            by=log_tangent.at({ratio: rate / mean}).times(share * mean),
        )
    )


# ---- a mixture is a chain without memory ---------------------------------------------------------


@cache
def no_memory_forward() -> Derivation:
    """With equal rows the past enters the forward recursion by its evidence alone."""
    row = sp.IndexedBase("pi", positive=True)
    return Derivation(
        "eq-mixture-forward",
        emission[t + 1, j] * sp.Sum(alpha[t, i] * row[j], over(i)),
    ).equals(
        evidence_so_far * row[j] * emission[t + 1, j],
        because="every row is $A_{ij}=\\pi_j$: it does not matter where the chain comes from",
    )


@cache
def no_memory_evidence() -> Derivation:
    """With equal rows each time multiplies the evidence by the density of a mixture."""
    row = sp.IndexedBase("pi", positive=True)
    joined = sp.Sum(emission[t + 1, j] * sp.Sum(alpha[t, i] * row[j], over(i)), over(j))
    return Derivation("eq-mixture-evidence", sp.log(joined)).equals(
        in_order(sp.log(evidence_so_far), sp.log(sp.Sum(row[j] * emission[t + 1, j], over(j)))),
        because="add over the new state: independent observations from $\\sum_j\\pi_jb_{t+1,j}$",
    )


@cache
def no_memory_posterior() -> Derivation:
    """With equal rows the posterior of a state is the responsibility of a mixture."""
    row, later = sp.IndexedBase("pi", positive=True), sp.IndexedBase("beta", positive=True)

    def joint(state: sp.Expr, before: sp.Symbol, after: sp.Symbol) -> sp.Expr:
        arriving = sp.Sum(alpha[t, before] * row[state], over(before))
        leaving = sp.Sum(row[after] * emission[t + 2, after] * later[t + 2, after], over(after))
        return arriving * emission[t + 1, state] * leaving

    return Derivation(
        "eq-mixture-gamma", joint(j, i, k) / sp.Sum(joint(other, m, s), over(other))
    ).equals(
        row[j] * emission[t + 1, j] / sp.Sum(row[other] * emission[t + 1, other], over(other)),
        because="forward is $\\pi_jb_{t+1,j}$ times something that holds no $j$, backward holds no $j$ at all, "
        "and what holds none cancels",
    )


DERIVATIONS = (
    surrogate,
    expected_moves,
    best_start,
    best_moves,
    best_rate,
    no_memory_forward,
    no_memory_evidence,
    no_memory_posterior,
)
