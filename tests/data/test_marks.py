"""Marks that say "do not learn this" are obeyed, in every kind of file: at a turn it stays as context, a row is left out, both counted."""

import csv
import io
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.data.conftest import Take, Taken
from tests.data.corpus_binary import parquet
from tests.data.corpus_books import book, sheet
from tuning import text
from tuning.data.ingest import ReadingOptions, again, ingest
from tuning.data.overview import report
from tuning.schema import LOCAL

Row = dict[str, Any]
PAIR = {"question": "Quanto costa?", "answer": "Dodici euro."}


def kept(taken: Taken) -> list[int]:
    return [row["row"] for row in taken.rows]


def found(taken: Taken, code: str) -> Mapping[str, Any]:
    """The parameters of a finding; empty where it was not made."""
    params: Mapping[str, Any] = next((notice["params"] for notice in taken.reading.findings if notice["code"] == f"data.check.{code}"), {})
    for notice in taken.reading.findings:
        assert all(text.say(lang, notice["code"], notice["params"]) for lang in text.LANGUAGES)
    return params


def learned(row: Mapping[str, Any]) -> list[str]:
    return [turn["content"] for turn in row["messages"] if turn["role"] == "assistant" and turn.get("weight") != 0]


def talk(*marks: tuple[str, Any], role: str = "role", content: str = "content", who: Sequence[str] = ("user", "assistant")) -> list[Row]:
    """A question and an answer for each mark, which stands at the answer."""
    turns = []
    for number, (key, value) in enumerate(marks):
        turns += [{role: who[0], content: f"q{number}"}, {role: who[1], content: f"a{number}", key: value}]
    return turns


TURNS: dict[str, tuple[Row, list[str]]] = {  # a row -> what is learned of it
    "OpenAI's weights": ({"messages": talk(("weight", 0), ("weight", 1))}, ["a1"]),
    "weights with a point": ({"messages": talk(("weight", 0.0), ("weight", 1.0))}, ["a1"]),
    "quoted weights": ({"messages": talk(("weight", "0"), ("weight", "1"))}, ["a1"]),
    "axolotl's flags": ({"messages": talk(("train", False), ("train", True))}, ["a1"]),
    "axolotl's other name": ({"conversations": talk(("training", True), ("training", False), role="from", content="value")}, ["a0"]),
    "ShareGPT with weights": (
        {"conversations": talk(("weight", 1), ("weight", 0), role="from", content="value", who=("human", "gpt"))},
        ["a0"],
    ),
    "loss of Swift": ({"messages": talk(("loss", False), ("loss", True), ("loss", None))}, ["a1", "a2"]),
    "trainable": ({"messages": talk(("trainable", "false"), ("trainable", "true"))}, ["a1"]),
    "masked says it the other way round": ({"messages": talk(("masked", True), ("masked", False))}, ["a1"]),
    "thumbs": ({"messages": talk(("thumbs", "👎"), ("thumbs", "up"), ("thumbs_down", True))}, ["a1"]),
    "desirable or not": ({"messages": talk(("rating", "undesirable"), ("rating", "desirable"))}, ["a1"]),
    "Italian": ({"messaggi": talk(("valutazione", "cattiva"), ("valutazione", "buona"))}, ["a1"]),
    "German": ({"messages": talk(("Bewertung", "schlecht"), ("bewertung", "gut"))}, ["a1"]),
    "in the loss or not": ({"messages": talk(("include_in_loss", False), ("compute_loss", True))}, ["a1"]),
    "out of the loss or not": ({"messages": talk(("exclude_from_loss", True), ("excludeFromLoss", "false"))}, ["a1"]),
    "a loss mask": ({"messages": talk(("loss_mask", 0), ("loss_mask", 1), ("exclude_from_training", True))}, ["a1"]),
    "an object of feedback": ({"messages": talk(("feedback", {"rating": "thumbsDown"}), ("feedback", {"rating": "thumbsUp"}))}, ["a1"]),
    "in the metadata": ({"messages": talk(("metadata", {"train": False}), ("metadata", {"train": True}))}, ["a1"]),
    "ticks": ({"messages": talk(("rating", "❌"), ("rating", "✅"))}, ["a1"]),
    "found by content": ({"dialogo": talk(("train", False), ("train", True), role="speaker", content="text")}, ["a1"]),
    "a scale filters nothing": ({"messages": talk(("rating", 1), ("rating", 5), ("rating", 3))}, ["a0", "a1", "a2"]),
    "a class is no rating": ({"messages": talk(("label", "greeting"), ("label", "price"))}, ["a0", "a1"]),
    "both sides of a pair": ({"prompt": talk(("weight", 0)), "completion": talk(("weight", 0), ("weight", 1))[2:]}, ["a1"]),
}
TURNS["both sides of a pair"][0]["prompt"] += [{"role": "user", "content": "q1"}]
TURNS["both sides of a pair"][0]["completion"] = TURNS["both sides of a pair"][0]["completion"][1:]


@pytest.mark.parametrize("name", TURNS)
def test_a_marked_answer_is_context_and_not_learned(take: Take, name: str) -> None:
    row, expected = TURNS[name]
    taken = take([row, row])
    assert [learned(one) for one in taken.rows] == [expected] * 2
    said = [turn["content"] for turn in taken.rows[0]["messages"] if turn["role"] == "assistant"]
    assert said == [f"a{number}" for number in range(len(said))]  # nothing is gone
    held = 2 * (len(said) - len(expected))
    assert found(taken, "marked") == ({"count": held, "rows": "1, 2"} if held else {})


def test_a_question_needs_no_mark_and_a_wish_to_learn_one_is_named(take: Take) -> None:
    row = {"messages": [{"role": "user", "content": "q", "weight": 0}, {"role": "assistant", "content": "a", "weight": 1}]}
    assert take([row]).reading.unused == {}
    row["messages"][0]["weight"] = 1
    assert take([row]).reading.unused == {"key": {"weight": 1}}


def test_a_row_of_which_nothing_is_to_be_learned_is_left_out(take: Take) -> None:
    taken = take([{"messages": talk(("train", False))}, {"messages": talk(("train", True))}])
    assert (kept(taken), taken.faults) == ([2], [(1, "data.row.unwanted")])


RATED: dict[str, tuple[str, Sequence[Any]]] = {  # a column -> bad, good, bad, good
    "numbers": ("label", [0, 1, 0, 1]),
    "points": ("label", [0.0, 1.0, 0.0, 1.0]),
    "quoted": ("label", ["0", "1", "0", "1"]),
    "truths": ("label", [False, True, False, True]),
    "quoted truths": ("Label", ["False", "True", "FALSE", "TRUE"]),
    "words of KTO": ("kto_tag", ["undesirable", "desirable", "undesirable", "desirable"]),
    "thumbs": ("thumbs", ["👎", "👍", "👎", "👍🏽"]),
    "thumbs in words": ("feedback", ["thumbs_down", "thumbs_up", "thumbs down", "Thumbs-Up"]),
    "minus one": ("feedback", [-1, 1, -1, 1]),
    "a weight": ("weight", [0, 1, 0, 1]),
    "a flag": ("train", [False, True, False, True]),
    "a flag that says no": ("Thumbs Down", [1, 0, 1, 0]),
    "Italian": ("Valutazione", ["cattiva", "buona", "cattiva", "buona"]),
    "German": ("Bewertung", ["schlecht", "gut", "schlecht", "gut"]),
    "thumbs under any name": ("Wie war es?", ["👎", "👍", "👎🏼", "👍"]),
    "ticks": ("rating", ["❌", "✅", "✗", "✔️"]),
    "smileys": ("feedback", ["🙁", "🙂", "😞", "😊"]),
    "words of a review": ("feedback", ["rejected", "approved", "reject", "accept"]),
    "an object of feedback": ("feedback", [{"rating": "thumbsDown"}, {"rating": "thumbsUp"}, {"rating": "bad"}, {"rating": "good"}]),
    "in the metadata": ("metadata", [{"train": False}, {"train": True}, {"train": False}, {"train": True}]),
    "Italian truths": ("gradita", ["no", "sì", "No", "Sì"]),
}


def rated(name: str, pair: Mapping[str, str] = PAIR) -> list[Row]:
    column, values = RATED[name]
    return [{**{key: f"{said} {number}" for key, said in pair.items()}, column: value} for number, value in enumerate(values)]


@pytest.mark.parametrize("pair", [PAIR, {"prompt": "q", "completion": "a"}, {"instruction": "q", "output": "a"}], ids="/".join)
@pytest.mark.parametrize("name", RATED)
def test_rows_rated_bad_are_left_out(take: Take, name: str, pair: Mapping[str, str]) -> None:
    taken = take(rated(name, pair))
    assert kept(taken) == [2, 4] and taken.faults == [(1, "data.row.unwanted"), (3, "data.row.unwanted")]
    assert found(taken, "refused.unwanted") == {"count": 2, "rows": "1, 3"}
    assert taken.reading.unused == {}


@pytest.mark.parametrize("name", ["numbers", "a flag", "thumbs"])
def test_rated_conversations_are_left_out(take: Take, name: str) -> None:
    column, values = RATED[name]
    assert kept(take([{"messages": talk(("name", None)), column: value} for value in values])) == [2, 4]
    assert kept(take([{"data": {"prompt": "q", "completion": "a", column: value}} for value in values])) == [2, 4]


def as_csv(rows: Sequence[Row], separator: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_book(rows: Sequence[Row]) -> bytes:
    return book(sheet(tuple(rows[0]), *(tuple(str(value) for value in row.values()) for row in rows)))


FILES: dict[str, Callable[[list[Row]], bytes]] = {
    "csv": as_csv,
    "tsv": lambda rows: as_csv(rows, "\t"),
    "lines": lambda rows: "\n".join(map(json.dumps, rows)).encode(),
    "list": lambda rows: json.dumps(rows, indent=1).encode(),
    "parquet": lambda rows: parquet({key: [row[key] for row in rows] for key in rows[0]}),
    "xlsx": as_book,
}


@pytest.mark.parametrize("name", ["numbers", "quoted truths", "thumbs", "a flag that says no"])
@pytest.mark.parametrize("kind", FILES)
def test_rows_rated_bad_are_left_out_of_files_of_every_kind(take: Take, kind: str, name: str) -> None:
    taken = take(FILES[kind](rated(name)))
    first = 2 if kind in ("csv", "tsv", "xlsx") else 1  # in a table the header is row 1
    assert kept(taken) == [first + 1, first + 3] and len(taken.faults) == 2


def test_marks_of_turns_are_obeyed_in_a_cell(take: Take) -> None:
    rows = [{"id": "1", "messages": json.dumps(talk(("weight", 0), ("weight", 1)))}]
    for kind in ("csv", "xlsx", "parquet"):
        assert learned(take(FILES[kind](rows)).rows[0]) == ["a1"], kind


@pytest.mark.parametrize("column", ["label", "voto", "esito"])
def test_a_rating_is_given_by_hand(take: Take, column: str) -> None:
    rows = [{**PAIR, column: value} for value in ("0", "1", "0")]
    assert kept(take(as_csv(rows), {"label": column})) == [3]
    prompts = [{"prompt": "q", "completion": "a", column: value} for value in (0, 1)]
    assert kept(take(prompts, {"label": column})) == [2]


NO_RATING: dict[str, tuple[list[Any], str]] = {  # no row is left out, and the column is named
    "a scale": ([1, 2, 5, 3], "rating"),
    "a scale that begins with ones": ([1] * 60 + [5] * 60, "rating"),
    "a scale from 0": ([0, 1, 2, 3], "label"),
    "three ways": ([-1, 0, 1, 1], "feedback"),
    "classes": (["sport", "news", "sport", "news"], "label"),
    "kilograms": (["1", "75", "0", "80"], "peso"),
    "a date of training": (["2024", "2025", "2024", "2025"], "training"),
}


@pytest.mark.parametrize("name", NO_RATING)
def test_what_is_no_rating_filters_nothing_and_is_named(take: Take, name: str) -> None:
    values, column = NO_RATING[name]
    taken = take([{"prompt": f"q{number}", "completion": "a", column: value} for number, value in enumerate(values)])
    assert len(taken.rows) == len(values) and not taken.faults
    assert column in taken.reading.unused["column"]


def test_a_class_beside_a_text_is_the_answer(take: Take) -> None:
    for content in ("text,label\nBello.,1\nBrutto.,0\n", [{"text": "Bello.", "label": 1}, {"text": "Brutto.", "label": 0}]):
        assert take(content).texts == [("Bello.", "1"), ("Brutto.", "0")]
    assert kept(take([{"text": "Bello.", "train": True}, {"text": "Brutto.", "train": False}])) == [1]  # what is no class is a mark


def test_in_doubt_one_asks_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"question": f"q{number}", "answer": "a" * number, "approved": number % 3 > 0} for number in range(1, 10)]
    path.write_text("\n".join(map(json.dumps, rows)))
    spec = ingest(tmp_path, LOCAL, [path], ReadingOptions(name="rows", keep=True))
    (asked,) = [notice for notice in spec.findings if notice.code == "data.check.doubtful"]
    assert (spec.rows_kept, asked.params) == (9, {"count": 3, "rows": "3, 6, 9", "column": "approved", "repair": "ratings"})
    assert all("approved" in text.say(lang, asked.code, asked.params) for lang in text.LANGUAGES)
    mended = again(tmp_path, spec, ReadingOptions(name="rows", repairs=["ratings"]))
    assert (mended.rows_kept, mended.rows_dropped) == (6, 3)
    assert not [notice for notice in mended.findings if notice.code == "data.check.doubtful"]
    assert report(spec)["unused"] == [{"kind": "column", "name": "approved", "count": 9, "of": 9}]


def test_rows_that_differ_by_a_mark_alone_are_said_to_be_the_same(take: Take) -> None:
    rows = [{"messages": talk(("weight", 0), ("weight", 1))}, {"messages": talk(("weight", 1), ("weight", 1))}]
    assert found(take(rows), "duplicates")["count"] == 1
