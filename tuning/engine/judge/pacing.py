"""The time budget of an evaluation: until when each part of a report may run, planned by the speed that was measured on its first rows.

Pure arithmetic over seconds per item; what the items are, and that they are measured, is `report`'s business.
"""

from collections.abc import Mapping, Sequence

ENOUGH = 24  # rows, or answers: with fewer nothing is certain, so that so many of each come before more of any
SHARES = {"losses": 0.2, "probe": 0.1, "training": 0.1, "answers": 0.5, "recall": 0.1}  # where not all has its time; in this order


def deadlines(parts: Mapping[str, Sequence[float]], seconds: float, most: float, spent: float) -> dict[str, float]:
    """Until when, on a clock that shows `spent`, each part may take. `parts` has the expected seconds of each item of each.

    `seconds` are wanted in all; where `ENOUGH` items of each part take longer they may, up to `most`. What a part does not need
    goes to the others. A part that is done early leaves its time to those after it.
    """
    enough = {part: sum(items[:ENOUGH]) for part, items in parts.items()}
    left = min(most, max(seconds, spent + sum(enough.values()))) - spent
    first = shared(enough, left)
    more = shared({part: sum(items[ENOUGH:]) for part, items in parts.items()}, left - sum(first.values()))
    spare = max(0.0, left - sum(first.values()) - sum(more.values()))  # the speed may not stay as it is
    found, until = {}, spent
    for part, share in SHARES.items():
        until += first.get(part, 0.0) + more.get(part, 0.0) + spare * share
        found[part] = until
    return found


def shared(needs: Mapping[str, float], seconds: float) -> dict[str, float]:
    """`seconds` dealt out by `SHARES`, to no part more than it needs."""
    wanting, given, left = dict(needs), dict.fromkeys(needs, 0.0), max(0.0, seconds)
    while wanting:
        total = sum(SHARES[part] for part in wanting)
        fair = {part: left * SHARES[part] / total for part in wanting}
        content = [part for part in wanting if wanting[part] <= fair[part]]
        if not content:
            return {**given, **fair}
        for part in content:
            given[part] = wanting.pop(part)
            left -= given[part]
    return given
