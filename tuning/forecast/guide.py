"""The hardware guide, read for one machine: the largest model that it trains well, and what one step up would bring. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from tuning.models.catalog import EVENING

SIZES = (8, 12, 16, 24, 48, 80)  # GB of the cards that people have or can rent


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
