"""The loss of the labelled tokens, slice by slice, is that of all at once: the sum, the gradients, and what a family does to its scores."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from tuning.engine.kernels import head as evaluate

SIZES: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
FAMILIES = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "bends": lambda: Gemma2ForCausalLM(Gemma2Config(**SIZES, num_key_value_heads=2, head_dim=8, final_logit_softcapping=2.0)),
    "multiplies": lambda: CohereForCausalLM(CohereConfig(**SIZES, logit_scale=0.25)),
}
IDS = torch.arange(4, 48).view(2, 22)
LABELS = torch.where(IDS % 5 == 0, -100, IDS)


def learned(model: Any, tokens: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Loss and gradients, with the head over so many `tokens` at a time."""
    monkeypatch.setattr(evaluate, "HEAD_TOKENS", tokens)
    model.zero_grad()
    loss, count = evaluate.labelled_nll(evaluate.causal(model), {"input_ids": IDS, "labels": LABELS})
    (loss / 7).backward()
    assert count == (LABELS[:, 1:] != -100).sum()
    return {"loss": loss.detach(), **{name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", [False, True])
def test_slices_are_the_whole(family: str, head: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `head` the adapter is on the LM head too, which has gradients of its own then."""
    torch.manual_seed(0)
    targets = ["q_proj", "down_proj", *(["lm_head"] if head else [])]
    model = get_peft_model(FAMILIES[family](), LoraConfig(r=4, target_modules=targets, init_lora_weights=False)).train()
    whole = learned(model, 1000, monkeypatch)
    for tokens in (1, 5):
        part = learned(model, tokens, monkeypatch)
        assert part.keys() == whole.keys() and ("lm_head" in str(whole.keys())) == head
        for name, value in whole.items():
            torch.testing.assert_close(part[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


def test_only_one_slice_of_scores_is_there_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes = LlamaForCausalLM(LlamaConfig(**SIZES)), []
    model.requires_grad_(False)
    model.model.embed_tokens.weight.requires_grad_(True)
    model.lm_head.register_forward_hook(lambda module, given, scores: sizes.append(len(scores)))
    learned(model, 8, monkeypatch)
    assert max(sizes) == 8 and sum(sizes) == (LABELS[:, 1:] != -100).sum()


def test_rows_without_a_label_have_no_loss_and_break_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = get_peft_model(LlamaForCausalLM(LlamaConfig(**SIZES)), LoraConfig(target_modules=["q_proj"])).train()
    loss, count = evaluate.labelled_nll(evaluate.causal(model), {"input_ids": IDS, "labels": torch.full_like(IDS, -100)})
    loss.backward()
    assert loss == 0 and count == 0
