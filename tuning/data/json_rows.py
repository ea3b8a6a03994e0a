"""Rows of JSON files: one object per line, a list of objects, or `{"data": [...]}`; found by content.

Read piece by piece: no file is held whole. Depth, length and what JSON has no word for (NaN) are judged here; the
meaning of the columns is not.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, TextIO

from tuning.data.encoding import Text
from tuning.data.records import Known, Limits, Record, shown
from tuning.errors import InputError

Shape = Literal["lines", "list", "wrapped", "objects"]

_PIECE = 262_144
_SPACE = re.compile(r"[ \t\r\n]*")
_WRAPPER = re.compile(r'\s*\{\s*"((?:[^"\\]|\\.){1,200})"\s*:\s*\[\s*(?=[{\]])')


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


# Whole numbers as float: a number is refused in a text anyway, and int() of 5,000 digits raises.
_DECODER = json.JSONDecoder(parse_int=float, parse_constant=lambda name: _Fault("data.row.nan"), object_pairs_hook=_object)


class JsonRows:
    """JSON and JSON Lines."""

    name = "json"

    def takes(self, head: str) -> bool:
        """Whether a text begins as JSON does."""
        return head.lstrip()[:1] in ("[", "{")

    def records(self, text: Text, limits: Limits, known: Known) -> Iterator[Record]:
        """All rows in the order of the file.

        Raises InputError where the rest cannot be told apart any more: `data.json`, `data.json.cut`, `data.json.deep`,
        `data.json.long`, each with row and line.
        """
        shape = _shape(text, limits, known)
        with text.open() as stream:
            if shape == "lines":
                yield from _lines(stream, limits)
                return
            window = _Window(stream, limits)
            if shape == "objects":
                while window.peek():
                    yield window.record()
                return
            if shape == "wrapped":
                window.take("{")
                window.value()
                window.take(":")
            yield from _list(window)
            if shape == "wrapped":
                window.take("}")
            if window.peek():
                raise InputError("data.json", row=window.row, line=window.line)


def _shape(text: Text, limits: Limits, known: Known) -> Shape:
    """What kind of JSON it is, from its first two lines that are not blank."""
    with text.open() as stream:
        first, second = _beginnings(stream, limits)
    if first.startswith("["):
        return "list"
    wrapper = _WRAPPER.match(text.head())
    wrapped = wrapper is not None and not known([wrapper[1]])
    try:
        value = _DECODER.decode(first)
    except (json.JSONDecodeError, RecursionError):
        if len(first) > limits.line:
            return "wrapped" if wrapped else "lines"
        one_line = first[-1:] not in "[{,:" and (first.endswith("}") or second.startswith("{"))
        return "lines" if one_line else "wrapped" if wrapped else "objects"
    return "wrapped" if wrapped and not second and isinstance(value, dict) and len(value) == 1 else "lines"


def _beginnings(stream: TextIO, limits: Limits) -> tuple[str, str]:
    found: list[str] = []
    while len(found) < 2 and (line := stream.readline(limits.line + 2)):
        if not line.isspace():
            found.append(line.strip())
            if not line.endswith(("\n", "\r")):
                break
    first, second, *_ = [*found, "", ""]
    return first, second


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
    return _judged(value, Record(number, number, size=len(line)), limits)


def _judged(value: Any, place: Record, limits: Limits) -> Record:
    fault = _fault(value, limits.depth)
    if fault is None and not isinstance(value, dict):
        fault = InputError("data.row.object")
    return replace(place, fault=fault) if fault is not None else replace(place, values=value)


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
        return _judged(value, Record(row, line, size=length), self._limits)

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
