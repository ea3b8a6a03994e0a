"""Rows whose columns or turns are at fault, or are data of another kind than instructions."""

import json
from collections.abc import Iterator
from typing import Any

from tests.data.cases import LINE, TEXTS, Case, Kept, Refused, all_kept, case, lines, talk

WEATHER = {"name": "weather", "arguments": {"city": "Roma"}}
CALL = {"type": "function", "function": WEATHER}
TOOL = {"type": "function", "function": {"name": "weather", "description": "", "parameters": {"type": "object", "properties": {}}}}
GOOD_TALK = talk(("user", "a"), ("assistant", "b"))
DEEP_TEXT = "[" * 20_000 + "]" * 20_000


def cases() -> Iterator[Case]:
    yield from _turns()
    yield from _sharegpt()
    yield from _tools()
    yield from _other_kinds()
    yield from _columns()
    yield from _exports()


def _turns() -> Iterator[Case]:
    def messages(*turns: Any, **columns: Any) -> str:
        return json.dumps({"messages": list(turns), **columns})

    user, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    image = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}
    for name, row, code in (
        ("assistant first", talk(("assistant", "b"), ("user", "a")), "data.row.roles"),
        ("two questions in a row", talk(("user", "a"), ("user", "b"), ("assistant", "c")), "data.row.roles"),
        ("two answers in a row", talk(("user", "a"), ("assistant", "b"), ("assistant", "c")), "data.row.roles"),
        ("a question last", talk(("user", "a"), ("assistant", "b"), ("user", "c")), "data.row.roles"),
        ("a question alone", talk(("user", "a")), "data.row.roles"),
        ("an answer alone", talk(("assistant", "a")), "data.row.roles"),
        ("a system text alone", talk(("system", "s")), "data.row.roles"),
        ("a system text last", talk(("user", "a"), ("assistant", "b"), ("system", "c")), "data.row.roles"),
        ("a system text between", talk(("user", "a"), ("system", "c"), ("assistant", "b")), "data.row.roles"),
        ("two system texts", talk(("system", "s"), ("system", "t"), ("user", "a"), ("assistant", "b")), "data.row.roles"),
        ("an unknown speaker", talk(("narrator", "a"), ("assistant", "b")), "data.row.role"),
        ("a speaker without a name", talk(("", "a"), ("assistant", "b")), "data.row.role"),
        ("a speaker of null", messages({"role": None, "content": "a"}, answer), "data.row.speaker"),
        ("a speaker that is a number", messages({"role": 1, "content": "a"}, answer), "data.row.role"),
        ("a speaker that is a list", messages({"role": ["user"], "content": "a"}, answer), "data.row.role"),
        ("no speaker", messages({"content": "a"}, answer), "data.row.speaker"),
        ("a tool that nobody called", talk(("user", "a"), ("tool", "b"), ("assistant", "c")), "data.row.roles"),
        ("an empty answer in a talk", talk(("user", "a"), ("assistant", "")), "data.row.empty_answer"),
        ("an answer of null in a talk", talk(("user", "a"), ("assistant", None)), "data.row.empty_answer"),
        ("an empty question in a talk", talk(("user", " "), ("assistant", "b")), "data.row.empty_question"),
        ("a turn without a text", messages({"role": "user"}, answer), "data.row.empty_question"),
        ("an answer of true in a talk", talk(("user", "a"), ("assistant", True)), "data.row.type"),
        (
            "half a character in a talk",
            '{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "b"}]}',
            "data.row.surrogate",
        ),
        ("no turns", messages(), "data.row.empty_question"),
        ("turns of null", '{"messages": null}', "data.row.empty_question"),
        ("a text for turns", '{"messages": "a"}', "data.row.turns"),
        ("an object for turns", '{"messages": {"role": "user", "content": "a"}}', "data.row.turns"),
        ("texts as turns", '{"messages": ["a", 1]}', "data.row.turns"),
        ("lists as turns", '{"messages": [["user", "a", 1], ["assistant", "b", 2]]}', "data.row.turns"),
        ("null as a turn", messages(user, None, answer), "data.row.turns"),
        ("a picture in a question", messages({"role": "user", "content": [{"type": "text", "text": "a"}, image]}, answer), "data.row.part"),
        ("a part of no kind", messages({"role": "user", "content": [{"text": "a"}, {"kind": 3}]}, answer), "data.row.part"),
    ):
        yield case(name, lines(GOOD_TALK, row), Kept(2, 1, [(2, 2, code)], format="messages", first=("a", "b")))
    parts = [{"type": "text", "text": "a "}, {"type": "text", "text": " b\n"}]
    yield case("a text in parts", messages({"role": "user", "content": parts}, answer), all_kept(1, first=("a  b\n", "b")))
    yield case("roles in capitals and Italian", talk(("Utente", "a"), ("ASSISTENTE", "b")), all_kept(1, first=("a", "b")))
    yield case("a developer's text", talk(("developer", "s"), ("user", "a"), ("assistant", "b")), all_kept(1, first=("s", "a", "b")))
    yield case("an empty system text", talk(("system", ""), ("user", "a"), ("assistant", "b")), all_kept(1, first=("a", "b")))
    yield case("a talk of 2,000 turns", talk(*[("user", "a"), ("assistant", "b")] * 1000), all_kept(1, format="messages"))
    odd = talk(("user", "a"), ("assistant", "b"))
    yield case("talks among instructions", lines(LINE, odd, LINE), Kept(3, 2, [(2, 2, "data.row.columns")], format="alpaca", first=TEXTS))
    yield case(
        "no talk that can be used", lines(talk(("user", "a"))), Refused("data.nothing", {"row": 1, "fault": "data.row.roles", "turn": 1})
    )
    bare = json.dumps([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    yield case("one conversation without its row", bare, Refused("data.turns"))
    yield case("a conversation per line, without its row", lines(bare, bare), all_kept(2, first=("a", "b"), kind="json"))
    dialogue = {"dialogue": [{"speaker": "user", "text": "a"}, {"speaker": "assistant", "text": "b"}]}
    yield case("conversations by another name", lines(json.dumps(dialogue), json.dumps(dialogue)), all_kept(2, first=("a", "b")))


def _sharegpt() -> Iterator[Case]:
    def said(*turns: tuple[Any, Any], **columns: Any) -> str:
        return json.dumps({"conversations": [{"from": speaker, "value": value} for speaker, value in turns], **columns})

    good = said(("human", "a"), ("gpt", "b"))
    yield case("ShareGPT", lines(good, good), all_kept(2, format="sharegpt", first=("a", "b")))
    yield case("one conversation of ShareGPT", good, all_kept(1, format="sharegpt", first=("a", "b")))
    system = lines(said(("system", "s"), ("human", "a"), ("gpt", "b")), said(("human", "a"), ("gpt", "b"), system="t"))
    yield case("ShareGPT with system texts", system, all_kept(2, first=("s", "a", "b")))
    both = said(("system", "s"), ("human", "a"), ("gpt", "b"), system="t")
    yield case("two system texts in ShareGPT", lines(good, both), Kept(2, 1, [(2, 2, "data.row.roles")]))
    cut = lines(good, said(("gpt", "a"), ("human", "b"), ("gpt", "c")))
    yield case("ShareGPT that begins with an answer", cut, Kept(2, 1, [(2, 2, "data.row.roles")]))
    call = json.dumps(WEATHER)
    talk_of = said(("human", "a"), ("function_call", call), ("observation", "21"), ("gpt", "b"), tools=json.dumps([TOOL]))
    yield case("ShareGPT with tools", lines(talk_of), all_kept(1, format="sharegpt", first=("a", "", "21", "b")))
    for name, value in (("no JSON", "weather(Roma)"), ("a number", "4"), ("no name", '{"arguments": {}}'), ("nested brackets", DEEP_TEXT)):
        row = said(("human", "a"), ("function_call", value), ("observation", "21"), ("gpt", "b"))
        yield case(f"a call that is {name}", lines(good, row), Kept(2, 1, [(2, 2, "data.row.call")]))
    row = said(("human", "a"), ("gpt", "b"), tools=DEEP_TEXT)
    yield case("tools of nested brackets", lines(good, row), Kept(2, 1, [(2, 2, "data.row.tools")]))
    row = said(("human", "a"), ("gpt", "b"), tools="none")
    yield case("tools that are no JSON", lines(good, row), Kept(2, 1, [(2, 2, "data.row.tools")]))


def _tools() -> Iterator[Case]:
    def messages(*turns: Any, **columns: Any) -> str:
        return json.dumps({"messages": [{"role": "user", "content": "a"}, *turns], **columns})

    result, answer = {"role": "tool", "content": "21"}, {"role": "assistant", "content": "b"}

    def calling(*calls: Any) -> dict[str, Any]:
        return {"role": "assistant", "content": None, "tool_calls": list(calls)}

    kept = all_kept(1, format="messages", first=("a", "", "21", "b"))
    yield case("a call of a tool", messages(calling(CALL), result, answer, tools=[TOOL]), kept)
    text = {"type": "function", "id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Roma"}'}}
    yield case("a call with its arguments as text", messages(calling(text), result, answer), kept)
    yield case("a call last", messages(calling(CALL)), all_kept(1, first=("a", "")))
    yield case(
        "two results of two calls", messages(calling(CALL, CALL), result, result, answer), all_kept(1, first=("a", "", "21", "21", "b"))
    )
    for name, call in (
        ("text", "weather"),
        ("an empty object", {}),
        ("a function of null", {"type": "function", "function": None}),
        ("a name of null", {"type": "function", "function": {"name": None, "arguments": {}}}),
        ("arguments that are no JSON", {"type": "function", "function": {"name": "f", "arguments": "{"}}),
        ("arguments of nested brackets", {"type": "function", "function": {"name": "f", "arguments": DEEP_TEXT}}),
        ("arguments that are a list", {"type": "function", "function": {"name": "f", "arguments": [1]}}),
    ):
        row = messages(calling(call), result, answer)
        yield case(f"a tool call that is {name}", lines(GOOD_TALK, row), Kept(2, 1, [(2, 2, "data.row.call")]))
    row = messages(calling(CALL), answer)
    yield case("a call without its result", lines(GOOD_TALK, row), Kept(2, 1, [(2, 2, "data.row.roles")]))


def _other_kinds() -> Iterator[Case]:
    def rows(row: dict[str, Any]) -> str:
        return lines(*[json.dumps(row)] * 3)

    chosen = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rejected = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]
    better = all_kept(3, first=("a", "b"))
    yield case("preferences as texts", rows({"prompt": "a", "chosen": "b", "rejected": "c"}), better)
    yield case("preferences as talks", rows({"prompt": "a", "chosen": chosen, "rejected": rejected}), better)
    yield case("preferences without a prompt", rows({"chosen": chosen, "rejected": rejected}), better)
    liked = [json.dumps({"prompt": "a", "completion": "b", "label": label}) for label in (True, False, True)]
    yield case("answers liked or not", lines(*liked), Kept(3, 2, [(2, 2, "data.row.unwanted")], first=("a", "b")))
    yield case("answers nobody liked", lines(liked[1], liked[1]), Refused("data.nothing", {"fault": "data.row.unwanted", "row": 1}))
    image = {"image": {"bytes": None, "path": "a.png"}, "text": "a cat"}
    yield case("pictures and their names", rows(image), Refused("data.images"))
    yield case("texts and classes", rows({"text": "Good!", "label": 1}), all_kept(3, format="text-label", first=("Good!", "1")))
    tree = {"message_id": "1", "parent_id": None, "text": "a", "role": "prompter"}
    yield case("a tree of messages", rows(tree), Refused("data.tree"))
    prompts = rows({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]})
    yield case("prompt and completion as talks", prompts, better)
    yield case("plain texts", rows({"text": "Uno.\n"}), all_kept(3, format="text", first=("Uno.\n",)))
    yield case("texts and their sources", rows({"id": 1, "text": "Uno.", "url": "x"}), all_kept(3, format="text", first=("Uno.",)))
    empty = lines('{"text": "a"}', '{"text": " "}', '{"text": null}', '{"text": ["a"]}')
    codes = [(2, 2, "data.row.empty_text"), (3, 3, "data.row.empty_text"), (4, 4, "data.row.type")]
    yield case("plain texts, some empty", empty, Kept(4, 1, codes, format="text"))
    yield case("nothing but ids", rows({"id": 1, "hash": "x"}), Refused("data.format", {"columns": "id, hash"}))
    quiz = all_kept(3, format="multiple-choice", first=("a\n\nA) b\nB) c", "B) c"))
    yield case("questions of a quiz", rows({"question": "a", "choices": ["b", "c"], "answerKey": "B"}), quiz)
    squad = {"context": "c", "question": "q", "answers": {"text": ["a"], "answer_start": [0]}}
    yield case("answers as SQuAD has them", rows(squad), all_kept(3, format="question-answer", first=("q\n\nc", "a")))
    translation = {"translation": {"en": "Good morning", "it": "Buongiorno"}}
    yield case("translations", rows(translation), Refused("data.languages"))
    tokens = {"tokens": ["a", "b"], "ner_tags": [0, 1]}
    yield case("words and their tags", rows(tokens), Refused("data.format", {"columns": "tokens, ner_tags"}))
    ids = {"input_ids": [1, 2], "attention_mask": [1, 1], "labels": [1, 2]}
    yield case("tokens already", rows(ids), Refused("data.tokenized"))


def _columns() -> Iterator[Case]:
    """Columns by other names, in all formats."""
    pair = ("a", "b")
    for question, answer in (
        ("question", "answer"),
        ("domanda", "risposta"),
        ("Istruzione", "Risposta"),
        ("instruction", "response"),
        ("prompt", "response"),
        ("prompt", "completion"),
        ("query", "reply"),
        ("input", "output"),
        ("q", "a"),
        ("user", "assistant"),
    ):
        yield case(f"the columns {question} and {answer}", lines(json.dumps({question: "a", answer: "b"})), all_kept(1, first=pair))
        yield case(f"the columns {question} and {answer}, as a table", f"{question};{answer}\na;b\n", all_kept(1, first=pair, kind="csv"))
    context = json.dumps({"instruction": "a", "context": "c", "response": "b", "category": "open_qa"})
    yield case("an instruction with a context", lines(context), all_kept(1, format="dolly", first=("a\n\nc", "b")))
    orca = json.dumps({"system_prompt": "s", "question": "a", "response": "b"})
    yield case("a system prompt beside a question", lines(orca), all_kept(1, first=("s", "a", "b")))


def _exports() -> Iterator[Case]:
    """What people have lying about."""
    turns = json.dumps([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]).replace('"', '""')
    yield case("conversations as JSON in a table", f'id,messages\n1,"{turns}"\n', all_kept(1, format="messages", first=("a", "b")))
    turn_rows = "conversation_id,role,content\n1,user,a\n1,assistant,b\n"
    yield case("a turn per row", turn_rows, Kept(1, 1, format="messages", first=("a", "b")))
    bare = 'Come ti chiami?,Mi chiamo Ada.\nQuanti anni hai?,Ne ho trenta.\nDove vivi?,"A Roma, in centro."\n'
    yield case("questions and answers without a header", bare, Refused("data.header", {"columns": "Come ti chiami?, Mi chiamo Ada."}))
    both = json.dumps({"instruction": "a", "input": "", "output": "b", "text": "Below is an instruction. a b"})
    yield case("instructions and their whole text", lines(both, both), all_kept(2, format="alpaca", first=("a", "b")))
    parts = {"contents": [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}]}
    yield case("conversations of another service", lines(*[json.dumps(parts)] * 2), all_kept(2, format="messages", first=("a", "b")))
    tree = [{"title": "t", "mapping": {"a": {"message": None, "children": []}}, "id": "x"}]
    yield case("an export of chats as a tree of nothing", json.dumps(tree), Refused("data.nothing", {"fault": "data.row.empty_question"}))
    told = {"name": "x", "messages": [{"from": "Anna", "text": "a"}, {"from": "Bruno", "text": "b"}]}
    place = {"row": 1, "fault": "data.row.role", "role": "Anna"}
    yield case("an export of one chat", json.dumps(told, indent=1), Refused("data.nothing", place))
    by_id = {"1": {"question": "a", "answer": "b"}, "2": {"question": "c", "answer": "d"}}
    yield case("rows by their ids", json.dumps(by_id), all_kept(2, first=("a", "b"), kind="json"))
    answers = json.dumps({"Chi sei?": "Ada", "Dove?": "Qui"}, indent=1)
    yield case("answers by their questions", answers, all_kept(2, first=("Chi sei?", "Ada"), kind="json"))
    for question, answer in (("front", "back"), ("termine", "definizione"), ("source", "target"), ("en", "it")):
        place = {"columns": f"{question}, {answer}"}
        code = "data.languages" if question == "en" else "data.format"
        yield case(f"the unknown columns {question} and {answer}", f"{question};{answer}\na;b\nc;d\n", Refused(code, place))
    log = lines(*['{"question": "a", "answer": "b"}'] * 3, "Done in 3 s")
    yield case("a line of a program after the rows", log, Kept(4, 3, [(4, 4, "data.row.json")], first=("a", "b")))
    raw = 'question\tanswer\n"Ciao" disse\tb\n'
    yield case("quotation marks that a table of tabs does not know", raw, Refused("data.csv.quote", {"row": 2, "line": 2}))
