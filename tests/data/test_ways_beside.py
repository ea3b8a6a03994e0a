"""Ways out of sentences that are told beside the reading of rows: of a child that dies, of a library, of rows edited by hand.

Those of the Hub are followed in `test_sources`, all others in `test_ways_out`, which lists them all.
"""

import pathlib
import signal
import sys

import pytest

from tests.data.test_data_child import HUNGRY, MANY, children
from tuning.data.ingest import ReadingOptions, ingest
from tuning.errors import InputError
from tuning.sandbox.limits import MEGABYTE, Limits
from tuning.schema import LOCAL, DataSpec
from tuning.studio import Studio
from tuning.studio.correcting import row_edits
from tuning.text import LANGUAGES, say
from tuning.ui.parts.rows.columns import mapping

FOLLOWED = (
    *("data.memory", "data.slow", "data.crashed", "data.disk", "data.in_use", "data.unreadable", "data.mapping.roles"),
    *("data.edit.empty", "data.edit.row", "data.edit.last", "data.edit.many"),
)
TABLE = "Domanda;Risposta\nDove siete?;In via Roma.\nQuando aprite?;Alle nove.\n"


def said(code: str, error: InputError) -> str:
    """The sentence, which can be said in each language."""
    assert error.code == code, error
    sentences = {lang: say(lang, code, {"file": "upload", **error.params}) for lang in LANGUAGES}
    assert not any("{" in sentence for sentence in sentences.values())
    return sentences["en"]


def write(path: pathlib.Path, content: str) -> pathlib.Path:
    path.write_text(content, encoding="utf-8")
    return path


def kept(home: pathlib.Path, path: pathlib.Path, limits: Limits | None = None) -> int:
    return ingest(home, LOCAL, [path], ReadingOptions(max_rows=None), limits or Limits()).rows_kept


@pytest.mark.nightly
def test_of_a_file_that_takes_too_much_memory_a_part_is_read(tmp_path: pathlib.Path) -> None:
    limits = Limits(memory_bytes=8 * MEGABYTE)
    with pytest.raises(InputError) as caught:
        kept(tmp_path, write(tmp_path / "all.jsonl", HUNGRY), limits)
    assert "Split the file and load a part of it" in said("data.memory", caught.value)
    part = HUNGRY.replace("[]," * 300_000, "[],")
    assert kept(tmp_path, write(tmp_path / "part.jsonl", part), limits) == 1


@pytest.mark.nightly
def test_of_a_file_that_takes_too_long_a_part_is_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError) as caught:
        kept(tmp_path, write(tmp_path / "all.csv", MANY), Limits(seconds=0.3))
    assert "Split it and load a part" in said("data.slow", caught.value)
    assert kept(tmp_path, write(tmp_path / "part.csv", MANY[:2000]), Limits(seconds=60)) > 50


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_file_whose_reading_was_ended_is_saved_again_and_read(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "all.csv", MANY)
    with pytest.raises(InputError) as caught:
        ingest(
            tmp_path,
            LOCAL,
            [path],
            ReadingOptions(),
            watch=lambda share: [child.send_signal(signal.SIGSEGV) for child in children()] and None,
        )
    assert "save it again, then try again" in said("data.crashed", caught.value)
    assert kept(tmp_path, write(path, TABLE)) == 2


@pytest.mark.nightly
def test_where_the_disk_is_full_some_space_is_freed_and_the_file_read(tmp_path: pathlib.Path, small_disk: pathlib.Path) -> None:
    spare = small_disk / "spare"
    spare.write_bytes(bytes(1_000_000))
    path = write(tmp_path / "rows.csv", "question,answer\n" + "Una domanda,una risposta lunga\n" * 2000)
    with pytest.raises(InputError) as caught:
        kept(small_disk / "home", path)
    assert "Free some space and load it again" in said("data.disk", caught.value)
    spare.unlink()
    assert kept(small_disk / "home", path) == 2000


def brought(studio: Studio, tmp_path: pathlib.Path, content: str = TABLE) -> DataSpec:
    return studio.data.ingest([write(tmp_path / "shop.csv", content)], ReadingOptions(name="shop.csv", keep=True))


def test_data_that_runs_use_are_deleted_after_those(studio: Studio, tmp_path: pathlib.Path) -> None:
    spec = brought(studio, tmp_path)
    with pytest.raises(InputError) as caught:
        studio.shared.library.delete(spec.id, LOCAL, ["orli"])
    assert "Delete that first" in said("data.in_use", caught.value)
    studio.shared.library.delete(spec.id, LOCAL, [])
    assert studio.shared.library.list(LOCAL) == []


@pytest.mark.nightly
def test_data_that_cannot_be_read_any_more_are_loaded_again(studio: Studio, tmp_path: pathlib.Path) -> None:
    spec = brought(studio, tmp_path)
    (studio.shared.library.folder / spec.id / "rows.jsonl").unlink()
    with pytest.raises(InputError) as caught:
        studio.data.preview(spec.id)
    assert "Load the file again" in said("data.unreadable", caught.value)
    assert len(studio.data.preview(brought(studio, tmp_path, TABLE + "E poi?;Si chiude.\n").id)) == 3


@pytest.mark.nightly
def test_what_is_said_of_edits_is_done(studio: Studio, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = brought(studio, tmp_path, "Domanda;Risposta\nDove siete?;In via Roma.\n")
    edits = studio.edits
    with pytest.raises(InputError) as caught:
        edits.remove(spec.id, 2)
    assert "Add another one first" in said("data.edit.last", caught.value)
    with pytest.raises(InputError) as caught:
        edits.write(spec.id, None, ["Quando?", " "])
    assert "Write a question and its answer" in said("data.edit.empty", caught.value)
    spec = edits.write(spec.id, None, ["Quando?", "Alle nove."])
    spec = edits.remove(spec.id, 2)
    with pytest.raises(InputError) as caught:
        edits.write(spec.id, 2, ["Dove?", "Qui."])
    assert "Look for it again" in said("data.edit.row", caught.value)
    (found,) = studio.data.preview(spec.id)
    spec = edits.write(spec.id, found["row"], ["Quando aprite?", "Alle nove."])
    monkeypatch.setattr(row_edits, "MOST", len(spec.edits))
    with pytest.raises(InputError) as caught:
        edits.write(spec.id, None, ["E poi?", "Si chiude."])
    assert "Edit the rest in the file itself and load it again" in said("data.edit.many", caught.value)
    assert brought(studio, tmp_path, "Domanda;Risposta\nQuando aprite?;Alle nove.\nE poi?;Si chiude.\n").rows_kept == 2


def test_roles_that_a_page_sends_are_chosen_as_the_sentence_says(studio: Studio, tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "a.csv", "eins;zwei\nDove siete?;In via Roma.\nQuando aprite?;Alle nove.\n")
    with pytest.raises(InputError) as caught:
        mapping({"question": "eins"})
    assert "at least the question column and the answer column" in said("data.mapping.roles", caught.value)
    for roles, target in (({"question": "eins", "answer": "zwei"}, "question"), ({"text": "zwei"}, "text")):
        chosen = mapping(roles)
        assert target in chosen and studio.data.ingest([path], ReadingOptions(mapping=chosen)).rows_kept == 2
