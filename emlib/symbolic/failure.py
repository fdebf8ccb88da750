"""The derivations of the chapter on the failures of EM."""

from __future__ import annotations

from collections.abc import Callable

from emlib.symbolic.derivation import Derivation

DERIVATIONS: tuple[Callable[[], Derivation], ...] = ()
