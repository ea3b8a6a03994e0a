"""What is given is learned, context, left out by a counted reason, or named as not used; and what can be used is used.

The property is tried on tables and conversations with columns, keys and marks of any kind: some in the suite, 20,000 in the nightly form.
"""

import collections
import csv
import io
import json
import pathlib
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.data.books import workbook
from tests.data.conftest import Take, read_here
from tests.data.test_data_turns import WEATHER, WRAPPED
from tests.lots import lot
from tuning import text
from tuning.cli.main import main
from tuning.data.records import given as says
from tuning.errors import InputError

Row = dict[str, Any]
PAIR = {"question": "q", "answer": "a"}
QA = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def named(take: Take, *rows: Row) -> dict[str, Any]:
    return take(list(rows)).reading.unused


UNUSED: dict[str, tuple[list[Row], dict[str, dict[str, int]]]] = {
    "a column": ([{**PAIR, "id": 7}, {**PAIR, "id": None}, {**PAIR, "note": "n"}], {"column": {"id": 1, "note": 1}}),
    "false and naught are something": ([{**PAIR, "checked": False, "price": 0}], {"column": {"checked": 1, "price": 1}}),
    "thoughts": ([{"messages": [{**QA[0], "reasoning_content": "12 * 3"}, QA[1]]}] * 2, {"key": {"reasoning_content": 2}}),
    "a name": ([{"messages": [{**QA[0], "name": "Anna"}, {**QA[1], "id": "m1"}]}], {"key": {"name": 1, "id": 1}}),
    "keys of a part": (
        [{"messages": [{"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {"type": "x"}}]}, QA[1]]}],
        {"part": {"cache_control": 1}},
    ),
    "parts of an object": ([{"data": {**PAIR, "page": 3}, "id": 1}], {"column": {"data.page": 1, "id": 1}}),
    "keys of calls": (
        [{"messages": [QA[0], {"role": "assistant", "tool_calls": [{"name": "price", "arguments": {}, "index": 4}]}]}],
        {"key": {"tool_calls.index": 1}},
    ),
    "a column beside texts": ([{"text": "t", "lingua": "it"}], {"column": {"lingua": 1}}),
    "a second context": ([{**PAIR, "context": "c", "passage": "p"}], {"column": {"passage": 1}}),
    "a prompt that is not in the talk": (
        [{"prompt": "other", "chosen": QA, "rejected": QA}, {"prompt": "q", "chosen": QA, "rejected": QA}],
        {"column": {"prompt": 1}},
    ),
    "history of no known kind": ([{**PAIR, "history": "we met"}, {**PAIR, "history": []}], {"column": {"history": 1}}),
    "a column of other tools": ([{**PAIR, "tools": "hammer, saw"}], {"column": {"tools": 1}}),
    "a context that is none": ([{**PAIR, "context": {"page": 1}}], {"column": {"context": 1}}),
    "the wrong speaker's calls": ([{"messages": QA, "tools": None, "extra": {"functions": 1}}], {"column": {"extra": 1}}),
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_is_not_used_is_named_and_counted(take: Take, name: str) -> None:
    rows, expected = UNUSED[name]
    assert named(take, *rows) == expected


def test_messages_of_a_tree_that_no_conversation_has_are_counted_in_the_reader_s_language(take: Take) -> None:
    def message(number: str, parent: str | None, role: str = "assistant") -> dict[str, Any]:
        return {"message_id": number, "parent_id": parent, "role": role, "text": f"Text {number}."}

    circle = [message("3", "4", "prompter"), message("4", "3")]
    taken = take([message("1", None, "prompter"), message("2", "1"), message("2", "1"), *circle, message("5", "1")])
    assert taken.texts == [("Text 1.", "Text 2.")]
    parts = {"text: twice under one name": 1, "text: answers in a circle": 2, "text: other branches": 1}
    assert taken.reading.unused == {"part": parts}
    said = text.unused("it", [{"kind": "part", "name": name, "count": count, "of": None} for name, count in parts.items()])
    assert said.startswith("Non usato: parte text: due volte") and not [word for word in ("circle", "branches", "twice") if word in said]
    assert set(text.REASONS.values()) <= text.table("it").keys()


def test_a_row_that_is_left_out_counts_for_nothing(take: Take) -> None:
    assert named(take, {**PAIR, "id": 1}, {**PAIR, "answer": "", "id": 2}, {**PAIR, "id": 3, "train": False}) == {"column": {"id": 1}}


def test_a_file_of_all_names_is_not_held_whole(take: Take) -> None:
    left = named(take, *({**PAIR, f"c{number}": 1} for number in range(2000)))
    assert sum(left["column"].values()) + left["others"][""] == 2000 and len(left["column"]) < 400


def test_it_is_one_sentence_in_the_terminal_and_a_list_in_json(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shop.jsonl"
    turns = [{**QA[0], "reasoning_content": "hm"}, QA[1]]
    path.write_text("\n".join(json.dumps(row) for row in ({"messages": turns, "id": 1}, {"messages": turns}, {"messages": QA, "id": 3})))
    for lang, sentence in (
        ("en", "- Not used: column id (2 of 3 rows), key reasoning_content (2 turns)."),
        ("it", "- Non usato: colonna id (2 righe su 3), chiave reasoning_content (2 turni)."),
    ):
        assert main(["--home", str(tmp_path / "home"), "check", str(path), "--lang", lang]) == 0
        assert sentence in capsys.readouterr().out.splitlines()
    assert main(["--home", str(tmp_path / "home"), "check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unused"] == [
        {"kind": "column", "name": "id", "count": 2, "of": 3},
        {"kind": "key", "name": "reasoning_content", "count": 2, "of": None},
    ]
    assert text.unused("en", [{"kind": "key", "name": "id", "count": 1, "of": None}]) == "Not used: key id (1 turn)."


FOUR = ("Siete aperti?", "Sì.", "E la domenica?", "Solo al mattino.")
HISTORIES: dict[str, tuple[str, Any]] = {
    "pairs": ("history", [["Siete aperti?", "Sì."]]),
    "pairs in a cell": ("History", '[["Siete aperti?", "Sì."]]'),
    "pairs of Python": ("history", "[['Siete aperti?', 'Sì.']]"),
    "turns": ("chat_history", [{"role": "user", "content": "Siete aperti?"}, {"role": "assistant", "content": "Sì."}]),
    "turns of ShareGPT": ("conversation_history", [{"from": "human", "value": "Siete aperti?"}, {"from": "gpt", "value": "Sì."}]),
    "objects": ("cronologia", [{"domanda": "Siete aperti?", "risposta": "Sì."}]),
    "one after the other": ("previous turns", ["Siete aperti?", "Sì."]),
}


@pytest.mark.parametrize("names", [("instruction", "output"), ("domanda", "risposta"), ("prompt", "completion")], ids="/".join)
@pytest.mark.parametrize("name", HISTORIES)
def test_history_is_the_earlier_turns(take: Take, name: str, names: tuple[str, str]) -> None:
    column, value = HISTORIES[name]
    taken = take([{names[0]: "E la domenica?", names[1]: "Solo al mattino.", column: value, "system": "Sei il sarto."}])
    assert taken.texts == [("Sei il sarto.", *FOUR)] and taken.reading.unused == {}


TOOLED: dict[str, Row] = {
    "beside a conversation": {"messages": QA, "tools": [WEATHER]},
    "in the system message": {"messages": [{"role": "system", "content": "s", "tools": [WEATHER]}, *QA]},
    "in the system message, as text": {"messages": [{"role": "system", "content": "s", "functions": json.dumps([WEATHER])}, *QA]},
    "in a question": {"conversations": [{"from": "human", "value": "q", "tools": [WEATHER]}, {"from": "gpt", "value": "a"}]},
    "beside a pair": {"instruction": "q", "output": "a", "tools": [WEATHER]},
    "beside a pair in Italian": {"domanda": "q", "risposta": "a", "strumenti": json.dumps([WEATHER])},
    "in the metadata": {"messages": QA, "metadata": {"tools": [WEATHER]}},
    "in the metadata, as text": {"messages": QA, "metadata": json.dumps({"functions": [WEATHER]})},
    "beside turns within": {"body": {"messages": QA, "functions": [WEATHER]}},
}


@pytest.mark.parametrize("name", TOOLED)
def test_tools_are_used_wherever_they_stand(take: Take, name: str) -> None:
    (row,) = take([TOOLED[name]]).rows
    assert row["tools"] == [WRAPPED]
    assert take([TOOLED[name]]).reading.unused == {}


OFFERED = "q\n\nA) Milano\nB) Roma\nC) Bari"
QUIZZES: dict[str, Row] = {
    "MMLU": {"question": "q", "choices": ["Milano", "Roma", "Bari"], "answer": 1},
    "a letter": {"question": "q", "options": ["Milano", "Roma", "Bari"], "correct_answer": "B"},
    "ARC": {"question": "q", "choices": {"text": ["Milano", "Roma", "Bari"], "label": ["A", "B", "C"]}, "answerKey": "B"},
    "by letter": {"question": "q", "options": {"A": "Milano", "B": "Roma", "C": "Bari"}, "answer": "b"},
    "the text": {"quesito": "q", "scelte": ["Milano", "Roma", "Bari"], "soluzione": "Roma"},
    "letter and text": {"domanda": "q", "opzioni": '["Milano", "Roma", "Bari"]', "risposta": "B) Roma"},
    "a sheet": {"Question": "q", "A": "Milano", "B": "Roma", "C": "Bari", "Correct": "B"},
    "a sheet in Italian": {"Domanda": "q", "Opzione A": "Milano", "Opzione B": "Roma", "Opzione C": "Bari", "Risposta corretta": "B"},
    "a sheet by number": {"Question": "q", "Option 1": "Milano", "Option 2": "Roma", "Option 3": "Bari", "Answer": "2"},
    "HellaSwag": {"ctx": "q", "endings": ["Milano", "Roma", "Bari"], "label": "1"},
    "MedMCQA": {"question": "q", "opa": "Milano", "opb": "Roma", "opc": "Bari", "cop": 2},
}


@pytest.mark.parametrize("name", QUIZZES)
def test_options_are_part_of_the_question_and_the_right_one_is_the_answer(take: Take, name: str) -> None:
    taken = take([QUIZZES[name]])
    assert taken.texts == [(OFFERED, "B) Roma")] and taken.reading.unused == {}
    reason = taken.reading.reason or {}
    assert all(text.say(lang, reason["code"], reason["params"]) for lang in text.LANGUAGES)


def test_ten_options_have_ten_letters(take: Take) -> None:
    options = [f"x{number}" for number in range(10)]
    (texts,) = take([{"question": "q", "options": options, "answer": "I", "answer_index": 8, "category": "law"}]).texts
    assert texts[0].endswith("\nJ) x9") and texts[1] == "I) x8"


def test_the_numbers_of_a_file_tell_whether_they_count_from_one(take: Take) -> None:
    def quiz(*answers: int) -> list[str]:
        rows = [{"question": "q", "choices": ["x", "y", "z"], "answer": answer} for answer in answers]
        return [texts[-1] for texts in take(rows).texts]

    assert quiz(0, 1, 2) == ["A) x", "B) y", "C) z"]
    assert quiz(1, 2, 3) == ["A) x", "B) y", "C) z"]


def test_an_answer_that_is_no_option_is_refused(take: Take) -> None:
    rows = [{"question": "q", "choices": ["x", "y"], "answer": answer} for answer in ("A", "B", "Z")]
    assert take(rows).faults == [(3, "data.row.choices")]
    assert all(text.say(lang, "data.row.choices", {"column": "answer"}) for lang in text.LANGUAGES)


def task(*annotations: Row, **data: str) -> Row:
    return {"id": 1, "data": data or {"text": "q"}, "annotations": list(annotations)}


def result(said: list[str], kind: str = "text", **more: Any) -> Row:
    return {"result": [{"from_name": "answer", "to_name": "text", "type": kind, "value": {kind: said}}], **more}


ANNOTATED: dict[str, tuple[Row, tuple[str, str], dict[str, dict[str, int]]]] = {
    "Label Studio": (task(result(["a"])), ("q", "a"), {"column": {"id": 1}}),
    "a choice": (task(result(["good"], "choices")), ("q", "good"), {"column": {"id": 1}}),
    "the first that counts": (
        task(result(["no"], was_cancelled=True), result(["a"]), result(["b"])),
        ("q", "a"),
        {"column": {"id": 1}, "part": {"annotations": 2}},
    ),
    "the truth of the ground": (
        task(result(["b"]), result(["a"], ground_truth=True)),
        ("q", "a"),
        {"column": {"id": 1}, "part": {"annotations": 1}},
    ),
    "other names": (task(result(["a"]), domanda="q", image="x.png"), ("q", "a"), {"column": {"id": 1, "data.image": 1}}),
    "with a context": (
        task(result(["a"]), question="q", passage="c", lingua="it"),
        ("q\n\nc", "a"),
        {"column": {"id": 1, "data.lingua": 1}},
    ),
    "tasks within": ({"task": task(result(["a"]))}, ("q", "a"), {"column": {"task.id": 1}}),
    "records of Argilla": (
        {"fields": {"instruction": "q"}, "responses": {"answer": [{"value": "a", "user_id": "u"}], "note": [{"value": "n"}]}, "id": "1"},
        ("q", "a"),
        {"column": {"id": 1}, "key": {"responses.answer.user_id": 1}, "part": {"responses.note": 1}},
    ),
    "older records of Argilla": (
        {"fields": {"domanda": "q", "contesto": "c"}, "responses": [{"values": {"risposta": {"value": "a"}}, "status": "submitted"}]},
        ("q\n\nc", "a"),
        {},
    ),
    "doccano": ({"id": 1, "text": "q", "label": ["a"]}, ("q", "a"), {"column": {"id": 1}}),
    "doccano, two answers": ({"testo": "q", "labels": ["a", "b"]}, ("q", "a"), {"part": {"labels": 1}}),
    "Argilla": (
        {"instruction": "q", "response": [{"value": "x", "status": "discarded"}, {"value": "a", "status": "submitted", "user_id": "u"}]},
        ("q", "a"),
        {"key": {"response.user_id": 1}, "part": {"response": 1}},
    ),
    "Argilla in Italian": ({"domanda": "q", "risposta": [{"value": "a"}]}, ("q", "a"), {}),
    "Argilla's columns": (
        {"prompt": "q", "completion.responses": ["a", "b"], "completion.responses.status": ["submitted", "submitted"]},
        ("q", "a"),
        {"column": {"completion.responses.status": 1}, "part": {"completion.responses": 1}},
    ),
}


@pytest.mark.parametrize("name", ANNOTATED)
def test_annotations_are_answers(take: Take, name: str) -> None:
    row, texts, unused = ANNOTATED[name]
    taken = take([row, row])
    assert taken.texts == [texts] * 2
    assert taken.reading.unused == {kind: {key: 2 * count for key, count in names.items()} for kind, names in unused.items()}


@pytest.mark.parametrize(
    "name", ["context", "contesto", "passage", "Passaggio", "documento", "brano", "paragraph", "background", "articolo"]
)
@pytest.mark.parametrize("names", [("question", "answer"), ("instruction", "output"), ("prompt", "completion")], ids="/".join)
def test_a_context_goes_by_many_names(take: Take, name: str, names: tuple[str, str]) -> None:
    taken = take([{names[0]: "q", names[1]: "a", name: "c"}, {names[0]: "q", names[1]: "a", name: ["c", "d"]}])
    assert taken.texts == [("q\n\nc", "a"), ("q\n\nc\n\nd", "a")] and taken.reading.unused == {}


# The property

SPARE = [
    "id",
    "note",
    "Fonte",
    "category",
    "history",
    "context",
    "passage",
    "system",
    "tags",
    "metadata",
    "reasoning",
    "tools",
    "rating",
    "lingua",
]
WORD = re.compile(r"w\d+w")
KEYS = ["reasoning_content", "name", "id", "timestamp", "tools", "thinking", "tool_call_id", "meta"]
MARKS = {"weight": (0, 1), "train": (False, True), "label": ("0", "1"), "thumbs": ("👎", "👍")}
NAMES = [("question", "answer"), ("domanda", "risposta"), ("prompt", "completion"), ("instruction", "output"), ("question", "answers")]
SIDES = ("input", "output")  # messages on either side


def value(draw: st.DrawFn, numbers: list[int]) -> Any:
    """A word that stands nowhere else in the file, alone or within something; or nothing."""
    numbers.append(len(numbers))
    word = f"w{numbers[-1]}w"
    shapes = [word, word, word, None, "", [word], {"k": word}, [[word, f"{word}b"]], [{"value": word}], f'["{word}"]']
    return draw(st.sampled_from(shapes))


@st.composite
def files(draw: st.DrawFn) -> list[Row]:
    """Rows of pairs or conversations, with more columns and keys than anybody asked for."""
    numbers: list[int] = []
    spare = draw(st.lists(st.sampled_from(SPARE), max_size=4, unique=True))
    mark = draw(st.sampled_from([None, *MARKS]))
    names = draw(st.sampled_from([None, SIDES, *NAMES]))
    rows = []
    for number in range(draw(st.integers(1, 4))):
        row: Row = {names[0]: f"q{number}q", names[1]: f"a{number}a"} if names else {"messages": turns(draw, number, numbers)}
        if names == SIDES:
            said = turns(draw, number, numbers)
            row = dict(zip(SIDES, ({"messages": said[:-1]}, said[-1]), strict=True))
        elif names == NAMES[-1]:  # as SQuAD has it
            row[names[1]] = {"text": [f"w90{number}w"]}
        row |= {column: value(draw, numbers) for column in spare if draw(st.booleans())}
        if mark is not None:
            row[mark] = MARKS[mark][draw(st.integers(0, 1))]
        rows.append(row)
    return rows


def turns(draw: st.DrawFn, number: int, numbers: list[int]) -> list[Row]:
    said = []
    for place in range(2 * draw(st.integers(1, 2))):
        turn: Row = {"role": ("user", "assistant")[place % 2], "content": f"{'qa'[place % 2]}{number}.{place}"}
        turn |= {key: value(draw, numbers) for key in draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))}
        if draw(st.booleans()):
            key = draw(st.sampled_from(list(MARKS)))
            turn[key] = MARKS[key][draw(st.integers(0, 1))]
        said.append(turn)
    return said


def spoken(row: Row) -> list[Row]:
    """The turns of a row, wherever they stand."""
    talk: list[Row] = [*row["input"]["messages"], row["output"]] if "input" in row else row.get("messages", [])
    return talk


def tabled(rows: list[Row]) -> str:
    """The same rows as a table, what is no text in its cells as JSON."""
    out = io.StringIO()
    table = csv.DictWriter(out, list(dict.fromkeys(key for row in rows for key in row)))
    table.writeheader()
    table.writerows(
        {key: held if isinstance(held, str) else "" if held is None else json.dumps(held) for key, held in row.items()} for row in rows
    )
    return out.getvalue()


def unwanted(of: Row) -> bool:
    return any(of.get(key) == bad for key, (bad, _) in MARKS.items() if key in of)


def accounted(folder: pathlib.Path, rows: list[Row], as_table: bool = False) -> None:
    """Every value has exactly one fate."""
    path = folder / "rows"
    path.write_text(tabled(rows) if as_table else "\n".join(json.dumps(row) for row in rows), encoding="utf-8", newline="")
    try:
        taken = read_here([path], folder / "out")
    except InputError as error:  # nothing is left: the reason of the first row is told
        assert error.code == "data.nothing" and error.params["fault"].startswith("data.row."), error
        return
    out = {fault["row"] for fault in taken.reading.refused}
    assert len(out) == taken.reading.rows_refused and len(rows) == len(out) + len(taken.rows)  # left out: each by its reason
    expected: collections.Counter[tuple[str, str]] = collections.Counter()
    for row in taken.rows:
        given_row = rows[row["row"] - 1 - as_table]  # a table has its names in row 1
        used = json.dumps(row)
        assert not unwanted(given_row)
        for key, held in given_row.items():
            if key not in (*MARKS, "messages", *SIDES) and says(held) and not in_use(held, used):
                expected[("column", key)] += 1
        for place, turn in enumerate(spoken(given_row)):
            answer = turn["role"] == "assistant"
            (said,) = [one for one in row["messages"] if one["content"].split("\n\n")[0] == turn["content"]]  # a context may follow
            assert (said.get("weight") == 0) == (answer and unwanted(turn)), place
            for key, held in turn.items():
                wished = key in MARKS and not answer and not unwanted({key: held})
                if wished or (key not in (*MARKS, "role", "content") and says(held) and not in_use(held, used)):
                    expected[("key", key)] += 1
    left = {(kind, name): count for kind, names in taken.reading.unused.items() for name, count in names.items() if kind != "part"}
    assert left == dict(expected)


def in_use(held: Any, used: str) -> bool:
    """Whether the word of a value is learned or context."""
    return [*WORD.findall(json.dumps(held)), str(held)][0] in used


@pytest.mark.parametrize("count", [100, pytest.param(20_000, marks=pytest.mark.nightly)])
def test_every_value_is_learned_context_left_out_or_named(count: int, tmp_path: pathlib.Path) -> None:
    number = lot("vanishes").randrange(2**32)
    print(f"seed {number}")

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(files(), st.booleans())
    def check(rows: list[Row], as_table: bool) -> None:
        accounted(tmp_path, rows, as_table and not any(spoken(row) or "answers" in row for row in rows))

    check()


NAMELESS: dict[str, tuple[list[list[str]], dict[str, dict[str, int]]]] = {
    "between two names": ([["Domanda", "", "Risposta"], ["Dove", "siete?", "Qui"], ["Quando?", "", "Ora"]], {"column": {"B": 1}}),
    "behind the last": ([["Domanda", "Risposta", ""], ["Dove?", "Qui", "là"], ["Quando?", "Ora", " "]], {"column": {"C": 1}}),
    "with nothing in it": ([["Domanda", "Risposta", " "], ["Dove?", "Qui", ""], ["Quando?", "Ora", " "]], {}),
    "where a row is refused": ([["Domanda", "Risposta", ""], ["Dove?", "Qui", ""], ["", "Ora", "x"]], {}),
    "of messages": (
        [
            ["conversation_id", "role", "content", ""],
            ["1", "user", "Dove?", "x"],
            ["1", "assistant", "Qui", "y"],
            ["2", "user", "Chi?", "z"],
            ["2", "assistant", "Io", ""],
        ],
        {"key": {"D": 3}},
    ),
    "far to the right": ([["Domanda", "Risposta", *[""] * 25], ["Dove?", "Qui", *[""] * 24, "là"]], {"column": {"AA": 1}}),
}


@pytest.mark.parametrize("kind", ["csv", "xlsx", "ods", "xls"])
@pytest.mark.parametrize("name", NAMELESS)
def test_a_column_without_a_name_is_named_by_its_letter(tmp_path: pathlib.Path, name: str, kind: str) -> None:
    rows, unused = NAMELESS[name]
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        path.write_text("".join(";".join(row) + "\n" for row in rows), encoding="utf-8")
    else:
        workbook(path, F=rows)
    assert read_here([path], tmp_path / "out").reading.unused == unused


def test_cells_beyond_the_header_are_named(tmp_path: pathlib.Path) -> None:
    path = workbook(tmp_path / "a.xlsx", F=[["Domanda", "Risposta"], ["Dove?", "Qui", "là", "su"], ["Chi?", "Io"], ["Ora?", "Sì", "no"]])
    assert read_here([path], tmp_path / "out").reading.unused == {"column": {"C": 2, "D": 1}}
