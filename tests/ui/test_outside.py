"""How another program talks to a run, as it is drawn: what stands in the box for whom, and nothing that came from a name is markup."""

import json
import re
import shlex
from types import SimpleNamespace
from typing import Any

import pytest

from tuning.studio import Studio
from tuning.studio.access.keys import FILE
from tuning.text import t
from tuning.ui.draw.leaving import outside
from tuning.ui.tabs.runs import RunActions

LEARNED = {"run": "20261129-starter-x", "has_adapter": True, "status": "finished"}


@pytest.mark.parametrize("lang", ["en", "it"])
def test_a_fresh_key_stands_in_the_box_and_a_kept_one_does_not(studio: Studio, lang: str) -> None:
    desk: Any = SimpleNamespace(studio=studio, lang=lang)
    none = RunActions(desk).outside(LEARNED, "")
    made = studio.keys.give()
    fresh, kept = RunActions(desk).outside(LEARNED, made), RunActions(desk).outside(LEARNED, "")
    assert made in fresh and made not in kept + none and outside.NO_KEY in kept and "no_key" not in none
    studio.keys.give()  # elsewhere: the one that is shown here has ended
    assert made not in RunActions(desk).outside(LEARNED, made)
    assert RunActions(desk).outside({**LEARNED, "has_adapter": False}, "") == ""


def test_a_file_of_keys_that_cannot_be_read_is_told_in_the_place_of_the_box(studio: Studio) -> None:
    studio.keys.give()
    (studio.settings.home / FILE).write_bytes(b"\xff\xfe")
    desk: Any = SimpleNamespace(studio=studio, lang="en")
    shown = RunActions(desk).outside(LEARNED, "")
    assert FILE in shown and "data-do" not in shown and t("en", "ui.programs") not in shown


def test_the_line_of_curl_can_be_typed() -> None:
    line = outside.lines("a-run", "sk-sartoria-x")["curl"]
    words = shlex.split(line)
    assert json.loads(words[-1])["model"] == "a-run" and "Authorization: Bearer sk-sartoria-x" in words
    assert words[1] == "{origin}/v1/chat/completions" and not re.search(r"'", line)
