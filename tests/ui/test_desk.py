"""Draws of one page that overtake each other: what stays is what belongs to the choices made last."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gradio as gr
import pytest

from tests import folders
from tuning.studio import Studio
from tuning.ui import gradio_ways
from tuning.ui.desk import Desk, Painter, Scene

Values = dict[Any, Any]


class Slow:
    """A page whose one painter waits, on the tab `model`, until it is let go; `press` is what its one button does."""

    press: Any

    def __init__(self, studio: Studio) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.desk = Desk(studio, "en")
        self.picture = self.desk.html()
        self.desk.paints(self.paint, [self.picture], live=True)
        self.desk.on(gr.Button().click, lambda: None, [], [], self.desk.slot(), repaint=True)
        self.pool = ThreadPoolExecutor(1)

    def paint(self, scene: Scene) -> Sequence[Any]:
        if scene.tab == "model":
            self.begun.set()
            assert self.go.wait(60)
        return [f"seen on {scene.tab}"]

    def draw(self, tab: str, visitor: str = "anna", live_only: bool = False, **seen: Any) -> list[Any]:
        values: Values = dict.fromkeys(self.desk.asked)
        values |= {self.desk.tab: tab, self.desk.choice: {}, self.desk.seen: seen}
        with self.desk.serving(None):
            return self.desk.draw(values, live_only, visitor)

    def while_slow(self, *draw: Any) -> tuple[list[Any], list[Any]]:
        """What a slow draw returns that began before another one, and what that one returns."""
        self.begun.clear()
        self.go.clear()
        first = self.pool.submit(self.draw, "model", live_only=draw[0] if draw else False)
        assert self.begun.wait(60)
        second = self.draw("data", *draw[1:])
        self.go.set()
        return first.result(60), second


@pytest.fixture
def slow(studio: Studio) -> Iterator[Slow]:
    with gr.Blocks() as demo:
        made = Slow(studio)
    (made.press,) = (block.fn for block in demo.fns.values())
    yield made
    made.go.set()
    made.pool.shutdown()


def test_a_draw_that_was_overtaken_shows_nothing_and_is_not_remembered(slow: Slow) -> None:
    older, newer = slow.while_slow()
    assert newer[-1] == "seen on data"
    assert older == [gr.skip()] * len(newer)


def test_a_look_that_was_overtaken_by_a_whole_draw_shows_nothing(slow: Slow) -> None:
    slow.draw("data")
    older, newer = slow.while_slow(True)
    assert newer[-1] == "seen on data" and older == [gr.skip()] * len(newer)


def test_a_look_never_takes_the_place_of_a_whole_draw_nor_one_visitor_that_of_another(slow: Slow) -> None:
    older, newer = slow.while_slow(False, "anna", True)
    assert (older[-1], newer[-1]) == ("seen on model", "seen on data")
    other = slow.while_slow(False, "bruno")
    assert [drawn[-1] for drawn in other] == ["seen on model", "seen on data"]


def test_a_look_that_was_overtaken_by_a_newer_look_does_not_put_back_what_it_saw(slow: Slow) -> None:
    slow.draw("data")
    older, newer = slow.while_slow(True, "anna", True)
    assert newer[-1] == "seen on data" and older == [gr.skip()] * len(newer)
    other = slow.while_slow(True, "bruno", True)
    assert [drawn[-1] for drawn in other] == ["seen on model", "seen on data"]


def test_a_draw_does_not_put_back_what_stood_there_before_a_press_that_has_ended(slow: Slow) -> None:
    anna = f"{slow.desk._house.owner} anna"
    for live_only in (True, False):
        slow.begun.clear()
        slow.go.clear()
        older = slow.pool.submit(slow.draw, "model", anna, live_only)
        assert slow.begun.wait(60)
        slow.press(gr.Request(session_hash="anna"))
        slow.go.set()
        assert set(map(str, older.result(60))) == {str(gr.skip())}
        assert slow.draw("data", anna)[-1] == "seen on data"


def test_a_whole_draw_does_not_put_back_what_a_look_that_began_later_has_shown(slow: Slow) -> None:
    said = ["Sartoria"]  # no run as yet when the whole draw begins
    title = slow.desk.html(render=False)
    slow.desk.painters.insert(0, Painter(lambda scene: [said[-1]], [title], live=True))
    whole = slow.pool.submit(slow.draw, "model")
    assert slow.begun.wait(60)
    said.append("42 %")
    look = slow.draw("data", live_only=True)
    slow.go.set()
    assert (look[3], whole.result(60)[3]) == ("42 %", "42 %")


class Presses:
    """A page with a knob: a press on `slow` is at work until it is let go."""

    def __init__(self, studio: Studio) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        with gr.Blocks() as demo:
            self.desk = Desk(studio, "en")
            button, fault = gr.Button(), self.desk.slot()
            asked = [self.desk.choice, self.desk.overrides]
            self.desk.on(button.click, self.turn, asked, asked, fault)
            self.desk.on(button.click, self.back, [], [self.desk.overrides], fault)
            self.desk.on(button.click, lambda values: values[self.desk.overrides], {self.desk.overrides}, [self.desk.overrides], fault)
        self.turned, self.put_back, self.looked = (block.fn for block in demo.fns.values())

    def turn(self, choice: Any, overrides: Any, event: gr.EventData) -> list[Any]:
        key = gradio_ways.text(event, "key")
        if key == "slow":
            self.begun.set()
            assert self.go.wait(60)
        return [{**choice, "recipe": key}, {**{k: v for k, v in overrides.items() if k != "old"}, key: 1}]

    def back(self) -> dict[str, Any]:
        return {}

    def press(self, key: str, sent: Values, page: str = "anna") -> list[Any]:
        return list(self.turned(gr.Request(session_hash=page), {"model": "m"}, sent, gr.EventData(None, {"key": key})))


@pytest.mark.parametrize("first", ["slow", "quick"])
def test_two_presses_at_once_lose_nothing_of_each_other(studio: Studio, first: str) -> None:
    """Both are given what the page held before either: the second to end adds its change to the first one's."""
    page, sent = Presses(studio), {"old": 1, "other": 2}
    with ThreadPoolExecutor(1) as pool:
        held_up = pool.submit(page.press, "slow", sent)
        assert page.begun.wait(60)
        assert page.press("quick", sent)[1] == {"other": 2, "quick": 1}
        page.go.set()
        choice, overrides, fault = held_up.result(60)
    assert overrides == {"other": 2, "quick": 1, "slow": 1} and choice == {"model": "m", "recipe": "slow"} and fault == ""
    assert page.press(first, sent)[1] == {"other": 2, "quick": 1, "slow": 1}  # what the page sent is older than what it holds


def test_what_a_page_holds_is_no_other_page_s_and_is_put_back_whole(studio: Studio) -> None:
    page = Presses(studio)
    page.press("quick", {})
    assert page.press("other", {}, page="bruno")[1] == {"other": 1}
    held: Values = {page.desk.overrides: {}}
    assert page.looked(gr.Request(session_hash="anna"), held) == [{"quick": 1}, ""]
    assert page.put_back(gr.Request(session_hash="anna")) == [{}, ""]
    assert page.looked(gr.Request(session_hash="anna"), held) == [{}, ""]
    page.press("style", {}, page="carla")
    with page.desk.serving(gr.Request(session_hash="carla")):  # a page that holds less than was pressed is told the rest
        values = dict.fromkeys(page.desk.asked) | {page.desk.choice: {}, page.desk.seen: {}}
        assert page.desk.draw(values, live_only=False)[0]["recipe"] == "style"


def test_what_was_interrupted_last_is_shown_and_one_from_before_another_run_is_not(studio: Studio) -> None:
    """The one that broke off was made first: it was resumed after the other had ended."""
    with gr.Blocks():
        desk = Desk(studio, "en")
    made = [folders.make(studio, name, 4) for name in ("resumed", "other")]
    made[1].write_state(made[1].state().model_copy(update={"ended": 100.0}))
    for moment, shown in ((200.0, made[0]), (50.0, made[1])):
        made[0].write_state(made[0].state().model_copy(update={"status": "interrupted", "ended": None, "heartbeat": moment}))
        for before in (None, made[1].id):
            with desk.serving(None):
                found = desk.watched(studio.runs.list(), before)
            assert found is not None and found["run"] == shown.id, (moment, before)


def test_a_recipe_of_one_s_own_is_there_at_once_and_for_nobody_else(studio: Studio) -> None:
    anna, bruno = studio.for_owner("anna"), studio.for_owner("bruno")
    with gr.Blocks():
        hers = Desk(anna, "en")
        his = Desk(bruno, "it", beside=hers)

    def names(desk: Desk) -> set[str]:
        with desk.unasked():
            return {recipe["title"]["en"] for recipe in desk.recipes()}

    before = names(hers)
    assert names(his) == before
    kept = anna.plans.save("style", {"lora_r": 4}, "Hers alone")
    assert names(hers) - before == {"Hers alone"} and names(his) == before
    anna.recipes.delete(kept.id)
    assert names(hers) == before
