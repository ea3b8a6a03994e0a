"""The order as a file in a real browser: saved as it stands, opened into the form, refused in place, by keyboard too."""

import pathlib

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Shop
from tests.browser.test_runs import Visit
from tests.browser.test_whole_path import speaks, tab
from tuning.cli.main import _read_spec

pytestmark = pytest.mark.nightly


@pytest.mark.drawn("boxes")
@pytest.mark.parametrize(("lang", "size"), [("en", "desktop"), ("it", "phone")])
def test_an_order_is_saved_and_opened_again(shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str, size: str) -> None:
    order, bad, saved = (tmp_path / name for name in ("mine.yaml", "<b>.yaml", "saved.yaml"))
    order.write_text("model: starter\ndata: starter-it\nrecipe: style\nname: Prezzi\nsettings: {lora_r: 4, sft: {logging_steps: 5}}\n")
    bad.write_text("settings: {lora_rank: 4}\n")
    visitor = visit(shop, lang, size)
    page = visitor.open()
    tab(page, lang, "train")
    box, field = page.locator("#order-file"), page.locator("#order-file input[type=file]")
    box.locator("summary").click()
    field.set_input_files(bad)
    expect(page.locator("[role=alert]").filter(has_text="lora_rank")).to_be_in_viewport()
    field.set_input_files(order)
    expect(box.locator(".told")).to_contain_text("mine.yaml")
    expect(page.locator("[role=alert]").filter(has_text="lora_rank")).to_have_count(0)
    expect(page.locator("#knob-lora_r")).to_have_value("4")
    expect(field).to_be_focused()
    with page.expect_download() as coming:
        box.locator("a[download]").click()
    coming.value.save_as(saved)
    told = _read_spec(str(saved))
    assert told.pop("settings") == {"lora_r": 4, "sft": {"logging_steps": 5}}
    assert told == {"model": "starter", "data": "starter-it", "recipe": "style", "name": "Prezzi"}
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    name = box.locator("input[name=recipe]")
    name.fill(f"Prezzi <b> {lang}")
    name.press("Enter")
    mine = box.locator("li").filter(has_text=f"Prezzi <b> {lang}")
    expect(mine).to_be_visible()
    expect(page.locator("#order")).to_contain_text(f"Prezzi <b> {lang}")
    mine.locator("[data-do=sure]").click()
    mine.locator("[data-do=delete]").click()
    expect(mine).to_have_count(0)
    speaks(visitor, lang)
