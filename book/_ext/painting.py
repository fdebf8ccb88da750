"""A page with mathematics is not painted before its first screens are read.

A browser paints what it has, even half a formula; the rest of its rows then moves what stands below. Chromium can
be told to wait for a paragraph; other browsers paint as they like.

Source: WHATWG, HTML Living Standard, section 4.6.7, "Link type expect".
"""

from __future__ import annotations

import re

FIRST_SCREENS = 4000
"""Characters: a desktop window, or two to three of a phone, without their pictures."""
ID = "first-screens"
LINK = f'<link rel="expect" href="#{ID}" blocking="render" />'
AWAITED = f'<p id="{ID}">'
_TAG = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"\s+")


def with_first_screens(page: str) -> str:
    """Return a page that is painted once the paragraph after its first screens is read; if there is none, its last."""
    page = page.replace(LINK, "").replace(AWAITED, "<p>")
    if "<math" not in page:
        return page
    begin, end = page.index("<article"), page.index("</article>")
    place, read = begin, 0
    while read < FIRST_SCREENS and (following := page.find("<p>", place + 1, end)) > 0:
        read += len(_BLANKS.sub(" ", _TAG.sub("", page[place:following])))
        place = following
    if place == begin:
        return page
    page = page[:place] + page[place:].replace("<p>", AWAITED, 1)
    return page.replace("<head>", f"<head>{LINK}", 1)
