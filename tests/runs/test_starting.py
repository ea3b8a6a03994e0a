"""A run that a terminal has begun is starting, and nobody else's, while libraries and model are still being loaded."""

import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.conftest import ROOT
from tuning.errors import InputError, RunError
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.studio import Studio

SETTLE_SECONDS = 0.5  # between a new folder and the mark that it is being started


@pytest.mark.nightly
def test_a_run_is_starting_until_its_engine_has_it(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path, wait_until: Callable[..., object]
) -> None:
    words = ["train", "-m", str(tiny_model), "-d", str(rows_file), "-r", "facts", "--set", "max_steps=1", "--set", "report=false"]
    command = [sys.executable, "-m", "tuning", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: studio.runs.ids(), 120)
        time.sleep(SETTLE_SECONDS)
        run = studio.shared.store.find("last", studio.runs.owner)
        seen = {run.state().status}
        while run.saved_state() is None and process.poll() is None:
            seen.add(run.state().status)
            time.sleep(0.02)
        assert seen <= {"starting", "running"} and "starting" in seen
        with pytest.raises(RunError) as caught:
            studio.runs.resumable(run.id)
        assert caught.value.code == "run.not_resumable"
    finally:
        process.kill()
        process.wait()
    assert run.state().status in ("interrupted", "finished")


def test_a_run_whose_start_is_marked_is_starting_and_nobody_else_s(
    studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path
) -> None:
    run = studio.runs.create(str(tiny_model), str(rows_file), "facts", {"validation_share": 0})
    with locks.Lock(run.folder / "starting.lock") as mark:
        assert mark.acquire() and run.state().status == "starting" and studio.runs.list()[0]["status"] == "starting"
        with pytest.raises(RunError):
            studio.runs.resumable(run.id)
    assert run.state().status == "interrupted" and studio.runs.resumable(run.id).id == run.id


def test_a_run_is_found_by_the_name_that_people_gave_it(studio: Studio, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> None:
    def make(name: str) -> Run:
        return studio.runs.create(str(tiny_model), str(rows_file), "facts", {"validation_share": 0}, name)

    first, second = make("q3think"), make("Prezzi del banco")
    find = studio.shared.store.find
    assert find("q3think", studio.runs.owner).id == first.id and find("Prezzi  del banco ", studio.runs.owner).id == second.id
    studio.runs.rename(first.id, "another")
    assert find("another", studio.runs.owner).id == first.id
    make("another")
    for name, code in (("another", "run.ambiguous"), ("q3think", "run.unknown"), ("Nobody", "run.unknown")):
        with pytest.raises(InputError) as caught:
            find(name, studio.runs.owner)
        assert caught.value.code == code
