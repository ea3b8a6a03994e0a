"""The machines that Hugging Face Jobs rent out ("flavours"), as a plan reckons with them, and what they cost. Pure arithmetic.

What a run takes is the forecast's affair; which machine is chosen is the user's.
"""

import re
from typing import Any

from tuning.machine.driver import Gpu
from tuning.machine.hardware import CUDA_CONTEXT, Hardware
from tuning.schema import Record

GIB = 2**30
MINUTES = {"second": 1 / 60, "minute": 1.0, "hour": 60.0}
# Compute capability, and dense 16-bit operations per second as NVIDIA's data sheets give them.
CARDS = {
    "T4": (7.5, 65e12),
    "A10G": (8.6, 70e12),
    "L4": (8.9, 121e12),
    "L40S": (8.9, 362e12),
    "A100": (8.0, 312e12),
    "H100": (9.0, 989e12),
    "H200": (9.0, 989e12),
    "RTX PRO 6000": (12.0, 503e12),
}
USABLE = 0.93  # of what is listed: an L4 of "24 GB" says that it has 22.5
UNKNOWN = (8.0, 130e12)
REACHED = 0.3  # share of those that a run is first taken to reach; a rented run that has finished knows better
CORE = 6e9  # operations per second of a processor's core, as the forecast guesses them
SETUP_SECONDS = 180.0  # image, PyTorch with CUDA and the other packages
MODEL_BYTES_PER_SECOND = 100e6
SPARE_SECONDS = 600.0  # that the highest price allows beyond twice the forecast, where nobody has set one


class Flavour(Record):
    """One machine with at most one card. Memory and disk in bytes, the price in US dollars."""

    name: str
    title: str
    usd_per_minute: float
    cores: int
    memory: int
    disk: int
    card: str | None
    card_memory: int
    compute_capability: float
    operations_per_second: float

    def hardware(self) -> Hardware:
        """What the machine would say of itself."""
        free = self.card_memory - CUDA_CONTEXT
        card = Gpu(
            index=0,
            name=self.card or "",
            memory_total=self.card_memory,
            memory_free=free,
            compute_capability=self.compute_capability,
        )
        return Hardware(
            system="Linux",
            cpu=self.title,
            cores=self.cores,
            cpu_bf16=False,
            memory_total=self.memory,
            memory_free=int(0.9 * self.memory),
            disk_free=self.disk,
            gpus=[card] if self.card else [],
        )

    def price(self, seconds: float) -> float:
        """What so many seconds cost, in dollars."""
        return seconds / 60 * self.usd_per_minute

    def seconds(self, usd: float) -> int:
        """How long the machine may be had for so many dollars."""
        return int(60 * usd / self.usd_per_minute)

    def most(self, seconds: float) -> float:
        """The highest price of a run that is expected to take so long, where nobody has set another."""
        return self.price(2 * seconds + SPARE_SECONDS)


def known(listed: list[Any]) -> list[Flavour]:
    """The flavours among what the Hub lists (`JobHardwareInfo`) that one process can train on: with one NVIDIA card, or none."""
    return [flavour for one in listed if (flavour := _read(one)) is not None]


def setup_seconds(parameters: int) -> float:
    """From the start of a machine to that of the training, with a model of so many parameters to fetch."""
    return SETUP_SECONDS + 2 * parameters / MODEL_BYTES_PER_SECOND


def _read(one: Any) -> Flavour | None:
    card, cores, memory = one.accelerator, _number(one.cpu), _number(one.ram) * GIB
    per = MINUTES.get(one.unit_label)
    if per is None or one.unit_cost_usd <= 0 or not cores or not memory:
        return None
    if card is not None and (str(card.quantity) != "1" or card.manufacturer.lower() != "nvidia" or not _number(card.vram)):
        return None
    name = card.model if card is not None else None
    capability, peak = CARDS.get(str(name).upper().removeprefix("NVIDIA ").strip(), UNKNOWN)
    return Flavour(
        name=one.name,
        title=one.pretty_name,
        usd_per_minute=one.unit_cost_usd / per,
        cores=int(cores),
        memory=int(memory),
        disk=int(_number(one.ephemeral_storage) * GIB) or 20 * GIB,
        card=name,
        card_memory=int(USABLE * _number(card.vram) * GIB) if card is not None else 0,
        compute_capability=capability,
        operations_per_second=REACHED * peak if card is not None else CORE * cores,
    )


def _number(text: str) -> float:
    """16 of "16 GB", 1024 times as much of "1 TB"."""
    found = re.match(r"\s*([\d.]+)\s*([A-Za-z]*)", str(text))
    return float(found[1]) * (1024 if found[2].upper().startswith("T") else 1) if found else 0.0
