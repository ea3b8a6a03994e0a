"""Further inputs of forms that JSON has around rows, or within them: several answers in one, wrappers, exports of other programs."""

from tests.data.kinds import QA, Input, lines, sheets, table

(Q1, A1), *_ = QA
COLOURS = ["verde", "bianco", "rosso"]


def several(column: str, answers: list[str], finding: str = "data.check.several") -> Input:
    rows = [{"question": q, column: answers} for q, _ in QA]
    return Input(lines(*rows), [(Q1, answers[0])], unused={column: len(QA) * (len(answers) - 1)}, finding=finding)


SEVERAL = {
    "of a list nobody knows whether it is one answer": several("answer", COLOURS),
    "in Italian": several("risposta", COLOURS),
    "under a name for several": several("answers", COLOURS),
    "though a word is the same": several("output", ["Linea 1", "Linea 2"]),
}
ALTERNATIVES = {
    "wordings": several("answers", ["Garibaldi", "Giuseppe Garibaldi"], "-data.check.several"),
    "by several models": several("completions", COLOURS, "-data.check.several"),
    "the same again": several("answer", ["Sì.", "sì"], "-data.check.several"),
    "SQuAD's": Input(
        lines(*({"question": q, "answers": {"text": COLOURS, "answer_start": [1, 2, 3]}} for q, _ in QA)),
        [(Q1, "verde")],
        unused={"answers.text": 2 * len(QA), "answers.answer_start": len(QA)},
        finding="-data.check.several",
    ),
}

FLAT = [text for pair in QA for text in pair]


def numbered(*names: str, last: int = 4) -> list[str]:
    return [name.format(number) for number in range(1, last + 1) for name in names]


def across(*names: str) -> Input:
    return Input(table(numbered(*names), FLAT, [*FLAT[:4], *[""] * 4]), [*QA, *QA[:2]], finding="data.note.pairs")


NUMBERED = {
    "in Italian": across("Domanda {}", "Risposta {}"),
    "by letters": across("Q{}", "A{}"),
    "by words": across("Domanda n. {}", "Risposta n. {}"),
    "in German, in a sheet": Input(sheets(Blatt=[numbered("Frage {}", "Antwort {}"), FLAT]), QA, finding="data.note.pairs"),
    "answers after all questions": Input(
        table([*numbered("question_{}"), *numbered("answer_{}")], [*(q for q, _ in QA), *(a for _, a in QA)]), QA, finding="data.note.pairs"
    ),
    "with a context and a number": Input(
        table(["id", "contesto", *numbered("domanda{}", "risposta{}")], ["7", "Qui.", *FLAT]),
        [(f"{q}\n\nQui.", a) for q, a in QA],
        unused={"id": len(QA)},
    ),
    "an answer that is not there": Input(
        table(numbered("Domanda {}", "Risposta {}"), [*FLAT[:3], "", *FLAT[4:]]), [QA[0], *QA[2:]], left=1
    ),
    "a blank pair between others": Input(table(numbered("Domanda {}", "Risposta {}"), [*FLAT[:2], "", "", *FLAT[4:]]), [QA[0], *QA[2:]]),
    "named by hand, as they are called now": Input(
        table(numbered("Domanda {}", "Risposta {}"), FLAT), QA, mapping={"question": "Domanda", "answer": "Risposta"}
    ),
    "one pair by hand": Input(
        table(numbered("Domanda {}", "Risposta {}"), FLAT),
        QA[1:2],
        unused=dict.fromkeys(numbered("Domanda {}", "Risposta {}")[:2] + numbered("Domanda {}", "Risposta {}")[4:], 1),
        mapping={"question": "Domanda 2", "answer": "Risposta 2"},
    ),
    "a gap in the numbers": Input(table(["Domanda 1", "Risposta 1", "Domanda 3", "Risposta 3"], FLAT[:4]), code="data.format"),
    "a side that is missing": Input(table([*numbered("Domanda {}"), "Risposta 1"], FLAT[:5]), code="data.format"),
}
IN_TURNS = {
    "in English": Input(table(numbered("user_{}", "assistant_{}"), FLAT), [tuple(FLAT)], finding="data.note.turned"),
    "in Italian": Input(table(numbered("Utente {}", "Assistente {}"), FLAT), [tuple(FLAT)]),
    "shorter ones": Input(table(numbered("user_{}", "assistant_{}"), FLAT, [*FLAT[:4], *[""] * 4]), [tuple(FLAT), tuple(FLAT[:4])]),
    "in lines": Input(lines(dict(zip(numbered("human{}", "gpt{}"), FLAT, strict=True))), [tuple(FLAT)]),
    "a turn that is not there": Input(table(numbered("user_{}", "assistant_{}"), FLAT, [*FLAT[:2], "", *FLAT[3:]]), [tuple(FLAT)], left=1),
    "a system text": Input(table(["system", *numbered("user_{}", "assistant_{}")], ["Breve.", *FLAT]), [("Breve.", *FLAT)]),
}

KINDS = {
    "several answers in a row, of which the first is learned and the others are told": SEVERAL,
    "several wordings of one answer, of which the first is learned without a word": ALTERNATIVES,
    "numbered pairs of columns, each a row": NUMBERED,
    "numbered columns of two speakers, one conversation": IN_TURNS,
}
