"""Runs held against each other, and their curves: which settings differ, and what was logged as points of a line.

Pure functions of what run folders say: nothing is read here, and nothing is put into words.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Point = tuple[float, float]
MOST_POINTS = 500
NUMBER = (int, float)


def series(metrics: Sequence[Mapping[str, Any]], key: str) -> list[Point]:
    """(step, value) of what was logged under `key`, without what is no number."""
    return [
        (line["step"], value)
        for line in metrics
        if (value := line.get(key)) is not None and isinstance(value, NUMBER) and math.isfinite(value)
    ]


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most `most` points (two or more): means over equal stretches, the first and the last point kept as they are."""
    if len(points) <= most:
        return list(points)
    inner, groups = points[1:-1], most - 2
    thinned = []
    for index in range(groups):
        part = inner[index * len(inner) // groups : (index + 1) * len(inner) // groups]
        thinned.append((sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)))
    return [points[0], *thinned, points[-1]]


def differences(*specs: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """(key, value of the first, value of the second, …) of what specs decided differently, as they stand in spec.yaml.

    Model, data, rows and recipe first, then settings by their names in the contract (`sft.name` in the open maps), then
    versions of libraries as `versions.name`. What one of them does not say is None.
    """
    sides = [_flat(spec) for spec in specs]
    keys = dict.fromkeys(key for side in sides for key in side)
    found = [(key, [side.get(key) for side in sides]) for key in keys]
    return [(key, *values) for key, values in found if any(value != values[0] for value in values)]


def _flat(spec: Mapping[str, Any]) -> dict[str, Any]:
    settings = dict(spec["settings"])
    maps = {name: settings.pop(name, {}) for name in ("sft", "lora")}
    return {
        "model": spec["model"]["card"]["title"],
        "data": spec["data"]["name"],
        "data_content": spec["data"]["sha256"][:8],
        "train_rows": spec["data"]["train_rows"],
        "validation_rows": spec["data"]["validation_rows"],
        "general_rows": spec["data"]["general_rows"],
        "recipe": spec["recipe"],
        **settings,
        **{f"{name}.{key}": value for name, values in maps.items() for key, value in values.items()},
        **{f"versions.{name}": version for name, version in spec["versions"].items()},
    }
