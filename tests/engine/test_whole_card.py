"""A machine with one card, played around the real code: planned for it, trained, healed, asked, reported, broken.

The suite has one run; the nightly form has all of them, and prints which lines under a condition that asks for a card were run.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import distributed

from tests.conftest import ROOT
from tests.engine import cards
from tests.engine.conftest import losses
from tuning import presets, settings
from tuning.engine.jobs import Ask, Train
from tuning.engine.learn.train import train
from tuning.engine.learn.trainer import CheckedTrainer
from tuning.engine.question import Question
from tuning.engine.ranks import Ranks
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.errors import RunError
from tuning.forecast import memory
from tuning.runs import locks
from tuning.runs.contents import AnswerSettings
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, Message, RunState, TrainSettings
from tuning.studio import Studio
from tuning.studio.profiles import Profiles

Go = Callable[..., tuple[Run, RunState]]
SHORT = {"max_steps": 4, "early_stopping_patience": 0}


@pytest.fixture
def card(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> cards.Card:
    return cards.whole(monkeypatch, studio)


@pytest.fixture
def go(card: cards.Card, make_run: Callable[..., Run], studio: Studio) -> Go:
    """A run as it is planned for the card, to its end."""

    def to_the_end(between: Callable[[], None] = lambda: None, resident: Resident | None = None, **changes: Any) -> tuple[Run, RunState]:
        run = make_run(**{**SHORT, **changes})
        assert run.spec().settings.on_card
        return run, train(run, studio.shared.store, resident or Resident(), between)

    return to_the_end


def log(run: Run) -> str:
    return (run.folder / "log.txt").read_text(encoding="utf-8")[-3000:]


@pytest.mark.parametrize("report", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_a_run_is_planned_for_a_card_trained_on_it_and_asked_meanwhile(go: Go, studio: Studio, card: cards.Card, report: bool) -> None:
    resident, heard = Resident(), list[str]()

    def ask() -> None:
        (run,) = studio.shared.store.all("local")
        if resident.training and len(heard) < 2:
            question = Question([Message(role="user", content="How much is item 3?")], run.spec().model, "cuda:0", "bf16", run, 4)
            answer(resident, question)
            heard.append("".join(question.stream()))

    run, state = go(ask, resident, report=report)
    chosen = run.spec().settings
    assert (chosen.device, chosen.precision, chosen.attn_implementation) == ("cuda:0", "bf16", "varlen")
    assert state.status == "finished" and not state.recoveries, (state.recoveries, log(run))
    assert len(heard) == 2 and state.peak_bytes == cards.GIB and (run.folder / "evaluation.json").exists() is report
    (noted,) = (studio.settings.home / "calibration.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(noted)["device"] == "cuda:0" and json.loads(noted)["libraries_bytes"] is None
    assert (studio.settings.home / "gpu-0.lock").exists()
    assert {"get_rng_state", "set_rng_state", "empty_cache", "reset_peak_memory_stats"} <= set(card.done)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "changes",
    [
        {"quantization": "nf4"},
        {"quantization": "int8"},
        {"sft.optim": "adamw_8bit"},
        {"packing": False},
        {"gradient_checkpointing": "full"},
    ],
    ids=str,
)
def test_other_ways_of_a_card_come_to_their_end(go: Go, changes: dict[str, Any]) -> None:
    run, state = go(**changes)
    assert state.status == "finished" and not state.recoveries and losses(run), (state.recoveries, log(run))


@pytest.mark.nightly
@pytest.mark.parametrize("changes", [{}, {"method": "full"}, {"packing": False, "report": True}], ids=str)
def test_apple_s_graphics_cores_train_where_they_are_asked_for(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    card, resident, heard = cards.whole(monkeypatch, studio, apple=True), Resident(), list[str]()
    run = make_run(**SHORT, **changes, device="mps")

    def ask() -> None:
        if resident.training and len(heard) < 2:
            question = Question([Message(role="user", content="How much is item 3?")], run.spec().model, "mps", "bf16", run, 4)
            Ask(question, studio.shared.store).run(resident, lambda: None, True)
            heard.append("".join(question.stream()))

    state = train(run, studio.shared.store, resident, ask)
    assert state.status == "finished" and not state.recoveries, (state.recoveries, log(run))
    assert len(heard) == 2 and state.peak_bytes == cards.GIB and (studio.settings.home / "gpu-mps.lock").exists()
    assert {"mps.get_rng_state", "mps.set_rng_state", "mps.empty_cache"} <= set(card.done)


@pytest.mark.nightly
def test_an_old_card_trains_in_fp16_with_its_loss_scaled_and_goes_on_where_it_was(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a T4 does. The first scale is far too high: steps are skipped, it is halved each time, and learning begins."""
    cards.whole(monkeypatch, studio, cards.Card(capability=(7, 5), loss_scale=2.0**30))
    changes = {"max_steps": 40, "early_stopping_patience": 0, "learning_rate": 0.005}
    run = make_run(**changes)
    assert run.spec().settings.precision == "fp16"
    state = train(run, studio.shared.store, Resident())
    found = run.metrics()
    skipped = [line["step"] for line in found if "loss" in line and "grad_norm" not in line]
    assert state.status == "finished" and not state.recoveries, (state.recoveries, log(run))
    assert skipped[:8] == [*range(1, 9)] and len(skipped) < 20  # above 2^20 nothing comes through
    assert losses(run)[40] < 0.9 * losses(run)[1] and state.train_loss is not None
    stopped = make_run(**changes)

    def stop() -> None:
        if len(losses(stopped)) == 20:
            (stopped.folder / "stop").touch()

    assert train(stopped, studio.shared.store, Resident(), stop).status == "stopped"
    scaler = next(stopped.checkpoints.glob("*/scaler.pt"))
    assert torch.load(scaler, weights_only=True)["scale"] < 2.0**30
    (stopped.folder / "stop").unlink()
    assert train(stopped, studio.shared.store, Resident()).status == "finished"
    assert losses(stopped) == pytest.approx(losses(run), abs=1e-3)


@pytest.mark.nightly
def test_all_weights_are_trained(go: Go) -> None:
    run, state = go(method="full", validation_share=0.2)
    assert state.status == "finished" and not state.recoveries, (state.recoveries, log(run))


@pytest.mark.nightly
def test_a_finished_run_is_asked_where_there_is_room_on_the_card(go: Go, studio: Studio, card: cards.Card) -> None:
    run, _ = go()
    asked = [{"role": "user", "content": "How much is item 3?"}]
    question = studio.talk.question(run.id, asked, how=AnswerSettings(max_new_tokens=4))
    Ask(question, studio.shared.store).run(Resident(), lambda: None, False)
    assert isinstance("".join(question.stream()), str)
    full = studio.shared.probe().model_copy(update={"gpus": [card.gpu.model_copy(update={"memory_free": 2**20})]})
    studio.shared._hardware = (float("inf"), full)
    with pytest.raises(RunError, match=r"chat\.no_room"):
        Studio(studio.settings, LOCAL, None, studio.shared).talk.question(run.id, asked)


def test_a_model_that_no_run_has_placed_is_asked_on_the_card(studio: Studio, card: cards.Card, tiny_model: pathlib.Path) -> None:
    studio.settings.home.mkdir()
    question = studio.talk.question(
        str(tiny_model), [{"role": "user", "content": "How much is item 3?"}], how=AnswerSettings(max_new_tokens=4)
    )
    assert (question.device, question.precision) == ("cuda:0", "bf16")
    Ask(question, studio.shared.store).run(Resident(), lambda: None, False)
    assert isinstance("".join(question.stream()), str)


@pytest.mark.nightly
def test_a_card_that_somebody_trains_on_is_left_to_them(go: Go, make_run: Callable[..., Run], studio: Studio, home: pathlib.Path) -> None:
    with locks.card(home, "cuda:0", AssertionError()), pytest.raises(RunError, match=r"run\.gpu_busy"):
        go()


def test_a_model_of_the_catalog_is_forecast_by_the_profile_that_ships(home: pathlib.Path) -> None:
    model = presets.models(settings.PRESETS)["Qwen/Qwen2.5-0.5B-Instruct"]
    adapter = TrainSettings(device="cuda:0", precision="bf16", per_device_train_batch_size=4, packing=True, gradient_checkpointing="none")
    profile = Profiles(home, wait=False).look(model, adapter)
    whole = memory.parts(model, adapter.model_copy(update={"method": "full"}), 512, profile)
    assert profile is not None and whole["logits"] > memory.parts(model, adapter, 512, profile)["logits"]


def test_each_process_has_a_card_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    monkeypatch.setattr(distributed, "init_process_group", lambda backend, **named: asked.append(backend))
    for device in ("cuda:0", "cpu"):
        Ranks(1, 2, 1, _store=distributed.HashStore()).join(device, 5.0)
    assert asked == ["cpu:gloo,cuda:nccl", "gloo"]
    assert Ranks(1, 2, 1).device("cuda:0") == "cuda:1" and Ranks(3, 4, 1).device("cpu") == "cpu" and Ranks().device("cuda:2") == "cuda:2"


@pytest.mark.nightly
def test_memory_that_runs_out_heals(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    step, left = CheckedTrainer._micro_batch, [3]

    def scarce(*values: Any, **named: Any) -> torch.Tensor:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return step(*values, **named)

    monkeypatch.setattr(CheckedTrainer, "_micro_batch", scarce)
    run, state = go()
    codes = [notice.code for notice in state.recoveries]
    assert state.status == "finished" and codes == ["recovery.release", "recovery.checkpointing", "recovery.micro_batch"], log(run)


@pytest.mark.nightly
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_lost_context_is_told_and_the_process_is_left(
    make_run: Callable[..., Run], studio: Studio, card: cards.Card, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def lose(*values: Any, **named: Any) -> torch.Tensor:
        card.lost = True
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(CheckedTrainer, "_micro_batch", lose)
    run, spoiled = make_run(**SHORT, method=method), list[int]()
    run.enqueue()
    job = Train(run, studio.shared.store, lambda: spoiled.append(1))
    job.run(Resident(), lambda: None, False)
    assert spoiled and run.waiting(), log(run)


@pytest.mark.nightly
def test_lines_that_only_a_card_reaches_are_run() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.engine.card_lines"], cwd=ROOT, capture_output=True, text=True, timeout=1200)
    print(done.stdout[-8000:])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
