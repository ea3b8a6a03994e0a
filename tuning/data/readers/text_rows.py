"""Rows of plain text: one for each paragraph, or for each line where nothing divides paragraphs. All of a row is learned.

It takes every text and finds no fault in it but length. Contents are to the letter: nothing is stripped, joined or wrapped.
"""

from collections.abc import Iterator
from typing import TextIO

from tuning.data.readers.encoding import TextFile
from tuning.data.records import FileRecord
from tuning.errors import InputError
from tuning.sandbox.limits import Limits

COLUMN = "text"


def records(text: TextFile, limits: Limits) -> Iterator[FileRecord]:
    """Blocks between blank lines where there are such lines between others, else each line that is not blank.

    The end of its last line does not belong to a row; the ends of the others do, as they are. A block longer than `limits.line`
    characters becomes several rows, divided at the ends of lines; a line that is longer is refused (`data.row.long`).
    """
    newline = "\n" if "\n" in text.head() else ""  # a lone carriage return ends lines only where nothing else does
    with text.open(newline) as stream:
        blocks = _has_blocks(stream, limits)
    with text.open(newline) as stream:
        yield from _rows(stream, limits, blocks, newline or "\r")


def _has_blocks(stream: TextIO, limits: Limits) -> bool:
    """Whether a blank line stands between two that are not."""
    begun = gap = False
    while line := stream.readline(limits.line + 2):
        if line.isspace():
            gap = begun
        elif gap:
            return True
        else:
            begun = True
    return False


def _rows(stream: TextIO, limits: Limits, blocks: bool, end: str) -> Iterator[FileRecord]:
    row = number = size = 0
    block: list[str] = []
    while True:
        line = stream.readline(limits.line + 2)
        number += 1
        long = len(line) > limits.line and len(line.rstrip("\r\n")) > limits.line
        blank = not line or line.isspace()
        if block and (blank or long or not blocks or size + len(line) > limits.line):
            row += 1
            yield _row(row, number - len(block), "".join(block))
            block, size = [], 0
        if long:
            while line and not line.endswith(end):
                line = stream.readline(limits.line)
            row += 1
            yield FileRecord(row, number, fault=InputError("data.row.long", limit=limits.line))
        elif not line:
            return
        elif not blank:
            block.append(line)
            size += len(line)


def _row(row: int, line: int, content: str) -> FileRecord:
    end = 2 if content.endswith("\r\n") else 1 if content.endswith(("\n", "\r")) else 0
    content = content[: len(content) - end]
    return FileRecord(row, line, values={COLUMN: content}, size=len(content))
