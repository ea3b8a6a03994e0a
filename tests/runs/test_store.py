"""Run folders under faults: half files, dead engines, other owners, odd names."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tuning.errors import InputError, RunError
from tuning.models.catalog import describe
from tuning.runs import files, locks
from tuning.runs.store import Run, Store, clean_name, slug
from tuning.schema import DataRef, Forecast, ModelRef, RunSpec, RunState, TrainSettings


@pytest.fixture
def store(home: pathlib.Path) -> Store:
    return Store(home)


@pytest.fixture
def make(store: Store, tiny_model: pathlib.Path) -> Callable[..., Run]:
    def make(name: str = "prices", owner: str = "local", created: float = 0.0) -> Run:
        card = describe(tiny_model)
        return store.create(
            RunSpec(
                owner=owner,
                id=store.new_id(card.title, name),
                name=name,
                created=created or time.time(),
                model=ModelRef(id=card.id, path=str(tiny_model), card=card),
                data=DataRef(id="rows-1", name="rows", sha256="0", train_rows=8, validation_rows=0),
                recipe="facts",
                settings=TrainSettings(),
                forecast=Forecast(
                    peak_bytes=1, parts={}, available_bytes=2, seconds=1, steps=1, fits=True, raw_peak_bytes=1, operations_per_token=1
                ),
            )
        )

    return make


def engine(run: Run) -> subprocess.Popen[str]:
    """Another process that holds the run's lock, as an engine does."""
    code = f"""
import pathlib, time
from tuning.runs.locks import Lock
lock = Lock(pathlib.Path({str(run.lock_path)!r}))
print(lock.acquire(), flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "True"
    return process


def test_status_follows_lock_and_state(make: Callable[..., Run]) -> None:
    run = make()
    assert run.state().status == "interrupted"  # nobody asked for it, nobody works on it
    run.enqueue()
    assert run.state().status == "queued"
    process = engine(run)
    try:
        assert run.state().status == "starting"
        run.write_state(RunState(status="running", step=3))
        assert (run.state().status, run.state().step) == ("running", 3)
        (run.folder / "queue").unlink()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert run.state().status == "interrupted"


def test_a_lock_is_exclusive_and_probing_does_not_take_it(make: Callable[..., Run]) -> None:
    run = make()
    with locks.Lock(run.lock_path) as lock:
        assert lock.acquire()
        assert locks.held(run.lock_path)
        assert not locks.Lock(run.lock_path).acquire(patience=0)
    assert not locks.held(run.lock_path)
    assert locks.holder(run.lock_path)["pid"] == os.getpid()


def test_a_run_on_another_host_lives_by_its_heartbeat(make: Callable[..., Run]) -> None:
    run = make()
    run.lock_path.write_text(json.dumps({"host": "elsewhere", "pid": 1}), encoding="utf-8")
    run.write_state(RunState(status="running", heartbeat=time.time()))
    assert run.state().status == "running"
    run.write_state(RunState(status="running", heartbeat=time.time() - 61))
    assert run.state().status == "interrupted"


def test_find_by_beginning_and_last(store: Store, make: Callable[..., Run]) -> None:
    old, new = make("one", created=1.0), make("two", created=2.0)
    assert store.find("last").id == new.id
    assert store.find(old.id).id == old.id
    assert store.find(old.id[:-3]).id == old.id
    for reference, code in (
        (old.id[:8], "run.ambiguous"),
        ("nothing", "run.unknown"),
        ("../" + old.id, "run.unknown"),
        ("", "run.ambiguous"),
    ):
        with pytest.raises(InputError) as caught:
            store.find(reference) if reference else store.find(old.id[0])
        assert caught.value.code == code


def test_another_owner_s_run_is_as_good_as_none(store: Store, make: Callable[..., Run]) -> None:
    run = make(owner="anna")
    assert store.all("bruno") == []
    for reference in (run.id, run.id[:12], "last"):
        with pytest.raises(InputError) as caught:
            store.find(reference, "bruno")
        assert caught.value.code == "run.unknown"


@pytest.mark.parametrize("name", ["$(touch PWNED)", "a;id", "../../x", "-rf", "a\nb", "x" * 300, "nul\0byte", "CON", "è così", "  ", "🧵"])
def test_odd_names_stay_names(store: Store, make: Callable[..., Run], name: str) -> None:
    run = make(name)
    assert run.folder.parent == store.folder
    assert store.find(run.id).id == run.id
    assert len(clean_name(name)) <= 80
    assert "\n" not in clean_name(name) and "\0" not in clean_name(name)
    assert slug(name).replace("-", "").isalnum()


def test_rename_keeps_the_spec(store: Store, make: Callable[..., Run]) -> None:
    run = make("before")
    run.rename("after\nall")
    assert run.name() == "after all"
    assert run.spec().name == "before"
    with pytest.raises(InputError):
        run.rename(" \n ")


def test_a_run_at_work_is_not_deleted(store: Store, make: Callable[..., Run]) -> None:
    run = make()
    run.enqueue()
    with pytest.raises(RunError) as caught:
        store.delete(run)
    assert caught.value.code == "run.busy"
    run.request_stop()
    assert run.state().status == "stopped"
    store.delete(run)
    assert store.all() == []
    assert not list(store.folder.iterdir())


def test_one_broken_folder_hides_no_other(store: Store, make: Callable[..., Run]) -> None:
    good, bad, newer = make("good"), make("bad"), make("newer")
    spec = bad.folder / "spec.yaml"
    text = spec.read_text(encoding="utf-8")
    for length in range(0, len(text) - 1, 97):
        spec.write_text(text[:length], encoding="utf-8")
        assert good.id in [run.id for run in store.all()]
    content = yaml.safe_load((newer.folder / "spec.yaml").read_text(encoding="utf-8"))
    (newer.folder / "spec.yaml").write_text(yaml.safe_dump({**content, "schema": 2}), encoding="utf-8")
    assert [run.id for run in store.all()] == [good.id]


def test_metrics_survive_a_cut_at_every_byte(make: Callable[..., Run]) -> None:
    run = make()
    path = run.folder / "metrics.jsonl"
    for step in (1, 2, 3):
        files.append_line(path, {"step": step, "loss": 1.0 / step})
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for length in range(last, len(whole)):
        path.write_bytes(whole[:length])
        assert [record["step"] for record in run.metrics()][:2] == [1, 2]
        files.append_line(path, {"step": 4, "loss": 0.1})
        assert run.metrics()[-1]["step"] == 4


def test_a_step_logged_twice_counts_once(make: Callable[..., Run]) -> None:
    run = make()
    path = run.folder / "metrics.jsonl"
    for record in ({"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "eval_loss": 9.0}, {"step": 2, "loss": 1.5}):
        files.append_line(path, record)
    assert run.metrics() == [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 1.5}, {"step": 2, "eval_loss": 9.0}]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    files.write(path, "old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError):
        files.write(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".state")] == []


def test_the_queue_is_first_come_first_served(store: Store, make: Callable[..., Run]) -> None:
    first, second = make("first"), make("second")
    second.enqueue()
    time.sleep(0.01)
    first.enqueue()
    assert [run.id for run in store.queue()] == [second.id, first.id]
