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
from tuning.data.records import HEAD, Known, Limits, Record, shown
from tuning.errors import InputError

SEPARATORS = (",", ";", "\t", "|")  # Italian Excel writes the second
_EXCEL_HINT = re.compile(r'^"?sep=([,;\t|])"?[ \t]*[\r\n]')  # a first line by which Excel is told the separator
_NAME = re.compile(r"\s*[\w.-]+\s*")
_LETTER = re.compile(r"[^\W\d_]")
_LOOKED_AT = 50  # records
_EVEN, _EVEN_ENOUGH = 0.9, 0.6  # share of the records


def separator(head: str, known: Known) -> str | None:
    """The separator of a table, from the beginning of a text; None where it is no table but prose.

    A text is a table if one of these holds, and the first of them decides:
    1. its first line is Excel's `sep=;`;
    2. some separator makes the first record two columns or more that have a form we know;
    3. the first record is one column that has such a form by itself, and nine of ten records are one column too;
    4. some separator makes at least two records, nine of ten as wide as the first (six of ten, where all names are single words).
       Two names at least are not empty, and the first of them has a letter in it. As prose, too, has commas, a space must not
       follow most of the separators, or all names must be single words and all of three or more records be as wide.
    So a table with columns nobody knows stays one, and its owner hears of its columns; a poem with a comma in each line is text.
    """
    hint = _EXCEL_HINT.match(head)
    if hint:
        return hint[1]
    tables = {sign: table for sign in SEPARATORS if (table := _table(head, sign))}
    found = [sign for sign, table in tables.items() if len(table[0]) > 1 and known(table[0])]
    if not found:
        one = {sign: table for sign, table in tables.items() if len(table[0]) == 1 and _evenness(table) >= _EVEN}
        found = [sign for sign, table in one.items() if known([*table[0], ""])]  # all by itself it might be the name of a list
    if not found:
        found = [sign for sign, table in tables.items() if _is_table(table)]
    return max(found, key=lambda sign: (_evenness(tables[sign]), len(tables[sign][0])), default=None)


def records(text: Text, limits: Limits, separator: str) -> Iterator[Record]:
    """All records after the header.

    Raises InputError: `data.csv.quote`, `data.csv.long` (row, line), `data.csv.header` (column).
    """
    csv.field_size_limit(limits.line)
    head = text.head()
    # A lone carriage return ends lines only where nothing else does; elsewhere, outside quotes, it is a fault.
    with text.open(newline="\n" if "\n" in head else "") as stream:
        lines = _lines(stream, limits)
        skipped = 1 if _EXCEL_HINT.match(head) and next(lines) else 0
        table = _rows(lines, separator, skipped)
        header = next(table, (0, []))[1]
        check_header(header)
        for row, (line, cells) in enumerate(table, start=1):
            yield record(row, line, header, cells, limits)


def record(row: int, line: int, header: list[str], cells: list[str], limits: Limits) -> Record:
    """One row of a table, by the names of its header; a column without a name is left out."""
    if len(cells) != len(header):
        return Record(row, line, fault=InputError("data.row.ragged", found=len(cells), expected=len(header)))
    size = sum(map(len, cells))
    if size > limits.line:
        return Record(row, line, fault=InputError("data.row.long", limit=limits.line))
    values = {name: cell for name, cell in zip(header, cells, strict=True) if name.strip()}
    return Record(row, line, values=values, size=size)


def _lines(stream: TextIO, limits: Limits) -> Iterator[str]:
    """The lines of a text; one that is too long ends it."""
    longest, count = limits.line, 0
    while line := stream.readline(longest + 3):
        count += 1
        if len(line) > longest and len(line.rstrip("\r\n")) > longest:
            raise InputError("data.csv.long", line=count, limit=longest)
        yield line


def _rows(lines: Iterator[str], separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Header and records that are not blank, each with the line it begins on."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = 0  # the header is record 0
    line = skipped + 1
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield line, cells
                number += 1
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise InputError("data.csv.quote", row=number, line=line) from error


def check_header(header: list[str]) -> None:
    """Raises InputError `data.csv.header` (column) for two columns of one name."""
    seen: set[str] = set()
    for name in filter(None, (name.strip() for name in header)):
        if name in seen:
            raise InputError("data.csv.header", column=shown(name))
        seen.add(name)


def _table(head: str, separator: str) -> list[list[str]]:
    """The first records of a text by one separator, but for one that is cut off."""
    table: list[list[str]] = []
    csv.field_size_limit(max(HEAD, csv.field_size_limit()))  # the limit is one for the whole process
    try:
        for cells in csv.reader(io.StringIO(head, newline=""), delimiter=separator):
            if len(cells) > 1 or "".join(cells).strip():
                table.append(cells)
            if len(table) > _LOOKED_AT:
                break
    except csv.Error:
        return []
    cut = len(table) > _LOOKED_AT or (len(table) > 1 and len(head) >= HEAD)
    return table[:-1] if cut else table


def _evenness(table: list[list[str]]) -> float:
    """How many of the records are as wide as the first."""
    width = len(table[0])
    return sum(len(cells) == width for cells in table) / len(table)


def _is_table(table: list[list[str]]) -> bool:
    names = [name for name in table[0] if name.strip()]
    if len(table) < 2 or len(names) < 2 or not _LETTER.search(names[0]):
        return False
    cells = [cell for record in table for cell in record[1:]]
    spaced = 2 * sum(cell.startswith(" ") for cell in cells) > len(cells)
    words = all(_NAME.fullmatch(name) for name in names)
    even = _evenness(table)
    if spaced:
        return words and even == 1 and len(table) > 2
    return even >= (_EVEN_ENOUGH if words else _EVEN)
