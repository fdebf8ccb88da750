"""emlib: the EM algorithm, to read and to use.

The core is five nouns (`Model`, its params and stats, `Step`, `Trace`) and four verbs (`e_step`, `m_step`,
`em_steps`, `em`). Everything else is a model, or looks at a trace.
"""

from typing import TYPE_CHECKING, Any

from emlib.bound import FreeEnergy, entropy, free_energy, kl_divergence
from emlib.data import Chunks, Weighted
from emlib.em import AscentError, Model, Statistics, Step, Stopped, Trace, em, em_steps
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics
from emlib.select import Selection, select

if TYPE_CHECKING:
    from emlib.estimators import (
        BayesianGaussianMixture,
        BernoulliMixture,
        FactorAnalysis,
        GaussianMixture,
        HiddenMarkov,
        PoissonMixture,
        StudentMixture,
    )

ESTIMATORS = (
    "BayesianGaussianMixture",
    "BernoulliMixture",
    "FactorAnalysis",
    "GaussianMixture",
    "HiddenMarkov",
    "PoissonMixture",
    "StudentMixture",
)

__all__ = [
    "AscentError",
    "BayesianGaussianMixture",
    "BernoulliMixture",
    "Chunks",
    "FactorAnalysis",
    "FreeEnergy",
    "GaussianMixture",
    "HiddenMarkov",
    "Mixture",
    "MixtureParams",
    "MixtureStatistics",
    "Model",
    "PoissonMixture",
    "Selection",
    "Statistics",
    "Step",
    "Stopped",
    "StudentMixture",
    "Trace",
    "Weighted",
    "em",
    "em_steps",
    "entropy",
    "free_energy",
    "kl_divergence",
    "select",
]


def __getattr__(name: str) -> Any:
    # The estimators need scikit-learn, which nothing else does: it is imported when the first of them is asked for.
    if name in ESTIMATORS:
        from emlib import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'emlib' has no attribute {name!r}")
