"""The rows of an optimizer step as micro-batches without waste: packed into sequences, or alike in length and padded.

Which rows a step has is the sampler's affair: packed or padded, in few micro-batches or many, it learns the same from them.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import AttentionInterface

from tuning.engine import attention
from tuning.engine.tokens import IGNORED

Row = dict[str, list[int]]
Batch = dict[str, torch.Tensor]
APART = "apart"  # the name of the attention below; transformers makes no mask for a name that it has none for
# What the attention here cannot keep: bent scores, sinks, windows that are no window, positions told by a mask.
UNPACKABLE = ("attn_logit_softcapping", "attention_chunk_size", "alibi")


def arrange(rows: Sequence[Row], most_tokens: int, packed: bool) -> list[list[Row]]:
    """`rows` as micro-batches of at most `most_tokens` positions each, padding counted; the longest rows first.

    Packed: best fit, decreasing (Johnson, 1973). Padded: neighbours in length. A row that is longer stands alone.
    """
    ordered = sorted(rows, key=lambda row: -len(row["input_ids"]))
    if packed:
        return _best_fit(ordered, most_tokens)
    groups: list[list[Row]] = []
    for row in ordered:
        if groups and (len(groups[-1]) + 1) * len(groups[-1][0]["input_ids"]) <= most_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _best_fit(rows: Sequence[Row], most_tokens: int) -> list[list[Row]]:
    bins: list[list[Row]] = []
    room: list[int] = []
    for row in rows:
        length = len(row["input_ids"])
        fitting = [place for place, free in enumerate(room) if free >= length]
        if fitting:
            place = min(fitting, key=room.__getitem__)
            bins[place].append(row)
            room[place] -= length
        else:
            bins.append([row])
            room.append(most_tokens - length)
    return bins


def learned(rows: Sequence[Row]) -> int:
    """Tokens with a label; the first of a row follows nothing, and is never learned."""
    return sum(label != IGNORED for row in rows for label in row["labels"][1:])


def packed(rows: Sequence[Row], device: torch.device) -> tuple[Batch, list[int]]:
    """Rows one behind the other: input_ids, labels, position_ids of shape (1, tokens), and the length of each row.

    Positions begin anew with each row, and no row is the label of the one before it.
    """
    lengths = [len(row["input_ids"]) for row in rows]
    batch = {
        "input_ids": [token for row in rows for token in row["input_ids"]],
        "labels": [label for row in rows for label in (IGNORED, *row["labels"][1:])],
        "position_ids": [place for length in lengths for place in range(length)],
    }
    return {name: torch.tensor([values], device=device) for name, values in batch.items()}, lengths


def packable(config: Any) -> bool:
    """Do all layers of a model attend in a way that `apart` keeps? `config` is that of its text model."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    odd = any(getattr(config, name, None) for name in UNPACKABLE)
    return kinds <= {"full_attention", "sliding_attention", "attention"} and not odd


@contextlib.contextmanager
def apart(model: Any, lengths: list[int], attend: attention.Attend = attention.separately) -> Iterator[None]:
    """While this is open the attention of `model` keeps packed rows of these lengths apart; for forward and backward.

    `attend` is the way in which it does.
    """
    config = model.config
    before = config._attn_implementation
    _open.append((attention.Packed.of(lengths, model.device), attend))
    config._attn_implementation = APART
    try:
        yield
    finally:
        config._attn_implementation = before
        _open.pop()


# The packed rows at hand, and how they attend; only the engine's one thread packs, and autograd's beside it.
_open: list[tuple[attention.Packed, attention.Attend]] = []


def _apart(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention of each row to itself.

    `query`, `key`, `value`: (1, heads, tokens, size of a head). Returns (1, tokens, heads, size of a head).
    """
    rows, attend = _open[-1]
    return attend(query, key, value, rows, dropout, scaling, sliding_window), None


AttentionInterface.register(APART, _apart)
