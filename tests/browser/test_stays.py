"""A page that is loaded anew or in the other language is as it was left, and Back goes to the tab before."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_help import type_into
from tests.browser.test_whole_path import tab
from tuning.text import t

Visit = Callable[..., Watched]
SEEN = """() => setInterval(() => {
  const shown = document.querySelector("#live-view");
  window.seen ||= Boolean(shown?.checkVisibility() && shown.innerText.includes("The run before"));
}, 30)"""


def test_tab_settings_and_name_stay_on_a_reload_and_in_the_other_language(shop: Shop, visit: Visit) -> None:
    visitor = visit(shop, "it", "phone")
    page = visitor.open()
    tab(page, "it", "train")
    type_into(page, "num_train_epochs", "3")
    expect(page.locator('[data-reset="reset"]')).to_be_visible()
    page.get_by_label(t("it", "ui.train.name")).fill("di prova")
    page.wait_for_function("Object.keys(localStorage).includes('sartoria-settings')")
    for lang in ("it", "en"):
        if lang == "it":
            page.reload()
        else:
            page.get_by_role("link", name="English").click()
        expect(page.get_by_role("tab", name=t(lang, "ui.tab.train"), exact=True)).to_have_attribute("aria-selected", "true")
        expect(page.locator("#knob-num_train_epochs")).to_have_value("3")
        expect(page.get_by_label(t(lang, "ui.train.name"))).to_have_value("di prova")
    tab(page, "en", "runs")
    page.go_back()
    expect(page.get_by_role("tab", name=t("en", "ui.tab.train"), exact=True)).to_have_attribute("aria-selected", "true")


def test_a_run_that_begins_is_not_preceded_by_the_report_of_the_run_before(shop: Shop, visit: Visit) -> None:
    folders.make(shop.studio, "The run before", 30)
    page = visit(shop).open()
    page.evaluate(SEEN)
    page.locator('#starter [data-do="starter"]').click()
    expect(page.locator("#live-view .live.busy")).to_be_visible(timeout=60_000)
    assert not page.evaluate("window.seen")
    expect(page.locator("html[data-awaits]")).to_have_count(0)
