"""Further inputs of forms that public data and services have: histories, thoughts, tools, logs, annotations, exports of chats."""

import json

from tests.data.kinds import QA, A, Input, S, U, arrow, lines, paired, parquet, sheets, table

(Q1, A1), (Q2, A2), *_ = QA
PAIRS = list(QA)
ALL = len(QA)
EARLIER = ("Samstags offen?", "Den ganzen Tag.")


def told(column: str, held: object, *names: str) -> Input:
    names = names or ("question", "answer")
    return Input(lines(*({**row, column: held} for row in paired(*names))), [(*EARLIER, *pair) for pair in QA])


HISTORY = {
    "Verlauf": told("Verlauf", [EARLIER], "Frage", "Antwort"),
    "historique, as turns": told("historique", [U(EARLIER[0]), A(EARLIER[1])], "instruction", "output"),
    "historial, by name": told("historial", [{"user": EARLIER[0], "assistant": EARLIER[1]}], "pregunta", "respuesta"),
    "texts in turn": told("chat_history", list(EARLIER), "prompt", "response"),
    "in a cell": Input(
        table(["instruction", "input", "output", "history"], *([q, "", a, json.dumps([EARLIER])] for q, a in QA)),
        [(*EARLIER, *pair) for pair in QA],
    ),
    "in Parquet": Input(
        parquet(*({"domanda": q, "risposta": a, "cronologia": [list(EARLIER)]} for q, a in QA)), [(*EARLIER, *pair) for pair in QA]
    ),
    "what is not understood is named": Input(
        lines(*({**row, "history": "gestern"} for row in paired("question", "answer"))), PAIRS, unused={"history": ALL}
    ),
}


def thought(column: str, *names: str) -> Input:
    return Input(lines(*({**row, column: "Mal sehen."} for row in paired(*(names or ("question", "answer"))))), PAIRS, thoughts=ALL)


THOUGHTS = {
    **{
        name: thought(name) for name in ("Gedankengang", "raisonnement", "razonamiento", "reasoning_text", "deepseek_reasoning", "pensiero")
    },
    "in a sheet": Input(sheets(Blatt=[["Frage", "Überlegung", "Antwort"], *([q, "Mal sehen.", a] for q, a in QA)]), PAIRS, thoughts=ALL),
    "a key of a turn": Input(lines({"messages": [U("q"), A("a", Gedanken="x")]}, {"conversations": []}), [("q", "a")], left=1, thoughts=1),
    "Bedrock's part": Input(
        lines({"messages": [U([{"text": "q"}]), A([{"reasoningContent": {"reasoningText": {"text": "x"}}}, {"text": "a"}])]}),
        [("q", "a")],
        thoughts=1,
    ),
    "an explanation is none": Input(
        lines(*({**row, "spiegazione": "Perché sì."} for row in paired("domanda", "risposta"))), PAIRS, unused={"spiegazione": ALL}
    ),
}

TOOL = {"type": "function", "function": {"name": "prezzo", "description": "d", "parameters": {"type": "object", "properties": {}}}}
TALK = [U(Q1), A(A1)]
TOOLS = {
    "functions of a system text": Input(
        lines({"messages": [S("Sei il sarto.", functions=[TOOL["function"]]), *TALK]}), [("Sei il sarto.", Q1, A1)], tools=1
    ),
    "JSON on the question": Input(lines({"messages": [U(Q1, tools=json.dumps([TOOL])), A(A1)]}), [(Q1, A1)], tools=1),
    "available_tools": Input(lines(*({**row, "available_tools": [TOOL]} for row in paired("question", "answer"))), PAIRS, tools=ALL),
    "Werkzeuge": Input(lines(*({**row, "Werkzeuge": [TOOL]} for row in paired("Frage", "Antwort"))), PAIRS, tools=ALL),
    "herramientas, in Parquet": Input(
        parquet(*({"pregunta": q, "respuesta": a, "herramientas": json.dumps([TOOL])} for q, a in QA)), PAIRS, tools=ALL
    ),
    "within metadata": Input(lines({"messages": TALK, "metadata": {"tools": [TOOL]}}), [(Q1, A1)], tools=1),
}


def task(answer: object, **data: object) -> dict[str, object]:
    return {"id": 1, "data": data, "annotations": [{"result": [{"value": answer, "from_name": "r", "to_name": "t", "type": "textarea"}]}]}


STUDIO = {
    "prompt": Input(lines(*(task({"text": [a]}, prompt=q) for q, a in QA)), PAIRS, unused={"id": ALL}),
    "one text, under any name": Input(json.dumps([task({"text": a}, kundenfrage=q) for q, a in QA]), PAIRS, unused={"id": ALL}),
    "choices": Input(
        json.dumps([task({"choices": [kind]}, testo=q) for kind, (q, _) in zip(("ordine", "reclamo", "ordine", "info"), QA, strict=True)]),
        [(Q1, "ordine"), (Q2, "reclamo")],
        unused={"id": ALL},
    ),
    "its smaller export": Input(
        table(["annotation_id", "annotator", "text", "answer"], *([1, 2, q, a] for q, a in QA)),
        PAIRS,
        unused={"annotation_id": ALL, "annotator": ALL},
    ),
}
DOCCANO = {
    "in French": Input(
        table(["texte", "étiquette"], *([q, ("plainte", "commande")[n % 2]] for n, (q, _) in enumerate(QA))),
        [(Q1, "plainte"), (Q2, "commande")],
    ),
    "in Spanish": Input(lines(*({"texto": q, "etiqueta": [a]} for q, a in QA)), PAIRS),
    "several": Input(lines(*({"id": 1, "text": q, "label": [a, "anders"]} for q, a in QA)), PAIRS, unused={"id": ALL, "label": ALL}),
    "utterance and intent": Input(
        table(["utterance", "intent"], *([q, ("reclamo", "ordine")[n % 2]] for n, (q, _) in enumerate(QA))),
        [(Q1, "reclamo"), (Q2, "ordine")],
    ),
    "stretches are refused by a sentence": Input(lines(*({"text": q, "label": [[0, 3, "PER"]]} for q, _ in QA)), code="data.spans"),
}

BESIDE = {
    "messages and a response": Input(lines(*({"messages": [U(q)], "response": a} for q, a in QA)), PAIRS),
    "messages and a message": Input(lines(*({"messages": [S("x"), U(q)], "output": A(a)} for q, a in QA)), [("x", *pair) for pair in QA]),
    "in German": Input(lines(*({"eingabe": {"messages": [U(q)]}, "ausgabe": A(a)} for q, a in QA)), PAIRS),
    "bodies of a log": Input(
        lines(*({"request_body": {"messages": [U(q)]}, "response_body": {"choices": [{"message": A(a)}]}} for q, a in QA)), PAIRS
    ),
    "a batch": Input(
        lines(
            *(
                {"request": {"body": {"messages": [U(q)]}}, "response": {"status_code": 200, "body": {"choices": [{"message": A(a)}]}}}
                for q, a in QA
            )
        ),
        PAIRS,
        unused={"response.status_code": ALL},
    ),
    "an ideal answer": Input(lines(*({"input": [U(q)], "ideal": [a, "anders"]} for q, a in QA)), PAIRS, unused={"ideal": ALL}),
    "in cells": Input(table(["input", "output"], *([json.dumps([U(q)]), json.dumps(A(a))] for q, a in QA)), PAIRS),
    "named by hand": Input(
        lines(*({"ein": {"m": [U(q)]}, "aus": {"t": a}} for q, a in QA)), PAIRS, mapping={"prompt": "ein.m", "completion": "aus.t"}
    ),
}

TEXT = {
    "text,reply": Input(table(["text", "reply"], *QA), PAIRS),
    "Text;Antwort": Input(table(["Text", "Antwort"], *QA, delimiter=";"), PAIRS),
    "texte,réponse": Input(lines(*paired("texte", "réponse")), PAIRS),
    "testo, risposta in a sheet": Input(sheets(F=[["Testo", "Risposta"], *QA]), PAIRS),
}

PARTS = {
    **{
        f"{kind}: {key}": Input(
            lines({"messages": [U([{"type": kind, key: "Wo?"}]), A([{"type": kind, key: "Hier."}])]}), [("Wo?", "Hier.")]
        )
        for kind, key in (
            ("text", "data"),
            ("paragraph", "text"),
            ("markdown", "markdown"),
            ("input_text", "text"),
            ("testo", "testo"),
            ("text", "body"),
        )
    },
    "Gemini's, of one row": Input(
        lines({"contents": [{"role": "user", "parts": [{"text": "Wo?"}]}, {"role": "model", "parts": [{"text": "Hier."}]}]}),
        [("Wo?", "Hier.")],
    ),
    "a system text of texts": Input(
        lines({"system": ["Sei breve.", "Sei gentile."], "messages": TALK}), [("Sei breve.\nSei gentile.", Q1, A1)]
    ),
    "a system text as one part": Input(
        lines(
            {
                "system_instruction": {"parts": {"text": "Kurz."}},
                "contents": [{"role": "user", "parts": [{"text": "Wo?"}]}, {"role": "model", "parts": [{"text": "Hier."}]}],
            }
        ),
        [("Kurz.", "Wo?", "Hier.")],
    ),
}
VERTEX = {name: PARTS[name] for name in ("Gemini's, of one row", "a system text as one part")}
VERTEX["a file of one object"] = Input(
    json.dumps({"contents": [{"role": "user", "parts": [{"text": "Où ?"}]}, {"role": "model", "parts": [{"text": "Ici."}]}]}, indent=1),
    [("Où ?", "Ici.")],
)

VALUE = [{"value": "nein", "status": "discarded"}]
ARGILLA = {
    "in German": Input(lines(*({"frage": q, "antwort": [{"value": a, "status": "submitted"}]} for q, a in QA)), PAIRS),
    "what was discarded": Input(
        lines(*({"prompt": q, "response": [*VALUE, {"value": a, "status": "submitted"}]} for q, a in QA)), PAIRS, unused={"response": ALL}
    ),
    "its columns on the Hub": Input(parquet(*({"prompt": q, "risposta.responses": [a]} for q, a in QA)), PAIRS),
    "its second version": Input(lines(*({"fields": {"frage": q}, "responses": {"antwort": [{"value": a}]}} for q, a in QA)), PAIRS),
}

CALL = '<tool_call>\n{"name": "meteo", "arguments": {}}\n</tool_call>'
HERMES = {
    "roles": Input(
        lines({"messages": [U("Wetter?"), A(CALL), {"role": "tool", "content": "Sonne"}, A("Es ist sonnig.")]}),
        [("Wetter?", CALL, "Sonne", "Es ist sonnig.")],
    ),
    "a function": Input(
        lines(
            {
                "conversations": [
                    {"from": "human", "value": "W?"},
                    {"from": "gpt", "value": '<functioncall> {"name": "w"}'},
                    {"from": "function", "value": "1"},
                    {"from": "gpt", "value": "ok"},
                ]
            }
        ),
        [("W?", '<functioncall> {"name": "w"}', "1", "ok")],
    ),
    "it ends with a call": Input(lines({"messages": [S("x"), U("W?"), A(CALL)]}), [("x", "W?", CALL)]),
    "Mistral's": Input(
        lines({"messages": [U("W?"), A('[TOOL_CALLS] [{"name": "w", "arguments": {}}]'), {"role": "tool", "content": "1"}, A("ok")]}),
        [("W?", '[TOOL_CALLS] [{"name": "w", "arguments": {}}]', "1", "ok")],
    ),
}

GOOD = {"messages": [U("x"), A("y")]}


def order(*turns: dict[str, object], saved: tuple[str, ...]) -> dict[str, Input]:
    content = lines({"messages": turns}, GOOD)
    name = " ".join(str(turn["role"]) for turn in turns)
    return {
        f"{name}: told": Input(content, [("x", "y")], left=1, finding="data.check.refused.roles"),
        f"{name}: joined": Input(content, [saved, ("x", "y")], repair="roles"),
    }


ORDER = {
    **order(U("a"), A("b"), U("grazie"), saved=("a", "b")),
    **order(A("Guten Tag!"), U("a"), A("b"), saved=("a", "b")),
    **order(U("a"), A("b"), A("c"), saved=("a", "b\n\nc")),
    **order(U("a"), U("b"), A("c"), saved=("a\n\nb", "c")),
    **order(S("a"), S("b"), U("c"), A("d"), saved=("a\n\nb", "c", "d")),
}

WHATSAPP = (
    "12.05.23, 14:03 - Anna: Wann?\n12.05.23, 14:05 - Schneider: Um 9.\nSonntags zu.\n"
    "12.05.23, 14:06 - Anna: Danke\n12.05.23, 14:07 - Schneider: Gern\n"
)
SPOKEN = [("Wann?", "Um 9.\nSonntags zu.", "Danke", "Gern")]
SATZ = [("Satz 0", "Satz 1", "Satz 2", "Satz 3")]
NAMES = ("Anna", "Schneider")
BY = {"assistant": "Schneider"}
TELEGRAM = [{"type": "message", "date": f"2025-01-01T10:0{n}:00", "from": NAMES[n % 2], "text": f"Satz {n}"} for n in range(4)]
SLACK = [{"type": "message", "user": NAMES[n % 2], "text": f"Satz {n}", "ts": f"17000000{n}0.0001"} for n in range(4)]


def messages(*header: str) -> str:
    return table(header, *([NAMES[n % 2], f"2024-01-01 10:0{n}", f"Satz {n}"] for n in range(4)))


CHATS = {
    "WhatsApp in German asks": Input(WHATSAPP, code="data.speakers.table"),
    "and is told": Input(WHATSAPP, SPOKEN, mapping=BY),
    "WhatsApp in French": Input(WHATSAPP.replace(", ", " à "), SPOKEN, mapping=BY),
    "WhatsApp of an iPhone, a picture": Input(
        "".join(
            f"[12.05.23, 14:0{n}:11] {NAMES[n % 2]}: {said}\n"
            for n, said in enumerate(("Wann?", "Um 9.", "\u200eBild weggelassen", "Gern"))
        ),
        [("Wann?", "Um 9.\nGern")],
        mapping=BY,
    ),
    "Telegram, all chats": Input(json.dumps({"about": "x", "chats": {"list": [{"name": "A", "messages": TELEGRAM}]}}), SATZ, mapping=BY),
    "Slack asks": Input(json.dumps(SLACK), code="data.speakers.table"),
    "a table in German": Input(messages("Absender", "Datum", "Nachricht"), SATZ, mapping=BY),
    "a table in Spanish": Input(messages("Remitente", "Fecha", "Mensaje"), SATZ, mapping=BY),
    "a table in French asks": Input(messages("Expéditeur", "Date", "Message"), code="data.speakers.table"),
}

SQUAD = {
    "in German": Input(
        lines(*[{"kontext": "Offen ab 9.", "frage": "Ab wann?", "antwort": {"text": ["9"]}}] * 2), [("Ab wann?\n\nOffen ab 9.", "9")] * 2
    ),
    "passages": Input(
        parquet(*[{"passage": "Offen ab 9.", "question": "Ab wann?", "answers": {"text": ["9"], "answer_start": [9]}}] * 2),
        [("Ab wann?\n\nOffen ab 9.", "9")] * 2,
        unused={"answers.answer_start": 2},
    ),
    "a list of answers": Input(
        lines(*[{"contexte": "Ouvert à 9h.", "question": "Quand ?", "answers": ["9h", "neuf"]}] * 2),
        [("Quand ?\n\nOuvert à 9h.", "9h")] * 2,
        unused={"answers": 2},
    ),
}
HH = {
    "User and AI": Input(lines(*[{"chosen": "User: Où ?\n\nAI: Ici.", "rejected": "User: Où ?\n\nAI: Non."}] * 2), [("Où ?", "Ici.")] * 2),
    "Italian": Input(
        table(["scelta", "scartata"], *[["\n\nUtente: Dove?\n\nAssistente: Qui", "\n\nUtente: Dove?\n\nAssistente: Boh"]] * 2),
        [("Dove?", "Qui")] * 2,
    ),
    "four turns": Input(
        lines({"chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d", "rejected": "\n\nHuman: a\n\nAssistant: e"}),
        [("a", "b", "c", "d")],
    ),
}
DPO = {
    "lists": Input(lines(*({"prompt": [U(q)], "chosen": [A(a)], "rejected": [A("Nein.")]} for q, a in QA)), PAIRS),
    "texts in a table": Input(table(["question", "chosen", "rejected"], *([q, a, "Nein."] for q, a in QA)), PAIRS),
    "OpenAI's, in Parquet": Input(
        parquet(*({"input": {"messages": [U(q)]}, "preferred_output": [A(a)], "non_preferred_output": [A("Nein.")]} for q, a in QA)), PAIRS
    ),
}
KINDS = {
    "history (min-history)": HISTORY,
    "thoughts (min-reasoning, cot-column)": THOUGHTS,
    "tools wherever they stand (tools-in-system2)": TOOLS,
    "Label Studio (labelstudio-text)": STUDIO,
    "doccano (doccano-seq2seq)": DOCCANO,
    "input and output (min-input-output, langfuse-io)": BESIDE,
    "text and response (min-text-response)": TEXT,
    "typed parts (min-part-value, bedrock-conversation)": PARTS,
    "Gemini (vertex-gemini)": VERTEX,
    "Argilla (argilla-v1)": ARGILLA,
    "calls as text (min-hermes)": HERMES,
    "the order of turns (ends-with-user, consecutive-turns)": ORDER,
    "exports of chats (telegram-result, whatsapp-android-it, discord-exporter)": CHATS,
    "SQuAD (squad-hf)": SQUAD,
    "dialogues in one text (min-hh)": HH,
    "preferences (openai-dpo)": DPO,
    "Arrow (data-00000-of-00001.arrow)": {
        "a stream": Input(arrow(*paired("Frage", "Antwort"), stream=True), PAIRS),
        "a file": Input(arrow(*paired("question", "réponse")), PAIRS),
        "messages": Input(arrow({"messages": TALK}), [(Q1, A1)]),
    },
}
