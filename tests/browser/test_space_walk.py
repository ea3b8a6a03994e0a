"""A Space in a real browser, with TLS and in the frame of another site: sign in, train, sign out, and what a restart leaves."""

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from tests.browser.conftest import CHROMIUM, FLAGS, SIZES
from tests.browser.space import HOST, HUB, Space, space
from tests.browser.test_whole_path import tab
from tuning.text import t

pytestmark = pytest.mark.nightly
DIRECT, FRAMED = f"https://{HOST}", f"https://{HUB}/spaces/x/y"

# Gradio asks the Hub how the Space is, which the page's own policy forbids; and while the Space sleeps nobody answers who is still there.
OURS = re.compile(
    r"api/spaces/by-subdomain|net::ERR_EMPTY_RESPONSE|Failed to load resource|"
    r"Connection errored out|TypeError: (network error|Failed to fetch)"
)


@pytest.fixture
def played(tmp_path: pathlib.Path) -> Iterator[Space]:
    (tmp_path / "shots").mkdir()
    with space(tmp_path) as made:
        yield made


@pytest.fixture
def browser(chromium: Browser, played: Space) -> Iterator[Browser]:
    """Whatever name it asks for, it comes to the front; cookies of other sites are blocked, but for those in a jar of their own."""
    port = played.front.server_address[1]
    rules = f"--host-resolver-rules=MAP * 127.0.0.1:{port}"
    made = chromium.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, rules, "--test-third-party-cookie-phaseout"])
    yield made
    made.close()


class Visitor:
    """Somebody's browser on the Space, on its own page or in the frame of the Hub's."""

    def __init__(self, browser: Browser, played: Space, lang: str, framed: bool, size: str = "desktop") -> None:
        locale = {"en": "en-GB", "it": "it-IT"}[lang]
        self.context: BrowserContext = browser.new_context(locale=locale, viewport=SIZES[size], ignore_https_errors=True)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.lang, self.framed, self.shots = lang, framed, played.folder / "shots"
        self.faults: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" and not OURS.search(said.text) else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    @property
    def at(self) -> Any:
        """The app's page, wherever it stands."""
        return self.page.frame_locator("iframe") if self.framed else self.page

    def open(self) -> "Page | FrameLocator":
        self.page.goto(FRAMED if self.framed else DIRECT)
        self.at.locator("#next").wait_for(timeout=180_000)
        return self.at

    def shot(self, name: str) -> None:
        number = len([*self.shots.glob("*.png")])
        self.page.screenshot(path=self.shots / f"{number:02}-{self.lang}-{'framed' if self.framed else 'direct'}-{name}.png")

    def sign_in(self) -> None:
        expect(self.at.locator("#sign-in")).to_have_text(t(self.lang, "space.sign_in"), timeout=60_000)
        self.at.locator("#sign-in").click()
        expect(self.at.locator("#sign-in")).to_contain_text("anna", timeout=60_000)
        expect(self.at.locator("#space")).to_contain_text(t(self.lang, "space.signed_in"), timeout=60_000)
        expect(self.at.locator("#space")).not_to_contain_text(t(self.lang, "space.visitor_oauth"))
        self.shot("signed-in")

    def sign_out(self) -> None:
        self.at.locator("#sign-in").click()
        expect(self.at.locator("#sign-in")).to_have_text(t(self.lang, "space.sign_in"), timeout=60_000)
        self.shot("signed-out")

    def runs(self) -> Any:
        tab(self.at, self.lang, "runs")
        return self.at.locator("#runs .card")

    def trains_the_starter(self) -> None:
        self.at.locator("#next").click()
        self.at.locator("#next").click()
        expect(self.at.locator("#next")).to_have_text(t(self.lang, "ui.next.train"), timeout=60_000)
        self.at.locator("#next").click()
        expect(self.at.locator("#live-view")).to_contain_text(t(self.lang, "ui.status.running"), timeout=300_000)
        self.shot("trains")


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("lang", ["it", "en"])
def test_sign_in_train_sign_out_and_a_restart(played: Space, browser: Browser, lang: str, framed: bool) -> None:
    played.front.provider.subject = "64f1"
    played.volume.mkdir()
    anna, bruno = Visitor(browser, played, lang, framed), Visitor(browser, played, lang, framed, "phone")
    with played.awake() as log:
        for visitor in (anna, bruno):
            visitor.open()
            expect(visitor.at.locator("#space")).to_contain_text(t(lang, "space.visitor_oauth"))
            expect(visitor.at.locator("#space")).not_to_contain_text(t(lang, "space.not_kept"))
            visitor.shot("first")
        anna.sign_in()
        anna.trains_the_starter()
        expect(anna.runs()).to_have_count(1)
        anna.shot("runs")
        anna.sign_out()
        expect(anna.runs()).to_have_count(0)
        expect(bruno.runs()).to_have_count(0)
        bruno.shot("runs")
        assert "hf_token_of_the_space" not in log.read_text(encoding="utf-8")
    with played.awake():
        anna.open()
        expect(anna.runs()).to_have_count(0)
        anna.sign_in()
        expect(anna.runs()).to_have_count(1)
        anna.shot("after-a-restart")
    played.volume.rename(played.folder / "taken-away")
    with played.awake():
        anna.open()
        expect(anna.at.locator("#sign-in")).to_contain_text("anna", timeout=60_000)
        expect(anna.at.locator("#space")).to_contain_text(t(lang, "space.not_kept"))
        expect(anna.runs()).to_have_count(0)
        anna.shot("nothing-kept")
    assert not [one for one in played.front.others if not one.endswith(("google.com", "googleapis.com"))]
    assert (anna.faults, bruno.faults) == ([], [])
