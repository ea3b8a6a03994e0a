"""A token in the environment stays there: a whole run writes it nowhere."""

import pathlib
import subprocess
from collections.abc import Callable

import pytest

from tests.engine.conftest import FAST

CANARY = "hf_" + "CANARYabcdefghijklmnopqrstuvwxyz0123"


def test_no_file_of_a_run_holds_the_token(
    tuning: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: pathlib.Path,
    rows_file: pathlib.Path,
    tmp_path: pathlib.Path,
    home: pathlib.Path,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("HF_TOKEN", CANARY)
    monkeypatch.setenv("TMPDIR", str(temporary))
    words = [word for key, value in {**FAST, "max_steps": 4}.items() for word in ("--set", f"{key}={value}")]
    done = tuning("train", "-m", str(tiny_model), "-d", str(rows_file), "-r", "facts", *words, "--json")
    assert done.returncode == 0, done.stderr
    written = [path for folder in (home, temporary) for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "optimizer.pt" for path in written)
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert CANARY not in done.stdout + done.stderr
