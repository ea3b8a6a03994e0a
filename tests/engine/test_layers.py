"""RMSNorm as a processor computes it is transformers': the same numbers and gradients, only where it is the same sum."""

import copy
from typing import Any

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from tuning.engine import layers

SIZES: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def gradients(module: LlamaRMSNorm, hidden: torch.Tensor, slope: torch.Tensor, quick: bool) -> list[torch.Tensor]:
    """The result, and the gradients of what goes in and of the weight."""
    given = hidden.clone().requires_grad_()
    done = layers.Rms.apply(given, module.weight, module.variance_epsilon) if quick else module(given)
    found = torch.autograd.grad(done, (given, module.weight), slope)
    assert torch.equal(given, hidden), "what goes in is left as it was"
    return [done.detach(), *found]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1e-4, 1.0, 300.0])
def test_numbers_and_gradients_are_those_of_transformers(kind: torch.dtype, size: float) -> None:
    torch.manual_seed(0)
    module = LlamaRMSNorm(48).to(kind)
    torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    hidden, slope = (size * torch.randn(2, 7, 48)).to(kind), torch.randn(2, 7, 48).to(kind)
    exact = gradients(copy.deepcopy(module).float(), hidden.float(), slope.float(), quick=False)
    plain, quick = gradients(module, hidden, slope, quick=False), gradients(module, hidden, slope, quick=True)
    for true, theirs, ours in zip(exact, plain, quick, strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        near = (theirs.float() - true).norm() if kind == torch.bfloat16 else 1e-5 * true.norm()
        assert (ours.float() - true).norm() <= 1.5 * near + 1e-5 * true.norm()


def test_less_is_kept_for_the_backward_pass() -> None:
    kept = []
    for quick in (False, True):
        model = LlamaForCausalLM(LlamaConfig(**SIZES)).to(torch.bfloat16)
        if quick:
            layers.on_processor(model)
        seen: dict[int, int] = {}

        def keep(tensor: torch.Tensor, seen: dict[int, int] = seen) -> torch.Tensor:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        model.model.norm.weight.requires_grad_(False)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            alive = model.model.norm(torch.randn(1, 500, 32, dtype=torch.bfloat16, requires_grad=True))
        kept.append(sum(seen.values()))
        del alive
    assert kept[1] < 0.6 * kept[0]


def test_only_norms_that_are_this_sum_are_replaced_and_all_comes_back() -> None:
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    layers.on_processor(model)
    assert sum("forward" in module.__dict__ for module in model.modules()) == 5
    layers.slow(model)
    assert not any("forward" in module.__dict__ for module in model.modules())
    other = Gemma2ForCausalLM(Gemma2Config(**SIZES, num_key_value_heads=2, head_dim=8))  # it adds one to the weight
    for module in other.modules():
        if type(module).__name__ == "Gemma2RMSNorm":
            module.variance_epsilon = module.eps
    layers.on_processor(other)
    assert not any("forward" in module.__dict__ for module in other.modules())
    with torch.device("meta"):
        empty = LlamaForCausalLM(LlamaConfig(**SIZES))
    layers.on_processor(empty)
    assert sum("forward" in module.__dict__ for module in empty.modules()) == 5
