"""Further inputs of forms of public data: trees and tables of turns, parallel texts, lists of answers and of questions, calls of tools."""

import json

from tests.data.corpus_binary import zipped
from tests.data.kinds import QA, A, Input, U, lines, paired, parquet, table

(Q1, A1), (Q2, A2), *_ = QA
PAIRS = list(QA)
ALL = len(QA)


def node(number: int, parent: int | None, role: str, said: str, rank: int | None = None, **more: object) -> dict[str, object]:
    above = None if parent is None else f"m{parent}"
    return {"message_id": f"m{number}", "parent_id": above, "role": role, "text": said, "rank": rank, **more}


FLAT = [
    node(1, None, "prompter", "Wo?"),
    node(2, 1, "assistant", "Nirgends.", 1),
    node(3, 1, "assistant", "Hier.", 0),
    node(4, 3, "prompter", "Und wann?"),
    node(5, 4, "assistant", "Jetzt.", 0),
    node(6, None, "prompter", "Wer?"),
    node(7, 6, "assistant", "Ich."),
]
ALONG = [("Wo?", "Hier.", "Und wann?", "Jetzt."), ("Wer?", "Ich.")]
ASIDE = {"text: other branches": 1}
REPLIES = [{"role": "assistant", "text": "Non.", "rank": 1, "replies": []}, {"role": "assistant", "text": "Ici.", "rank": 0, "replies": []}]
TREES = {
    "a message in each row": Input(lines(*FLAT), ALONG, unused=ASIDE, finding="data.note.tree"),
    "in any order": Input(lines(*reversed(FLAT)), ALONG[::-1], unused=ASIDE),
    "in a table": Input(
        table(list(FLAT[0]), *(["" if cell is None else cell for cell in row.values()] for row in FLAT)), ALONG, unused=ASIDE
    ),
    "in Parquet": Input(parquet(*FLAT), ALONG, unused=ASIDE),
    "in Italian": Input(
        table(
            ["id_messaggio", "id_padre", "ruolo", "testo"],
            [1, "", "utente", "Dove?"],
            [2, 1, "assistente", "Qui."],
            [3, 2, "utente", "Grazie"],
        ),
        [("Dove?", "Qui.")],
        unused={"testo: without a question or an answer": 1},
    ),
    "replies within": Input(
        lines(*[{"prompt": {"role": "prompter", "text": "Où ?", "replies": REPLIES}}] * 2),
        [("Où ?", "Ici.")] * 2,
        unused={"text: other branches": 2},
    ),
    "what was deleted, and what follows from nothing": Input(
        lines(*FLAT[:2], {**FLAT[2], "deleted": True}, *FLAT[3:]),
        [("Wo?", "Nirgends."), ("Und wann?", "Jetzt."), ("Wer?", "Ich.")],
        unused={"text: deleted, empty or of nobody known": 1},
    ),
    "nobody says who speaks": Input(lines(*({**row, "role": "x"} for row in FLAT)), code="data.tree"),
}

TURNS = [
    (1, 1, "user", Q1),
    (1, 2, "assistant", A1),
    (2, 1, "user", Q2),
    (2, 2, "assistant", A2),
    (2, 3, "user", "Ja?"),
    (2, 4, "assistant", "Ja."),
]
SPOKEN = [(Q1, A1), (Q2, A2, "Ja?", "Ja.")]


def turns(*names: str) -> list[dict[str, object]]:
    return [dict(zip(names, turn, strict=True)) for turn in TURNS]


ENGLISH = ("conversation_id", "turn_id", "role", "content")
TURN_TABLES = {
    "in lines": Input(lines(*turns(*ENGLISH)), SPOKEN, finding="data.note.turns"),
    "in Italian, in any order": Input(
        table(
            ["id_conversazione", "turno", "ruolo", "testo"],
            *([a, b, {"user": "utente", "assistant": "assistente"}[c], d] for a, b, c, d in TURNS[::-1]),
        ),
        SPOKEN[::-1],
    ),
    "turns that are counted anew": Input(
        lines(*({key: held for key, held in row.items() if key != "conversation_id"} for row in turns(*ENGLISH))), SPOKEN
    ),
    "a mark in a row of its own": Input(
        lines(*({**row, "weight": int(row["content"] != A2)} for row in turns(*ENGLISH))),
        [(Q1, A1), (Q2, f"~{A2}", "Ja?", "Ja.")],
        unused={"weight": 3},
    ),
    "nothing tells which belong together": Input(lines(*({"role": c, "content": d} for _, _, c, d in TURNS)), code="data.turns"),
    "as texts": Input(
        lines(*turns(*ENGLISH)), [(Q1,), (A1,)], unused={"conversation_id": 6, "turn_id": 6, "role": 6}, mapping={"text": "content"}
    ),
}

ROUND = {"question": "translation.it", "answer": "translation.de"}
OBJECTS = [{"id": 1, "translation": {"de": q, "it": a}} for q, a in QA]
PARALLEL = {
    "an object by language asks": Input(lines(*OBJECTS), code="data.languages"),
    "and is told": Input(lines(*OBJECTS), [(a, q) for q, a in QA], unused={"id": ALL}, mapping=ROUND),
    "a code that is a word": Input(parquet(*({"translation": {"en": q, "hi": a}} for q, a in QA)), code="data.languages"),
    "a table": Input(table(["en", "it"], *QA), code="data.languages"),
    "by the names of languages": Input(table(["Inglese", "Italiano"], *QA, delimiter=";"), code="data.languages"),
    "and which is which": Input(table(["id", "text_de", "text_fr"], *([1, q, a] for q, a in QA)), code="data.languages"),
    "three": Input(lines({"translation": {"de": "a b", "it": "c d", "en": "e f"}}), code="data.languages"),
    "source and target": Input(table(["source_text", "target_text"], *QA), PAIRS),
}


def ranked(name: str, said: str, score: str, good: object = 9, bad: object = 2, asks: str = "instruction") -> Input:
    rows = [{asks: q, name: [{said: "Nein.", score: bad}, {said: a, score: good}]} for q, a in QA]
    return Input(lines(*rows), PAIRS, unused={name: ALL})


RANKED = {
    "UltraFeedback": ranked("completions", "response", "overall_score", 8.5, 3.0),
    "in Italian": ranked("risposte", "risposta", "punteggio", asks="istruzione"),
    "by rank": ranked("answers", "text", "rank", 1, 2, asks="question"),
    "by votes, as text": ranked("answers", "text", "pm_score", "12", "3", asks="question"),
    "lists within an object": Input(
        lines(*({"question": q, "answers": {"text": ["Nein.", a], "score": [1, 7]}} for q, a in QA)), PAIRS, unused={"answers": ALL}
    ),
    "without a score the first": Input(
        lines(*({"question": q, "answers": [{"text": a}, {"text": "x"}]} for q, a in QA)), PAIRS, unused={"answers": ALL}
    ),
    "a score of the whole row chooses nothing": Input(
        lines(*({**row, "score": 1 + n} for n, row in enumerate(paired("question", "answer")))), PAIRS, unused={"score": ALL}
    ),
}

FALSE = {
    "question": "Was passiert?",
    "best_answer": "Nichts.",
    "correct_answers": ["Nichts.", "Es geht vorbei."],
    "incorrect_answers": ["Tod."],
}
BEST = {
    "TruthfulQA": Input(lines(*[FALSE] * 2), [("Was passiert?", "Nichts.")] * 2, unused={"correct_answers": 2, "incorrect_answers": 2}),
    "in Italian": Input(
        table(["Domanda", "Migliore risposta", "Risposte errate"], ["Dove?", "Qui.", "Là."]),
        [("Dove?", "Qui.")],
        unused={"Risposte errate": 1},
    ),
    "SciQ": Input(
        lines({"question": "Was?", "distractor1": "Luft", "correct_answer": "Wasser", "support": "Es ist nass."}),
        [("Was?\n\nEs ist nass.", "Wasser")],
        unused={"distractor1": 1},
    ),
}

TALK = ("Was?\n\nWolle ist warm.", "Wolle.", "Wie?", "Warm.")
SERIES = {
    "CoQA": Input(
        lines(
            {
                "story": "Wolle ist warm.",
                "questions": ["Was?", "Wie?"],
                "answers": {"input_text": ["Wolle.", "Warm."], "answer_start": [0, 1]},
            }
        ),
        [TALK],
        unused={"answers.answer_start": 1},
    ),
    "its own files": Input(
        json.dumps(
            {
                "version": "1.0",
                "data": [
                    {
                        "story": "Wolle ist warm.",
                        "questions": [{"input_text": "Was?", "turn_id": 1}, {"input_text": "Wie?", "turn_id": 2}],
                        "answers": [{"input_text": "Wolle.", "turn_id": 1}, {"input_text": "Warm.", "turn_id": 2}],
                    }
                ],
            }
        ),
        [TALK],
        unused={"questions.turn_id": 2, "answers.turn_id": 2},
    ),
    "in Italian, in cells": Input(
        table(["storia", "domande", "risposte"], ["Wolle ist warm.", '["Was?", "Wie?"]', '["Wolle.", "Warm."]']), [TALK]
    ),
    "QuAC, in Parquet": Input(
        parquet({"context": "Wolle ist warm.", "questions": ["Was?", "Wie?"], "answers": {"texts": [["Wolle.", "W"], ["Warm."]]}}),
        [TALK],
        unused={"answers": 1},
    ),
    "MT-bench with references": Input(
        lines(*[{"prompt": ["Was?", "Wie?"], "reference": ["Wolle.", "Warm."], "prompt_id": 1}] * 2),
        [("Was?", "Wolle.", "Wie?", "Warm.")] * 2,
        unused={"prompt_id": 2},
    ),
    "MT-bench without, which holds questions alone": Input(lines(*[{"question_id": 1, "turns": ["Was?", "Wie?"]}] * 2), code="data.format"),
    "lists of different lengths": Input(
        lines({"questions": ["a?", "b?"], "answers": ["a", "b"]}, {"questions": ["a?"], "answers": ["a", "b"]}),
        [("a?", "a", "b?", "b")],
        left=1,
    ),
}

RIGHT = [("Hauptstadt?\n\nA) Mailand\nB) Rom", "B) Rom")] * 2
SIGNED = [{"text": "Mailand", "label": "A"}, {"text": "Rom", "label": "B"}]
IN_LISTS = {"text": ["Mailand", "Rom"], "label": ["A", "B"]}
PRODIGY = [{"id": "g", "text": "Gut"}, {"id": "s", "text": "Schlecht"}]
NESTED = {
    "ARC, a list": Input(lines(*[{"question": {"stem": "Hauptstadt?", "choices": SIGNED}, "answerKey": "B"}] * 2), RIGHT),
    "ARC, lists": Input(parquet(*[{"question": {"stem": "Hauptstadt?", "choices": IN_LISTS}, "answerKey": "B"}] * 2), RIGHT),
    "in Italian": Input(
        lines(*[{"domanda": {"testo": "Hauptstadt?", "opzioni": ["Mailand", "Rom"], "nota": "x"}, "risposta": "Rom"}] * 2),
        RIGHT,
        unused={"domanda.nota": 2},
    ),
    "counted from 0": Input(
        lines(
            {"question": {"text": "Eins?", "options": ["a", "b"]}, "answer": 0},
            {"question": {"text": "Zwei?", "options": ["a", "b"]}, "answer": 1},
        ),
        [("Eins?\n\nA) a\nB) b", "A) a"), ("Zwei?\n\nA) a\nB) b", "B) b")],
    ),
    "options with ids, as Prodigy has them": Input(
        lines(*({"text": f"Text {n}", "options": PRODIGY, "accept": ["gs"[n]], "answer": "accept"} for n in range(2))),
        [("Text 0\n\nA) Gut\nB) Schlecht", "A) Gut"), ("Text 1\n\nA) Gut\nB) Schlecht", "B) Schlecht")],
    ),
    "what an annotator has rejected or passed over": Input(
        lines(
            *({"text": q, "label": "A", "answer": said} for (q, _), said in zip(QA, ("accept", "reject", "ignore", "accept"), strict=True))
        ),
        [(Q1, "A"), (QA[3][0], "A")],
        left=2,
    ),
}

PASSAGE = "Rom ist alt."
TRUTHS = {
    "BoolQ": Input(
        lines(*({"question": q, "passage": PASSAGE, "answer": said} for q, said in (("alt?", True), ("neu?", False)))),
        [(f"alt?\n\n{PASSAGE}", "true"), (f"neu?\n\n{PASSAGE}", "false")],
    ),
    "in Italian, in Parquet": Input(
        parquet(*({"domanda": q, "brano": PASSAGE, "risposta": said} for q, said in (("alt?", True), ("neu?", False)))),
        [(f"alt?\n\n{PASSAGE}", "true"), (f"neu?\n\n{PASSAGE}", "false")],
    ),
    "as a label": Input(
        lines(*({"question": q, "passage": PASSAGE, "label": said} for q, said in (("alt?", 1), ("neu?", 0)))),
        [(f"alt?\n\n{PASSAGE}", "1"), (f"neu?\n\n{PASSAGE}", "0")],
    ),
    "one among texts is no text": Input(lines(*paired("question", "answer"), {"question": "x?", "answer": True}), PAIRS, left=1),
}

EXAMPLES = [{"input": {"content": "Hallo"}, "output": {"content": "Guten Tag"}}] * 2
ABOUT = {
    "PaLM's": Input(
        lines(
            *(
                {"context": "Kurz.", "examples": EXAMPLES, "messages": [{"author": "user", "content": q}, {"author": "bot", "content": a}]}
                for q, a in QA
            )
        ),
        [("Kurz.", *pair) for pair in QA],
        unused={"examples": ALL},
    ),
    "beside a system text": Input(
        lines({"contesto": "Offen ab 9.", "system": "Kurz.", "messages": [U(Q1), A(A1)]}), [("Kurz.\n\nOffen ab 9.", Q1, A1)]
    ),
    "said already": Input(lines({"context": "Kleid", "messages": [U("Kleid?"), A(A1)]}), [("Kleid?", A1)]),
    "not a text": Input(lines({"context": {"a": 1}, "messages": [U(Q1), A(A1)]}), [(Q1, A1)], unused={"context": 1}),
}

CHAT = (
    'USER: Wetter?\n\n\nASSISTANT: <functioncall> {"name": "w"} <|endoftext|>\n\n\n'
    "FUNCTION RESPONSE: 20\n\n\nASSISTANT: 20 Grad. <|endoftext|>\n"
)
TURNED = ("Wetter?", '<functioncall> {"name": "w"}', "20", "20 Grad.")
CALL = {"name": "w", "arguments": {"c": "Rom"}}
TOOL = {"name": "w", "description": "d", "parameters": {}}
CALLS = {
    "glaive's, its tools beside": Input(lines(*[{"system": "SYSTEM: Tools: w", "chat": CHAT}] * 2), [("Tools: w", *TURNED)] * 2),
    "all in one text": Input(lines(*[{"sample": f"SYSTEM: Tools: w\n\n\n{CHAT}"}] * 2), [("Tools: w", *TURNED)] * 2),
    "xLAM's in Italian": Input(lines(*[{"domanda": "Wo?", "strumenti": [TOOL], "risposte": [CALL]}] * 2), [("Wo?", "")] * 2, tools=2),
    "in German, as JSON": Input(
        lines(*[{"frage": "Wo?", "werkzeuge": json.dumps([TOOL]), "aufrufe": json.dumps([CALL])}] * 2), [("Wo?", "")] * 2, tools=2
    ),
}


def comment(number: int, author: object, said: str, **more: object) -> dict[str, object]:
    return {"id": number, "author_id": author, "body": said, **more}


PARTS = {"conversation_parts": [{"author": {"type": "admin"}, "body": A1}]}
TICKETS = {
    "Zendesk": Input(
        lines(
            {
                "description": Q1,
                "requester_id": 7,
                "comments": [comment(1, 7, Q1), comment(2, 9, "unter uns", public=False), comment(3, 9, A1)],
            },
            {"description": Q2, "requester_id": 8, "comments": [comment(1, 8, Q2), comment(2, 9, A2), comment(3, 8, "Danke")]},
        ),
        [(Q1, A1), (Q2, A2)],
        unused={"comments: internal notes": 1, "comments: without an answer": 1},
    ),
    "Freshdesk": Input(
        lines(*({"description_text": q, "conversations": [{"body_text": a, "incoming": False, "user_id": 3}]} for q, a in QA)), PAIRS
    ),
    "Intercom": Input(lines(*[{"source": {"body": Q1, "author": {"type": "user"}}, "conversation_parts": PARTS}] * 2), [(Q1, A1)] * 2),
    "in Italian": Input(
        lines(*({"descrizione": q, "commenti": [{"autore": "cliente", "testo": q}, {"autore": "operatore", "testo": a}]} for q, a in QA)),
        PAIRS,
    ),
    "nobody says who writes": Input(lines(*[{"title": "x", "comments": [{"body": "a"}]}] * 2), code="data.format"),
    "a table in Italian": Input(
        table(["ID ticket", "Descrizione", "Risoluzione", "Stato"], *([n, *pair, "chiuso"] for n, pair in enumerate(QA))),
        PAIRS,
        unused={"ID ticket": ALL, "Stato": ALL},
    ),
}

CHUNKS = [{"role": "user", "text": Q1}, {"role": "model", "text": "Mal sehen.", "isThought": True}, {"role": "model", "text": A1}]
GOOGLE = {
    "AI Studio, what it thought kept": Input(
        json.dumps({"runSettings": {"model": "x"}, "systemInstruction": {}, "chunkedPrompt": {"chunks": CHUNKS}}, indent=1),
        [(Q1, A1)],
        unused={"runSettings": 1},
        thoughts=1,
    ),
    "with an instruction": Input(
        json.dumps({"systemInstruction": {"parts": [{"text": "Kurz."}]}, "chunkedPrompt": {"chunks": CHUNKS[::2]}}, indent=1),
        [("Kurz.", Q1, A1)],
    ),
    "Gemini's activity": Input(
        json.dumps([{"header": "Gemini Apps", "title": f"Prompted {q}", "safeHtmlItem": [{"html": f"<p>{a}</p>"}]} for q, a in QA]),
        PAIRS,
        unused={"header": ALL},
        repair="html",
    ),
}

NAMES = ("Anna", "Sarto")
WRITTEN = list(zip((*NAMES, *NAMES), ("Wann?", "Um 9.", "Danke", "Gern"), strict=True))
WHO = {"assistant": "Sarto"}
TEAMS = [
    {
        "createdDateTime": f"2024-01-01T10:0{n}:00Z",
        "from": {"user": {"displayName": name}},
        "body": {"contentType": "text", "content": said},
    }
    for n, (name, said) in enumerate(WRITTEN)
]
SENT = [["Chat Session", "Message Date", "Type", "Sender Name", "Text"]] + [
    ["Anna", f"2024-01-01 10:0{n}:00", ("Incoming", "Outgoing")[n % 2], (name, "")[n % 2], said] for n, (name, said) in enumerate(WRITTEN)
]
PHONE = "".join(f"12/05/23, 14:0{n} - {name}: {said}\n" for n, (name, said) in enumerate(WRITTEN))
WRITERS = {
    "Teams asks": Input(json.dumps(TEAMS), code="data.speakers"),
    "and is told": Input(json.dumps(TEAMS), [("Wann?", "Um 9.", "Danke", "Gern")], mapping=WHO),
    "messages of a telephone say who sent them": Input(
        table(*SENT), [("Wann?", "Um 9.", "Danke", "Gern")], unused={"Chat Session": 4, "Sender Name": 2}
    ),
    "in Italian": Input(
        table(*([{"Type": "Tipo", "Incoming": "Ricevuto", "Outgoing": "Inviato"}.get(cell, cell) for cell in row] for row in SENT)),
        [("Wann?", "Um 9.", "Danke", "Gern")],
        unused={"Chat Session": 4, "Sender Name": 2},
    ),
    "what was edited, and a picture with words": Input(
        PHONE.replace("Um 9.", "Um 9. <Questo messaggio è stato modificato>").replace("Gern", "IMG-1.jpg (file allegato)\nGern"),
        [("Wann?", "Um 9.", "Danke", "Gern")],
        unused={"edited": 1, "attachment": 1},
        mapping=WHO,
    ),
}

FORM = ["Informazioni cronologiche", "Nome utente", "Qual è la tua domanda?", "Che cosa risponderesti?"]
FORMS = {
    "headers that ask, in Italian": Input(
        table(FORM, *(["2024/05/01 10:00:00", "a", *pair] for pair in QA)), PAIRS, unused={FORM[0]: ALL, FORM[1]: ALL}
    ),
    "in English": Input(
        table(["Timestamp", "What is your question?", "What would you answer?"], *(["5/1/2024 10:00:00", *pair] for pair in QA)),
        PAIRS,
        unused={"Timestamp": ALL},
    ),
    "what is not understood is asked, by its names": Input(
        table(["Timestamp", "Wie heißen Sie?", "Und sonst?"], *(["5/1/2024 10:00:00", *pair] for pair in QA)), code="data.format"
    ),
}

MAIL = "From: Anna <a@b.it>\nTo: c@d.it\nSubject: Orlo\nDate: Mon, 1 Jan 2024 10:00:00 +0100\n\nQuanto costa?\n"
ODT = zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"})
UNREAD = {
    "an e-mail": Input(MAIL, code="data.mail"),
    "a mailbox": Input(f"From a@b.it Mon Jan  1 10:00:00 2024\n{MAIL}\nFrom c@d.it Mon Jan  1 11:00:00 2024\n{MAIL}", code="data.mail"),
    "a letter is none": Input("From: me\nTo: you\n\nHello.\n", [("From: me\nTo: you",), ("Hello.",)]),
    "LibreOffice's texts": Input(ODT, code="data.document"),
    "a page of questions": Input("<html><body><h2>Wo?</h2><p>Hier.</p></body></html>", code="data.page"),
}

KINDS = {
    "trees of messages": TREES,
    "tables of turns": TURN_TABLES,
    "parallel texts": PARALLEL,
    "several answers with scores": RANKED,
    "the best of several answers": BEST,
    "lists of questions": SERIES,
    "options within a question": NESTED,
    "true as an answer": TRUTHS,
    "a context beside a conversation": ABOUT,
    "calls by other names": CALLS,
    "tickets": TICKETS,
    "exports of Google": GOOGLE,
    "who wrote a message": WRITERS,
    "sheets of forms": FORMS,
    "what is no data": UNREAD,
}
