"""The derivations of the chapter on the number of components: what is counted, what is penalised, what is believed."""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic import conjugate
from emlib.symbolic.bound import (
    evidence,
    gibbs,
    j,
    joint,
    k,
    posterior,
    q,
    q_is_distribution,
    r_is_distribution,
    states,
)
from emlib.symbolic.bound import r as model_probability
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import square
from emlib.symbolic.likelihood import (
    N,
    data,
    log_tangent,
    mu,
    n,
    normal_log_likelihood,
    ratio,
    sample_moments,
    v,
    x_bar,
)
from emlib.symbolic.mixtures import joint as joint_of_k
from emlib.symbolic.mixtures import rest
from emlib.symbolic.notation import NormalDensity, in_order, named

# ---- counting parameters ---------------------------------------------------------------------------

d = sp.Symbol("d", integer=True, positive=True)
i = sp.Symbol("i", integer=True)
components = sp.Symbol("K", integer=True, positive=True)
volumes, shapes, orientations = sp.symbols("c_V c_S c_O", integer=True, nonnegative=True)
half = sp.Rational(1, 2)
_rows, _columns = (i, 1, d), (j, 1, d)
symmetric_entries = half * in_order(sp.Sum(sp.Sum(1, _columns), _rows), sp.Sum(1, _rows))


@cache
def symmetric_matrix() -> Derivation:
    """A symmetric matrix in $d$ dimensions has $d(d+1)/2$ entries of its own."""
    return Derivation("eq-count-symmetric", symmetric_entries).equals(
        d * (d + 1) / 2,
        because="all entries and once more the diagonal: that counts every pair of entries twice",
    )


@cache
def orthogonal_matrix() -> Derivation:
    """An orthogonal matrix in $d$ dimensions is described by $d(d-1)/2$ angles."""
    entries = sp.Sum(sp.Sum(1, _columns), _rows)
    return Derivation("eq-count-orthogonal", in_order(entries, -symmetric_entries)).equals(
        d * (d - 1) / 2,
        because="its $d^2$ entries meet the conditions $D^\\top D=I$, as many as a symmetric matrix has entries",
    )


@cache
def parsimonious_models() -> Derivation:
    """The covariances of the fourteen models have as many parameters as their volumes, shapes and orientations.

    Source: Celeux & Govaert (1995), "Gaussian parsimonious clustering models", Pattern Recognition 28(5), table 1.
    """
    shape = in_order(sp.Sum(1, _rows), -1)
    start = volumes + shapes * shape + orientations * orthogonal_matrix().start
    return Derivation("eq-count-parsimonious", start).equals(
        in_order(volumes, shapes * (d - 1), orientations * d * (d - 1) / 2),
        because="$c_V$ volumes, $c_S$ shapes (each $d$ lengths of product one) and $c_O$ orientations: "
        "E stands for one, V for $K$, I for none",
    )


@cache
def free_ellipsoids() -> Derivation:
    """Volume, shape and orientation together are as many numbers as a covariance matrix has entries."""
    counts = {volumes: components, shapes: components, orientations: components}
    return Derivation("eq-count-vvv", parsimonious_models().end.subs(counts)).equals(
        components * d * (d + 1) / 2,
        because="the model VVV: one, $d-1$ and $d(d-1)/2$ for each component",
    )


@cache
def mixture_count() -> Derivation:
    """A mixture of $K$ Gaussians in $d$ dimensions with free covariances has $K(d+1)(d+2)/2 - 1$ parameters."""
    total = in_order(components - 1, components * d, free_ellipsoids().start)
    return Derivation("eq-count-mixture", total).equals(
        components * (d + 1) * (d + 2) / 2 - 1,
        because="weights that add up to one, means, and covariances; two components of two columns have eleven",
    )


# ---- BIC, AIC and ICL ------------------------------------------------------------------------------

theta = sp.Symbol("theta", real=True)
theta_hat = sp.Symbol(r"\hat{\theta}", real=True)
h = sp.Symbol("h", positive=True)
whole_line = (-sp.oo, sp.oo)


@cache
def laplace() -> Derivation:
    r"""The area under a log-likelihood that is a parabola is its height times a width that shrinks like $1/\sqrt{N}$.

    Source: Schwarz (1978), "Estimating the dimension of a model", Annals of Statistics 6(2).
    """
    top = sp.Symbol(r"\hat{\ell}", real=True)
    curve = sp.exp(top - N * h * (theta - theta_hat) ** 2 / 2)
    return Derivation("eq-laplace", sp.Integral(curve, (theta, *whole_line))).equals(
        sp.exp(top) * sp.sqrt(2 * sp.pi / (N * h)),
        because="a Gaussian integral; $h$ is the curvature that one observation brings",
    )


prior_mean = sp.Symbol("m_0", real=True)
prior_variance = sp.Symbol("tau", positive=True)


@cache
def parabola() -> Derivation:
    """The log-likelihood of a normal mean is a parabola about the mean of the sample."""
    return Derivation("eq-parabola", normal_log_likelihood(mu, v), given=sample_moments[:1]).equals(
        in_order(normal_log_likelihood(x_bar, v), -N * (x_bar - mu) ** 2 / (2 * v)),
        because="split each distance at the mean of the sample; the mixed terms add up to zero",
    )


@cache
def evidence_of_a_mean() -> Derivation:
    """The evidence of a normal mean: the best likelihood, times a width, times the prior density at the best mean."""
    top = named(r"L(\bar{x})", sp.exp(sp.Symbol(r"\ell(\bar{x})", real=True)))
    likelihood = top * sp.exp(-N * (x_bar - mu) ** 2 / (2 * v))
    believed = NormalDensity(mu, prior_mean, prior_variance)
    return Derivation("eq-evidence", sp.Integral(likelihood * believed, (mu, *whole_line))).equals(
        top * sp.sqrt(2 * sp.pi * v / N) * NormalDensity(x_bar, prior_mean, prior_variance + v / N),
        because="the likelihood is the parabola of {eq}`eq-parabola` in the exponent; two Gaussians of variances "
        "$v/N$ and $\\tau$ make one of variance $\\tau+v/N$",
    )


sample_size = sp.Symbol("N", positive=True)


@cache
def what_bic_drops() -> Derivation:
    """Log-evidence less the best log-likelihood, plus half a logarithm of $N$ for one parameter, stays finite."""
    width = sp.sqrt(2 * sp.pi * v / sample_size)
    density = NormalDensity(x_bar, prior_mean, prior_variance + v / sample_size)
    left = sp.log(width * density.meaning) + sp.log(sample_size) / 2
    return Derivation("eq-bic-remainder", sp.Limit(left, sample_size, sp.oo)).equals(
        in_order(
            sp.log(2 * sp.pi * v) / 2, sp.log(NormalDensity(x_bar, prior_mean, prior_variance))
        ),
        because="the width of {eq}`eq-evidence` brings $-\\frac12\\log N$, its prior density tends to that at "
        "$\\bar x$: BIC drops a term that does not grow",
    )


curvature = sp.IndexedBase("h", positive=True)
coordinate = sp.Symbol("t", real=True)
coordinates = (i, 1, d)


@cache
def laplace_in_d() -> Derivation:
    """In $d$ dimensions every parameter takes half a logarithm of $N$ from the log-evidence, whatever its curvature.

    Source: Schwarz (1978), "Estimating the dimension of a model", Annals of Statistics 6(2).
    """
    area = sp.Integral(sp.exp(-N * curvature[i] * coordinate**2 / 2), (coordinate, *whole_line))
    return Derivation("eq-bic", sp.log(sp.Product(area, coordinates))).equals(
        in_order(
            -d * sp.log(N) / 2,
            d * sp.log(2 * sp.pi) / 2,
            -half * sp.Sum(sp.log(curvature[i]), coordinates),
        ),
        because="along the axes of the Hessian the integral is a product, each factor $\\sqrt{2\\pi/(Nh_i)}$; only "
        "$-\\frac d2\\log N$ grows, and BIC is $-2$ times it and the best log-likelihood",
    )


@cache
def bic_share() -> Derivation:
    """Relative to log N, what BIC drops vanishes: log-evidence less the best log-likelihood tends to minus d/2."""
    constant = sp.Symbol("C", real=True)
    left = (-d * sp.log(sample_size) / 2 + constant) / sp.log(sample_size)
    return Derivation("eq-bic-limit", sp.Limit(left, sample_size, sp.oo)).equals(
        -d / 2, because="$C$ stands for the terms of {eq}`eq-bic` without $N$, and the log-prior"
    )


@cache
def gain_on_own_data() -> Derivation:
    """The fitted mean scores higher on its own data than the true mean does."""
    true_mean = mu
    gain = normal_log_likelihood(x_bar, v) - normal_log_likelihood(true_mean, v)
    return Derivation("eq-aic-gain", gain, given=sample_moments[:1]).equals(
        N * (x_bar - mu) ** 2 / (2 * v),
        because="by {eq}`eq-parabola`; on new data it loses as much on average, so that the optimism is twice this",
    )


new_datum = sp.Symbol("x'", real=True)


@cache
def loss_on_new_data() -> Derivation:
    """On a new observation the fitted mean scores lower on average, by half its squared distance from the true one."""
    true = NormalDensity(new_datum, mu, v)
    loss = sp.log(true) - sp.log(NormalDensity(new_datum, x_bar, v))
    return Derivation("eq-aic-loss", sp.Integral(true * loss, (new_datum, *whole_line))).equals(
        (x_bar - mu) ** 2 / (2 * v),
        because="the average of $(x'-\\bar x)^2-(x'-\\mu)^2$ over $x'$ is $(\\bar x-\\mu)^2$; $N$ new ones "
        "lose $N$ times it",
    )


@cache
def optimism() -> Derivation:
    """The expected optimism of a fitted mean is one nat: AIC takes one for each parameter.

    Source: Akaike (1974), "A new look at the statistical model identification", IEEE Transactions on
    Automatic Control 19(6).
    """
    both = N * (x_bar - mu) ** 2 / v
    average = sp.Integral(both * NormalDensity(x_bar, mu, v / N), (x_bar, *whole_line))
    return Derivation("eq-aic", average).equals(
        1,
        because="gain {eq}`eq-aic-gain` plus $N$ losses {eq}`eq-aic-loss`; the variance of $\\bar x$ is $v/N$",
    )


@cache
def icl_soft() -> Derivation:
    """The expected log-joint is the log-evidence minus the entropy of the responsibilities.

    Source: Biernacki, Celeux & Govaert (2000), "Assessing a mixture model for clustering with the integrated completed
    likelihood", IEEE Transactions on Pattern Analysis and Machine Intelligence 22(7), section 3.
    """
    entropy = -sp.Sum(posterior(k) * sp.log(posterior(k)), states)
    return Derivation("eq-icl-soft", sp.Sum(posterior(k) * sp.log(joint[k]), states)).equals(
        in_order(sp.log(evidence), -named("H(r)", entropy)),
        because="$p_k=p(x\\mid\\theta)\\,r_k$ for every $k$, and the $r_k$ add up to one",
    )


@cache
def icl_hard() -> Derivation:
    """ICL is BIC plus twice the log-responsibilities that the assigned components lack of one.

    Source: Biernacki, Celeux & Govaert (2000), section 3.
    """
    assigned = sp.IndexedBase("p", positive=True)
    whole = sp.IndexedBase("e", positive=True)
    penalty = sp.Symbol("df", positive=True) * sp.log(N)
    share = assigned[n] / whole[n]
    bic = named(r"\mathrm{BIC}", -2 * sp.Sum(sp.log(whole[n]), data) + penalty)
    icl = named(r"\mathrm{ICL}", -2 * sp.Sum(sp.log(assigned[n]), data) + penalty)
    return (
        Derivation("eq-icl", icl)
        .equals(
            in_order(-2 * sp.Sum(sp.log(assigned[n]), data), penalty),
            because="$p_n$ is the joint density of $x_n$ and the component that it is assigned to",
        )
        .equals(
            in_order(bic, -2 * sp.Sum(sp.log(share), data)),
            because="divide and multiply by the evidence $e_n$ of $x_n$: $p_n/e_n$ is the largest responsibility",
        )
    )


rarer = sp.IndexedBase("s", real=True)
largest = sp.Symbol("r_1", positive=True)
shares_add_up = sp.Eq(sp.Sum(largest * sp.exp(-(rarer[k] ** 2)), states), 1)


@cache
def hard_under_soft() -> Derivation:
    """The hard assignment's penalty is no more than the entropy: both vanish where the components do not overlap."""
    smaller = largest * sp.exp(-(rarer[k] ** 2))
    entropy = -sp.Sum(smaller * sp.log(smaller), states)
    return Derivation("eq-icl-order", entropy, given=(shares_add_up,)).at_least(
        -sp.log(largest),
        because="write the responsibilities $r_1e^{-s_k^2}$, below the largest: their logarithms are lower by $s_k^2$",
        by=square(rarer[k]).times(smaller).summed(*states),
    )


@cache
def one_more_component() -> Derivation:
    """A component may be split into two that are equal, so $K + 1$ components never fit worse than $K$."""
    part = sp.Symbol("t", real=True)
    ell = sp.Sum(sp.log(in_order(part * joint_of_k, (1 - part) * joint_of_k, rest[n])), data)
    return Derivation("eq-split", ell).equals(
        sp.Sum(sp.log(in_order(joint_of_k, rest[n])), data),
        because="shares $t$ and $1-t$ of one density are that density: the best of $K+1$ components is at least as "
        "good, and the likelihood-ratio statistic is never negative",
    )


@cache
def proper_score() -> Derivation:
    """On new data no model has a higher expected log-score than the truth, which is why held-out scores can be trusted.

    Source: Gneiting & Raftery (2007), "Strictly proper scoring rules, prediction, and estimation", JASA 102, section 4.
    """
    score = sp.Sum(q[k] * sp.log(q[k]), states)
    return Derivation(
        "eq-proper-score", score, given=(q_is_distribution, r_is_distribution)
    ).at_least(
        sp.Sum(q[k] * sp.log(model_probability[k]), states),
        because="$q$ is the truth and $r$ the model; the difference is a KL",
        by=gibbs().lemma(),
    )


model_mean = sp.Symbol("m", real=True)
model_variance = sp.Symbol("w", positive=True)


@cache
def normal_score() -> Derivation:
    """For a normal truth and a normal model, what the expected log-score loses splits into variance and mean."""
    outcome = sp.Symbol("x", real=True)
    truth = NormalDensity(outcome, mu, v)
    model = NormalDensity(outcome, model_mean, model_variance)
    lost = sp.Integral(truth * sp.log(truth / model), (outcome, *whole_line))
    quotient = v / model_variance
    return (
        Derivation("eq-normal-score", lost)
        .equals(
            half
            * in_order(quotient, -1, -sp.log(quotient), (mu - model_mean) ** 2 / model_variance),
            because="under the truth $x$ has mean $\\mu$ and variance $v$",
        )
        .at_least(
            0,
            because="$u-1-\\log u\\ge0$ at $u=v/w$, and a square is never negative",
            by=log_tangent.at({ratio: quotient}).times(half)
            + square(mu - model_mean).times(1 / (2 * model_variance)),
        )
    )


DERIVATIONS = (
    symmetric_matrix,
    orthogonal_matrix,
    parsimonious_models,
    free_ellipsoids,
    mixture_count,
    laplace,
    parabola,
    evidence_of_a_mean,
    what_bic_drops,
    laplace_in_d,
    bic_share,
    gain_on_own_data,
    loss_on_new_data,
    optimism,
    icl_soft,
    icl_hard,
    hard_under_soft,
    one_more_component,
    proper_score,
    normal_score,
    *conjugate.DERIVATIONS,
)
