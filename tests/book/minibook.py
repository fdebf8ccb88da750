"""A small book with a library of its own, built as `make book` builds the real one.

With the real `_config.yml` (but for the print builder, which has tests of its own) and the real extensions.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import mathfont
import yaml

ROOT = Path(__file__).parents[2]
HEADER = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"
CELL = "```{{code-cell}} ipython3\n{}\n```\n"
TOC = """\
format: jb-book
root: index
parts:
  - caption: All
    numbered: 2
    chapters:
"""
# Writes what the real `python -m emlib.ledger` would, without proving anything.
LEDGER = """\
import sys
from base64 import b64decode
from pathlib import Path

file = Path(sys.argv[1])
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(Path(__file__).with_name("ledger.json").read_text())
"""


def write_book(
    root: Path, pages: dict[str, str], library: dict[str, str], ledger: dict[str, Any] | None = None
) -> None:
    """Write the sources of a book with these pages and this emlib; its ledger is empty unless given."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    settings = config["sphinx"]["config"]
    for drawn_with_the_real_library in ("typstbook", "card"):
        settings["extensions"].remove(drawn_with_the_real_library)
    config["sphinx"]["config"] = {k: v for k, v in settings.items() if not k.startswith("typst_")}
    config["sphinx"]["local_extensions"] = {"execution": str(ROOT / "book" / "_ext")}
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    chapters = [Path(name).stem for name in pages if name != "index.md"]
    (root / "_toc.yml").write_text(TOC + "".join(f"      - file: {name}\n" for name in chapters))
    (root / "emlib").mkdir()
    proved = json.dumps(ledger or {"entries": [], "numbers": []})
    for name, text in {"ledger.py": LEDGER, "ledger.json": proved, **library}.items():
        (root / "emlib" / name).write_text(text)
    shutil.copy(ROOT / "CITATION.cff", root)
    shutil.copytree(ROOT / "book" / "_templates", root / "book" / "_templates")
    shutil.copytree(ROOT / "book" / "_static", root / "book" / "_static")
    shutil.copytree(ROOT / "book" / "_extra" / "reading", root / "book" / "_extra" / "reading")
    (root / "book" / "references.bib").write_text(REFERENCES)
    for name, text in pages.items():
        (root / "book" / name).write_text(text)


REFERENCES = """\
@article{louis1982,
  author = {Louis, Thomas A.},
  title = {Finding the Observed Information Matrix when Using the EM Algorithm},
  journal = {Journal of the Royal Statistical Society: Series B},
  year = {1982}
}
"""


def build(root: Path, url: str = "", repository: str = "") -> subprocess.CompletedProcess[str]:
    """Build the website, strictly, for this address of its site and this repository."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", "book"]
    command += ["--config", "_config.yml", "--toc", str(root / "_toc.yml")]
    return subprocess.run(
        [*command, "--path-output", str(root), "-W", "-n", "--keep-going"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "BOOK_URL": url, "BOOK_REPOSITORY": repository},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def page(root: Path, name: str) -> str:
    """The HTML of a page."""
    return (root / "_build" / "html" / f"{name}.html").read_text()


def sheet_font(site: Path) -> bytes:
    """Return the font of the mathematics of a built site, which stands in its sheet."""
    sheet = (site / mathfont.SHEET).read_text(encoding="utf-8")
    return b64decode(sheet.partition("base64,")[2].partition('"')[0])
