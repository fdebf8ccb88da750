"""The chapters of the book, and the module that holds the derivations of each.

Some chapters are not written yet; what is proved for them stands in the ledger already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from emlib.symbolic.derivation import Derivation


@dataclass(frozen=True)
class Chapter:
    """A chapter by its title, and where its derivations stand."""

    module: str
    """The module under `emlib.symbolic`; the one under `emlib.numbers` has the same name."""
    title: str

    @property
    def derivations(self) -> tuple[Callable[[], Derivation], ...]:
        """Functions that prove, one derivation each."""
        found: tuple[Callable[[], Derivation], ...] = import_module(
            f"emlib.symbolic.{self.module}"
        ).DERIVATIONS
        return found


CHAPTERS = (
    Chapter("likelihood", "Maximum likelihood"),
    Chapter("mixtures", "Why mixtures resist"),
    Chapter("coins", "Two coins"),
    Chapter("bound", "Jensen, KL and the bound"),
    Chapter("ascent", "EM is ascent"),
    Chapter("gaussian_mixtures", "Gaussian mixtures from scratch"),
    Chapter("rate", "How fast?"),
    Chapter("failure", "When EM fails"),
    Chapter("selection", "How many components?"),
    Chapter("families", "Beyond Gaussians"),
    Chapter("sequences", "Time and continuous hidden variables"),
    Chapter("variational", "When the guess cannot be the posterior"),
    Chapter("scale", "EM at scale"),
)
