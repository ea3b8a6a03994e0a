"""Whose turn it is: the order of the runs that wait, fair between owners, and how long each of them is expected to wait.

Pure: what stands on disk is told by `store`, and who trains is the engine's business.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_RESTARTS = 2  # in a row without a step between them: then it is not chance


@dataclass(frozen=True)
class Waiting:
    """A run that waits `since` a moment, and has so many `seconds` of work left by its forecast.

    `ahead`: when the operator put it before all others; 0 where nobody did.
    """

    run: str
    owner: str
    since: float
    seconds: float
    ahead: float = 0.0


@dataclass(frozen=True)
class Place:
    """1 is the next; seconds until it is expected to start, while others are at work."""

    place: int
    wait_seconds: float


def order(waiting: Sequence[Waiting], served: Mapping[str, float]) -> list[Waiting]:
    """What the operator has put ahead, the last one first, then round after round one run of each owner.

    First come, first served; in a round those come first who were served longest ago.
    `served`: when the last run of an owner began; who is not in it never had one. Whoever begins goes to the end of the
    round, so that the order of the others stays as it was shown.
    """
    lines: dict[str, list[Waiting]] = {}
    put = sorted((one for one in waiting if one.ahead), key=lambda one: -one.ahead)
    for one in sorted((one for one in waiting if not one.ahead), key=lambda one: (one.since, one.run)):
        lines.setdefault(one.owner, []).append(one)
    owners = sorted(lines, key=lambda owner: (served.get(owner, 0.0), lines[owner][0].since, lines[owner][0].run))
    rounds = itertools.zip_longest(*(lines[owner] for owner in owners))
    return put + [one for round_ in rounds for one in round_ if one is not None]


def places(ordered: Sequence[Waiting], seconds_left: float) -> dict[str, Place]:
    """The place of each run by its id, where those at work are done in `seconds_left`."""
    found, wait = {}, seconds_left
    for number, one in enumerate(ordered, 1):
        found[one.run] = Place(number, wait)
        wait += one.seconds
    return found


def restarts(before: Mapping[str, int], step: int) -> int | None:
    """The how many-th restart in a row one at `step` would be, after those `before` (`step`, `count`); None where it is one too many."""
    count = before.get("count", 0) + 1 if step <= before.get("step", -1) else 1
    return count if count <= MOST_RESTARTS else None
