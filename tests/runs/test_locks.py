"""Files of the home that several people or processes change: whoever does not get the lock changes nothing, and is told."""

import errno
import os
import pathlib
from typing import Any

import pytest

from tuning import settings
from tuning.cli import starting
from tuning.errors import RunError, of_disk
from tuning.runs import locks
from tuning.schema import LOCAL
from tuning.serve.entrance.names import FILE as PEOPLE
from tuning.serve.entrance.names import Nicknames
from tuning.studio import Studio
from tuning.studio.access.keys import FILE as KEYS
from tuning.text import say


@pytest.mark.parametrize("file", [PEOPLE, KEYS])
def test_what_somebody_else_is_changing_is_left_as_it_is(file: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names, keys = Nicknames(tmp_path), Studio(settings.Settings(home=tmp_path), LOCAL).keys
    changes: dict[str, Any] = {PEOPLE: lambda: names.take("anna", ""), KEYS: keys.give}
    changes[file]()
    before = (tmp_path / file).read_bytes()
    patient: Any = locks.changing
    monkeypatch.setattr(patient.__wrapped__, "__defaults__", (0.0,))
    with locks.changing(tmp_path / file), pytest.raises(RunError, match=r"home\.locked"):
        names.take("berta", "") if file == PEOPLE else keys.give()
    assert (tmp_path / file).read_bytes() == before
    names.take("berta", "") if file == PEOPLE else keys.give()
    assert (tmp_path / file).read_bytes() != before


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the system answers whoever wants a lock: an error of this number."""
    fcntl = pytest.importorskip("fcntl", reason="Windows locks in its own way, which has no such errors")

    def saying(number: int) -> None:
        def flock(*words: Any) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    return saying


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES], ids=os.strerror)
def test_a_lock_that_somebody_has_is_told_by_what_the_system_says(taken: Any, tmp_path: pathlib.Path, number: int) -> None:
    (tmp_path / "engine.lock").touch()
    taken(number)
    assert not locks.Lock(tmp_path / "engine.lock").acquire(patience=0) and locks.held(tmp_path / "engine.lock")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL], ids=os.strerror)
def test_a_disk_without_locks_is_a_sentence_with_a_way_out_and_nobody_holds_anything(
    taken: Any, tmp_path: pathlib.Path, number: int
) -> None:
    """Every run had been "starting" there for good."""
    (tmp_path / "engine.lock").touch()
    taken(number)
    assert not locks.held(tmp_path / "engine.lock")
    with pytest.raises(OSError) as caught:
        locks.Lock(tmp_path / "engine.lock").acquire()
    told = of_disk(caught.value)
    assert told is not None and (told.code, told.params) == ("home.no_locks", {"file": "engine.lock"})
    assert "--home FOLDER" in say("en", told.code, told.params) and "--home CARTELLA" in say("it", told.code, told.params)
    with pytest.raises(starting.Refusal) as refused:
        starting.only(tmp_path)
    assert refused.value.code == "home.no_locks"
