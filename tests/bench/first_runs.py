"""The first forecast against the first run, of pretrained models on a processor: `python -m tests.bench.first_runs FOLDER...`.

Each model is trained for a few steps with three settings, each in a home of its own. Time is compared in processor seconds over the
cores, so that a busy machine prints what a quiet one does; `plan` is timed in that way too, with all its children.
"""

import itertools
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from typing import Any

from tests.bench.server import ROOT

LONG = {"max_length": 512, "per_device_train_batch_size": 1}
SETTINGS: dict[str, dict[str, Any]] = {"facts": {}, "batch 1, length 512": LONG, "rank 64": {"lora_r": 64}}
STEPS = 6


def verb(home: str, *words: str) -> tuple[dict[str, Any], float]:
    """The JSON of a verb, and the processor seconds of it and its children."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before, command = spent(), [sys.executable, "-m", "tuning", "--home", home, *words, "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout), spent() - before


def row(model: str, name: str) -> str:
    """One line of the table."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as home:
        told = {**SETTINGS[name], "max_steps": STEPS, "report": False}
        asked = [word for key, value in told.items() for word in ("--set", f"{key}={json.dumps(value)}")]
        choice = ["-m", model, "-d", "starter-en", "-r", "facts", *asked]
        plan, planned = verb(home, "plan", *choice)
        done, trained = verb(home, "train", *choice)
    times = plan["seconds"], trained / cores
    sizes = [size / 2**30 for size in (plan["predicted_peak_bytes"], done["peak_bytes"])]
    words = f"{pathlib.Path(model).name:<24} {name:<20} plan {planned:4.1f} s  memory {sizes[0]:.2f} -> {sizes[1]:.2f} GiB"
    return f"{words} ({sizes[1] / sizes[0]:.2f})  time {times[0]:.0f} -> {times[1]:.0f} s ({times[1] / times[0]:.2f})"


def main() -> None:
    for model, name in itertools.product(sys.argv[1:], SETTINGS):
        print(row(model, name), flush=True)


if __name__ == "__main__":
    main()
