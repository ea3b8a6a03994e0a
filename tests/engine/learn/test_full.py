"""Full training: all weights of a small model learn, and everything that a run with an adapter can do works with it.

Two models: the tiny Llama of the suite, and a Qwen whose embeddings are tied to its head.
"""

import json
import pathlib
import shutil
import zipfile
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM, set_seed

from tests.bench import whole as bench
from tests.engine.conftest import FAST, Trainer, losses
from tests.engine.kernels.test_packing import rows_of
from tests.engine.killing import carry_out
from tests.engine.learn.test_kills import deaths
from tests.engine.moments import BUILT, KEPT, OUT
from tests.tiny import tokenizer
from tuning import settings as reading
from tuning.engine.kernels import head, packing
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.engine.workshop import Workshop
from tuning.errors import EngineError, InputError
from tuning.forecast.full_finetune import save_bytes
from tuning.runs import checkpoints
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio

FULL: dict[str, Any] = {"method": "full", "learning_rate": 0.003, "precision": "fp32"}
ASK = [{"role": "user", "content": "How much is item 3?"}]


@pytest.fixture(scope="session")
def tied_model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A random Qwen3, in bf16 on the disk, whose head is its embeddings."""
    folder, words = tmp_path_factory.mktemp("models") / "tiny-qwen", tokenizer()
    set_seed(0)
    config = Qwen3Config(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        head_dim=16, max_position_embeddings=256, tie_word_embeddings=True, bos_token_id=words.bos_token_id,
        pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def answer(studio: Studio, run: Run, resident: Resident, base: bool = False, prompt: str = ASK[0]["content"]) -> str:
    """What a run, or its base, says."""
    from tuning.engine.speak.chat import answer as speak

    question = studio.talk.question(run.id, [{"role": "user", "content": prompt}], base=base)
    question.max_new_tokens = 8
    resident.load(question.model.path, question.device, question.precision, question.quantization, question.bare)
    speak(resident, question)
    return "".join(question.stream())


def test_all_weights_learn_and_what_is_published_stands_by_itself(
    studio: Studio, tied_model: pathlib.Path, rows_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run = studio.runs.create(str(tied_model), str(rows_file), "facts", {**FAST, **FULL, "report": True})
    resident = Resident()
    state = train(run, studio.shared.store, resident)
    assert state.status == "finished" and state.error is None, (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    base = AutoModelForCausalLM.from_pretrained(tied_model)
    count = sum(parameter.numel() for parameter in base.parameters())
    assert (state.trainable_parameters, state.total_parameters) == (count, count)
    assert state.eval_loss is not None and state.base_eval_loss is not None and state.eval_loss < state.base_eval_loss - 0.1
    with zipfile.ZipFile(studio.exports.export(run.id, "adapter", tmp_path)) as archive:
        assert not {"adapter_config.json", "adapter_model.safetensors"} & set(archive.namelist())
        archive.extractall(tmp_path / "taken")
    tuned = AutoModelForCausalLM.from_pretrained(tmp_path / "taken")
    assert tuned.get_output_embeddings().weight is tuned.get_input_embeddings().weight
    assert (tuned.dtype, tuned.config.use_cache) == (torch.bfloat16, True)
    before = dict(base.named_parameters())
    assert all(not torch.equal(weight, before[name]) for name, weight in tuned.named_parameters())
    card = (tmp_path / "taken" / "README.md").read_text(encoding="utf-8")
    assert "AutoModelForCausalLM.from_pretrained(MODEL)" in card and str(tied_model.parent) not in card
    assert str(tied_model.parent) not in (tmp_path / "taken" / "config.json").read_text(encoding="utf-8")

    # with plain libraries it has the loss that the run has noted; weights in 16 bits are rounded
    from tuning.engine.learn.train import load_rows

    resident.tokenizer = AutoTokenizer.from_pretrained(tmp_path / "taken")
    held_out = load_rows(run.spec(), studio.shared.store, resident).validation
    assert head.mean_loss(tuned.float(), held_out, resident.tokenizer.pad_token_id, 8) == pytest.approx(state.eval_loss, rel=0.01)
    report = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert report["measures"]["loss"]["base"] == pytest.approx(state.base_eval_loss, abs=1e-4)
    assert report["measures"]["loss"]["tuned"] == pytest.approx(state.eval_loss, rel=0.01)
    assert not list(run.checkpoints.glob(".best*")), "what was kept aside is gone"


@pytest.mark.drawn("whole")
def test_the_base_is_as_it_came_for_the_next_run(trained: Trainer, undisturbed: Callable[..., Run]) -> None:
    resident = Resident()
    assert trained(resident=resident, **FULL)[1].status == "finished"
    adapter, _ = trained(resident=resident)
    assert losses(adapter) == pytest.approx(losses(undisturbed()), abs=1e-6) and resident.whole is None


@pytest.mark.drawn("whole")
def test_the_timeline_begins_with_the_base_and_each_is_talked_to_by_its_name(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuning.engine.speak import timeline

    monkeypatch.setattr(timeline, "SHARE", 1e6)
    monkeypatch.setattr(timeline, "WHOLE_SHARE", 1e6)
    monkeypatch.setattr(timeline, "NEW_TOKENS", 8)
    changes = {**FULL, "max_steps": 6, "report": False, "early_stopping_patience": 0}
    run, resident = studio.runs.create("starter", "starter-en", "facts", changes), Resident()
    assert train(run, studio.shared.store, resident).status == "finished"
    first, *_, last = run.samples()
    assert (first["step"], last["step"]) == (0, 6)
    for before, after in zip(first["answers"][:2], last["answers"][:2], strict=True):
        prompt = before["prompt"]
        base, tuned = before["answer"].rstrip("…"), after["answer"].rstrip("…")
        assert len(base) > 10 and base != tuned
        here = [answer(studio, run, resident, True, prompt), answer(studio, run, resident, False, prompt)]
        assert here == [answer(studio, run, Resident(), True, prompt), answer(studio, run, Resident(), False, prompt)]
        assert [said.strip() for said in here] == [base, tuned]


@pytest.fixture
def busy(home: pathlib.Path) -> Iterator[Studio]:
    """A studio with a workshop of their own."""
    workshop = Workshop(Store(home))
    workshop.start()
    yield Studio(reading.read(), LOCAL, workshop)
    workshop.close()


def test_while_it_learns_only_the_run_itself_is_talked_to(
    busy: Studio, make_run: Callable[..., Run], undisturbed: Callable[..., Run], wait_until: Callable[..., Any]
) -> None:
    changes = {**FULL, "lr_scheduler_type": "constant", "warmup_ratio": 0.0, "early_stopping_patience": 0}
    alone, run = losses(undisturbed(**changes)), make_run(**{**changes, "num_train_epochs": 200})
    busy.runs.resume(run.id)
    wait_until(lambda: run.state().step >= 2)
    assert isinstance("".join(busy.talk.chat(run.id, ASK)), str)
    with pytest.raises(EngineError) as caught:
        list(busy.talk.chat(run.id, ASK, base=True))
    assert caught.value.code == "chat.whole" and run.state().status == "running"
    wait_until(lambda: run.state().step >= len(alone))
    busy.runs.stop(run.id)
    wait_until(lambda: run.state().status == "stopped")
    assert {step: loss for step, loss in losses(run).items() if step in alone} == alone, "talking changes nothing"
    assert isinstance("".join(busy.talk.chat(run.id, ASK, base=True)), str)


def test_a_stop_keeps_a_model_and_resuming_ends_as_if_nothing_had_been(
    make_run: Callable[..., Run], studio: Studio, undisturbed: Callable[..., Run]
) -> None:
    changes = {**FULL, "num_train_epochs": 3}
    whole, run, resident = undisturbed(**changes), make_run(**changes), Resident()

    def stop() -> None:
        if max(losses(run), default=0) >= 5:
            (run.folder / "stop").touch()

    assert train(run, studio.shared.store, resident, stop).status == "stopped"
    assert AutoModelForCausalLM.from_pretrained(run.adapter).num_parameters() > 0 and answer(studio, run, resident) is not None
    assert train(studio.runs.resumable(run.id), studio.shared.store, resident).status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)
    ours, theirs = (load_file(one.adapter / "model.safetensors") for one in (run, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


MOMENTS = [
    (f"write {BUILT}/model.safetensors", 2, 0),
    (f"written {BUILT}/optimizer.pt", 1, 0),
    ("rename checkpoints/.best.safetensors", 1, 0),
    (f"rename {KEPT}", 1, 1),
    (f"written {OUT}/model.safetensors", 1, 0),
    ("rename adapter", 1, 1),
]
# In the suite, which kills runs with adapters at all of them, those that are of whole models alone.
OF_ITS_OWN = MOMENTS[0:5:2]


@pytest.mark.drawn("alike")
@pytest.mark.parametrize("moments", [OF_ITS_OWN, pytest.param(MOMENTS, marks=pytest.mark.nightly)], ids=["some", "all"])
def test_killed_at_any_moment_it_ends_as_if_nothing_had_been(
    tmp_path: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path, moments: list[tuple[str, int, int]]
) -> None:
    jobs: list[dict[str, Any]] = [{"name": "named", "ways": [{"at": list(moment), "do": "kill"} for moment in moments]}]
    if moments is MOMENTS:
        jobs.append({"seed": 7, "deaths": 20})
    whole, *found = carry_out(tmp_path, tiny_model, rows_file, jobs, changes={**FULL, "max_steps": 8 if len(jobs) == 1 else 12})
    assert whole["usable"] and all(one["usable"] for one in found)
    assert sum(deaths(one, whole) for one in found if "name" in one) == len(moments)
    assert sum(deaths(one, whole) for one in found if "seed" in one) >= 20 * (len(jobs) - 1)


@pytest.mark.parametrize("checkpointing", ["none", "full"])
def test_packed_rows_and_rows_apart_teach_the_same(tied_model: pathlib.Path, checkpointing: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(tied_model, attn_implementation="sdpa", dtype=torch.float32).train()
    if checkpointing == "full":
        model.activation_checkpointing_enable({"use_reentrant": False})
    rows = rows_of([40, 3, 17, 1, 60], model.config.vocab_size)

    def gradients(batches: list[list[packing.TokenRow]]) -> dict[str, torch.Tensor]:
        model.zero_grad()
        for some in batches:
            batch, lengths = packing.packed(some, torch.device("cpu"))
            with packing.apart(model, lengths):
                head.labelled_nll(model, batch)[0].backward()
        return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}

    alone, together = gradients([[row] for row in rows]), gradients([rows])
    assert alone.keys() == together.keys() == dict(model.named_parameters()).keys()
    for name, gradient in alone.items():
        torch.testing.assert_close(together[name], gradient, atol=1e-3, rtol=1e-3)


def test_micro_batches_and_memory_that_runs_out_change_nothing(
    trained: Trainer, undisturbed: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {**FULL, "gradient_checkpointing": "none"}
    forward, raised = torch.nn.Embedding.forward, 0

    def short(module: Any, ids: torch.Tensor) -> torch.Tensor:
        nonlocal raised
        if torch.is_grad_enabled() and raised < 2:
            raised += 1
            raise torch.OutOfMemoryError("injected")
        return forward(module, ids)

    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.Embedding, "forward", short)
        run, state = trained(**changes)
    assert state.status == "finished"
    assert [notice.code for notice in state.recoveries] == ["recovery.release", "recovery.checkpointing"]
    assert losses(run) == pytest.approx(losses(undisturbed(**changes)), abs=1e-4)


@pytest.mark.nightly
def test_memory_that_is_gone_pauses_and_the_rest_is_learned_later(
    make_run: Callable[..., Run], studio: Studio, undisturbed: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**FULL, "num_train_epochs": 3}
    run, forward = make_run(**changes), torch.nn.Embedding.forward

    def gone(module: Any, ids: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and max(losses(run), default=0) >= 4:
            raise torch.OutOfMemoryError("injected")
        return forward(module, ids)

    with monkeypatch.context() as patched:
        patched.setattr(torch.nn.Embedding, "forward", gone)
        state: RunState = train(run, studio.shared.store, Resident())
    newest = checkpoints.newest(run.checkpoints)
    assert (state.status, state.reason) == ("paused", "memory") and newest is not None and checkpoints.step_of(newest) >= 4
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(losses(undisturbed(**changes)), abs=1e-4)


@pytest.mark.drawn("whole")
def test_a_run_goes_on_from_a_whole_model_and_not_from_what_is_of_another_kind(
    trained: Trainer, undisturbed: Callable[..., Run], studio: Studio
) -> None:
    first, before = trained(**FULL)
    with pytest.raises(InputError) as caught:
        studio.runs.further(first.id, settings={"method": "lora"})
    assert caught.value.code == "run.method" and caught.value.params == {"was": "full"}
    second = studio.runs.further(first.id, settings={"num_train_epochs": 1, "method": "full"})
    studio.runs.delete(first.id)
    after = train(second, studio.shared.store, Resident())
    assert after.status == "finished", after.error
    seen = [record["eval_loss"] for record in second.metrics() if "eval_loss" in record]
    assert seen[0] == pytest.approx(before.eval_loss, abs=1e-5) and after.base_eval_loss == pytest.approx(before.base_eval_loss, abs=1e-5)
    adapter, _ = trained()
    with pytest.raises(InputError) as caught:
        studio.runs.further(adapter.id, settings={"method": "full"})
    assert caught.value.code == "run.method"


def test_too_little_room_for_two_saves_pauses_it_before_anything_is_loaded(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, resident = make_run(**FULL), Resident()
    spec = run.spec()
    size = save_bytes(spec.model.card, spec.settings)
    assert size >= 16 * 90_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=checkpoints.SPARE_BYTES + int(1.9 * size)))
    state = train(run, studio.shared.store, resident)
    assert (state.status, state.reason, resident.path) == ("paused", "disk", None)


def test_a_learning_rate_beyond_all_measure_publishes_nothing(trained: Trainer) -> None:
    run, state = trained(**{**FULL, "learning_rate": 1e30})
    assert (state.status, state.reason) == ("failed", "diverged") and state.step <= 3 and not run.adapter.exists()


@pytest.mark.nightly
@pytest.mark.parametrize("name", bench.SHAPES)
def test_the_forecast_is_what_the_process_takes(name: str) -> None:
    predicted, peak = bench.measured(name)
    print(name, predicted, peak)
    assert 0.95 <= predicted / peak <= 1.1


@pytest.mark.nightly
def test_the_starter_learns_its_facts_as_a_whole(studio: Studio) -> None:
    from tests.bench.facts import share

    run = studio.runs.create("starter", "starter-en", "facts", {"method": "full"})
    assert train(run, studio.shared.store, Resident()).status == "finished"
    home = str(studio.settings.home)
    before, after = (share(home, run.id, "starter-en", base) for base in (True, False))
    print("facts", before, after, run.spec().settings.learning_rate)
    assert after >= 0.5 and after > before + 0.4
    said = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))["verdict"]
    assert "learned" in (said["code"], *said["also"])


def test_a_plan_says_what_is_not_used_and_what_the_disk_has_to_take(studio: Studio) -> None:
    plan = studio.plans.plan("starter", "starter-en", settings={"method": "full", "lora_r": 8, "lora.use_dora": True})
    told = {notice["code"]: notice["params"] for notice in plan["notices"]}
    assert told["plan.full_ignored"] == {"keys": "lora_r, lora.use_dora"} and plan["disk_bytes"] == told["plan.full"]["disk"] * 1e9
    assert "plan.full_ignored" not in {
        notice["code"] for notice in studio.plans.plan("starter", "starter-en", settings={"lora_r": 8})["notices"]
    }
