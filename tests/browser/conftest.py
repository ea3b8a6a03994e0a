"""A real Chromium, and pages that note whatever should not be: console errors, other hosts, raw keys."""

import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.bench.server import ROOT, running

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SHOTS = ROOT / "tests" / "screenshots"
SIZES = {"desktop": {"width": 1320, "height": 960}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; where it is missing the tests fail, they are not skipped.

    Closed with this folder's last test: as long as it is open, an event loop runs in this thread.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page, and what it did that it should not."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address = context, address
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda said: self.faults.append(f"console: {said.text}") if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(f"page: {error}"))
        self.page.on("request", self._look)

    def _look(self, request: Any) -> None:
        host = urlsplit(request.url).hostname
        if urlsplit(request.url).scheme in ("http", "https", "ws", "wss") and host not in ("127.0.0.1", "localhost"):
            self.faults.append(f"request to {host}")

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.address + path)
        self.page.locator("#next").wait_for(timeout=30_000)
        return self.page

    def shot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    def clean(self) -> None:
        """Nothing wrong so far, and no key stands where words should."""
        text = self.page.locator("body").inner_text()
        assert self.faults == []
        assert not re.findall(r"\b(?:ui|plan|data|run|train|gradio)\.[a-z_]+[.a-z_]*\b", text), text
        assert "__i18n__" not in text
        assert "Traceback" not in text


@pytest.fixture
def app(home: pathlib.Path) -> Iterator[str]:
    """The app as a process, and its address."""
    with running(home) as (address, _):
        yield address


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """A new visitor: `visit(address, lang="it", size="phone")`. Two calls are two browsers."""
    contexts = []

    def visit(address: str, lang: str = "en", size: str = "desktop") -> Watched:
        context = chromium.new_context(locale={"en": "en-GB", "it": "it-IT"}[lang], viewport=SIZES[size], accept_downloads=True)  # type: ignore[arg-type]
        contexts.append(context)
        return Watched(context, address)

    yield visit
    for context in contexts:
        context.close()
