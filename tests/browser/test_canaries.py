"""Markup in every field that a visitor fills, in data and in what a model says: shown as text in Chromium, and nothing leaves the page.

A canary that gets through sets a variable of the page, or makes an element that is looked for. The suite has
what a model says, in a language by lot.
"""

import json
import pathlib
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import tab
from tests.lots import lot
from tests.ui.test_report import FOUND
from tuning.schema import Message, RunState
from tuning.text import t

Visit = Callable[..., Watched]
SIGNS = (
    "<img src=x onerror=window.__x=1>",
    "<svg onload=window.__x=2></svg>",
    '"><script>window.__x=3</script>',
    "<iframe srcdoc='<script>parent.__x=4</script>'></iframe>",
    "[a](javascript:window.__x=5) <a href='javascript:window.__x=6'>b</a>",
    "${window.__x=7} {{window.__x=8}} `${window.__x=9}`",
    "<img src=//elsewhere.example/a.png> ![b](https://elsewhere.example/b.png)",
    "<form action=//elsewhere.example><button data-do=delete>c</button></form>",
)
CANARY = " ".join(SIGNS)
MADE = "[onerror], [onload], [href^='javascript:'], [src*=elsewhere], [action*=elsewhere], iframe[srcdoc]"
FIELDS = "textarea:visible, input[type=text]:visible, input[type=search]:visible, input:not([type]):visible, input[type=number]:visible"
TABS = ("model", "data", "train", "chat", "runs")


def unfold(page: Page) -> None:
    """Open all that is folded, so that it is drawn."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


def harmless(visitor: Watched) -> None:
    page = visitor.page
    unfold(page)
    page.wait_for_timeout(300)  # for what would run a moment later
    assert page.evaluate("window.__x") is None
    assert page.evaluate("place => [...document.querySelectorAll(place)].map(one => one.outerHTML)", MADE) == []
    assert not [fault for fault in visitor.faults if fault.startswith("request")], visitor.faults


def in_data(shop: Shop, visitor: Watched, lang: str, folder: pathlib.Path) -> None:
    """A file's name, its headers, its cells; what is understood, and what is asked."""
    rows = [{"question": f"{number} {CANARY}", "answer": f"{CANARY} {number}", SIGNS[0]: CANARY} for number in range(12)]
    known, asked = folder / f"a{SIGNS[0]}.json", folder / f"b{SIGNS[0]}.csv"
    known.write_text(json.dumps([*rows, {"question": CANARY, "answer": ""}]), encoding="utf-8")
    head = ",".join('"' + sign.replace('"', '""') + '"' for sign in SIGNS[:3])
    asked.write_text("\n".join([head, *(head.replace("window", f"window{number}") for number in range(5))]), encoding="utf-8")
    page = visitor.open("/it" if lang == "it" else "/")
    page.locator("#next").click()  # take the starter; the Data tab comes
    page.locator("#upload input[type=file]").set_input_files(known)
    expect(page.locator("#report")).to_contain_text("onerror=window")
    expect(page.locator("#audit pre .tok").first).to_be_visible(timeout=60_000)
    harmless(visitor)
    page.locator("#upload input[type=file]").set_input_files(asked)
    expect(page.locator("#columns table")).to_contain_text("onerror=window")
    harmless(visitor)


def in_runs(shop: Shop, visitor: Watched, lang: str, folder: pathlib.Path) -> None:
    """A run's name, its log, its answers on the way and its report; two are compared."""
    report = json.dumps(FOUND).replace(json.dumps(FOUND["best"][0]["question"]), json.dumps(CANARY))
    for number in range(2):
        run = folders.make(shop.studio, f"{number} {CANARY}"[:80], 20)
        answer = {"prompt": CANARY, "answer": CANARY, "reference": CANARY}
        (run.folder / "samples.jsonl").write_text(json.dumps({"step": 4, "answers": [answer]}) + "\n", encoding="utf-8")
        (run.folder / "evaluation.json").write_text(report, encoding="utf-8")
        (run.folder / "log.txt").write_text(CANARY + "\n", encoding="utf-8")
    run.write_state(RunState(status="failed", reason=SIGNS[0], step=5, total_steps=20))
    page = visitor.open("/it" if lang == "it" else "/")
    tab(page, lang, "runs")
    cards = page.locator("#runs .card.run")
    expect(cards).to_have_count(2)
    expect(cards.first).to_contain_text("onerror=window")
    harmless(visitor)
    for number in range(2):
        page.locator("#runs [data-do=tick]").nth(number).click()
        expect(page.locator("#runs [data-do=tick][aria-pressed=true]")).to_have_count(number + 1)
    expect(page.locator("#runs")).to_contain_text("onerror=window")
    harmless(visitor)


def in_chats(shop: Shop, visitor: Watched, lang: str, folder: pathlib.Path) -> None:
    """What a model has said, what it was asked, and what the conversation is called."""
    turns = [Message(role="user", content=CANARY), Message(role="assistant", content=CANARY)]
    for turn in SIGNS:
        turns += [Message(role="user", content=turn), Message(role="assistant", content=turn)]
    chat = shop.studio.chats.save(None, "starter", turns, turns).id
    shop.studio.chats.rename(chat, SIGNS[0])
    page = visitor.open("/it" if lang == "it" else "/")
    tab(page, lang, "chat")
    page.locator("#chat-shelf button").first.click()
    opens = page.locator("#chats [data-do=open]", has_text="onerror=window")
    opens.first.click()
    expect(page.locator("#bot-tuned .bot.message")).to_have_count(len(SIGNS) + 1)
    expect(page.locator("#bot-tuned .bot.message").nth(1)).to_contain_text("onerror")
    harmless(visitor)
    shop.studio.chats.delete(chat)


def in_fields(shop: Shop, visitor: Watched, lang: str, folder: pathlib.Path) -> None:
    """Whatever can be typed into, on each tab, one after another."""
    folders.make(shop.studio, "typed", 20)
    page = visitor.open("/it" if lang == "it" else "/")
    typed = 0
    for name in TABS:
        tab(page, lang, name)
        unfold(page)
        page.evaluate("document.querySelectorAll('.label-wrap:not(.open)').forEach(one => one.checkVisibility() && one.click())")
        page.wait_for_timeout(300)
        for number in range(page.locator(FIELDS).count()):
            field = page.locator(FIELDS).nth(number)
            if field.count() and field.is_editable() and field.get_attribute("type") != "number":
                field.fill(SIGNS[number % len(SIGNS)])
                field.press("Enter")
                typed += 1
        harmless(visitor)
    print(typed, "fields")
    assert typed >= 6


PLACES = {"data": in_data, "runs": in_runs, "chats": in_chats, "fields": in_fields}
ALL = [(place, lang) for place in PLACES for lang in ("en", "it")]
SOME = ("chats", lot("canaries").choice(["en", "it"]))


@pytest.mark.parametrize(("place", "lang"), [pytest.param(*pair, marks=[] if pair == SOME else [pytest.mark.nightly]) for pair in ALL])
def test_markup_is_shown_as_text_wherever_it_comes_from(shop: Shop, visit: Visit, tmp_path: pathlib.Path, place: str, lang: str) -> None:
    visitor = visit(shop, lang)
    PLACES[place](shop, visitor, lang, tmp_path)
    assert t(lang, "ui.tab.chat") in visitor.page.locator("body").inner_text()
