"""Run folders: making, finding, reading and deleting them. The folder is the only truth about a run.

spec.yaml is written once here; state.json and metrics.jsonl are the engine's; `queue`, `stop` and `name` are requests
of people. What a reader sees as the status is derived from state and lock, so that no crash leaves a lie.
"""

import functools
import json
import logging
import pathlib
import re
import secrets
import shutil
import time
import unicodedata
from typing import Any

import pydantic
import yaml

from tuning.errors import InputError, RunError
from tuning.runs import files, locks
from tuning.schema import ALIVE, LOCAL, Notice, RunSpec, RunState, Status

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0  # a run on another host that says nothing for so long is not running
RUN_ID = re.compile(r"^[a-z0-9][a-z0-9.-]{0,120}$")


def slug(text: str, length: int = 24) -> str:
    """Letters a-z, digits and hyphens that are safe in any file name; "run" where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:length].strip("-") or "run"


def clean_name(name: str, length: int = 80) -> str:
    """A name as people wrote it, on one line and without control characters."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(printable.split())[:length]


@functools.lru_cache(maxsize=1024)
def _read_spec(path: pathlib.Path, changed: int) -> RunSpec:
    """The spec in a file that was last written at `changed` nanoseconds: it is written once, and asked for all the time."""
    return RunSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


class Run:
    """A handle on one run's folder. Every call reads what is there now."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.id = folder.name

    @property
    def lock_path(self) -> pathlib.Path:
        return self.folder / "engine.lock"

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.folder / "checkpoints"

    @property
    def adapter(self) -> pathlib.Path:
        return self.folder / "adapter"

    def spec(self) -> RunSpec:
        """Raises RunError where the file is missing, broken or of a newer schema."""
        path = self.folder / "spec.yaml"
        try:
            return _read_spec(path, path.stat().st_mtime_ns)
        except (OSError, yaml.YAMLError, pydantic.ValidationError) as error:
            raise RunError("run.unreadable", run=self.id) from error

    def saved_state(self) -> RunState | None:
        """state.json as the engine left it; None before the first."""
        try:
            return RunState.model_validate_json((self.folder / "state.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError("run.unreadable", run=self.id) from error

    def write_state(self, state: RunState) -> None:
        """For the engine that holds the lock, and nobody else."""
        files.write(self.folder / "state.json", state.model_dump_json(by_alias=True, indent=1))

    def state(self) -> RunState:
        """The state with the status that is true now, whatever a crash left behind."""
        saved = self.saved_state()
        status = self._status(saved)
        return (saved or RunState(status=status)).model_copy(update={"status": status})

    def _status(self, saved: RunState | None) -> Status:
        if self._claimed(saved):
            return saved.status if saved and saved.status in ("starting", "running") else "starting"
        if (self.folder / "queue").exists():
            return "queued"
        if saved is None or saved.status in ALIVE:
            return "interrupted"
        return saved.status

    def _claimed(self, saved: RunState | None) -> bool:
        host = locks.holder(self.lock_path).get("host", locks.HOST)
        if host == locks.HOST:
            return locks.held(self.lock_path)
        running = saved is not None and saved.status in ("starting", "running")
        return running and saved is not None and time.time() - saved.heartbeat < SILENT_SECONDS

    def name(self) -> str:
        """The name people gave it, last."""
        try:
            return (self.folder / "name").read_text(encoding="utf-8")
        except FileNotFoundError:
            return self.spec().name

    def rename(self, name: str) -> None:
        """Raises InputError for an empty name."""
        cleaned = clean_name(name)
        if not cleaned:
            raise InputError("run.name")
        files.write(self.folder / "name", cleaned)

    def metrics(self) -> list[dict[str, Any]]:
        """What was logged, in order of steps. After a resume a step may have been logged twice: the last one counts."""
        last: dict[tuple[int, bool], dict[str, Any]] = {}
        for record in files.read_lines(self.folder / "metrics.jsonl"):
            if isinstance(record.get("step"), int):
                last[(record["step"], "eval_loss" in record)] = record
        return [last[key] for key in sorted(last)]

    def enqueue(self) -> None:
        """Ask for this run to be trained, or trained further, when its turn comes."""
        (self.folder / "stop").unlink(missing_ok=True)
        files.write(self.folder / "queue", json.dumps({"time": time.time()}))

    def queued_at(self) -> float:
        """When it was put in the queue, in seconds since 1970."""
        try:
            return float(json.loads((self.folder / "queue").read_text(encoding="utf-8"))["time"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0

    def request_stop(self) -> None:
        """Ask the engine to stop after the step it is in; a queued run just leaves the queue."""
        status = self.state().status
        if status == "queued":
            (self.folder / "queue").unlink(missing_ok=True)
            saved = self.saved_state()
            self.write_state((saved or RunState(status="stopped")).model_copy(update={"status": "stopped", "ended": time.time()}))
        elif status in ("starting", "running"):
            (self.folder / "stop").touch()
        else:
            raise RunError("run.not_running", run=self.id, status=status)

    def give_up(self, reason: str, error: Notice) -> None:
        """End a run that never got to an engine: it leaves the queue as failed. One that somebody has claimed is left alone."""
        lock = locks.Lock(self.lock_path)
        if lock.acquire():
            with lock:
                (self.folder / "queue").unlink(missing_ok=True)
                state = self.saved_state() or RunState(status="failed")
                self.write_state(state.model_copy(update={"status": "failed", "reason": reason, "error": error, "ended": time.time()}))

    def stop_requested(self) -> bool:
        return (self.folder / "stop").exists()

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Store:
    """All runs below one home folder. Every call names the owner; another owner's run is as good as none."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.folder = home / "runs"

    def new_id(self, model: str, name: str) -> str:
        """`<date>-<model>-<name>-<random>`; hard to guess, easy to read."""
        return "-".join([time.strftime("%Y%m%d-%H%M%S"), slug(model.split("/")[-1]), slug(name), secrets.token_hex(4)])

    def create(self, spec: RunSpec) -> Run:
        """Write a new run's folder, whole or not at all."""
        building = self.folder / f".{spec.id}"
        building.mkdir(parents=True)
        content = json.loads(spec.model_dump_json(by_alias=True))
        files.write(building / "spec.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        building.replace(self.folder / spec.id)
        return Run(self.folder / spec.id)

    def all(self, owner: str = LOCAL) -> list[Run]:
        """The owner's runs, newest first. A folder that cannot be read never hides the others."""
        found = []
        for folder in self.folder.glob("*"):
            if not RUN_ID.match(folder.name) or not folder.is_dir():
                continue
            run = Run(folder)
            try:
                spec = run.spec()
            except RunError:
                logger.warning("run %s cannot be read", folder.name)
                continue
            if spec.owner == owner:
                found.append((spec.created, run))
        return [run for _, run in sorted(found, key=lambda pair: (pair[0], pair[1].id), reverse=True)]

    def find(self, reference: str, owner: str = LOCAL) -> Run:
        """By id, by a unique beginning of it, or `last`. Raises InputError otherwise."""
        if not RUN_ID.match(reference):
            raise InputError("run.unknown", run=clean_name(reference))
        exact = Run(self.folder / reference)
        if (exact.folder / "spec.yaml").exists() and exact.spec().owner == owner:
            return exact
        runs = self.all(owner)
        matches = runs[:1] if reference == "last" else [run for run in runs if run.id.startswith(reference)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise InputError("run.ambiguous", run=reference, count=len(matches))
        raise InputError("run.unknown", run=clean_name(reference))

    def delete(self, run: Run) -> None:
        """Remove a run's folder. Raises RunError while it is being trained or waits."""
        status = run.state().status
        if status in ALIVE:
            raise RunError("run.busy", run=run.id, status=status)
        doomed = self.folder / f".deleted-{run.id}"
        run.folder.replace(doomed)  # gone for every reader at once, even where removing takes long
        shutil.rmtree(doomed, ignore_errors=True)

    def queue(self) -> list[Run]:
        """Runs of all owners that wait, first come first."""
        waiting = [Run(folder.parent) for folder in self.folder.glob("*/queue") if RUN_ID.match(folder.parent.name)]
        return sorted((run for run in waiting if not locks.held(run.lock_path)), key=lambda run: (run.queued_at(), run.id))
