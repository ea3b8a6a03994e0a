"""LoRA's share of a layer on a processor: PEFT's sum in fewer passes over its numbers, and with less kept for the backward pass.

Of the input one copy is kept, which layers beside each other share, and of what dropout takes away a byte for each number. Where
a layer is not plain (DoRA, a bias, quantised weights) PEFT computes it.
"""

import functools
import math
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners import lora

from tuning.engine import upstream
from tuning.errors import caught

TOLERANCE = {2: 0.03, 4: 1e-4}  # largest relative difference from PEFT's, by the bytes of a number
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
    """Have all plain LoRA layers of a model on a processor computed so, for every adapter that is there now.

    Where it does not agree with PEFT on this machine, PEFT computes them.
    """
    for layer in model.modules():
        if type(layer) is lora.Linear and agrees(layer.get_base_layer().weight.dtype):
            upstream.compute_adapters_by(layer, Quick)


@functools.cache
def agrees(dtype: torch.dtype) -> bool:
    """Whether a layer with weights of this type gives here what PEFT's gives, forward and backward. Uses no random number of a run."""

    def work() -> None:
        with torch.device("cpu"), torch.enable_grad(), torch.random.fork_rng(devices=[]):
            inner = torch.nn.Sequential(torch.nn.Linear(32, 24, dtype=dtype))
            made: Any = get_peft_model(inner, LoraConfig(r=4, target_modules=["0"], init_lora_weights=False))
            (layer,) = (module for module in made.modules() if type(module) is lora.Linear)
            given = torch.randn(6, 32, dtype=dtype, requires_grad=True)
            right = _results(layer, given)
            upstream.compute_adapters_by(layer, Quick)
            for wanted, found in zip(right, _results(layer, given), strict=True):
                if not (found - wanted).norm() <= TOLERANCE[dtype.itemsize] * wanted.norm():
                    raise ArithmeticError(f"LoRA in {dtype}")

    return caught(work, "LoRA's sums on a processor") is None


def _results(layer: Any, given: torch.Tensor) -> list[torch.Tensor]:
    """What a layer with an adapter gives, and the gradients of its input and of the adapter."""
    result = layer(given)
    weights = [given, *(parameter for parameter in layer.parameters() if parameter.requires_grad)]
    return [tensor.detach().float() for tensor in (result, *torch.autograd.grad(result.float().square().sum(), weights))]
