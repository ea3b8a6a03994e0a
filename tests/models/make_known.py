"""Rebuild tuning/models/known.json from the installed transformers: `python -m tests.models.make_known`. It takes minutes."""

import functools
import json
from typing import Any

import torch
import transformers

from tests.models import every
from tuning.engine.kernels import attention, packing
from tuning.errors import caught
from tuning.models import examine


def known() -> dict[str, Any]:
    """The version, the causal decoders of AutoModelForCausalLM, and what stands beside them in its mapping."""
    causal = set(every.decoders().values())
    return {
        "transformers": transformers.__version__,
        "causal": sorted(causal),
        "no_decoders": sorted(set(every.kinds().values()) - causal),
    }


def unpacked() -> list[str]:
    """Decoders whose packed rows differ from rows alone, or that no test builds: their cards say that they are not packed."""
    fit: dict[str, bool] = {}
    torch.set_num_threads(1)

    def look(kind: str, name: str) -> None:
        fit[name] = packing.fits(every.build(kind), attention.separately) and fit.get(name, True)

    for kind, name in every.decoders().items():
        caught(functools.partial(look, kind, name), kind)  # one that is not built is never packed
    return sorted({*every.decoders().values()} - {name for name, fits in fit.items() if fits})


if __name__ == "__main__":
    examine.KNOWN.write_text(json.dumps({**known(), "unpacked": unpacked()}, indent=1) + "\n", encoding="utf-8")
