"""Writing so that a crash leaves the old or the new, never a half: temporary file, fsync, replace.

Reading of JSON Lines tolerates the half line that a kill leaves. Nothing here knows what a run is.
"""

import errno
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any


def given(text: str) -> pathlib.Path:
    """A path as a person wrote it, a leading `~` meant as the shell means it."""
    return pathlib.Path(os.path.expanduser(text))


def write(path: pathlib.Path, text: str) -> None:
    """Replace `path` by `text` at once. Raises OSError where the disk does not take it; the old file stays."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
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
    """Make renames in `folder` last through a power cut (POSIX; Windows has no such call)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
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


def read_lines(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The records of a JSON Lines file; lines that are no JSON object are passed over."""
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
