"""What this machine has: processor, memory, disk, NVIDIA cards. Answers without importing torch.

It says what is there, not what fits; that is the plan's business.
"""

import importlib.util
import itertools
import pathlib
import platform
import re
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

from pydantic import Field

from tuning import settings
from tuning.machine import container, driver, wheels
from tuning.machine.driver import Gpu as Gpu
from tuning.schema import Notice, Record, on_nvidia

# Oldest driver branch for a CUDA major version (CUDA release notes, "CUDA Toolkit and Minimum Required Driver Version").
OLDEST_DRIVER = {"11": 450, "12": 525, "13": 580}
# Compute capabilities that a CUDA major version builds for (the same notes: 13 has dropped what came before Turing).
SUPPORTED = {"12": (5.0, 12.1), "13": (7.5, 12.1)}
AMD = "0x1002"  # PCI vendor
CUDA_CONTEXT = 600 * 2**20  # that a process takes on a card besides its tensors: kernels and the libraries' workspaces
# What Metal gives a process of the one memory that there is (recommendedMaxWorkingSetSize), as machines have told: two thirds, or
# three quarters where there is much.
METAL, METAL_MUCH, MUCH = 2 / 3, 3 / 4, 36 * 2**30
OTHERS = 2**30  # bytes taken on a card from which on it is said


class Hardware(Record):
    """This machine. Memory and disk in bytes."""

    system: str
    cpu: str
    cores: int
    cpu_bf16: bool
    memory_total: int
    memory_free: int
    disk_free: int
    gpus: list[Gpu]  # those that the installed PyTorch can use
    apple: Gpu | None = None  # Apple's graphics cores, PyTorch's "mps": never chosen unless somebody asks for them
    wheels: dict[str, str] = Field(default_factory=dict)  # for speed on them, installed by somebody: their versions
    notes: list[Notice] = Field(default_factory=list)  # what is good to know about the cards
    trouble: Notice | None = None  # why it can use no card that the driver sees, and the way out

    def card(self, device: str) -> Gpu | None:
        """The card that PyTorch calls `device` ("cuda:0", "mps"), if it is there and usable."""
        if not on_nvidia(device):
            return self.apple
        return next((card for card in self.gpus if device == f"cuda:{card.index}"), None)

    def emptied(self) -> "Hardware":
        """This machine with nothing else on it."""
        gpus = [card.model_copy(update={"memory_free": card.memory_total}) for card in self.gpus]
        return self.model_copy(update={"memory_free": self.memory_total, "gpus": gpus})


def held_by_torch() -> dict[str, int]:
    """Bytes of each card, by uuid (without "GPU-"), that this process holds: what PyTorch has reserved, and its CUDA context.

    PyTorch is asked where it is loaded, and never loaded for it. The driver does not know: in a container it says another
    process id, and in WSL and on Windows no bytes.
    """
    return {uuid: reserved + CUDA_CONTEXT for uuid, (_, reserved) in _in_torch().items() if reserved}


def probe(
    home: pathlib.Path,
    cuda_visible_devices: str | None = None,
    cuda_device_order: str = "PCI_BUS_ID",
    held: Callable[[], dict[str, int]] = held_by_torch,
) -> Hardware:
    """Look at the machine. `home` is where runs are kept: its disk is the one that counts.

    What this process has `held` counts as free: a resident model makes room for the next.
    """
    seen = [] if cuda_visible_devices == "" else driver.DRIVER.cards()
    there = _gpus(visible(seen or [], cuda_visible_devices, cuda_device_order), held())
    judged = [(card, _unusable(card, torch_cuda())) for card in there]
    cards = [card for card, wrong in judged if wrong is None]
    troubles = [wrong for _, wrong in judged if wrong is not None]
    if seen is None:
        troubles = [Notice(code="hardware.driver_silent", level="warning")]
    total, free = container.memory()
    existing = next(path for path in (home, *home.parents) if path.exists())
    cpuinfo = _cpuinfo()
    return Hardware(
        system=platform.system(),
        cpu=_field(cpuinfo, "model name") or platform.processor() or platform.machine(),
        cores=_cores(),
        cpu_bf16=bool({"amx_bf16", "avx512_bf16"} & set(_field(cpuinfo, "flags").split())),
        memory_total=total,
        memory_free=free,
        disk_free=shutil.disk_usage(existing).free,
        gpus=cards,
        apple=_apple(total, free),
        wheels=wheels.installed(),
        notes=[*troubles, *_notes(cards)] if cards else troubles[1:] or ([] if troubles else _no_card()),
        trouble=None if cards or not troubles else troubles[0],
    )


def _cores() -> int:
    """Cores that are computed with: those this process may use, and no more than whoever started it told PyTorch in the environment."""
    return min(container.cores(), settings.threads() or container.cores())


def uuid_of(device: str) -> str | None:
    """The UUID of the card that this process calls `device`, whatever another one calls it; None where the driver does not say."""
    if not on_nvidia(device):
        return None
    number = device.removeprefix("cuda:")
    if number and not number.isdecimal():
        return _bare(number)
    cards = _gpus(visible(driver.DRIVER.cards() or [], *settings.visible_cards()), {})
    return next((_bare(card.uuid) for card in cards if card.index == int(number or 0) and card.uuid), None)


def best(gpus: list[Gpu]) -> Gpu:
    """The card with the most free memory."""
    return max(gpus, key=lambda card: card.memory_free)


def _notes(cards: list[Gpu]) -> list[Notice]:
    used, notes = best(cards), []
    if len(cards) > 1:
        notes.append(Notice(code="hardware.several", params={"count": len(cards), "card": used.name}))
    taken = used.memory_total - used.memory_free
    if taken > OTHERS:
        notes.append(Notice(code="hardware.shared", level="warning", params={"card": used.name, "used": taken / 2**30}))
    return notes


def _no_card() -> list[Notice]:
    """Graphics of other makers: Apple's, which is asked for by name, and AMD's, which this version does not train on."""
    vendors = {path.read_text(encoding="ascii").strip() for path in pathlib.Path("/sys/class/drm").glob("card*/device/vendor")}
    return [Notice(code=code) for code, there in (("hardware.apple", _has_apple()), ("hardware.amd", AMD in vendors)) if there]


def _has_apple() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _apple(total: int, free: int) -> Gpu | None:
    """Apple's graphics cores, which share the memory of the machine."""
    if not _has_apple():
        return None
    most = int(total * (METAL_MUCH if total > MUCH else METAL))
    return Gpu(index=0, name="Apple", memory_total=most, memory_free=min(most, free), compute_capability=0.0)


def torch_cuda() -> str | None:
    """The CUDA version that the installed PyTorch was built for, read from its files; None for a build without."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    text = pathlib.Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    match = re.search(r"^cuda\b[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return match.group(1) if match else None


def _unusable(card: Gpu, cuda: str | None) -> Notice | None:
    version = metadata.version("torch").partition("+")[0]
    if cuda is None:
        return Notice(code="hardware.torch_without_cuda", level="warning", params={"card": card.name, "version": version})
    oldest = OLDEST_DRIVER.get(cuda.partition(".")[0])
    major = card.driver.partition(".")[0]
    if oldest is not None and major.isdigit() and int(major) < oldest:
        params = {"card": card.name, "driver": card.driver, "cuda": cuda, "oldest": oldest}
        return Notice(code="hardware.driver_old", level="warning", params=params)
    lowest, highest = SUPPORTED.get(cuda.partition(".")[0], (0.0, 99.0))
    facts = {"card": card.name, "capability": str(card.compute_capability)}
    if card.compute_capability > highest:
        return Notice(code="hardware.card_new", level="warning", params=facts)
    if card.compute_capability < lowest:
        return Notice(code="hardware.card_old", level="warning", params={**facts, "cuda": cuda, "version": version})
    return None


def _cpuinfo() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _field(cpuinfo: str, name: str) -> str:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _in_torch() -> dict[str, tuple[int, int]]:
    """By uuid the number of each card and the bytes reserved on it, where this process has begun to use them."""
    cuda: Any = sys.modules.get("torch.cuda")
    begun = getattr(cuda, "is_initialized", None)  # not there yet while another thread imports it
    if begun is None or not begun():
        return {}
    try:
        return {_bare(str(cuda.get_device_properties(n).uuid)): (n, cuda.memory_reserved(n)) for n in range(cuda.device_count())}
    except RuntimeError:  # a card that has failed says no more
        return {}


def visible(cards: list[Gpu], wanted: str | None, order: str) -> list[Gpu]:
    """The cards that CUDA shows this process, each with the number that it has there: N of "cuda:N".

    `cards` come as the driver counts them, by PCI bus. `wanted` is CUDA_VISIBLE_DEVICES: numbers in `order`
    (CUDA_DEVICE_ORDER), or beginnings of uuids. As CUDA has it, one that is not there ends the list, and one twice empties it;
    of a card that is partitioned (MIG) one instance is shown, where no other is named.
    """
    ordered = cards if order == "PCI_BUS_ID" else sorted(cards, key=_guessed_speed, reverse=True)
    whole = [card for place, card in enumerate(ordered) if not card.pci or card.pci not in {other.pci for other in ordered[:place]}]
    if wanted is None:
        ordered = whole
    else:
        named = [_named(part.strip(), ordered, whole) for part in wanted.split(",")]
        shown = list(itertools.takewhile(lambda card: card is not None, named))
        ordered = [card for card in shown if card is not None and shown.count(card) == 1]
        ordered = ordered if len(ordered) == len(shown) else []
    return [card.model_copy(update={"index": number}) for number, card in enumerate(ordered)]


def _guessed_speed(card: Gpu) -> tuple[float, int]:
    """By what FASTEST_FIRST may sort: CUDA does not publish it. Once PyTorch uses the cards its numbers take the guess's place."""
    return card.compute_capability, card.memory_total


def _named(part: str, ordered: list[Gpu], whole: list[Gpu]) -> Gpu | None:
    if part.isdecimal():
        return whole[int(part)] if int(part) < len(whole) else None
    return next((card for card in ordered if part and card.uuid.startswith(part)), None)


def numbers() -> dict[str, int]:
    """The N of "cuda:N" of each card, by uuid, as PyTorch counts in this process; empty until it has begun to use them."""
    return {uuid: number for uuid, (number, _) in _in_torch().items()}


def _gpus(cards: list[Gpu], held: dict[str, int]) -> list[Gpu]:
    """Visible cards with PyTorch's own numbers where it has given them, and with what this process holds counted as free."""
    known, found = numbers(), []
    agree = any(_bare(card.uuid) in known for card in cards)  # the driver and PyTorch write the same uuids
    for card in cards:
        uuid = _bare(card.uuid)
        if card.memory_total and (not agree or uuid in known):  # what the driver cannot describe cannot be planned for
            free = min(card.memory_total, card.memory_free + held.get(uuid, 0))
            found.append(card.model_copy(update={"index": known.get(uuid, card.index), "memory_free": free}))
    return sorted(found, key=lambda card: card.index)


def _bare(uuid: str) -> str:
    """As PyTorch writes it: without the driver's "GPU-" or "MIG-"."""
    return uuid.removeprefix("GPU-").removeprefix("MIG-")
