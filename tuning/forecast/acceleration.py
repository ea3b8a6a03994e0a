"""What makes a run faster on a card and changes nothing of its result: kernels for packed rows and for norms. Pure.

AdamW is the fused one, SFTConfig's default, on cards and processors (tests/bench/optimizers.py). `torch_compile` is refused: packed steps
have a length of their own each, compiling takes minutes, and whether it pays on them has been measured on no card yet.
"""

from typing import Any

from tuning.machine.hardware import Hardware
from tuning.schema import ModelCard, Notice, TrainSettings

OLDEST = 8.0  # compute capability (Ampere) that FlashAttention 2 is written for, in PyTorch and as a wheel
LARGEST = 256  # numbers of a head that it takes, in eights
# Families whose norms, and in most the product in their MLP, are of Llama's kind.
LIGER = ("llama", "mistral", "qwen2", "qwen3", "smollm3", "phi3")


def decide(card: ModelCard, asked: TrainSettings, settings: TrainSettings, hardware: Hardware) -> tuple[TrainSettings, list[Notice]]:
    """`settings`, resolved but for these, with how packed rows attend and whether liger's layers are used; and what is said of it.

    The engine tries each before a run relies on it. What was asked for and cannot be is told as a warning.
    """
    notices: list[Notice] = []
    attention = _attention(card, asked, settings, hardware)
    if attention != "sdpa":
        notices.append(Notice(code=f"plan.attention_{attention}"))
    elif asked.attn_implementation not in ("auto", "sdpa"):
        notices.append(Notice(code="plan.attention_plain", level="warning", params={"asked": asked.attn_implementation}))
    liger = settings.on_nvidia and "liger_kernel" in hardware.wheels and settings.method == "lora" and card.model_type in LIGER
    wanted = asked.sft.get("use_liger_kernel")
    changes: dict[str, Any] = {"attn_implementation": attention}
    if wanted and not liger:
        notices.append(Notice(code="plan.liger_none", level="warning"))
        changes["sft"] = {**settings.sft, "use_liger_kernel": False}
    elif liger and wanted in (None, True):
        notices.append(Notice(code="plan.liger", params={"version": hardware.wheels["liger_kernel"]}))
        changes["sft"] = {**settings.sft, "use_liger_kernel": True}
    return settings.model_copy(update=changes), notices


def _attention(card: ModelCard, asked: TrainSettings, settings: TrainSettings, hardware: Hardware) -> str:
    """The wheel where it is installed, else PyTorch's own kernel, else a call for each row. A card that is only planned for
    counts as a new one, and gets no wheel but those that are here."""
    if not settings.on_nvidia or not settings.packing or settings.precision == "fp32" or asked.attn_implementation == "sdpa":
        return "sdpa"
    there = hardware.card(settings.device)
    old = there is not None and there.compute_capability < OLDEST
    head = card.config.get("head_dim") or card.hidden_size // card.num_attention_heads
    if old or head % 8 or head > LARGEST:
        return "sdpa"
    wheel = "flash_attn" in hardware.wheels and asked.attn_implementation != "varlen"
    if card.model_type == "gpt2" and not wheel:  # drops a tenth of its attention while it learns, which only the wheel does
        return "sdpa"
    return "flash_attention_2" if wheel else "varlen"
