"""Rows of a workbook of any kind: of the sheet that was asked for, or that is understood best, named by its first row.

The readers beside it hand over sheets as rows of texts. What the columns mean is not its business.
"""

import contextlib
import decimal
import pathlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, Protocol, TypeAlias
from xml.etree.ElementTree import ParseError

from tuning.data.readers.csv_rows import RepeatedHeader, check_header, record
from tuning.data.readers.table_layout import header_at, letter, named
from tuning.data.records import FileRecord, KnowsColumns, Values, blank, listed, shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

DAMAGE = (zipfile.BadZipFile, zlib.error, ParseError, EOFError, LookupError, ValueError, NotImplementedError, RuntimeError, OSError)
_LOOKED_AT = 60  # rows, to find the one with the names
_MOST_SHEETS = 50  # that are looked into, to find the one with the rows
_WHOLE = re.compile(r"-?\d+")
_LONGEST_WHOLE = 1e21


Merged: TypeAlias = Mapping[int, Sequence[tuple[int, int]]]  # by the row where they begin: their first column and their last row


class SheetChoice(NamedTuple):
    """Which sheet of a workbook to read: the one of a name, else by how far the first rows of each are understood."""

    name: str = ""
    rank: Callable[[Sequence[Values]], int] = lambda rows: 0


class Book(Protocol):
    """What a reader of one kind of workbook knows: the sheets by name and place, those that are hidden last, and their rows."""

    @property
    def sheets(self) -> Sequence[tuple[str, str]]: ...

    def rows(self, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Number and texts by column of every row of a sheet in which there is something; a formula without its value is an empty text."""

    def merged(self, part: str) -> Merged:
        """The cells of a sheet that are merged over several rows; those of a row are there by when it is read."""

    def told(self) -> list[Notice]:
        """What is to be said of the rows that were read."""

    def position(self) -> int:
        """Bytes of the file that have been read."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass
class HiddenRows:
    """The rows that a sheet does not show, by a filter or by hand; they are read like any other."""

    count: int = 0
    first: int = 0

    def note(self, row: int, times: int = 1) -> None:
        """Count a row, or as many as it is repeated."""
        self.count, self.first = self.count + times, self.first or row

    def notices(self) -> list[Notice]:
        """What is said of them."""
        params = {"count": self.count, "row": self.first}
        return [Notice(code="data.note.hidden", level="warning", params=params)] if self.count else []


@dataclass
class ShownNumbers:
    """The cells whose numbers are shown otherwise than they are stored."""

    found: int = 0
    example: tuple[str, str] = ("", "")  # the first of them: as shown, and as stored
    kept: int = 0  # those of which it is not known how they are shown
    first: str = ""

    def count(self, as_shown: str, stored: str) -> None:
        self.found += 1
        self.example = self.example if self.found > 1 else (as_shown, stored)

    def keep(self, stored: str) -> str:
        """Count one that is taken as it is stored, and give it back."""
        self.kept += 1
        self.first = self.first if self.kept > 1 else stored
        return stored

    def notices(self) -> list[Notice]:
        as_shown, stored = map(shown, self.example)
        told = [Notice(code="data.note.shown", params={"count": self.found, "shown": as_shown, "stored": stored})] if self.found else []
        return told + ([Notice(code="data.note.kept", params={"count": self.kept, "stored": shown(self.first)})] if self.kept else [])


def open_rows(
    reader: Callable[[BinaryIO, int, Limits], Book],
    path: pathlib.Path,
    limits: Limits,
    known: KnowsColumns,
    choice: SheetChoice | None = None,
) -> "WorkbookRows":
    """A workbook, its sheets found and the row that names the columns; `reader` takes the file and its size.

    Raises InputError: `data.output` where it unfolds to too much, `data.xlsx` where it is damaged, `data.sheet` (sheet, sheets), and
    what `reader` does.
    """
    with contextlib.ExitStack() as held:
        stream = held.enter_context(open(path, "rb"))
        try:
            rows = WorkbookRows(reader(stream, path.stat().st_size, limits), limits, known)
            rows.choose(choice or SheetChoice())
        except DAMAGE as error:
            raise InputError("data.xlsx") from error
        held.pop_all()  # from here on `records` closes it
    return rows


class WorkbookRows:
    """The rows of one workbook."""

    def __init__(self, book: Book, limits: Limits, known: KnowsColumns) -> None:
        self.notes: list[Notice] = []
        self.told: list[Notice] = []  # once all rows are read
        self.position = book.position
        self._book, self._limits, self._known = book, limits, known
        self._filled = {name: part for name, part in book.sheets if next(book.rows(part), None) is not None}
        self.sheets = list(self._filled)  # in which there is something
        self.sheet = ""  # the one that is read
        self._part: str | None = None
        self._above = 0

    def choose(self, choice: SheetChoice) -> None:
        """Takes the sheet of that name, else the first of those that are understood best; the others are told."""
        filled = dict(self._filled)
        if not filled:
            return
        ranks = {name: choice.rank(self._sample(part)) for name, part in list(filled.items())[:_MOST_SHEETS]} if len(filled) > 1 else {}
        name = max(ranks, key=lambda name: ranks[name], default=next(iter(filled)))
        if choice.name:
            wanted = choice.name.strip().casefold()
            asked = choice.name if choice.name in filled else next((name for name in filled if name.strip().casefold() == wanted), None)
            if asked is None:
                raise InputError("data.sheet", sheet=shown(choice.name), sheets=listed(list(filled)))
            name = asked
        self.sheet, self._part = name, filled.pop(name)
        if filled:
            others = sorted(filled, key=lambda name: -ranks.get(name, 0))
            params = {"sheet": shown(name), "count": len(filled), "others": listed(list(filled)), "example": shown(others[0])}
            self.notes.append(Notice(code="data.note.sheets", params=params))
        self._above, line = self._find_header(self._part)
        if self._above:
            self.notes.append(Notice(code="data.note.header", params={"line": line}))

    def records(self) -> Iterator[FileRecord]:
        """All rows below the header that are not blank, numbered as the sheet numbers them.

        Raises InputError: `data.csv.header` (column), `data.header` (columns), `data.xlsx` where the file is damaged.
        """
        try:
            yield from self._records()
        except DAMAGE as error:
            raise InputError("data.xlsx") from error
        finally:
            self._book.close()

    def _records(self) -> Iterator[FileRecord]:
        if self._part is None:
            return
        merged = self._book.merged(self._part)
        rows = islice(self._book.rows(self._part), self._above, None)
        first = next(rows)
        header, data = named(_listed(first[1]), self._known)
        check_header(header)
        width, formulas, first_formula = len(header), 0, 0
        again = RepeatedHeader(header if not data and self._known(header) else [])
        for line, cells in _spread(chain([first] * data, rows), merged):
            texts = [cells.get(column, "") for column in range(width)]
            if again.stands(line, texts):
                continue
            found = record(line, line, header, texts, self._limits)
            if max(cells) >= width:
                found.unnamed = [*found.unnamed, *(letter(at) for at in sorted(cells) if at >= width and not blank(cells[at]))]
            if "" in cells.values():
                found.formulas = [header[at] for at, cell in cells.items() if not cell and at < width]
                formulas, first_formula = formulas + 1, first_formula or line
            yield found
        if formulas:
            self.told.append(Notice(code="data.note.formulas", level="warning", params={"count": formulas, "row": first_formula}))
        self.told += [*again.notices(), *self._book.told()]

    def _find_header(self, part: str) -> tuple[int, int]:
        """How many rows with something in them stand above the names of the columns, and which row of the sheet those are."""
        first = list(islice(self._book.rows(part), _LOOKED_AT))
        at = header_at([_listed(cells) for _, cells in first], self._known)
        return at, first[at][0]

    def _sample(self, part: str) -> list[Values]:
        """The first rows of a sheet, as far as they are rows of a table."""
        rows = islice(self._book.rows(part), self._find_header(part)[0], _LOOKED_AT)
        first = next(rows)
        try:
            header, data = named(_listed(first[1]), self._known)
            check_header(header)
        except InputError:
            return []
        width = range(len(header))
        found = (record(1, line, header, [cells.get(at, "") for at in width], self._limits) for line, cells in chain([first] * data, rows))
        return [one.values for one in found if one.values]


def _spread(rows: Iterable[tuple[int, dict[int, str]]], merged: Merged) -> Iterator[tuple[int, dict[int, str]]]:
    """The rows, each with the values of the cells that are merged over it from above, where it holds nothing else."""
    above: dict[int, tuple[str, int]] = {}  # by column: the value and its last row
    for line, cells in rows:
        if above:
            above = {column: held for column, held in above.items() if held[1] >= line}
            cells = {**{column: text for column, (text, _) in above.items()}, **cells}
        above.update((column, (cells[column], last)) for column, last in merged.get(line, ()) if cells.get(column))
        yield line, cells


def _listed(cells: dict[int, str]) -> list[str]:
    """The cells of a row from the first column on."""
    return [cells.get(column, "") for column in range(max(cells) + 1)]


def plain(held: str) -> str:
    """A number without a format, as it was typed as far as a spreadsheet keeps that: `7`, `0.1`. Raises ValueError where it is none."""
    value = float(held)
    if _WHOLE.fullmatch(held):
        return held
    if value.is_integer() and abs(value) < _LONGEST_WHOLE:
        return format(decimal.Decimal(repr(value)).to_integral_value(), "f")
    return repr(value)
