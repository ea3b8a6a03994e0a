"""Rows edited, added and removed by hand: a new version each time, the files as they came, everything else of a row as it was."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tuning.data.ingest import ReadingOptions
from tuning.errors import InputError
from tuning.schema import DataSpec
from tuning.studio import Studio
from tuning.studio.correcting import row_edits

TABLE = "Domanda;Risposta;Note\nUno?;1;\n\nDue?;;x\nTre?;3;\nTre?;3;\n"  # rows 2, 4 (without an answer), 5 and 6
Bring = Callable[..., DataSpec]


@pytest.fixture
def bring(studio: Studio, tmp_path: pathlib.Path) -> Bring:
    def bring(content: str = TABLE, **wish: Any) -> DataSpec:
        path = tmp_path / "faq.csv"
        path.write_text(content, encoding="utf-8", newline="")
        try:
            return studio.data.ingest([path], ReadingOptions(name=path.name, keep=True, **wish))
        finally:
            path.unlink()

    return bring


def rows(studio: Studio, data: DataSpec) -> dict[int, tuple[str, ...]]:
    found = studio.data.preview(data.id, 100)
    return {row["row"]: (row["text"],) if "text" in row else tuple(turn["content"] for turn in row["messages"]) for row in found}


def test_rows_are_edited_added_and_removed_under_their_numbers(studio: Studio, bring: Bring) -> None:
    first = bring()
    edited = studio.edits.write(first.id, 5, ["Tre?", "Tre è il numero perfetto."])
    assert rows(studio, edited) == {2: ("Uno?", "1"), 5: ("Tre?", "Tre è il numero perfetto."), 6: ("Tre?", "3")}
    added = studio.edits.write(edited.id, None, ["Quattro?", "4"])
    assert [*rows(studio, added)] == [2, 5, 6, 7] and rows(studio, added)[7] == ("Quattro?", "4")
    less = studio.edits.remove(added.id, 2)
    assert [*rows(studio, less)] == [5, 6, 7]
    assert (less.rows_read, less.rows_kept, less.rows_dropped, less.sha256) == (5, 3, 1, first.sha256)
    report = studio.data.report(less.id)
    assert (report["rows_edited"], report["rows_refused"]) == (3, 1), "the file's own rows are told as before"
    assert [spec for spec in studio.shared.library.list("local") if spec.edits] == [less], "what no run has learned from is gone"
    assert studio.edits.undo(less.id) == first


@pytest.mark.nightly
def test_edits_stay_with_repairs_and_other_columns(studio: Studio, bring: Bring) -> None:
    edited = studio.edits.write(bring().id, 6, ["Uno?", "1"])
    mended = studio.data.mend(edited.id, "duplicates")
    assert [*rows(studio, mended)] == [2, 5], "a row by hand is mended like the others"
    other = studio.data.take(edited.id, {"question": "Risposta", "answer": "Domanda"})
    assert rows(studio, other) == {2: ("1", "Uno?"), 5: ("3", "Tre?"), 6: ("Uno?", "1")}
    assert rows(studio, studio.data.mend(mended.id, None)) == rows(studio, edited)


def test_what_else_a_row_has_stays(studio: Studio, bring: Bring) -> None:
    turns = [
        {"role": "system", "content": "Be\r\nshort."},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "reasoning_content": "hm"},
    ]
    line = json.dumps({"messages": turns, "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]})
    found = bring(f"{line}\n")
    (before,) = studio.data.preview(found.id)
    (after,) = studio.data.preview(studio.edits.write(found.id, 1, ["Be\nshort.", "a", "b", "c?", "D."]).id)
    for turn, new in ((3, "c?"), (4, "D.")):
        before["messages"][turn]["content"] = new
    assert after == before, "a browser's ends of lines are no change"


@pytest.mark.nightly
def test_texts_are_edited_and_added(studio: Studio, bring: Bring) -> None:
    found = studio.edits.write(bring("Una volta.\n\nDue volte.\n").id, None, ["Tre volte."])
    assert rows(studio, studio.edits.write(found.id, 1, ["Mai."])) == {1: ("Mai.",), 2: ("Due volte.",), 3: ("Tre volte.",)}


def test_what_cannot_be_is_refused_and_changes_nothing(studio: Studio, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bring()
    wrong: list[tuple[str, Callable[[], Any]]] = [
        ("data.edit.empty", lambda: studio.edits.write(found.id, 5, ["Tre?", " \n"])),
        ("data.edit.empty", lambda: studio.edits.write(found.id, None, ["Tre?", ""])),
        ("data.edit.row", lambda: studio.edits.write(found.id, 3, ["a", "b"])),
        ("data.edit.row", lambda: studio.edits.write(found.id, 5, ["a"])),
        ("data.edit.row", lambda: studio.edits.remove(found.id, 99)),
        ("data.edit.last", lambda: studio.edits.remove(bring("Domanda;Risposta\na;b\n").id, 2)),
        ("data.unknown", lambda: studio.for_owner("somebody").edits.remove(found.id, 5)),
    ]
    monkeypatch.setattr(row_edits, "MOST", 0)
    wrong.append(("data.edit.many", lambda: studio.edits.remove(found.id, 5)))
    for code, change in wrong:
        with pytest.raises(InputError) as caught:
            change()
        assert caught.value.code == code
    assert studio.edits.write(found.id, 5, ["Tre?", "3"]) == found, "nothing new is no version"


def test_rows_are_found_by_what_they_say_and_by_their_number(studio: Studio, bring: Bring) -> None:
    found = bring('Domanda;Risposta\n"Il ""Caffè""?";user\n\nPerché?;Sì\nE il CAFFÈ?;No\n')
    for words, places in (("caffè", [0, 2]), ('"caff', [0]), ("user", [0]), ("role", []), ("sì", [1])):
        assert [*studio.data.search(found.id, words)] == places, words
    assert [studio.data.place(found.id, row) for row in (2, 3, 4, 5, 6)] == [0, 1, 1, 2, 3]
