"""emlib: the EM algorithm, to read and to use.

The core is five nouns (`Model`, its params and stats, `Step`, `Trace`) and four verbs (`e_step`, `m_step`,
`em_steps`, `em`). Everything else is a model, or looks at a trace.
"""

from emlib.bound import FreeEnergy, entropy, free_energy, kl_divergence
from emlib.em import AscentError, Model, Statistics, Step, Stopped, Trace, em, em_steps
from emlib.mixture import Mixture, MixtureParams, MixtureStatistics

__all__ = [
    "AscentError",
    "FreeEnergy",
    "Mixture",
    "MixtureParams",
    "MixtureStatistics",
    "Model",
    "Statistics",
    "Step",
    "Stopped",
    "Trace",
    "em",
    "em_steps",
    "entropy",
    "free_energy",
    "kl_divergence",
]
