"""A closed tab, a second browser, a killed app: the run goes on, is seen by all, and ends as if nothing had been."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_help import type_into
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.text import t

Visit = Callable[..., Watched]


def losses(run: Run) -> dict[int, float]:
    return {record["step"]: record["loss"] for record in run.metrics() if "loss" in record}


def start_starter(visitor: Watched) -> None:
    """Three clicks on the one red button, model, data and start; before the last one a recipe that drops by chance, and one pass."""
    page = visitor.open()
    for step in ("take_model", "take_data", "train"):
        expect(page.locator("#next")).to_have_text(said(step))
        if step == "train":
            page.locator("#recipes [data-value=style]").click()
            expect(page.locator("#recipes [data-value=style]")).to_have_attribute("aria-pressed", "true")
            type_into(page, "num_train_epochs", "1")
        page.locator("#next").click()


def said(step: str) -> str:
    return t("en", f"ui.next.{step}", model="Sartoria starter", data="A tailor's shop (English)")


def train_tab(page: Page, lang: str = "en") -> None:
    page.get_by_role("tab", name=t(lang, "ui.tab.train")).first.click()


@pytest.mark.drawn("killed")
@pytest.mark.parametrize("at", [10])
def test_a_closed_tab_a_second_browser_and_a_killed_app_change_nothing(
    shop: Shop, visit: Visit, wait_until: Callable[..., Any], at: int
) -> None:
    before = len(shop.studio.runs.list())
    first = visit(shop)
    start_starter(first)
    wait_until(lambda: len(shop.studio.runs.list()) > before)
    run = shop.newest()
    wait_until(lambda: run.state().step >= 3, 90)
    first.context.close()
    wait_until(lambda: run.state().step >= at, 120)
    shop.close()
    assert run.state().status == "interrupted"

    shop.open()
    second = visit(shop)
    page = second.open()
    train_tab(page)
    expect(page.locator("#live-view")).to_contain_text(t("en", "ui.status.interrupted"))
    page.get_by_role("button", name=t("en", "ui.live.resume"), exact=True).first.click()
    wait_until(lambda: max(losses(run)) >= at + 3, 120)
    second.clean()
    second.context.close()
    third = visit(shop)
    third.page.goto(shop.address)
    expect(third.page.get_by_role("tab", selected=True)).to_be_visible()
    train_tab(third.page)
    expect(third.page.locator("#live-view svg polyline.training").first).to_be_visible()
    wait_until(lambda: run.state().status == "finished", 180)
    assert sorted(losses(run)) == list(range(1, run.spec().forecast.steps + 1))
    expect(third.page.locator("#live-view")).to_contain_text(t("en", "ui.status.finished"))
    third.clean()
    third.context.close()
    started = shop.studio.runs.train("starter", "starter-en", "style", {"num_train_epochs": 1, "report": False})
    whole = shop.studio.shared.store.find(started["run"], LOCAL)
    wait_until(lambda: whole.state().status == "finished", 180)
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["it", "en"])
def test_a_page_whose_connection_is_back_is_back_itself(shop: Shop, visit: Visit, lang: str) -> None:
    """As after a closed lid: the press that fell into it says so in the visitor's language, and then the page answers again."""
    visitor = visit(shop, lang)
    page = visitor.open("/it" if lang == "it" else "/")
    train_tab(page, lang)
    visitor.context.set_offline(True)
    page.locator("#recipes [data-value=quick]").click()
    told = page.get_by_test_id("toast-body")
    expect(told).to_contain_text(t(lang, "gradio.aria.lost"))
    expect(told).to_contain_text(t(lang, "gradio.common.error"))
    expect(told.get_by_role("button", name=t(lang, "gradio.aria.close"), exact=True)).to_be_visible()
    visitor.context.set_offline(False)
    expect(told).to_have_count(0)
    train_tab(page, lang)
    page.locator("#recipes [data-value=style]").click()
    expect(page.locator("#recipes [data-value=style]")).to_have_attribute("aria-pressed", "true")
    visitor.context.close()
