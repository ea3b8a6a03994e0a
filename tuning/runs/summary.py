"""A run as the contract shows it: in short for lists, in full for its result. Reads the folder, decides nothing."""

import math
import os
from collections.abc import Mapping
from typing import Any

from tuning.errors import RunError
from tuning.runs import reading
from tuning.runs.evaluation import verdict
from tuning.runs.queue import Place
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import ALIVE, ENDED, UNREADABLE, Notice, RunSpec, RunState

_briefs: reading.FileCache[dict[str, Any]] = reading.FileCache()
_specs: reading.FileCache[dict[str, Any]] = reading.FileCache(100)


def brief(run: Run, places: Mapping[str, Place] | None = None) -> dict[str, Any]:
    """A run in one line of a list: who, what, and how far. Of runs that are not at work it is made once per change.

    `places`: those of the store, where they have been asked for already.
    """
    told = ("spec.yaml", "state.json", "name")  # all else is replaced by renaming, which the folder's time tells
    key = reading.mark(run.folder, run.lock_path, *(run.folder / name for name in told))

    def still(found: dict[str, Any]) -> bool:
        return found["status"] not in ALIVE and reading.settled(key)

    made = _briefs.get(str(run.folder), key, lambda: _brief(run, run.spec(), run.state()), still)
    return {**made, **_waits(run, made["status"], places)}


def _waits(run: Run, status: str, places: Mapping[str, Place] | None = None) -> dict[str, Any]:
    """`place` in the queue (1 is the next) and `wait_seconds` that it is expected to wait; None for a run that does not wait."""
    if status == "queued" and places is None:
        places = Store(run.folder.parent.parent).places()
    found = (places or {}).get(run.id)
    return {"place": found and found.place, "wait_seconds": found and found.wait_seconds}


def unreadable(run: Run) -> dict[str, Any]:
    """A run of which no more is known than what is wrong with it, under the names of `brief`; `made` is when it changed last."""
    try:
        run.spec()
    except RunError as error:
        params = {key: value for key, value in error.params.items() if key not in ("run", "fault")}
        faults = [Notice(code=str(error.params["fault"]), level="error", params=params).model_dump()]
    else:  # it has been mended this very moment
        faults = []
    empty = dict.fromkeys(("reason", "recipe", "method", "ended", "eval_loss", "base_eval_loss", "place", "wait_seconds"))
    return {
        **empty,
        **dict.fromkeys(("model", "model_title", "data", "recipe"), ""),
        **dict.fromkeys(("seconds", "step", "total_steps"), 0),
        "run": run.id,
        "name": run.name([]),
        "status": UNREADABLE,
        "created": os.stat(run.folder).st_mtime if os.path.isdir(run.folder) else 0.0,
        "has_adapter": run.adapter.is_dir() and run.adapter_fault() is None,
        "faults": faults,
    }


def remains(run: Run) -> dict[str, Any]:
    """What can be shown of a run that cannot be read: `unreadable`, its `files` with their bytes, and its log."""
    found = unreadable(run)
    adapter = str(run.adapter) if found["has_adapter"] else None
    return {**found, "adapter": adapter, "files": reading.listing(run.folder), "log": run.log([]), "size_bytes": reading.size(run.folder)}


def _brief(run: Run, spec: RunSpec, state: RunState) -> dict[str, Any]:
    faults: list[Notice] = []
    name = run.name(faults)
    run.saved_state(faults)
    before, after = _held_out(run, state)
    return {
        "run": run.id,
        "name": name,
        "status": state.status,
        "reason": state.reason,
        "model": spec.model.id,
        "model_title": spec.model.card.title,
        "data": spec.data.name,
        "recipe": spec.recipe,
        "method": spec.settings.method,
        "created": spec.created,
        "ended": state.ended if state.status in ENDED else state.heartbeat if state.status == "interrupted" else None,
        "seconds": state.seconds,
        "step": state.step,
        "total_steps": state.total_steps or spec.forecast.steps,
        "eval_loss": after,
        "base_eval_loss": before,
        "has_adapter": run.adapter.is_dir(),
        "faults": [fault.model_dump() for fault in faults],
    }


def _held_out(run: Run, state: RunState) -> tuple[float | None, float | None]:
    """Base's and tuned's loss on held-out rows: of a run that has ended, as its report has it, for it looked at more of them."""
    found = (verdict.read(run, []) or {}) if state.status in ("finished", "stopped") else {}
    measured = found.get("measures", {}).get("loss")
    return (measured["base"], measured["tuned"]) if measured else (state.base_eval_loss, state.eval_loss)


def spec(run: Run) -> dict[str, Any]:
    """The spec as spec.yaml holds it, but for `without_files`; made once, and not to be changed."""
    found = run.spec()
    return _specs.get(str(run.folder), reading.mark(run.folder / "spec.yaml"), lambda: without_files(found.model_dump(by_alias=True)))


def without_files(document: Any) -> Any:
    """A JSON-able document in which every `path` with a text or None is called `folder`.

    Gradio's clients take a dict with a text under `path` for a file, and try to download it.
    """
    if isinstance(document, Mapping):
        return {_not_a_file(key, value, document): without_files(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_files(value) for value in document]
    return document


def _not_a_file(key: Any, value: Any, beside: Mapping[Any, Any]) -> Any:
    if key != "path" or not (value is None or isinstance(value, str)):
        return key
    return "folder" if "folder" not in beside else "path_"


def glimpse(run: Run) -> dict[str, Any]:
    """What a list shows of a run beside `brief`: its losses as a few points (`spark`), and `size_bytes` on disk."""
    return {"spark": reading.spark(run.folder / "metrics.jsonl"), "size_bytes": reading.size(run.folder)}


def result(run: Run, state: RunState | None = None) -> dict[str, Any]:
    """How a run stands or ended, in the contract's names."""
    spec, state = run.spec(), state or run.state()
    found: list[Notice] = []
    evaluation = verdict.read(run, found)
    brief = _brief(run, spec, state)
    return {
        **brief,
        "faults": brief["faults"] + [fault.model_dump() for fault in [*_of_files(run), *found]],
        **_waits(run, state.status),
        "adapter": str(run.adapter) if run.adapter.is_dir() else None,
        "steps": state.step,
        "train_loss": state.train_loss,
        "best_step": state.best_step,
        "perplexity": perplexity(brief["eval_loss"]),
        "base_perplexity": perplexity(brief["base_eval_loss"]),
        "learned_tokens": state.learned_tokens,
        "tokens_per_second": state.tokens_per_second,
        "predicted_peak_bytes": spec.forecast.peak_bytes,
        "peak_bytes": state.peak_bytes,
        "recoveries": [notice.model_dump() for notice in state.recoveries],
        "notices": [notice.model_dump() for notice in state.notices],
        "trainable_parameters": state.trainable_parameters,
        "total_parameters": state.total_parameters,
        "error": state.error.model_dump() if state.error else None,
        "evaluation": evaluation,
    }


def _of_files(run: Run) -> list[Notice]:
    """What is wrong with the files of a run that only who opens it is interested in."""
    found = list(run.logged().faults)
    run.samples(found)
    run.log(found)
    run.queued_at(found)
    adapter = run.adapter_fault()
    return found if adapter is None else [*found, adapter]


def perplexity(loss: float | None) -> float | None:
    """exp(loss), the loss in nats per token; None where there is none, infinity where it overflows."""
    if loss is None:
        return None
    try:
        return math.exp(loss)
    except OverflowError:
        return float("inf")
