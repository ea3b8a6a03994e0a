"""Files that many read: each change is seen, nothing is read twice, and a half line is left until it is whole."""

import json
import os
import pathlib
import time

import pytest

from tests import folders
from tuning.runs import locks, reading, summary
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio


def line(step: int, loss: float = 1.0) -> str:
    return json.dumps({"step": step, "loss": loss}) + "\n"


def settle(*paths: pathlib.Path) -> None:
    """As if they had been written a while ago."""
    for path in paths:
        os.utime(path, (time.time() - 60, time.time() - 60))


def test_what_is_added_is_seen_and_only_that_is_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, taken = tmp_path / "metrics.jsonl", []
    add = reading.Growing._add
    monkeypatch.setattr(reading.Growing, "_add", lambda self, whole: (taken.append(len(whole)), add(self, whole))[1])
    path.write_text("".join(line(step) for step in range(1, 501)), encoding="utf-8")
    log = reading.Growing(path)
    first = log.look()
    assert len(first.records) == 500 and log.look() is log.look() == first
    with path.open("a", encoding="utf-8") as file:
        file.write(line(501) + line(502)[:7])
    second = log.look()
    assert [record["step"] for record in second.records[-2:]] == [500, 501] and second.version != first.version
    assert len(first.records) == 500, "a list that was handed out changed"
    with path.open("a", encoding="utf-8") as file:
        file.write(line(502)[7:])
    assert log.look().records[-1]["step"] == 502
    assert taken[1:] == [len(line(501)), len(line(502))]


def test_steps_logged_again_after_a_resume_count_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1, 3.0) + line(2, 2.5) + line(3, 2.0), encoding="utf-8")
    log = reading.Growing(path)
    before = log.look()
    with path.open("a", encoding="utf-8") as file:
        file.write(line(2, 9.0))
    after = log.look()
    assert [record["loss"] for record in after.records] == [3.0, 9.0, 2.0] and before.version != after.version


@pytest.mark.parametrize("longer", [True, False])
def test_a_file_that_was_replaced_is_read_anew(tmp_path: pathlib.Path, longer: bool) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + line(2), encoding="utf-8")
    log = reading.Growing(path)
    assert len(log.look().records) == 2
    path.write_text("".join(line(step, 7.0) for step in range(1, 9 if longer else 2)), encoding="utf-8")
    assert [record["loss"] for record in log.look().records] == [7.0] * (8 if longer else 1)
    path.unlink()
    assert log.look().records == []


def test_values_are_kept_as_long_as_files_stay(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("one\n", encoding="utf-8")
    settle(path)
    assert reading.tail(path) is reading.tail(path)
    path.write_text("two\n", encoding="utf-8")
    assert reading.tail(path) == ["two"]
    path.write_text("six\n", encoding="utf-8")  # within the same tick, perhaps: never kept
    assert reading.tail(path) == ["six"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('File "/opt/tools/lib/python3.11/site-packages/torch/nn.py", line 3', 'File "…/nn.py", line 3'),
        (r"C:\Users\Anna Rossi\runs\x.json is full", "…/x.json is full"),
        ("see https://huggingface.co/docs/peft/index", "see https://huggingface.co/docs/peft/index"),
        ("loss 3/4 and/or a/b/c", "loss 3/4 and/or a/b/c"),
    ],
)
def test_paths_of_the_machine_are_shortened(tmp_path: pathlib.Path, said: str, kept: str) -> None:
    (tmp_path / "log.txt").write_text(f"{said}\n", encoding="utf-8")
    assert reading.tail(tmp_path / "log.txt") == [kept]


def test_the_tail_is_short_however_long_the_log(tmp_path: pathlib.Path) -> None:
    (tmp_path / "log.txt").write_text("".join(f"line {number}\n" for number in range(100_000)), encoding="utf-8")
    assert reading.tail(tmp_path / "log.txt", 3) == ["line 99997", "line 99998", "line 99999"]
    assert reading.tail(tmp_path / "none.txt") == []


def test_a_list_sees_every_change_of_a_run(studio: Studio) -> None:
    run = folders.make(studio, "one")
    settle(run.folder / "state.json", run.folder)
    assert summary.brief(run) == summary.brief(run)
    run.rename("two")
    assert summary.brief(run)["name"] == "two"
    settle(run.folder)
    summary.brief(run)
    run.enqueue()
    assert studio.runs.list()[0]["status"] == "queued"
    (run.folder / "queue").unlink()
    settle(run.folder)
    assert summary.brief(run)["status"] == "finished"
    run.write_state(run.state().model_copy(update={"status": "stopped"}))
    assert summary.brief(run)["status"] == "stopped"


def test_a_run_that_is_claimed_again_is_seen_at_once(studio: Studio) -> None:
    run = folders.make(studio, "one")
    lock = locks.Lock(run.lock_path)
    with lock:
        assert lock.acquire()
    settle(run.lock_path, run.folder)
    assert summary.brief(run)["status"] == "finished"
    with lock:
        assert lock.acquire()
        assert summary.brief(run)["status"] == "starting"
    assert summary.brief(run)["status"] == "finished"


def test_sparks_and_sizes_follow_the_folder(studio: Studio, home: pathlib.Path) -> None:
    run = folders.make(studio, "one", 400)
    settle(run.folder / "metrics.jsonl", run.folder / "state.json", run.folder)
    seen = studio.runs.glimpse(run.id)
    assert len(seen["spark"]["loss"]) == reading.SPARK_POINTS and len(seen["spark"]["eval_loss"]) == 10
    assert seen["spark"]["loss"][-1][0] == 400 and seen["size_bytes"] == run.size() == Run(run.folder).size()
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "weights").write_bytes(b"x" * 5000)
    settle(run.folder)
    os.utime(run.folder, (time.time() - 30, time.time() - 30))
    assert Store(home).find(run.id, LOCAL).size() == studio.runs.glimpse(run.id)["size_bytes"]
