"""Workbooks of every kind for tests, from sheets of rows by name: .xls by its usual writer, .ods and .xlsb by hand."""

import pathlib
import struct
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import openpyxl
import xlwt

from tests.data.corpus_binary import zipped

Rows = Sequence[Sequence[Any]]
KINDS = ("xlsx", "xls", "xlsb", "ods")

_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_OASIS = "urn:oasis:names:tc:opendocument:xmlns"
_OPENED = "".join(f' xmlns:{short}="{_OASIS}:{short}:1.0"' for short in ("office", "table", "text", "style"))
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = f'<Types xmlns="{_PACKAGE}/content-types"/>'
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(path: pathlib.Path, **sheets: Rows) -> pathlib.Path:
    """A workbook of the kind that its name says; an empty row leaves its place."""
    path.write_bytes({"ods": ods, "xlsb": xlsb}[path.suffix[1:]](sheets)) if path.suffix in (".ods", ".xlsb") else _saved(path, sheets)
    return path


def _saved(path: pathlib.Path, sheets: Mapping[str, Rows]) -> None:
    book: Any = openpyxl.Workbook() if path.suffix == ".xlsx" else xlwt.Workbook()
    if path.suffix == ".xlsx":
        book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name) if path.suffix == ".xlsx" else book.add_sheet(name)
        for line, row in enumerate(rows):
            for column, cell in enumerate(row):
                if path.suffix == ".xlsx":
                    sheet.cell(line + 1, column + 1, cell)
                else:
                    sheet.write(line, column, cell)
    book.save(path)


def ods(sheets: Mapping[str, Rows]) -> bytes:
    """As LibreOffice writes it; what begins with `<` stands there as it is."""
    tables = (f'<table:table table:name="{escape(name)}">{"".join(map(_ods_row, rows))}</table:table>' for name, rows in sheets.items())
    return ods_of("".join(tables))


def ods_of(tables: str, **parts: str) -> bytes:
    content = f"<office:document-content{_OPENED}><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    return zipped({"mimetype": _ODS, "content.xml": f"{content}</office:document-content>", **parts})


def _ods_row(row: Sequence[Any]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, row)) or '<table:table-cell/>'}</table:table-row>"


def _ods_cell(cell: Any) -> str:
    if str(cell).startswith("<"):
        return str(cell)
    if isinstance(cell, int | float):
        return ods_number(cell, str(cell))
    texts = "".join(f"<text:p>{escape(line)}</text:p>" for line in cell.split("\n"))
    return f'<table:table-cell office:value-type="string">{texts}</table:table-cell>' if cell else "<table:table-cell/>"


def ods_number(value: float, shown: str, kind: str = "float") -> str:
    return f'<table:table-cell office:value-type="{kind}" office:value="{value}"><text:p>{shown}</text:p></table:table-cell>'


def xlsb(sheets: Mapping[str, Rows], lost: bool = False) -> bytes:
    """As Excel writes it: each part is records of a number, a length and what they hold; `lost` are the ways to the sheets."""
    listed = b"".join(_part(156, struct.pack("<II", 0, at) + _wide(f"rId{at}") + _wide(name)) for at, name in enumerate(sheets, start=1))
    book = _part(131) + _part(143) + listed + _part(144) + _part(132)
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{_REL}/worksheet" Target="worksheets/sheet{at}.bin"/>'
        for at in range(1, 1 if lost else len(sheets) + 1)
    )
    relations = (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{"" if lost else links}</Relationships>'
    )
    parts: dict[str, Any] = {"[Content_Types].xml": _TYPES, "xl/workbook.bin": book, "xl/_rels/workbook.bin.rels": relations}
    parts |= {f"xl/worksheets/sheet{at}.bin": _xlsb_sheet(rows) for at, rows in enumerate(sheets.values(), start=1)}
    return zipped(parts)


def _xlsb_sheet(rows: Rows) -> bytes:
    width = max(map(len, rows), default=1)
    held = b""
    for line, row in enumerate(rows):
        held += _part(0, struct.pack("<IIHBBB", line, 0, 300, 0, 0, 0) + struct.pack("<I", 0))
        for column, cell in enumerate(row):
            place = struct.pack("<II", column, 0)
            held += _part(6, place + _wide(cell)) if isinstance(cell, str) else _part(5, place + struct.pack("<d", cell))
    size = struct.pack("<IIII", 0, max(0, len(rows) - 1), 0, max(0, width - 1))
    return _part(129) + _part(148, size) + _part(145) + held + _part(146) + _part(130)


def _part(number: int, held: bytes = b"") -> bytes:
    return _number(number) + _length(len(held)) + held


def _number(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 0xFF, number >> 8 or 1])


def _length(length: int) -> bytes:
    out = []
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes([*out, length])


def _wide(text: str) -> bytes:
    held = text.encode("utf-16-le")
    return struct.pack("<I", len(held) // 2) + held
