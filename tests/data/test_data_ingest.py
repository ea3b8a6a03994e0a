"""The child process and what is kept of its work: limits, deaths, folders."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable

import pytest

from tuning.data import sandbox
from tuning.data.library import Library
from tuning.data.read import ingest, slug
from tuning.data.records import DEFAULT, MEGABYTE, Limits
from tuning.errors import InputError
from tuning.schema import LOCAL, DataSpec

Write = Callable[..., pathlib.Path]  # the fixture
ROWS = [{"question": f"Quanto fa {number} + 1?", "answer": str(number + 1)} for number in range(20)]
HUNGRY = '{"question": "a", "answer": "b", "extra": [' + "[]," * 300_000 + "[]]}\n"  # 0.9 MB that take 20 MB


def refused(home: pathlib.Path, source: pathlib.Path, code: str, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(home, source, "x", **options)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert all(isinstance(value, str | int) for value in caught.value.params.values())
    assert not [path for path in home.glob("data/*")], "nothing is left behind"
    return caught.value


def test_a_file_becomes_a_folder(tmp_path: pathlib.Path, write: Write) -> None:
    source = write([*ROWS, {"question": "", "answer": "x"}], "domande.json")
    spec = ingest(tmp_path / "home", source, "Città & Paesi.json", validation=write(ROWS[:3], "held-out.jsonl"))
    folder = tmp_path / "home" / "data" / spec.id
    assert sorted(path.name for path in folder.iterdir()) == ["rows.jsonl", "spec.json", "validation.jsonl"]
    assert DataSpec.model_validate_json((folder / "spec.json").read_bytes()) == spec
    assert spec.id.startswith("citta-paesi-json-") and spec.name == "Città & Paesi.json" and spec.owner == LOCAL
    assert (spec.format, spec.encoding, spec.rows_read, spec.rows_kept, spec.validation_rows) == ("question-answer", "utf-8", 21, 20, 3)
    assert spec.mapping == {"question": "question", "answer": "answer"}
    assert [(notice.code, notice.level, notice.params) for notice in spec.refused] == [
        ("data.row.empty_question", "warning", {"row": 21, "line": 21})
    ]
    rows = list(Library(tmp_path / "home").rows(spec.id, LOCAL))
    assert spec.characters == sum(len(message["content"]) for row in rows for message in row["messages"])
    assert list(Library(tmp_path / "home").validation_rows(spec.id, LOCAL)) == rows[:3]


def test_the_same_again_is_the_same_and_another_is_another(tmp_path: pathlib.Path, write: Write) -> None:
    first = write(ROWS, "a")
    spec = ingest(tmp_path, first, "a")
    assert ingest(tmp_path, write(ROWS, "b"), "A!") == spec
    others = [
        ingest(tmp_path, first, "a", owner="anna"),
        ingest(tmp_path, first, "a", mapping={"question": "answer", "answer": "question"}),
        ingest(tmp_path, first, "a", validation=write(ROWS, "c")),
        ingest(tmp_path, write(ROWS[1:], "d"), "a"),
    ]
    assert len({spec.id, *(other.id for other in others)}) == 5


def test_many_at_once_are_no_error(tmp_path: pathlib.Path, write: Write) -> None:
    source = write(ROWS)
    specs: list[DataSpec] = []
    threads = [threading.Thread(target=lambda: specs.append(ingest(tmp_path, source, "a"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(specs) == 3
    assert specs[0] == specs[1] == specs[2] == Library(tmp_path).get(specs[0].id, LOCAL)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [specs[0].id]


def test_a_damaged_folder_is_replaced(tmp_path: pathlib.Path, write: Write) -> None:
    source = write(ROWS)
    spec = ingest(tmp_path, source, "a")
    (tmp_path / "data" / spec.id / "spec.json").write_text('{"schema": 1', encoding="utf-8")
    again = ingest(tmp_path, source, "a")
    assert again.id == spec.id
    assert Library(tmp_path).get(spec.id, LOCAL) == again


def test_what_a_dead_parent_left_is_swept_away(tmp_path: pathlib.Path, write: Write) -> None:
    old, new = tmp_path / "data" / ".new-old", tmp_path / "data" / ".new-new"
    old.mkdir(parents=True)
    new.mkdir()
    os.utime(old, (0, 0))
    ingest(tmp_path, write(ROWS), "a")
    assert not old.exists() and new.exists()


def test_files_that_are_none(tmp_path: pathlib.Path, write: Write) -> None:
    home = tmp_path / "home"
    assert refused(home, tmp_path / "no\x00where", "data.missing").params["file"] == "no\ufffdwhere"
    refused(home, tmp_path / "nowhere", "data.missing")
    refused(home, tmp_path / ("x" * 300), "data.missing")
    refused(home, tmp_path, "data.folder")
    refused(home, write(b"", "empty.csv"), "data.empty")
    assert refused(home, write(b"x" * (MEGABYTE + 1)), "data.large", limits=Limits(file_bytes=MEGABYTE)).params["limit"] == 1
    refused(home, write(ROWS), "data.missing", validation=tmp_path / "nowhere")


def test_a_verdict_of_the_child_names_the_file(tmp_path: pathlib.Path, write: Write) -> None:
    home = tmp_path / "home"
    error = refused(home, write("[" * 20_000, "deep.json"), "data.json.deep")
    assert error.params == {"row": 1, "line": 1, "limit": 20, "file": "deep.json"}
    error = refused(home, write([{"question": "a", "answer": 1}], "a.jsonl"), "data.nothing")
    assert error.params == {"row": 1, "line": 1, "fault": "data.row.type", "column": "answer", "found": "number", "file": "a.jsonl"}
    error = refused(home, write(ROWS), "data.validation", validation=write([*ROWS, {"question": "a"}], "b"))
    assert (error.params["row"], error.params["fault"], error.params["file"]) == (21, "data.row.columns", "b")


def test_a_file_that_needs_too_much_memory(tmp_path: pathlib.Path, write: Write) -> None:
    error = refused(tmp_path / "home", write(HUNGRY), "data.memory", limits=Limits(memory_bytes=8 * MEGABYTE))
    assert error.params["limit"] == 8


def test_a_file_that_takes_too_long(tmp_path: pathlib.Path, write: Write) -> None:
    source = write("question,answer\n" + "a,b\n" * 1_000_000)
    assert refused(tmp_path / "home", source, "data.slow", limits=Limits(seconds=0.6)).params["seconds"] == 1


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(tmp_path: pathlib.Path, write: Write) -> None:
    (tmp_path / "rows.jsonl").symlink_to("/dev/full")
    request: dict[str, object] = {"source": str(write(ROWS)), "validation": None, "mapping": {}, "limits": {}}
    with pytest.raises(InputError, match=r"data\.disk"):
        sandbox.run("tuning.data.read", request, tmp_path, Limits())


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


def test_a_child_that_crashes(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError) as caught:
        sandbox.run("tuning.data.read", {"limits": {}}, tmp_path, Limits())
    assert caught.value.code == "data.crashed"
    assert "KeyError" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("how", "code"), [("SIGSEGV", "data.crashed"), ("SIGKILL", "data.memory"), ("SIGXCPU", "data.slow")])
def test_every_way_of_dying_has_a_code(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, how: str, code: str) -> None:
    monkeypatch.setattr(sandbox, "ROOT", tmp_path)
    (tmp_path / "dying.py").write_text(f"import os, signal; os.kill(os.getpid(), signal.{how})", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        sandbox.run("dying", {}, tmp_path, Limits())
    assert caught.value.code == code


@pytest.mark.parametrize(("body", "code"), [("held = bytearray(400 * 2**20)", "data.memory"), ("pass", "data.slow")])
def test_a_watched_child(body: str, code: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", f"import time; {body}; time.sleep(30)"])
    with pytest.raises(InputError) as caught:
        sandbox.wait(process, Limits(seconds=0.8, memory_bytes=100 * MEGABYTE), watch=True)
    assert caught.value.code == code
    assert process.poll() is not None


def test_the_child_sees_no_token(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_CANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    monkeypatch.setattr(sandbox, "ROOT", tmp_path)
    (tmp_path / "telling.py").write_text("import json, os; json.dump(dict(os.environ), open('env.json', 'w'))", encoding="utf-8")
    sandbox.run("telling", {}, tmp_path, Limits())
    seen = json.loads((tmp_path / "env.json").read_bytes())
    assert "CANARY" not in str(seen) and seen["PYTHONPATH"] == str(tmp_path)


def test_the_working_folder_is_no_source_of_modules(tmp_path: pathlib.Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(77)", encoding="utf-8")
    with pytest.raises(InputError, match="how=1"):
        sandbox.run("tuning.data.read", {"limits": {}}, tmp_path, Limits())


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
    assert slug(name) == expected


def test_limits_travel_as_json() -> None:
    assert Limits(**json.loads(json.dumps(dataclasses.asdict(DEFAULT)))) == Limits()
