"""Exponential families: what a mixture is made of, one family a file."""

from emlib.families.bernoulli import Bernoulli, Bernoullis
from emlib.families.family import ExponentialFamily, Family, Sums, maximum_likelihood
from emlib.families.gaussian import Gaussian, Gaussians
from emlib.families.moments import Moments
from emlib.families.poisson import Poisson, Poissons

__all__ = [
    "Bernoulli",
    "Bernoullis",
    "ExponentialFamily",
    "Family",
    "Gaussian",
    "Gaussians",
    "Moments",
    "Poisson",
    "Poissons",
    "Sums",
    "maximum_likelihood",
]
