"""Keys and values of what a model has read and said, kept so that nothing is read twice: between the turns of a conversation, and of an
answer that is given in slices.

It holds transformers' caches by the tokens that made them, within so many bytes, the latest. It generates nothing, and whoever wants the
memory may take all of it at any moment: an answer without it is the same, and later.
"""

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from transformers import DynamicCache
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from tuning.engine import upstream
from tuning.engine.device import ran_out, release
from tuning.forecast.memory import KEPT

T = TypeVar("T")
SAMPLE = 8  # numbers of each weight by which it is seen whether the weights have moved: an optimizer changes all of them
ALIKE = 0.5  # of what is kept that has to be common, or it is another conversation, which is not to lose its own


@dataclass
class _Entry:
    key: Hashable
    marks: bytes
    tokens: list[int]
    cache: Any
    size: int


class KeyValues:
    """What is kept, the oldest first. `key` says whose it is and who speaks, `marks` by which weights; see `weight_marks`."""

    def __init__(self, most: int = KEPT) -> None:
        """At most so many bytes."""
        self._most = most
        self._entries: list[_Entry] = []

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return sum(entry.size for entry in self._entries)

    def take(self, key: Hashable, marks: bytes, ids: Sequence[int]) -> tuple[Any, int]:
        """The cache of the longest beginning of `ids` that was kept, and how many tokens that is, at most all but one; None and 0.

        The cache is the caller's then. What was made by other weights is let go.
        """
        self._entries = [entry for entry in self._entries if entry.key != key or entry.marks == marks]
        best, length = None, 0
        for entry in self._entries:
            common = _common(entry.tokens, ids[:-1]) if entry.key == key else 0
            if common > length and common >= ALIKE * len(entry.tokens) and _can_be_cropped(entry.cache, len(entry.tokens) - common):
                best, length = entry, common
        if best is None:
            return None, 0
        self._entries.remove(best)
        if length < len(best.tokens):
            best.cache.crop(length - len(best.tokens))
        return best.cache, length

    def keep(self, key: Hashable, marks: bytes, tokens: Sequence[int], cache: Any, sliced: bool = False) -> None:
        """Keep the cache of `tokens`, of which it may lack the last. The oldest others go where there is no room for all.

        `sliced`: it goes on by one token at a time. Else a recurrent one is not kept, which cannot go on by several.
        """
        if type(cache) is not DynamicCache or not (sliced or _goes_on(cache)):
            return
        size = sum(tensor.untyped_storage().nbytes() for layer in cache.layers for tensor in _tensors(vars(layer)))
        self._entries.append(_Entry(key, marks, list(tokens[: cache.get_seq_length()]), cache, size))
        self._shrink()

    def forget(self) -> int:
        """Let go of everything; how many bytes that were."""
        size, self._entries = self.size, []
        return size

    def sparing(self, work: Callable[[], T]) -> T:
        """Do `work`; where memory runs out in it, once more without what is kept."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error) or not self.forget():
                raise
        release()
        return work()

    @contextlib.contextmanager
    def within(self, most: int) -> Iterator[None]:
        """While this is open at most so many bytes are kept."""
        before, self._most = self._most, most
        self._shrink()
        try:
            yield
        finally:
            self._most = before

    def _shrink(self) -> None:
        while self.size > self._most:
            del self._entries[0]


def weight_marks(model: Any, name: str | None) -> bytes:
    """What tells the weights that a run changes from what they were: of the adapter that PEFT calls `name`, of None all of them."""
    some = [tensor for key, tensor in model.named_parameters() if name is None or f".{name}." in f"{key}."]
    if not some:
        return b""
    numbers = [tensor.detach().reshape(-1)[:: max(1, tensor.numel() // SAMPLE)].float() for tensor in some]
    written = torch.tensor([upstream.writes(tensor) for tensor in some])
    return bytes(written.numpy().tobytes() + torch.cat(numbers).cpu().numpy().tobytes())


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((at for at, (mine, its) in enumerate(zip(one, other, strict=False)) if mine != its), min(len(one), len(other)))


def _goes_on(cache: Any) -> bool:
    """Whether several tokens at once can follow it: it holds keys and values, or nothing where a layer takes those of another, and no state
    of a recurrent layer."""
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer, DummyLayer) for layer in cache.layers)


def _can_be_cropped(cache: Any, count: int) -> bool:
    """Whether the last `count` tokens can be taken from it: a window that has slid has let go of those before."""
    return not count or all(
        type(layer) in (DynamicLayer, DummyLayer)
        or (type(layer) is DynamicSlidingWindowLayer and layer.get_seq_length() < layer.sliding_window)
        for layer in cache.layers
    )


def _tensors(values: dict[Any, Any]) -> Iterator[torch.Tensor]:
    for value in values.values():
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, dict):
            yield from _tensors(value)
