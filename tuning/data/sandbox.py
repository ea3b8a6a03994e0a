"""Runs one module of ours in a short-lived child process, with what it may use limited and every way of dying named.

The child gets no environment but an allow-list, so no token; its errors go to the log. What it does is its own affair.
"""

import json
import logging
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any

from tuning import settings
from tuning.data.records import MEGABYTE, OUT_OF_DISK, OUT_OF_MEMORY, Limits
from tuning.errors import InputError
from tuning.settings import ROOT

_log = logging.getLogger(__name__)


_START = 160 * MEGABYTE  # of a child that has read nothing yet: resident, on the platforms where the parent watches
_STEP = 0.05  # seconds
_HOLDS_ITSELF = sys.platform == "linux"  # whether the child's own memory limit is kept by the system


def run(module: str, request: Mapping[str, Any], folder: pathlib.Path, limits: Limits) -> None:
    """Runs `python -m module` in `folder`, with `request` as JSON on its stdin, and waits for its end.

    Raises InputError: `data.slow` (seconds), `data.memory` (limit, in MB), `data.disk`, `data.crashed` (how: the exit code, or
    minus the number of a signal).
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
        )
        code = wait(process, limits, watch=not _HOLDS_ITSELF)
        if code != 0:
            raise _death(code, said, limits)


def wait(process: subprocess.Popen[bytes], limits: Limits, watch: bool) -> int:
    """The exit code. A child over its time, or with `watch` over its memory, is killed. Raises InputError then."""
    end = time.monotonic() + limits.seconds
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise InputError("data.slow", seconds=_seconds(limits))
            try:
                return process.wait(min(_STEP, left) if watch else left)
            except subprocess.TimeoutExpired:
                if watch and _resident(process.pid) > limits.memory_bytes + _START:
                    raise _memory(limits) from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


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
    if code in (OUT_OF_MEMORY, -9) or words.rstrip().endswith("MemoryError"):
        return _memory(limits)
    _log.error("the reading child ended with %s:\n%s", code, words[-4000:])
    return InputError("data.crashed", how=code)


def _memory(limits: Limits) -> InputError:
    return InputError("data.memory", limit=max(1, limits.memory_bytes // MEGABYTE))


def _seconds(limits: Limits) -> int:
    return max(1, round(limits.seconds))
