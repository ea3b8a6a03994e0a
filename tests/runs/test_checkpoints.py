"""Only whole checkpoints count, and rotation never throws the last of them away."""

import json
import os
import pathlib
import shutil

import pytest

from tuning.runs import checkpoints


def make(folder: pathlib.Path, step: int) -> pathlib.Path:
    built = checkpoints.building(folder)
    for name in (*checkpoints.NEEDED, "adapter_model.safetensors", "adapter_config.json"):
        (built / name).write_bytes(f"{name} at {step}".encode())
    return checkpoints.commit(built, folder, step)


def test_a_committed_checkpoint_verifies(tmp_path: pathlib.Path) -> None:
    assert checkpoints.verified(make(tmp_path, 5))
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-5"
    assert not (tmp_path / checkpoints.BUILDING).exists()


@pytest.mark.parametrize("name", [*checkpoints.NEEDED, "adapter_model.safetensors", checkpoints.MANIFEST])
@pytest.mark.parametrize("fault", ["missing", "flipped", "short"])
def test_the_newest_that_verifies_is_taken(tmp_path: pathlib.Path, name: str, fault: str) -> None:
    make(tmp_path, 9)
    path = make(tmp_path, 10) / name  # 10 comes after 9 as a number, before it as a name
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if fault == "short" else bytes([content[0] ^ 1]) + content[1:])
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-9"


def test_a_manifest_that_never_had_the_optimizer_does_not_count(tmp_path: pathlib.Path) -> None:
    built = checkpoints.building(tmp_path)
    (built / "adapter_model.safetensors").write_bytes(b"weights")
    checkpoints.commit(built, tmp_path, 3)
    assert checkpoints.newest(tmp_path) is None


def test_rotation_keeps_the_last_good_one(tmp_path: pathlib.Path) -> None:
    for step in (1, 2, 3, 4):
        make(tmp_path, step)
    for step in (3, 4):
        (tmp_path / f"checkpoint-{step}" / "optimizer.pt").unlink()
    checkpoints.rotate(tmp_path, keep=2)
    assert [path.name for path in checkpoints.by_age(tmp_path)] == ["checkpoint-4", "checkpoint-3", "checkpoint-2"]


def test_rotation_keeps_two(tmp_path: pathlib.Path) -> None:
    for step in (1, 2, 10):
        make(tmp_path, step)
        checkpoints.rotate(tmp_path, keep=2)
    assert [path.name for path in checkpoints.by_age(tmp_path)] == ["checkpoint-10", "checkpoint-2"]


def test_left_overs_are_no_checkpoints(tmp_path: pathlib.Path) -> None:
    make(tmp_path, 2)
    (checkpoints.building(tmp_path) / "half").write_bytes(b"x")
    (tmp_path / "checkpoint-old").mkdir()
    (tmp_path / "checkpoint-7").mkdir()
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-2"
    assert json.loads((tmp_path / "checkpoint-2" / checkpoints.MANIFEST).read_text(encoding="utf-8"))["step"] == 2


EVIL = b"cposix\nsystem\n(S'touch EVIL'\ntR."  # a pickle that runs a command when it is loaded


def test_what_nobody_vouched_for_is_not_even_opened_as_a_pickle(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, 4)
    for name in ("optimizer.pt", "rng_state.pth", "scheduler.pt"):
        newer = make(tmp_path, 9)
        (newer / name).write_bytes(EVIL)
        assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-4"
    for name in ("scaler.pt", "pytorch_model.bin", "global_step9/evil.pt"):  # beside the files of the manifest
        newer = make(tmp_path, 9)
        (newer / name).parent.mkdir(exist_ok=True)
        (newer / name).write_bytes(EVIL)
        assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-4"
    assert not (tmp_path / "EVIL").exists()


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", "null", '{"files": []}', '{"files": {"optimizer.pt": 3}}', '{"files": {"optimizer.pt": {"size": 1}}}', "[" * 20_000],
)
def test_a_manifest_of_any_other_form_is_none(tmp_path: pathlib.Path, manifest: str) -> None:
    make(tmp_path, 3)
    (make(tmp_path, 5) / checkpoints.MANIFEST).write_text(manifest, encoding="utf-8")
    assert checkpoints.newest(tmp_path) == tmp_path / "checkpoint-3"


def test_a_manifest_cut_at_every_byte_is_none(tmp_path: pathlib.Path) -> None:
    path = make(tmp_path, 5) / checkpoints.MANIFEST
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        assert not checkpoints.verified(path.parent)


def test_a_checkpoint_under_another_step_s_name_does_not_count(tmp_path: pathlib.Path) -> None:
    make(tmp_path, 5).rename(tmp_path / "checkpoint-99")
    assert checkpoints.newest(tmp_path) is None


def test_the_clock_decides_nothing(tmp_path: pathlib.Path) -> None:
    for step, moment in ((2, 2e9), (4, 1e9), (6, 1.5e9)):
        os.utime(make(tmp_path, step), (moment, moment))
        checkpoints.rotate(tmp_path, keep=2)
    assert [path.name for path in checkpoints.by_age(tmp_path)] == ["checkpoint-6", "checkpoint-4"]


def test_room_for_the_next_save_is_measured_by_the_last(tmp_path: pathlib.Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    checkpoints.require_room(tmp_path, saves=2)
    with pytest.raises(OSError):
        checkpoints.require_room(tmp_path, saves=2, least=free)
    make(tmp_path, 2)
    checkpoints.require_room(tmp_path, saves=2, least=free)  # what was saved says more than what was thought
