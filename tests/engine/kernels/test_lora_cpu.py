"""LoRA's share as a processor computes it is PEFT's: the same sums and gradients, and a dropout that drops what it says."""

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from tests.engine.conftest import Trainer, losses
from tuning.engine.kernels import lora_cpu
from tuning.engine.kernels.lora_cpu import BITS, Quick, kept, quicken

CONFIG = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
IDS = torch.arange(40).view(2, 20)


def model(**changes: Any) -> PeftModel:
    torch.manual_seed(0)
    config = LoraConfig(**{"r": 4, "target_modules": "all-linear", "init_lora_weights": False, **changes})
    return get_peft_model(LlamaForCausalLM(CONFIG), config)


def learned(made: PeftModel, narrow: bool = False) -> dict[str, torch.Tensor]:
    """The loss, and the gradients of one step."""
    made.train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=narrow):
        loss = made(input_ids=IDS, labels=IDS).loss
    loss.backward()
    found = {name: parameter.grad for name, parameter in made.named_parameters() if parameter.grad is not None}
    return {"loss": loss.detach(), **found}


@pytest.mark.parametrize("changes", [{}, {"use_rslora": True}, {"lora_alpha": 32, "r": 8}, {"use_dora": True}, {"lora_bias": True}])
def test_sums_and_gradients_are_those_of_peft(changes: dict[str, Any]) -> None:
    plain, quick = model(**changes), model(**changes)
    quicken(quick)
    plainly, quickly = learned(plain), learned(quick)
    assert plainly.keys() == quickly.keys() and len(plainly) > 20
    for name, value in plainly.items():
        torch.testing.assert_close(quickly[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


def test_in_16_bits_gradients_point_where_those_of_peft_do() -> None:
    plain, quick = model().to(torch.bfloat16), model().to(torch.bfloat16)
    for made in (plain, quick):
        for parameter in made.parameters():
            parameter.data = parameter.data.float() if parameter.requires_grad else parameter.data
    quicken(quick)
    plainly, quickly = learned(plain, narrow=True), learned(quick, narrow=True)
    for name, value in plainly.items():
        assert quickly[name].dtype == value.dtype
        assert torch.cosine_similarity(quickly[name].flatten(), value.flatten(), dim=0) > 0.99, name


def test_a_layer_keeps_less_for_the_backward_pass() -> None:
    bytes_kept = []
    for made in (model(lora_dropout=0.1), model(lora_dropout=0.1)):
        if bytes_kept:
            quicken(made)
        seen: dict[int, int] = {}

        def keep(tensor: torch.Tensor, seen: dict[int, int] = seen) -> torch.Tensor:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        layer = made.base_model.model.model.layers[1].mlp.gate_proj.train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            kept_alive = layer(torch.randn(1, 4000, 32, requires_grad=True))
        weights = {parameter.untyped_storage().data_ptr() for parameter in made.parameters()}
        bytes_kept.append(sum(size for place, size in seen.items() if place not in weights))
        del kept_alive
    assert bytes_kept[1] < 0.75 * bytes_kept[0], bytes_kept


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.5])
def test_dropout_drops_what_it_says(rate: float) -> None:
    torch.manual_seed(0)
    calls = [kept(8_003, rate) for _ in range(400)]
    assert {int(value) for mask in calls for value in mask.unique()} == {-1, 0}
    dropped = torch.stack([(mask == 0).double() for mask in calls])
    numbers = (rate * (1 - rate) / dropped.numel()) ** 0.5
    lots = 2**-BITS * (1 / 4 / len(calls)) ** 0.5  # at most, for which of two parts a call takes
    assert dropped.mean().item() == pytest.approx(rate, abs=5 * (numbers + lots))
    each = (rate * (1 - rate) / dropped.shape[1]) ** 0.5
    assert dropped.mean(1).tolist() == pytest.approx([rate] * len(calls), abs=5 * each + 2**-BITS)
    every_eighth = dropped[:, :8_000].reshape(len(calls), -1, 8).mean((0, 1))
    assert every_eighth.tolist() == pytest.approx([rate] * 8, abs=5 * (numbers * 8**0.5 + lots)), "all eight parts of a number count alike"


def test_what_is_dropped_has_no_part_in_the_gradient_and_the_rest_makes_up_for_it() -> None:
    made = model(lora_dropout=0.25)
    quicken(made)
    layer = made.base_model.model.model.layers[1].mlp.gate_proj.train()
    bare = copy.deepcopy(layer.base_layer)
    torch.manual_seed(5)
    x = torch.ones(200, 32, requires_grad=True)
    out = layer(x) - bare(x)
    torch.manual_seed(5)
    mask = (kept(200 * 32, 0.25) != 0).view(200, 32)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    expected = ((x * mask / 0.75) @ a.t()) @ b.t() * layer.scaling["default"]
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)
    for got, wanted in zip(torch.autograd.grad(out.sum(), (x, a, b)), torch.autograd.grad(expected.sum(), (x, a, b)), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_the_same_seed_drops_the_same_and_nothing_is_dropped_in_an_answer() -> None:
    made, plain = model(lora_dropout=0.3), model(lora_dropout=0.3)
    quicken(made)
    assert {type(layer.lora_variant["default"]) for layer in made.modules() if hasattr(layer, "lora_variant")} == {Quick}
    made.train()

    def once(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        logits: torch.Tensor = made(input_ids=IDS).logits
        return logits

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))
    torch.testing.assert_close(made.eval()(input_ids=IDS).logits, plain.eval()(input_ids=IDS).logits, rtol=1e-4, atol=1e-5)


def test_an_adapter_can_be_merged_and_taken_out_again() -> None:
    made = model()
    quicken(made)
    made.eval()
    apart = made(input_ids=IDS).logits
    with made.disable_adapter():
        base = made(input_ids=IDS).logits
    made.merge_adapter()
    torch.testing.assert_close(made(input_ids=IDS).logits, apart, rtol=1e-4, atol=1e-5)
    made.unmerge_adapter()
    torch.testing.assert_close(made(input_ids=IDS).logits, apart, rtol=1e-4, atol=1e-5)
    made.merge_adapter(safe_merge=True)
    torch.testing.assert_close(made(input_ids=IDS).logits, apart, rtol=1e-4, atol=1e-5)
    made.unmerge_adapter()
    torch.testing.assert_close(made.unload()(input_ids=IDS).logits, base, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_agrees_with_peft_here_and_draws_nothing(dtype: torch.dtype) -> None:
    before = torch.random.get_rng_state()
    assert lora_cpu.agrees.__wrapped__(dtype)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_where_it_does_not_agree_peft_computes_and_the_run_says_so(trained: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: dict[str, Any] = {"max_steps": 3, "lora_dropout": 0.0, "precision": "fp32"}
    right, _ = trained(**wanted)
    backward = lora_cpu.Added.backward

    def wrong(ctx: Any, *gradients: torch.Tensor) -> Any:
        of_result, of_x, of_a, of_b, *rest = backward(ctx, *gradients)
        return of_result, of_x, of_a, 2 * of_b, *rest

    monkeypatch.setattr(lora_cpu.Added, "backward", staticmethod(wrong))
    lora_cpu.agrees.cache_clear()
    try:
        run, state = trained(**wanted)
    finally:
        lora_cpu.agrees.cache_clear()
    assert [notice.code for notice in state.recoveries] == ["recovery.lora"]
    assert losses(run) == pytest.approx(losses(right), abs=1e-5)
