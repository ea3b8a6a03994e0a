"""Rebuild tuning/forecast/profiles/ for the catalog and the installed transformers (half an hour): python -m tests.forecast.make_profiles.

What is there for the same code of a family already is kept; what belongs to no card any more is removed. `--device cpu` makes
those of processors alone; `--share 1 3` makes the second third of all, for as many processes beside each other.
"""

import argparse
import itertools
from collections.abc import Iterator

from tuning import presets, settings
from tuning.forecast import activations
from tuning.forecast.activations import Request
from tuning.forecast.memory import target_names
from tuning.machine.modelling_code import fingerprint
from tuning.schema import ModelCard, TrainSettings
from tuning.studio import profiles

# Device, precision, and the most parameters for which it is usual: nobody trains 7 billion on a processor.
DEVICES = (("cuda:0", "bf16", 1e12), ("cpu", "bf16", 2.5e9), ("cpu", "fp32", 0.6e9))
TARGETS = ("all-linear", "attention")
# Beside the catalog's: configurations of small models that people bring as folders, and that a processor trains.
GEMMA = {
    "model_type": "gemma3_text", "attention_bias": False, "attention_dropout": 0.0, "attn_logit_softcapping": None,
    "final_logit_softcapping": None, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 640,
    "intermediate_size": 2048, "layer_types": [*(["sliding_attention"] * 5 + ["full_attention"]) * 3], "num_attention_heads": 4,
    "num_hidden_layers": 18, "num_key_value_heads": 1, "query_pre_attn_scalar": 256, "sliding_window": 512, "tie_word_embeddings": True,
    "use_bidirectional_attention": False, "vocab_size": 262144,
}  # fmt: skip
SMALL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def brought() -> Iterator[ModelCard]:
    """Cards of them, as a folder has one: what a profile does not depend on is another model's."""
    card = presets.models(settings.PRESETS)[SMALL]
    same = {name: GEMMA[name] for name in ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")}
    same |= {"intermediate_size": 2048, "num_key_value_heads": 1, "parameters": 268_098_176}
    yield card.model_copy(update={**same, "id": "gemma-3-270m", "config": GEMMA})


def wanted() -> Iterator[tuple[str, Request]]:
    """Keys and requests of what ships: every model of the catalog and of those beside it, as our own recipes train it."""
    cards = [*presets.models(settings.PRESETS).values(), *brought()]
    for card, (device, precision, most), targets in itertools.product(cards, DEVICES, TARGETS):
        if card.parameters > most:
            continue
        chosen = TrainSettings.model_validate({"device": device, "precision": precision, "target_modules": targets})
        request = Request(card=card, settings=chosen, targets=target_names(card, chosen))
        yield activations.key(request, fingerprint(card.model_type)), request


def main() -> None:
    from tuning.engine.measure import dryrun

    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cpu", "cuda"), default="")
    parser.add_argument("--share", type=int, nargs=2, default=(0, 1))
    told = parser.parse_args()
    mine, of = told.share
    profiles.SHIPPED.mkdir(exist_ok=True)
    found = dict(wanted())
    for path in profiles.SHIPPED.glob("*.json"):
        if path.stem not in found:
            path.unlink()
    chosen = [(name, request) for name, request in found.items() if request.settings.device.startswith(told.device)]
    for name, request in chosen[mine::of]:
        path = profiles.SHIPPED / f"{name}.json"
        if not path.exists():
            path.write_text(dryrun.profile(request).model_dump_json(by_alias=True) + "\n", encoding="utf-8")
            print(request.card.id, request.settings.device, request.settings.precision, request.settings.target_modules, flush=True)


if __name__ == "__main__":
    main()
