"""Files of every kind, to records: what they are is told from their content, and every value arrives to the letter."""

import csv
import datetime
import decimal
import gzip
import io
import itertools
import json
import pathlib
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.data.formats import registry
from tuning.data.readers import file_kinds, json_lines
from tuning.data.records import FileRecord, Number
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits

Write = Callable[..., pathlib.Path]  # the fixture
HOSTILE = [
    "None",
    "N/A",
    "null",
    "NaN",
    "007",
    "12345678901234567890",
    "1e5",
    "1.50",
    "-0",
    "TRUE",
    "=HYPERLINK()",
    '=cmd|"/c calc"!A1',
    "emoji 👩‍👩‍👧 \U0001f1ee\U0001f1f9",
    "\u202eRTL العربية",
    "a line separator\u2028inside",
    "a no-break\u00a0space",
    "combining e\u0301",
    " not stripped \t",
    "two\nlines",
    "two\r\nlines",
    'a "quoted" word; a, comma | a bar \t a tab',
    "_x000D_ as it stands",
    "x005F_",
    "x" * 32_000,
]
ROWS = [{"question": f"{number}?", "answer": text} for number, text in enumerate(HOSTILE)]


def known(columns: Sequence[str]) -> bool:
    return registry.known(columns, {})


def opened(path: pathlib.Path, **limits: int) -> file_kinds.Opened:
    return file_kinds.open_kind(path, Limits(**limits), known)


def read(path: pathlib.Path, **limits: int) -> list[FileRecord]:
    return list(opened(path, **limits).records)


def values(path: pathlib.Path, **limits: int) -> list[Any]:
    return [record.values for record in read(path, **limits)]


def refused(path: pathlib.Path, **limits: int) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, **limits)
    assert all(isinstance(value, str | int) for value in caught.value.params.values())
    return caught.value


def faults(records: list[FileRecord]) -> list[tuple[int, int, str]]:
    return [(record.row, record.line, record.fault.code) for record in records if record.fault]


def table(rows: Sequence[dict[str, Any]], separator: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return out.getvalue()


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row, start=1):
                sheet.cell(number, column, cell)
                if isinstance(cell, str) and cell.startswith("="):
                    sheet.cell(number, column).data_type = "s"
    book.save(out)
    return out.getvalue()


def sheet_of(rows: str, texts: str = "", main: str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", **more: str) -> bytes:
    """A workbook by hand: its one sheet, its shared strings and other parts as XML."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    link = "<Relationships>{}</Relationships>"
    one = f'<Relationship Id="r{{}}" Type="{kind}/{{}}" Target="{{}}"/>'
    parts = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": link.format(one.format(1, "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": link.format(
            one.format(1, "worksheet", "/xl/worksheets/sheet1.xml")
            + one.format(2, "sharedStrings", "sharedStrings.xml")
            + one.format(3, "styles", "styles.xml")
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
        **more,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


# -- every value, to the letter ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables(write: Write, separator: str, encoding: str, end: str) -> None:
    rows = [row for row in ROWS if encoding != "cp1252" or row["answer"].isascii()]
    if encoding == "cp1252":
        rows.append({"question": "€", "answer": "perché «così» è – più\u00a0caffè"})
    path = write(table(rows, separator, end).encode(encoding))
    found = opened(path)
    records = list(found.records)
    assert (found.kind, found.encoding) == ("csv", encoding)
    assert [record.values for record in records] == rows
    assert [record.row for record in records] == [*range(2, len(rows) + 2)], "the header is row 1"
    line = 2
    for record, row in zip(records, rows, strict=True):
        assert record.line == line
        line += 1 + row["answer"].count("\n")


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_in_every_shape(write: Write, encoding: str, ascii_only: bool) -> None:
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in ROWS]
    everything = json.dumps(ROWS, ensure_ascii=ascii_only, indent=1)
    shapes = ["\n".join(lines), "\r\n".join(lines) + "\r\n", everything, f'{{"rows": {everything}}}', lines[0] + "\n" + lines[1]]
    for shape, rows in zip(shapes, [ROWS, ROWS, ROWS, ROWS, ROWS[:2]], strict=True):
        found = opened(write(shape.encode(encoding)))
        assert (found.kind, found.encoding) == ("json", encoding)
        assert [record.values for record in found.records] == rows


def test_old_mac_lines_of_json(write: Write) -> None:
    assert values(write("\r".join(json.dumps(row) for row in ROWS))) == ROWS


def test_parquet(write: Write) -> None:
    texts = pa.array(HOSTILE)
    for column in (texts, texts.cast(pa.large_string()), texts.dictionary_encode(), texts.cast(pa.string_view())):
        found = opened(write(parquet({"question": [row["question"] for row in ROWS], "answer": column})))
        assert (found.kind, found.encoding) == ("parquet", None)
        assert [record.values for record in found.records] == ROWS


def test_spreadsheet(write: Write) -> None:
    rows = [row for row in ROWS if "\r" not in row["answer"] and "_x000D_" not in row["answer"]]  # which its writer does not escape
    found = opened(write(workbook({"S": [["question", "answer"], *([*row.values()] for row in rows)]})))
    assert (found.kind, found.encoding, found.notes) == ("xlsx", None, [])
    records = list(found.records)
    assert [record.values for record in records] == rows
    assert [(record.row, record.line) for record in records] == [(number, number) for number in range(2, len(rows) + 2)]


def test_plain_text(write: Write) -> None:
    blocks = [text for text in HOSTILE if "\r" not in text]
    assert values(write("\n\n".join(blocks))) == [{"text": text} for text in blocks]


def test_numbers_are_spelled_as_in_the_file(write: Write) -> None:
    numbers = ["7", "0", "-0", "1e5", "1.50", "-1E-7", "12345678901234567890", "9" * 5000, "18446744073709551615", "1e400", "2024"]
    rows = [f'{{"a": {number}, "d": "2024-01-01", "b": [{{"c": {number}}}], "t": true, "n": null}}' for number in numbers]
    for content in ("\n".join(rows), "[" + ",".join(rows) + "]"):
        found = values(write(content))
        assert found == [{"a": number, "d": "2024-01-01", "b": [{"c": number}], "t": True, "n": None} for number in numbers]
        assert all(type(row["a"]) is Number and type(row["b"][0]["c"]) is Number for row in found)


# -- JSON Lines: the fast way says what the exact one does ------------------------------------------------------------

SCALARS = ["1", "0", "-0", "1.0", "1e5", "NaN", "-Infinity", "true", "null"]
STRINGS = ['"a"', '"b"', '"\\""', '"\\u0022"', '"é"', '"\\ud800"', '"\\ud83d\\ude42"']
PIECES = st.sampled_from([*SCALARS, *STRINGS, *'{}[]:, "\\', "\t", "\x01", "\x0b", "\u2028"])
VALUES = st.recursive(
    PIECES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"\\""', '"\\u0022"', '"\\u0061"']), inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(lines=st.lists(VALUES, min_size=1, max_size=4), depth=st.integers(1, 4))
def test_the_fast_way_is_exact(lines: list[str], depth: int) -> None:
    limits = Limits(depth=depth, line=40)
    content = "\n".join(lines)
    fast = list(json_lines.fast_lines(io.BytesIO(content.encode()), limits))
    exact = list(json_lines.lines(io.StringIO(content), limits))

    def told(record: FileRecord) -> tuple[Any, ...]:
        return record.row, record.line, spelled(record.values), record.fault and (record.fault.code, record.fault.params)

    assert [told(record) for record in fast] == [told(record) for record in exact]


def spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, spelled(item)) for key, item in value.items()]
    return [spelled(item) for item in value] if isinstance(value, list) else (type(value), value)


def test_a_key_twice_is_never_lost(write: Write) -> None:
    rows = ['{"a": "x", "a": "y"}', '{"a": 1, "a": 1}', '{"a": {}, "a": "\\u0022\\u0022"}', '{"m": [{"r": "x", "r": "\\""}]}']
    assert [code for _, _, code in faults(read(write("\n".join(['{"a": "\\""}', *rows]))))] == ["data.row.key"] * 4


def test_lines_at_the_limit(write: Write) -> None:
    short, long = json.dumps({"a": "é" * 91}, ensure_ascii=False), json.dumps({"a": "é" * 92}, ensure_ascii=False)
    assert len(short) == 99 + 1
    records = read(write("\n".join([short, long, long * 9, short + "\r", short])), line=100)
    assert faults(records) == [(2, 2, "data.row.long"), (3, 3, "data.row.long")]
    assert [record.row for record in records] == [1, 2, 3, 4, 5]


# -- rows in an object ------------------------------------------------------------------------------------------------

ONE = {"question": "a", "answer": "b"}
WRAPPED = {
    "alone": {"whatever": [ONE, ONE]},
    "after what an export says of itself": {"version": "1.1", "count": 2, "data": [ONE, ONE]},
    "before it": {"data": [ONE, ONE], "count": 2, "tags": ["x"]},
    "as the Hub's viewer has them": {"features": [{"name": "question"}], "rows": [ONE, ONE], "partial": False},
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", WRAPPED)
def test_rows_in_an_object(write: Write, name: str, indent: int | None) -> None:
    assert values(write(json.dumps(WRAPPED[name], indent=indent))) == [ONE, ONE]


@pytest.mark.parametrize("indent", [None, 1])
def test_one_row_with_a_list_in_it_stays_a_row(write: Write, indent: int | None) -> None:
    for row in (
        {"messages": [{"role": "user", "content": "a"}]},
        {"id": "1", "dialog": [{"speaker": "x"}]},
        {"data": "x", "tags": ["y", "z"]},
    ):
        assert values(write(json.dumps(row, indent=indent))) == [row]


@pytest.mark.parametrize("indent", [None, 1])
def test_columns_one_by_one_are_no_row(write: Write, indent: int | None) -> None:
    for table in ({"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "1": "d"}}, {"question": ["a", "b"], "answer": ["c", "d"]}):
        error = refused(write(json.dumps(table, indent=indent)))
        assert (error.code, error.params) == ("data.columns", {"columns": "question, answer"})


def test_two_lists_of_rows(write: Write) -> None:
    error = refused(write(json.dumps({"train": [ONE], "test": [ONE]}, indent=1)))
    assert (error.code, error.params) == ("data.lists", {"columns": "train, test"})


# -- what is a table, what is prose -----------------------------------------------------------------------------------

TABLES = {
    "columns nobody knows": "foo,bar\na,b\nc,d\n",
    "columns nobody knows, some ragged": "foo,bar\na,b\nc\nd,e\nf,g\n",
    "columns nobody knows, by semicolons": "foo;bar\na, b;c, d\ne;f\n",
    "columns nobody knows, with spaces": "foo, bar\na, b\nc, d\n",
    "questions as names": 'Timestamp,What is your name?,"Why, exactly?"\n2024,Ada,So\n2025,Bob,"No, no"\n',
    "an index": ",foo,bar\n0,a,b\n1,c,d\n",
    "tabs": "foo\tbar\na\tb\n",
    "one known column": "text\nA line\nAnother\n",
    "one known column, quoted": 'testo\n"Uno, due"\n"Tre\nquattro"\n',
    "one known column, commas unquoted": "text\nOne, two\nThree\n",
    "known columns alone": "question,answer\n",
    "known columns, prose in them": "domanda,risposta\n" + '"Chi, dove?","Là, qua"\n' * 60,
    "a known table that is broken": 'q,a\n1,"2\n',
    "Excel's hint": "sep=|\nx|y\n",
}
PROSE = {
    "a letter": "Dear John,\nI am well, thank you, and you?\nYours,\nAda\n",
    "a comma in each line": "Roses are red, violets are blue\nSugar is sweet, and so are you\nI am a poem, who are you\n",
    "one line": "Hello, world\n",
    "lines": "One line\nAnother line\n",
    "a chat": "12/03/24, 10:15 - Bob: ciao\n12/03/24, 10:16 - Ada: ciao, Bob\n",
    "a log": "2024-01-01 10:00:00,123 INFO started\n2024-01-01 10:00:00,456 INFO ended\n",
    "one unknown column": "words\nA line\nAnother\n",
    "numbers": "3,14\n2,71\n",
    "a song": "[Verse 1]\nLa la la\n",
    "a template": "{{Infobox}}\nLa la\n{% if %}\n",
    "code": "import os, sys\n\ndef f(a, b):\n    return a, b\n",
    "markup": "# Title\n\n- a, b\n- c\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_a_table(write: Write, name: str) -> None:
    assert opened(write(TABLES[name], "prose.txt")).kind == "csv"


@pytest.mark.parametrize("name", PROSE)
def test_prose_is_prose(write: Write, name: str) -> None:
    path = write(PROSE[name], "table.csv")
    assert opened(path).kind == "text"
    assert all(record.fault is None for record in read(path))


@pytest.mark.parametrize(
    "content",
    ['{"a": ', "[", '["a"', "[{'a': 1}]", "{a: 1}", '\n {"a": "b"', "[1, 2", "[true,, ]", "{}}", "[\n// x\n{}]", "\ufeff\ufeff{}"],
)
def test_broken_json_is_no_prose(write: Write, content: str) -> None:
    assert opened(write(content)).kind == "json"


def test_one_column_with_commas_keeps_them(write: Write) -> None:
    assert values(write("text\nOne, two\nThree\n")) == [{"text": "One, two"}, {"text": "Three"}]


# -- plain text -------------------------------------------------------------------------------------------------------


def test_blocks_and_lines(write: Write) -> None:
    records = read(write("\n\n  First, \n  second\n \t\n\nThird\n\n"))
    assert [(record.row, record.line, record.values) for record in records] == [
        (1, 3, {"text": "  First, \n  second"}),
        (2, 7, {"text": "Third"}),
    ]
    records = read(write("\nFirst \n second\n\n"))
    assert [(record.row, record.line, record.values) for record in records] == [(1, 2, {"text": "First "}), (2, 3, {"text": " second"})]


def test_ends_of_lines_stay_as_they_are(write: Write) -> None:
    assert values(write("a\r\nb\r\n\r\nc\r\n")) == [{"text": "a\r\nb"}, {"text": "c"}]
    assert values(write("a\rb\r\rc")) == [{"text": "a\rb"}, {"text": "c"}]
    assert values(write("a\rb\nc\u2028d\x0be\n")) == [{"text": "a\rb"}, {"text": "c\u2028d\x0be"}]


def test_a_long_block_is_divided_at_ends_of_lines(write: Write) -> None:
    records = read(write("a\n\n" + "12345678\n" * 5 + "\n" + "x" * 50 + "\ny\r\n"), line=20)
    assert [record.values and record.values["text"] for record in records] == [
        "a",
        "12345678\n12345678",
        "12345678\n12345678",
        "12345678",
        None,
        "y",
    ]
    assert [record.line for record in records] == [1, 3, 5, 7, 9, 10]
    assert faults(records) == [(5, 9, "data.row.long")]


# -- Parquet ----------------------------------------------------------------------------------------------------------


def test_parquet_types_become_those_of_json(write: Write) -> None:
    day = datetime.date(2024, 1, 31)
    moment = datetime.datetime(2024, 1, 31, 10, 30, tzinfo=datetime.UTC)
    columns: dict[str, tuple[Any, Any]] = {
        "whole": (pa.array([2**60]), Number(2**60)),
        "double": (pa.array([1e5]), "100000.0"),
        "single": (pa.array([0.1], pa.float32()), "0.1"),
        "largest": (pa.array([3.4028234663852886e38], pa.float32()), "3.40282347e+38"),
        "missing": (pa.array([float("nan")]), None),
        "decimal": (pa.array([decimal.Decimal("1.50")]), "1.50"),
        "yes": (pa.array([True]), True),
        "nothing": (pa.nulls(1), None),
        "day": (pa.array([day]), "2024-01-31"),
        "moment": (pa.array([moment], pa.timestamp("ns", "Europe/Rome")), "2024-01-31T10:30:00+00:00"),
        "local": (pa.array([moment.replace(tzinfo=None)], pa.timestamp("ms")), "2024-01-31T10:30:00"),
        "hour": (pa.array([9 * 3600 * 10**9], pa.time64("ns")), "09:00:00"),
        "span": (pa.array([10**9], pa.duration("ns")), "0:00:01"),
        "image": (pa.array([{"bytes": b"\x89PNG", "path": None}]), {"bytes": b"\x89PNG", "path": None}),
        "turns": (pa.array([[{"role": "user", "n": 1}, None]]), [{"role": "user", "n": "1"}, None]),
        "map": (pa.array([[("a", 1.5), ("b", None)]], pa.map_(pa.string(), pa.float64())), {"a": "1.5", "b": None}),
        "pair": (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ["1", "2"]),
        "times": (pa.array([[0]], pa.list_(pa.timestamp("ns"))), ["1970-01-01T00:00:00"]),
        "labels": (pa.array([["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), ["a"]),
    }
    [row] = values(write(parquet({name: column for name, (column, _) in columns.items()})))
    assert row == {name: expected for name, (_, expected) in columns.items()}
    assert all(type(row[name]) is Number for name in ("whole", "double", "single", "decimal"))


def test_many_row_groups_and_a_position(write: Write) -> None:
    path = write(parquet({"q": [str(number) for number in range(1000)], "a": ["x"] * 1000}, row_group_size=70))
    found = opened(path)
    assert found.position is not None and found.position() == 0
    assert [record.values["q"] for record in itertools.islice(found.records, 500) if record.values] == [str(n) for n in range(500)]
    assert 0 < found.position() < path.stat().st_size
    assert [record.row for record in found.records] == [*range(501, 1001)]
    assert found.position() == path.stat().st_size


def test_damaged_parquet(write: Write) -> None:
    good = parquet({"q": ["a" * 1000] * 500, "a": [str(number) for number in range(500)]})
    assert refused(write(b"PAR1\x15\x04" + bytes(50) + b"PAR1")).code == "data.parquet"
    assert refused(write(good[:-9])).code == "data.parquet"
    assert refused(write(good[:200] + bytes(2000) + good[2200:])).code == "data.parquet"
    for start in range(5, len(good), 97):  # some give rows, some a verdict; none anything else
        try:
            read(write(good[:start] + bytes([good[start] ^ 0xFF]) + good[start + 1 :]))
        except (InputError, MemoryError) as error:
            assert not isinstance(error, InputError) or error.code in ("data.parquet", "data.output", "data.binary")


def test_half_a_character_in_parquet_costs_its_row(write: Write) -> None:
    texts = pa.array([b"a", b"\xc3", b"b"]).view(pa.string())
    records = read(write(parquet({"q": ["1", "2", "3"], "a": texts})))
    assert faults(records) == [(2, 2, "data.row.surrogate")]
    assert [record.values and record.values["a"] for record in records] == ["a", None, "b"]


def test_parquet_names_one_column_twice(write: Write) -> None:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["q", "q"]), out)
    assert refused(write(out.getvalue())).code == "data.csv.header"


def test_small_parquet_files_that_hold_much(write: Write) -> None:
    text = "x" * 100_000
    heavy = parquet({"q": pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), [text])})
    assert len(heavy) < 20_000
    path = write(heavy)
    assert {code for _, _, code in faults(list(itertools.islice(opened(path, line=50_000).records, 500)))} == {"data.row.long"}
    nulls = write(parquet({"q": pa.nulls(3_000_000, pa.string())}))
    assert nulls.stat().st_size < 20_000
    assert refused(nulls, output_bytes=MEGABYTE).code == "data.output"
    plain = write(parquet({"q": [text] * 100}, use_dictionary=False, compression="gzip"))
    assert refused(plain, output_bytes=MEGABYTE).code == "data.output"


# -- spreadsheets -----------------------------------------------------------------------------------------------------


def test_cells_are_text_to_the_letter(write: Write) -> None:
    day = datetime.date(2024, 1, 31)
    cells: list[tuple[Any, str]] = [
        (7, "7"),
        (7.0, "7"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        (1e5, "100000"),
        (123456789012, "123456789012"),
        (True, "TRUE"),
        (False, "FALSE"),
        (day, "2024-01-31"),
        (datetime.date(1900, 1, 15), "1900-01-15"),
        (datetime.datetime(2024, 1, 31, 10, 30), "2024-01-31 10:30:00"),
        (datetime.time(9, 5), "9:05:00"),
        (datetime.timedelta(hours=30), "30:00:00"),
        ("#N/A", "#N/A"),
        ("a\nb", "a\nb"),
    ]
    rows = values(write(workbook({"S": [["q", "a"], *(["x", cell] for cell, _ in cells)]})))
    assert [row["a"] for row in rows] == [expected for _, expected in cells]


SHOWN: dict[str, list[tuple[Any, str, str]]] = {  # the language that a code names, or a sign behind the number, decides for all
    "it": [
        (184, "00000", "00184"),
        (0.15, "0%", "15%"),
        (12.5, '#,##0.00 "€"', "12,50 €"),
        (0.125, "0.0%", "12,5%"),
        (1234567.891, "#,##0.00", "1.234.567,89"),
        (-3.5, "#,##0.00 [$€-410]", "-3,50 €"),
        (datetime.date(1987, 3, 5), "dd/mm/yyyy", "05/03/1987"),
        (datetime.date(1987, 3, 5), "d/m/yy", "5/3/87"),
        (datetime.datetime(2024, 1, 31, 9, 5), "dd/mm/yyyy hh:mm", "31/01/2024 09:05"),
        (0, '0.00 "€"', "0,00 €"),
        (3331234567, "0", "3331234567"),
    ],
    "en": [
        (1234.5, '"$"#,##0.00', "$1,234.50"),
        (-2, "#,##0;(#,##0)", "(2)"),
        (7.126, "0.00", "7.13"),
        (0.5, "0.##", "0.5"),
        (42, '"No. "000', "No. 042"),
        (0.75, "# ?/?", "0.75"),
        (12345, "0.00E+00", "12345"),
        (2.5, "General", "2.5"),
        (5, "@", "5"),
        (9, "[Red]0.0;[Blue]-0.0", "9.0"),
        (0.9999, "0%", "100%"),
    ],
}


@pytest.mark.parametrize("language", SHOWN)
def test_numbers_are_what_the_sheet_shows(write: Write, language: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["q", "a"])
    for number, (stored, code, _) in enumerate(SHOWN[language], start=2):
        sheet.append(["x", stored])
        sheet.cell(number, 2).number_format = code
    out = io.BytesIO()
    book.save(out)
    found = opened(write(out.getvalue()))
    assert [record.values and record.values["a"] for record in found.records] == [shown for _, _, shown in SHOWN[language]]
    told = {"it": [{"count": 7, "shown": "00184", "stored": "184"}], "en": [{"count": 6, "shown": "$1,234.50", "stored": "1234.5"}]}
    kept = {"it": [], "en": [{"count": 2, "stored": "0.75"}]}
    assert [(note.code, note.params) for note in found.told] == [
        *(("data.note.shown", params) for params in told[language]),
        *(("data.note.kept", params) for params in kept[language]),
    ]


@pytest.mark.parametrize("blank", [";;", ";", " ; ;\t", ";;;;"])
def test_rows_without_a_letter_are_no_rows_and_are_counted_on(write: Write, blank: str) -> None:
    content = f"Domanda;Risposta;\nUno?;1;\n{blank}\nDue?;2;\n{blank}\n{blank}\n"
    found = read(write(content))
    assert [(record.row, record.line, record.values and record.values["Domanda"]) for record in found] == [(2, 2, "Uno?"), (4, 4, "Due?")]


def test_what_producers_write_by_hand(write: Write) -> None:
    head = '<row><c t="inlineStr"><is><t>q</t></is></c><c t="str"><v>a</v></c></row>'
    body = (
        '<row r="1000000"><c r="B1000000" t="s"><v>0</v></c></row>'
        '<row><c t="s"><v>1</v></c><c><f>1+1</f><v>2</v></c><c t="inlineStr"><is><t>beyond the header</t></is></c></row>'
        '<row><c/><c t="s"><v>2</v></c></row>'
        '<row><c t="e"><v>#DIV/0!</v></c><c><v>1.2345678901234567E19</v></c></row>'
        '<row><c s="1"><v>60</v></c><c s="1"><v>1E300</v></c></row>'
    )
    texts = (
        "<si><t>a_x000D_\nb_x005F_x000D_</t></si><si><r><t>rich </t></r><r><t>text</t></r><rPh><t>no</t></rPh></si>"
        '<si><t xml:space="preserve">  </t></si>'
    )
    for main in ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main"):
        records = read(write(sheet_of(head + body, texts, main)))
        assert [(record.row, record.line, record.values) for record in records] == [
            (1_000_000, 1_000_000, {"q": "", "a": "a\r\nb_x000D_"}),
            (1_000_001, 1_000_001, {"q": "rich text", "a": "2"}),
            (1_000_003, 1_000_003, {"q": "#DIV/0!", "a": "12345678901234567000"}),
            (1_000_004, 1_000_004, {"q": "1900-02-28", "a": "1e+300"}),
        ]


def test_the_first_sheet_with_something_in_it_is_read_and_the_others_told(write: Write) -> None:
    rows = [["q", "a"], ["x", "y"]]
    found = opened(write(workbook({"Empty": [], "Data": [[None], ["  "], *rows], "Notes": [["z"]], "More": rows})))
    told = {"sheet": "Data", "count": 2, "others": "Notes, More", "example": "Notes"}
    assert [(notice.code, notice.params) for notice in found.notes] == [("data.note.sheets", told)]
    assert [(record.row, record.line, record.values) for record in found.records] == [(4, 4, {"q": "x", "a": "y"})]
    assert values(write(workbook({"Empty": []}))) == []


def test_a_cell_that_is_long(write: Write) -> None:
    assert faults(read(write(workbook({"S": [["q", "a"], ["x" * 60, "y" * 60], ["x", "y"]]})), line=100)) == [(2, 2, "data.row.long")]


def test_damaged_spreadsheets(write: Write) -> None:
    good = sheet_of('<row><c t="inlineStr"><is><t>q</t></is></c></row><row><c><v>1</v></c></row>')
    assert values(write(good)) == [{"q": "1"}]
    cell = '<row><c t="inlineStr"><is><t>q</t></is></c></row><row><c {}</row>'
    for bad in ('t="s"><v>5</v></c>', "><v>x</v></c>", 'r="ZZZ1"><v>1</v></c>', 'r="?"><v>1</v></c>', 's="x"><v>1</v></c>', "><v>1</v>"):
        assert refused(write(sheet_of(cell.format(bad)))).code == "data.xlsx"
    assert refused(write(sheet_of("", **{"xl/workbook.xml": "<"}))).code == "data.xlsx"
    assert refused(write(sheet_of('<row><c r="A1"><v>1</v></c><c r="B1"><v>1</v></c></row>'))).code == "data.csv.header"
    for start in range(30, len(good), 23):
        try:
            read(write(good[:start] + bytes([good[start] ^ 0xFF]) + good[start + 1 :]))
        except InputError as error:
            assert error.code in ("data.xlsx", "data.binary", "data.output")


def test_small_spreadsheets_that_hold_much(write: Write) -> None:
    many = sheet_of("<row><c><v>1</v></c></row>" * 100_000)
    assert len(many) < 20_000
    assert refused(write(many), output_bytes=MEGABYTE).code == "data.output"
    lines = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10 if n else "ha" * 10}">' for n in range(9))
    laughs = f"<!DOCTYPE sst [{lines}]><sst><si><t>&x8;</t></si></sst>"
    assert refused(write(sheet_of("<row><c><v>1</v></c></row>", **{"xl/sharedStrings.xml": laughs}))).code == "data.xlsx"


# -- what a file is ---------------------------------------------------------------------------------------------------


def zipped(**parts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


TYPES = {"[Content_Types].xml": "<Types/>"}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
NOT_READ = {
    "gzip": (gzip.compress(b"question,answer\na,b\n"), "data.binary", "gzip"),
    "zip": (zipped(**{"data.csv": "q,a\n1,2\n"}), "data.binary", "zip"),
    "half a zip": (zipped(**{"data.csv": "q,a\n1,2\n"})[:30], "data.binary", "zip"),
    "docx": (zipped(**TYPES, **{"word/document.xml": "<a/>"}), "data.document", "docx"),
    "half an ods": (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"), "data.xlsx", None),
    "half an xlsb": (zipped(**TYPES, **{"xl/workbook.bin": ""}), "data.xlsx", None),
    "half an xls": (OLE + "Workbook".encode("utf-16-le"), "data.xlsx", None),
    "numbers": (zipped(**{"Index/Document.iwa": "x"}), "data.spreadsheet", "numbers"),
    "ppt": (OLE + "PowerPoint Document".encode("utf-16-le"), "data.document", "ppt"),
    "doc": (OLE + "WordDocument".encode("utf-16-le"), "data.document", "doc"),
    "a password": (OLE + "EncryptedPackage".encode("utf-16-le"), "data.password", None),
    "pdf": (b"%PDF-1.7\n", "data.document", "pdf"),
    "rtf": (b"{\\rtf1 a}", "data.document", "rtf"),
    "sqlite": (b"SQLite format 3\x00", "data.binary", "sqlite"),
    "a page": ("\ufeff\n <!DOCTYPE html>\n<html>".encode(), "data.page", "HTML"),
    "an error in XML": (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>", "data.page", "XML"),
    "XML": (b"<?xml version='1.0'?><a/>", "data.binary", "XML"),
    "a word of the Hub": (b"Entry not found\n", "data.page", "Hub"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "data.pointer", None),
    "half an Arrow file": (b"ARROW1\x00\x00", "data.parquet", None),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_not_read_is_named(write: Write, name: str) -> None:
    content, code, kind = NOT_READ[name]
    error = refused(write(content, "data.csv"))
    assert (error.code, error.params.get("kind")) == (code, kind)


def test_names_say_nothing(write: Write) -> None:
    contents = {
        "xlsx": workbook({"S": [["q", "a"], ["1", "2"]]}),
        "parquet": parquet({"q": ["1"]}),
        "json": '{"q": "1"}',
        "csv": "q,a\n1,2\n",
    }
    for name, (kind, content) in zip(["data.csv", "data.jsonl", "data.xlsx", "data.json"], contents.items(), strict=True):
        found = opened(write(content, name))
        assert (found.kind, len(list(found.records))) == (kind, 1)


@pytest.mark.parametrize("content", ["q,a\n" + "1,2\n" * 100_000, '{"q": "1"}\n' * 100_000, "a\n\n" * 100_000])
def test_positions_go_from_nothing_to_all(write: Write, content: str) -> None:
    found = opened(write(content))
    assert found.position is not None
    seen = [found.position() for _ in itertools.islice(found.records, 50_000)]
    assert seen == sorted(seen) and seen[0] < seen[-1] < len(content)
    assert sum(1 for _ in found.records) == 50_000
    assert found.position() == len(content)


def test_a_title_above_the_names_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "upload"
    for content in (b"FAQ\n\nquestion;answer\na;b\n", workbook({"S": [["FAQ"], [], ["question", "answer"], ["a", "b"]]})):
        path.write_bytes(content)
        found = opened(path)
        assert [(record.row, record.line, record.values) for record in found.records] == [(4, 4, {"question": "a", "answer": "b"})]
        assert [(notice.code, notice.params) for notice in found.notes] == [("data.note.header", {"line": 3})]


INNER = [
    json.dumps(row, ensure_ascii=False) for row in ({"domanda": "Dove?", "risposta": "Qui."}, {"domanda": "Quando?", "risposta": None})
]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(INNER),
        json.dumps(INNER, indent=1),
        "".join(json.dumps(row) + "\n" for row in INNER),
    ],
)
def test_rows_that_are_written_as_texts_of_json_are_rows(write: Write, content: str) -> None:
    assert values(write(content)) == [json.loads(row) for row in INNER]


@pytest.mark.parametrize("texts", [["{a}", "{b}"], ['{"key": 1}', '{"key": 2}'], ["Dove?", INNER[0]], ["{" * 5000, "x"]])
def test_other_texts_stay_texts(write: Write, texts: list[str]) -> None:
    assert values(write(json.dumps(texts))) == [{"text": text} for text in texts]
