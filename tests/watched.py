"""What a piece of work opens, writes, sends and starts, as Python's audit events tell it. It stops nothing."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

EVENTS = ("open", "os.mkdir", "os.rename", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "import")

_lists: list[list[tuple[str, str]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _lists and event in EVENTS:
        for found in _lists:
            found.append((event, str(arguments[1] if event == "socket.connect" else arguments[0])))


@contextlib.contextmanager
def watched() -> Iterator[list[tuple[str, str]]]:
    """All events inside the block, by name and what was opened, asked or started."""
    if not hasattr(_hook, "there"):
        sys.addaudithook(_hook)
        _hook.there = True  # type: ignore[attr-defined]
    found: list[tuple[str, str]] = []
    _lists.append(found)
    try:
        yield found
    finally:
        _lists.remove(found)
