"""What Lighthouse is asked, and that its word counts. The pages themselves are judged by `make lighthouse`."""

from __future__ import annotations

import pytest
from lighthouse import Scores, look, read
from server import served

GOOD = Scores("a.html", 95, 100, 100, 100, 1.0, 1.5, 20.0, 0.0, ())
BAD = """<!doctype html><html><head><meta charset="utf-8"></head><body><p>A page without a language.</p>
<script>
  for (const start = performance.now(); performance.now() - start < 2000; );
  throw new Error("a fault");
</script></body></html>"""


def test_a_page_that_falls_short_is_told_and_why(tmp_path):
    (tmp_path / "bad.html").write_text(BAD, encoding="utf-8")
    with served(tmp_path) as site:
        seen = look(site, "bad.html")
    faults = " ".join(seen.faults())
    for audit in ("html-has-lang", "document-title", "errors-in-console", "meta-description"):
        assert f"({audit})" in faults
    assert "performance" in faults
    assert seen.accessibility < 100
    assert seen.best_practices < 100
    assert seen.seo < 100
    assert "bad.html" in str(seen)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"performance": 94}, "performance 94"),
        ({"shift": 0.02}, "layout shift"),
        ({"failed": ("A title (audit)",)}, "a.html: A title (audit)"),
    ],
)
def test_each_shortfall_counts(change, word):
    assert list(GOOD.faults()) == []
    (fault,) = Scores(**{**vars(GOOD), **change}).faults()
    assert word in fault


def test_a_page_that_was_not_seen_has_no_scores():
    with pytest.raises(RuntimeError, match=r"a\.html: no page"):
        read("a.html", {"runtimeError": {"message": "no page"}})
