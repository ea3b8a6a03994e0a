"""The child process (`python -m tuning.data.child`): one JSON request in, rows in normal form and a report out.

It trusts nothing it reads and leaves nothing to chance: memory, time and output are limited before a file is opened.
Whether and where the rows are kept is for the parent (`read.ingest`) to decide.
"""

import contextlib
import errno
import json
import math
import pathlib
import sys
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

import orjson

from tuning.data import formats, kinds
from tuning.data.content import Known
from tuning.data.findings import Findings
from tuning.data.records import INDEX, MEGABYTE, OUT_OF_DISK, OUT_OF_MEMORY, PROGRESS, REPORT, ROWS, VALIDATION, Limits, Record, Row
from tuning.data.repairs import Repairs
from tuning.errors import InputError

_SAMPLE = 100  # rows by which the format is chosen
_SAMPLE_CHARACTERS = 2_000_000
_SHAPES = 1000  # different sets of columns remembered
_EVERY = 256  # rows between looks at the clock
_LOOK = 0.2  # seconds between words to the parent


@dataclass(frozen=True)
class Task:
    """One set of rows to read: files one after another, as a single long one."""

    sources: Sequence[pathlib.Path]
    out: pathlib.Path
    index: pathlib.Path | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    repairs: Sequence[str] = ()
    max_rows: int | None = None


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


class Converter:
    """Records to rows in normal form, by one format and with the chosen repairs; columns are looked up anew for each set of them."""

    def __init__(self, form: formats.Format, given: Mapping[str, str], repairs: Repairs) -> None:
        self.mapping: dict[str, str] = {}
        self.repairs = repairs
        self._form = form
        self._given = given
        self._shapes: dict[tuple[str, ...], dict[str, str] | None] = {}

    def convert(self, record: Record) -> Mapping[str, Any] | None:
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

    def mendable(self, record: Record, fault: InputError) -> bool:
        """Whether the repair `roles`, which was not chosen, would have saved this record."""
        if fault.code != "data.row.roles" or record.values is None or "roles" in self.repairs.chosen:
            return False
        with contextlib.suppress(InputError):
            return bool(self._form.convert(record.values, self._columns(record.values) or {}, mend=True))
        return False

    def _columns(self, row: Row) -> dict[str, str] | None:
        shape = tuple(row)
        if shape in self._shapes:
            return self._shapes[shape]
        if len(self._shapes) >= _SHAPES:
            self._shapes.clear()
        found = self._shapes[shape] = self._form.complete(shape, self._given)
        for target, column in (found or {}).items():
            self.mapping.setdefault(target, column)
        return found


class Meter:
    """Tells the parent how much of all files is read, from time to time."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._said = max(1, total), 0, 0.0

    def tell(self, position: int) -> None:
        """`position`: bytes of the file at work."""
        now = time.monotonic()
        if now - self._said > _LOOK:
            self._said = now
            aside = pathlib.Path(f"{PROGRESS}.new")
            aside.write_text(f"{(self._done + position) / self._total:.4f}", encoding="ascii")
            aside.replace(PROGRESS)

    def past(self, path: pathlib.Path) -> None:
        """A file is read to its end."""
        self._done += path.stat().st_size


def read(task: Task, limits: Limits, known: Known | None = None, meter: Meter | None = None) -> tuple[Reading, Findings]:
    """Reads files and writes their rows; `known` are the questions of held-out rows, which should not be learned.

    Raises InputError where nothing can be kept: those of `kinds` and of `formats.choose`, and `data.no_rows`, `data.nothing`
    (row, line, fault and what the fault says), `data.output`.
    """
    reading = Reading()
    records = islice(_records(task, limits, reading, meter), task.max_rows)
    sample = list(_sample(records))
    rows = [record.values for record in sample if record.values]
    findings = Findings(known, held_out=task.index is None)
    if rows:
        chosen = formats.choose(rows, task.mapping)
        reading.format, reading.reason = chosen.form.name, chosen.reason.model_dump()
        reading.columns = list(dict.fromkeys(str(column) for row in rows for column in row))[:200]
        converter = Converter(chosen.form, task.mapping, Repairs(task.repairs, known))
        _write(chain(sample, records), task, converter, reading, findings, limits)
        reading.mapping = converter.mapping
    if reading.rows_kept == 0:
        raise _nothing(sample, reading)
    reading.findings += [notice.model_dump() for notice in findings.finish()]
    return reading, findings


def _records(task: Task, limits: Limits, reading: Reading, meter: Meter | None) -> Iterator[Record]:
    """The records of all files; their rows are counted through."""
    before = 0
    for path in task.sources:
        opened = kinds.open_kind(path, limits, lambda columns: formats.known(columns, task.mapping))
        reading.kind, reading.encoding = opened.kind, opened.encoding
        reading.findings += [notice.model_dump() for notice in opened.notes]
        count = 0
        for count, record in enumerate(opened.records, start=1):
            yield replace(record, row=record.row + before) if before else record
            if meter is not None and count % _EVERY == 0 and opened.position is not None:
                meter.tell(opened.position())
        before += count
        if meter is not None:
            meter.past(path)


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


def _write(records: Iterator[Record], task: Task, converter: Converter, reading: Reading, findings: Findings, limits: Limits) -> None:
    written, starts = 0, array("Q")
    with open(task.out, "wb") as stream:
        for record in records:
            reading.rows_read += 1
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
            findings.add(row, tuple(record.values or ()))
            line = orjson.dumps(row) + b"\n"
            starts.append(written)
            written += len(line)
            if written > limits.output_bytes:
                raise InputError("data.output", limit=limits.output_bytes // MEGABYTE)
            reading.characters += sum([len(message["content"]) for message in row["messages"]]) if "messages" in row else len(row["text"])
            stream.write(line)
    reading.rows_kept, reading.rows_dropped = len(starts), converter.repairs.dropped
    if task.index is not None:
        if sys.byteorder == "big":
            starts.byteswap()
        task.index.write_bytes(starts.tobytes())


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
    """What `Reading` holds, of the held-out files (read first) and of those to learn from; or the error that ends it all."""
    report: dict[str, Any] = {}
    paths = {key: [pathlib.Path(path) for path in request[key]] for key in ("validation", "sources")}
    meter = Meter(sum(path.stat().st_size for both in paths.values() for path in both))
    questions: Known | None = None
    tasks = {
        "validation": Task(paths["validation"], pathlib.Path(VALIDATION), mapping=request["mapping"]),
        "sources": Task(
            paths["sources"], pathlib.Path(ROWS), pathlib.Path(INDEX), request["mapping"], request["repairs"], request["max_rows"]
        ),
    }
    for key, task in tasks.items():
        if not task.sources:
            continue
        try:
            reading, findings = read(task, limits, questions, meter)
        except InputError as error:
            return {"error": {"code": error.code, "params": error.params, "at": key}}
        report[key], questions = vars(reading), findings.contents()
    return report


if __name__ == "__main__":
    sys.exit(main())
