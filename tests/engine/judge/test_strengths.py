"""An adapter measured at five strengths: what is kept, what a stop leaves, and how it is shown."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import pytest

from tuning.engine.jobs import Measure
from tuning.engine.judge import strengths
from tuning.engine.question import Strengths
from tuning.engine.resident import Resident
from tuning.engine.workshop import Workshop
from tuning.errors import EngineError, InputError, RunError
from tuning.runs import files
from tuning.runs.contents import STRENGTHS, STRENGTHS_FILE
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio
from tuning.ui.desk import Desk
from tuning.ui.parts.beside.fold import BesideFold

Finished = tuple[Run, RunState, Studio]


@pytest.fixture
def own(finished: Finished) -> Iterator[tuple[Run, RunState, Studio]]:
    """The finished run, without what these tests have written into its folder."""
    yield finished
    files.remove(finished[0].folder / STRENGTHS_FILE)


def test_a_press_measures_five_strengths_and_the_page_shows_them(own: Finished, wait_until: Callable[..., Any]) -> None:
    run, state, quiet = own
    workshop = Workshop(quiet.shared.store)
    workshop.start()
    studio = Studio(quiet.settings, LOCAL, workshop)
    try:
        assert studio.strengths.read(run.id) is None
        studio.strengths.ask(run.id)
        studio.strengths.ask(run.id)  # pressed twice
        found = wait_until(lambda: (now := studio.strengths.read(run.id)) and not now["on"] and now, seconds=60)
    finally:
        workshop.close()
    points = found["points"]
    assert [point["strength"] for point in points] == [*STRENGTHS] and found["error"] is None
    assert points[0]["loss"] == pytest.approx(state.base_eval_loss, abs=1e-3), "no adapter at all"
    assert points[3]["loss"] == pytest.approx(state.eval_loss, abs=1e-3), "as it was trained"
    assert len({round(point["loss"], 6) for point in points}) == 5
    assert all(set(point["probe"]) == {"en", "it"} for point in points)
    with gr.Blocks():
        desk = Desk(studio, "it")
        fold = BesideFold(desk)
    with desk.serving(None):
        drawn = fold.shown(run.id)
        assert re.findall(r"<th scope=\"row\">([^<]*)<", drawn) == ["0%", "50%", "75%", "100%", "150%"]
        assert 'data-do="again"' in drawn and f"{state.base_eval_loss:.2f}".replace(".", ",") in drawn
        assert "data-do" not in fold.shown("starter"), "a model as it is has no adapter"


def test_a_stop_ends_it_and_keeps_what_was_found(own: Finished) -> None:
    run, _, studio = own
    store = studio.shared.store
    stopped = Strengths(run)

    def between() -> None:
        if len((studio.strengths.read(run.id) or {"points": []})["points"]) == 2:
            stopped.stopped.set()

    job = Measure(stopped, store)
    with pytest.raises(EngineError) as ended:
        job.run(Resident(), between, False)
    job.refuse(job.told(ended.value))
    found = studio.strengths.read(run.id)
    assert ended.value.code == "strengths.stopped" and found is not None
    assert [point["strength"] for point in found["points"]] == [0, 50] and found["error"] is None
    job.refuse(job.told(MemoryError()))
    failed = studio.strengths.read(run.id)
    assert failed is not None and failed["error"]["code"] == "strengths.failed" and failed["points"] == []


def test_who_has_no_adapter_or_is_at_work_is_refused(own: Finished, make_run: Callable[..., Run], studio: Studio) -> None:
    with pytest.raises(RunError) as busy:
        studio.strengths.ask(make_run().id)
    assert busy.value.code in ("evaluate.busy", "run.no_adapter")
    with pytest.raises(InputError):
        studio.strengths.ask("nobody")
    strengths.keep(own[0], LOCAL, [])
    (own[0].folder / STRENGTHS_FILE).write_text("{", encoding="utf-8")
    assert own[2].strengths.read(own[0].id) is None, "a spoiled file hides nothing else"
