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
from tuning.runs import files, locks, summary
from tuning.runs.files import clean_name, slug
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL, DataRef, Forecast, ModelRef, RunSpec, RunState, TrainSettings


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
    assert store.find("last", LOCAL).id == new.id
    assert store.find(old.id, LOCAL).id == old.id
    assert store.find(old.id[:-3], LOCAL).id == old.id
    for reference, code in (
        (old.id[:8], "run.ambiguous"),
        ("nothing", "run.unknown"),
        ("../" + old.id, "run.unknown"),
        ("", "run.ambiguous"),
    ):
        with pytest.raises(InputError) as caught:
            store.find(reference, LOCAL) if reference else store.find(old.id[0], LOCAL)
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
    assert store.find(run.id, LOCAL).id == run.id
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
    assert store.all(LOCAL) == []
    assert not list(store.folder.iterdir())


def test_one_broken_folder_hides_no_other(store: Store, make: Callable[..., Run]) -> None:
    good, bad, newer = make("good"), make("bad"), make("newer")
    spec = bad.folder / "spec.yaml"
    text = spec.read_text(encoding="utf-8")
    for length in range(0, len(text) - 1, 97):
        spec.write_text(text[:length], encoding="utf-8")
        assert good.id in [run.id for run in store.all(LOCAL)]
    spec.write_text(text[: len(text) // 2], encoding="utf-8")  # a cut in the very last words may leave a whole one
    content = yaml.safe_load((newer.folder / "spec.yaml").read_text(encoding="utf-8"))
    (newer.folder / "spec.yaml").write_text(yaml.safe_dump({**content, "schema": 2}), encoding="utf-8")
    assert [run.id for run in store.all(LOCAL)] == [good.id]


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


def on_device(run: Run, device: str) -> Run:
    """The same run, planned for another device."""
    spec = run.spec()
    there = spec.model_copy(update={"settings": spec.settings.model_copy(update={"device": device})})
    content = json.loads(there.model_dump_json(by_alias=True))
    files.write(run.folder / "spec.yaml", yaml.safe_dump(content))
    return run


def test_a_second_owner_s_first_run_goes_before_the_first_owner_s_next(store: Store, make: Callable[..., Run]) -> None:
    at_work, second, third, other = make("1", "anna"), make("2", "anna"), make("3", "anna"), make("4", "bruno")
    for run in (at_work, second, third, other):
        run.enqueue()
    process = engine(at_work)
    try:
        assert [run.id for run in store.queue()] == [other.id, second.id, third.id]
        places = store.places()
        assert [places[run.id].place for run in (other, second, third)] == [1, 2, 3]
        assert [places[run.id].wait_seconds for run in (other, second, third)] == [1.0, 2.0, 3.0]  # a second each, by the plan
        at_work.write_state(RunState(status="running", step=1, total_steps=2, seconds_left=30.0))
        found = summary.brief(third)
        assert (found["place"], found["wait_seconds"]) == (3, 32.0)
        assert summary.brief(at_work)["place"] is None
    finally:
        process.kill()
        process.wait()


def test_the_queue_follows_the_order_of_asking_whatever_the_clock_says(
    store: Store, make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, now = [make(str(number)) for number in range(4)], time.time()
    for run, moment in zip(runs, (now, now - 86_400, now + 365 * 86_400, now), strict=True):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        run.enqueue()
    assert [run.id for run in store.queue()] == [run.id for run in runs]
    runs[3].enqueue(first=True)
    assert [run.id for run in store.queue()] == [runs[3].id, runs[0].id, runs[1].id, runs[2].id]


def test_a_run_that_cannot_be_read_holds_up_no_other(store: Store, make: Callable[..., Run]) -> None:
    broken, good = make("broken"), make("good")
    for run in (broken, good):
        run.enqueue()
    whole = (broken.folder / "spec.yaml").read_bytes()
    for length in range(0, len(whole), 101):
        (broken.folder / "spec.yaml").write_bytes(whole[:length])
        assert good.id in [run.id for run in store.queue()] and good.id in store.places()


def test_a_state_cut_at_every_byte_hides_neither_the_run_nor_the_others(store: Store, make: Callable[..., Run]) -> None:
    run, other = make("one"), make("two")
    run.write_state(RunState(status="finished", step=3))
    whole = (run.folder / "state.json").read_bytes()
    for length in range(len(whole)):
        (run.folder / "state.json").write_bytes(whole[:length])
        assert run.state().status == "interrupted"  # the checkpoints tell how far it was
        assert {found["run"] for found in map(summary.brief, store.all(LOCAL))} == {run.id, other.id}
    (run.folder / "state.json").write_bytes(whole)
    assert run.state().status == "finished"


def test_a_full_disk_is_told_by_an_empty_file(make: Callable[..., Run]) -> None:
    run = make()
    run.write_state(RunState(status="running", step=3))
    run.disk_is_full()
    state = run.state()
    assert (state.status, state.reason, state.error and state.error.code) == ("paused", "disk", "train.disk")
    run.begin()
    assert run.state().status == "interrupted"


def test_who_begins_finds_the_adapter_that_was_being_replaced_and_no_left_overs(make: Callable[..., Run]) -> None:
    run = make()
    (run.folder / ".adapter-before").mkdir()
    (run.folder / ".state.json.abcdefgh").write_text("{", encoding="utf-8")
    run.enqueue()
    run.begin()
    assert run.adapter.is_dir() and not run.waiting()
    assert sorted(path.name for path in run.folder.iterdir()) == ["adapter", "spec.yaml"]


def test_a_stop_that_meets_a_claim_reaches_the_engine(make: Callable[..., Run]) -> None:
    run = make()
    run.enqueue()
    process = engine(run)
    try:
        run.request_stop()
        assert run.stop_requested() and run.waiting()
    finally:
        process.kill()
        process.wait()


def test_a_retry_is_told_and_not_for_ever(make: Callable[..., Run]) -> None:
    run = make()
    run.write_state(RunState(status="failed", reason="cuda", step=7))
    assert [run.retry(), run.retry(), run.retry()] == [True, True, False]
    state = run.state()
    assert state.status == "interrupted" and [notice.params for notice in state.recoveries] == [{"step": 7}] * 2
    run.write_state(state.model_copy(update={"step": 9}))
    assert run.retry()
