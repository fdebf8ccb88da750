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

from emlib.arrays import Array, log_floored, log_sum_exp, real

if TYPE_CHECKING:
    from jaxtyping import Float
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
    rows = _distributions(q, "q")
    return float(-(rows * log_floored(rows)).sum())


def kl_divergence(q: ArrayLike, p: ArrayLike) -> float:
    """KL(q || p) = sum q log(q / p) in nats, summed over observations; infinite where q > 0 = p.

    Shapes: both (k,) or both (n, k).
    """
    left, right = _distributions(q, "q"), _distributions(p, "p")
    if left.shape != right.shape:
        raise ValueError(f"q and p must have one shape, got {left.shape} and {right.shape}")
    if ((left > 0) & (right == 0)).any():
        return float("inf")
    return float((left * (log_floored(left) - log_floored(right))).sum())


def free_energy(q: ArrayLike, log_joint: ArrayLike) -> FreeEnergy:
    """The free-energy split of log p(x) for a discrete hidden variable with k states.

    Shapes: q and log_joint, the table of log p(x_n, z_n = k), are both (k,) or both (n, k).
    """
    rows = _distributions(q, "q")
    joint = np.atleast_2d(real(log_joint, "log_joint"))
    if rows.shape != joint.shape:
        raise ValueError(f"q and log_joint must have one shape, got {rows.shape} and {joint.shape}")
    posterior = np.exp(joint - log_sum_exp(joint)[:, None])
    return FreeEnergy(
        expected_log_joint=float((rows * joint).sum()),
        entropy=entropy(rows),
        gap=kl_divergence(rows, posterior / posterior.sum(axis=1, keepdims=True)),
    )


def _distributions(values: ArrayLike, name: str) -> Float[Array, "n k"]:
    rows = np.atleast_2d(real(values, name))
    if rows.ndim != 2:
        raise ValueError(f"{name}: expected shape (k,) or (n, k), got {rows.shape}")
    totals = rows.sum(axis=1)
    if (rows < 0).any() or (abs(totals - 1) > 1e-8).any():
        worst = float(totals[abs(totals - 1).argmax()])
        raise ValueError(
            f"{name}: each row must be a distribution (no entry below 0, sum 1); smallest entry {rows.min():g}, "
            f"sum farthest from 1 is {worst:g}. Divide each row by its sum"
        )
    return rows
