"""The identity behind EM: log-likelihood = free energy + KL gap.

For hidden variables with any distribution q, and joint density p(x, z | theta),

    log p(x | theta) = E_q[log p(x, z | theta)] + H(q)  +  KL(q || p(z | x, theta))
                       `-------- free energy ---------'    `-------- gap --------'

Source: Neal & Hinton (1998), "A view of the EM algorithm that justifies incremental, sparse, and other variants",
eqs. (6)-(8). Proved in `emlib.symbolic.bound`; the chapter is book/bound.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emlib.arrays import distributions, log_floored, log_sum_exp, real

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class FreeEnergy:
    """The log-likelihood taken apart, in nats: expected log-joint + entropy + gap."""

    expected_log_joint: float
    """E_q[log p(x, z | theta)]: the surrogate Q when q is the posterior of the step before."""
    entropy: float
    """H(q)."""
    gap: float
    """KL(q || p(z | x, theta)), zero exactly when q is the posterior."""

    @property
    def free_energy(self) -> float:
        """F(q, theta), the lower bound."""
        return self.expected_log_joint + self.entropy

    @property
    def log_likelihood(self) -> float:
        """Log p(x | theta)."""
        return self.free_energy + self.gap


def entropy(q: ArrayLike) -> float:
    """H(q) = -sum q log q in nats, summed over observations.

    Shapes: q is (k,) for one observation or (n, k) for n independent ones.
    """
    rows = distributions(q, "q")
    return float(-(rows * log_floored(rows)).sum())


def kl_divergence(q: ArrayLike, p: ArrayLike) -> float:
    """KL(q || p) = sum q log(q / p) in nats, summed over observations; infinite where q > 0 = p.

    Shapes: both (k,) or both (n, k).
    """
    left, right = distributions(q, "q"), distributions(p, "p")
    if left.shape != right.shape:
        raise ValueError(f"q and p must have one shape, got {left.shape} and {right.shape}")
    if ((left > 0) & (right == 0)).any():
        return float("inf")
    return float((left * (log_floored(left) - log_floored(right))).sum())


def free_energy(q: ArrayLike, log_joint: ArrayLike) -> FreeEnergy:
    """The free-energy split of log p(x) for a discrete hidden variable with k states.

    Shapes: q and log_joint, the table of log p(x_n, z_n = k), are both (k,) or both (n, k).
    """
    rows = distributions(q, "q")
    joint = np.atleast_2d(real(log_joint, "log_joint"))
    if rows.shape != joint.shape:
        raise ValueError(f"q and log_joint must have one shape, got {rows.shape} and {joint.shape}")
    # In logarithms throughout: a posterior probability may be too small for a number.
    log_posterior = joint - log_sum_exp(joint)[:, None]
    return FreeEnergy(
        expected_log_joint=float((rows * joint).sum()),
        entropy=entropy(rows),
        gap=float((rows * (log_floored(rows) - log_posterior)).sum()),
    )
