"""Files that others read while they are replaced: what Windows refuses for a moment is done a moment later."""

import contextlib
import errno
import os
import pathlib
import shutil
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tuning.runs import disk, files


def refusing(times: int, work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, refused so many times first, as on Windows while somebody has the file open."""
    left = [times]

    def tried(*words: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "Access is denied")
        return work(*words, **named)

    return tried


def test_a_file_that_somebody_reads_is_replaced_a_moment_later(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", refusing(2, os.replace))
    files.write(path, "new")
    assert path.read_text(encoding="utf-8") == "new" and [left.name for left in tmp_path.iterdir()] == ["state.json"]


def test_what_is_refused_for_good_is_an_error_and_the_old_file_stays(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", refusing(1000, os.replace))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(PermissionError):
        files.write(path, "new")
    assert path.read_text(encoding="utf-8") == "old" and [left.name for left in tmp_path.iterdir()] == ["state.json"]


def test_a_file_that_is_being_replaced_is_read_a_moment_later(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    path.write_text("new", encoding="utf-8")
    monkeypatch.setattr(os, "open", refusing(2, os.open))
    assert disk.text(path) == "new"


def test_a_folder_in_which_saves_come_and_go_is_counted(tmp_path: pathlib.Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "weights").write_bytes(b"x" * 1000)
    over = threading.Event()

    def save() -> None:
        while not over.is_set():
            place = tmp_path / ".building" / "deep"
            place.mkdir(parents=True, exist_ok=True)
            (place / "state").write_bytes(b"x")
            shutil.rmtree(tmp_path / ".building")

    saving = threading.Thread(target=save)
    saving.start()
    try:
        assert {files.size(tmp_path) for _ in range(2000)} <= {1000, 1001}
    finally:
        over.set()
        saving.join()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such call")
@pytest.mark.parametrize(("number", "passes"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.ENOSYS, True), (errno.EIO, False)])
def test_a_disk_that_writes_no_folder_through_takes_a_save_all_the_same(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    def fsync(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with contextlib.nullcontext() if passes else pytest.raises(OSError):
        files.sync_folder(tmp_path)
