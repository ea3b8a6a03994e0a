"""The kinds of work that want the model: training a run, answering a question, making a report. One class for each.

A job says when it may be done and whom it tells of a failure; whose turn it is, `workshop` decides. Importing this loads no
model library. A terminal does the same work without jobs, through `train.train`, `chat.answer` and `report.evaluate`.
"""

import abc
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from tuning.engine.question import Comparison, Question, Strengths
from tuning.engine.watchdog import load_seconds, stretch
from tuning.errors import EngineError, RunError, TuningError, cause, of_disk, of_tokenizer
from tuning.runs import locks
from tuning.runs.run_folder import Run
from tuning.runs.store import Store
from tuning.schema import Notice, RunState

if TYPE_CHECKING:
    from tuning.engine.resident import Resident
    from tuning.engine.speak.chat import Saying

# A slow machine, for what no forecast tells apart; more of it in `watchdog`.
OPERATIONS = 2e10  # of a processor in a second
CHARACTERS = 3.0  # of a token


class Job(abc.ABC):
    """One piece of work for the thread that owns the model.

    `interrupts`: it is done at the next yield point of another job, and else after it. `busy`: the code with which it is refused
    while a run is trained, which may take hours; None where it waits. `failed`: the code for a fault that nobody foresaw, with
    its `kind`. Each takes the lock of the card that it needs by itself.
    """

    interrupts: ClassVar[bool] = False
    busy: ClassVar[str | None] = None
    failed: ClassVar[str]
    sign: Callable[[], None] = staticmethod(lambda: None)  # says between two yield points that it goes on

    @property
    def apart(self) -> str | None:
        """The code with which questions are refused while it is done, for the cards are others' meanwhile; None where they are not."""
        return None

    @property
    def expected(self) -> float:
        """Seconds from one yield point or sign to the next, at most and by the forecast; see `watchdog`."""
        return 0.0

    def late(self) -> None:
        """It has not come to a yield point for much longer than expected, and may still."""
        self.refuse(EngineError("workshop.hung"))

    def hung(self) -> None:
        """The process is about to be replaced, for it never came to one."""
        self.refuse(EngineError("workshop.hung"))

    @abc.abstractmethod
    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        """Do it. `between` is called at every yield point; `inside`: another job is at one of its own, and holds its card's lock."""

    @abc.abstractmethod
    def refuse(self, error: TuningError) -> None:
        """Tell whoever waits for it why it was not done, or not to the end."""

    def told(self, error: BaseException) -> TuningError:
        """What went wrong as somebody can be told it: as a code."""
        if isinstance(error, TuningError):
            return error
        told = of_disk(error) or of_tokenizer(error) or EngineError(self.failed, kind=type(error).__name__)
        told.__cause__ = error
        return told


class Preload(Job):
    """Loads the libraries and nothing else. Whoever does it has them already, and nobody waits for it."""

    failed = "engine.cannot_load"

    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        """They are there: something has made `resident`."""

    def refuse(self, error: TuningError) -> None:
        """Who needs them is told by a job of their own."""


class Train(Job):
    """Trains a run of the queue on disk. `spoiled` is called where the process can do nothing with its card any more."""

    failed = "train.unexpected"

    def __init__(self, target: Run, store: Store, spoiled: Callable[[], None] = lambda: None) -> None:
        self.target, self.store, self.spoiled = target, store, spoiled
        self.gone: Notice | None = None  # that the run's folder was taken away in the middle of it, which nobody could write there

    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        """Raises RunError where another process holds the run or its card: it waits on then."""
        from tuning.engine.learn.train import train

        state = train(self.target, self.store, resident, between, queued=True)
        self.gone = state.error if state.reason == "gone" else None
        if state.reason == "cuda":
            self.spoiled()
            if self.target.retry():
                self.target.enqueue(first=True)

    @property
    def expected(self) -> float:
        """To load the model, to make tokens of the rows, or to take a step: the sum will do."""
        return stretch(self.target)

    def late(self) -> None:
        """Say it in the run's state; the next that the engine itself writes there takes it back."""
        state = self.target.saved_state()
        if state is not None:
            told = Notice(code="run.late", level="warning", params={"step": state.step})
            self.target.write_state(state.model_copy(update={"notices": [*state.notices, told]}))

    def hung(self) -> None:
        """Have it taken up again by the process that comes, or where that was tried often enough, end it."""
        if self.target.retry("recovery.hung"):
            self.target.enqueue(first=True)
        else:
            state = self.target.saved_state() or RunState(status="failed")
            told = Notice(code="train.hung", level="error", params={"step": state.step})
            self.target.write_state(state.model_copy(update={"status": "failed", "reason": None, "error": told, "ended": time.time()}))

    def refuse(self, error: TuningError) -> None:
        """End the run as failed, unless it waits on or has ended by itself."""
        if not isinstance(error, RunError) and self.target.state().status in ("queued", "interrupted"):
            reason = error.reason if isinstance(error, EngineError) else None
            behind = {"cause": why} if (why := cause(error)) else {}
            self.target.give_up(reason, Notice(code=error.code, level="error", params={**behind, **error.params}))


class Ask(Job):
    """Answers a question, of the model that is at work or, where none is, of any.

    Beside another job it is done in turns: each ends where `enough` says so, and the answer is `unfinished` then.
    """

    interrupts = True
    failed = "chat.failed"

    def __init__(self, question: Question, store: Store) -> None:
        self.question, self.store = question, store
        self.enough: Callable[[], bool] = lambda: False
        self.unfinished = False
        self._saying: Saying | None = None

    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        """Raises EngineError for another model than the one at work, and where another process is on the card."""
        from tuning.engine.speak.chat import Saying

        question, self.unfinished = self.question, False
        if inside and not resident.has(question.model.path, question.device, question.quantization):
            raise EngineError("chat.other_model")
        question.sign = self.sign
        precision = resident.precision if inside else question.precision
        busy = EngineError("chat.gpu_busy", device=question.device)
        with contextlib.nullcontext() if inside else locks.card(self.store.home, question.device, busy):
            resident.load(question.model.path, question.device, precision, question.quantization, bare=question.bare)
            self._saying = self._saying or Saying(question)
            self.unfinished = not self._saying.turn(resident, self.enough if inside else lambda: False)

    @property
    def begun(self) -> bool:
        """Has it said something?"""
        return self._saying is not None

    @property
    def expected(self) -> float:
        """To load the model and to read the conversation; each token of the answer is a sign."""
        card = self.question.model.card
        tokens = sum(len(message.content) for message in self.question.messages) / CHARACTERS
        return load_seconds(card) + 2 * card.parameters * tokens / OPERATIONS

    def late(self) -> None:
        """Whoever asked is told, and the answer ends at its next token."""
        self.question.stopped.set()
        super().late()

    def refuse(self, error: TuningError) -> None:
        self.question.pieces.put(error)
        self.question.pieces.put(None)


class Compare(Job):
    """Makes a report on a run, base against tuned. It would slow down a training, and is refused meanwhile."""

    busy = "evaluate.busy"
    failed = "evaluate.failed"

    def __init__(self, comparison: Comparison, store: Store) -> None:
        self.comparison, self.store = comparison, store

    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        from tuning.engine.judge.report import evaluate

        asked = self.comparison
        asked.answer.put(evaluate(asked.run, asked.data, self.store, resident, between, asked.whole))

    @property
    def expected(self) -> float:
        return stretch(self.comparison.run)

    def refuse(self, error: TuningError) -> None:
        self.comparison.answer.put(error)


class Measure(Job):
    """Measures the adapter of a run at several strengths; refused while a run is trained, as a report is."""

    busy = "evaluate.busy"
    failed = "strengths.failed"

    def __init__(self, asked: Strengths, store: Store) -> None:
        self.asked, self.store = asked, store

    def run(self, resident: "Resident", between: Callable[[], None], inside: bool) -> None:
        from tuning.engine.judge.strengths import measure

        def looked() -> None:
            if self.asked.stopped.is_set():
                raise EngineError("strengths.stopped")
            between()

        looked()
        measure(self.asked.run, self.store, resident, looked)

    @property
    def expected(self) -> float:
        return stretch(self.asked.run)

    def refuse(self, error: TuningError) -> None:
        """Keep the reason where the page looks for the figures, but of a stop. A run that was deleted meanwhile does not come back."""
        from tuning.engine.judge.strengths import keep

        if error.code != "strengths.stopped" and not self.asked.run.gone():
            keep(self.asked.run, self.asked.run.owner(), [], error={"code": error.code, "level": "error", "params": error.params})
