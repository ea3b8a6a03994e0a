"""Rows as public data sets have them: two answers, labels, columns within columns, data of other purposes, and any rows at all."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.test_data_formats import one, refusal, roles, said, understood
from tests.data.test_data_turns import CALL, CALL_TEXT, QA, WEATHER, WRAPPED, spoken, turns
from tuning import text
from tuning.data.formats import registry
from tuning.data.records import Number
from tuning.errors import InputError

# rows after the shapes of public data sets -> format, and the texts learned
PUBLIC: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "alpaca": ({"instruction": "i", "input": "", "output": "o", "text": "### Instruction"}, "alpaca", ("i", "o")),
    "dolly": ({"instruction": "i", "context": "c", "response": "r", "category": "qa"}, "dolly", ("i\n\nc", "r")),
    "orca": ({"id": "1", "system_prompt": "s", "question": "q", "response": "r"}, "question-answer", ("s", "q", "r")),
    "no_robots": ({"prompt": "q", "prompt_id": "1", "messages": QA, "category": "Open QA"}, "messages", ("q", "a")),
    "smoltalk": ({"messages": [*QA, *QA], "source": "magpie"}, "messages", ("q", "a", "q", "a")),
    "ultrafeedback": (
        {
            "prompt": "q",
            "prompt_id": "1",
            "chosen": QA,
            "rejected": turns(("user", "q"), ("assistant", "bad")),
            "messages": QA,
            "score_chosen": 8.5,
        },
        "preference",
        ("q", "a"),
    ),
    "orca pairs": ({"system": "s", "question": "q", "chosen": "a", "rejected": "b"}, "preference", ("s", "q", "a")),
    "explicit prompt": ({"prompt": QA[:1], "chosen": QA[1:], "rejected": QA[1:]}, "preference", ("q", "a")),
    "implicit prompt": ({"chosen": QA, "rejected": QA}, "preference", ("q", "a")),
    "one turn each": (
        {"conversations": spoken(("human", "q")), "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}},
        "preference",
        ("q", "a"),
    ),
    "trl conversational": ({"prompt": QA[:1], "completion": QA[1:]}, "prompt-completion", ("q", "a")),
    "messages and a text": ({"prompt": QA[:1], "completion": "a"}, "prompt-completion", ("q", "a")),
    "a text and messages": ({"prompt": "q", "completion": QA[1:]}, "prompt-completion", ("q", "a")),
    "kto": ({"prompt": "q", "completion": "a", "label": True}, "kto", ("q", "a")),
    "kto conversational": ({"prompt": QA[:1], "completion": QA[1:], "label": True}, "kto", ("q", "a")),
    "kto messages": ({"messages": QA, "label": True}, "kto-messages", ("q", "a")),
    "a label that is none": ({"prompt": "q", "completion": "a", "label": "sport"}, "prompt-completion", ("q", "a")),
    "squad-like": ({"id": "1", "title": "t", "context": "c", "question": "q", "answer": "a"}, "question-answer", ("q\n\nc", "a")),
    "italiano": ({"Istruzione": "i", "Contesto": "c", "Risposta": "r"}, "question-answer", ("i\n\nc", "r")),
    "corpus": ({"id": "1", "url": "u", "text": "t\n", "score": 2.5}, "text", ("t\n",)),
    "a long label": ({"text": "t", "label": "x" * 100}, "text-label", ("t", "x" * 100)),
    "whole numbers": ({"text": "good film", "label": Number("1")}, "text-label", ("good film", "1")),
    "truths": ({"Text": "good film", "Label": True}, "text-label", ("good film", "true")),
    "names": ({"idx": 1, "testo": "bel film", "etichetta": "positivo"}, "text-label", ("bel film", "positivo")),
    "rows of a server": ({"row_idx": Number("0"), "row": {"question": "q", "answer": "a"}}, "question-answer", ("q", "a")),
    "texts of a server": ({"row_idx": Number("0"), "row": {"text": "t"}}, "text", ("t",)),
    "a picture that is a word": ({"question": "q", "answer": "a", "image": "a cat"}, "question-answer", ("q", "a")),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_rows_of_public_shapes(name: str) -> None:
    row, form, learned = PUBLIC[name]
    choice, converted = understood([row, row])
    assert (choice.form.name, [said(one) for one in converted]) == (form, [learned] * 2)


def test_a_query_with_tools_and_calls() -> None:
    row = {"id": Number("0"), "query": "Weather?", "answers": f"[{CALL_TEXT}]", "tools": json.dumps([WEATHER])}
    converted = one(row)
    assert converted == {
        "messages": [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [CALL]}],
        "tools": [WRAPPED],
    }
    assert understood([row, {**row, "answers": "none"}, {**row, "query": " "}])[1][1:] == [
        ("data.row.call", {"turn": 2}),
        ("data.row.empty_question", {}),
    ]


def test_the_reason_says_what_preference_data_are_used_for() -> None:
    assert understood([PUBLIC["orca pairs"][0]])[0].reason.code == "data.reason.preference"
    row = PUBLIC["kto"][0]
    choice, converted = understood([{**row, "label": False}, row, {**row, "label": "false"}, {**row, "label": None}])
    assert choice.reason.code == "data.reason.kto" and choice.reason.params["rows"] == "3"
    assert [fault[0] for fault in (converted[0], *converted[2:])] == ["data.row.unwanted", "data.row.unwanted", "data.row.type"]
    assert one({"messages": QA, "label": False})[0] == "data.row.unwanted"


def test_a_preference_without_a_prompt_says_what_is_missing() -> None:
    assert one({"chosen": "a", "rejected": "b"}) == ("data.row.columns", {"column": "prompt"})


def test_a_completion_may_call_tools() -> None:
    answer = [{"role": "assistant", "content": None, "tool_calls": [CALL]}]
    for row in ({"prompt": QA[:1], "completion": answer}, {"prompt": "q", "chosen": answer, "rejected": QA[1:]}):
        converted = one({**row, "tools": [WEATHER], "system": "s"})
        assert (roles(converted), converted["tools"]) == ("system user assistant!", [WRAPPED])


def test_a_context_beside_messages_is_not_lost() -> None:
    row = {"prompt": QA[:1], "completion": "a", "context": "c"}
    assert said(understood([{**row, "context": ""}, row])[1][1]) == (f"{QA[0]['content']}\n\nc", "a")
    assert understood([row, {**row, "prompt": QA}])[1][1][0] == "data.row.type"  # behind an answer it has no place


PICTURE = {"bytes": b"\x89PNG", "path": None}
UNFIT: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "images": ({"image": PICTURE, "text": "a cat"}, "data.images", {"column": "image"}),
    "llava": (
        {"id": "1", "image": "coco/1.jpg", "conversations": spoken(("human", "<image>?"), ("gpt", "a"))},
        "data.images",
        {"column": "image"},
    ),
    "several": ({"images": [PICTURE], "messages": QA}, "data.images", {"column": "images"}),
    "an address": ({"Image URL": "https://example.org/1", "question": "q", "answer": "a"}, "data.images", {"column": "Image URL"}),
    "parts alone": (
        {"messages": turns(("user", [{"type": "image"}, {"type": "text", "text": "?"}]), ("assistant", "a"))},
        "data.images",
        {"column": "messages"},
    ),
    "several labels": ({"text": "t", "labels": [1, 2]}, "data.labels", {"text": "text", "label": "labels"}),
    "oasst": ({"message_id": "1", "parent_id": None, "text": "t", "role": "prompter", "lang": "en", "labels": {}}, "data.tree", {}),
    "turn per row": ({"role": "user", "content": "q"}, "data.turns", {"column": "role"}),
    "unknown": ({"foo": "a", "bar": "b"}, "data.format", {"columns": "foo, bar"}),
    "two that fit": ({"a": {"question": "q", "answer": "a"}, "b": {"question": "q", "answer": "a"}}, "data.format", {"columns": "a, b"}),
    "too far inside": ({"a": {"b": {"c": {"question": "q", "answer": "a"}}}}, "data.format", {"columns": "a"}),
}


@pytest.mark.parametrize("name", UNFIT)
def test_data_of_another_purpose_are_refused_by_name(name: str) -> None:
    row, code, params = UNFIT[name]
    fault = refusal([row, row])
    assert fault.code == code
    assert params.items() <= fault.params.items()


def test_labels_and_pictures_can_be_used_by_a_mapping() -> None:
    row = {"text": "good film", "label": Number("1"), "image": PICTURE}
    assert said(one(row, {"question": "text", "answer": "label"})) == ("good film", "1")
    assert one(row, {"text": "text"}) == {"text": "good film"}


NESTED: dict[str, tuple[dict[str, Any], dict[str, str], dict[str, str]]] = {
    "by path": ({"data": {"x": "q", "y": "a"}}, {"question": "data.x", "answer": "data.y"}, {"question": "data.x", "answer": "data.y"}),
    "path of a list": ({"conversation": {"turns": QA}}, {"messages": "conversation.turns"}, {"messages": "conversation.turns"}),
    "half by path": ({"data": {"x": "q"}, "answer": "a"}, {"question": "data.x"}, {"question": "data.x", "answer": "answer"}),
    "a name with a dot": (
        {"data.x": "q", "data": {"x": "no"}, "answer": "a"},
        {"question": "data.x"},
        {"question": "data.x", "answer": "answer"},
    ),
    "found": ({"id": "1", "data": {"domanda": "q", "risposta": "a"}}, {}, {"question": "data.domanda", "answer": "data.risposta"}),
    "found below": ({"a": {"b": {"prompt": "q", "completion": "a"}}}, {}, {"prompt": "a.b.prompt", "completion": "a.b.completion"}),
    "found turns": ({"id": "1", "dialogue": QA}, {}, {"messages": "dialogue"}),
    "found turns of ShareGPT": ({"chat": spoken(("human", "q"), ("gpt", "a"))}, {}, {"conversations": "chat"}),
    "found turns, other keys": (
        {"dialogo": [{"speaker": "utente", "text": "q"}, {"speaker": "bot", "text": "a"}]},
        {},
        {"messages": "dialogo"},
    ),
    "found turns beside a text": ({"text": "all of it", "dialogue": QA}, {}, {"messages": "dialogue"}),
    "found turns within": ({"conversation": {"turns": QA}}, {}, {"messages": "conversation.turns"}),
    "keys by hand": (
        {"messages": [{"who": "user", "what": "q"}, {"who": "assistant", "what": "a"}]},
        {"role": "who", "content": "what"},
        {"messages": "messages", "role": "who", "content": "what"},
    ),
    "speakers by hand": (
        {"conversations": spoken(("Cliente", "q"), ("operatore", "a"))},
        {"user": "cliente", "assistant": "operatore"},
        {"conversations": "conversations", "user": "cliente", "assistant": "operatore"},
    ),
    "speakers the other way round": (
        {"messages": turns(("bot", "q"), ("human", "a"))},
        {"user": "bot", "assistant": "human"},
        {"messages": "messages", "user": "bot", "assistant": "human"},
    ),
    "all by hand": (
        {"call": {"log": [{"who": "C", "said": "q"}, {"who": "O", "said": "a"}]}},
        {"messages": "call.log", "role": "who", "content": "said", "user": "c", "assistant": "o"},
        {"messages": "call.log", "role": "who", "content": "said", "user": "c", "assistant": "o"},
    ),
    "keys by hand, column found": (
        {"log": [{"who": "user", "said": "q"}, {"who": "assistant", "said": "a"}]},
        {"role": "who", "content": "said"},
        {"messages": "log", "role": "who", "content": "said"},
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_columns_within_columns(name: str) -> None:
    row, by_hand, mapping = NESTED[name]
    choice, converted = understood([row, row], by_hand)
    assert choice.mapping == mapping
    assert [said(one) for one in converted] == [("q", "a")] * 2
    assert registry.known(list(row), choice.mapping)


def test_an_optional_part_may_be_missing_within() -> None:
    rows: list[dict[str, Any]] = [
        {"d": {"question": "q", "context": "c", "answer": "a"}},
        {"d": {"question": "q", "answer": "a"}},
        {"d": {}},
    ]
    converted = understood(rows)[1]
    assert [said(row) for row in converted[:2]] == [("q\n\nc", "a"), ("q", "a")]
    assert converted[2] == ("data.row.columns", {"column": "d.question"})


NAMES = (
    *("messages", "conversations", "instruction", "input", "output", "prompt", "completion", "chosen", "rejected", "label", "tools"),
    *("query", "answers", "question", "answer", "text", "role", "content", "from", "value", "tool_calls", "function", "name", "image"),
    *("choices", "options", "A", "B", "data", "annotations", "result", "to_name", "fields", "responses", "values", "history", "weight"),
)
TEXTS = st.sampled_from(["user", "assistant", "tool", "gpt", CALL_TEXT, "[]", "[[1]]", "", " ", "\ud800", "a.png"]) | st.text(max_size=5)
LEAVES = TEXTS | st.sampled_from([None, True, False, 1.5, Number("1e999"), Number("7"), b"x"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4), max_leaves=12
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5), min_size=1, max_size=4))
def test_any_rows_are_written_or_refused(rows: list[dict[str, Any]]) -> None:
    try:
        converted = understood(rows)[1]
    except InputError as fault:
        assert text.say("it", fault.code, {**fault.params, "file": "f"})
        return
    for row in converted:
        if isinstance(row, tuple):
            assert text.say("en", *row)
        else:
            assert json.loads(orjson.dumps(row)) == row
