"""A machine of one's own is kept awake while a run is on, by what its system offers; where nothing does, that is told.

It never fails a run, and whatever it starts ends with this process, also where that is killed. Screens may go dark.
"""

import contextlib
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

from tuning import settings
from tuning.errors import caught
from tuning.schema import Notice

logger = logging.getLogger(__name__)

WHY = ("--who=Sartoria", "--why=A model is being trained", "--mode=block")
HOLDERS = ("systemd-inhibit", "elogind-inhibit")
HELD = b"held\n"
# The holder ends when its input does, which the kernel closes with this process, however that ends.
HOLD = ("sh", "-c", "echo held; exec cat")
PATIENCE_SECONDS = 2.0
WINDOWS_CONTINUOUS, WINDOWS_SYSTEM = 0x80000000, 0x00000001  # ES_CONTINUOUS, ES_SYSTEM_REQUIRED
BATTERIES = pathlib.Path("/sys/class/power_supply")


@contextlib.contextmanager
def kept() -> Iterator[list[Notice]]:
    """While this is open the machine does not go to sleep by itself. Yields what is to be told: that it may do so all the same.

    Only where the app is for one person on one machine; a server or a Space is not ours to keep awake.
    """
    process: list[subprocess.Popen[bytes]] = []
    here = settings.read()
    told: list[Notice] = []

    def hold() -> None:
        if sys.platform == "win32":
            _windows(WINDOWS_CONTINUOUS | WINDOWS_SYSTEM)
        elif sys.platform == "darwin":
            process.append(subprocess.Popen(["caffeinate", "-i", "-w", str(os.getpid())], stdin=subprocess.DEVNULL))
        elif (held := _inhibited()) is not None:
            process.append(held)
        elif here.display or _portable():
            told.append(Notice(code="run.may_sleep", level="warning"))

    if here.mode == "local" and caught(hold, "keeping the machine awake") is not None:
        told.append(Notice(code="run.may_sleep", level="warning"))
    try:
        yield told
    finally:
        caught(lambda: _let_go(process), "letting the machine sleep again")


def _inhibited() -> "subprocess.Popen[bytes] | None":
    """A process that holds logind's lock against sleep, or against going idle where the other is not allowed; None where neither is."""
    holder = next((found for name in HOLDERS if (found := shutil.which(name))), None)
    for what in ("idle:sleep", "idle") if holder else ():
        process = subprocess.Popen(
            [str(holder), f"--what={what}", *WHY, *HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if _says_held(process):
            return process
        _let_go([process])
    return None


def _says_held(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it got the lock. A holder that cannot get it ends at once; one that waits for a password is not waited for."""
    said: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: said.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(PATIENCE_SECONDS)
    return said == [HELD]


def _let_go(processes: "list[subprocess.Popen[bytes]]") -> None:
    if sys.platform == "win32":
        _windows(WINDOWS_CONTINUOUS)
    for process in processes:
        process.terminate()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait(PATIENCE_SECONDS)


def _windows(state: int) -> None:
    """For the calling thread, until the next call."""
    if sys.platform == "win32":
        import ctypes

        if not ctypes.windll.kernel32.SetThreadExecutionState(state):
            raise OSError("SetThreadExecutionState")


def _portable() -> bool:
    """A laptop, or Linux inside Windows: a server without a screen does not go to sleep by itself."""
    return any(BATTERIES.glob("BAT*")) or "microsoft" in os.uname().release.lower()
