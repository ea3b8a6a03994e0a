"""JSON with something around it: a fence of Markdown, comments above it, or words that are no JSON.

What is certain to be no part of the rows is read as white space, so that rows and lines keep their numbers; anything else
has to be taken out by a person. What the rows mean is not its business.
"""

import io
import json
import pathlib
import re
from typing import Any, BinaryIO, TextIO

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.json_lines import DECODER, are_turns
from tuning.data.records import HEAD, KnowsColumns, shown
from tuning.errors import InputError

_LINES = 20  # of words before the JSON, at most
_STRETCHES = 200  # of JSON with other lines between them, at most
_FENCE = re.compile(r"[ \t]*(?:```|~~~)[ \t]*(?:jsonl?|json5|jsonc|ndjson|javascript|js|text|txt)?[ \t]*\r?\n?", re.IGNORECASE)
_FENCES = (b"```", b"~~~")
_COMMENT = re.compile(r"[ \t]*(?:(?://|#)[^\r\n]*|/\*(?:[^*]|\*(?!/)){0,4000}\*/[ \t]*)(?:\r?\n|\r|\Z)")
_BLANK = re.compile(r"[ \t\ufeff]*\r?\n")
_OBJECT = re.compile(r'(?:\[\s*){0,3}\{\s*"(?:[^"\\\n]|\\.){0,200}"\s*:')
_CODE = re.compile(r"[=(:]\s*\Z")  # what stands before a value in a program: a name that it is given to
_BETWEEN = re.compile(r"[\s,\[\]]*")
_TAIL = re.compile(r"[\s;)\]},]*(?:(?:```|~~~)\s*)?")
_END = 4096  # bytes at the end of a file in which its last line is looked for


class Blanked(TextFile):
    """A text of which some bytes are read as spaces."""

    def __init__(self, path: pathlib.Path, encoding: str, stretches: tuple[tuple[int, int], ...]) -> None:
        super().__init__(path, encoding)
        self._stretches = stretches

    def open(self, newline: str = "") -> TextIO:
        """As any text's."""
        return io.TextIOWrapper(self._opened(), encoding=self.encoding, newline=newline)

    def _opened(self) -> BinaryIO:
        self._stream = io.BufferedReader(_Spaces(self.path, self._stretches))
        return self._stream


class _Spaces(io.RawIOBase):
    """The bytes of a file, some stretches of it as spaces; ends of lines stay."""

    def __init__(self, path: pathlib.Path, stretches: tuple[tuple[int, int], ...]) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed with this stream)
        self._stretches = stretches

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        begin = self._file.tell()
        count = self._file.readinto(buffer) or 0
        for first, last in self._stretches:
            for place in range(max(first, begin), min(last, begin + count)):
                if buffer[place - begin] not in b"\r\n":
                    buffer[place - begin] = 0x20
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def bare(text: TextFile, head: str) -> tuple[TextFile, list[int]] | None:
    """The JSON of a text that has nothing around it but a fence or comments, and the lines of those; None for any other text."""
    begin, lines = _above(head)
    if not lines or text.encoding == "utf-16" or not _is_json(head, begin):
        return None
    start = len(head[:begin].encode(text.encoding))
    size = text.path.stat().st_size
    end = _closing(text.path, size) if _FENCE.match(head[_first(head) :]) else size
    mark = 3 if text.encoding == "utf-8-sig" else 0
    return Blanked(text.path, text.encoding, ((mark, start), (end, size))), lines


def check(head: str, known: KnowsColumns) -> None:
    """For a text that is mostly rows of JSON whose columns are known, but not from its beginning, raises InputError `data.json.around`
    (line, text)."""
    found = _OBJECT.search(head)
    if found is None or head.count("\n", 0, found.start()) > _LINES:
        return
    end, columns = _extent(head, found.start())
    held = end - found.start()
    for _ in range(_STRETCHES):
        more = _OBJECT.search(head, end)
        if more is None:
            break
        end = max(_extent(head, more.start())[0], more.end())
        held += end - more.start()
    if 2 * held <= len(head.strip()) or not columns:
        return
    before = head[: found.start()]
    whole = len(head) < HEAD and _TAIL.fullmatch(head, end) is not None
    if not known(columns) and (not whole or _CODE.search(before)):
        return
    places = [(number, line) for number, line in enumerate(before.splitlines(), start=1) if line.strip() and not _FENCE.fullmatch(line)]
    if not places:
        after = head.count("\n", 0, end) + 1
        rest = head.splitlines()[after:]
        places = [(after + number, line) for number, line in enumerate(rest, start=1) if line.strip() and not _FENCE.fullmatch(line)]
    line, said = places[0] if places else (1, head.splitlines()[0])
    raise InputError("data.json.around", line=line, text=shown(said.strip(), 60))


def _first(head: str) -> int:
    """Where the first line begins that is not blank."""
    at = 0
    while found := _BLANK.match(head, at):
        at = found.end()
    return at


def _above(head: str) -> tuple[int, list[int]]:
    """Where the first line ends that is neither blank, a fence, nor a comment; and the lines before it that are not blank."""
    at, lines, fenced = 0, list[int](), False
    while at < len(head):
        found = _BLANK.match(head, at)
        if found is None:
            found = _COMMENT.match(head, at) or (None if fenced else _FENCE.match(head, at))
            if found is None or not found.end() > at:
                break
            fenced = fenced or found.re is _FENCE
            first = head.count("\n", 0, at) + 1
            lines += range(first, first + max(1, len(found[0].splitlines())))
        at = found.end()
    return at, lines


def _is_json(head: str, begin: int) -> bool:
    """Whether all that follows is JSON that holds objects, as far as the head shows."""
    if _OBJECT.match(head, begin) is None:
        return False
    end, _ = _extent(head, begin)
    return end > begin and (end == len(head) or _TAIL.fullmatch(head, end) is not None)


def _closing(path: pathlib.Path, size: int) -> int:
    """Where the last line begins, if it is the end of a fence; else the size of the file."""
    with open(path, "rb") as stream:
        stream.seek(max(0, size - _END))
        last = stream.read().rstrip()
    at = last.rfind(b"\n") + 1
    return max(0, size - _END) + at if last[at:].strip() in _FENCES else size


def _extent(head: str, begin: int) -> tuple[int, list[str]]:
    """Where the JSON ends that begins there, and the columns of its first row. A value that the head cuts off counts to its end."""
    at, columns = begin, list[str]()
    while True:
        found = _BETWEEN.match(head, at)
        at = found.end() if found else at
        if at >= len(head) or head[at] != "{":
            return at, columns
        try:
            value, at = DECODER.raw_decode(head, at)
        except (json.JSONDecodeError, RecursionError):
            return (len(head) if len(head) >= HEAD else at), columns
        columns = columns or _columns(value)


def _columns(value: Any) -> list[str]:
    """The columns of a row; of rows in an object, or of turns, those that they stand for."""
    if not isinstance(value, dict):
        return []
    if are_turns([value]):
        return ["messages"]
    inside = next((held for held in value.values() if isinstance(held, list) and held and isinstance(held[0], dict)), None)
    rows = len(value) == 1 and inside is not None and not are_turns(inside)
    return list(inside[0]) if rows and inside is not None else list(value)
