"""A JSON file that is one object, longer than a row may be: read at once, for its rows may lie within it.

Which of what it holds are rows is for `regroup.enclosed` to say; a file of several values never comes here.
"""

import json
from typing import TextIO

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.json_lines import DECODER, judged
from tuning.data.records import WholeRecord
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

WIDEST = 4  # times the limit of a row: so much is held of any file


def record(text: TextFile, by_line: bool, limits: Limits) -> WholeRecord | None:
    """The single object that a file is, where it is longer than a row may be; None for any other file.

    `by_line` says that rows may stand in lines, each at fault for itself. Raises InputError `data.json`, `data.json.cut` (row, line), and
    `data.json.whole` (limit) for one that is too large to be looked into.
    """
    size = text.path.stat().st_size
    if size <= limits.line:
        return None
    with text.open() as stream:
        content = stream.read(WIDEST * limits.line)
        begin = len(content) - len(content.lstrip("\ufeff \t\r\n"))
        if content[begin : begin + 1] != "{" or not _goes_on(content, begin):
            return None
        if by_line and "\n" in content.strip():
            return None
        if size > limits.whole:
            if by_line and _has_more(stream, WIDEST * limits.line):
                return None
            raise InputError("data.json.whole", limit=limits.whole // MEGABYTE)
        content += stream.read()
    try:
        value, end = DECODER.raw_decode(content, begin)
    except (json.JSONDecodeError, RecursionError) as error:
        if isinstance(error, RecursionError) or (by_line and "\n" in content.strip()):
            return None
        raise InputError("data.json.cut" if _is_cut(error, content) else "data.json", row=1, line=error.lineno) from error
    if content[end:].strip() or end - begin <= limits.line:
        return None
    one = judged(value, 1, 1, end - begin, limits)
    return WholeRecord(1, 1, one.values, one.fault, one.size)


def _has_more(stream: TextIO, piece: int) -> bool:
    """Whether another line follows that in which a stream is."""
    while (held := stream.readline(piece)) and not held.endswith("\n"):
        pass
    return bool(stream.read(piece).strip())


def _goes_on(content: str, begin: int) -> bool:
    """Whether the value that begins there is not followed by another, as far as the content goes."""
    try:
        return not content[DECODER.raw_decode(content, begin)[1] :].strip()
    except RecursionError:
        return False
    except json.JSONDecodeError as error:
        return _is_cut(error, content)


def _is_cut(error: json.JSONDecodeError, content: str) -> bool:
    """Whether JSON is at fault for no more than its end; an unfinished word or escape is reported a few characters before it."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(content) - 16
