"""What lies in a model's folder: regular files of its own, and safetensors that are whole and that the index names rightly.

Names, sizes and headers are looked at, and no weight is read; whether a model of that kind may be used is `examine`'s business.
"""

import contextlib
import functools
import json
import math
import os
import pathlib
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from tuning.errors import InputError
from tuning.models import examine

MAX_HEADER = 16_000_000  # bytes, of some hundred thousand tensors: all of it is held in memory several times over
MAX_TEXT = 64_000_000  # bytes of a JSON file that is read here: the largest index has a sixth of it
BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 8),
}
COUNTS = re.compile(r"(num|n)_(\w+_)?(layers?|blocks?|experts?)(_\w+)?")  # of what a model is built of, one by one
SIZES = re.compile(
    r"(hidden|vocab|intermediate)_size|n_(embd|inner)|d_model|(num|n)_(\w+_)?(heads?|groups?)"
)  # each is a side of some tensor
FEW, SMALL = 256, 1_048_576  # of parts and of a side: a folder may say so of a part of the model that it leaves out
LARGEST = 2**64  # of any number in a configuration
WEIGHTS = frozenset({"F16", "BF16", "F32", "F64"})  # what a weight can be kept in that is not quantised
ADAPTER = "adapter_config.json"
POINTER = b"version https://git-lfs.github.com/spec/"  # what git leaves of a large file where Git LFS is not installed
UNREADABLE = (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError, RecursionError)

Tensors = dict[str, Any]  # by the name of each tensor its dtype, shape and data_offsets


def check(folder: pathlib.Path, title: str) -> dict[str, Tensors]:
    """The headers of the safetensors files in `folder`, by their names. Raises InputError that names the file where one is at fault."""
    names = [entry.name for entry in os.scandir(folder)]
    if ADAPTER in names:  # transformers would put it on top of the model, or take another base
        raise InputError("model.adapter_beside", model=title, file=ADAPTER)
    for name in names:
        if name in examine.TEXTS or name in (examine.INDEX, ADAPTER) or examine.SHARD.fullmatch(name):
            regular(folder, name, title)
    headers = {name: header(folder / name, title) for name in examine.weights(title, names)}
    if len(headers) > 1 or "model.safetensors" not in headers:
        _indexed(folder, title, headers)
    return headers


def text(folder: pathlib.Path, name: str, title: str) -> dict[str, Any]:
    """The object in a JSON file of the folder. Raises InputError that names the file where there is none, or more than can be meant."""
    try:
        regular(folder, name, title)
        if (folder / name).stat().st_size > MAX_TEXT:
            raise ValueError(name)
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError(name)
    except UNREADABLE as error:
        raise InputError("model.broken", model=title, file=name) from error
    return content


def agree(title: str, config: Mapping[str, Any], headers: dict[str, Tensors]) -> None:
    """Raises InputError where config.json asks for more parts than there are tensors, or for a larger one than any of them is.

    A million layers take hours and all memory to be built, whatever a forecast says of the weights.
    """
    shapes = [entry["shape"] for tensors in headers.values() for entry in tensors.values()]
    sides = {side for shape in shapes for side in shape}
    for key, value in _numbers(config):
        fits = abs(value) <= LARGEST
        if COUNTS.fullmatch(key):
            fits = 0 <= value <= max(FEW, len(shapes)) or ("expert" in key and value in sides)
        elif SIZES.fullmatch(key):
            fits = value <= max(SMALL, *sides)
        if not fits:
            raise InputError("model.config", model=title, about=f"{key[:80]} = {value if abs(value) <= LARGEST else '…'}")


def _numbers(config: Any, key: str = "", depth: int = 8) -> Iterator[tuple[str, int]]:
    """All whole numbers of a configuration by their key; of a list of layers also how long it is."""
    if isinstance(config, int):
        yield key, config
    elif isinstance(config, list) and key == "layer_types":
        yield "num_layers", len(config)
    if depth and isinstance(config, dict | list):
        for name, part in config.items() if isinstance(config, dict) else ((key, part) for part in config):
            yield from _numbers(part, str(name), depth - 1)


def header(path: pathlib.Path, title: str | None = None) -> Tensors:
    """What a safetensors file holds, from its header. Raises InputError for one that is broken, cut, or has weights of an odd type."""
    title = title or path.parent.name
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > MAX_HEADER:
                raise ValueError(length)
            found: Tensors = json.loads(file.read(length))
        found.pop("__metadata__", None)
        end = 0
        for name, entry in found.items():
            begin, end_of_it = entry["data_offsets"]
            if end_of_it - begin != math.prod(entry["shape"]) * BYTES[entry["dtype"]] or min(begin, *entry["shape"], 0) < 0:
                raise ValueError(name)
            if name.endswith(".weight") and BYTES[entry["dtype"]] == 1:
                raise InputError("model.quantized", model=title)
            if name.endswith(".weight") and entry["dtype"] not in WEIGHTS:
                raise ValueError(name)
            end = max(end, end_of_it)
        have, need = path.stat().st_size, 8 + length + end
        if have < need:
            raise InputError("model.cut", model=title, file=path.name, have=have, need=need)
        if have > need or not end:
            raise ValueError(end)
    except UNREADABLE as error:
        raise InputError("model.broken", model=title, file=path.name) from error
    return found


def file_of(headers: dict[str, Tensors], tensor: str) -> str:
    """The file that holds a tensor, and the tensor: what somebody can look for."""
    place = next((name for name, found in headers.items() if tensor in found), next(iter(headers)))
    return f"{place} ({tensor})"


def regular(folder: pathlib.Path, name: str, title: str) -> None:
    """Raises InputError for what is missing, a pipe, a device, a folder, a link that leads out or nowhere, and what only points to a file.

    huggingface_hub's own cache is made of links.
    """
    link = (folder / name).is_symlink()
    try:
        real, home = (folder / name).resolve(strict=True), folder.resolve()
        repository = home.parent.parent
        blobs = (repository / "blobs", repository.parent / "blobs")  # of the repository, or of the whole cache
        inside = real.is_relative_to(home) or (home.parent.name == "snapshots" and any(map(real.is_relative_to, blobs)))
        if not inside or not stat.S_ISREG(real.stat().st_mode):
            raise ValueError(name)
        with real.open("rb") as file:
            points = file.read(len(POINTER)) == POINTER
    except (OSError, ValueError, RuntimeError) as error:
        code = "model.link" if link else "model.missing_file" if isinstance(error, FileNotFoundError) else "model.broken"
        raise InputError(code, model=title, file=name) from error
    if points:
        raise InputError("model.pointer", model=title, file=name)


def _indexed(folder: pathlib.Path, title: str, headers: dict[str, Tensors]) -> None:
    """Raises InputError for a shard that the index names and that is not there, or that lacks what the index says of it."""
    try:
        index = text(folder, examine.INDEX, title)["weight_map"]
        pairs = [(str(tensor), str(name)) for tensor, name in index.items()]
    except UNREADABLE as error:
        raise InputError("model.broken", model=title, file=examine.INDEX) from error
    for tensor, name in pairs:
        if tensor not in headers.get(name, {}):
            if name not in headers:
                raise InputError("model.missing_file", model=title, file=name[:120])
            raise InputError("model.no_tensor", model=title, file=name, tensor=tensor[:120], index=examine.INDEX)


def templated(folder: pathlib.Path) -> bool:
    """Does a chat template lie beside the model? A base model has none: nobody taught it to answer. True where there is no folder."""
    config = folder / "tokenizer_config.json"
    try:
        return not folder.is_dir() or (folder / "chat_template.jinja").exists() or _configured(config, config.stat().st_mtime_ns)
    except OSError:
        return False


def thinks(folder: pathlib.Path) -> bool:
    """Does the chat template beside the model know of thoughts? False where there is none yet."""
    files = [folder / name for name in ("chat_template.jinja", "tokenizer_config.json")]
    try:
        return any(_thinks(path, path.stat().st_mtime_ns) for path in files if path.is_file())
    except UNREADABLE:
        return False


@functools.lru_cache(maxsize=64)
def _thinks(path: pathlib.Path, mark: int) -> bool:
    said = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        said = str(json.loads(said).get("chat_template"))
    return knows_thoughts(said)


def knows_thoughts(template: str) -> bool:
    """Does a chat template know of thoughts?"""
    return any(sign in template for sign in ("</think>", "enable_thinking", "reasoning_content"))


def template(folder: pathlib.Path) -> str | None:
    """The chat template that lies beside the model, as it is written; of several the first. None where there is none, or no model yet."""
    with contextlib.suppress(*UNREADABLE):
        if (folder / "chat_template.jinja").is_file():
            return (folder / "chat_template.jinja").read_text(encoding="utf-8")
        said = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
        return said if isinstance(said, str) else str(said[0]["template"]) if said else None
    return None


def vocabulary(folder: pathlib.Path) -> tuple[int | None, int | None]:
    """How many tokens the model has embeddings for, and which of them ends a text, by its config.json; None where that does not say."""
    with contextlib.suppress(*UNREADABLE):
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        said = said.get("text_config") or said
        ends = said.get("eos_token_id")
        size, end = said.get("vocab_size"), ends[0] if isinstance(ends, list) and ends else ends
        return size if isinstance(size, int) else None, end if isinstance(end, int) else None
    return None, None


@functools.lru_cache(maxsize=64)
def _configured(config: pathlib.Path, mark: int) -> bool:
    """Whether a tokenizer's configuration, that was changed at `mark`, has a chat template; not a broken one, of which others tell."""
    try:
        return bool(json.loads(config.read_text(encoding="utf-8")).get("chat_template"))
    except UNREADABLE:
        return True
