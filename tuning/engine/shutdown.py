"""How a process that has to end asks the run it trains to keep its place: an empty file `leave` in the run's folder.

`stop` is a person's wish and ends a run; this one saves and leaves it to go on later. Also how a process takes its own
place, where a card is of no use to it any more. No model library is needed for either.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from tuning.runs.run_folder import Run

PATIENCE_SECONDS = 20.0  # what a process that ends waits for the save; who ended it often kills it after 30


class Leaving(Exception):
    """The process has to end: whoever computes lets go at once."""


def _file(run: Run) -> pathlib.Path:
    return run.folder / "leave"


def ask(run: Run) -> None:
    """Ask for a save at the next possible moment, and for the end. Nothing is asked of a full disk or a deleted run."""
    with contextlib.suppress(OSError):
        _file(run).touch()


def asked(run: Run) -> bool:
    return _file(run).exists()


def forget(run: Run) -> None:
    """What was asked of an earlier process is no business of this one."""
    _file(run).unlink(missing_ok=True)


def anew(*arguments: str) -> NoReturn:
    """Put a Python with these arguments in the place of this process: the only way to be rid of what a card has spoiled."""
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":  # there the new process would not stand where the old one stood
        os._exit(subprocess.call([sys.executable, *arguments]))
    os.closerange(3, 1 << 16)  # locks, sockets and the card
    os.execv(sys.executable, [sys.executable, *arguments])


@contextlib.contextmanager
def at_sigterm(run: Run) -> Iterator[Callable[[], None]]:
    """While this is open SIGTERM asks `run` to leave, and a second one ends the process. For the main thread.

    Yields what is to be called now and then: it asks again, where the run was only about to begin when the signal came.
    """
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        ask(run)
        signal.signal(number, signal.SIG_DFL)

    def again() -> None:
        if came and not asked(run):
            ask(run)

    previous = signal.signal(signal.SIGTERM, note)
    try:
        yield again
    finally:
        signal.signal(signal.SIGTERM, previous)
