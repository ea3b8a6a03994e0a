"""An adapter_config.json that serving engines read as PEFT does: rsLoRA as a plain `lora_alpha`. The weights stay as they are."""

import json
import math
import pathlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from safetensors import safe_open

PREFIX = "base_model.model."
FIRST_HALF = re.compile(r"\.lora_(?:A|embedding_A)(?:\.weight)?$")


def fold(folder: pathlib.Path) -> bool:
    """Rewrite `use_rslora` of the adapter in `folder` as plain LoRA with the same scaling; whether there was something to do.

    PEFT scales rsLoRA by alpha / sqrt(r), plain LoRA by alpha / r: the new alpha is alpha * sqrt(r) (Kalajdzievski,
    arXiv:2312.03732). Where modules have ranks or alphas of their own, each gets its own in `alpha_pattern`.
    """
    path = folder / "adapter_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if not config.get("use_rslora"):
        return False
    alphas, patterns = _alphas(config, _ranks(folder)), config.get("alpha_pattern") or {}
    usual = Counter(alphas.values()).most_common(1)[0][0] if alphas else _plain(config["lora_alpha"], config["r"])
    own = {name: alpha for name, alpha in alphas.items() if alpha != usual or _key(patterns, name) is not None}
    config |= {"use_rslora": False, "lora_alpha": usual, "alpha_pattern": own}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True), encoding="utf-8")
    return True


def _alphas(config: dict[str, Any], ranks: dict[str, int]) -> dict[str, float]:
    """The plain alpha of each module."""
    patterns = config.get("alpha_pattern") or {}
    return {name: _plain(patterns.get(_key(patterns, name), config["lora_alpha"]), rank) for name, rank in ranks.items()}


def _plain(alpha: float, rank: int) -> float:
    found = alpha * math.sqrt(rank)
    return int(found) if found == int(found) else found


def _key(patterns: Iterable[str], name: str) -> str | None:
    """The pattern that PEFT takes for a module: the first that ends its name."""
    return next((key for key in patterns if re.match(rf"(.*\.)?({key})$", name)), None)


def _ranks(folder: pathlib.Path) -> dict[str, int]:
    """The rank of each module, from the shapes of its weights."""
    with safe_open(str(folder / "adapter_model.safetensors"), framework="numpy") as file:
        halves = [name for name in file.keys() if FIRST_HALF.search(name)]  # noqa: SIM118 (not a dict)
        return {FIRST_HALF.sub("", name).removeprefix(PREFIX): int(file.get_slice(name).get_shape()[0]) for name in halves}
