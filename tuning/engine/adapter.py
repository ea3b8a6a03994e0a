"""The adapter that a run publishes: a PEFT folder with its tokenizer and a card. Also its weights while it is trained.

What it was trained with, and when, is the trainer's business.
"""

import json
import pathlib
import shutil
from typing import Any

import torch
from peft import set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from tuning.engine.resident import TRAINED, Resident
from tuning.errors import EngineError
from tuning.runs.store import Run
from tuning.schema import RunSpec

OF_THIS_MACHINE = ("is_local", "local_files_only", "name_or_path")  # how we loaded a tokenizer is nobody else's business
WILD = 1e6  # fp16 ends at 65,504, and weights that are of use are below a hundred


def weights(model: Any) -> dict[str, torch.Tensor]:
    """The weights that are trained, by name: the model's own tensors, no copies."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def sound(model: Any) -> bool:
    """Are all trained weights numbers, and of a size that can mean something? Waits for the card."""
    largest = torch.nn.utils.get_total_norm(weights(model).values(), norm_type=float("inf"))
    return bool(largest <= WILD)  # not a number is not below anything


def begin_with(run: Run, model: Any) -> None:
    """Give a fresh adapter the weights of the one that the run goes on from. Raises EngineError where they do not fit."""
    try:
        found = load_file(str(run.start))
    except (OSError, SafetensorError) as error:
        raise EngineError("train.start") from error
    lost = set_peft_model_state_dict(model, found, adapter_name=TRAINED).unexpected_keys
    if lost or len(found) != len(weights(model)):
        raise EngineError("train.start")


def publish(run: Run, spec: RunSpec, resident: Resident) -> None:
    """Write the adapter that is trained under its final name, when it is whole. Raises OSError where the disk is full."""
    building = run.folder / ".adapter"
    shutil.rmtree(building, ignore_errors=True)
    assert resident.peft is not None
    config = resident.peft.peft_config[TRAINED]
    known_as = config.base_model_name_or_path
    config.base_model_name_or_path = spec.model.card.title if pathlib.Path(spec.model.id).is_absolute() else spec.model.id
    resident.peft.save_pretrained(str(building), selected_adapters=[TRAINED], save_embedding_layers=False)
    config.base_model_name_or_path = known_as
    resident.tokenizer.save_pretrained(str(building))
    words = building / "tokenizer_config.json"
    kept = {key: value for key, value in json.loads(words.read_text(encoding="utf-8")).items() if key not in OF_THIS_MACHINE}
    words.write_text(json.dumps(kept, indent=2, ensure_ascii=False), encoding="utf-8")
    (building / "README.md").write_text(card(spec), encoding="utf-8")
    before = run.folder / ".adapter-before"
    shutil.rmtree(before, ignore_errors=True)
    if run.adapter.exists():  # of an earlier stop: it is of use until the new one is there
        run.adapter.replace(before)
    building.replace(run.adapter)
    shutil.rmtree(before, ignore_errors=True)


def card(spec: RunSpec) -> str:
    """README.md of the adapter: what it was made from, and how to load it."""
    base = spec.model.card.title if pathlib.Path(spec.model.id).is_absolute() else spec.model.id
    settings = json.dumps(spec.settings.model_dump(exclude={"sft", "lora"}), indent=2)
    return f"""---
library_name: peft
base_model: {base}
tags: [lora, sft, sartoria]
---
# {spec.name}

A LoRA adapter for `{base}`, trained on {spec.data.train_rows} rows of "{spec.data.name}".

```python
model = AutoModelForCausalLM.from_pretrained(BASE)  # the folder or id of {base}
model = PeftModel.from_pretrained(model, ADAPTER)  # this folder
tokenizer = AutoTokenizer.from_pretrained(ADAPTER)
```

Settings:

```json
{settings}
```
"""
