"""The report at the end of a training: what is said while it is made, and how it is ended before its time.

What is measured and what that means is `engine.judge`'s; here all is published already.
"""

import contextlib
import time
from collections.abc import Callable

from tuning.engine import shutdown
from tuning.engine.device import release
from tuning.engine.judge import report
from tuning.engine.learn.callbacks import StateWriter
from tuning.engine.resident import Resident
from tuning.engine.speak.batches import Ended
from tuning.errors import caught
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import RunSpec


def prove(run: Run, spec: RunSpec, resident: Resident, store: Store, ledger: StateWriter, yield_point: Callable[[], None]) -> None:
    """Measure what was learned. A stop that is asked meanwhile leaves the report with what was found until then.

    Where this goes wrong, or the process has to end, the run has no report.
    """
    asked, until = run.stopped_at(), time.monotonic() + report.wanted(run)

    def between() -> None:
        ledger.update(seconds_left=max(0.0, until - time.monotonic()))
        ledger.beat()
        yield_point()
        if shutdown.asked(run):
            raise shutdown.Leaving
        if run.stopped_at() > asked:  # one that has ended the steps has not ended this
            raise Ended

    def work() -> None:
        with contextlib.suppress(shutdown.Leaving, Ended):
            report.make(run, spec, resident, store, between)

    ledger.update(now=True, finishing="measuring", seconds_left=report.wanted(run))
    release()  # what training took: the report is to have its place
    caught(work, f"the report on run {run.id}")
