"""A closed tab, a second browser, a killed app: the run goes on, is seen by all, and ends as if nothing had been."""

import pathlib
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.bench.server import running
from tests.browser.conftest import Watched
from tuning import settings
from tuning.runs.store import Run
from tuning.text import t
from tuning.verbs import Verbs

Visit = Callable[..., Watched]


def losses(run: Run) -> dict[int, float]:
    return {record["step"]: record["loss"] for record in run.metrics() if "loss" in record}


def start_starter(visitor: Watched) -> None:
    """Three clicks on the one red button, model, data and start, and one on a recipe that takes some seconds."""
    page = visitor.open()
    for step in ("take_model", "take_data", "train"):
        expect(page.locator("#next")).to_have_text(said(step), timeout=20_000)
        if step == "train":
            page.locator("#recipes [data-value=style]").click()
            expect(page.locator("#recipes [data-value=style]")).to_have_attribute("aria-pressed", "true")
        page.locator("#next").click()


def said(step: str) -> str:
    return t("en", f"ui.next.{step}", model="Sartoria starter", data="A tailor's shop (English)")


def newest(home: pathlib.Path) -> Run | None:
    return next(iter(Verbs(settings.read(home=str(home))).store.all()), None)


def step_of(home: pathlib.Path) -> int:
    run = newest(home)
    return max(losses(run), default=0) if run else 0


def test_a_closed_tab_changes_nothing(app: str, visit: Visit, home: pathlib.Path, wait_until: Callable[..., Any]) -> None:
    first = visit(app)
    start_starter(first)
    wait_until(lambda: step_of(home) >= 3, 90)
    first.context.close()
    run = newest(home)
    assert run is not None
    wait_until(lambda: run.state().step >= 20, 120)
    second = visit(app)
    second.page.goto(app)
    expect(second.page.get_by_role("tab", selected=True)).to_be_visible()
    second.page.get_by_role("tab", name=t("en", "ui.tab.train")).first.click()
    line = second.page.locator("#live-view svg polyline.training").first
    expect(line).to_be_visible(timeout=15_000)
    wait_until(lambda: run.state().status == "finished", 180)
    assert sorted(losses(run)) == list(range(1, run.spec().forecast.steps + 1))
    expect(second.page.locator("#live-view")).to_contain_text(t("en", "ui.status.finished"), timeout=15_000)
    second.clean()


@pytest.mark.parametrize("at", [30])
def test_a_killed_app_and_resume(visit: Visit, home: pathlib.Path, wait_until: Callable[..., Any], at: int) -> None:
    with running(home) as (address, process):
        start_starter(visit(address))
        wait_until(lambda: step_of(home) >= at, 120)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run = newest(home)
    assert run is not None
    with running(home) as (address, _):
        visitor = visit(address)
        page = visitor.open()
        page.get_by_role("tab", name=t("en", "ui.tab.train")).first.click()
        expect(page.locator("#live-view")).to_contain_text(t("en", "ui.status.interrupted"), timeout=15_000)
        page.get_by_role("button", name=t("en", "ui.live.resume"), exact=True).first.click()
        wait_until(lambda: run.state().status == "finished", 180)
        whole = Verbs(settings.read(home=str(home))).train("starter", "starter-en", "style")
        again = Verbs(settings.read(home=str(home))).store.find(whole["run"])
        wait_until(lambda: again.state().status == "finished", 180)
        assert losses(run) == pytest.approx(losses(again), abs=1e-6)
        visitor.clean()
