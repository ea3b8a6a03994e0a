"""Further inputs of forms that JSON has around rows, or within them: several answers in one, wrappers, exports of other programs."""

import json
from collections.abc import Callable

from tests.data.kinds import QA, Input, lines, paired, sheets, table

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
PAIRED = [("Capitali?", ["Rome", "L'Aquila"]), ("Fiumi?", ["Po"]), ("Laghi?", ["Garda", "Como"])]  # and lists within cells


def spelled(column: str, spell: Callable[[list[str]], str], taken: bool) -> Input:
    content = table(["question", column], *([q, spell(answers)] for q, answers in PAIRED))
    if taken:
        return Input(content, [(q, answers[0]) for q, answers in PAIRED], unused={column: 2}, finding="-data.check.printed")
    return Input(content, [(q, spell(answers)) for q, answers in PAIRED], finding="data.check.printed")


PRINTED = {
    "by Python": spelled("answer", str, True),
    "by Python, in Italian": spelled("Risposta", str, True),
    "by NumPy": spelled("answer", lambda texts: str(texts).replace(", ", " "), True),
    "by NumPy, over lines": spelled("answers", lambda texts: str(texts).replace(", ", "\n "), True),
    "in JSON, of several": spelled("answers", json.dumps, True),
    "in JSON, which may be the answer": spelled("answer", json.dumps, False),
    "of a program": spelled("completion", str, False),
    "in lines of JSON": Input(
        lines(*({"question": q, "answer": str(answers)} for q, answers in PAIRED)),
        [(q, answers[0]) for q, answers in PAIRED],
        unused={"answer": 2},
    ),
    "nothing in one": Input(
        table(["question", "answers"], ["a?", "['b']"], ["c?", "[]"], ["d?", "['e']"]), [("a?", "b"), ("d?", "e")], left=1
    ),
    "not in all": Input(
        table(["question", "answer"], ["a?", "['b']"], ["c?", "d"]), [("a?", "['b']"), ("c?", "d")], finding="-data.check.printed"
    ),
    "of numbers": Input(table(["question", "answer"], ["a?", "[1, 2]"], ["c?", "[3]"]), [("a?", "[1, 2]"), ("c?", "[3]")]),
    "options of NumPy": Input(
        table(["question", "choices", "answer"], ["2+2?", "['3' '4']", "1"], ["3+3?", "['6' '4']", "0"]),
        [("2+2?\n\nA) 3\nB) 4", "B) 4"), ("3+3?\n\nA) 6\nB) 4", "A) 6")],
    ),
}

FLAT = [text for pair in QA for text in pair]


def numbered(*names: str, last: int = 4) -> list[str]:
    return [name.format(number) for number in range(1, last + 1) for name in names]


def across(*names: str, finding: str = "data.note.pairs") -> Input:
    return Input(table(numbered(*names), FLAT, [*FLAT[:4], *[""] * 4]), [*QA, *QA[:2]], finding=finding)


PROMPTS = {
    names[0]: across(*names, finding="data.note.pairs.turns")
    for names in (
        *(("prompt_{}", "response_{}"), ("input_{}", "output_{}"), ("instruction_{}", "output_{}"), ("Prompt {}", "Completion {}")),
        *(("richiesta {}", "risposta {}"), ("query{}", "answer{}"), ("Istruzione {}", "Risposta {}")),
    )
}


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

ROWS = paired("domanda", "risposta")
FOUND, BESIDE = "data.note.within", "data.note.within.left"
HITS = [{"_index": "faq", "_id": str(n), "_source": row} for n, row in enumerate(ROWS)]
FIELDS = {"fields": [{"name": "index", "type": "integer"}, {"name": "domanda", "type": "string"}], "primaryKey": ["index"]}
WITHIN = {
    "two names down": Input(json.dumps({"data": {"items": ROWS}}), QA, finding=FOUND),
    "over several lines": Input(json.dumps({"data": {"items": ROWS}}, indent=2), QA, finding=FOUND),
    "with more beside": Input(json.dumps({"status": "ok", "result": {"total": 4, "page": {"rows": ROWS}}}), QA, finding=BESIDE),
    "Elasticsearch's": Input(
        json.dumps({"took": 3, "hits": {"total": {"value": 4}, "max_score": 1.0, "hits": HITS}}),
        QA,
        unused={"_index": len(QA), "_id": len(QA)},
        finding=BESIDE,
    ),
    "Elasticsearch's, by hand": Input(
        json.dumps({"hits": {"hits": HITS}}),
        [(a, q) for q, a in QA],
        unused={"_index": len(QA), "_id": len(QA)},
        mapping={"question": "_source.risposta", "answer": "_source.domanda"},
    ),
    "pandas' table": Input(
        json.dumps({"schema": FIELDS, "data": [{"index": n, **row} for n, row in enumerate(ROWS)]}),
        QA,
        unused={"index": len(QA)},
        finding=BESIDE,
    ),
    "pandas' split": Input(
        json.dumps({"columns": ["domanda", "risposta"], "index": [0, 1, 2, 3], "data": [list(pair) for pair in QA]}), QA, finding=BESIDE
    ),
    "without an index": Input(json.dumps({"columns": ["q", "id", "a"], "data": [[q, 1, a] for q, a in QA]}), QA, unused={"id": len(QA)}),
    "named by hand": Input(
        json.dumps({"data": {"items": paired("eins", "zwei")}}), QA, finding=FOUND, mapping={"question": "eins", "answer": "zwei"}
    ),
    "a page of an answer on each line": Input(lines({"data": {"items": ROWS[:3]}}, {"data": {"items": ROWS[3:]}}), QA, finding=FOUND),
    "a context beside is not left out": Input(json.dumps({"contesto": "Qui.", "data": {"items": ROWS}}), code="data.format"),
    "a conversation in pairs": Input(json.dumps({"result": {"dialogue": paired("question", "answer")}}), [tuple(FLAT)]),
    "two lists": Input(json.dumps({"a": {"items": ROWS}, "b": {"rows": ROWS, "n": 1}}), code="data.format"),
    "of nobody knows what": Input(json.dumps({"data": {"items": paired("eins", "zwei")}}), code="data.format"),
    "of turns": Input(json.dumps({"data": {"talk": {"items": [{"role": "user", "content": q} for q, _ in QA]}}}), code="data.format"),
    "of cells that are too many": Input(json.dumps({"columns": ["q", "a"], "data": [["1", "2", "3"]]}), code="data.format"),
}


def asked(question: str, answer: object, **more: object) -> dict[str, object]:
    return {"@type": "Question", "name": question, "acceptedAnswer": answer, **more}


ENTRIES = [asked(q, {"@type": "Answer", "text": a}) for q, a in QA]
FAQ = {
    "a page": Input(json.dumps({"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": ENTRIES}), QA, finding=BESIDE),
    "over several lines": Input(json.dumps({"mainEntity": ENTRIES, "@type": "FAQPage"}, indent=1), QA),
    "by hand, as they are called now": Input(json.dumps(ENTRIES), QA, mapping={"question": "question", "answer": "answer"}),
    "its questions alone": Input(json.dumps(ENTRIES), QA),
    "answers in a list, and votes": Input(
        lines(*(asked(q, [{"text": a, "url": "x"}], upvoteCount=3) for q, a in QA)),
        QA,
        unused={"upvoteCount": len(QA), "acceptedAnswer.url": len(QA)},
    ),
    "a page with one without": Input(json.dumps({"@type": "FAQPage", "mainEntity": [*ENTRIES, asked("Wer?", None)]}), QA, left=1),
    "one without an answer": Input(json.dumps([*ENTRIES, asked("Wer?", None)]), QA, left=1),
}
UNDER = {
    "on one line": Input(json.dumps(dict(QA)), QA),
    "over several lines": Input(json.dumps(dict(QA), indent=2), QA),
    "one that does not ask": Input(json.dumps({**dict(QA), "wer": "a", **{f"{q} Und nun?": a for q, a in QA}}), QA),
    "settings are none": Input(json.dumps({"name": "x", "wie?": "y", "farbe": "rot"}), code="data.format"),
    "a survey is none": Input(lines({"Wie?": "Anna", "Wo?": "Rom"}, {"Wie?": "Bea", "Wo?": "Bern"}), code="data.format"),
    "numbers are none": Input(json.dumps({"wie alt?": 3, "wie groß?": 4}), code="data.format"),
}
INTENTS = [{"tag": "apertura", "patterns": ["Quando aprite?", "Orari?"], "responses": ["Alle 9."]}]
ONES = [("Quando aprite?", "Alle 9."), ("Orari?", "Alle 9.")]
CHATBOT = {
    "in an object": Input(json.dumps({"intents": INTENTS}), ONES, unused={"tag": 2}),
    "over several lines": Input(json.dumps({"intents": INTENTS}, indent=2), ONES, unused={"tag": 2}),
    "in a list": Input(json.dumps(INTENTS), ONES, unused={"tag": 2}),
    "with several answers": Input(
        json.dumps({"intents": [{**INTENTS[0], "responses": ["Alle 9.", "Di mattina."]}]}), ONES, unused={"tag": 2, "responses": 1}
    ),
}

LISTS = {  # a list in each line, that is no conversation
    "of texts": Input("".join(json.dumps(pair) + "\n" for pair in QA), code="data.nothing"),
    "of numbers": Input("[1, 2]\n[3, 4]\n", code="data.nothing"),
    "of names and texts": Input("".join(json.dumps(pair) + "\n" for pair in [["question", "answer"], *QA]), code="data.nothing"),
}
FLAN = {
    "its own": Input(lines(*({"inputs": q, "targets": a, "task": "x"} for q, a in QA)), QA, unused={"task": len(QA)}),
    "P3's": Input(lines(*({"inputs_pretokenized": q, "targets_pretokenized": a} for q, a in QA)), QA),
    "P3's, with its tokens": Input(
        lines(*({"inputs": [1, 2], "inputs_pretokenized": q, "targets": [3], "targets_pretokenized": a} for q, a in QA)),
        QA,
        unused={"inputs": len(QA), "targets": len(QA)},
    ),
}

KINDS = {
    "lists in lines, which are no rows": LISTS,
    "inputs and targets": FLAN,
    "several answers in a row, of which the first is learned and the others are told": SEVERAL,
    "several wordings of one answer, of which the first is learned without a word": ALTERNATIVES,
    "lists of answers within cells, written as text": PRINTED,
    "numbered pairs of columns, each a row": NUMBERED,
    "numbered prompts and responses, each a row, which may be turns": PROMPTS,
    "rows within an object": WITHIN,
    "questions of schema.org": FAQ,
    "answers under their questions": UNDER,
    "intents of a chatbot": CHATBOT,
    "numbered columns of two speakers, one conversation": IN_TURNS,
}
