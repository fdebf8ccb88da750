"""The derivations of the chapter on the number of components."""

from __future__ import annotations

from collections.abc import Callable

from emlib.symbolic.derivation import Derivation

DERIVATIONS: tuple[Callable[[], Derivation], ...] = ()
