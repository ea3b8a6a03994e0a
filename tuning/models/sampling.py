"""How a model is meant to answer by its generation_config.json: by its likeliest words, or sampled. It generates nothing.

The chat and what leaves for other programs go by it alike. What transformers takes where the file says nothing is said here too.
"""

import pathlib
from dataclasses import dataclass
from typing import Any

from tuning.runs import disk

TOP_K = 50  # transformers' own


@dataclass(frozen=True)
class Sampling:
    """`temperature` 0: the likeliest words. `repetition_penalty` 1: none; it counts for the likeliest words, too."""

    temperature: float
    top_p: float = 1.0
    top_k: int = TOP_K
    repetition_penalty: float = 1.0


def read(folder: pathlib.Path) -> Sampling:
    """What the file in a model's folder says, as far as it can be meant."""
    said = document(folder)
    return Sampling(
        number(said, "temperature", 0, 2, 1.0) if said.get("do_sample") is True else 0.0,
        number(said, "top_p", 0.01, 1, 1.0),
        int(number(said, "top_k", 0, 2**20, TOP_K)),
        number(said, "repetition_penalty", 0.1, 10, 1.0),
    )


def document(folder: pathlib.Path) -> dict[str, Any]:
    """All of the file; nothing where there is none that can be read."""
    found = disk.kept(lambda: disk.document(folder / "generation_config.json"), None)
    return found if isinstance(found, dict) else {}


def number(said: dict[str, Any], name: str, least: float, most: float, otherwise: float) -> float:
    """A number between two others, where the file says one."""
    value: Any = said.get(name)
    return value if isinstance(value, int | float) and least <= value <= most else otherwise
