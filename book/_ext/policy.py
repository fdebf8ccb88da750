"""A Content-Security-Policy in every page: nothing from elsewhere, and no script but the site's own.

Scripts that the theme writes into a page are let in by their hash. Styles may stand in a page: MathML's tables and the
theme need it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'self'"
)
# Sphinx's English in British spelling: it makes a function of a string, which no strict policy allows.
_EVALUATES = re.compile(r'\s*<script\b[^>]*src="[^"]*_static/translations\.js[^"]*"></script>')
_META = re.compile(r'\s*<meta http-equiv="Content-Security-Policy"[^>]*>')
_CHARSET = re.compile(r'<meta charset="utf-8"\s*/?>')
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
_DATA = re.compile(r'type="application/(?:ld\+)?json"')
_HANDLER = re.compile(r"""<[a-z][^>]*?\s(on[a-z]+=["'][^"']*["']|href=["']javascript:[^"']*)""")


def inline_scripts(page: str) -> list[str]:
    """Return the scripts that stand in a page."""
    return [
        body
        for attributes, body in _SCRIPT.findall(page)
        if "src=" not in attributes and not _DATA.search(attributes)
    ]


def policy(page: str) -> str:
    """Return the policy of a page."""
    hashes = {
        f"'sha256-{b64encode(sha256(body.encode()).digest()).decode()}'"
        for body in inline_scripts(page)
    }
    return _POLICY.format(scripts=" ".join(["'self'", *sorted(hashes)]))


def protected(page: str, name: str = "a page") -> str:
    """Return a page with its policy, before anything that it governs.

    Raises:
        ValueError: the page has no character set, or an attribute that is a script; no policy lets that in.
    """
    if (handler := _HANDLER.search(_SCRIPT.sub("", page))) is not None:
        raise ValueError(f"{name}: a script in an attribute: {handler[1]}")
    page = _EVALUATES.sub("", _META.sub("", page))
    if (charset := _CHARSET.search(page)) is None:
        raise ValueError(f"{name}: no character set")
    meta = f'\n    <meta http-equiv="Content-Security-Policy" content="{policy(page)}"/>'
    return page[: charset.end()] + meta + page[charset.end() :]
