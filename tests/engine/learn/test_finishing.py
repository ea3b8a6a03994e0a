"""What page and terminal say of a run whose last step is done: that it saves, and that it measures only while it does."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from tuning.cli import foreground
from tuning.engine.learn import callbacks, reporting
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs.run_folder import Run
from tuning.schema import RunState
from tuning.studio import Studio
from tuning.ui.draw import progress


def watched(run: Run, studio: Studio, monkeypatch: pytest.MonkeyPatch, stop: bool = False) -> list[tuple[str, bool]]:
    """Train to the end. What terminal and page say at each yield point after the last step, and whether an adapter was there by then."""
    monkeypatch.setattr(callbacks, "WRITE_SECONDS", 0.0)
    said: list[tuple[str, bool]] = []

    def look() -> None:
        state = run.saved_state()
        if state is None or state.status != "running" or not state.step:
            return
        if stop:
            run.request_stop()
        if state.step == state.total_steps or run.adapter.is_dir():
            words = f"{foreground.standing(state, 'en')} | {progress.line(studio.runs.show(run.id), 'en')}"
            said.append((words, run.adapter.is_dir()))

    state = train(run, studio.shared.store, Resident(), look)
    assert state.status == ("stopped" if stop else "finished") and progress.line(studio.runs.show(run.id), "en")
    return said


def test_a_run_without_a_report_saves_after_its_last_step_and_measures_nothing(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = watched(make_run(max_steps=2, report=False, validation_share=0.3), studio, monkeypatch)
    assert said and all(words.count("saving what it has learned") == 2 and "measuring" not in words for words, _ in said), said


@pytest.mark.parametrize("before", [False, True])
def test_a_report_says_how_long_it_takes_and_a_stop_that_is_asked_meanwhile_ends_it(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """Also where the steps were ended by a stop: that one has not ended the measuring."""
    run = make_run()
    left: list[float | None] = []

    def make(*args: Any) -> None:
        for turn in range(3):
            left.append(run.state().seconds_left)
            if turn == 1:
                os.utime(stop, (9e9, 9e9)) if stop.exists() else stop.touch()
            args[-1]()

    stop = run.folder / "stop"
    run.write_state(RunState(status="running", seconds=100.0))
    if before:
        stop.touch()
    monkeypatch.setattr(reporting.report, "make", make)
    ledger = callbacks.StateWriter(run, run.saved_state() or RunState(status="running"))
    reporting.prove(run, run.spec(), Resident(), studio.shared.store, ledger, lambda: None)
    assert len(left) == 2 and all(one is not None and 18 < one <= 20 for one in left)


@pytest.mark.nightly
@pytest.mark.parametrize("stop", [False, True])
def test_a_run_with_a_report_measures_once_its_adapter_is_there(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    said = watched(make_run(num_train_epochs=1, report=True, validation_share=0.3), studio, monkeypatch, stop)
    assert any(published for _, published in said)
    assert all(words.count("measuring what it has learned") == 2 * published for words, published in said), said
