"""Tiny models of every family in the catalog: the same class and the same switches, a few thousand numbers. Nothing is downloaded."""

import pathlib
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, set_seed

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


def build(folder: pathlib.Path, card: ModelCard) -> pathlib.Path:
    """Save a random tiny model of the card's family, and a tokenizer, into `folder`."""
    set_seed(0)
    AutoModelForCausalLM.from_config(shrink(card.config)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
