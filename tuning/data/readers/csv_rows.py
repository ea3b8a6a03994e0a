"""Rows of CSV files, whatever their separator. Every value stays the text it is: `None`, `007` and `1e5` too.

Strict where leniency would garble: a quotation mark at fault refuses the file, as the rows after it cannot be told
apart. It does not know what the columns mean.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TextIO

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.table_layout import Layout, letter, named, piped, unwrapped
from tuning.data.records import FileRecord, KnowsColumns, blank, listed, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_HYPHENS = re.compile(r"\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?")
_EDGE = " \t\r\n\u00a0\ufeff"  # around the names of columns, where files were put one after another


class RepeatedHeader:
    """The names of the columns, which stand again among the rows where tables were put one below another; they are no row."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = [name.strip(_EDGE).casefold() for name in names]
        self._first = self._names[0] if sum(map(bool, self._names)) > 1 else None
        self._found: list[int] = []

    def stands(self, row: int, cells: Sequence[str]) -> bool:
        """Whether a row is the header once more; it is counted then."""
        if self._first is None or cells[0].strip(_EDGE).casefold() != self._first or len(cells) != len(self._names):
            return False  # nearly all rows end here
        again = [cell.strip(_EDGE).casefold() for cell in cells] == self._names
        self._found += [row] if again else []
        return again

    def notices(self) -> list[Notice]:
        """What is said of it."""
        return [Notice(code="data.note.again", params={"count": len(self._found), "row": self._found[0]})] if self._found else []


def records(text: TextFile, limits: Limits, layout: Layout, known: KnowsColumns, told: list[Notice] | None = None) -> Iterator[FileRecord]:
    """All records after the header; `told` hears at the end of headers that stand again among them.

    Raises InputError: `data.csv.quote`, `data.csv.long` (row, line), `data.csv.header` (column), `data.csv.tables` (line, columns),
    `data.header` (columns).
    """
    csv.field_size_limit(limits.line)
    # A lone carriage return ends lines only where nothing else does; elsewhere, outside quotes, it is a fault.
    with text.open(newline="\n" if "\n" in text.head() else "") as stream:
        lines = _lines(stream, limits)
        for _ in range(layout.above):
            next(lines, None)
        if layout.style == "piped":
            table = _piped(lines, layout.above)
        else:
            table = _rows(map(unwrapped, lines) if layout.style == "wrapped" else lines, layout)
        first = (0, 0, [*layout.header]) if layout.header is not None else next(table, (0, 0, []))
        header = first[2]
        names: Sequence[str] = header
        data = False
        if header:
            names, data = named(header, known, layout.bare)
            table = chain([first], table) if data and layout.header is None else table
        check_header(names)
        again = RepeatedHeader(names if header and not data and known(names) else [])
        for row, line, cells in table:
            if not again.stands(row, cells):
                yield record(row, line, names, cells, limits)
        if told is not None:
            told += again.notices()


def record(row: int, line: int, header: Sequence[str], cells: list[str], limits: Limits) -> FileRecord:
    """One row of a table, by the names of its header; what stands in a column without a name is left out and told."""
    if len(cells) != len(header):
        return FileRecord(row, line, fault=InputError("data.row.ragged", found=len(cells), expected=len(header)))
    size = sum(map(len, cells))
    if size > limits.line:
        return FileRecord(row, line, fault=InputError("data.row.long", limit=limits.line))
    values = {name: cell for name, cell in zip(header, cells, strict=True) if name.strip()}
    found = FileRecord(row, line, values=values, size=size)
    if len(values) < len(header):
        found.unnamed = [letter(at) for at, cell in enumerate(cells) if not header[at].strip() and not blank(cell)]
    return found


def _lines(stream: TextIO, limits: Limits) -> Iterator[str]:
    """The lines of a text; one that is too long ends it."""
    longest, count = limits.line, 0
    while line := stream.readline(longest + 3):
        count += 1
        if len(line) > longest and len(line.rstrip("\r\n")) > longest:
            raise InputError("data.csv.long", line=count, limit=longest)
        yield line


def _rows(lines: Iterator[str], layout: Layout) -> Iterator[tuple[int, int, list[str]]]:
    """Header and records that are not blank: the row of the sheet, where blank lines are rows, the line it begins on, and the cells."""
    reader = csv.reader(lines, delimiter=layout.separator, strict=True)
    skipped, row = layout.above, layout.above - layout.unshown
    line = skipped + 1
    try:
        for cells in reader:
            row += 1
            if any(map(str.strip, cells)):
                yield row, line, cells
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise InputError("data.csv.quote", row=row + 1, line=line) from error


def _piped(lines: Iterator[str], skipped: int) -> Iterator[tuple[int, int, list[str]]]:
    """As `_rows`, of a table of Markdown, whose hyphens are no row. White space around a cell is no part of it."""
    header: list[str] = []
    held: tuple[int, int, list[str]] | None = None  # the row before: with a line of hyphens below it, it begins another table
    apart = blank_before = False  # whether what is held, or the line that comes, has no table right above it
    at, before = -1, ""
    for number, line in enumerate(lines, start=skipped + 1):
        if line.isspace():
            blank_before = True
            continue
        at += 1
        cells = piped(line)
        if held is not None and apart and _HYPHENS.fullmatch(line.strip()):
            if [name.casefold() for name in held[2]] != [name.casefold() for name in header]:
                raise InputError("data.csv.tables", line=held[1], columns=listed(held[2]))
            yield held
            held = None
        elif at == 0 or (at > 1 and any(map(str.strip, cells))):  # the line at 1 is of hyphens
            header = cells if at == 0 else header
            if held is not None:
                yield held
            held, apart = (max(1, at), number, cells), at > 1 and (blank_before or "|" not in before)
        blank_before, before = False, line
    if held is not None:
        yield held


def check_header(header: Sequence[str]) -> None:
    """Raises InputError `data.csv.header` (column) for two columns of one name."""
    seen: set[str] = set()
    for name in filter(None, (name.strip() for name in header)):
        if name in seen:
            raise InputError("data.csv.header", column=shown(name))
        seen.add(name)
