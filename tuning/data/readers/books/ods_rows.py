"""The sheets of a workbook of LibreOffice (.ods) as rows of texts: as they are shown, to the letter.

The usual library does not do that: calamine leaves out tabs and line breaks within a cell and knows numbers only as they are stored.
Which sheet is read and which row names its columns is the business of `workbook`.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from tuning.data.readers.books.workbook import HiddenRows, Merged, ShownNumbers, plain
from tuning.data.readers.books.xml_parts import XmlParts, local_name
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice

_CONTENT, _MANIFEST = "content.xml", "META-INF/manifest.xml"
_ROWS, _COLUMNS = 1_048_576, 16_384  # of a sheet, at most
_NUMBERS = ("float", "percentage", "currency")
_HELD = ("value", "date-value", "time-value", "boolean-value", "string-value")  # attributes, of what nobody has shown
_SIGNS = {"s": "\0", "tab": "\1", "line-break": "\2"}  # white space written as elements, which is to stay: no XML holds these signs
_STAY = {0: " ", 1: "\t", 2: "\n"}
_LONGEST = 32_767  # characters of a cell
_SPACES = re.compile("[ \t\r\n]+")


class OdsBook:
    """One workbook.

    Raises InputError `data.password`, `data.output` where it unfolds to too much, and the usual errors that `workbook.DAMAGE` lists.
    """

    def __init__(self, stream: BinaryIO, size: int, limits: Limits) -> None:
        self._parts = XmlParts(stream, size, limits)
        self.position, self.close = self._parts.position, self._parts.close
        self._shown, self._hidden = ShownNumbers(), HiddenRows()
        self._merged: dict[int, list[tuple[int, int]]] = {}
        if b"encryption-data" in self._parts.read(_MANIFEST):
            raise InputError("data.password")
        self.sheets = self._sheets()

    def rows(self, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Number and texts by column of every row of a sheet in which there is something; one that is repeated comes as often."""
        self._shown, self._hidden = ShownNumbers(), HiddenRows()
        line, table = 0, -1
        self._merged.clear()
        for element in self._parts.elements(_CONTENT, "table-row", begun=("table",)):
            if local_name(element) == "table":
                table += 1
            elif table == int(part):
                cells = self._cells(element, line + 1)
                times = _repeated(element, "number-rows-repeated", _ROWS - line)
                if any(not text.isspace() for text in cells.values()):
                    if _attribute(element, "visibility") in ("collapse", "filter"):
                        self._hidden.note(line + 1, times)
                    yield from ((line + number, cells) for number in range(1, times + 1))
                line += times

    def merged(self, part: str) -> Merged:
        """The cells that are merged over several rows, as `rows` comes by them."""
        return self._merged

    def told(self) -> list[Notice]:
        """What is to be said of the rows that were read."""
        return [*self._hidden.notices(), *self._shown.notices()]

    def _sheets(self) -> list[tuple[str, str]]:
        found: list[tuple[bool, str, str]] = []
        hidden: set[str] = set()
        style = ""
        for element in self._parts.elements(_CONTENT, begun=("style", "table-properties", "table")):
            name = local_name(element)
            if name == "style":
                style = _attribute(element, "name")
            elif name == "table-properties" and _attribute(element, "display") == "false":
                hidden.add(style)
            elif name == "table":
                found.append((_attribute(element, "style-name") in hidden, _attribute(element, "name"), str(len(found))))
        return [(name, part) for _, name, part in sorted(found, key=lambda sheet: sheet[0])]

    def _cells(self, row: Element, line: int) -> dict[int, str]:
        cells: dict[int, str] = {}
        column = 0
        for cell in row.iter():
            if local_name(cell) in ("table-cell", "covered-table-cell"):
                times = _repeated(cell, "number-columns-repeated", _COLUMNS - column)
                if (text := self._value(cell)) or _uncomputed(cell):
                    cells |= dict.fromkeys(range(column, column + times), text)
                    if (span := _repeated(cell, "number-rows-spanned", _ROWS)) > 1:
                        self._merged.setdefault(line, []).append((column, line + span - 1))
                column += times
        return cells

    def _value(self, cell: Element) -> str:
        """What stands in a cell, as it is shown; notes beside it are none of it."""
        text = "\n".join(_paragraph(part) for part in cell if local_name(part) in ("p", "h"))
        held = next(filter(None, (_attribute(cell, name) for name in _HELD)), "")
        if _attribute(cell, "value-type") in _NUMBERS and held:
            stored = plain(held)
            if text and text != stored:
                self._shown.count(text, stored)
            return text or stored
        return text or held


def _uncomputed(cell: Element) -> bool:
    """Whether there is a formula without its value: scripts write such."""
    return bool(cell.attrib) and _attribute(cell, "formula") != "" and not _attribute(cell, "value-type")


def _attribute(element: Element, name: str) -> str:
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def _repeated(element: Element, name: str, most: int) -> int:
    """How many times something stands there. Raises ValueError where that is more than a sheet has room for."""
    times = int(_attribute(element, name) or 1)
    if not 1 <= times <= most:
        raise ValueError(times)
    return times


def _paragraph(element: Element) -> str:
    """The text of a paragraph: spaces in a row are one, but for those that are written as elements."""
    return _SPACES.sub(" ", "".join(_pieces(element))).strip(" ").translate(_STAY)


def _pieces(element: Element) -> Iterator[str]:
    yield element.text or ""
    for part in element:
        name = local_name(part)
        if name in _SIGNS:
            yield _SIGNS[name] * _repeated(part, "c", _LONGEST)
        elif name in ("span", "a"):
            yield from _pieces(part)
        yield part.tail or ""
