"""JSON by the line: the exact decoder, and a fast one where it is sure to say the same.

Depth, length and what JSON has no word for (NaN) are judged here; which lines of a file are rows is `json_rows`' affair.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, TextIO

import orjson

from tuning.data.records import FileRecord, KnowsColumns, Number, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits

_MARK = ord('"')
_SPEAKERS = ("role", "from")  # keys of a turn
_TOLD = 256  # lines between words about how far the reading is


class _Fault:
    """Stands in a decoded value for what must not be there."""

    def __init__(self, code: str, **params: str) -> None:
        self.error = InputError(code, **params)


def _object(pairs: list[tuple[str, Any]]) -> Any:
    """An object whose keys are all different: `json` would silently keep the last of two."""
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    keys = [key for key, _ in pairs]
    return _Fault("data.row.key", column=shown(next(key for key in keys if keys.count(key) > 1)))


DECODER = json.JSONDecoder(
    parse_int=Number,
    parse_float=Number,
    parse_constant=lambda name: _Fault("data.row.nan"),
    object_pairs_hook=_object,
)


class Stretch(NamedTuple):
    """A part of a file of lines: its first byte, the byte after its last line, and the lines before it."""

    begin: int
    end: int
    before: int


WHOLE = Stretch(0, sys.maxsize, 0)


def fast_lines(
    stream: BinaryIO, limits: Limits, stretch: Stretch = WHOLE, tell: Callable[[int], None] | None = None
) -> Iterator[FileRecord]:
    """As `lines`, for UTF-8: by the fast decoder where it is sure to say what the exact one would."""
    number, longest, at, end = stretch.before, limits.line, stretch.begin, stretch.end
    widest = 4 * longest + 2  # bytes
    while at < end and (line := stream.readline(widest)):
        number += 1
        size = len(line)
        at += size
        if tell is not None and number % _TOLD == 0:
            tell(at)
        if size > longest and _is_long(line, stream, longest, widest):
            at = stream.tell()
            yield FileRecord(number, number, fault=InputError("data.row.long", limit=longest))
            continue
        try:
            row = orjson.loads(line)
            sure = type(row) is dict and _is_exact(row, line, limits.depth)
        except (orjson.JSONDecodeError, _Unsure):
            sure = False
        if sure:
            yield FileRecord(number, number, row, None, size)
        elif not (exact := line.decode()).isspace():
            yield _line(exact, number, limits)


def _is_long(line: bytes, stream: BinaryIO, longest: int, widest: int) -> bool:
    """Whether a line has too many characters; the rest of it is then passed over."""
    if line.endswith(b"\n") or len(line) < widest:
        return len(line.decode().rstrip("\r\n")) > longest
    while (line := stream.readline(widest)) and not line.endswith(b"\n"):
        pass
    return True


class _Unsure(Exception):
    """The fast decoder may have lost something."""


def _is_exact(row: dict[str, Any], line: bytes, deepest: int) -> bool:
    """Whether a row is all that its line says: of a key that stands twice, quotation marks would be left over.

    Whole numbers become `Number` in place. Raises _Unsure for other numbers and for what is nested too deep.
    """
    marks = line.count(_MARK)
    if marks == 4 * len(row) and [*map(type, row.values())] == [str] * len(row):
        return True  # by far the most rows: texts alone
    if len(row) == 1 and deepest > 2 and _talks(row, marks):
        return True
    strings = _strings(row, line, deepest)
    if marks == 2 * strings:
        return True
    return b"\\u0022" not in line and marks == 2 * strings + _marks(row)


def _talks(row: dict[str, Any], marks: int) -> bool:
    """The same of a row that is one list of turns, each no more than two texts: the next most usual."""
    [turns] = row.values()
    if turns.__class__ is not list or marks != 2 + 8 * len(turns):
        return False
    for turn in turns:
        if turn.__class__ is not dict or len(turn) != 2:
            return False
        one, two = turn.values()
        if one.__class__ is not str or two.__class__ is not str:
            return False
    return True


def _strings(value: Any, line: bytes, deeper: int) -> int:
    """How many strings there are in a value, keys too."""
    if deeper < 1:
        raise _Unsure
    count = len(value) if type(value) is dict else 0
    for key, item in value.items() if type(value) is dict else enumerate(value):
        kind = type(item)
        if kind is str:
            count += 1
        elif kind is dict or kind is list:
            count += _strings(item, line, deeper - 1)
        elif kind is int:
            if item == 0 and b"-0" in line:
                raise _Unsure
            value[key] = Number(item)
        elif kind is float:
            raise _Unsure
    return count


def _marks(value: Any) -> int:
    """Quotation marks inside the strings of a value."""
    if isinstance(value, str):
        return value.count('"')
    if isinstance(value, dict):
        return sum(key.count('"') + _marks(item) for key, item in value.items())
    return sum(map(_marks, value)) if isinstance(value, list) else 0


def are_turns(value: Any) -> bool:
    """Whether a value is a list of turns that name who speaks."""
    return (
        isinstance(value, list) and bool(value) and all(isinstance(turn, dict) and any(key in turn for key in _SPEAKERS) for turn in value)
    )


def are_texts(head: str) -> bool:
    """Whether a text that is no table is JSON texts, one in each line: all of its whole lines that are not blank, and two at least.

    Some sign must be written as only JSON writes it; else they may be lines of prose in quotation marks.
    """
    whole = [line for line in head.splitlines(keepends=True) if not line.isspace() and line.endswith(("\n", "\r"))]
    try:
        return len(whole) > 1 and "\\" in head and all(line.lstrip()[:1] == '"' and isinstance(json.loads(line), str) for line in whole)
    except json.JSONDecodeError:
        return False


def spelled(value: Any) -> dict[str, Any] | None:
    """The object that a text spells in JSON; None where it is no such text."""
    if not isinstance(value, str) or value.lstrip()[:1] != "{":
        return None
    try:
        found = DECODER.decode(value)
    except (json.JSONDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def spell_rows(head: str, known: KnowsColumns) -> bool:
    """Whether the first of some texts in lines is the JSON of a row, one with columns that are known."""
    try:
        found = spelled(json.loads(next(filter(None, map(str.strip, head.splitlines())), "0")))
    except json.JSONDecodeError:
        return False
    return found is not None and known(list(found))


def lines(stream: TextIO, limits: Limits, texts: bool = False, rows: bool = False) -> Iterator[FileRecord]:
    """The rows of lines that are objects, or lists of turns; where `texts` is said, of texts, or with `rows` the JSON of rows."""
    number = 0
    while line := stream.readline(limits.line + 2):
        number += 1
        if len(line.rstrip("\r\n")) > limits.line:
            while line and not line.endswith(("\n", "\r")):
                line = stream.readline(limits.line)
            yield FileRecord(number, number, fault=InputError("data.row.long", limit=limits.line))
        elif not line.isspace():
            yield _line(line, number, limits, texts, rows)


def _line(line: str, number: int, limits: Limits, texts: bool = False, rows: bool = False) -> FileRecord:
    try:
        value = DECODER.decode(line)
    except RecursionError:
        return FileRecord(number, number, fault=InputError("data.row.deep", limit=limits.depth))
    except json.JSONDecodeError as error:
        return FileRecord(number, number, fault=InputError("data.row.json", position=error.pos + 1))
    if texts and isinstance(value, str) and not isinstance(value, Number):
        value = (spelled(value) if rows else None) or {"text": value}
    return judged(value, number, number, len(line), limits)


def judged(value: Any, row: int, line: int, size: int, limits: Limits) -> FileRecord:
    """The record that a decoded value is, or its fault; a list of turns is a conversation."""
    if are_turns(value):
        value = {"messages": value}
    fault = _fault(value, limits.depth)
    if fault is None and not isinstance(value, dict):
        fault = InputError("data.row.object")
    return FileRecord(row, line, fault=fault, size=size) if fault is not None else FileRecord(row, line, values=value, size=size)


def _fault(value: Any, deepest: int) -> InputError | None:
    """The first fault inside a decoded value. Without recursion: depth is what is being looked for."""
    rest = [(value, 1)]
    while rest:
        item, depth = rest.pop()
        if isinstance(item, _Fault):
            return item.error
        if isinstance(item, (dict, list)):
            if depth > deepest:
                return InputError("data.row.deep", limit=deepest)
            inside = item.values() if isinstance(item, dict) else item
            rest.extend((part, depth + 1) for part in inside if isinstance(part, (dict, list, _Fault)))
    return None
