"""From the records of a file to its rows in normal form: by one format, with the chosen repairs, into a file and the findings.

What the records come from is `kinds`' affair, who reads which part of a file `child`'s.
"""

import contextlib
import pathlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from tuning.data.checks import leftovers
from tuning.data.checks.findings import Findings
from tuning.data.checks.repairs import Repairs
from tuning.data.formats import marks, registry
from tuning.data.formats.notes import Notes, Unused
from tuning.data.formats.tool_calls import TOOLS, parsed, tools
from tuning.data.formats.turns import THOUGHT, WORDS
from tuning.data.records import FileRecord, Values, blank, given, shown, squeezed, value_at
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

SHAPES = 1000  # different sets of columns remembered
NAMES, OTHERS = 200, "others"  # what is not used: so many by their names

_EMPTY = frozenset(("data.row.empty_question", "data.row.empty_answer", "data.row.empty_text"))
_THOUGHT = f'"{THOUGHT}":'.encode()

Edits: TypeAlias = Mapping[int, Mapping[str, Any] | None]  # rows as somebody has written them, by their number; None if removed
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
    rows_dropped: int = 0  # by repairs, or removed by hand
    thoughts: int = 0  # rows in which something is thought before an answer
    characters: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)  # code, row, line, params
    last_row: int = 0  # its number, kept or not
    rows_refused: int = 0  # all of them, also those that are not named
    findings: list[dict[str, Any]] = field(default_factory=list)
    unused: dict[str, dict[str, int]] = field(default_factory=dict)  # column, key or part -> its name -> rows or turns

    def merge(self, other: "Reading", refused: int) -> None:
        """Take in what was read of the rows that follow; of those refused at most `refused` are named."""
        for target, column in other.mapping.items():
            self.mapping.setdefault(target, column)
        for name in ("rows_read", "rows_kept", "rows_dropped", "rows_refused", "thoughts", "characters"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_row = other.last_row or self.last_row
        self.refused = [*self.refused, *other.refused][:refused]
        self.leave(Counter({(kind, name): count for kind, names in other.unused.items() for name, count in names.items()}))

    def leave(self, unused: Unused) -> None:
        """Count what is not used; beyond `NAMES` names all others stand together."""
        for (kind, name), count in unused.items():
            names = self.unused.setdefault(kind, {})
            if name not in names and sum(map(len, self.unused.values())) >= NAMES:
                names, name = self.unused.setdefault(OTHERS, {}), ""
            names[name] = names.get(name, 0) + count


class Converter:
    """Records to rows in normal form, by one format and with the chosen repairs; columns are looked up anew for each set of them."""

    def __init__(self, chosen: registry.ChosenFormat, given: Mapping[str, str], repairs: Repairs, edits: Edits | None = None) -> None:
        self.mapping: dict[str, str] = {}
        self.shape: tuple[str, ...] = ()  # the columns of the last record
        self.repairs = repairs
        self.edits, self.removed = edits or {}, 0
        self.notes = Notes()  # of the last record
        self.doubt: str | None = None  # the column that may say not to learn it
        self.hollow: str | None = None  # a word that stands for nothing, in a column that may be empty
        self.unused: Unused = Counter()
        self._form, self._marks, self._doubtful = chosen.form, chosen.marks, chosen.doubtful
        self._given = given
        self._places: dict[tuple[str, str], tuple[str, str]] = {}  # what is not used, by its name as it may be shown
        self._watched = set(chosen.marks)  # columns of which more is to be seen than whether they hold something
        self._shapes: dict[tuple[str, ...], tuple[dict[str, str] | None, Sequence[str]]] = {}

    def convert(self, record: FileRecord) -> Mapping[str, Any] | None:
        """The row as it will be kept, or None where a repair or a hand drops it.

        Raises InputError: the fault of the record, or what its format says.
        """
        if record.row in self.edits:
            return self._edited(record)
        try:
            return self._converted(record)
        except InputError as fault:
            if fault.code in _EMPTY and record.values and set(record.formulas) & set((self._columns(record.values)[0] or {}).values()):
                raise InputError("data.row.formula") from fault
            raise

    def _converted(self, record: FileRecord) -> Mapping[str, Any] | None:
        if record.values is None:
            raise record.fault or InputError("data.row.object")
        mapping, spare = self._columns(record.values)
        if mapping is None:
            raise InputError("data.row.columns", column=self._form.lacks(list(record.values), self._given))
        if self._marks:
            marks.refuse_unwanted(record.values, self._marks)
        self.doubt = marks.unwanted(record.values, self._doubtful) if self._doubtful else None
        if self.doubt is not None and "ratings" in self.repairs.chosen:
            self.repairs.note_dropped("ratings")
            return None
        values = self._without_hollow(record.values, mapping)
        self.notes = self.notes if self.notes.empty() else Notes()
        try:
            row = self._form.convert(values, mapping, notes=self.notes)
        except InputError as fault:
            if fault.code != "data.row.roles" or "roles" not in self.repairs.chosen:
                raise
            self.notes = Notes()
            row = self._form.convert(values, mapping, mend=True, notes=self.notes)
            self.repairs.counts["roles"] += 1
        if spare:
            row = self._beside(values, spare, mapping, row)
        kept: Mapping[str, Any] | None = {"row": record.row, **row}
        if self.repairs.chosen:
            kept = self.repairs.apply({"row": record.row, **row})
        if kept is not None and (self.notes.unused or record.unnamed):
            self.notes.leave("column", record.unnamed)
            self._count()
        return kept

    def _edited(self, record: FileRecord) -> Mapping[str, Any] | None:
        """The row as somebody has written it by hand; None where it was removed."""
        self.shape = tuple(record.values) if record.values is not None else self.shape
        self.notes, self.doubt, self.hollow = Notes(), None, None
        content = self.edits[record.row]
        if content is None:
            self.removed += 1
            return None
        return self.repairs.apply({"row": record.row, **content})

    def mendable(self, record: FileRecord, fault: InputError) -> bool:
        """Whether the repair `roles`, which was not chosen, would have saved this record."""
        if fault.code != "data.row.roles" or record.values is None or "roles" in self.repairs.chosen:
            return False
        with contextlib.suppress(InputError):
            return bool(self._form.convert(record.values, self._columns(record.values)[0] or {}, mend=True))
        return False

    def _without_hollow(self, values: Values, mapping: Mapping[str, str]) -> Values:
        """The values; by the repair `no_value` without words that stand for nothing, where a column may be empty."""
        self.hollow = None
        if len(mapping) == len(self._form.required):  # most rows are so, and every row comes here
            return values
        hollow = [
            column for target, column in mapping.items() if target not in self._form.required and leftovers.no_value(values.get(column))
        ]
        if not hollow:
            return values
        if "no_value" not in self.repairs.chosen:
            self.hollow = values[hollow[0]]
            return values
        self.repairs.counts["no_value"] += 1
        return {**values, **dict.fromkeys(hollow, "")}

    def _beside(self, values: Values, spare: Sequence[str], mapping: Mapping[str, str], row: dict[str, Any]) -> dict[str, Any]:
        """The row, with tools that stand in other columns where it has none; what else stands there is noted."""
        rest, unused = {}, self.notes.unused
        for name in spare:
            value = values[name]
            if isinstance(value, str) and name not in self._watched and "{" not in value:  # most are such, and every row comes here
                if not blank(value):
                    unused.append(("column", name))
            else:
                rest[name] = value
        heard = {name for name in self._marks if rest and "." in name and marks.verdict(value_at(values, name)) is not None}
        for name, value in _left(rest, {*mapping.values(), *heard}) if rest else ():
            if self._heeded(name, value, row):
                continue
            inner = _object(value)
            held = {name: value} if squeezed(name.rpartition(".")[2]) in TOOLS else {f"{name}.{key}": said for key, said in inner.items()}
            offered = {place: said for place, said in held.items() if squeezed(place.rpartition(".")[2]) in TOOLS}
            found: list[dict[str, Any]] = []
            if offered and "messages" in row and "tools" not in row:
                with contextlib.suppress(InputError):
                    found = [tool for place, said in offered.items() for tool in tools(said, place)]
            if found:
                row = {**row, "tools": found}
                self.notes.leave("column", (place for place, said in held.items() if given(said) and place not in offered))
            elif name not in self._marks or marks.verdict(value) is None:
                self.notes.leave("column", [name])
        return row

    def _heeded(self, name: str, value: Any, row: dict[str, Any]) -> bool:
        """Whether a column holds a mark for each turn, or each answer, of a conversation; they are obeyed. Raises `data.row.unwanted`."""
        if isinstance(value, str) and value.lstrip()[:1] == "[" and marks.means(name) is not None:
            with contextlib.suppress(ValueError):
                value = parsed(value)
        left = marks.by_turn(name, value, row.get("messages", ()))
        if left and all(message.get("weight") == 0 for message in row["messages"] if message["role"] == "assistant"):
            raise InputError("data.row.unwanted")
        self.notes.marked += left or 0
        return left is not None

    def _count(self) -> None:
        for place in self.notes.unused:
            if place not in self._places and len(self._places) < SHAPES:
                self._places[place] = place[0], shown(place[1], 80)
            self.unused[self._places.get(place, (OTHERS, ""))] += 1

    def _columns(self, row: Values) -> tuple[dict[str, str] | None, Sequence[str]]:
        """The column of each target, None where one is missing; and the columns that are none of them, or not wholly."""
        shape = self.shape = tuple(row)
        if shape in self._shapes:
            return self._shapes[shape]
        if len(self._shapes) >= SHAPES:
            self._shapes.clear()
        found = self._form.complete(shape, self._given)
        for target, column in (found or {}).items():
            self.mapping.setdefault(target, column)
        taken = {column for target, column in (found or {}).items() if target not in WORDS}
        self._watched.update(name for name in shape if squeezed(name) in TOOLS or marks.means(name) is not None)
        self._shapes[shape] = found, tuple(name for name in shape if name not in taken)
        return self._shapes[shape]


def _object(value: Any) -> dict[str, Any]:
    """An object, also from its JSON text where tools may be in it; an empty one of any other value."""
    if isinstance(value, str) and value.lstrip()[:1] == "{" and any(f'"{name}"' in value for name in TOOLS):
        with contextlib.suppress(ValueError):
            value = parsed(value)
    return value if isinstance(value, dict) else {}


def _left(values: Values, taken: Collection[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """What is given and not taken, by its name; of an object from which a part is taken, its other parts by dotted paths."""
    for key, value in values.items():
        name = f"{path}{key}"
        if name in taken or not given(value):
            continue
        if isinstance(value, Mapping) and any(column.startswith(f"{name}.") for column in taken):
            yield from _left(value, taken, f"{name}.")
        else:
            yield name, value


def _with_added(records: Iterable[FileRecord], edits: Edits) -> Iterator[FileRecord]:
    """The records, and after them a place for each row that was added by hand."""
    last = 0
    for record in records:
        last = record.row
        yield record
    for row, content in sorted(edits.items()):
        if row > last and content is not None:
            yield FileRecord(row, row)


def _note(row: int, converter: Converter, findings: Findings) -> None:
    """What was seen while a row that is kept became its normal form."""
    if converter.notes.marked:
        findings.mark(row, converter.notes.marked)
    if converter.notes.unnamed:
        findings.unnamed(row)
    if converter.notes.several:
        findings.several(row, converter.notes.several)
    if converter.notes.printed:
        findings.printed(row, converter.notes.printed)
    if converter.hollow is not None:
        findings.no_value(row, converter.hollow)
    if converter.doubt is not None:
        findings.doubt(row, converter.doubt)


def write(
    records: Iterable[FileRecord], out: pathlib.Path, converter: Converter, reading: Reading, findings: Findings, limits: Limits
) -> Starts:
    """Takes the records to rows, into the file `out` and into the findings; where each row begins there.

    A million pass here: it does little for each. Raises InputError `data.output`.
    """
    written, starts = 0, array("Q")
    with open(out, "wb", buffering=MEGABYTE) as stream:
        for record in _with_added(records, converter.edits) if converter.edits else records:
            reading.last_row = record.row
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
            if converter.doubt is not None or converter.hollow is not None or not converter.notes.empty():
                _note(record.row, converter, findings)
            line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            if ((b"<" in line and b"<think>" in line) or _THOUGHT in line) and "messages" in row:  # one sign is found much faster
                reading.thoughts += 1
                findings.characters += sum(len(turn.get(THOUGHT, "")) for turn in row["messages"])
            starts.append(written)
            written += len(line)
            if written > limits.output_bytes:
                raise InputError("data.output", limit=limits.output_bytes // MEGABYTE)
            stream.write(line)
    reading.rows_kept, reading.rows_dropped = len(starts), converter.repairs.dropped + converter.removed
    reading.rows_read = reading.rows_kept + reading.rows_dropped + reading.rows_refused
    reading.characters = findings.characters
    reading.leave(converter.unused)
    return starts
