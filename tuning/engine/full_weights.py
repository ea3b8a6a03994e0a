"""A model that is trained as a whole: its weights in a checkpoint, and the folder that a run of it publishes.

Weights are trained in 32 bits, tied ones stay tied. How they are trained is the trainer's business, who speaks is `resident`'s.
"""

import contextlib
import json
import os
import pathlib
import shutil
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig

from tuning.engine import upstream
from tuning.errors import EngineError
from tuning.models import examine

WEIGHTS = "model.safetensors"
PUBLISHED = (torch.float32, torch.bfloat16, torch.float16)


def published(folder: pathlib.Path) -> bool:
    """Does the folder hold a model that stands by itself, and not an adapter?"""
    return (folder / "config.json").is_file()


def weights(model: Any) -> dict[str, torch.Tensor]:
    """The weights that are trained, by name: the model's own tensors, no copies; of tied ones the first name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def write(model: Any, path: pathlib.Path) -> None:
    """The trained weights as they are, in 32 bits, in one file. Raises OSError where the disk is full."""
    save_file({name: tensor.contiguous() for name, tensor in weights(model).items()}, str(path))


def read(model: Any, path: pathlib.Path) -> None:
    """Give the model the weights of `write`. Raises EngineError where they are not those of such a model."""
    current = weights(model)
    try:
        found = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise EngineError("train.start") from error
    if {name: tensor.shape for name, tensor in found.items()} != {name: tensor.shape for name, tensor in current.items()}:
        raise EngineError("train.start")
    with torch.no_grad():
        for name, tensor in found.items():
            current[name].copy_(tensor)


def keep(source: pathlib.Path, target: pathlib.Path) -> None:
    """`target` as another name of the file `source`, or a copy of it where the disk knows no such names. Files that have two
    names are replaced and never written to."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def publish(model: Any, base: str, folder: pathlib.Path) -> None:
    """Write config.json, generation_config.json and model.safetensors, in the precision of the base in the folder `base`.

    The model itself is rounded to it, and is no more to be trained after. Raises OSError where the disk is full.
    """
    model.to(precision(base))
    upstream.forget_origin(model)
    for config in (model.config, model.generation_config):
        config.use_cache = _config_of(base).get("use_cache", True)  # the trainer has switched it off
    model.generation_config = _consistent(model.generation_config)
    model.save_pretrained(str(folder), max_shard_size="1TB")


def _consistent(said: GenerationConfig) -> GenerationConfig:
    """How a model is meant to generate, as transformers saves it: many repositories give a temperature and do not say that it is sampled.

    What contradicts itself otherwise is left out, and its tokens that begin, end and pad a text stay.
    """
    for made in (said, GenerationConfig(**{**said.to_diff_dict(), "do_sample": True})):
        with contextlib.suppress(ValueError):
            made.validate(strict=True)
            return made
    return GenerationConfig(**{key: getattr(said, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")})


def precision(base: str) -> torch.dtype:
    """How the base in a folder keeps its weights; 16 bits where it does not say."""
    said = _config_of(base)
    found = getattr(torch, str(said.get("dtype") or said.get("torch_dtype") or "").removeprefix("torch."), None)
    return found if found in PUBLISHED else torch.bfloat16


def _config_of(base: str) -> dict[str, Any]:
    """What the base's config.json says of the model that is loaded; nothing where it cannot be read any more."""
    with contextlib.suppress(OSError, ValueError):
        return examine.text_part(json.loads((pathlib.Path(base) / "config.json").read_text(encoding="utf-8")))
    return {}
