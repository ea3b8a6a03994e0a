"""Runs one module of ours in a short-lived child process, with what it may use limited and every way of dying named.

The child gets no environment but an allow-list, so no token; its errors go to the log. What it does is its own affair.
"""

import contextlib
import json
import logging
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import IO, Any

from tuning import settings
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, OUT_OF_DISK, OUT_OF_MEMORY, PROGRESS, Limits
from tuning.settings import ROOT

_log = logging.getLogger(__name__)

Watch = Callable[[float], None]  # hears now and then what share is done, 0 to 1; what it raises ends the child

_START = 160 * MEGABYTE  # of a child that has read nothing yet: resident, on the platforms where the parent watches
END_SECONDS = 10.0  # for a child that was killed
_STEP = 0.05  # seconds between looks at the child's memory
_LOOK = 0.2  # seconds between looks at its progress
_NO_ROOM = re.compile(r"^memory allocation of \d+ bytes failed", re.MULTILINE)  # so a library in Rust ends a process
_HOLDS_ITSELF = sys.platform == "linux"  # whether the child's own memory limit is kept by the system


def run(module: str, request: Mapping[str, Any], folder: pathlib.Path, limits: Limits, watch: Watch | None = None) -> None:
    """Runs `python -m module` in `folder`, with `request` as JSON on its stdin, and waits for its end.

    `watch` hears what the child writes to the file `progress`. Raises InputError: `data.slow` (seconds), `data.memory`
    (limit, in MB), `data.disk`, `data.crashed` (how: the exit code, or minus the number of a signal).
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=asked,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=folder,
            env={**settings.child_environment(), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            start_new_session=True,  # what it forks is killed with it
        )
        look = (lambda: watch(progress(folder))) if watch else None
        code = wait(process, limits, weigh=not _HOLDS_ITSELF, look=look)
        if code != 0:
            raise _death(code, said, limits)


def wait(process: subprocess.Popen[bytes], limits: Limits, weigh: bool, look: Callable[[], None] | None = None) -> int:
    """The exit code. A child over its time, or with `weigh` over its memory, is killed. Raises InputError then.

    `look` is called every 0.2 seconds; what it raises ends the child as well.
    """
    end = time.monotonic() + limits.seconds
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise InputError("data.slow", seconds=_seconds(limits))
            try:
                return process.wait(min(_STEP, left) if weigh else min(_LOOK, left) if look else left)
            except subprocess.TimeoutExpired:
                if weigh and _resident(process.pid) > limits.memory_bytes + _START:
                    raise _memory(limits) from None
            if look is not None:
                look()
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """See to it that it is over."""
    if process.poll() is None:
        _kill(process)
        with contextlib.suppress(subprocess.TimeoutExpired):  # a disk that does not answer keeps even the dead
            process.wait(END_SECONDS)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it, and on POSIX what it has forked, where it leads a group of its own."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def progress(folder: pathlib.Path) -> float:
    """The share that the child in `folder` has done; 0 where it has not said."""
    with contextlib.suppress(OSError, ValueError):
        return min(1.0, max(0.0, float((folder / PROGRESS).read_text(encoding="ascii") or 0)))
    return 0.0


def _resident(pid: int) -> int:
    """Bytes of memory a process holds; 0 once it is gone."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _death(code: int, said: IO[bytes], limits: Limits) -> InputError:
    said.seek(0)
    words = said.read(MEGABYTE).decode("utf-8", "replace")
    if sys.platform != "win32" and code == -signal.SIGXCPU:
        return InputError("data.slow", seconds=_seconds(limits))
    if code == OUT_OF_DISK:
        return InputError("data.disk")
    # Where memory ran out for all, the system sends SIGKILL (9), and nobody else does.
    if code in (OUT_OF_MEMORY, -9) or words.rstrip().endswith("MemoryError") or _NO_ROOM.search(words):
        return _memory(limits)
    _log.error("the reading child ended with %s:\n%s", code, words[-4000:])
    return InputError("data.crashed", how=code)


def _memory(limits: Limits) -> InputError:
    return InputError("data.memory", limit=max(1, limits.memory_bytes // MEGABYTE))


def _seconds(limits: Limits) -> int:
    return max(1, round(limits.seconds))
