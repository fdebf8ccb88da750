"""The derivations of the chapter on the speed of EM, for any number N of observations and K of hidden states.

A model is written as in `emlib.symbolic.hidden`: with one parameter, which may be a coordinate along any line. So what
is said of informations holds for matrices. Genetic linkage stands in `emlib.symbolic.linkage`, what makes EM faster in
`emlib.symbolic.extrapolation`.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic import extrapolation, linkage
from emlib.symbolic.bound import K, j, k
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.hidden import (
    Joint,
    MeanScore,
    Posterior,
    Score,
    ScoreSlope,
    Table,
    log_likelihood,
    over_all,
    surrogate,
    theta,
    theta_new,
    theta_old,
)
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import N, data, n
from emlib.symbolic.matrices import positive_definite
from emlib.symbolic.notation import NamedEntry, in_order, named, named_entry

theta_hat = sp.Symbol(r"\hat{\theta}", real=True)

r = Posterior(n, k, theta)
deviation = Score(n, k, theta) - MeanScore(n, theta)
variance_of_score = over_all(r * deviation**2)
spread = square(deviation).times(r).summed(k, 1, K).summed(*data)


def informations(at: sp.Expr, argument: str = "") -> tuple[sp.Expr, sp.Expr]:
    """Complete information, the posterior mean of what a known state would tell, and the observed one."""
    mean_bend = over_all(Posterior(n, k, at) * ScoreSlope(n, k, at))
    bend = sp.Derivative(log_likelihood(theta), (theta, 2))
    return (
        named(r"I_{\text{com}}" + argument, -mean_bend),
        named(r"I_{\text{obs}}" + argument, -sp.Subs(bend, theta, at)),
    )


def turning(at: sp.Expr) -> sp.Expr:
    """How fast the slope of Q(theta' | theta) in theta' moves with theta."""
    # Not one Subs of two variables at one point: SymPy takes a slope in the one for a slope in the other.
    slope = sp.Subs(sp.Derivative(surrogate(theta_new, theta), theta_new), theta_new, at)
    return sp.Subs(sp.Derivative(slope, theta), theta, at)


complete, observed = informations(theta, r"(\theta)")


@cache
def complete_information() -> Derivation:
    """Complete information is how sharply the surrogate is bent."""
    bend = sp.Derivative(surrogate(theta_new, theta), (theta_new, 2))
    return Derivation("eq-complete-information", -sp.Subs(bend, theta_new, theta)).equals(
        complete.meaning,
        because="the responsibilities of $Q(\\theta'\\mid\\theta)$ stand still, and $s'_{nk}$ is the second "
        "derivative of $\\log p_{nk}$; call the sum $I_{\\text{com}}(\\theta)$",
    )


@cache
def posterior_slope() -> Derivation:
    """A responsibility grows where the state's score is above the average of its observation."""
    return Derivation("eq-posterior-slope", sp.Derivative(r, theta)).equals(
        r * deviation,
        because="the quotient rule: the joint density grows by its score $s_{nk}$, the evidence by the "
        "posterior mean $\\bar s_n$",
    )


@cache
def louis() -> Derivation:
    """Observed information is complete information minus the posterior variance of the score.

    Source: Louis (1982), eq. (3.2).
    """
    return (
        Derivation("eq-louis", -sp.Derivative(log_likelihood(theta), (theta, 2)))
        .equals(
            in_order(complete, -over_all(Score(n, k, theta) * sp.Derivative(r, theta))),
            because="differentiate Fisher's identity {eq}`eq-fisher` by the product rule; the first part is the "
            "complete information, {eq}`eq-complete-information`",
        )
        .equals(
            in_order(complete, -variance_of_score),
            because="insert {eq}`eq-posterior-slope`; the deviations from $\\bar s_n$ average to zero",
        )
    )


@cache
def missing_information() -> Derivation:
    """What hiding costs is the information that the posterior holds of its own parameter, and it is never negative.

    Source: Orchard & Woodbury (1972), the missing information principle.
    """
    return (
        Derivation("eq-missing-information", in_order(complete, -observed))
        .equals(
            -over_all(r * sp.Derivative(sp.log(r), (theta, 2))),
            because="the log-joint is the log-evidence plus $\\log r$, and so are their second derivatives",
        )
        .equals(
            variance_of_score,
            because="the slope of $\\log r_{nk}$ is $s_{nk}-\\bar s_n$, by {eq}`eq-posterior-slope`",
        )
        .at_least(0, because="squares are never negative", by=spread)
    )


@cache
def turning_slope() -> Derivation:
    """The missing information is how fast the slope of the surrogate turns as the E-step's parameter moves."""
    there = Posterior(n, k, theta_old)
    complete_there, observed_there = informations(theta_old, r"(\theta_0)")
    deviation_there = Score(n, k, theta_old) - MeanScore(n, theta_old)
    return (
        Derivation("eq-turning-slope", turning(theta_old))
        .equals(
            over_all(there * Score(n, k, theta_old) * deviation_there),
            because="the parameter of the E-step moves the responsibilities alone, and {eq}`eq-posterior-slope` says "
            "how",
        )
        .equals(
            over_all(there * deviation_there**2),
            because="the deviations from $\\bar s_n$ average to zero, so $\\bar s_n$ may be taken from the other "
            "factor too",
        )
        .equals(
            in_order(complete_there, -observed_there),
            because="that is the missing information, {eq}`eq-missing-information`",
        )
    )


# Any smooth map that leaves theta_hat where it is has this form, by Hadamard's lemma, with D its slope there.
quotient = sp.Function("D", real=True)
em_map = named(r"M(\theta)", theta_hat + (theta - theta_hat) * quotient(theta))
em_slope = named(r"M'(\hat{\theta})", sp.Subs(sp.Derivative(em_map, theta), theta, theta_hat))
# What the M-step leaves of the surrogate's slope: nothing, wherever it starts.
slope_left = named(
    r"g(\theta)",
    sp.Subs(
        over_all(r * sp.Derivative(sp.log(Joint(n, k, theta_new)), theta_new)),
        theta_new,
        em_map,
    ),
)


@cache
def rate() -> Derivation:
    """The rate of EM is the missing share of the information.

    Source: Dempster, Laird & Rubin (1977), theorem 4.
    """
    com, obs = informations(theta_hat)
    deviation_at_hat = Score(n, k, theta_hat) - MeanScore(n, theta_hat)
    missing = over_all(Posterior(n, k, theta_hat) * deviation_at_hat**2)
    return (
        Derivation("eq-rate", sp.Subs(sp.Derivative(slope_left, theta), theta, theta_hat))
        .equals(
            in_order(missing, -com * em_slope),
            because="let $g(\\theta)$ be the slope of the surrogate $Q(\\cdot\\mid\\theta)$ at $M(\\theta)$, "
            "which may be any map with $M(\\hat\\theta)=\\hat\\theta$. As $\\theta$ moves, so do the "
            "responsibilities, by {eq}`eq-posterior-slope`, and the point $M(\\theta)$, where the surrogate is "
            "bent by $I_{\\text{com}}$",
        )
        .equals(
            com * in_order(1, -obs / com, -em_slope),
            because="the variance is the missing information, {eq}`eq-missing-information`. But the M-step "
            "makes $g$ zero wherever it starts, so the left side is zero, and the bracket too: "
            "$M'(\\hat\\theta)=1-I_{\\text{obs}}/I_{\\text{com}}$",
        )
    )


eta, eta_new = sp.symbols(r"eta \eta'", real=True)
statistic, base = sp.IndexedBase("T", real=True), sp.IndexedBase("h", positive=True)
partition = sp.Function("A", real=True)
partition_bend = sp.Derivative(partition(eta), (eta, 2))


def exponential_joint(state: sp.Symbol, params: sp.Symbol) -> sp.Expr:
    """h_nk exp(eta T_nk - A(eta)): the joint density of an exponential family."""
    return base[n, state] * sp.exp(params * statistic[n, state] - partition(params))


exponential_share = exponential_joint(k, eta) / sp.Sum(exponential_joint(j, eta), (j, 1, K))


@cache
def exponential_family_complete() -> Derivation:
    """In an exponential family the complete information does not depend on the data.

    Source: Sundberg (1974), section 6.
    """
    meaning = over_all(exponential_share * sp.log(exponential_joint(k, eta_new)))
    q = named(r"Q(\eta' \mid \eta)", meaning)
    return Derivation(
        "eq-exponential-family-complete",
        -sp.Subs(sp.Derivative(q, (eta_new, 2)), eta_new, eta),
    ).equals(
        N * partition_bend,
        because="with $p_{nk}=h_{nk}e^{\\eta T_{nk}-A(\\eta)}$ only $A$ is bent, and the responsibilities add "
        "up to $N$",
    )


@cache
def exponential_family_rate() -> Derivation:
    """In an exponential family the rate is the variance of the statistic left by the data, over all of its variance.

    Source: Sundberg (1974), section 6.
    """
    mean = named_entry(r"\bar{T}", n, sp.Sum(exponential_share * statistic[n, k], (k, 1, K)))
    squared = exponential_share * (statistic[n, k] - mean(n)) ** 2
    variance = named_entry(r"\operatorname{Var}", n, sp.Sum(squared, (k, 1, K)))
    evidence = sp.Sum(sp.log(sp.Sum(exponential_joint(k, eta), (k, 1, K))), data)
    com = named(r"I_{\text{com}}", N * partition_bend)
    obs = named(r"I_{\text{obs}}", -sp.Derivative(evidence, (eta, 2)))
    return Derivation("eq-exponential-family-rate", in_order(1, -obs / com)).equals(
        sp.Sum(variance(n), data) / com.meaning,
        because="the score is $T_{nk}-A'(\\eta)$, so its posterior variance is that of $T$: "
        "$\\operatorname{Var}_n$ for observation $n$. And $A''$ is the variance of $T$ with nothing known",
    )


# ---- many parameters -----------------------------------------------------------------------------

P = sp.Symbol("P", integer=True, positive=True)
a, b, c = sp.symbols("a b c", integer=True)
at_hat = sp.IndexedBase(r"\hat{p}", positive=True)
scores, bends = sp.IndexedBase("s", real=True), sp.IndexedBase("s'", real=True)
rates = sp.IndexedBase("R", real=True)
move = sp.Symbol("t", real=True)


class ShareAtHat(Table, NamedEntry):
    """r_nk at the fixed point."""

    nargs = 2
    letter = "r"
    moves = False
    is_positive = True

    @property
    def meaning(self) -> sp.Expr:
        """Joint density over evidence."""
        at, state = self.args
        return at_hat[at, state] / sp.Sum(at_hat[at, j], (j, 1, K))


class MeanScoreAtHat(Table, NamedEntry):
    """The posterior mean of the score of observation n along a coordinate, at the fixed point."""

    nargs = 2
    letter = r"\bar{s}"
    moves = False

    @property
    def meaning(self) -> sp.Expr:
        """The average over the states."""
        at, coordinate = self.args
        return sp.Sum(ShareAtHat(at, j) * scores[at, j, coordinate], (j, 1, K))


@cache
def rate_entry() -> Derivation:
    """With many parameters, complete information times rate matrix is missing information, entry by entry.

    Only slopes and curvatures at the fixed point matter, so log p may be its Taylor polynomial of second order there:
    slopes s_nka, curvatures s'_nkac. The start moves by t along coordinate b, and the M-step by R_cb t along each c.

    Source: Dempster, Laird & Rubin (1977), theorem 4; Meng & Rubin (1991), section 2.
    """

    def moved(state: sp.Symbol) -> sp.Expr:
        exponent = scores[n, state, b] * move + bends[n, state, b, b] * move**2 / 2
        return at_hat[n, state] * sp.exp(exponent)

    def centred(coordinate: sp.Symbol) -> sp.Expr:
        return scores[n, k, coordinate] - MeanScoreAtHat(n, coordinate)

    answer = sp.Sum(bends[n, k, a, c] * rates[c, b], (c, 1, P))
    slope = moved(k) / sp.Sum(moved(j), (j, 1, K)) * (scores[n, k, a] + move * answer)
    left = named_entry("g", a, over_all(slope))(a)
    return Derivation("eq-rate-entry", sp.Subs(sp.Derivative(left, move), move, 0)).equals(
        in_order(
            over_all(ShareAtHat(n, k) * centred(a) * centred(b)),
            over_all(ShareAtHat(n, k) * answer),
        ),
        because="let $g_a$ be the slope of the surrogate along coordinate $a$ after the M-step, as a function "
        "of $t$, the move of the start along coordinate $b$. The first sum is entry $ab$ of the missing "
        "information, the second that of $-I_{\\text{com}}R$. The M-step makes $g_a$ zero for every $t$, so "
        "$I_{\\text{com}}R=I_{\\text{mis}}$",
    )


complete_matrix = positive_definite(r"I_{\text{com}}", P)
observed_matrix = positive_definite(r"I_{\text{obs}}", P)
missing_matrix = complete_matrix - observed_matrix


@cache
def rate_matrix() -> Derivation:
    """The rate matrix of EM is the identity minus observed over complete information.

    Source: Dempster, Laird & Rubin (1977), theorem 4.
    """
    solved = sp.MatMul(sp.Inverse(complete_matrix), missing_matrix)
    return Derivation("eq-rate-matrix", solved).equals(
        sp.Identity(P) - sp.Inverse(complete_matrix) * observed_matrix,
        because="by {eq}`eq-rate-entry` the rate matrix $R$ solves $I_{\\text{com}}R=I_{\\text{mis}}$, and by "
        "{eq}`eq-louis` $I_{\\text{mis}}=I_{\\text{com}}-I_{\\text{obs}}$",
    )


@cache
def supplemented() -> Derivation:
    """The covariance of the estimates follows from the complete information and the rate matrix.

    Source: Meng & Rubin (1991), section 2.
    """
    rate_of = sp.MatMul(sp.Inverse(complete_matrix), missing_matrix)
    left = sp.MatMul(sp.Inverse(sp.Identity(P) - rate_of), sp.Inverse(complete_matrix))
    return Derivation("eq-supplemented-em", left).equals(
        sp.Inverse(observed_matrix),
        because="$I_{\\text{com}}(I-R)=I_{\\text{obs}}$, by {eq}`eq-rate-matrix`; take the inverse",
    )


DERIVATIONS = (
    complete_information,
    posterior_slope,
    louis,
    missing_information,
    turning_slope,
    rate,
    exponential_family_complete,
    exponential_family_rate,
    rate_entry,
    rate_matrix,
    supplemented,
    *linkage.RATE,
    *extrapolation.DERIVATIONS,
)
