"""One run's folder, which is the only truth about it: what stands in it, what is asked of it, and the status that is true now.

state.json and metrics.jsonl are the engine's; `queue`, `stop` and `name` are requests of people. What a reader sees as the status is
derived from state and lock, so that no crash leaves a lie. All folders together are the affair of `store`.
"""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import time
from typing import Any

from tuning.errors import InputError, RunError
from tuning.runs import checkpoints, disk, files, locks, reading
from tuning.runs.contents import Moment, Queued, Restarted
from tuning.runs.queue import Waiting, restarts
from tuning.schema import ALIVE, LOCAL, Notice, RunSpec, RunState, Status

HEARTBEAT_SECONDS = 5.0
MOST_NAME = 4096  # bytes of the file with it
SILENT_SECONDS = 60.0  # a run on another host that says nothing for so long is not running


@functools.lru_cache(maxsize=1024)
def _read_spec(path: pathlib.Path, marked: reading.Key) -> tuple[RunSpec | disk.FileFault, str]:
    """The spec in a file that looks like `marked`, or what is wrong with it, and whose it is: it is written once, and asked for all the
    time. Where it cannot be read the owner is whom it names all the same, else whoever has this machine.
    """
    owner = LOCAL
    try:
        found = disk.yaml_document(path)
        named = found.get("owner") if isinstance(found, dict) else None
        owner = named if isinstance(named, str) else LOCAL
        return disk.checked(path, found, RunSpec), owner
    except disk.FileFault as fault:
        return fault, owner


@functools.lru_cache(maxsize=1024)
def _not_ours(state: pathlib.Path, lock: pathlib.Path, marked: reading.Key) -> disk.FileFault | None:
    """What keeps everybody from working on a run: a newer version writes its state, or nobody can take its lock."""
    faults: list[Notice] = []
    disk.kept(lambda: disk.record(state, RunState), None, faults)
    if faults and faults[0].code == "home.newer":
        return disk.FileFault("newer", state, schema=faults[0].params["schema"])
    return locks.fault(lock)


class Run:
    """A handle on one run's folder. Every call reads what is there now."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.id = folder, folder.name
        self.lock_path, self.checkpoints, self.adapter = (folder / name for name in ("engine.lock", "checkpoints", "adapter"))
        self.starting_path = folder / "starting.lock"  # of a terminal that is about to train it, until the engine has its lock

    @property
    def start(self) -> pathlib.Path:
        """Weights of the adapter that a run goes on from, where its spec says so; of a whole model a folder with all of it."""
        return self.folder / "start.safetensors"

    def spec(self) -> RunSpec:
        """Raises RunError with the fault where the file is missing, broken or of a newer schema, or nobody could work on the run."""
        path, state, lock = (self.folder / name for name in ("spec.yaml", "state.json", "engine.lock"))
        spec = _not_ours(state, lock, reading.mark(state, lock)) or _read_spec(path, reading.mark(path))[0]
        if isinstance(spec, disk.FileFault):
            raise RunError("run.unreadable", run=self.id, fault=spec.code, **spec.params) from spec
        return spec

    def owner(self) -> str:
        """Whose it is, whether it can be read or not."""
        return _read_spec(self.folder / "spec.yaml", reading.mark(self.folder / "spec.yaml"))[1]

    def known(self) -> RunSpec | None:
        """Its spec; None where that cannot be read, or no longer: somebody may have deleted the run this very moment."""
        try:
            return self.spec()
        except RunError:
            return None

    def saved_state(self, faults: list[Notice] | None = None) -> RunState | None:
        """state.json as the engine left it; None before the first, and where the disk has spoiled it: the checkpoints tell then."""
        return disk.kept(lambda: disk.record(self.folder / "state.json", RunState), None, faults)

    def write_state(self, state: RunState) -> None:
        """For the engine that holds the lock, and nobody else."""
        files.write(self.folder / "state.json", state.model_dump_json(by_alias=True, indent=1))

    def state(self) -> RunState:
        """The state with the status that is true now, whatever a crash left behind."""
        saved = self.saved_state()
        status = self._status(saved)
        if status == "interrupted" and os.path.exists(self.folder / "full"):  # the disk took not even the state that says so
            full = {"status": "paused", "reason": "disk", "error": Notice(code="train.disk", level="error"), "seconds_left": None}
            return (saved or RunState(status="paused")).model_copy(update=full)
        return (saved or RunState(status=status)).model_copy(update={"status": status})

    def _status(self, saved: RunState | None) -> Status:
        if self._claimed(saved):
            return saved.status if saved and saved.status in ("starting", "running") else "starting"
        if self.waiting():
            return "queued"
        if saved is None or saved.status in ALIVE:
            return "interrupted"
        return saved.status

    def _claimed(self, saved: RunState | None) -> bool:
        host = locks.holder(self.lock_path).get("host", locks.HOST)
        if host == locks.HOST:
            return locks.held(self.lock_path) or locks.held(self.starting_path)
        running = saved is not None and saved.status in ("starting", "running")
        return running and saved is not None and time.time() - saved.heartbeat < SILENT_SECONDS

    def name(self, faults: list[Notice] | None = None) -> str:
        """The name people gave it, last; its id where neither that nor its spec can be read."""
        known = self.known()
        return disk.kept(self._given_name, known.name if known else self.id, faults)

    def _given_name(self) -> str:
        if not (found := files.clean_name(disk.text(self.folder / "name", MOST_NAME))):
            raise disk.FileFault("empty", self.folder / "name")
        return found

    def rename(self, name: str) -> None:
        """Raises InputError for an empty name."""
        if not (cleaned := files.clean_name(name)):
            raise InputError("run.name")
        files.write(self.folder / "name", cleaned)

    def metrics(self) -> list[dict[str, Any]]:
        """What was logged, in order of steps."""
        return self.logged().records

    def logged(self) -> reading.Logged:
        """As `metrics`, with a word that changes when something is added."""
        return reading.records(self.folder / "metrics.jsonl")

    def samples(self, faults: list[Notice] | None = None) -> list[dict[str, Any]]:
        """Answers that were given while it learned (samples.jsonl), in order of steps, each step once. Shared: do not change them."""
        found = reading.records(self.folder / "samples.jsonl", Moment)
        if faults is not None:
            faults += found.faults
        return found.records

    def log(self, faults: list[Notice] | None = None) -> list[str]:
        """The last lines of what the libraries said."""
        return disk.kept(lambda: reading.tail(self.folder / "log.txt"), [], faults)

    def adapter_fault(self) -> Notice | None:
        """What keeps the adapter, or the whole model, from being loaded; None where all of it is there, and where there is none."""
        return disk.adapter_fault(self.adapter) if self.adapter.is_dir() else None

    def require_adapter(self) -> None:
        """Raises RunError where there is none, or one that is not whole."""
        if not self.adapter.is_dir():
            raise RunError("run.no_adapter", run=self.id)
        fault = self.adapter_fault()
        if fault is not None:
            raise RunError("run.adapter_broken", run=self.id, fault=fault.code, **fault.params)

    def enqueue(self, first: bool = False) -> None:
        """Ask for this run to be trained, or trained further, when its turn comes: after all that wait, whatever the clock says.

        One that was at work until now goes `first`.
        """
        files.remove(self.folder / "stop")
        files.remove(self.folder / "queue")
        others = [Run(path.parent).queued_at() for path in self.folder.parent.glob("*/queue")]
        last = max([time.time(), *(other + 1e-3 for other in others)])
        files.write(self.folder / "queue", json.dumps({"time": min([last, *(other - 1e-3 for other in others)]) if first else last}))

    def waiting(self) -> bool:
        """Is it in the queue? Whoever holds its lock and sees it there may train it; nobody else has."""
        return os.path.exists(self.folder / "queue")

    def begin(self) -> None:
        """Take it out of the queue, and forget what an earlier end left. For the engine that holds the lock."""
        for name in ("queue", "full"):
            files.remove(self.folder / name)
        for name in ("state.json", "metrics.jsonl", "samples.jsonl", "log.txt", "evaluation.json"):
            if (self.folder / name).is_dir():  # where a file is to be written
                files.remove(self.folder / name)
        files.sweep(self.folder / "state.json")
        if not self.adapter.exists() and (self.folder / ".adapter-before").exists():  # killed while another was put in its place
            (self.folder / ".adapter-before").replace(self.adapter)

    def gone(self) -> bool:
        """Whether its folder is not in its place any more, or is another than it was: the spec is written once."""
        return not os.path.lexists(self.folder / "spec.yaml")

    def clear_remade(self) -> None:
        """Take away what was made in the place of a folder that is gone, and with it a home that holds nothing else."""
        shutil.rmtree(self.folder, ignore_errors=True)
        runs = self.folder.parent
        with contextlib.suppress(OSError):
            if os.listdir(runs.parent) == [runs.name] and not os.listdir(runs):
                shutil.rmtree(runs.parent)

    def disk_is_full(self) -> None:
        """Pause it though the disk takes nothing: what was half saved goes, and an empty file says what happened."""
        checkpoints.clear(self.checkpoints)
        shutil.rmtree(self.folder / ".adapter", ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.folder / "full").touch()

    def begin_with(self, adapter: pathlib.Path) -> None:
        """Keep a copy of an adapter, or a whole model, in a folder, to go on from: that one may be deleted then."""
        if (adapter / "config.json").is_file():
            shutil.copytree(adapter, self.start)
        else:
            shutil.copyfile(adapter / "adapter_model.safetensors", self.start)

    def retry(self, code: str = "recovery.restart") -> bool:
        """Take down that what trains it starts anew, for the reason `code`. False where that was tried often enough."""
        state = self.saved_state() or RunState(status="interrupted")
        before = disk.kept(lambda: disk.record(self.folder / "restarts", Restarted), None)
        if (count := restarts(before.model_dump() if before else {}, state.step)) is None:
            return False
        files.write(self.folder / "restarts", json.dumps({"step": state.step, "count": count}))
        told = Notice(code=code, level="warning", params={"step": state.step})
        anew = {"status": "interrupted", "reason": None, "error": None, "ended": None, "recoveries": [*state.recoveries, told]}
        self.write_state(state.model_copy(update=anew))
        return True

    def line(self, spec: RunSpec) -> Waiting:
        """What the queue has to know of a run with this spec."""
        saved = self.saved_state()
        done = saved.step / max(1, saved.total_steps) if saved is not None else 0.0
        queued = self._queued()
        return Waiting(self.id, spec.owner, queued.time, spec.forecast.seconds * max(0.0, 1 - done), queued.ahead)

    def put_ahead(self) -> None:
        """Put it before all that wait, whoever's they are. Raises RunError where it does not wait."""
        if not self.waiting():
            raise RunError("run.not_waiting", run=self.id)
        files.write(self.folder / "queue", json.dumps({"time": self.queued_at(), "ahead": time.time()}))

    def queued_at(self, faults: list[Notice] | None = None) -> float:
        """When it was put in the queue, in seconds since 1970."""
        return self._queued(faults).time

    def _queued(self, faults: list[Notice] | None = None) -> Queued:
        return disk.kept(lambda: disk.record(self.folder / "queue", Queued), None, faults) or Queued(time=0.0)

    def request_stop(self) -> None:
        """Ask the engine to stop after the step it is in; a queued run just leaves the queue."""
        if (status := self.state().status) not in ALIVE:
            raise RunError("run.not_running", run=self.id, status=status)
        lock = locks.Lock(self.lock_path)
        if status == "queued" and lock.acquire():
            with lock:
                if self.waiting():
                    files.remove(self.folder / "queue")
                    saved = self.saved_state() or RunState(status="stopped")
                    self.write_state(saved.model_copy(update={"status": "stopped", "ended": time.time()}))
        else:  # at work, or claimed this very moment
            (self.folder / "stop").touch()

    def give_up(self, reason: str | None, error: Notice, status: Status = "failed") -> None:
        """End a run that never got to an engine, or whose engine ended without a word: it leaves the queue, and its log says why. One
        that somebody has claimed is left alone.
        """
        lock = locks.Lock(self.lock_path)
        if lock.acquire():
            with lock:
                files.remove(self.folder / "queue")
                state = self.saved_state() or RunState(status="failed")
                with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
                    log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} ERROR {error.code}: {error.params}\n")
                self.write_state(state.model_copy(update={"status": status, "reason": reason, "error": error, "ended": time.time()}))

    def stop_requested(self) -> bool:
        return os.path.exists(self.folder / "stop")

    def stopped_at(self) -> float:
        """When it was last asked to stop, in seconds since 1970; 0 where it was not."""
        try:
            return (self.folder / "stop").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def stopped_by(self) -> str | None:
        """Who asked it to stop, where that was not its owner."""
        return disk.kept(lambda: disk.text(self.folder / "stop"), "") or None

    def size(self) -> int:
        """Bytes on disk."""
        return files.size(self.folder)
