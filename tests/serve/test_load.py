"""What a real day does to the app, at a real process: fifty pages at once beside a run, and a kill in the middle of one."""

import asyncio
import os
import pathlib
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.bench.server import running
from tests.bench.visitors import Bench, opens

pytestmark = pytest.mark.nightly

PAGES, SECONDS, MOST = 50, 120.0, 5.0
LONG = {"max_steps": 100_000, "report": False, "sft": {"save_steps": 5}}


def call(address: str, endpoint: str, *values: Any) -> Any:
    answer = httpx.post(f"{address}/gradio_api/run/{endpoint}", json={"data": values}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"][0]


def train(address: str) -> str:
    return str(call(address, "train", "starter", "starter-en", None, LONG, "Long")["run"])


def test_fifty_pages_beside_a_run_are_answered_within_five_seconds_and_without_a_fault(tmp_path: pathlib.Path, wait_until: Any) -> None:
    """They open at once, ask for a plan each, and follow the run for two minutes; it goes on meanwhile.

    The seconds are those of a machine that does nothing else: one on which others wait already has as much more time.
    """
    most = MOST * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    with running(tmp_path / "home") as (address, _):
        run = train(address)
        wait_until(lambda: call(address, "run", run)["step"] >= 3, 120)
        bench, first = Bench(address), call(address, "run", run)["step"]
        until = time.monotonic() + SECONDS

        def p95(action: str) -> float:
            return sorted(bench.seconds[action])[int(0.95 * len(bench.seconds[action])) - 1]

        asyncio.run(bench.all(PAGES, opens, "page"))
        asyncio.run(bench.all(PAGES, lambda page: page.follow(until), "page"))
        print({action: f"{p95(action):.2f} s" for action in bench.seconds}, f"of {most:.1f} s")
        assert {action: [*kinds] for action, kinds in bench.answers.items()} == {action: ["200"] for action in bench.seconds}
        assert max(p95(action) for action in bench.seconds) <= most
        assert call(address, "run", run)["step"] > first and len(bench.seconds["look"]) > PAGES


def test_a_run_whose_program_is_killed_is_interrupted_within_five_seconds_of_the_next_and_goes_on(
    tmp_path: pathlib.Path, wait_until: Callable[..., Any]
) -> None:
    """SIGKILL to the whole program in the middle of a run; what the next one says is true at once, and Resume takes up what was saved."""
    home = tmp_path / "home"
    with running(home) as (address, _):
        run = train(address)
        wait_until(lambda: call(address, "run", run)["step"] >= 12, 180)  # after a save
    with running(home) as (address, _):
        began = time.monotonic()
        wait_until(lambda: call(address, "run", run)["status"] == "interrupted", 30)
        assert time.monotonic() - began < 5 and [one["status"] for one in call(address, "runs")] == ["interrupted"]
        kept = call(address, "run", run)["step"]
        assert call(address, "resume", run)["run"] == run
        found = wait_until(lambda: (told := call(address, "run", run))["step"] > kept and told, 180)
        steps = [point["step"] for point in found["metrics"] if "loss" in point]
        assert steps == sorted({*steps}) and min(steps) <= 5
        call(address, "stop", run)
        wait_until(lambda: call(address, "run", run)["status"] == "stopped", 120)
