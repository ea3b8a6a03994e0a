"""The sheets of a workbook of Excel in its two binary kinds (.xls, .xlsb) as rows of texts, by calamine.

Numbers come as they are stored: that library does not say how a cell shows them. Which sheet is read and which row names its
columns is the business of `workbook`.
"""

import datetime
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from tuning.data.readers.books.workbook import Merged, plain
from tuning.data.readers.books.xml_parts import check_size
from tuning.data.records import shown
from tuning.errors import InputError
from tuning.sandbox.limits import Limits
from tuning.schema import Notice


class CalamineBook:
    """One workbook. Raises InputError: `data.password`, `data.xlsx` where it is damaged, `data.output` where it unfolds to too much."""

    def __init__(self, stream: BinaryIO, size: int, limits: Limits) -> None:
        import python_calamine

        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                check_size(archive, size, limits)
        stream.seek(0)
        self._stream, self._size = stream, size
        self._sheet: tuple[str, Any] = ("", None)
        self._numbers, self._example = 0, ""  # how many were read, and the first of them
        with _Faults():
            self._book = python_calamine.CalamineWorkbook.from_filelike(stream)
        visible = python_calamine.SheetVisibleEnum.Visible
        sheets = [sheet for sheet in self._book.sheets_metadata if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet]
        self.sheets = [(sheet.name, sheet.name) for sheet in sorted(sheets, key=lambda sheet: sheet.visible != visible)]

    def rows(self, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Number and texts by column of every row of a sheet in which there is something."""
        self._numbers = 0
        with _Faults():
            lines = enumerate(self._opened(part).iter_rows(), start=1)
        for line, values in lines:
            cells = {column: text for column, value in enumerate(values) if (text := self._text(value))}
            if any(not text.isspace() for text in cells.values()):
                yield line, cells

    def merged(self, part: str) -> Merged:
        """The cells that are merged over several rows."""
        found: dict[int, list[tuple[int, int]]] = {}
        with _Faults():
            for (first, column), (last, _) in self._opened(part).merged_cell_ranges or ():
                if first < last:
                    found.setdefault(first + 1, []).append((column, last + 1))
        return found

    def told(self) -> list[Notice]:
        """What is to be said of the rows that were read."""
        if not self._numbers:
            return []
        return [Notice(code="data.note.stored", params={"count": self._numbers, "stored": shown(self._example)})]

    def position(self) -> int:
        """Bytes of the file that have been read: all of them, from the beginning."""
        return self._size

    def close(self) -> None:
        """Let go of the file."""
        self._book.close()
        self._stream.close()

    def _opened(self, part: str) -> Any:
        if self._sheet[0] != part:
            self._sheet = part, self._book.get_sheet_by_name(part)
        return self._sheet[1]

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return str(value).upper()
        text = _moment(value) if isinstance(value, datetime.date | datetime.time | datetime.timedelta) else plain(repr(value))
        self._numbers += 1
        self._example = self._example if self._numbers > 1 else text
        return text


class _Faults:
    """Says in our words what calamine says, its panics included, which are no `Exception`."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None and kind.__module__ in ("python_calamine", "pyo3_runtime"):
            raise InputError("data.password" if kind.__name__ == "PasswordError" else "data.xlsx") from error


def _moment(value: datetime.date | datetime.time | datetime.timedelta) -> str:
    """A date or a time by ISO 8601; hours that go on after 24 as `30:00:00`."""
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return value.isoformat()
