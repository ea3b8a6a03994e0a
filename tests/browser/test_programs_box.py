"""Another program in a real browser's page: a press makes the key, which is shown once, and the line that is copied gets an answer."""

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import tab
from tuning.runs import locks
from tuning.text import t


@pytest.mark.drawn("boxes")
@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_a_press_makes_the_key_that_another_program_comes_in_by(shop: Shop, visit: Callable[..., Watched], lang: str) -> None:
    run = folders.make(shop.studio, "prezzi <b>&", 31, status="running", ended=None)
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        _press(shop, visit, lang, run.id)


def _press(shop: Shop, visit: Callable[..., Watched], lang: str, run: str) -> None:
    one, other = visit(shop, lang), visit(shop, lang, "phone")
    one.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = one.open()
    tab(page, lang, "runs")
    box = page.locator("#run-ways .programs")
    box.locator("summary").click()
    expect(box).to_contain_text(f"{shop.address}/v1")
    expect(box).to_contain_text("YOUR-KEY")
    box.locator("[data-do=key]").click()
    expect(box).to_contain_text(t(lang, "ui.programs.fresh"))
    box.get_by_role("button", name=t(lang, "ui.watch.copy")).last.click()
    expect(box.get_by_role("button", name=t(lang, "ui.watch.copied"))).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    found = re.search(r"curl (\S+)/chat/completions .*Bearer (sk-sartoria-[\w-]+)", line)
    assert found is not None and run in line
    listed = httpx.get(f"{found[1]}/models", headers={"authorization": f"Bearer {found[2]}"}, timeout=60).json()
    assert run in [model["id"] for model in listed["data"]]
    one.shot(f"programs-{lang}")
    one.clean()

    page = other.open()  # the same owner, elsewhere
    tab(page, lang, "runs")
    box = page.locator("#run-ways .programs")
    box.locator("summary").click()
    expect(box).to_contain_text(t(lang, "ui.programs.kept"))
    assert "sk-sartoria" not in page.content() and page.evaluate("document.documentElement.scrollWidth") <= 390
    other.shot(f"programs-{lang}-phone")
    box.locator("[data-do=no_key]").click()
    expect(box.locator("[data-do=no_key]")).to_have_count(0)
    assert httpx.get(f"{found[1]}/models", headers={"authorization": f"Bearer {found[2]}"}, timeout=60).status_code == 401
    other.clean()
