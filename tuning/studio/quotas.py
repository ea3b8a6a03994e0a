"""What one person may have and do on a machine that others use too. On a machine of one's own, and for its operator, nothing is bounded.

Who asks is known by then; how much may be sent at once is the edge's affair.
"""

from dataclasses import dataclass

from tuning import presets
from tuning.errors import InputError, RunError
from tuning.runs import reading
from tuning.schema import ModelRef
from tuning.studio.shared import Shared

GIB = 2**30


@dataclass(frozen=True)
class Quota:
    """Bounds for one person: runs that wait or work at once, minutes of one run by its forecast, bytes of runs and data."""

    runs: int = 2
    minutes: float = 120.0
    storage_bytes: int = 10 * GIB


VISITORS = Quota()


class Quotas:
    """The bounds of one owner, held against what the owner has."""

    def __init__(self, shared: Shared, owner: str) -> None:
        self.shared, self.owner = shared, owner

    @property
    def operator(self) -> bool:
        """Whether the machine is the owner's to run: alone on it, or the first log-in."""
        return self.shared.settings.mode == "local" or self.owner in self.shared.settings.operators

    @property
    def bounds(self) -> Quota | None:
        """None where nothing is bounded."""
        return None if self.operator else VISITORS

    def model(self, model: ModelRef) -> None:
        """Raises InputError `quota.model` for one that is not in the catalog: what others bring is not loaded for visitors."""
        if self.bounds is not None and model.id not in presets.models(self.shared.settings.presets):
            raise InputError("quota.model", model=model.id[:200])

    def machine(self) -> None:
        """Raises RunError `quota.operator` for what changes the machine for everybody."""
        if self.bounds is not None:
            raise RunError("quota.operator")

    def run(self, seconds: float) -> None:
        """Raises RunError where another run, of so many forecast `seconds`, is one too many, too long, or has no room."""
        if self.bounds is None:
            return
        if seconds > self.bounds.minutes * 60:
            raise RunError("quota.minutes", minutes=seconds / 60, most=self.bounds.minutes)
        self.room()
        self.turn()

    def turn(self) -> None:
        """Raises RunError `quota.runs` where another run in the queue is one too many."""
        if self.bounds is None:
            return
        places = self.shared.store.places()
        alive = [run for run in self.shared.store.all(self.owner) if run.id in places or run.state().status in ("starting", "running")]
        if len(alive) >= self.bounds.runs:
            wait = min((places[run.id].wait_seconds for run in alive if run.id in places), default=0.0)
            raise RunError("quota.runs", count=len(alive), minutes=max(1.0, wait / 60))

    def room(self) -> None:
        """Raises InputError `quota.storage` where runs and data take all the owner's room."""
        if self.bounds is None:
            return
        have = sum(reading.size(run.folder) for run in self.shared.store.all(self.owner)) + self.shared.library.size(self.owner)
        if have >= self.bounds.storage_bytes:
            raise InputError("quota.storage", have=have / GIB, most=self.bounds.storage_bytes / GIB)
