"""Every format is found by its columns, and every text comes through to the letter."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tuning import text
from tuning.data.formats import registry
from tuning.data.formats.registry import FORMATS, ChosenFormat, Format
from tuning.data.formats.shapes import PairShape, TurnsShape
from tuning.data.records import LISTED, Number
from tuning.errors import InputError

Take = Callable[..., Any]  # the fixture
Row = dict[str, Any]
BY_NAME = {form.name: form for form in FORMATS}
ODD = [
    *("None", "N/A", "null", "nan", "007", "12345678901234567890", "1e5", "TRUE", "  padded  ", "tab\there", 'say "hi"', "a;b,c|d", "'"),
    *(
        "\\n",
        "two\nlines",
        "Windows\r\nlines",
        "old\rMac",
        "line\u2028separator\u0085",
        "perché è così",
        "🙂👩\u200d👧",
        "e\u0301",
        "a\u200bb",
    ),
    *("<s>[INST]", "{{name}}", "=1+1", "#", "\ufeffmark", "x\n\n\ny", "\n\nstarts low", "ends low\n", "0 0", "-", "[", "[]", '{"a": 1}'),
]
DIALECTS: list[dict[str, Any]] = [
    {"delimiter": ";"},
    {"delimiter": ",", "quoting": csv.QUOTE_ALL},
    {"delimiter": "\t", "quoting": csv.QUOTE_ALL, "lineterminator": "\n"},
]
OTHERS = {
    "header-pairs",
    "function-calling",
    "multiple-choice",
    "label-studio",
    "argilla",
    "chatgpt",
    "claude",
    "comparison",
    *("nested-choice", "series", "ranked-answers", "ticket", "gemini"),
}  # named by no exact name, or their answers are calls, one of several, or lie deep within
WITH_TEXTS = [form for form in FORMATS if form.name not in OTHERS]


def understood(rows: Sequence[Row], given: Mapping[str, str] | None = None) -> tuple[ChosenFormat, list[Any]]:
    """The choice, and of each row what became of it: its normal form, or the code that refuses it."""
    choice = registry.choose(rows, given or {})
    out: list[Any] = []
    for row in rows:
        mapping = choice.form.complete(list(row), given or {})
        if mapping is None:
            out.append(("data.row.columns", {"column": choice.form.lacks(list(row), given or {})}))
            continue
        try:
            out.append(choice.form.convert(row, mapping))
        except InputError as fault:
            out.append((fault.code, fault.params))
    for lang in text.LANGUAGES:
        assert text.say(lang, choice.reason.code, choice.reason.params)
    return choice, out


def said(converted: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of a row in normal form."""
    return (converted["text"],) if "text" in converted else tuple(message["content"] for message in converted["messages"])


def one(row: Row, given: Mapping[str, str] | None = None) -> Any:
    return understood([row], given)[1][0]


def refusal(rows: Sequence[Row], given: Mapping[str, str] | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        registry.choose(rows, given or {})
    for lang in text.LANGUAGES:
        assert text.say(lang, caught.value.code, {**caught.value.params, "file": "f.json"})
    return caught.value


def roles(converted: Mapping[str, Any]) -> str:
    return " ".join(message["role"] + ("!" if "tool_calls" in message else "") for message in converted["messages"])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_example_of_a_format_is_found_to_be_of_it(form: Format) -> None:
    choice, (converted,) = understood([dict(form.example)])
    assert type(choice.form) is type(form)
    assert form.required <= choice.mapping.keys() <= form.targets.keys()
    assert form.name == "text" or converted["messages"][-1]["role"] == "assistant"
    assert (choice.reason.params["rows"], choice.reason.params["of"], choice.reason.params["format"]) == ("1", "1", form.name)


def test_names_are_all_different() -> None:
    assert len(BY_NAME) == len(FORMATS)


COLUMNS = {
    "instruction output": "alpaca",
    "instruction input output": "alpaca",
    "instruction context response category": "dolly",
    "instruction input response": "dolly",
    "prompt completion": "prompt-completion",
    "question answer": "question-answer",
    "id domanda risposta": "question-answer",
    "istruzione contesto risposta": "question-answer",
    "istruzione input output": "question-answer",
    "prompt response": "question-answer",
    "system_prompt question response": "question-answer",
    "input output": "question-answer",
    "Instruction ANSWER": "question-answer",
    "quesito RISPOSTA": "question-answer",
    "messages": "messages",
    "id Messages source": "messages",
    "conversations system": "sharegpt",
    "conversations tools": "sharegpt",
    "prompt chosen rejected": "preference",
    "question chosen rejected": "preference",
    "prompt completion label": "kto",
    "query tools answers": "function-calling",
    "text": "text",
    "title body": "text",
    "id Testo": "text",
    "documento lingua": "text",
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_columns_tell_the_format(columns: str) -> None:
    found = [form.name for form in FORMATS if not form.by_content and form.matches(columns.split())]
    assert found[0] == COLUMNS[columns]


@pytest.mark.parametrize("columns", ["foo bar", "instruction", "answer", "chosen", "text"])
def test_other_columns_are_no_format_nor_is_a_column_of_texts_alone(columns: str) -> None:
    assert not registry.known(columns.split(), {})


def test_columns_are_known_by_name_by_hand_and_by_path() -> None:
    assert registry.known(["text", "id"], {})
    assert registry.known(["foo", "answer"], {"question": "foo"})
    assert registry.known(["data"], {"question": "data.q", "answer": "data.a"})
    assert not registry.known(["foo"], {"question": "data.q", "answer": "foo"})
    assert registry.known(["messages"], {"role": "who", "user": "cliente"})


@pytest.mark.parametrize("column", ["System Prompt", "system-prompt", "SYSTEM_PROMPT", "systemPrompt", " system prompt "])
def test_case_spaces_hyphens_and_underscores_do_not_count(column: str) -> None:
    assert said(one({column: "s", "Question": "q", "ANSWER ": "a"})) == ("s", "q", "a")


def test_a_context_is_never_lost_by_its_name() -> None:
    for columns in ("instruction input response", "instruction context output", "question context answer", "prompt input output"):
        mapping = next(found for form in FORMATS if not form.by_content and (found := form.matches(columns.split())))
        assert len(mapping) == 3


def row_of(form: Format, question: str, answer: str) -> Row:
    if isinstance(form, TurnsShape):
        speaker, said_there = ("from", "value") if form.name == "sharegpt" else ("role", "content")
        names = ("human", "gpt") if form.name == "sharegpt" else ("user", "assistant")
        turns = [{speaker: name, said_there: content} for name, content in zip(names, (question, answer), strict=True)]
        return {form.turns: turns, **({"label": True} if "label" in form.required else {})}
    if not isinstance(form, PairShape):
        return {"text": question + answer}
    more = {"label": "true", "rejected": "x"}
    return {
        form.asks[0]: question,
        form.answers: answer,
        **{target: more[target] for target in (form.required & more.keys()) - {form.answers}},
    }


def expected(form: Format, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, ...]]:
    return [(question + answer,) for question, answer in pairs] if form.name == "text" else list(pairs)


@pytest.mark.parametrize("form", WITH_TEXTS, ids=lambda form: form.name)
def test_texts_come_through_to_the_letter(form: Format) -> None:
    pairs = [*zip(ODD, reversed(ODD), strict=True), ("a\x00b", "\x1fc"), ("x" * 100_000 + "è", " y")]
    choice, converted = understood([row_of(form, question, answer) for question, answer in pairs])
    assert choice.form is form
    assert [said(row) for row in converted] == expected(form, pairs)
    assert all(type(part) is str for row in converted for part in said(row))


@pytest.mark.parametrize("form", WITH_TEXTS, ids=lambda form: form.name)
@pytest.mark.parametrize("shape", ["lines", "list", "indented", "ascii"])
def test_texts_in_json_come_through_to_the_letter(take: Take, form: Format, shape: str) -> None:
    pairs = [*zip(ODD, reversed(ODD), strict=True), ("a\x00b", "\x1fc")]
    rows = [row_of(form, question, answer) for question, answer in pairs]
    content = {
        "lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "list": json.dumps(rows, ensure_ascii=False),
        "indented": json.dumps(rows, ensure_ascii=False, indent=1),
        "ascii": json.dumps({"data": rows}),
    }[shape]
    assert [said(row) for row in take(content).rows] == expected(form, pairs)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=["semicolon", "comma", "tab"])
@pytest.mark.parametrize("form", [form for form in WITH_TEXTS if isinstance(form, PairShape)], ids=lambda form: form.name)
def test_texts_in_csv_come_through_to_the_letter(take: Take, form: Format, dialect: dict[str, Any], encoding: str) -> None:
    pairs = list(zip(ODD, reversed(ODD), strict=True))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(row_of(form, "", "")), **dialect)
    writer.writeheader()
    writer.writerows(row_of(form, question, answer) for question, answer in pairs)
    assert [said(row) for row in take(out.getvalue().encode(encoding)).rows] == pairs


@pytest.mark.parametrize("spelled", ["7", "007", "1.50", "1e5", "12345678901234567890", "-0"])
@pytest.mark.parametrize("form", WITH_TEXTS, ids=lambda form: form.name)
def test_a_number_is_the_text_that_the_file_spells(form: Format, spelled: str) -> None:
    question, answer = ("", Number(spelled)) if form.name == "text" else ("q", Number(spelled))
    row = {"text": answer} if form.name == "text" else row_of(form, question, answer)
    last = said(one(row))[-1]
    assert (last, type(last)) == (spelled, str)


@pytest.mark.parametrize("value", [True, 1.5, ["a"], {"a": 1}, b"a"])
def test_what_is_no_text_is_refused(value: Any) -> None:
    rows = [{"question": "q", "answer": "a"}] * 3 + [{"question": "q", "answer": value}, {"question": value, "answer": "a"}]
    assert [fault[0] for fault in understood(rows)[1][3:]] == ["data.row.type"] * 2


@pytest.mark.parametrize("form", WITH_TEXTS, ids=lambda form: form.name)
def test_half_a_character_is_refused(form: Format) -> None:
    converted = understood([row_of(form, "q", "a"), row_of(form, "q", "a\ud800"), row_of(form, "\udc00", "a")])[1]
    assert [row[0] for row in converted[1:]] == ["data.row.surrogate"] * 2


@pytest.mark.parametrize("empty", ["", " \n\t", "\u2003"])
@pytest.mark.parametrize("form", WITH_TEXTS, ids=lambda form: form.name)
def test_a_blank_question_and_a_blank_answer_are_refused(form: Format, empty: str) -> None:
    if form.name == "text":
        assert one({"text": empty})[0] == "data.row.empty_text"
        return
    converted = understood([row_of(form, "q", "a"), row_of(form, empty, "a"), row_of(form, "q", empty)])[1]
    assert [row[0] for row in converted[1:]] == ["data.row.empty_question", "data.row.empty_answer"]


def test_instruction_and_input_are_joined_by_one_blank_line() -> None:
    row = {"instruction": " Sum: ", "input": "1\n2", "output": "3", "system": "Short."}
    converted = understood([row, {**row, "input": " ", "system": ""}, {**row, "instruction": ""}, {**row, "input": None}])[1]
    assert converted[0] == {
        "messages": [
            {"role": "system", "content": "Short."},
            {"role": "user", "content": " Sum: \n\n1\n2"},
            {"role": "assistant", "content": "3"},
        ],
    }
    assert [said(row)[-2:] for row in converted[1:]] == [(" Sum: ", "3"), ("1\n2", "3"), (" Sum: ", "3")]


def test_a_column_that_is_missing_is_named() -> None:
    form = BY_NAME["question-answer"]
    for mapping, column in (({"question": "q", "answer": "b"}, "b"), ({"question": "x.y", "answer": "a"}, "x.y")):
        with pytest.raises(InputError) as caught:
            form.convert({"q": "1", "a": "2", "x": {"z": "3"}}, mapping)
        assert (caught.value.code, caught.value.params) == ("data.row.columns", {"column": column})
    assert form.lacks(["answer"], {}) == "question"


def test_content_decides_where_columns_would_mislead() -> None:
    choice, converted = understood([{"messages": "2", "question": "a", "answer": "b"}, {"messages": "4", "question": "c", "answer": "d"}])
    assert (choice.form.name, [said(row) for row in converted]) == ("question-answer", [("a", "b"), ("c", "d")])


def test_columns_may_differ_from_row_to_row() -> None:
    short = {"instruction": "a", "output": "b"}
    choice, converted = understood([*[short] * 9, {**short, "input": "i", "system": "s"}])
    assert said(converted[-1]) == ("s", "a\n\ni", "b")
    assert choice.mapping == {"instruction": "instruction", "input": "input", "output": "output", "system": "system"}


def test_the_reason_names_the_columns_and_how_many_rows_fit() -> None:
    rows = [{"domanda": "d", "risposta": "r"}] * 97 + [{"domanda": "", "risposta": "r"}] * 3
    reason = understood(rows)[0].reason
    columns = "question -> domanda, answer -> risposta"
    assert (reason.code, reason.params) == (
        "data.reason.columns",
        {"format": "question-answer", "columns": columns, "rows": "97", "of": "100"},
    )


def test_a_mapping_by_hand() -> None:
    row = {"foo": "a", "bar": "b", "answer": "c"}
    assert said(one(row, {"question": "foo", "answer": "bar"})) == ("a", "b")
    choice, converted = understood([row], {"question": "foo", "context": "bar"})
    assert said(converted[0]) == ("a\n\nb", "c")
    assert choice.mapping == {"question": "foo", "context": "bar", "answer": "answer"}
    assert said(one({"talk": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, {"messages": "talk"})) == ("a", "b")
    assert one({"foo": "a"}, {"text": "foo"}) == {"text": "a"}


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"domanda": "foo"}, "data.mapping.target"),
        ({"question": "nope"}, "data.mapping.column"),
        ({"question": "foo.a"}, "data.mapping.column"),
        ({"question": "foo", "answer": "foo"}, "data.mapping.twice"),
        ({"question": "foo"}, "data.format"),
        ({"question": "foo", "messages": "bar"}, "data.format"),
        ({"role": "foo"}, "data.format"),
    ],
)
def test_a_mapping_that_cannot_be(mapping: dict[str, str], code: str) -> None:
    assert refusal([{"foo": "a", "bar": "b"}], mapping).code == code


def test_many_long_column_names_are_shortened() -> None:
    def told(longer: str) -> list[str]:
        return list(refusal([{f"{number}{longer}": "" for number in range(40)}]).params["columns"].split(", "))

    columns = told("x" * 50)
    assert len(", ".join(columns[:-1])) <= LISTED < len(", ".join([columns[0], *columns[:-1]])) and columns[-1] == "…"
    assert max(map(len, columns)) == 40
    assert told("x") == [*(f"{number}x" for number in range(12)), "…"]
