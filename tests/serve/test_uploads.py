"""Where uploads arrive: cleared of what nobody came for, and of nothing else."""

import os
import pathlib
import stat
import time

import pytest

from tuning.serve import uploads


def aged(path: pathlib.Path, seconds: float) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"rows")
    for one in (path, path.parent) if path.parent.name != uploads.FOLDER else (path,):
        os.utime(one, (time.time() - seconds,) * 2)
    return path


def test_what_is_old_goes_as_a_whole_and_what_is_under_way_stays(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / uploads.FOLDER
    outside = aged(tmp_path / "kept.csv", 9000)
    old = [aged(folder / "5f" / "rows.csv", 9000), aged(folder / "tmphalf", 9000)]
    new = [aged(folder / "6a" / "rows.csv", 60), aged(folder / "tmpnow", 60)]
    (folder / "link").symlink_to(tmp_path)
    os.utime(folder / "link", (time.time() - 9000,) * 2, follow_symlinks=False)
    (folder / "slow").mkdir()
    aged(folder / "slow" / "big.csv", 60)
    os.utime(folder / "slow", (time.time() - 9000,) * 2)  # begun long ago, written to now
    uploads.clear(folder, uploads.OLD)
    assert not any(path.exists() for path in old) and not (folder / "5f").exists() and not (folder / "link").is_symlink()
    assert all(path.exists() for path in [*new, outside, folder / "slow" / "big.csv"])


def test_it_is_the_owner_s_alone_and_empty_at_first(tmp_path: pathlib.Path) -> None:
    left = aged(tmp_path / uploads.FOLDER / "5f" / "rows.csv", 1)
    left.parent.parent.chmod(0o755)
    folder = uploads.prepare(tmp_path)
    assert folder == tmp_path / uploads.FOLDER and [*folder.iterdir()] == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_home_that_cannot_be_written_still_has_a_place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "home").write_bytes(b"a file where the home should be")
    folder = uploads.prepare(tmp_path / "home")
    assert folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) == 0o700
