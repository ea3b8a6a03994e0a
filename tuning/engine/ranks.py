"""The processes of one distributed training (torchrun, accelerate launch): which one this is, and what they do and decide together.

Rank 0 alone plans, decides and writes; the others take their share of each step. A process that trains alone is the only rank there
is, and nothing here costs it anything. How a share is computed is the trainer's affair.
"""

import contextlib
import datetime
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import torch
from torch import distributed

from tuning.engine.device import ran_out
from tuning.errors import EngineError, RunError
from tuning.schema import Notice, on_nvidia

logger = logging.getLogger(__name__)

T = TypeVar("T")
WAITING = datetime.timedelta(days=30)  # for rank 0, which may have to fetch a model and to wait for a card
RUN, FAULT = "sartoria/run", "sartoria/fault"  # keys of the launcher's store
BUCKET = 16 * 2**20  # numbers that are summed at once
FAULT_SECONDS = 3.0  # in which a rank that ends has said why
TRANSPORT = re.compile(r"\bgloo\b|\bNCCL\b")  # in what the libraries below torch.distributed say
LATE = re.compile(r"timed? ?out", re.IGNORECASE)


class Short(MemoryError):
    """Memory ran out in one of the processes, and all of them know it."""


@dataclass
class Ranks:
    """The processes of a training. `number` is this one's rank of `count` in all, `local` its place among those `here` on its machine.

    `lost` says that one of them is gone: this one is alone from then on, to save what there is. `shares` says that each has a share of the
    base model's layers, so that every forward and backward pass is one of all of them, and none can be done again by one.
    """

    number: int = 0
    count: int = 1
    local: int = 0
    here: int = 1
    lost: bool = False
    shares: bool = False
    _store: Any = field(default=None, repr=False)

    @property
    def main(self) -> bool:
        """Whether this is the one that writes."""
        return self.number == 0

    @property
    def several(self) -> bool:
        """Whether there is anybody to work with."""
        return self.count > 1 and not self.lost

    @property
    def further(self) -> bool:
        """Whether this one is on another machine than rank 0."""
        return self.number != self.local

    def device(self, planned: str) -> str:
        """The device of this process: the planned one, or on a machine with a card for each process its own."""
        return f"cuda:{self.local}" if self.count > 1 and planned.startswith("cuda") else planned

    def require_cards(self, planned: str) -> None:
        """Raises RunError `run.one_card_each` where there is no card for each process of this machine."""
        there = torch.cuda.device_count() if self.count > 1 and on_nvidia(planned) else self.here
        if max(self.here, self.local + 1) > there:
            raise RunError("run.one_card_each", processes=self.here, count=there)

    # Coming together, and parting.

    def _launcher(self) -> Any:
        """The key-value store of the launcher, or else of rank 0."""
        if self._store is None:
            self._store = next(distributed.rendezvous("env://", timeout=WAITING))[0]
        return self._store

    def call(self, run: str) -> None:
        """Tell the others which run is trained. For rank 0, once it has the run's lock."""
        if self.count > 1:
            with self._collective():
                self._launcher().set(RUN, run)

    def called(self) -> str:
        """Wait for rank 0 to say which run is trained: its id."""
        with self._collective():
            return str(self._launcher().get(RUN).decode())

    def join(self, device: str, seconds: float) -> None:
        """Begin to work together. From now on one that does not answer for so many `seconds` is given up."""
        if self.count > 1:
            with self._collective():
                store = distributed.PrefixStore(f"sartoria/{self.count}", self._launcher())
                backend = "cpu:gloo,cuda:nccl" if on_nvidia(device) else "gloo"
                limit = datetime.timedelta(seconds=seconds)
                distributed.init_process_group(backend, store=store, rank=self.number, world_size=self.count, timeout=limit)

    def leave(self) -> None:
        """All is done together that had to be; each goes on, or ends, by itself."""
        if self.count > 1 and distributed.is_initialized():
            with contextlib.suppress(RuntimeError):
                distributed.destroy_process_group()

    # What all of them call at the same place.

    def first(self, value: T) -> T:
        """What rank 0 has as `value`."""
        if not self.several:
            return value
        box = [value]
        with self._collective():
            distributed.broadcast_object_list(box, src=0)
        return box[0]

    def all(self, value: T) -> list[T]:
        """The `value` of each process, by rank."""
        if not self.several:
            return [value]
        found: list[Any] = [None] * self.count
        with self._collective():
            distributed.all_gather_object(found, value)
        return found

    def together(self, work: Callable[[], T]) -> T:
        """Do `work`, which calls nothing of this. Raises Short in all processes where memory ran out in one of them.

        In a model that they share the others are in the middle of a layer then, and wait for this one: it is as good as gone.
        """
        if not self.several or self.shares:
            return work()
        short: str | None = None
        try:
            found = work()
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            short = str(error) or type(error).__name__
        told = next((one for one in self.all(short) if one is not None), None)
        if told is not None:
            raise Short(told)
        return found

    def add(self, tensors: Sequence[torch.Tensor]) -> None:
        """Put the sum over all processes in the place of each tensor. Raises Short in all of them where one has no memory for it."""
        if self.several:
            for some in _buckets(tensors):
                flat = self.together(lambda: _flat(some))  # noqa: B023
                with self._collective():
                    distributed.all_reduce(flat)
                for tensor, summed in zip(some, flat.split([tensor.numel() for tensor in some]), strict=True):
                    tensor.copy_(summed.view_as(tensor))

    def even(self, tensors: Sequence[torch.Tensor]) -> None:
        """Put what rank 0 has in the place of each tensor."""
        if self.several:
            with self._collective():
                for tensor in tensors:
                    distributed.broadcast(tensor, src=0)

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do `work`, on each machine one process after the other: its memory may have no room for what all of them take meanwhile."""
        for turn in range(max(self.all(self.here))):
            if turn == self.local:
                found = work()
            self.all(None)
        return found

    def fill(self, batches: list[T], blank: T) -> list[T]:
        """As many batches as the process with the most has, where passes are those of all of them: `blank` ones behind one's own."""
        most = max(self.all(len(batches))) if self.shares else 0
        return batches + [blank] * (most - len(batches))

    # Sharing out.

    def share(self, lengths: Sequence[int]) -> list[int]:
        """The places in `lengths` that are this process's: the longest first, each to whoever has the least so far."""
        totals, mine = [0] * self.count, []
        for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
            least = totals.index(min(totals))
            totals[least] += lengths[place]
            if least == self.number:
                mine.append(place)
        return mine if self.count > 1 else list(range(len(lengths)))

    # What goes wrong.

    def parted_by(self, error: BaseException) -> bool:
        """Whether the others know nothing of `error`, so that this process is alone from now on, to save what there is.

        They wait for it elsewhere, and would take whatever it asked of all for an answer to that.
        """
        if self.count > 1 and not isinstance(error, Short):
            self.lost = True
        return self.lost

    def tell(self, reason: str | None, notice: Notice) -> None:
        """Say why this process ends, for rank 0 to write down."""
        with contextlib.suppress(RuntimeError):
            self._launcher().set(FAULT, json.dumps({"reason": reason, "code": notice.code, "params": notice.params}))

    @contextlib.contextmanager
    def _collective(self) -> Iterator[None]:
        """What fails in here, fails for another process. Raises EngineError with what is known of it."""
        try:
            yield
        except (RuntimeError, ValueError) as error:
            if ran_out(error):
                raise
            self._give_up(error)

    @contextlib.contextmanager
    def of_others(self) -> Iterator[None]:
        """What libraries do together in here fails as what is done here does. Raises EngineError for that, all else as it is."""
        try:
            yield
        except RuntimeError as error:
            if not self.several or ran_out(error) or not (isinstance(error, distributed.DistError) or TRANSPORT.search(str(error))):
                raise
            self._give_up(error)

    def _give_up(self, error: BaseException) -> NoReturn:
        """Raises EngineError: why a process of this training does not answer any more, by its own words where it has said any."""
        self.lost = True
        if LATE.search(str(error)):
            raise EngineError("train.rank_late", reason="process", processes=self.count) from error
        told = self._fault()
        if told is not None:
            raise EngineError(told["code"], told["reason"], **told["params"]) from error
        raise EngineError("train.rank_lost", reason="process", processes=self.count) from error

    def _fault(self) -> dict[str, Any] | None:
        if not self.main or self._store is None:
            return None
        until = time.monotonic() + FAULT_SECONDS
        with contextlib.suppress(RuntimeError, ValueError):
            while time.monotonic() < until:
                if self._store.check([FAULT]):
                    found: dict[str, Any] = json.loads(self._store.get(FAULT))
                    return found
                time.sleep(0.1)
        return None


ALONE = Ranks()


def _flat(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """All numbers of some tensors one behind the other."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _buckets(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Tensors of one type and device, as many as are summed at once."""
    some: list[torch.Tensor] = []
    for tensor in sorted(tensors, key=lambda tensor: str(tensor.dtype)):
        full = sum(one.numel() for one in some) + tensor.numel() > BUCKET
        if some and (full or some[0].dtype != tensor.dtype):
            yield some
            some = []
        some.append(tensor)
    if some:
        yield some
