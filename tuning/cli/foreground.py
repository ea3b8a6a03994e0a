"""Training in the foreground of a terminal: progress in words, Ctrl-C, a card that is in use, and one that gave up.

It prints to stderr only; the document that the command line ends with is handed back.
"""

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from tuning.errors import RunError
from tuning.runs import locks, summary
from tuning.runs.run_folder import Run
from tuning.schema import RunState
from tuning.studio import Studio
from tuning.text import number, say, t

GIB = 2**30
PROGRESS_SECONDS = 2.0
BUSY_SECONDS = 2.0  # how often a card that another run is on is asked for


class StopByHand:
    """Ctrl-C while it is entered: the first asks the run to stop, and `says` so; a second one raises KeyboardInterrupt."""

    def __init__(self, run: Run, says: str) -> None:
        self.run, self.says, self.by_hand = run, says, False

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._press)

    def __exit__(self, *ended: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, signum: int, frame: FrameType | None) -> None:
        if self.by_hand:
            raise KeyboardInterrupt
        self.by_hand = True
        (self.run.folder / "stop").touch()
        print(self.says, file=sys.stderr)


def train(studio: Studio, run: Run, lang: str, as_json: bool) -> tuple[int, Any]:
    """Train in this process. The first Ctrl-C asks the run to stop and keeps its work, a second one ends the process.

    SIGTERM saves and leaves the run to go on later: 143, as if the signal had ended the process itself. After a fatal fault of
    the card this does not return: the same run goes on in a process that takes the place of this one. A run on several cards is
    trained in a process for each of them, which this one starts and follows.
    """
    starting = locks.Lock(run.starting_path)
    starting.acquire(patience=1.0)  # libraries take long to load: whoever looks meanwhile sees a run that starts, and cannot resume it
    from tuning.engine import shutdown

    asked, shown, said = StopByHand(run, t(lang, "cli.stopping")), 0.0, ""

    def progress() -> None:
        nonlocal shown, said
        ask_again()
        if locks.held(run.lock_path):  # by the engine, wherever it is
            starting.release()
        if time.monotonic() - shown < PROGRESS_SECONDS:
            return
        shown = time.monotonic()
        before, said = said, standing(run.saved_state(), lang)
        if said and said != before:
            print(said, file=sys.stderr)

    with starting:
        studio.models.download(run.spec().model, downloading(lang))
        print(t(lang, "cli.training", run=run.id, folder=run.folder), file=sys.stderr)
        with asked, shutdown.at_sigterm(run) as ask_again:
            state = _when_free(lambda: studio.runs.work(run, progress), run, lang)
    if state.reason == "cuda" and studio.settings.world_size == 1 and run.retry():
        print(t(lang, "cli.restarting"), file=sys.stderr)
        words = ["resume", run.id, "--lang", lang, *(["--json"] if as_json else [])]
        shutdown.anew("-m", "tuning", "--home", str(studio.settings.home), *words)
    if state.error is not None:
        print(say(lang, state.error.code, state.error.params), file=sys.stderr)
    if state.status == "interrupted":
        print(t(lang, "cli.interrupted", run=run.id, step=state.step), file=sys.stderr)
    return _exit_code(state, asked.by_hand), summary.result(run) if run.known() else {"run": run.id, **state.model_dump(by_alias=True)}


def assist(studio: Studio, lang: str) -> int:
    """Take part in a training as one of several processes of a launcher, of which rank 0 decides when it ends and tells of it.

    As soon as there is a run, a signal that asks for the end is rank 0's affair: all of them stop after the same step.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing of Python's comes through while this waits

    def begun() -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)

    told = studio.runs.assist(begun)
    if told is not None:
        print(say(lang, told.code, told.params), file=sys.stderr)
    return 0 if told is None else 1


def _exit_code(state: RunState, by_hand: bool) -> int:
    """What the command line ends with for a run that ended so; `by_hand`: by Ctrl-C."""
    if state.status == "interrupted" and state.error is None:
        return 128 + signal.SIGTERM
    if by_hand:
        return 130
    at_fault = state.status == "failed" and state.reason == "data"
    return 0 if state.status in ("finished", "stopped") else 2 if at_fault else 1


def standing(state: RunState | None, lang: str) -> str:
    """How far it is, or that it saves or measures what was learned; nothing before the first step."""
    if state is None or state.train_loss is None:
        return ""
    if state.finishing:
        return t(lang, f"cli.{state.finishing}", step=number(state.step, lang))
    left, loss = number(state.seconds_left or 0, lang), number(state.train_loss, lang, 3)
    return t(lang, "cli.progress", step=state.step, total=state.total_steps, loss=loss, left=left)


def downloading(lang: str) -> Callable[[int, int], None]:
    """Progress of a download: one line for every twentieth of it."""
    said = -1

    def progress(done: int, total: int) -> None:
        nonlocal said
        share = 20 * done // max(1, total)
        if share != said:
            said = share
            print(t(lang, "cli.downloading", done=number(done / GIB, lang, 2), total=number(total / GIB, lang, 2)), file=sys.stderr)

    return progress


def _when_free(work: Callable[[], RunState], run: Run, lang: str) -> RunState:
    """Train as soon as no other run is on the card. Raises RunError where the run is to end before."""
    from tuning.engine import shutdown

    said = False
    while True:
        try:
            return work()
        except RunError as error:
            if error.code != "run.gpu_busy" or run.stop_requested() or shutdown.asked(run):
                raise
            if not said:
                print(say(lang, error.code, error.params), file=sys.stderr)
            said = True
            time.sleep(BUSY_SECONDS)
