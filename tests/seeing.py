"""Tiny models that take pictures, too, as their makers publish them: the configuration of the text model inside another. Nothing is
downloaded."""

import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, set_seed

from tests.engine import styles
from tests.families import CONTEXT
from tests.models import every
from tests.tiny import MARKED, tokenizer

KINDS = ("qwen3_5", "gemma3", "gemma4")
WEIGHTS = "model.safetensors"


def build(folder: pathlib.Path, kind: str = "qwen3_5") -> pathlib.Path:
    """Save a random one, and a tokenizer, into `folder`. Of Qwen's the names say safetensors twice, with an index, a layer guesses the
    token after the next, and there are twice as many heads for values as for keys."""
    words, said = tokenizer(), every.SPECIAL[kind]
    if kind == "gemma4":  # whose tokenizer is always one of pieces
        words = styles.pieces_tokenizer()
        words.chat_template = MARKED
    rows = len(words) if kind == "gemma4" else -(-(len(words) + 16) // 16) * 16  # Qwen's tokenizer adds a word of its own
    tokens = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text = {**said["text_config"], **tokens, "vocab_size": rows, "vocab_size_per_layer_input": rows, "max_position_embeddings": CONTEXT}
    text |= {
        "head_dim": 32,
        "global_head_dim": 64,
        "query_pre_attn_scalar": 32,
        "linear_num_value_heads": 4,
        "tie_word_embeddings": True,
        "dtype": "bfloat16",
    }
    signs = {name: rows - 1 - at for at, name in enumerate(every.SIGNS) if name in said}
    config = AutoConfig.for_model(kind, **{**said, **signs, "text_config": text, "tie_word_embeddings": True})
    set_seed(0)
    getattr(transformers, every.with_pictures()[kind])(config).to(torch.bfloat16).save_pretrained(folder)
    words.save_pretrained(folder)
    if kind == "qwen3_5":
        tensors = load_file(folder / WEIGHTS) | {"mtp.norm.weight": torch.ones(text["hidden_size"], dtype=torch.bfloat16)}
        (folder / WEIGHTS).unlink()
        name = f"{WEIGHTS}-00001-of-00001.safetensors"
        save_file(tensors, folder / name, metadata={"format": "pt"})
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(tensors, name)}))
    return folder
