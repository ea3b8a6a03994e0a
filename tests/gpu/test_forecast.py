"""The forecast on a real card: real architectures with random weights, trained for a few steps by the product itself.

`python -m pytest -m gpu -s` on a machine with an NVIDIA card, under ten minutes on a large one. Smaller cards are played by
capping the memory that this process may take. Nothing is downloaded. It is not part of the suite, which needs no card.
"""

import gc
import json
import pathlib
import statistics
from typing import Any

import bitsandbytes
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.tiny import tokenizer
from tuning import settings
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.machine.hardware import Gpu
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio

pytestmark = pytest.mark.gpu
GIB = 2**30
# Model, settings: rank, length, batch, checkpointing and the precision of the weights.
GRID: list[tuple[str, dict[str, Any]]] = [
    ("Qwen/Qwen2.5-1.5B", {"quantization": "none", "gradient_checkpointing": "none", "per_device_train_batch_size": 4}),
    ("Qwen/Qwen2.5-1.5B", {"quantization": "nf4", "gradient_checkpointing": "full", "per_device_train_batch_size": 8}),
    ("Qwen/Qwen2.5-1.5B", {"quantization": "none", "gradient_checkpointing": "every_2", "lora_dropout": 0.05}),
    ("ibm-granite/granite-4.0-1b", {"quantization": "none", "gradient_checkpointing": "none", "per_device_train_batch_size": 2}),
    ("HuggingFaceTB/SmolLM3-3B", {"quantization": "none", "gradient_checkpointing": "full", "per_device_train_batch_size": 4}),
    ("HuggingFaceTB/SmolLM3-3B", {"quantization": "nf4", "gradient_checkpointing": "none", "per_device_train_batch_size": 2}),
    ("microsoft/phi-2", {"quantization": "none", "gradient_checkpointing": "every_4", "per_device_train_batch_size": 2}),
    ("Qwen/Qwen3-4B", {"quantization": "none", "gradient_checkpointing": "none", "per_device_train_batch_size": 1, "lora_r": 64}),
    ("Qwen/Qwen3-4B", {"quantization": "nf4", "gradient_checkpointing": "every_2", "target_modules": "attention"}),
    ("sapienzanlp/Minerva-7B-instruct-v1.0", {"quantization": "none", "gradient_checkpointing": "full"}),
    ("sapienzanlp/Minerva-7B-instruct-v1.0", {"quantization": "nf4", "gradient_checkpointing": "none"}),
    ("Qwen/Qwen3-8B", {"quantization": "nf4", "gradient_checkpointing": "full", "per_device_train_batch_size": 4}),
    ("Qwen/Qwen2.5-0.5B-Instruct", {"method": "full", "gradient_checkpointing": "none", "per_device_train_batch_size": 2}),
    ("Qwen/Qwen2.5-1.5B", {"method": "full", "gradient_checkpointing": "full", "per_device_train_batch_size": 4}),
]


class Random(Resident):
    """Models with the shapes of their card and weights from nowhere, made on the card."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self._config = config

    def load(self, path: str, device: str, precision: str, quantization: str = "none", bare: bool = True) -> None:
        self.unload()
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        with torch.device(device):
            base = AutoModelForCausalLM.from_config(AutoConfig.for_model(**self._config), dtype=dtype)
        if quantization == "nf4":
            _quantise(base)
            gc.collect()
            torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()  # making the model takes more than loading one would
        self.path, self.base, self.tokenizer, self.quantization = path, base.eval(), tokenizer(), quantization


def _quantise(model: torch.nn.Module) -> None:
    head = model.get_output_embeddings()  # type: ignore[operator]
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and child is not head:
                made = bitsandbytes.nn.Linear4bit(
                    child.in_features, child.out_features, child.bias is not None, torch.bfloat16, quant_type="nf4", device="meta"
                )
                made.weight = bitsandbytes.nn.Params4bit(child.weight.data.cpu(), quant_type="nf4", requires_grad=False)
                made.bias = child.bias
                setattr(parent, name, made.to(child.weight.device))


def go(home: pathlib.Path, model: str, changes: dict[str, Any], capped: float | None = None) -> tuple[int, RunState]:
    """Train three steps; the forecast and how it ended."""
    studio = Studio(settings.read(home=str(home)), LOCAL)
    free, total = torch.cuda.mem_get_info()
    limit = int(capped * GIB) if capped else total
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))
    capability = float("{}.{}".format(*torch.cuda.get_device_capability()))
    gpu = Gpu(
        index=0,
        name="card",
        memory_total=limit,
        memory_free=min(limit, free),
        compute_capability=capability,
    )
    studio.shared._hardware = (float("inf"), studio.shared.probe().model_copy(update={"gpus": [gpu], "trouble": None}))
    reference = studio.models.find(model)
    folder = pathlib.Path(reference.path)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer().save_pretrained(folder)
    rows = home / "rows.json"
    rows.write_text(json.dumps([{"instruction": "why? " * 150, "output": "because. " * 250} for _ in range(40)]), encoding="utf-8")
    run = studio.runs.create(model, str(rows), "facts", {"max_steps": 3, "max_length": 1024, "validation_share": 0.0, **changes})
    state = train(run, studio.shared.store, Random(reference.card.config))
    gc.collect()
    torch.cuda.empty_cache()
    forecast = run.spec().forecast  # what the context takes is not PyTorch's to reserve
    return forecast.peak_bytes - forecast.parts["libraries"], state


def test_predicted_memory_is_what_the_card_gives(tmp_path: pathlib.Path) -> None:
    errors = []
    for number, (model, changes) in enumerate(GRID):
        predicted, state = go(tmp_path / str(number), model, changes)
        assert state.status == "finished" and state.peak_bytes, state.error
        errors.append(100 * (predicted / state.peak_bytes - 1))
        print(f"{model:<40} {changes}  predicted {predicted / GIB:.2f}  reserved {state.peak_bytes / GIB:.2f} GiB  {errors[-1]:+.1f} %")
    sizes = [abs(error) for error in errors]
    print(f"median {statistics.median(sizes):.1f} %, worst {max(sizes):.1f} %, most under {min(errors):+.1f} %")
    assert statistics.median(sizes) <= 3 and max(sizes) <= 8 and min(errors) >= -2


@pytest.mark.parametrize("card", [24.0, 12.0, 8.0])
def test_what_fits_runs(tmp_path: pathlib.Path, card: float) -> None:
    entries = Studio(settings.read(home=str(tmp_path)), LOCAL).models.list(gpu_memory=card)
    fitting = [entry for entry in entries if entry["fits"] and entry["id"] != "starter"]
    largest = max(fitting, key=lambda entry: int(entry["parameters"]))
    _, state = go(tmp_path / "run", largest["id"], {"max_length": 512}, capped=card)
    assert state.status == "finished", state.error
