"""Rows of CSV files, whatever their separator. Every value stays the text it is: `None`, `007` and `1e5` too.

Strict where leniency would garble: a quotation mark at fault refuses the file, as the rows after it cannot be told
apart. It does not know what the columns mean.
"""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TextIO

from tuning.data.readers.encoding import TextFile
from tuning.data.readers.table_layout import Layout, letter, named, piped, unwrapped
from tuning.data.records import FileRecord, KnowsColumns, blank, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits


def records(text: TextFile, limits: Limits, layout: Layout, known: KnowsColumns) -> Iterator[FileRecord]:
    """All records after the header.

    Raises InputError: `data.csv.quote`, `data.csv.long` (row, line), `data.csv.header` (column), `data.header` (columns).
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
        if header:
            names, data = named(header, known, layout.bare)
            table = chain([first], table) if data and layout.header is None else table
        check_header(names)
        for row, line, cells in table:
            yield record(row, line, names, cells, limits)


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
    held = ((number, line) for number, line in enumerate(lines, start=skipped + 1) if not line.isspace())
    for at, (number, line) in enumerate(held):
        cells = piped(line)
        if at == 0 or (at > 1 and any(map(str.strip, cells))):  # the line at 1 is of hyphens
            yield max(1, at), number, cells


def check_header(header: Sequence[str]) -> None:
    """Raises InputError `data.csv.header` (column) for two columns of one name."""
    seen: set[str] = set()
    for name in filter(None, (name.strip() for name in header)):
        if name in seen:
            raise InputError("data.csv.header", column=shown(name))
        seen.add(name)
