"""The script for the first person with a card runs without one: what a processor can do, on tiny shapes; nothing ends it early."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.gpu import first_light, lights

ON_A_CARD_ONLY = {"machine", "memory", "fault", "saved", "forecast", "speed"}


def one(folder: pathlib.Path, broken: str = "") -> first_light.One:
    """Try things in this process; `broken` fails."""

    def here(name: str, device: str, seconds: float) -> first_light.Row:
        if name == broken:
            return first_light.alone(name, device, seconds, [sys.executable, "-c", "import os; print('sorry'); os.kill(os.getpid(), 9)"])
        (folder / name).mkdir()
        return lights.light(name, device, folder / name)

    return here


def test_it_tries_what_a_processor_can_do_and_goes_on_after_what_ends_its_process(tmp_path: pathlib.Path) -> None:
    names, lines = ["machine", "full", "fault", "cards"], list[str]()
    rows = first_light.everything(one(tmp_path, broken="cards"), names, lines.append)
    assert [(row.name, row.passed) for row in rows] == [*zip(names, (None, True, None, False), strict=True)], lines
    assert len(lines) == len(names) + 2 and "no card" in lines[1] and "loss" in lines[2]
    assert "ended with -9" in rows[-1].figure and "sorry" in rows[-1].told["said"]
    first_light.write(rows, tmp_path / "back.json")
    assert len(json.loads((tmp_path / "back.json").read_text(encoding="utf-8"))["rows"]) == len(names)


def test_what_hangs_is_given_up_with_all_that_it_started() -> None:
    words = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"]
    row = first_light.alone("lora", "cpu", 1.0, words)
    assert row.passed is False and "not done after 1 s" in row.figure


@pytest.mark.nightly
def test_the_whole_of_it_without_a_card(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "tests.gpu.first_light", "--out", str(tmp_path / "back.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    print(done.stdout)
    rows = {row["name"]: row for row in json.loads((tmp_path / "back.json").read_text(encoding="utf-8"))["rows"]}
    assert rows.keys() == first_light.WHAT.keys() == lights.LIGHTS.keys()
    failed = {name: row for name, row in rows.items() if row["passed"] is False}
    assert done.returncode == 0 and not failed, done.stdout
    assert {name for name, row in rows.items() if row["figure"] == "no card"} == ON_A_CARD_ONLY
    assert str(tmp_path / "back.json") in done.stdout
