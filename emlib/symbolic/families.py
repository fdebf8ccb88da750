"""The derivations of the chapter on models beyond Gaussians."""

from __future__ import annotations

from collections.abc import Callable

from emlib.symbolic.derivation import Derivation

DERIVATIONS: tuple[Callable[[], Derivation], ...] = ()
