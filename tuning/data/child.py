"""Inside the child process: one JSON request in, rows in normal form and a report out.

It trusts nothing it reads and leaves nothing to chance: memory, time and output are limited before a file is opened.
Whether and where the rows are kept is for the parent (`read.ingest`) to decide.
"""

import errno
import json
import math
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol

from tuning.data import formats
from tuning.data.csv_rows import CsvRows
from tuning.data.encoding import Text, detect
from tuning.data.json_rows import JsonRows
from tuning.data.records import MEGABYTE, OUT_OF_DISK, OUT_OF_MEMORY, REPORT, ROWS, VALIDATION, Known, Limits, Record, Row
from tuning.errors import InputError
from tuning.schema import Message

_SAMPLE = 100  # rows by which the format is chosen
_SAMPLE_CHARACTERS = 2_000_000
_SHAPES = 1000  # different sets of columns remembered


class Kind(Protocol):
    """One kind of text file."""

    name: str

    def takes(self, head: str) -> bool:
        """Whether a text that begins so is of this kind."""

    def records(self, text: Text, limits: Limits, known: Known) -> Iterator[Record]:
        """Its rows, in order."""


KINDS: tuple[Kind, ...] = (JsonRows(), CsvRows())


@dataclass
class Reading:
    """What one file turned out to be, as the report says it."""

    encoding: str
    format: str = ""
    mapping: dict[str, str] = field(default_factory=dict)
    rows_read: int = 0
    rows_kept: int = 0
    characters: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)  # code, row, line, params


class Converter:
    """Records to messages, in one format; the columns are looked up anew for each set of them."""

    def __init__(self, form: formats.Format, given: Mapping[str, str]) -> None:
        self.mapping: dict[str, str] = {}
        self._form = form
        self._given = given
        self._shapes: dict[tuple[str, ...], dict[str, str] | None] = {}

    def messages(self, record: Record) -> list[Message]:
        """Raises InputError: the fault of the record, or what its format says."""
        if record.values is None:
            raise record.fault or InputError("data.row.object")
        mapping = self._columns(record.values)
        if mapping is None:
            raise InputError("data.row.columns", column=self._form.lacks(list(record.values), self._given))
        messages = self._form.to_messages(record.values, mapping)
        for target, column in mapping.items():
            self.mapping.setdefault(target, column)
        return messages

    def _columns(self, row: Row) -> dict[str, str] | None:
        shape = tuple(row)
        if shape not in self._shapes:
            if len(self._shapes) >= _SHAPES:
                self._shapes.clear()
            self._shapes[shape] = self._form.complete(shape, self._given)
        return self._shapes[shape]


def read(source: pathlib.Path, out: pathlib.Path, given: Mapping[str, str], limits: Limits) -> Reading:
    """Reads one file and writes its rows to `out`.

    Raises InputError where nothing can be kept: those of `encoding`, `json_rows`, `csv_rows` and `formats.choose`, and
    `data.no_rows`, `data.nothing` (row, line, fault and what the fault says), `data.output`.
    """
    text = detect(source)
    head = text.head()
    kind = next(kind for kind in KINDS if kind.takes(head))
    records = kind.records(text, limits, lambda columns: formats.known(columns, given))
    sample = list(_sample(records))
    rows = [record.values for record in sample if record.values]
    reading = Reading(text.encoding)
    if rows:
        form = formats.choose(rows, given)
        reading.format = form.name
        converter = Converter(form, given)
        _write(chain(sample, records), out, converter, reading, limits)
        reading.mapping = converter.mapping
    if reading.rows_kept == 0:
        raise _nothing(sample, reading)
    return reading


def _sample(records: Iterator[Record]) -> Iterator[Record]:
    """The first records, as many as say enough and can be held."""
    held = 0
    for record in islice(records, _SAMPLE):
        yield record
        held += record.size
        if held > _SAMPLE_CHARACTERS:
            return


def _nothing(sample: Sequence[Record], reading: Reading) -> InputError:
    if reading.refused:
        first = reading.refused[0]
        return InputError("data.nothing", **first["params"], row=first["row"], line=first["line"], fault=first["code"])
    if not sample:
        return InputError("data.no_rows")
    fault = sample[0].fault or InputError("data.row.object")
    return InputError("data.nothing", **fault.params, row=sample[0].row, line=sample[0].line, fault=fault.code)


def _write(records: Iterator[Record], out: pathlib.Path, converter: Converter, reading: Reading, limits: Limits) -> None:
    written = 0
    with open(out, "wb") as stream:
        for record in records:
            reading.rows_read += 1
            try:
                messages = converter.messages(record)
            except InputError as fault:
                if len(reading.refused) < limits.refused:
                    reading.refused.append({"code": fault.code, "row": record.row, "line": record.line, "params": fault.params})
                continue
            reading.rows_kept += 1
            reading.characters += sum(len(message.content) for message in messages)
            turns = [{"role": message.role, "content": message.content} for message in messages]
            line = json.dumps({"row": record.row, "messages": turns}, ensure_ascii=False).encode() + b"\n"
            written += len(line)
            if written > limits.output_bytes:
                raise InputError("data.output", limit=limits.output_bytes // MEGABYTE)
            stream.write(line)


def confine(limits: Limits) -> None:
    """Sets what this process may use from here on. Windows has no such limits: there the parent watches."""
    if sys.platform == "win32":
        return
    import resource

    seconds = math.ceil(limits.seconds) + 1
    wanted = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: limits.output_bytes + MEGABYTE,
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # elsewhere the limit on address space is not held, and the parent watches
        pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        wanted[resource.RLIMIT_AS] = pages * resource.getpagesize() + limits.memory_bytes
    for kind, limit in wanted.items():
        hard = resource.getrlimit(kind)[1]
        highest = limit + 5 if kind == resource.RLIMIT_CPU else limit  # at the hard limit of CPU time the signal is SIGKILL
        if hard != resource.RLIM_INFINITY:
            limit, highest = min(limit, hard), min(highest, hard)
        resource.setrlimit(kind, (limit, highest))


def main() -> int:
    """Reads the request on stdin; the working folder takes the rows and the report. Returns the exit code."""
    request = json.load(sys.stdin)
    limits = Limits(**request["limits"])
    confine(limits)
    try:
        pathlib.Path(REPORT).write_text(json.dumps(_answer(request, limits)), encoding="utf-8")
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return OUT_OF_DISK
        raise
    return 0


def _answer(request: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Per file, what `Reading` holds; or the error that ends it all."""
    report: dict[str, Any] = {}
    for key, out in (("source", ROWS), ("validation", VALIDATION)):
        if request[key] is None:
            continue
        try:
            report[key] = vars(read(pathlib.Path(request[key]), pathlib.Path(out), request["mapping"], limits))
        except InputError as error:
            return {"error": {"code": error.code, "params": error.params, "at": key}}
    return report
