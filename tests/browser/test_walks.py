"""Three people walk through the page by presses, in both languages, on a desk and on a phone, light and dark, with pictures of each step.

Giulia has a spreadsheet and wants answers for her guests, Marco finds the machine at work, Ann knows TRL and turns knobs.
The pictures come to `tests/screenshots/walks`, or into the folder that TEST_WALKS names.
"""

import json
import pathlib
import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests import folders
from tests.browser.conftest import Shop, Watched
from tests.browser.test_chat_tab import VIEWS, ask
from tests.browser.test_help import type_into
from tests.browser.test_while_it_runs import Pretended
from tests.browser.walker import Walker
from tests.data.books import workbook
from tests.ui.test_report import FOUND
from tuning.schema import LOCAL

pytestmark = pytest.mark.nightly
Visit = Callable[..., Watched]
GUESTS = [(f"Quanto costa la camera {n}?", f"La camera {n} costa {n * 10} euro a notte.", f"nota {n}") for n in range(1, 31)]


@pytest.fixture(params=[(lang, size) for lang in ("it", "en") for size in VIEWS], ids=lambda one: "-".join(one))
def walker(request: pytest.FixtureRequest, shop: Shop, visit: Visit) -> Walker:
    lang, size = request.param
    return Walker(visit(shop, lang), shop, request.node.originalname.rpartition("_")[2], lang, size)


def test_a_spreadsheet_becomes_a_bot_that_answers_as_giulia(walker: Walker, tmp_path: pathlib.Path) -> None:
    walker.open()
    first_look(walker)
    chooses_a_model(walker)
    book = workbook(tmp_path / "agriturismo.xlsx", Foglio1=[("Quesito", "Soluzione", "ID"), *GUESTS])
    brings(walker, book)
    mends_a_row(walker)
    trains(walker)
    reads_the_report(walker)
    asks(walker)
    takes_away(walker)
    walker.end()


def first_look(walker: Walker) -> None:
    page = walker.page
    page.locator("#chips .chip").first.wait_for(state="attached")  # drawn for this visitor
    seen = page.evaluate("window.seen")
    print(f"{walker.folder.name}: first card {seen['card'] - seen['shell']:.0f} ms after the shell, the shell at {seen['shell']:.0f} ms")
    walker.whole('#starter [data-do="starter"]', '#starter [data-do="bring"]', "#next")
    walker.shot("first")
    walker.shot("first-all", full=True)
    walker.settle()


def chooses_a_model(walker: Walker) -> None:
    page = walker.page
    walker.tab("model")
    page.locator("#filters input").first.click()
    page.get_by_role("option", name=walker.say("ui.goal.chatbot"), exact=True).click()
    for box in page.locator("#filters input[type=checkbox]").all():
        box.check()
    page.wait_for_timeout(1_500)
    walker.shot("model-filtered")
    page.mouse.move(200, 500)
    page.mouse.wheel(0, 600)
    page.wait_for_timeout(600)
    walker.whole("#next")
    walker.shot("model-scrolled")
    page.get_by_text(walker.say("ui.model.other")).click()
    field = page.locator("#other input, #other textarea")
    for words in ("qwen instruct", "/etc", "nobody/nothing"):
        field.fill(words)
        walker.press("ui.model.other.use")
        said = walker.fault(words.split("/")[-1]) if "/" in words else page.locator("#found .empty p").inner_text()
        assert said and len(said) < 400, said
        expect(page.locator("#found :is(.fault, .empty)")).to_have_count(1)  # what was said of other words has gone
        walker.whole("#found :is(.fault, .empty)")
        walker.shot(f"model-{words.replace('/', '-').replace(' ', '-')}")
    for box in page.locator("#filters input[type=checkbox]").all():  # for a first try anything will do
        box.uncheck()
    page.locator("#filters input").first.click()
    page.get_by_role("option", name=walker.say("ui.goal.any"), exact=True).click()
    expect(page.locator('#models [data-value="starter"]').first).to_be_visible()


def brings(walker: Walker, book: pathlib.Path) -> None:
    page = walker.page
    walker.tab("data")
    expect(page.locator("#datasets .card").first).to_be_visible()
    walker.shot("data")
    page.locator("#upload input[type=file]").set_input_files(book)
    expect(page.locator("#columns .ask .turn, #rows .turn").first).to_be_visible(timeout=60_000)
    walker.shot("data-brought")
    walker.shot("data-brought-all", full=True)
    if page.locator("#columns .ask .turn").count():
        walker.press("ui.data.columns.use")
    expect(page.locator("#rows .turn.assistant").first).to_contain_text("costa")
    page.locator("#report").scroll_into_view_if_needed()
    walker.shot("data-understood")


def mends_a_row(walker: Walker) -> None:
    page = walker.page
    page.locator("#rows .ways-on [data-do=edit]").nth(1).click()  # the first adds a row
    expect(page.locator("#rows form.edits textarea").first).to_be_visible()
    page.locator("#rows form.edits").first.scroll_into_view_if_needed()
    walker.shot("data-edit")
    page.locator("#rows form.edits textarea").last.fill("Costa 11 euro a notte.")
    page.locator("#rows form.edits button[type=submit]").click()
    expect(page.locator("#rows")).to_contain_text("Costa 11 euro a notte.")
    walker.tab("model")
    page.locator('#models [data-value="starter"]').first.click()
    expect(page.locator("#next")).to_have_text(walker.say("ui.next.train"))
    walker.whole("#next")
    walker.shot("model-chosen")
    walker.tab("data")
    expect(page.locator("#audit pre .tok.learned").first).to_be_visible(timeout=60_000)
    walker.shot("data-all", full=True)


def trains(walker: Walker) -> None:
    page = walker.page
    walker.tab("train")
    expect(page.locator("#recipes .card").first).to_be_visible()
    walker.whole("#next")
    walker.shot("train")
    walker.shot("train-all", full=True)
    page.locator("#next").click()
    begun = re.compile("|".join(re.escape(walker.say(f"ui.status.{status}")) for status in ("running", "finished")))
    expect(page.locator("#live-view h2")).to_contain_text(begun, timeout=240_000)  # the libraries are loaded first
    walker.shot("train-live")
    walker.tab("chat")
    expect(page.locator("#suggestions button").first).to_be_visible()
    walker.whole("#message", "#send")
    walker.shot("chat-midrun")
    ask(page, "Quanto costa la camera 7?", 1)
    walker.whole("#message", "#send", "#bot-tuned .bot.message")
    walker.shot("chat-midrun-answer")
    walker.tab("train")
    expect(page.locator("#live-view .judged").first).to_be_visible(timeout=240_000)
    walker.shot("train-finished")


def reads_the_report(walker: Walker) -> None:
    walker.tab("runs")
    walker.page.locator("#summary .judged").first.wait_for()
    walker.page.evaluate("document.querySelectorAll('#summary details').forEach((fold) => { fold.open = true; })")
    walker.shot("report-all", full=True)


def asks(walker: Walker) -> None:
    page = walker.page
    walker.tab("chat")
    walker.whole("#message", "#send")
    ask(page, "Quanto costa la camera 9?", 2)
    walker.shot("chat-second")
    page.locator("#beside input").check()
    ask(page, "Quanto costa la camera 12?", 3)
    expect(page.locator("#bot-base .bot").last).not_to_be_empty(timeout=60_000)
    walker.whole("#message", "#send")
    for side in ("tuned", "base"):
        answer = page.locator(f"#bot-{side} .bot.message").last
        if side == "base" and walker.size == "phone":  # below the other: who asks is brought to where the first begins
            answer.scroll_into_view_if_needed()
        expect(answer).to_be_in_viewport(ratio=0.9)
    walker.shot("chat-beside")


def takes_away(walker: Walker) -> None:
    page = walker.page
    walker.tab("runs")
    page.locator("#take [data-do=make]").first.wait_for()
    page.locator("#take").scroll_into_view_if_needed()
    walker.shot("take-away")


def test_a_machine_that_is_at_work_as_marco(walker: Walker, shop: Shop) -> None:
    long = {"max_steps": 5000, "report": False}
    shop.studio.runs.train("starter", "starter-en", "style", long, name="Squadra 2")
    walker.open()
    finds_it_at_work(walker)
    orders_behind_it(walker)
    is_deleted(walker)
    walker.settle()
    walker.page.goto("about:blank")  # nobody looks on while all runs are taken away
    shop.clear()
    is_late(walker)
    walker.end()


def finds_it_at_work(walker: Walker) -> None:
    page = walker.open()
    expect(page.locator(".at-work:visible, #next").first).to_be_visible()
    walker.shot("first")
    page.locator('#models [data-value="starter"]').first.click()
    walker.tab("data")
    page.locator(f'#datasets [data-value="starter-{walker.lang}"]').click()
    expect(page.locator("#order .verdict")).to_be_attached()
    walker.whole("#next")
    walker.shot("data")
    walker.tab("train")
    expect(page.locator("#recipes .card").first).to_be_visible()
    walker.whole("#next")
    walker.shot("train")


def orders_behind_it(walker: Walker) -> None:
    page = walker.page
    page.locator("#start").scroll_into_view_if_needed()
    expect(page.locator("#start")).to_have_text(walker.say("ui.next.queue"))
    walker.shot("train-start")
    page.locator("#next").click()
    placed = page.locator("#slip :is(.waits, .at-work:has(li))")  # it waits, or stands in the list behind the one at work
    expect(placed).to_be_in_viewport(timeout=60_000, ratio=0.99)
    walker.shot("train-queued")
    walker.shot("train-queued-all", full=True)
    for name in ("chat", "runs"):
        walker.tab(name)
        page.wait_for_timeout(500)
        walker.shot(f"queued-{name}")


def is_late(walker: Walker) -> None:
    """What takes longer than was forecast: only what ends sooner is advised."""
    late = Pretended(walker.shop, "Tardi")
    try:
        late.run.write_state(late.run.state().model_copy(update={"seconds": 600.0, "seconds_left": 100_000.0}))
        walker.open()
        walker.tab("train")
        expect(walker.page.locator("#rescue .way").first).to_be_visible(timeout=60_000)
        walker.shot("train-late")
    finally:
        late.lock.release()


def is_deleted(walker: Walker) -> None:
    page = walker.page
    folders.make(walker.shop.studio, "scarpe", 40, {"lora_r": 4}, eval_loss=0.5)
    walker.open()
    walker.tab("runs")
    page.locator("#runs [data-do=run]", has_text="scarpe").first.click()
    expect(page.locator("#run-ways")).to_contain_text("scarpe")
    walker.shot("runs")
    page.locator("#run-ways [data-do=ask]").first.click()
    walker.whole("#run-ways [data-do=delete]", "#run-ways [data-do=keep]")
    walker.shot("runs-delete")


def test_knobs_comparisons_and_a_killed_run_as_ann(walker: Walker, shop: Shop) -> None:
    walker.open()
    for number in range(4):
        folders.make(shop.studio, f"rank {2**number}", 30 + number, {"lora_r": 2**number, "seed": 5}, eval_loss=1.0 - number / 10)
    wrecked = folders.make(shop.studio, "rate 20", 30, {"learning_rate": 20.0}, eval_loss=8.3, base_eval_loss=5.67)
    found = {**FOUND, "verdict": {**FOUND["verdict"], "code": "wrecked", "level": "warning"}}
    (wrecked.folder / "evaluation.json").write_text(json.dumps(found), encoding="utf-8")
    walker.open()
    turns_knobs(walker)
    compares(walker)
    is_killed(walker)
    walker.end()


def turns_knobs(walker: Walker) -> None:
    page = walker.page
    page.locator('#models [data-value="starter"]').first.click()
    walker.tab("data")
    page.locator(f'#datasets [data-value="starter-{walker.lang}"]').click()
    walker.tab("train")
    expect(page.locator("#recipes .card").first).to_be_visible()
    if not page.locator("#knob-learning_rate").is_visible():
        page.locator("#fine button").first.click()
    walker.shot("fine")
    type_into(page, "learning_rate", "abc")
    expect(page.locator("#knob-learning_rate")).to_have_attribute("aria-invalid", "true")
    walker.fault("abc")
    walker.shot("abc")
    type_into(page, "learning_rate", "20")
    expect(page.locator(".knob:has(#knob-learning_rate) .unusual")).to_be_in_viewport()
    row = page.locator("#knobs .knob select, #knobs .knob input").all()
    assert walker.size == "phone" or len({round(field.bounding_box()["y"]) for field in row}) == 1, "fields of a row at several heights"  # type: ignore[index]
    walker.shot("twenty")
    walker.shot("fine-all", full=True)


def compares(walker: Walker) -> None:
    page = walker.page
    walker.tab("runs")
    expect(page.locator("#runs .card.run")).to_have_count(5)
    walker.shot("runs")
    for number in range(1, 4):
        page.locator("#runs .tick").nth(number).click()
        expect(page.locator("#runs .tick[aria-pressed=true]")).to_have_count(number)
    expect(page.locator("#pair section.compare :is(h2, h3)").first).to_be_in_viewport()
    walker.shot("compared")
    walker.shot("compared-all", full=True)


def is_killed(walker: Walker) -> None:
    page = walker.page
    made = walker.shop.studio.runs.train("starter", f"starter-{walker.lang}", "style", {"max_steps": 5000, "report": False}, name="Killed")
    walker.open()
    walker.tab("train")
    expect(page.locator("#live-view")).to_contain_text(walker.say("ui.status.running"), timeout=240_000)
    run = walker.shop.studio.shared.store.find(made["run"], LOCAL)
    deadline = time.monotonic() + 120
    while not run.state().step > 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    walker.shop.close()
    walker.shop.open()
    walker.page.wait_for_timeout(1_000)  # what the page said of a server that was gone is heard now
    walker.visitor.faults.clear()
    walker.open()
    walker.tab("train")
    expect(page.locator("#live-view")).to_contain_text(walker.say("ui.status.interrupted"), timeout=60_000)
    expect(page.get_by_role("button", name=re.compile(walker.say("ui.next.resume"))).filter(visible=True).first).to_be_visible()
    walker.shot("killed")
