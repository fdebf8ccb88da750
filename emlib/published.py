"""Numbers that others printed, to be met digit by digit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Published:
    """A number as its source prints it."""

    printed: str
    """The digits, such as "-1034.002"."""
    source: str
    """Author, year and place."""

    def agrees(self, ours: float) -> bool:
        """Whether our value rounds to the printed digits."""
        if not math.isfinite(ours):
            return False
        printed = Decimal(self.printed)
        return (
            abs(Decimal(repr(float(ours))) - printed)
            <= Decimal(1).scaleb(int(printed.as_tuple().exponent)) / 2
        )

    def check(self, ours: float) -> float:
        """Our value, if it rounds to the printed digits.

        Raises:
            ArithmeticError: it does not; the message gives both.
        """
        if not self.agrees(ours):
            raise ArithmeticError(
                f"{self.source} prints {self.printed}; this computation gives {ours!r}"
            )
        return ours
