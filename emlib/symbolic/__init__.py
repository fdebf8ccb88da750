"""Derivations that prove their own lines. Needs SymPy: `pip install exploring-em[symbolic]`."""

from emlib.symbolic.derivation import Claim, Derivation
from emlib.symbolic.inequality import NonNegative, minimum, positive, quadratic_form, square
from emlib.symbolic.notation import NormalDensity, any_of, in_order, named, named_entry
from emlib.symbolic.reduce import ProofError, residue

__all__ = [
    "Claim",
    "Derivation",
    "NonNegative",
    "NormalDensity",
    "ProofError",
    "any_of",
    "in_order",
    "minimum",
    "named",
    "named_entry",
    "positive",
    "quadratic_form",
    "residue",
    "square",
]
