"""What a rented run has made comes home: looked at whole before it takes its place, told how it ended, and only then deleted there.

How the job is followed until then is `follow`'s affair.
"""

import re
import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuning.errors import InputError, caught
from tuning.rent import lines, parcel, rented
from tuning.rent.rented import Rented
from tuning.runs import checkpoints, disk, files
from tuning.runs.run_folder import Run
from tuning.schema import ALIVE, Notice, RunState

if TYPE_CHECKING:
    from tuning.hub.hub_jobs import HubJobs

ASIDE = ".home"  # of the run's folder: what came, before it is known to be whole
FILES = ("log.txt", "evaluation.json", *lines.GROWING)
WORDS = {"rent.timeout": r"time.?out|timed out|deadline", "rent.spent": r"credit|billing|payment|balance|spending|funds"}


def bring(run: Run, hub: "HubJobs", kept: Rented, state: RunState, job: Any, say: Callable[[Notice], None]) -> RunState:
    """Fetch the results of a job that has ended, and say how. Where all came the repository is deleted.

    Raises InputError where it could not be fetched; all stays where it is then, to be fetched again.
    """
    say(Notice(code="rent.fetches"))
    aside = run.folder / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _fetch(hub, kept.repo, aside)
    except InputError as error:
        if error.code != "rent.gone":
            raise
    came = aside / parcel.RUN
    told = disk.kept(lambda: disk.record(came / lines.STATE, RunState), None)
    by_itself = told is not None and told.status not in ALIVE
    whole = _place(run, aside, FILES if by_itself else ())  # else the log has told more than the last save
    ended = told if told is not None and by_itself else _cut_off(run, state, outcome(kept, job))
    seconds = job.durations.running_secs if job is not None and job.durations is not None else None
    speed = ended.tokens_per_second
    spec = run.spec()
    shown = speed * spec.forecast.operations_per_token if speed and spec.settings.quantization == "none" else None
    done = {"ended": time.time(), "seconds": seconds, "told": ended.error, "operations_per_second": shown}
    rented.keep(run, kept.model_copy(update=done))
    run.write_state(ended)
    files.remove(run.folder / "stop")
    if not whole or caught(lambda: hub.close_box(kept.repo), "deleting the repository") is not None:
        say(Notice(code="rent.left", level="warning", params={"repo": kept.repo}))
    shutil.rmtree(aside, ignore_errors=True)
    return ended


def _fetch(hub: "HubJobs", repo: str, aside: Any) -> None:
    names = hub.names(repo)
    steps = [int(found[1]) for name in names if (found := re.match(rf"{parcel.RUN}/checkpoints/checkpoint-(\d+)/manifest\.json$", name))]
    newest = [f"{parcel.RUN}/checkpoints/checkpoint-{max(steps)}/*"] if steps else []
    hub.fetch(repo, aside, [*(f"{parcel.RUN}/{name}" for name in (*FILES, lines.STATE)), f"{parcel.RUN}/adapter/*", *newest])


def _place(run: Run, aside: Any, names: tuple[str, ...]) -> bool:
    """Put what came into the run's folder, of its files those with these `names`.

    False where an adapter or a checkpoint is not whole, which is left out.
    """
    came, whole = aside / parcel.RUN, True
    for name in names:
        if (came / name).is_file():
            files.put(came / name, run.folder / name)
    for checkpoint in checkpoints.by_age(came / "checkpoints"):
        there = run.checkpoints / checkpoint.name
        if not checkpoints.verified(checkpoint):
            whole = False
        elif not there.exists():
            run.checkpoints.mkdir(exist_ok=True)
            checkpoint.replace(there)
    adapter = came / "adapter"
    if adapter.is_dir():
        if disk.adapter_fault(adapter) is not None:
            return False
        files.remove(run.adapter)
        adapter.replace(run.adapter)
    return whole


def _cut_off(run: Run, last: RunState, why: Notice | None) -> RunState:
    """The state of a run whose job is over before it could say how it ended."""
    kept = checkpoints.newest(run.checkpoints) is not None
    why = why or Notice(code="rent.lost", level="error", params={"message": "-"})
    changes = {"status": "interrupted" if kept else "failed", "error": why, "ended": time.time(), "seconds_left": None}
    return last.model_copy(update=changes)


def outcome(kept: Rented, job: Any) -> Notice | None:
    """Why a job has ended, where not by itself."""
    if job is None or str(job.status.stage) == "DELETED":
        return Notice(code="rent.deleted", level="error")
    stage, message = str(job.status.stage), job.status.message or ""
    if stage == "COMPLETED":
        return None
    code = next((code for code, words in WORDS.items() if re.search(words, message, re.IGNORECASE)), None)
    took = job.durations.running_secs if job.durations is not None else None
    if code is None and took is not None and took >= kept.timeout_seconds:
        code = "rent.timeout"
    if code == "rent.timeout":
        return Notice(code=code, level="error", params={"most": kept.most_usd, "minutes": kept.timeout_seconds / 60})
    if code is not None:
        return Notice(code=code, level="error")
    if stage == "CANCELED":
        return Notice(code="rent.cancelled", level="error")
    return Notice(code="rent.lost", level="error", params={"message": message[:200] or "-"})
