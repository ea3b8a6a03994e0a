"""An answer that is wrong is put right in the chat, becomes a row of data, and is learned at one press; in a real browser."""

import json
import pathlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_chat_tab import VIEWS, ask, in_view
from tests.browser.test_whole_path import speaks, tab
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.text import t

Visit = Callable[..., Watched]
SAID = {"en": ("Do you deliver?", "Yes, by bike, for 4 pounds."), "it": ("Consegnate a casa?", "Sì, in bici, per 4 euro.")}
OTHERS = [pytest.param(*view, marks=pytest.mark.nightly) for view in (("en", "phone"), ("it", "desktop"), ("en", "desktop"))]


@pytest.mark.drawn("talked")
@pytest.mark.parametrize(("lang", "size"), [("it", "phone"), *OTHERS])
def test_a_wrong_answer_is_put_right_and_learned_at_one_press(
    shop: Shop, visit: Visit, tmp_path: pathlib.Path, lang: str, size: str
) -> None:
    file, studio = tmp_path / f"prices-{lang}-{size}.json", shop.studio
    rows = [{"question": f"Scatola {n}?", "answer": f"{n} euro."} for n in range(1, 13)]
    file.write_text(json.dumps(rows), encoding="utf-8")
    first = studio.runs.create("starter", str(file), "facts", {"report": False, "validation_share": 0.0, "max_steps": 2}, name="Boxes")
    train(first, studio.shared.store, Resident())
    visitor = visit(shop, lang)
    visitor.page.set_viewport_size({"width": VIEWS[size][0], "height": VIEWS[size][1]})
    page = visitor.open("/it" if lang == "it" else "/")
    tab(page, lang, "chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    asked, better = SAID[lang]
    ask(page, asked, 1)
    note = page.locator("#chat-note")
    expect(note).to_contain_text(t(lang, "ui.chat.correct"))
    in_view(page, "#message", "#send", "#bot-tuned .bot.message", "#chat-note p")
    visitor.shot(f"correct-0-{lang}-{size}")
    page.locator("#bot-tuned .message-buttons-left").get_by_label(re.compile("Edit|Modifica")).filter(visible=True).last.click()
    page.locator("#bot-tuned .bot textarea").fill(better)
    visitor.shot(f"correct-1-{lang}-{size}")
    page.locator("#bot-tuned .message-buttons-left").get_by_label(re.compile("Submit|Invia")).last.click()
    learn = note.get_by_role("button", name=t(lang, "ui.chat.learn"))
    expect(learn).to_be_visible(timeout=60_000)
    expect(page.locator("#bot-tuned .bot.message").last).to_contain_text(better)
    in_view(page, "#message", "#send", "#chat-note p", "#chat-note button")
    visitor.shot(f"correct-2-{lang}-{size}")
    name = t(lang, "correct.data.one", name=file.name)
    tab(page, lang, "data")
    page.locator("#datasets .card", has_text=name).click()
    report = page.locator("#report")
    expect(report).to_contain_text(t(lang, "ui.data.corrected", count="1", name=file.name))
    expect(page.locator("#rows")).to_contain_text(better)
    expect(report.get_by_role("button", name=t(lang, "ui.runs.delete"))).to_be_visible()
    visitor.shot(f"correct-3-{lang}-{size}")
    tab(page, lang, "chat")
    learn.click()
    expect(page.locator("#target input")).to_have_value(re.compile(re.escape(t(lang, "correct.run", name="Boxes"))), timeout=60_000)
    second = shop.newest()
    assert second.spec().continues == first.id and second.spec().data.name == name
    visitor.shot(f"correct-4-{lang}-{size}")
    speaks(visitor, lang)
