"""The child process that reads: it says how far it is, every way of its dying has a name, and it knows no secret."""

import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest

from tuning.data.ingest import ReadingOptions, ingest
from tuning.errors import InputError
from tuning.sandbox import run
from tuning.sandbox.limits import MEGABYTE, PROGRESS, Limits
from tuning.schema import LOCAL

Write = Callable[..., pathlib.Path]  # the fixture
ROWS = [{"question": f"Quanto fa {number} + 1?", "answer": str(number + 1)} for number in range(20)]
HUNGRY = '{"question": "a", "answer": "b", "extra": [' + "[]," * 300_000 + "[]]}\n"  # 0.9 MB that take 20 MB
CHILD = "tuning.data.child"
MANY = "question,answer\n" + "Una domanda,una risposta\n" * 150_000  # takes longer than two looks at the progress
REQUEST = {"sources": [], "validation": [], "mapping": {}, "repairs": [], "max_rows": None, "limits": {}}


def reading(home: pathlib.Path, source: pathlib.Path, code: str, limits: Limits, watch: run.Watch | None = None) -> InputError:
    """The error of a reading that leaves neither a file nor a process."""
    with pytest.raises(InputError) as caught:
        ingest(home, LOCAL, [source], ReadingOptions(name="x"), limits, watch)
    assert caught.value.code == code
    assert not list(home.glob("data/*")) and not children()
    return caught.value


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if CHILD in " ".join(child.cmdline())]


def test_it_says_how_far_it_is(tmp_path: pathlib.Path, write: Write) -> None:
    shares: list[float] = []
    spec = ingest(tmp_path, LOCAL, [write(MANY, "a"), write(MANY, "b")], ReadingOptions(max_rows=None), watch=shares.append)
    assert spec.rows_kept == 300_000
    assert shares and all(0 <= share <= 1 for share in shares)
    assert all(before <= after for before, after in pairwise(shares))
    assert any(0 < share < 0.5 for share in shares) and any(0.5 < share < 1 for share in shares)
    assert not list(tmp_path.glob("data/*/" + PROGRESS))


class Enough(Exception):
    """Of somebody who does not want to wait."""


def test_who_stops_it_leaves_nothing(tmp_path: pathlib.Path, write: Write) -> None:
    def stop(share: float) -> None:
        assert children()
        if share > 0:
            raise Enough

    with pytest.raises(Enough):
        ingest(tmp_path / "home", LOCAL, [write(MANY)], ReadingOptions(), watch=stop)
    assert not list((tmp_path / "home").glob("data/*")) and not children()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGKILL, "data.memory"), (signal.SIGTERM, "data.crashed"), (signal.SIGSEGV, "data.crashed")]
)
def test_who_kills_it_leaves_nothing(tmp_path: pathlib.Path, write: Write, how: signal.Signals, code: str) -> None:
    error = reading(tmp_path / "home", write(MANY), code, Limits(), lambda share: [child.send_signal(how) for child in children()] and None)
    assert error.params["file"] == "upload"


def test_a_file_that_needs_too_much_memory(tmp_path: pathlib.Path, write: Write) -> None:
    assert reading(tmp_path / "home", write(HUNGRY), "data.memory", Limits(memory_bytes=8 * MEGABYTE)).params["limit"] == 8


def test_a_file_that_takes_too_long(tmp_path: pathlib.Path, write: Write) -> None:
    assert reading(tmp_path / "home", write(MANY), "data.slow", Limits(seconds=0.6)).params["seconds"] == 1


def test_a_file_that_unfolds_to_too_much(tmp_path: pathlib.Path, write: Write) -> None:
    assert reading(tmp_path / "home", write("q,a\n" + "b,c\n" * 50_000), "data.output", Limits(output_bytes=MEGABYTE)).params["limit"] == 1


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.index", "report.json", "progress.new"])
def test_a_full_disk(tmp_path: pathlib.Path, write: Write, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    request = {**REQUEST, "sources": [str(write(MANY if name == "progress.new" else ROWS))]}
    with pytest.raises(InputError, match=r"data\.disk"):
        run.run(CHILD, request, tmp_path, Limits())


def test_a_small_disk(small_disk: pathlib.Path, write: Write) -> None:
    long = write([{"question": "a", "answer": "x" * 2000}] * 2000)
    assert reading(small_disk / "home", long, "data.disk", Limits()).params["file"] == "upload"
    spare = write([{"question": "a", "answer": "b", "spare": "x" * 2000}] * 2000)  # its rows have room, it has not
    with pytest.raises(InputError, match=r"data\.disk"):
        ingest(small_disk / "home", LOCAL, [spare], ReadingOptions(keep=True))
    assert not list(small_disk.glob("home/data/*"))
    assert ingest(small_disk / "home", LOCAL, [spare], ReadingOptions()).rows_kept == 2000


def test_a_child_that_crashes(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError) as caught:
        run.run(CHILD, {"limits": {}}, tmp_path, Limits())
    assert caught.value.code == "data.crashed"
    assert "KeyError" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("how", "code"), [("SIGSEGV", "data.crashed"), ("SIGKILL", "data.memory"), ("SIGXCPU", "data.slow")])
def test_every_way_of_dying_has_a_code(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, how: str, code: str) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "dying.py").write_text(f"import os, signal; os.kill(os.getpid(), signal.{how})", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        run.run("dying", {}, tmp_path, Limits())
    assert caught.value.code == code


@pytest.mark.parametrize(("body", "seconds", "code"), [("held = bytearray(400 * 2**20)", 60, "data.memory"), ("pass", 0.8, "data.slow")])
def test_a_watched_child(body: str, seconds: float, code: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", f"import time; {body}; time.sleep(90)"])
    with pytest.raises(InputError) as caught:
        run.wait(process, Limits(seconds=seconds, memory_bytes=100 * MEGABYTE), weigh=True)
    assert caught.value.code == code
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("said", "share"), [("0.25", 0.25), ("7", 1.0), ("-1", 0.0), ("", 0.0), ("half", 0.0), ("\xff", 0.0), ("1e999", 1.0), ("nan", 0.0)]
)
def test_what_it_says_of_its_progress_is_not_believed(tmp_path: pathlib.Path, said: str, share: float) -> None:
    (tmp_path / PROGRESS).write_bytes(said.encode("latin-1"))
    assert run.progress(tmp_path) == share


def test_the_child_sees_no_token(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_CANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "CANARY")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "telling.py").write_text("import json, os; json.dump(dict(os.environ), open('env.json', 'w'))", encoding="utf-8")
    run.run("telling", {}, tmp_path, Limits())
    seen = json.loads((tmp_path / "env.json").read_bytes())
    assert "CANARY" not in str(seen) and seen["PYTHONPATH"] == str(tmp_path)


def test_the_working_folder_is_no_source_of_modules(tmp_path: pathlib.Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(77)", encoding="utf-8")
    with pytest.raises(InputError, match="how=1"):
        run.run(CHILD, {"limits": {}}, tmp_path, Limits())
