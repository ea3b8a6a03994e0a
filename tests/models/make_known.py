"""Rebuild tuning/models/known.json from the installed transformers: `python -m tests.models.make_known`."""

import json

import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tuning.models import examine


def known() -> dict[str, object]:
    """The version, and the classes that AutoModelForCausalLM can make."""
    names: set[str] = set()
    for found in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values():
        names.update((found,) if isinstance(found, str) else found)
    return {"transformers": transformers.__version__, "causal": sorted(names)}


if __name__ == "__main__":
    examine.KNOWN.write_text(json.dumps(known(), indent=1) + "\n", encoding="utf-8")
