"""Every architecture of the catalog, shrunk: it is planned, trained, saved, loaded with plain PEFT and talked to."""

import json
import math
import pathlib

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests import families
from tests.engine.conftest import losses
from tests.lots import lot
from tuning import presets, settings
from tuning.engine.learn.train import train
from tuning.engine.question import Question
from tuning.engine.resident import Resident
from tuning.engine.speak.chat import answer
from tuning.forecast.memory import adapter_parameters
from tuning.schema import Message, ModelCard
from tuning.studio import Studio


def architectures() -> dict[str, ModelCard]:
    """One card for each kind of model: its type, whether its embeddings are tied, and its kinds of layers."""
    found: dict[str, ModelCard] = {}
    for card in presets.models(settings.PRESETS).values():
        if card.config and not card.path:
            kinds = sorted(set(card.config.get("layer_types", [])) - {"attention"})
            tied = "tied" if card.config["tie_word_embeddings"] else "untied"
            found.setdefault("-".join([card.model_type, tied, *kinds]), card)
    return found


CARDS = architectures()
LOT = lot("families").sample(list(CARDS), 3)  # the others are for the night; which these were stands in the names of the tests


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[] if kind in LOT else [pytest.mark.nightly]) for kind in CARDS])
def test_a_family_learns_and_answers(kind: str, studio: Studio, tmp_path: pathlib.Path, rows_file: pathlib.Path) -> None:
    card = CARDS[kind]
    folder = families.build(tmp_path / card.model_type, card)
    changes = {"max_steps": 2, "max_length": 64, "lora_r": 4, "learning_rate": 0.01, "validation_share": 0.2, "max_samples": 10}
    run = studio.runs.create(str(folder), str(rows_file), "facts", {**changes, "report": False})
    resident = Resident()
    state = train(run, studio.shared.store, resident)
    assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
    assert len(losses(run)) == 2
    assert all(math.isfinite(loss) for loss in losses(run).values())

    tensors = load_file(run.adapter / "adapter_model.safetensors")
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in tensors} == set(card.target_modules)
    saved = json.loads((run.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert "out_proj" not in saved["target_modules"]
    assert state.trainable_parameters == adapter_parameters(run.spec().model.card, run.spec().settings)
    grown = [name for name, tensor in tensors.items() if "lora_B" in name and tensor.any()]
    assert len(grown) == len(tensors) // 2  # B begins at zero: whatever has learned is not

    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), str(run.adapter))
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad(), loaded.disable_adapter():
        before = loaded(ids).logits
    with torch.no_grad():
        after = loaded(ids).logits
    assert torch.isfinite(after).all() and not torch.allclose(before, after)

    spec = run.spec()
    question = Question([Message(role="user", content="How much is item 3?")], spec.model, "cpu", "fp32", run=run, max_new_tokens=8)
    answer(resident, question)
    assert isinstance("".join(question.stream()), str)
