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
from tuning.schema import TrainSettings
from tuning.studio import profiles

# Device, precision, and the most parameters for which it is usual: nobody trains 7 billion on a processor.
DEVICES = (("cuda:0", "bf16", 1e12), ("cpu", "bf16", 2.5e9), ("cpu", "fp32", 0.6e9))
TARGETS = ("all-linear", "attention")


def wanted() -> Iterator[tuple[str, Request]]:
    """Keys and requests of what ships: every model of the catalog, as our own recipes train it."""
    for card, (device, precision, most), targets in itertools.product(presets.models(settings.PRESETS).values(), DEVICES, TARGETS):
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
