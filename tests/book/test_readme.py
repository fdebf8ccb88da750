"""What the README shows is true: its example runs and prints what it says, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib import pyplot

from emlib.__main__ import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_example_prints_what_its_comments_say(capsys: pytest.CaptureFixture[str]) -> None:
    example, _ = blocks("python")
    scope: dict[str, object] = {}
    exec(example, scope)  # our own README
    printed = capsys.readouterr().out
    (promised,) = re.findall(r"# (log-likelihood .*?): \.\.\.", example)
    assert printed.startswith(promised)
    params = scope["trace"].params  # type: ignore[attr-defined]
    weights, means = re.findall(r"weights (.*?), means (.*)", example)[0]
    assert [f"{w:.2f}".lstrip("0") for w in params.weights] == weights.split(" and ")
    assert [f"{m:.1f}" for m in params.components.means.ravel()] == means.split(" and ")


def test_the_faces_that_are_shown_exist(tmp_path: Path) -> None:
    first, second = blocks("python")
    scope: dict[str, object] = {}
    exec(first, scope)
    # The search is shown at its full size, and tried at a small one.
    assert "range(1, 10)" in second
    exec(second.replace("range(1, 10)", '[2], models=["EEE", "VVV"]'), scope)
    pyplot.close("all")
    (command,) = re.findall(r"^python -m emlib (.*)$", blocks("sh")[1], re.M)
    picture, table = tmp_path / "fit.svg", ROOT / "emlib" / "datasets" / "faithful.csv"
    assert (
        main(command.replace("fit.svg", str(picture)).replace("faithful.csv", str(table)).split())
        == 0
    )
    assert picture.read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_every_make_target_that_our_papers_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for paper in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        text = (ROOT / paper).read_text(encoding="utf-8")
        named = set(re.findall(r"(?m)(?:^\s*|`)make ([a-z-]+)", text))
        assert named
        assert named <= targets, named - targets


def test_the_commands_are_those_that_ci_runs() -> None:
    commands = blocks("sh")[0]
    names = re.findall(r"^make \w+", commands, re.M)
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert names == ["make book", "make test"]
    assert set(names) <= set(run)
