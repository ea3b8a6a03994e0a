"""A device that a run uses: the processor (`cpu`), a card (`cuda:1`, or `cuda:` and its UUID) or Apple's GPU (`mps`).

All that differs between them for the engine is asked here; nobody else compares a device's name.
"""

import contextlib
import ctypes
import errno
import gc
import pathlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from safetensors import SafetensorError

from tuning.engine import upstream
from tuning.machine import container
from tuning.schema import on_card

SPARE = 256 * 2**20  # bytes of main memory below which the system may end the process any moment
CLEAR_REFS = pathlib.Path("/proc/self/clear_refs")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}  # by the names of the setting `precision`
OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError)
# The driver and Triton ("out of memory"), cuBLAS, cuDNN and cuSOLVER (a status), PyTorch's allocator on Linux and on Windows.
WORDS = re.compile(r"out of memory|ALLOC(ATION)?_FAILED|can(no|')t allocate memory|not enough memory", re.IGNORECASE)


@dataclass(frozen=True)
class Device:
    """A device by its name in the settings."""

    name: str

    @classmethod
    def of(cls, place: torch.device) -> "Device":
        """The device that PyTorch says a tensor or a model is on."""
        return cls(str(place))

    @property
    def kind(self) -> str:
        """PyTorch's name for devices of this kind: cpu, cuda or mps."""
        return self.name.partition(":")[0]

    @property
    def on_card(self) -> bool:
        """Whether it has a memory of its own, or one that its driver hands out."""
        return on_card(self.name)

    @property
    def place(self) -> torch.device:
        """PyTorch's own device, as a tensor there names it. Raises ValueError for the UUID of a card that is not there."""
        if self.kind == "mps":
            return torch.device(self.kind, 0)
        if self.kind != "cuda":
            return torch.device(self.kind)
        number = self.name.partition(":")[2]
        return torch.device("cuda", int(number or 0) if number.isdigit() or not number else _index(number))

    # What is computed in which way.

    @property
    def substitutes(self) -> bool:
        """Whether LoRA of `lora_cpu` and attention of `attention.PackedAttention` take the place of the libraries' own.

        The one switch for both: they are written for a processor, and quicker there.
        """
        return not self.on_card

    def autocast(self, dtype: torch.dtype, enabled: bool = True) -> torch.autocast:
        """Compute in `dtype` what can be computed in 16 bits."""
        return torch.autocast(self.kind, dtype=dtype, enabled=enabled)

    # Which device this process uses.

    def select(self) -> None:
        """Make this card the one that calls of torch.cuda without a device mean, in this process."""
        if self.kind == "cuda" and torch.cuda.is_available():
            torch.cuda.set_device(self.place)

    def claim(self, args: Any) -> None:
        """Have a trainer with these TrainingArguments compute here, and on no second card.

        transformers takes the first card for any, and all cards that it sees for DataParallel, which TRL refuses.
        """
        here = args.device  # found once, and kept: it has to be found before it is replaced
        upstream.use_one_card(args)
        if here.type == "cuda" == self.kind and args.world_size == 1:
            upstream.put_arguments_on(args, self.place)
        self.select()

    def alive(self) -> bool:
        """Whether it still computes: after a fatal fault of a card each call of CUDA raises that fault again. A full one does."""
        try:
            return bool(torch.ones(2, device=self.place).sum().item() == 2)
        except RuntimeError as error:
            return ran_out(error)

    # Random state.

    def random_state(self) -> torch.Tensor | None:
        """The random state of the card; None of a processor, whose state is PyTorch's global one."""
        return torch.cuda.get_rng_state(self.place) if self.kind == "cuda" else torch.mps.get_rng_state() if self.kind == "mps" else None

    def put_random_state(self, state: torch.Tensor | None) -> None:
        """Put back what `random_state` returned."""
        if state is not None and self.kind == "cuda":
            torch.cuda.set_rng_state(state, self.place)
        elif state is not None:
            torch.mps.set_rng_state(state)

    @contextlib.contextmanager
    def forked(self) -> Iterator[None]:
        """While this is open random numbers are drawn that change no later ones."""
        state = self.random_state()
        with torch.random.fork_rng(devices=[]):
            try:
                yield
            finally:
                self.put_random_state(state)

    # Memory. Nothing here waits for the card.

    def forget_peak(self) -> None:
        """Count the peak anew from now, so that a run does not report an earlier one's. Not possible for a processor but on Linux.

        What answers and a report have left unused is given back first: a card counts what is reserved.
        """
        release()
        if self.kind == "cuda":
            torch.cuda.reset_peak_memory_stats(self.place)
        elif CLEAR_REFS.exists():
            CLEAR_REFS.write_text("5", encoding="ascii")  # proc(5): resets the peak resident set size

    def peak_bytes(self) -> int:
        """Most memory in use since `forget_peak`: reserved on a card, resident in this process for a processor.

        Apple's driver keeps no peak: there it is what is in use now.
        """
        if self.kind == "cuda":
            return int(torch.cuda.max_memory_reserved(self.place))
        if self.kind == "mps":
            return self.memory_bytes()
        if sys.platform == "win32":
            return int(psutil.Process().memory_info().peak_wset)
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

    def memory_bytes(self) -> int:
        """Memory in use now, counted as `peak_bytes` counts it."""
        if self.kind == "cuda":
            return int(torch.cuda.memory_reserved(self.place))
        return int(torch.mps.driver_allocated_memory() if self.kind == "mps" else psutil.Process().memory_info().rss)

    def short(self) -> bool:
        """Whether memory is about to run out where nobody would be told: of a processor's the system ends a process, a card raises."""
        return not self.on_card and container.memory()[1] < SPARE


def computes() -> bool:
    """Whether the card that this process uses still computes; yes where it has used none, or asked for one that is not there."""
    try:
        return not torch.cuda.is_initialized() or Device(f"cuda:{torch.cuda.current_device()}").alive()
    except RuntimeError:
        return False


def ran_out(error: BaseException) -> bool:
    """Whether memory was missing. A CPU's allocator, a map of a file and the libraries of a card say so in words only."""
    if isinstance(error, OUT_OF_MEMORY) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError | OSError | SafetensorError) and WORDS.search(str(error)) is not None


def release() -> None:
    """Give back the memory that nobody uses. It never raises: it is called where something has gone wrong already.

    After a fatal fault of a card each call of CUDA raises the same fault again, this one too.
    """
    gc.collect()
    with contextlib.suppress(RuntimeError):
        torch.cuda.empty_cache()  # does nothing as long as no card is in use
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
    with contextlib.suppress(OSError):
        give_back = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
        if give_back is not None:  # glibc keeps what is free; other libraries for C know no such thing
            give_back(0)


def _index(uuid: str) -> int:
    """CUDA's number of the card with this UUID. Raises ValueError where there is none."""
    wanted = uuid.removeprefix("GPU-").lower()
    cards = [str(torch.cuda.get_device_properties(number).uuid).lower() for number in range(torch.cuda.device_count())]
    return cards.index(wanted)
