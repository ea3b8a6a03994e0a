"""Exports that are made in the background: how far each of them is, its stop, and the addresses under which what is done is fetched.

One at a time in a process, each on a thread of its own. What is made, and where it is kept, is the affair of whoever gives the errand.
"""

import contextlib
import pathlib
import secrets
import subprocess
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, BinaryIO

from tuning.errors import RunError, caught, told

LOOK_SECONDS = 0.2  # between two looks at a process and at the stop
MOST_WAITING = 20  # of all owners together
MOST_KEPT = 10_000  # faults of owners, and addresses, that are remembered


class Errand:
    """One export: the step that it is at, and whether it is to stop. Without an owner it is one of the command line."""

    def __init__(self, run: str = "", form: str = "", type: str = "") -> None:
        self.run, self.form, self.type = run, form, type
        self.step, self.since = "wait", time.time()  # then fetch, live, compare, convert, send, bundle or pack
        self.share: float | None = None  # of the step, where it is known
        self.fault: tuple[str, dict[str, Any]] | None = None
        self.over = False
        self._stop, self._bytes = threading.Event(), (0, 0)

    def begin(self, step: str, total: int = 0) -> None:
        """Say which step comes now, and of how many bytes it is where that is known. Raises RunError where it is to stop."""
        self.check()
        self.step, self.since, self._bytes = step, time.time(), (0, total)
        self.share = 0.0 if total else None

    def moved(self, count: int) -> None:
        """So many bytes more are done. Raises RunError where it is to stop."""
        self.check()
        done, total = self._bytes
        self._bytes = (done + count, total)
        self.share = min(1.0, (done + count) / total) if total else None

    def stop(self) -> None:
        """Ask it to stop: a process of its own is ended, and what was made so far goes away."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def check(self) -> None:
        """Raises RunError where it is to stop."""
        if self.stopping:
            raise RunError("export.stopped")

    @contextlib.contextmanager
    def turn(self, lock: threading.Lock) -> Iterator[None]:
        """Hold `lock`, and wait for it no longer than until a stop."""
        while not lock.acquire(timeout=LOOK_SECONDS):
            self.check()
        try:
            self.check()
            yield
        finally:
            lock.release()

    def process(self, words: list[str], said: str, patience: float, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a process as `subprocess.run` does, with text in and out. Raises RunError where it is to stop, TimeoutExpired."""
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        deadline, given = time.monotonic() + patience, said if said else None
        with self.beside(words, encoding="utf-8", errors="replace", **pipes, **options) as child:
            while True:
                try:
                    out, err = child.communicate(given, timeout=LOOK_SECONDS)
                    return subprocess.CompletedProcess(words, child.returncode, out, err)
                except subprocess.TimeoutExpired:
                    given = None  # it was sent
                    self.check()
                    if time.monotonic() > deadline:
                        raise subprocess.TimeoutExpired(words, patience) from None

    @contextlib.contextmanager
    def beside(self, words: list[str], **options: Any) -> Iterator["subprocess.Popen[Any]"]:
        """A process beside this one, which is ended after the block, and where the program ends. Raises OSError."""
        with subprocess.Popen(words, **options) as child:
            _alive.add(child)
            try:
                yield child
            finally:
                child.kill()  # nothing where it has ended
                _alive.discard(child)


def end_all() -> None:
    """End the processes of all exports: this one ends, too."""
    for child in list(_alive):
        child.kill()


_alive: set["subprocess.Popen[Any]"] = set()
_current: ContextVar[Errand] = ContextVar("errand")


def current() -> Errand:
    """The errand of this thread; one that nobody stops where there is none, as on the command line."""
    return _current.get(Errand())


class Followed:
    """A file that is read for the errand of this thread: it hears of each piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """The next piece. Raises RunError where the errand is to stop."""
        found = self._file.read(size)
        current().moved(len(found))
        return found


class Errands:
    """What is being made in this process, for each owner one thing at a time; and which files may be fetched by their addresses."""

    def __init__(self) -> None:
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._of: OrderedDict[str, Errand] = OrderedDict()
        self._files: OrderedDict[str, pathlib.Path] = OrderedDict()

    def of(self, owner: str) -> Errand | None:
        """What is being made for an owner, or went wrong last."""
        return self._of.get(owner)

    def begin(self, owner: str, errand: Errand, work: Callable[[], None]) -> None:
        """Have `work` done on a thread, in its turn. Raises RunError while another of this owner's is under way, or too many wait."""
        with self._lock:
            if (last := self._of.get(owner)) is not None and not last.over:
                raise RunError("export.busy")
            if sum(not one.over for one in self._of.values()) >= MOST_WAITING:
                raise RunError("export.full")
            self._of[owner] = errand
            self._of.move_to_end(owner)
            for other in [name for name, one in self._of.items() if one.over][: max(0, len(self._of) - MOST_KEPT)]:
                del self._of[other]
        threading.Thread(target=self._do, args=(owner, errand, work), name="export", daemon=True).start()

    def _do(self, owner: str, errand: Errand, work: Callable[[], None]) -> None:
        _current.set(errand)

        def in_turn() -> None:
            with errand.turn(self._turn):
                work()

        error = caught(in_turn, "an export")
        known = None if error is None else told(error, "an export")
        with self._lock:
            if known and known.code != "export.stopped":
                errand.fault = (known.code, known.params)
            elif self._of.get(owner) is errand:
                del self._of[owner]
            errand.over = True

    def end(self, run: str) -> None:
        """Stop what is made of a run that goes away."""
        for errand in list(self._of.values()):
            if errand.run == run:
                errand.stop()

    def address(self, path: pathlib.Path) -> str:
        """The secret under which a file is fetched as long as this process lives; always the same for the same file."""
        with self._lock:
            found = next((secret for secret, file in self._files.items() if file == path), None) or secrets.token_urlsafe(24)
            self._files[found] = path
            self._files.move_to_end(found)
            while len(self._files) > MOST_KEPT:
                self._files.popitem(last=False)
            return found

    def file(self, secret: str) -> pathlib.Path | None:
        """The file behind an address, as long as it is there."""
        path = self._files.get(secret)
        return path if path is not None and path.is_file() else None
