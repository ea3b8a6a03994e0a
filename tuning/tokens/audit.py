"""The audit: rows as a model will see them, found in a short-lived child process.

A chat template is a stranger's program: it can loop for hours and build texts of gigabytes. So the child is limited in time
and memory, and one row in time. Nothing here imports torch or transformers until the child itself does.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import pydantic

from tuning.data.records import tell
from tuning.errors import EngineError, InputError
from tuning.sandbox import run
from tuning.sandbox.limits import MEGABYTE, OUT_OF_MEMORY, Limits, confine
from tuning.tokens.lengths import Audit

MOST = 20_000  # rows that are looked at one by one; of more, an even sample
ROW_SECONDS = 2.0  # of the processor, for a short row through the template: usual ones take a thousandth of a second
LIMITS = Limits(memory_bytes=1024 * MEGABYTE, output_bytes=256 * MEGABYTE, seconds=120.0)
ANSWER = "audit.json"


def audit(
    model: str,
    path: str,
    rows: pathlib.Path,
    chosen: Sequence[int] | None = None,
    limits: Limits = LIMITS,
    watch: run.Watch | None = None,
    thinking: str = "auto",
    template: str | None = None,
) -> Audit:
    """What the model with its tokenizer in the folder `path` would learn of a file of rows in normal form; `thinking`: see `thoughts`.

    `template` stands in the place of the model's own: what is wrong with it is an EngineError `template.…`.

    `chosen` are the rows to look at, counted from 0 in the file (None: all); of more than `MOST` it takes an even sample.
    `model` is its name, for sentences; `watch` hears now and then which share is done, and what it raises ends the audit.
    Raises EngineError `audit.slow`, `audit.memory` and `audit.crashed` where the template does not get through, and
    `model.cannot_load` where the tokenizer's files are broken.
    """
    request = {
        "model": model,
        "path": os.path.abspath(path),
        "rows": os.path.abspath(rows),
        "chosen": None if chosen is None else list(chosen),
        "most": MOST,
        "thinking": thinking,
        "template": template,
        "limits": dataclasses.asdict(limits),
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            run.run("tuning.tokens.audit", request, pathlib.Path(folder), limits, watch)
            answer = (pathlib.Path(folder) / ANSWER).read_bytes()
        except InputError as error:
            found = _explained(error, model)
            heavy = template is not None and found.code in ("audit.slow", "audit.memory")
            raise (EngineError("template.heavy", reason="data") if heavy else found) from error
        except OSError as error:
            raise EngineError("audit.crashed", reason="data", model=model, how=error.strerror or "?") from error
    try:
        return Audit.model_validate_json(answer)
    except pydantic.ValidationError:
        fault = json.loads(answer)["error"]
        raise EngineError(fault["code"], reason="data", **fault["params"]) from None


def _explained(error: InputError, model: str) -> EngineError:
    """How the child died, said of a template instead of a file."""
    how = error.params.get("how")
    if error.code == "data.memory":
        return EngineError("audit.memory", reason="data", model=model, limit=error.params["limit"])
    if error.code == "data.slow":
        return EngineError("audit.slow", reason="data", model=model, seconds=error.params["seconds"])
    if hasattr(signal, "SIGPROF") and how == -signal.SIGPROF:
        return EngineError("audit.slow", reason="data", model=model, seconds=round(ROW_SECONDS))
    return EngineError("audit.crashed", reason="data", model=model, how="?" if how is None else str(how))


def main() -> int:
    """The child: one JSON request on stdin, its answer in the working folder. Returns the exit code."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # tokenizers do without: a quarter of the time and memory
    from tuning.tokens import look

    request: dict[str, Any] = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    # The parent's clock is what counts; several threads spend the processor's time faster.
    confine(dataclasses.replace(limits, seconds=limits.seconds * (os.cpu_count() or 1)))
    try:
        wish = look.AuditOptions(
            request["rows"], request["chosen"], request["most"], ROW_SECONDS, tell, request["thinking"], request["template"]
        )
        answer = look.answer(request["model"], request["path"], wish)
        pathlib.Path(ANSWER).write_text(answer, encoding="utf-8")
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main())
