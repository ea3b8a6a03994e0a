"""A real Chromium, pages that note whatever should not be (console errors, other hosts, raw keys), and an app to look at."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.bench.server import ROOT, free_port, running
from tests.hub.hub_server import Server
from tuning import settings
from tuning.errors import RunError
from tuning.runs.run_folder import Run
from tuning.schema import ALIVE, LOCAL
from tuning.studio import Studio

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SHOTS = ROOT / "tests" / "screenshots"
expect.set_options(timeout=30_000)  # another process computes beside these
LEFT = re.compile(r"console: (AbortError|.*Connection errored out)", re.DOTALL)  # a page that is left, of its requests under way
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
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"page: {error}"))
        self.page.on("request", self._look)

    def _hear(self, said: Any) -> None:
        if said.type == "error":
            self.faults.append(f"console: {said.text} {said.location.get('url', '')}")

    def _look(self, request: Any) -> None:
        host = urlsplit(request.url).hostname
        if urlsplit(request.url).scheme in ("http", "https", "ws", "wss") and host not in ("127.0.0.1", "localhost"):
            self.faults.append(f"request to {host}")

    def open(self, path: str = "/") -> Page:
        before = len(self.faults)
        self.page.goto(self.address + path)
        self.page.locator("#next").wait_for(timeout=30_000)
        self.faults[before:] = [fault for fault in self.faults[before:] if not LEFT.match(fault)]
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


class Shop:
    """One app process for all tests, with a Hub on the loopback interface.

    Its home may hold other tests' data: a test looks at those that it has made itself. No other test's run is there.
    """

    def __init__(self, home: pathlib.Path, hub: Server) -> None:
        self.home, self.hub, self._port, self._life = home, hub, free_port(), contextlib.ExitStack()
        self.address = f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Start the process, or a new one over the same home."""
        env = {key: value for key, value in os.environ.items() if key != "HF_TOKEN"}
        env |= {"HF_ENDPOINT": self.hub.address, "HF_HUB_OFFLINE": "0"}
        _, self._process = self._life.enter_context(running(self.home, port=self._port, env=env))

    def close(self) -> None:
        """End it with SIGKILL, and wait until it has gone."""
        self._life.close()
        assert self._process.poll() == -signal.SIGKILL

    @property
    def studio(self) -> Studio:
        """The studio over the same home, in this process."""
        return Studio(settings.read(home=str(self.home)), LOCAL)

    def newest(self) -> Run:
        """The run that was made last."""
        return self.studio.shared.store.find("last", LOCAL)

    def clear(self) -> None:
        """End what is at work or waits, and take all runs away."""
        deadline = time.monotonic() + 60
        for run in self.studio.shared.store.all(LOCAL):
            while run.state().status in ALIVE:
                with contextlib.suppress(RunError):  # it has just ended
                    run.request_stop()
                assert time.monotonic() < deadline, f"{run.id} is still {run.state().status}"
                time.sleep(0.05)
            shutil.rmtree(run.folder)


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, as long as there are tests that look at it."""
    with Server() as hub:
        made = Shop(tmp_path_factory.mktemp("shop") / "home", hub)
        made.open()
        yield made
        made.close()
        hub.shutdown()


@pytest.fixture
def shop(house: Shop) -> Iterator[Shop]:
    """The shop without any runs."""
    yield house
    house.clear()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """A new visitor: `visit(shop, lang="it", size="phone")`. Two calls are two browsers."""
    contexts = []

    def visit(shop: Shop, lang: str = "en", size: str = "desktop") -> Watched:
        context = chromium.new_context(locale={"en": "en-GB", "it": "it-IT"}[lang], viewport=SIZES[size], accept_downloads=True)  # type: ignore[arg-type]
        contexts.append(context)
        return Watched(context, shop.address)

    yield visit
    for context in contexts:
        context.close()
