"""The hardware guide of one machine: what each model takes, the largest that it trains well, what one step up would bring. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tuning.forecast import devices
from tuning.forecast.data_facts import EXAMPLES
from tuning.forecast.devices import Machine
from tuning.forecast.plan import resolve
from tuning.models.catalog import COMFORT, EVENING
from tuning.schema import ModelCard, TrainSettings

SIZES = (8, 12, 16, 24, 48, 80)  # GB of the cards that people have or can rent


def offer(card: ModelCard, machine: Machine) -> dict[str, Any]:
    """What models are compared by: memory, and the time of one pass over 1000 examples, with a plan of our own choosing.

    Both are of this machine with nothing else on it, so that they stay when others come and go; whether there is room is said of what
    is free now. A model that fits only by a slower plan fits tightly.
    """
    asked = TrainSettings(num_train_epochs=1)
    plan = resolve(card, EXAMPLES, asked, replace(machine, hardware=machine.hardware.emptied()))
    need, have = plan.forecast.peak_bytes, devices.available(machine, plan.settings)
    fits = need <= have or resolve(card, EXAMPLES, asked, machine).forecast.fits
    return {
        "predicted_peak_bytes": need,
        "available_bytes": have,
        "seconds": plan.forecast.seconds,
        "fits": fits,
        "fit": "no" if not fits else "comfortable" if need <= COMFORT * have else "tight",
    }


def guide(here: Sequence[dict[str, Any]], on: Callable[[dict[str, Any], float], dict[str, Any]], have: float) -> dict[str, Any]:
    """`here` is the catalog on this machine, `on(entry, size)` one of it on a card of so many GB; `have` is the memory of the best
    card in GB.

    `now` and `step_up["model"]` are entries of the catalog, or None where nothing is trained within an evening with room
    to spare. `step_up` is None for the largest cards.
    """
    ordered = sorted(here, key=lambda entry: -int(entry["parameters"]))
    now = next((entry for entry in ordered if _good(entry)), None)
    larger = [entry for entry in ordered if now is None or entry["parameters"] > now["parameters"]]
    for size in SIZES:
        if size > 1.1 * have:
            bigger = next((seen for seen in (on(entry, float(size)) for entry in larger) if _good(seen)), None)
            if bigger is not None:
                return {"now": now, "step_up": {"gpu_memory": size, "model": bigger}}
    return {"now": now, "step_up": None}


def _good(entry: dict[str, Any]) -> bool:
    return bool(entry["fit"] == "comfortable" and entry["seconds"] <= EVENING)
