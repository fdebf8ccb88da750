"""Cite by author and year in round brackets, and label the list of references the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from unicodedata import combining, normalize

import pybtex.plugin as formatting
import sphinxcontrib.bibtex.plugin as referencing
from pybtex.backends.plaintext import Backend as PlainText
from pybtex.database import Entry, Person
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting.author_year_title import SortingStyle
from sphinx.application import Sphinx
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle


def round_brackets() -> BracketStyle:
    """Brackets of a citation, where sphinxcontrib-bibtex has square ones."""
    return BracketStyle(left="(", right=")", sep="; ", last_sep="; ", sep2="; ")


@dataclass
class RoundAuthorYear(AuthorYearReferenceStyle):
    """Dempster et al. (1977) in the text, (Dempster et al., 1977) in brackets."""

    bracket_textual: BracketStyle = field(default_factory=round_brackets)
    bracket_parenthetical: BracketStyle = field(default_factory=round_brackets)
    bracket_year: BracketStyle = field(default_factory=round_brackets)


class AuthorYearLabels(BaseLabelStyle):  # type: ignore[misc]  # pybtex has no types
    """Label an entry as the text cites it."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterator[str]:
        for entry in sorted_entries:
            people = entry.persons.get("author") or entry.persons.get("editor")
            if not people or "year" not in entry.fields:
                raise ValueError(f"{entry.key}: an entry needs an author or editor, and a year")
            names = [_last_name(person) for person in people]
            who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            yield f"{who}, {entry.fields['year']}"


def _last_name(person: Person) -> str:
    """As it is read: braces in a bibliography keep the name of a group whole."""
    return " ".join(map(str, person.rich_prelast_names + person.rich_last_names))


class WithoutAccents(SortingStyle):  # type: ignore[misc]
    """Sort by author, year and title, without accents and braces: Härdle before Hasselblad."""

    def sorting_key(self, entry: Entry) -> tuple[str, ...]:
        """The usual key, its letters reduced to their base."""
        return tuple(
            "".join(c for c in normalize("NFD", str(part)) if not combining(c) and c not in "{}")
            for part in super().sorting_key(entry)
        )


class AuthorYearStyle(PlainStyle):  # type: ignore[misc]
    """The plain list of references, under these labels."""

    default_label_style = AuthorYearLabels
    default_sorting_style = WithoutAccents


def setup(_app: Sphinx) -> dict[str, bool]:
    """Make both styles known by the names `_config.yml` uses."""
    referencing.register_plugin(
        "sphinxcontrib.bibtex.style.referencing", "author_year_round", RoundAuthorYear
    )
    formatting.register_plugin("pybtex.style.formatting", "author_year", AuthorYearStyle)
    # What is registered is found at once; else each citation looks through all packages that are installed.
    formatting.register_plugin("pybtex.backends", "plaintext", PlainText, force=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
