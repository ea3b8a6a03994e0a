"""Each button out of trouble, pressed in a real browser, does what it says: memory (before and after), models, time; and the knobs."""

import json
import pathlib
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import speaks, tab
from tests.hub.hub_server import Repo
from tuning.schema import Notice, RunState
from tuning.text import t
from tuning.ui.draw import offers

Visit = Callable[..., Watched]
EN_NOW = ["en", pytest.param("it", marks=pytest.mark.nightly)]
IT_NOW = ["it", pytest.param("en", marks=pytest.mark.nightly)]
# As large as large models are, by its config.json: an adapter of the highest rank fits no machine, and many passes take days.
LARGE = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8,
    "vocab_size": 512_000, "head_dim": 128,
}  # fmt: skip


@pytest.fixture
def large(shop: Shop, tiny_model: pathlib.Path) -> str:
    shop.hub.repos["sarti/grande"] = Repo.of(tiny_model).but(config=LARGE)
    return "sarti/grande"


def look_up(page: Page, lang: str, model: str) -> None:
    """Ask for a model by its name on the Model tab."""
    words = page.locator("#other input, #other textarea")
    if not words.is_visible():
        page.get_by_text(t(lang, "ui.model.other")).click()
    words.fill(model)
    page.get_by_role("button", name=t(lang, "ui.model.other.use"), exact=True).click()


def chosen(page: Page) -> str | None:
    return page.locator('#models .card[aria-pressed="true"]').first.get_attribute("data-value")


def to_train(page: Page, lang: str, model: str) -> None:
    look_up(page, lang, model)
    expect(page.locator(f'#models [data-value="{model}"][aria-pressed="true"]')).to_be_visible()
    tab(page, lang, "data")
    page.locator('#datasets [data-value="starter-en"]').click()
    expect(page.locator('#datasets .card[aria-pressed="true"]')).to_have_count(1)
    tab(page, lang, "train")
    expect(page.locator("#knob-lora_r")).to_be_visible()


def type_into(page: Page, key: str, value: str) -> None:
    """Another value than those of the list."""
    page.select_option(f"#knob-{key}", "…")
    field = page.locator(f"input#knob-{key}")
    field.fill(value)
    field.press("Enter")
    expect(page.locator(f"select#knob-{key}")).to_be_visible()


@pytest.mark.drawn("helped")
@pytest.mark.parametrize("lang", EN_NOW)
def test_what_does_not_fit_is_made_to_fit_by_a_press(shop: Shop, visit: Visit, large: str, lang: str) -> None:
    visitor = visit(shop, lang)
    page = visitor.open()
    to_train(page, lang, large)
    page.locator("#fine button").first.click()
    type_into(page, "lora_r", "1024")
    expect(page.locator("#order .fit")).to_have_text(t(lang, "ui.slip.no"))
    advised = page.locator("#ways .way.advised")
    expect(advised).to_contain_text(t(lang, "help.advised"))
    before = json.loads(str(advised.get_attribute("data-value")))
    assert before["lora_r"] == 4
    speaks(visitor, lang)
    tab(page, lang, "data")  # from anywhere else the next step leads there
    expect(page.locator("#next")).to_have_text(t(lang, "ui.next.mend"))
    expect(page.locator("#order .way")).to_have_count(1)
    page.locator("#next").click()
    advised.click()
    expect(page.locator('#ways .way[data-value*="lora_r"]')).to_have_count(0)
    expect(page.locator("#order .fit")).not_to_have_text(t(lang, "ui.slip.no"))
    for key, value in before.items():
        expect(page.locator(f"#knob-{key}")).to_have_value(",".join(value) if isinstance(value, list) else str(value))
    expect(page.locator("#next")).to_have_text(t(lang, "ui.next.train"))
    page.get_by_role("button", name=t(lang, "ui.train.reset")).click()
    expect(page.locator(".knob.turned")).to_have_count(0)
    visitor.clean()


@pytest.mark.drawn("pressed")
@pytest.mark.parametrize("lang", IT_NOW)
def test_a_run_that_had_too_little_memory_is_started_anew_with_less(shop: Shop, visit: Visit, lang: str) -> None:
    run = shop.studio.runs.create("starter", f"starter-{lang}", "quick", {"seed": 5}, f"memoria {lang}")
    run.write_state(
        RunState(status="paused", reason="memory", error=Notice(code="train.memory"), step=3, started=time.time(), ended=time.time())
    )
    visitor = visit(shop, lang)
    page = visitor.open()
    tab(page, lang, "train")
    way = page.locator("#rescue .way.advised")
    expect(way).to_be_visible()
    expect(page.locator("#rescue")).to_contain_text(f"memoria {lang}")
    changes = json.loads(str(way.get_attribute("data-value")))
    speaks(visitor, lang)
    visitor.shot(f"help-memory-{lang}")
    way.click()
    expect(page.locator("#rescue .way")).to_have_count(0)
    made = shop.newest()
    assert made.id != run.id and made.spec().settings.model_dump().items() >= {**changes, "seed": 5}.items()
    made.request_stop()
    expect(page.locator("#live-view")).to_contain_text(t(lang, "ui.status.stopped"), timeout=60_000)
    page.locator("#fine button").first.click()
    for key, value in changes.items():
        expect(page.locator(f"#knob-{key}")).to_have_value(",".join(value) if isinstance(value, list) else str(value))
    visitor.clean()


@pytest.mark.drawn("helped")
@pytest.mark.parametrize("lang", IT_NOW)
def test_a_model_that_cannot_be_had_is_replaced_by_a_press(shop: Shop, visit: Visit, tiny_model: pathlib.Path, lang: str) -> None:
    shop.hub.repos["sarti/chiuso-1.5b-instruct"] = Repo.of(tiny_model, gated="manual")
    visitor = visit(shop, lang)
    page = visitor.open()
    look_up(page, lang, "sarti/chiuso-1.5b-instruct")
    ways = page.locator("#found .way")
    expect(ways).to_have_count(2)
    link = page.locator("#found a.way")
    expect(link).to_have_attribute("href", f"{shop.hub.address}/sarti/chiuso-1.5b-instruct")
    speaks(visitor, lang)
    visitor.shot(f"help-model-{lang}")
    other = ways.first.get_attribute("data-value")
    ways.first.click()
    expect(page.locator(f'#models [data-value="{other}"][aria-pressed="true"]')).to_be_visible()
    expect(ways).to_have_count(0)
    look_up(page, lang, "Qwen/Qwen25-1.5B")
    meant = page.locator('#found [data-value="Qwen/Qwen2.5-1.5B"]')
    expect(meant).to_contain_text(t(lang, "help.meant", model="Qwen/Qwen2.5-1.5B"))
    meant.click()
    expect(page.locator('#models [data-value="Qwen/Qwen2.5-1.5B"][aria-pressed="true"]')).to_be_visible()
    assert chosen(page) and shop.hub.tokens() == set()
    visitor.clean()


@pytest.mark.drawn("helped")
@pytest.mark.parametrize("lang", EN_NOW)
def test_what_takes_too_long_is_made_shorter_by_a_press(shop: Shop, visit: Visit, large: str, lang: str) -> None:
    visitor = visit(shop, lang)
    page = visitor.open()
    to_train(page, lang, large)
    page.locator("#fine button").first.click()
    page.select_option("#knob-device", "cpu")
    type_into(page, "num_train_epochs", "1.000" if lang == "it" else "1,000")
    fewer = page.locator('#ways .way[data-value*="num_train_epochs"]')
    expect(fewer).to_be_visible()
    said = fewer.inner_text()
    passes = json.loads(str(fewer.get_attribute("data-value")))["num_train_epochs"]
    offer = {"code": "help.epochs", "params": {"epochs": passes, "of": 1000}}
    assert said.startswith(offers.words(offer, lang))
    speaks(visitor, lang)
    visitor.shot(f"help-slow-{lang}")
    fewer.click()
    expect(page.locator("#knob-num_train_epochs")).to_have_value(str(passes))
    promised = re.search(r"(\S+ \S+(?: \S+ min)?) ·", said.splitlines()[-1])
    assert promised is not None
    expect(page.locator("#order .length")).to_contain_text(promised[1].split("about ")[-1].split("circa ")[-1])
    visitor.clean()
