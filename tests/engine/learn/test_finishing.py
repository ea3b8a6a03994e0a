"""What page and terminal say of a run whose last step is done: that it saves, and that it measures only while it does."""

from collections.abc import Callable

import pytest

from tuning.cli import foreground
from tuning.engine.learn import callbacks
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs.store import Run
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


@pytest.mark.nightly
@pytest.mark.parametrize("stop", [False, True])
def test_a_run_with_a_report_measures_once_its_adapter_is_there(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    said = watched(make_run(num_train_epochs=1, report=True, validation_share=0.3), studio, monkeypatch, stop)
    assert any(published for _, published in said)
    assert all(words.count("measuring what it has learned") == 2 * published for words, published in said), said
