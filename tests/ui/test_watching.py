"""The page of a watch link has all that it draws in what is handed out of a run, whatever has become of it."""

import json
import typing

import pytest

from tests import folders
from tests.ui.test_report import FOUND
from tuning.schema import RunState, Status
from tuning.studio import Studio
from tuning.studio.links import SHOWN
from tuning.ui.draw import watching


@pytest.mark.parametrize("status", typing.get_args(Status))
def test_a_run_can_be_followed_whatever_has_become_of_it(studio: Studio, status: Status) -> None:
    run = folders.make(studio, "prezzi", 30, status="running", ended=None)
    (run.folder / "evaluation.json").write_text(json.dumps(FOUND), encoding="utf-8")
    run.write_state(RunState(status=status, step=36, total_steps=60))
    shown = {**studio.runs.show(run.id), "status": status}
    assert "prezzi" in watching.part({key: shown[key] for key in SHOWN}, "en")
