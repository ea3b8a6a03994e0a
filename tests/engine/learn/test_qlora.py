"""QLoRA: the base in 4 bits, the adapter learns, and what happens between the steps changes nothing."""

import math
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.engine import cards
from tests.engine.conftest import Trainer, losses
from tuning.engine.learn import trainer
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.runs.run_folder import Run
from tuning.schema import Message, RunSpec
from tuning.studio import Studio

FOUR_BITS = {"quantization": "nf4", "max_steps": 6, "precision": "bf16"}


def test_the_base_is_in_four_bits_and_the_adapter_learns(trained: Trainer, tiny_model: pathlib.Path) -> None:
    resident = Resident()
    run, state = trained(resident=resident, **FOUR_BITS)
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    layers = [module for module in resident.base.modules() if type(module).__name__ == "Linear4bit"]
    assert layers and not any(getattr(layer.weight.quant_state, "packing_format_for_cpu", False) for layer in layers)
    learned = [tensor for name, tensor in load_file(run.adapter / "adapter_model.safetensors").items() if "lora_B" in name]
    assert learned and all(tensor.any() for tensor in learned)  # the gradient came through every layer
    assert losses(run)[6] < losses(run)[1] and all(math.isfinite(loss) for loss in losses(run).values())
    asked = [Message(role="user", content="How much is item 3?")]
    question = Question(asked, run.spec().model, "cpu", "bf16", run, max_new_tokens=4, quantization="nf4")
    answer(resident, question)
    assert isinstance("".join(question.stream()), str)
    assert not any(getattr(layer.weight.quant_state, "packing_format_for_cpu", False) for layer in layers)
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), str(run.adapter))  # loads on the whole base


@pytest.mark.nightly
def test_answers_at_other_strengths_change_no_loss(trained: Trainer, studio: Studio) -> None:
    how = {**FOUR_BITS, "lora_dropout": 0.1, "gradient_accumulation_steps": 2, "gradient_checkpointing": "full", "max_steps": 3}
    plain, _ = trained(**how)
    resident, said = Resident(), set[str]()

    def talk() -> None:
        run = studio.shared.store.find("last", plain.owner())
        for whom, strength in ((run, 0.0), (run, 150.0), (None, 100.0), (run, 100.0)):
            asked = [Message(role="user", content="How much?")]
            question = Question(asked, run.spec().model, "cpu", "bf16", whom, max_new_tokens=2, quantization="nf4", strength=strength)
            answer(resident, question)
            said.add("".join(question.stream()))

    talked, state = trained(talk, resident, **how)
    assert state.status == "finished" and said
    assert losses(talked) == losses(plain)
    assert (talked.adapter / "adapter_model.safetensors").read_bytes() == (plain.adapter / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_evaluation_between_the_steps_changes_no_loss(trained: Trainer, share: float) -> None:
    rows = {"max_samples": 20, "validation_share": share} if share else {"max_samples": 16, "validation_share": 0.0}
    resident = Resident()

    def meddle() -> None:
        if resident.base is not None:
            was = resident.model.training
            resident.model.eval()
            resident.model.train(was)

    plain, _ = trained(**FOUR_BITS, **rows)
    meddled, _ = trained(meddle, resident, **FOUR_BITS, **rows)
    assert losses(plain) == losses(meddled)


def test_eight_bits_learn_too(trained: Trainer) -> None:
    resident = Resident()
    run, state = trained(resident=resident, quantization="int8", max_steps=6, precision="bf16")
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    layers = [module for module in resident.base.modules() if type(module).__name__ == "Linear8bitLt"]
    assert layers and all(str(layer.weight.dtype) == "torch.int8" for layer in layers)
    assert losses(run)[6] < losses(run)[1] and all(math.isfinite(loss) for loss in losses(run).values())
    assert "will be cast" not in (run.folder / "log.txt").read_text(encoding="utf-8")


def without_scaler(made: Callable[..., Any]) -> Callable[..., Any]:
    """The trainer's configuration without fp16, whose loss scaler no processor has."""

    def make(run: Run, spec: RunSpec) -> Any:
        narrow = spec.settings.precision == "fp16"
        return made(run, spec.model_copy(update={"settings": spec.settings.model_copy(update={"precision": "fp32"})}) if narrow else spec)

    return make


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("quantization", ["none", "nf4", "int8"])
def test_an_adapter_learns_in_32_bits_whatever_its_base_is_in(
    make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch, quantization: str, precision: str
) -> None:
    """fp16's loss scaler takes no other gradients, and the plan counts 4 bytes for a number, its gradient and each moment."""
    run = cards.planned_for(make_run(max_steps=1), "cpu", quantization=quantization, precision=precision)
    monkeypatch.setattr(trainer, "sft_config", without_scaler(trainer.sft_config))
    step, found = torch.optim.AdamW.step, set[tuple[str, torch.dtype]]()

    def stepped(self: Any, *values: Any, **named: Any) -> Any:
        trained = [parameter for group in self.param_groups for parameter in group["params"]]
        found.update(("weight", parameter.dtype) for parameter in trained)
        found.update(("gradient", parameter.grad.dtype) for parameter in trained)
        done = step(self, *values, **named)
        found.update(("moment", self.state[parameter][name].dtype) for parameter in trained for name in ("exp_avg", "exp_avg_sq"))
        return done

    monkeypatch.setattr(torch.optim.AdamW, "step", stepped)
    state = train(run, studio.shared.store, Resident())
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert found == {(what, torch.float32) for what in ("weight", "gradient", "moment")}


def test_dora_and_rslora_train(trained: Trainer) -> None:
    for name in ("use_dora", "use_rslora"):
        run, state = trained(max_steps=6, **{f"lora.{name}": True})
        assert state.status == "finished"
        weights = load_file(run.adapter / "adapter_model.safetensors")
        assert any("lora_magnitude_vector" in key for key in weights) is (name == "use_dora")
        assert losses(run)[6] < losses(run)[1]
