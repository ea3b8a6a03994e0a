"""Run folders as an engine leaves them, without an engine: for lists, curves and comparisons of many runs."""

import json
import math
import pathlib
import shutil
import socket
import time
from typing import Any

from tuning import settings as reading
from tuning.runs.run_folder import Run
from tuning.schema import RunState
from tuning.studio import Studio

GIB = 2**30
HOME = pathlib.Path(__file__).resolve().parent / "fixtures" / "home-0.1"  # of version 0.1, with a run in each status


def lines(steps: int, first: int = 1) -> list[str]:
    """Lines of metrics.jsonl: a falling loss, ten evaluations, and what is logged beside them."""
    written = []
    for step in range(first, first + steps):
        loss = 0.6 + 5.0 / (1 + step / 20) + 0.2 * math.sin(step)
        record: dict[str, Any] = {"step": step, "time": 1e9 + step, "loss": loss, "learning_rate": 2e-4, "grad_norm": 1.0 + loss}
        record |= {"epoch": step / 100, "tokens_per_second": 1900.0 + step % 7, "memory_bytes": 3e8 + step % 5}
        written.append(json.dumps(record))
        if step % max(1, steps // 10) == 0:
            written.append(json.dumps({"step": step, "time": 1e9 + step, "eval_loss": loss + 0.3}))
    return written


def make(
    studio: Studio, name: str, steps: int = 20, settings: dict[str, Any] | None = None, data: str = "starter-en", **changes: Any
) -> Run:
    """A run on the starter with `steps` logged steps; `changes` are fields of its state."""
    run = studio.runs.create("starter", data, settings={"max_steps": max(steps, 1), **(settings or {})}, name=name)
    (run.folder / "metrics.jsonl").write_text("\n".join(lines(steps)) + "\n" if steps else "", encoding="utf-8")
    state: dict[str, Any] = {"status": "finished", "step": steps, "total_steps": steps, "seconds": 61.0, "train_loss": 0.7}
    state |= {"eval_loss": 1.1, "base_eval_loss": 5.6, "tokens_per_second": 1903.0, "peak_bytes": int(0.4 * GIB), "ended": time.time()}
    run.write_state(RunState(**(state | changes)))
    return run


def old_home(home: pathlib.Path) -> None:
    """The home of version 0.1 that is kept, with this machine's places in it."""
    shutil.copytree(HOME, home)
    places = {"{HOME}": str(home), "{ROOT}": str(reading.ROOT), "{HOST}": socket.gethostname()}
    for path in home.rglob("*"):
        if path.is_file() and path.suffix not in (".safetensors", ".index"):
            text = path.read_text(encoding="utf-8")
            for name, place in places.items():
                text = text.replace(name, place)
            path.write_text(text, encoding="utf-8")
