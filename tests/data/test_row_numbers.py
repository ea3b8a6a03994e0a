"""The number of a row is the one that whoever made the file sees beside it: in a spreadsheet, in an editor, in a list."""

import json
import pathlib

import openpyxl
import pytest

from tests.data.conftest import Take, Write, read_here
from tuning.cli.main import main

TABLES = {  # rows "Uno?" and "Tre?" are good, "" has no question: the numbers that Excel and LibreOffice show for the three
    "a table": ("Domanda;Risposta\nUno?;1\n;2\nTre?;3\n", (2, 3, 4)),
    "without a header": ("Uno?,1\n,2\nTre?,3\n", (1, 2, 3)),
    "cells of several lines": ('q,a\n"Uno?\nma\ndavvero",1\n,2\n"Tre?\n",3\n', (2, 3, 4)),
    "blank lines": ("Domanda,Risposta\n\nUno?,1\n\n\n,2\nTre?,3\n", (3, 6, 7)),
    "blank rows of an export": ("Question;Answer;;\nUno?;1;;\n;;;\n;2;;\n;;;\nTre?;3;;\n", (2, 4, 6)),
    "a title": ("Le domande\n\nDomanda;Risposta\nUno?;1\n;2\nTre?;3\n", (4, 5, 6)),
    "Excel's hint, which it obeys and does not show": ("sep=;\r\nDomanda;Risposta\r\nUno?;1\r\n;2\r\nTre?;3\r\n", (2, 3, 4)),
    "Excel's hint and a title": ("sep=;\nFAQ;\nDomanda;Risposta\nUno?;1\n;2\nTre?;3\n", (3, 4, 5)),
    "tabs, as they are pasted": ("Question\tAnswer\nUno?\t1\n\t2\nTre?\t3\n", (2, 3, 4)),
    "lines of JSON": ('{"q": "Uno?", "a": "1"}\n\n{"q": "", "a": "2"}\n{"q": "Tre?", "a": "3"}\n', (1, 3, 4)),
    "a list of JSON": (json.dumps([{"q": q, "a": "1"} for q in ("Uno?", "", "Tre?")], indent=1), (1, 2, 3)),
}


@pytest.mark.parametrize("name", TABLES)
def test_rows_have_the_number_that_a_spreadsheet_shows(take: Take, name: str) -> None:
    content, (first, bad, last) = TABLES[name]
    taken = take(content, {"question": "A", "answer": "B"} if name == "without a header" else None)
    assert [row["row"] for row in taken.rows] == [first, last]
    assert taken.faults == [(bad, "data.row.empty_question")]
    (told,) = [note["params"] for note in taken.reading.findings if note["code"] == "data.check.refused.empty_question"]
    assert told["rows"] == str(bad)


def test_rows_of_a_workbook_have_their_number_in_the_sheet(tmp_path: pathlib.Path) -> None:
    book = openpyxl.Workbook()
    for number, cells in {1: ("Listino",), 3: ("Domanda", "Risposta"), 4: ("Uno?", "1"), 7: ("", "2"), 12: ("Tre?", "3")}.items():
        for column, cell in enumerate(cells, start=1):
            book.active.cell(number, column, cell)
    book.save(tmp_path / "x.xlsx")
    taken = read_here([tmp_path / "x.xlsx"], tmp_path / "out")
    assert [row["row"] for row in taken.rows] == [4, 12] and taken.faults == [(7, "data.row.empty_question")]


@pytest.mark.parametrize(("lang", "said"), [("en", "(row 3)"), ("it", "(riga 3)")])
def test_a_sentence_names_the_row_as_the_spreadsheet_does(
    write: Write, tmp_path: pathlib.Path, lang: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("Domanda;Risposta\nUno?;1\n;2\nTre?;3\n", "faq.csv")
    assert main(["--home", str(tmp_path / "home"), "check", str(path), "--lang", lang]) == 0
    assert said in capsys.readouterr().out
