"""Where a run would be: the machine it is planned for, and which of its devices in which precision. Pure.

What of the settings follows from the model and the data is `plan`'s business.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tuning.errors import InputError
from tuning.forecast import duration
from tuning.machine.hardware import Gpu, Hardware, best
from tuning.schema import ActivationProfile, ModelCard, Notice, Record, TrainSettings, on_card, on_nvidia

GIB = 2**30
BF16 = 8.0  # compute capability (Ampere) from which on a card computes in it; older ones imitate it, slowly
Lookup = Callable[[ModelCard, TrainSettings], ActivationProfile | None]


class Calibration(Record):
    """What finished runs have shown on this machine. None where there were none."""

    operations_per_second: float | None = None
    core_speed: float | None = None  # of matrix products in 32 bits, measured before any run: operations per second of a core
    libraries_bytes: int | None = None  # taken before a model is there
    memory_ratio: float | None = None  # of what rows and batches change: measured over predicted


@dataclass(frozen=True)
class Machine:
    """Where a run would be: what there is, what finished runs have shown, and what is known of the model's activations.

    With `gpu_memory` in GB it is planned for a card of that size instead. `processes`: as many train the run together, each on a card of
    its own or on the one processor; `here` of them on this machine.
    """

    hardware: Hardware
    calibration: Calibration
    gpu_memory: float | None = None
    profile: Lookup = lambda card, settings: None
    processes: int = 1
    here: int = 1
    shared_by: str | None = None  # how a launcher wants the model in shares; see `shares`


def together(asked: TrainSettings, machine: Machine) -> Machine:
    """With a process for each card, where all are asked for and no launcher has said how many there are.

    Raises InputError on Windows, where there is no NCCL.
    """
    every = asked.device in ("all", "shard")
    if every and machine.hardware.system == "Windows":
        raise InputError("plan.unsupported", key="device", value=asked.device)
    if not every or machine.processes > 1 or machine.gpu_memory is not None:
        return machine
    return replace(machine, processes=max(1, len(machine.hardware.gpus)), here=max(1, len(machine.hardware.gpus)))


def _cards(machine: Machine, device: str) -> list[Gpu]:
    """The cards of this machine that a run on `device` computes on; none on a processor."""
    if machine.here > 1 and on_nvidia(device):
        return machine.hardware.gpus[: machine.here]
    there = machine.hardware.card(device)
    return [there] if on_card(device) and there is not None else []


def device(asked: TrainSettings, machine: Machine, notices: list[Notice]) -> dict[str, Any]:
    """The device as a setting: of several cards the first, for each process takes its own. Raises InputError for one that is not there."""
    hardware, gpu_memory = machine.hardware, machine.gpu_memory
    open_ = asked.device in ("auto", "all", "shard")
    if not asked.on_card or (open_ and not hardware.gpus and gpu_memory is None):
        notices.append(Notice(code="plan.device_cpu", params={"cores": hardware.cores}))
        if hardware.gpus:
            slower = round(duration.FIRST_GUESS_GPU / (hardware.cores * duration.FIRST_GUESS_CORE))
            params = {"card": hardware.gpus[0].name, "slower": slower}
            notices.append(Notice(code="plan.device_spared", level="warning", params=params))
        return {"device": "cpu"}
    if asked.on_nvidia and machine.here > max(1, len(hardware.gpus)) and gpu_memory is None:
        raise InputError("plan.one_card_each", processes=machine.here, count=len(hardware.gpus))
    if open_ or gpu_memory is not None:
        first = hardware.gpus[0] if machine.here > 1 and hardware.gpus else best(hardware.gpus) if hardware.gpus else None
        return {"device": f"cuda:{first.index if first else 0}" if open_ else asked.device}
    if hardware.card(asked.device) is None:
        raise InputError("plan.no_device", device=asked.device, count=len(hardware.gpus))
    if not asked.on_nvidia:
        notices.append(Notice(code="plan.device_apple", level="warning"))
    return {"device": asked.device}


def precision(asked: TrainSettings, machine: Machine, device: str, notices: list[Notice]) -> str:
    """The precision: one that all cards of the run compute in quickly."""
    hardware = machine.hardware
    old = [card for card in _cards(machine, device) if on_nvidia(device) and card.compute_capability < BF16]
    if asked.precision == "bf16" and old:
        notices.append(Notice(code="plan.precision_card", params={"card": old[0].name}))
        return "fp16"
    if asked.precision == "fp16" and not on_card(device):
        chosen = "bf16" if hardware.cpu_bf16 else "fp32"
        notices.append(Notice(code="plan.precision_cpu", level="warning", params={"precision": chosen}))
        return chosen
    if asked.precision != "auto":
        return asked.precision
    if on_card(device):
        return "fp16" if old else "bf16"
    chosen = "bf16" if hardware.cpu_bf16 else "fp32"  # for small models too: tests/bench/precision.py
    notices.append(Notice(code=f"plan.precision_{chosen}"))
    return chosen


def available(machine: Machine, settings: TrainSettings) -> int:
    """Bytes that are free where the run would be: of several cards, on the one with the least."""
    if not settings.on_card:
        return machine.hardware.memory_free
    if machine.gpu_memory is not None:
        return int(machine.gpu_memory * GIB)
    return min(card.memory_free for card in _cards(machine, settings.device))
