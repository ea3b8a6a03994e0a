"""RMSNorm and the gated product of an MLP in fewer passes on a card, by the wheel liger-kernel.

The wheel's own patch replaces classes of transformers for the whole process, where a later run may be elsewhere; here each layer
of one model is given a forward of its own, which is taken back the same way. LoRA layers inside an MLP stay as they are.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional

from tuning.engine import upstream
from tuning.engine.kernels.attention import TOLERANCE

Norm = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]  # what comes in, weight, epsilon
Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # silu(gate) * up


def liger() -> tuple[Norm, Product]:
    """Its two functions. Raises ImportError where the wheel, or Triton below it, cannot be loaded."""
    from liger_kernel.ops.rms_norm import LigerRMSNormFunction
    from liger_kernel.ops.swiglu import LigerSiLUMulFunction

    def norm(hidden: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        done: torch.Tensor = LigerRMSNormFunction.apply(hidden, weight, epsilon, 0.0, "llama", False)
        return done

    return norm, LigerSiLUMulFunction.apply


def quicken(model: Any, norm: Norm, product: Product) -> int:
    """Give the layers of `model` these functions; how many took them.

    Each kind of norm is tried first. Raises whatever a kernel raises, or ArithmeticError where its result is another one;
    the model is as it was then.
    """
    slow(model)
    norms, mlps = list(_norms(model)), list(_mlps(model))
    for one in {(type(module), tuple(module.weight.shape)): module for module in norms}.values():
        if not _same(one, functools.partial(_normed, norm, one), one.weight):
            raise ArithmeticError(type(one).__name__)
    if mlps:
        weight = torch.ones(256, device=mlps[0].down_proj.weight.device, dtype=norms[0].weight.dtype if norms else torch.float32)
        # what goes in is a copy: the kernel's backward pass writes over it
        if not _same(lambda both: functional.silu(both) * both.flip(0), lambda both: product(both.clone(), both.flip(0)), weight):
            raise ArithmeticError("SwiGLU")
    for module in norms:
        module.forward = functools.partial(_normed, norm, module)
    for module in mlps:
        module.forward = functools.partial(_gated, product, module)
    return len(norms) + len(mlps)


def _normed(norm: Norm, module: Any, hidden: torch.Tensor) -> torch.Tensor:
    return norm(hidden, module.weight, module.variance_epsilon)


def _gated(product: Product, module: Any, hidden: torch.Tensor) -> torch.Tensor:
    done: torch.Tensor = module.down_proj(product(module.gate_proj(hidden), module.up_proj(hidden)))
    return done


def slow(model: Any) -> None:
    """Take back what `quicken` gave."""
    for module in (*_norms(model), *_mlps(model)):
        if getattr(upstream.own_forward(module), "func", None) in (_normed, _gated):
            del module.forward


def _norms(model: Any) -> Iterator[Any]:
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon") and weight is not None:
            yield module


def _mlps(model: Any) -> Iterator[Any]:
    """Those of Llama's kind: down(silu(gate(x)) * up(x)), and no other linear layer in between."""
    for module in model.modules():
        names = {name for name, _ in module.named_children()}
        if names == {"gate_proj", "up_proj", "down_proj", "act_fn"} and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
            yield module


def _same(right: Callable[[torch.Tensor], torch.Tensor], other: Callable[[torch.Tensor], torch.Tensor], weight: torch.Tensor) -> bool:
    """Do both give the same on a few rows of the width of `weight`, and the same gradients? No random number of a run is used."""
    dice = torch.Generator().manual_seed(0)
    given = torch.randn(6, len(weight), generator=dice).to(weight.device, weight.dtype).requires_grad_()
    slope = torch.randn(6, len(weight), generator=dice).to(weight.device, weight.dtype)
    results = []
    for one in (right, other):
        done = one(given)
        results.append((done.detach().float(), torch.autograd.grad(done, given, slope)[0].float()))
    return all(bool((a - b).abs().max() <= TOLERANCE * a.abs().max()) for a, b in zip(*results, strict=True))
