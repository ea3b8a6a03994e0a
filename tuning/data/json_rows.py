"""Rows of JSON files: one object per line, a list of objects, or `{"data": [...]}`; found by content.

Read piece by piece: no file is held whole. Depth, length and what JSON has no word for (NaN) are judged here; the
meaning of the columns is not.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal, TextIO

import orjson

from tuning.data.encoding import Text
from tuning.data.records import Known, Limits, Number, Record, listed, shown
from tuning.errors import InputError

Shape = Literal["lines", "list", "objects"] | tuple[Literal["wrapped"], str]

_PIECE = 262_144
_MARK = ord('"')
_SPACE = re.compile(r"[ \t\r\n]*")
_BEGINNING = re.compile(r"""[\s\ufeff]*(\[\s*([\[{"'\]\d/-]|true|false|null|NaN|Infinity|\Z)|\{(?![{%\\#]))""")
_LONE_RETURN = re.compile(r"\r(?!\n|\Z)")
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})){1,200}"'
_BEFORE = rf"(?:{_STRING}\s*:\s*(?:{_STRING}|[\w.+-]+)\s*,\s*){{0,20}}"  # what an export says of itself: "version": "1.1"
_WRAPPER = re.compile(rf"\s*\{{\s*(?P<before>{_BEFORE})(?P<name>{_STRING})\s*:\s*\[\s*(?=[{{\]])")
_ROWS = frozenset(("data", "rows", "examples", "records", "items", "train", "dati", "righe", "esempi"))
_ABOUT = "features"  # in what the Hub's viewer answers: a list of the columns, before that of the rows


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


_DECODER = json.JSONDecoder(
    parse_int=Number,
    parse_float=Number,
    parse_constant=lambda name: _Fault("data.row.nan"),
    object_pairs_hook=_object,
)


def takes(head: str) -> bool:
    """Whether a text begins as JSON does, be it broken later: with an object, or with a list of values.

    `[Verse 1]` and `{{a template}}` do not.
    """
    return _BEGINNING.match(head) is not None


def records(text: Text, limits: Limits, known: Known) -> Iterator[Record]:
    """All rows in the order of the file. Numbers are `Number`: as the file spells them.

    Raises InputError where the rest cannot be told apart any more: `data.json`, `data.json.cut`, `data.json.deep`,
    `data.json.long`, each with row and line.
    """
    shape = _shape(text, limits, known)
    if shape == "lines" and text.encoding in ("utf-8", "utf-8-sig") and not _LONE_RETURN.search(text.head()):
        with text.open_bytes() as raw:
            yield from _fast_lines(raw, limits)
        return
    with text.open() as stream:
        if shape == "lines":
            yield from _lines(stream, limits)
            return
        window = _Window(stream, limits)
        if shape == "objects":
            while window.peek():
                yield _row_of(window)
            return
        yield from _list(window) if shape == "list" else _wrapped(window, shape[1])
        if window.peek():
            raise InputError("data.json", row=window.row, line=window.line)


def _shape(text: Text, limits: Limits, known: Known) -> Shape:
    """What kind of JSON it is, from its first two lines that are not blank; of rows in an object, also under which name.

    Raises InputError `data.columns` (columns) for an object of columns on a line of its own.
    """
    with text.open() as stream:
        first, second = _beginnings(stream, limits)
    if first.startswith("["):
        return "list"
    wrapper = _wrapper(text.head(), known)
    otherwise: Shape = ("wrapped", wrapper) if wrapper is not None else "objects"
    try:
        value = _DECODER.decode(first)
    except (json.JSONDecodeError, RecursionError):
        if len(first) > limits.line:
            return otherwise if wrapper is not None else "lines"
        one_line = first[-1:] not in "[{,:" and (first.endswith("}") or second.startswith("{"))
        return "lines" if one_line else otherwise
    if second or not isinstance(value, dict):
        return "lines"
    _check_rows(value)
    lists = [name for name, item in value.items() if name != _ABOUT and isinstance(item, list) and item and isinstance(item[0], dict)]
    alone = len(value) == 1 or (wrapper in _ROWS and lists == [wrapper])
    return otherwise if wrapper is not None and alone and not known(list(value)) else "lines"


def _wrapper(head: str, known: Known) -> str | None:
    """The name of the list of rows in the object that a text begins with."""
    found = _WRAPPER.match(head)
    if found is None:
        return None
    name = str(json.loads(found["name"]))
    if known([name]) or (found["before"] and name not in _ROWS):
        return None
    return "rows" if name == _ABOUT else name


def _check_rows(value: dict[str, Any]) -> None:
    """Raises InputError `data.columns` (columns) for an object that holds its columns one by one, as pandas writes them."""
    inside = list(value.values())
    by_number = all(isinstance(item, dict) and item and all(key.isdigit() for key in item) for item in inside)
    in_lists = all(isinstance(item, list) and len(item) > 1 and not any(isinstance(one, (dict, list)) for one in item) for item in inside)
    if len(inside) > 1 and (by_number or (in_lists and len({len(item) for item in inside}) == 1)):
        raise InputError("data.columns", columns=listed(list(value)))


def _beginnings(stream: TextIO, limits: Limits) -> tuple[str, str]:
    found: list[str] = []
    while len(found) < 2 and (line := stream.readline(limits.line + 2)):
        if not line.isspace():
            found.append(line.strip())
            if not line.endswith(("\n", "\r")):
                break
    first, second, *_ = [*found, "", ""]
    return first, second


def _fast_lines(stream: BinaryIO, limits: Limits) -> Iterator[Record]:
    """As `_lines`, for UTF-8: by the fast decoder where it is sure to say what the exact one would."""
    number, longest = 0, limits.line
    widest = 4 * longest + 2  # bytes
    while line := stream.readline(widest):
        number += 1
        size = len(line)
        if size > longest and _is_long(line, stream, longest, widest):
            yield Record(number, number, fault=InputError("data.row.long", limit=longest))
            continue
        try:
            row = orjson.loads(line)
            sure = type(row) is dict and _is_exact(row, line, limits.depth)
        except (orjson.JSONDecodeError, _Unsure):
            sure = False
        if sure:
            yield Record(number, number, row, None, size)
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
    strings = _strings(row, line, deepest)
    if marks == 2 * strings:
        return True
    return b"\\u0022" not in line and marks == 2 * strings + _marks(row)


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


def _lines(stream: TextIO, limits: Limits) -> Iterator[Record]:
    number = 0
    while line := stream.readline(limits.line + 2):
        number += 1
        if len(line.rstrip("\r\n")) > limits.line:
            while line and not line.endswith(("\n", "\r")):
                line = stream.readline(limits.line)
            yield Record(number, number, fault=InputError("data.row.long", limit=limits.line))
        elif not line.isspace():
            yield _line(line, number, limits)


def _line(line: str, number: int, limits: Limits) -> Record:
    try:
        value = _DECODER.decode(line)
    except RecursionError:
        return Record(number, number, fault=InputError("data.row.deep", limit=limits.depth))
    except json.JSONDecodeError as error:
        return Record(number, number, fault=InputError("data.row.json", position=error.pos + 1))
    return _judged(value, number, number, len(line), limits)


def _judged(value: Any, row: int, line: int, size: int, limits: Limits) -> Record:
    fault = _fault(value, limits.depth)
    if fault is None and not isinstance(value, dict):
        fault = InputError("data.row.object")
    return Record(row, line, fault=fault, size=size) if fault is not None else Record(row, line, values=value, size=size)


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


def _row_of(window: "_Window") -> Record:
    record = window.record()
    if record.row == 1 and record.values is not None and not window.peek():
        _check_rows(dict(record.values))
    return record


def _wrapped(window: "_Window", rows: str) -> Iterator[Record]:
    """The rows in the list of one name; what else the object says is left out, but for a second list of rows."""
    window.take("{")
    while True:
        name, _ = window.value()
        window.take(":")
        if name == rows:
            yield from _list(window)
        else:
            value, _ = window.value()
            if name != _ABOUT and isinstance(value, list) and value and isinstance(value[0], dict):
                raise InputError("data.lists", columns=listed([rows, str(name)]))
        if window.peek() != ",":
            window.take("}")
            return
        window.take(",")


def _list(window: "_Window") -> Iterator[Record]:
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    while True:
        yield window.record()
        if window.peek() == "]":
            window.take("]")
            return
        window.take(",")


class _Window:
    """A moving part of a JSON text, wide enough for one value."""

    def __init__(self, stream: TextIO, limits: Limits) -> None:
        self.row = 1
        self.line = 1
        self._stream = stream
        self._limits = limits
        self._widest = 4 * limits.line  # so that a value somewhat too long costs its row, not the file
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._move(space.end() if space else self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        """Go past one character that has to come next."""
        found = self.peek()
        if found != character:
            raise InputError("data.json" if found else "data.json.cut", row=self.row, line=self.line)
        self._move(self._at + 1)

    def record(self) -> Record:
        """The next value as a row."""
        self.peek()
        row, line = self.row, self.line
        value, length = self.value()
        self.row += 1
        if length > self._limits.line:
            return Record(row, line, fault=InputError("data.row.long", limit=self._limits.line))
        return _judged(value, row, line, length, self._limits)

    def value(self) -> tuple[Any, int]:
        """The next value and its length in characters."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise InputError("data.json.deep", row=self.row, line=self.line, limit=self._limits.depth) from None
            except json.JSONDecodeError as error:
                self._widen(error)
                continue
            if end == len(self._text) and self._more():
                continue  # a number may go on in the next piece
            length = end - self._at
            self._move(end)
            return value, length

    def _widen(self, error: json.JSONDecodeError) -> None:
        """More text, where the error may be no more than the end of what is held. Else raises."""
        # An unfinished string is reported where it begins, an unfinished word or escape a few characters before the end.
        open_text = error.msg.startswith("Unterminated string")
        cut = open_text or error.pos >= len(self._text) - 16
        ended = open_text or error.pos >= len(self._text.rstrip())  # so far; told before `_more` moves the window
        line = self.line + self._text.count("\n", self._at, error.pos)
        if cut and len(self._text) - self._at > self._widest:
            raise InputError("data.json.long", row=self.row, line=self.line, limit=self._limits.line) from error
        if cut and self._more():
            return
        raise InputError("data.json.cut" if ended else "data.json", row=self.row, line=line) from error

    def _more(self) -> bool:
        piece = self._stream.read(_PIECE)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)

    def _move(self, to: int) -> None:
        self.line += self._text.count("\n", self._at, to)
        self._at = to
