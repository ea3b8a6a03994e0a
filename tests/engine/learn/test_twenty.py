"""Twenty starts at once: one run at a time, the others in a line that everybody sees, none twice and none lost."""

import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.conftest import FAST
from tuning import settings
from tuning.engine.workshop import Workshop
from tuning.errors import RunError
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHORT = {**FAST, "max_steps": 2, "validation_share": 0}
OTHER = """
import sys, threading, time
from tests.engine.learn.test_twenty import starts
from tuning import settings
from tuning.engine.workshop import Workshop
from tuning.runs.store import Store
from tuning.schema import LOCAL
from tuning.studio import Studio
home, model, rows, count = sys.argv[1:]
read = settings.read(home=home)
studio = Studio(read, LOCAL, Workshop(Store(read.home)))
studio.workshop.start()
studio.workshop.preload()
studio.workshop.ready.wait()
print("ready", flush=True)
sys.stdin.readline()
print(" ".join(starts(studio, model, rows, int(count))), flush=True)
sys.stdin.readline()
"""


def starts(studio: Studio, model: str, rows: str, count: int) -> list[str]:
    """So many starts in so many threads at the same moment; the ids of the runs."""
    together, made = threading.Barrier(count), []

    def start() -> None:
        together.wait()
        made.append(studio.runs.train(model, rows, "facts", SHORT)["run"])

    threads = [threading.Thread(target=start) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def line(studio: Studio) -> list[str]:
    """The runs that wait, by the place that everybody is shown."""
    queued = [run for run in studio.runs.list() if run["status"] == "queued" and run["place"] is not None]
    waits = [run["wait_seconds"] for run in sorted(queued, key=lambda run: run["place"])]
    assert waits == sorted(waits)
    return [run["run"] for run in sorted(queued, key=lambda run: run["place"])]


def watched(studio: Studio, done: Callable[[int], bool], wait_until: Callable[..., Any]) -> list[str]:
    """Look until so many have finished: never two at work, and the line only ever gets shorter. The line as it was first seen."""
    first: list[str] = []
    before: list[str] = []

    def look() -> bool:
        nonlocal before
        at_work = [folder for folder in studio.shared.store.folder.iterdir() if locks.held(folder / "engine.lock")]
        assert len(at_work) <= 1
        now = line(studio)
        assert not before or now == before[len(before) - len(now) :], (before, now)
        before = now or before
        if not first:
            first.extend(now)
        return done(sum(run["status"] == "finished" for run in studio.runs.list()))

    wait_until(look, 300)
    return first


def started(run: Run) -> float:
    return float(run.state().started or 0)


def test_twenty_starts_at_once_and_one_runs(home: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path, wait_until: Any) -> None:
    studio = Studio(settings.read(), LOCAL, Workshop(Store(home)))
    studio.data.find(str(rows_file))
    assert studio.workshop is not None
    ids = starts(studio, str(tiny_model), str(rows_file), 20)
    assert len(set(ids)) == 20 and sorted(line(studio)) == sorted(ids)
    shown = line(studio)
    studio.workshop.start()
    watched(studio, lambda finished: finished >= 4, wait_until)
    for run in studio.shared.store.queue():
        run.request_stop()
    wait_until(lambda: not any(run["status"] in ("starting", "running") for run in studio.runs.list()))
    studio.workshop.close()
    runs = [Run(studio.shared.store.folder / id) for id in shown]
    trained = [run for run in runs if run.state().status == "finished"]
    assert {run.state().status for run in runs} == {"finished", "stopped"} and len(trained) >= 4
    assert trained == sorted(trained, key=started) and [run.id for run in trained] == shown[: len(trained)]
    once(trained)


def once(runs: list[Run]) -> None:
    """Each was trained one time: every step stands once in what it logged."""
    for run in runs:
        steps = [record["step"] for record in run.logged().records if "loss" in record]
        assert steps == [1, 2], (run.id, steps)


@pytest.mark.nightly
def test_two_apps_on_one_home_train_all_twenty_one_after_another(
    home: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path, wait_until: Any
) -> None:
    Studio(settings.read(), LOCAL).data.find(str(rows_file))
    words = [sys.executable, "-c", OTHER, str(home), str(tiny_model), str(rows_file), "10"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    apps = [subprocess.Popen(words, cwd=ROOT, env=dict(os.environ), **pipes) for _ in range(2)]  # type: ignore[call-overload]
    try:
        for app in apps:
            assert app.stdout.readline() == "ready\n"
        for app in apps:
            app.stdin.write("go\n")
            app.stdin.flush()
        ids = [id for app in apps for id in app.stdout.readline().split()]
        assert len(set(ids)) == 20
        watched(Studio(settings.read(), LOCAL), lambda finished: finished == 20, wait_until)
    finally:
        for app in apps:
            app.kill()
            app.wait()
    runs = sorted((Run(Store(home).folder / id) for id in ids), key=started)
    once(runs)
    ends = [run.state().ended or 0.0 for run in runs]
    assert all(end <= started(after) for end, after in zip(ends[:-1], runs[1:], strict=True))
    pids = {json.loads((run.folder / "engine.lock").read_text(encoding="utf-8"))["pid"] for run in runs}
    assert pids <= {app.pid for app in apps}


def test_a_run_whose_card_is_in_use_waits_on(home: pathlib.Path, make_run: Callable[..., Run], wait_until: Any) -> None:
    """The card's lock is asked for before anything is done to the run; it is the terminal's here."""
    from tests.runs.test_store import on_device

    workshop, run = Workshop(Store(home)), on_device(make_run(max_steps=2), "cuda:0")
    with locks.Lock(home / "gpu-0.lock") as card:
        assert card.acquire()
        run.enqueue()
        workshop.start()
        wait_until(lambda: run.id in workshop._refused)
        assert run.state().status == "queued" and not (run.folder / "state.json").exists()
        from tuning.engine.learn.train import train
        from tuning.engine.resident import Resident

        with pytest.raises(RunError) as caught:
            train(run, Store(home), Resident())
        assert caught.value.code == "run.gpu_busy"
    run.request_stop()
    workshop.close()


def test_who_was_quicker_has_trained_it(make_run: Callable[..., Run], studio: Studio) -> None:
    """A run that left the queue between the look and the lock is not begun again."""
    from tuning.engine.learn.train import train
    from tuning.engine.resident import Resident

    run = make_run(**SHORT)
    run.enqueue()
    assert train(run, studio.shared.store, Resident(), queued=True).status == "finished"
    before = (run.folder / "metrics.jsonl").read_bytes()
    assert train(run, studio.shared.store, Resident(), queued=True).status == "finished"
    assert (run.folder / "metrics.jsonl").read_bytes() == before
