"""Loss on rows that were not trained on, counted per learned token, so that exp(loss) is the perplexity.

It uses no random numbers and leaves the model in the mode it was in.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from tuning.engine.device import release
from tuning.engine.healing import ran_out
from tuning.engine.packing import Batch, Row, arrange
from tuning.engine.tokens import IGNORED
from tuning.plan.activations import HEAD_TOKENS

Nll = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # states and targets of some tokens -> summed loss


def causal(model: Any) -> Any:
    """The causal language model of transformers that `model` is, or that has its adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def pad(rows: list[Row], pad_id: int, device: torch.device) -> Batch:
    """Rows of different lengths as one right-padded batch: input_ids, attention_mask, labels of shape (rows, longest)."""
    width = max(len(row["input_ids"]) for row in rows)

    def fill(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (width - len(values))

    return {
        "input_ids": torch.tensor([fill(row["input_ids"], pad_id) for row in rows], device=device),
        "attention_mask": torch.tensor([fill([1] * len(row["input_ids"]), 0) for row in rows], device=device),
        "labels": torch.tensor([fill(row["labels"], IGNORED) for row in rows], device=device),
    }


def labelled_nll(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed negative log-likelihood of the labelled tokens, in nats, and their number.

    The LM head is applied to the labelled positions only. `model` is a causal language model of transformers, with LoRA layers
    inside or not; its hidden states have the shape (rows, length, hidden).
    """
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    hidden = model.base_model(**inputs, use_cache=False).last_hidden_state
    targets = batch["labels"][:, 1:]
    chosen = targets != IGNORED
    return summed_nll(model, hidden[:, :-1][chosen], targets[chosen]), chosen.sum()


def summed_nll(model: Any, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed loss of the LM head over `states` (tokens, hidden), in nats.

    It takes HEAD_TOKENS of them at a time, with their gradients: 128,000 scores for each, in 16 bits and in 32, fill a memory
    sooner than the layers do. Where the head itself is trained, all of them are taken at once.
    """
    head, config = model.get_output_embeddings(), model.config.get_text_config()

    def nll(some: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(scaled(head(some), config).float(), wanted, reduction="sum")

    if torch.is_grad_enabled() and any(parameter.requires_grad for parameter in head.parameters()):
        return nll(states, targets)
    total: torch.Tensor = _Sliced.apply(states, targets, nll)
    return total


class _Sliced(torch.autograd.Function):
    """Summed loss, whose gradients are computed slice by slice on the way: the scores of one slice are there at a time."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, targets: torch.Tensor, nll: Nll) -> torch.Tensor:
        total = torch.zeros((), device=states.device)
        slope = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        for place in range(0, len(states), HEAD_TOKENS):
            some, wanted = (tensor[place : place + HEAD_TOKENS].detach() for tensor in (states, targets))
            with torch.set_grad_enabled(slope is not None):
                loss = nll(some.requires_grad_(slope is not None), wanted)
            if slope is not None:
                slope[place : place + HEAD_TOKENS] = torch.autograd.grad(loss, some)[0]
            total += loss.detach()
        ctx.save_for_backward(slope)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (slope,) = ctx.saved_tensors
        return slope * gradients[0], None, None


def scaled(logits: torch.Tensor, config: Any) -> torch.Tensor:
    """What a family does to the LM head's result: Granite divides it, Cohere multiplies it, Gemma 2 bends it."""
    if getattr(config, "logits_scaling", None) not in (None, 1.0):
        logits = logits / config.logits_scaling
    if getattr(config, "logit_scale", None) not in (None, 1.0):
        logits = logits * config.logit_scale
    cap = getattr(config, "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def plain_head(model: Any) -> bool:
    """Is nothing done to the LM head's result but what `scaled` knows?"""
    config = model.config.get_text_config()
    return all(getattr(config, name, None) in (None, 1.0) for name in ("output_multiplier", "lm_head_multiplier"))


def mean_loss(model: Any, rows: list[Row], pad_id: int, batch_size: int, between: Callable[[], None] = lambda: None) -> float:
    """Mean loss per learned token over all rows, in nats. `between` is called after every batch: a chance to answer a chat.

    `model` may be a PeftModel; the adapter that is active counts. A batch has as many tokens as `batch_size` of the longest
    rows; one that is too much for the memory is halved. Raises torch.OutOfMemoryError where a single row is too much.
    """
    inner = causal(model)
    training = model.training
    model.eval()
    total, count = 0.0, 0
    try:
        for some in arrange(rows, batch_size * max((len(row["input_ids"]) for row in rows), default=1), packed=False):
            loss, tokens = _nll(inner, some, pad_id)
            total, count = total + loss, count + tokens
            model.train(training)
            between()
            model.eval()
    finally:
        model.train(training)
    return total / max(1, count)


def _nll(causal: Any, rows: list[Row], pad_id: int) -> tuple[float, int]:
    """Summed loss and number of learned tokens; in halves where memory runs out."""
    try:
        with torch.no_grad():
            batch = pad(rows, pad_id, next(causal.parameters()).device)
            if plain_head(causal):
                loss, tokens = labelled_nll(causal, batch)
            else:
                tokens = (batch["labels"][:, 1:] != IGNORED).sum()
                loss = causal(**batch, use_cache=False).loss * tokens
        return loss.item(), int(tokens.item())
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error) or len(rows) == 1:
            raise
    release()
    halves = [_nll(causal, some, pad_id) for some in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]
    return sum(loss for loss, _ in halves), sum(tokens for _, tokens in halves)
