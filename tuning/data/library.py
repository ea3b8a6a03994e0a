"""The data sets that are kept, below home/data/<id>/: list, look up, read, delete. Each belongs to an owner.

Another owner's data set is as unknown as one that never was. It never reads a file as it was uploaded.
"""

import bisect
import logging
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import orjson
import pydantic

from tuning.data.records import INDEX, ROWS, SPEC, VALIDATION, shown
from tuning.data.split import split
from tuning.errors import InputError
from tuning.schema import DataSpec, TrainSettings

GRAVE = ".old-"  # beginning of the names of folders on their way out

_log = logging.getLogger(__name__)
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
        """All data sets of an owner, the newest first. What cannot be read is left out, and logged."""
        paths = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        specs = [spec for path in paths if _ID.fullmatch(path.name) and (spec := _spec(path)) is not None]
        return sorted((spec for spec in specs if spec.owner == owner), key=lambda spec: spec.created, reverse=True)

    def size(self, owner: str) -> int:
        """Bytes of an owner's data sets on disk."""
        folders = (self.folder / spec.id for spec in self.list(owner))
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())

    def get(self, id: str, owner: str) -> DataSpec:
        """One data set. Raises InputError `data.unknown`, also where it is somebody else's."""
        spec = _spec(self.folder / id) if _ID.fullmatch(id) else None
        if spec is None or spec.owner != owner or spec.id != id:
            raise InputError("data.unknown", data=shown(id, 80))
        return spec

    def rows(self, id: str, owner: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The rows: `{"row": n, "messages": [{"role", "content"}, …]}`. Raises InputError `data.unknown` at once."""
        return islice(_rows(self._path(id, owner) / ROWS), limit)

    def page(self, id: str, owner: str, start: int, count: int) -> NormalRows:
        """`count` rows from the one at `start` (from 0) on, without reading the others."""
        folder = self._path(id, owner)
        try:
            with open(folder / INDEX, "rb") as index:
                index.seek(8 * start)
                begin = index.read(8)
        except FileNotFoundError:  # of data read before there was an index
            return tuple(islice(_rows(folder / ROWS), start, start + count))
        return tuple(islice(_rows(folder / ROWS, int.from_bytes(begin, "little")), count)) if len(begin) == 8 else ()

    def place(self, id: str, owner: str, row: int) -> int:
        """Where among the kept rows the one stands that is number `row` in the file; if it is not there, the next one."""
        kept = range(self.get(id, owner).rows_kept)
        return bisect.bisect_left(kept, row, key=lambda at: int(self.page(id, owner, at, 1)[0]["row"]))

    def validation_rows(self, id: str, owner: str) -> Iterator[dict[str, Any]]:
        """The rows of a validation file of its own; none where there was no such file."""
        path = self._path(id, owner) / VALIDATION
        return _rows(path) if path.is_file() else iter(())

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


def _spec(path: pathlib.Path) -> DataSpec | None:
    try:
        return DataSpec.model_validate_json((path / SPEC).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, pydantic.ValidationError) as error:
        _log.warning("%s cannot be read: %s", path / SPEC, error)
        return None


def _rows(path: pathlib.Path, begin: int = 0) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as stream:
        stream.seek(begin)
        for line in stream:
            yield orjson.loads(line)
