"""From a file to a folder of ours: what is kept, what is told, and that nothing is left where it went wrong."""

import dataclasses
import errno
import json
import os
import pathlib
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tuning import text
from tuning.data.ingest import ReadingOptions, again, ingest
from tuning.data.library import Library
from tuning.errors import InputError
from tuning.runs.files import slug
from tuning.sandbox.limits import DEFAULT, MEGABYTE, Limits
from tuning.schema import LOCAL, DataSpec

Write = Callable[..., pathlib.Path]  # the fixture
ROWS = [{"question": f"Quanto fa {number} + 1?", "answer": str(number + 1)} for number in range(20)]


def bring(home: pathlib.Path, source: pathlib.Path, name: str = "a", owner: str = LOCAL, **wishes: Any) -> DataSpec:
    return ingest(home, owner, [source], ReadingOptions(name=name, **wishes))


def refused(home: pathlib.Path, source: pathlib.Path, code: str, limits: Limits = DEFAULT, **wishes: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(home, LOCAL, [source], ReadingOptions(name="x", **wishes), limits)
    assert caught.value.code == code
    assert all(isinstance(value, str | int) for value in caught.value.params.values())
    assert not list(home.glob("data/*")), "nothing is left behind"
    return caught.value


def test_a_file_becomes_a_folder(tmp_path: pathlib.Path, write: Write) -> None:
    source = write([*ROWS, {"question": "", "answer": "x"}], "domande.json")
    spec = bring(tmp_path / "home", source, "Città & Paesi.json", validation=[write(ROWS[:3], "held-out.jsonl")])
    folder = tmp_path / "home" / "data" / spec.id
    assert sorted(path.name for path in folder.iterdir()) == ["rows.index", "rows.jsonl", "spec.json", "validation.jsonl"]
    assert DataSpec.model_validate_json((folder / "spec.json").read_bytes()) == spec
    assert spec.id.startswith("citta-paesi-json-") and spec.name == "Città & Paesi.json" and spec.owner == LOCAL
    assert (spec.kind, spec.format, spec.encoding) == ("json", "question-answer", "utf-8")
    assert (spec.rows_read, spec.rows_kept, spec.rows_dropped, spec.validation_rows) == (21, 20, 0, 3)
    assert spec.mapping == {"question": "question", "answer": "answer"} and spec.columns == ["question", "answer"]
    assert spec.reason is not None and spec.given == {} and spec.sources == []
    assert [(notice.code, notice.level, notice.params) for notice in spec.refused] == [
        ("data.row.empty_question", "warning", {"row": 21, "line": 21})
    ]
    rows = list(Library(tmp_path / "home").rows(spec.id, LOCAL))
    assert spec.characters == sum(len(message["content"]) for row in rows for message in row["messages"])
    assert list(Library(tmp_path / "home").validation_rows(spec.id, LOCAL)) == rows[:3]
    leak = next(notice for notice in spec.findings if notice.code == "data.check.leak")
    assert leak.params["count"] == 3, "the held-out rows are known before the others are read"


def test_several_files_are_one_set_of_rows(tmp_path: pathlib.Path, write: Write) -> None:
    files = [write(ROWS[:3], "a.jsonl"), write("question;answer\nE?;Sì\nNo\n", "b.csv"), write(json.dumps(ROWS[3:5]), "c.json")]
    spec = ingest(tmp_path, LOCAL, files, ReadingOptions(name="abc"))
    assert (spec.rows_read, spec.rows_kept) == (7, 6)
    assert [(notice.params["row"], notice.params["line"]) for notice in spec.refused] == [(6, 3)]
    assert [row["row"] for row in Library(tmp_path).rows(spec.id, LOCAL)] == [1, 2, 3, 5, 7, 8]
    assert ingest(tmp_path, LOCAL, files[::-1], ReadingOptions(name="abc")).id != spec.id, "their order counts"
    with pytest.raises(InputError) as caught:
        ingest(tmp_path, LOCAL, files, ReadingOptions(name="x"), Limits(file_bytes=sum(path.stat().st_size for path in files) - 1))
    assert caught.value.code == "data.large"


def test_the_first_rows_alone(tmp_path: pathlib.Path, write: Write) -> None:
    spec = bring(tmp_path, write(ROWS), max_rows=7)
    assert (spec.rows_read, spec.rows_kept, spec.max_rows) == (7, 7, 7)


def test_the_same_again_is_the_same_and_another_is_another(tmp_path: pathlib.Path, write: Write) -> None:
    first = write(ROWS, "a")
    spec = bring(tmp_path, first)
    assert bring(tmp_path, write(ROWS, "b"), "A!") == spec
    others = [
        bring(tmp_path, first, owner="anna"),
        bring(tmp_path, first, mapping={"question": "answer", "answer": "question"}),
        bring(tmp_path, first, validation=[write(ROWS, "c")]),
        bring(tmp_path, first, repairs=["duplicates"]),
        bring(tmp_path, first, max_rows=3),
        bring(tmp_path, write(ROWS[1:], "d")),
    ]
    assert len({spec.id, *(other.id for other in others)}) == 7


def test_many_at_once_are_no_error(tmp_path: pathlib.Path, write: Write) -> None:
    source = write(ROWS)
    specs: list[DataSpec] = []
    threads = [threading.Thread(target=lambda: specs.append(bring(tmp_path, source))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(specs) == 3
    assert specs[0] == specs[1] == specs[2] == Library(tmp_path).get(specs[0].id, LOCAL)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [specs[0].id]


@pytest.mark.parametrize("damage", ['{"schema": 1', "", "\ud800", "[]", '{"schema": 99}'])
def test_a_damaged_folder_is_replaced(tmp_path: pathlib.Path, write: Write, damage: str) -> None:
    source = write(ROWS)
    spec = bring(tmp_path, source)
    (tmp_path / "data" / spec.id / "spec.json").write_bytes(damage.encode("utf-8", "surrogatepass"))
    anew = bring(tmp_path, source)
    assert anew.id == spec.id
    assert Library(tmp_path).get(spec.id, LOCAL) == anew
    assert [path.name for path in (tmp_path / "data").iterdir()] == [spec.id]


def test_a_folder_without_its_spec_is_replaced(tmp_path: pathlib.Path, write: Write) -> None:
    source = write(ROWS)
    spec = bring(tmp_path, source)
    (tmp_path / "data" / spec.id / "spec.json").unlink()
    assert bring(tmp_path, source).id == spec.id
    assert len(list(Library(tmp_path).rows(spec.id, LOCAL))) == 20


def test_what_a_dead_parent_left_is_swept_away(tmp_path: pathlib.Path, write: Write) -> None:
    old, new = tmp_path / "data" / ".new-old", tmp_path / "data" / ".new-new"
    old.mkdir(parents=True)
    new.mkdir()
    os.utime(old, (0, 0))
    bring(tmp_path, write(ROWS))
    assert not old.exists() and new.exists()


def test_files_that_are_none(tmp_path: pathlib.Path, write: Write) -> None:
    home = tmp_path / "home"
    assert refused(home, tmp_path / "no\x00where", "data.missing").params["file"] == "no\ufffdwhere"
    refused(home, tmp_path / "nowhere", "data.missing")
    refused(home, tmp_path / ("x" * 300), "data.missing")
    refused(home, pathlib.Path("/", *["x" * 200] * 40), "data.missing")
    refused(home, tmp_path, "data.folder")
    refused(home, write(b"", "empty.csv"), "data.empty")
    assert refused(home, write(b"x" * (MEGABYTE + 1)), "data.large", Limits(file_bytes=MEGABYTE)).params["limit"] == 1
    refused(home, write(ROWS), "data.missing", validation=[tmp_path / "nowhere"])
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refused(home, tmp_path / "pipe", "data.missing")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    refused(home, loop, "data.missing")


@pytest.mark.parametrize("name", ["a b;c$(touch x).csv", "-rf", "città 日本 🙂.json", "x" * 250, "a\nb", "%2e%2e", "CON", "..."])
def test_a_file_may_have_any_name(tmp_path: pathlib.Path, write: Write, name: str) -> None:
    source = write(ROWS, name)
    assert bring(tmp_path / "home", source, source.name).rows_kept == 20
    assert not list(pathlib.Path().glob("x")), "no shell has seen it"


def test_a_file_at_the_end_of_a_long_path(tmp_path: pathlib.Path, write: Write) -> None:
    folder = tmp_path.joinpath(*["d" * 200] * 12)
    folder.mkdir(parents=True)
    os.rename(write(ROWS), folder / "rows")
    assert bring(tmp_path / "home", folder / "rows").rows_kept == 20


def test_a_file_by_a_relative_path(tmp_path: pathlib.Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(ROWS, "rows.json")
    monkeypatch.chdir(tmp_path)
    assert bring(pathlib.Path("home"), pathlib.Path("rows.json")).rows_kept == 20


def test_a_verdict_of_the_child_names_the_file(tmp_path: pathlib.Path, write: Write) -> None:
    home = tmp_path / "home"
    error = refused(home, write("[" * 20_000, "deep.json"), "data.json.deep")
    assert error.params == {"row": 1, "line": 1, "limit": 20, "file": "deep.json"}
    error = refused(home, write([{"question": True, "answer": "a"}], "a.jsonl"), "data.nothing")
    assert error.params == {"row": 1, "line": 1, "fault": "data.row.type", "column": "question", "found": "boolean", "file": "a.jsonl"}
    error = refused(home, write(ROWS), "data.validation", validation=[write([*ROWS, {"question": "a"}], "b")])
    assert (error.params["row"], error.params["fault"], error.params["file"]) == (21, "data.row.columns", "b")
    said = {lang: text.say(lang, error.code, error.params) for lang in text.LANGUAGES}
    assert "«answer». Le righe" in said["it"] and "is missing. All held" in said["en"]
    error = refused(home, write(ROWS), "data.json.cut", validation=[write("[", "held-out")])
    assert error.params["file"] == "held-out"


def test_a_repair_that_is_none(tmp_path: pathlib.Path, write: Write) -> None:
    assert refused(tmp_path / "home", write(ROWS), "data.repair", repairs=["all\x00"]).params["repair"] == "all\ufffd"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_a_file_without_the_right_to_read_it() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        source = folder / "rows.json"
        source.write_text("[]", encoding="utf-8")
        source.chmod(0)
        me = os.geteuid()
        if me == 0:  # who may do everything must be somebody else for a moment
            os.seteuid(65534)
        try:
            refused(folder / "home", source, "data.permission")
        finally:
            os.seteuid(me)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_the_file_itself(tmp_path: pathlib.Path, write: Write, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(*paths: object) -> None:
        raise OSError(number, "no room")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr("shutil.copyfile", full)
    refused(tmp_path / "home", write(ROWS), "data.disk", keep=True)


def test_a_kept_file_can_be_read_in_another_way(tmp_path: pathlib.Path, write: Write) -> None:
    source = write("foo,bar,answer\na,b,c\nd,,f\n", "upload.csv")
    spec = ingest(tmp_path, LOCAL, [source], ReadingOptions("mine", mapping={"question": "foo"}, keep=True))
    assert spec.sources == ["source-rows-0"] and spec.given == {"question": "foo"}
    source.unlink()
    other = again(tmp_path, spec, ReadingOptions("mine", mapping={"question": "bar"}))
    assert other.id != spec.id and other.rows_kept == 1 and other.mapping == {"question": "bar", "answer": "answer"}
    assert again(tmp_path, spec, ReadingOptions("mine", mapping={"question": "foo"})).id == spec.id
    Library(tmp_path).delete(spec.id, LOCAL, [])
    third = again(tmp_path, other, ReadingOptions("mine", mapping={"question": "foo", "answer": "bar"}, repairs=["duplicates"]))
    assert [row["messages"][1]["content"] for row in Library(tmp_path).rows(third.id, LOCAL)] == ["b"]
    with pytest.raises(InputError) as caught:
        again(tmp_path, third, ReadingOptions("mine", mapping={"question": "nope"}))
    assert (caught.value.code, caught.value.params["file"]) == ("data.mapping.column", "mine")


def test_held_out_rows_stay_with_files_read_again(tmp_path: pathlib.Path, write: Write) -> None:
    spec = ingest(
        tmp_path, LOCAL, [write(ROWS[:4], "a"), write(ROWS[4:], "b")], ReadingOptions("ab", validation=[write(ROWS[:2], "c")], keep=True)
    )
    assert spec.sources == ["source-rows-0", "source-rows-1", "source-validation-0"]
    other = again(tmp_path, spec, ReadingOptions("ab", repairs=["leak"]))
    assert (other.rows_read, other.rows_kept, other.rows_dropped, other.validation_rows) == (20, 18, 2, 2)


def test_a_file_that_was_not_kept_cannot_be_read_again(tmp_path: pathlib.Path, write: Write) -> None:
    spec = bring(tmp_path, write(ROWS))
    with pytest.raises(InputError) as caught:
        again(tmp_path, spec, ReadingOptions("a"))
    assert (caught.value.code, caught.value.params) == ("data.gone", {"data": "a"})


@pytest.mark.parametrize("indexed", [True, False])
def test_rows_are_found_by_place_and_by_number(tmp_path: pathlib.Path, write: Write, indexed: bool) -> None:
    rows = [{**row, "answer": "" if number % 3 == 0 else f"è {number}\u2028"} for number, row in enumerate(ROWS, start=1)]
    spec = bring(tmp_path, write(rows))
    if not indexed:
        (tmp_path / "data" / spec.id / "rows.index").unlink()
    library = Library(tmp_path)
    every = list(library.rows(spec.id, LOCAL))
    numbers = [row["row"] for row in every]
    assert numbers == [number for number in range(1, 21) if number % 3]
    for start in range(len(every) + 2):
        for count in (0, 1, 5, 100):
            assert list(library.page(spec.id, LOCAL, start, count)) == every[start : start + count]
    for number in range(23):
        assert library.place(spec.id, LOCAL, number) == sum(other < number for other in numbers)
    with pytest.raises(InputError, match=r"data\.unknown"):
        library.page(spec.id, "anna", 0, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Città & Paesi", "citta-paesi"),
        ("../../etc/passwd", "etc-passwd"),
        ("$(touch x)", "touch-x"),
        ("日本", "data"),
        ("", "data"),
        ("x" * 300, "x" * 40),
        ("-rf", "rf"),
        ("a\x00\nb", "a-b"),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_names_become_safe_folders(name: str, expected: str) -> None:
    assert slug(name, 40, "data") == expected


def test_limits_travel_as_json() -> None:
    assert Limits(**json.loads(json.dumps(dataclasses.asdict(DEFAULT)))) == Limits()
