"""One system text for every row: in the place of the rows' own, before held-out rows too; it can be changed and taken back."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest

from tuning.data.ingest import ReadingOptions
from tuning.data.records import MOST_SYSTEM, SYSTEM, together
from tuning.errors import InputError
from tuning.studio import Studio

QUESTION, ANSWER = {"role": "user", "content": "When do you open?"}, {"role": "assistant", "content": "At nine."}
OWN = {"role": "system", "content": "You are a clerk."}


def brought(studio: Studio, folder: pathlib.Path, turns: Sequence[dict[str, Any]] = (QUESTION, ANSWER), held_out: bool = False) -> str:
    rows, aside = folder / "rows.jsonl", folder / "held-out.jsonl"
    rows.write_text("".join(json.dumps({"messages": [*turns]}) + "\n" for _ in range(3)), encoding="utf-8")
    aside.write_text(json.dumps({"messages": [{**QUESTION, "content": "And when do you close?"}, ANSWER]}) + "\n", encoding="utf-8")
    return studio.data.ingest([rows], ReadingOptions("rows.jsonl", [aside] if held_out else [], keep=True)).id


def begun(studio: Studio, data: str) -> list[dict[str, Any]]:
    return [row["messages"][0] for row in studio.data.preview(data)]


@pytest.mark.parametrize("turns", [(QUESTION, ANSWER), (OWN, QUESTION, ANSWER)], ids=["rows without", "rows with their own"])
def test_every_row_is_told_what_was_given_and_the_newest_counts(
    studio: Studio, tmp_path: pathlib.Path, turns: Sequence[dict[str, Any]]
) -> None:
    data = brought(studio, tmp_path, turns)
    first = studio.data.told(data, " You are the voice of a tailor's shop. ")
    assert begun(studio, first.id) == [{"role": "system", "content": "You are the voice of a tailor's shop."}] * 3
    second = studio.data.told(first.id, "Sei la voce di una sartoria.")
    assert begun(studio, second.id) == [{"role": "system", "content": "Sei la voce di una sartoria."}] * 3
    assert [turn["content"] for turn in studio.data.preview(second.id)[0]["messages"][1:]] == [QUESTION["content"], ANSWER["content"]]
    back = studio.data.told(second.id, "")
    assert begun(studio, back.id) == [turns[0]] * 3 and back.id == data


def test_rows_held_out_and_rows_by_hand_are_told_the_same(studio: Studio, tmp_path: pathlib.Path) -> None:
    data = brought(studio, tmp_path, held_out=True)
    told = studio.data.told(data, "Be brief.")
    edited = studio.edits.write(told.id, 1, ["Be brief.", "At what time do you open?", "At nine."])
    added = studio.edits.write(edited.id, None, ["Who are you?", "A tailor."])
    rows = studio.data.preview(added.id)
    assert [row["messages"][0] for row in rows] == [{"role": "system", "content": "Be brief."}] * 4
    assert rows[0]["messages"][1]["content"] == "At what time do you open?" and rows[3]["messages"][1]["content"] == "Who are you?"
    held_out = list(studio.shared.library.validation_rows(added.id, studio.owner))
    assert [row["messages"][0]["content"] for row in held_out] == ["Be brief."]


def test_one_that_is_too_long_is_refused_and_plain_texts_have_none(studio: Studio, tmp_path: pathlib.Path) -> None:
    data = brought(studio, tmp_path)
    with pytest.raises(InputError) as caught:
        studio.data.told(data, "a" * (MOST_SYSTEM + 1))
    assert (caught.value.code, caught.value.params["most"]) == ("data.system", MOST_SYSTEM)
    rows = tmp_path / "rows.jsonl"
    blank = studio.data.ingest([rows], ReadingOptions("rows.jsonl", repairs=[SYSTEM + " \n"]))
    assert begun(studio, blank.id) == [QUESTION] * 3
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": f"A tale of {n} tailors."}) + "\n" for n in range(3)), encoding="utf-8")
    texts = studio.data.ingest([path], ReadingOptions("texts.jsonl", repairs=[SYSTEM + "Be brief."]))
    assert [row["text"] for row in studio.data.preview(texts.id)] == [f"A tale of {n} tailors." for n in range(3)]


def test_it_stands_beside_other_repairs() -> None:
    assert together(["encoding", "system=A"], ["system=B"]) == ["encoding", "system=B"]
    assert together(["encoding", "system=A"], ["duplicates"]) == ["duplicates", "encoding", "system=A"]
    assert together(["encoding", "system=A"], ["system="]) == ["encoding"]
