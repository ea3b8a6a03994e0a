"""The errors a user can meet: a code and its parameters, never a sentence.

`tuning.text` turns them into words at the edge (page, command line, API). An error here is about input or state that
a person can mend; programming errors stay ordinary exceptions and go to the log.
"""

import errno
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

DEEPEST = 3  # errors of a chain that are told
LONGEST = 200  # characters of what each of them said
FOLDERS = re.compile(r"(?:[A-Za-z]:)?[/\\](?:[^\s'\"/\\]+[/\\])+")  # all but the last part of a path


# What a disk answers that a person can mend.
DISK = {
    errno.ENOSPC: "home.full",
    errno.EDQUOT: "home.full",
    errno.EROFS: "home.closed",
    errno.EACCES: "home.closed",
    errno.EPERM: "home.closed",
    errno.ENOTDIR: "home.no_folder",
    errno.EEXIST: "home.no_folder",
    errno.ENAMETOOLONG: "home.long_name",
    errno.ENOLCK: "home.no_locks",
}


class TuningError(Exception):
    """Something a person can mend. `code` names a line in every language file, `params` fill its placeholders."""

    exit_code = 1

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        details = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.code}({details})"


class InputError(TuningError):
    """The input is at fault: a file, a key, a name, a value. The command line ends with 2."""

    exit_code = 2


class RunError(TuningError):
    """A run cannot do what was asked of it in the state it is in. The command line ends with 2."""

    exit_code = 2


class EngineError(TuningError):
    """Training or chat could not go on. `reason` is what `state.json` keeps: diverged, memory, disk, cuda, data."""

    def __init__(self, code: str, reason: str | None = None, **params: Any) -> None:
        super().__init__(code, **params)
        self.reason = reason


def cause(error: BaseException) -> str:
    """What lies behind an error, outermost first: kinds and first lines of what the libraries said, without folders of this machine.

    "" where nothing does.
    """
    said: list[str] = []
    behind: BaseException | None = error
    while behind is not None and len(said) < DEEPEST:
        if not isinstance(behind, TuningError):
            first = next(iter(str(behind).strip().splitlines()), "")
            words = f"{type(behind).__name__}: {FOLDERS.sub('', first)[:LONGEST]}".rstrip(": ")
            said.extend([words] if said[-1:] != [words] else [])
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    return ", from ".join(said)


def innermost(error: BaseException) -> str:
    """The last of `cause`, which is what it began with."""
    return cause(error).split(", from ")[-1].rstrip(".")


def of_disk(error: BaseException) -> InputError | None:
    """A disk that is full or keeps no locks, a folder without rights, a file in its place, as an error to be mended; None for any other."""
    code = DISK.get(error.errno or 0) if isinstance(error, OSError) else None
    if code is None:
        return None
    assert isinstance(error, OSError)
    return InputError(code, file=os.path.basename(os.fsdecode(error.filename))[:80] if isinstance(error.filename, str | bytes) else "…")


def of_tokenizer(error: BaseException) -> EngineError | None:
    """The panic of a tokenizer, which is written in Rust, as the error that a user can be told; None for any other."""
    return EngineError("tokens.panic", reason="data") if type(error).__name__ == "PanicException" else None


def told(error: BaseException, doing: str) -> TuningError:
    """An error as a user can be told it. One that nobody foresaw is logged in full, under the number that the sentence has."""
    known = error if isinstance(error, TuningError) else of_disk(error) or of_tokenizer(error)
    if known is None:
        number = secrets.token_hex(3)
        logger.error("error %s: %s failed", number, doing, exc_info=error)
        known = TuningError("ui.unexpected", kind=type(error).__name__, number=number)
    return known


def caught(work: Callable[[], Any], doing: str) -> BaseException | None:
    """Do `work` at an edge of the engine, beyond which nobody could catch: what goes wrong is logged in full and returned.

    That goes for what is no Exception too, as the panic of a library in Rust. In the main thread Ctrl-C and the end of the program
    pass; in any other no signal arrives, and they would only end that thread in silence.
    """
    try:
        work()
    except TuningError as error:
        logger.info("%s: %s", doing, error)
        return error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit) and threading.current_thread() is threading.main_thread():
            raise
        logger.exception("%s failed", doing)
        return error
    return None
