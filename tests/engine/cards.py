"""Cards that are not there: a run that was planned for one computes on the processor, and torch.cuda answers as it is told."""

import contextlib
import itertools
import os
import pathlib
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import yaml
from accelerate import Accelerator
from torch.nn import functional
from torch.nn.attention import varlen
from transformers import AutoModelForCausalLM, training_args

from tuning.engine.device import Device
from tuning.machine.hardware import Gpu
from tuning.runs.run_folder import Run
from tuning.studio import Studio

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


@dataclass
class Card:
    """What torch.cuda says of a card, of `count` alike; afterwards, what it was asked to do. `lost`: its context is gone."""

    memory: int = 24 * GIB
    capability: tuple[int, int] = (8, 9)
    lost: bool = False
    count: int = 1  # so many like it
    loss_scale: float = 2.0**16  # at first, in fp16: torch's own
    done: list[str] = field(default_factory=list)

    @property
    def gpu(self) -> Gpu:
        """As the driver describes it."""
        capability = float("{}.{}".format(*self.capability))
        return Gpu(index=0, name="Card", memory_total=self.memory, memory_free=self.memory, compute_capability=capability, uuid="GPU-0")

    def answers(self) -> dict[str, Callable[..., Any]]:
        properties = types.SimpleNamespace(uuid="0", total_memory=self.memory, major=self.capability[0], minor=self.capability[1])
        return {
            "is_available": lambda: False,  # for the libraries, which are to compute on the processor
            "device_count": lambda: self.count,
            "set_device": lambda place: None,
            "get_device_properties": lambda number=0: properties,
            "get_rng_state": lambda place=None: torch.get_rng_state(),
            "get_rng_state_all": lambda: [torch.get_rng_state()],
            "set_rng_state": lambda state, place=None: torch.set_rng_state(state),
            "empty_cache": lambda: None,
            "reset_peak_memory_stats": lambda place=None: None,
            "max_memory_reserved": lambda place=None: GIB,
            "memory_reserved": lambda place=None: GIB // 2,
        }


def _asked_by_us() -> bool:
    return f"{os.sep}tuning{os.sep}" in sys._getframe(1).f_code.co_filename


def whole(patch: pytest.MonkeyPatch, studio: Studio, card: Card | None = None, apple: bool = False) -> Card:
    """A machine with one card, or Apple's graphics cores, from plan to report: our code takes itself to be on it, and torch.cuda answers.

    Numbers are computed by the processor. Only the kernel that has no form for one is replaced; bitsandbytes brings its own.
    """
    card = card or Card()
    played(patch, card, apple)
    there = {"apple": card.gpu, "gpus": []} if apple else {"gpus": [card.gpu]}
    found = studio.shared.probe().model_copy(update={**there, "trouble": None, "notes": []})
    patch.setattr(studio.shared, "_hardware", (float("inf"), found))
    return card


def played(patch: pytest.MonkeyPatch, card: Card, apple: bool = False) -> None:
    """What `whole` does, but for the plan's view of the machine."""
    place, load, cast = Device.place.fget, AutoModelForCausalLM.from_pretrained, torch.autocast
    assert place is not None

    def answered(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            if card.lost:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            card.done.append(name)
            return answer(*values, **named)

        return answer if name == "is_available" else call

    def here(device: Device) -> torch.device:
        place(device)
        return torch.device("cpu")

    for name, answer in card.answers().items():
        patch.setattr(torch.cuda, name, answered(name, answer))
    patch.setattr(Device, "place", property(here))
    for name in ("get_rng_state", "set_rng_state", "empty_cache"):
        patch.setattr(torch.mps, name, answered(f"mps.{name}", card.answers()[name]))
    patch.setattr(torch.mps, "driver_allocated_memory", lambda: GIB)
    patch.setattr(torch.backends.mps if apple else torch.cuda, "is_available", _asked_by_us)
    patch.setattr(Device, "of", classmethod(lambda cls, there: cls("mps:0" if apple else "cuda:0")))
    patch.setattr(torch, "autocast", lambda device_type, **named: cast("cpu", **named))
    loaded = staticmethod(lambda *values, **named: load(*values, **{**named, "device_map": None}))
    patch.setattr(AutoModelForCausalLM, "from_pretrained", loaded)
    patch.setattr(Accelerator, "__init__", with_scaler(card))
    patch.setattr(varlen, "varlen_attn", by_rows)
    patch.setattr(training_args, "is_torch_bf16_gpu_available", lambda: True)


def with_scaler(card: Card) -> Callable[..., None]:
    """What makes an accelerator, with the loss scaler that it has for fp16 on a card; the processor has one that computes the same."""
    begin = Accelerator.__init__

    def made(accelerator: Accelerator, *values: Any, **named: Any) -> None:
        begin(accelerator, *values, **named)
        if accelerator.state.mixed_precision == "fp16":
            accelerator.native_amp, accelerator.scaler = True, torch.amp.GradScaler("cpu", init_scale=card.loss_scale)

    return made


def by_rows(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, starts: torch.Tensor, *_: Any,
    scale: float | None = None, window_size: tuple[int, int] = (-1, -1), enable_gqa: bool = False,
) -> torch.Tensor:  # fmt: skip
    """What torch's kernel for packed rows gives, (tokens, heads, size), by the way that it has for a processor."""
    assert window_size == (-1, 0)
    done = []
    for first, last in itertools.pairwise(starts.tolist()):
        some = [tensor[first:last].transpose(0, 1)[None] for tensor in (query, key, value)]
        found = functional.scaled_dot_product_attention(*some, is_causal=True, scale=scale, enable_gqa=enable_gqa)
        done.append(found[0].transpose(0, 1))
    return torch.cat(done)
