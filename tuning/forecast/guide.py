"""The hardware guide, read for one machine: the largest model that it trains well, and what one step up would bring. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from tuning.models.catalog import EVENING

SIZES = (8, 12, 16, 24, 48, 80)  # GB of the cards that people have or can rent


def guide(here: Sequence[dict[str, Any]], on: Callable[[float], list[dict[str, Any]]], have: float) -> dict[str, Any]:
    """`here` is the catalog on this machine, `on(size)` that on a card of so many GB; `have` is the memory of the best card in GB.

    `now` and `step_up["model"]` are entries of the catalog, or None where nothing is trained within an evening with room
    to spare. `step_up` is None for the largest cards.
    """
    now = _largest(here)
    for size in SIZES:
        if size > 1.1 * have:
            bigger = _largest(on(float(size)))
            if bigger is not None and (now is None or bigger["parameters"] > now["parameters"]):
                return {"now": now, "step_up": {"gpu_memory": size, "model": bigger}}
    return {"now": now, "step_up": None}


def _largest(entries: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    good = [entry for entry in entries if entry["fit"] == "comfortable" and entry["seconds"] <= EVENING]
    return max(good, key=lambda entry: int(entry["parameters"]), default=None)
