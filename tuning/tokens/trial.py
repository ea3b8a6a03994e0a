"""The trial: a model's folder that came from elsewhere is opened once in a child process, before this process opens it.

Configuration, tokenizer and chat template are a stranger's. What panics, loops or swells, or is no such file, does so in the child, which
has limits of time and memory; here it is one sentence that names the file. Headers are looked at before that. Weights are not read, and
nothing is judged that honest models differ in: a template may say no to a conversation.
"""

import contextlib
import dataclasses
import gc
import hashlib
import json
import logging
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time
from importlib import metadata
from typing import Any

from tuning.errors import InputError
from tuning.models import examine, model_folder
from tuning.runs import disk, files
from tuning.sandbox import run
from tuning.sandbox.limits import OUT_OF_MEMORY, Limits, confine
from tuning.settings import PRESETS

logger = logging.getLogger(__name__)

LIMITS = Limits(seconds=300.0)  # on the clock, beside others that are at work and from a slow disk
AGAIN_SECONDS = 60.0  # after a trial that failed
KEPT = 100  # folders that have passed
FORM = 1  # of a trial: raise it when it finds more
LIBRARIES = ("transformers", "tokenizers", "jinja2")
PASSED = "passed.txt"  # in the home: which folders have passed, by what their files were
VERDICT, STAGE = "verdict.json", "stage"  # files of the child: what it found, and which file it has in hand

Mark = tuple[tuple[str, int, int, int, int], ...]

_one = threading.Lock()  # one child at a time: somebody may be training beside it
_verdicts: dict[str, tuple[Mark, float, InputError | None]] = {}  # by folder: of which files, since when, and what is wrong


def require(path: str | pathlib.Path, passed: pathlib.Path | None = None) -> None:
    """Raises InputError, which names the file, for a model's folder that this process had better not open. Quick where nothing has changed.

    In the file `passed` it is kept which folders need no trial in another process. The models that come with the project need none.
    """
    folder = pathlib.Path(os.path.abspath(path))
    if folder.is_relative_to(PRESETS) or not folder.is_dir():
        return
    mark = _mark(folder)
    if not _current(folder, mark):
        with _one:
            if not _current(folder, mark):  # nobody has tried it meanwhile
                _verdicts[str(folder)] = mark, time.monotonic(), _kept(folder, mark, passed)
    fault = _verdicts[str(folder)][2]
    if fault is not None:
        raise InputError(fault.code, **fault.params)


def _current(folder: pathlib.Path, mark: Mark) -> bool:
    """Whether there is a verdict of these very files; one that is bad is thought over after a while."""
    known, when, fault = _verdicts.get(str(folder), (None, 0.0, None))
    return known == mark and (fault is None or time.monotonic() - when < AGAIN_SECONDS)


def seconds_for(file: str) -> int:
    """How long a file may take, of the processor: an honest one a tenth of a second, with a vocabulary of 256,000 words three.

    Older forms of a tokenizer are made into the new one first, which takes ten times as long.
    """
    return 3 if "template" in file else 10 if file.endswith(".json") else 60


def _mark(folder: pathlib.Path) -> Mark:
    """Which files the verdict is of. The time of a file's last change of state cannot be set back as that of its content can."""
    names = sorted(entry.name for entry in os.scandir(folder) if _counts(entry.name))
    found = [(name, os.lstat(folder / name), os.stat(folder / name)) for name in names if (folder / name).exists()]
    return tuple((name, at.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns) for name, at, there in found)


def _counts(name: str) -> bool:
    return name in examine.TEXTS or name == examine.INDEX or examine.SHARD.fullmatch(name) is not None


def _kept(folder: pathlib.Path, mark: Mark, passed: pathlib.Path | None) -> InputError | None:
    """The verdict, from the file where the folder has passed before; what has passed now is added to it."""
    if passed is None:
        return _tried(folder)
    asked = [FORM, str(folder), mark, [metadata.version(name) for name in LIBRARIES]]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    known = disk.kept(lambda: disk.text(passed), "").split()
    fault = None if key in known else _tried(folder)
    if fault is None and key not in known:
        with contextlib.suppress(OSError):  # a full disk: it is tried again
            passed.parent.mkdir(parents=True, exist_ok=True)
            files.write(passed, "\n".join([*known[-KEPT:], key]))
    return fault


def _tried(folder: pathlib.Path) -> InputError | None:
    """What the child says of the folder, or what its end says."""
    title = folder.name.removeprefix("models--").replace("--", "/")
    try:
        _look(folder, title)
    except InputError as error:
        return error
    request = {"folder": str(folder), "title": title, "limits": dataclasses.asdict(LIMITS)}
    with tempfile.TemporaryDirectory() as place:
        here = pathlib.Path(place)
        try:
            run.run("tuning.tokens.trial", request, here, LIMITS)
            found: dict[str, Any] = json.loads((here / VERDICT).read_text(encoding="utf-8"))
        except InputError as error:
            logger.info("the trial of %s: %s", title, error)
            stage = here / STAGE
            file = stage.read_text(encoding="utf-8") if stage.is_file() else "config.json"
            return _death(error, title, file)
    return InputError(found["code"], **found["params"]) if found else None


def _look(folder: pathlib.Path, title: str) -> None:
    """Raises InputError for what is seen without a library, and within bounds: files that are none, headers that lie."""
    config = model_folder.text(folder, "config.json", title)
    if any(examine.SHARD.fullmatch(path.name) for path in folder.iterdir()):  # not where a tokenizer was fetched alone
        model_folder.agree(title, config, model_folder.check(folder, title))
    if examine.wants_code(folder):
        raise InputError("model.remote_code", model=title)


def _death(error: InputError, title: str, file: str) -> InputError:
    alarm = -signal.SIGPROF if hasattr(signal, "SIGPROF") else None
    if error.code == "data.crashed" and error.params["how"] != alarm:
        return InputError("model.broken", model=title, file=file)
    return InputError("model.heavy", model=title, file=file, seconds=seconds_for(file), limit=LIMITS.memory_bytes // 2**20)


def main() -> int:
    """The child: one JSON request on stdin, its verdict in the working folder. Returns the exit code."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # tokenizers do without: a quarter of the time and memory
    gc.disable()  # it ends soon; a vocabulary of 256,000 words is read in three fifths of the time
    from tuning.tokens import first_use

    request: dict[str, Any] = json.load(sys.stdin)
    confine(dataclasses.replace(Limits(**request["limits"]), seconds=LIMITS.seconds * (os.cpu_count() or 1)))
    try:
        found = first_use.tried(pathlib.Path(request["folder"]), request["title"], pathlib.Path(STAGE), seconds_for)
        pathlib.Path(VERDICT).write_text(json.dumps(found), encoding="utf-8")
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main())
