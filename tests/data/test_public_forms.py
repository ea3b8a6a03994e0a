"""Forms that public data and exports of services have: reading comprehension, dialogues in one text, messages on either side."""

import csv
import io
import json
from typing import Any

import pytest

from tests.data.conftest import Take
from tuning.errors import InputError

Row = dict[str, Any]


def as_csv(*rows: Row) -> str:
    """Rows as a table, what is no text in its cells as JSON."""
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]))
    table.writeheader()
    table.writerows({key: held if isinstance(held, str) else json.dumps(held) for key, held in row.items()} for row in rows)
    return out.getvalue()


# Reading comprehension

C, Q, A = "La sartoria apre alle 9.", "Quando apre?", "alle 9"
ANSWER = {"text": [A], "answer_start": [18]}
COMPREHENSION: dict[str, Row] = {
    "SQuAD": {"id": "0", "title": "Orli", "context": C, "question": Q, "answers": ANSWER},
    "several annotators": {"context": C, "question": Q, "answers": {"text": [A, "alle 9", "9"], "answer_start": [18, 18, 23]}},
    "a list of answers": {"context": C, "question": Q, "answers": [{"text": A, "answer_start": 18}]},
    "answer, not answers": {"context": C, "question": Q, "answer": {"text": A, "answer_start": 18}},
    "passages": {"passage": C, "question": Q, "answers": [A]},
    "in Italian": {"contesto": C, "domanda": Q, "risposte": {"testo": [A], "inizio": [18]}},
    "one answer in Italian": {"brano": C, "quesito": Q, "risposta": [{"testo": A}]},
    "within": {"paragraph": {"context": C, "question": Q, "answers": ANSWER}},
    "TriviaQA": {"question": f"{C}\n\n{Q}", "answer": {"value": A, "aliases": ["9", "nove"]}},
}


@pytest.mark.parametrize("name", COMPREHENSION)
def test_of_reading_comprehension_context_question_and_first_answer_are_learned(take: Take, name: str) -> None:
    taken = take([COMPREHENSION[name]] * 3)
    (question, answer), *_ = taken.texts
    assert answer == A and set(question.split("\n\n")) == {C, Q} and len(taken.rows) == 3
    if name == "SQuAD":
        assert taken.reading.unused == {"column": {"id": 3, "title": 3}, "key": {"answers.answer_start": 3}}
    if name == "several annotators":
        assert taken.reading.unused["part"] == {"answers.text": 6}


def test_reading_comprehension_in_the_cells_of_a_table_is_read(take: Take) -> None:
    row = {"context": C, "question": Q, "answers": ANSWER}
    assert take(as_csv(row, row)).texts == take([row, row]).texts
    of_python = f"context,question,answers\n{C},{Q},\"{{'text': ['{A}'], 'answer_start': [18]}}\"\n"
    assert take(of_python).texts == take([row]).texts
    of_pandas = of_python.replace(f"['{A}']", f"array(['{A}'], dtype=object)").replace("[18]", "array([18], dtype=int32)")
    assert take(of_pandas).texts == take([row]).texts


def test_a_question_that_has_no_answer_is_left_out_with_its_reason(take: Take) -> None:
    row = {"context": C, "question": Q, "answers": ANSWER}
    taken = take([row, {**row, "answers": {"text": [], "answer_start": []}}, row])
    assert len(taken.rows) == 2 and taken.faults == [(2, "data.row.empty_answer")]


@pytest.mark.parametrize("mapping", [{"question": "question", "answer": "answers"}, {"prompt": "question", "completion": "answers"}])
def test_columns_of_reading_comprehension_can_be_named_by_hand(take: Take, mapping: dict[str, str]) -> None:
    assert take([{"context": C, "question": Q, "answers": ANSWER}], mapping).texts[0][-1] == A


def test_paragraphs_with_questions_within_are_a_row_each(take: Take) -> None:
    asked = [{"question": Q, "id": "1", "answers": [{"text": A, "answer_start": 18}]}, {"question": "Dove?", "id": "2", "answers": []}]
    last = {"question": "E poi?", "id": "3", "answers": [{"text": "chiude", "answer_start": 0}]}
    book = {
        "version": "1.1",
        "data": [{"title": "Orli", "paragraphs": [{"context": C, "qas": asked}, {"context": "Poi chiude.", "qas": [last]}]}],
    }
    for content in (json.dumps(book), json.dumps(book, indent=1), json.dumps(book["data"]), json.dumps(book["data"][0])):
        taken = take(content)
        assert [set(question.split("\n\n")) for question, _ in taken.texts] == [{C, Q}, {"Poi chiude.", "E poi?"}]
        assert [answer for _, answer in taken.texts] == [A, "chiude"] and taken.faults == [(2, "data.row.empty_answer")]
        assert taken.reading.unused == {"column": {"title": 2, "id": 2}, "key": {"answers.answer_start": 2}}


# Dialogues in one text

DIALOGUES: dict[str, Row] = {
    "hh-rlhf": {"chosen": "\n\nHuman: Dove?\n\nAssistant: Qui", "rejected": "\n\nHuman: Dove?\n\nAssistant: Boh"},
    "prompt apart": {"prompt": "\n\nHuman: Dove?\n\nAssistant:", "chosen": " Qui", "rejected": " Boh"},
    "in Italian": {"scelta": "\n\nUtente: Dove?\n\nAssistente: Qui", "scartata": "\n\nUtente: Dove?\n\nAssistente: Boh"},
    "other speakers": {"chosen": "User: Dove?\nAI: Qui", "rejected": "User: Dove?\nAI: Boh"},
    "a prompt and how it goes on": {"prompt": "Human: Dove?\n\nAssistant:", "completion": " Qui"},
    "Italian prompt": {"prompt": "Umano: Dove?\n\nAssistente:", "completion": "Qui"},
    "OpenAssistant Guanaco": {"text": "### Human: Dove?### Assistant: Qui"},
    "one text": {"text": "Human: Dove?\n\nAssistant: Qui"},
    "one text in Italian": {"testo": "Utente: Dove?\nAssistente: Qui"},
}


@pytest.mark.parametrize("name", DIALOGUES)
@pytest.mark.parametrize("kind", ["JSON", "CSV"])
def test_a_dialogue_in_one_text_is_taken_apart_into_turns(take: Take, name: str, kind: str) -> None:
    rows = [DIALOGUES[name]] * 3
    taken = take(rows if kind == "JSON" else as_csv(*rows))
    assert taken.texts == [("Dove?", "Qui")] * 3 and not taken.reading.unused


def test_several_turns_of_a_dialogue_stay_in_order_and_to_the_letter(take: Take) -> None:
    said = "\n\nHuman: Ciao: chi sei?\n\nAssistant: Il sarto.\n\n- Note: aperto\n\nHuman: Dove?\n\nAssistant: Qui"
    taken = take([{"chosen": said, "rejected": said + "!"}])
    assert taken.texts == [("Ciao: chi sei?", "Il sarto.\n\n- Note: aperto", "Dove?", "Qui")]
    assert [message["role"] for message in taken.rows[0]["messages"]] == ["user", "assistant"] * 2


def test_answers_that_only_look_like_a_dialogue_stay_as_they_are(take: Take) -> None:
    rows = [{"prompt": "Scrivi un dialogo.", "chosen": "Human: eccomi", "rejected": "No."}]
    assert take(rows).texts == [("Scrivi un dialogo.", "Human: eccomi")]
    assert take([{"text": "Human: eccomi. Nessuno risponde."}]).reading.format == "text"


# Messages on either side

USER, SAID = {"role": "user", "content": "Dove?"}, {"role": "assistant", "content": "Qui"}
SIDES: dict[str, Row] = {
    "Langfuse": {"input": {"messages": [USER]}, "output": SAID, "metadata": {}},
    "lists": {"input": [USER], "output": [SAID]},
    "a text for the answer": {"input": {"messages": [USER]}, "output": "Qui"},
    "a text for the question": {"input": "Dove?", "output": SAID},
    "plural": {"inputs": {"messages": [USER]}, "outputs": {"messages": [SAID]}},
    "items of a data set": {"input": [USER], "expectedOutput": SAID},
    "request and response": {
        "request": {"model": "m", "messages": [USER]},
        "response": {"choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}]},
    },
    "question and answer": {"question": [USER], "answer": SAID},
    "in Italian": {"domanda": {"messages": [USER]}, "risposta": SAID},
    "richiesta": {"richiesta": [{"ruolo": "utente", "contenuto": "Dove?"}], "risposta": {"ruolo": "assistente", "contenuto": "Qui"}},
    "one text each": {"inputs": {"question": "Dove?"}, "outputs": {"answer": "Qui"}},
    "a message within": {"input": {"messages": [USER]}, "output": {"message": SAID}},
    "prompt": {"prompt": {"messages": [USER]}, "completion": {"choices": [{"message": SAID}]}},
    "of ShareGPT": {"input": [{"from": "human", "value": "Dove?"}], "output": {"from": "gpt", "value": "Qui"}},
}


@pytest.mark.parametrize("name", SIDES)
@pytest.mark.parametrize("kind", ["JSON", "CSV"])
def test_messages_as_question_or_answer_are_a_conversation(take: Take, name: str, kind: str) -> None:
    rows = [SIDES[name]] * 3
    taken = take(rows if kind == "JSON" else as_csv(*rows))
    if (name, kind) == ("one text each", "CSV"):  # an answer in JSON may be meant to be learned
        assert taken.texts == [tuple(json.dumps(side) for side in SIDES[name].values())] * 3 and not taken.reading.unused
        return
    assert taken.texts == [("Dove?", "Qui")] * 3
    left = {"request and response": {"key": {"request.model": 3, "response.finish_reason": 3, "response.index": 3}}}
    assert {key: held for key, held in taken.reading.unused.items() if key != "column" or kind == "JSON"} == left.get(name, {})


def test_messages_of_a_system_and_earlier_turns_are_kept(take: Take) -> None:
    before = [{"role": "system", "content": "Sei il sarto."}, USER, SAID, {"role": "user", "content": "Quando?"}]
    rows = [{"input": {"messages": before}, "output": {"role": "assistant", "content": "Ora"}}]
    assert take(rows).texts == [("Sei il sarto.", "Dove?", "Qui", "Quando?", "Ora")]


@pytest.mark.parametrize(
    "mapping",
    [
        {"prompt": "input.messages", "completion": "output.content"},
        {"question": "input.messages", "answer": "output.content"},
        {"prompt": "input", "completion": "output"},
        {"question": "input", "answer": "output"},
    ],
)
def test_messages_named_by_hand_are_named_once(take: Take, mapping: dict[str, str]) -> None:
    taken = take([SIDES["Langfuse"]], mapping)
    assert taken.texts == [("Dove?", "Qui")]
    assert taken.reading.mapping == mapping and taken.reading.reason is not None
    assert taken.reading.reason["params"]["columns"] == ", ".join(f"{target} -> {column}" for target, column in mapping.items())


def test_json_that_is_no_message_is_an_answer_to_the_letter(take: Take) -> None:
    answers = ['{"price": 12}', '[{"name": "orlo"}]', '{"role": "sarto"}', "[1, 2]"]
    taken = take([{"question": "q", "answer": answer} for answer in answers])
    assert [said for _, said in taken.texts] == answers


def test_an_object_without_a_message_is_refused_with_its_place(take: Take) -> None:
    with pytest.raises(InputError) as refused:
        take([{"input": {"messages": [USER]}, "output": {"tokens": 7}}])
    assert refused.value.code in ("data.nothing", "data.format")
    row = {"input": {"messages": [USER]}, "output": SAID, "system": {"k": "w"}}
    with pytest.raises(InputError, match=r"data\.nothing"):  # and not the text of its answer alone
        take([row])


# A text and a second column of prose

P = ["Quanto costa accorciare i pantaloni?", "Fate riparazioni urgenti?", "Domani siete aperti in sartoria?"]
S = ["Costa dodici euro, pronti in due giorni.", "Sì, entro sera se portate il capo.", "Domani siamo chiusi, si riapre lunedì."]
BESIDE = [
    *[("text", "reply"), ("content", "answer"), ("document", "summary"), ("testo", "risposta"), ("body", "response_text")],
    *[("article", "highlights"), ("dialogue", "summary"), ("document", "abstract"), ("contenuto", "traduzione"), ("documento", "sintesi")],
    *[("text", "paraphrase"), ("testo", "spiegazione"), ("content", "rewritten"), ("text", "simple"), ("contenuto", "in parole povere")],
    *[("id;text", "formal_version"), ("testo", "versione semplice;lingua")],
]


@pytest.mark.parametrize("names", BESIDE, ids="/".join)
@pytest.mark.parametrize("kind", ["JSON", "CSV"])
def test_a_text_and_a_second_column_of_prose_are_a_pair(take: Take, names: tuple[str, str], kind: str) -> None:
    columns = [*names[0].split(";"), *names[1].split(";")]
    held = {"id": "7", "lingua": "it"}
    rows = [
        {**{name: held.get(name, q) for name in names[0].split(";")}, **{name: held.get(name, a) for name in names[1].split(";")}}
        for q, a in zip(P, S, strict=True)
    ]
    taken = take(rows if kind == "JSON" else as_csv(*rows))
    assert taken.texts == list(zip(P, S, strict=True)), columns


@pytest.mark.parametrize("names", [("question", "text"), ("domanda", "testo"), ("Instruction", "content")], ids="/".join)
def test_a_question_and_a_text_are_a_pair(take: Take, names: tuple[str, str]) -> None:
    assert take([dict(zip(names, pair, strict=True)) for pair in zip(P, S, strict=True)]).texts == list(zip(P, S, strict=True))
    whole = [{names[0]: q, names[1]: f"{q} {a}"} for q, a in zip(P, S, strict=True)]
    assert take(whole).reading.format == "text"  # the question stands in the text: it is all of it


@pytest.mark.parametrize("other", ["title", "Titolo", "note", "Commenti", "source", "url", "category", "author"])
def test_a_text_with_what_is_only_about_it_stays_text_and_that_is_named(take: Take, other: str) -> None:
    for order in (("text", other), (other, "text")):
        taken = take([{name: {"text": q, other: a}[name] for name in order} for q, a in zip(P, S, strict=True)])
        assert taken.texts == [(q,) for q in P] and taken.reading.unused == {"column": {other: 3}}


def test_it_is_said_that_it_was_a_guess_and_the_way_out_of_it_works(take: Take) -> None:
    rows = [{"text": q, "simple": a} for q, a in zip(P, S, strict=True)]
    assert (take(rows).reading.reason or {})["code"] == "data.reason.beside"
    assert take(rows, {"text": "text"}).texts == [(q,) for q in P]
    assert take(rows, {"question": "simple", "answer": "text"}).texts == list(zip(S, P, strict=True))
    few = [*rows, *({"text": q, "simple": ""} for q in P)]
    assert take(few).reading.format == "text"
    same = [{"text": q, "simple": "Sempre la stessa frase qui."} for q in P]
    assert take(same).reading.format == "text"
