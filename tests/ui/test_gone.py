"""A run that was deleted in another window while this one shows it: whatever is pressed on it says so in one sentence."""

import shutil
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

from tests import folders
from tests.ui.test_chat import answering
from tuning.ui import view
from tuning.ui.desk import Desk
from tuning.ui.door import caught
from tuning.ui.parts import take_away
from tuning.ui.tabs.chat import ChatTab
from tuning.ui.tabs.runs import RunActions

Press = Callable[[ChatTab, str], Any]


def event(what: str, value: str = "", **sent: Any) -> gr.EventData:
    return gr.EventData(None, {"what": what, "value": value, **sent})


def below(what: str, value: str = "") -> Press:
    """A press on what stands below the run that is open."""

    def press(tab: ChatTab, run: str) -> Any:
        desk = tab.desk
        values = {desk.opened: run, desk.look: {}, desk.choice: {}, desk.overrides: {}}
        return RunActions(desk).act(values, gr.Textbox(render=False), event(what, value))

    return press


def taking(what: str, value: str, **sent: Any) -> Press:
    return lambda tab, run: take_away._press(tab.desk, run, event(what, value, **sent))


def talking(handler: str, *sent: gr.EventData) -> Press:
    """A press in the Chat tab, in a conversation with the run."""

    def press(tab: ChatTab, run: str) -> Any:
        sheet = [{"role": "user", "content": "Open?"}, {"role": "assistant", "content": "Yes."}]
        values = {part: getattr(part, "value", None) for part in tab.asked}
        values |= {tab.message: "And now?", tab.desk.target: run, tab.bots[0]: sheet, tab.bots[1]: [], tab.desk.talk: ""}
        found = getattr(tab, handler)(values, *sent)
        return found if isinstance(found, list) else [*found]

    return press


PRESSES: dict[str, Press] = {
    **{what: below(what) for what in ("talk", "resume", "unqueue", "again", "rename", "ask", "delete")},
    "curve": below("curve", "smooth"),
    "advise": below("advise", "rank"),
    "open": lambda tab, run: RunActions(tab.desk).press({}, None, event("run", run)),
    "publish": taking("push", "adapter", repo="shop", token="hf_none"),
    "take away": taking("make", "adapter:"),
    "remove": taking("remove", "adapter:"),
    "watch link": lambda tab, run: tab.desk.studio.links.give(run),
    "stop": lambda tab, run: tab.desk.studio.rentals.stop(run),
    "go on": lambda tab, run: tab.desk.studio.runs.go_on(run, "starter-en", "Shop"),
    "send": talking("ask"),
    "try again": talking("retry", event("", index=0)),
    "ask otherwise": talking("edit", event("How much?", "How much?", index=0)),
    "correct": talking("edit", event("", "Better.", index=1)),
    "learn": talking("noted", event("learn")),
    "more": talking("noted", event("more")),
    "strengths": lambda tab, run: [*tab.fold.press(False, run, "", event("go"))],
    "question": lambda tab, run: tab.fold.add(run, "How much?"),
}


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_press_on_a_run_that_was_deleted_in_another_window_says_so(lang: str, caplog: pytest.LogCaptureFixture) -> None:
    house, said = answering("Yes."), {}
    run = folders.make(house, "Shop")
    shutil.rmtree(run.folder)
    with gr.Blocks():
        desk = Desk(house, lang)
        tab = ChatTab(desk)
    for name, press in PRESSES.items():
        with desk.serving(None), caught(lang) as trouble:
            press(tab, run.id)
        said[name] = "".join(trouble)
    assert said == dict.fromkeys(PRESSES, view.fault(lang, "run.unknown", {"run": run.id}))
    assert not caplog.records
