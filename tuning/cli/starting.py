"""What keeps the page from starting: a port that is taken, a home that takes nothing, another page over the same home.

Each is told in one sentence, before anything is built. What the words after the program mean is the affair of `app`.
"""

import argparse
import pathlib
import socket
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.cli.options import PORT

if TYPE_CHECKING:
    from tuning.runs.locks import Lock

LAST_PORT = 65535


@dataclass(eq=False)  # not frozen: a context that it passes writes its traceback into it
class Refusal(Exception):
    """Why the program does not start: a line of the language files, what fills it, and the exit code."""

    code: str
    params: dict[str, object]
    status: int = 2  # the words after the program are at fault; 1: what is here already


def free(chosen: argparse.Namespace) -> None:
    """Raises Refusal for a port that is taken, and for a number that is no port."""
    if not 0 <= chosen.port <= LAST_PORT:
        raise Refusal("app.no_port", {"port": str(chosen.port), "most": str(LAST_PORT), "other": PORT})
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # there the option would let two programs share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((chosen.host, chosen.port))
        except OSError:
            other = chosen.port + 1 if 0 < chosen.port < LAST_PORT else PORT
            raise Refusal("app.port", {"port": chosen.port, "other": other}, 1) from None


def look_at(home: pathlib.Path) -> None:
    """Raises Refusal for a home folder that is none, or takes nothing: what is uploaded arrives in it."""
    from tuning.errors import InputError, of_disk
    from tuning.runs import files

    try:
        files.home(home)
        home.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=home).close()
    except InputError as error:
        raise Refusal(error.code, error.params) from None
    except OSError as error:
        known = of_disk(error)
        if known is None:
            raise
        raise Refusal(known.code, known.params | {"file": home.name}) from None


def only(home: pathlib.Path) -> "Lock":
    """The lock of this home's page. Raises Refusal where another page has it: each would clear away what is uploaded to the other; and
    where the disk keeps no locks."""
    from tuning.errors import of_disk
    from tuning.runs import locks

    lock = locks.Lock(home / "page.lock")
    try:
        mine = lock.acquire(patience=2.0)
    except OSError as error:
        known = of_disk(error)
        if known is None:
            raise
        raise Refusal(known.code, known.params) from None
    if not mine:
        raise Refusal("app.home", {"home": home, "pid": locks.holder(lock.path).get("pid", "?")}, 1)
    return lock
