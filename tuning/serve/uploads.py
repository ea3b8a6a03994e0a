"""The folder in which uploads arrive, and exports wait to be fetched: inside the home, for its owner alone, and cleared.

What is uploaded is taken over by the data library at once; here lies what nobody came for. It reads no file.
"""

import logging
import os
import pathlib
import shutil
import tempfile
import threading
import time

FOLDER = "uploads"
OLD = 3600.0  # seconds after which nobody comes for it any more
EVERY = 600.0  # seconds from one look to the next

_log = logging.getLogger(__name__)


def prepare(home: pathlib.Path) -> pathlib.Path:
    """The folder, empty and with mode 700, and kept clear from now on; where the home cannot be written, one of the system's."""
    folder = home / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        _log.warning("uploads cannot be kept in %s", home)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sartoria-"))
    clear(folder, 0.0)
    threading.Thread(target=_keep_clear, args=(folder,), name="uploads", daemon=True).start()
    return folder


def clear(folder: pathlib.Path, older: float) -> None:
    """Remove what has not changed for `older` seconds, each upload as a whole."""
    limit = time.time() - older
    with os.scandir(folder) as entries:
        for entry in entries:
            if _changed(entry) <= limit:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    pathlib.Path(entry.path).unlink(missing_ok=True)


def _changed(entry: "os.DirEntry[str]") -> float:
    """When an upload, a file or a folder of files, changed last."""
    try:
        times = [entry.stat(follow_symlinks=False).st_mtime]
        if entry.is_dir(follow_symlinks=False):
            with os.scandir(entry.path) as files:
                times += [file.stat(follow_symlinks=False).st_mtime for file in files]
    except FileNotFoundError:  # taken over meanwhile
        return 0.0
    return max(times)


def _keep_clear(folder: pathlib.Path) -> None:
    while True:
        time.sleep(EVERY)
        try:
            clear(folder, OLD)
        except OSError as error:
            _log.warning("the folder of uploads could not be cleared: %s", error)
