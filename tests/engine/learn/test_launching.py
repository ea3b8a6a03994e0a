"""A run on all cards of a machine: a terminal and the app start a process for each, and follow the run's folder.

The cards are played (`several_cards`); processes, launcher, locks and folder are real. The nightly form has all of it.
"""

import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.bench.server import running
from tests.conftest import ROOT
from tests.engine import cards, several_cards
from tests.engine.conftest import FAST
from tests.engine.learn.test_ranks import settings_of
from tuning.engine import launching
from tuning.errors import EngineError, RunError
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio
from tuning.text import t

ASKED = [{"role": "user", "content": "Are you open on Sundays?"}]
LONG = {"device": "all", "max_steps": 50_000, "report": False, "early_stopping_patience": 0}
Wait = Callable[..., Any]
SHORT = {**FAST, "max_steps": 3, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1}


def tuned(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)


@pytest.mark.nightly
def test_all_cards_are_taken_by_a_terminal_that_asks_for_them(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    env = several_cards.environment(tmp_path, 2)
    words = ["tuning", "train", "-m", str(tiny_model), "-d", str(rows_file), "--json", *settings_of({**SHORT, "device": "all"})]
    done = tuned(env, *words)
    (run,) = studio.shared.store.all(LOCAL)
    assert done.returncode == 0, done.stderr[-3000:] + (run.folder / "launcher.txt").read_text()[-3000:]
    assert json.loads(done.stdout)["run"] == run.id and run.spec().processes == 2 and run.spec().settings.device == "cuda:0"
    assert run.state().status == "finished" and run.adapter_fault() is None
    assert (studio.settings.home / "gpu-0.lock").exists() and (studio.settings.home / "gpu-1.lock").exists()


@pytest.mark.nightly
def test_more_processes_than_cards_are_refused_before_anything_begins(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    env = several_cards.environment(tmp_path, 1)
    words = ["tuning", "train", "-m", str(tiny_model), "-d", str(rows_file), *settings_of(SHORT)]
    done = tuned(env, "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", *words)
    assert done.returncode != 0 and "a card of its own" in done.stderr, done.stderr[-3000:]
    assert studio.shared.store.all(LOCAL) == []


def queued(studio: Studio, make_run: Callable[..., Run]) -> Run:
    """A run in the queue that was planned for two cards."""
    run = cards.planned_for(make_run(**SHORT), "cuda:0")
    path = run.folder / "spec.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("processes: 1", "processes: 2"), encoding="utf-8")
    run.enqueue()
    return Run(run.folder)


def test_a_launcher_that_ends_before_anything_began_is_told_with_what_was_said(
    studio: Studio, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    run = queued(studio, make_run)
    assert launching.processes(run.spec(), 1) == 1 and launching.processes(run.spec(), 8) == 2
    monkeypatch.setattr(launching, "LAUNCHER", ("-c", "print('no room for two', flush=True); print('torch/distributed: a report')"))
    job = launching.Launch(run, studio.shared.store, 2)
    with pytest.raises(EngineError) as told:
        job.work(lambda: None)
    job.refuse(told.value)
    state = run.state()
    assert state.status == "failed" and state.error is not None and not run.waiting()
    assert (state.error.code, state.error.params["said"]) == ("train.launcher", "no room for two")


def test_a_question_is_refused_until_the_processes_have_let_go_of_the_run(
    studio: Studio, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their launcher takes some seconds more to end; whoever asks then has an answer after it."""
    run, asked = queued(studio, make_run), list[str | None]()
    seen = run.folder / "seen"  # the processes are at work, and may end
    words = "import pathlib, sys, time; from tuning.runs import locks; lock = locks.Lock(pathlib.Path(sys.argv[1])); lock.acquire()\n"
    words += "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.05)\nlock.release(); time.sleep(1.5)"
    job = launching.Launch(run, studio.shared.store, 2)

    def look() -> None:
        asked.append(job.apart)
        if job._begun:
            seen.touch()

    monkeypatch.setattr(launching, "LAUNCHER", ("-c", words, str(run.lock_path), str(seen)))
    with pytest.raises(EngineError, match=r"train\.launcher"):
        job.work(look)
    assert set(asked) == {"chat.launched"} and job.apart is None  # no yield point after that: what is asked waits for its turn


def test_a_card_in_use_leaves_the_run_in_the_queue(studio: Studio, make_run: Callable[..., Run], home: pathlib.Path) -> None:
    run = queued(studio, make_run)
    with locks.card(home, "cuda:1", AssertionError()), pytest.raises(RunError, match=r"run\.gpu_busy"):
        launching.Launch(run, studio.shared.store, 2).work(lambda: None)
    assert run.waiting() and run.state().status == "queued"


class Machine:
    """An app on a machine with two cards, as a program talks to it."""

    def __init__(self, address: str, home: pathlib.Path) -> None:
        self.home, self.client = home, Client(address, download_files=False, verbose=False)

    def call(self, endpoint: str, /, **values: Any) -> Any:
        return self.client.predict(api_name=f"/{endpoint}", **values)

    def train(self) -> Run:
        made = self.call("train", model="starter", data="starter-en", recipe="facts", settings=LONG, name="Prices")
        return Run(self.home / "runs" / made["run"])

    def ranks(self, run: Run) -> list[psutil.Process]:
        """The processes that train it, by rank: none once they have ended."""
        found = []
        for one in psutil.process_iter(["cmdline", "status"]):
            if run.id in (one.info["cmdline"] or []) and "torch.distributed.run" not in one.info["cmdline"]:
                found.append((one.environ()["RANK"], one))
        return [one for _, one in sorted(found, key=lambda each: each[0])]


def at_work(wait_until: Wait, run: Run, more: int = 5) -> None:
    """It has learned for some steps from now on."""
    before = run.state().step
    wait_until(lambda: run.state().status == "running" and run.state().step >= before + more, 300)


@pytest.mark.nightly
def test_the_app_trains_on_all_cards_says_why_nobody_answers_and_stops(tmp_path: pathlib.Path, wait_until: Wait) -> None:
    with running(tmp_path / "home", env=several_cards.environment(tmp_path, 2)) as (address, app):
        machine = Machine(address, tmp_path / "home")
        run = machine.train()
        at_work(wait_until, run)
        ranks = machine.ranks(run)
        assert [one.environ()["RANK"] for one in ranks] == ["0", "1"] and run.spec().processes == 2
        assert all("HF_TOKEN" not in one.environ() for one in ranks)
        with pytest.raises(AppError) as refused:
            machine.call("chat", run="starter", messages=ASKED)
        assert str(refused.value) == t("en", "chat.launched")
        machine.call("stop", run=run.id)
        wait_until(lambda: run.state().status == "stopped", 300)
        assert run.adapter_fault() is None and run.adapter.is_dir()
        wait_until(lambda: machine.ranks(run) == [], 300)
        assert machine.call("chat", run=run.id, messages=ASKED)
        assert app.poll() is None


@pytest.mark.nightly
def test_an_app_that_was_killed_finds_the_run_at_work(tmp_path: pathlib.Path, wait_until: Wait) -> None:
    env = several_cards.environment(tmp_path, 2)
    with running(tmp_path / "home", env=env) as (address, app):
        run = Machine(address, tmp_path / "home").train()
        at_work(wait_until, run)
        app.send_signal(signal.SIGKILL)
        app.wait()
    at_work(wait_until, run)  # nobody has ended it
    with running(tmp_path / "home", env=env) as (address, _):
        machine = Machine(address, tmp_path / "home")
        assert machine.call("run", run=run.id)["status"] == "running"
        at_work(wait_until, run)
        machine.call("stop", run=run.id)
        wait_until(lambda: run.state().status == "stopped", 300)
        assert run.adapter_fault() is None and run.adapter.is_dir()


@pytest.mark.nightly
def test_processes_that_are_killed_are_told_of_and_the_run_goes_on(tmp_path: pathlib.Path, wait_until: Wait) -> None:
    with running(tmp_path / "home", env=several_cards.environment(tmp_path, 2)) as (address, app):
        machine = Machine(address, tmp_path / "home")
        run = machine.train()
        for number in (0, 1):
            at_work(wait_until, run)
            machine.ranks(run)[number].send_signal(signal.SIGKILL)
            wait_until(lambda: run.state().status == "interrupted" and run.state().error, 300)
            told = run.state().error
            assert told is not None and told.code == "train.rank_lost" and machine.call("run", run=run.id)["error"]["code"] == told.code
            wait_until(lambda: machine.ranks(run) == [], 300)
            machine.call("resume", run=run.id)
        at_work(wait_until, run)
        app.send_signal(signal.SIGTERM)  # it asks them to save, and to leave
        app.wait(300)
        wait_until(lambda: run.state().status == "interrupted", 300)
        state = run.state()
        assert state.error is None and run.checkpoints.joinpath(f"checkpoint-{state.step}").is_dir()


@pytest.mark.nightly
def test_more_processes_than_cards_leave_a_run_as_it_was(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    words = ["train", "-m", str(tiny_model), "-d", str(rows_file), *settings_of({**SHORT, "device": "all"})]
    done = tuned(several_cards.environment(tmp_path, 2), "tuning", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = studio.shared.store.all(LOCAL)
    run.write_state(run.state().model_copy(update={"status": "interrupted"}))
    before = run.saved_state()
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    done = tuned(several_cards.environment(tmp_path, 1), *launcher, "tuning", "resume", run.id, "--lang", "en")
    assert done.returncode != 0 and "a card of its own" in done.stderr, done.stderr[-3000:]
    assert run.saved_state() == before
    done = tuned(several_cards.environment(tmp_path, 1), "tuning", "resume", run.id)  # by one process, on the card there is
    assert done.returncode == 0 and run.state().status == "finished", done.stderr[-3000:]
