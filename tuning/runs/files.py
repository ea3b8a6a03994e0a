"""Writing so that a crash leaves the old or the new, never a half: temporary file, fsync, replace.

Reading stands in `disk`. Nothing here knows what a run is.
"""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tuning.errors import InputError

Result = TypeVar("Result")

NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # what some network disks say of a folder, or FUSE
PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between tries at a file that somebody else has open


def given(text: str) -> pathlib.Path:
    """A path as a person wrote it, a leading `~` meant as the shell means it."""
    return pathlib.Path(os.path.expanduser(text))


def home(folder: pathlib.Path) -> None:
    """Raises InputError where a home folder cannot be one, because a file stands in its place."""
    if folder.exists() and not folder.is_dir():
        raise InputError("home.no_folder", file=folder.name)


def slug(text: str, length: int = 24, otherwise: str = "run") -> str:
    """Letters a-z, digits and hyphens that are safe in any file name; `otherwise` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:length].strip("-") or otherwise


def clean_name(name: str, length: int = 80) -> str:
    """A name as people wrote it, on one line and without control characters."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(printable.split())[:length]


@contextlib.contextmanager
def whole(folder: pathlib.Path) -> Iterator[None]:
    """Whatever goes wrong inside, such as a full disk, leaves nothing of the folder that is being made."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def put(source: pathlib.Path, target: pathlib.Path) -> None:
    """Give `source` the name `target` at once, in the place of what has it. Raises OSError."""
    patiently(lambda: os.replace(source, target))


def patiently(work: Callable[[], Result]) -> Result:
    """Do it again where it is refused: Windows lets nobody replace a file that is open, nor open one that is being replaced.

    Readers hold a file for milliseconds, virus scanners for longer.
    """
    for pause in PAUSES:
        try:
            return work()
        except PermissionError:
            time.sleep(pause)
    return work()


def write(path: pathlib.Path, text: str) -> None:
    """Replace `path` by `text` at once. Raises OSError where the disk does not take it; the old file stays."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        put(pathlib.Path(temporary), path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


def require_room(folder: pathlib.Path, needed: int) -> None:
    """Raises OSError (ENOSPC) where the disk below `folder`, which need not be there yet, has fewer bytes left for us."""
    place = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if shutil.disk_usage(place).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def sweep(path: pathlib.Path) -> None:
    """Remove what a killed `write` of `path` left beside it. For whoever alone writes it."""
    for left in path.parent.glob(f".{path.name}.*"):
        left.unlink(missing_ok=True)


def sync_folder(folder: pathlib.Path) -> None:
    """Make renames in `folder` last through a power cut (POSIX; Windows has no such call), where its disk can do that for folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in NO_SYNC:
                raise
        finally:
            os.close(handle)


def append_line(path: pathlib.Path, record: dict[str, Any]) -> None:
    """Add one JSON line; a half line that a kill left before it is closed off first."""
    line = json.dumps(record, ensure_ascii=False) + "\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = "\n" + line
        file.write(line.encode("utf-8"))


def remove(path: pathlib.Path) -> None:
    """Take away a file, or whatever has taken its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def anything_in(folder: pathlib.Path) -> bool:
    """Whether anything lies in a folder, as far as one can see."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return os.path.isdir(folder)


def size(folder: pathlib.Path) -> int:
    """Bytes of all files below a folder. What goes while it is counted, as a save that is moved into its place, counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(place, name)).st_size
    return total
