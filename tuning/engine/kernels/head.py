"""Loss of labelled tokens: summed for a training step, and on held-out rows the mean, so that exp(loss) is the perplexity.

Training, evaluation and report take the LM head here where it gives what the model's own forward gives, else that forward. It
uses no random numbers and leaves the model in the mode it was in.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from tuning.engine.device import ran_out, release
from tuning.engine.kernels import short_rows, try_out
from tuning.engine.kernels.packing import Batch, TokenRow, arrange
from tuning.forecast.activations import HEAD_TOKENS
from tuning.tokens.labels import IGNORED

Nll = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # states and targets of some tokens -> summed loss
# Factors of the LM head's result, as configurations name them.
MULTIPLIERS = ("logit_scale", "output_multiplier", "lm_head_multiplier")
_fits: "weakref.WeakKeyDictionary[Any, bool]" = weakref.WeakKeyDictionary()  # answers of `head_fits`


def causal(model: Any) -> Any:
    """The causal language model of transformers that `model` is, or that has its adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def pad(rows: Sequence[TokenRow], pad_id: int, device: torch.device) -> Batch:
    """Rows of different lengths as one right-padded batch: input_ids, attention_mask, labels of shape (rows, longest)."""

    def padded(values: list[torch.Tensor], filler: int) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=filler).to(device)

    ids = [torch.as_tensor(row["input_ids"]) for row in rows]
    return {
        "input_ids": padded(ids, pad_id),
        "attention_mask": padded([torch.ones_like(one) for one in ids], 0),
        "labels": padded([torch.as_tensor(row["labels"]) for row in rows], IGNORED),
    }


def nll(model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Summed negative log-likelihood of the labelled tokens, in nats, and their number: by our head, or by the model's own forward."""
    return labelled_nll(model, batch) if head_fits(model) else own_nll(model, batch)


def head_fits(model: Any) -> bool:
    """Whether `labelled_nll` gives the loss of the model's own forward; tried once for each causal language model in memory.

    Raises torch.OutOfMemoryError where there is no room to try.
    """
    if model not in _fits:
        _fits[model] = try_out.works("the LM head", lambda: _try_head(model))
    return _fits[model]


def _try_head(model: Any) -> None:
    """Raises whatever the model does without its own forward, or ArithmeticError where its loss is another one."""
    with short_rows.undisturbed(model), torch.no_grad():
        batch = pad(short_rows.rows(model), 0, model.device)
        ours, own = labelled_nll(model, batch)[0].item(), own_nll(model, batch)[0].item()
        if not abs(ours - own) <= short_rows.LOSS[short_rows.narrow(model)] * abs(own):
            raise ArithmeticError(f"{ours:.4f} nats, the model's own forward has {own:.4f}")


def own_nll(model: Any, batch: Batch, router: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The same by the model's own forward and loss, with the logits of all tokens. `router`: with its experts' auxiliary loss."""
    count = (batch["labels"][:, 1:] != IGNORED).sum()
    more = {"output_router_logits": router} if hasattr(model.config.get_text_config(), "output_router_logits") else {}
    result = model(**batch, use_cache=False, **more)
    return (result.loss * count if count else result.logits.sum() * 0.0), count


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

    def loss(some: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(scaled(head(some), config).float(), wanted, reduction="sum")

    if torch.is_grad_enabled() and any(parameter.requires_grad for parameter in head.parameters()):
        return loss(states, targets)
    total: torch.Tensor = _Sliced.apply(states, targets, loss)
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
    """What a family does to the LM head's result: Granite divides it, Cohere and HyperCLOVA X multiply it, Gemma 2 bends it."""
    if getattr(config, "logits_scaling", None) not in (None, 1.0):
        scaling = config.logits_scaling
        logits = logits * scaling if config.model_type == "hyperclovax" else logits / scaling
    for name in MULTIPLIERS:
        if getattr(config, name, None) not in (None, 1.0):
            logits = logits * getattr(config, name)
    cap = getattr(config, "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


def mean_loss(model: Any, rows: list[TokenRow], pad_id: int, batch_size: int, between: Callable[[], None] = lambda: None) -> float:
    """Mean loss per learned token over all rows, in nats; the rest as of `total_loss`."""
    total, count = total_loss(model, rows, pad_id, batch_size, between)
    return total / max(1, count)


def total_loss(
    model: Any,
    rows: list[TokenRow],
    pad_id: int,
    batch_size: int,
    between: Callable[[], None] = lambda: None,
    together: Callable[[list[list[TokenRow]]], list[list[TokenRow]]] | None = None,
) -> tuple[float, int]:
    """Summed loss over all rows, in nats, and how many tokens are learned. `between` is called after every batch: a chance for a chat.

    `together` fills the batches up to what every other process has, where a pass is one of all of them; none is halved then.

    `model` may be a PeftModel; the adapter that is active counts. A batch has as many tokens as `batch_size` of the longest
    rows; one that is too much for the memory is halved. Raises torch.OutOfMemoryError where a single row is too much.
    """
    inner = causal(model)
    training = model.training
    model.eval()
    total, count = 0.0, 0
    try:
        batches = arrange(rows, batch_size * max((len(row["input_ids"]) for row in rows), default=1), packed=False)
        for some in together(batches) if together else batches:
            loss, tokens = _nll(inner, some, pad_id, halves=together is None)
            total, count = total + loss, count + tokens
            model.train(training)
            between()
            model.eval()
    finally:
        model.train(training)
    return total, count


def _nll(causal: Any, rows: list[TokenRow], pad_id: int, halves: bool = True) -> tuple[float, int]:
    """Summed loss and number of learned tokens; in `halves` where memory runs out."""
    try:
        with torch.no_grad():
            batch = pad(rows, pad_id, next(causal.parameters()).device)
            loss, tokens = nll(causal, batch)
        return loss.item(), int(tokens.item())
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error) or len(rows) == 1 or not halves:
            raise
    release()
    found = [_nll(causal, some, pad_id) for some in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]
    return sum(loss for loss, _ in found), sum(tokens for _, tokens in found)
