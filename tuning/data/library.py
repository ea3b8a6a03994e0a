"""The data sets that are kept, below home/data/<id>/: list, look up, read, delete. Each belongs to an owner.

Another owner's data set is as unknown as one that never was. It never reads a file as it was uploaded.
"""

import bisect
import functools
import json
import os
import pathlib
import re
import shutil
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from tuning.data.formats.content import said
from tuning.data.records import INDEX, ROWS, SPEC, VALIDATION, shown
from tuning.data.split import split
from tuning.errors import InputError
from tuning.runs import disk, files
from tuning.schema import LOCAL, DataSpec, Notice, TrainSettings

MOST_FOUND = 1000  # rows that a search finds
GRAVE = ".old-"  # beginning of the names of folders on their way out

_ID = re.compile("[a-z0-9][a-z0-9-]*")

NormalRows = Sequence[dict[str, Any]]  # in normal form


def folder_of(home: pathlib.Path) -> pathlib.Path:
    """Where the data sets of a home are."""
    return home / "data"


class Library:
    """The data sets of one home folder."""

    def __init__(self, home: pathlib.Path) -> None:
        self.folder = folder_of(home)

    def questions(self, id: str, owner: str, limit: int) -> list[str]:
        """Some short questions of the data, held-out ones where it has them. Raises InputError `data.unknown`."""
        rows = list(self.validation_rows(id, owner)) or list(self.rows(id, owner, 100))
        some = rows[:: max(1, len(rows) // limit)]
        asked = (next((turn["content"] for turn in row.get("messages", ()) if turn["role"] == "user"), "") for row in some)
        return [text for text in dict.fromkeys(asked) if 0 < len(text) <= 200][:limit]

    def list(self, owner: str) -> list[DataSpec]:
        """All data sets of an owner, the newest first. What cannot be read is left out; `unreadable` has it."""
        specs = [spec for path in self._paths() if (spec := disk.kept(functools.partial(_spec, path), None)) is not None]
        return sorted((spec for spec in specs if spec.owner == owner), key=lambda spec: spec.created, reverse=True)

    def size(self, owner: str) -> int:
        """Bytes of an owner's data sets on disk."""
        return sum(files.size(self.folder / spec.id) for spec in self.list(owner))

    def unreadable(self, owner: str) -> dict[str, Notice]:
        """What is wrong with those data sets whose description or rows cannot be read, by id.

        Whose they are stands in them, else they are those of whoever has this machine.
        """
        found: dict[str, Notice] = {}
        for path in self._paths():
            faults = _faults(path)
            if faults and _owner(path) == owner:
                found[path.name] = faults[0]
        return found

    def _paths(self) -> Sequence[pathlib.Path]:
        """The folders that may be data sets. Raises FileFault where the folder of all of them cannot be read."""
        try:
            return sorted(path for path in self.folder.iterdir() if _ID.fullmatch(path.name)) if self.folder.is_dir() else []
        except OSError as error:
            raise disk.of_system(self.folder, error) from error

    def get(self, id: str, owner: str) -> DataSpec:
        """One data set. Raises InputError `data.unknown`, also where it is somebody else's, and `data.unreadable` with the fault."""
        try:
            spec = _spec(self.folder / id) if _ID.fullmatch(id) else None
        except disk.FileFault as fault:
            if not fault.missing and _owner(self.folder / id) == owner:
                raise _unreadable(id, fault) from fault
            spec = None
        if spec is None or spec.owner != owner or spec.id != id:
            raise InputError("data.unknown", data=shown(id, 80))
        return spec

    def rows(self, id: str, owner: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows: `{"row": n, "messages": [{"role", "content"}, …]}`. Raises InputError `data.unknown` at once, FileFault later."""
        return islice(_rows(self._path(id, owner) / ROWS), limit)

    def require(self, id: str, owner: str) -> DataSpec:
        """As `get`, of data whose rows are there. Raises InputError `data.unreadable` where they are not."""
        spec = self.get(id, owner)
        try:
            require_rows(self.folder / spec.id, spec)
        except disk.FileFault as fault:
            raise _unreadable(id, fault) from fault
        return spec

    def page(self, id: str, owner: str, start: int, count: int) -> NormalRows:
        """`count` rows from the one at `start` (from 0) on, without reading the others."""
        folder = self._path(id, owner)
        begin = disk.kept(functools.partial(_begin, folder, start), None, [])
        if begin is None:  # of data read before there was an index, or one that is damaged
            return tuple(islice(_rows(folder / ROWS), start, start + count))
        return tuple(islice(_rows(folder / ROWS, begin), count))

    def place(self, id: str, owner: str, row: int) -> int:
        """Where among the kept rows the one stands that is number `row` in the file; if it is not there, the next one."""
        kept = range(self.get(id, owner).rows_kept)
        return bisect.bisect_left(kept, row, key=lambda at: int(self.page(id, owner, at, 1)[0]["row"]))

    def search(self, id: str, owner: str, words: str, most: int = MOST_FOUND) -> Sequence[int]:
        """Where among the kept rows those stand in which somebody says `words`, in any case: the first `most`."""
        wanted, found = words.casefold(), array("Q")
        written = json.dumps(wanted, ensure_ascii=False)[1:-1]
        with disk.opened(self._path(id, owner) / ROWS) as stream:
            for place, line in enumerate(stream):
                if written in line.decode(errors="replace").casefold() and any(
                    wanted in text.casefold() for text in said(orjson.loads(line))
                ):
                    found.append(place)
                    if len(found) == most:
                        break
        return found

    def validation_rows(self, id: str, owner: str) -> Iterator[dict[str, Any]]:
        """The rows of a validation file of its own; none where there was no such file."""
        path = self._path(id, owner) / VALIDATION
        return _rows(path) if os.path.lexists(path) else iter(())

    def parts(self, id: str, owner: str, settings: TrainSettings) -> tuple[NormalRows, NormalRows]:
        """Rows to learn from and rows to check with, as a run with these settings (nothing left at auto) takes them."""
        rows = [*self.rows(id, owner, settings.max_samples)]
        if settings.validation_share:
            chosen, held_out = split(rows, float(settings.validation_share), settings.seed)
            return [rows[index] for index in chosen], [rows[index] for index in held_out]
        return rows, [*self.validation_rows(id, owner)]

    def delete(self, id: str, owner: str, used_by: Sequence[str]) -> None:
        """Removes a data set. `used_by` names the runs made with it. Raises InputError `data.unknown`, `data.in_use`."""
        path = self._path(id, owner)
        if used_by:
            raise InputError("data.in_use", data=id, count=len(used_by), runs=", ".join(shown(name, 60) for name in used_by[:5]))
        grave = pathlib.Path(tempfile.mkdtemp(prefix=GRAVE, dir=self.folder))
        os.replace(path, grave / id)  # gone at once and as a whole, however long the removal takes
        shutil.rmtree(grave, ignore_errors=True)

    def _path(self, id: str, owner: str) -> pathlib.Path:
        return self.folder / self.get(id, owner).id


def _spec(path: pathlib.Path) -> DataSpec:
    return disk.record(path / SPEC, DataSpec)


def _unreadable(id: str, fault: disk.FileFault) -> InputError:
    return InputError("data.unreadable", data=id, fault=fault.code, **fault.params)


def _faults(path: pathlib.Path) -> list[Notice]:
    """What keeps a data set from being read: its description or its rows. An empty folder is none."""
    try:
        require_rows(path, _spec(path))
    except disk.FileFault as fault:
        return [fault.told()] if os.path.isdir(path) and os.listdir(path) else []
    return []


def _owner(path: pathlib.Path) -> str:
    """Whose a data set is that cannot be read."""
    found = disk.kept(lambda: disk.document(path / SPEC), None, [])
    owner = found.get("owner") if isinstance(found, dict) else None
    return owner if isinstance(owner, str) else LOCAL


def _begin(folder: pathlib.Path, start: int) -> int | None:
    """Where in the rows the one at `start` begins, by the index; None where that does not say, or not the beginning of a line."""
    with disk.opened(folder / INDEX) as index:
        index.seek(8 * start)
        said = index.read(8)
    begin = int.from_bytes(said, "little")
    with disk.opened(folder / ROWS) as rows:
        size = os.fstat(rows.fileno()).st_size
        if len(said) < 8 or begin >= size:
            return None
        rows.seek(max(0, begin - 1))
        return begin if begin == 0 or rows.read(1) == b"\n" else None


def _rows(path: pathlib.Path, begin: int = 0) -> Iterator[dict[str, Any]]:
    """Rows in normal form, as the child wrote them. Raises FileFault at the first that is none."""
    with disk.opened(path) as stream:
        stream.seek(begin)
        for number, line in enumerate(stream, 1):
            try:
                row = orjson.loads(line)
            except ValueError as error:
                raise disk.FileFault("broken", path, line=number) from error
            if not isinstance(row, dict) or not isinstance(row.get("row"), int) or not _says(row):
                raise disk.FileFault("wrong", path, key=f"{number}"[:80])
            yield row


def _says(row: dict[str, Any]) -> bool:
    """Whether a row has a text, or turns that have one."""
    turns = row.get("messages")
    if turns is None:
        return isinstance(row.get("text"), str)
    return isinstance(turns, list) and all(isinstance(turn, dict) and {"role", "content"} <= turn.keys() for turn in turns)


def require_rows(folder: pathlib.Path, spec: DataSpec) -> None:
    """Raises FileFault where the rows of a data set are not there to their end. Looks at the first and the last byte of them."""
    if not spec.rows_kept:
        return
    with disk.opened(folder / ROWS) as rows:
        if not os.fstat(rows.fileno()).st_size:
            raise disk.FileFault("empty", folder / ROWS)
        rows.seek(-1, os.SEEK_END)
        if rows.read(1) != b"\n":
            raise disk.FileFault("broken", folder / ROWS, line=spec.rows_kept)
    next(_rows(folder / ROWS))
