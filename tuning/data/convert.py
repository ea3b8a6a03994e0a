"""From the records of a file to its rows in normal form: by one format, with the chosen repairs, into a file and the findings.

What the records come from is `kinds`' affair, who reads which part of a file `child`'s.
"""

import contextlib
import pathlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from tuning.data.checks.findings import Findings
from tuning.data.checks.repairs import Repairs
from tuning.data.formats import registry
from tuning.data.records import FileRecord, Values
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

SHAPES = 1000  # different sets of columns remembered

Starts: TypeAlias = "array[int]"  # where each row begins in its file


@dataclass
class Reading:
    """What the files turned out to be, as the report says it."""

    kind: str = ""
    encoding: str | None = None
    format: str = ""
    reason: dict[str, Any] | None = None
    columns: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    rows_read: int = 0
    rows_kept: int = 0
    rows_dropped: int = 0  # by repairs
    characters: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)  # code, row, line, params
    rows_refused: int = 0  # all of them, also those that are not named
    findings: list[dict[str, Any]] = field(default_factory=list)

    def merge(self, other: "Reading", refused: int) -> None:
        """Take in what was read of the rows that follow; of those refused at most `refused` are named."""
        for target, column in other.mapping.items():
            self.mapping.setdefault(target, column)
        for name in ("rows_read", "rows_kept", "rows_dropped", "rows_refused", "characters"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refused = [*self.refused, *other.refused][:refused]


class Converter:
    """Records to rows in normal form, by one format and with the chosen repairs; columns are looked up anew for each set of them."""

    def __init__(self, form: registry.Format, given: Mapping[str, str], repairs: Repairs) -> None:
        self.mapping: dict[str, str] = {}
        self.shape: tuple[str, ...] = ()  # the columns of the last record
        self.repairs = repairs
        self._form = form
        self._given = given
        self._shapes: dict[tuple[str, ...], dict[str, str] | None] = {}

    def convert(self, record: FileRecord) -> Mapping[str, Any] | None:
        """The row as it will be kept, or None where a repair drops it.

        Raises InputError: the fault of the record, or what its format says.
        """
        if record.values is None:
            raise record.fault or InputError("data.row.object")
        mapping = self._columns(record.values)
        if mapping is None:
            raise InputError("data.row.columns", column=self._form.lacks(list(record.values), self._given))
        try:
            row = self._form.convert(record.values, mapping)
        except InputError as fault:
            if fault.code != "data.row.roles" or "roles" not in self.repairs.chosen:
                raise
            row = self._form.convert(record.values, mapping, mend=True)
            self.repairs.counts["roles"] += 1
        numbered = {"row": record.row, **row}
        return self.repairs.apply(numbered) if self.repairs.chosen else numbered

    def mendable(self, record: FileRecord, fault: InputError) -> bool:
        """Whether the repair `roles`, which was not chosen, would have saved this record."""
        if fault.code != "data.row.roles" or record.values is None or "roles" in self.repairs.chosen:
            return False
        with contextlib.suppress(InputError):
            return bool(self._form.convert(record.values, self._columns(record.values) or {}, mend=True))
        return False

    def _columns(self, row: Values) -> dict[str, str] | None:
        shape = self.shape = tuple(row)
        if shape in self._shapes:
            return self._shapes[shape]
        if len(self._shapes) >= SHAPES:
            self._shapes.clear()
        found = self._shapes[shape] = self._form.complete(shape, self._given)
        for target, column in (found or {}).items():
            self.mapping.setdefault(target, column)
        return found


def write(
    records: Iterable[FileRecord], out: pathlib.Path, converter: Converter, reading: Reading, findings: Findings, limits: Limits
) -> Starts:
    """Takes the records to rows, into the file `out` and into the findings; where each row begins there.

    A million pass here: it does little for each. Raises InputError `data.output`.
    """
    written, starts = 0, array("Q")
    with open(out, "wb") as stream:
        for record in records:
            try:
                row = converter.convert(record)
            except InputError as fault:
                reading.rows_refused += 1
                findings.refuse(record.row, fault.code, converter.mendable(record, fault))
                if len(reading.refused) < limits.refused:
                    reading.refused.append({"code": fault.code, "row": record.row, "line": record.line, "params": fault.params})
                continue
            if row is None:
                continue
            findings.add(row, converter.shape)
            line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            starts.append(written)
            written += len(line)
            if written > limits.output_bytes:
                raise InputError("data.output", limit=limits.output_bytes // MEGABYTE)
            stream.write(line)
    reading.rows_kept, reading.rows_dropped = len(starts), converter.repairs.dropped
    reading.rows_read = reading.rows_kept + reading.rows_dropped + reading.rows_refused
    reading.characters = findings.characters
    return starts
