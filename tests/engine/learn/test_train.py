"""A run from spec to adapter: what it leaves, that it is the same work as plain libraries do, and how it ends when it ends badly."""

import json
import logging
import math
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerControl

from tests.engine.conftest import Trainer, Undisturbed, losses
from tuning.engine import shutdown
from tuning.engine.kernels import head
from tuning.engine.learn import callbacks
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.errors import EngineError, InputError, RunError
from tuning.runs import checkpoints, locks, summary
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL, Message, RunState
from tuning.studio import Studio

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_a_finished_run_leaves_what_the_contract_names(finished: tuple[Run, RunState, Studio]) -> None:
    run, state, _ = finished
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    result = summary.result(run)
    assert result["steps"] == run.spec().forecast.steps == len(losses(run))
    assert losses(run)[result["steps"]] < losses(run)[1]
    assert result["eval_loss"] < result["base_eval_loss"]
    assert result["perplexity"] == pytest.approx(math.exp(result["eval_loss"]))
    assert result["learned_tokens"] > 0 and result["tokens_per_second"] > 0
    assert 0.2 < result["peak_bytes"] / result["predicted_peak_bytes"] < 5
    assert result["trainable_parameters"] < result["total_parameters"]
    assert {path.name for path in run.adapter.iterdir()} >= {
        "adapter_config.json",
        "adapter_model.safetensors",
        "tokenizer.json",
        "README.md",
    }
    assert checkpoints.newest(run.checkpoints) is not None
    assert not list(run.checkpoints.rglob("training_args.bin"))


def test_the_adapter_names_no_folder_of_this_machine(finished: tuple[Run, RunState, Studio]) -> None:
    run, _, _ = finished
    for path in run.adapter.rglob("*"):
        assert b"/tmp/" not in path.read_bytes() and str(pathlib.Path.home()).encode() + b"/" not in path.read_bytes(), path.name


def test_the_adapter_loads_with_plain_peft_and_answers_the_same(finished: tuple[Run, RunState, Studio]) -> None:
    run, _, _ = finished
    spec = run.spec()
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(spec.model.path), str(run.adapter))
    tokenizer = AutoTokenizer.from_pretrained(str(run.adapter))
    asked = [{"role": "user", "content": "How much is item 7?"}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = model.generate(**ids, do_sample=False, max_new_tokens=40)
    plain = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    resident = Resident()
    resident.load(spec.model.path, "cpu", "fp32")
    question = Question([Message(**asked[0])], spec.model, "cpu", "fp32", run=run, max_new_tokens=40)
    answer(resident, question)
    assert "".join(question.stream()) == plain != ""


@pytest.mark.parametrize("lengths", [[5], [9, 3, 6]])
def test_the_loss_on_labelled_positions_is_the_model_s_own(tiny_model: pathlib.Path, lengths: list[int]) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    rows = [{"input_ids": list(range(10, 10 + n)), "labels": [-100] * (n // 2) + list(range(10 + n // 2, 10 + n))} for n in lengths]
    batch = head.pad(rows, 1, torch.device("cpu"))
    loss, count = head.labelled_nll(model, batch)
    native = model(**batch).loss
    assert torch.allclose(loss / count, native, atol=1e-6)
    assert head.mean_loss(model, rows, 1, 2) == pytest.approx(native.item(), abs=1e-5)


def test_same_seed_same_losses_and_another_seed_others(trained: Trainer, undisturbed: Undisturbed) -> None:
    (second, _), (other, _) = trained(), trained(seed=7)
    assert losses(undisturbed()) == losses(second) != losses(other)


@pytest.mark.drawn("turns")
@pytest.mark.usefixtures("way")
def test_chat_in_mid_run_changes_no_loss(trained: Trainer, studio: Studio) -> None:
    plain, _ = trained(lora_dropout=0.1)
    resident, answers = Resident(), []

    def talk() -> None:
        run = studio.shared.store.find("last", LOCAL)
        for whom, seed, strength in ((run, None, 100.0), (run, 3, 0.0), (run, None, 150.0), (None, 5, 100.0), (plain, None, 35.0)):
            question = Question([Message(role="user", content="How much?")], run.spec().model, "cpu", "fp32", whom, seed, max_new_tokens=4)
            question.strength = strength
            answer(resident, question)
            answers.append("".join(question.stream()))

    talked, state = trained(yield_point=talk, resident=resident, lora_dropout=0.1)
    assert state.status == "finished"
    assert len(answers) > 20
    assert losses(talked) == losses(plain)
    assert (talked.adapter / "adapter_model.safetensors").read_bytes() == (plain.adapter / "adapter_model.safetensors").read_bytes()
    for folder in (talked.adapter, *talked.checkpoints.iterdir()):  # the adapter that was talked to is not saved with it
        assert not [path for path in folder.iterdir() if path.is_dir()]


# Four times four steps, with dropout: the state of chance matters. No run of so few steps should stop early.
LONGER = {"num_train_epochs": 4, "lora_dropout": 0.1, "early_stopping_patience": 0}


@pytest.mark.parametrize("order", ["random", pytest.param("group_by_length", marks=pytest.mark.nightly)])
def test_stop_keeps_the_work_and_resume_finishes_it_as_if_nothing_had_been(
    undisturbed: Undisturbed, make_run: Callable[..., Run], studio: Studio, order: str
) -> None:
    changes = {**LONGER, **({} if order == "random" else {"sft.train_sampling_strategy": order})}
    whole, run = undisturbed(**changes), make_run(**changes)

    def stop_at_five() -> None:
        if max(losses(run), default=0) >= 5 and not run.stop_requested():
            run.request_stop()

    state = train(run, studio.shared.store, Resident(), stop_at_five)
    assert state.status == "stopped" and 5 <= state.step < len(losses(whole))
    assert (run.adapter / "adapter_model.safetensors").is_file()
    state = train(studio.runs.resumable(run.id), studio.shared.store, Resident())
    assert state.status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


def kill_at(run: Run, step: int, home: pathlib.Path) -> None:
    """Train in another process and kill it -9 when it has logged `step`."""
    env = {**os.environ, "TUNING_HOME": str(home)}
    process = subprocess.Popen([sys.executable, "-m", "tuning", "resume", run.id], cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while max(losses(run), default=0) < step:
            assert process.poll() is None and time.monotonic() < deadline, (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def leave_at(run: Run, step: int, studio: Studio) -> None:
    """Train in this process, and be asked to leave once it has logged `step`."""

    def ask() -> None:
        if max(losses(run), default=0) >= step:
            shutdown.ask(run)

    train(run, studio.shared.store, Resident(), ask)


@pytest.mark.parametrize("how", ["left", pytest.param("killed", marks=pytest.mark.nightly)])
def test_an_interrupted_run_whose_newest_save_is_broken_ends_as_if_nothing_had_been(
    undisturbed: Undisturbed, make_run: Callable[..., Run], studio: Studio, home: pathlib.Path, how: str
) -> None:
    whole, run = undisturbed(**LONGER), make_run(**LONGER)
    if how == "killed":
        kill_at(run, 6, home)
    else:
        leave_at(run, 6, studio)
    assert run.state().status == "interrupted"
    newest = checkpoints.newest(run.checkpoints)
    assert newest is not None
    (newest / "optimizer.pt").write_bytes(b"half")  # the newest one broken: an older one must do
    state = train(studio.runs.resumable(run.id), studio.shared.store, Resident())
    assert state.status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


def test_a_diverged_run_fails_within_three_steps_and_publishes_nothing(trained: Trainer, studio: Studio) -> None:
    run, state = trained(learning_rate=1e30, lr_scheduler_type="constant", warmup_ratio=0)
    assert (state.status, state.reason) == ("failed", "diverged")
    assert state.step <= 3
    assert not run.adapter.exists()
    assert all(math.isfinite(loss) for loss in losses(run).values())
    with pytest.raises(RunError):
        studio.exports.export(run.id, "adapter", run.folder)


@pytest.mark.parametrize("targets", [["v_proj"], ["down_proj"], ["q_proj", "k_proj"], "all-linear"])
def test_a_rate_beyond_all_measure_is_noticed_whatever_is_adapted(trained: Trainer, targets: list[str] | str) -> None:
    changes = {"target_modules": targets, "validation_share": 0, "num_train_epochs": 30, "sft.logging_steps": 50}
    run, state = trained(learning_rate=1e30, **changes)
    assert (state.status, state.reason) == ("failed", "diverged")
    assert state.step <= 3 and not run.adapter.exists() and checkpoints.newest(run.checkpoints) is None


FAULTS: dict[str, Callable[[torch.nn.Parameter], Any]] = {
    "weight": lambda weight: weight.data.fill_(math.nan),
    "gradient": lambda weight: weight.register_hook(lambda gradient: gradient * math.inf),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_number_any_more_ends_the_run_and_the_last_good_save_goes_on(
    undisturbed: Undisturbed, make_run: Callable[..., Run], studio: Studio, fault: str
) -> None:
    changes = {**LONGER, "num_train_epochs": 8}
    whole, run, resident = undisturbed(**changes), make_run(**changes), Resident()
    last: list[int] = []

    def spoil() -> None:
        if not last and max(losses(run), default=0) >= 9:
            last.append(max(losses(run)))
            assert resident.peft is not None
            FAULTS[fault](next(weight for name, weight in resident.peft.named_parameters() if "lora_B" in name))

    state = train(run, studio.shared.store, resident, spoil)
    assert (state.status, state.reason) == ("failed", "diverged")
    assert state.error is not None and state.step <= last[0] + 3 and not run.adapter.exists()
    newest = checkpoints.newest(run.checkpoints)
    assert newest is not None and checkpoints.step_of(newest) >= 4
    assert all(torch.isfinite(tensor).all() for tensor in load_file(newest / "adapter_model.safetensors").values())
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


@pytest.mark.parametrize("knows", [True, False])  # a fused optimizer skips by itself, and accelerate does not know of it
def test_a_step_that_fp16_skips_is_no_divergence_but_many_in_a_row_are(make_run: Callable[..., Run], knows: bool) -> None:
    run = make_run()
    callback = callbacks.FolderCallback(
        callbacks.StateWriter(run, RunState(status="running")), callbacks.Throughput(), lambda: None, lambda: None
    )
    args: Any = SimpleNamespace(fp16=True, device=torch.device("cpu"))

    def log(step: int, skipped: bool, loss: float = 2.0) -> None:
        at: Any = SimpleNamespace(global_step=step)
        logs = {"loss": loss, "grad_norm": math.inf if skipped else 1.0}
        callback.on_log(args, at, TrainerControl(), logs=logs, optimizer=SimpleNamespace(step_was_skipped=skipped and knows))

    for step in range(1, 16):
        log(step, skipped=True)
    log(16, skipped=False)
    assert [("grad_norm" in record) for record in run.metrics()] == [False] * 15 + [True]
    with pytest.raises(EngineError):
        log(17, skipped=True, loss=math.nan)
    with pytest.raises(EngineError):
        for step in range(17, 50):
            log(step, skipped=True)
    args.fp16 = False
    with pytest.raises(EngineError):
        log(50, skipped=True)


def test_every_logged_step_says_how_it_went(finished: tuple[Run, RunState, Studio]) -> None:
    run, state, _ = finished
    steps = [record for record in run.metrics() if "loss" in record]
    for record in steps:
        assert {"step", "time", "loss", "learning_rate", "grad_norm", "epoch", "tokens_per_second", "memory_bytes"} <= record.keys()
    assert state.tokens_per_second is not None and state.peak_bytes is not None
    paces = [record["tokens_per_second"] for record in steps]
    assert 0 < min(paces) <= state.tokens_per_second <= max(paces)
    assert all(2**26 < record["memory_bytes"] <= 1.05 * state.peak_bytes for record in steps)


@pytest.mark.nightly
def test_what_else_the_machine_does_is_no_part_of_the_speed_that_the_next_forecast_learns(
    trained: Trainer, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = torch.optim.AdamW.step

    def kept_waiting(self: torch.optim.AdamW, *args: Any, **kwargs: Any) -> Any:
        time.sleep(0.7)  # the processor is another's
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", kept_waiting)
    _, state = trained(max_steps=2)
    record = json.loads((studio.settings.home / "calibration.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert state.tokens_per_second and record["tokens_per_second"] > 2 * state.tokens_per_second


def test_a_full_disk_pauses_the_run_and_it_goes_on_later(undisturbed: Undisturbed, studio: Studio, make_run: Callable[..., Run]) -> None:
    whole = undisturbed()
    biggest = max(path.stat().st_size for path in whole.checkpoints.rglob("optimizer.pt"))
    run = make_run()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (biggest - 100, before[1]))
    try:
        state = train(run, studio.shared.store, Resident())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (state.status, state.reason) == ("paused", "disk"), (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert checkpoints.newest(run.checkpoints) is None
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


def test_data_that_teach_nothing_fail_with_the_reason(make_run: Callable[..., Run], studio: Studio, tmp_path: pathlib.Path) -> None:
    rows = [{"instruction": "very " * 300, "output": "yes"} for _ in range(5)]
    path = tmp_path / "long.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    state = train(make_run(data=str(path), max_length=32), studio.shared.store, Resident())
    assert (state.status, state.reason) == ("failed", "data")
    assert state.error is not None and state.error.code == "tokens.nothing"


def test_a_run_that_made_no_step_publishes_nothing_unless_it_was_stopped() -> None:
    """The plan sees to it that there is one to make; of rows that turned out to teach nothing it cannot know."""

    def ends(step: int = 0, stopped: bool = False, left: bool = False) -> None:
        run = SimpleNamespace(stop_requested=lambda: stopped)
        callback: Any = SimpleNamespace(left=left, starved=False, ledger=SimpleNamespace(run=run))
        state: Any = SimpleNamespace(global_step=step)
        callbacks.FolderCallback.on_train_end(callback, None, state, None)  # type: ignore[arg-type]

    for fine in ({"step": 1}, {"stopped": True}, {"left": True}):
        ends(**fine)  # type: ignore[arg-type]
    with pytest.raises(EngineError) as caught:
        ends()
    assert (caught.value.code, caught.value.reason) == ("train.no_step", "data")


def test_two_engines_never_share_a_run(make_run: Callable[..., Run], studio: Studio) -> None:
    run = make_run()
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        with pytest.raises(RunError) as caught:
            train(run, studio.shared.store, Resident())
    assert caught.value.code == "run.busy"


def test_an_unknown_name_in_an_open_map_is_the_input_s_fault(make_run: Callable[..., Run], studio: Studio) -> None:
    """Said before there is a run; of a run that has one already see test_judged."""
    with pytest.raises(InputError) as caught:
        make_run(**{"sft.logging_stepz": 1})
    assert caught.value.code == "settings.unknown" and caught.value.params["nearest"] == "sft.logging_steps"
    assert "logging_stepz" in caught.value.params["key"] and studio.runs.list() == []


def test_what_cannot_be_done_is_refused_before_anything_is_made(make_run: Callable[..., Run], studio: Studio) -> None:
    for changes in ({"method": "full", "quantization": "nf4"}, {"max_length": 4096}, {"device": "cuda:3"}):
        with pytest.raises(InputError):
            make_run(**changes)
    assert studio.runs.list() == []


@pytest.mark.usefixtures("way")
def test_gradient_checkpointing_and_accumulation_do_the_same_work(trained: Trainer) -> None:
    plain, _ = trained(per_device_train_batch_size=4, gradient_accumulation_steps=2)
    saving, state = trained(per_device_train_batch_size=4, gradient_accumulation_steps=2, gradient_checkpointing="full")
    assert state.status == "finished"
    assert losses(saving) == pytest.approx(losses(plain), abs=1e-5)


def test_saves_are_as_close_as_was_asked(make_run: Callable[..., Run], studio: Studio) -> None:
    """By our own rule a run of eleven steps saves after every second one and at its end."""
    run, saved = make_run(max_steps=11, validation_share=0, **{"sft.save_steps": 3}), set()
    train(run, studio.shared.store, Resident(), lambda: saved.update(path.name for path in run.checkpoints.glob("checkpoint-*")))
    assert {f"checkpoint-{step}" for step in (2, 3, 4, 6, 8, 9, 10)} <= saved and "checkpoint-5" not in saved


def test_the_open_maps_reach_the_libraries(trained: Trainer) -> None:
    run, state = trained(**{"lora.use_rslora": True, "sft.weight_decay": 0.5})
    assert state.status == "finished"
    config: dict[str, Any] = json.loads((run.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["use_rslora"] is True


def test_a_run_s_log_holds_what_concerns_the_run(trained: Trainer) -> None:
    """Not what goes wrong meanwhile for others: in a thread of the page, or in this one at a yield point."""
    log = logging.getLogger("somebody")

    def others() -> None:
        log.error("an answer that failed")
        page = threading.Thread(target=log.error, args=("a caller who failed",))
        page.start()
        page.join()

    run, state = trained(others, max_steps=1)
    said = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert state.status == "finished" and "INFO" in said and "failed" not in said
