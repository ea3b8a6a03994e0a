"""A training in processes of its own, one for each card: torchrun is started, and the run's folder followed until they have ended.

They are `python -m tuning resume RUN`, as somebody may start them in a terminal; what they do together is the affair of `ranks`. They
outlive this process: whoever looks at the home finds the run at work.
"""

import contextlib
import itertools
import logging
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil

from tuning import settings
from tuning.engine import watchdog
from tuning.engine.jobs import Train
from tuning.errors import EngineError, RunError
from tuning.runs import disk, locks
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import ALIVE, Notice, RunSpec

if TYPE_CHECKING:
    from tuning.engine.resident import Resident

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
SILENCE = 2.0  # times what the processes wait for each other: then none of them does anything any more
SAID = "launcher.txt"  # in the run's folder: what launcher and processes said
MOST_SAID = 1 << 20  # bytes of it
LAUNCHER = ("-m", "torch.distributed.run")


def processes(spec: RunSpec, cards: int) -> int:
    """How many processes of a launcher train this run on a machine with so many cards; 1: this one does it alone."""
    return max(1, min(spec.processes, cards)) if spec.settings.on_nvidia else 1


class Launch(Train):
    """Trains a run of the queue in `count` processes of a launcher. This process computes nothing meanwhile: the cards are theirs."""

    def __init__(self, target: Run, store: Store, count: int, code: settings.RemoteCode | None = None) -> None:
        """`code`: the one model that may run its own."""
        super().__init__(target, store)
        self._count, self._code = count, code
        self._beat, self._idle, self._begun = 0.0, 0.0, False

    @property
    def apart(self) -> str | None:
        """Until the processes have let go of the run: a question waits then for the end of their launcher, which is seconds away."""
        return None if self._begun and not locks.held(self.target.lock_path) else "chat.launched"

    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        """As `work`, with the cards let go of; the run is taken up again where a card has failed."""
        resident.unload()
        self.work(between)
        if not self.gone and self.target.state().reason == "cuda" and self.target.retry():
            self.target.enqueue(first=True)

    def work(self, between: Callable[[], None]) -> None:
        """Start them, and call `between` until they have ended; the folder says how.

        Raises RunError where another process is on one of the cards, EngineError where the launcher ended and nothing was begun.
        """
        for number in range(self._count):
            if locks.held(locks.of_card(self.store.home, f"cuda:{number}")):
                raise RunError("run.gpu_busy", device=f"cuda:{number}")
        run, silent, started = self.target, False, time.time()
        starting = locks.Lock(run.starting_path)
        starting.acquire(patience=0)  # a terminal holds it already
        with starting:
            process = self._launch()
            while process.poll() is None or locks.held(run.lock_path):
                if self.apart:
                    between()
                if locks.held(run.lock_path):
                    self._begun = True
                    starting.release()
                    silent = silent or self._silent(process)
                time.sleep(LOOK_SECONDS)
        self._conclude(silent, started)

    def _launch(self) -> "subprocess.Popen[bytes]":
        """The launcher, in a session of its own: what ends this process, or Ctrl-C in its terminal, is no signal to it."""
        words = [*LAUNCHER, "--standalone", "--nproc_per_node", str(self._count)]
        words += ["-m", "tuning", "--home", str(self.store.home), "resume", self.target.id, "--queued", "--lang", "en"]
        words += ["--allow-remote-code", f"{self._code.id}@{self._code.revision}"] if self._code else []
        with (self.target.folder / SAID).open("wb") as said:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=settings.ROOT,
                env=settings.launcher_environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def _silent(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether none of them has done anything for very long; they are ended then. Counted by own looks: a machine may have slept."""
        state = self.target.saved_state()
        beat = state.heartbeat if state is not None else 0.0
        self._beat, self._idle = beat, self._idle + LOOK_SECONDS if beat == self._beat else 0.0
        if self._idle < SILENCE * watchdog.patience(self.target):
            return False
        logger.warning("run %s: no sign of life for %s seconds", self.target.id, self._idle)
        writer = locks.holder(self.target.lock_path).get("pid")
        for pid in [process.pid, *_below(process), *([writer] if writer else [])]:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        return True

    def _conclude(self, silent: bool, started: float) -> None:
        """See to it that the folder says how it ended where its processes did not."""
        run, state = self.target, self.target.saved_state()
        if run.gone():
            self.gone = Notice(code="run.gone", level="error", params={"run": run.id})
        elif state is None or state.heartbeat < started:  # nobody has begun it
            raise EngineError("train.launcher", reason="process", file=SAID, said=_said(run.folder / SAID))
        elif state.status in ALIVE:  # whoever leaves on purpose has said so
            code = "train.rank_late" if silent else "train.rank_lost"
            run.give_up("process", Notice(code=code, level="error", params={"processes": self._count}), "interrupted")


def _below(process: "subprocess.Popen[bytes]") -> list[int]:
    try:
        return [one.pid for one in psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
    except psutil.NoSuchProcess:
        return []


def _said(path: pathlib.Path) -> str:
    """The last that the processes said, before the launcher began to tell of their end."""
    lines = disk.kept(lambda: disk.text(path, MOST_SAID), "").splitlines()
    own = [line.strip() for line in itertools.takewhile(lambda line: "torch/distributed" not in line, lines)]
    return next((line for line in reversed(own) if line), "")[:300]
