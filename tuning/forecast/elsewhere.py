"""What rsLoRA, DoRA, biases and a quantized base mean for an adapter outside: which programs apply it, and as it was trained.

It is said where they are chosen, as notices of the plan. How an adapter is written for others is the business of `export`.
"""

from tuning.forecast import memory
from tuning.schema import ModelCard, Notice, TrainSettings

ALL_BIASED = ("gpt2", "phi")  # families whose linear layers have a bias, all of them
INPUTS = ("q_proj", "k_proj", "v_proj")


def biased(card: ModelCard, name: str) -> bool:
    """Whether the linear layers of this name have a bias of their own, by the family and by what its config says."""
    config = card.config
    if card.model_type in ALL_BIASED:
        return True
    if card.model_type == "qwen2" or config.get("use_qkv_bias"):
        return name in INPUTS
    return bool(config.get("attention_bias" if name in memory.ATTENTION else "mlp_bias"))


def told(card: ModelCard, settings: TrainSettings) -> list[Notice]:
    """A notice for each setting that matters to who serves the adapter. A model that is trained as a whole has no adapter."""
    if settings.method == "full":
        return []
    chosen = {
        "plan.outside_rslora": bool(settings.lora.get("use_rslora")),
        "plan.outside_dora": bool(settings.lora.get("use_dora")),
        "plan.outside_quantized": settings.quantization != "none",
    }
    if settings.lora.get("lora_bias"):
        bare = [name for name in memory.target_names(card, settings) if not biased(card, name.rpartition(".")[2])]
        chosen["plan.outside_bias"] = bool(bare)
    bits = {"nf4": 4, "int8": 8}.get(str(settings.quantization))
    params = {"plan.outside_quantized": {"bits": bits}}
    warned = {"plan.outside_bias"}
    return [
        Notice(code=code, level="warning" if code in warned else "info", params=params.get(code, {}))
        for code, there in chosen.items()
        if there
    ]
