"""Every format is found by its columns, and every text comes through to the letter."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tuning.data import formats
from tuning.data.formats import FORMATS, Format
from tuning.errors import InputError

Take = Callable[..., Any]  # the fixture
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
        "\u200b",
    ),
    *("<s>[INST]", "{{name}}", "=1+1", "#", "\ufeffmark", "x\n\n\ny", "\n\nstarts low", "ends low\n", "0 0", "-"),
]
DIALECTS: list[dict[str, Any]] = [
    {"delimiter": ";"},
    {"delimiter": ",", "quoting": csv.QUOTE_ALL},
    {"delimiter": "\t", "quoting": csv.QUOTE_ALL, "lineterminator": "\n"},
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_example_of_a_format_is_found_to_be_of_it(take: Take, form: Format) -> None:
    taken = take([dict(form.example)])
    assert taken.reading.format == form.name
    assert taken.rows[0]["messages"][-1]["role"] == "assistant"
    assert form.required <= taken.reading.mapping.keys() <= form.targets.keys()


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
    "input output": "question-answer",
    "Instruction ANSWER": "question-answer",
    "messages": "messages",
    "conversations system": "sharegpt",
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_columns_tell_the_format(columns: str) -> None:
    found = [form.name for form in FORMATS if form.matches(columns.split())]
    assert found[0] == COLUMNS[columns]


@pytest.mark.parametrize("columns", ["text", "foo bar", "prompt chosen rejected", "instruction", "answer", "title body"])
def test_other_columns_are_no_format(columns: str) -> None:
    assert not formats.known(columns.split(), {})


def test_a_context_is_never_lost_by_its_name() -> None:
    for columns in ("instruction input response", "instruction context output", "question context answer", "prompt input output"):
        mapping = next(found for form in FORMATS if (found := form.matches(columns.split())))
        assert len(mapping) == 3


def rows_of(form: Format, question: str, answer: str) -> dict[str, Any]:
    if form.name == "messages":
        return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
    if form.name == "sharegpt":
        return {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}
    asks, answers = (target for target in form.targets if target in form.required)
    return {form.targets[asks][0]: question, form.targets[answers][0]: answer}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("shape", ["lines", "list", "indented", "ascii"])
def test_json_texts_come_through_to_the_letter(take: Take, form: Format, shape: str) -> None:
    pairs = [*zip(ODD, reversed(ODD), strict=True), ("a\x00b", "\x1fc")]
    rows = [rows_of(form, question, answer) for question, answer in pairs]
    content = {
        "lines": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "list": json.dumps(rows, ensure_ascii=False),
        "indented": json.dumps(rows, ensure_ascii=False, indent=1),
        "ascii": json.dumps({"data": rows}),
    }[shape]
    assert take(content).texts == pairs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=["semicolon", "comma", "tab"])
@pytest.mark.parametrize("form", [form for form in FORMATS if len(form.required) == 2], ids=lambda form: form.name)
def test_csv_texts_come_through_to_the_letter(take: Take, form: Format, dialect: dict[str, Any], encoding: str) -> None:
    pairs = list(zip(ODD, reversed(ODD), strict=True))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows_of(form, "", "")), **dialect)
    writer.writeheader()
    writer.writerows(rows_of(form, question, answer) for question, answer in pairs)
    assert take(out.getvalue().encode(encoding)).texts == pairs


def test_instruction_and_input_are_joined_by_one_blank_line(take: Take) -> None:
    row = {"instruction": " Sum: ", "input": "1\n2", "output": "3", "system": "Short."}
    taken = take([row, {**row, "input": " ", "system": ""}, {**row, "instruction": ""}])
    assert taken.rows[0] == {
        "row": 1,
        "messages": [
            {"role": "system", "content": "Short."},
            {"role": "user", "content": " Sum: \n\n1\n2"},
            {"role": "assistant", "content": "3"},
        ],
    }
    assert taken.texts[1:] == [(" Sum: ", "3"), ("Short.", "1\n2", "3")]


def test_conversations_take_the_names_of_either_format(take: Take) -> None:
    turns = [
        {"from": "system", "value": ""},
        {"role": "Human", "content": "a"},
        {"from": "gpt", "value": "b"},
        {"from": "utente", "value": "c"},
        {"from": "assistente", "value": "d"},
    ]
    assert take([{"conversations": turns, "system": " s"}]).faults == []
    assert take([{"conversations": turns[1:], "system": " s"}]).texts == [(" s", "a", "b", "c", "d")]


def test_a_second_system_text_is_refused(take: Take) -> None:
    turns = [{"role": role, "content": "x"} for role in ("system", "user", "assistant")]
    taken = take([{"messages": turns}, {"messages": turns, "system": "y"}])
    assert taken.faults == [(2, "data.row.roles")]


def test_content_decides_where_columns_would_mislead(take: Take) -> None:
    taken = take("messages,question,answer\n2,a,b\n4,c,d\n")
    assert (taken.reading.format, taken.texts) == ("question-answer", [("a", "b"), ("c", "d")])


def test_columns_may_differ_from_row_to_row(take: Take) -> None:
    short = {"instruction": "a", "output": "b"}
    taken = take([short] * 150 + [{**short, "input": "i", "system": "s"}])
    assert taken.texts[-1] == ("s", "a\n\ni", "b")
    assert taken.reading.mapping == {"instruction": "instruction", "input": "input", "output": "output", "system": "system"}


def test_a_mapping_by_hand(take: Take) -> None:
    content = "foo,bar,answer\na,b,c\n"
    assert take(content, {"question": "foo", "answer": "bar"}).texts == [("a", "b")]
    taken = take(content, {"question": "foo", "context": "bar"})
    assert taken.texts == [("a\n\nb", "c")]
    assert taken.reading.mapping == {"question": "foo", "context": "bar", "answer": "answer"}
    assert take([{"talk": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}], {"messages": "talk"}).texts == [("a", "b")]


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({"domanda": "foo"}, "data.mapping.target"),
        ({"question": "nope"}, "data.mapping.column"),
        ({"question": "foo", "answer": "foo"}, "data.mapping.twice"),
        ({"question": "foo"}, "data.format"),
    ],
)
def test_a_mapping_that_cannot_be(take: Take, mapping: dict[str, str], code: str) -> None:
    with pytest.raises(InputError) as caught:
        take("foo,bar\na,b\n", mapping)
    assert caught.value.code == code


def test_many_long_column_names_are_shortened(take: Take) -> None:
    with pytest.raises(InputError) as caught:
        take(",".join(f"{number}{'x' * 50}" for number in range(40)) + "\n" + "," * 39 + "\n")
    columns = caught.value.params["columns"].split(", ")
    assert len(columns) == 13 and columns[-1] == "…" and max(map(len, columns)) == 40
