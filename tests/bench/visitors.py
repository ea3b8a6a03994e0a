"""How many the app serves at once while it trains: `python -m tests.bench.visitors [MINUTES] [PAGES] [CROWD]`, by default 3, 50 and 200.

A run of the starter is on, with one thread. First a storm: so many visitors open the page at the same moment (shell, configuration, first
drawing) and ask for a plan. Then their pages follow the run for so many minutes, looking as often as a page does. At last a crowd opens at
once: whoever is turned away gets 503 and nobody anything worse. Printed: the 95th of 100 seconds of each action, errors, memory.
"""

import asyncio
import collections
import os
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

from tests.bench.server import running
from tests.ui.fuzz import Caller
from tests.ui.test_fuzz import resident
from tuning.ui.desk import SLOW

PATIENCE = 120.0


class Page:
    """What the browser of a visitor asks for."""

    def __init__(self, client: httpx.AsyncClient, bench: "Bench", name: str) -> None:
        self.client, self.bench, self.name = client, bench, name

    async def open(self) -> None:
        """The shell, its configuration and the first drawing."""
        await self.bench.timed("open: shell", self.client.get("/"))
        await self.bench.timed("open: configuration", self.client.get("/config"))
        await self.bench.timed("open: drawing", self.draw("load"))

    def draw(self, event: str) -> Coroutine[Any, Any, httpx.Response]:
        """What the page asks for when it opens (`load`), and on its timer (`tick`)."""
        function = self.bench.functions[event]
        body = {"data": self.bench.values(event), "fn_index": function["id"], "session_hash": self.name}
        return self.client.post("/gradio_api/run/predict", json=body)

    async def plan(self) -> None:
        """A knob was turned."""
        body = {"data": ["starter", "starter-en", None, {"max_steps": 10 + len(self.name)}, None]}
        await self.bench.timed("plan", self.client.post("/gradio_api/run/plan", json=body))

    async def follow(self, until: float) -> None:
        """Look at the run as often as a page does."""
        await asyncio.sleep(random.random() * SLOW)
        while time.monotonic() < until:
            await self.bench.timed("look", self.draw("tick"))
            await asyncio.sleep(SLOW)


class Bench:
    """What was asked, how long it took, and how it was answered."""

    def __init__(self, address: str) -> None:
        self.address, self.caller = address, Caller(address, random.Random(1), pathlib.Path(), [])
        chosen = {event: self._listens(event) for event in ("load", "tick")}
        self.functions: dict[str, Any] = chosen
        self.seconds: dict[str, list[float]] = collections.defaultdict(list)
        self.answers: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)

    def _listens(self, event: str) -> Any:
        """The function of the English page that does most at an event: what is drawn goes to many parts."""
        found = [one for one in self.caller.functions if any(target[1] == event for target in one["targets"])]
        return max(found, key=lambda one: len(one["outputs"]))

    def values(self, event: str) -> list[Any]:
        return [self.caller.usual(part) for part in self.functions[event]["inputs"]]

    async def timed(self, action: str, asked: Coroutine[Any, Any, httpx.Response]) -> None:
        began = time.perf_counter()
        try:
            kind = str((await asked).status_code)
        except httpx.HTTPError as error:
            kind = type(error).__name__
        self.seconds[action].append(time.perf_counter() - began)
        self.answers[action][kind] += 1

    async def all(self, count: int, does: Callable[[Page], Coroutine[Any, Any, None]], name: str) -> None:
        """So many visitors at once, each with connections of its own."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=count)
        async with httpx.AsyncClient(base_url=self.address, timeout=PATIENCE, limits=limits) as client:
            await asyncio.gather(*(does(Page(client, self, f"{name}-{number}")) for number in range(count)))

    def told(self, title: str) -> None:
        print(title)
        for action, seconds in self.seconds.items():
            ordered = sorted(seconds)
            p95, answers = ordered[int(0.95 * (len(ordered) - 1))], ", ".join(f"{n} × {kind}" for kind, n in self.answers[action].items())
            print(f"  {action}: p50 {ordered[len(ordered) // 2]:.2f} s, p95 {p95:.2f} s, longest {ordered[-1]:.2f} s; {answers}")
        self.seconds.clear()
        self.answers.clear()


async def opens(page: Page) -> None:
    await page.open()
    await page.plan()


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    pages, crowd = (int(sys.argv[at]) if len(sys.argv) > at else usual for at, usual in ((2, 50), (3, 200)))
    env = {"HF_HUB_OFFLINE": "1", **os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder, running(pathlib.Path(folder) / "home", env=env) as (address, process):
        data = ["starter", "starter-en", None, {"max_steps": 100_000, "report": False}, "long"]
        run = httpx.post(f"{address}/gradio_api/run/train", json={"data": data}, timeout=PATIENCE).json()["data"][0]["run"]

        def step() -> int:
            return int(httpx.post(f"{address}/gradio_api/run/run", json={"data": [run]}, timeout=PATIENCE).json()["data"][0]["step"])

        while step() < 3:
            time.sleep(1)
        bench, before = Bench(address), resident(process.pid)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, memory {before / 1e6:.0f} MB, step {step()}")
        asyncio.run(bench.all(pages, opens, "storm"))
        bench.told(f"{pages} visitors open at once:")
        until, began, first = time.monotonic() + 60 * minutes, time.monotonic(), step()
        asyncio.run(bench.all(pages, lambda page: page.follow(until), "storm"))
        bench.told(f"{pages} pages follow the run for {minutes:g} min:")
        print(f"  {(step() - first) / (time.monotonic() - began):.1f} steps a second, memory {resident(process.pid) / 1e6:.0f} MB")
        asyncio.run(bench.all(crowd, opens, "crowd"))
        bench.told(f"{crowd} visitors open at once:")
        print(f"  memory {resident(process.pid) / 1e6:.0f} MB, step {step()}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
