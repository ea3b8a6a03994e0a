"""Further inputs of multiple choice."""

import json

from tests.data.kinds import Input, lines, parquet, sheets, table

ROWS = [
    ["Hauptstadt?", "Mailand", "Rom", "Turin", "Bari", "B"],
    ["Fluss?", "Arno", "Etsch", "Po", "Adda", "C"],
    ["Meer?", "Nord", "Ost", "Rot", "Tot", "A"],
]
LEARNED = [
    ("Hauptstadt?\n\nA) Mailand\nB) Rom\nC) Turin\nD) Bari", "B) Rom"),
    ("Fluss?\n\nA) Arno\nB) Etsch\nC) Po\nD) Adda", "C) Po"),
    ("Meer?\n\nA) Nord\nB) Ost\nC) Rot\nD) Tot", "A) Nord"),
]
NAMES = [
    *("Frage;A;B;C;D;Richtig", "Frage;Antwort A;Antwort B;Antwort C;Antwort D;Lösung", "Pregunta;A;B;C;D;Correcta"),
    *("Question;A;B;C;D;Bonne réponse", "domanda;a);b);c);d);risposta", "Quiz;A;B;C;D;Right answer"),
    *("pregunta;opción_a;opción_b;opción_c;opción_d;respuesta", "question;Réponse A;Réponse B;Réponse C;Réponse D;réponse"),
    *("Domanda;Risposta 1;Risposta 2;Risposta 3;Risposta 4;Risposta giusta", "question;ending0;ending1;ending2;ending3;label"),
    *("goal;sol1;sol2;sol3;sol4;label", "id;Question;(A);(B);(C);(D);Correct"),
]


def named(header: str) -> Input:
    names = header.split(";")
    spare = len(names) - len(ROWS[0])
    return Input(table(names, *([*("7" * spare), *row] for row in ROWS)), LEARNED, unused={"id": 3} if spare else {})


ONE = {"question": "Hauptstadt?", "options": ["Mailand", "Rom", "Turin", "Bari"]}
CHOICES = {
    **{header: named(header) for header in NAMES},
    "numbers from 1": Input(
        table(["Frage", "A", "B", "C", "D", "Richtig"], *([*row[:5], n] for row, n in zip(ROWS, (2, 3, 1), strict=True))), LEARNED
    ),
    "the text of the right one": Input(
        table(["Frage", "A", "B", "C", "D", "Lösung"], *([*row[:5], row[n]] for row, n in zip(ROWS, (2, 3, 1), strict=True))), LEARNED
    ),
    "in a workbook": Input(sheets(Quiz=[["Frage", "A", "B", "C", "D", "Richtig"], *ROWS]), LEARNED),
    "in Parquet": Input(parquet(*({"frage": row[0], "optionen": row[1:5], "richtig": row[5]} for row in ROWS)), LEARNED),
    "options in one cell, by lines": Input(
        table(
            ["Domanda", "Opzioni", "Risposta"],
            *([row[0], "\n".join(f"{sign}) {said}" for sign, said in zip("ABCD", row[1:5], strict=True)), row[5]] for row in ROWS),
        ),
        LEARNED,
    ),
    "options in one cell, by semicolons": Input(
        table(["Pregunta", "Opciones", "Respuesta"], *([row[0], "; ".join(row[1:5]), row[5]] for row in ROWS)), LEARNED
    ),
    "options with their letters": Input(
        lines({"question": "Hauptstadt?", "options": ["A. Mailand", "B. Rom", "C. Turin", "D. Bari"], "answer": "B"}), LEARNED[:1]
    ),
    "the answer in a list": Input(lines(*[{**ONE, "correct": [1]}] * 2, {**ONE, "correct": [0]}), LEARNED[:1]),
    "several right ones": Input(lines({**ONE, "answer": "A, C"}), [(LEARNED[0][0], "A) Mailand\nC) Turin")]),
    "options as JSON in a cell": Input(
        table(["frage", "choices", "antwort"], *([row[0], json.dumps(row[1:5]), row[5]] for row in ROWS)), LEARNED
    ),
    "a premise": Input(
        lines(*[{"premise": "Es regnet.", "question": "Folge?", "choice1": "Nass.", "choice2": "Trocken.", "label": 0}] * 2),
        [("Folge?\n\nEs regnet.\n\nA) Nass.\nB) Trocken.", "A) Nass.")] * 2,
    ),
    "without a column for the right one": Input(table(["Question", "A", "B", "C"], *(row[:4] for row in ROWS)), code="data.format"),
    "an answer that is none of them": Input(
        table(["Frage", "A", "B", "C", "D", "Richtig"], *ROWS, ["Baum?", "Eiche", "Buche", "Birke", "Ahorn", "X"]),
        LEARNED,
        left=1,
        finding="data.check.refused.broken",
    ),
    "answers of which a mark says which is right": Input(
        lines({"question": "Capitale ?", "answers": [{"text": "Nice", "correct": False}, {"text": "Paris", "correct": True}]}),
        [("Capitale ?", "Paris")],
        unused={"answers": 1, "answers.correct": 1},
    ),
}

KINDS = {"multiple choice (min-mcq, mcq-mmlu)": CHOICES}
