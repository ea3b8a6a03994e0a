"""Tiny models of every family in the catalog: the same class and the same switches, a few thousand numbers. Nothing is downloaded."""

import json
import pathlib
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, Qwen3_5ForConditionalGeneration, set_seed

from tests.tiny import tokenizer
from tuning.schema import ModelCard

CONTEXT = 128
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,  # where a family sets it, it is not hidden / heads
    "max_position_embeddings": CONTEXT,
    "shared_intermediate_size": 128,  # the same as intermediate_size, as in the catalog
    "mamba_n_heads": 4,
    "mamba_d_head": 32,  # heads x this is expand x hidden
    "mamba_d_state": 16,
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": CONTEXT,
}


def shrink(config: dict[str, Any]) -> PretrainedConfig:
    """A card's config with small sizes; ties, biases, rotary shares and the kinds of layers stay as they are."""
    words = tokenizer()
    small = {key: SMALL.get(key, value) for key, value in config.items()}
    if config.get("num_key_value_heads") == config.get("num_attention_heads") and "num_key_value_heads" in config:
        small["num_key_value_heads"] = SMALL["num_attention_heads"]
    if "layer_types" in config:
        kinds = sorted(set(config["layer_types"]), reverse=True)  # one of each kind: mamba, attention
        small["layer_types"] = (kinds * 2)[:2]
    small |= {
        "vocab_size": len(words),
        "bos_token_id": words.bos_token_id,
        "pad_token_id": words.pad_token_id,
        "eos_token_id": words.eos_token_id,
    }
    return AutoConfig.for_model(**small)


SEEING: dict[str, Any] = {  # Qwen 3.5 in small, with twice as many heads for values as for keys, as those from 4B on
    **{
        key: size
        for key, size in SMALL.items()
        if key in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    },
    **{"num_hidden_layers": 4, "head_dim": 32, "max_position_embeddings": CONTEXT, "linear_num_key_heads": 2, "linear_num_value_heads": 4},
    **{"linear_key_head_dim": 16, "linear_value_head_dim": 16, "layer_types": [*["linear_attention"] * 3, "full_attention"]},
    **{"tie_word_embeddings": True, "dtype": "bfloat16", "mtp_num_hidden_layers": 1},
}


def build_seeing(folder: pathlib.Path) -> pathlib.Path:
    """Save a tiny model that takes pictures, too, as Qwen publishes its own: names that say safetensors twice, an index, a layer that
    guesses the token after the next, and the text model's configuration inside another."""
    words = tokenizer()
    tokens = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    pictures = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": SMALL["hidden_size"]}
    rows = -(-(len(words) + 16) // 16) * 16  # more than there are words, as real ones have: its tokenizer adds one of its own
    said = {"text_config": {**SEEING, **tokens, "vocab_size": rows}, "vision_config": pictures, "tie_word_embeddings": True}
    set_seed(0)
    Qwen3_5ForConditionalGeneration(AutoConfig.for_model("qwen3_5", **said)).to(torch.bfloat16).save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors") | {"mtp.norm.weight": torch.ones(SMALL["hidden_size"], dtype=torch.bfloat16)}
    (folder / "model.safetensors").unlink()
    save_file(tensors, folder / "model.safetensors-00001-of-00001.safetensors", metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "model.safetensors-00001-of-00001.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    words.save_pretrained(folder)
    return folder


def build(folder: pathlib.Path, card: ModelCard) -> pathlib.Path:
    """Save a random tiny model of the card's family, and a tokenizer, into `folder`."""
    set_seed(0)
    AutoModelForCausalLM.from_config(shrink(card.config)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
