"""Bounds of time and memory for a stranger's program that runs in this process as Python, such as a chat template.

A child with limits is the stronger way, and takes longer to ask: what is read once goes there. This interrupts between two steps of
Python and not inside one, so it bounds loops, and no single call of a library.
"""

import ctypes
import sys
import threading
import time
from types import TracebackType

import psutil

from tuning.sandbox.limits import MEGABYTE

LOOK_SECONDS = 0.05
MOST_BYTES = 1024 * MEGABYTE  # that the process may grow by meanwhile


class Overdue(BaseException):
    """It took too long, or too much. No `except Exception` of a stranger's hides it."""


class Deadline:
    """A `with` block that ends with Overdue after so many seconds, or once the process has grown by too much. Blocks do not nest."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.thread = 0
        self.fired = False

    def __enter__(self) -> None:
        self.thread, self.until, self.grown_from = threading.get_ident(), time.monotonic() + self.seconds, 0
        with _changed:
            _open[self.thread] = self
            if len(_open) == 1:
                _start()
                _changed.notify()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._close()
        except Overdue:  # it came this very moment
            self._close()
            raise
        if self.fired and kind is not Overdue:
            raise Overdue

    def _close(self) -> None:
        with _changed:
            _open.pop(self.thread, None)
            _raise_in(self.thread, None)  # one that is on its way still: nobody after this is meant

    def look(self, now: float) -> None:
        """Interrupt the block where it is time. Called from another thread, under the lock."""
        size = psutil.Process().memory_info().rss
        self.grown_from = self.grown_from or size
        if not self.fired and (now > self.until or size - self.grown_from > MOST_BYTES):
            self.fired = True
            _raise_in(self.thread, Overdue)


_changed = threading.Condition()
_open: dict[int, Deadline] = {}  # by thread
_watching: list[threading.Thread] = []


def _start() -> None:
    if not _watching:
        _watching.append(threading.Thread(target=_watch, name="deadlines", daemon=True))
        _watching[0].start()


def _watch() -> None:
    while True:
        with _changed:
            while not _open:
                _changed.wait(3600.0)
        time.sleep(LOOK_SECONDS)  # most are over by then
        with _changed:
            now = time.monotonic()
            for one in list(_open.values()):
                one.look(now)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    if sys.implementation.name == "cpython":
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error is not None else None)
