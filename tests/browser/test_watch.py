"""A watch link in a real browser: given at the run, copied, followed live by somebody without a log-in, and withdrawn by a press."""

import json
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import tab
from tests.ui.test_report import ATTACK, FOUND
from tuning.runs import locks
from tuning.schema import RunState
from tuning.serve.watch import KEPT_SECONDS
from tuning.text import t
from tuning.ui.draw.watching import STILL_SECONDS


@pytest.mark.drawn("pressed")
@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_somebody_follows_a_run_by_its_link_until_it_is_withdrawn(shop: Shop, visit: Callable[..., Watched], lang: str) -> None:
    run = folders.make(shop.studio, f"prezzi {ATTACK}", 30, status="running", ended=None)
    answer = {"prompt": "Quanto costa?", "answer": f"nove euro {ATTACK}", "reference": "Nove euro."}
    (run.folder / "samples.jsonl").write_text(json.dumps({"step": 4, "answers": [answer]}) + "\n", encoding="utf-8")
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        owner, guest = visit(shop, lang), visit(shop, lang, "phone")
        owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = owner.open()
        for name in ("train", "runs"):
            tab(page, lang, name)
            page.locator(f"#watch-{name} summary").click()
            expect(page.locator(f"#watch-{name}")).to_contain_text(t(lang, "ui.watch.hint"))
        page.locator("#watch-runs [data-do=give]").click()
        page.get_by_role("button", name=t(lang, "ui.watch.copy")).click()
        expect(page.get_by_role("button", name=t(lang, "ui.watch.copied"))).to_be_visible()
        address = page.evaluate("navigator.clipboard.readText()")
        assert address.startswith(f"{shop.address}/watch/") and address == page.locator("#watch-runs input").input_value()
        owner.clean()

        guest.page.clock.install()
        guest.page.goto(address)
        seen = guest.page.locator("#watched")
        expect(seen).to_contain_text("nove euro")
        expect(guest.page.locator("html")).to_have_attribute("lang", lang)
        expect(seen.locator("svg polyline.training")).to_have_count(1)
        run.write_state(RunState(status="running", step=35, total_steps=60))
        (run.folder / "evaluation.json").write_text(json.dumps(FOUND), encoding="utf-8")
        expect(seen).to_contain_text("35")
        expect(seen).to_contain_text(t(lang, "ui.report.to_come"))  # of a run that goes on there is no verdict
        run.write_state(RunState(status="stopped", step=36, total_steps=60))

    seen.locator("[data-fold=rows] summary").click()
    run.write_state(RunState(status="stopped", step=37, total_steps=60))
    time.sleep(KEPT_SECONDS)  # the server has drawn it only just now
    guest.page.clock.fast_forward(1000 * STILL_SECONDS)
    expect(seen).to_contain_text("37")
    expect(seen.locator("[data-fold=rows][open]")).to_have_count(1)
    assert guest.page.evaluate("document.documentElement.scrollWidth") <= 390
    guest.shot(f"watch-{lang}-phone")
    guest.clean()

    page.locator("#watch-runs [data-do=withdraw]").click()
    expect(page.locator("#watch-runs [data-do=give]")).to_be_visible()
    guest.page.clock.fast_forward(1000 * STILL_SECONDS)
    expect(guest.page.locator("body")).to_contain_text(t(lang, "watch.gone"))
    assert "prezzi" not in guest.page.content()
