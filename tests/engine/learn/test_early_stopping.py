"""Early stopping: what is published is the adapter of the best evaluation, also after interruptions and a kill."""

import json
import math
import pathlib
import random
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.engine.conftest import losses
from tuning import settings as reading
from tuning.cli import foreground
from tuning.engine import shutdown
from tuning.engine.kernels import head
from tuning.engine.learn import early_stopping, train
from tuning.engine.resident import Resident
from tuning.forecast import duration
from tuning.runs import checkpoints, summary
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, TrainSettings
from tuning.studio import Studio

Maker = Callable[..., Run]
# Codes that follow from nothing: what is learned by heart is of no use for the next one.
BY_HEART = {"num_train_epochs": 24, "learning_rate": 0.005, "lora_r": 16, "lora_dropout": 0.1, "validation_share": 0.2, "seed": 3}
WEIGHTS = "adapter_model.safetensors"


def maker(studio: Studio, folder: pathlib.Path) -> Maker:
    """Makes runs of the starter that are at their best after 10 of 48 steps, with a patience of their own."""
    dice = random.Random(1)
    rows = [{"instruction": f"Code of item {n}?", "output": str(dice.randrange(10**5))} for n in range(20)]
    (folder / "codes.json").write_text(json.dumps(rows), encoding="utf-8")

    def make(patience: int, **changes: Any) -> Run:
        settings = {**BY_HEART, **changes, "early_stopping_patience": patience, "max_length": 64, "precision": "fp32", "report": False}
        return studio.runs.create("starter", str(folder / "codes.json"), "facts", settings)

    return make


@pytest.fixture
def make(studio: Studio, tmp_path: pathlib.Path) -> Maker:
    return maker(studio, tmp_path)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Studio]:
    """A run that stopped by itself with a patience of 2, for reading only."""
    folder = tmp_path_factory.mktemp("stopped")
    studio = Studio(reading.read(home=str(folder / "home")), LOCAL)
    run = maker(studio, folder)(2)
    assert train.train(run, studio.shared.store, Resident()).status == "finished"
    return run, studio


def evaluations(run: Run) -> dict[int, float]:
    """Held-out loss by step, without that of the base."""
    return {record["step"]: record["eval_loss"] for record in run.metrics() if "eval_loss" in record and record["step"]}


def loss_of_adapter(run: Run, studio: Studio) -> float:
    """On the held-out rows, with plain libraries."""
    resident, spec = Resident(), run.spec()
    resident.tokenizer = AutoTokenizer.from_pretrained(spec.model.path)
    rows = train.load_rows(spec, studio.shared.store, resident).validation
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(spec.model.path), str(run.adapter))
    return head.mean_loss(model, rows, resident.tokenizer.pad_token_id, 4)


def test_it_stops_when_nothing_gets_better_and_keeps_the_best(stopped: tuple[Run, Studio]) -> None:
    run, studio = stopped
    state = run.state()
    seen = evaluations(run)
    lowest = min(seen, key=lambda step: seen[step])
    assert state.status == "finished" and state.step < state.total_steps == run.spec().forecast.steps
    assert [step for step in sorted(seen) if step > lowest] == sorted(seen)[-2:]
    assert state.best_step == lowest < state.step == max(losses(run))
    assert state.eval_loss == seen[lowest] == pytest.approx(loss_of_adapter(run, studio), abs=1e-5)
    (notice,) = summary.result(run)["notices"]
    assert (notice["code"], notice["params"]) == ("run.stopped_early", {"step": state.step, "patience": 2, "best": lowest})
    assert summary.result(run)["best_step"] == lowest


@pytest.mark.parametrize("every", [9, pytest.param(5, marks=pytest.mark.nightly)])
def test_it_stops_at_the_same_step_with_the_same_adapter_however_often_it_was_interrupted(
    stopped: tuple[Run, Studio], make: Maker, studio: Studio, every: int
) -> None:
    whole, run = stopped[0], make(2)
    calls, cut_off = 0, 0

    def leave_often() -> None:  # within evaluations and between steps
        nonlocal calls
        calls += 1
        if calls % every == 0:
            shutdown.ask(run)

    for _ in range(30):
        state = train.train(run, studio.shared.store, Resident(), leave_often)
        if state.status != "interrupted":
            break
        newest = checkpoints.newest(run.checkpoints)
        assert state.step == (checkpoints.step_of(newest) if newest else 0)
        cut_off += state.step % 5 == 0 and state.step not in evaluations(run)
    assert state.status == "finished" and cut_off > 0
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)
    assert evaluations(run) == pytest.approx(evaluations(whole), abs=1e-6)
    assert state.best_step == whole.state().best_step and state.notices == whole.state().notices
    assert (run.adapter / WEIGHTS).read_bytes() == (whole.adapter / WEIGHTS).read_bytes()


def test_killed_between_the_last_save_and_the_adapter_it_publishes_the_best_and_trains_no_further(
    stopped: tuple[Run, Studio], studio: Studio
) -> None:
    shutil.copytree(stopped[1].settings.home, studio.settings.home)
    run = studio.shared.store.find(stopped[0].id, LOCAL)
    first = run.state()
    adapter = (run.adapter / WEIGHTS).read_bytes()
    run.adapter.rename(run.folder / "elsewhere")
    run.write_state(first.model_copy(update={"status": "running", "notices": [], "eval_loss": 9.0}))
    again = train.train(studio.runs.resumable(run.id), studio.shared.store, Resident())
    assert (again.status, again.step, again.best_step, again.notices) == ("finished", first.step, first.best_step, first.notices)
    assert max(losses(run)) == first.step
    assert (run.adapter / WEIGHTS).read_bytes() == adapter


@pytest.mark.nightly
def test_a_terminal_says_once_that_it_measures_when_a_run_ends_before_its_last_step(
    make_run: Callable[..., Run], studio: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, work = make_run(num_train_epochs=16, early_stopping_patience=0, report=True), studio.runs.work
    monkeypatch.setattr(foreground, "PROGRESS_SECONDS", 0.0)

    def at_two() -> None:
        if any(record["step"] >= 2 for record in run.metrics()):
            (run.folder / "stop").touch()

    monkeypatch.setattr(studio.runs, "work", lambda run, progress: work(run, lambda: (progress(), at_two())))
    assert foreground.train(studio, run, "en", as_json=False)[0] == 0
    said = capsys.readouterr().err.splitlines()
    last = run.state().step
    told = [f"no more steps after {last}; measuring what it has learned"]
    assert [line for line in said if "measuring what it has learned" in line] == told
    assert not [line for line in said if " 0 s left" in line] and 2 <= last < run.state().total_steps


def test_without_patience_all_steps_are_made_and_the_last_adapter_is_published(make: Maker, studio: Studio) -> None:
    run = make(0, num_train_epochs=6)
    state = train.train(run, studio.shared.store, Resident())
    seen = evaluations(run)
    assert state.status == "finished" and state.step == state.total_steps and state.best_step is None and not state.notices
    assert state.eval_loss == seen[state.step] == pytest.approx(loss_of_adapter(run, studio), abs=1e-5)


@pytest.mark.nightly
def test_a_run_that_is_not_stopped_publishes_its_best_too(make: Maker, studio: Studio) -> None:
    run = make(99)
    state = train.train(run, studio.shared.store, Resident())
    seen = evaluations(run)
    assert state.step == state.total_steps and not state.notices
    assert state.best_step == min(seen, key=lambda step: seen[step]) < state.step
    assert state.eval_loss == min(seen.values()) == pytest.approx(loss_of_adapter(run, studio), abs=1e-5)


def test_a_stop_by_hand_keeps_the_best_so_far(make: Maker, studio: Studio) -> None:
    run = make(3)

    def stop() -> None:
        if max(losses(run), default=0) >= 7:
            (run.folder / "stop").touch()

    state = train.train(run, studio.shared.store, Resident(), stop)
    assert state.status == "stopped" and run.adapter.is_dir()
    assert state.eval_loss == min(evaluations(run).values())


@pytest.mark.parametrize(("asked", "held_out", "expected"), [("auto", 5, 3), ("auto", 0, 0), (0, 5, 0), (4, 5, 4), (4, 0, 0)])
def test_patience_is_on_where_rows_are_held_out(asked: Any, held_out: int, expected: int) -> None:
    settings = TrainSettings(early_stopping_patience=asked)
    assert early_stopping.patience_of(settings, [None] * held_out) == expected


def test_a_stop_s_evaluation_may_be_the_best_but_does_not_count() -> None:
    choice, model = early_stopping.Best(2), torch.nn.Linear(2, 2)
    choice.offer(5, 1.0, model)
    choice.offer(10, 2.0, model)
    choice.offer(12, 3.0, model, counts=False)
    assert (choice.step, choice.vain, choice.exhausted) == (5, 1, False)
    choice.offer(15, 1.0, model)
    assert (choice.step, choice.seen, choice.exhausted) == (5, 15, True)


def test_a_checkpoint_of_an_older_version_has_no_best(tmp_path: pathlib.Path) -> None:
    choice = early_stopping.Best(2)
    choice.read(tmp_path)
    assert (choice.step, choice.seen, choice.loss) == (0, 0, math.inf)
    choice.write(tmp_path)
    assert json.loads((tmp_path / early_stopping.NUMBERS).read_text()) == {}


@pytest.mark.parametrize("total", [100, 130, 400, 5000])
@pytest.mark.parametrize("rows", [8, 16])
def test_evaluations_are_many_and_cost_little(total: int, rows: int) -> None:
    settings = TrainSettings(per_device_train_batch_size=4, gradient_accumulation_steps=rows // 4)
    every = duration.checkpoint_steps(total)
    looked_at = early_stopping.evaluated(list(range(10_000)), every, settings)
    assert total // every >= 9 + (total % every == 0)
    assert len(looked_at) <= max(duration.FEWEST_EVALUATED, 0.2 * every * rows)  # forward only, of a step's two passes or three
    assert looked_at == sorted(set(looked_at)) and looked_at[-1] > 9000
    assert early_stopping.evaluated([1, 2, 3], every, settings) == [1, 2, 3]


def test_an_evaluation_whose_weights_found_no_room_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(best: early_stopping.Best, model: Any) -> dict[str, torch.Tensor]:
        raise MemoryError

    best, model = early_stopping.Best(3), torch.nn.Linear(2, 2)
    best.offer(5, 2.0, model)
    kept = best.kept
    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(early_stopping.Best, "_keep", short)
        best.offer(10, 1.0, model)
    assert (best.step, best.loss, best.seen) == (5, 2.0, 5) and best.kept is kept
