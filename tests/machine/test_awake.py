"""A machine is kept awake while a run is on and no longer; where it cannot be, that is told, and never fails a run."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS_THE_REST = 'while [ "$1" != sh ]; do shift; done; exec "$@"\n'
HOLDS = 'echo "$@" >> {log}\n' + RUNS_THE_REST
HOLDS_IDLE_ONLY = 'echo "$@" >> {log}\ncase "$1" in *sleep*) exit 1;; esac\n' + RUNS_THE_REST
REFUSES = 'echo "$@" >> {log}\nexit 1\n'
PROGRAM = """
import sys
from tuning.machine import awake
with awake.kept() as told:
    print([notice.code for notice in told], flush=True)
    sys.stdin.readline()
"""
Start = Callable[..., tuple[subprocess.Popen[str], list[str]]]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Iterator[Start]:
    """A process that keeps the machine awake until its input ends, with a `systemd-inhibit` of our own; and what that was asked."""
    started: list[subprocess.Popen[str]] = []
    folder, log = tmp_path / "bin", tmp_path / "asked.txt"

    def begin(script: str | None, **environment: str) -> tuple[subprocess.Popen[str], list[str]]:
        folder.mkdir()
        for name in ("sh", "cat"):
            (folder / name).symlink_to(f"/bin/{name}")
        if script is not None:
            (folder / "systemd-inhibit").write_text("#!/bin/sh\n" + script.format(log=log), encoding="utf-8")
            (folder / "systemd-inhibit").chmod(0o755)
        env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env={**env, "PATH": str(folder), **environment}, **pipes)
        started.append(process)
        assert process.stdout is not None
        told = process.stdout.readline().strip()
        return process, [told, *(log.read_text(encoding="utf-8").splitlines() if log.exists() else [])]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("killed", [False, True])
def test_it_is_held_as_long_as_the_run_is_on_however_that_ends(start: Start, wait_until: Callable[..., Any], killed: bool) -> None:
    process, (told, asked) = start(HOLDS)
    assert told == "[]" and "--what=idle:sleep" in asked and "Sartoria" in asked
    (holder,) = psutil.Process(process.pid).children()
    if killed:
        process.kill()
    else:
        process.communicate("\n")
        assert process.returncode == 0
    wait_until(lambda: not holder.is_running() or holder.status() == psutil.STATUS_ZOMBIE, 20)


def test_where_sleep_may_not_be_held_off_going_idle_is(start: Start) -> None:
    process, (told, *asked) = start(HOLDS_IDLE_ONLY, DISPLAY=":0")
    assert told == "[]" and len(asked) == 2 and "--what=idle " in asked[1]
    assert len(psutil.Process(process.pid).children()) == 1


@pytest.mark.parametrize("script", [REFUSES, None])
def test_where_nothing_holds_it_a_desktop_is_told_and_the_run_goes_on(start: Start, script: str | None) -> None:
    process, (told, *_) = start(script, DISPLAY=":0")
    assert told == "['run.may_sleep']"
    process.communicate("\n")
    assert process.returncode == 0


def test_a_server_for_many_is_left_alone(start: Start) -> None:
    _, (told, *asked) = start(HOLDS, DISPLAY=":0", TUNING_MODE="shared")
    assert told == "[]" and not asked
