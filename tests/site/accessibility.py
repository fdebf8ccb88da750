"""What axe finds on a page, by the rules of WCAG 2.2 A and AA."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    # What is seen on a control is what it is called (2.5.3): axe holds its own check of it for experimental.
    "rules": {"label-content-name-mismatch": {"enabled": True}},
    "resultTypes": ["violations"],
    "preload": False,  # axe would ask for style sheets by the wrong addresses
}


def violations(page: Page, inside: str | None = None) -> list[str]:
    """Each place that breaks a rule, on the whole page or inside a selector."""
    found = Axe().run(page, context=inside, options=OPTIONS).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]
