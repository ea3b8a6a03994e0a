"""One run of ours in a process of its own, for `speed`. Prints tokens, seconds, peak and loss as JSON.

`python -m tests.bench.one_run MODEL ROWS STEPS BATCH RATE MAX_LENGTH ACCUMULATION DROPOUT apart|together`
"""

import contextlib
import itertools
import json
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import psutil

from tuning import settings
from tuning.engine.device import Device
from tuning.engine.kernels import attention, packing
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.schema import LOCAL
from tuning.studio import Studio


@contextlib.contextmanager
def seen(model: Any, lengths: list[int], attend: attention.Attend) -> Iterator[None]:
    """What the fastest peer does: all rows of a sequence see those before them."""
    with APART(model, [sum(lengths)], attend):
        yield


APART = packing.apart


def main() -> None:
    model, rows, steps, batch, rate, length, repeats, dropout, how = sys.argv[1:10]
    with tempfile.TemporaryDirectory() as home:
        studio = Studio(settings.read(home=home), LOCAL)
        changes = {
            "max_steps": int(steps), "per_device_train_batch_size": int(batch), "learning_rate": float(rate), "max_length": int(length),
            "gradient_accumulation_steps": int(repeats), "lora_dropout": float(dropout), "lora_r": 16, "lora_alpha": 32,
            "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj"], "validation_share": 0, "gradient_checkpointing": "none",
        }  # fmt: skip
        run = studio.runs.create(model, rows, "facts", changes)
        chosen, resident = run.spec().settings, Resident()
        if how == "together":
            packing.apart = seen
        resident.load(str(pathlib.Path(model)), chosen.device, chosen.precision)
        for weight in resident.base.parameters():
            float(weight.detach().sum())  # files are mapped, and read when they are needed
        loaded = psutil.Process().memory_info().rss
        state = train(run, studio.shared.store, resident)
        assert state.status == "finished", (run.folder / "log.txt").read_text(encoding="utf-8")[-2000:]
        logged = [record for record in run.metrics() if "loss" in record]
        tokens = [later["num_tokens"] - earlier["num_tokens"] for earlier, later in itertools.pairwise(logged)]  # the first step warms up
        result = {
            "tokens": sum(tokens),
            "seconds": sum(count / record["tokens_per_second"] for count, record in zip(tokens, logged[1:], strict=True)),
            "peak_bytes": Device(chosen.device).peak_bytes() - loaded,
            "loss": state.train_loss,
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
