"""The derivations of the chapter on two coins, for any number K of coins and N of sets of tosses.

Set n has m tosses, h_n of them heads, all of one coin; which coin is hidden. Coin k is chosen with probability pi_k and
falls heads with probability theta_k, tails with phi_k = 1 - theta_k.

Source: Do & Batzoglou (2008), "What is the expectation maximization algorithm?", Nature Biotechnology 26.
"""

from __future__ import annotations

from functools import cache

import sympy as sp
from sympy.printing.latex import LatexPrinter

from emlib.symbolic.bound import K, j, k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.likelihood import data, log_tangent, n, ratio
from emlib.symbolic.notation import in_order, latex, named, named_entry

m = sp.Symbol("m", integer=True, positive=True)
h = sp.IndexedBase("h", integer=True, nonnegative=True)
weight = sp.IndexedBase("pi", positive=True)
theta = sp.IndexedBase("theta", positive=True)
phi = sp.IndexedBase("phi", positive=True)
r = sp.IndexedBase("r", positive=True)

HEADS, TOSSES = (5, 9, 8, 4, 7), 10
START = sp.Rational(3, 5), sp.Rational(1, 2)


class Tosses(sp.Function):  # type: ignore[misc]
    """theta^h phi^t: the probability of h heads and t tails in one order."""

    nargs = 4
    is_positive = True
    is_real = True

    @property
    def meaning(self) -> sp.Expr:
        """The product."""
        up, down, chance, other = self.args
        return chance**up * other**down

    def _latex(self, printer: LatexPrinter) -> str:
        up, down, chance, other = (printer.doprint(argument) for argument in self.args)
        return rf"{chance}^{{{up}}} {other}^{{{down}}}"


class Binomial(sp.Function):  # type: ignore[misc]
    """Bin(h | theta): the probability of h heads and t tails in any order."""

    nargs = 4
    is_positive = True
    is_real = True

    @property
    def meaning(self) -> sp.Expr:
        """The number of orders times the probability of one."""
        up, down, _, _ = self.args
        return sp.binomial(up + down, up) * Tosses(*self.args)

    def _latex(self, printer: LatexPrinter) -> str:
        up, _, chance, _ = (printer.doprint(argument) for argument in self.args)
        return rf"\operatorname{{Bin}}({up} \mid {chance})"


def tosses(coin: sp.Expr) -> sp.Expr:
    """The probability of set n in its order, from that coin."""
    return Tosses(h[n], m - h[n], theta[coin], phi[coin])


def joint(coin: sp.Expr) -> sp.Expr:
    """p(h_n, z_n = coin)."""
    return weight[coin] * Binomial(h[n], m - h[n], theta[coin], phi[coin])


evidence = named_entry("p", n, sp.Sum(joint(j), (j, 1, K)))


@cache
def coin_responsibility() -> Derivation:
    """A coin's responsibility for a set of tosses does not depend on the binomial coefficient."""
    return (
        Derivation("eq-coin-responsibility", joint(k) / evidence(n))
        .equals(
            joint(k) / sp.Sum(joint(j), (j, 1, K)),
            because="Bayes' theorem: the joint probability of coin and heads, over that of the heads",
        )
        .equals(
            weight[k] * tosses(k) / sp.Sum(weight[j] * tosses(j), (j, 1, K)),
            because="$\\binom m{h_n}$ stands in every term and cancels",
        )
    )


@cache
def coin_odds() -> Derivation:
    """The posterior odds of two coins are a product over the tosses."""
    first, second = sp.symbols("A B", integer=True)
    of_a, of_b = (
        named_entry(f"r^{coin}", n, joint(coin) / evidence(n)) for coin in (first, second)
    )
    heads_quotient = (theta[first] / theta[second]) ** h[n]
    tails_quotient = (phi[first] / phi[second]) ** (m - h[n])
    return Derivation("eq-coin-odds", of_a(n) / of_b(n)).equals(
        weight[first] / weight[second] * heads_quotient * tails_quotient,
        because="evidence and coefficient are the same for both coins and cancel: each head multiplies the odds by "
        "$\\theta_A/\\theta_B$, each tail by $\\phi_A/\\phi_B$",
    )


@cache
def coin_log_likelihood() -> Derivation:
    """The log-likelihood of the coins is that of a mixture of binomials."""
    total = sp.Sum(sp.log(sp.Sum(joint(k), states)), data)
    return (
        Derivation("eq-coin-log-likelihood", named(r"\ell(\theta)", total))
        .equals(total, because="each set comes from one of the coins: add over what is hidden")
        .equals(
            in_order(
                sp.Sum(sp.log(sp.binomial(m, h[n])), data),
                sp.Sum(sp.log(sp.Sum(weight[k] * tosses(k), states)), data),
            ),
            because="the coefficient is the same for all coins, and leaves the sum; the sum inside the "
            "logarithm stays",
        )
    )


heads_of = named_entry("H", k, sp.Sum(r[n, k] * h[n], data))
tails_of = named_entry("T", k, sp.Sum(r[n, k] * (m - h[n]), data))


@cache
def coin_surrogate() -> Derivation:
    """The surrogate of the coins contains the expected heads and tails of each coin, and nothing else of the data."""
    constant = named(
        "C",
        sp.Sum(sp.Sum(r[n, k] * (sp.log(weight[k]) + sp.log(sp.binomial(m, h[n]))), data), states),
    )
    total = sp.Sum(sp.Sum(r[n, k] * sp.log(joint(k)), data), states)
    return (
        Derivation("eq-coin-surrogate", named("Q", total))
        .equals(total, because="the log-joint, averaged over the coins with the responsibilities")
        .equals(
            in_order(
                sp.Sum(
                    in_order(
                        heads_of(k) * sp.log(theta[k]),
                        tails_of(k) * sp.log(phi[k]),
                    ),
                    states,
                ),
                constant,
            ),
            because="$H_k=\\sum_nr_{nk}h_n$ and $T_k=\\sum_nr_{nk}(m-h_n)$ gather what multiplies each logarithm; "
            "$C$ holds no $\\theta$",
        )
    )


heads, tails = sp.symbols("H T", positive=True)
chance, other = sp.symbols("theta phi", positive=True)
other_is_the_rest = sp.Eq(other, 1 - chance, evaluate=False)


@cache
def coin_slope() -> Derivation:
    """The slope of the surrogate in one coin's chance of heads vanishes at its share of expected heads."""
    q = heads * sp.log(chance) + tails * sp.log(1 - chance)
    return Derivation("eq-coin-slope", sp.Derivative(q, chance)).equals(
        (heads + tails) / (chance * (1 - chance)) * in_order(heads / (heads + tails), -chance),
        because="heads push $\\theta$ up, tails push it down; over one denominator",
    )


@cache
def coin_m_step() -> Derivation:
    """No other chance of heads raises the surrogate above that of the M-step: expected heads over expected tosses."""
    best, rest = heads / (heads + tails), tails / (heads + tails)

    def q(up: sp.Expr, down: sp.Expr) -> sp.Expr:
        return named(f"Q({latex(up)})", heads * sp.log(up) + tails * sp.log(down))

    top, bottom = named(r"\hat{\theta}", best), named(r"\hat{\phi}", rest)
    lemma = log_tangent.at({ratio: chance / top}).times(heads) + log_tangent.at(
        {ratio: other / bottom}
    ).times(tails)
    return (
        Derivation(
            "eq-coin-m-step",
            in_order(q(top, 1 - top), -q(chance, 1 - chance)),
            given=(other_is_the_rest,),
        )
        .equals(
            in_order(heads * sp.log(top / chance), tails * sp.log(bottom / other)),
            because="with $\\hat\\theta=H/(H+T)$ and $\\hat\\phi=1-\\hat\\theta=T/(H+T)$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=\\theta/\\hat\\theta$, $H$ times, and at $u=\\phi/\\hat\\phi$, "
            "$T$ times: the terms $u-1$ cancel",
            by=lemma,
        )
    )


@cache
def coin_expected_heads() -> Derivation:
    """The M-step for both coins: expected heads over expected tosses, the same as a weighted average of the shares."""
    return Derivation("eq-coin-update", heads_of(k) / in_order(heads_of(k), tails_of(k))).equals(
        sp.Sum(r[n, k] * h[n] / m, data) / sp.Sum(r[n, k], data),
        because="a set's heads and tails are $m$ together, so the expected tosses of coin $k$ are $m\\sum_nr_{nk}$",
    )


# ---- the first step of Do and Batzoglou, exactly -------------------------------------------------

up, down = sp.symbols("h t", integer=True, positive=True)
HALF = sp.Rational(1, 2)


def start_share(heads_seen: sp.Expr, tails_seen: sp.Expr) -> sp.Expr:
    """The responsibility of coin A at the published start, where the coins are equally likely."""
    of_a, of_b = (HALF * Binomial(heads_seen, tails_seen, at, 1 - at) for at in START)
    return of_a / in_order(of_a, of_b)


@cache
def first_responsibility() -> Derivation:
    """From the published start a responsibility is a quotient of whole numbers."""
    of_a = 6**up * 4**down
    return Derivation("eq-coin-first-responsibility", start_share(up, down)).equals(
        of_a / in_order(of_a, 5 ** (up + down)),
        because="the coefficient and the choice of the coin cancel; multiply above and below by $10^{h+t}$, with $t$ "
        "tails",
    )


SHARES = tuple(start_share(seen, TOSSES - seen) for seen in HEADS)


def first_step(coin: str, shares: tuple[sp.Expr, ...]) -> sp.Expr:
    """Expected heads over expected tosses after the first E-step."""
    expected = sum(seen * share for seen, share in zip(HEADS, shares, strict=True))
    return named(rf"\theta_{coin}^{{(1)}}", expected / (TOSSES * sum(shares)))


@cache
def first_shares() -> Derivation:
    """The first E-step of Do and Batzoglou, in whole numbers: how many of the five sets are expected of coin A."""
    quotients = (
        (7962624, 17728249),
        (40310784, 50076409),
        (26873856, 36639481),
        (5308416, 15074041),
        (17915904, 27681529),
    )
    return Derivation("eq-coin-first-shares", named("N_A", sum(SHARES))).equals(
        in_order(*(sp.Rational(*quotient) for quotient in quotients)),
        because="{eq}`eq-coin-first-responsibility` for 5, 9, 8, 4 and 7 heads of ten: to three places these are "
        "$0.449$, $0.805$, $0.733$, $0.352$, $0.647$",
    )


@cache
def first_step_of_a() -> Derivation:
    """The first step of Do and Batzoglou leads coin A to a chance of heads of 0.7130, exactly this fraction."""
    return Derivation("eq-coin-first-step-a", first_step("A", SHARES)).equals(
        sp.Rational(1742534509297776100550419174968479, 2443905479853305136668218369980650),
        because="expected heads $\\sum_nr_nh_n$ over expected tosses $10\\sum_nr_n$",
    )


@cache
def first_step_of_b() -> Derivation:
    """The first step of Do and Batzoglou leads coin B to a chance of heads of 0.5813, exactly this fraction."""
    rest = tuple(1 - share for share in SHARES)
    return Derivation("eq-coin-first-step-b", first_step("B", rest)).equals(
        sp.Rational(16264749517061800512045723398529, 27978065966745409619143674375410),
        because="the same with $1-r_n$ in place of $r_n$",
    )


DERIVATIONS = (
    coin_responsibility,
    coin_odds,
    coin_log_likelihood,
    coin_surrogate,
    coin_slope,
    coin_m_step,
    coin_expected_heads,
    first_responsibility,
    first_shares,
    first_step_of_a,
    first_step_of_b,
)
