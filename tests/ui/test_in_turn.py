"""What the page says to somebody whose run waits on a machine that others use too: never that it is at work, always where it stands."""

import html
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import gradio as gr
import pytest

from tests import folders
from tests.ui.test_report import FOUND
from tuning import settings
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.schema import RunState
from tuning.studio import Studio
from tuning.text import t
from tuning.ui import page, slip
from tuning.ui.desk import Desk, Scene
from tuning.ui.draw import progress
from tuning.ui.tabs import train

NIGHTLY_EN = pytest.param("en", marks=pytest.mark.nightly)


@pytest.fixture
def desk(studio: Studio) -> Desk:
    """One page over the home, asked as its owner's."""
    with gr.Blocks() as demo:
        made = Desk(studio, "en")
        page._page(made, demo)
    return made


def drawn(desk: Desk, tab: str = "train") -> dict[str, Any]:
    """What the parts of the page show that have a name, and the buttons by what they say."""
    values: dict[Any, Any] = dict.fromkeys(desk.asked) | {desk.tab: tab, desk.choice: {}, desk.seen: {}}
    with desk.serving(None):
        shown = zip(desk.drawn(live_only=False), desk.draw(values, live_only=False), strict=True)
    return {part.elem_id: value for part, value in shown if getattr(part, "elem_id", None)}


def waits(studio: Studio, name: str) -> str:
    run = studio.runs.create("starter", "starter-en", settings={"max_steps": 40}, name=name)
    run.enqueue()
    return run.id


def test_the_queue_that_is_counted_is_the_machine_s(studio: Studio, desk: Desk, wait_until: Callable[..., Any]) -> None:
    for owner in ("anna", "bruno"):
        waits(studio.for_owner(owner), "Of others")
    assert "<b>2</b> in the queue" in drawn(desk)["chips"]
    waits(studio, "Of one's own")
    wait_until(lambda: "<b>3</b> in the queue" in drawn(desk)["chips"])  # it is counted anew after a moment


def test_place_and_expected_wait_stand_where_the_button_was_pressed(studio: Studio, desk: Desk) -> None:
    with locks.Lock(folders.make(studio, "At work", 10, status="running", ended=None, seconds_left=90.0).lock_path) as lock:
        assert lock.acquire()
        waits(studio, "Mine & theirs")
        place = re.compile(r"Starts in about 2 min, number 1 in the queue: “Mine &amp; theirs”")
        shown = drawn(desk)
        assert place.search(shown["promise"]) and place.search(shown["order"])
    shown = drawn(desk)
    for part in ("promise", "order"):  # nobody is at work
        assert "“Mine &amp; theirs” is waiting its turn" in shown[part] and "at work" not in shown[part]


@pytest.mark.parametrize("status", ["finished", "failed"])
def test_what_ended_while_the_next_one_waited_is_told_above_it_with_the_way_there(studio: Studio, desk: Desk, status: str) -> None:
    """Who ordered two comes back to the second; an older run, and one that nobody waited behind, says nothing there."""
    folders.make(studio, "Long ago", 10, ended=time.time() - 7200)
    folders.make(studio, "Before it was ordered", 10)
    first = folders.make(studio, "First & best", 10, status="running", ended=None)
    waits(studio, "Second")
    if status == "finished":
        (first.folder / "evaluation.json").write_text(json.dumps(FOUND), encoding="utf-8")
    first.write_state(first.state().model_copy(update={"status": status, "ended": time.time()}))
    (said,) = re.findall(r'<p class="ended">.*?</p>', str(drawn(desk)["live-view"]))
    assert "First &amp; best" in said and f'data-do="run" data-value="{first.id}"' in said
    told = "It has learned. Facts right" if status == "finished" else "It could not continue, at step 10"
    assert told in html.unescape(said)


@pytest.mark.parametrize(
    ("status", "since", "chosen", "shown"),
    [
        ("finished", {}, {}, "report"),
        ("finished", {"recipe": "style"}, {}, "report"),  # of the same data it may be compared
        ("finished", {"data": "other"}, {}, "line"),
        ("failed", {"model": "other"}, {}, "line"),
        ("finished", {"data": "other"}, {"made": None}, "line"),  # of another browser
        ("finished", {}, {"data": "other", "made": None}, "report"),  # chosen before it ended: it is news
        ("interrupted", {"data": "other"}, {}, "report"),
        ("running", {"data": "other"}, {}, "report"),
    ],
)
def test_a_run_is_a_line_once_another_model_or_other_data_are_chosen(
    studio: Studio, status: str, since: dict[str, Any], chosen: dict[str, Any], shown: str
) -> None:
    run = folders.make(studio, "First & best", 10, status=status, ended=None if status == "running" else time.time() - 60)
    spec = run.spec()
    before = slip.Order(chosen=time.time() - 90, model=spec.model.id, data=spec.data.id, made=run.id)
    with gr.Blocks():
        desk = Desk(studio, "it")
    with desk.serving(None):
        order = replace(before, **chosen).but(**since)
        scene = Scene(choice=order, overrides={}, tab="train", run=studio.runs.show(run.id), runs=[])
        assert (train.in_sight(scene), train.behind(scene)) == (shown == "report", shown == "line")
        assert asdict(slip.Order.of(asdict(order))) == asdict(order)
        if shown == "line":
            assert scene.run is not None and "First &amp; best" in progress.passed(scene.run, "it")


@pytest.mark.parametrize("lang", ["it", NIGHTLY_EN])
def test_nothing_is_kept_of_a_run_that_only_waits_and_it_does_not_learn_yet(studio: Studio, lang: str) -> None:
    with gr.Blocks() as demo:
        desk = Desk(studio, lang)
        page._page(desk, demo)
    waits(studio, "Mine")
    values: dict[Any, Any] = dict.fromkeys(desk.asked) | {desk.tab: "train", desk.choice: {}, desk.seen: {}}
    with desk.serving(None):
        words = [value.get("value") for value in desk.draw(values, live_only=False) if isinstance(value, dict)]
    assert t(lang, "ui.runs.unqueue") in words and t(lang, "ui.live.stop") not in words
    assert t(lang, "ui.next.talk_now") not in words
    assert slip.label("watch", lang, waits=True) != slip.label("watch", lang)


@pytest.mark.parametrize(("finishing", "left", "says"), [("measuring", 40.0, "ancora circa 40 s"), ("measuring", 0.0, "più del previsto")])
def test_the_measuring_at_the_end_says_how_long_and_can_be_stopped_after_a_stop_too(
    studio: Studio, finishing: str, left: float, says: str
) -> None:
    with gr.Blocks() as demo:
        desk = Desk(studio, "it")
        page._page(desk, demo)
    run = folders.make(studio, "Mine", 10, status="running", ended=None, finishing=finishing, seconds_left=left)
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        run.request_stop()
        values: dict[Any, Any] = dict.fromkeys(desk.asked) | {desk.tab: "train", desk.choice: {}, desk.seen: {}}
        with desk.serving(None):
            drawn = desk.draw(values, live_only=False)
    assert gr.update(visible=True, value="Ferma la misura") in drawn
    (told,) = [value for value in drawn if isinstance(value, str) and 'class="live busy"' in value]
    assert says in told and "il resoconto dice ciò che è stato misurato" in html.unescape(told)


def shared(studio: Studio) -> Studio:
    """The same home as a machine into which others come, and whose operator is prof."""
    return Studio(settings.opened(studio.settings, ("prof",)), "prof")


@pytest.mark.parametrize(
    ("lang", "whose"), [("it", "gestisce questo computer"), pytest.param("en", "runs this machine", marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize("at_work", [False, True])
def test_whoever_s_run_the_operator_stops_is_told_so_until_it_goes_on(studio: Studio, lang: str, whose: str, at_work: bool) -> None:
    operator = shared(studio)
    anna = operator.for_owner("anna")
    run = Run(studio.settings.home / "runs" / waits(anna, "Mine"))
    if at_work:
        with locks.Lock(run.lock_path) as lock:
            assert lock.acquire()
            run.begin()
            operator.everybody.stop(run.id)
            assert run.stop_requested()
        run.write_state(RunState(status="stopped", step=3, total_steps=40))
    else:
        operator.everybody.stop(run.id)
    assert whose in progress.line(anna.runs.show(run.id), lang)
    anna.runs.resume(run.id)
    assert not run.stop_requested()
    anna.runs.stop(run.id)
    assert whose not in progress.line(anna.runs.show(run.id), lang)


@pytest.mark.nightly
@pytest.mark.parametrize(("lang", "word"), [("en", "terminal"), ("it", "terminale")])
def test_where_others_come_in_nobody_s_runs_are_from_the_terminal(studio: Studio, lang: str, word: str) -> None:
    with gr.Blocks() as demo:
        page._page(Desk(shared(studio), lang), demo)
    shown = [str(part.value) for part in demo.blocks.values() if isinstance(part, gr.HTML)]
    (hint,) = [text for text in shown if t(lang, "ui.runs.title") in text and "hint" in text]
    assert word not in hint and word in t(lang, "ui.runs.hint")
