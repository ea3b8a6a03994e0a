"""A card that gives up in mid-run: the process takes its own place and the run goes on from its last save, by itself.

Real processes, into which Python's `sitecustomize` puts the fault: a step raises what torch raises then, so many times.
"""

import contextlib
import itertools
import json
import pathlib
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import bitsandbytes
import pytest
import torch

from tests.bench.server import running, wait_for
from tests.engine import cards
from tests.engine.conftest import FAST, Trainer, losses
from tests.engine.spoiling import HOOK
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.workshop import Workshop
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import RunState
from tuning.studio import Studio
from tuning.text import t

CHANGES = {"num_train_epochs": 4, "lora_dropout": 0.1}
FAULT = (
    HOOK
    + """
def fail(trainer):
    left, step = pathlib.Path(os.environ["TEST_FAULTS"]), trainer.training_step
    def spoilt(self, *values, **named):
        count = int(left.read_text())
        if count and self.state.global_step == 5:
            left.write_text(str(count - 1))
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        return step(self, *values, **named)
    trainer.training_step = spoilt

spoil("tuning.engine.learn.trainer", lambda module: fail(module.CheckedTrainer))
"""
)


@pytest.fixture
def faults(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A file with the number of faults that are still to come in the processes of this test."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FAULT, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("TEST_FAULTS", str(tmp_path / "faults"))
    return tmp_path / "faults"


def recoveries(state: RunState) -> list[tuple[str, int]]:
    return [(notice.code, notice.params["step"]) for notice in state.recoveries]


@pytest.mark.drawn("killed")
def test_the_app_takes_its_own_place_and_the_run_goes_on(
    faults: pathlib.Path, trained: Trainer, make_run: Callable[..., Run], home: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    whole, _ = trained(**CHANGES)
    run, waiting = make_run(**CHANGES), make_run(max_steps=2)
    faults.write_text("1", encoding="utf-8")
    with running(home) as (address, process):
        run.enqueue()
        waiting.enqueue()
        wait_until(lambda: run.state().status == "finished", 300)
        assert process.poll() is None  # the same process, with another program in it
        wait_for(address, process)
        wait_until(lambda: waiting.state().status == "finished")
        words = (home / "app.log").read_text(encoding="utf-8")
    assert (
        t("en", "app.restarting") in words and words.count(t("en", "app.address", address=address.replace("127.0.0.1", "localhost"))) == 2
    )
    assert recoveries(run.state()) == [("recovery.restart", 5)] and recoveries(waiting.state()) == []
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card whose context is spoiled in the third step: it was there, and each later call of CUDA raises the fault again."""
    forward, calls = torch.nn.Embedding.forward, itertools.count(1)
    text = "CUDA error: an illegal memory access was encountered"

    def again(*_: Any) -> None:
        raise RuntimeError(text)

    def embed(module: Any, ids: torch.Tensor) -> torch.Tensor:
        if module.training and torch.is_grad_enabled() and next(calls) == 3:
            monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
            monkeypatch.setattr(torch.cuda, "empty_cache", again)
            again()
        return forward(module, ids)

    monkeypatch.setattr(torch.nn.Embedding, "forward", embed)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_card_that_cannot_even_give_memory_back_is_left_by_a_restart(
    broken: None, make_run: Callable[..., Run], home: pathlib.Path, wait_until: Callable[..., Any], method: str
) -> None:
    run, workshop = (
        make_run(max_steps=6, method=method, per_device_train_batch_size=8, gradient_accumulation_steps=1),
        Workshop(Store(home)),
    )
    run.enqueue()
    workshop.start()
    wait_until(lambda: workshop.spoiled.is_set() and run.state().status == "queued", 60)
    assert recoveries(run.state()) == [("recovery.restart", 2)]


ILLEGAL = RuntimeError("CUDA error: an illegal memory access was encountered")
TRIED: dict[str, tuple[dict[str, Any], Callable[[pytest.MonkeyPatch, Any], None], str]] = {  # settings, where the fault sits, what is told
    "attention": (
        {"attn_implementation": "flash_attention_2", "packing": True},
        lambda patch, kernel: patch.setitem(sys.modules, "flash_attn", types.SimpleNamespace(flash_attn_varlen_func=kernel)),
        "recovery.attention",
    ),
    "optimizer": (
        {"sft": {"optim": "paged_adamw_32bit"}},
        lambda patch, kernel: patch.setattr(bitsandbytes.optim.AdamW, "step", kernel),
        "recovery.optimizer",
    ),
}


@pytest.mark.parametrize(("tried", "fault"), [("attention", ILLEGAL), ("optimizer", SystemExit(139))])
def test_a_kernel_that_ended_the_process_while_it_was_tried_is_not_tried_again(
    make_run: Callable[..., Run], studio: Studio, tried: str, fault: BaseException
) -> None:
    wanted, put, told = TRIED[tried]
    run, calls = cards.planned_for(make_run(max_steps=2), "cpu", **wanted), list[int]()

    def spoilt(*_: Any, **__: Any) -> None:
        raise fault

    def kernel(*_: Any, **__: Any) -> None:
        calls.append(1)
        process.setattr(torch, "ones", spoilt)
        process.setattr(torch.nn.Embedding, "forward", spoilt)
        raise fault

    for attempt in (1, 2):
        with pytest.MonkeyPatch.context() as process:
            put(process, kernel)
            with contextlib.suppress(SystemExit):
                state = train(run, studio.shared.store, Resident())
                assert (state.status, state.reason) == (("failed", "cuda") if attempt == 1 else ("finished", None))
    assert len(calls) == 1
    assert [notice.code for notice in state.recoveries] == [told]


@pytest.mark.nightly
@pytest.mark.parametrize(("count", "left", "status"), [(1, 0, "finished"), (9, 6, "failed")])
def test_the_terminal_tries_again_but_not_for_ever(
    faults: pathlib.Path,
    count: int,
    left: int,
    status: str,
    tuning: Callable[..., subprocess.CompletedProcess[str]],
    tiny_model: pathlib.Path,
    rows_file: pathlib.Path,
    trained: Trainer,
) -> None:
    whole, _ = trained(**CHANGES)
    faults.write_text(str(count), encoding="utf-8")
    settings = [word for key, value in {**FAST, **CHANGES}.items() for word in ("--set", f"{key}={value}")]
    done = tuning("train", "-m", str(tiny_model), "-d", str(rows_file), "-r", "facts", *settings, "--json", "--lang", "en")
    found = json.loads(done.stdout)
    assert (found["status"], found["reason"]) == (status, None if status == "finished" else "cuda"), done.stderr
    assert done.returncode == (0 if status == "finished" else 1)
    assert int(faults.read_text(encoding="utf-8")) == left
    assert done.stderr.count(t("en", "cli.restarting")) == min(count, 2)
    if status == "finished":
        metrics = whole.folder.parent / found["run"] / "metrics.jsonl"
        assert losses(Run(metrics.parent)) == pytest.approx(losses(whole), abs=1e-6)
