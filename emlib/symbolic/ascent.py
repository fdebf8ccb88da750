"""The derivations of the chapter on EM as ascent."""

from __future__ import annotations

from collections.abc import Callable

from emlib.symbolic.derivation import Derivation

DERIVATIONS: tuple[Callable[[], Derivation], ...] = ()
