"""Locks that the operating system takes back when a process dies: flock on POSIX, msvcrt on Windows.

Who holds one writes host, pid and start time inside, for people to read; the lock itself is what counts.
It does not work between hosts: there a heartbeat decides (see `run_folder`).
"""

import contextlib
import errno
import json
import os
import pathlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Any

from tuning.errors import RunError
from tuning.runs import disk
from tuning.runs.contents import Holder
from tuning.schema import on_card

HOST = socket.gethostname()
HELD = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)  # that somebody has the lock; anything else, that there is none


def _refused(error: OSError, file: IO[str]) -> bool:
    """False where somebody else has the lock. Raises OSError (ENOLCK) with the file's name where its disk keeps no locks."""
    if error.errno in HELD:
        return False
    raise OSError(errno.ENOLCK, error.strerror, file.name) from error


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # lock a byte that nobody reads, so that the contents stay readable

    def _take(file: IO[str], shared: bool) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return _refused(error, file)
        return True
else:
    import fcntl

    def _take(file: IO[str], shared: bool) -> bool:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            return _refused(error, file)
        return True


class Lock:
    """An exclusive lock on a file. Use as a context manager after `acquire` said yes, or call `release`."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, patience: float = 1.0) -> bool:
        """Take the lock, or say no after `patience` seconds (readers that probe hold it for an instant).

        Raises OSError where its folder is gone, which is never made anew, something else stands in its place, or the disk keeps no locks.
        """
        file = self.path.open("a+", encoding="utf-8")
        deadline = time.monotonic() + patience
        try:
            while not _take(file, shared=False):
                if time.monotonic() >= deadline:
                    file.close()
                    return False
                time.sleep(0.02)
        except OSError:
            file.close()
            raise
        file.seek(0)
        file.truncate()
        self._file = file
        with contextlib.suppress(OSError):  # a full disk does not take what only people read; the lock is taken all the same
            file.write(json.dumps({"host": HOST, "pid": os.getpid(), "started": time.time()}))
            file.flush()
        return True

    def release(self) -> None:
        """Give it back; the file stays."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what could not be written before is tried once more, in vain
                self._file.close()
            self._file = None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


@contextlib.contextmanager
def changing(path: pathlib.Path, patience: float = 5.0) -> Iterator[None]:
    """Hold what guards a file of the home that is read, changed and written anew; its folder is made. Raises RunError `home.locked`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock(path.with_suffix(".lock"))
    if not lock.acquire(patience):
        raise RunError("home.locked", file=path.name)
    with lock:
        yield


_uuid: Callable[[str], str | None] | None = None


def name_cards(uuid: Callable[[str], str | None]) -> None:
    """Have cards named by what `uuid` says of a device: "cuda:0" is another one in a process with CUDA_VISIBLE_DEVICES."""
    global _uuid
    _uuid = uuid


def of_card(home: pathlib.Path, device: str, further: bool = False) -> pathlib.Path:
    """The file whose lock a card has: by its UUID, by its number here where nobody knows that. See `card`."""
    uuid = _uuid(device) if _uuid is not None else None
    return home / f"gpu-{uuid or device.removeprefix('cuda:')}{f'.{HOST}' if further else ''}.lock"


@contextlib.contextmanager
def card(home: pathlib.Path, device: str, busy: Exception, further: bool = False) -> Iterator[None]:
    """Hold the lock of a card while this is open: nobody puts a model on one without it, in whatever process.

    `device` is as PyTorch names it. A processor has no lock: the operating system shares it. `further`: it is a card of another
    machine than that of the home, which both see on a shared disk. Raises `busy` where the card is in use.
    """
    if not on_card(device):
        yield
        return
    lock = Lock(of_card(home, device, further))
    if not lock.acquire():
        raise busy
    with lock:
        yield


def held(path: pathlib.Path) -> bool:
    """Does a living process of this host hold the lock? Nobody holds what is no file, what we may not open, or what cannot be locked."""
    try:
        with path.open("r+", encoding="utf-8") as file:
            return not _take(file, shared=True)
    except OSError:
        return False


def holder(path: pathlib.Path) -> dict[str, Any]:
    """What the last holder wrote: host, pid, started. Empty where nothing can be read: the lock itself counts."""
    try:
        return disk.record(path, Holder).model_dump(exclude_none=True)
    except disk.FileFault:
        return {}


def fault(path: pathlib.Path) -> disk.FileFault | None:
    """Why a lock can be neither taken nor asked for: another thing stands in its place, or we may not open it."""
    try:
        disk.opened(path).close()
    except disk.FileFault as fault:
        return None if fault.missing else fault
    return None
