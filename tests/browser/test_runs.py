"""The Runs tab in a real browser: found again, compared, taken along as settings, renamed, taken away, deleted; open folds stay open."""

import json
import pathlib
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from peft import LoraConfig
from playwright.sync_api import Page, expect
from safetensors.numpy import save_file

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import speaks, tab
from tests.ui.test_report import FOUND
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio
from tuning.text import t

Visit = Callable[..., Watched]
GENERAL = {"en": "general rows are mixed in", "it": "righe generali"}


@pytest.fixture
def store(shop: Shop) -> Studio:
    """The home that the app serves."""
    return shop.studio


@pytest.fixture
def sixty(store: Studio) -> Studio:
    """Sixty runs more."""
    first = folders.make(store, "numero 0", 12)
    for number in range(1, 60):
        other = store.shared.store.folder / f"{first.id}-{number:02d}"
        shutil.copytree(first.folder, other)
        text = (other / "spec.yaml").read_text(encoding="utf-8").replace(first.id, other.name).replace("numero 0", f"numero {number}")
        (other / "spec.yaml").write_text(text, encoding="utf-8")
    return store


@pytest.fixture
def alive(store: Studio) -> Iterator[Run]:
    """A run that is on, as far as anybody can tell."""
    run = folders.make(store, "al lavoro", 30, status="running", ended=None)
    (run.folder / "log.txt").write_text("read /somewhere/on/this/machine.bin\n", encoding="utf-8")
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        yield run


def opened(visitor: Watched, lang: str) -> Page:
    page = visitor.open()
    tab(page, lang, "runs")
    expect(page.locator("#runs .card.run").first).to_be_visible()
    return page


def press(page: Page, do: str, within: str = "#run-ways") -> None:
    page.locator(f"{within} [data-do={do}]").first.click()


@pytest.mark.drawn("boxes")
@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_found_compared_and_deleted(shop: Shop, sixty: Studio, visit: Visit, lang: str) -> None:
    folders.make(sixty, "scarpe <b>", 40, {"lora_r": 4}, eval_loss=0.5)
    visitor = visit(shop, lang)
    page = opened(visitor, lang)
    cards = page.locator("#runs .card.run")
    expect(cards).to_have_count(50)
    press(page, "more", "#runs")
    expect(cards).to_have_count(min(100, len(sixty.runs.list())))
    page.locator("#search-runs input, #search-runs textarea").fill("zzz")
    press(page, "words", "#runs")
    expect(cards).to_have_count(50)
    page.locator("#search-runs input, #search-runs textarea").fill("SCARPE <")
    expect(cards).to_have_count(1)
    page.locator("#runs .tick").click()
    expect(page.locator("#runs .ticked")).to_contain_text("scarpe <b>")
    page.locator("#search-runs input, #search-runs textarea").fill(f"{t(lang, 'ui.status.finished')} 59")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("numero 59")
    page.locator("#runs .tick").click()
    pair = page.locator("#pair section.compare")
    expect(pair).to_contain_text(t(lang, "ui.compare.says", name="scarpe <b>", low=said("0.50", lang), high=said("1.10", lang)))
    expect(pair.locator("polyline")).to_have_count(4)
    expect(pair.locator("table.two").last).to_contain_text(t(lang, "ui.knob.lora_r"))
    expect(pair.locator("table.two").last).not_to_contain_text(t(lang, "ui.knob.lora_alpha"))
    speaks(visitor, lang)
    press(page, "ask", "#runs")
    asked = page.locator("#runs .sure")
    expect(asked).to_contain_text("kB")
    press(page, "keep", "#runs")
    expect(asked).to_have_count(0)
    press(page, "ask", "#runs")
    press(page, "delete", "#runs")
    expect(page.locator("#runs .ticked, #runs .sure")).to_have_count(0)
    expect(pair).to_have_count(0)
    left = [run["name"] for run in sixty.runs.list()]
    assert "numero 58" in left and not {"scarpe <b>", "numero 59"} & set(left)
    visitor.clean()


def said(number: str, lang: str) -> str:
    return number.replace(".", "," if lang == "it" else ".")


@pytest.mark.drawn("pressed")
@pytest.mark.parametrize("lang", ["en", pytest.param("it", marks=pytest.mark.nightly)])
def test_started_again_renamed_and_taken_away(shop: Shop, store: Studio, visit: Visit, lang: str, rows_file: pathlib.Path) -> None:
    run = folders.make(store, "mine", 40, {"lora_r": 64, "learning_rate": 0.0005, "seed": 3}, str(rows_file))
    count = len(store.runs.list())
    (run.folder / "adapter").mkdir()
    save_file({"weights": numpy.zeros(4)}, run.folder / "adapter" / "adapter_model.safetensors")
    LoraConfig(r=64, target_modules=["q_proj"]).save_pretrained(str(run.folder / "adapter"))
    visitor = visit(shop, lang)
    page = opened(visitor, lang)
    expect(page.locator("#run-ways")).to_contain_text("mine")
    page.locator('#take [data-do=make][data-value="adapter:"]').click()
    with page.expect_download(timeout=120_000) as fetched:
        page.locator("#take a.go").click(timeout=120_000)
    assert zipfile.is_zipfile(fetched.value.path())
    expect(page.locator("#take .certificate summary")).to_contain_text(t(lang, "export.certificate.not_checked"))  # its weights are none
    press(page, "rename")
    field = page.locator("#new-name input, #new-name textarea")
    expect(field).to_have_value("mine")
    field.fill("yours")
    page.locator("#new-name button").click()
    expect(page.locator("#runs .card.run").first).to_contain_text("yours")
    expect(field).to_be_hidden()
    press(page, "again")
    expect(page.locator("#knob-lora_r")).to_have_value("64")
    expect(page.locator("#knob-learning_rate")).to_have_value("0.0005")
    expect(page.get_by_role("tab", selected=True)).to_contain_text(t(lang, "ui.tab.train"))
    page.locator("#fine button").first.click()
    expect(page.locator(".knob.turned")).to_have_count(4)  # `folders` sets max_steps; what the plan finds by itself is left to it
    (run.folder / "evaluation.json").write_text(json.dumps(FOUND), encoding="utf-8")  # it forgot
    place = "summary" if lang == "en" else "live-view"
    if lang == "en":
        tab(page, lang, "runs")
    page.locator(f"#{place} [data-do=advise][data-value=mix]").click()
    expect(page.locator("#knob-general_share")).to_have_value("0.2")
    expect(page.locator("#slip")).to_contain_text(GENERAL[lang])
    expect(page.locator(".knob.turned")).to_have_count(5)
    assert len(store.runs.list()) == count, "something was started"
    shutil.rmtree(shop.home / "data" / run.spec().data.id)
    tab(page, lang, "runs")
    press(page, "again")
    expect(page.locator("#run [role=alert]")).to_contain_text(t(lang, "ui.runs.again.data", name="yours"))
    visitor.clean()


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "it"])
def test_advice_of_a_report_is_followed_by_a_press(shop: Shop, store: Studio, visit: Visit, lang: str) -> None:
    run = folders.make(store, "mine", 30, {"learning_rate": 0.0004, "seed": 3}, f"starter-{lang}")
    (run.folder / "evaluation.json").write_text(json.dumps(FOUND), encoding="utf-8")
    visitor = visit(shop, lang)
    page = opened(visitor, lang)
    page.locator("#summary [data-do=advise][data-value=lower_rate]").click()
    expect(page.locator("#knob-learning_rate")).to_have_value("0.0002")
    expect(page.locator("#knob-learning_rate")).to_be_visible()
    expect(page.get_by_role("tab", selected=True)).to_contain_text(t(lang, "ui.tab.train"))
    page.locator("#live-view [data-do=advise][data-value=mix]").click()
    expect(page.locator("#slip")).to_contain_text(GENERAL[lang])
    page.locator("#fine button").first.click()
    expect(page.locator("#knob-general_share")).to_have_value("0.2")
    assert len(store.runs.list()) == 1, "something was started"
    speaks(visitor, lang)


def test_what_is_unfolded_stays_so_while_it_learns(shop: Shop, alive: Run, visit: Visit) -> None:
    visitor = visit(shop, "it")
    page = opened(visitor, "it")
    expect(page.locator("#run-ways")).to_contain_text(t("it", "ui.runs.delete.busy"))
    for name in ("charts", "log"):
        page.locator(f"#summary [data-fold={name}] summary").click()
    expect(page.locator("#summary .log")).to_contain_text("…/machine.bin")
    expect(page.locator("#summary .charts figure")).to_have_count(4)
    before = page.locator("#summary figure").first.inner_text()
    with (alive.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n".join(folders.lines(5, 31)) + "\n")
    alive.write_state(RunState(status="running", step=35, total_steps=60))
    expect(page.locator("#run-ways")).to_contain_text("35")
    expect(page.locator("#summary figure").first).not_to_have_text(re.compile(re.escape(before)))
    expect(page.locator("#summary details[open]")).to_have_count(2)
    visitor.clean()


@pytest.mark.drawn("boxes")
@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_what_waits_is_taken_out_of_the_queue_and_what_trains_goes_on(
    shop: Shop, store: Studio, visit: Visit, wait_until: Callable[..., Any], lang: str
) -> None:
    long = {"max_steps": 5000, "report": False}
    made = [store.runs.train("starter", "starter-en", "style", long, name=name)["run"] for name in ("prima", "seconda")]
    at_work, waits = (store.shared.store.find(run, LOCAL) for run in made)
    wait_until(lambda: at_work.state().status == "running", 180)
    visitor = visit(shop, lang)
    page = opened(visitor, lang)
    ways = page.locator("#run-ways")
    page.locator(f'#runs [data-do=run][data-value="{waits.id}"]').click()
    expect(ways).to_contain_text(t(lang, "ui.runs.unqueue.hint"))
    expect(ways.locator("[data-do=ask], [data-do=resume]")).to_have_count(0)
    press(page, "unqueue")
    expect(ways).to_contain_text(t(lang, "ui.status.stopped"))
    expect(ways).to_contain_text(t(lang, "ui.live.stopped.before"))
    expect(ways.locator("[data-do=unqueue]")).to_have_count(0)
    expect(page.locator("#summary .gained")).to_have_count(0)
    assert waits.state().status == "stopped" and at_work.state().status == "running" and not at_work.stop_requested()
    visitor.shot(f"queue-{lang}")
    press(page, "ask")
    press(page, "delete")
    expect(page.locator(f'#runs [data-value="{waits.id}"]')).to_have_count(0)
    assert not waits.folder.exists() and at_work.folder.exists()
    at_work.request_stop()
    wait_until(lambda: at_work.state().status == "stopped", 180)
    visitor.clean()


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "it"])
def test_five_runs_are_compared_and_their_curves_turned_by_keyboard(shop: Shop, store: Studio, visit: Visit, lang: str) -> None:
    for number in range(6):
        folders.make(store, f"{number} <b>", 20 + 10 * number, {"lora_r": 2 ** (number + 1)}, eval_loss=1.0 - number / 10)
    visitor = visit(shop, lang)
    page = opened(visitor, lang)
    for number in range(6):
        page.locator("#runs .tick").nth(number).click()
        expect(page.locator("#runs .tick[aria-pressed=true]")).to_have_count(number + 1)
        expect(page.locator("#pair table thead th")).to_have_count(2 * (number + 2) if 1 <= number <= 4 else 0)
    page.locator("#runs .tick").nth(5).click()
    lines = page.locator("#pair .plot polyline")
    expect(lines).to_have_count(10)
    page.locator("#pair [data-value='smooth:90']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#pair [data-value='smooth:90']")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#pair [data-value='smooth:90']")).to_be_focused()
    expect(lines).to_have_count(15)
    page.locator("#summary [data-value='window:50']").click()
    expect(page.locator("#pair [data-value='window:50']")).to_have_attribute("aria-pressed", "true")
    tab(page, lang, "train")
    page.locator("#live-view [data-value='log:']").click()
    expect(page.locator("#live-view [data-value='log:']")).to_have_attribute("aria-pressed", "true")
    visitor.clean()
