"""An adapter at five strengths: loss on the run's held-out rows and on the probe of what may be forgotten, kept as strengths.json.

It generates nothing and judges nothing. strengths.json: `schema`, `owner`, `run`, `made` (seconds since 1970), `rows` held-out ones looked
at, `done`, `error` {code, params} or null, and `points`, each {strength in percent; loss, in nats per learned token or null; probe, the
same by language}.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from tuning import presets
from tuning.data.library import Library
from tuning.engine.judge.measuring import MOST_LOSSES, sample
from tuning.engine.resident import Resident
from tuning.engine.speak import batches
from tuning.engine.speak.batches import Clock, Sequences
from tuning.errors import RunError
from tuning.runs import files, locks
from tuning.runs.contents import STRENGTHS, STRENGTHS_FILE
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import RunSpec
from tuning.settings import PRESETS
from tuning.tokens import labels

MOST = 120.0  # seconds for all of it
LEAST = 8  # held-out rows, however long they take


def measure(run: Run, store: Store, resident: Resident, between: Callable[[], None]) -> None:
    """Measure the adapter of a run at each of STRENGTHS, and keep each point as soon as it is known.

    `between` is called after every batch; what it raises ends it. Raises RunError `evaluate.busy` where another process is at work on the
    card, OSError where the disk is full.
    """
    spec = run.spec()
    settings = spec.settings
    with locks.card(store.home, settings.device, RunError("evaluate.busy")):
        resident.load(spec.model.path, settings.device, settings.precision, settings.quantization)
        _, held_out = Library(store.home).parts(spec.data.id, spec.owner, settings)
        chosen = sample(held_out, MOST_LOSSES, settings.seed)
        rows = _sequences(resident, spec, chosen)
        probe = {
            lang: _sequences(resident, spec, [{"row": number, "text": item.text} for number, item in enumerate(items)])
            for lang, items in presets.probe(PRESETS).items()
        }
        clock = Clock(between)
        keep(run, spec.owner, [])
        first = _loss(resident, run, spec, rows[:LEAST], 100.0, clock) and clock.spent
        if first:
            rows = rows[: max(LEAST, int(LEAST * MOST / len(STRENGTHS) / first))]
        points: list[dict[str, Any]] = []
        for strength in STRENGTHS:
            loss = _loss(resident, run, spec, rows, strength, clock)
            known = {lang: _loss(resident, run, spec, some, strength, clock) for lang, some in probe.items()}
            points.append({"strength": strength, "loss": loss, "probe": known})
            keep(run, spec.owner, points, rows=len(rows))


def keep(run: Run, owner: str, points: Sequence[dict[str, Any]], rows: int = 0, error: dict[str, Any] | None = None) -> None:
    """Write what is known so far. Raises OSError where the disk is full."""
    found = {"schema": 1, "owner": owner, "run": run.id, "made": time.time(), "rows": rows}
    found |= {"done": len(points) == len(STRENGTHS), "error": error, "points": points}
    files.write(run.folder / STRENGTHS_FILE, json.dumps(found, ensure_ascii=False, indent=1))


def _sequences(resident: Resident, spec: RunSpec, rows: Sequence[dict[str, Any]]) -> Sequences:
    tokenizer = labels.templated(resident.tokenizer, spec.settings.chat_template)
    found = batches.encoded(tokenizer, rows, int(spec.settings.max_length), spec.settings.thinking)
    return [one for some in found.values() for one in some]


def _loss(resident: Resident, run: Run, spec: RunSpec, some: Sequences, strength: float, clock: Clock) -> float | None:
    """Nats per learned token; None of no rows."""
    size, bf16 = int(spec.settings.per_device_train_batch_size), spec.settings.precision == "bf16"
    total, count = 0.0, 0
    for start in range(0, len(some), size):
        for nll, tokens in batches.losses(resident, run, some[start : start + size], bf16, strength):
            total, count = total + nll, count + tokens
        clock.pause()
    return total / count if count else None
