"""Rows of a spreadsheet (.xlsx): of the sheet that was asked for, or that is understood best, named by its first row.

A workbook is a zip archive of XML; its parts are read as streams and to the letter, which the usual library does not do: openpyxl
takes escapes out of texts and makes up the rows that a sheet leaves out, a billion if it says so. Formulas are not computed:
their last values are in the file. What the columns mean is not its business.
"""

import contextlib
import datetime
import decimal
import pathlib
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import BinaryIO, NamedTuple
from xml.etree.ElementTree import Element, ParseError, iterparse

from tuning.data.readers.books import number_formats
from tuning.data.readers.csv_rows import check_header, record
from tuning.data.readers.table_layout import header_at, named
from tuning.data.records import FileRecord, KnowsColumns, Values, listed, shown
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits
from tuning.schema import Notice

_DAMAGE = (zipfile.BadZipFile, zlib.error, ParseError, EOFError, LookupError, ValueError, NotImplementedError, RuntimeError, OSError)
_ROOM, _SQUEEZED = 100 * MEGABYTE, 200  # what every workbook may unfold to, or this many times its size: real ones have 5 to 50
_LOOKED_AT = 60  # rows, to find the one with the names
_MOST_SHEETS = 50  # that are looked into, to find the one with the rows
_COLUMNS = 16_384  # of a sheet, by the standard
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_WHOLE = re.compile(r"-?\d+")
_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))  # number formats that every workbook has
_ELAPSED = 46  # of these, [h]:mm:ss
_UNSPOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)  # of a format: texts, colours, languages
_LONGEST_WHOLE = 1e21


class SheetChoice(NamedTuple):
    """Which sheet of a workbook to read: the one of a name, else by how far the first rows of each are understood."""

    name: str = ""
    rank: Callable[[Sequence[Values]], int] = lambda rows: 0


@dataclass
class _Book:
    """What cells refer to."""

    texts: list[str] = field(default_factory=list)
    styles: list[tuple[str, str]] = field(default_factory=list)  # per cell style: date, elapsed or nothing; and the code of its format
    from_1904: bool = False  # dates are counted from then
    comma: bool = False  # whoever made it writes 1,5
    shown: int = 0  # cells whose numbers are shown otherwise than they are stored
    example: tuple[str, str] = ("", "")  # the first of them: as shown, and as stored


def open_rows(path: pathlib.Path, limits: Limits, known: KnowsColumns, choice: SheetChoice | None = None) -> "XlsxRows":
    """A workbook, its sheets found and the row that names the columns.

    Raises InputError: `data.output` where it unfolds to too much, `data.xlsx` where it is damaged, `data.sheet` (sheet, sheets).
    """
    with contextlib.ExitStack() as held:
        stream = held.enter_context(open(path, "rb"))
        try:
            rows = XlsxRows(stream, path.stat().st_size, limits, known)
            rows.choose(choice or SheetChoice())
        except _DAMAGE as error:
            raise InputError("data.xlsx") from error
        held.pop_all()  # from here on `records` closes it
    return rows


class XlsxRows:
    """The rows of one workbook."""

    def __init__(self, stream: BinaryIO, size: int, limits: Limits, known: KnowsColumns) -> None:
        self.notes: list[Notice] = []
        self.told: list[Notice] = []  # once all rows are read
        self._limits = limits
        self._known = known
        self._stream = stream
        self._size = size
        self._archive = zipfile.ZipFile(self._stream)
        most = min(limits.output_bytes, max(_ROOM, _SQUEEZED * self._size))
        if sum(part.file_size for part in self._archive.infolist()) > most:  # what is beyond a part's announced size is not read
            raise InputError("data.output", limit=most // MEGABYTE)
        main = next((target for kind, target in self._related("").values() if kind == "officeDocument"), "xl/workbook.xml")
        self._book = _Book()
        sheets = self._sheets(main)
        self._read_strings(main)
        self._read_styles(main)
        filled = [(name, part) for name, part in sheets if next(self._rows(part), None) is not None]
        self._sheets_filled = filled
        self.sheets = [name for name, _ in filled]  # in which there is something
        self.sheet = ""  # the one that is read
        self._part: str | None = None
        self._above = 0

    def choose(self, choice: SheetChoice) -> None:
        """Takes the sheet of that name, else the first of those that are understood best; the others are told."""
        filled = dict(self._sheets_filled)
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
        except _DAMAGE as error:
            raise InputError("data.xlsx") from error
        finally:
            self._archive.close()
            self._stream.close()

    def position(self) -> int:
        """Bytes of the file that have been read."""
        return self._size if self._stream.closed else self._stream.tell()

    def _records(self) -> Iterator[FileRecord]:
        if self._part is None:
            return
        rows = islice(self._rows(self._part), self._above, None)
        first = next(rows)
        header, data = named(_listed(first[1]), self._known)
        check_header(header)
        again = [first] if data else []
        for line, cells in chain(again, rows):
            yield record(line, line, header, [cells.get(column, "") for column in range(len(header))], self._limits)
        if self._book.shown:
            shown_as, stored = self._book.example
            params = {"count": self._book.shown, "shown": shown(shown_as), "stored": shown(stored)}
            self.told.append(Notice(code="data.note.shown", params=params))

    def _find_header(self, part: str) -> tuple[int, int]:
        """How many rows with something in them stand above the names of the columns, and which row of the sheet those are."""
        first = list(islice(self._rows(part), _LOOKED_AT))
        at = header_at([_listed(cells) for _, cells in first], self._known)
        return at, first[at][0]

    def _sample(self, part: str) -> list[Values]:
        """The first rows of a sheet, as far as they are rows of a table."""
        rows = islice(self._rows(part), self._find_header(part)[0], _LOOKED_AT)
        first = next(rows)
        try:
            header, data = named(_listed(first[1]), self._known)
            check_header(header)
        except InputError:
            return []
        width = range(len(header))
        found = (record(1, line, header, [cells.get(at, "") for at in width], self._limits) for line, cells in chain([first] * data, rows))
        return [one.values for one in found if one.values]

    def _related(self, part: str) -> dict[str, tuple[str, str]]:
        """The parts that one part refers to: kind and path by id."""
        folder, name = posixpath.split(part)
        found: dict[str, tuple[str, str]] = {}
        place = posixpath.join(folder, "_rels", f"{name}.rels")
        if place in self._archive.namelist():
            for element in self._elements(place, "Relationship"):
                target = posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/")
                found[element.get("Id", "")] = element.get("Type", "").rpartition("/")[2], target
        return found

    def _sheets(self, main: str) -> list[tuple[str, str]]:
        """Name and path of each sheet, those that are hidden last."""
        related = self._related(main)
        found: list[tuple[bool, str, str]] = []
        lost = False
        for element in self._elements(main, "sheet", "workbookPr"):
            if _name(element) == "workbookPr":
                self._book.from_1904 = element.get("date1904") in ("1", "true")
                continue
            key = next((value for name, value in element.items() if name.endswith("}id")), "")
            lost = lost or key not in related
            kind, part = related.get(key, ("", ""))
            if kind == "worksheet":
                found.append((element.get("state", "visible") != "visible", element.get("name", ""), part))
        if lost and not found:
            raise LookupError("which parts are the sheets")
        return [(name, part) for _, name, part in sorted(found, key=lambda sheet: sheet[0])]

    def _read_strings(self, main: str) -> None:
        for kind, part in self._related(main).values():
            if kind == "sharedStrings":
                self._book.texts = [_text(element) for element in self._elements(part, "si")]

    def _read_styles(self, main: str) -> None:
        for kind, part in self._related(main).values():
            if kind != "styles":
                continue
            own: dict[int, str] = {}  # codes
            for element in self._elements(part, "numFmt", "cellXfs"):
                if _name(element) == "numFmt":
                    own[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
                    continue
                for style in element:
                    number = int(style.get("numFmtId", "0"))
                    usual = "elapsed" if number == _ELAPSED else "date" if number in _DATES else ""
                    kind = _date_kind(own[number]) if number in own else usual
                    self._book.styles.append((kind, own.get(number, number_formats.USUAL.get(number, ""))))
            self._book.comma = number_formats.comma(list(own.values()))

    def _rows(self, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Number and texts by column of every row in which there is something."""
        line = 0
        for element in self._elements(part, "row"):
            line = int(element.get("r", line + 1))
            cells: dict[int, str] = {}
            column = -1
            for cell in element:
                column = _column(cell.get("r"), column + 1)
                if text := _value(cell, self._book):
                    cells[column] = text
            if any(not text.isspace() for text in cells.values()):
                yield line, cells

    def _elements(self, part: str, *names: str) -> Iterator[Element]:
        """All elements of some names, in order, each forgotten when the next is asked for."""
        with self._archive.open(part) as stream:
            path: list[Element] = []
            inside = 0  # elements asked for that are open
            for event, element in iterparse(stream, ("start", "end")):
                wanted = _name(element) in names
                if event == "start":
                    path.append(element)
                    inside += wanted
                    continue
                path.pop()
                inside -= wanted
                if wanted:
                    yield element
                if not inside and path:
                    path[-1].clear()


def _listed(cells: dict[int, str]) -> list[str]:
    """The cells of a row from the first column on."""
    return [cells.get(column, "") for column in range(max(cells) + 1)]


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _column(place: str | None, following: int) -> int:
    """The column of a cell, from 0, by its place (`B7`); the following one where it has none."""
    if place is None:
        return following
    letters = _CELL.fullmatch(place)
    column = 0
    for letter in letters[1] if letters else "":
        column = 26 * column + ord(letter) - ord("A") + 1
    if not 1 <= column <= _COLUMNS:
        raise ValueError(place)
    return column - 1


def _value(cell: Element, book: _Book) -> str:
    """What stands in a cell, as text; empty where nothing does."""
    kind = cell.get("t", "n")
    parts = {_name(part): part for part in cell}
    if kind == "inlineStr":
        return _text(parts["is"]) if "is" in parts else ""
    held = parts["v"].text if "v" in parts else None
    if not held:
        return ""
    if kind == "s":
        return book.texts[int(held)]
    if kind == "b":
        return "TRUE" if held.strip() in ("1", "true") else "FALSE"
    if kind == "n":
        style = int(cell.get("s", "0"))
        return _number(held.strip(), *(book.styles[style] if style < len(book.styles) else ("", "")), book)
    return _unescaped(held)


def _text(element: Element) -> str:
    """The text of a string, of all its pieces, without how it is pronounced."""
    texts: list[str] = []
    for part in element:
        name = _name(part)
        if name == "t":
            texts.append(part.text or "")
        elif name == "r":
            texts.extend(piece.text or "" for piece in part if _name(piece) == "t")
    return _unescaped("".join(texts))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _number(held: str, style: str, code: str, book: _Book) -> str:
    """A number as the sheet shows it where its format says how, else as it was typed, as far as a spreadsheet keeps that: `7`, `0.1`.

    Dates whose format says nothing, or shows them otherwise on each machine, are written by ISO 8601.
    """
    value = float(held)
    if style == "elapsed":
        minutes, seconds = divmod(round(value * 86_400), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if style == "date" and (date := _date(value, book.from_1904)) is not None:
        return number_formats.moment(date[0], code, date[1]) or _iso(*date)
    plain = _plain(held, value)
    shown = number_formats.number(held, code, book.comma) if code else None
    if shown is None or shown == plain:
        return plain
    book.shown += 1
    book.example = book.example if book.shown > 1 else (shown, plain)
    return shown


def _plain(held: str, value: float) -> str:
    """A number without a format."""
    if _WHOLE.fullmatch(held):
        return held
    if value.is_integer() and abs(value) < _LONGEST_WHOLE:
        return format(decimal.Decimal(repr(value)).to_integral_value(), "f")
    return repr(value)


def _date(value: float, from_1904: bool) -> tuple[datetime.datetime, bool] | None:
    """Days since the beginning of 1900 or 1904 as a moment, to the millisecond, and whether it has a day; None beyond any calendar."""
    if not 0 <= value < 2_958_466:  # the year 10000
        return None
    span = datetime.timedelta(milliseconds=round(value * 86_400_000))
    if span.days == 0 and not from_1904:
        return datetime.datetime.min + span, False
    # For spreadsheets 1900 is a leap year: before March the days are one further from the end of 1899.
    start = datetime.datetime(1904, 1, 1) if from_1904 else datetime.datetime(1899, 12, 31 if span.days < 60 else 30)
    return start + span, True


def _iso(moment: datetime.datetime, days: bool) -> str:
    """A date, a time or both."""
    if not days:
        return moment.time().isoformat("auto")
    return moment.isoformat() if moment.time() != datetime.time() else moment.date().isoformat()


def _date_kind(code: str) -> str:
    """Whether a number format shows dates and times, or hours that go on after 24."""
    first = _UNSPOKEN.sub("", code.split(";")[0]).lower()
    if first == "general":
        return ""
    return "elapsed" if "[" in first else "date" if re.search("[dmhysDMHYS]", first) else ""
