"""The sheets of a workbook of Excel (.xlsx) as rows of texts, to the letter.

The usual library does not do that: openpyxl takes escapes out of texts and makes up the rows that a sheet leaves out, a billion if
it says so. Formulas are not computed: their last values are in the file. Which sheet is read and which row names its columns is
the business of `workbook`.
"""

import datetime
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.etree.ElementTree import Element

from tuning.data.readers.books import number_formats
from tuning.data.readers.books.workbook import HiddenRows, Merged, ShownNumbers, plain
from tuning.data.readers.books.xml_parts import XmlParts, local_name
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_COLUMNS = 16_384  # of a sheet, by the standard
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_MERGED = re.compile(rb"""<(?:[\w.-]+:)?mergeCell\s[^<>]*?\bref\s*=\s*["']([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})["']""")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))  # number formats that every workbook has
_ELAPSED = 46  # of these, [h]:mm:ss
_AS_STORED = frozenset(("", "general", "@"))  # codes that show a number as it was typed
_UNSPOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)  # of a format: texts, colours, languages


@dataclass
class _Book:
    """What cells refer to."""

    texts: list[str] = field(default_factory=list)
    styles: list[tuple[str, str]] = field(default_factory=list)  # per cell style: date, elapsed or nothing; and the code of its format
    from_1904: bool = False  # dates are counted from then
    comma: bool = False  # whoever made it writes 1,5
    language: int | None = None  # in which its formats name months
    shown: ShownNumbers = field(default_factory=ShownNumbers)


class XlsxBook:
    """One workbook.

    Raises InputError `data.output` where it unfolds to too much, and of the usual errors those that `workbook.DAMAGE` lists.
    """

    def __init__(self, stream: BinaryIO, size: int, limits: Limits) -> None:
        self._parts = XmlParts(stream, size, limits)
        self.position, self.close = self._parts.position, self._parts.close
        main = next((target for kind, target in self._related("").values() if kind == "officeDocument"), "xl/workbook.xml")
        self._book = _Book()
        self.sheets = self._sheets(main)
        self._read_strings(main)
        self._read_styles(main)

    def rows(self, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Number and texts by column of every row of a sheet in which there is something."""
        self._book.shown, self._hidden = ShownNumbers(), HiddenRows()
        line = 0
        for element in self._parts.elements(part, "row"):
            line = int(element.get("r", line + 1))
            cells: dict[int, str] = {}
            column = -1
            for cell in element:
                column = _column(cell.get("r"), column + 1)
                if (text := _value(cell, self._book)) or (len(cell) and _uncomputed(cell)):
                    cells[column] = text
            if any(not text.isspace() for text in cells.values()):
                if element.get("hidden") in ("1", "true"):
                    self._hidden.note(line)
                yield line, cells

    def merged(self, part: str) -> Merged:
        """The cells that are merged over several rows, which a sheet tells after its rows."""
        found: dict[int, list[tuple[int, int]]] = {}
        for some in self._parts.bytes_from(part, b"mergeCells"):
            for letters, first, last in _MERGED.findall(some):
                if int(first) < int(last):
                    found.setdefault(int(first), []).append((_column(f"{letters.decode()}1", 0), int(last)))
        return found

    def told(self) -> list[Notice]:
        """What is to be said of the rows that were read."""
        return [*self._hidden.notices(), *self._book.shown.notices()]

    def _related(self, part: str) -> dict[str, tuple[str, str]]:
        """The parts that one part refers to: kind and path by id."""
        folder, name = posixpath.split(part)
        found: dict[str, tuple[str, str]] = {}
        place = posixpath.join(folder, "_rels", f"{name}.rels")
        if place in self._parts.names:
            for element in self._parts.elements(place, "Relationship"):
                target = posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/")
                found[element.get("Id", "")] = element.get("Type", "").rpartition("/")[2], target
        return found

    def _sheets(self, main: str) -> list[tuple[str, str]]:
        """Name and path of each sheet, those that are hidden last."""
        related = self._related(main)
        found: list[tuple[bool, str, str]] = []
        lost = False
        for element in self._parts.elements(main, "sheet", "workbookPr"):
            if local_name(element) == "workbookPr":
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
                self._book.texts = [_text(element) for element in self._parts.elements(part, "si")]

    def _read_styles(self, main: str) -> None:
        for kind, part in self._related(main).values():
            if kind != "styles":
                continue
            own: dict[int, str] = {}  # codes
            for element in self._parts.elements(part, "numFmt", "cellXfs"):
                if local_name(element) == "numFmt":
                    own[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
                    continue
                for style in element:
                    number = int(style.get("numFmtId", "0"))
                    usual = "elapsed" if number == _ELAPSED else "date" if number in _DATES else ""
                    kind = _date_kind(own[number]) if number in own else usual
                    self._book.styles.append((kind, own.get(number, number_formats.USUAL.get(number, ""))))
            self._book.comma = number_formats.comma(list(own.values()))
            self._book.language = number_formats.language(list(own.values()))


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
    parts = {local_name(part): part for part in cell}
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


def _uncomputed(cell: Element) -> bool:
    """Whether there is a formula without its value: scripts write such. Of a text that is empty the value is there, and empty."""
    parts = {local_name(part): part for part in cell}
    return "f" in parts and not ("v" in parts and (parts["v"].text or cell.get("t") == "str"))


def _text(element: Element) -> str:
    """The text of a string, of all its pieces, without how it is pronounced."""
    texts: list[str] = []
    for part in element:
        name = local_name(part)
        if name == "t":
            texts.append(part.text or "")
        elif name == "r":
            texts.extend(piece.text or "" for piece in part if local_name(piece) == "t")
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
        return number_formats.elapsed(value, code) or book.shown.keep(f"{minutes // 60}:{minutes % 60:02}:{seconds:02}")
    if style == "date" and (date := _date(value, book.from_1904)) is not None:
        return number_formats.moment(date[0], code, date[1], book.language) or book.shown.keep(_iso(*date))
    stored = plain(held)
    shown = number_formats.number(held, code, book.comma) if code else None
    if shown is None:
        return stored if code.lower() in _AS_STORED else book.shown.keep(stored)
    if shown != stored:
        book.shown.count(shown, stored)
    return shown


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
