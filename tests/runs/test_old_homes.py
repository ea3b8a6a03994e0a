"""A home folder of each version that was given to people opens in today's: nothing is lost, and looking changes nothing."""

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tests import folders
from tuning import settings
from tuning.schema import LOCAL
from tuning.studio import Studio

STATUSES = {
    "Tariffe di prova": ("finished", None),
    "Ancora": ("finished", None),
    "Whole": ("finished", None),
    "Stopped": ("stopped", None),
    "Diverged": ("failed", "diverged"),
    "Memory": ("paused", "memory"),
    "Disk": ("paused", "disk"),
    "Killed": ("interrupted", None),
    "Waiting": ("queued", None),
}


@pytest.fixture
def old(home: pathlib.Path) -> Studio:
    """The home of version 0.1, with this machine's places in it."""
    folders.old_home(home)
    return Studio(settings.read(), LOCAL)


def hashes(folder: pathlib.Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_run_has_the_status_that_it_had_and_looking_changes_nothing(old: Studio, home: pathlib.Path) -> None:
    before = hashes(home)
    found = {run["name"]: (run["status"], run["reason"]) for run in old.runs.list()}
    assert found == STATUSES
    for run in old.runs.list():
        shown = old.runs.show(run["run"])
        assert shown["status"] == run["status"] and shown["spec"]["settings"]["learning_rate"] > 0
        assert bool(shown["metrics"]) == (run["status"] != "queued")
    (mine,) = (data for data in old.data.list() if data.get("name") == "tariffe.csv")
    assert mine["rows_kept"] == 24
    assert hashes(home) == before


def test_the_command_line_lists_it_and_the_adapter_answers(old: Studio, tuning: Callable[..., Any]) -> None:
    assert {run["name"] for run in json.loads(tuning("runs", "--json").stdout)} == set(STATUSES)
    run = next(run["run"] for run in old.runs.list() if run["name"] == "Tariffe di prova")
    asked = tuning("chat", run, "--prompt", "Quanto costa l'articolo 3?", "--json")
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["answer"].strip()
