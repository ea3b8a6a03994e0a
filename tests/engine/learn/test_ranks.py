"""Several processes that torchrun starts, on the CPU: they train as one does, write one folder, and end truthfully whatever happens to one.

The suite has one training of two processes; the nightly form kills, stops and hangs each of them.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.conftest import ROOT
from tests.engine.conftest import FAST, Undisturbed, losses
from tests.engine.spoiling import HOOK
from tests.lots import lot
from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio

EXACT = {**FAST, "lora_dropout": 0.0, "precision": "fp32", "per_device_train_batch_size": 2}
# At a rate of 0.01 two orders of the same sums part after some twenty steps, in one process too.
LONG = {**EXACT, "max_steps": 150, "early_stopping_patience": 0, "gradient_accumulation_steps": 1, "learning_rate": 0.001}
FILE = ("--main_process_port", "0", "--config_file")
LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    **{name: ["accelerate.commands.launch", *FILE, f"{settings.PRESETS}/distributed/{name}.yaml"] for name in ("ddp", "fsdp2")},
}


WAYS = [(by, packing) for by in LAUNCHERS for packing in (True, False)]


def settings_of(changes: dict[str, Any]) -> list[str]:
    return [word for key, value in changes.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def begin(*words: str, by: str = "torchrun") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", *LAUNCHERS[by], "-m", "tuning", *words]
    return subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, words = process.communicate(timeout=600)
    return process.returncode, out, words


def rank(process: subprocess.Popen[str], number: int) -> psutil.Process:
    """The process of this rank below the launcher."""
    found = [one for one in psutil.Process(process.pid).children(recursive=True) if one.environ().get("RANK") == str(number)]
    return min(found, key=lambda one: one.create_time())


def at_step(run: Run, step: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while run.state().step < step:
        assert process.poll() is None and time.monotonic() < deadline, (
            run.state(),
            ended(process)[2] if process.poll() is not None else "",
        )
        time.sleep(0.02)


@pytest.mark.drawn("made")
@pytest.mark.parametrize(("by", "packing"), [lot("ranks").choice(WAYS), *(pytest.param(*way, marks=pytest.mark.nightly) for way in WAYS)])
def test_two_processes_learn_what_one_learns_with_twice_the_accumulation_and_write_one_folder(
    undisturbed: Undisturbed, studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, by: str, packing: bool
) -> None:
    changes = {**EXACT, "packing": packing, "max_steps": 5}
    words_of = settings_of({**changes, "gradient_accumulation_steps": 2})
    process = begin("train", "-m", str(tiny_model), "-d", str(rows_file), "--json", *words_of, by=by)
    code, out, words = ended(process)
    assert code == 0, words[-3000:]
    (run,) = studio.shared.store.all(LOCAL)
    assert json.loads(out)["run"] == run.id  # one document, though there are two processes
    assert run.state().status == "finished" and run.adapter_fault() is None
    assert (run.spec().shares, bool(run.samples())) == ((True, False) if by == "fsdp2" else (False, True))  # as it was said
    whole = undisturbed(**changes, gradient_accumulation_steps=4)
    assert losses(run) == pytest.approx(losses(whole), abs=1e-4) and len(losses(run)) == 5
    assert evaluations(run) == pytest.approx(evaluations(whole), abs=1e-4)
    assert [line["num_tokens"] for line in run.metrics() if "loss" in line] == [
        line["num_tokens"] for line in whole.metrics() if "loss" in line
    ]
    assert [line["step"] for line in run.metrics()] == [line["step"] for line in whole.metrics()]  # each once


LISTED = (
    HOOK
    + """
def listed(made):
    plain = made.sort_checkpoints
    def sort_checkpoints(output_dir, **named):
        if os.environ.get("RANK") == "1" and pathlib.Path(output_dir).name == ".building":
            raise FileNotFoundError(output_dir)  # as where it is renamed under the eyes of who lists it
        return plain(output_dir=output_dir, **named)
    made.sort_checkpoints = sort_checkpoints

spoil("transformers.trainer", listed)
"""
)


@pytest.mark.nightly
def test_nobody_looks_into_the_folder_of_a_save_while_another_process_renames_it(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LISTED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    code, _, words = ended(begin("train", "-m", str(tiny_model), "-d", str(rows_file), *settings_of({**EXACT, "max_steps": 2})))
    (run,) = studio.shared.store.all(LOCAL)
    assert code == 0 and run.state().status == "finished" and run.adapter_fault() is None, words[-3000:]


def evaluations(run: Run) -> dict[int, float]:
    return {line["step"]: line["eval_loss"] for line in run.metrics() if "eval_loss" in line}


def made(studio: Studio, make_run: Callable[..., Run], processes: int = 2, **changes: Any) -> Run:
    """A run that was planned under a launcher, and not begun."""
    studio.shared.settings = studio.shared.settings.__class__(**{**vars(studio.shared.settings), "world_size": processes})
    return make_run(**changes)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_is_killed_ends_the_run_as_interrupted_and_nothing_is_lost(
    undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run], number: int
) -> None:
    run = made(studio, make_run, **LONG)
    process = begin("resume", run.id, "--lang", "en")
    at_step(run, 40, process)
    rank(process, number).send_signal(signal.SIGKILL)
    code, _, words = ended(process)
    state = run.state()
    assert code != 0 and state.status == "interrupted", words[-3000:]
    if number == 1:  # the one that writes is there, and has saved the last step
        assert state.reason == "process" and state.error is not None and state.error.code == "train.rank_lost"
        assert run.checkpoints.joinpath(f"checkpoint-{state.step}").is_dir()
        assert max(losses(run)) == state.step
    goes_on_to_the_end(run, undisturbed, studio)


def goes_on_to_the_end(run: Run, undisturbed: Undisturbed, studio: Studio, alone: bool | None = None) -> None:
    """By two processes, or by one, as the lot says."""
    alone = lot(f"alone {run.id}").choice([True, False]) if alone is None else alone
    if alone:
        assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    else:
        code, _, words = ended(begin("resume", run.id))
        assert code == 0, words[-3000:]
    assert run.state().status == "finished"
    assert losses(run) == pytest.approx(losses(undisturbed(**{**LONG, "gradient_accumulation_steps": 2})), abs=1e-4)


@pytest.mark.nightly
@pytest.mark.parametrize("number", [0, 1])
def test_a_process_that_hangs_is_given_up_after_the_time_limit(
    undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run], number: int
) -> None:
    run = made(studio, make_run, **LONG, sft={"ddp_timeout": 40})
    process = begin("resume", run.id, "--lang", "en")
    at_step(run, 40, process)
    rank(process, number).send_signal(signal.SIGSTOP)
    code, _, words = ended(process)
    state = run.state()
    assert code != 0 and state.status == "interrupted", words[-3000:]
    if number == 1:
        assert state.error is not None and state.error.code == "train.rank_late"
        assert run.checkpoints.joinpath(f"checkpoint-{state.step}").is_dir()
    goes_on_to_the_end(run, undisturbed, studio)


@pytest.mark.nightly
def test_a_stop_is_heeded_by_all_after_the_same_step_and_keeps_the_adapter(
    undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run]
) -> None:
    run = made(studio, make_run, **LONG)
    process = begin("resume", run.id)
    at_step(run, 20, process)
    studio.runs.stop(run.id)
    code, _, words = ended(process)
    assert code == 0, words[-3000:]
    assert run.state().status == "stopped" and run.adapter_fault() is None and run.adapter.is_dir()
    goes_on_to_the_end(run, undisturbed, studio, alone=False)


@pytest.mark.nightly
def test_sigterm_to_the_launcher_saves_and_leaves_the_run_to_go_on(
    undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run]
) -> None:
    run = made(studio, make_run, **LONG)
    process = begin("resume", run.id)
    at_step(run, 20, process)
    process.send_signal(signal.SIGTERM)
    code, _, words = ended(process)
    state = run.state()
    assert code != 0 and state.status == "interrupted" and state.error is None, words[-3000:]
    assert run.checkpoints.joinpath(f"checkpoint-{state.step}").is_dir() and not run.adapter.exists()
    goes_on_to_the_end(run, undisturbed, studio)


@pytest.mark.nightly
def test_early_stopping_and_the_report_are_those_of_one_process(
    undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run]
) -> None:
    changes = {**EXACT, "max_steps": 60, "learning_rate": 1e-9, "early_stopping_patience": 1, "report": True}
    run = made(studio, make_run, **changes, gradient_accumulation_steps=1)
    code, _, words = ended(begin("resume", run.id))
    assert code == 0, words[-3000:]
    whole = undisturbed(**changes, gradient_accumulation_steps=2)
    assert run.state().status == "finished" and (run.folder / "evaluation.json").is_file()
    assert (run.state().best_step, run.state().step) == (whole.state().best_step, whole.state().step)
    assert run.state().step < 60, "nothing is learned at this rate, so rounding decides nothing"
    assert run.state().eval_loss == pytest.approx(whole.state().eval_loss, abs=1e-3)


@pytest.mark.nightly
def test_a_plan_that_is_refused_ends_all_of_them_at_once(studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> None:
    started = time.monotonic()
    code, out, words = ended(begin("train", "-m", str(tiny_model), "-d", str(rows_file), "--set", "lora_r=0"))
    assert code != 0 and "lora_r" in words and out == ""
    assert time.monotonic() - started < 300 and studio.shared.store.all(LOCAL) == []
