"""The recipes for one model, each trained on a tiny stand-in of its architecture with exactly its settings."""

import pathlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from tests import families
from tests.lots import lot
from tuning import presets, settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.studio import Studio

ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
START = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "bias": "none"}  # where a recipe says nothing of its adapter


@dataclass
class Told:
    """What a recipe promises: arguments of SFTConfig and LoraConfig, the layers, the base in 4 bits, what a processor changes."""

    sft: dict[str, Any]
    targets: set[str] = field(default_factory=lambda: ATTENTION)
    lora: dict[str, Any] = field(default_factory=lambda: START)
    quantization: str = "none"
    patience: int = 3  # where rows are held out
    changed: set[str] = field(default_factory=set)


TOLD = {
    "quick-phi2": Told(
        {
            "num_train_epochs": 3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "max_length": 128,
            "learning_rate": 5e-5,
        },
        targets={"q_proj", "k_proj", "v_proj", "dense"},
    ),
    "italian-qwen": Told(
        {
            "num_train_epochs": 3, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 16, "max_length": 128,
            "learning_rate": 2e-5, "bf16": True,
        }
    ),
    "max-quality": Told(
        {
            "num_train_epochs": 2, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 16, "max_length": 256,
            "learning_rate": 1e-5, "bf16": True,
        }
    ),
    "tinyllama-dolly": Told(
        {
            "num_train_epochs": 1, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 8, "max_length": 1024,
            "learning_rate": 2e-4, "lr_scheduler_type": "cosine", "warmup_steps": 0.03, "gradient_checkpointing": True,
            "logging_steps": 50, "save_steps": 500,
        },
        changed={"plan.precision_cpu"},
    ),
    "low-memory": Told(
        {
            "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8, "max_length": 1024, "gradient_checkpointing": True,
            "packing": False, "dataloader_pin_memory": False, "dataloader_num_workers": 0,
        },
        targets={*ATTENTION, "in_proj", "input_linear", "output_linear"},
        lora={"r": 8, "lora_alpha": 16},
        quantization="nf4",
    ),
    "qlora-attention": Told(
        {
            "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "learning_rate": 1e-5, "lr_scheduler_type": "cosine",
            "warmup_steps": 0.05, "bf16": True,
        },
        quantization="nf4",
    ),
}  # fmt: skip


def test_every_recipe_for_one_model_is_here() -> None:
    known = presets.recipes(settings.PRESETS)
    assert set(TOLD) == {name for name, recipe in known.items() if recipe.model is not None}
    assert (known["tinyllama-dolly"].dataset, known["tinyllama-dolly"].max_samples) == ("dolly-15k", 5000)
    assert known["tinyllama-dolly"].settings.precision == "fp16"


LOT = set(lot("recipes for one model").sample(sorted(TOLD), 3))  # in every suite; the others by night


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in LOT else [pytest.mark.nightly]) for name in TOLD])
def test_a_recipe_trains_with_exactly_its_settings(
    name: str, studio: Studio, tmp_path: pathlib.Path, rows_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = TOLD[name]
    seen: list[tuple[SFTConfig, LoraConfig]] = []
    begin = SFTTrainer.__init__

    def watched(self: SFTTrainer, *args: Any, **kwargs: Any) -> None:
        seen.append((kwargs["args"], next(iter(kwargs["model"].peft_config.values()))))
        begin(self, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "__init__", watched)
    monkeypatch.setitem(families.SMALL, "max_position_embeddings", 2048)
    card = presets.models(settings.PRESETS)[str(presets.recipes(settings.PRESETS)[name].model)]
    folder = families.build(tmp_path / card.model_type, card)
    run = studio.runs.create(str(folder), str(rows_file), name, {"max_steps": 2, "report": False})
    resident = Resident()
    state = train(run, studio.shared.store, resident)
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert state.step == 2 and (run.adapter / "adapter_model.safetensors").is_file()

    arguments, adapter = seen[-1]
    assert {key: getattr(arguments, key) for key in told.sft} == told.sft
    assert {key: getattr(adapter, key) for key in told.lora} == told.lora
    assert set(adapter.target_modules or []) == told.targets
    assert run.spec().settings.early_stopping_patience == told.patience
    quantized = [module for module in resident.base.modules() if type(module).__name__ == "Linear4bit"]
    assert bool(quantized) == (told.quantization == "nf4")
    assert all(layer.weight.quant_state.nested and layer.weight.quant_state.quant_type == "nf4" for layer in quantized)

    codes = {notice.code for notice in run.spec().notices}
    assert told.changed <= codes and "plan.device_cpu" in codes
    assert codes & {"plan.precision_cpu", "plan.nf4", "plan.offer", "settings.mapped"} == told.changed
    recipe, used = presets.recipes(settings.PRESETS)[name], run.spec().settings.model_dump()
    asked = {**recipe.settings.model_dump(), "max_samples": recipe.max_samples}
    differing = {key for key, value in asked.items() if value not in ("auto", used[key])}
    assert differing == {"max_steps", "report"} | ({"precision"} if told.changed else set())
