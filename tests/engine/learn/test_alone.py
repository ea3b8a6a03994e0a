"""Nothing of a run stays behind for the next on the same base: whatever a run in between asks for, the same run is the same again."""

import os
import pathlib
import random
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
import yaml
from transformers import AutoConfig, AutoModelForCausalLM, set_seed

from tests.engine.conftest import losses
from tests.lots import lot
from tests.tiny import UNMARKED, build
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.errors import EngineError
from tuning.presets import judged
from tuning.runs.run_folder import Run
from tuning.schema import Message
from tuning.studio import Studio

FEW = {"max_steps": 3, "validation_share": 0.0, "lora_dropout": 0.1}
ASKED = [Message(role="user", content="How much is item 3?")]

# What a run may ask for by the libraries' own names, and more than the plan lets through: the engine itself is to hold.
ODD: dict[str, dict[str, Any]] = {
    "tokenizer": {"sft": {"eos_token": "<s>", "chat_template_path": "EVIL"}},
    "tokenizer, and a fault": {"sft": {"eos_token": "<s>", "pad_token": "<end>", "assistant_only_loss": True}},
    "process": {
        "sft": {
            **{"full_determinism": True, "seed": 7, "data_seed": 9, "log_level": "debug", "neftune_noise_alpha": 5.0},
            **{"gradient_checkpointing": True, "bf16": True},
        }
    },
    "modules to save": {"lora": {"modules_to_save": ["lm_head", "embed_tokens", "norm"]}},
    "biases": {"lora": {"bias": "all"}, "sft": {"learning_rate": 0.1}},
    "first directions": {"lora": {"init_lora_weights": "pissa"}},
    "orthogonal": {"lora": {"init_lora_weights": "olora"}},
    "layers twice": {"lora": {"layer_replication": [[0, 2], [1, 2]]}},
    "new rows of embeddings": {"lora": {"trainable_token_indices": {"embed_tokens": [3, 4, 5]}}},
    "a fault in the first step": {"sft": {"neftune_noise_alpha": 5.0, "gradient_checkpointing": True, "optim": "none of these"}},
    "a fault in mid-run": {"sft": {"neftune_noise_alpha": 5.0, "learning_rate": 1e30, "max_grad_norm": 0.0}},
    "the whole model": {"method": "full"},
}
LOT = {"tokenizer", "process", *lot("odd runs").sample(sorted(ODD), 1)}


@pytest.fixture(autouse=True)
def whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what changes the base is trained here, which is refused before a run is made: a run may be of an earlier version."""
    monkeypatch.setattr(judged, "check", lambda settings, where: settings)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """As everywhere, but with biases, which an adapter may train too."""
    folder = build(tmp_path_factory.mktemp("models") / "tiny-llama")
    config = AutoConfig.from_pretrained(folder, attention_bias=True, mlp_bias=True)
    set_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture
def again(make_run: Callable[..., Run], studio: Studio, tmp_path: pathlib.Path) -> Callable[..., Run]:
    """Train a run on a resident base, its open maps as they are given here and not as a plan would have them."""

    def go(
        resident: Resident,
        between: Callable[[], None] = lambda: None,
        sft: dict[str, Any] | None = None,
        lora: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Run:
        run = make_run(**FEW, **changes)
        if sft or lora:
            path = run.folder / "spec.yaml"
            spec = yaml.safe_load(path.read_text(encoding="utf-8"))
            spec["settings"]["sft"] |= {key: str(tmp_path / "x.jinja") if value == "EVIL" else value for key, value in (sft or {}).items()}
            spec["settings"]["lora"] |= lora or {}
            path.write_text(yaml.safe_dump(spec), encoding="utf-8")
        train(run, studio.shared.store, resident, between)
        return run

    (tmp_path / "x.jinja").write_text("EVIL" + UNMARKED, encoding="utf-8")
    return go


def left(run: Run) -> dict[str, Any]:
    """All that a run has made, to the byte: what it ships, what it lost at each step, how many tokens it learned."""
    state = run.saved_state()
    assert state is not None and state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-3000:]
    shipped = {path.name: path.read_bytes() for path in run.adapter.iterdir() if path.name != "README.md"}
    return {"losses": losses(run), "learned": state.learned_tokens, "recoveries": state.recoveries, **shipped}


def of_the_process() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "deterministic": (torch.get_deterministic_debug_mode(), torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "precision": (torch.get_float32_matmul_precision(), torch.backends.fp32_precision),
        "gradients": (torch.is_grad_enabled(), torch.is_anomaly_enabled()),
        "dice": (random.getstate(), numpy.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()),
    }


def said(resident: Resident, like: Run, run: Run | None = None) -> list[Any]:
    spec = like.spec()
    question = Question(ASKED, spec.model, spec.settings.device, spec.settings.precision, run, max_new_tokens=8)
    resident.load(spec.model.path, spec.settings.device, spec.settings.precision)
    answer(resident, question)
    return [question.pieces.get_nowait() for _ in range(question.pieces.qsize())]


@pytest.mark.drawn("alike")
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in LOT else [pytest.mark.nightly]) for name in ODD])
def test_the_same_run_is_the_same_to_the_byte_whatever_another_asked_for_before_it(name: str, again: Callable[..., Run]) -> None:
    resident = Resident()
    first = again(resident)
    wanted, base, tuned, settings = left(first), said(resident, first), said(resident, first, first), of_the_process()
    odd = again(resident, **ODD[name])
    after = of_the_process()
    faults = [f"of the process: {key}" for key, value in after.items() if value != settings[key]]
    if said(resident, first) != base or said(resident, first, first) != tuned:
        faults.append("what is answered after it")
    found = left(again(resident))
    faults += [f"of the next run: {key}" for key in wanted if found.get(key) != wanted[key]]
    state = odd.saved_state()
    print(name, state and (state.status, state.error))
    assert faults == []


def test_a_run_that_left_the_base_as_it_was_does_not_have_it_loaded_again(again: Callable[..., Run]) -> None:
    resident = Resident()
    again(resident, sft={"gradient_checkpointing": True, "neftune_noise_alpha": 5.0})
    base = resident.base
    again(resident, lora={"init_lora_weights": "olora"})
    assert resident.base is base
    again(resident)
    assert resident.base is not base


def test_nobody_talks_by_a_base_that_a_run_has_changed_for_itself(again: Callable[..., Run]) -> None:
    resident = Resident()
    first = again(resident)
    heard: list[str] = []

    def ask() -> None:
        for run in (None, first):
            with pytest.raises(EngineError) as caught:
                said(resident, first, run)
            heard.append(caught.value.code)

    odd = again(resident, ask, lora={"init_lora_weights": "pissa"})
    assert left(odd) and set(heard) == {"chat.own_base"}
