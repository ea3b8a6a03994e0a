"""What one person may have and do on a machine that others use too. On a machine of one's own, and for its operator, nothing is bounded.

Who asks is known by then; how much may be sent at once is the edge's affair.
"""

import math
from dataclasses import dataclass
from typing import Any

from tuning import presets
from tuning.errors import InputError, RunError
from tuning.runs import reading
from tuning.schema import ANONYMOUS, LOCAL, SIGNED_IN, ModelRef
from tuning.studio import chats
from tuning.studio.shared import Shared

GIB = 2**30


@dataclass(frozen=True)
class Quota:
    """Bounds for one person: runs that wait or work at once, minutes of one run by its forecast, bytes of runs and data."""

    runs: int = 2
    minutes: float = 120.0
    storage_bytes: int = 10 * GIB


VISITORS = Quota()
PASSING = Quota(runs=1, minutes=10.0, storage_bytes=GIB // 4)  # visitors of a Space who have not signed in
PASSING_IN_ALL = 20  # runs of theirs that wait or work: a cookie is easily thrown away


class Quotas:
    """The bounds of one owner, held against what the owner has."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.shared, self.owner = shared, owner

    @property
    def operator(self) -> bool:
        """Whether the machine is the owner's to run: alone on it, in its terminal, the first log-in, or whose Space it is."""
        here = self.shared.settings
        whose = SIGNED_IN + here.space.creator if here.space is not None and here.space.creator else LOCAL
        return here.mode == "local" or self.owner in (LOCAL, whose, *here.operators)

    @property
    def passing(self) -> bool:
        """Whether the owner is known by a cookie alone, on a Space that anybody may open."""
        return self.owner.startswith(ANONYMOUS)

    @property
    def bounds(self) -> Quota | None:
        """None where nothing is bounded."""
        return None if self.operator else PASSING if self.passing else VISITORS

    def model(self, model: ModelRef) -> None:
        """Raises InputError `quota.…` for what others bring, and for visitors who pass for all that is not in the box."""
        catalog = presets.models(self.shared.settings.presets)
        if self.bounds is not None and model.id not in catalog:
            raise InputError("quota.model", model=model.id[:200])
        if self.passing and catalog[model.id].path is None:
            space = self.shared.settings.space
            raise InputError("quota.sign_in" if space is not None and space.oauth else "quota.starter", model=model.id)

    @property
    def outside(self) -> bool:
        """Whether the owner comes in over the web."""
        return self.shared.settings.mode != "local" and self.owner != LOCAL

    def over_the_web(self, changes: dict[str, Any]) -> None:
        """Raises InputError `settings.web` for a setting that nobody sets who comes in over the web."""
        if self.outside:
            presets.over_the_web(changes)

    def pace(self, kind: str) -> None:
        """Raises RunError `quota.pace` where this is asked too often, by the owner or by all together; see `studio.pace`."""
        if self.outside and (wait := self.shared.pace.take(self.owner, kind)):
            raise RunError("quota.pace", seconds=math.ceil(wait))

    def machine(self) -> None:
        """Raises RunError `quota.operator` for what changes the machine for everybody."""
        if self.bounds is not None:
            raise RunError("quota.operator")

    def training(self) -> None:
        """Raises RunError `quota.zero_gpu` on a Space whose cards are lent for seconds."""
        space = self.shared.settings.space
        if space is not None and space.zero_gpu:
            raise RunError("quota.zero_gpu")

    def run(self, seconds: float) -> None:
        """Raises RunError where another run, of so many forecast `seconds`, is one too many, too long, or has no room."""
        self.training()
        if self.bounds is None:
            return
        if seconds > self.bounds.minutes * 60:
            raise RunError("quota.minutes", minutes=seconds / 60, most=self.bounds.minutes)
        self.room()
        self.turn()

    def turn(self) -> None:
        """Raises RunError where another run in the queue is one too many, of the owner's or of all who pass."""
        self.training()
        if self.bounds is None:
            return
        places = self.shared.store.places()
        if self.passing and sum(run.owner().startswith(ANONYMOUS) for run in self.shared.store.queue()) >= PASSING_IN_ALL:
            raise RunError("quota.full", count=PASSING_IN_ALL)
        alive = [run for run in self.shared.store.all(self.owner) if run.id in places or run.state().status in ("starting", "running")]
        if len(alive) >= self.bounds.runs:
            wait = min((places[run.id].wait_seconds for run in alive if run.id in places), default=0.0)
            minutes = max(1, math.ceil(wait / 60))
            raise RunError("quota.one", minutes=minutes) if self.passing else RunError("quota.runs", count=len(alive), minutes=minutes)

    def room(self) -> None:
        """Raises InputError `quota.storage` where runs, data and conversations take all the owner's room."""
        if self.bounds is None:
            return
        have = sum(reading.size(run.folder) for run in self.shared.store.all(self.owner)) + self.shared.library.size(self.owner)
        have += chats.size(self.shared.settings.home, self.owner) + self.shared.waiting.size(self.owner)
        if have >= self.bounds.storage_bytes:
            raise InputError("quota.storage", have=have / GIB, most=self.bounds.storage_bytes / GIB)
