"""Workbooks of several sheets: the one that is understood is read, the others are named, and any of them can be chosen."""

import pathlib

import pytest

from tests.data.books import Rows, ods_of, workbook
from tests.data.conftest import read_here
from tests.data.corpus_books import book, sheet
from tuning.cli.main import main
from tuning.errors import InputError

SHOP: Rows = [["Domanda", "Risposta"], ["Dove?", "Qui"], ["Quando?", "Ora"]]
TITLES = ["Come usare questo file", "Scrivete nel secondo foglio"]
BEFORE: dict[str, Rows] = {
    "instructions": [[line] for line in TITLES],
    "notes": [["Testo"], *([line] for line in TITLES)],
    "a register": [["Data", "Autore", "Ore"], ["1/2", "Anna", "3"], ["2/2", "Ugo", "4"]],
    "names of columns alone": [["Domanda", "Risposta"]],
    "a cover": [["Sartoria"], ["2024"]],
}
WITHIN: dict[str, tuple[Rows, tuple[str, ...]]] = {
    "question and answer": (SHOP, ("Dove?", "Qui")),
    "headers by their meaning": (
        [["Domanda del cliente", "Note", "Risposta nostra"], ["Dove siete?", "", "Siamo qui."], ["Quando aprite?", "x", "Apriamo ora."]],
        ("Dove siete?", "Siamo qui."),
    ),
    "below a title": ([["Listino", ""], *SHOP], ("Dove?", "Qui")),
    "English": ([["Prompt", "Completion"], ["Where?", "Here"]], ("Where?", "Here")),
    "chosen and rejected": ([["prompt", "chosen", "rejected"], ["Where?", "Here", "No"]], ("Where?", "Here")),
}


def note_of(findings: list[dict]) -> dict:
    return next(note["params"] for note in findings if note["code"] == "data.note.sheets")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", WITHIN)
def test_the_sheet_that_is_understood_is_read_and_the_others_are_named(tmp_path: pathlib.Path, before: str, name: str) -> None:
    rows, texts = WITHIN[name]
    path = workbook(tmp_path / "shop.xlsx", Istruzioni=BEFORE[before], Dati=rows, Fine=[["x"]])
    taken = read_here([path], tmp_path / "out")
    assert taken.texts[0] == texts
    assert note_of(taken.reading.findings) == {"sheet": "Dati", "count": 2, "others": "Istruzioni, Fine", "example": "Istruzioni"}


def test_of_several_sheets_that_are_understood_the_first_is_read(tmp_path: pathlib.Path) -> None:
    path = workbook(tmp_path / "shop.xlsx", Uno=SHOP, Due=[["Domanda", "Risposta"], ["Chi?", "Noi"]])
    assert read_here([path], tmp_path / "out").texts[0] == ("Dove?", "Qui")
    taken = read_here([path], tmp_path / "out", {"sheet": "due"})
    assert taken.texts == [("Chi?", "Noi")] and note_of(taken.reading.findings)["others"] == "Uno"


def test_a_sheet_is_chosen_beside_its_columns(tmp_path: pathlib.Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Uno=SHOP, Due=[["Uno", "Due", "Tre"], ["Chi?", "", "Noi"]])
    for mapping in ({"question": "Uno", "answer": "Tre"}, {"sheet": "Due", "question": "Uno", "answer": "Tre"}):
        taken = read_here([path], tmp_path / "out", mapping)
        assert taken.texts == [("Chi?", "Noi")] and taken.reading.mapping == {"question": "Uno", "answer": "Tre"}


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(tmp_path: pathlib.Path) -> None:
    path = workbook(tmp_path / "x.xlsx", Uno=SHOP, Due=SHOP, Vuoto=[])
    with pytest.raises(InputError) as refused:
        read_here([path], tmp_path / "out", {"sheet": "Tre"})
    assert (refused.value.code, refused.value.params) == ("data.sheet", {"sheet": "Tre", "sheets": "Uno, Due"})
    table = tmp_path / "x.csv"
    table.write_text("Domanda;Risposta\nDove?;Qui\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"data\.sheet\.none"):
        read_here([table], tmp_path / "out", {"sheet": "Uno"})


@pytest.mark.parametrize("lang", ["en", "it"])
def test_the_terminal_says_which_sheet_was_read_and_how_to_have_another(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    path = workbook(tmp_path / "shop.xlsx", Istruzioni=BEFORE["instructions"], Dati=SHOP, Altri=[*SHOP, ["Chi?", "Noi"]])
    check = ["--home", str(tmp_path / "home"), "check", str(path), "--lang", lang]
    assert main(check) == 0
    said = capsys.readouterr().out
    assert "Dati" in said and '--map "sheet=Altri"' in said and "Istruzioni, Altri" in said
    assert main([*check, "--map", "sheet=Altri"]) == 0
    assert "rows_kept: 3" in capsys.readouterr().out
    assert main([*check, "--map", "sheet=Altro"]) != 0
    assert "Istruzioni, Dati, Altri" in capsys.readouterr().err


def test_where_no_sheet_is_understood_all_of_them_are_named(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workbook(tmp_path / "shop.xlsx", Uno=BEFORE["instructions"], Due=BEFORE["a register"])
    assert main(["--home", str(tmp_path / "home"), "check", str(path), "--lang", "en"]) != 0
    said = capsys.readouterr().err
    assert "“Uno”" in said and '--map "sheet=Due"' in said


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_rows_that_a_sheet_hides_are_read_and_told(tmp_path: pathlib.Path, kind: str) -> None:
    if kind == "xlsx":
        made = sheet(*(tuple(row) for row in SHOP)).replace('<row r="3">', '<row r="3" hidden="1">')
        path = tmp_path / "upload"
        path.write_bytes(book(made))
    else:
        rows = [
            f"<table:table-row{more}>{''.join(map(_cell, row))}</table:table-row>" for row, more in zip(SHOP, ("", "", HIDDEN), strict=True)
        ]
        path = tmp_path / "upload"
        path.write_bytes(ods_of(f'<table:table table:name="A">{"".join(rows)}</table:table>'))
    taken = read_here([path], tmp_path / "rows")
    assert taken.texts == [("Dove?", "Qui"), ("Quando?", "Ora")]
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.hidden"] == [{"count": 1, "row": 3}]


HIDDEN = ' table:visibility="filter"'


def _cell(said: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{said}</text:p></table:table-cell>'
