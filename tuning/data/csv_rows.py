"""Rows of CSV files, whatever their separator. Every value stays the text it is: `None`, `007` and `1e5` too.

Strict where leniency would garble: a quotation mark at fault refuses the file, as the rows after it cannot be told
apart. It does not know what the columns mean.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import TextIO

from tuning.data.encoding import Text
from tuning.data.records import Known, Limits, Record, shown
from tuning.errors import InputError

SEPARATORS = (",", ";", "\t", "|")  # Italian Excel writes the second
_EXCEL_HINT = re.compile(r'^"?sep=([,;\t|])"?[ \t]*[\r\n]')  # a first line by which Excel is told the separator


class CsvRows:
    """Comma-separated values and their kin. Takes every text, so it stands last."""

    name = "csv"

    def takes(self, head: str) -> bool:
        """Any text may be a table."""
        return True

    def records(self, text: Text, limits: Limits, known: Known) -> Iterator[Record]:
        """All records after the header.

        Raises InputError: `data.csv.quote`, `data.csv.long` (row, line), `data.csv.header` (column).
        """
        csv.field_size_limit(limits.line)
        head = text.head()
        hint = _EXCEL_HINT.match(head)
        separator = hint[1] if hint else _separator(head, known)
        # A lone carriage return ends lines only where nothing else does; elsewhere, outside quotes, it is a fault.
        with text.open(newline="\n" if "\n" in head else "") as stream:
            lines = _Lines(stream, limits)
            if hint:
                next(lines)
            table = _table(lines, separator)
            header = next(table, (0, []))[1]
            _check_header(header)
            for row, (line, cells) in enumerate(table, start=1):
                yield _record(row, line, header, cells, limits)


def _record(row: int, line: int, header: list[str], cells: list[str], limits: Limits) -> Record:
    if len(cells) != len(header):
        return Record(row, line, fault=InputError("data.row.ragged", found=len(cells), expected=len(header)))
    size = sum(map(len, cells))
    if size > limits.line:
        return Record(row, line, fault=InputError("data.row.long", limit=limits.line))
    values = {name: cell for name, cell in zip(header, cells, strict=True) if name.strip()}
    return Record(row, line, values=values, size=size)


class _Lines:
    """The lines of a text, counted; one that is too long ends it."""

    def __init__(self, stream: TextIO, limits: Limits) -> None:
        self.count = 0
        self._stream = stream
        self._longest = limits.line

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(self._longest + 3)
        if not line:
            raise StopIteration
        self.count += 1
        if len(line.rstrip("\r\n")) > self._longest:
            raise InputError("data.csv.long", line=self.count, limit=self._longest)
        return line


def _table(lines: _Lines, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Header and records that are not blank, each with the line it begins on."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 0  # the header is record 0
    while True:
        line = lines.count + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError("data.csv.quote", row=number, line=line) from error
        if cells is None:
            return
        if len(cells) > 1 or "".join(cells).strip():
            yield line, cells
            number += 1


def _check_header(header: list[str]) -> None:
    seen: set[str] = set()
    for name in filter(None, (name.strip() for name in header)):
        if name in seen:
            raise InputError("data.csv.header", column=shown(name))
        seen.add(name)


def _separator(head: str, known: Known) -> str:
    """The separator that gives known columns; else the one by which most records are as wide as the header."""
    scores = {separator: _score(head, separator, known) for separator in SEPARATORS}
    return max(SEPARATORS, key=lambda separator: scores[separator])


def _score(head: str, separator: str, known: Known) -> tuple[bool, float, int]:
    try:
        table = [cells for cells in csv.reader(io.StringIO(head, newline=""), delimiter=separator) if cells][:50]
    except csv.Error:
        return False, 0.0, 0
    if not table or len(table[0]) < 2:
        return False, 0.0, 0
    width = len(table[0])
    return known(table[0]), sum(len(cells) == width for cells in table) / len(table), width
