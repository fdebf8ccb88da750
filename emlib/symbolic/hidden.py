"""Any model with finitely many hidden states, as the chapters on ascent and on speed speak of it.

Observation n has hidden state k with joint density p_nk(theta) = p(x_n, z_n = k | theta), any positive function with
two derivatives. The one parameter theta may be a coordinate along any line through the space of many parameters: a
gradient is known by its slopes along all lines, and a symmetric matrix by its curvatures.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from emlib.symbolic.bound import K, gibbs_for, j, k
from emlib.symbolic.inequality import NonNegative
from emlib.symbolic.likelihood import data, n
from emlib.symbolic.notation import NamedEntry, latex, named

theta = sp.Symbol("theta", real=True)
theta_new = sp.Symbol(r"\theta'", real=True)
theta_old = sp.Symbol("theta_0", real=True)


class Table(sp.Function):  # type: ignore[misc]
    """A quantity for each observation and state, as a function of the parameter."""

    nargs = 3
    is_real = True
    letter: str
    moves = True
    """Whether the last argument is the parameter; else all of them are indices."""

    def _latex(self, printer: LatexPrinter, exp: str | None = None) -> str:
        shown = [printer.doprint(argument) for argument in self.args]
        place, params = (shown[:-1], f"({shown[-1]})") if self.moves else (shown, "")
        power = "" if exp is None else f"^{{{exp}}}"
        return f"{self.letter}_{{{''.join(place)}}}{power}{params}"


class Joint(Table):
    """p_nk(theta): the joint density."""

    letter = "p"
    is_positive = True

    def fdiff(self, argindex: int = 3) -> sp.Expr:
        """The density times its score."""
        return self * Score(*self.args)


class Score(Table):
    """s_nk(theta): the slope of log p_nk, the score if the state were known."""

    letter = "s"

    def fdiff(self, argindex: int = 3) -> sp.Expr:
        """The second derivative of log p_nk."""
        return ScoreSlope(*self.args)


class ScoreSlope(Table):
    """s'_nk(theta): the second derivative of log p_nk."""

    letter = "s'"


class Posterior(Table, NamedEntry):
    """r_nk(theta): the responsibility."""

    letter = "r"
    is_positive = True

    @property
    def meaning(self) -> sp.Expr:
        """Joint density over evidence."""
        at, state, params = self.args
        return Joint(at, state, params) / sp.Sum(Joint(at, j, params), (j, 1, K))


class MeanScore(Table, NamedEntry):
    """The mean of the score under the posterior of observation n."""

    nargs = 2
    letter = r"\bar{s}"

    @property
    def meaning(self) -> sp.Expr:
        """The average over the states."""
        at, params = self.args
        return sp.Sum(Posterior(at, j, params) * Score(at, j, params), (j, 1, K))


class Guess(Table, NamedEntry):
    """q_nk: any distribution over the states of each observation, as positive numbers over their sum."""

    nargs = 2
    letter = "q"
    moves = False
    is_positive = True

    @property
    def meaning(self) -> sp.Expr:
        """A number for each state, divided by what they add up to."""
        at, state = self.args
        size = sp.IndexedBase("a", positive=True)
        return size[at, state] / sp.Sum(size[at, j], (j, 1, K))


guess = Guess(n, k)


def over_all(summand: Any) -> sp.Expr:
    """The summand added over the states and the observations."""
    return sp.Sum(sp.Sum(summand, (k, 1, K)), data)


def log_likelihood(params: sp.Expr) -> sp.Expr:
    """ell(params) = sum_n log sum_k p_nk(params)."""
    summand = sp.log(sp.Sum(Joint(n, k, params), (k, 1, K)))
    return named(rf"\ell({latex(params)})", sp.Sum(summand, data))


def surrogate(params: sp.Expr, old: sp.Expr) -> sp.Expr:
    """Q(params | old): the expected log-joint under the posterior of old params."""
    meaning = over_all(Posterior(n, k, old) * sp.log(Joint(n, k, params)))
    return named(rf"Q({latex(params)} \mid {latex(old)})", meaning)


def free_energy(table: sp.Expr, params: sp.Expr) -> sp.Expr:
    """F(table, params), for a guess or for the posterior of some params."""
    meaning = over_all(table * sp.log(Joint(n, k, params) / table))
    return named(rf"F({_whole(table)}, {latex(params)})", meaning)


def divergence(left: sp.Expr, right: sp.Expr) -> sp.Expr:
    """KL(left || right), added over the observations."""
    meaning = over_all(left * sp.log(left / right))
    return named(rf"\mathrm{{KL}}({_whole(left)} \,\|\, {_whole(right)})", meaning)


def divergence_lemma(left: sp.Expr, right: sp.Expr) -> NonNegative:
    """Gibbs' inequality for each observation, added up."""
    return gibbs_for(left, right).summed(*data)


def posterior(params: sp.Expr) -> sp.Expr:
    """r_nk(params), with the indices n and k."""
    return Posterior(n, k, params)


def _whole(table: sp.Expr) -> str:
    """The table's name without its indices."""
    return "q" if isinstance(table, Guess) else f"r({latex(table.args[-1])})"
