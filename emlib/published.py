"""Numbers that others printed, to be met digit by digit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

EXACT = Fraction(1, 10**9)
"""How near, relatively, a float must come to a number that is printed as a fraction."""


@dataclass(frozen=True)
class Published:
    """A number as its source prints it."""

    printed: str
    """The digits, such as "-1034.002", or a fraction, such as "8/3"."""
    source: str
    """Author, year and place, such as "Louis (1982), example 1"."""
    cite: str | None = None
    """The key of the source in the book's bibliography."""

    @property
    def value(self) -> Fraction:
        """The printed number."""
        return Fraction(self.printed)

    @property
    def tolerance(self) -> Fraction:
        """Half a unit of the last printed digit."""
        if "/" in self.printed:
            return EXACT * abs(self.value)
        return Fraction(Decimal(1).scaleb(int(Decimal(self.printed).as_tuple().exponent))) / 2

    def agrees(self, ours: float) -> bool:
        """Whether our value rounds to the printed digits."""
        if not math.isfinite(ours):
            return False
        # As it would be printed, so that a tie is a tie.
        return abs(Fraction(repr(float(ours))) - self.value) <= self.tolerance

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


@dataclass(frozen=True)
class Comparison:
    """A published number beside ours.

    Raises:
        ArithmeticError: they differ, and nothing says why.
    """

    what: str
    """What the number is, in words that need no context."""
    published: Published
    ours: float
    because: str = ""
    """Why the two differ, or what else a reader should know."""

    def __post_init__(self) -> None:
        if not self.because:
            try:
                self.published.check(self.ours)
            except ArithmeticError as error:
                raise ArithmeticError(f"{self.what}: {error}; say because of what") from error

    @property
    def agrees(self) -> bool:
        """Whether ours rounds to the printed digits."""
        return self.published.agrees(self.ours)

    @property
    def difference(self) -> float:
        """Ours minus the printed number."""
        if not math.isfinite(self.ours):
            return math.nan
        return float(Fraction(repr(float(self.ours))) - self.published.value)


@dataclass(frozen=True)
class Source:
    """A place where several numbers are printed."""

    name: str
    """Author, year and place, such as "Louis (1982), example 1"."""
    cite: str | None = None
    """The key of the source in the book's bibliography."""

    def compare(self, what: str, printed: str, ours: float, because: str = "") -> Comparison:
        """One of its numbers beside ours."""
        published = Published(printed, self.name, self.cite)
        return Comparison(what, published, float(ours), because)

    def compare_each(
        self,
        what: str,
        printed: str,
        ours: Iterable[float],
        because: str = "",
        names: Iterable[object] | None = None,
    ) -> tuple[Comparison, ...]:
        """A row of its numbers, with blanks between them, beside ours.

        In `what`, {} stands for the number's name, or for its place in the row, from 1. The reason is that of the
        numbers that differ.

        Raises:
            ArithmeticError: a number differs and there is no reason; or there is one, and none differs.
        """
        row = list(zip(printed.split(), ours, strict=True))
        differ = [not Published(digits, self.name).agrees(value) for digits, value in row]
        if because and not any(differ):
            raise ArithmeticError(f"{what}: all numbers agree, yet a reason is given: {because}")
        names = range(1, len(row) + 1) if names is None else names
        return tuple(
            self.compare(what.format(name), digits, value, because if differs else "")
            for name, (digits, value), differs in zip(names, row, differ, strict=True)
        )
