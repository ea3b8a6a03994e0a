"""Files of the home that several people or processes change: whoever does not get the lock changes nothing, and is told."""

import pathlib
from typing import Any

import pytest

from tuning import settings
from tuning.errors import RunError
from tuning.runs import locks
from tuning.schema import LOCAL
from tuning.serve.entrance.names import FILE as PEOPLE
from tuning.serve.entrance.names import Nicknames
from tuning.studio import Studio
from tuning.studio.access.keys import FILE as KEYS


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
