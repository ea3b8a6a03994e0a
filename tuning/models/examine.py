"""Whether the files of a model, as config.json and tokenizer_config.json describe them, may be used here.

Pure: dictionaries and file names come in, an InputError that names the fault goes out. The same for a folder on this
machine and for the Hub; nothing is loaded, nothing is executed.
"""

import contextlib
import functools
import json
import math
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuning.errors import InputError

KNOWN = pathlib.Path(__file__).with_name("known.json")
# DeepSeek counts in six digits, and Qwen from 3.5 on says safetensors twice.
SHARD = re.compile(r"model\.safetensors|model(\.safetensors)?-\d{5}-of-\d{5,6}\.safetensors")
INDEX = "model.safetensors.index.json"
# What a model needs beside its weights; everything else in a repository (code, other formats, pictures) stays there.
TEXTS = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "tokenizer.model",
        "spiece.model",
        "sentencepiece.bpe.model",
        "chat_template.jinja",
        "chat_template.json",
    }
)
MODULE = re.compile(r"\w{1,100}\.py", re.ASCII)
LEGAL = re.compile(r"(LICEN[CS]E|NOTICE|USE_POLICY)[\w.-]{0,40}", re.IGNORECASE)
# Layers that packed rows may have, and what a configuration may ask for that they cannot: bent scores, chunks, positions by a mask.
ATTEND = frozenset({"full_attention", "sliding_attention", "attention"})
ODD = ("attn_logit_softcapping", "attention_chunk_size", "alibi")
# Implementations that come with torch or an installed wheel. Any other name is one of a repository whose code would be fetched.
ATTENTION = frozenset({"eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flex_attention"})


@functools.cache
def _known() -> dict[str, Any]:
    return dict(json.loads(KNOWN.read_text(encoding="utf-8")))


@functools.cache
def _listed() -> dict[str, frozenset[str]]:
    return {name: frozenset(_known()[name]) for name in ("causal", "no_decoders", "unpacked")}


def known() -> frozenset[str]:
    """Architectures of the pinned transformers that write text one token after another."""
    return _listed()["causal"]


def packable(config: dict[str, Any]) -> bool:
    """Whether rows of a model with this config.json may share a sequence: its class was tried, and it has no layers but attention."""
    named = config.get("architectures")
    tried = not _listed()["unpacked"] & {str(name) for name in (named if isinstance(named, list) else [])}
    return tried and set(map(str, config.get("layer_types") or [])) <= ATTEND and not any(config.get(name) for name in ODD)


def text_types() -> frozenset[str]:
    """The model types that the Hub lists for models of which `text_part` takes the text model."""
    return frozenset(part["model_type"].removesuffix("_text") for part in _known()["text_parts"].values())


def has_text_part(config: dict[str, Any]) -> bool:
    """Whether a model takes pictures, too, and its text model can be trained, alone or beside the rest."""
    return _text_part(config) is not None and isinstance(config.get("text_config"), dict)


def text_part(config: dict[str, Any]) -> dict[str, Any]:
    """What config.json says of that text model, with usual sizes where it says none, as Gemma 3's; of any other model all that it says."""
    part = _text_part(config)
    if part is None or not has_text_part(config):
        return config
    return {**part["usual"], **config["text_config"], "architectures": [part["architecture"]], "model_type": part["model_type"]}


def parameters(config: dict[str, Any], tensors: Mapping[str, Sequence[int]]) -> int:
    """How many numbers are loaded, of `tensors` by their shapes: without what is not of the text model."""
    outside = re.compile((_text_part(config) or {}).get("outside") or "(?!)")
    return sum(math.prod(shape) for name, shape in tensors.items() if not outside.match(name))


def beside(config: dict[str, Any]) -> str:
    """The modules that are loaded beside that text model and never learn, as a regular expression; "" where there are none."""
    return str((_text_part(config) or {}).get("beside", ""))


def _text_part(config: dict[str, Any]) -> dict[str, Any] | None:
    named = config.get("architectures")
    return _known()["text_parts"].get(str(named[0])) if isinstance(named, list) and named else None


def configs(model: str, config: dict[str, Any], tokenizer: dict[str, Any], code: bool = False) -> None:
    """Refuse what would run code, read files of this machine, or cannot be trained.

    With `code` the owner of the machine allows the model's own, but none of another repository. Raises InputError with `model` in
    its words.
    """
    _code(model, config, tokenizer, code)
    squeezed, config = bool(config.get("quantization_config")), text_part(config)
    named = config.get("architectures")
    architectures = [str(name) for name in named] if isinstance(named, list) else []
    if isinstance(config.get("text_config"), dict) and any(name.endswith("ForConditionalGeneration") for name in architectures):
        raise InputError("model.multimodal", model=model)
    if not architectures or not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        raise InputError("model.not_causal", model=model)
    if not known() & set(architectures) and _listed()["no_decoders"] & set(architectures):
        raise InputError("model.not_causal", model=model)
    if not any(name in known() for name in architectures) and not (code and "auto_map" in config):
        raise InputError("model.unknown_architecture", model=model, architecture=architectures[0][:80])
    if squeezed or config.get("quantization_config"):
        raise InputError("model.quantized", model=model)


def wants_code(folder: pathlib.Path) -> bool:
    """Whether the model in a folder would run code of its own, if it might."""
    config: Any = {}
    for name in ("config.json", "tokenizer_config.json"):
        with contextlib.suppress(OSError, ValueError, RecursionError):  # what is broken is said by who loads it
            path = folder / name  # a pipe in its place would be waited for
            found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
            config = config or found
            if _own_classes(found, config):
                return True
    return False


def _own_classes(found: Any, config: Any) -> list[Any]:
    """The `auto_map` entries of a configuration that ask for other classes than the libraries have under the same names.

    Phi-3.5 names a file for each of its classes, from before transformers had them: those of transformers are used, the files stay away.
    Phi-4-mini names a repository besides, and no class in it.
    """
    named = config.get("architectures") if isinstance(config, dict) else None
    model = str(named[0]) if isinstance(named, list) and named else ""
    stem = model.removesuffix("ForCausalLM")
    classes = {"AutoConfig": f"{stem}Config", "AutoModel": f"{stem}Model", "AutoModelForCausalLM": model}

    def same(asked: Any) -> bool:
        """Other heads than the one that writes text are of no use here, whoever has them."""
        pairs = asked.items() if model in known() and isinstance(asked, dict) else ()
        wanted = [(classes.get(key, rf"{stem}For\w+" if key.startswith("AutoModelFor") else "-"), str(value)) for key, value in pairs]
        return bool(wanted) and all(re.fullmatch(rf"\w+\.{name}|\w+/\w+(-\w+)*", value) for name, value in wanted)

    return [part["auto_map"] for part in _dictionaries(found) if "auto_map" in part and not same(part["auto_map"])]


def _code(model: str, config: dict[str, Any], tokenizer: dict[str, Any], allowed: bool) -> None:
    """Refuse code of the model's own where that is not allowed, code of others, and files that are none of a tokenizer's."""
    for found in (config, tokenizer):
        asked = _own_classes(found, config)
        if asked and not (allowed and "--" not in json.dumps(asked)):  # `owner/name--module.Class` is code of another repository
            raise InputError("model.remote_code", model=model)
    for part in _dictionaries(config):
        for key, value in part.items():
            if "attn_implementation" in key and isinstance(value, str | dict) and not _harmless(value):
                raise InputError("model.attention_code", model=model, key=key)
    for key, value in tokenizer.items():
        if key.endswith("_file") and value is not None and value not in TEXTS:
            raise InputError("model.foreign_file", model=model, key=key)


def weights(model: str, names: Iterable[str]) -> list[str]:
    """The safetensors files that hold the model, of all the file names of a repository or folder.

    Raises InputError for GGUF, and for weights in a format that can run code.
    """
    there = set(names)
    shards = sorted(name for name in there if SHARD.fullmatch(name))
    if "model.safetensors" in shards:
        return ["model.safetensors"]
    if shards:
        return shards
    if any(name.lower().endswith(".gguf") for name in there):
        raise InputError("model.gguf", model=model)
    raise InputError("model.no_safetensors", model=model)


def wanted(names: Iterable[str], shards: list[str], code: bool = False) -> list[str]:
    """The files worth having: weights, their index, configuration, tokenizer and licence, at the top of the repository.

    With `code` the modules there too.
    """
    there = [name for name in names if name in TEXTS or LEGAL.fullmatch(name) or (code and MODULE.fullmatch(name))]
    index = [INDEX] if shards != ["model.safetensors"] else []
    return [*there, *index, *shards]


def _dictionaries(value: Any, depth: int = 8) -> Iterator[dict[str, Any]]:
    """`value` and all dictionaries inside it, as far down as any real configuration goes."""
    if isinstance(value, dict):
        yield value
        inner: Iterable[Any] = value.values()
    else:
        inner = value if isinstance(value, list) else ()
    if depth:
        for part in inner:
            yield from _dictionaries(part, depth - 1)


def _harmless(value: Any) -> bool:
    """A name of an implementation, or a map of such names by part of the model."""
    return all(_harmless(part) for part in value.values()) if isinstance(value, dict) else value is None or value in ATTENTION
