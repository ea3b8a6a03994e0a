"""A run on both cards of a machine, ordered on the page and followed there: what it comes to, the curve, why nobody answers, the stop.

The cards are played (`several_cards`); the app, the launcher and what it starts are real.
"""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.bench.server import running
from tests.browser.conftest import Watched
from tests.browser.test_whole_path import tab
from tests.engine import several_cards
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t


@pytest.mark.nightly
@pytest.mark.parametrize(("lang", "width", "height"), [("en", 1280, 900), ("it", 390, 844)])
def test_both_cards_are_taken_on_the_slip(
    chromium: Browser, tmp_path: pathlib.Path, wait_until: Callable[..., Any], lang: str, width: int, height: int
) -> None:
    home = tmp_path / "home"
    with running(home, env=several_cards.environment(tmp_path, 2)) as (address, _):
        watched = Watched(chromium.new_context(viewport={"width": width, "height": height}), address)
        page = watched.open("/" if lang == "en" else "/it")
        page.locator('#models [data-value="starter"]').first.click()
        tab(page, lang, "data")
        page.locator(f'#datasets [data-value="starter-{lang}"]').click()
        if lang == "it":  # where the slip is small, the tab Train has it
            tab(page, lang, "train")
        use = page.locator(".all-cards .way").locator("visible=true")
        expect(use).to_contain_text(t(lang, "ui.cards.use.both"))
        assert "{" not in use.inner_text() and re.search(t(lang, "ui.cards.rows.same", rows=8), use.inner_text())
        watched.shot(f"cards-offer-{lang}")
        use.click()
        expect(page.locator(".all-cards h3").locator("visible=true")).to_have_text(t(lang, "ui.cards.used.both"))
        tab(page, lang, "train")
        page.locator("#fine button").first.click()
        page.locator("#knob-max_steps").select_option("5000")
        expect(page.locator("#knob-max_steps")).to_have_value("5000")
        expect(page.get_by_role("button", name=t(lang, "ui.train.reset"))).to_be_visible()  # the turn has come
        page.locator("#start").click()
        studio = Studio(settings.read(home=str(home)), LOCAL)
        run = wait_until(lambda: next(iter(studio.shared.store.all(LOCAL)), None))
        assert run.spec().processes == 2
        wait_until(lambda: run.state().status == "running" and run.state().step > 5, 240)
        expect(page.locator("#live-view .curve, #live-view svg").first).to_be_visible()
        expect(page.locator("#next")).to_have_text(t(lang, "ui.next.watch"))
        watched.shot(f"cards-live-{lang}")
        tab(page, lang, "chat")
        expect(page.locator(".while").locator("visible=true")).to_contain_text(t(lang, "chat.launched"))
        page.locator("#message textarea").fill("?")
        page.keyboard.press("Enter")
        expect(page.locator(".fault").filter(has_text=t(lang, "chat.launched")[:40]).first).to_be_visible()
        watched.shot(f"cards-chat-{lang}")
        tab(page, lang, "train")
        page.get_by_role("button", name=t(lang, "ui.live.stop")).click()
        wait_until(lambda: run.state().status == "stopped", 240)
        assert run.adapter.is_dir() and run.adapter_fault() is None
        expect(page.locator("#live-view .status.stopped")).to_be_visible()
        watched.shot(f"cards-stopped-{lang}")
        watched.clean()
