"""Further inputs of forms that JSON has around rows, or within them: several answers in one, wrappers, exports of other programs."""

from tests.data.kinds import QA, Input, lines

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

KINDS = {
    "several answers in a row, of which the first is learned and the others are told": SEVERAL,
    "several wordings of one answer, of which the first is learned without a word": ALTERNATIVES,
}
