"""A disk that fills up at any moment of a save: the run pauses and says why, and goes on as if nothing had been.

The operating system refuses every byte beyond a limit from a chosen moment on, so that the state that tells of it finds no
room either. A small disk of memory is a second form, where this process may mount one.
"""

import errno
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engine.conftest import Trainer, losses
from tests.engine.killing import carry_out
from tests.engine.moments import FULL, filled
from tuning.engine.learn.train import train
from tuning.engine.resident import Resident
from tuning.runs import checkpoints, files
from tuning.runs.run_folder import Run
from tuning.schema import LOCAL
from tuning.studio import Studio

Found = dict[str, Any]


def paused(found: Found, whole: Found) -> None:
    """It paused each time with the reason, kept its last save, and ended as the whole one did."""
    saved = 0
    for child in found["passed"][:-1]:
        told = (child["way"], child["signal"], child["status"], child["reason"], child["saved"], child["left"])
        assert (child["signal"], child["status"], child["reason"], child["error"]) == (0, "paused", "disk", "train.disk"), told
        assert child["saved"] >= saved and not {".building", ".adapter"} & set(child["left"]), told
        saved = child["saved"]
    assert found["status"] == "finished", found
    for key in ("losses", "evaluations"):
        assert found[key] == pytest.approx(whole[key], abs=1e-6), (key, found)
    assert (found["best"], found["adapter"]) == (whole["best"], whole["adapter"])


@pytest.mark.drawn("made")
def test_a_full_disk_in_a_save_loses_nothing(happened: list[Found]) -> None:
    found = next(one for one in happened if one.get("name") == "full")
    paused(found, happened[0])
    assert len(found["passed"]) == 6


@pytest.mark.nightly
def test_a_full_disk_at_any_moment_of_a_save_loses_nothing(
    tmp_path: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path
) -> None:
    sizes = [100, 600, 1500, 2500, 5000, 10_000, 15_000, 20_000, 30_000]
    jobs = [{"name": str(size), "ways": filled([("rmtree checkpoints/.building", 2, 0)], size)} for size in sizes]
    half = len(FULL) // 2
    jobs += [
        {"name": f"{size} {number}", "ways": filled(some, size)}
        for size in (0, 300)
        for number, some in enumerate((FULL[:half], FULL[half:]))
    ]
    whole, *found = carry_out(tmp_path, tiny_model, rows_file, jobs)
    for one in found:
        paused(one, whole)
        assert len(one["passed"]) >= 2
    assert sum(len(one["passed"]) - 1 for one in found) == len(sizes) + 2 * len(FULL)


def test_too_little_room_pauses_before_anything_is_loaded(
    trained: Trainer, make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained(lora_dropout=0.05)
    run = make_run(lora_dropout=0.05)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=checkpoints.SPARE_BYTES - 1))
        resident = Resident()
        state = train(run, studio.shared.store, resident)
        assert (state.status, state.reason, resident.path) == ("paused", "disk", None)
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


def test_a_disk_that_would_not_take_the_next_save_pauses_the_run_with_all_it_has_learned(
    trained: Trainer, make_run: Callable[..., Run], studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"num_train_epochs": 4, "lora_dropout": 0.05}
    whole, _ = trained(**changes)
    size = sum(path.stat().st_size for path in next(whole.checkpoints.glob("checkpoint-*")).iterdir())
    run = make_run(**changes)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=checkpoints.SPARE_BYTES + int(1.5 * size)))
        state = train(run, studio.shared.store, Resident())
    newest = checkpoints.newest(run.checkpoints)
    assert (state.status, state.reason) == ("paused", "disk") and newest is not None
    assert checkpoints.step_of(newest) == state.step == max(losses(run)) < len(losses(whole))
    assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)


def test_room_is_asked_of_the_disk_where_the_folder_is_to_be(tmp_path: pathlib.Path) -> None:
    files.require_room(tmp_path / "not" / "yet", 1)
    with pytest.raises(OSError) as caught:
        files.require_room(tmp_path / "not" / "yet", 2**62)
    assert caught.value.errno == errno.ENOSPC


def may_mount() -> bool:
    """Whether this process may make a disk of memory."""
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(params=["memory"] if shutil.which("unshare") and may_mount() else ["folder"])
def disk(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk of 40 MB, or a folder where nobody can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if request.param == "folder":
        yield place
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_somebody_else_fills(disk: pathlib.Path, tiny_model: pathlib.Path, rows_file: pathlib.Path) -> None:
    from tests.engine.conftest import FAST
    from tuning import settings

    studio = Studio(settings.read(home=str(disk)), LOCAL)
    changes = {**FAST, "num_train_epochs": 4, "lora_dropout": 0.05}
    whole, run = (studio.runs.create(str(tiny_model), str(rows_file), "facts", changes) for _ in range(2))
    assert train(whole, studio.shared.store, Resident()).status == "finished"
    ballast = disk / "ballast"

    def fill() -> None:
        if max(losses(run), default=0) >= 6 and not ballast.exists():
            with ballast.open("wb") as file:
                try:
                    for _ in range(60):
                        file.write(bytes(2**20))
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    state = train(run, studio.shared.store, Resident(), fill)
    full = shutil.disk_usage(disk).free < 2**20
    assert not full or (state.status, state.reason) == ("paused", "disk")
    ballast.unlink()
    if full:
        assert run.state().status == "paused" and checkpoints.newest(run.checkpoints) is not None
        assert train(studio.runs.resumable(run.id), studio.shared.store, Resident()).status == "finished"
    assert losses(run) == pytest.approx(losses(whole), abs=1e-6)
