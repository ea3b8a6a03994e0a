"""The watchdog: it notices when the job in hand does not come to its next yield point, and what is done about it then.

An honest step that others have made twenty times as slow goes on; one that hangs would hold everybody for good. Time is counted by
the watcher's own ticks, so that a machine that slept, or had no time for anybody, is not held against a job.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from tuning.errors import caught
from tuning.runs.run_folder import Run
from tuning.schema import ModelCard

LEAST = 900.0  # seconds without a sign of life: whoever reads 100 GB from a slow disk gives none
FORECASTS = 10.0  # times what was expected, before it is said
REPLACED = 2.5  # times that, before the process is replaced
TICK = 1.0
# A slow machine, for what no forecast tells apart.
DISK = 1e8  # bytes that are read in a second
ROW_SECONDS = 0.002  # for the tokens of one row


class Watched(Protocol):
    """A job, as the watchdog sees it."""

    @property
    def expected(self) -> float:
        """Seconds that it takes at most from one yield point to the next, by the forecast."""

    def late(self) -> None:
        """Tell whoever waits that nothing has come."""

    def hung(self) -> None:
        """The process is about to be replaced: see to it that the work is taken up again, or tell that it is not."""


class Watchdog:
    """Looks after the `jobs` at work, the innermost last; `replace` is called once nothing else helps."""

    def __init__(self, jobs: Callable[[], Sequence[Watched]], replace: Callable[[], None]) -> None:
        self._jobs, self._replace = jobs, replace
        self._signs = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def sign(self) -> None:
        """The thread that works lives: a job has begun or ended, or has come to a yield point."""
        self._signs += 1

    def end(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        seen, idle, told = -1, 0.0, False
        tick = min(TICK, LEAST / 10)
        while not self._over.wait(tick):
            jobs = self._jobs()
            if not jobs or seen != self._signs:
                seen, idle, told = self._signs, 0.0, False
                continue
            idle += tick
            patience = max(LEAST, FORECASTS * jobs[-1].expected)
            if idle > patience and not told:
                told = True
                caught(jobs[-1].late, "telling that nothing comes")
            if idle > REPLACED * patience:
                for job in jobs:
                    caught(job.hung, "leaving what hangs")
                self._replace()
                return


def load_seconds(card: ModelCard) -> float:
    """Seconds to load a model."""
    return 2 * card.parameters / DISK


def patience(run: Run) -> float:
    """Seconds that the processes of a training wait for each other, before one that does not answer is given up."""
    return float(run.spec().settings.sft.get("ddp_timeout") or max(LEAST, FORECASTS * stretch(run)))


def stretch(run: Run) -> float:
    """Seconds for the longest that a run does without a yield point."""
    spec = run.spec()
    return load_seconds(spec.model.card) + ROW_SECONDS * spec.data.train_rows + spec.forecast.seconds / max(1, spec.forecast.steps)
