"""What one look of a viewer costs while a run goes on: `python -m tests.bench.viewers`.

Every open page asks every 5 s, in the first minute of a run every 1.5 s. A long run (5,000 logged steps) is held against a
short one (50): once by the first viewer after a new step, once by all the others. Then the same with 300 runs in the list
against 3.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import gradio as gr

from tests import folders
from tests.bench.measure import compare
from tuning import settings
from tuning.runs import locks
from tuning.schema import LOCAL, RunState
from tuning.studio import Studio
from tuning.ui import page
from tuning.ui.desk import Desk

LONG, SHORT, PAIRS, OTHERS = 5000, 50, 15, 5


class Viewer:
    """A page as the server sees it, over a home with one run that is on."""

    def __init__(self, home: pathlib.Path, steps: int, ended: int = 0) -> None:
        self.studio = Studio(settings.read(home=str(home)), LOCAL)
        for number in range(ended):
            folders.make(self.studio, f"run {number}", 60)
        self.run = folders.make(self.studio, "prices", steps, status="running", ended=None)
        self.steps, self.lock = steps, locks.Lock(self.run.lock_path)
        self.lock.acquire()
        self.desk = Desk(self.studio, "en")
        with gr.Blocks() as demo:
            page._page(self.desk, demo)

    def step(self) -> None:
        """One more step is logged."""
        self.steps += 1
        with (self.run.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(folders.lines(1, self.steps)[0] + "\n")
        self.run.write_state(RunState(status="running", step=self.steps, total_steps=2 * self.steps, heartbeat=time.time()))

    def look(self) -> float:
        """Milliseconds of computing for one draw on the Train tab, by somebody whose page shows nothing of it yet."""
        values: dict[Any, Any] = {part: getattr(part, "value", None) for part in self.desk.asked}
        values |= {self.desk.tab: "train", self.desk.seen: {}, self.desk.choice: {}, self.desk.run: self.run.id}
        started = time.thread_time()
        with self.desk.serving(None):
            drawn = self.desk.draw(values, live_only=True)
        spent = 1000 * (time.thread_time() - started)
        assert any("polyline" in str(value) for value in drawn)
        return spent

    def first(self) -> float:
        """The draw of whoever looks first after a step."""
        self.step()
        return self.look()

    def others(self) -> float:
        """The draw of all who look after that."""
        self.first()
        return min(self.look() for _ in range(OTHERS))


@contextmanager
def viewers(*sizes: tuple[int, int]) -> Iterator[list[Viewer]]:
    """One for each (steps, ended runs)."""
    with ExitStack() as stack:
        made = []
        for steps, ended in sizes:
            made.append(Viewer(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())), steps, ended))
            stack.callback(made[-1].lock.release)
        yield made


def main() -> None:
    def measure(names: tuple[str, str], ours: Callable[[], float], theirs: Callable[[], float]) -> None:
        compare(names, ours, theirs, PAIRS, "ms")

    with viewers((LONG, 0), (SHORT, 0)) as (long, short):
        measure((f"{LONG} steps, first viewer", f"{SHORT} steps"), long.first, short.first)
        measure((f"{LONG} steps, other viewers", f"{SHORT} steps"), long.others, short.others)
    with viewers((SHORT, 300), (SHORT, 3)) as (many, few):
        measure(("300 runs, other viewers", "3 runs"), many.others, few.others)


if __name__ == "__main__":
    main()
