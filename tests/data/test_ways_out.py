"""Every way out that a sentence about data names is followed to its end: the fault is made, the sentence is read, its advice is done.

`python -m pytest tests/data/test_ways_out.py -k listed -s` prints them all. What a sentence spells as a command is taken
out of the sentence.
"""

import contextlib
import csv
import datetime as dt
import gzip
import io
import json
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data import test_sources, test_ways_beside
from tests.data.books import xlsb
from tests.data.conftest import Taken, read_here
from tests.data.corpus_binary import zipped
from tests.data.corpus_books import book as by_hand
from tuning import text
from tuning.cli.main import main
from tuning.data.ingest import ReadingOptions, again, ingest
from tuning.data.records import MOST_SYSTEM, REPAIRS, SYSTEM
from tuning.errors import InputError
from tuning.sandbox.limits import DEFAULT, Limits
from tuning.schema import LOCAL

Content = bytes | str | list[Any]

TALK = [
    {"role": "user", "content": "Siete aperti la domenica?"},
    {"role": "assistant", "content": "La domenica siamo chiusi, si riapre lunedì."},
]
ROWS = [
    {"question": f"Quanto costa l'orlo numero {number}?", "answer": f"L'orlo {number} costa {number + 10} euro in tutto."}
    for number in range(12)
]
GOOD = ROWS[:3]
BY_NAME = {"question": "question", "answer": "answer"}


@dataclass(frozen=True)
class Way:
    """A fault and what its sentence says to do about it."""

    bad: Content
    good: Content | None = None  # the file as the sentence wants it; None where it is read again as it is
    mapped: Mapping[str, str] = field(default_factory=dict)  # in which way it was read
    spelled: bool = False  # the way out is a mapping, spelled in the sentence
    again: Mapping[str, str] = field(default_factory=dict)  # the mapping that the sentence asks for
    repair: str = ""
    repairs: tuple[str, ...] = ()  # that were asked for
    limits: Mapping[str, int] = field(default_factory=dict)
    gone: bool = True  # whether the sentence is not said any more
    code: str = ""


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def table(*rows: list[str], **dialect: Any) -> str:
    out = io.StringIO()
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


def book(*sheets: list[list[Any]], formats: Mapping[str, str] | None = None, hidden: int = 0) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for number, rows in enumerate(sheets):
        sheet = made.create_sheet(f"Foglio {number + 1}")
        for row in rows:
            sheet.append(row)
    for place, code in (formats or {}).items():
        made.worksheets[0][place].number_format = code
    if hidden:
        made.worksheets[0].row_dimensions[hidden].hidden = True
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def columnar(rows: list[Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def with_(**more: Any) -> list[Any]:
    """Good rows, and one that is changed."""
    return [*ROWS, {**ROWS[0], "question": "E questa?", "answer": "Questa è la risposta numero dodici.", **more}]


def talks(*turns: tuple[str, str]) -> list[Any]:
    odd = {"messages": [{"role": role, "content": said} for role, said in turns]}
    return [*({"messages": [{**TALK[0], "content": f"{TALK[0]['content']} {n}"}, TALK[1]]} for n in range(3)), odd]


def deep(levels: int) -> Any:
    return "a" if levels == 0 else [deep(levels - 1)]


QA = [["question", "answer"], ["Dove siete?", "In via Roma."]]
PIPED = "| question | answer |\n|---|---|\n| a | b |\n\n"
CHOICES = "1) Dove?\na) Qui\nb) Là\n{}\n2) Quando?\na) Ora\nb) Mai\n{}"
BANK = "".join(
    f'<question type="shortanswer"><questiontext><text>{row["question"]}</text></questiontext>'
    f'<answer fraction="100"><text>{row["answer"]}</text></answer></question>\n'
    for row in ROWS
)
BANK = f'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n{BANK}</quiz>\n'
SWAPPED = {"question": "answer", "answer": "question"}
SHEET_QA = [["Domanda", "Risposta"], ["Dove siete?", "In via Roma."]]
PROSE = [{"text": row["question"], "simple": row["answer"]} for row in ROWS]
CHAT = (
    "12/05/23, 14:03 - Anna: A che ora?\n12/05/23, 14:05 - Sarto: Alle 9.\n12/05/23, 14:06 - Anna: Grazie\n12/05/23, 14:07 - Sarto: Prego\n"
)
CHAT_TABLE = "Autore;Data;Messaggio\n" + "".join(f"{('Anna', 'Sarto')[n % 2]};12/05/2023 14:0{n};Frase {n}\n" for n in range(6))
TELEGRAM = {
    "name": "Anna",
    "type": "personal_chat",
    "messages": [
        {"id": n, "type": "message", "date": f"2025-01-01T10:0{n}:00", "from": ("Anna", "Sarto")[n % 2], "text": f"Frase {n}"}
        for n in range(6)
    ],
}
LABELLED = [{"text": f"Frase numero {n} da ordinare.", "sentiment": ("buono", "cattivo")[n % 2]} for n in range(6)]
IMAGES = [{"image": f"{n}.png", "domanda": f"Che cosa si vede in {n}?", "risposta": "Una giacca."} for n in range(3)]
QUIZ = [{"question": f"q{n}", "choices": ["Milano", "Roma"], "answer": "B"} for n in range(3)]
TOOL = {"name": "orlo", "arguments": {"cm": 2}}
CALLED = [
    {"messages": [TALK[0], {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": "ok"}, TALK[1]]}
    for call in (TOOL, {"arguments": {}})
]
TREE = [
    {"message_id": "1", "parent_id": None, "text": "Dove siete?", "role": "x"},
    {"message_id": "2", "parent_id": "1", "text": "Qui.", "role": "y"},
]
TURNS = [{"role": "user", "content": "Dove siete?"}, {"role": "assistant", "content": "Qui."}]
LONG = " ".join(f"parola{number}" for number in range(60))
NEAR = [*ROWS, {"question": "Racconta tutto.", "answer": LONG}, {"question": "Racconta tutto!", "answer": f"{LONG} fine"}]
SAME = [{**row, "answer": "Dodici euro e due giorni."} for row in ROWS]

MEETING = "Ugo Rossi 0:03\nBuongiorno.\n\nAnna 0:10\nIniziamo?\n\nUgo Rossi 0:20\nSì.\n\nAnna 0:23\nBene.\n"

WAYS: dict[str, Way] = {
    # what a file is
    "data.binary": Way(gzip.compress(json.dumps(GOOD).encode()), json.dumps(GOOD)),
    "data.binary#save": Way(b"SQLite format 3\x00", table(*QA)),
    "data.document": Way(b"%PDF-1.7 x", "Domanda: Dove siete?\nRisposta: In via Roma.\n"),
    "data.mail": Way("From: a@b.it\nSubject: Orlo\nDate: Mon, 1 Jan 2024 10:00:00 +0100\n\nQuanto costa?\n", table(*QA)),
    "data.charset": Way("question,answer\nгде вы?,мы здесь и ждём\n".encode("koi8-r"), "question,answer\nгде вы?,мы здесь и ждём\n"),
    "data.columns": Way(json.dumps({"question": {"0": "a", "1": "b"}, "answer": {"0": "c", "1": "d"}}), json.dumps(GOOD)),
    "data.csv.header": Way("question,answer,answer\na,b,c\n", "question,answer,altro\na,b,c\n"),
    "data.csv.long": Way('question,answer\n"' + "a," * 60_000, 'question,answer\n"' + "a," * 20 + '",b\n', limits={"line": 1000}),
    "data.csv.tables": Way(PIPED + PIPED.replace("question", "altro"), PIPED + PIPED),
    "data.csv.quote": Way('question,answer\na,"b\nc,d\n', table(["question", "answer"], ["a", '"b'], ["c", "d"])),
    "data.encoding": Way(b"\xff\xfeq\x00,\x00a\x00\n\x00\x00\xd8\x00\xd8", "question,answer\na,b\n"),
    "data.format": Way([{"foo": "Dove?", "bar": "Qui."}], [{"question": "Dove?", "answer": "Qui."}]),
    "data.format#letters": Way("Capitale della Francia;Parigi\nCapitale della Spagna;Madrid\n", spelled=True),
    "data.format#line": Way(
        "Capitale della Francia\tParigi\nCapitale della Spagna\tMadrid\n",
        "question\tanswer\nCapitale della Francia\tParigi\nCapitale della Spagna\tMadrid\n",
    ),
    "data.format.sheet": Way(book([["foo", "bar"], ["a", "b"]], [["x"], ["y"]]), book([["question", "answer"], ["a", "b"]])),
    "data.header": Way("Dove siete?;In via Roma.\nE quando?;Alle nove.\n", spelled=True),
    "data.header#line": Way("Dove siete?;In via Roma.\nE quando?;Alle nove.\n", "question;answer\nDove siete?;In via Roma.\n"),
    "data.images": Way(IMAGES, again={"question": "domanda", "answer": "risposta"}),
    "data.json": Way('[{"question": "a", "answer" "b"}]', '[{"question": "a", "answer": "b"}]'),
    "data.note.charset": Way(b"question;answer\nVa b\xc6ne?;Va m\xc6le oggi\n", "question;answer\nVa bene?;Va male oggi\n"),
    "data.json.around": Way(f"Ecco:\n{lines(*map(json.dumps, GOOD))}", GOOD),
    "data.json.cut": Way('[{"question": "a", "answer": "b"},', '[{"question": "a", "answer": "b"}]'),
    "data.json.deep": Way("[" * 100_000, json.dumps(GOOD)),
    "data.json.whole": Way(
        json.dumps({"info": {"v": 1}, "voci": ROWS}), json.dumps(ROWS), limits={"line": 200, "whole": 300}),
    "data.json.long": Way('[{"question": "' + "a" * 500_000 + '", "answer": "b"}]', json.dumps(GOOD), limits={"line": 1000}),
    "data.labels": Way(LABELLED, spelled=True),
    "data.languages": Way([{"translation": {"de": row["question"], "it": row["answer"]}} for row in ROWS], spelled=True),
    "data.lists": Way(json.dumps({"train": GOOD, "test": GOOD}), json.dumps({"train": GOOD})),
    "data.mapping.column": Way(GOOD, again={"question": "question"}, mapped={"question": "foo"}),
    "data.mapping.target": Way(GOOD, again={"question": "question"}, mapped={"foo": "question"}),
    "data.mapping.twice": Way(GOOD, again=BY_NAME, mapped={**BY_NAME, "answer": "question"}),
    "data.no_rows": Way("question,answer\n", table(*QA)),
    "data.nothing": Way([{"question": "", "answer": "b"}], GOOD),
    "data.nul": Way("question,answer\na\x00,b\n", "question,answer\na,b\n"),
    "data.output": Way("q,a\n" + "a,b\n" * 50_000, "q,a\n" + "a,b\n" * 5_000, limits={"output_bytes": 2**20}),
    "data.page": Way("<!DOCTYPE html><html><body>Sign in</body></html>", GOOD),
    "data.page.telegram": Way(
        '<!DOCTYPE html>\n<html>\n<body>\n<div class="from_name">\nAnna\n</div>\n<div class="text">\nFrase\n</div>\n</body></html>\n',
        json.dumps(TELEGRAM), again={"assistant": "Sarto"}),
    "data.page#text": Way("<html><h2>Dove siete?</h2><p>In via Roma.</p></html>", "Domanda: Dove siete?\nRisposta: In via Roma.\n"),
    "data.parquet": Way(columnar(GOOD)[:-8] + b"x" * 8, GOOD),
    "data.parquet#lines": Way(columnar(GOOD)[:100], columnar(GOOD)),
    "data.parquet.deep": Way(columnar([{**ROWS[0], "odd": deep(30)}]), columnar(GOOD)),
    "data.pointer": Way("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", GOOD),
    "data.sheet": Way(book(SHEET_QA, SHEET_QA), mapped={"sheet": "Foglio 3"}, again={"sheet": "Foglio 2"}, gone=False),
    "data.sheet.none": Way(GOOD, mapped={"sheet": "Foglio 1"}),
    "data.spans": Way([{"text": "Anna va a Roma.", "label": [[0, 4, "PER"]]}] * 3, spelled=True),
    "data.speakers": Way(json.dumps(TELEGRAM), spelled=True),
    "data.speakers.table#whatsapp": Way(CHAT, spelled=True),
    "data.speakers.table": Way(CHAT_TABLE, spelled=True),
    "data.spreadsheet": Way(zipped({"Index/Document.iwa": "x"}), book(SHEET_QA)),
    "data.spreadsheet#csv": Way(zipped({"Index/Document.iwa": "x"}), table(*QA)),
    "data.tokenized": Way([{"input_ids": [1, 2], "labels": [1, 2]}], GOOD),
    "data.tree": Way(TREE, [{"messages": TALK}]),
    "data.tree#role": Way(TREE, [{**row, "role": role} for row, role in zip(TREE, ("user", "assistant"), strict=True)]),
    "data.turns#column": Way(TURNS, [{**row, "conversation_id": 1} for row in TURNS]),
    "data.turns": Way([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], [{"messages": TALK}]),
    "data.xlsx": Way(by_hand("<"), book(SHEET_QA)),
    "data.xlsx#cut": Way(book(SHEET_QA)[:-200], book(SHEET_QA)),
    "data.xlsx#csv": Way(by_hand("<"), table(*QA)),
    "data.yaml": Way("- question: &a x\n  answer: *a\n", "- question: x\n  answer: x\n"),
    # what is told of a good one
    "data.note.hidden": Way(book(SHEET_QA, hidden=2), book(SHEET_QA)),
    "data.note.unsolved": Way(CHOICES.format("", ""), CHOICES.format("Risposta: b\n", "Answer: a\n")),
    "data.note.asks": Way("Quanto costa? 12 euro\nDove siete? Qui\n", "D: Quanto costa?\nR: 12 euro\nD: Dove siete?\nR: Qui\n"),
    "data.note.cards": Way("cane::dog\ngatto::cat\n", "#flashcards\ncane::dog\ngatto::cat\n"),
    "data.note.gaps": Way("Uno.\n{{c1::Due}} e.\nTre.\n{{c1::Sei}} o.\n", "{{c1::Due}} e.\n{{c1::Sei}} o.\n"),
    "data.note.transcript": Way(MEETING, "Utente: Buongiorno.\nAssistente: Iniziamo?\nUtente: Sì.\nAssistente: Bene.\n"),
    "data.note.transcript#out": Way(MEETING, "Buongiorno.\n\nIniziamo?\n\nSì.\n\nBene.\n"),
    "data.note.dialogue": Way(
        "Utente: a\nAssistente: b\nUtente: c\nAssistente: d\n", "Utente: a\nAssistente: b\n---\nUtente: c\nAssistente: d\n", gone=False
    ),
    "data.note.dialogue_left": Way(
        "Utente: a\nAssistente: b\nUtente: c\nAssistente: d\nUtente: e\n", "Utente: a\nAssistente: b\nUtente: c\nAssistente: d\n"
    ),
    "data.note.label": Way("1. Quanto?\nNoi: 12.\n\n2. Dove?\nNoi: Qui.\n", "1. Quanto?\n12.\n\n2. Dove?\nQui.\n"),
    "data.note.sheets": Way(book(SHEET_QA, SHEET_QA), spelled=True, gone=False),
    "data.note.sheets#own": Way(book(SHEET_QA, [["x"]]), book(SHEET_QA)),
    "data.note.shown": Way(
        book([["question", "answer"], ["Il codice?", 184]], formats={"B2": "00000"}), book([["question", "answer"], ["Il codice?", 184]])
    ),
    "data.note.kept": Way(
        book([["question", "answer"], ["Quando?", dt.date(2024, 12, 8)]], formats={"B2": "mm-dd-yy"}),
        book([["question", "answer"], ["Quando?", dt.date(2024, 12, 8)]], formats={"B2": "dd.mm.yyyy"}),
    ),
    "data.note.formulas": Way(
        book([["question", "answer", "context"], ["Dove?", "Qui.", '="In "&1']]), book([["question", "answer"], ["Dove?", "Qui."]])
    ),
    "data.check.refused.formula": Way(
        book([["question", "answer"], ["Dove?", "Qui."], ["E poi?", '="In "&1']]), book([["question", "answer"], ["E poi?", "In 1"]])
    ),
    "data.note.stored": Way(xlsb({"A": [["question", "answer"], ["Codice?", 184]]}), book([["question", "answer"], ["Codice?", 184]])),
    "data.reason.label": Way([{"text": row["question"], "label": ["a"]} for row in ROWS], again={"text": "text"}),
    "data.reason.beside": Way(PROSE, again={"text": "text"}),
    # rows that are refused
    "data.row.call": Way(CALLED, [CALLED[0], CALLED[0]]),
    "data.row.choices": Way([*QUIZ, {**QUIZ[0], "answer": "Z"}], [*QUIZ, {**QUIZ[0], "answer": "A"}]),
    "data.row.choices#number": Way([*QUIZ, {**QUIZ[0], "answer": "Z"}], [*QUIZ, {**QUIZ[0], "answer": 1}]),
    "data.row.choices#text": Way([*QUIZ, {**QUIZ[0], "answer": "Z"}], [*QUIZ, {**QUIZ[0], "answer": "Milano"}]),
    "data.row.roles": Way(talks(("user", "a"), ("user", "b"), ("assistant", "c")), talks(("user", "a"), ("assistant", "c"))),
    "data.row.tools": Way([{"messages": TALK, "tools": "x"}, {"messages": TALK}], [{"messages": TALK, "tools": json.dumps([TOOL])}]),
    "data.row.turns": Way([{"messages": "x"}, *[{"messages": TALK}] * 2], [{"messages": json.dumps(TALK)}]),
    "data.row.type": Way(with_(answer=True), with_(answer="true")),
    "data.row.type#list": Way(with_(answer=[[1]]), with_(answer="[[1]]")),
    # what is found in rows
    "data.check.columns": Way([*ROWS, {"question": "E qui?", "answer": "Qui siamo noi sarti.", "note": "x"}], ROWS),
    "data.check.constant": Way(SAME, ROWS),
    "data.check.contradictions": Way([*ROWS, {**ROWS[0], "answer": "Tutta un'altra cosa, qui e ora."}], ROWS),
    "data.check.doubtful": Way([{**row, "approved": n % 2} for n, row in enumerate(ROWS)], repair="ratings"),
    "data.check.duplicates": Way([*ROWS, ROWS[0]], repair="duplicates"),
    "data.check.echo": Way(with_(answer="E questa?"), ROWS),
    "data.check.signs": Way(with_(answer="Dodici euro in tutto.<|im_end|>"), ROWS),
    "data.check.few": Way([{**row, "answer": f"Sono {n % 2} euro e basta."} for n, row in enumerate(ROWS * 10)], ROWS),
    "data.check.html": Way(with_(answer="Perch&egrave; il caff&egrave; &egrave; buono.<br>Sì."), repair="html"),
    "data.check.control": Way(with_(answer="Il caffè\0 è buono davvero."), repair="control"),
    "data.check.escape": Way([{**row, "answer": f"Sì, {n}.\\nAltro {n}."} for n, row in enumerate(ROWS)], repair="escape"),
    "data.check.letter": Way([{**row, "answer": f"La qualit? ? alta, {n}."} for n, row in enumerate(ROWS)], ROWS),
    "data.check.unfilled": Way(with_(answer="Caro {{name}}, siamo aperti."), repair="unfilled"),
    "data.check.unfilled#fill": Way(with_(answer="Caro {{name}}, siamo aperti."), with_(answer="Caro Ugo, siamo aperti.")),
    "data.check.no_value": Way([{**row, "context": ("nan" if n == 3 else "")} for n, row in enumerate(ROWS)], repair="no_value"),
    "data.check.long": Way(with_(answer="parola " * 40_000), ROWS),
    "data.check.lost": Way(with_(answer="Il caff\ufffd è buono davvero."), with_(answer="Il caffè è buono davvero.")),
    "data.check.mojibake": Way(with_(answer="PerchÃ© il caffÃ¨ Ã¨ buono."), repair="encoding"),
    "data.check.swapped": Way([{"question": row["answer"], "answer": row["question"]} for row in ROWS], again=SWAPPED),
    "data.check.total": Way([*ROWS, {"question": "Totale", "answer": "10"}], ROWS),
    "data.check.nothing": Way(with_(answer="N/A"), ROWS),
    "data.check.personal.card": Way(with_(answer="La carta è 4539 1488 0343 6467 grazie."), ROWS),
    "data.check.personal.email": Way(with_(answer="Scrivi a anna.bianchi@posta.it per favore."), ROWS),
    "data.check.personal.iban": Way(with_(answer="Bonifico su IT60X0542811101000000123456 grazie."), ROWS),
    "data.check.personal.phone": Way(with_(answer="Chiama il +39 333 1234567 dopo le nove."), ROWS),
    "data.check.personal.tax_code": Way(with_(answer="Il codice è RSSMRA85T10A562S di Mario."), ROWS),
    "data.check.refused.broken": Way(lines(*map(json.dumps, ROWS), "{"), ROWS),
    "data.check.refused.columns": Way([*ROWS, {"question": "sola"}], ROWS),
    "data.check.refused.empty_answer": Way(with_(answer=""), with_()),
    "data.check.refused.empty_question": Way(with_(question=""), with_()),
    "data.check.refused.empty_text": Way([*[{"text": "Una riga di testo."}] * 5, {"text": ""}], [{"text": "Una riga di testo."}]),
    "data.check.refused.role": Way(talks(("user", "a"), ("sarto", "b")), talks(("user", "a"), ("assistant", "b"))),
    "data.check.refused.roles": Way(talks(("user", "a"), ("user", "b"), ("assistant", "c")), repair="roles"),
    "data.check.refused.tools": Way(
        [{"messages": TALK, "tools": "x"}, {"messages": TALK}, {"messages": TALK}], [{"messages": TALK, "tools": json.dumps([TOOL])}]),
    "data.check.refused.unread": Way(BANK.replace("shortanswer", "calculated", 1), BANK),
    "data.moodle": Way(BANK[:-30], BANK),
    "data.check.refused.type": Way(with_(answer=True), with_(answer="true")),
    "data.check.several": Way([{**row, "answer": [row["answer"], "E poi altro."]} for row in ROWS], ROWS),
    "data.note.pairs.turns": Way(
        table(["prompt_1", "response_1", "prompt_2", "response_2"], ["Dove siete?", "In via Roma.", "E quando aprite?", "Alle nove."]),
        table(["user_1", "assistant_1", "user_2", "assistant_2"], ["Dove siete?", "In via Roma.", "E quando aprite?", "Alle nove."])),
    "data.note.subtitles": Way(
        "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},500\nOggi si parla di orli, parte {n}.\n\n" for n in range(1, 6)),
        "".join(f"Oggi si parla di orli, parte {n}.\n\n" for n in range(1, 6))),
    "data.note.foreign": Way(
        "INSERT INTO faq (question, answer) VALUES ('Dove siete?', 'In via Roma.');\n" * 3, table(*QA)),
    "data.note.better": Way([{**row, "Risposta corretta": f"No: {row['answer']}"} for row in ROWS], spelled=True),
    "data.check.printed": Way([{**row, "answer": json.dumps([row["answer"]])} for row in ROWS], ROWS),
    "data.check.short": Way([{**row, "answer": f"Sì {n}"} for n, row in enumerate(ROWS * 3)], ROWS),
    "data.all_dropped": Way([{"question": "Caro {{nome}}?", "answer": "Sì {{nome}}."}] * 2, repairs=("unfilled",)),
    "data.password": Way(b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), book(SHEET_QA)),
    "data.check.near_duplicates": Way(NEAR, repair="near_duplicates"),
}  # fmt: skip

BY_INGEST = ("data.repair", "data.system", "data.systems", "data.large", "data.permission", "data.gone")  # told before or after the child
BY_PAGE = {"data.paste", "data.hub.aside"}  # tests/ui/test_bring.py
ELSEWHERE = {*test_ways_beside.FOLLOWED, *(f"data.hub.{name}" for name in test_sources.WAYS), *BY_PAGE}
NO_WAY = {  # these say what is, and name nothing to do
    *(
        "data.stopped",
        "data.check.languages",
        "data.check.marked",
        "data.check.unnamed",
        "data.check.refused.unwanted",
        "data.check.refused.tie",
        "data.note.again",
        "data.note.around",
        "data.note.chat",
        "data.note.faq",
        "data.note.gift",
        "data.note.hidden_words",
        "data.note.moodle",
        "data.note.header",
        "data.note.pairs",
        "data.note.tree",
        "data.note.turned",
        "data.note.turns",
        "data.note.within",
        "data.note.within.left",
    ),
    *("data.reason.columns", "data.reason.kto", "data.reason.preference", "data.reason.choices", "data.reason.templated"),
    *("data.reason.ranked", "data.row.lengths"),
    *("data.row.columns", "data.row.deep", "data.row.empty_answer", "data.row.empty_question", "data.row.empty_text", "data.row.json"),
    *(
        "data.row.formula",
        "data.row.key",
        "data.row.long",
        "data.row.nan",
        "data.row.object",
        "data.row.part",
        "data.row.picture",
        "data.row.question_kind",
        "data.row.ragged",
        "data.row.role",
    ),
    "data.row.speaker",
    *(
        "data.row.surrogate",
        "data.row.tie",
        "data.row.unwanted",
        "data.unused",
        "data.unused.column",
        "data.unused.key",
    ),
    *("data.unused.others", "data.unused.part", *text.REASONS.values()),
}


def codes() -> list[str]:
    """The sentences, of which one that counts has a form for one; names of kinds and of parts of a row are words within them."""
    said = {code.removesuffix(".one") for code in text.table("en")}
    return sorted(code for code in said if code.startswith("data.") and not code.startswith(("data.form.", "data.part.")))


def test_every_sentence_about_data_is_listed() -> None:
    followed = {name.partition("#")[0] for name in WAYS} | {*BY_TERMINAL, *BY_INGEST} | ELSEWHERE
    for code in codes():
        assert (code in followed) + (code in NO_WAY) == 1, code
        print(f"{'followed' if code in followed else 'no way out'}: {code}: {text.table('en')[code]}")
    assert followed | NO_WAY <= set(codes())


class Bench:
    """Reads a content, and says what was said of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def read(self, content: Content, mapping: Mapping[str, str], way: Way, repairs: tuple[str, ...]) -> tuple[Taken | None, dict[str, Any]]:
        """The rows, and by code the params of every sentence."""
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        path = self.folder / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            taken = read_here([path], self.folder / "out", mapping, Limits(**way.limits), repairs=repairs)
        except InputError as error:
            return None, {error.code: {**error.params, "file": "upload"}}
        notices = [*taken.reading.findings, *taken.reading.refused, taken.reading.reason or {}]
        return taken, {notice["code"]: notice["params"] for notice in notices if notice}


def spelled(sentence: str) -> list[dict[str, str]]:
    """The mappings that a sentence spells: each `--map` of one command, or `a=x and b=y`."""
    clauses = [part for part in re.split(r"[;:]\s", sentence) if re.search(r"\b[a-z]+=\S", part)]
    found = []
    for clause in clauses:
        quoted = re.findall(r'"([a-z]+)=([^"]+)"', clause)
        found.append(dict(quoted or [(key, name.rstrip(".,;")) for key, name in re.findall(r"\b([a-z]+)=(\S+)", clause)]))
    return found


@pytest.mark.parametrize("lang", text.LANGUAGES)
@pytest.mark.parametrize("name", WAYS)
def test_the_way_out_of_a_sentence_ends_well(name: str, lang: str, tmp_path: pathlib.Path) -> None:
    way, code, bench = WAYS[name], name.partition("#")[0], Bench(tmp_path)
    _, said = bench.read(way.bad, way.mapped, way, way.repairs)
    assert code in said, said
    sentence = text.say(lang, code, said[code])
    assert sentence
    ways: list[dict[str, str]] = spelled(sentence) if way.spelled else [dict(way.again)]
    assert ways, sentence
    if way.repair:
        assert said[code]["repair"] == way.repair and way.repair in REPAIRS
    for mapping in ways:
        taken, after = bench.read(way.bad if way.good is None else way.good, mapping, way, (way.repair,) if way.repair else ())
        assert taken is not None and taken.rows, (mapping, after)
        assert code not in after or not way.gone, (mapping, after)


def run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], *words: str, lang: str = "en") -> tuple[int, str]:
    """A verb of the command line: its exit code, and all that it says."""
    with contextlib.suppress(SystemExit):
        code = main(["--home", str(tmp_path / "home"), *words, "--lang", lang])
    said = capsys.readouterr()
    return code, said.out + said.err


def shop(folder: pathlib.Path, name: str = "shop.csv", content: Content | None = None) -> pathlib.Path:
    path = folder / name
    held = content if content is not None else GOOD
    raw = "".join(json.dumps(row) + "\n" for row in held) if isinstance(held, list) else held
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return path


Case = Callable[[pathlib.Path], tuple[list[str], list[str]]]  # words that end in a sentence, and those that it asks for


def _folder(tmp: pathlib.Path) -> tuple[list[str], list[str]]:
    return ["check", str(tmp)], ["check", str(shop(tmp))]


def _missing(tmp: pathlib.Path) -> tuple[list[str], list[str]]:
    path = shop(tmp)
    return ["check", str(path.with_name("shp.csv"))], ["check", str(path)]


def _unknown(tmp: pathlib.Path) -> tuple[list[str], list[str]]:
    return ["check", "nobody"], ["check", str(shop(tmp))]


def _empty(tmp: pathlib.Path) -> tuple[list[str], list[str]]:
    return ["check", str(shop(tmp, "empty.csv", ""))], ["check", str(shop(tmp, "one.csv", table(*QA)))]


def _validation(tmp: pathlib.Path) -> tuple[list[str], list[str]]:
    rows, bad = str(shop(tmp)), str(shop(tmp, "held.jsonl", with_(answer="")))
    return ["check", rows, "--validation", bad], ["check", rows, "--validation", str(shop(tmp, "good.jsonl", with_()))]


def _leak(tmp: pathlib.Path) -> tuple[list[str], list[str]]:
    words = ["check", str(shop(tmp, "rows.jsonl", ROWS)), "--validation", str(shop(tmp, "held.jsonl", ROWS[:2]))]
    return words, [*words, "--repair", "leak"]


BY_TERMINAL: dict[str, Case] = {
    "data.folder": _folder,
    "data.missing": _missing,
    "data.unknown": _unknown,
    "data.empty": _empty,
    "data.validation": _validation,
    "data.check.leak": _leak,
}
SLOW = ("data.validation", "data.check.leak", "data.empty", "data.unknown")


@pytest.mark.parametrize("code", [pytest.param(code, marks=pytest.mark.nightly) if code in SLOW else code for code in BY_TERMINAL])
def test_the_way_out_ends_well_in_the_terminal(code: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, good = BY_TERMINAL[code](tmp_path)
    sentence = re.split(r"\{\w+\}", text.table("en")[code])
    found, said = run(tmp_path, capsys, *bad)
    assert all(part.strip() in said for part in sentence), said
    assert code.startswith("data.check") or found != 0
    found, said = run(tmp_path, capsys, *good)
    assert found == 0 and not all(part.strip() in said for part in sentence), said


def test_the_terminal_names_the_repair_that_mends_what_was_found(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"role": role, "content": f"{role} {number}"} for number, role in enumerate(("user", "user", "assistant"))]
    path = tmp_path / "turns.jsonl"
    path.write_text("".join(json.dumps({"messages": found}) + "\n" for found in (turns, turns[1:])), encoding="utf-8")
    _, said = run(tmp_path, capsys, "check", str(path))
    (way,) = re.findall(r"--repair (\w+)", said)
    assert "turns are out of order" in said
    found, said = run(tmp_path, capsys, "check", str(path), "--repair", way)
    assert found == 0 and "rows_kept: 2" in said and "out of order" not in said


@pytest.mark.parametrize("verb", [["check"], ["train", "-m", "starter", "-d"], ["plan", "-m", "starter", "-d"]], ids=lambda words: words[0])
@pytest.mark.parametrize("name", ["shp.csv", "righe/negozio.xlsx", "./negozio", "~/nowhere/negozio.jsonl"])
def test_a_mistyped_path_is_not_there(verb: list[str], name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, said = run(tmp_path, capsys, *verb, name)
    assert found != 0 and f"{name} is not there. Check the path." in said


@pytest.mark.nightly
def test_the_way_out_of_what_is_said_before_or_after_reading_ends_well(tmp_path: pathlib.Path) -> None:
    home, path = tmp_path / "home", shop(tmp_path, "rows.jsonl", [*ROWS, ROWS[0]])

    def refused(code: str, wish: ReadingOptions, limits: Limits = DEFAULT) -> InputError:
        with pytest.raises(InputError) as caught:
            ingest(home, LOCAL, [path], wish, limits)
        assert caught.value.code == code
        return caught.value

    names = refused("data.repair", ReadingOptions(repairs=["nonsense"])).params["known"].split(", ")
    assert ingest(home, LOCAL, [path], ReadingOptions(repairs=names)).rows_kept == len(ROWS)
    refused("data.system", ReadingOptions(repairs=[SYSTEM + "a" * (MOST_SYSTEM + 1)]))
    refused("data.systems", ReadingOptions(repairs=[SYSTEM + "Be brief.", SYSTEM + "Be kind."]))
    assert ingest(home, LOCAL, [path], ReadingOptions(repairs=[SYSTEM + "a" * MOST_SYSTEM])).rows_kept == len(ROWS) + 1
    refused("data.large", ReadingOptions(), Limits(file_bytes=1000))
    part = shop(tmp_path, "part.jsonl", ROWS[:5])
    brought = ingest(home, LOCAL, [part], ReadingOptions(), Limits(file_bytes=1000))
    assert brought.rows_kept == 5
    with pytest.raises(InputError, match=r"data\.gone"):
        again(home, brought, ReadingOptions(repairs=["duplicates"]))
    kept = ingest(home, LOCAL, [part], ReadingOptions(keep=True))
    assert again(home, kept, ReadingOptions(repairs=["duplicates"])).rows_kept == 5
    path.chmod(0)
    if os.access(path, os.R_OK):
        return  # root may read all
    refused("data.permission", ReadingOptions())
    path.chmod(0o600)
    assert ingest(home, LOCAL, [path], ReadingOptions()).rows_kept == len(ROWS) + 1
