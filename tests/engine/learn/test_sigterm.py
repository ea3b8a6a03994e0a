"""SIGTERM: the run keeps its place within seconds, and what comes of it later is what would have come of it anyway."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bench.server import running
from tests.engine.conftest import Undisturbed, losses
from tests.lots import lot
from tuning.engine import shutdown
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.workshop import Workshop
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.studio import Studio
from tuning.text import t

ROOT = pathlib.Path(__file__).resolve().parents[3]
LONG = {"num_train_epochs": 16, "lora_dropout": 0.1, "early_stopping_patience": 0}


def kept_place(run: Run) -> bool:
    """Is the last step that was logged the one that is saved?"""
    newest, state = checkpoints.newest(run.checkpoints), run.state()
    assert newest is not None
    assert state.status == "interrupted" and not (run.folder / "leave").exists()
    return checkpoints.step_of(newest) == state.step == max(losses(run))


@pytest.fixture
def whole(undisturbed: Undisturbed) -> dict[int, float]:
    """The losses of the run that nothing came between."""
    return losses(undisturbed(**LONG))


@pytest.mark.nightly
def test_the_terminal_s_run_is_saved_and_goes_on(whole: dict[int, float], make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run(**LONG)
    command = [sys.executable, "-m", "tuning", "resume", run.id, "--lang", "en"]
    process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True)
    at_step(run, 4, process)
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    _, words = process.communicate(timeout=60)
    assert time.monotonic() - sent < 20
    assert process.returncode == 143
    assert t("en", "cli.interrupted", run=run.id, step=run.state().step) in words
    assert kept_place(run) and run.state().step < len(whole) and not run.adapter.exists()
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(whole, abs=1e-6)


@pytest.mark.drawn("killed")
def test_the_app_s_run_is_saved_and_waits_for_resume(
    whole: dict[int, float], make_run: Callable[..., Run], studio: Studio, home: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    run, waiting = make_run(**LONG), make_run(max_steps=2)
    with running(home) as (_, process):
        run.enqueue()
        time.sleep(0.01)
        waiting.enqueue()
        at_step(run, 4, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert kept_place(run)
    assert waiting.state().status == "queued"
    workshop = Workshop(Store(home))  # what the next app starts
    workshop.start()
    wait_until(lambda: waiting.state().status == "finished")
    workshop.close()
    assert run.state().status == "interrupted"
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(whole, abs=1e-6)


MOMENTS = (7, 20, 23, 26, 40, 61, 62)


@pytest.mark.parametrize("number", [2, pytest.param(len(MOMENTS), marks=pytest.mark.nightly)])
def test_within_a_step_the_last_whole_one_is_saved(
    undisturbed: Undisturbed, make_run: Callable[..., Run], studio: Studio, number: int
) -> None:
    changes = {"num_train_epochs": 4, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "lora_dropout": 0.1}
    whole, run = undisturbed(**changes), make_run(**changes)
    drawn = sorted(lot("moments").sample(MOMENTS, number))
    print("moments", drawn)
    moments = iter(drawn)
    calls, moment = 0, next(moments)

    def ask() -> None:
        nonlocal calls, moment
        calls += 1
        if calls == moment:
            moment = next(moments, 0)
            shutdown.ask(run)

    for _ in range(9):
        state = train(run, studio.shared.store, Resident(), ask)
        if state.status == "finished":
            break
        assert state.status == "interrupted"
        assert state.step == 0 or kept_place(run)
    assert state.status == "finished" and moment == 0
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


def test_what_was_asked_of_an_earlier_process_is_forgotten(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run(max_steps=2)
    shutdown.ask(run)
    assert train(run, studio.shared.store, Resident()).status == "finished"


@pytest.fixture
def own_signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_before_the_run_has_begun_is_not_lost_and_the_handler_is_put_back(make_run: Callable[..., Run], own_signal: None) -> None:
    run = make_run()
    before = signal.getsignal(signal.SIGTERM)
    with shutdown.at_sigterm(run) as again:
        again()
        assert not shutdown.asked(run)
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # the next one ends the process
        shutdown.forget(run)
        again()
        assert shutdown.asked(run)
    assert signal.getsignal(signal.SIGTERM) is before


def at_step(run: Run, step: int, process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Wait until the process has logged `step`."""
    deadline = time.monotonic() + 90
    while max(losses(run), default=0) < step:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
