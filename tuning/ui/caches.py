"""What was found for an owner a moment ago, so that several looks at one page cost one. Nobody gets what another owner asked for."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Cached = TypeVar("Cached")
MOST_OWNERS = 1000


class OwnerCache(Generic[Cached]):
    """The last answer for each owner."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Hashable, float, Cached]] = {}

    def get(self, owner: str, question: Hashable, find: Callable[[], Cached], seconds: float = float("inf")) -> Cached:
        """The answer for `owner`, found anew where the last one was to another question or is older than `seconds`."""
        known = self._found.get(owner)
        if known is not None and known[0] == question and time.monotonic() - known[1] <= seconds:
            return known[2]
        found = find()
        self._found.pop(owner, None)  # who asked last stands last
        self._found[owner] = (question, time.monotonic(), found)
        for forgotten in list(self._found)[:-MOST_OWNERS]:
            self._found.pop(forgotten, None)
        return found
