"""The derivations of the chapter on time and continuous hidden variables: factor analysis and probabilistic PCA.

A vector of d columns is explained by q hidden factors and noise: x = mu + W z + noise, with z ~ N(0, I) and noise
variances Psi. One noise variance v for all columns makes it probabilistic principal component analysis (PPCA).

Source: Rubin & Thayer (1982); Ghahramani & Hinton (1996), section 2; Tipping & Bishop (1999), section 3.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.derivation import Derivation
from emlib.symbolic.matrices import (
    inner,
    positive_definite,
    quadratic,
    vector,
)
from emlib.symbolic.notation import NormalDensity, in_order

d, q = sp.symbols("d q", integer=True, positive=True)
n, i, j, k = sp.symbols("n i j k", integer=True)
other = sp.Symbol("l", integer=True)
x, z = vector("x", d), vector("z", q)
W = sp.MatrixSymbol("W", d, q)
Psi = positive_definite("Psi", d)
v = sp.Symbol("v", positive=True)
half = sp.Rational(1, 2)

covariance = Psi + W * W.T
precision = sp.Identity(q) + W.T * Psi.I * W
plain = W.T * W + v * sp.Identity(q)


# ---- the marginal and the posterior --------------------------------------------------------------


@cache
def covariance_of_columns() -> Derivation:
    """Two columns vary together by their loadings on the same factors, and a column with itself by its noise too."""
    loading = sp.IndexedBase("w", real=True)
    noise = sp.IndexedBase("psi", positive=True)
    same_factor = sp.KroneckerDelta(k, other)
    own_noise = sp.KroneckerDelta(i, j) * noise[i]
    pairs = sp.Sum(
        sp.Sum(loading[i, k] * loading[j, other] * same_factor, (other, 1, q)), (k, 1, q)
    )
    return Derivation("eq-factor-covariance", in_order(pairs, own_noise)).equals(
        in_order(sp.Sum(loading[i, k] * loading[j, k], (k, 1, q)), own_noise),
        because="the expectation of the product of $\\sum_kw_{ik}z_k$ and $\\sum_lw_{jl}z_l$ takes that of "
        "$z_kz_l$, which is one for $k=l$ and else zero; the noises of two columns do not go together. This is "
        "an entry of $WW^\\top+\\Psi$",
    )


@cache
def one_column() -> Derivation:
    """One factor summed out leaves a column normal: the square of its loading adds to the variance of its noise."""
    hidden, seen, mean, loading = sp.symbols("z x mu w", real=True)
    joint = NormalDensity(hidden, 0, 1) * NormalDensity(seen, mean + loading * hidden, v)
    return Derivation(
        "eq-factor-marginal", sp.log(sp.Integral(joint, (hidden, -sp.oo, sp.oo)))
    ).equals(
        sp.log(NormalDensity(seen, mean, loading**2 + v)),
        because="complete the square in $z$; the integral of what holds it is one",
    )


@cache
def woodbury() -> Derivation:
    """The inverse of the covariance of $d$ columns needs the inverse of a matrix of $q$ factors only (Woodbury)."""
    return Derivation("eq-woodbury", covariance.I).equals(
        Psi.I - Psi.I * W * precision.I * W.T * Psi.I,
        because="multiply by $\\Psi+WW^\\top$: what is not the identity cancels",
    )


posterior_mean = precision.I * W.T * Psi.I * x


@cache
def completed_square() -> Derivation:
    """The exponent of data and factors is a square about the posterior mean, and a rest without the factors."""
    rest = Psi.I - Psi.I * W * precision.I * W.T * Psi.I
    return Derivation(
        "eq-factor-posterior", in_order(quadratic(x - W * z, Psi.I), inner(z, z))
    ).equals(
        in_order(quadratic(z - posterior_mean, precision), quadratic(x, rest)),
        because="complete the square in $z$, with the mean of $x$ subtracted. So $z$ given $x$ is normal with "
        "covariance $(I+W^\\top\\Psi^{-1}W)^{-1}$ and the mean subtracted here; and the rest is the exponent of "
        "$x$, by {eq}`eq-woodbury` with covariance $\\Psi+WW^\\top$",
    )


@cache
def regression() -> Derivation:
    """The posterior mean is the regression of the factors on the columns."""
    return Derivation("eq-factor-regression", precision.I * W.T * Psi.I).equals(
        W.T * covariance.I,
        because="multiply by $I+W^\\top\\Psi^{-1}W$ from the left and by $\\Psi+WW^\\top$ from the right; "
        "$W^\\top$ is the covariance of factors and columns",
    )


@cache
def posterior_covariance() -> Derivation:
    """What the columns do not tell about the factors: the posterior covariance, in two forms."""
    return Derivation(
        "eq-factor-posterior-covariance", sp.Identity(q) - W.T * covariance.I * W
    ).equals(
        precision.I,
        because="the variance of a regression is what it does not explain; use {eq}`eq-factor-regression`",
    )


scale = sp.Symbol("s", positive=True)
_grown = Psi + scale * W * W.T
_small = sp.Identity(q) + scale * W.T * Psi.I * W


@cache
def determinant_slope() -> Derivation:
    """As the factors are let in, the log-determinant of the covariance rises by a trace."""
    return Derivation(
        "eq-determinant-slope", sp.Derivative(sp.log(sp.Determinant(_grown)), scale)
    ).equals(
        sp.Trace(W.T * _grown.I * W),
        because="the slope of a log-determinant is the trace of the inverse times the slope of the matrix; turn the "
        "product round under the trace",
    )


@cache
def determinant_exchange() -> Derivation:
    """The same matrix of $q$ factors, with an inverse of size $d$ and with one of size $q$."""
    return Derivation("eq-determinant-exchange", W.T * _grown.I * W).equals(
        _small.I * W.T * Psi.I * W,
        because="as in {eq}`eq-factor-regression`, with $sWW^\\top$ for $WW^\\top$",
    )


@cache
def determinant_lemma() -> Derivation:
    """The determinant of $d$ columns is that of the noise times one of $q$ factors (matrix determinant lemma)."""
    gap = in_order(
        sp.log(sp.Determinant(_small)),
        sp.log(sp.Determinant(Psi)),
    )
    return Derivation("eq-determinant-lemma", sp.Derivative(gap, scale)).equals(
        sp.Trace(_small.I * W.T * Psi.I * W),
        because="so $\\log|I+sW^\\top\\Psi^{-1}W|+\\log|\\Psi|$ has the slope of $\\log|\\Psi+sWW^\\top|$, by "
        "{eq}`eq-determinant-slope` and {eq}`eq-determinant-exchange`; both are $\\log|\\Psi|$ at $s=0$, and so "
        "they are equal at $s=1$",
    )


@cache
def ppca_mean() -> Derivation:
    """With one noise variance for all columns, the posterior mean needs no inverse of the noise."""
    start = (sp.Identity(q) + W.T * W / v).I * W.T / v
    return (
        Derivation("eq-ppca-mean", start)
        .equals(
            plain.I * W.T,
            because="put $\\Psi=vI$ in the regression of {eq}`eq-factor-posterior`, and take $v$ into the inverse",
        )
        .equals(
            W.T * (W * W.T + v * sp.Identity(d)).I,
            because="the same by the covariance of the columns",
        )
    )


@cache
def ppca_covariance() -> Derivation:
    """With one noise variance for all columns, the posterior covariance is a multiple of an inverse of $q$ factors."""
    return Derivation("eq-ppca-covariance", (sp.Identity(q) + W.T * W / v).I).equals(
        v * plain.I, because="put $\\Psi=vI$ in $(I+W^\\top\\Psi^{-1}W)^{-1}$"
    )


DERIVATIONS = (
    covariance_of_columns,
    one_column,
    woodbury,
    completed_square,
    regression,
    posterior_covariance,
    determinant_slope,
    determinant_exchange,
    determinant_lemma,
    ppca_mean,
    ppca_covariance,
)
