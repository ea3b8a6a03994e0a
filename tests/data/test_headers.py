"""Columns whose headers mean question and answer, in English and Italian; and those of which it is better to ask."""

import time
from collections.abc import Sequence

import pytest

from tests.data.conftest import Take
from tests.data.corpus_books import book, sheet
from tests.data.test_data_formats import refusal, said, understood
from tuning.data.formats import registry
from tuning.errors import InputError

ASKED = ("Quanto costa accorciare i pantaloni?", "Avete posto per sabato prossimo?", "Si possono portare i cani in camera?")
ANSWERED = ("Dodici euro, pronti in due giorni.", "Sì, una camera doppia da ottanta euro.", "Certo, ma non nella sala da pranzo.")
PAIRS = """
Domanda del cliente | Risposta nostra
Domande | Risposte
La tua domanda | La nostra risposta
La tua domanda | La risposta giusta
Cliente | Operatore
domanda 1 | risposta 1
Domanda: scrivi qui | Risposta #1
DOMANDA_CLIENTE | RISPOSTA_UFFICIO
Testo della domanda | Testo della risposta
Messaggio del cliente | Risposta dell'operatore
Cosa chiede il cliente | Cosa rispondiamo
Richiesta del cliente | Nostra soluzione
Quesiti frequenti | Soluzioni
Problema | Soluzione
Ospite | Reception
Studente | Insegnante
Paziente | Medico
Utente | Bot
Email ricevuta | Risposta inviata
Messaggio ricevuto | Messaggio inviato
Testo originale | Traduzione
Testo di partenza | Testo tradotto
Testo | Riassunto
Articolo | Sintesi
Bozza | Versione corretta
D | R
Istruzioni | Risultato atteso
Se chiedono | Rispondi
Frase | Replica
Pregunta del cliente | Nuestra respuesta
Question du client | Notre réponse
Pergunta | Resposta
Frage des Kunden | Unsere Antwort
src | tgt
query | ideal
Customer question | Our answer
Questions | Answers
Q | A
question_text | answer_text
user | bot
prompt | reply
user_message | assistant_message
userMessage | botReply
Human | AI
input_text | target_text
source | target
Source text | Translation
Original text | Translated text
Customer | Agent
Visitor message | Staff reply
Incoming email | Sent reply
Email received | Reply sent
Problem description | Resolution
Issue | Fix
Ticket | Suggested response
Expected input | Expected output
What customers ask | What we say
FAQ question | FAQ answer
Article | Summary
Draft | Corrected version
text | response
Frage | Antwort
""".strip().splitlines()

UNSURE = """
Italiano | Inglese
Domanda 1 | Domanda 2
Question | Generated answer | Reference answer
Titolo | Note
Nome | Indirizzo
Colonna 1 | Colonna 2
Data della domanda | Autore della risposta
""".strip().splitlines()


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("turned", [False, True])
def test_headers_that_mean_question_and_answer_are_understood(pair: str, turned: bool) -> None:
    question, answer = pair.split(" | ")
    rows = [
        {"Timestamp": "2024/05/01 10:00:00", "Indirizzo email": "x0@esempio.it", question: asked, answer: answered, "Note": "da rivedere"}
        for asked, answered in zip(ASKED, ANSWERED, strict=True)
    ]
    rows = [dict(reversed(row.items())) for row in rows] if turned else rows
    assert [said(row) for row in understood(rows)[1]] == list(zip(ASKED, ANSWERED, strict=True))


@pytest.mark.parametrize("columns", UNSURE)
def test_where_headers_leave_a_doubt_it_is_asked(columns: str) -> None:
    texts = (ASKED, ANSWERED, ANSWERED)
    names = columns.split(" | ")
    assert refusal([{name: texts[place][row] for place, name in enumerate(names)} for row in range(3)]).code in (
        "data.format",
        "data.languages",
    )


@pytest.mark.parametrize(
    ("question", "answer", "rows"),
    [
        ("Cliente", "Operatore", [("Mario Rossi", "Anna"), ("Luca Bianchi", "Piero"), ("Ada Neri", "Anna")]),
        ("Customer ID", "Answer date", [("17", "2024-05-01"), ("18", "2024-05-02")]),
        ("User question", "Answer rating", [("Where are you?", "5"), ("When do you open?", "4")]),
        ("La domanda", "Risposta corretta?", [("Dove siete esattamente?", "sì"), ("Quando aprite la mattina?", "no")]),
        ("source", "target", [("https://a.example/1", "https://a.example/2"), ("https://a.example/3", "https://a.example/4")]),
    ],
)
def test_headers_alone_are_not_enough_where_the_values_are_no_prose(question: str, answer: str, rows: list[tuple[str, str]]) -> None:
    assert refusal([{question: asked, answer: answered} for asked, answered in rows]).code == "data.format"


def test_short_answers_under_a_plain_header_are_answers() -> None:
    rows = [{"Domanda nostra": "Dove?", "Risposta nostra": "Qui"}, {"Domanda nostra": "Quando?", "Risposta nostra": "Ora"}]
    assert [said(row) for row in understood(rows)[1]] == [("Dove?", "Qui"), ("Quando?", "Ora")]


def test_a_context_and_a_system_text_beside_them_are_used() -> None:
    row = {"Contesto": "c", "Domanda del cliente": ASKED[0], "Risposta nostra": ANSWERED[0], "Sistema": "s"}
    assert said(understood([row])[1][0]) == ("s", f"{ASKED[0]}\n\nc", ANSWERED[0])


def test_names_that_are_only_meant_do_not_tell_a_header_from_a_row() -> None:
    assert not registry.known(["Problema", "Soluzione"], {})


@pytest.mark.parametrize(
    "value", ["x" * 1_000_000, " " * 1_000_000 + "x", "1 " * 500_000 + "x", "@" * 1_000_000], ids=["word", "blank", "digits", "signs"]
)
def test_a_long_value_under_a_header_that_is_only_meant_takes_no_time(value: str) -> None:
    started = time.monotonic()
    assert refusal([{"source": value, "target": value}] * 3).code == "data.format"
    assert time.monotonic() - started < 20


BARE = (
    ("Quanto costa una camera doppia?", "Ottanta euro a notte, colazione compresa.", "agosto"),
    ("Si può portare il cane?", "Sì, i cani piccoli sono benvenuti.", ""),
    ("A che ora è la colazione?", "Dalle otto alle dieci e mezza.", "estate"),
)
SHORT = (("mare", "Blu e calmo"), ("monte", "Verde"))


@pytest.mark.parametrize("rows", [BARE, SHORT])
@pytest.mark.parametrize("separator", [";", ",", "\t", "xlsx"])
def test_columns_without_names_are_called_by_letters(take: Take, rows: Sequence[tuple[str, ...]], separator: str) -> None:
    """As spreadsheets call them; the first row is one of data, and none is lost."""
    lines = (separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in rows)
    content = book(sheet(*rows)) if separator == "xlsx" else "\n".join(lines).encode()
    found = take(content, {"question": "A", "answer": "B"})
    assert found.texts == [row[:2] for row in rows] and found.reading.mapping["question"] == "A"
    assert found.rows[0]["row"] == 1


def test_names_are_names_where_nobody_speaks_of_letters(take: Take) -> None:
    wide = [f"prima {place}" for place in range(20)]  # twenty letters would hold a Q and an A
    with pytest.raises(InputError, match=r"data\.format"):
        take(f"{','.join(wide)}\n{','.join('xyz' for _ in wide)}\n")
    assert take("A;B\nuno;due\n", {"question": "A", "answer": "B"}).texts == [("uno", "due")]


AGAIN = {  # tables of two rows, put one below another
    "semicolons": "Domanda;Risposta\nDove?;Qui\nDomanda;Risposta\nQuando?;Ora\n",
    "capitals, spaces and a byte order mark": "Domanda,Risposta,Note\nDove?,Qui,\n\ufeffDOMANDA, risposta,Note\nQuando?,Ora,\n",
    "a table of Markdown": "| Domanda | Risposta |\n|---|---|\n| Dove? | Qui |\n\n| Domanda | Risposta |\n|:--|---:|\n| Quando? | Ora |\n",
    "without outer bars": "Domanda | Risposta\n--- | ---\nDove? | Qui\n\nDomanda | Risposta\n--- | ---\nQuando? | Ora\n",
}


@pytest.mark.parametrize("content", AGAIN.values(), ids=AGAIN)
def test_a_header_that_stands_again_among_the_rows_is_no_row_and_is_told(take: Take, content: str) -> None:
    taken = take(content)
    assert taken.texts == [("Dove?", "Qui"), ("Quando?", "Ora")] and not taken.faults
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.again"] == [{"count": 1, "row": 3}]


def test_a_header_that_stands_again_in_a_sheet_is_no_row(take: Take) -> None:
    rows = [("Domanda", "Risposta"), ("Dove?", "Qui"), ("Domanda", "Risposta "), ("Quando?", "Ora")]
    taken = take(book(sheet(*rows)))
    assert taken.texts == [("Dove?", "Qui"), ("Quando?", "Ora")]
    assert [note["params"] for note in taken.reading.findings if note["code"] == "data.note.again"] == [{"count": 1, "row": 3}]


def test_sections_between_tables_of_markdown_are_refused_with_their_rows_and_hyphens_in_a_table_stay(take: Take) -> None:
    table = "| Domanda | Risposta |\n|---|---|\n"
    taken = take(f"{table}| Dove? | Qui |\n\n## Orari\n\n{table}| Quando? | Ora |\n")
    assert taken.texts == [("Dove?", "Qui"), ("Quando?", "Ora")] and taken.faults == [(3, "data.row.ragged")]
    assert take(f"{table}| Dove? | Qui |\n| --- | --- |\n").texts == [("Dove?", "Qui"), ("---", "---")]


def test_a_table_of_other_columns_below_one_of_markdown_is_refused_with_its_line(take: Take) -> None:
    with pytest.raises(InputError) as refused:
        take("| Domanda | Risposta |\n|---|---|\n| Dove? | Qui |\n\n| Risposta | Domanda |\n|---|---|\n| Ora | Quando? |\n")
    assert (refused.value.code, refused.value.params["line"]) == ("data.csv.tables", 5)


def test_a_row_like_the_header_of_one_column_or_of_letters_stays(take: Take) -> None:
    assert take("text\nuno\ntext\n").texts == [("uno",), ("text",)]
    assert take("Dove?;Qui\nQuando?;Ora\nDove?;Qui\n", {"question": "A", "answer": "B"}).texts == [
        ("Dove?", "Qui"),
        ("Quando?", "Ora"),
        ("Dove?", "Qui"),
    ]
