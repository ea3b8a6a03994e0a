"""A job that hangs is told and in the end left by a restart; one that is only slow, twenty times as slow as forecast, is not.

The numbers are scaled: seconds stand for quarters of an hour.
"""

import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bench.server import running
from tests.engine.conftest import Trainer, losses
from tests.engine.spoiling import HOOK
from tuning import settings
from tuning.engine import watchdog
from tuning.engine.jobs import Job
from tuning.engine.workshop import Workshop
from tuning.errors import EngineError, TuningError
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio

Wait = Callable[..., Any]
ASK = [{"role": "user", "content": "How much is item 3?"}]
# Into a real process: a step that never comes back, so many times, and limits of seconds for it.
HANGS = (
    HOOK
    + """
def hang(module):
    left, step = pathlib.Path(os.environ["TEST_HANGS"]), module.CheckedTrainer.training_step
    def spoilt(self, *values, **named):
        count = int(left.read_text())
        if count and self.state.global_step == 5:
            left.write_text(str(count - 1))
            from tuning.engine import watchdog
            watchdog.LEAST, watchdog.FORECASTS = 3.0, 0.0
            time.sleep(10000)
        return step(self, *values, **named)
    module.CheckedTrainer.training_step = spoilt

def leave(module):
    module.PATIENCE_SECONDS = 1.0

spoil("tuning.engine.learn.trainer", hang)
spoil("tuning.engine.shutdown", leave)
"""
)


class Step(Job):
    """One stretch of so many seconds, expected to take a twentieth of one."""

    failed = "chat.failed"

    def __init__(self, seconds: float) -> None:
        self.seconds, self.done, self.told = seconds, threading.Event(), list[str]()

    @property
    def expected(self) -> float:
        return 0.05

    def run(self, resident: Any, between: Callable[[], None], inside: bool) -> None:
        self.done.wait(self.seconds)
        self.done.set()

    def refuse(self, error: TuningError) -> None:
        self.told.append(error.code)


@pytest.fixture
def workshop(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """One whose watchdog thinks in tenths of a second, and whose libraries are loaded."""
    made = Workshop(Store(home))
    made._engine()
    monkeypatch.setattr(watchdog, "LEAST", 0.1)
    made.start()
    yield made
    made.close()


def hand_over(workshop: Workshop, job: Job) -> None:
    workshop._jobs.append(job)
    workshop.wake()


def test_a_step_twenty_times_as_slow_as_forecast_is_told_and_survives(workshop: Workshop, wait_until: Wait) -> None:
    job = Step(1.0)
    hand_over(workshop, job)
    wait_until(job.done.is_set)
    assert job.told == ["workshop.hung"] and not workshop.spoiled.is_set()
    quick = Step(0.01)
    hand_over(workshop, quick)
    wait_until(quick.done.is_set)
    assert quick.told == [] and not workshop.spoiled.is_set()


def test_a_step_that_never_ends_has_the_process_replaced(workshop: Workshop, wait_until: Wait) -> None:
    job = Step(600.0)
    hand_over(workshop, job)
    wait_until(workshop.spoiled.is_set)
    assert set(job.told) == {"workshop.hung"}
    job.done.set()


def test_who_asks_a_model_that_hangs_is_told(workshop: Workshop, tiny_model: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuning.engine.resident import Resident

    woken = threading.Event()
    monkeypatch.setattr(Resident, "_load_base", lambda self: woken.wait(60))
    monkeypatch.setattr(watchdog, "LEAST", 1.0)
    studio = Studio(settings.read(), LOCAL, workshop)
    question = studio.talk.ask(str(tiny_model), ASK)
    question.patience = 40.0
    with pytest.raises(EngineError) as caught:
        list(question.stream())
    assert caught.value.code == "workshop.hung"
    woken.set()


@pytest.mark.nightly
def test_a_run_that_hangs_goes_on_in_another_process(
    trained: Trainer,
    make_run: Callable[..., Run],
    home: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Wait,
) -> None:
    changes = {"num_train_epochs": 4, "lora_dropout": 0.1}
    whole, _ = trained(**changes)
    run = make_run(**changes)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(HANGS, encoding="utf-8")
    (tmp_path / "hangs").write_text("1", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("TEST_HANGS", str(tmp_path / "hangs"))
    said = set()

    def over() -> bool:
        state = run.state()
        said.update(notice.code for notice in state.notices)
        return state.status == "finished"

    with running(home) as (_, process):
        run.enqueue()
        wait_until(over, 300)
        assert process.poll() is None  # the same process, with another program in it
    assert "run.late" in said
    assert [notice.code for notice in run.state().recoveries] == ["recovery.hung"]
    assert "run.late" not in {notice.code for notice in run.state().notices}
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)
