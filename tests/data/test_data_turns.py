"""Conversations: who speaks, in what order, tools and their calls, and what stands in their way."""

import contextlib
import json
from typing import Any

import pytest

from tests.data.conftest import Take
from tests.data.test_data_formats import one, roles, said, understood
from tuning.data.formats import registry
from tuning.data.formats.tool_calls import parsed
from tuning.data.formats.turns import mended
from tuning.data.records import Number
from tuning.errors import InputError

WEATHER = {"name": "weather", "description": "Of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
WRAPPED = {"type": "function", "function": WEATHER}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}
CALL_TEXT = '{"name": "weather", "arguments": {"city": "Rome"}}'


def turns(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in pairs]


def spoken(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"from": role, "value": content} for role, content in pairs]


QA = turns(("user", "q"), ("assistant", "a"))


def test_conversations_take_the_names_of_either_format() -> None:
    mixed = [
        {"from": "system", "value": ""},
        {"role": "Human", "content": "a"},
        {"from": "gpt", "value": "b"},
        {"from": "utente", "value": "c"},
        {"from": "assistente", "value": "d"},
        {"speaker": " User ", "text": "e", "role": None},
        {"role": "MODEL", "value": None, "content": "f", "weight": Number("1")},
    ]
    assert said(one({"conversations": mixed})) == ("a", "b", "c", "d", "e", "f")
    assert said(one({"conversations": mixed[1:], "system": " s"}))[0] == " s"
    assert roles(one({"messages": turns(("developer", "d"), ("user", "u"), ("bot", "b"))})) == "system user assistant"


def test_a_sharegpt_row_with_tools() -> None:
    talk = [
        ("human", "Weather?"),
        ("function_call", CALL_TEXT),
        ("observation", '{"t": 1.50}'),
        ("gpt", "Mild."),
        ("human", "?"),
        ("gpt", "!"),
    ]
    converted = one({"conversations": spoken(*talk), "tools": json.dumps([WEATHER])})
    assert converted["tools"] == [WRAPPED]
    assert converted["messages"][1] == {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert converted["messages"][2] == {"role": "tool", "content": '{"t": 1.50}'}
    assert roles(converted) == "user assistant! tool assistant user assistant"
    both = one({"conversations": spoken(talk[0], ("function_call", f"[{CALL_TEXT}, {CALL_TEXT}]"), *[("observation", "")] * 2, talk[3])})
    assert (roles(both), len(both["messages"][1]["tool_calls"])) == ("user assistant! tool tool assistant", 2)
    assert "tools" not in both


def test_openai_messages_with_tools() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    talk = [
        {"role": "user", "content": "Weather?", "tool_calls": None, "name": "Ada"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "mild"},
        {"role": "assistant", "content": "Mild.", "tool_calls": []},
    ]
    converted = one({"messages": talk, "tools": [WRAPPED], "parallel_tool_calls": False})
    assert converted == {
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "mild", "name": "weather"},
            {"role": "assistant", "content": "Mild."},
        ],
        "tools": [WRAPPED],
    }
    assert roles(one({"messages": talk[:2]})) == "user assistant!"  # to call is an answer
    old = [talk[0], {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": ""}}]
    assert one({"messages": old})["messages"][1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": {}}


def test_numbers_in_calls_and_tools_are_numbers() -> None:
    arguments = {"n": Number("3"), "x": Number("1.50"), "deep": [{"k": Number("-7")}], "t": "007", "b": True, "z": None}
    talk = [*turns(("user", "q")), {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": arguments}]}]
    converted = one({"messages": talk, "tools": [{"name": "f", "parameters": {"most": Number("5")}}]})
    found = converted["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert found == {"n": 3, "x": 1.5, "deep": [{"k": -7}], "t": "007", "b": True, "z": None}
    assert not any(isinstance(value, Number) for value in found.values())
    assert type(converted["tools"][0]["function"]["parameters"]["most"]) is int


BAD_CALLS = [
    *("", "weather()", "[]", "{}", "7", '{"name": ""}', '{"name": "f", "arguments": [1]}', '{"name": "f", "arguments": "x"}'),
    *('{"name": "f", "arguments": {"n": NaN}}', '{"name": "f", "arguments": {"n": 1e999}}', '{"name": "f", "arguments": {"a": 1, "a": 2}}'),
    *('{"name": "f", "arguments": {"n": 123456789012345678901234567890}}', '{"name": "f", "arguments": {"n": "\\ud800"}}'),
    *("[" * 20_000, '{"name": "f", "arguments": {"n": ' + "[" * 30 + "]" * 30 + "}}"),
]


@pytest.mark.parametrize("value", BAD_CALLS, ids=lambda value: value[:60])
def test_a_call_that_cannot_be_read_is_refused(value: str) -> None:
    assert one({"conversations": spoken(("human", "q"), ("function_call", value))}) == ("data.row.call", {"turn": 2})


@pytest.mark.parametrize(
    "value", ["no", "[7]", "[{}]", '{"type": "function"}', [{"function": {"description": "no name"}}], True, Number("3")]
)
def test_tools_that_cannot_be_read_are_refused(value: Any) -> None:
    assert one({"messages": QA, "tools": value}) == ("data.row.tools", {"column": "tools"})


@pytest.mark.parametrize("value", [None, "", " ", "[]", "null", []])
def test_no_tools_are_none(value: Any) -> None:
    assert one({"messages": QA, "tools": value}) == {"messages": QA}


def test_calls_of_others_than_the_assistant_are_refused() -> None:
    talk = [{"role": "user", "content": "q", "tool_calls": [CALL]}, *turns(("assistant", "a"))]
    assert one({"messages": talk}) == ("data.row.call", {"turn": 1})


def test_parts_of_text_are_joined_to_the_letter() -> None:
    parts = [
        {"type": "text", "text": " a\n"},
        {"type": "text", "text": Number("007")},
        {"type": "input_text", "text": "è "},
        {"text": None},
    ]
    assert said(one({"messages": turns(("user", parts), ("assistant", "b"))})) == (" a\n007è ", "b")


@pytest.mark.parametrize("kind", ["image_url", "audio", "video", "file"])
def test_a_part_that_is_no_text_refuses_its_row(kind: str) -> None:
    row = {"messages": turns(("user", [{"type": "text", "text": "a"}, {"type": kind, kind: {}}]), ("assistant", "b"))}
    assert understood([{"messages": QA}, row])[1][1] == ("data.row.part", {"turn": 1, "found": kind})


ROLES = {
    "user user assistant": 2,
    "user assistant assistant": 3,
    "assistant": 1,
    "assistant user assistant": 1,
    "user assistant user": 3,
    "user": 1,
    "system": 1,
    "system system user assistant": 2,
    "user system assistant": 2,
    "user tool assistant": 2,
    "user assistant tool assistant": 3,
    "user call assistant": 3,
    "user call user assistant": 3,
    "user call tool user assistant": 4,
    "user call tool": 3,
    "tool user assistant": 1,
}


@pytest.mark.parametrize("order", ROLES)
def test_turns_out_of_turn_are_refused_with_their_place(order: str) -> None:
    names = {"call": "tool_call"}
    talk = [{"from": names.get(role, role), "value": CALL_TEXT if role == "call" else "x"} for role in order.split()]
    code, params = one({"conversations": talk})
    assert (code, params["turn"]) == ("data.row.roles", ROLES[order])


def test_a_second_system_text_is_refused() -> None:
    talk = turns(("system", "x"), ("user", "x"), ("assistant", "x"))
    assert understood([{"messages": talk}, {"messages": talk, "system": "y"}])[1][1] == ("data.row.roles", {"turn": 1, "role": "system"})


@pytest.mark.parametrize("turn", [{"role": "alien", "content": "x"}, {"content": "x"}, {"role": "", "content": "x"}])
def test_an_unknown_speaker_is_refused(turn: dict[str, Any]) -> None:
    expected = (
        ("data.row.role", {"turn": 1, "role": turn["role"]}) if "role" in turn else ("data.row.speaker", {"turn": 1, "keys": "content"})
    )
    assert one({"messages": [turn, *QA]}) == expected


@pytest.mark.parametrize("value", [[7], ["text"], [["q", "a", "b"]], [["q"]], ["q", 7], "text", {"role": "user"}, "[broken"])
def test_what_is_no_list_of_turns_is_refused(value: Any) -> None:
    assert understood([{"messages": QA}, {"messages": value}])[1][1] == ("data.row.turns", {"column": "messages"})


PYTHON = [
    "[{'role': 'user', 'content': %r}, {'role': 'assistant', 'content': %r, 'name': None, 'seen': True}]",
    "[{'role': 'user', 'content': %r}\n {'role': 'assistant', 'content': %r}]",  # as NumPy prints it
]


@pytest.mark.parametrize("form", PYTHON)
@pytest.mark.parametrize("text", ["a", "it's", 'say "a"', "'\"\\", "\n\t\x00\x1b\u2028\U0001f600", "None } { True", "perché [", "\\'"])
def test_a_conversation_may_be_of_python_in_a_cell(form: str, text: str) -> None:
    assert said(one({"messages": form % (text, text)})) == (text, text)


@pytest.mark.parametrize(
    "cell", ["[{'role': 'user', 'content': 'a}]", "[{'a': __import__('os')}]", "['a', ...]", "['\\q']", "['\\UFFFFFFFF']"]
)
def test_what_python_would_not_print_is_refused(cell: str) -> None:
    assert understood([{"messages": QA}, {"messages": cell}])[1][1] == ("data.row.turns", {"column": "messages"})


@pytest.mark.parametrize("cell", ["[" + "\\'" * 300_000, "['" + "\\'" * 300_000, "['" * 300_000, "[{'a':" * 20_000])
def test_hostile_text_of_python_is_refused_at_once(cell: str) -> None:
    assert understood([{"messages": QA}, {"messages": cell}])[1][1][0] == "data.row.turns"


def test_a_conversation_may_be_json_in_a_cell() -> None:
    talk = turns(("user", "perché\n"), ("assistant", Number("1.50")))
    cell = '[{"role": "user", "content": "perché\\n"}, {"role": "assistant", "content": 1.50}]'
    assert said(one({"messages": cell})) == ("perché\n", "1.50") == said(one({"messages": talk}))


def test_a_conversation_is_mended_at_its_ends_and_where_one_side_speaks_twice() -> None:
    def order(names: str) -> str | None:
        kept = mended([{"role": role, "content": "x"} for role in names.split()])
        return None if kept is None else " ".join(message["role"] for message in kept)

    assert order("assistant user assistant user") == "user assistant"
    assert order("system assistant assistant user assistant tool") == "system user assistant"
    assert order("user assistant assistant") == "user assistant"  # joined
    assert order("user user assistant") == "user assistant"
    assert [order("assistant"), order("user"), order("system"), order(""), order("assistant user")] == [None] * 5
    form = registry.choose([{"messages": QA}], {}).form
    row = {"messages": [*turns(("assistant", "hello")), *QA, *turns(("user", "bye"))]}
    assert form.convert(row, {"messages": "messages"}, mend=True) == {"messages": QA}


def test_json_within_a_text_keeps_its_numbers_and_doubts_its_keys() -> None:
    assert parsed('{"a": 1.50, "b": [7e1]}') == {"a": "1.50", "b": ["7e1"]}
    for broken in ('{"a": 1, "a": 2}', "[NaN]", "[", "[" * 100_000):
        with pytest.raises(ValueError):
            parsed(broken)


def parts(*said: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [said[0]]}, {"role": "assistant", "content": [said[1]]}]


@pytest.mark.parametrize(
    "row",
    [
        {"system": [{"text": "s"}], "messages": parts({"text": "q"}, {"text": "a"})},
        {"system": {"parts": [{"text": "s"}]}, "messages": parts({"type": "text", "value": "q"}, {"type": "text", "value": "a"})},
        {"sistema": "s", "messaggi": parts({"type": "text", "content": "q"}, {"type": "text", "text": {"value": "a"}})},
        {
            "systemInstruction": {"role": "system", "parts": [{"text": "s"}]},
            "contents": [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": "a"}]}],
        },
        {"system_instruction": "s", "dialogo": [{"role": "user", "parts": ["q"]}, {"role": "model", "parts": [{"text": "a"}]}]},
    ],
)
def test_parts_hold_their_text_under_other_keys(row: dict[str, Any]) -> None:
    assert said(one(row)) == ("s", "q", "a")


CALLS = ["<tool_call>\n{}\n</tool_call>", "[TOOL_CALLS] meteo", "Azione: meteo", "<function=meteo>", '{"name": "meteo"}']


@pytest.mark.parametrize("call", CALLS)
def test_a_call_written_as_text_may_be_followed_by_its_answer(call: str) -> None:
    talk = [("human", "q"), ("gpt", call), ("tool", "sole"), ("gpt", "a")]
    assert said(one({"conversations": spoken(*talk)})) == ("q", call, "sole", "a")


@pytest.mark.parametrize("order", ["user user assistant", "user assistant assistant", "system system user assistant"])
def test_turns_of_one_role_are_joined_by_the_repair(order: str) -> None:
    talk = turns(*[(role, str(at)) for at, role in enumerate(order.split())])
    form = registry.choose([{"messages": QA}], {}).form
    joined = said(form.convert({"messages": talk}, {"messages": "messages"}, mend=True))
    assert "\n\n".join(joined) == "\n\n".join(map(str, range(len(talk))))
    assert len(joined) == len(talk) - 1


@pytest.mark.parametrize("beside", [{}, {"tools": []}, {"tools": [WEATHER]}, {"parallel_tool_calls": True}])
def test_preference_pairs_of_openai_teach_the_preferred_answer(beside: dict[str, Any]) -> None:
    good, bad = ([{"role": "assistant", "content": text}] for text in "ab")
    asked = {"messages": [{"role": "user", "content": "q"}], **beside}
    converted = one({"input": asked, "preferred_output": good, "non_preferred_output": bad})
    assert (said(converted), "tools" in converted) == (("q", "a"), bool(beside.get("tools")))


ROME = {"city": "Rome"}
PARTS = {  # a call, and its answer, as parts of the turns of several services
    "Anthropic": (
        {"type": "tool_use", "id": "t1", "name": "weather", "input": ROME},
        {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "mild"}]},
    ),
    "Anthropic, a text": (
        {"type": "tool_use", "id": "t1", "name": "weather", "input": ROME},
        {"type": "tool_result", "tool_use_id": "t1", "content": "mild"},
    ),
    "Bedrock": (
        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": ROME}},
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "mild"}], "status": "success"}},
    ),
    "Gemini": ({"functionCall": {"name": "weather", "args": ROME}}, {"functionResponse": {"name": "weather", "response": "mild"}}),
    "Gemini, in snake case": (
        {"function_call": {"name": "weather", "args": ROME}},
        {"function_response": {"name": "weather", "response": "mild"}},
    ),
}


@pytest.mark.parametrize("before", [[], [{"text": "I look."}]], ids=["alone", "after a text"])
@pytest.mark.parametrize("name", PARTS)
def test_calls_and_answers_of_tools_among_parts(name: str, before: list[dict[str, str]]) -> None:
    call, answer = PARTS[name]
    talk = turns(("user", [{"text": "q"}]), ("assistant", [*before, call]), ("user", [answer]), ("assistant", [{"text": "a"}]))
    converted = one({"messages": talk})
    assert converted["messages"] == [
        *turns(("user", "q")),
        {"role": "assistant", "content": before[0]["text"] if before else "", "tool_calls": [CALL]},
        {"role": "tool", "content": "mild", "name": "weather"},
        *turns(("assistant", "a")),
    ]


def test_what_a_user_says_beside_an_answer_of_a_tool_and_answers_that_are_objects() -> None:
    both = [{"functionResponse": {"name": "weather", "response": {"t": Number("15"), "sky": "è"}}}, {"text": "And tomorrow?"}]
    talk = [*turns(("user", [{"text": "q"}])), {"role": "model", "parts": [PARTS["Gemini"][0]]}, {"role": "user", "parts": both}]
    with_answer = {"messages": [*talk, {"role": "model", "parts": [{"text": "a"}]}]}
    assert one(with_answer) == ("data.row.roles", {"turn": 4, "role": "user"})
    both.pop()
    assert said(one({"contents": [*talk, {"role": "model", "parts": [{"text": "a"}]}]})) == ("q", "", '{"t": 15, "sky": "è"}', "a")


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
OFFERED = {
    "Anthropic": [{"name": "weather", "description": "Of a city", "input_schema": SCHEMA}],
    "Gemini": [{"functionDeclarations": [WEATHER]}],
    "Gemini, in snake case": [{"function_declarations": [WEATHER]}],
    "Bedrock": {"tools": [{"toolSpec": {"name": "weather", "description": "Of a city", "inputSchema": {"json": SCHEMA}}}]},
}


@pytest.mark.parametrize("column", ["tools", "toolConfig"])
@pytest.mark.parametrize("name", OFFERED)
def test_tools_of_several_services_are_one_kind(name: str, column: str) -> None:
    assert one({"messages": QA, column: OFFERED[name]})["tools"] == [WRAPPED]


def test_items_of_the_responses_api_are_turns() -> None:
    asked = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]}]
    answered = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "mild"},
        {"type": "function_call_output", "call_id": "c2", "output": "mild"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
    ]
    expected = [
        *turns(("user", "q")),
        {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [CALL, CALL]},
        *[{"role": "tool", "content": "mild", "name": "weather"}] * 2,
        {"role": "assistant", "content": "a", "reasoning_content": "so"},
    ]
    assert one({"messages": [*asked, *answered]})["messages"] == expected
    assert one({"input": asked, "output": answered})["messages"] == expected


@pytest.mark.parametrize("item", [{"type": "reasoning", "summary": 7}, {"type": "function_call_output", "output": [float("nan")]}])
def test_items_of_any_content_are_refused_or_empty(item: dict[str, Any]) -> None:
    assert one({"messages": [*QA, item]})[0] in ("data.row.roles", "data.row.call", "data.row.empty_answer")


def test_a_key_called_item_is_named_as_any_other(take: Take) -> None:
    assert take([{"messages": [QA[0], {**QA[1], "item": True}]}]).reading.unused == {"key": {"item": 1}}


@pytest.mark.parametrize("call", ["[weather(city='Rome')]", '[weather(city="Rome"), price(item="a")]', "weather(city='Rome')"])
def test_a_call_written_as_code_may_be_followed_by_its_answer(call: str) -> None:
    talk = [("human", "q"), ("gpt", call), ("tool", "sole"), ("gpt", "a")]
    assert said(one({"conversations": spoken(*talk)})) == ("q", call, "sole", "a")


FOUR = ("q", "a", "r", "b")
EXCHANGES: dict[str, Any] = {
    "texts in turn": [*FOUR],
    "pairs": [["q", "a"], ["r", "b"]],
    "speakers and texts": [["user", "q"], ["assistant", "a"], ["Human", "r"], ["gpt", "b"]],
    "objects of two speakers": [{"human": "q", "assistant": "a"}, {"human": "r", "assistant": "b"}],
    "objects of questions and answers": [{"Domanda": "q", "Risposta": "a"}, {"Domanda": "r", "Risposta": "b"}],
    "as XTuner has it": [{"system": "", "input": "q", "output": "a"}, {"input": "r", "output": "b"}],
    "sender and body": [{"sender": who, "body": text} for who, text in zip(["Customer", "Agent"] * 2, FOUR, strict=True)],
    "author and message": [{"author": who, "message": text} for who, text in zip(["cliente", "operatore"] * 2, FOUR, strict=True)],
    "speaker and utterance": [{"speaker": who, "utterance": text} for who, text in zip(["USER", "ASSISTANT"] * 2, FOUR, strict=True)],
}


@pytest.mark.parametrize("column", ["conversation", "dialog", "dialogo", "scambi", "turns"])
@pytest.mark.parametrize("name", EXCHANGES)
def test_turns_are_written_in_many_ways(take: Take, name: str, column: str) -> None:
    taken = take([{"id": 1, column: EXCHANGES[name]}, {"id": 2, column: EXCHANGES[name]}])
    assert taken.texts == [FOUR] * 2 and taken.reading.unused == {"column": {"id": 2}}
    assert take([{"x": EXCHANGES[name]}] * 2, {"messages": "x"}).texts == [FOUR] * 2


def test_what_stands_beside_a_pair_of_turns_is_obeyed_or_named(take: Take) -> None:
    talk = [{"system": "s", "input": "q", "output": "a", "weight": 0, "id": 7}, {"input": "r", "output": "b"}]
    taken = take([{"conversation": talk}])
    assert taken.texts == [("s", *FOUR)] and taken.reading.unused == {"key": {"id": 1}}
    assert [turn.get("weight") for turn in taken.rows[0]["messages"]] == [None, None, 0, None, None]


def test_texts_in_turn_are_called_data_too_and_a_table_in_parts_is_one_of_rows(take: Take) -> None:
    assert take([{"id": "0", "data": [*FOUR]}] * 2).texts == [FOUR] * 2
    assert take(json.dumps({"columns": ["question", "answer"], "index": [0], "data": [["q", "a"]]})).texts == [("q", "a")]


PAIRS = [{"domanda": "Dove siete?", "risposta": "Qui."}, {"domanda": "Quando?", "risposta": "Ora."}]


@pytest.mark.parametrize("column", ["voci", "entries", "items"])
def test_a_list_of_questions_with_their_answers_is_no_conversation(take: Take, column: str) -> None:
    taken = take([{"sezione": "Orari", column: PAIRS}, {"sezione": "Altro", column: PAIRS[:1]}])
    assert taken.texts == [("Dove siete?", "Qui."), ("Quando?", "Ora."), ("Dove siete?", "Qui.")]
    assert taken.reading.unused == {"column": {"sezione": 3}}


@pytest.mark.parametrize("row", [{"data": PAIRS}, {"esempi": PAIRS, "prove": PAIRS}, {"question": "q", "answer": "a", "altre": PAIRS}])
def test_lists_of_questions_that_may_be_something_else_are_no_rows(take: Take, row: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"data\.format") if "question" not in row else contextlib.nullcontext():
        assert take([{**row, "id": 1}] * 2).texts == [("q", "a")] * 2


@pytest.mark.parametrize("held", [["rosso", "blu"], ["a", "b", "c"]])
def test_a_list_of_words_is_no_conversation(take: Take, held: list[str]) -> None:
    assert take([{"question": "Quali?", "answer": "Tre.", "tags": held}] * 2).texts == [("Quali?", "Tre.")] * 2
    with pytest.raises(InputError, match=r"data\.format"):
        take([{"colors": held}] * 2)


TREE = {"message_tree_id": "1", "prompt": {"text": "q", "role": "prompter", "replies": [{"text": "a", "role": "assistant", "replies": []}]}}


def test_a_tree_of_messages_is_read_also_where_it_is_nested(take: Take) -> None:
    taken = take([TREE, TREE])
    assert len(taken.rows) == 2 and roles(taken.rows[0]).startswith("user assistant")
