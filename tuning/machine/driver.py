"""The NVIDIA driver asked which cards there are (NVML), in a thread of its own: a driver that hangs blocks nobody.

It says what the driver says. Which of the cards can be used, and by which number, is for `hardware`.
"""

import contextlib
import logging
import threading
import time
from typing import Any

from tuning.errors import caught
from tuning.schema import Record

logger = logging.getLogger(__name__)

FIRST, LATER = 10.0, 1.0  # seconds to wait: for the first answer (a card that sleeps takes some to wake), and where there is one


class Gpu(Record):
    """One card as its driver reports it. Memory in bytes, 0 where it does not say.

    `uuid` says which it is; `index` is the N of PyTorch's "cuda:N".
    """

    index: int
    name: str
    memory_total: int
    memory_free: int
    compute_capability: float
    driver: str = ""
    uuid: str = ""
    pci: str = ""  # bus id; shared by the instances that a card is partitioned into


class Driver:
    """Asks for the cards, never twice at a time, and keeps the last answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._done.set()
        self._until = 0.0
        self._last: list[Gpu] | None = None
        self._open = False

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
        import pynvml  # takes a while: not for a page's start

        try:
            if not self._open:  # and kept so: a card that nobody uses takes seconds to be opened
                pynvml.nvmlInit()
                self._open = True
            version, count = pynvml.nvmlSystemGetDriverVersion(), pynvml.nvmlDeviceGetCount()
            found = [card for number in range(count) for card in _described(pynvml, number, version)]
            self._last = sorted(found, key=lambda card: card.pci)
        except pynvml.NVMLError as error:  # no driver, or one that has been exchanged: the next look begins anew
            logger.debug("the driver: %s", error)
            self._last = []
            if self._open:
                self._open = False
                pynvml.nvmlShutdown()


DRIVER = Driver()


def _described(nvml: Any, number: int, version: str) -> list[Gpu]:
    """A card, or the instances that it is partitioned into (MIG). None where it is kept from us, or lost; CUDA shows it no more."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(number)
        pci = str(nvml.nvmlDeviceGetPciInfo(handle).busId)
    except nvml.NVMLError:
        return []
    try:
        capability = float("{}.{}".format(*nvml.nvmlDeviceGetCudaComputeCapability(handle)))
    except nvml.NVMLError:
        capability = 0.0
    return [
        Gpu(
            index=number,
            name=nvml.nvmlDeviceGetName(each),
            **_memory(nvml, each),
            compute_capability=capability,
            driver=version,
            uuid=nvml.nvmlDeviceGetUUID(each),
            pci=pci,
        )
        for each in _instances(nvml, handle) or [handle]
    ]


def _memory(nvml: Any, handle: Any) -> dict[str, int]:
    try:
        said = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:
        return {"memory_total": 0, "memory_free": 0}
    return {"memory_total": said.total, "memory_free": said.free}


def _instances(nvml: Any, handle: Any) -> list[Any]:
    found = []
    try:
        if nvml.nvmlDeviceGetMigMode(handle)[0]:
            for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
                with contextlib.suppress(nvml.NVMLError):  # places that are not taken
                    found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number))
    except nvml.NVMLError:  # a card that cannot be partitioned
        return []
    return found
