"""Files that were read and not understood, kept below home/waiting/<id>/ until their owner says what is in them, or throws them away.

Another owner's files are as unknown as ones that never were. None of them is opened here: `glimpse` reads them, in a child process.
"""

import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field

from tuning.data.ingest import ReadingOptions, digest, keep_files
from tuning.data.records import REPORT, SOURCE, SPEC, shown
from tuning.errors import InputError
from tuning.runs import disk, files
from tuning.sandbox import run
from tuning.sandbox.limits import Limits
from tuning.schema import Record

_ID = re.compile("[0-9a-f]{16}")


class WaitingFiles(Record):
    """Files of one upload, how they were to be read, and why that failed."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    owner: str
    id: str
    name: str
    code: str
    params: dict[str, Any]
    sources: list[str]
    max_rows: int | None = None
    license: str | None = None
    created: float

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class NotUnderstood(InputError):
    """The fault of files that are kept, to be asked about. `waiting` is their id."""

    def __init__(self, fault: InputError, waiting: str) -> None:
        super().__init__(fault.code, **fault.params)
        self.waiting = waiting


class WaitingRoom:
    """The files of one home folder that wait for a word."""

    def __init__(self, home: pathlib.Path) -> None:
        self._folder = home / "waiting"

    def keep(self, owner: str, sources: Sequence[pathlib.Path], wish: ReadingOptions, fault: InputError) -> WaitingFiles:
        """Keep files; the same ones once."""
        id = digest(owner, sources, wish)[0][:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        stage = pathlib.Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        try:
            names = keep_files(stage, sources, wish.validation)
            entry = WaitingFiles(
                owner=owner, id=id, name=shown(wish.name, 120), code=fault.code, params=fault.params,
                sources=names, max_rows=wish.max_rows, license=wish.license, created=time.time(),
            )  # fmt: skip
            (stage / SPEC).write_text(entry.model_dump_json(by_alias=True, indent=2), encoding="utf-8")
            shutil.rmtree(self._folder / id, ignore_errors=True)
            os.replace(stage, self._folder / id)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return entry

    def all(self, owner: str) -> list[WaitingFiles]:
        """What waits for an owner, the newest first."""
        paths = (path / SPEC for path in self._folder.glob("*") if _ID.fullmatch(path.name))
        found = (disk.kept(functools.partial(disk.record, path, WaitingFiles), None) for path in paths)
        return sorted((one for one in found if one is not None and one.owner == owner), key=lambda one: -one.created)

    def get(self, id: str, owner: str) -> WaitingFiles:
        """One of them. Raises InputError `data.unknown`."""
        found = next((one for one in self.all(owner) if one.id == id), None)
        if found is None:
            raise InputError("data.unknown", data=files.clean_name(id))
        return found

    def paths(self, entry: WaitingFiles) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """The files to learn from, and those to check with."""
        folder = self._folder / entry.id
        rows, held_out = ([folder / name for name in entry.sources if name.startswith(f"{SOURCE}{key}-")] for key in ("rows", "validation"))
        return rows, held_out

    def delete(self, id: str, owner: str) -> None:
        """Throw files away. Raises InputError `data.unknown`."""
        shutil.rmtree(self._folder / self.get(id, owner).id)

    def size(self, owner: str) -> int:
        """Bytes of an owner's files here."""
        return sum(files.size(self._folder / one.id) for one in self.all(owner))


def look(
    paths: Sequence[pathlib.Path], mapping: Mapping[str, str] | None, bare: bool | None, limits: Limits, sheet: str = ""
) -> dict[str, Any]:
    """The first rows of files as a table, with a guess for each column; by a mapping, or by the guesses, also its conversations.

    Of a workbook those of the sheet of that name, else of the one that is understood best; `sheets` are all that hold something.
    Raises InputError where they are no table.
    """
    request = {
        "sources": [str(path.absolute()) for path in paths],
        "mapping": mapping,
        "bare": bare,
        "sheet": sheet,
        "limits": dataclasses.asdict(limits),
    }
    with tempfile.TemporaryDirectory() as folder:
        run.run("tuning.data.glimpse", request, pathlib.Path(folder), limits)
        report: dict[str, Any] = json.loads((pathlib.Path(folder) / REPORT).read_bytes())
    if "error" in report:
        raise InputError(report["error"]["code"], **report["error"]["params"])
    return report
