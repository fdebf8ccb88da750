"""Mean field on a correlated Gaussian: what a guess without correlation makes of a target that has it.

The target is p(z_1) p(z_2 | z_1): z_1 has mean mu_1 and variance sigma_1^2; given z_1, the mean of z_2 lies on a line
of slope beta through (mu_1, mu_2), and its variance is w. So sigma_2^2 = w + beta^2 sigma_1^2 and
rho = beta sigma_1 / sigma_2: beta = rho sigma_2 / sigma_1 and w = sigma_2^2 (1 - rho^2).

Source: Bishop (2006), "Pattern Recognition and Machine Learning", section 10.1.2, eqs. (10.10)-(10.17).
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import NormalDensity, in_order, named

z_1, z_2, mu_1, mu_2, m_1, m_2, beta = sp.symbols("z_1 z_2 mu_1 mu_2 m_1 m_2 beta", real=True)
sigma_1, v_1, v_2, w = sp.symbols("sigma_1 v_1 v_2 w", positive=True)
sigma_2 = named(r"\sigma_2", sp.sqrt(w + beta**2 * sigma_1**2))
rho = named(r"\rho", beta * sigma_1 / sigma_2)

marginal = NormalDensity(z_1, mu_1, sigma_1**2)
regression = mu_2 + beta * (z_1 - mu_1)
conditional = NormalDensity(z_2, regression, w)
q_1 = named("q_1", NormalDensity(z_1, m_1, v_1))
q_2 = named("q_2", NormalDensity(z_2, m_2, v_2))
target = named("p", marginal * conditional)
log_target = sp.log(target)
line = (-sp.oo, sp.oo)

best_1, best_2 = sigma_1**2 * (1 - rho**2), sigma_2**2 * (1 - rho**2)
offset_1, offset_2 = m_1 - mu_1, m_2 - mu_2
half = sp.Rational(1, 2)
missing = -sp.log(1 - rho**2) / 2


def divergence(mean_1: sp.Expr, mean_2: sp.Expr, name: str) -> sp.Expr:
    """KL(q || p) at these means and the best variances, by `exclusive`."""
    at = {m_1: mean_1, m_2: mean_2, v_1: best_1, v_2: best_2}
    return named(name, exclusive().claims[1].right.subs(at, simultaneous=True))


def misfit(quotient: sp.Expr) -> sp.Expr:
    """U - 1 - log u."""
    return in_order(quotient, -1, -sp.log(quotient))


@cache
def correlation() -> Derivation:
    """What the other coordinate leaves of a variance is the share that the correlation does not explain."""
    return Derivation("eq-correlation", sigma_2**2 * (1 - rho**2)).equals(
        w,
        because="with $\\sigma_2^2=w+\\beta^2\\sigma_1^2$ and $\\rho=\\beta\\sigma_1/\\sigma_2$, the share $\\rho^2$ "
        "of $\\sigma_2^2$ is $\\beta^2\\sigma_1^2$",
    )


@cache
def precision() -> Derivation:
    """The precision of a coordinate, the other known, exceeds the inverse of its variance."""
    return (
        Derivation("eq-precision", -sp.Derivative(log_target, (z_1, 2)))
        .equals(
            1 / sigma_1**2 + beta**2 / w,
            because="the marginal of $z_1$ curves, and so does the density of $z_2$ given $z_1$",
        )
        .equals(
            1 / (sigma_1**2 * (1 - rho**2)),
            because="the first entry $\\Lambda_{11}$ of the precision matrix: the inverse of the variance of $z_1$ "
            "given $z_2$",
        )
    )


@cache
def factor_slope() -> Derivation:
    """The best factor of a correlated Gaussian is a Gaussian with the diagonal entry of the precision matrix."""
    best = NormalDensity(z_1, mu_1 + rho * sigma_1 / sigma_2 * (m_2 - mu_2), best_1)
    return (
        Derivation(
            "eq-mean-field-factor",
            sp.Integral(q_2 * sp.Derivative(log_target, z_1), (z_2, *line)),
        )
        .equals(
            in_order(-(z_1 - mu_1) / sigma_1**2, beta * (m_2 - mu_2 - beta * (z_1 - mu_1)) / w),
            because="the slope of the expected log-density is the expected slope; under $q_2$ only the mean $m_2$ "
            "matters",
        )
        .equals(
            sp.Derivative(sp.log(best), z_1),
            because="it is the slope of one Gaussian's logarithm, so $q_1^*\\propto\\exp\\mathbb{E}\\log p$ is that "
            "Gaussian",
        )
    )


@cache
def conditional_precision() -> Derivation:
    """In any dimension, a coordinate of a Gaussian given the others has the diagonal entry of the precision matrix."""
    d, i = sp.symbols("d i", integer=True)
    z, mu = sp.symbols("z mu", real=True)
    diagonal = sp.Symbol(r"\Lambda", positive=True)
    rest = sp.Symbol("c", real=True)
    cross, other, their_mean = (sp.IndexedBase(s, real=True) for s in (r"\Lambda", "z", "mu"))
    pull = sp.Sum(cross[i] * (other[i] - their_mean[i]), (i, 1, d))
    log_density = in_order(rest, -diagonal / 2 * (z - mu) ** 2, -(z - mu) * pull)
    best = NormalDensity(z, mu - pull / diagonal, 1 / diagonal)
    return Derivation("eq-conditional-precision", sp.Derivative(log_density, z)).equals(
        sp.Derivative(sp.log(best), z),
        because="$\\Lambda$ is the entry of the precision matrix on the diagonal, $\\Lambda_i$ those beside it, for "
        "the $d$ other coordinates $z_i$; $c$ does not contain $z$. Averaged over the others, "
        "$z_i$ becomes $m_i$: that is the best factor's mean",
    )


z, t, c, m = sp.symbols("z t c m", real=True)
s, v = sp.symbols("s v", positive=True)


@cache
def kl_of_normals() -> Derivation:
    """The divergence of one Gaussian from another is never negative, and zero only where mean and variance agree."""
    q, other = named("q", NormalDensity(z, m, v)), NormalDensity(z, c, w)
    lemma = log_tangent.at({ratio: v / w}).times(half) + square(m - c).times(1 / (2 * w))
    return (
        Derivation("eq-kl-normal", sp.Integral(q * in_order(sp.log(q), -sp.log(other)), (z, *line)))
        .equals(
            in_order(misfit(v / w), (m - c) ** 2 / w) / 2,
            because="under $q=\\mathcal{N}(m,v)$ the average of $(z-m)^2$ is $v$, that of $(z-c)^2$ is $v+(m-c)^2$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=v/w$, and a square is never negative",
            by=lemma,
        )
    )


def kl_normal(mean: sp.Expr, variance: sp.Expr, other: sp.Expr, left: sp.Expr) -> sp.Expr:
    """What `kl_of_normals` proves, for these means and variances."""
    return in_order(misfit(variance / left), (mean - other) ** 2 / left) / 2


@cache
def expected_conditional() -> Derivation:
    """Averaged over the others, a coordinate keeps its precision, and their means take their place."""
    return Derivation(
        "eq-expected-conditional",
        sp.Integral(NormalDensity(t, c, s) * sp.log(NormalDensity(z, t, w)), (t, *line)),
    ).equals(
        in_order(sp.log(NormalDensity(z, c, w)), -s / (2 * w)),
        because="given all others, a coordinate of a Gaussian in any dimension is $\\mathcal{N}(t,w)$, with "
        "$w=1/\\Lambda_{ii}$. Its mean $t$ is linear in the others: under their factors it is Gaussian, with a mean "
        "$c$ and a variance $s$. The average of $(z-t)^2$ is $(z-c)^2+s$",
    )


@cache
def best_coordinate() -> Derivation:
    """In any dimension, a coordinate's best mean is what the others foretell, and its best variance what they leave."""

    def f(mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
        q = NormalDensity(z, mean, variance)
        log_quotient = expected_conditional().end - sp.log(q)
        average = sp.Integral(q * log_quotient, (z, *line))
        return named(rf"F({sp.latex(mean)}, {sp.latex(variance)})", average)

    lemma = log_tangent.at({ratio: v / w}).times(half) + square(m - c).times(1 / (2 * w))
    return (
        Derivation("eq-mean-field-best", in_order(f(c, w), -f(m, v)))
        .equals(
            kl_normal(m, v, c, w),
            because="$F(m,v)$ is the part of the free energy that holds this coordinate's factor "
            "$\\mathcal{N}(m,v)$: the average of the log-density in {eq}`eq-expected-conditional`, and the entropy",
        )
        .at_least(
            0,
            because="it is the divergence in {eq}`eq-kl-normal`",
            by=lemma,
        )
    )


@cache
def exclusive() -> Derivation:
    r"""No guess without correlation comes nearer to a correlated Gaussian than $-\tfrac{1}{2}\log(1 - \rho^2)$."""
    of_second = named("K(z_1)", kl_normal(m_2, v_2, regression, w))
    inside = in_order(sp.log(q_1), -sp.log(marginal), of_second)
    squares = named("s", offset_1**2 / sigma_1**2 + (offset_2 - beta * offset_1) ** 2 / w)
    precision_1, precision_2 = 1 / sigma_1**2 + beta**2 / w, 1 / w
    u_1, u_2 = named("u_1", v_1 * precision_1), named("u_2", v_2 * precision_2)
    lemma = (
        log_tangent.at({ratio: u_1}).times(half)
        + log_tangent.at({ratio: u_2}).times(half)
        + square(offset_1).times(1 / (2 * sigma_1**2))
        + square(offset_2 - beta * offset_1).times(1 / (2 * w))
    )
    return (
        Derivation("eq-mean-field-kl", sp.Integral(q_1 * inside, (z_1, *line)))
        .equals(
            in_order(
                in_order(u_1, u_2, squares) / 2, -1, -sp.log(v_1 * v_2 / (sigma_1**2 * w)) / 2
            ),
            because="the bracket is the average over $q_2$ of $\\log q_1q_2-\\log p$, where $K(z_1)$ is the "
            "divergence of $q_2$ from $p(z_2\\mid z_1)$ by {eq}`eq-kl-normal`; average it over $q_1$. Here "
            "$u_i=v_i\\Lambda_{ii}$, with the precisions $\\Lambda_{11}=1/\\sigma_1^2+\\beta^2/w$ and "
            "$\\Lambda_{22}=1/w$, and $s$ is the sum "
            "$(m_1-\\mu_1)^2/\\sigma_1^2+(m_2-\\mu_2-\\beta(m_1-\\mu_1))^2/w$ of squares",
        )
        .equals(
            in_order(in_order(misfit(u_1), misfit(u_2), squares) / 2, missing),
            because="the determinant $\\sigma_1^2w$ is $1/\\Lambda_{11}\\Lambda_{22}$, divided by $1-\\rho^2$",
        )
        .at_least(
            missing,
            because="$u-1-\\log u\\ge0$ twice, and two squares: best are the means $\\mu_i$ and the variances "
            "$1/\\Lambda_{ii}=\\sigma_i^2(1-\\rho^2)$",
            by=lemma,
        )
    )


@cache
def inclusive_gaussian() -> Derivation:
    """With the divergence taken the other way round the best guess keeps the marginals, and misses the same amount."""
    of_second = named("K(z_1)", kl_normal(regression, w, m_2, v_2))
    inside = in_order(sp.log(marginal), -sp.log(q_1), of_second)
    squares = named("s", offset_1**2 / v_1 + offset_2**2 / v_2)
    spread_1, spread_2 = sigma_1**2, w + beta**2 * sigma_1**2
    u_1, u_2 = named("u_1", spread_1 / v_1), named("u_2", spread_2 / v_2)
    lemma = (
        log_tangent.at({ratio: u_1}).times(half)
        + log_tangent.at({ratio: u_2}).times(half)
        + square(offset_1).times(1 / (2 * v_1))
        + square(offset_2).times(1 / (2 * v_2))
    )
    return (
        Derivation("eq-inclusive-kl", sp.Integral(marginal * inside, (z_1, *line)))
        .equals(
            in_order(
                in_order(u_1, u_2, squares) / 2, -1, -sp.log(sigma_1**2 * w / (v_1 * v_2)) / 2
            ),
            because="$K(z_1)$ is now the divergence of $p(z_2\\mid z_1)$ from $q_2$; average over $p(z_1)$. Here "
            "$u_i=\\sigma_i^2/v_i$, with the variance $\\sigma_2^2=w+\\beta^2\\sigma_1^2$, and "
            "$s=(m_1-\\mu_1)^2/v_1+(m_2-\\mu_2)^2/v_2$",
        )
        .equals(
            in_order(in_order(misfit(u_1), misfit(u_2), squares) / 2, missing),
            because="the determinant $\\sigma_1^2w$ is $\\sigma_1^2\\sigma_2^2(1-\\rho^2)$",
        )
        .at_least(
            missing,
            because="best are the means $\\mu_i$ and now the full variances $\\sigma_i^2$",
            by=lemma,
        )
    )


updated_2 = named("m_2'", mu_2 + rho * sigma_2 / sigma_1 * (m_1 - mu_1))
updated_1 = named("m_1'", mu_1 + rho * sigma_1 / sigma_2 * (updated_2 - mu_2))


@cache
def mean_sweep() -> Derivation:
    """A sweep over both means brings the first nearer to its target by the square of the correlation."""
    return (
        Derivation("eq-mean-field-sweep", updated_1 - mu_1)
        .equals(
            rho * sigma_1 / sigma_2 * (updated_2 - mu_2),
            because="the best mean of the first factor, beside the mean $m_2'$ of the second",
        )
        .equals(
            rho**2 * (m_1 - mu_1),
            because="$m_2'=\\mu_2+\\rho\\frac{\\sigma_2}{\\sigma_1}(m_1-\\mu_1)$ was the best beside $m_1$",
        )
    )


@cache
def mean_rate() -> Derivation:
    """The rate of coordinate ascent on a correlated Gaussian is the square of the correlation."""
    return Derivation("eq-mean-field-rate", sp.Derivative(updated_1, m_1)).equals(
        rho**2,
        because="a sweep is linear in $m_1$, with $\\mu_1$ as its only fixed point: no correlation, one sweep; "
        "perfect correlation, no progress",
    )


@cache
def sweep_excess() -> Derivation:
    r"""Each sweep leaves the share $\rho^4$ of what the divergence has above its best value."""
    excess = in_order(
        divergence(updated_1, named("m_2''", updated_2.meaning.subs(m_1, updated_1)), "D'"),
        -divergence(mu_1, mu_2, r"\mathrm{KL}(q^* \,\|\, p)"),
    )
    return (
        Derivation("eq-mean-field-excess", excess)
        .equals(
            (updated_1 - mu_1) ** 2 / (2 * sigma_1**2),
            because="$D'$ is the divergence after the sweep, with $m_2$ at its best beside $m_1'$: a square in "
            "$m_1'-\\mu_1$ is left",
        )
        .equals(
            rho**4 * (m_1 - mu_1) ** 2 / (2 * sigma_1**2),
            because="by {eq}`eq-mean-field-sweep`; before the sweep it was this without $\\rho^4$",
        )
    )


DERIVATIONS = (
    correlation,
    precision,
    factor_slope,
    conditional_precision,
    kl_of_normals,
    expected_conditional,
    best_coordinate,
    exclusive,
    inclusive_gaussian,
    mean_sweep,
    mean_rate,
    sweep_excess,
)
