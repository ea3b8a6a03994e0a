"""Predicted memory of full training against what the process takes: `python -m tests.bench.whole`.

Each shape is trained for two steps in a process of its own, with random weights; the forecast is the plan's, with what this
process held before its first model in the place of what is assumed for the libraries.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from tests.bench.server import ROOT
from tuning.schema import LOCAL
from tuning.studio import profiles

HEADS = {"num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 512}
SHAPES: dict[str, dict[str, Any]] = {
    "36 million, head apart": {"vocab_size": 24_000, "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 4} | HEADS,
    "49 million, tied": {"vocab_size": 32_000, "hidden_size": 640, "intermediate_size": 1760, "num_hidden_layers": 6}
    | HEADS
    | {"tie_word_embeddings": True},
}
CHANGES = {
    "method": "full", "max_steps": 2, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 2, "validation_share": 0,
    "max_length": 128, "report": False, "precision": "bf16",
}  # fmt: skip


def measured(name: str) -> tuple[int, int]:
    """Bytes predicted for a shape, and taken."""
    with tempfile.TemporaryDirectory() as home:
        build(pathlib.Path(home), SHAPES[name])
        command = [sys.executable, "-m", "tests.bench.whole", home]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    predicted, peak = json.loads(done.stdout.splitlines()[-1])
    return predicted, peak


def build(home: pathlib.Path, shape: dict[str, Any]) -> None:
    """A model of this shape, and short rows, in `home`."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from tests.tiny import tokenizer

    set_seed(0)
    LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(home / "model")
    tokenizer().save_pretrained(home / "model")
    rows = [{"instruction": f"why {n}?", "output": "because. " * (4 + n % 8)} for n in range(24)]
    (home / "rows.json").write_text(json.dumps(rows), encoding="utf-8")


def child(home: pathlib.Path) -> None:
    """Train and print both numbers. The rule of thumb stands in for the dry run, which takes longer than all of this."""
    from tuning import settings
    from tuning.engine.learn.train import train
    from tuning.engine.resident import Resident
    from tuning.studio import Studio

    profiles.SMALLEST = sys.maxsize
    studio = Studio(settings.read(home=str(home / "home")), LOCAL)
    run, resident = studio.runs.create(str(home / "model"), str(home / "rows.json"), "facts", dict(CHANGES)), Resident()
    state, forecast = train(run, studio.shared.store, resident), run.spec().forecast
    assert state.status == "finished" and state.peak_bytes and resident.libraries_bytes, state.error
    print(json.dumps([forecast.peak_bytes - forecast.parts["libraries"] + resident.libraries_bytes, state.peak_bytes]))


def main() -> None:
    if len(sys.argv) > 1:
        child(pathlib.Path(sys.argv[1]))
        return
    for name in SHAPES:
        predicted, peak = measured(name)
        words = f"{name:<24} predicted {predicted / 2**20:7.0f} MiB  measured {peak / 2**20:7.0f} MiB"
        print(f"{words}  {100 * (predicted / peak - 1):+5.1f} %", flush=True)


if __name__ == "__main__":
    main()
