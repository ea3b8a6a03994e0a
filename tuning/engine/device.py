"""A device that a run uses: the processor (`cpu`), a card (`cuda:1`, or `cuda:` and its UUID) or Apple's GPU (`mps`).

All that differs between them for the engine is asked here; nobody else compares a device's name.
"""

import contextlib
import ctypes
import gc
import sys
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Device:
    """A device by its name in the settings."""

    name: str

    @property
    def kind(self) -> str:
        """PyTorch's name for devices of this kind: cpu, cuda or mps."""
        return self.name.partition(":")[0]

    @property
    def place(self) -> torch.device:
        """PyTorch's own device."""
        if self.kind != "cuda":
            return torch.device(self.kind)
        number = self.name.partition(":")[2]
        return torch.device("cuda", int(number or 0) if number.isdigit() or not number else _index(number))

    def select(self) -> None:
        """Make this card the one that calls of torch.cuda without a device mean, in this process."""
        if self.kind == "cuda" and torch.cuda.is_available():
            torch.cuda.set_device(self.place)

    def claim(self, args: Any) -> None:
        """Have a trainer with these TrainingArguments compute here, and on no second card.

        transformers takes the first card for any, and all cards that it sees for DataParallel, which TRL refuses.
        """
        here = args.device  # found once, and kept: it has to be found before it is replaced
        args._n_gpu = min(1, args.n_gpu)
        if here.type == "cuda" == self.kind and args.world_size == 1:
            args.__dict__["_setup_devices"] = args.distributed_state.device = self.place
        self.select()

    def alive(self) -> bool:
        """Whether it still computes: after a fatal fault of a card each call of CUDA raises that fault again."""
        try:
            return bool(torch.ones(2, device=self.place).sum().item() == 2)
        except RuntimeError:
            return False


def release() -> None:
    """Give back the memory that nobody uses. It never raises: it is called where something has gone wrong already.

    After a fatal fault of a card each call of CUDA raises the same fault again, this one too.
    """
    gc.collect()
    with contextlib.suppress(RuntimeError):
        torch.cuda.empty_cache()  # does nothing as long as no card is in use
    with contextlib.suppress(OSError):
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
        if give_back is not None:  # glibc keeps what is free; other libraries for C know no such thing
            give_back(0)


def _index(uuid: str) -> int:
    """CUDA's number of the card with this UUID. Raises ValueError where there is none."""
    wanted = uuid.removeprefix("GPU-").lower()
    cards = [str(torch.cuda.get_device_properties(number).uuid).lower() for number in range(torch.cuda.device_count())]
    return cards.index(wanted)
