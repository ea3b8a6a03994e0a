"""Every causal class of the pinned transformers as a tiny random model, from its own config class. Nothing is downloaded."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)
from transformers.utils import logging

MOST = 30_000_000  # parameters; what is larger has a size that nobody named here
# Other than causal decoders, in the mapping all the same: decoders of pictures, sound and speech, of permutations, and helpers of others.
NO_DECODERS = frozenset({"trocr", "xlnet", "git", "gemma4_assistant", "gemma4_unified_assistant", "musicgen", "musicgen_melody", "whisper"})
SMALL: dict[str, Any] = {
    **{"vocab_size": 128, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
    **{"n_layer": 2, "n_head": 4, "n_embd": 64, "n_positions": 128, "num_layers": 2, "num_heads": 4, "d_model": 64, "ffn_dim": 128},
    **{"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "n_routed_experts": 4},
    **{"n_group": 1, "topk_group": 1, "hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": 128, "lru_width": 64},
    **{"cls_token_id": 1, "sep_token_id": 2, "moe_topk": 2, "n_shared_experts": 1, "first_k_dense_replace": 1},
}
LATENT: dict[str, Any] = {"q_lora_rank": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 16}
LATENT |= {"num_key_value_heads": 4, "head_dim": 16}
HYBRID = {"mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_ssm": 128, "mamba_d_state": 16, "mamba_n_groups": 1, "mamba_expand": 2}
TEXT = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16}
OF_TEXT = {**{name: SMALL[name] for name in (*TEXT, "head_dim", "pad_token_id")}, **LINEAR, "num_hidden_layers": 4}
OF_PICTURES = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "shared_expert_intermediate_size": 64}
TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
TOWER |= {"num_key_value_heads": 2, "head_dim": 16}
EARS = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "output_proj_dims": 32}
PER_LAYER = {"hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": 128, "global_head_dim": 16, "num_kv_shared_layers": 2}
PER_LAYER |= {"num_hidden_layers": 6, "layer_types": ["sliding_attention", "full_attention"] * 3}
SIGNS = {"boi_token_index": 100, "eoi_token_index": 101, "image_token_index": 102}
# What a family needs beside SMALL; None takes the name out, and the family's own size stays.
SPECIAL: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "glm4_moe_lite", "longcat_flash", "minicpm3"), LATENT),
    **dict.fromkeys(("glm_moe_dsa", "youtu", "kimi_linear"), LATENT),
    **dict.fromkeys(("bamba", "falcon_h1", "granitemoehybrid"), HYBRID),
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 128, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1, "expand": 2},
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid"] * 2,
        "n_mamba_heads": 2,
        "attention_hidden_size": 128,
        "attention_head_dim": 32,
    },
    "zamba2": {"layers_block_type": ["mamba", "hybrid"], "num_mem_blocks": 1, "n_mamba_heads": 8, "mamba_headdim": 16, "mamba_ngroups": 1},
    "zaya": {"num_experts_per_tok": 1},
    "dots3_note_text": {"num_key_value_heads": 4},
    "gemma3n_text": {"num_hidden_layers": 4, "num_kv_shared_layers": 0, "layer_types": None},
    "codegen": {"rotary_dim": 8},
    "gptj": {"rotary_dim": 8},
    "emu3": {"text_config": {"pad_token_id": 0, **{name: SMALL[name] for name in TEXT}}},
    "fuyu": {"text_config": {"model_type": "persimmon", **{name: SMALL[name] for name in TEXT}}},
    "qwen3_5": {"text_config": OF_TEXT, "vision_config": OF_PICTURES},
    "qwen3_5_moe": {"text_config": OF_TEXT | EXPERTS, "vision_config": OF_PICTURES},
    "gemma3": {"text_config": OF_TEXT, "vision_config": OF_PICTURES | TOWER, **SIGNS, "mm_tokens_per_image": 4},
    "gemma4": {"text_config": OF_TEXT | PER_LAYER, "vision_config": TOWER, "audio_config": EARS, **SIGNS},
    "dots1": {"n_shared_experts": 1},
    "falcon": {"head_dim": None, "num_kv_heads": 4, "new_decoder_architecture": False},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "doge": {"keep_window_size": 4},
    "hyperclovax": {"logits_scaling": 0.125},
    "granite": {"logits_scaling": 4.0},
    "modernbert-decoder": {"global_attn_every_n_layers": 1},
    "recurrent_gemma": {"attention_window_size": 64},
}


@functools.cache
def kinds() -> dict[str, str]:
    """By model type the class of AutoModelForCausalLM, of those whose name says so."""
    found = {kind: name if isinstance(name, str) else name[0] for kind, name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items()}
    return {kind: name for kind, name in found.items() if name.endswith(("ForCausalLM", "LMHeadModel"))}


def decoder(kind: str) -> bool:
    """Whether a type decodes text, one token after another: none that fills in masked words, nor half of an encoder-decoder."""
    return kind not in {*MODEL_FOR_MASKED_LM_MAPPING_NAMES, *MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, *NO_DECODERS}


def decoders() -> dict[str, str]:
    """The class of each model type that decodes text."""
    return {kind: name for kind, name in kinds().items() if decoder(kind)}


def with_pictures() -> dict[str, str]:
    """Of the types that AutoModelForCausalLM knows, those whose whole model takes pictures, too: its class."""
    whole = {kind: str(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(kind)) for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if decoder(kind)}
    return {kind: name for kind, name in whole.items() if name.endswith("ForConditionalGeneration")}


def config(kind: str, **changes: Any) -> PretrainedConfig:
    """The config of a tiny model."""
    usual = AutoConfig.for_model(kind)
    wanted = {**SMALL, **SPECIAL.get(kind, {}), **changes}
    small = {name: value for name, value in wanted.items() if value is not None and (name in vars(usual) or hasattr(usual, name))}
    return AutoConfig.for_model(kind, **small)


def build(kind: str, **changes: Any) -> Any:
    """A tiny model in evaluation mode, its weights far enough from zero that every part of it tells. Raises whatever it does.

    It attends by sdpa, as every model that is loaded here, or where it has none as it can.
    """
    logging.set_verbosity_error()
    torch.manual_seed(0)

    def made(way: str) -> Any:
        return small(functools.partial(AutoModelForCausalLM.from_config, attn_implementation=way), config(kind, **changes))

    try:
        model = made("sdpa")
    except ValueError as error:
        if "does not support an attention implementation" not in str(error):
            raise
        model = made("eager")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def small(make: Callable[[PretrainedConfig], Any], said: PretrainedConfig) -> Any:
    """What `make` builds of a config, in evaluation mode. Raises ValueError, before any memory is taken, where that is larger than a test
    builds."""
    with torch.device("meta"):
        parameters = sum(one.numel() for one in make(said).parameters())
    if parameters > MOST:
        raise ValueError(f"{parameters} parameters: larger than a test builds")
    return make(said).eval()
