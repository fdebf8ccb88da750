"""Variants of EM: each is a model around a model, or another iterator of steps; one idea a file."""

from emlib.variants.aitken import aitken
from emlib.variants.incremental import incremental_steps
from emlib.variants.map import MaximumPosterior, PseudoData
from emlib.variants.online import learn, online_steps
from emlib.variants.priors import (
    MixturePrior,
    NormalInverseWishart,
    beta,
    fraley_raftery,
    gamma,
    normal_inverse_wishart,
    ridge,
)
from emlib.variants.squarem import squarem_steps
from emlib.variants.tempered import Tempered, anneal, hard
from emlib.variants.variational import Beliefs, VariationalGaussians, common_prior, default_prior

__all__ = [
    "Beliefs",
    "MaximumPosterior",
    "MixturePrior",
    "NormalInverseWishart",
    "PseudoData",
    "Tempered",
    "VariationalGaussians",
    "aitken",
    "anneal",
    "beta",
    "common_prior",
    "default_prior",
    "fraley_raftery",
    "gamma",
    "hard",
    "incremental_steps",
    "learn",
    "normal_inverse_wishart",
    "online_steps",
    "ridge",
    "squarem_steps",
]
