"""The watch over a page sees what it should."""

from __future__ import annotations

from conftest import Watch


def test_what_a_page_may_not_do_is_taken_down(unwatched, base_url):
    watch = Watch(unwatched, base_url)
    page = unwatched.new_page()
    page.goto(f"{base_url}/CITATION-there-is-none")
    watch.faults.clear()
    page.evaluate("console.debug('a word')")
    page.evaluate("setTimeout(() => { throw new Error('a fault') })")
    page.evaluate("fetch('http://elsewhere.invalid/').catch(() => 0)")
    page.wait_for_timeout(200)
    faults = " ".join(watch.faults)
    assert "console: a word" in faults
    assert "a fault" in faults
    assert "off the site: http://elsewhere.invalid/" in faults
    assert "failed: http://elsewhere.invalid/" in faults


def test_a_quiet_page_is_no_fault(unwatched, base_url):
    watch = Watch(unwatched, base_url)
    unwatched.new_page().goto("about:blank")
    assert watch.faults == []
