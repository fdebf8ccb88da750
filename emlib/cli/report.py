"""A fitted mixture in words, and as JSON."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.information import standard_errors
from emlib.parameters import parameters
from emlib.select import Fit, Selection

if TYPE_CHECKING:
    from emlib.arrays import Array

SCHEMA = 1
"""Raised when a key of the JSON changes its meaning or goes."""


@dataclass(frozen=True)
class Report:
    """A fit with what a reader wants to know of it."""

    fit: Fit
    family: str
    columns: tuple[str, ...]
    rows: int
    observations: float
    estimates: Mapping[str, Array]
    errors: Mapping[str, Array] | None
    """Standard errors by name, if there are any."""
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls, selection: Selection, data: Any, family: str, columns: tuple[str, ...], rows: int
    ) -> Report:
        """The best fit of the selection, with its standard errors or the reason why there are none."""
        fit, said = selection.best, []
        if not fit.converged:
            said.append("EM has not converged: the numbers are those of its last step")
        errors = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                errors = standard_errors(selection.model, data, fit.params)
            except ArithmeticError as error:
                said.append(f"no standard errors: {error}")
        said += [str(warning.message) for warning in caught]
        return cls(
            fit,
            family,
            columns,
            rows,
            selection.observations,
            parameters(fit.params),
            errors,
            tuple(said),
        )

    def json(self) -> dict[str, Any]:
        """What `json.dumps` can write: numbers in full, null for what there is none of."""
        fit = self.fit
        return {
            "schema": SCHEMA,
            "family": self.family,
            "model": fit.model,
            "components": fit.k,
            "columns": list(self.columns),
            "rows": self.rows,
            "observations": self.observations,
            "log_likelihood": fit.log_likelihood,
            "df": fit.df,
            "bic": fit.bic,
            "icl": fit.icl,
            "converged": fit.converged,
            "steps": fit.steps,
            "start": fit.start,
            "parameters": _lists(self.estimates),
            "standard_errors": None if self.errors is None else _lists(self.errors),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        fit = self.fit
        state = "converged" if fit.converged else "not converged"
        lines = [
            f"{self.family} mixture, model {fit.model}, components: {fit.k}",
            f"{self.rows} rows of {', '.join(self.columns)}"
            + ("" if self.observations == self.rows else f", total weight {self.observations:g}"),
            "",
            f"log-likelihood  {fit.log_likelihood:.6f}",
            f"df              {fit.df}",
            f"BIC             {fit.bic:.6f}  (smaller is better)",
            f"ICL             {fit.icl:.6f}  (smaller is better)",
            f"EM steps        {fit.steps}, {state}, from {fit.start}",
        ]
        for component in range(fit.k):
            lines += ["", f"component {component + 1}"]
            lines += _aligned(
                [entry for name in self.estimates for entry in self._entries(name, component)]
            )
        if self.errors is not None:
            lines += ["", "In brackets: standard errors."]
        lines += ["", *(f"Warning: {text}" for text in self.warnings)] if self.warnings else []
        return "\n".join(lines)

    def _entries(self, name: str, component: int) -> list[list[str]]:
        """Rows of text: the name of a parameter, of the columns it belongs to, its value and its standard error."""
        values = self.estimates[name][component]
        errors = None if self.errors is None else self.errors[name][component]
        singular = {"covariances": "covariance", "probabilities": "probability"}.get(
            name, name.removesuffix("s")
        )
        entries = []
        for index, value in np.ndenumerate(values):
            # Of a symmetric matrix the lower half is enough.
            if len(index) == 2 and index[1] > index[0]:
                continue
            place = " ".join(dict.fromkeys(self.columns[i] for i in index))
            error = "" if errors is None else f"({errors[index]:.3g})"
            entries.append([f"  {singular}", place, f"{value:.6g}", error])
        return entries


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    pads = (str.ljust, str.ljust, str.rjust, str.ljust)
    return [
        "  ".join(
            pad(entry, width) for pad, entry, width in zip(pads, row, widths, strict=True)
        ).rstrip()
        for row in table
    ]


def _lists(arrays: Mapping[str, Array]) -> dict[str, Any]:
    found = {}
    for name, array in arrays.items():
        entries = array.astype(object)
        entries[~np.isfinite(array)] = None  # JSON has no word for it
        found[name] = entries.tolist()
    return found
