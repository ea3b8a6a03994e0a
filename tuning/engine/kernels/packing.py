"""The rows of an optimizer step as micro-batches without waste: packed into sequences, or alike in length and padded.

Which rows a step has is the sampler's affair: packed or padded, in few micro-batches or many, it learns the same from them.
"""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from tuning.engine import upstream
from tuning.engine.kernels import attention, short_rows, try_out
from tuning.tokens.labels import IGNORED
from tuning.tokens.lengths import best_fit

TokenRow = dict[str, Any]  # input_ids and labels: lists of numbers, or tensors
Batch = dict[str, torch.Tensor]
APART = "apart"  # the name of the attention below, for which transformers makes no mask
# Arguments that models hand on to every attention, and that say nothing about how packed rows attend.
HARMLESS = frozenset(
    {"is_causal", "position_ids", "use_cache", "cache_position", "output_attentions", "output_hidden_states", "output_router_logits"}
)


def arrange(rows: Sequence[TokenRow], most_tokens: int, packed: bool) -> list[list[TokenRow]]:
    """`rows` as micro-batches of at most `most_tokens` positions each, padding counted; the longest rows first.

    Packed: by best fit. Padded: neighbours in length. A row that is longer stands alone.
    """
    ordered = sorted(rows, key=lambda row: -len(row["input_ids"]))
    if packed:
        return _put_together(ordered, most_tokens)
    groups: list[list[TokenRow]] = []
    for row in ordered:
        if groups and (len(groups[-1]) + 1) * len(groups[-1][0]["input_ids"]) <= most_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _put_together(rows: Sequence[TokenRow], most_tokens: int) -> list[list[TokenRow]]:
    waiting, made = iter(rows), list[list[TokenRow]]()
    having: dict[int, list[list[TokenRow]]] = defaultdict(list)  # those of `made` by the room that they have left
    lengths = [min(len(row["input_ids"]), most_tokens) for row in rows]
    for length, left, count, sequences in best_fit(lengths, most_tokens):
        for _ in range(sequences):
            one = having[left].pop() if left < most_tokens else []
            if not one:
                made.append(one)
            one.extend(itertools.islice(waiting, count))
            having[left - count * length].append(one)
    return made


def tensors(rows: Sequence[TokenRow]) -> list[TokenRow]:
    """The rows with their numbers as tensors, which a micro-batch joins without looking at each."""
    return [{name: torch.as_tensor(values) for name, values in row.items()} for row in rows]


def learned(rows: Sequence[TokenRow]) -> int:
    """Tokens with a label; the first of a row follows nothing, and is never learned."""
    return sum(int((torch.as_tensor(row["labels"])[1:] != IGNORED).sum()) for row in rows)


def unlearned(row: TokenRow) -> TokenRow:
    """The first tokens of `row`, of which none is learned: a pass over it changes nothing."""
    ids = torch.as_tensor(row["input_ids"])[:2]
    return {"input_ids": ids, "labels": torch.full_like(ids, IGNORED)}


def packed(rows: Sequence[TokenRow], device: torch.device) -> tuple[Batch, list[int]]:
    """Rows one behind the other: input_ids, labels, position_ids of shape (1, tokens), and the length of each row.

    Positions begin anew with each row, and no row is the label of the one before it.
    """
    lengths = [len(row["input_ids"]) for row in rows]
    batch = {
        "input_ids": torch.cat([torch.as_tensor(row["input_ids"]) for row in rows]),
        "labels": torch.cat([torch.as_tensor(row["labels"]) for row in rows]),
        "position_ids": torch.cat([torch.arange(length) for length in lengths]),
    }
    batch["labels"][[0, *itertools.accumulate(lengths[:-1])]] = IGNORED
    return {name: values[None].to(device) for name, values in batch.items()}, lengths


def fits(model: Any, attend: attention.Attend, works: try_out.Works = try_out.works) -> bool:
    """Whether the rows of a packed sequence get the hidden states that each gets alone, by the model's own attention.

    `model` is a causal language model; it computes as it will in training, autocast included. `works` tries it.
    """
    return works("packing", lambda: _try(model, attend))


def _try(model: Any, attend: attention.Attend) -> None:
    """Raises whatever the model does with packed rows, or ArithmeticError where its hidden states are others."""

    def states(**inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model.base_model(**inputs, use_cache=False).last_hidden_state
        return found.detach()

    with short_rows.undisturbed(model):
        rows = short_rows.rows(model)
        batch, lengths = packed(rows, model.device)
        with apart(model, lengths, attend):
            together = states(input_ids=batch["input_ids"], position_ids=batch["position_ids"])[0].split(lengths)
        for row, found in zip(rows, together, strict=True):
            ids = row["input_ids"][None].to(model.device)
            far = short_rows.difference(found, states(input_ids=ids, attention_mask=torch.ones_like(ids))[0])
            if not far <= short_rows.STATES[short_rows.narrow(model)]:
                raise ArithmeticError(f"packed rows differ from rows alone by {far:.5f}")


@contextlib.contextmanager
def apart(model: Any, lengths: list[int], attend: attention.Attend = attention.separately) -> Iterator[None]:
    """While this is open the attention of `model` keeps packed rows of these lengths apart; for forward and backward.

    `attend` is the way in which it does.
    """
    _open.append((attention.Packed.of(lengths, model.device), attend))
    try:
        with upstream.attention_by(model.config, APART):
            yield
    finally:
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
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention of each row to itself.

    Raises NotImplementedError for a mask, and for whatever else a model gives that is not known here (sinks, biases, soft caps).

    `query`, `key`, `value`: (1, heads, tokens, size of a head). Returns (1, tokens, heads, size of a head).
    """
    unknown = sorted(name for name, value in more.items() if value is not None and name not in HARMLESS)
    if unknown or attention_mask is not None or more.get("is_causal") is False:
        raise NotImplementedError(f"attention of packed rows with {unknown or 'a mask'}")
    rows, attend = _open[-1]
    return attend(query, key, value, rows, dropout, scaling, sliding_window), None


upstream.register_attention(APART, _apart)
