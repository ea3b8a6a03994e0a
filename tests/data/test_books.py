"""Workbooks that are not .xlsx (.xls, .xlsb, .ods) are read as those are: the same rows, numbers of rows, sheets and refusals."""

import datetime
import io
import pathlib
import struct
import zipfile

import openpyxl
import pytest
import xlwt

from tests.data.books import KINDS, Rows, ods_number, ods_of, workbook, xlsb
from tests.data.conftest import Write, read_here
from tests.data.corpus_binary import zipped
from tests.data.corpus_books import NS
from tests.data.corpus_books import book as by_hand
from tests.data.test_readers import HOSTILE
from tuning import text
from tuning.data.ingest import ReadingOptions, ingest
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits
from tuning.schema import LOCAL

OTHERS = [kind for kind in KINDS if kind != "xlsx"]
HEADS = ["Domanda del cliente", "Note", "Risposta nostra"]
SHOP: Rows = [[], HEADS, ["Dove siete?", "", "Siamo qui."], [], ["", "x", "Alle nove."], ["Fate orli?", "", "Sì, in un giorno."]]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_their_number_in_the_sheet(tmp_path: pathlib.Path, kind: str) -> None:
    taken = read_here([workbook(tmp_path / f"shop.{kind}", Istruzioni=[["Leggete qui"]], Dati=SHOP, Fine=[["x"]])], tmp_path / "out")
    assert taken.texts == [("Dove siete?", "Siamo qui."), ("Fate orli?", "Sì, in un giorno.")]
    assert [row["row"] for row in taken.rows] == [3, 6] and taken.faults == [(5, "data.row.empty_question")]
    (sheets,) = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.sheets"]
    assert taken.reading.kind == kind and sheets == {"sheet": "Dati", "count": 2, "others": "Istruzioni, Fine", "example": "Istruzioni"}


@pytest.mark.parametrize("kind", OTHERS)
def test_texts_arrive_to_the_letter(tmp_path: pathlib.Path, kind: str) -> None:
    texts = [one for one in HOSTILE if one.strip() and "\r" not in one and "_x" not in one and "\x00" not in one and len(one) < 32_000]
    if kind == "ods":  # whose spaces in a row are elements, as are its tabs: below
        texts = [one for one in texts if "  " not in one and "\t" not in one and all(line.strip() == line for line in one.split("\n"))]
    path = workbook(tmp_path / f"texts.{kind}", Dati=[["question", "answer"], *(["q", one] for one in texts)])
    assert [answer for _, answer in read_here([path], tmp_path / "out").texts] == texts and len(texts) > 10


def test_white_space_within_a_cell_of_libreoffice_stays(tmp_path: pathlib.Path) -> None:
    held = "<text:p>Uno</text:p><text:p/><text:p><text:s text:c='2'/>due<text:tab/>tre<text:s text:c='3'/>qua&amp;ttro\n   "
    held += "<text:span>e <text:a>cinque</text:a></text:span><text:line-break/>sei</text:p>"
    note = "<office:annotation><text:p>nobody asked</text:p></office:annotation>"
    rows: Rows = [["question", "answer"], ["q", f'<table:table-cell office:value-type="string">{note}{held}</table:table-cell>']]
    taken = read_here([workbook(tmp_path / "a.ods", Dati=rows)], tmp_path / "out")
    assert taken.texts == [("q", "Uno\n\n  due\ttre   qua&ttro e cinque\nsei")]


NUMBERS = {"15%": ("percentage", 0.15), "12,50 €": ("currency", 12.5), "00184": ("float", 184), "7": ("float", 7)}


def test_numbers_of_libreoffice_are_as_the_sheet_shows_them(tmp_path: pathlib.Path) -> None:
    rows = [["question", "answer"], *(["q", ods_number(stored, shown, kind)] for shown, (kind, stored) in NUMBERS.items())]
    day = '<table:table-cell office:value-type="date" office:date-value="1987-03-05"><text:p>05/03/87</text:p></table:table-cell>'
    hidden = ods_number(3.5, "").replace("<text:p></text:p>", "")
    taken = read_here([workbook(tmp_path / "a.ods", Dati=[*rows, ["q", day], ["q", hidden]])], tmp_path / "out")
    assert [answer for _, answer in taken.texts] == [*NUMBERS, "05/03/87", "3.5"]
    (told,) = [note["params"] for note in taken.reading.findings if note["code"] == "data.note.shown"]
    assert told == {"count": 3, "shown": "15%", "stored": "0.15"}


def test_numbers_of_an_old_workbook_are_as_it_stores_them_and_that_is_said(tmp_path: pathlib.Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Dati")
    held = {"00000": 184, "0%": 0.15, "dd/mm/yyyy": datetime.date(1987, 3, 5), "hh:mm": datetime.time(9, 30), "[h]:mm:ss": 1.25}
    for line, (code, value) in enumerate([("General", "answer"), *held.items(), ("General", 123456789012.5), ("General", True)]):
        sheet.write(line, 0, "q" if line else "question")
        sheet.write(line, 1, value, xlwt.easyxf(num_format_str=code))
    book.save(tmp_path / "a.xls")
    taken = read_here([tmp_path / "a.xls"], tmp_path / "out")
    assert [answer for _, answer in taken.texts] == ["184", "0.15", "1987-03-05", "09:30:00", "30:00:00", "123456789012.5", "TRUE"]
    (told,) = [note for note in taken.reading.findings if note["code"] == "data.note.stored"]
    assert told["params"] == {"count": 6, "stored": "184"}
    assert all(text.say(lang, told["code"], told["params"]) for lang in text.LANGUAGES)


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_numbers_shown_otherwise_are_counted_once(tmp_path: pathlib.Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "ods":
        workbook(path, A=[["question", "answer"], *[["q", ods_number(0.15, "15%", "percentage")]] * 3])
    else:
        book = openpyxl.Workbook()
        for row in [("question", "answer"), *[("q", 0.15)] * 3]:
            book.active.append(row)
        for line in (2, 3, 4):
            book.active[f"B{line}"].number_format = "0%"
        book.save(path)
    (told,) = [note["params"] for note in read_here([path], tmp_path / "out").reading.findings if note["code"] == "data.note.shown"]
    assert told["count"] == 3


@pytest.mark.parametrize("kind", OTHERS)
def test_another_sheet_is_chosen(tmp_path: pathlib.Path, kind: str) -> None:
    path = workbook(tmp_path / f"x.{kind}", Uno=SHOP, Due=[["Domanda", "Risposta"], ["Chi?", "Noi"]])
    assert read_here([path], tmp_path / "out", {"sheet": "due"}).texts == [("Chi?", "Noi")]
    with pytest.raises(InputError) as refused:
        read_here([path], tmp_path / "out", {"sheet": "Tre"})
    assert (refused.value.code, refused.value.params) == ("data.sheet", {"sheet": "Tre", "sheets": "Uno, Due"})


def test_sheets_that_are_hidden_come_last(tmp_path: pathlib.Path) -> None:
    book = xlwt.Workbook()
    for name, rows in {"Prima": [("Domanda", "Risposta"), ("No?", "No")], "Dati": [("Domanda", "Risposta"), ("Sì?", "Sì")]}.items():
        sheet = book.add_sheet(name)
        sheet.visibility = int(name == "Prima")
        for line, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write(line, column, cell)
    book.save(tmp_path / "a.xls")
    styles = '<style:style style:name="ta1" style:family="table"><style:table-properties table:display="false"/></style:style>'
    tables = workbook_tables(Prima="No", Dati="Sì").replace('table:name="Prima"', 'table:name="Prima" table:style-name="ta1"')
    (tmp_path / "a.ods").write_bytes(ods_of(styles + tables))
    for kind in ("xls", "ods"):
        assert read_here([tmp_path / f"a.{kind}"], tmp_path / "out").texts == [("Sì?", "Sì")]


def workbook_tables(**said: str) -> str:
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    row = f"<table:table-row>{cell}{cell}</table:table-row>"
    rows = {name: row.format("Domanda", "Risposta") + row.format(f"{word}?", word) for name, word in said.items()}
    return "".join(f'<table:table table:name="{name}">{held}</table:table>' for name, held in rows.items())


# What is hostile


def ods_row(inside: str, **repeated: int) -> str:
    times = "".join(f' table:number-{name}-repeated="{count}"' for name, count in repeated.items())
    return f"<table:table-row{times}>{inside}</table:table-row>"


CELL = '<table:table-cell office:value-type="string" table:number-columns-repeated="{}"><text:p>x</text:p></table:table-cell>'
EMPTY = '<table:table-cell table:number-columns-repeated="16384"/>'
FILLED = workbook_tables(Dati="Sì")
SPACES = ods_row(CELL.format(1).replace("x</", '<text:s text:c="999999999"/></'))
ODS = {
    "more rows than a sheet has": (ods_row(CELL.format(1), rows=2**31), "data.xlsx"),
    "more columns than a sheet has": (ods_row(CELL.format(2**31)), "data.xlsx"),
    "no row at all": (ods_row(CELL.format(1), rows=0), "data.xlsx"),
    "a million spaces": (SPACES, "data.xlsx"),
}


@pytest.mark.parametrize("name", ODS)
def test_a_sheet_of_libreoffice_that_lies_is_damaged(write: Write, tmp_path: pathlib.Path, name: str) -> None:
    rows, code = ODS[name]
    path = write(ods_of(FILLED.replace("</table:table>", rows + "</table:table>")))
    with pytest.raises(InputError, match=code.replace(".", r"\.")):
        read_here([path], tmp_path / "out")


def test_what_fills_a_sheet_of_libreoffice_to_its_end_costs_nothing(write: Write, tmp_path: pathlib.Path) -> None:
    far = ods_row(EMPTY, rows=1_048_000) + ods_row('<table:table-cell table:number-columns-repeated="16383"/>' + CELL.format(1))
    taken = read_here([write(ods_of(FILLED.replace("</table:table>", far + "</table:table>")))], tmp_path / "out")
    assert taken.texts == [("Sì?", "Sì")] and taken.faults == [(1_048_003, "data.row.empty_question")]


def test_passwords_are_told(write: Write) -> None:
    locked = ods_of("", **{"META-INF/manifest.xml": '<m:manifest xmlns:m="m"><m:encryption-data/></m:manifest>'})
    with pytest.raises(InputError, match=r"data\.password"):
        read_here([write(locked)], write("", "out"))


def test_a_binary_workbook_that_unfolds_to_too_much_is_refused_before_it_is_opened(write: Write, tmp_path: pathlib.Path) -> None:
    content = zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.bin": b"\x83\x01" + bytes(3 * MEGABYTE)})
    with pytest.raises(InputError, match=r"data\.output"):
        read_here([write(content)], tmp_path / "out", limits=Limits(output_bytes=2 * MEGABYTE))


def test_a_panic_of_the_library_is_a_damaged_file(write: Write, tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"data\.xlsx"):
        read_here([write(xlsb({"Dati": SHOP}, lost=True))], tmp_path / "out")


def test_a_cell_that_wants_more_memory_than_there_is_ends_the_child_alone(write: Write, home: pathlib.Path) -> None:
    far = struct.pack("<II", 2, 0) + struct.pack("<I", len("Siamo qui.")) + "Siamo qui.".encode("utf-16-le")
    content = unzipped_with(xlsb({"Dati": SHOP}), far, struct.pack("<I", 2**31 - 1) + far[4:])
    with pytest.raises(InputError, match=r"data\.memory"):
        ingest(home, LOCAL, [write(content)], ReadingOptions())


def unzipped_with(book: bytes, old: bytes, new: bytes) -> bytes:
    """A packed workbook with some bytes of a part replaced."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert any(old in part for part in parts.values())
    return zipped({name: part.replace(old, new) for name, part in parts.items()})


# Cells that are merged over several rows

PASSAGE, MINE = "La volpe vive nel bosco e la notte esce a caccia.", "Lo faccio io."
TALE = [("Dove?", "Nel bosco."), ("Chi?", "La volpe."), ("E poi?", "Caccia.")]
MERGES: dict[str, tuple[Rows, list[tuple[int, int, int]], list[tuple[str, ...]]]] = {  # first row, last row and column, all from 0
    "a passage over its questions": (
        [["Brano", "Domanda", "Risposta"], [PASSAGE, *TALE[0]], ["", *TALE[1]], ["", *TALE[2]], ["Altro.", "Che?", "Niente."]],
        [(1, 3, 0)],
        [*((f"{asked}\n\n{PASSAGE}", said) for asked, said in TALE), ("Che?\n\nAltro.", "Niente.")],
    ),
    "an answer over two questions": (
        [["Domanda", "Risposta"], ["Chi cuce?", MINE], ["Chi taglia?", ""], ["Chi stira?", "Anna."]],
        [(1, 2, 1)],
        [("Chi cuce?", MINE), ("Chi taglia?", MINE), ("Chi stira?", "Anna.")],
    ),
    "a header over two rows": (
        [["Domanda", "Risposta"], ["", "breve"], ["Chi cuce?", MINE], ["Chi stira?", "Anna."]],
        [(0, 1, 0)],
        [("Chi cuce?", MINE), ("Chi stira?", "Anna.")],
    ),
    "rows that are two high": (
        [["Domanda", "Risposta"], ["Chi cuce?", MINE], ["", ""], ["Chi stira?", "Anna."]],
        [(1, 2, 0), (1, 2, 1)],
        [("Chi cuce?", MINE), ("Chi stira?", "Anna.")],
    ),
}


def merged_book(path: pathlib.Path, rows: Rows, merges: list[tuple[int, int, int]]) -> pathlib.Path:
    over = {(first, column): last for first, last, column in merges}
    below = {(line, column) for first, last, column in merges for line in range(first + 1, last + 1)}
    if path.suffix == ".xlsx":
        workbook(path, F=rows)
        book = openpyxl.load_workbook(path)
        for first, last, column in merges:
            book["F"].merge_cells(start_row=first + 1, end_row=last + 1, start_column=column + 1, end_column=column + 1)
        book.save(path)
    elif path.suffix == ".xls":
        old = xlwt.Workbook()
        sheet = old.add_sheet("F")
        for line, row in enumerate(rows):
            for column, cell in enumerate(row):
                if (line, column) in over:
                    sheet.write_merge(line, over[line, column], column, column, cell)
                elif (line, column) not in below:
                    sheet.write(line, column, cell)
        old.save(path)
    else:
        text_cell = '<table:table-cell office:value-type="string"{}><text:p>{}</text:p></table:table-cell>'
        span = ' table:number-rows-spanned="{}"'
        cells = [
            [
                "<table:covered-table-cell/>"
                if (line, column) in below
                else text_cell.format(span.format(over[line, column] - line + 1) if (line, column) in over else "", cell)
                for column, cell in enumerate(row)
            ]
            for line, row in enumerate(rows)
        ]
        workbook(path, F=cells)
    return path


@pytest.mark.parametrize("kind", ["xlsx", "ods", "xls"])
@pytest.mark.parametrize("name", MERGES)
def test_a_value_that_is_merged_over_rows_is_in_each_of_them(tmp_path: pathlib.Path, name: str, kind: str) -> None:
    rows, merges, said = MERGES[name]
    assert read_here([merged_book(tmp_path / f"a.{kind}", rows, merges)], tmp_path / "out").texts == said


def test_merged_cells_are_found_behind_a_long_sheet_and_words_that_name_them(tmp_path: pathlib.Path) -> None:
    rows = [["Domanda", "Risposta"], *([f"mergeCells {n}?", MINE if n % 2 == 0 else ""] for n in range(30_000))]
    path = merged_book(tmp_path / "a.xlsx", rows, [(line, line + 1, 1) for line in range(29_991, 30_001, 2)])
    taken = read_here([path], tmp_path / "out")
    assert [row["row"] for row in taken.rows if row["row"] % 2 == 1] == [29_993, 29_995, 29_997, 29_999, 30_001]


# Formulas whose values nobody has stored

FORMULAS: dict[str, tuple[str, str, list[tuple[str, ...]], list[tuple[int, str]], int]] = {  # of the cells B2 and C2; then what comes
    "in the answer": ("<f>1+1</f><v/>", "", [("Due?", "2")], [(2, "data.row.formula")], 1),
    "without a place for the value": ("<f>1+1</f>", "", [("Due?", "2")], [(2, "data.row.formula")], 1),
    "beside": ("<v>1</v>", "<f>1+1</f><v></v>", [("Uno?", "1"), ("Due?", "2")], [], 1),
    "beside an answer that is empty": ("", "<f>1+1</f><v/>", [("Due?", "2")], [(2, "data.row.empty_answer")], 1),
    "with its value": ("<f>1+1</f><v>1</v>", "", [("Uno?", "1"), ("Due?", "2")], [], 0),
    "whose value is an empty text": ('" t="str"><f>IF(1,"")</f><v></v>', "", [("Due?", "2")], [(2, "data.row.empty_answer")], 0),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_without_its_value_is_told(write: Write, tmp_path: pathlib.Path, name: str) -> None:
    answer, note, said, faults, count = FORMULAS[name]
    words = "".join(f"<c t='inlineStr'><is><t>{word}</t></is></c>" for word in ("Domanda", "Risposta", "Nota"))
    cell = f'<c r="B2{answer}</c>' if answer.startswith('"') else f'<c r="B2">{answer}</c>'
    rows = f"<row>{words}</row><row><c t='inlineStr'><is><t>Uno?</t></is></c>{cell}<c>{note}</c></row>"
    rows += "<row><c t='inlineStr'><is><t>Due?</t></is></c><c><v>2</v></c></row>"
    sheet = f'<worksheet xmlns="{NS}"><sheetData>{rows}</sheetData></worksheet>'
    taken = read_here([write(by_hand(sheet))], tmp_path / "out")
    assert taken.texts == said and taken.faults == faults
    told = [finding["params"] for finding in taken.reading.findings if finding["code"] == "data.note.formulas"]
    assert told == [{"count": 1, "row": 2}] * count


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_sheet_of_formulas_alone_says_how_to_have_their_values(tmp_path: pathlib.Path, kind: str) -> None:
    formula = "=1+1" if kind == "xlsx" else '<table:table-cell table:formula="of:=1+1"/>'
    path = workbook(tmp_path / f"a.{kind}", F=[["Domanda", "Risposta"], ["Uno?", formula], [formula, formula]])
    with pytest.raises(InputError) as refused:
        read_here([path], tmp_path / "out")
    assert (refused.value.code, refused.value.params["fault"], refused.value.params["row"]) == ("data.nothing", "data.row.formula", 2)


@pytest.mark.parametrize("code", ["[$-409]m/d/yy\\ h:mm\\ AM/PM;@", "m/d/yy h:mm", "dd/mm/yyyy hh:mm"])
def test_the_times_of_a_chat_divide_it(tmp_path: pathlib.Path, code: str) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Data", "Nome", "Messaggio"])
    for day in (10, 11, 12):
        for hour, name in ((9, "Anna"), (10, "Sarto"), (21, "Anna"), (22, "Sarto")):
            book.active.append([datetime.datetime(2024, 5, day, hour, 15), name, f"Frase {day}.{hour}"])
            book.active.cell(book.active.max_row, 1).number_format = code
    book.save(tmp_path / "a.xlsx")
    assert len(read_here([tmp_path / "a.xlsx"], tmp_path / "out", {"assistant": "Sarto"}).rows) == 6
