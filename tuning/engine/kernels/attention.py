"""How packed rows attend, each to itself: one call for each row anywhere, one call for all of them where a card has a kernel for it.

Kernels come from PyTorch and from the wheel flash-attn where somebody has installed it; never from the Hub. No kernel is
trusted: before a run uses one, it has to give what the plain way gives, forward and backward.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from tuning.engine import upstream
from tuning.engine.device import Device
from tuning.engine.kernels import try_out
from tuning.forecast.activations import BLOCK, LONGEST

# Largest difference of a kernel's result from the plain way's, by the size of the latter: 16 bits round to 1 / 256.
TOLERANCE = 0.03
TRIED = (5, 33, 1, 64)  # tokens of the rows that a kernel is tried on
SLIDING = 16  # tokens of the window, where a model has one


@dataclass(frozen=True)
class Packed:
    """Rows one behind the other: how long each is, and where each begins, with the end of the last (int32, on their device)."""

    lengths: list[int]
    starts: torch.Tensor

    @classmethod
    def of(cls, lengths: list[int], device: torch.device) -> "Packed":
        return cls(lengths, torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device))

    @property
    def longest(self) -> int:
        return max(self.lengths)


# Query, key and value of shape (1, heads, tokens, size of a head), the rows, dropout, scale and sliding window
# -> (1, tokens, heads, size of a head)
Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Packed, float, float | None, int | None], torch.Tensor]


def separately(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    rows: Packed,
    dropout: float = 0.0,
    scale: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """Each row for itself: as much work as the rows have alone, where a mask would make it that of their sum squared."""
    narrow = query.dtype == torch.bfloat16 and not dropout and torch.is_grad_enabled() and Device.of(query.device).substitutes

    def some(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        if narrow and max(lengths) <= LONGEST:
            done: torch.Tensor = PackedAttention.apply(query, key, value, lengths, scale, window)
            return done
        length = query.shape[2]
        mask = None if window is None or length <= window else ~_unseen(length, 0, window, query.device)
        done = functional.scaled_dot_product_attention(
            query, key, value, mask, dropout, is_causal=mask is None, scale=scale, enable_gqa=query.shape[1] != key.shape[1]
        )
        return done.transpose(1, 2)

    if len(rows.lengths) == 1 or (narrow and rows.longest <= LONGEST):
        return some(query, key, value, rows.lengths).contiguous()
    pieces = zip(query.split(rows.lengths, 2), key.split(rows.lengths, 2), value.split(rows.lengths, 2), strict=True)
    return torch.cat([some(*piece, [piece[0].shape[2]]) for piece in pieces], 1)


def _unseen(queries: int, before: int, window: int | None, device: torch.device) -> torch.Tensor:
    """Who is not looked at, (queries, before + queries): what comes later, and what lies before the window.

    The keys are those of the queries, and of so many tokens `before` them.
    """
    full = torch.ones(queries, before + queries, dtype=torch.bool, device=device)
    return full.triu(before + 1) if window is None else full.triu(before + 1) | full.tril(before - window)


@functools.lru_cache(maxsize=64)  # all layers ask for the same blocks
def _unseen_scores(queries: int, before: int, window: int | None) -> torch.Tensor:
    """What is added to scores, (queries, before + queries): 0, or -inf for the unseen."""
    return torch.zeros(queries, before + queries).masked_fill_(_unseen(queries, before, window, torch.device("cpu")), -math.inf)


def _blocks(length: int, window: int | None) -> Iterator[tuple[int, int, int]]:
    """The queries of a row in blocks of like size: the first key that a block looks at, its first query, and where both end."""
    size = math.ceil(length / math.ceil(length / BLOCK))
    for start in range(0, length, size):
        yield max(0, start + 1 - window) if window else 0, start, min(length, start + size)


class PackedAttention(torch.autograd.Function):
    """Causal attention of packed rows, each to itself, (1, tokens, heads, size): query (1, heads, tokens, size), key and value of
    as many heads or of fewer, how long the rows are, scale and window.

    In 16 bits on a processor PyTorch's kernel takes longer than the products themselves do, with all scores of some queries at
    once. They are computed in 32 bits, as the kernel has them; what is kept is each query's shares, in 16.
    """

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: list[int], scale: float | None, window: int | None
    ) -> torch.Tensor:
        heads, tokens, size = key.shape[1:]
        ctx.scale = size**-0.5 if scale is None else scale
        ctx.lengths, ctx.window = lengths, window if window and window < max(lengths) else None
        done = torch.empty(1, tokens, query.shape[1], value.shape[-1], dtype=value.dtype)
        asked, told = (tensor.unflatten(0, (heads, -1)) for tensor in (query[0], done[0].transpose(0, 1)))
        kept = []
        for first, last in itertools.pairwise([0, *itertools.accumulate(lengths)]):
            scaled, known = asked[:, :, first:last].float() * ctx.scale, key[0, :, first:last].float().transpose(1, 2)
            for low, start, end in _blocks(last - first, ctx.window):
                queries, before = end - start, start - low if ctx.window else 0  # without a window whatever lies before is seen
                scores = torch.bmm(scaled[:, :, start:end].reshape(heads, -1, size), known[:, :, low:end])
                scores.unflatten(1, (-1, queries))[..., -(before + queries) :] += _unseen_scores(queries, before, ctx.window)
                kept.append(torch.softmax(scores, -1).to(value.dtype))
                part = told[:, :, first + start : first + end]
                part.copy_(torch.bmm(kept[-1], value[0, :, first + low : first + end]).view(part.shape))
        ctx.save_for_backward(query, key, value, *kept)
        return done

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        query, key, value, *kept = ctx.saved_tensors
        heads, blocks = key.shape[1], iter(kept)
        of_query, of_key, of_value = (torch.empty_like(tensor) for tensor in (query, key, value))
        asked, sent, of_asked = (tensor.unflatten(0, (heads, -1)) for tensor in (query[0], gradients[0][0].transpose(0, 1), of_query[0]))
        for first, last in itertools.pairwise([0, *itertools.accumulate(ctx.lengths)]):
            for low, start, end in _blocks(last - first, ctx.window):
                shares, mine, seen = next(blocks), slice(first + start, first + end), slice(first + low, first + end)
                given = sent[:, :, mine].reshape(*shares.shape[:2], -1)
                of_shares = torch.bmm(given * ctx.scale, value[0, :, seen].transpose(1, 2))
                of_scores = upstream.of_scores(of_shares, shares)
                part = of_asked[:, :, mine]
                part.copy_(torch.bmm(of_scores, key[0, :, seen]).view(part.shape))
                to_key = torch.bmm(of_scores.transpose(1, 2), asked[:, :, mine].reshape(*shares.shape[:2], -1))
                for whole, more in ((of_key, to_key), (of_value, torch.bmm(shares.transpose(1, 2), given))):
                    whole[0, :, mine] = more[:, start - low :]  # this block is the first to look at its own keys
                    whole[0, :, first + low : first + start] += more[:, : start - low]
        return of_query, of_key, of_value, None, None, None


def varlen(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    rows: Packed,
    dropout: float = 0.0,
    scale: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """PyTorch's kernel for rows of different lengths, which knows no dropout: rows are taken one by one where there is some."""
    from torch.nn.attention.varlen import varlen_attn  # it loads the compiler, which takes a second

    if dropout or value.shape[-1] != query.shape[-1]:
        return separately(query, key, value, rows, dropout, scale, window)
    grouped, (query, key, value) = query.shape[1] != key.shape[1], _flat(query, key, value)
    reach = (_reach(rows, window), 0)
    starts, longest = rows.starts, rows.longest
    done: torch.Tensor = varlen_attn(
        query, key, value, starts, starts, longest, longest, scale=scale, window_size=reach, enable_gqa=grouped
    )
    return done[None]


def flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    rows: Packed,
    dropout: float = 0.0,
    scale: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """The same by the wheel flash-attn (Dao, 2023), dropout too."""
    from flash_attn import flash_attn_varlen_func

    if value.shape[-1] != query.shape[-1]:
        return separately(query, key, value, rows, dropout, scale, window)
    query, key, value = _flat(query, key, value)
    starts, longest = rows.starts, rows.longest
    done: torch.Tensor = flash_attn_varlen_func(
        query,
        key,
        value,
        cu_seqlens_q=starts,
        cu_seqlens_k=starts,
        max_seqlen_q=longest,
        max_seqlen_k=longest,
        dropout_p=dropout,
        softmax_scale=scale,
        causal=True,
        window_size=(_reach(rows, window), 0),
    )
    return done[None]


# By the names of the setting `attn_implementation`.
WAYS: dict[str, Attend] = {"sdpa": separately, "varlen": varlen, "flash_attention_2": flash}


def _flat(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """(tokens, heads, size of a head), in 16 bits where autocast would compute so: it does not know these kernels."""
    device = tensors[0].device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensors[0].dtype
    return tuple(tensor[0].transpose(0, 1).to(dtype) for tensor in tensors)


def _reach(rows: Packed, window: int | None) -> int:
    """How many tokens back is looked; -1 for all. A window counts the token itself."""
    return -1 if window is None or window >= rows.longest else window - 1


def working(name: str, config: Any, device: torch.device, dtype: torch.dtype, works: try_out.Works = try_out.works) -> tuple[Attend, str]:
    """The way `name`, or the first after it that gives what the plain one gives on this device; and its name.

    `config` is that of the text model: its heads and its window are tried, by `works`.
    """
    order = ["flash_attention_2", "varlen", "sdpa"]
    for other in order[order.index(name) :]:
        if other == "sdpa" or works(f"attention by {other}", functools.partial(_try, WAYS[other], config, device, dtype)):
            return WAYS[other], other
    raise AssertionError("sdpa is always there")


def _try(way: Attend, config: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Raises whatever the kernel does, or ArithmeticError where its result is another one. No random number of a run is used."""
    heads = config.num_attention_heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    dice = torch.Generator().manual_seed(0)
    rows = Packed.of(list(TRIED), device)

    def made(count: int) -> torch.Tensor:
        return torch.randn(1, count, sum(TRIED), size, generator=dice).to(device, dtype).requires_grad_()

    inputs = made(heads), made(groups), made(groups)
    weights = torch.randn(1, sum(TRIED), heads, size, generator=dice).to(device, dtype)
    for window in (None, SLIDING) if getattr(config, "sliding_window", None) else (None,):
        results = []
        for one in (separately, way):
            done = one(*inputs, rows, 0.0, None, window)
            results.append((done.detach(), *torch.autograd.grad(done, inputs, weights)))
        for right, other in zip(*results, strict=True):
            difference = (other.float() - right.float()).abs().max() / right.float().abs().max()
            if other.shape != right.shape or not difference <= TOLERANCE:
                raise ArithmeticError(f"differs by {difference.item():.3f}")
