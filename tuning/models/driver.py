"""The NVIDIA driver asked which cards there are, in a thread of its own: a driver that hangs blocks nobody.

It says what the driver says. Which of the cards can be used, and by which number, is for `hardware`.
"""

import csv
import io
import shutil
import subprocess
import threading
import time

from tuning.errors import caught
from tuning.schema import Record

SMI = ("--query-gpu=index,name,memory.total,memory.free,compute_cap,driver_version,uuid", "--format=csv,noheader,nounits")
MIB = 2**20
FIRST, LATER = 10.0, 1.0  # seconds to wait: for the first answer (a card that sleeps takes some to wake), and where there is one


class Gpu(Record):
    """One card as its driver reports it. Memory in bytes. `uuid` says which it is; `index` is the N of PyTorch's "cuda:N"."""

    index: int
    name: str
    memory_total: int
    memory_free: int
    compute_capability: float
    driver: str = ""
    uuid: str = ""


class Driver:
    """Asks for the cards, never twice at a time, and keeps the last answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._done.set()
        self._until = 0.0
        self._last: list[Gpu] | None = None

    def cards(self) -> list[Gpu] | None:
        """The cards now, or as of the last answer where the driver is late; None where it has never answered."""
        with self._lock:
            if self._done.is_set():
                self._done.clear()
                self._until = time.monotonic() + (FIRST if self._last is None else LATER)
                threading.Thread(target=self._ask, name="driver", daemon=True).start()
        self._done.wait(max(0.0, self._until - time.monotonic()))
        return self._last

    def _ask(self) -> None:
        caught(self._look, "asking the driver")
        self._done.set()

    def _look(self) -> None:
        self._last = _cards()


DRIVER = Driver()


def _cards() -> list[Gpu]:
    """Cards by `nvidia-smi`; none where there is no driver, or it fails."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        done = subprocess.run([command, *SMI], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    cards = []
    for row in csv.reader(io.StringIO(done.stdout), skipinitialspace=True):
        try:
            index, name, total, free, capability, driver, uuid = row
            card = Gpu(
                index=int(index),
                name=name,
                memory_total=int(total) * MIB,
                memory_free=int(free) * MIB,
                compute_capability=float(capability),
                driver=driver,
                uuid=uuid,
            )
        except ValueError:
            continue  # a card that the driver cannot describe ("[N/A]") cannot be planned for
        cards.append(card)
    return cards
