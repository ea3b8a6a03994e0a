"""The child process (`python -m tuning.data.child`): one JSON request in, rows in normal form and a report out.

It trusts nothing it reads and leaves nothing to chance: memory, time and output are limited before a file is opened.
Whether and where the rows are kept is for the parent (`ingest.ingest`) to decide.
"""

import errno
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from tuning.data import parallel
from tuning.data.checks.findings import Findings
from tuning.data.checks.repairs import Repairs
from tuning.data.convert import Converter, Edits, Reading, write
from tuning.data.formats import better, registry
from tuning.data.formats.content import KnownQuestions
from tuning.data.formats.notes import Unused
from tuning.data.readers import file_kinds, json_rows
from tuning.data.readers.books.workbook import SheetChoice
from tuning.data.readers.encoding import TextFile
from tuning.data.readers.json_lines import Stretch
from tuning.data.records import INDEX, REPORT, ROWS, SHEET, SYSTEM, VALIDATION, FileRecord, Values, WholeRecord, tell
from tuning.data.regroup import ways
from tuning.errors import InputError
from tuning.sandbox.limits import OUT_OF_DISK, OUT_OF_MEMORY, Limits, confine

_SAMPLE = 100  # rows by which the format is chosen
_SAMPLE_CHARACTERS = 2_000_000
_SHAPES = 1000  # different sets of columns remembered
_COLUMNS, _LEVELS = 200, 2  # of the columns that are named: how many, and how many levels within others
_EVERY = 32  # rows between looks at the clock
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
    sheet: str = ""  # of a workbook, by its name
    edits: Edits = field(default_factory=dict)


class ReadingMeter:
    """Tells the parent how much of all files is read, from time to time."""

    def __init__(self, total: int) -> None:
        self.position: Callable[[], int] | None = None  # bytes read of the file at work
        self._total, self._done, self._said = max(1, total), 0, 0.0

    def tell(self) -> None:
        """Say it again, if it is time."""
        now = time.monotonic()
        if now - self._said > _LOOK:
            self._said = now
            tell((self._done + (self.position() if self.position else 0)) / self._total)

    def tell_at(self, position: int) -> None:
        """As `tell`, at so many bytes of the file at work."""
        self.position = lambda: position
        self.tell()

    def past(self, path: pathlib.Path) -> None:
        """A file is read to its end."""
        self._done += path.stat().st_size
        self.position = None


def read(task: Task, limits: Limits, known: KnownQuestions | None = None, meter: ReadingMeter | None = None) -> tuple[Reading, Findings]:
    """Reads files and writes their rows; `known` are the questions of held-out rows, which should not be learned.

    Raises InputError where nothing can be kept: those of `file_kinds` and of `registry.choose`, and `data.no_rows`, `data.nothing`
    (row, line, fault and what the fault says), `data.output`.
    """
    reading = Reading()
    if SHEET in task.mapping:
        task = replace(task, sheet=task.mapping[SHEET], mapping={key: name for key, name in task.mapping.items() if key != SHEET})
    whole = _told(_records(task, limits, reading, meter), meter)
    records = islice(whole, task.max_rows)
    sample = list(_sample(records))
    rows = [record.values for record in sample if record.values]
    regrouping = ways.found(rows, task.mapping)
    of_one = any(record.__class__ is WholeRecord for record in sample)
    if regrouping is not None:
        records = islice(regrouping.records(_unnamed(chain(sample, whole), regrouping.unused)), task.max_rows)
        task = replace(task, mapping={}) if regrouping.speaks else task
        sample = list(_sample(records))
        rows = [record.values for record in sample if record.values]
    findings = Findings(known, held_out=task.index is None)
    if rows:
        chosen = _choose(rows, task.mapping, reading)
        reading.format, reading.reason = chosen.form.name, chosen.reason.model_dump()
        reading.columns = list(dict.fromkeys(column for row in rows for column in _columns(row)))[:_COLUMNS]
        told = None if task.mapping else better.beside(chosen.form, chosen.mapping, rows)
        reading.findings += [told.model_dump()] if told is not None else []
        converter = Converter(chosen, task.mapping, Repairs(task.repairs, known), task.edits)
        stretches = _stretches(task, reading, limits) if regrouping is None else []
        if stretches:
            job = parallel.ParallelTask(
                TextFile(task.sources[0], str(reading.encoding)), task.out, chosen, task.mapping, limits, known, task.index is None
            )
            starts, findings = parallel.read(job, stretches, reading, meter.tell_at if meter else lambda position: None)
        else:
            starts = write(_within(limits, chain(sample, records), of_one), task.out, converter, reading, findings, limits)
            reading.mapping = converter.mapping
        if task.index is not None:
            if sys.byteorder == "big":
                starts.byteswap()
            task.index.write_bytes(starts.tobytes())
    if reading.rows_kept == 0:
        raise _nothing(sample, reading)
    if regrouping is not None:
        reading.leave(regrouping.unused)
        reading.findings += [notice.model_dump() for notice in regrouping.notices()]
    reading.findings += [notice.model_dump() for notice in findings.finish()]
    return reading, findings


def _choose(rows: Sequence[Values], mapping: Mapping[str, str], reading: Reading) -> registry.ChosenFormat:
    """The format of the rows. Raises as `registry.choose`, and `data.format.sheet` where another sheet may be meant."""
    try:
        return registry.choose(rows, mapping)
    except InputError as fault:
        sheets = next((note["params"] for note in reading.findings if note["code"] == "data.note.sheets"), None)
        if fault.code != "data.format" or sheets is None:
            raise
        raise InputError("data.format.sheet", **fault.params, **sheets) from fault


def rank(rows: Sequence[Values], mapping: Mapping[str, str]) -> int:
    """How far the rows of a sheet are understood: as more than texts 3, as texts 2, by their columns alone 1, not at all 0."""
    try:
        if rows and ways.found(rows, mapping) is not None:
            return 3
        chosen = registry.choose(rows, mapping)
    except InputError:
        return 0
    return 1 if chosen.reason.params["rows"] == "0" else 2 if chosen.form.name == "text" else 3


def _stretches(task: Task, reading: Reading, limits: Limits) -> list[Stretch]:
    """Where a file is divided among processes; empty where one reads it all."""
    alone = len(task.sources) > 1 or reading.kind != "json" or task.max_rows is not None or task.repairs or task.edits
    count = 1 if alone else parallel.processes(task.sources[0].stat().st_size)
    if count < 2:
        return []
    return json_rows.stretches(
        TextFile(task.sources[0], str(reading.encoding)), limits, lambda columns: registry.known(columns, task.mapping), count
    )


def _records(task: Task, limits: Limits, reading: Reading, meter: ReadingMeter | None) -> Iterator[FileRecord]:
    """The records of all files; their rows are counted through."""
    before = 0
    for path in task.sources:
        sheet = SheetChoice(task.sheet, lambda rows: rank(rows, task.mapping))
        opened = file_kinds.open_kind(path, limits, lambda columns: registry.known(columns, task.mapping), sheet)
        reading.kind, reading.encoding = opened.kind, opened.encoding
        reading.findings += [notice.model_dump() for notice in opened.notes]
        if meter is not None:
            meter.position = opened.position
        if len(task.sources) == 1:
            yield from opened.records
        else:
            last = 0
            for record in opened.records:
                last = record.row
                yield replace(record, row=last + before)
            before += last
        reading.findings += [notice.model_dump() for notice in opened.told]
        if meter is not None:
            meter.past(path)


def _columns(row: Values, path: str = "") -> Iterator[str]:
    """The columns of a row, and with dots the names within those that hold objects."""
    for name, value in row.items():
        yield f"{path}{name}"
        if isinstance(value, dict) and path.count(".") < _LEVELS:
            yield from _columns(value, f"{path}{name}.")


def _told(records: Iterator[FileRecord], meter: ReadingMeter | None) -> Iterator[FileRecord]:
    """The same records, the parent being told from time to time."""
    while some := list(islice(records, _EVERY)):
        yield from some
        if meter is not None:
            meter.tell()


def _unnamed(records: Iterator[FileRecord], unused: Unused) -> Iterator[FileRecord]:
    """The same records, which will be turns; what they hold in columns without a name is counted."""
    for record in records:
        unused.update(("key", name) for name in record.unnamed)
        yield record


def _within(limits: Limits, records: Iterator[FileRecord], of_one: bool) -> Iterator[FileRecord]:
    """The same records; an object that is a whole file is at fault, and where rows came of such (`of_one`) one that is too long."""
    for record in records:
        if record.__class__ is WholeRecord or (of_one and record.size > limits.line):
            record = FileRecord(record.row, record.line, fault=record.fault or InputError("data.row.long", limit=limits.line))
        yield record


def _sample(records: Iterator[FileRecord]) -> Iterator[FileRecord]:
    """The first records, as many as say enough and can be held."""
    held = 0
    for record in islice(records, _SAMPLE):
        yield record
        held += record.size
        if held > _SAMPLE_CHARACTERS:
            return


def _nothing(sample: Sequence[FileRecord], reading: Reading) -> InputError:
    if reading.refused:
        first = reading.refused[0]
        return InputError("data.nothing", **first["params"], row=first["row"], line=first["line"], fault=first["code"])
    if reading.rows_dropped:
        return InputError("data.all_dropped", rows=reading.rows_dropped)
    if not sample:
        return InputError("data.no_rows")
    fault = sample[0].fault or InputError("data.row.object")
    return InputError("data.nothing", **fault.params, row=sample[0].row, line=sample[0].line, fault=fault.code)


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
    meter = ReadingMeter(sum(path.stat().st_size for both in paths.values() for path in both))
    questions: KnownQuestions | None = None
    columns = {target: name for target, name in request["mapping"].items() if target != SHEET}  # held-out rows have a workbook of their own
    told = [name for name in request["repairs"] if name.startswith(SYSTEM)]  # held-out rows are asked as the others are
    tasks = {
        "validation": Task(paths["validation"], pathlib.Path(VALIDATION), mapping=columns, repairs=told),
        "sources": Task(
            paths["sources"],
            pathlib.Path(ROWS),
            pathlib.Path(INDEX),
            request["mapping"],
            request["repairs"],
            request["max_rows"],
            edits=dict(request.get("edits") or ()),
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
