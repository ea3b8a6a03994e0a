"""Further inputs of the kinds that say what not to learn, and of ratings."""

import json

from tests.data.kinds import QA, A, Input, S, U, lines, paired, parquet, sheets, table

Q, BAD, AGAIN, GOOD = "Wo ist das?", "FALSCH", "Nochmal, bitte.", "In der Hauptstraße."
CONTEXT = (Q, f"~{BAD}", AGAIN, GOOD)
(Q1, A1), (Q2, A2), (Q3, A3), (Q4, A4) = QA


def talk(bad: dict[str, object], good: dict[str, object] | None = None, **columns: object) -> dict[str, object]:
    return {"messages": [U(Q), A(BAD, **bad), U(AGAIN), A(GOOD, **(good or {}))], **columns}


def turn(name: str, bad: object, good: object) -> Input:
    return Input(lines(talk({name: bad}, {name: good})), [CONTEXT])


MARKS = {
    "a number with a comma": turn("weight", "0,0", "1,0"),
    "a word in German": turn("trainieren", "nein", "ja"),
    "a word in French": turn("entraîner", False, True),
    "a word in Spanish": turn("aprender", "no", "sí"),
    "no, in Italian": turn("non_addestrare", True, False),
    "no, in German": turn("nicht_lernen", "ja", "nein"),
    "no, in French": turn("ne_pas_apprendre", True, False),
    "two words as one": turn("trainOnThis", False, True),
    "as others say it": turn("should_train", 0, 1),
    "supervised": turn("supervised", False, True),
    "stretches": Input(lines(talk({"train_detail": [{"begin_offset": 0, "end_offset": 3, "train": False}]})), [CONTEXT]),
    "parts": Input(lines({"messages": [U(Q), A([{"type": "text", "text": BAD, "weight": 0}]), U(AGAIN), A(GOOD)]}), [CONTEXT]),
    "a list beside, by turn": Input(lines(talk({}, weights=[0, 0, 0, 1])), [CONTEXT]),
    "a list beside, by answer": Input(lines(talk({}, train=[False, True])), [CONTEXT]),
    "a list beside, under a system text": Input(
        lines({"messages": [S("Kurz."), *talk({})["messages"]], "loss_mask": [0, 0, 0, 1]}),  # type: ignore[misc]
        [("Kurz.", *CONTEXT)],
    ),
    "a list in a cell": Input(table(["messages", "loss_mask"], [json.dumps(talk({})["messages"]), "[0, 0, 0, 1]"]), [CONTEXT]),
    "ShareGPT in Parquet": Input(
        parquet(
            {
                "conversations": [{"from": "human", "value": Q, "weight": None}, {"from": "gpt", "value": BAD, "weight": 0}] * 1
                + [{"from": "human", "value": AGAIN, "weight": None}, {"from": "gpt", "value": GOOD, "weight": 1}]
            }
        ),
        [CONTEXT],
    ),
    "YAML": Input(
        f"- messages:\n  - role: user\n    content: {Q}\n  - role: assistant\n    content: {BAD}\n    learn: false\n"
        f"  - role: user\n    content: {AGAIN}\n  - role: assistant\n    content: {GOOD}\n",
        [CONTEXT],
    ),
    "a column in German": Input(
        table(["Frage", "Antwort", "Gewicht"], [Q1, A1, 1], [Q2, A2, 0], [Q3, A3, "1"]), [(Q1, A1), (Q3, A3)], left=1
    ),
    "a column of a sheet": Input(sheets(Foglio=[["Domanda", "Risposta", "Addestra"], [Q1, A1, "no"], [Q2, A2, "sì"]]), [(Q2, A2)], left=1),
    "all are context": Input(lines({"messages": [U(Q), A(BAD)], "weights": [0, 0]}, {"messages": [U(Q), A(GOOD)]}), [(Q, GOOD)], left=1),
}


def rated(good: object, bad: object, *names: str) -> Input:
    held = [names or ("prompt", "completion", "label"), [Q1, A1, good], [Q2, A2, bad], [Q3, A3, good], [Q4, A4, bad]]
    return Input(table(*held), [(Q1, A1), (Q3, A3)], left=2)


def asked(good: object, bad: object, *names: str) -> Input:
    held = [names or ("prompt", "completion", "label"), [Q1, A1, good], [Q2, A2, bad], [Q3, A3, good], [Q4, A4, bad]]
    return Input(table(*held), list(QA), finding="data.check.doubtful", unused={(names or ("label",))[-1]: 4})


RATINGS = {
    "WAHR and FALSCH, as Excel says": rated("WAHR", "FALSCH", "Frage", "Antwort", "Bewertung"),
    "VRAI and FAUX": rated("VRAI", "FAUX"),
    "VERDADERO and FALSO": rated("VERDADERO", "FALSO", "prompt", "response", "label"),
    "good in French": rated("bon", "mauvais", "prompt", "response", "feedback"),
    "good in Spanish": rated("bueno", "malo", "pregunta", "respuesta", "valoración"),
    "accepted and rejected": rated("accepted", "rejected"),
    "with a comma": rated("1,0", "0,0"),
    "J'aime": rated(1, 0, "question", "réponse", "J'aime".replace("'", "")),
    "yes and no may be a class: one asks": asked("ja", "nein"),
    "oui and non, too": asked("oui", "non"),
    "pass and fail": asked("pass", "fail"),
    "a name that may mean it": asked(1, 0, "Frage", "Antwort", "richtig"),
    "chosen, as a number": asked(1, 0, "prompt", "response", "chosen"),
    "named by hand": Input(
        table(["domanda", "risposta", "ok"], [Q1, A1, "1"], [Q2, A2, "0"]),
        [(Q1, A1)],
        left=1,
        mapping={"question": "domanda", "answer": "risposta", "label": "ok"},
    ),
    "the label alone by hand": Input(
        table(["Frage", "Antwort", "gut so"], [Q1, A1, 1], [Q2, A2, 0]), [(Q1, A1)], left=1, mapping={"label": "gut so"}
    ),
    "in Parquet, as truths": Input(
        parquet({"prompt": Q1, "completion": A1, "label": True}, {"prompt": Q2, "completion": A2, "label": False}), [(Q1, A1)], left=1
    ),
    "of conversations": Input(
        lines({"messages": [U(Q1), A(A1)], "label": "👍"}, {"messages": [U(Q2), A(A2)], "label": "👎"}), [(Q1, A1)], left=1
    ),
    "one to five are none": Input(
        lines(*({**row, "rating": n + 1} for n, row in enumerate(paired("prompt", "completion")))), list(QA), unused={"rating": 4}
    ),
    "a class of texts is an answer": Input(table(["text", "label"], [Q1, 0], [Q2, 1], [Q3, 0]), [(Q1, "0"), (Q2, "1"), (Q3, "0")]),
}

KINDS = {
    "a mark that says not to learn (min-weight, axolotl-train-flag)": MARKS,
    "ratings (min-kto-int, kto-csv-1-0, kto-quoted-0-1)": RATINGS,
}
