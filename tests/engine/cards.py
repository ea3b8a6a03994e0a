"""Cards that are not there: a run that was planned for one computes on the processor, and torch.cuda answers as it is told."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from tuning.engine.device import Device
from tuning.runs.store import Run

GIB = 1 << 30


@contextlib.contextmanager
def stock() -> Iterator[None]:
    """The processor computes in the ways of a card: PEFT's LoRA, transformers' norms, PyTorch's attention."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Device, "substitutes", False)
        yield


def pretend(patch: pytest.MonkeyPatch, count: int) -> None:
    """So many cards are counted; what is to be loaded onto one of them stays on the processor."""
    load = AutoModelForCausalLM.from_pretrained

    def here(*values: Any, **named: Any) -> Any:
        return load(*values, **{**named, "device_map": None})

    patch.setattr(AutoModelForCausalLM, "from_pretrained", staticmethod(here))
    patch.setattr(torch.cuda, "device_count", lambda: count)
    patch.setattr(torch.cuda, "reset_peak_memory_stats", lambda *_: None)
    patch.setattr(torch.cuda, "max_memory_reserved", lambda *_: GIB)
    patch.setattr(torch.cuda, "memory_reserved", lambda *_: GIB)


def planned_for(run: Run, device: str, **changes: Any) -> Run:
    """The same run, on another device, with other settings that the plan of this machine would not choose."""
    path: pathlib.Path = run.folder / "spec.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    sft = {**spec["settings"]["sft"], **changes.pop("sft", {})}
    spec["settings"].update(changes, device=device, sft=sft)
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return Run(run.folder)
