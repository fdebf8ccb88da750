"""The built site, served from this machine to Chromium; what a page does that it should not fails its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request
from server import SITE, chromium, served

PAGES = sorted(file.name for file in SITE.glob("*.html"))


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    """The address of the site, with no slash at its end."""
    if not (SITE / "index.html").exists():
        pytest.exit("There is no built site: run `make book` first.", returncode=2)
    with served(SITE) as address:
        yield address


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium, never one that is downloaded."""
    if not chromium():
        pytest.exit("There is no Chromium: run `make browser`.", returncode=2)
    return {**browser_type_launch_args, "executable_path": chromium()}


class Watch:
    """Takes down what no page of the site may do: complain in the console, fail, or ask another host."""

    def __init__(self, context: BrowserContext, site: str, scripts: bool = True) -> None:
        self.faults: list[str] = []
        note = self.faults.append

        def say(message: ConsoleMessage) -> None:
            # The theme and its extensions log what they set up.
            theirs = message.type == "log" and "/_static/" in message.location["url"]
            if not theirs:
                note(f"console: {message.text}")

        context.on("console", say)
        context.on("weberror", lambda error: note(f"error: {error.error}"))

        def fail(request: Request) -> None:
            # Aborted: the page was left. A script may be preloaded where none runs.
            off = request.resource_type == "script" and not scripts
            if request.failure != "net::ERR_ABORTED" and not off:
                note(f"failed: {request.url}")

        context.on("requestfailed", fail)

        def ask(url: str) -> None:
            if not url.startswith((f"{site}/", "data:", "blob:")):
                note(f"off the site: {url}")

        context.on("request", lambda request: ask(request.url))


@pytest.fixture
def new_context(
    new_context: Callable[..., BrowserContext], base_url: str
) -> Iterator[Callable[..., BrowserContext]]:
    """Like pytest-playwright's own; and whatever a page did that it may not, fails the test at its end."""
    watches: list[Watch] = []

    def watched(**options: Any) -> BrowserContext:
        context = new_context(**options)
        watches.append(Watch(context, base_url, options.get("java_script_enabled", True)))
        return context

    yield watched
    assert [fault for watch in watches for fault in watch.faults] == []


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[320, 375, 1366])
def width(request: pytest.FixtureRequest) -> int:
    return request.param


Told = Callable[[str, str, float], float]


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Told:
    """Enter what was found on a page into the table at the end, where the worst stands; and give it back."""

    def enter(page: str, what: str, found: float) -> float:
        request.node.user_properties.append((page, [what, found]))
        return found

    return enter


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, page by page."""
    worst: dict[str, dict[str, float]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for page, (what, found) in report.user_properties:
                row = worst.setdefault(page, {})
                row[what] = max(found, row.get(what, 0))
    columns = sorted({what for row in worst.values() for what in row})
    terminalreporter.line("")
    terminalreporter.line(f"{'worst of each page':34}" + "".join(f"{what:>14}" for what in columns))
    for page, row in sorted(worst.items()):
        cells = "".join(f"{row[what]:>14.4g}" if what in row else " " * 14 for what in columns)
        terminalreporter.line(f"{page:34}{cells}")


FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def settle(part: Page | Locator) -> None:
    """Wait until what was changed is drawn, and those who watch sizes have been told."""
    part.evaluate(FRAMES)


def loaded(page: Page) -> Page:
    """The page when all of it has come, and is drawn."""
    page.wait_for_load_state("load")
    settle(page)
    return page


Visit = Callable[..., Page]


@pytest.fixture
def visit(new_context: Callable[..., BrowserContext]) -> Visit:
    """Open a page of the site: `visit("bound.html", width=320, theme="dark", has_touch=True)`."""

    def opened(path: str, width: int = 1366, theme: str = "light", **options: Any) -> Page:
        viewport = {"width": width, "height": 900}
        page = new_context(viewport=viewport, color_scheme=theme, **options).new_page()
        page.goto(f"/{path}", wait_until="domcontentloaded")
        return page

    return opened


@pytest.fixture
def unwatched(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()
