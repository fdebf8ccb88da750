"""What the M-steps of emlib's families gain, for comparison with what was derived."""

from __future__ import annotations

from typing import Any

import numpy as np


def shortfall(family: Any, data: np.ndarray, shares: np.ndarray, other: Any) -> float:
    """What Q loses where other params stand in place of the M-step's."""
    stats = family.expected_statistics(family.observations(data), shares[:, None], None)
    best = family.from_mean(stats)
    return float(
        family.expected_log_density(stats, best) - family.expected_log_density(stats, other)
    )
