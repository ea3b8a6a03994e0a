"""Which models there are: the cards under presets/models, and folders on this machine.

A local folder gets a card from its config.json and the headers of its safetensors files; no weight is read, nothing
in it is executed. Models of the Hub are not offered here.
"""

import json
import math
import os
import pathlib
import struct
from typing import Any

from tuning import presets
from tuning.errors import InputError
from tuning.runs import files
from tuning.schema import ModelCard, ModelRef, Words

MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors format itself


def find(reference: str, presets_root: pathlib.Path, local_folders: bool) -> ModelRef:
    """A catalog id or, where `local_folders` is allowed, a folder. Raises InputError that says what is wrong."""
    cards = presets.models(presets_root)
    card = cards.get(reference)
    if card is not None and card.path is not None:
        return ModelRef(id=card.id, path=str(presets_root / card.path), card=card)
    folder = files.given(reference)
    if local_folders and reference and os.path.isdir(folder):  # unlike Path.is_dir it never raises
        folder = folder.absolute()
        return ModelRef(id=str(folder), path=str(folder), card=describe(folder))
    raise InputError("model.unknown", model=reference[:200], known=", ".join(cards))


def describe(folder: pathlib.Path) -> ModelCard:
    """The card of a model in a local folder.

    Raises InputError where config.json is missing or broken, brings code of its own (`auto_map`), has no causal
    language model in it, or the weights are not safetensors.
    """
    config = _json(folder / "config.json")
    tokenizer = _json(folder / "tokenizer_config.json")
    if "auto_map" in config or "auto_map" in tokenizer:
        raise InputError("model.remote_code", model=folder.name)
    if not any(str(name).endswith(("ForCausalLM", "LMHeadModel")) for name in config.get("architectures") or []):
        raise InputError("model.not_causal", model=folder.name)
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise InputError("model.no_safetensors", model=folder.name)
    heads = _number(config, folder, "num_attention_heads", "n_head")
    hidden = _number(config, folder, "hidden_size", "n_embd")
    return ModelCard(
        id=str(folder),
        title=folder.name,
        why=Words(en="A model from a folder on this machine.", it="Un modello preso da una cartella di questo computer."),
        path=str(folder),
        parameters=sum(count_parameters(shard) for shard in shards),
        hidden_size=hidden,
        intermediate_size=config.get("intermediate_size") or config.get("n_inner") or 4 * hidden,
        num_hidden_layers=_number(config, folder, "num_hidden_layers", "n_layer"),
        num_attention_heads=heads,
        num_key_value_heads=config.get("num_key_value_heads") or heads,
        vocab_size=_number(config, folder, "vocab_size"),
        context_length=_number(config, folder, "max_position_embeddings", "n_positions"),
        license="unknown",
        languages=[],
        model_type=str(config.get("model_type", "")),
    )


def count_parameters(path: pathlib.Path) -> int:
    """Numbers in a safetensors file, from its header alone. Raises InputError for a broken one."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER:
                raise ValueError(length)
            header = json.loads(file.read(length))
        count: int = sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
        if count < 1:
            raise ValueError(count)
        return count
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise InputError("model.broken", model=path.parent.name, file=path.name) from error


def _json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("model.broken", model=path.parent.name, file=path.name) from error
    if not isinstance(content, dict):
        raise InputError("model.broken", model=path.parent.name, file=path.name)
    return content


def _number(config: dict[str, Any], folder: pathlib.Path, *names: str) -> int:
    for name in names:
        if isinstance(config.get(name), int) and config[name] > 0:
            return int(config[name])
    raise InputError("model.broken", model=folder.name, file="config.json")
