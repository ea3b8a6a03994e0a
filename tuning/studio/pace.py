"""How often somebody may ask for what takes the machine's time: token buckets for each owner, and for all owners together.

In memory alone, and of so many owners: whoever has been away longest begins anew. Who asks is known by then, and nothing waits here.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """So many at once, then one more each so many seconds."""

    at_once: int
    seconds: float


RATES = {
    "start": Rate(10, 10.0),  # new runs, and those that go on
    "message": Rate(30, 2.0),  # of a conversation
    "data": Rate(30, 2.0),  # data that are read, mended or looked up
    "upload": Rate(30, 2.0),
    "uploaded bytes": Rate(1_000_000_000, 3600 / 1e9),  # nobody came for them after an hour, and they are cleared
    "errand": Rate(20, 5.0),  # reports, exports, downloads, searches
    "plan": Rate(200, 0.2),
    "change": Rate(120, 0.5),  # stop, rename, delete, links
}
IN_ALL = 10  # times what one owner has, for all of them together
MOST_REMEMBERED = 10_000
EVERYBODY = ""  # who is nobody's name


class Pace:
    """The buckets of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()  # what may still be asked, as of when

    def take(self, owner: str, kind: str, count: int = 1) -> float:
        """Count so many more; 0 where that is well, else the seconds until it would be, and nothing is counted."""
        rate, now = RATES[kind], self._clock()
        bounds = {(owner, kind): rate, (EVERYBODY, kind): Rate(rate.at_once * IN_ALL, rate.seconds / IN_ALL)}
        with self._lock:
            left = {key: self._has(key, bound, now) for key, bound in bounds.items()}
            wait = max((count - left[key]) * bound.seconds for key, bound in bounds.items())
            if wait > 0:
                return wait
            for key, have in left.items():
                self._left[key] = (have - count, now)
                self._left.move_to_end(key)
            while len(self._left) > MOST_REMEMBERED:
                self._left.popitem(last=False)
        return 0.0

    def _has(self, key: tuple[str, str], bound: Rate, now: float) -> float:
        left, when = self._left.get(key, (float(bound.at_once), now))
        return min(float(bound.at_once), left + (now - when) / bound.seconds)
