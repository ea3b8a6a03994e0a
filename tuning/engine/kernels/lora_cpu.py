"""LoRA's share of a layer on a processor: PEFT's sum in fewer passes over its numbers, and with less kept for the backward pass.

Of the input one copy is kept, which layers beside each other share, and of what dropout takes away a byte for each number. Where
a layer is not plain (DoRA, a bias, quantised weights) PEFT computes it.
"""

import math
from typing import Any

import torch
from peft.tuners import lora

from tuning.engine import upstream

BITS = 7
LOWEST = -(2**63)
WHOLE = {2: torch.int16, 4: torch.int32}  # by the bytes of a number


def kept(count: int, rate: float) -> torch.Tensor:
    """What dropout leaves, as int8 of shape (count,): -1 where a number stays, 0 where it goes, so that `&` drops it.

    Each random number of 64 bits decides for eight. Where `rate` lies between two of 128 parts, it is drawn by lot which of
    them this call takes, so that every number goes with just that probability.
    """
    draws = torch.empty(math.ceil(count / 8), dtype=torch.int64).random_(LOWEST, None).view(torch.int8)[:count]
    least = (torch.rand((), dtype=torch.float64) + rate * 2**BITS).floor().to(torch.int8)
    return draws.bitwise_and_(2**BITS - 1).neg_().add_(least - 1).bitwise_right_shift_(BITS)


def _dropped(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """`values` (tokens, width) without what `mask`, of as many bytes as they have numbers, takes away."""
    if mask is None:
        return values
    whole = WHOLE[values.itemsize]
    return (values.view(whole) & mask.to(whole).view(values.shape)).view(values.dtype)


class Added(torch.autograd.Function):
    """result += (dropout(x) A^T) B^T scaling: `result` (..., out), `x` (..., in), `a` (r, in), `b` (out, r).

    `result` is what the layer itself has just computed and nobody else has seen. It computes in the precision of `result`;
    `factor` is LoRA's scaling and dropout's 1 / (1 - rate) in one.
    """

    @staticmethod
    def forward(ctx: Any, result: torch.Tensor, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, factor: float, rate: float) -> Any:
        kind = result.dtype
        inputs = x.reshape(-1, x.shape[-1]).to(kind)
        mask = kept(inputs.numel(), rate) if rate else None
        inner = _dropped(inputs, mask) @ a.to(kind).t()
        ctx.save_for_backward(inputs, mask, inner, a, b)
        ctx.factor, ctx.kind, ctx.shape = factor, x.dtype, x.shape
        ctx.mark_dirty(result)
        result.view(-1, result.shape[-1]).addmm_(inner, b.to(kind).t(), alpha=factor)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        inputs, mask, inner, a, b = ctx.saved_tensors
        outer = gradient.reshape(-1, gradient.shape[-1])
        of_inner = (outer @ b.to(outer.dtype)).mul_(ctx.factor)
        of_b = (outer.t() @ inner).mul_(ctx.factor)
        of_a = of_inner.t() @ _dropped(inputs, mask)
        of_x = None
        if ctx.needs_input_grad[1]:
            of_x = _dropped(of_inner @ a.to(outer.dtype), mask).to(ctx.kind).view(ctx.shape)
        return gradient, of_x, of_a.to(a.dtype), of_b.to(b.dtype), None, None


class Quick(upstream.LoraVariant):  # type: ignore[misc]
    """PEFT's place for another way to compute an adapter of a layer."""

    @staticmethod
    def forward(module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any) -> torch.Tensor:
        dropout = module.lora_dropout[active_adapter]
        rate = dropout.p if isinstance(dropout, torch.nn.Dropout) and dropout.training else 0.0
        a, b = module.lora_A[active_adapter].weight, module.lora_B[active_adapter].weight
        added: torch.Tensor = Added.apply(result, x, a, b, module.scaling[active_adapter] / (1 - rate), rate)
        return added

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        return orig_weight + module.get_delta_weight(active_adapter).to(orig_weight.dtype)

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> None:
        orig_weight.data += module.get_delta_weight(active_adapter).to(orig_weight.dtype)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> torch.Tensor:
        return orig_weight - module.get_delta_weight(active_adapter).to(orig_weight.dtype)


def quicken(model: Any) -> None:
    """Have all plain LoRA layers of a model on a processor computed so, for every adapter that is there now."""
    for layer in model.modules():
        if type(layer) is lora.Linear:
            upstream.compute_adapters_by(layer, Quick)
