"""A clock that jumps in mid-run: what is saved, thrown away and forecast goes by steps and seconds that passed, not by the time of day."""

import time
from collections.abc import Callable

import pytest

from tests.engine.conftest import losses
from tuning.engine.learn import callbacks
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.studio import Studio


@pytest.mark.parametrize("jump", [-86_400.0, 365 * 86_400.0], ids=["a day back", "a year on"])
def test_a_clock_that_jumps_changes_nothing(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    run, real, left = make_run(num_train_epochs=3), time.time, []
    monkeypatch.setattr(callbacks, "WRITE_SECONDS", 0.0)  # each step's forecast is there to be read, however short the run is

    def look() -> None:
        if max(losses(run), default=0) >= 4:
            monkeypatch.setattr(time, "time", lambda: real() + jump)
            left.append(run.state().seconds_left)

    state = train(run, studio.shared.store, Resident(), look)
    assert state.status == run.state().status == "finished"
    assert all(seconds is None or 0 <= seconds < 3600 for seconds in left) and any(left)
    assert [record["step"] for record in run.metrics() if "loss" in record] == list(range(1, state.step + 1))
    kept = checkpoints.by_age(run.checkpoints)
    assert checkpoints.step_of(kept[0]) == state.step and len(kept) == 2
    assert 0 < state.seconds < 3600
