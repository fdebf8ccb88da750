"""The derivations of the chapter on time and continuous hidden variables (book/sequences.md), from six modules."""

from __future__ import annotations

from emlib.symbolic import baum_welch, factor_em, factors, kalman, paths, trellis

DERIVATIONS = (
    *paths.DERIVATIONS,
    *trellis.DERIVATIONS,
    *baum_welch.DERIVATIONS,
    *factors.DERIVATIONS,
    *factor_em.DERIVATIONS,
    *kalman.DERIVATIONS,
)
