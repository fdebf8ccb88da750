"""How much EM has still to gain: Aitken's extrapolation of the log-likelihoods.

EM converges linearly, so its gains shrink by a constant factor a in the end, and what is left after a gain g is the
geometric series g a + g a^2 + ... = g a / (1 - a). Near a = 1 that is a large multiple of the gain.

Source: Boehning, Dietz, Schaub, Schlattmann & Lindsay (1994), "The distribution of the likelihood ratio for mixtures of
densities from the one-parameter exponential family", Annals of the Institute of Statistical Mathematics 46; McNicholas,
Murphy, McDaid & Frost (2010), "Serial and parallel implementations of model-based clustering via parsimonious Gaussian
mixture models", Computational Statistics & Data Analysis 54.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emlib.em import Step


def aitken(steps: Sequence[Step[Any, Any]]) -> float:
    """Nats between the last log-likelihood and the limit that the last three foretell: `em(..., remaining=aitken)`.

    It is made for the gains of `em_steps`, which shrink by a constant factor in the end; those of `squarem_steps` do
    not, and it may stop such a run early.

    Infinite while the gains do not shrink, and NaN once they are lost in the rounding of the log-likelihood. Within
    rounding, the largest of the possible limits is taken.
    """
    if len(steps) < 3:
        return np.inf
    before, between, last = (step.log_likelihood for step in steps[-3:])
    noise = 8 * float(np.spacing(abs(last)))
    earlier, later = between - before, last - between
    if max(earlier, later) <= noise:
        return np.nan
    gain = later + noise
    factor = gain / (earlier - noise) if earlier > noise else np.inf
    return gain * factor / (1 - factor) if factor < 1 else np.inf
