"""What open pages cost the app's processor: `python -m tests.bench.ticks [ROUNDS] [CHECKOUT]`.

An app over a home with one run that is on. Its page looks, as on its timer, where nothing is new and where a step more was logged; and
nobody looks at all. Processor time of the app's process, without what it takes anyway. With another checkout of this project the app of
that one is asked in between, and each figure stands against it.
"""

import contextlib
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import httpx

from tests import folders
from tests.bench.server import ROOT, free_port, wait_for
from tests.ui.fuzz import Caller
from tuning import settings
from tuning.runs import locks
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio

LOOKS, REST, STEPS = 60, 5.0, 300


class Looked:
    """One app, and a page of it."""

    def __init__(self, place: pathlib.Path, folder: pathlib.Path) -> None:
        studio = Studio(settings.read(home=str(folder)), LOCAL)
        for number in range(5):
            folders.make(studio, f"old {number}", 60)
        self.run, self.steps = folders.make(studio, "prices", STEPS, status="running", ended=None), STEPS
        self.lock = locks.Lock(self.run.lock_path)
        self.lock.acquire()
        port = free_port()
        command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--home", str(folder)]
        self.process = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, env={"HF_HUB_OFFLINE": "1", **os.environ})
        address = f"http://127.0.0.1:{port}"
        wait_for(address, self.process)
        self.caller = Caller(address, random.Random(1), pathlib.Path(), [])
        self.client = httpx.Client(base_url=address, timeout=60)
        self.ask("change")
        self.idle = self.rest()

    def ask(self, event: str) -> None:
        """What the page sends at an event: the function of it that does most."""
        found = [one for one in self.caller.functions if any(target[1] == event for target in one["targets"])]
        function = max(found, key=lambda one: len(one["outputs"]))
        data = [self.caller.usual(part) for part in function["inputs"]]
        body = {"data": data, "fn_index": function["id"], "session_hash": "page"}
        assert self.client.post("/gradio_api/run/predict", json=body).status_code == 200

    def step(self) -> None:
        self.steps += 1
        with (self.run.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(folders.lines(1, self.steps)[0] + "\n")
        self.run.write_state(RunState(status="running", step=self.steps, total_steps=2 * self.steps, heartbeat=time.time()))

    def spent(self) -> float:
        """Milliseconds of the processor that the process has taken."""
        words = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return 1000 * (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def rest(self) -> float:
        """Milliseconds in a second in which nobody looks."""
        before = self.spent()
        time.sleep(REST)
        self.idle = (self.spent() - before) / REST
        return self.idle

    def looks(self, new: bool) -> float:
        """Milliseconds for a look."""
        before, began = self.spent(), time.monotonic()
        for _ in range(LOOKS):
            if new:
                self.step()
            self.ask("tick")
        return (self.spent() - before - self.idle * (time.monotonic() - began)) / LOOKS

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.lock.release()


@contextlib.contextmanager
def apps(places: list[pathlib.Path]) -> Iterator[list[Looked]]:
    with contextlib.ExitStack() as stack:
        made = []
        for place in places:
            made.append(Looked(place, pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"))
            stack.callback(made[-1].end)
        yield made


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    places = [ROOT, *map(pathlib.Path, sys.argv[2:3])]
    ways = {
        "ms/s, nobody looks": Looked.rest,
        "ms, nothing new": lambda app: app.looks(False),
        "ms, a step more": lambda app: app.looks(True),
    }
    with apps(places) as asked:
        for app in asked:
            app.looks(new=False)  # the first ones are slow
        found: dict[str, list[list[float]]] = {way: [[] for _ in places] for way in ways}
        for _ in range(rounds):
            for way, measure in ways.items():
                for number, app in enumerate(asked):
                    found[way][number].append(measure(app))
    for way, figures in found.items():
        middle = [statistics.median(one) for one in figures]
        ratios = (
            ""
            if len(places) < 2
            else f", there {middle[1]:.1f}; ratio {statistics.median(a / b for a, b in zip(*figures, strict=True)):.2f}"
        )
        print(f"{way}: {middle[0]:.1f}{ratios}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
