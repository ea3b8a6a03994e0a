"""The Model tab in a real browser: a fitting Italian model in three clicks, and a model of the Hub from search to answer."""

import pathlib
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests import seeing
from tests.browser.conftest import SIZES, Shop, Watched
from tests.browser.test_whole_path import speaks, tab
from tests.hub.hub_server import Repo
from tuning.text import t

Visit = Callable[..., Watched]
SCREEN = {"width": 1280, "height": 800}


@pytest.mark.drawn("looked")
@pytest.mark.parametrize("lang", ["it", "en"])
def test_a_fitting_italian_model_in_three_clicks_without_scrolling(shop: Shop, visit: Visit, lang: str) -> None:
    visitor = visit(shop, lang)
    visitor.page.set_viewport_size(SCREEN)  # type: ignore[arg-type]
    page = visitor.open()
    first = page.locator("#models .card").first
    expect(first).to_be_visible()
    page.get_by_role("checkbox", name=t(lang, "ui.model.italian")).click()
    expect(first).not_to_have_attribute("data-value", "starter")  # it speaks no Italian of its own
    page.get_by_role("checkbox", name=t(lang, "ui.model.fits")).click()
    expect(page.locator("#models .card .fit.no")).to_have_count(0)
    expect(first).to_be_in_viewport(ratio=1)
    assert page.evaluate("() => window.scrollY") == 0
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    facts = first.locator(".predicted").inner_text()
    assert "GB" in facts and "1" in facts  # memory, and the time of 1,000 examples
    box = first.locator(".predicted").bounding_box()
    assert box is not None and box["y"] + box["height"] <= SCREEN["height"]
    speaks(visitor, lang)
    visitor.shot(f"models-{lang}")


@pytest.mark.drawn("looked")
@pytest.mark.parametrize("lang", ["en", pytest.param("it", marks=pytest.mark.nightly)])
def test_a_model_of_the_hub_from_search_to_answer(shop: Shop, tiny_model: pathlib.Path, visit: Visit, lang: str) -> None:
    shop.hub.repos["sarti/minuscolo-it"] = Repo.of(tiny_model, card={"language": ["it"]})
    shop.hub.repos["sarti/chiuso"] = Repo.of(tiny_model, gated="manual")
    visitor = visit(shop, lang)
    page = visitor.open()
    page.get_by_text(t(lang, "ui.model.other")).click()
    words, look = (
        page.locator("#other input, #other textarea"),
        page.get_by_role("button", name=t(lang, "ui.model.other.use"), exact=True),
    )
    words.fill("sarti/chiuso")
    look.click()
    expect(page.locator("body")).to_contain_text("HF_TOKEN")
    words.fill("minuscolo")
    look.click()
    page.locator("#found .card").first.click()
    chosen = page.locator('#models .card[aria-pressed="true"]')
    expect(chosen).to_contain_text("minuscolo-it")
    visitor.shot(f"hub-{lang}")
    speaks(visitor, lang)
    if lang == "en":  # from here on one language will do
        return
    tab(page, lang, "data")
    page.locator("#datasets .card").first.click()
    expect(page.locator('#datasets .card[aria-pressed="true"]')).to_have_count(1)
    tab(page, lang, "train")
    page.locator('[data-do="recipe"][data-value="quick"]').click()
    expect(page.locator('[data-value="quick"][aria-pressed="true"]')).to_have_count(1)
    page.locator("#start").click()
    expect(page.locator("#live-view")).to_contain_text(t(lang, "ui.status.finished"), timeout=120_000)
    assert (shop.home / "models" / "sarti--minuscolo-it" / "model.safetensors").is_file()
    assert shop.hub.tokens() == set()
    tab(page, lang, "model")
    page.get_by_text(t(lang, "ui.model.kept"), exact=True).click()
    expect(page.locator("#kept")).to_contain_text(t(lang, "ui.model.kept.which"))
    visitor.shot(f"kept-{lang}")
    speaks(visitor, lang)


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_model_that_takes_pictures_is_found_and_the_plan_says_what_of_it_is_trained(
    shop: Shop, tmp_path: pathlib.Path, visit: Visit, lang: str
) -> None:
    folder = seeing.build(tmp_path / "seeing")
    shop.hub.repos["sarti/occhio"] = Repo.of(folder, task="image-text-to-text", tags=("license:apache-2.0", "qwen3_5"))
    visitor = visit(shop, lang)
    page = visitor.open()
    page.get_by_text(t(lang, "ui.model.other")).click()
    page.locator("#other input, #other textarea").fill("occhio")
    page.get_by_role("button", name=t(lang, "ui.model.other.use"), exact=True).click()
    page.locator("#found .card").first.click()
    expect(page.locator('#models .card[aria-pressed="true"]')).to_contain_text("occhio")
    tab(page, lang, "data")
    page.locator("#datasets .card").first.click()
    expect(page.locator('#datasets .card[aria-pressed="true"]')).to_have_count(1)
    tab(page, lang, "train")
    page.get_by_text(t(lang, "ui.slip.details")).first.click()
    expect(page.get_by_text(t(lang, "plan.text_part")).first).to_be_visible()
    for size, screen in SIZES.items():
        page.set_viewport_size(screen)  # type: ignore[arg-type]
        visitor.shot(f"seeing-{lang}-{size}")
    speaks(visitor, lang)
