"""Estimators with the interface of scikit-learn, which they need: `pip install exploring-em[sklearn]`.

The numerical work is that of emlib's models; here are only the checks, the starts and the names.
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "emlib.estimators needs scikit-learn: pip install exploring-em[sklearn]"
    ) from error

from emlib.estimators.bayesian import BayesianGaussianMixture
from emlib.estimators.counts import BernoulliMixture, PoissonMixture
from emlib.estimators.factor_analysis import FactorAnalysis
from emlib.estimators.gaussian import GaussianMixture
from emlib.estimators.hidden_markov import HiddenMarkov
from emlib.estimators.student import StudentMixture

__all__ = [
    "BayesianGaussianMixture",
    "BernoulliMixture",
    "FactorAnalysis",
    "GaussianMixture",
    "HiddenMarkov",
    "PoissonMixture",
    "StudentMixture",
]
