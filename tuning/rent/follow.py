"""Carries a run to a rented machine and follows it there until all that came of it is at home, in the run's own folder.

Whoever follows holds the run's lock, as an engine does: every view shows the run as if it were at work here. A process that ends while it
follows loses nothing: the job goes on, and the next one begins where this left off.
"""

import contextlib
import logging
import pathlib
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tuning.data.library import folder_of
from tuning.errors import InputError, RunError, TuningError, caught
from tuning.rent import homecoming, lines, parcel, rented
from tuning.rent.rented import Rented
from tuning.runs import files, locks
from tuning.runs.run_folder import HEARTBEAT_SECONDS, Run
from tuning.schema import ALIVE, Notice, RunState

if TYPE_CHECKING:
    from tuning.hub.hub_jobs import HubJobs

logger = logging.getLogger(__name__)

IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"  # Python with an installer that is quicker than pip
COMMAND = """set -e
uv pip install --system --quiet "$4"
hf download "$1" --local-dir /tmp/box --quiet
uv pip install --system --quiet "/tmp/box/$2"
exec python -m tuning.rent.inside /tmp/box "$1" "$(($3 - SECONDS))"
"""
LOOK_SECONDS = 5.0  # between looks at how the job is
AGAIN_SECONDS = 3.0  # before a log that was cut is asked for again
GRACE_SECONDS = 300.0  # that a run may take to stop by itself and publish its adapter, before the job is cancelled
PATIENCE_SECONDS = 600.0  # that the Hub may not be reached, before following is given up: the job itself goes on
TRIES = 6  # to read a log to its end that has one
DRAIN_SECONDS = 30.0  # for the last lines of a job that has ended
TERMINAL = frozenset({"COMPLETED", "CANCELED", "ERROR", "DELETED"})
SAY = Callable[[Notice], None]


@contextlib.contextmanager
def held(run: Run) -> Iterator[None]:
    """Hold the run's lock. Raises RunError `run.busy` where somebody has it."""
    lock = locks.Lock(run.lock_path)
    if not lock.acquire(patience=1.0):
        raise RunError("run.busy", run=run.id, status=run.state().status)
    with lock:
        yield


def submit(run: Run, hub: "HubJobs", say: SAY) -> Rented:
    """Send what the run needs to its repository, and start the job. Where that fails the repository is deleted again.

    To be called by whoever holds the run's lock. Raises InputError with what the Hub had against it.
    """
    asked = rented.of(run)
    assert asked is not None
    state = run.saved_state() or RunState(status="starting")
    run.write_state(state.model_copy(update={"status": "starting", "error": None, "reason": None, "heartbeat": time.time()}))
    hub.open_box(asked.repo)
    try:
        say(Notice(code="rent.sends", params={"repo": asked.repo}))
        with tempfile.TemporaryDirectory() as folder:
            parcel.wheel(pathlib.Path(folder))
            hub.send(asked.repo, pathlib.Path(folder), "", [parcel.WHEEL])
        hub.put(asked.repo, f"{parcel.RUN}/spec.yaml", parcel.spec(run))
        hub.send(asked.repo, run.folder, parcel.RUN, parcel.run_files(run))
        data = folder_of(run.folder.parent.parent) / run.spec().data.id
        hub.send(asked.repo, data, parcel.DATA, parcel.DATA_FILES)
        library = f"huggingface_hub=={metadata.version('huggingface_hub')}"
        command = ["bash", "-c", COMMAND, "rented", asked.repo, parcel.WHEEL, str(asked.timeout_seconds), library]
        job = hub.start(asked.account, asked.flavour, IMAGE, command, asked.timeout_seconds, run.id)
    except BaseException as error:  # Ctrl-C, too: what was sent does not stay there, and it goes on its way
        caught(lambda: hub.close_box(asked.repo), "deleting the repository")
        told = Notice(code=error.code, level="error", params=error.params) if isinstance(error, TuningError) else None
        run.write_state(state.model_copy(update={"status": "failed", "error": told, "ended": time.time()}))
        raise
    made = asked.model_copy(update={"job": job, "begun": time.time()})
    rented.keep(run, made)
    return made


class Follower:
    """Follows one job. To be used by whoever holds the run's lock."""

    def __init__(self, run: Run, hub: "HubJobs", say: SAY) -> None:
        self._run, self._hub, self._say = run, hub, say
        found = rented.away(run)
        assert found is not None
        self._rented: Rented = found
        self._lines: queue.Queue[str] = queue.Queue()
        self._read, self._heard = found.seen, 0
        self._over, self._all_read = threading.Event(), threading.Event()
        self._state = run.saved_state() or RunState(status="starting")
        self._stage, self._written, self._cancelled = "", 0.0, False

    def follow(self) -> RunState:
        """Bring home what the job says until it ends, and then what it made. Returns how the run ended.

        Raises InputError where the Hub cannot be reached for long; the job goes on then.
        """
        threading.Thread(target=self._listen, name="rented", daemon=True).start()
        try:
            job = self._until_over()
        finally:
            self._over.set()
        return homecoming.bring(self._run, self._hub, self._rented, self._state, job, self._say)

    def _until_over(self) -> Any:
        looked, reached, trouble = 0.0, time.monotonic(), None
        while True:
            self._drain(1.0)
            self._heed_stop()
            now = time.monotonic()
            if now - looked > LOOK_SECONDS or self._all_read.is_set():
                looked = now
                try:
                    job = self._hub.look(self._rented.account, self._rented.job)
                    reached = now
                except InputError as error:
                    if error.code == "rent.gone":
                        return None
                    trouble = error
                    if error.code == "rent.token_refused" or now - reached > PATIENCE_SECONDS:
                        raise
                    logger.warning("%s", trouble)
                    continue
                self._note(str(job.status.stage))
                if self._stage in TERMINAL:
                    self._drain(DRAIN_SECONDS)
                    return job
                self._over.wait(0.2 if self._all_read.is_set() else 0.0)
            self._beat()

    def _note(self, stage: str) -> None:
        if stage != self._stage:
            self._stage = stage
            code = {"SCHEDULING": "rent.waits", "RUNNING": "rent.runs"}.get(stage)
            if code:
                self._say(Notice(code=code, params={"title": self._rented.title}))

    def _heed_stop(self) -> None:
        """Ask the run to stop; where it does not, or has not begun, the job is cancelled."""
        if not self._run.stop_requested() or self._cancelled or not self._stage:
            return
        asked = self._rented.asked
        if asked is None and self._stage != "SCHEDULING":
            if caught(lambda: self._hub.put(self._rented.repo, lines.STOP, b"stop\n"), "asking a rented run to stop") is None:
                self._keep(asked=time.time())
                self._say(Notice(code="rent.stopping"))
        elif self._stage == "SCHEDULING" or asked is None or time.time() - asked > GRACE_SECONDS:
            gone = caught(lambda: self._hub.cancel(self._rented.account, self._rented.job), "cancelling a job")
            self._cancelled = gone is None

    def _listen(self) -> None:
        """Read the job's log into the queue. It is told from its beginning each time: what was read is passed over."""
        tries = TRIES
        while tries and not self._over.is_set():
            before, self._heard = self._read, 0
            ended = caught(self._stream, "reading a job's log") is None  # by itself: the job is over, or the stream was cut just then
            if ended and 0 < self._heard == self._read == before:
                break
            tries -= ended
            self._over.wait(AGAIN_SECONDS)
        self._all_read.set()

    def _stream(self) -> None:
        for text in self._hub.lines(self._rented.account, self._rented.job):
            self._heard += 1
            if self._heard > self._read:
                self._read += 1
                self._lines.put(text)
            if self._over.is_set():
                return

    def _drain(self, seconds: float) -> None:
        """Take in what the log has said, and wait so long for it to be read; of a job that is over, to its end."""
        deadline, taken = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            read = self._all_read.is_set()
            with contextlib.suppress(queue.Empty):
                while True:
                    self._take(self._lines.get(timeout=0.05))
                    taken += 1
            if read or (taken and self._stage not in TERMINAL):
                break
        if taken:
            self._keep(seen=self._rented.seen + taken)
            self._write()

    def _take(self, text: str) -> None:
        found = lines.read(text)
        if found is None:
            with (self._run.folder / "log.txt").open("a", encoding="utf-8") as log:
                log.write(text.rstrip("\n") + "\n")
        elif found[0] == lines.STATE:
            told = caught(lambda: self._believe(found[1]), "reading a rented run's state")
            if told is not None:
                logger.warning("a line of the job is no state")
        elif isinstance(found[1], dict):
            files.append_line(self._run.folder / found[0], found[1])

    def _believe(self, content: Any) -> None:
        self._state = RunState.model_validate(content)

    def _beat(self) -> None:
        if time.monotonic() - self._written > HEARTBEAT_SECONDS:
            self._write()

    def _write(self) -> None:
        """The state as it is known; that the run has ended is said when what it made is here."""
        self._written = time.monotonic()
        status = self._state.status if self._state.status in ALIVE else "running" if self._state.step else "starting"
        self._run.write_state(self._state.model_copy(update={"status": status, "heartbeat": time.time()}))

    def _keep(self, **changes: Any) -> None:
        self._rented = self._rented.model_copy(update=changes)
        rented.keep(self._run, self._rented)


def ask_to_stop(run: Run, hub: "HubJobs") -> None:
    """Ask a rented run to stop that nobody follows."""
    found = rented.away(run)
    assert found is not None
    (run.folder / "stop").touch()
    if str(hub.look(found.account, found.job).status.stage) == "SCHEDULING":
        hub.cancel(found.account, found.job)
    else:
        hub.put(found.repo, lines.STOP, b"stop\n")


def clear(run: Run) -> None:
    """Forget what an earlier attempt to bring a run home has left."""
    shutil.rmtree(run.folder / homecoming.ASIDE, ignore_errors=True)
