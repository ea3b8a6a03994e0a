"""Rows of JSON files: one object per line, a list of objects, `{"data": [...]}`, or objects under names of their own; found by content.

Read piece by piece: no file is held whole. Depth, length and what JSON has no word for (NaN) are judged here; the
meaning of the columns is not.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TextIO

from tuning.data.readers import json_whole
from tuning.data.readers.encoding import TextFile
from tuning.data.readers.json_lines import DECODER, Stretch, are_turns, fast_lines, judged, lines, spell_rows, spelled
from tuning.data.records import FileRecord, KnowsColumns, Number, listed
from tuning.errors import InputError
from tuning.sandbox.limits import Limits

Shape = Literal["lines", "list", "objects", "named"] | tuple[Literal["wrapped"], str]

_PIECE = 262_144
_SPACE = re.compile(r"[ \t\r\n]*")
_AFTER = r"\s*(?:[,:]|\Z|\]\s*(?:\Z|[,\]]|\n\s*[\[{]))"  # what follows a value in a list; in a text the text goes on
_BEGINNING = re.compile(
    rf"""[\s\ufeff]*(?!\[[\d\s,.:/-]*\][ \t]*[^\s,\]\[])(?:\{{(?!["'][^"'\n]*["']\s*\}})\s*(?:["'\}}]|//|/\*|\w+\s*:|\Z)
    |\[(?:\s*\[)*\s*(?:\{{(?![{{%\\#])|//|/\*|\Z|\](?:\s*(?:\Z|[,\]])|[ \t]*\r?\n\s*[\[{{](?!\s*[\]xX]))
    |(?:"(?:[^"\\]|\\.)*(?:"|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)|-?\d[\d.eE+-]*|true|false|null|NaN|-?Infinity){_AFTER}))""",
    re.VERBOSE | re.DOTALL,
)
_LONE_RETURN = re.compile(r"\r(?!\n|\Z)")
_STRING = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})){1,200}"'
_BEFORE = rf"(?:{_STRING}\s*:\s*(?:{_STRING}|[\w.+-]+)\s*,\s*){{0,20}}"  # what an export says of itself: "version": "1.1"
_WRAPPER = re.compile(rf"\s*\{{\s*(?P<before>{_BEFORE})(?P<name>{_STRING})\s*:\s*\[\s*(?=[{{\]])")
_NAMED = re.compile(rf"\s*[{{,]\s*(?P<name>{_STRING})\s*:\s*(?=\{{)")
_TURN = re.compile(r'\{\s*"(?:role|from|speaker)"\s*:')  # how a turn begins: a list of such is one row
_ROWS = frozenset(("data", "rows", "examples", "records", "items", "train", "dati", "righe", "esempi"))
_ABOUT = "features"  # in what the Hub's viewer answers: a list of the columns, before that of the rows


def takes(head: str) -> bool:
    """Whether a text begins as JSON does, be it broken later: with an object, or with a list of values.

    `[Verse 1]` and `{{a template}}` do not.
    """
    return _BEGINNING.match(head) is not None


def records(text: TextFile, limits: Limits, known: KnowsColumns) -> Iterator[FileRecord]:
    """All rows in the order of the file. Numbers are `Number`: as the file spells them.

    A file that is a single object is one record, even if it is longer than a row may be: its rows may lie within it. Raises InputError
    where the rest cannot be told apart any more: `data.json`, `data.json.cut`, `data.json.deep`, `data.json.long`, each with row and
    line; `data.json.whole` (limit) for such an object that is too large to be looked into.
    """
    shape = _shape(text, limits, known)
    if shape in ("lines", "objects") and (one := json_whole.record(text, shape == "lines", limits)) is not None:
        _check_rows(dict(one.values or {}))
        yield one
        return
    if shape == "lines" and _is_plain(text):
        with text.open_bytes() as raw:
            yield from fast_lines(raw, limits)
        return
    with text.open() as stream:
        if shape == "lines":
            yield from lines(stream, limits)
            return
        window = _Window(stream, limits)
        if shape == "objects":
            while window.peek():
                yield from _row_of(window)
            return
        yield from _list(window, known) if shape == "list" else _named(window) if shape == "named" else _wrapped(window, shape[1])
        if window.peek():
            raise InputError("data.json", row=window.row, line=window.line)


def texts(text: TextFile, limits: Limits, known: KnowsColumns) -> Iterator[FileRecord]:
    """The rows of a file whose lines are JSON texts (`json_lines.are_texts`), or hold the JSON of a row each."""
    rows = spell_rows(text.head(), known)
    with text.open() as stream:
        yield from lines(stream, limits, texts=True, rows=rows)


def stretches(text: TextFile, limits: Limits, known: KnowsColumns, count: int) -> list[Stretch]:
    """A file of rows in lines, divided into `count` parts of about the same size; empty where it is no such file."""
    if not takes(text.head()) or _shape(text, limits, known) != "lines" or not _is_plain(text):
        return []  # what has something around it is read by one
    found: list[Stretch] = []
    size, widest = text.path.stat().st_size, 4 * limits.line + 2
    with text.open_bytes() as stream:
        begin, before = stream.tell(), 0
        for number in range(1, count + 1):
            lines = 0
            if number == count:
                stream.seek(size)  # how many lines the last has, nobody asks
            while (rest := size * number // count - stream.tell()) > 0:
                lines += stream.read(min(rest, 16 * _PIECE)).count(b"\n")
            while (line := stream.readline(widest)) and not line.endswith(b"\n"):
                pass  # the line in which the stretch ends is a part of it, however long
            found.append(Stretch(begin, stream.tell(), before))
            begin, before = stream.tell(), before + lines + bool(line)
    return [stretch for stretch in found if stretch.begin < stretch.end]


def stretch_records(text: TextFile, stretch: Stretch, limits: Limits, tell: Callable[[int], None]) -> Iterator[FileRecord]:
    """The rows of one stretch; `tell` hears now and then which byte is read."""
    with text.open_bytes() as stream:
        stream.seek(stretch.begin)
        yield from fast_lines(stream, limits, stretch, tell)


def _is_plain(text: TextFile) -> bool:
    """Whether lines end as they should and are UTF-8, so that the fast decoder may have them."""
    return text.encoding in ("utf-8", "utf-8-sig") and not _LONE_RETURN.search(text.head())


def _shape(text: TextFile, limits: Limits, known: KnowsColumns) -> Shape:
    """What kind of JSON it is, from its first two lines that are not blank; of rows in an object, also under which name.

    Raises InputError `data.columns` (columns) for an object of columns on a line of its own.
    """
    with text.open() as stream:
        first, second = _beginnings(stream, limits)
    if first.startswith("["):
        return "lines" if second.startswith("[") and _is_row(first) else "list"
    wrapper = _wrapper(text.head(), known)
    otherwise: Shape = ("wrapped", wrapper) if wrapper is not None else "named" if _are_named(text.head(), known) else "objects"
    try:
        value = DECODER.decode(first)
    except (json.JSONDecodeError, RecursionError):
        if len(first) > limits.line:
            return otherwise if wrapper is not None else "lines"
        one_line = first[-1:] not in "[{,:" and (first.endswith("}") or second.startswith("{"))
        return "lines" if one_line else otherwise
    if second or not isinstance(value, dict):
        return "lines"
    _check_rows(value)
    lists = [name for name, item in value.items() if name != _ABOUT and isinstance(item, list) and item and isinstance(item[0], dict)]
    if otherwise == "named":
        return otherwise
    alone = len(value) == 1 or (wrapper in _ROWS and wrapper in lists)  # a second list of rows is refused there
    return otherwise if wrapper is not None and alone and not known(list(value)) else "lines"


def _wrapper(head: str, known: KnowsColumns) -> str | None:
    """The name of the list of rows in the object that a text begins with."""
    found = _WRAPPER.match(head)
    if found is None:
        return None
    name = str(json.loads(found["name"]))
    if known([name]) or (name not in _ROWS and (found["before"] or _TURN.match(head, found.end()))):
        return None
    return "rows" if name == _ABOUT else name


def _is_row(line: str) -> bool:
    """Whether a line is a whole list of turns, or of something else than rows."""
    try:
        value = DECODER.decode(line)
    except (json.JSONDecodeError, RecursionError):
        return False
    return are_turns(value) or (isinstance(value, list) and not any(isinstance(one, dict) for one in value))


def _are_named(head: str, known: KnowsColumns) -> bool:
    """Whether a text begins as an object of rows does, each under a name: the first two have the same columns, which are no numbers."""
    names, rows, at = list[str](), list[list[str]](), 0
    while len(rows) < 2 and (found := _NAMED.match(head, at)):
        try:
            row, at = DECODER.raw_decode(head, found.end())
        except (json.JSONDecodeError, RecursionError):
            return False
        if not isinstance(row, dict):
            return False
        names.append(json.loads(found["name"]))
        rows.append(list(row))
    same = len(rows) == 2 and rows[0] == rows[1] and len(rows[0]) > 1 and not all(column.isdigit() for column in rows[0])
    return same and not known(names)


def _check_rows(value: dict[str, Any]) -> None:
    """For an object that holds its columns one by one, as pandas writes them, raises InputError `data.columns` (columns), and
    `data.tokenized` for one row of tokens."""
    inside = list(value.values())
    by_number = all(isinstance(item, dict) and item and all(key.isdigit() for key in item) for item in inside)
    in_lists = all(isinstance(item, list) and len(item) > 1 and not any(isinstance(one, (dict, list)) for one in item) for item in inside)
    if len(inside) > 1 and (by_number or (in_lists and len({len(item) for item in inside}) == 1)):
        if value.keys() & {"input_ids", "token_ids"}:
            raise InputError("data.tokenized")
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


def _row_of(window: "_Window") -> Iterator[FileRecord]:
    record = window.record()
    if record is None:
        return
    if record.row == 1 and record.values is not None and not window.peek():
        _check_rows(dict(record.values))
    yield record


def _wrapped(window: "_Window", rows: str) -> Iterator[FileRecord]:
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


def _named(window: "_Window") -> Iterator[FileRecord]:
    """The rows of an object, each under a name."""
    window.take("{")
    while True:
        window.value()
        window.take(":")
        if (record := window.record()) is not None:
            yield record
        if window.peek() != ",":
            window.take("}")
            return
        window.take(",")


def _list(window: "_Window", known: KnowsColumns | None = None) -> Iterator[FileRecord]:
    """The rows of a list. Where `known` is given, a list of texts is one of plain texts, and of lists the first may name the columns."""
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    if known is not None and window.peek() in '["':
        window.told = known
    while True:
        record = window.record()
        if record is not None:
            yield record
        if window.peek() == "]":
            window.take("]")
            return
        window.take(",")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _named_values(value: Any, names: list[str] | None) -> tuple[Any, InputError | None]:
    """A row that is a list by the names of its columns, or one that is a text; and its fault, where it has more values than names."""
    if names is None:
        return ({"text": value} if _is_text(value) else value), None
    if not isinstance(value, list):
        return value, None
    if len(value) > len(names):
        return value, InputError("data.row.ragged", found=len(value), expected=len(names))
    return dict(zip(names, value, strict=False)), None


class _Window:
    """A moving part of a JSON text, wide enough for one value."""

    def __init__(self, stream: TextIO, limits: Limits) -> None:
        self.row = 1
        self.line = 1
        self.told: KnowsColumns | None = None  # where the first row is no object: which names of columns are known
        self._spelled = False  # whether rows are texts that are the JSON of a row
        self._names: list[str] | None = None  # of the columns of rows that are lists; none where rows are texts
        self._stream = stream
        self._limits = limits
        self._widest = json_whole.WIDEST * limits.line  # so that a value somewhat too long costs its row, not the file
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

    def record(self) -> FileRecord | None:
        """The next value as a row; None where it is the names of the columns."""
        self.peek()
        row, line = self.row, self.line
        value, length = self.value()
        self.row += 1
        if self.told is not None:
            if row == 1 and isinstance(value, list) and len(value) > 1 and all(map(_is_text, value)) and self.told(value):
                self._names = value
                return None
            if row == 1 and (held := spelled(value)) is not None:
                self._spelled = self.told(list(held))
            self.told = self.told if self._names or (row == 1 and _is_text(value)) or row > 1 else None
        if self.told is not None:
            value = (spelled(value) if self._spelled else None) or value
            value, fault = _named_values(value, self._names)
            if fault is not None:
                return FileRecord(row, line, fault=fault)
        if length > self._limits.line:
            return FileRecord(row, line, fault=InputError("data.row.long", limit=self._limits.line))
        return judged(value, row, line, length, self._limits)

    def value(self) -> tuple[Any, int]:
        """The next value and its length in characters."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
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
