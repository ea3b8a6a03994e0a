"""The whole way in a real browser, in both languages: model, a file of one's own, training, talking, taking away."""

import json
import pathlib
import re
import time
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import findings, in_theme
from tests.browser.conftest import Shop, Watched
from tests.lots import lot
from tuning.text import t

Visit = Callable[..., Watched]

# Words of Gradio's own or of ours that would give an untranslated Italian page away.
ENGLISH = re.compile(
    r"\b(the|your|you|with|and|click|upload|drop|clear|submit|stop|send|choose|choice|loading|processing|error|file here|undo|retry|close|"
    r"download|settings|step|loss|running|finished|rows|none|search|share|built|use via api)\b",
    re.IGNORECASE,
)
TERMS = re.compile(
    r"huggingface\.co/settings/tokens|download al mese|"
    r"\b(rows\.json|file|starter|Sartoria starter|CSV|JSON|JSON Lines|batch|token|adapter|dropout|alpha|CPU|GB|MB|LoRA|English)\b"
)


@pytest.fixture
def upload(tmp_path: pathlib.Path) -> pathlib.Path:
    """An alpaca-shaped file that teaches one thing: how dear numbered things are."""
    rows = [{"instruction": f"Price of box {n}?", "input": "", "output": f"Box {n} is {n} euro."} for n in range(1, 41)]
    path = tmp_path / "scatole & prezzi.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def tab(page: Page, lang: str, name: str) -> None:
    page.get_by_role("tab", name=re.compile("^" + re.escape(t(lang, f"ui.tab.{name}")))).first.click()


def words_shown(page: Page) -> str:
    """Visible text, and what labels, placeholders and titles say."""
    said = page.evaluate(
        "() => [...document.querySelectorAll('[aria-label],[placeholder],[title],[alt]')].filter(e => e.checkVisibility())"
        ".flatMap(e => ['aria-label','placeholder','title','alt'].map(a => e.getAttribute(a))).filter(Boolean).join('\\n')"
    )
    shown = page.locator("body").inner_text() + "\n" + str(said)
    others = "#bot-tuned .message, #bot-base .message, .timeline :is(q, li p), .pair :is(q, dd), .log pre"
    for answer in page.locator(others).all_inner_texts():  # the model may answer in the language of its data, and libraries log in theirs
        shown = shown.replace(answer.strip(), "")
    return shown


def speaks(watched: Watched, lang: str) -> None:
    watched.clean()
    expect(watched.page.locator("html")).to_have_attribute("lang", lang)
    if lang == "it":
        deadline = time.monotonic() + 3  # a part that is being made anew is put into Italian a moment after it came
        while (foreign := foreign_words(watched.page)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not foreign, foreign


def foreign_words(page: Page) -> list[str]:
    return [line for line in TERMS.sub("", words_shown(page)).splitlines() if ENGLISH.search(line)]


@pytest.mark.parametrize("lang", ["it", pytest.param("en", marks=pytest.mark.nightly)])
def test_from_a_file_to_an_adapter(shop: Shop, visit: Visit, upload: pathlib.Path, tmp_path: pathlib.Path, lang: str) -> None:
    visitor = visit(shop, lang)
    page = visitor.open()
    assert page.url.endswith("/it") == (lang == "it")
    speaks(visitor, lang)
    page.locator("#next").click()  # take the starter; the Data tab comes
    page.locator("#upload input[type=file]").set_input_files(upload)
    expect(page.locator("#rows")).to_contain_text("Price of box 1?")
    expect(page.locator("#report")).to_contain_text("40")
    speaks(visitor, lang)
    tab(page, lang, "train")
    page.locator("#fine button").first.click()
    speaks(visitor, lang)
    page.locator("#start").click()
    expect(page.locator("#live-view h2")).to_be_in_viewport(timeout=60_000)
    expect(page.locator("#live-view svg").first).to_be_visible()
    expect(page.locator("#live-view")).to_contain_text(t(lang, "ui.status.running"), timeout=60_000)
    speaks(visitor, lang)
    expect(page.locator("#live-view")).to_contain_text(t(lang, "ui.status.finished"), timeout=120_000)
    speaks(visitor, lang)
    losses = [record["loss"] for record in shop.newest().metrics() if "loss" in record]
    assert losses[-1] < losses[0] / 2, "the curve does not fall"
    visitor.shot(f"{lang}-train")
    tab(page, lang, "chat")
    page.locator("#beside input").check()
    page.locator("#message textarea").fill("Price of box 7?")
    page.locator("#send").click()
    expect(page.locator("#bot-tuned .bot").last).to_contain_text("euro", timeout=60_000)
    expect(page.locator("#bot-base .bot").last).not_to_be_empty(timeout=60_000)
    expect(page.locator("#halt")).not_to_be_visible(timeout=60_000)
    speaks(visitor, lang)
    visitor.shot(f"{lang}-chat")
    tab(page, lang, "runs")
    page.locator("#runs [data-do]").first.click()
    take = page.locator("#take")
    expect(take).to_contain_text(t(lang, "ui.take.about", size="1 MB"))
    page.locator('#take [data-do=make][data-value="adapter:"]').click()
    expect(take.locator("[role=progressbar], a.go").first).to_be_visible()
    speaks(visitor, lang)
    page.reload()  # whoever closes the page loses nothing of it
    page.locator("#next").wait_for()
    tab(page, lang, "runs")
    expect(take.locator("a.go")).to_be_visible(timeout=180_000)
    with page.expect_download() as fetched:
        take.locator("a.go").click()
    path = tmp_path / fetched.value.suggested_filename
    fetched.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= set(archive.namelist())
        found = json.loads(archive.read("certificate.json"))
    said = take.locator(".certificate")
    expect(said.locator("summary")).to_contain_text(t(lang, "export.certificate.same"))
    assert found["verdict"] == "same", found
    said.locator("summary").click()
    expect(said.locator("h4")).to_have_count(len(found["answers"]))
    expect(said).to_contain_text(t(lang, "export.certificate.prompts", **found["prompts"]))
    speaks(visitor, lang)
    visitor.shot(f"{lang}-runs")


# What the server draws on each tab.
DRAWN = {"model": "#models .card", "data": "#datasets .card", "train": "#recipes .card", "chat": "#message textarea", "runs": "#runs"}


ONE = lot("language on a phone").choice(["it", "en"])  # in every suite; the other by night


@pytest.mark.parametrize("lang", [pytest.param(lang, marks=[] if lang == ONE else [pytest.mark.nightly]) for lang in ("it", "en")])
def test_on_a_phone_nothing_sticks_out(shop: Shop, visit: Visit, lang: str) -> None:
    """And on one of the tabs, in one theme, nothing keeps anybody out; `test_accessible.py` has every state."""
    visitor, dice = visit(shop, lang, size="phone"), lot(f"looked at closely {lang}")
    page, closely = visitor.open(), dice.choice([*DRAWN])
    in_theme(page, dark=dice.random() < 0.5)
    for name in ("model", "data", "train", "chat", "runs"):
        tab(page, lang, name)
        expect(page.get_by_role("heading", name=t(lang, f"ui.{name}.title"), exact=True)).to_be_visible()
        expect(page.locator(DRAWN[name]).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.locator("#next").is_visible()
        speaks(visitor, lang)
        assert name != closely or findings(page) == []
        visitor.shot(f"{lang}-phone-{name}")


def test_a_bad_file_is_told_in_place_and_nothing_is_lost(shop: Shop, visit: Visit, tmp_path: pathlib.Path, upload: pathlib.Path) -> None:
    visitor = visit(shop, "it")
    page = visitor.open()
    page.locator("#next").click()
    page.locator("#upload input[type=file]").set_input_files(upload)
    expect(page.locator("#rows")).to_contain_text("Price of box 1?")
    bad = tmp_path / "rotto.json"
    bad.write_text("[" * 20_000, encoding="utf-8")
    page.locator("#upload input[type=file]").set_input_files(bad)
    fault = page.locator("[role=alert]").filter(has_text="rotto.json")
    expect(fault).to_be_visible()
    expect(page.locator("#rows")).to_contain_text("Price of box 1?")
    speaks(visitor, "it")


def test_the_switch_is_kept(shop: Shop, visit: Visit) -> None:
    visitor = visit(shop, "it")
    page = visitor.open()
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page = visitor.open("/")
    assert not page.url.endswith("/it")
