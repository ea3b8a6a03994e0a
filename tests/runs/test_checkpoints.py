"""Only whole checkpoints count, and rotation never throws the last of them away."""

import json
import pathlib

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
