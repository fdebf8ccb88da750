"""Exponential families, and what is made of them: what a mixture has for components, one a file."""

from emlib.families.bernoulli import Bernoulli, Bernoullis
from emlib.families.categorical import Categorical, Categoricals, Multinomial, Multinomials
from emlib.families.exponential import Exponential, Exponentials
from emlib.families.family import ExponentialFamily, Family, Sums, maximum_likelihood
from emlib.families.gaussian import Gaussian, Gaussians
from emlib.families.missing import MissingGaussian
from emlib.families.moments import Moments
from emlib.families.poisson import Poisson, Poissons
from emlib.families.product import Product, Products

__all__ = [
    "Bernoulli",
    "Bernoullis",
    "Categorical",
    "Categoricals",
    "Exponential",
    "ExponentialFamily",
    "Exponentials",
    "Family",
    "Gaussian",
    "Gaussians",
    "MissingGaussian",
    "Moments",
    "Multinomial",
    "Multinomials",
    "Poisson",
    "Poissons",
    "Product",
    "Products",
    "Sums",
    "maximum_likelihood",
]
