"""Rebuild tuning/models/known.json from the installed transformers: `python -m tests.models.make_known`. It takes minutes."""

import functools
import json
import tempfile
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

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


def text_parts() -> dict[str, dict[str, Any]]:
    """By the class of a model that takes pictures, too: the class and type of its text model, which tensors AutoModelForCausalLM does not
    load, which modules it loads beside that, and the sizes where config.json says none. Only those that give the same logits, with no
    tensor missing and none unexpected."""
    found: dict[str, dict[str, Any]] = {}

    def look(kind: str, name: str) -> None:
        torch.manual_seed(0)
        whole, ids = every.small(getattr(transformers, name), every.config(kind)), torch.arange(5, 25)[None]
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            whole.save_pretrained(folder)
            part, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
            same = torch.equal(part.eval()(ids).logits, whole(input_ids=ids).logits)
        kind_of_text = part.config.get_text_config().model_type
        if same and not any(told.values()) and kind_of_text in every.decoders():
            alone = type(part).__name__ == every.decoders()[kind_of_text]
            outside = "|".join(sorted(part._keys_to_ignore_on_load_unexpected or ())) if alone else ""
            beside = "" if alone else "|".join(one for one, _ in part.model.named_children() if one != "language_model")
            of = {"architecture": every.decoders()[kind_of_text], "model_type": kind_of_text}
            usual = AutoConfig.for_model(kind_of_text).to_dict()
            sizes = {size: usual.get(size) for size in (*every.TEXT, "head_dim", "max_position_embeddings")}
            found[name] = {**of, "outside": outside, "beside": beside, "usual": {size: one for size, one in sizes.items() if one}}

    for kind, name in every.with_pictures().items():
        caught(functools.partial(look, kind, name), kind)
    return found


if __name__ == "__main__":
    examine.KNOWN.write_text(json.dumps({**known(), "text_parts": text_parts(), "unpacked": unpacked()}, indent=1) + "\n", encoding="utf-8")
