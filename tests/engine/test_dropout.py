"""The quick dropout drops what it says, keeps the mean, and gives its gradient through the same mask."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from tuning.engine.dropout import Dropout, quicken


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_it_is_dropout(rate: float, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    dropout = Dropout(rate)
    values = torch.ones(3, 333, 257, dtype=kind, requires_grad=True)
    out = dropout(values)
    out.sum().backward()
    dropped = (out == 0).double()
    spread = (rate * (1 - rate) / out.numel()) ** 0.5
    assert dropped.mean().item() == pytest.approx(rate, abs=5 * spread + 1 / 65_536)
    every_fourth = dropped.flatten()[: dropped.numel() // 4 * 4].view(-1, 4).mean(0)
    assert every_fourth.tolist() == pytest.approx([rate] * 4, abs=10 * spread + 1 / 65_536), "all four parts of a number count alike"
    assert set(out.detach().unique().tolist()) == {0.0, torch.tensor(1 / (1 - rate), dtype=kind).item()}
    assert values.grad is not None and torch.equal(values.grad, out.detach())
    assert torch.equal(dropout.eval()(values), values)


def test_the_same_seed_drops_the_same_and_a_lora_has_it_everywhere() -> None:
    config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    model = get_peft_model(
        LlamaForCausalLM(config), LoraConfig(r=2, lora_dropout=0.3, target_modules="all-linear", init_lora_weights=False)
    )
    quicken(model)
    model.train()
    assert {type(module) for name, module in model.named_modules() if "lora_dropout.default" in name} == {Dropout}
    ids = torch.arange(20)[None]

    def once(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        logits: torch.Tensor = model(input_ids=ids).logits
        return logits

    assert torch.equal(once(1), once(1))
    assert not torch.equal(once(1), once(2))
