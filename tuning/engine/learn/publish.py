"""What a run publishes, with its tokenizer and a card: an adapter as a PEFT folder, or a whole model. Also its weights while
it is trained.

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

from tuning.engine import full_weights
from tuning.engine.resident import TRAINED, Resident
from tuning.errors import EngineError
from tuning.presets import replay
from tuning.runs.run_folder import Run
from tuning.schema import RunSpec
from tuning.tokens.template import Template

OF_THIS_MACHINE = ("is_local", "local_files_only", "name_or_path")  # how we loaded a tokenizer is nobody else's business
WILD = 1e6  # fp16 ends at 65,504, and weights that are of use are below a hundred


def sound(model: Any) -> bool:
    """Are all trained weights numbers, and of a size that can mean something? Waits for the card."""
    largest = torch.nn.utils.get_total_norm(full_weights.weights(model).values(), norm_type=float("inf"))
    return bool(largest <= WILD)  # not a number is not below anything


def begin_with(run: Run, resident: Resident) -> None:
    """Let what is trained begin with the weights that the run goes on from. Raises EngineError where they do not fit."""
    if resident.peft is None:
        resident.go_on_from(run.start)
        return
    try:
        found = load_file(str(run.start))
    except (OSError, SafetensorError) as error:
        raise EngineError("train.start") from error
    lost = set_peft_model_state_dict(resident.peft, found, adapter_name=TRAINED).unexpected_keys
    if lost or len(found) != len(full_weights.weights(resident.peft)):
        raise EngineError("train.start")


def publish(run: Run, spec: RunSpec, resident: Resident, tokenizer: Any) -> None:
    """Write what is trained, and its tokenizer, under its final name, when all of it is there.

    Raises OSError where the disk is full or the folder is gone.

    A whole model is rounded on the way, and let go of: who talks to it later talks to what was published.
    """
    building = run.folder / ".adapter"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()  # where the run's folder is gone, this says so: the libraries would make it anew
    if resident.peft is None:
        full_weights.publish(resident.whole, spec.model.path, building)
    else:
        config = resident.peft.peft_config[TRAINED]
        known_as = config.base_model_name_or_path
        config.base_model_name_or_path = _base(spec)
        resident.peft.save_pretrained(str(building), selected_adapters=[TRAINED], save_embedding_layers=False)
        config.base_model_name_or_path = known_as
    save_tokenizer(tokenizer, building, spec.settings.thinking)
    (building / "README.md").write_text(card(spec), encoding="utf-8")
    before = run.folder / ".adapter-before"
    shutil.rmtree(before, ignore_errors=True)
    if run.adapter.exists():  # of an earlier stop: it is of use until the new one is there
        run.adapter.replace(before)
    building.replace(run.adapter)
    shutil.rmtree(before, ignore_errors=True)
    if resident.peft is None:
        resident.drop_adapter(run.id)


def save_tokenizer(tokenizer: Any, folder: pathlib.Path, thinking: str) -> None:
    """Write the tokenizer, with a template that asks as the rows were learned, and nothing of this machine. Raises OSError."""
    own = tokenizer.chat_template
    try:
        if isinstance(own, str):
            tokenizer.chat_template = Template(tokenizer, thinking).taught()
        tokenizer.save_pretrained(str(folder))
    finally:
        tokenizer.chat_template = own
    words = folder / "tokenizer_config.json"
    kept = {key: value for key, value in json.loads(words.read_text(encoding="utf-8")).items() if key not in OF_THIS_MACHINE}
    words.write_text(json.dumps(kept, indent=2, ensure_ascii=False), encoding="utf-8")


def _base(spec: RunSpec) -> str:
    """The base as others know it: not by a folder of this machine."""
    return spec.model.card.title if pathlib.Path(spec.model.id).is_absolute() else spec.model.id


def card(spec: RunSpec) -> str:
    """README.md of what is published: what it was made from, and how to load it."""
    base, full = _base(spec), spec.settings.method == "full"
    settings = json.dumps(spec.settings.model_dump(exclude={"sft", "lora"}), indent=2)
    if full:
        library, kind = "transformers", f"A whole model, made from `{base}` by training all of its weights"
        how = "model = AutoModelForCausalLM.from_pretrained(MODEL)  # this folder; the base is not needed\n"
        how += "tokenizer = AutoTokenizer.from_pretrained(MODEL)"
    else:
        library, kind = "peft", f"A LoRA adapter for `{base}`, trained"
        how = f"model = AutoModelForCausalLM.from_pretrained(BASE)  # the folder or id of {base}\n"
        how += "model = PeftModel.from_pretrained(model, ADAPTER)  # this folder\ntokenizer = AutoTokenizer.from_pretrained(ADAPTER)"
    return f"""---
library_name: {library}
base_model: {base}
tags: [{"full" if full else "lora"}, sft, sartoria]
---
# {spec.name}

{kind} on {replay.learned(spec)}.

```python
{how}
```

Settings:

```json
{settings}
```
"""
