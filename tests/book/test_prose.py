"""The lint of our own prose finds what it looks for, and only where a reader reads."""

from __future__ import annotations

from pathlib import Path

import prose
import pytest

DIRTY = """---
title: color
---
# Heading
This is clearly wrong.
The behavior of it.

```{prf:theorem} Obviously
:label: thm-color
Needless to say, it holds.
```

```python
color = "clearly"
```

The option `color` is "clearly" quoted. See [here](missing.md) and [there](present.md).
"""


@pytest.fixture
def dirty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    (tmp_path / "present.md").touch()
    path = tmp_path / "dirty.md"
    path.write_text(DIRTY)
    return path


def test_faults_are_found_with_their_lines_and_code_is_left_alone(dirty: Path) -> None:
    found = [fault.split(": ", 1) for fault in prose.faults(dirty)]
    assert [(place, message.split("'")[1]) for place, message in found] == [
        ("dirty.md:5", "clearly"),
        ("dirty.md:6", "behavior"),
        ("dirty.md:8", "Obviously"),
        ("dirty.md:10", "Needless to say"),
        ("dirty.md:17", "missing.md"),
    ]


def test_our_own_sources_are_clean() -> None:
    assert prose.SOURCES
    assert [fault for path in prose.SOURCES for fault in prose.faults(path)] == []
