"""Files that many viewers read over and over: each is read once per change, for all who look.

metrics.jsonl only grows, so only what was added is read; a file that was replaced is read anew. What changed in the last
moments is never remembered: clocks of file systems are coarse. Nothing here knows what a status is.
"""

import contextlib
import os
import pathlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from tuning.runs import disk
from tuning.runs.contents import LoggedStep
from tuning.runs.differences import series, thin
from tuning.schema import Notice

SETTLED_SECONDS = 2.0  # what was written more recently may be written again within the same tick of the clock
SIZE_SECONDS = 5.0  # how often the size of a run that grows is counted
MOST_LOGS = 16  # logs kept in memory, some MB each where they are long
MOST_KEPT = 2000
SPARK_POINTS = 40
TAIL_BYTES = 32_768
MOST_LOGGED = 256 * 2**20  # bytes that are read of a log at once

Value = TypeVar("Value")
Key = tuple[Hashable, ...]

# A path of this machine: nobody else's affair, and long. Addresses on the net and relative paths are left as they are.
PATH = re.compile(r"(?<![\w/:.\\])(?:[A-Za-z]:(?:\\[\w.@+~ -]+)*\\|~?(?:/[\w.@+~-]+)+/)(?=[\w.@+~-])")


@dataclass(frozen=True)
class Logged:
    """What a run logged, in order of steps, and a word that changes with it. The records are shared: do not change them."""

    version: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Notice] = field(default_factory=list)


class FileCache(Generic[Value]):
    """Values that were made of files, kept as long as the files stay as they are."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._values: OrderedDict[str, tuple[Key, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str, key: Key, make: Callable[[], Value], keep: Callable[[Value], bool] = lambda _: True) -> Value:
        """The value under `name` if it was made for the same `key`, else a new one."""
        with self._lock:
            found = self._values.get(name)
            if found is not None and found[0] == key:
                self._values.move_to_end(name)
                return found[1]
        value = make()
        with self._lock:
            self._values.pop(name, None)
            if keep(value):
                self._values[name] = (key, value)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


def mark(*paths: str | pathlib.Path) -> Key:
    """What changes when one of the files or folders does."""
    found: list[Hashable] = []
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size, stat.st_ctime_ns))
    return tuple(found)


def settled(key: Key) -> bool:
    """Whether what `mark` saw is old enough to be relied on."""
    latest = time.time() - SETTLED_SECONDS
    return all(stat is None or stat[1] / 1e9 < latest for stat in key if stat is None or isinstance(stat, tuple))


class Growing:
    """One metrics.jsonl, or another file of records by step, of a kind. After a resume a step may have been logged twice: the last
    one counts. A line that is no such record is passed over, and told of.
    """

    def __init__(self, path: pathlib.Path, kind: type[BaseModel] = LoggedStep) -> None:
        self.path, self.kind = path, kind
        self._lock, self._written = threading.Lock(), 0
        self._start_over(0)

    def _start_over(self, node: int) -> None:
        self._node, self._offset, self._end = node, 0, b""
        self._last: dict[tuple[int, bool], dict[str, Any]] = {}
        self._lines, self._faults = 0, list[Notice]()
        self._logged = Logged(f"{node}:0")

    def look(self) -> Logged:
        """All that was logged up to now. A half line is left until it is whole."""
        with self._lock:
            try:
                with disk.opened(self.path) as file:
                    stat = os.fstat(file.fileno())
                    if stat.st_ino == self._node and stat.st_size == self._offset:
                        if stat.st_mtime_ns == self._written and settled(((0, stat.st_mtime_ns),)):
                            return self._logged
                        if stat.st_mtime_ns != self._written:  # another content of the same length
                            self._start_over(0)
                    self._written = stat.st_mtime_ns
                    if stat.st_size - self._offset > MOST_LOGGED:
                        raise disk.FileFault("large", self.path)
                    fresh = self._fresh(file, stat)
            except disk.FileFault as fault:
                self._start_over(0)
                return self._logged if fault.missing else Logged(fault.code, [], [fault.told()])
            whole = fresh[: fresh.rfind(b"\n") + 1]
            if whole:
                self._offset += len(whole)
                self._end = (self._end + whole)[-64:]
                self._add(whole)
            return self._logged

    def _fresh(self, file: Any, stat: os.stat_result) -> bytes:
        """What was added since the last look; all of it where the file is another than before."""
        back = len(self._end)
        if stat.st_ino == self._node and stat.st_size >= self._offset:
            file.seek(self._offset - back)
            read = bytes(file.read())
            if read[:back] == self._end:
                return read[back:]
        self._start_over(stat.st_ino)
        file.seek(0)
        return bytes(file.read())

    def _add(self, whole: bytes) -> None:
        in_order, added = True, []
        latest = max(self._last, default=(-1, False)) if not self._logged.records else _place(self._logged.records[-1])
        for line in whole.splitlines():
            record = self._record(line)
            if record is not None:
                place = _place(record)
                in_order &= place > latest
                latest = max(latest, place)
                self._last[place] = record
                added.append(record)
        records = [*self._logged.records, *added] if in_order else [self._last[place] for place in sorted(self._last)]
        self._logged = Logged(f"{self._node}:{self._offset}", records, list(self._faults))

    def _record(self, line: bytes) -> dict[str, Any] | None:
        """One line, where it is of the kind. The first that is not is told of, but for the half line that a kill leaves."""
        self._lines += 1
        try:
            record = disk.parsed(self.path, line)
            disk.checked(self.path, record, self.kind)
        except disk.FileFault as fault:
            if not self._faults and not _half(line, fault):
                self._faults = [Notice(code=fault.code, level="warning", params={**fault.params, "line": self._lines})]
            return None
        return dict(record)


def _half(line: bytes, fault: disk.FileFault) -> bool:
    """Whether a line is the beginning of a record, as a kill in mid-write leaves it."""
    return fault.code == "home.broken" and line.startswith(b"{") and not line.endswith(b"}")


def _place(record: dict[str, Any]) -> tuple[int, bool]:
    return record["step"], "eval_loss" in record


_logs: OrderedDict[str, Growing] = OrderedDict()
_logs_lock = threading.Lock()
_sparks: FileCache[dict[str, list[list[float]]]] = FileCache()
_sizes: FileCache[int] = FileCache()
_tails: FileCache[list[str]] = FileCache(MOST_LOGS)


def records(path: pathlib.Path, kind: type[BaseModel] = LoggedStep) -> Logged:
    """What stands so far in a file of records by step, of one `kind`; only what is new is read."""
    name = str(path)
    with _logs_lock:
        log = _logs.pop(name, None) or Growing(path, kind)
        _logs[name] = log
        while len(_logs) > MOST_LOGS:
            _logs.popitem(last=False)
    return log.look()


def spark(path: pathlib.Path) -> dict[str, list[list[float]]]:
    """Losses (`loss`, `eval_loss`) as a few [step, value] points each, for a picture of the size of a word."""
    key = mark(path)

    def make() -> dict[str, list[list[float]]]:
        with _logs_lock:
            log = _logs.get(str(path))
        records = (log or Growing(path)).look().records
        return {name: [list(point) for point in thin(series(records, name), SPARK_POINTS)] for name in ("loss", "eval_loss")}

    return _sparks.get(str(path), key, make, lambda _: settled(key))


def size(folder: pathlib.Path) -> int:
    """Bytes of a run's folder on disk, at most some seconds old."""
    name = str(folder)
    key = mark(name, f"{name}/checkpoints", f"{name}/state.json", f"{name}/metrics.jsonl")
    young = (int(time.monotonic() / SIZE_SECONDS),)  # a run at work changes all the time: counted anew once in a while
    return _sizes.get(name, key if settled(key) else young, lambda: _count(name))


def _count(folder: str) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += _count(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:  # a checkpoint that was rotated away meanwhile, or a folder without rights
        return total
    return total


def listing(folder: pathlib.Path, most: int = 200) -> list[dict[str, Any]]:
    """The files of a folder that can be seen, by `name` below it, with their `bytes`."""
    found: list[dict[str, Any]] = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = pathlib.Path(place, name)
            with contextlib.suppress(OSError):
                found += [{"name": path.relative_to(folder).as_posix(), "bytes": os.lstat(path).st_size}] if len(found) < most else []
    return found


def tail(path: pathlib.Path, lines: int = 40) -> list[str]:
    """The last lines of a log, paths of this machine shortened to their last part; none where there is none. Raises FileFault."""
    key = mark(path)
    if key == (None,):
        return []

    def make() -> list[str]:
        with disk.opened(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
        return [PATH.sub("…/", line)[:500] for line in text.splitlines()[-lines:]]

    return _tails.get(str(path), key, make, lambda _: settled(key))
