"""The Chat tab as people know chats: all on one screen, a conversation that is found again, undone, edited, tried anew and taken away."""

import json
import pathlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Shop, Watched
from tests.browser.test_whole_path import speaks, tab
from tuning.text import t

Visit = Callable[..., Watched]
VIEWS = {"desktop": (1280, 800), "phone": (390, 844)}
QUESTIONS = ("Are you open on Sundays?", "How much to hem a pair of trousers?", "Where exactly is your workshop?")


ANSWERS = "#bot-tuned .bot.message:not(:has(.proof))"  # a badge is a message of its own


def ask(page: Page, text: str, count: int) -> None:
    """Send a message, and wait for the end of its answer, the one of this number."""
    page.locator("#message textarea").fill(text)
    page.locator("#send").click()
    answered(page, count)


def answered(page: Page, count: int) -> None:
    bots = page.locator(ANSWERS)
    expect(bots).to_have_count(count, timeout=90_000)
    expect(bots.last).not_to_have_text(re.compile("^$"), timeout=90_000)
    expect(page.locator("#send")).to_be_visible(timeout=90_000)


def in_view(page: Page, *places: str) -> None:
    height = page.viewport_size["height"]  # type: ignore[index]
    for place in places:
        box = page.locator(place).last.bounding_box()
        assert box and box["y"] >= 0 and box["y"] + box["height"] <= height, (place, box)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


OTHERS = [pytest.param(*view, marks=pytest.mark.nightly) for view in (("en", "desktop"), ("en", "phone"), ("it", "desktop"))]


@pytest.mark.drawn("talked")
@pytest.mark.parametrize(("lang", "size"), [("it", "phone"), *OTHERS])
def test_field_and_last_answer_are_on_one_screen(shop: Shop, visit: Visit, lang: str, size: str) -> None:
    visitor = visit(shop, lang)
    visitor.page.set_viewport_size({"width": VIEWS[size][0], "height": VIEWS[size][1]})
    page = visitor.open("/it" if lang == "it" else "/")
    tab(page, lang, "chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    in_view(page, "#message", "#send", "#suggestions button")
    for count, text in enumerate(QUESTIONS, 1):
        ask(page, text, count)
        expect(page.locator("#chat-note p")).to_be_visible()
        in_view(page, "#message", "#send", ANSWERS, "#chat-note p")
        note, field = (page.locator(place).bounding_box() for place in ("#chat-note p", "#tab-chat .say"))
        assert note and field and note["y"] + note["height"] <= field["y"] + 1, "the field covers it"
    page.evaluate("scrollTo(0, 9999)")
    in_view(page, "#message", "#send", ANSWERS)
    visitor.shot(f"chat-{lang}-{size}")
    page.locator("#chat-settings button").first.click()
    expect(page.locator("#temperature")).to_be_visible()
    in_view(page, "#message", "#send")
    speaks(visitor, lang)


@pytest.mark.drawn("talked")
def test_a_conversation_is_changed_found_again_taken_and_deleted(shop: Shop, visit: Visit, tmp_path: pathlib.Path) -> None:
    visitor = visit(shop)
    page = visitor.open()
    tab(page, "en", "chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    for count, text in enumerate(QUESTIONS, 1):
        ask(page, text, count)
    badges = page.locator("#bot-tuned .proof summary")
    expect(badges).to_have_text([t("en", "ui.badge.base")] * 3)
    heard = page.locator("#bot-tuned [aria-label]").evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))")
    assert not [name for name in heard if "<" in name] and [name for name in heard if name.endswith(t("en", "ui.badge.base"))]
    users = page.locator("#bot-tuned .user.message")
    page.locator("#bot-tuned").get_by_label("Undo").filter(visible=True).last.click()
    expect(users).to_have_count(2)
    expect(page.locator("#message textarea")).to_have_value(QUESTIONS[2])
    page.locator("#message textarea").fill("")
    page.locator("#bot-tuned").get_by_label("Retry").filter(visible=True).last.click()
    expect(page.locator("#halt")).to_be_visible()
    answered(page, 2)
    page.locator("#bot-tuned").get_by_label("Edit").first.click()
    page.locator("#bot-tuned textarea").first.fill("Do you sell buttons?")
    page.locator("#bot-tuned").get_by_label("Submit").click()
    expect(users).to_have_count(1)
    answered(page, 1)
    expect(users.first).to_have_text("Do you sell buttons?")
    expect(badges).to_have_count(1)
    answer = page.locator(ANSWERS).inner_text()
    page.reload()
    page.locator("#next").wait_for()
    tab(page, "en", "chat")
    expect(page.locator(ANSWERS)).to_have_text(answer)
    expect(badges).to_have_text(t("en", "ui.badge.base"))
    page.locator("#chat-shelf button").first.click()
    page.locator("#chat-name input, #chat-name textarea").first.fill("About buttons")
    page.get_by_role("button", name=t("en", "ui.chats.rename"), exact=True).click()
    expect(page.locator("#chats [aria-current]")).to_contain_text("About buttons")
    with page.expect_download() as fetched:
        page.locator("#chats [data-do=jsonl]").click()
    fetched.value.save_as(tmp_path / "taken.jsonl")
    row = json.loads((tmp_path / "taken.jsonl").read_text(encoding="utf-8"))
    assert fetched.value.suggested_filename == "about-buttons.jsonl"
    assert [turn["content"] for turn in row["messages"]] == ["Do you sell buttons?", answer.strip()]
    page.locator("#new-chat").click()
    expect(page.locator("#bot-tuned .message")).to_have_count(0)
    page.locator("#chats [data-do=open]", has_text="About buttons").click()
    expect(page.locator(ANSWERS)).to_have_text(answer)
    page.locator("#chats [data-do=sure]").click()
    page.locator("#chats [data-do=delete]").click()
    expect(page.locator("#bot-tuned .message")).to_have_count(0)
    expect(page.locator("#chats", has_text="About buttons")).to_have_count(0)
    visitor.clean()


@pytest.mark.nightly
def test_an_answer_that_is_cut_goes_on_and_settings_stay(shop: Shop, visit: Visit) -> None:
    visitor = visit(shop)
    page = visitor.open()
    tab(page, "en", "chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    page.locator("#chat-settings button").first.click()
    length = page.locator("#length input[type=number]")
    usual = length.input_value()
    length.fill("16")
    length.blur()
    page.locator("#length input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    page.locator("#message textarea").fill("Tell me all about your workshop.")
    page.locator("#send").click()
    cut = page.locator("#chat-note [data-do=more]")
    expect(cut).to_be_visible(timeout=90_000)
    begun = page.locator(ANSWERS).inner_text()
    cut.click()
    expect(page.locator(ANSWERS)).not_to_have_text(begun, timeout=90_000)
    expect(page.locator("#send")).to_be_visible(timeout=90_000)
    assert page.locator(ANSWERS).inner_text().startswith(begun[:-4])
    expect(page.locator(ANSWERS)).to_have_count(1)
    page.reload()
    page.locator("#next").wait_for()
    tab(page, "en", "chat")
    page.locator("#chat-settings button").first.click()
    expect(length).to_have_value("16")
    page.get_by_role("button", name=t("en", "ui.chat.reset")).click()
    expect(length).to_have_value(usual)
    visitor.clean()
