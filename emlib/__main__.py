"""`python -m emlib`: fit a mixture to the columns of a file, or choose one.

Exit status: 0 if there is a fit, 1 if there is none, 2 if the arguments or the file are wrong, 3 if the report could
not be written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from emlib.cli.picture import draw_fit, draw_selection, refuse
from emlib.cli.report import SCHEMA, Report
from emlib.cli.table import Table, read_table
from emlib.data import Weighted
from emlib.families import Bernoulli, Gaussian, Poisson
from emlib.families.family import Family
from emlib.families.missing import MissingGaussian
from emlib.select import select

EXAMPLES = """examples:
  python -m emlib fit faithful.csv --components 2 --model VVV
  python -m emlib fit faithful.csv --columns waiting --components 2 --json --plot waiting.svg
  python -m emlib select faithful.csv --components 1-6 --models EEE,VVV

exit status: 0 if there is a fit, 1 if there is none, 2 if the arguments or the file are wrong,
3 if the report could not be written"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        table = read_table(options.file, options.columns, options.weights, missing=options.missing)
        report = options.run(options, table)
    except ValueError as error:
        print(f"emlib: {options.file}: {error}", file=sys.stderr)
        return 2
    except ArithmeticError as error:
        print(f"emlib: {options.file}: {error}", file=sys.stderr)
        return 1
    return _written(report)


def _written(report: str) -> int:
    """Print the report, and return the exit status."""
    try:
        print(report, flush=True)
    except OSError as error:
        # What is left in the buffer would be tried again at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Whoever closed the pipe, such as head, has read enough.
        if not isinstance(error, BrokenPipeError):
            print(f"emlib: standard output: {error.strerror or error}", file=sys.stderr)
        return 3
    return 0


def fit(options: argparse.Namespace, table: Table) -> str:
    """One mixture: the report on it."""
    if options.plot:
        refuse(table, options.family, options.components)
    if options.missing and options.family != "gaussian":
        raise ValueError(
            f"--missing: only a Gaussian mixture knows what to do, not {options.family}"
        )
    gaussian = MissingGaussian if options.missing else Gaussian
    families: dict[str, Family[Any, Any]] = {
        "gaussian": gaussian(options.model),
        "poisson": Poisson(),
        "bernoulli": Bernoulli(),
    }
    name = options.model if options.family == "gaussian" else options.family
    data = _data(table)
    selection = select(
        data, [options.components], {name: families[options.family]}, **_search(options)
    )
    report = Report.of(selection, data, options.family, table.names, len(table.values))
    if options.plot:
        draw_fit(options.plot, table, options.family, selection)
    return _json(report.json()) if options.json else str(report)


def choose(options: argparse.Namespace, table: Table) -> str:
    """Gaussian mixtures of every model and size: the criteria, and the best."""
    selection = select(
        _data(table),
        options.components,
        options.models,
        criterion=options.criterion,
        jobs=options.jobs,
        **_search(options),
    )
    if options.plot:
        draw_selection(options.plot, selection)
    if not options.json:
        return str(selection)
    best = selection.best
    return _json(
        {
            "schema": SCHEMA,
            "criterion": selection.criterion,
            "best": {"model": best.model, "components": best.k},
            "fits": selection.table,
        }
    )


def _data(table: Table) -> Any:
    return table.values if table.weights is None else Weighted(table.values, table.weights)


def _search(options: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("starts", "seed", "tol", "max_steps")}


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, allow_nan=False)


# ---- arguments -----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emlib",
        description="Fit mixtures to a table of numbers by the EM algorithm.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser(
        "fit", help="fit one mixture, and report its parameters with standard errors"
    )
    one.add_argument("--components", type=_whole, required=True, metavar="K", help="how many")
    one.add_argument(
        "--family",
        choices=("gaussian", "poisson", "bernoulli"),
        default="gaussian",
        help="of the components",
    )
    one.add_argument(
        "--model",
        default="VVV",
        help="covariances of a Gaussian mixture: a name of mclust (EII ... VVV, or E, V for one column), "
        "full, tied, diag or spherical (default: VVV)",
    )
    one.add_argument(
        "--missing",
        action="store_true",
        help="take empty entries, NA and NaN for values missing at random (Gaussian mixtures)",
    )
    one.set_defaults(run=fit)

    many = commands.add_parser(
        "select",
        help="fit Gaussian mixtures of all models and sizes, and compare them by BIC or ICL",
    )
    many.add_argument(
        "--components",
        type=_range,
        default=range(1, 10),
        metavar="A-B",
        help="how many: from A to B, or a list such as 2,3,5 (default: 1-9)",
    )
    many.add_argument(
        "--models",
        type=_names,
        metavar="NAMES",
        help="covariance models, with commas (default: all)",
    )
    many.add_argument("--criterion", choices=("bic", "icl"), default="bic", help="default: bic")
    many.add_argument("--jobs", type=_whole, default=1, metavar="N", help="threads (default: 1)")
    many.set_defaults(run=choose, missing=False)

    for command, tol in ((one, 1e-10), (many, 1e-6)):
        command.add_argument(
            "file", help="a CSV file, with or without a header; - for standard input"
        )
        command.add_argument(
            "--columns",
            type=_names,
            metavar="NAMES",
            help="columns to use, with commas (default: all)",
        )
        command.add_argument("--weights", metavar="NAME", help="the column of the rows' weights")
        command.add_argument(
            "--starts", type=_whole, default=3, metavar="N", help="starts of each kind (default: 3)"
        )
        command.add_argument("--seed", type=int, default=0, help="of the starts (default: 0)")
        command.add_argument(
            "--tol",
            type=float,
            default=tol,
            help=f"stop EM when so many nats a row are left to gain (default: {tol:g})",
        )
        command.add_argument(
            "--max-steps", type=_whole, default=10_000, metavar="N", help="of EM (default: 10000)"
        )
        command.add_argument("--json", action="store_true", help="print JSON, with every digit")
        command.add_argument(
            "--plot", metavar="FILE", help="draw the result: .svg, .png or .pdf; needs Matplotlib"
        )
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, got {text!r}")
    return int(text)


def _range(text: str) -> Sequence[int]:
    first, dash, last = text.partition("-")
    if dash:
        return range(_whole(first), _whole(last) + 1)
    return [_whole(entry) for entry in text.split(",")]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
