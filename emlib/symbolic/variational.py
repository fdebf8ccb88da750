"""The derivations of the chapter on guesses that cannot be the posterior."""

from __future__ import annotations

from collections.abc import Callable

from emlib.symbolic.derivation import Derivation

DERIVATIONS: tuple[Callable[[], Derivation], ...] = ()
